/* test_llm_limits.c: what a client's limiter learns from replies: limits in headers, refusals, answers that are busy now and then. */
#include "leat/limiter.h"
#include "leat/llm.h"

#include "support_http.h"

enum { DOCUMENTS = 200, AT_ONCE = 4 };

static const fault_step good_step[] = { { .op = FAULT_ECHO_MARK }, { .op = FAULT_KEEP } };

static leat_llm *llm_to(fault_server *s, leat_runtime *rt, leat_limiter *l, bool ignore_limits)
{
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_llm_opts opts = { .base_url = fault_server_url(s), .limiter = l, .model = "m", .ignore_limits = ignore_limits };
    if (leat_llm_new(&llm, rt, &opts, &error)) fail_msg("%s", error.text);
    return llm;
}

typedef enum kind { FINE, BUSY, CUT } kind;
static const char *const KINDS[] = { "fine", "busy", "cut" };

static kind kind_of(int n)
{
    return n % 5 == 4 ? BUSY : n % 10 == 7 ? CUT : FINE;
}

typedef struct job {
    leat_llm *llm;
    int next;
    int64_t took_ms;
} job;

static leat_err worker(leat_task *t, void *arg, const void **result)
{
    job *j = arg;
    (void)result;
    while (j->next < DOCUMENTS) {
        int n = j->next++;
        const char *reply;
        leat_err err = leat_llm_ask(t, j->llm, leat_task_printf(t, "[[%s %d]]", KINDS[kind_of(n)], n), &reply);
        CHECK(err == LEAT_OK);
    }
    return LEAT_OK;
}

static leat_err workers(leat_task *t, void *arg, const void **result)
{
    job *j = arg;
    leat_future *f[AT_ONCE];
    int64_t start_ns = leat_task_now_ns(t);
    (void)result;
    for (int i = 0; i < AT_ONCE; i++)
        f[i] = leat_task_start(t, worker, j);
    LEAT_TRY(leat_await_all(t, f, AT_ONCE));
    j->took_ms = (leat_task_now_ns(t) - start_ns) / 1000000;
    return LEAT_OK;
}

/* One request in five busy for 20 ms and one in ten cut: each waits for itself, and nobody for the others. */
static void busy_answers_hold_nobody_else_back(void **state)
{
    (void)state;
    const fault_step busy[] = { { .op = FAULT_SEND, .data = fault_reply(503, "retry-after-ms: 20\r\n", "busy") },
                                { .op = FAULT_KEEP } };
    static const fault_step cut[] = { { .op = FAULT_RESET } };
    static char marker[DOCUMENTS][24];
    static fault_script script[DOCUMENTS]; /* each document's trouble comes once */
    size_t count = 0;
    for (int n = 0; n < DOCUMENTS; n++) {
        if (kind_of(n) == FINE) continue;
        snprintf(marker[n], sizeof marker[n], "[[%s %d]]", KINDS[kind_of(n)], n);
        script[count++] = (fault_script){ .step = kind_of(n) == BUSY ? busy : cut, .marker = marker[n], .times = 1 };
    }
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = count });
    leat_runtime *rt;
    leat_limiter *l;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    job j = { .llm = llm_to(s, rt, l, false) };
    assert_int_equal(leat_task_run(rt, workers, &j, NULL), LEAT_OK);
    print_message("%d documents, a third of them in trouble: %lld ms of waits\n", DOCUMENTS, (long long)j.took_ms);
    assert_true(j.took_ms < 5000);
    leat_llm_free(j.llm);
    leat_runtime_free(rt);
    leat_limiter_free(l);
    fault_server_free(s);
}

static leat_err one(leat_task *t, void *arg, const void **result)
{
    const char *reply;
    (void)result;
    return leat_llm_ask(t, arg, "[[fine]]", &reply);
}

/* The limits after one reply of `first`, and then good ones. */
static leat_limiter_stats stats_after(const char *first, bool ignore_limits, const leat_limiter_opts *opts)
{
    const fault_step step[] = { { .op = FAULT_SEND, .data = first }, { .op = FAULT_KEEP } };
    fault_script script[] = { { .step = step, .times = 1 }, { .step = good_step } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 2 });
    leat_runtime *rt;
    leat_limiter *l;
    leat_limiter_stats stats;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    assert_int_equal(leat_limiter_new(&l, opts), LEAT_OK);
    leat_llm *llm = llm_to(s, rt, l, ignore_limits);
    assert_int_equal(leat_task_run(rt, one, llm, NULL), LEAT_OK);
    leat_limiter_read(l, &stats);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    leat_limiter_free(l);
    fault_server_free(s);
    return stats;
}

static void limits_are_learned_from_headers(void **state)
{
    (void)state;
    const char *reply = fault_reply(200,
                                    "x-ratelimit-limit-requests: 120\r\nX-RateLimit-Limit-Tokens: 9000\r\n"
                                    "x-ratelimit-remaining-requests: 119\r\nx-ratelimit-reset-requests: 500ms\r\n",
                                    fault_chat_body("fine", "stop"));
    leat_limiter_stats stats = stats_after(reply, false, NULL);
    assert_true(stats.requests_per_min == 120 && stats.tokens_per_min == 9000);
    stats = stats_after(reply, false, &(leat_limiter_opts){ .requests_per_min = 60, .tokens_per_min = 10000 });
    assert_true(stats.requests_per_min == 60 && stats.tokens_per_min == 9000);
    stats = stats_after(reply, true, NULL);
    assert_true(stats.requests_per_min == 0 && stats.tokens_per_min == 0);
    /* A refusal says them too. */
    reply =
        fault_reply(429, "anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 0\r\n", "{}");
    stats = stats_after(reply, false, NULL);
    assert_true(stats.requests_per_min == 50 && stats.granted == 2 && stats.refunded == 1);
}

/* Thousands of lines about limits: what fits is read, and nothing breaks. */
static void many_lines_of_limits_are_bounded(void **state)
{
    (void)state;
    static char headers[32000];
    size_t used = 0;
    for (int i = 0; i < 400; i++)
        used += (size_t)snprintf(headers + used, sizeof headers - used, "x-ratelimit-limit-requests-%d: 5\r\n", i);
    snprintf(headers + used, sizeof headers - used, "x-ratelimit-limit-requests: 7\r\n");
    leat_limiter_stats stats = stats_after(fault_reply(200, headers, fault_chat_body("fine", "stop")), false, NULL);
    assert_true(stats.requests_per_min == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_answers_hold_nobody_else_back),
        cmocka_unit_test(limits_are_learned_from_headers),
        cmocka_unit_test(many_lines_of_limits_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
