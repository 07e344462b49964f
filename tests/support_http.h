/* support_http.h: performing single exchanges from a test's own thread. */
#ifndef LEAT_TEST_SUPPORT_HTTP_H
#define LEAT_TEST_SUPPORT_HTTP_H

#include "net/http.h"
#include "support/fault_server.h"
#include "support_sched.h"

typedef struct exchange_result {
    leat_err err;
    leat_i_http_reply reply; /* its pointers are dead, but for those copied below */
    char *body;              /* free() it */
    char retry_after[64], content_type[64], request_id[64];
} exchange_result;

typedef struct exchange_arg {
    const leat_i_http_request *request;
    exchange_result *result;
    int64_t within_ms; /* deadline of the task; 0 = none */
} exchange_arg;

static inline void text_copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static inline leat_err exchange_body(leat_task *t, void *arg, const void **unused)
{
    exchange_arg *a = arg;
    exchange_result *r = a->result;
    (void)unused;
    r->err = leat_i_http_perform(t, a->request, &r->reply);
    CHECK(r->reply.body != NULL && r->reply.body[r->reply.body_bytes] == '\0');
    r->body = malloc(r->reply.body_bytes + 1);
    memcpy(r->body, r->reply.body, r->reply.body_bytes + 1);
    text_copy(r->retry_after, sizeof r->retry_after, r->reply.retry_after);
    text_copy(r->content_type, sizeof r->content_type, r->reply.content_type);
    text_copy(r->request_id, sizeof r->request_id, r->reply.request_id);
    return LEAT_OK;
}

static inline leat_err exchange_task(leat_task *t, void *arg, const void **result)
{
    exchange_arg *a = arg;
    if (!a->within_ms) return exchange_body(t, arg, result);
    (void)!leat_task_within(t, a->within_ms, exchange_body, arg, result);
    return LEAT_OK;
}

/* Free result.body. */
static inline exchange_result exchange_run(leat_runtime *rt, const leat_i_http_request *request, int64_t within_ms)
{
    exchange_result r = { .err = LEAT_USAGE };
    exchange_arg a = { request, &r, within_ms };
    assert_int_equal(leat_task_run(rt, exchange_task, &a, NULL), LEAT_OK);
    assert_int_equal(r.err, LEAT_OK);
    return r;
}

static inline leat_i_http_origin *origin_of(leat_runtime *rt, const char *url, const char *cacert)
{
    static const char *const headers[] = { "Authorization: Bearer sk-test-key" };
    leat_i_http_origin *o = NULL;
    leat_i_http_origin_opts opts = {
        .base_url = url,
        .headers = headers,
        .header_count = 1,
        .cacert = cacert,
        .connect_timeout_ms = 20000,
        .first_byte_timeout_ms = 20000,
        .idle_timeout_ms = 20000,
        .total_timeout_ms = 30000,
        .body_bytes_max = 1 << 20,
    };
    assert_int_equal(leat_i_http_origin_new(&o, rt, &opts), LEAT_OK);
    return o;
}

#endif
