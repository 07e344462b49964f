/*
 * receive.c: what arrives: curl's callbacks of a slot, on the loop's thread. They stop an exchange, they never end it. None is called
 * for a slot whose exchange is over, since its handle is taken out of curl with the exchange.
 */
#include "loop.h"

#include <string.h>
#include <strings.h>

/* The few headers that anybody asks for. */
static const struct {
    const char *name;
    size_t size, field;
} wanted[] = {
#define WANT(name, member)                                         \
    {                                                              \
        name, sizeof name - 1, offsetof(leat_i_http_reply, member) \
    }
    WANT("date", date),
    WANT("request-id", request_id),
    WANT("retry-after", retry_after),
    WANT("content-type", content_type),
    WANT("apim-request-id", request_id),
    WANT("x-request-id", request_id),
    WANT("retry-after-ms", retry_after_ms),
    WANT("x-should-retry", should_retry),
#undef WANT
};

/* The first reason counts. Gives false, for the callback to hand on. */
static bool exchange_stop(leat_i_exchange *x, leat_i_http_end end)
{
    if (!x->stop) x->stop = (uint8_t)(end + 1);
    return false;
}

static void header_status(leat_i_exchange *x, const char *line, size_t size)
{
    leat_i_http_reply *r = x->reply;
    const char *at = memchr(line, ' ', size);
    int status = 0;
    if (at && line + size - at >= 4)
        for (int i = 1; i <= 3 && at[i] >= '0' && at[i] <= '9'; i++)
            status = status * 10 + (at[i] - '0');
    x->length = 0;
    x->has_coding = false;
    r->retry_after = r->retry_after_ms = r->date = r->request_id = r->content_type = r->should_retry = r->limits = NULL;
    if (status < 200) return; /* 1xx: the reply is still to come. */
    r->status = status;
    if (x->origin->http2 && size > 6 && memcmp(line, "HTTP/1", 6) == 0)
        leat_i_socket_speaks_http1(x->slot->pool, x->local_port);
    x->first_ns = x->content_ns = leat_i_os_now_ns();
    leat_i_exchange_arm(x);
}

static bool name_is(const char *line, size_t name_size, const char *name)
{
    return strlen(name) == name_size && strncasecmp(line, name, name_size) == 0;
}

/* Two lengths that differ, or a length beside chunks: whoever wrote that does not know where its reply ends, and curl would pick
 * one. Source: RFC 9112, section 6.3. */
static bool header_frames(leat_i_exchange *x, const char *line, size_t name_size, const char *value, const char *end)
{
    if (name_is(line, name_size, "transfer-encoding")) {
        x->has_coding = true;
    } else if (name_is(line, name_size, "content-length")) {
        uint64_t length = 1;
        for (; value < end && *value >= '0' && *value <= '9' && length < UINT64_MAX / 16; value++)
            length = (length - 1) * 10 + (uint64_t)(*value - '0') + 1;
        if (x->length && x->length != length) return exchange_stop(x, LEAT_I_HTTP_CUT);
        x->length = length;
    }
    return !(x->has_coding && x->length) || exchange_stop(x, LEAT_I_HTTP_CUT);
}

static bool header_is_limit(const char *line, size_t name_size)
{
    static const char *const starts[] = { "x-ratelimit-", "anthropic-ratelimit-" };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (name_size > strlen(starts[i]) && strncasecmp(line, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

/* Adds a line to the list; beyond what a dozen of limits takes nobody reads on. */
static bool limits_add(leat_i_exchange *x, const char *line, const char *end)
{
    char **limits = &x->reply->limits;
    if (!*limits) {
        *limits = leat_i_arena_alloc(x->arena, LEAT_I_LIMITS_BYTES);
        if (!*limits) return exchange_stop(x, LEAT_I_HTTP_LOCAL);
        **limits = 0;
    }
    size_t used = strlen(*limits), size = (size_t)(end - line);
    if (used + size + 2 > LEAT_I_LIMITS_BYTES || memchr(line, 0, size)) return true;
    memcpy(*limits + used, line, size);
    memcpy(*limits + used + size, "\n", 2);
    return true;
}

static bool header_pick(leat_i_exchange *x, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (!colon) return true;
    size_t name_size = (size_t)(colon - line);
    const char *from = colon + 1, *to = line + size;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (unsigned char)to[-1] <= ' ')
        to--;
    if (!header_frames(x, line, name_size, from, to)) return false;
    if (header_is_limit(line, name_size)) return limits_add(x, line, to);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (wanted[i].size != name_size || strncasecmp(wanted[i].name, line, name_size) != 0) continue;
        char *copy = leat_i_arena_strndup(x->arena, from, (size_t)(to - from));
        if (!copy) return exchange_stop(x, LEAT_I_HTTP_LOCAL);
        memcpy((char *)x->reply + wanted[i].field, &copy, sizeof copy);
        return true;
    }
    return true;
}

size_t leat_i_receive_header(char *line, size_t one, size_t size, void *slot_arg)
{
    leat_i_slot *slot = slot_arg;
    leat_i_exchange *x = slot->x;
    (void)one;
    if (LEAT_NEVER(!x)) return 0;
    x->header_bytes += size;
    if (x->header_bytes > LEAT_I_HEADER_BYTES_MAX) return exchange_stop(x, LEAT_I_HTTP_TOO_LARGE), 0;
    if (x->has_headers) return size; /* A trailer: it frames nothing, and orders nothing. Source: RFC 9110, section 6.5.1. */
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0)
        header_status(x, line, size);
    else if (x->reply->status && (*line == '\r' || *line == '\n'))
        x->has_headers = true;
    else if (x->reply->status && !header_pick(x, line, size))
        return 0;
    return size;
}

static bool text_is_blank(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] > ' ') return false;
    return true;
}

/* The reply told its length: its place is in the task's arena. It may be wrong, so a large one is believed only as it comes in. */
static void body_place(leat_i_exchange *x)
{
    curl_off_t told = -1;
    (void)curl_easy_getinfo(x->slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
    if (told <= 0 || told > LEAT_I_PLACED_BYTES_MAX) return;
    x->placed_body = leat_i_arena_alloc(x->arena, (size_t)told + 1);
    x->placed_room = (size_t)told;
}

static bool body_collect(leat_i_exchange *x, const char *data, size_t size)
{
    leat_i_loop *loop = x->origin->loop;
    if (!x->body.data && loop->spare_count) x->body = loop->spare[--loop->spare_count];
    return leat_i_buf_append(&x->body, data, size) || exchange_stop(x, LEAT_I_HTTP_LOCAL);
}

static bool body_keep(leat_i_exchange *x, const char *data, size_t size)
{
    if (!x->has_body) body_place(x);
    x->has_body = true;
    if (!x->placed_body) return body_collect(x, data, size);
    if (size <= x->placed_room - x->placed_bytes) {
        memcpy(x->placed_body + x->placed_bytes, data, size);
        x->placed_bytes += size;
        return true;
    }
    /* Longer than it told: it came compressed. */
    const char *begun = x->placed_body;
    x->placed_body = NULL;
    return body_collect(x, begun, x->placed_bytes) && body_collect(x, data, size);
}

/* Content moves the idle timer on, but by no more than its bytes are worth: one that drips in byte by byte runs out all the
 * same. */
static void content_came(leat_i_exchange *x, leat_i_http_piece piece)
{
    int64_t now_ns = leat_i_os_now_ns();
    uint64_t bytes = x->body_bytes - x->counted_bytes, enough = INT64_MAX / LEAT_I_NS_PER_BYTE_MAX;
    int64_t paid_ns = leat_i_os_add_ns(x->content_ns, (int64_t)(bytes < enough ? bytes : enough) * LEAT_I_NS_PER_BYTE_MAX);
    x->counted_bytes = x->body_bytes;
    x->content_ns = !x->has_content || paid_ns > now_ns ? now_ns : paid_ns;
    bool was_whole = x->whole_ns != 0;
    if (piece == LEAT_I_HTTP_WHOLE && !was_whole) x->whole_ns = now_ns;
    if (piece == LEAT_I_HTTP_CONTENT) x->whole_ns = 0; /* It was not: it goes on. */
    if (x->has_content && was_whole == (x->whole_ns != 0)) return;
    x->has_content = true;
    leat_i_exchange_arm(x); /* From here on a shorter patience counts. */
}

size_t leat_i_receive_body(char *data, size_t one, size_t size, void *slot_arg)
{
    leat_i_slot *slot = slot_arg;
    leat_i_exchange *x = slot->x;
    leat_i_http_piece piece = LEAT_I_HTTP_CONTENT;
    (void)one;
    if (LEAT_NEVER(!x)) return 0;
    x->body_bytes += size;
    if (x->drain_ns) return x->body_bytes <= LEAT_I_DRAIN_BYTES_MAX ? size : 0;
    if (x->body_bytes > x->origin->body_bytes_max) return exchange_stop(x, LEAT_I_HTTP_TOO_LARGE), 0;
    if (x->request->on_data && x->reply->status < 300) {
        if (!x->request->on_data(x->request->on_data_arg, data, size, &piece)) {
            /* Enough was read. The end of the reply is most often in the same packet, and then the connection is kept. */
            x->drain_ns = leat_i_os_now_ns() + LEAT_I_DRAIN_NS;
            x->body_bytes = 0;
            leat_i_exchange_arm(x);
            return size;
        }
    } else {
        /* Some endpoints send blank lines while they think. */
        if (text_is_blank(data, size)) piece = LEAT_I_HTTP_NOTHING;
        if (!body_keep(x, data, size)) return 0;
    }
    if (piece != LEAT_I_HTTP_NOTHING) content_came(x, piece);
    return size;
}

/*
 * Called when the connection stands and the request is about to go out. When a kept connection dies before the first byte of a
 * reply, curl repeats the request by itself, a POST too, although the endpoint may have done (and billed) it: then this is called
 * a second time, and refuses. Whether the request is sent again is decided where attempts are counted.
 */
int leat_i_receive_prereq(void *slot_arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    leat_i_slot *slot = slot_arg;
    leat_i_exchange *x = slot->x;
    (void)remote_ip, (void)local_ip, (void)remote_port;
    if (LEAT_NEVER(!x)) return CURL_PREREQFUNC_ABORT;
    int64_t now_ns = leat_i_os_now_ns();
    x->local_port = local_port;
    if (x->sent_ns) {
        if (!x->lost_ns) x->lost_ns = now_ns;
        return CURL_PREREQFUNC_ABORT;
    }
    if (!x->is_new && leat_i_socket_is_stale(slot->pool, local_port)) {
        x->is_stale = true;
        return CURL_PREREQFUNC_ABORT;
    }
    x->sent_ns = now_ns;
    x->reply->sent = true;
    x->reply->reused = !x->is_new;
    if (x->is_new)
        leat_i_socket_established(x, local_port);
    else if (x->origin->looking_up == x)
        leat_i_origin_resolved(x->origin, NULL); /* It found a connection, and needs no name: the next one may look. */
    leat_i_exchange_arm(x);
    return CURL_PREREQFUNC_OK;
}
