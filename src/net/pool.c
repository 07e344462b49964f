/*
 * pool.c: multi handles and their easy handles.
 *
 * curl searches the list of all connections to a host for an idle one, from the head, so one multi handle costs O(n) a request.
 * An endpoint is one host: so each origin has many multi handles of LEAT_I_POOL_SLOTS slots, filled in order, and a request goes
 * to the first that has a slot free, which as a rule has its connection free too. Easy handles keep their settings; between two
 * requests only what differs is set.
 */
#include "loop.h"

#include <string.h>

/* Sets an option and notes a failure: all fail for want of memory only. */
#define SET(ok, easy, option, value) ((ok) = curl_easy_setopt((easy), (option), (value)) == CURLE_OK && (ok))

/* A reply that comes in one read costs a third less than one that comes in three; ten thousand large buffers cost memory. */
enum { RECEIVE_BYTES = 16384, ROOMY_POOLS = 1024 / LEAT_I_POOL_SLOTS };

static bool slot_set_limits(leat_i_slot *slot, const leat_i_http_origin *o)
{
    CURL *e = slot->easy;
    bool ok = true, roomy = slot->pool->index < ROOMY_POOLS || !o->buffer_bytes;
    SET(ok, e, CURLOPT_NOSIGNAL, 1L);
    SET(ok, e, CURLOPT_BUFFERSIZE, roomy ? (long)RECEIVE_BYTES : (long)o->buffer_bytes);
    SET(ok, e, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    SET(ok, e, CURLOPT_MAXAGE_CONN, (long)LEAT_I_CONNECTION_AGE_S);
    SET(ok, e, CURLOPT_DNS_CACHE_TIMEOUT, (long)LEAT_I_DNS_S);
    SET(ok, e, CURLOPT_QUICK_EXIT, 1L); /* A hanging look-up must not hold the loop up when its request is canceled. */
    /* The loop's own timer comes first; curl's, with its default of 300 s, must not. */
    int64_t connect_ms = o->connect_ns / LEAT_I_NS_PER_MS + LEAT_I_CURL_TIMER_MARGIN_MS;
    SET(ok, e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    /* Routers drop idle flows after two to six minutes; an answer may take longer. */
    SET(ok, e, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(ok, e, CURLOPT_TCP_KEEPIDLE, 60L);
    SET(ok, e, CURLOPT_TCP_KEEPINTVL, 60L);
    return ok;
}

static bool slot_set_trust(leat_i_slot *slot, const leat_i_http_origin *o)
{
    CURL *e = slot->easy;
    bool ok = true;
    SET(ok, e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(ok, e, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(ok, e, CURLOPT_SSL_VERIFYHOST, 2L);
    if (o->cacert) SET(ok, e, CURLOPT_CAINFO, o->cacert);
    if (!o->cert) return ok;
    SET(ok, e, CURLOPT_SSLCERT, o->cert);
    SET(ok, e, CURLOPT_SSLKEY, o->cert_key ? o->cert_key : o->cert);
    SET(ok, e, CURLOPT_KEYPASSWD, ""); /* A key under a pass phrase is refused; it would ask for it on the terminal. */
    return ok;
}

/* HTTP/2: many streams share a connection, and who comes while it is being made waits for it. */
static bool slot_set_http2(leat_i_slot *slot)
{
    CURL *e = slot->easy;
    bool ok = true;
    SET(ok, e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(ok, e, CURLOPT_PIPEWAIT, 1L);
    /* That a stream was refused is told in words only. */
    SET(ok, e, CURLOPT_VERBOSE, 1L);
    SET(ok, e, CURLOPT_DEBUGFUNCTION, leat_i_http2_hear);
    SET(ok, e, CURLOPT_DEBUGDATA, slot);
    return ok;
}

static bool slot_set_protocol(leat_i_slot *slot, const leat_i_http_origin *o)
{
    CURL *e = slot->easy;
    bool ok = true;
    SET(ok, e, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(ok, e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(ok, e, CURLOPT_FOLLOWLOCATION, 0L);
    SET(ok, e, CURLOPT_ACCEPT_ENCODING, "identity"); /* Asks for none; what comes compressed all the same is unpacked. */
    SET(ok, e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(ok, e, CURLOPT_PATH_AS_IS, 1L);
    /* What goes to this machine never takes a detour, whatever the environment says. */
    if (o->url.loopback) SET(ok, e, CURLOPT_PROXY, "");
    SET(ok, e, CURLOPT_SHARE, o->loop->share);
    if (o->http2) ok = slot_set_http2(slot) && ok;
    return ok;
}

static bool slot_set_callbacks(leat_i_slot *slot)
{
    CURL *e = slot->easy;
    bool ok = true;
    SET(ok, e, CURLOPT_PRIVATE, slot);
    SET(ok, e, CURLOPT_ERRORBUFFER, slot->error);
    SET(ok, e, CURLOPT_HEADERFUNCTION, leat_i_receive_header);
    SET(ok, e, CURLOPT_HEADERDATA, slot);
    SET(ok, e, CURLOPT_WRITEFUNCTION, leat_i_receive_body);
    SET(ok, e, CURLOPT_WRITEDATA, slot);
    SET(ok, e, CURLOPT_PREREQFUNCTION, leat_i_receive_prereq);
    SET(ok, e, CURLOPT_PREREQDATA, slot);
    SET(ok, e, CURLOPT_OPENSOCKETFUNCTION, leat_i_socket_open);
    SET(ok, e, CURLOPT_OPENSOCKETDATA, slot);
    SET(ok, e, CURLOPT_CLOSESOCKETFUNCTION, leat_i_socket_close);
    SET(ok, e, CURLOPT_CLOSESOCKETDATA, slot->pool);
    return ok;
}

static void slot_free(leat_i_slot *slot)
{
    if (!slot) return;
    if (slot->easy) curl_easy_cleanup(slot->easy);
    leat_i_free(slot);
}

static leat_i_slot *slot_new(leat_i_pool *pool)
{
    leat_i_slot *slot = leat_i_alloc_zeroed(sizeof *slot);
    if (!slot) return NULL;
    slot->pool = pool;
    slot->easy = curl_easy_init();
    if (slot->easy && slot_set_limits(slot, pool->origin) && slot_set_protocol(slot, pool->origin) &&
        slot_set_trust(slot, pool->origin) && slot_set_callbacks(slot))
        return slot;
    slot_free(slot);
    return NULL;
}

/* ---- curl's timer ---- */

void leat_i_pool_alarm(leat_i_pool *pool)
{
    /* An alarm that is set too early only looks again: cheaper than moving it with each of curl's wishes. */
    if (pool->curl_at_ns == LEAT_I_NEVER_NS) return;
    if (pool->alarm.timer.place && pool->alarm.timer.when_ns <= pool->curl_at_ns) return;
    if (!leat_i_loop_alarm(pool->loop, &pool->alarm, pool->curl_at_ns)) pool->loop->starved = true;
}

static int pool_timer(CURLM *multi, long timeout_ms, void *pool_arg)
{
    leat_i_pool *pool = pool_arg;
    (void)multi;
    if (timeout_ms < 0) {
        pool->curl_at_ns = LEAT_I_NEVER_NS;
    } else if (timeout_ms == 0) {
        pool->curl_at_ns = LEAT_I_NEVER_NS;
        pool->is_due = true;
        leat_i_loop_run_soon(pool->loop, pool);
    } else {
        /* One more: curl compares in whole milliseconds, and must not find itself called too early. */
        pool->curl_at_ns = leat_i_os_now_ns() + (timeout_ms + 1) * LEAT_I_NS_PER_MS;
        leat_i_pool_alarm(pool);
    }
    return 0;
}

static void pool_due(leat_i_loop *loop, leat_i_alarm *alarm, int64_t now_ns)
{
    leat_i_pool *pool = (leat_i_pool *)(void *)((char *)alarm - offsetof(leat_i_pool, alarm));
    if (pool->curl_at_ns == LEAT_I_NEVER_NS) return;
    if (pool->curl_at_ns > now_ns) {
        leat_i_pool_alarm(pool);
        return;
    }
    pool->curl_at_ns = LEAT_I_NEVER_NS;
    pool->is_due = true;
    leat_i_loop_run_soon(loop, pool);
}

void leat_i_pool_run(leat_i_pool *pool)
{
    if (!pool->multi) return; /* It was given back to rest. */
    if (pool->is_due) {
        int running = 0;
        long next_ms = -1;
        pool->is_due = false;
        (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        /* curl does not repeat a timer that has not changed since it last told it: ask. */
        if (pool->curl_at_ns == LEAT_I_NEVER_NS && !pool->is_due && curl_multi_timeout(pool->multi, &next_ms) == CURLM_OK &&
            next_ms >= 0)
            (void)pool_timer(pool->multi, next_ms ? next_ms : 1, pool);
    }
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(pool->multi, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        leat_i_slot *slot = NULL;
        CURLcode rc = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        if (LEAT_NEVER(!slot || !slot->x)) continue;
        leat_i_exchange_done(slot->x, rc);
    }
}

/* ---- pools ---- */

static leat_i_pool *pool_of_rest(leat_i_alarm *alarm)
{
    return (leat_i_pool *)(void *)((char *)alarm - offsetof(leat_i_pool, rest));
}

/* Gives back the handles and closes the kept connections (through our callback); none is in use. */
static void pool_empty(leat_i_pool *pool)
{
    LEAT_ASSERT(pool->busy_count == 0);
    for (leat_i_slot *slot = pool->idle, *next; slot; slot = next) {
        next = slot->next;
        slot_free(slot);
    }
    pool->idle = NULL;
    if (pool->multi) (void)curl_multi_cleanup(pool->multi);
    pool->multi = NULL;
    pool->curl_at_ns = LEAT_I_NEVER_NS;
    LEAT_ASSERT(pool->open_count == 0);
}

/* A pool without work for longer than a connection may rest has nothing that is worth keeping: after a peak, its memory and
 * descriptors go back. Checked once in that time; the alarm is not moved with each request. */
static void pool_rested(leat_i_loop *loop, leat_i_alarm *alarm, int64_t now_ns)
{
    leat_i_pool *pool = pool_of_rest(alarm);
    if (pool->busy_count) return;
    int64_t until_ns = pool->last_end_ns + LEAT_I_REST_NS;
    if (until_ns > now_ns)
        (void)leat_i_loop_alarm(loop, alarm, until_ns); /* Without it the pool only stays as it is. */
    else
        pool_empty(pool);
}

static void pool_free(leat_i_pool *pool)
{
    if (!pool) return;
    pool_empty(pool);
    leat_i_heap_remove(&pool->loop->heap, &pool->alarm.timer);
    leat_i_heap_remove(&pool->loop->heap, &pool->rest.timer);
    for (leat_i_pool **at = &pool->loop->runnable; *at; at = &(*at)->runnable) {
        if (*at != pool) continue;
        *at = pool->runnable;
        break;
    }
    leat_i_free(pool);
}

/* Makes the multi handle, on first use and after a rest. */
static bool pool_fill(leat_i_pool *pool)
{
    if (pool->multi) return true;
    CURLM *m = pool->multi = curl_multi_init();
    /* MAXCONNECTS counts busy connections too: less than the slots would close one per request. */
    if (m && curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, leat_i_socket_want) == CURLM_OK &&
        curl_multi_setopt(m, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
        curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, pool_timer) == CURLM_OK &&
        curl_multi_setopt(m, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
        curl_multi_setopt(m, CURLMOPT_PIPELINING, pool->origin->http2 ? (long)CURLPIPE_MULTIPLEX : (long)CURLPIPE_NOTHING) ==
            CURLM_OK &&
        curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)LEAT_I_KEPT_MAX) == CURLM_OK)
        return true;
    pool_empty(pool);
    return false;
}

static leat_i_pool *origin_add_pool(leat_i_http_origin *o)
{
    if (o->pool_count == o->pool_room) {
        uint32_t room = o->pool_room ? o->pool_room * 2 : 8;
        leat_i_pool **grown = leat_i_realloc(o->pool, room * sizeof *grown);
        if (!grown) return NULL;
        o->pool = grown;
        o->pool_room = room;
    }
    leat_i_pool *pool = leat_i_alloc(sizeof *pool);
    if (!pool) return NULL;
    *pool = (leat_i_pool){ .origin = o, .loop = o->loop, .index = o->pool_count, .curl_at_ns = LEAT_I_NEVER_NS };
    pool->alarm.due = pool_due;
    pool->rest.due = pool_rested;
    o->pool[o->pool_count++] = pool;
    if (!o->is_listed) {
        o->is_listed = true;
        o->prev = NULL;
        o->next = o->loop->origin;
        if (o->next) o->next->prev = o;
        o->loop->origin = o;
    }
    return pool;
}

/* The first pool with a slot free, or NULL. */
static leat_i_pool *origin_first_pool(leat_i_http_origin *o)
{
    while (o->pool_hint < o->pool_count && o->pool[o->pool_hint]->busy_count == LEAT_I_POOL_SLOTS)
        o->pool_hint++;
    return o->pool_hint < o->pool_count ? o->pool[o->pool_hint] : NULL;
}

leat_i_slot *leat_i_pool_take_slot(leat_i_http_origin *o)
{
    leat_i_pool *pool = origin_first_pool(o);
    if (!pool) pool = origin_add_pool(o);
    if (!pool || !pool_fill(pool)) return NULL;
    leat_i_slot *slot = pool->idle;
    if (slot)
        pool->idle = slot->next;
    else
        slot = slot_new(pool);
    if (!slot) return NULL;
    pool->busy_count++;
    slot->next = NULL;
    return slot;
}

void leat_i_pool_give_slot(leat_i_slot *slot, int64_t now_ns)
{
    leat_i_pool *pool = slot->pool;
    slot->x = NULL;
    slot->next = pool->idle;
    pool->idle = slot;
    pool->busy_count--;
    pool->last_end_ns = now_ns;
    if (pool->busy_count == 0 && !pool->rest.timer.place)
        (void)leat_i_loop_alarm(pool->loop, &pool->rest, now_ns + LEAT_I_REST_NS); /* Without it the pool only stays. */
    if (pool->index < pool->origin->pool_hint) pool->origin->pool_hint = pool->index;
}

/* Whether the next request of `o` will, as a rule, find a kept connection and so need no look-up of the name. */
bool leat_i_pool_may_reuse(const leat_i_http_origin *o, int64_t now_ns)
{
    if (o->pool_hint >= o->pool_count) return false;
    const leat_i_pool *pool = o->pool[o->pool_hint];
    return pool->open_count > pool->busy_count && now_ns - pool->last_end_ns < LEAT_I_CONNECTION_AGE_S * LEAT_I_NS_PER_S;
}

void leat_i_pools_free(leat_i_http_origin *o)
{
    for (uint32_t i = 0; i < o->pool_count; i++)
        pool_free(o->pool[i]);
    leat_i_free(o->pool);
    o->pool = NULL;
    o->pool_count = o->pool_room = o->pool_hint = 0;
    if (!o->is_listed) return;
    o->is_listed = false;
    if (o->prev)
        o->prev->next = o->next;
    else
        o->loop->origin = o->next;
    if (o->next) o->next->prev = o->prev;
}
