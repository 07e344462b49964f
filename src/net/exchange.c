/* exchange.c: one exchange on the loop: from the mailbox to the completion of its future. */
#include "loop.h"

#include <stdio.h>
#include <string.h>

/* ---- the four timers, folded into one alarm ---- */

static int64_t exchange_deadline(const leat_i_exchange *x, leat_i_http_end *end)
{
    const leat_i_http_origin *o = x->origin;
    int64_t until_ns;
    if (x->drain_ns) {
        *end = LEAT_I_HTTP_STOPPED;
        until_ns = x->drain_ns;
    } else if (x->whole_ns) {
        *end = LEAT_I_HTTP_STOPPED;
        until_ns = leat_i_os_add_ns(x->whole_ns, LEAT_I_WHOLE_NS);
    } else if (!x->sent_ns) {
        *end = LEAT_I_HTTP_TIMEOUT_CONNECT;
        until_ns = leat_i_os_add_ns(x->start_ns, o->connect_ns);
    } else if (!x->first_ns) {
        *end = LEAT_I_HTTP_TIMEOUT_FIRST_BYTE;
        until_ns = leat_i_os_add_ns(x->sent_ns, o->first_byte_ns);
    } else {
        /* Until the first piece of content the longer patience counts: many send headers at once, and think then. */
        *end = LEAT_I_HTTP_TIMEOUT_IDLE;
        until_ns = leat_i_os_add_ns(x->content_ns, o->idle_ns);
        int64_t first_ns = leat_i_os_add_ns(x->sent_ns, o->first_byte_ns);
        if (!x->has_content && first_ns > until_ns) until_ns = first_ns;
    }
    int64_t total_ns = leat_i_os_add_ns(x->start_ns, o->total_ns);
    if (total_ns >= until_ns) return until_ns;
    *end = x->drain_ns || x->whole_ns ? LEAT_I_HTTP_STOPPED : LEAT_I_HTTP_TIMEOUT_TOTAL;
    return total_ns;
}

/* Sets the alarm to the deadline that counts now. One that is set too early stays: when it is due, it looks again. */
void leat_i_exchange_arm(leat_i_exchange *x)
{
    leat_i_http_end end;
    int64_t until_ns = exchange_deadline(x, &end);
    if (x->alarm.timer.place && x->alarm.timer.when_ns <= until_ns) return;
    /* An alarm that is in the heap can be moved without memory; the first one fails in leat_i_exchange_begin. */
    if (!leat_i_loop_alarm(x->origin->loop, &x->alarm, until_ns) && !x->stop) x->stop = LEAT_I_HTTP_LOCAL + 1;
}

static void exchange_due(leat_i_loop *loop, leat_i_alarm *alarm, int64_t now_ns)
{
    leat_i_exchange *x = (leat_i_exchange *)(void *)((char *)alarm - offsetof(leat_i_exchange, alarm));
    leat_i_http_end end;
    (void)loop;
    if (exchange_deadline(x, &end) > now_ns)
        leat_i_exchange_arm(x);
    else
        leat_i_exchange_finish(x, x->stop ? (leat_i_http_end)(x->stop - 1) : end, NULL);
}

/* ---- the end ---- */

static const char *end_sentence(leat_i_http_end end)
{
    switch (end) {
    case LEAT_I_HTTP_TIMEOUT_CONNECT:
        return "no connection in time: is the address right?";
    case LEAT_I_HTTP_TIMEOUT_FIRST_BYTE:
        return "no reply in time after the request was sent";
    case LEAT_I_HTTP_TIMEOUT_IDLE:
        return "no content came for too long";
    case LEAT_I_HTTP_TIMEOUT_TOTAL:
        return "the exchange took too long";
    case LEAT_I_HTTP_TOO_LARGE:
        return "the reply is larger than allowed";
    case LEAT_I_HTTP_CUT:
        return "the reply's framing is broken";
    case LEAT_I_HTTP_LOCAL:
        return "this machine is short of memory or descriptors";
    case LEAT_I_HTTP_CANCELED:
        return "canceled";
    default:
        return "";
    }
}

static void reply_message(leat_i_http_reply *r, const char *text)
{
    snprintf(r->message, sizeof r->message, "%s", text);
    for (unsigned char *at = (unsigned char *)r->message; *at; at++)
        if (*at < ' ' || *at == 0x7f) *at = ' ';
}

/* Moves the body to the task's arena, and its buffer back to the loop's spares. */
static bool exchange_give_body(leat_i_exchange *x)
{
    leat_i_loop *loop = x->origin->loop;
    leat_i_http_reply *r = x->reply;
    if (x->placed_body) {
        x->placed_body[x->placed_bytes] = '\0';
        r->body = x->placed_body;
        r->body_bytes = x->placed_bytes;
        return true;
    }
    if (!x->body.data) return true;
    char *copy = leat_i_arena_strndup(x->arena, x->body.data, x->body.size);
    if (copy) {
        r->body = copy;
        r->body_bytes = x->body.size;
    }
    if (x->body.room <= LEAT_I_SPARE_BUF_BYTES_MAX && loop->spare_count < LEAT_I_SPARE_BUFS) {
        leat_i_buf_clear(&x->body);
        loop->spare[loop->spare_count++] = x->body;
    } else {
        leat_i_buf_fini(&x->body);
    }
    return copy != NULL;
}

static void exchange_wait(leat_i_exchange *x)
{
    leat_i_http_origin *o = x->origin;
    x->prev = o->waiting_last;
    x->next = NULL;
    *(x->prev ? &x->prev->next : &o->waiting) = x;
    o->waiting_last = x;
    x->is_waiting = true;
}

static void exchange_leave_waiting(leat_i_exchange *x)
{
    leat_i_http_origin *o = x->origin;
    *(x->prev ? &x->prev->next : &o->waiting) = x->next;
    *(x->next ? &x->next->prev : &o->waiting_last) = x->prev;
    x->is_waiting = false;
}

void leat_i_exchange_finish(leat_i_exchange *x, leat_i_http_end end, const char *message)
{
    leat_i_http_origin *o = x->origin;
    leat_i_http_reply *r = x->reply;
    int64_t now_ns = leat_i_os_now_ns();
    LEAT_ASSERT(!x->is_done);
    leat_i_heap_remove(&o->loop->heap, &x->alarm.timer);
    if (x->is_waiting) exchange_leave_waiting(x);
    if (x->slot) {
        /* An unfinished transfer loses its connection here. */
        (void)curl_multi_remove_handle(x->slot->pool->multi, x->slot->easy);
        leat_i_pool_give_slot(x->slot, now_ns);
        x->slot = NULL;
    }
    if (o->looking_up == x) leat_i_origin_resolved(o, NULL);
    if (!exchange_give_body(x)) end = LEAT_I_HTTP_LOCAL, message = NULL;
    r->end = end;
    r->first_byte_ns = x->first_ns ? x->first_ns - x->start_ns : -1;
    r->end_ns = now_ns - x->start_ns;
    reply_message(r, message && *message ? message : end_sentence(end));
    x->is_done = true;
    leat_i_future_complete(&x->future, LEAT_OK, NULL, NULL);
}

static void exchange_start(leat_i_exchange *x);

/* The connection that curl had chosen is closed by now. Each time this happens there is one less to choose. */
static void exchange_again(leat_i_exchange *x)
{
    leat_i_slot *slot = x->slot;
    x->is_stale = false;
    x->slot = NULL;
    (void)curl_multi_remove_handle(slot->pool->multi, slot->easy);
    leat_i_pool_give_slot(slot, leat_i_os_now_ns());
    exchange_start(x);
}

/* curl has ended it. */
void leat_i_exchange_done(leat_i_exchange *x, CURLcode rc)
{
    leat_i_slot *slot = x->slot;
    leat_i_http_origin *o = x->origin;
    long os_errno = 0;
    if (x->is_stale && !x->stop) {
        exchange_again(x);
        return;
    }
    (void)curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &os_errno);
    leat_i_http_end end = leat_i_end_of(x, rc, os_errno);
    const char *curl_words = slot->error[0] ? slot->error : curl_easy_strerror(rc);
    char message[sizeof x->reply->message] = "";
    bool was_looking_up = o->looking_up == x;
    x->is_unresolved = was_looking_up && rc == CURLE_COULDNT_RESOLVE_HOST;
    if (end == LEAT_I_HTTP_TLS && leat_i_words_no_tls(curl_words)) end = LEAT_I_HTTP_TLS_NONE;
    if (rc != CURLE_OK && !x->header_bytes && leat_i_words_unknown(curl_words)) end = LEAT_I_HTTP_TLS_UNKNOWN;
    if (end != LEAT_I_HTTP_REPLY && end != LEAT_I_HTTP_STOPPED && !x->stop)
        leat_i_words_put(message, sizeof message, x, end, curl_words, os_errno);
    leat_i_exchange_finish(x, end, message);
    if (end != LEAT_I_HTTP_DNS || !was_looking_up) return;
    /* One look-up for all: who waited for it shares its failure. */
    while (o->waiting)
        leat_i_exchange_finish(o->waiting, LEAT_I_HTTP_DNS, message);
}

void leat_i_exchange_cancel(leat_i_loop *loop, leat_i_op *op)
{
    leat_i_exchange *x = (leat_i_exchange *)(void *)((char *)op - offsetof(leat_i_exchange, cancel));
    (void)loop;
    if (!x->is_done) leat_i_exchange_finish(x, LEAT_I_HTTP_CANCELED, NULL);
    leat_i_future_complete(&x->let_go, LEAT_OK, NULL, NULL); /* The last touch: the exchange may be gone now. */
}

/* ---- the start ---- */

/* The whole URL of the request, from the origin's small cache; a job has one or two paths. */
static const struct leat_i_url_entry *origin_url(leat_i_http_origin *o, const char *path)
{
    struct leat_i_url_entry *entry = &o->url_cache[o->url_serial % LEAT_I_URL_CACHE];
    for (size_t i = 0; i < LEAT_I_URL_CACHE && o->url_cache[i].path; i++)
        if (strcmp(o->url_cache[i].path, path) == 0) return &o->url_cache[i];
    char *path_copy = leat_i_strdup(path), *url = leat_i_url_join(&o->url, path);
    if (!path_copy || !url) {
        leat_i_free(path_copy), leat_i_free(url);
        return NULL;
    }
    leat_i_free(entry->path), leat_i_free(entry->url);
    *entry = (struct leat_i_url_entry){ path_copy, url, ++o->url_serial };
    return entry;
}

static bool slot_set_request(leat_i_slot *slot, leat_i_http_origin *o, const leat_i_http_request *q)
{
    CURL *e = slot->easy;
    bool ok = true, is_get = !q->body;
    const struct leat_i_url_entry *url = origin_url(o, q->path);
    if (!url) return false;
    if (slot->url_serial != url->serial) ok = curl_easy_setopt(e, CURLOPT_URL, url->url) == CURLE_OK;
    slot->url_serial = ok ? url->serial : 0;
    if (!slot->has_method || slot->is_get != is_get)
        ok = curl_easy_setopt(e, is_get ? CURLOPT_HTTPGET : CURLOPT_POST, 1L) == CURLE_OK && ok;
    if (!slot->has_method || slot->accepts_stream != q->accept_stream)
        ok = curl_easy_setopt(e, CURLOPT_HTTPHEADER, q->accept_stream ? o->stream_headers : o->headers) == CURLE_OK && ok;
    if (slot->is_fresh != q->fresh) ok = curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)q->fresh) == CURLE_OK && ok;
    slot->has_method = ok;
    slot->is_fresh = q->fresh;
    slot->is_get = is_get;
    slot->accepts_stream = q->accept_stream;
    slot->error[0] = '\0';
    if (is_get) return ok;
    return curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_bytes) == CURLE_OK && ok;
}

static void exchange_start(leat_i_exchange *x)
{
    leat_i_slot *slot = leat_i_pool_take_slot(x->origin);
    if (!slot) {
        leat_i_exchange_finish(x, LEAT_I_HTTP_LOCAL, NULL);
        return;
    }
    x->slot = slot;
    slot->x = x;
    if (!slot_set_request(slot, x->origin, x->request) || curl_multi_add_handle(slot->pool->multi, slot->easy) != CURLM_OK)
        leat_i_exchange_finish(x, LEAT_I_HTTP_LOCAL, NULL);
}

/*
 * One look-up of the name at a time: curl starts a thread for each, and ten thousand requests would start ten thousand. So when no
 * fresh address is known and no kept connection is at hand, one request goes ahead and the others wait until it opens a socket.
 */
void leat_i_exchange_begin(leat_i_loop *loop, leat_i_exchange *x)
{
    leat_i_http_origin *o = x->origin;
    int64_t now_ns = leat_i_os_now_ns();
    x->alarm.due = exchange_due;
    if (!leat_i_loop_alarm(loop, &x->alarm, leat_i_os_add_ns(x->start_ns, o->connect_ns))) {
        leat_i_exchange_finish(x, LEAT_I_HTTP_LOCAL, NULL);
        return;
    }
    if (!o->url.loopback && now_ns >= o->dns_until_ns && !leat_i_pool_may_reuse(o, now_ns)) {
        if (o->looking_up) {
            exchange_wait(x);
            return;
        }
        o->looking_up = x;
    }
    exchange_start(x);
}

/* `x` has an address (or, NULL, the request that looked for one has ended without). May be called from within curl, so those who
 * wait are started later. */
void leat_i_origin_resolved(leat_i_http_origin *o, leat_i_exchange *x)
{
    if (x) o->dns_until_ns = leat_i_os_add_ns(leat_i_os_now_ns(), o->address_ns);
    if (x && o->looking_up != x) return;
    o->looking_up = NULL;
    if (!o->waiting || o->is_releasable) return;
    o->is_releasable = true;
    o->releasable = o->loop->releasable;
    o->loop->releasable = o;
}

void leat_i_origin_release(leat_i_loop *loop, leat_i_http_origin *o)
{
    int64_t now_ns = leat_i_os_now_ns();
    (void)loop;
    while (o->waiting && !o->looking_up) {
        leat_i_exchange *x = o->waiting;
        exchange_leave_waiting(x);
        if (now_ns >= o->dns_until_ns) o->looking_up = x; /* The last one failed for another reason; this one tries. */
        exchange_start(x);
    }
}
