/*
 * test_sweep_llm.c: memory and system fail at every place in the life of a client and of the embedded endpoint that it asks, which
 * share a process here. The endpoint may then answer with a 500 or cut the connection; the client may fail; neither may hang.
 */
#include "support/sweep.h"

#include <string.h>

#include "leat/llm.h"
#include "leat/mock.h"

static const char prompt[] = "Sum up: The sun shone. The sea was calm. The boat came home.";

static leat_err piece(leat_task *t, void *arg, const char *text)
{
    (void)t;
    *(size_t *)arg += strlen(text);
    return LEAT_OK;
}

static leat_err asks(leat_task *t, void *arg, const void **result)
{
    static const char body[] = "{\"model\":\"leat-extract\",\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}";
    leat_llm *llm = arg;
    const char *text = NULL;
    size_t bytes = 0;
    leat_llm_reply reply;
    (void)result;
    LEAT_TRY(leat_llm_ask(t, llm, prompt, &text));
    LEAT_TRY(leat_llm_stream(t, llm, prompt, piece, &bytes, &text));
    if (bytes != strlen(text)) return LEAT_USER;
    LEAT_TRY(leat_await(t, leat_llm_start(t, llm, prompt), NULL));
    LEAT_TRY(leat_llm_call(t, llm, "/v1/chat/completions", body, sizeof body - 1, &reply));
    if ((reply.cls == LEAT_CLASS_OK) != (reply.body != NULL && reply.http_status == 200)) return LEAT_USER;
    return LEAT_OK;
}

static leat_err client_use(leat_runtime *rt, leat_mock *mock)
{
    leat_limiter *l = NULL;
    leat_llm *llm = NULL;
    leat_error error = { .code = LEAT_OK };
    leat_limiter_stats stats;
    LEAT_TRY(leat_limiter_new(&l, &(leat_limiter_opts){ .tokens_per_min = 1e9 }));
    leat_llm_opts opts = { .base_url = leat_mock_url(mock),
                           .model = "leat-extract",
                           .limiter = l,
                           .max_attempts = 1,
                           .request_timeout_ms = 60000 };
    leat_err err = leat_llm_new(&llm, rt, &opts, &error);
    if (err != LEAT_OK && (llm || error.code != err || !error.text[0])) err = LEAT_USER;
    if (err == LEAT_OK) err = leat_task_run(rt, asks, llm, NULL);
    leat_limiter_read(l, &stats);
    if (stats.in_flight != 0) err = LEAT_USER;
    leat_llm_free(llm);
    leat_limiter_free(l);
    return err;
}

static leat_err scenario(void *arg)
{
    leat_runtime *rt = NULL;
    leat_mock *mock = NULL;
    leat_mock_opts opts = { .requests_per_min = 1e6, .tokens_per_min = 1e9, .log_path = "/dev/null" };
    (void)arg;
    leat_err err = leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2 });
    if (err != LEAT_OK) return err;
    err = leat_mock_new(&mock, &opts, NULL);
    if (err != LEAT_OK && mock) err = LEAT_USER;
    if (err == LEAT_OK) err = client_use(rt, mock);
    leat_mock_free(mock);
    leat_runtime_free(rt);
    return err;
}

static void a_client_and_the_embedded_endpoint(void **state)
{
    /* HTTP: the endpoint's 500. NET: it cut, or could not be reached. REPLY: it cut within a stream. IO: this side, out of memory or
     * descriptors. */
    uint32_t may = SWEEP_NOMEM | SWEEP_MAY(LEAT_IO) | SWEEP_MAY(LEAT_HTTP) | SWEEP_MAY(LEAT_NET) | SWEEP_MAY(LEAT_REPLY);
    (void)state;
    sweep_run(&(sweep){ .name = "client", .fn = scenario, .may = may });
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_client_and_the_embedded_endpoint) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
