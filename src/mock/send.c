/* send.c: hands an answer to libmicrohttpd: status, headers, and the body at once, in events, or cut. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "dialect.h"
#include "stream.h"

/* Between two comments, at most. */
#define COMMENT_GAP_NS (500 * LEAT_I_NS_PER_MS)

static const char no_memory_body[] =
    "{\"error\":{\"message\":\"The mock endpoint is out of memory.\",\"type\":\"server_error\","
    "\"param\":null,\"code\":null}}";

const char *leat_i_mock_content_type(const leat_i_mock_request *r)
{
    if (r->content_type) return r->content_type;
    return r->streaming ? "text/event-stream; charset=utf-8" : "application/json";
}

static void add_headers(struct MHD_Response *response, const leat_i_mock_request *r)
{
    char text[32];
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, leat_i_mock_content_type(r));
    if (r->streaming) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    snprintf(text, sizeof text, "req_%016llx", (unsigned long long)leat_i_mock_id(r));
    (void)MHD_add_response_header(response, r->dialect->id_header, text);
    if (r->dialect->tells_time)
        leat_i_mock_add_u64(response, "openai-processing-ms",
                            (uint64_t)((leat_i_os_now_ns() - r->start_ns) / LEAT_I_NS_PER_MS));
    if (r->limits_known && r->dialect->add_limits) r->dialect->add_limits(response, r);
    if (r->allow) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allow);
    if (r->status == 401 && !r->dialect->key_header)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (r->headers) leat_i_mock_add_lines(response, r->headers);
    /* What a script has as it stands goes with it even where the provider has no such header. */
    if (r->retry_text)
        leat_i_mock_add_retry(response, r, false);
    else if (r->dialect->add_retry)
        r->dialect->add_retry(response, r);
}

/* Bytes of a stream that may be out by now; arms the timer when the next event is not due yet. */
static size_t stream_ready(leat_i_mock_request *r, size_t pos)
{
    if (r->tokens_per_s <= 0 && r->first_token_ns == 0) return r->out.size;
    int64_t now_ns = leat_i_os_now_ns();
    if (r->first_event_ns == 0) r->first_event_ns = now_ns;
    while (r->event_next < r->event_count && r->first_event_ns + leat_i_mock_event_due_ns(r, r->event_next) <= now_ns)
        r->event_next++;
    size_t ready = r->event_next > 0 ? leat_i_mock_event_at(r, r->event_next - 1) : 0;
    if (ready > pos || r->event_next == r->event_count) return ready;
    if (leat_i_mock_suspend(r, r->first_event_ns + leat_i_mock_event_due_ns(r, r->event_next))) return pos;
    return leat_i_mock_event_at(r, r->event_next++); /* no memory for the timer: early is better than never */
}

static int connection_fd(const leat_i_mock_request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* From now on the end of the connection is a reset. */
static void reset_on_close(const leat_i_mock_request *r)
{
    struct linger none = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(connection_fd(r), SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static void count_cut(leat_i_mock_request *r)
{
    leat_add_relaxed(&leat_i_mock_of(r)->counters.cut, 1);
    r->was_cut = true;
}

/* Ends the connection in the middle. libmicrohttpd closes it only when its socket shows an event, so it is shut down here; for
 * reading alone where the end shall be a reset, since no FIN may go before. */
static ssize_t cut_now(leat_i_mock_request *r)
{
    count_cut(r);
    if (r->cut_resets) reset_on_close(r);
    (void)shutdown(connection_fd(r), r->cut_resets ? SHUT_RD : SHUT_RDWR);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* A comment, or an empty line where the answer is no stream of events; 0 = the next one is not due, and the connection sleeps. */
static ssize_t comment_next(leat_i_mock_request *r, char *to, size_t room)
{
    static const char comment[] = ": still here\n\n";
    int64_t now_ns = leat_i_os_now_ns();
    size_t size = r->streaming && !r->content_type ? sizeof comment - 1 : 1;
    if (r->comments_end_ns == 0) r->comments_end_ns = now_ns + r->comments_ns;
    if (now_ns >= r->comments_end_ns || room < size) {
        r->comments_ns = 0;
        return 0;
    }
    if (r->comment_is_out) {
        int64_t gap_ns = r->comments_ns / 4 < COMMENT_GAP_NS ? r->comments_ns / 4 : COMMENT_GAP_NS;
        r->comment_is_out = false;
        if (leat_i_mock_suspend(r, leat_i_os_add_ns(now_ns, gap_ns))) return 0;
    }
    r->comment_is_out = true;
    memcpy(to, size > 1 ? comment : "\n", size);
    r->added += size;
    return (ssize_t)size;
}

/* Whether nothing may go out now, since it is time for a hold or not yet time for the next byte; the connection sleeps then. */
static bool waits_now(leat_i_mock_request *r, uint64_t pos)
{
    int64_t now_ns = leat_i_os_now_ns();
    if (r->hold_ns > 0 && pos >= r->hold_at) {
        int64_t until_ns = leat_i_os_add_ns(now_ns, r->hold_ns);
        r->hold_ns = 0;
        return leat_i_mock_suspend(r, until_ns);
    }
    if (r->dribble_ns == 0) return false;
    if (r->next_byte_ns > now_ns && leat_i_mock_suspend(r, r->next_byte_ns)) return true;
    r->next_byte_ns = leat_i_os_add_ns(now_ns, r->dribble_ns);
    return false;
}

static ssize_t send_read(void *request, uint64_t pos, char *to, size_t room)
{
    leat_i_mock_request *r = request;
    if (r->floods) {
        memset(to, ' ', room);
        return (ssize_t)room;
    }
    if (r->comments_ns > 0) {
        ssize_t size = comment_next(r, to, room);
        if (size > 0 || r->suspended) return size;
    }
    pos -= r->added;
    if (waits_now(r, pos)) return 0;
    if (r->cut_at <= pos) return cut_now(r);
    if (pos >= r->out.size) return MHD_CONTENT_READER_END_OF_STREAM;
    /* Last, since it may suspend the connection, which then must not end. */
    size_t end = r->streaming ? stream_ready(r, pos) : r->out.size;
    if (end > r->cut_at) end = r->cut_at;
    if (r->hold_ns > 0 && end > r->hold_at) end = r->hold_at;
    size_t size = end - pos < room ? end - pos : room;
    if (r->dribble_ns > 0 && size > 1) size = 1;
    memcpy(to, r->out.data + pos, size);
    return (ssize_t)size;
}

/* Sends what libmicrohttpd would not, and has the connection closed. What does not fit into the socket at once is left out: the
 * answers that go this way are far smaller than that. */
static enum MHD_Result wire_send(leat_i_mock_request *r)
{
    int fd = connection_fd(r), room = 1 << 20;
    if (r->wire == LEAT_I_MOCK_WIRE_RAW) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        for (size_t at = 0; at < r->out.size;) {
            ssize_t sent = send(fd, r->out.data + at, r->out.size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent <= 0) break;
            at += (size_t)sent;
        }
    } else {
        count_cut(r);
    }
    if (r->wire == LEAT_I_MOCK_WIRE_RESET) reset_on_close(r);
    return MHD_NO;
}

/* Whether the body goes out piece by piece, as send_read says. */
static bool is_read(const leat_i_mock_request *r)
{
    return r->streaming || r->cut_at != SIZE_MAX || r->hold_ns > 0 || r->dribble_ns > 0 || r->comments_ns > 0 || r->floods;
}

enum MHD_Result leat_i_mock_send(leat_i_mock_request *r)
{
    struct MHD_Response *response;
    bool no_size = r->streaming || r->comments_ns > 0 || r->floods;
    if (r->wire != LEAT_I_MOCK_WIRE_NONE) return wire_send(r);
    if (r->out.size == 0)
        response = MHD_create_response_from_buffer(sizeof no_memory_body - 1, (void *)(uintptr_t)no_memory_body,
                                                   MHD_RESPMEM_PERSISTENT);
    else if (is_read(r))
        response = MHD_create_response_from_callback(no_size ? MHD_SIZE_UNKNOWN : r->out.size, 4096, send_read, r, NULL);
    else
        response = MHD_create_response_from_buffer(r->out.size, r->out.data, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    r->phase = LEAT_I_MOCK_SENDING;
    add_headers(response, r);
    enum MHD_Result queued = MHD_queue_response(r->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return queued;
}
