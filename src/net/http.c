/* http.c: origins, and performing an exchange from a task. */
#include "http.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "loop.h"

/* ---- origins ---- */

/* The key stands in these lines: they are overwritten before their memory goes back. */
static void headers_free(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(list);
}

static bool headers_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *grown = curl_slist_append(*list, line);
    if (grown) *list = grown;
    return grown != NULL;
}

/* Whether the caller's lines name this header: then ours stays away. */
static bool headers_have(const leat_i_http_origin_opts *opts, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < opts->header_count; i++)
        if (strncasecmp(opts->headers[i], name, size) == 0 && opts->headers[i][size] == ':') return true;
    return false;
}

static bool headers_make(struct curl_slist **list, const leat_i_http_origin_opts *opts, const char *accept)
{
    /* An empty Expect: keeps curl from asking "may I?" before large bodies, which stalls for a second where nobody answers. */
    bool ok = headers_add(list, "Expect:");
    if (ok && !headers_have(opts, "Content-Type")) ok = headers_add(list, "Content-Type: application/json");
    if (ok && !headers_have(opts, "Accept")) ok = headers_add(list, accept);
    if (ok && !headers_have(opts, "User-Agent")) ok = headers_add(list, "User-Agent: leat");
    for (size_t i = 0; ok && i < opts->header_count; i++)
        ok = headers_add(list, opts->headers[i]);
    return ok;
}

static int64_t ns_of_ms(int64_t ms)
{
    return ms <= 0 || ms > LEAT_I_NEVER_NS / LEAT_I_NS_PER_MS ? LEAT_I_NEVER_NS : ms * LEAT_I_NS_PER_MS;
}

static void origin_free_memory(leat_i_http_origin *o)
{
    for (size_t i = 0; i < LEAT_I_URL_CACHE; i++)
        leat_i_free(o->url_cache[i].path), leat_i_free(o->url_cache[i].url);
    headers_free(o->headers);
    headers_free(o->stream_headers);
    leat_i_url_fini(&o->url);
    leat_i_free(o->cacert), leat_i_free(o->cert), leat_i_free(o->cert_key);
    leat_i_free(o);
}

leat_err leat_i_http_origin_new(leat_i_http_origin **out, leat_runtime *rt, const leat_i_http_origin_opts *opts)
{
    char why[64];
    *out = NULL;
    leat_i_http_origin *o = leat_i_alloc_zeroed(sizeof *o);
    if (!o) return LEAT_NOMEM;
    leat_err err = leat_i_url_parse(&o->url, opts->base_url, why, sizeof why);
    if (!err) {
        o->rt = rt;
        o->loop = leat_i_loop_of(rt);
        o->cacert = leat_i_strdup(opts->cacert);
        o->cert = leat_i_strdup(opts->cert);
        o->cert_key = leat_i_strdup(opts->cert_key);
        o->http2 = opts->http2 && o->url.https;
        o->address_ns = opts->address_ms < 0 ? 0
                        : opts->address_ms   ? ns_of_ms(opts->address_ms)
                                             : LEAT_I_DNS_S * LEAT_I_NS_PER_S;
        o->connect_ns = ns_of_ms(opts->connect_timeout_ms);
        o->first_byte_ns = ns_of_ms(opts->first_byte_timeout_ms);
        o->idle_ns = ns_of_ms(opts->idle_timeout_ms);
        o->total_ns = ns_of_ms(opts->total_timeout_ms);
        o->body_bytes_max = opts->body_bytes_max ? opts->body_bytes_max : SIZE_MAX;
        o->buffer_bytes = opts->buffer_bytes;
        bool copied = (!opts->cacert || o->cacert) && (!opts->cert || o->cert) && (!opts->cert_key || o->cert_key);
        if (!o->loop || !copied || !headers_make(&o->headers, opts, "Accept: application/json") ||
            !headers_make(&o->stream_headers, opts, "Accept: text/event-stream"))
            err = LEAT_NOMEM;
    }
    if (err)
        origin_free_memory(o);
    else
        leat_i_loop_know(o), *out = o;
    return err;
}

bool leat_i_http2_is_sound(void)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    return (v->features & CURL_VERSION_HTTP2) && v->version_num >= 0x080700;
}

typedef struct free_op {
    leat_i_op op;
    leat_i_http_origin *origin;
    LEAT_ATOMIC(uint32_t) done;
} free_op;

static void origin_op_free(leat_i_loop *loop, leat_i_op *op)
{
    free_op *f = (free_op *)(void *)op;
    (void)loop;
    leat_i_pools_free(f->origin);
    leat_store_release(&f->done, 1u); /* Pairs with the acquire in leat_i_http_origin_free. */
    leat_i_os_futex_wake(&f->done, 1);
}

void leat_i_http_origin_free(leat_i_http_origin *o)
{
    if (!o) return;
    if (o->loop) {
        free_op f = { .op.run = origin_op_free, .origin = o };
        leat_i_loop_forget(o);
        leat_i_loop_op(o->loop, &f.op);
        while (!leat_load_acquire(&f.done)) /* acquire: with the release in origin_op_free. */
            (void)leat_i_os_futex_wait(&f.done, 0, LEAT_I_NEVER_NS);
    }
    origin_free_memory(o);
}

/* ---- performing ---- */

/* LEAT_OK once the loop has it; a full mailbox lets other tasks run first. */
static leat_err exchange_submit(leat_task *t, leat_i_exchange *x)
{
    bool full = false;
    while (!leat_i_loop_submit(x->origin->loop, x, &full)) {
        if (!full) return LEAT_NOMEM;
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    return LEAT_OK;
}

/* Whether a name does not exist, or is only not to be had at the moment: curl does not say, so the question is asked again. It
 * happens once per failed look-up, for whoever waits beside it shares the failure. */
static leat_err host_look_up(void *host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc == 0) freeaddrinfo(found);
    return rc == EAI_NONAME || rc == EAI_NODATA ? LEAT_NET : LEAT_OK;
}

static void reply_judge_name(leat_task *t, leat_i_http_reply *reply, const char *host)
{
    static const char invalid[] = ".invalid"; /* RFC 6761: never exists, whatever a resolver says. */
    size_t size = strlen(host), tail = sizeof invalid - 1;
    bool never = size > tail && strcasecmp(host + size - tail, invalid) == 0;
    if (never || leat_blocking(t, host_look_up, (void *)(uintptr_t)host) == LEAT_NET) reply->end = LEAT_I_HTTP_DNS_UNKNOWN;
}

leat_err leat_i_http_perform(leat_task *t, const leat_i_http_request *request, leat_i_http_reply *reply)
{
    static const leat_i_future_ops no_ops;
    leat_i_exchange x = { .request = request, .reply = reply };
    memset(reply, 0, sizeof *reply);
    reply->end = LEAT_I_HTTP_CANCELED;
    reply->body = (char *)"";
    reply->first_byte_ns = -1;
    if (leat_i_task_check(t) != LEAT_OK) return LEAT_OK;
    /* Immutable for its users; the loop's part is the loop's. */
    x.origin = (leat_i_http_origin *)(uintptr_t)request->origin;
    x.arena = &t->arena;
    x.start_ns = leat_i_os_now_ns();
    leat_i_future_init(&x.future, &no_ops);
    leat_i_future_init(&x.let_go, &no_ops);
    leat_i_runtime_external_begin(t->rt);
    leat_err err = exchange_submit(t, &x);
    if (err == LEAT_OK && leat_await(t, &x.future, NULL) != LEAT_OK) {
        /* The task is stopped. The loop works on this stack, so it must let go first; that takes no longer than its round. */
        x.cancel.run = leat_i_exchange_cancel;
        leat_i_loop_op(x.origin->loop, &x.cancel);
        (void)leat_i_await_shielded(t, &x.let_go);
    }
    leat_i_runtime_external_end(t->rt);
    if (x.is_unresolved) reply_judge_name(t, reply, x.origin->url.host);
    return err == LEAT_NOMEM ? LEAT_NOMEM : LEAT_OK;
}
