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

/* The limits after one reply of that status with these headers, and then good ones. */
static leat_limiter_stats stats_after(int status, const char *headers, bool ignore_limits, const leat_limiter_opts *opts)
{
    const char *first = fault_reply(status, headers, fault_chat_body("fine", "stop"));
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
    fault_server *keeper =
        fault_server_new(&(fault_opts){ 0 }); /* Keeps what the builders give out, longer than one run's server. */
    (void)state;
    static const char headers[] = "x-ratelimit-limit-requests: 120\r\nX-RateLimit-Limit-Tokens: 9000\r\n"
                                  "x-ratelimit-remaining-requests: 119\r\nx-ratelimit-reset-requests: 500ms\r\n";
    leat_limiter_stats stats = stats_after(200, headers, false, NULL);
    assert_true(stats.requests_per_min == 120 && stats.tokens_per_min == 9000);
    stats = stats_after(200, headers, false, &(leat_limiter_opts){ .requests_per_min = 60, .tokens_per_min = 10000 });
    assert_true(stats.requests_per_min == 60 && stats.tokens_per_min == 9000);
    stats = stats_after(200, headers, true, NULL);
    assert_true(stats.requests_per_min == 0 && stats.tokens_per_min == 0);
    /* A refusal says them too. */
    stats = stats_after(429, "anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 0\r\n",
                        false, NULL);
    assert_true(stats.requests_per_min == 50 && stats.granted == 2 && stats.refunded == 1);
    fault_server_free(keeper);
}

static leat_err ask_one(leat_task *t, leat_llm *llm, const char *text, leat_err expected)
{
    const char *reply;
    CHECK(leat_llm_ask(t, llm, text, &reply) == expected);
    return LEAT_OK;
}

static leat_err ask_failing(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return ask_one(t, arg, "[[fails]]", LEAT_HTTP);
}

static leat_err ask_both(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *failing = leat_task_start(t, ask_failing, arg);
    LEAT_TRY(ask_one(t, arg, "[[fine]]", LEAT_OK));
    return leat_await(t, failing, NULL);
}

/* Both are guessed before any answer has told what they use, at 512 tokens for an answer. What a failed one keeps is judged by what
 * the good one has told meanwhile. */
static void a_failed_attempt_keeps_what_is_known_by_then(void **state)
{
    (void)state;
    const fault_step late[] = { { .op = FAULT_PAUSE, .ms = 1000 },
                                { .op = FAULT_SEND, .data = fault_reply(500, "", "broken") },
                                { .op = FAULT_KEEP } };
    fault_script script[] = { { .step = late, .marker = "[[fails]]" } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 1 });
    leat_runtime *rt;
    leat_limiter *l;
    leat_llm *llm;
    leat_error error = { 0 };
    leat_limiter_stats stats;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1 }), LEAT_OK);
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    leat_llm_opts opts = { .base_url = fault_server_url(s), .limiter = l, .model = "m", .max_attempts = 1 };
    if (leat_llm_new(&llm, rt, &opts, &error)) fail_msg("%s", error.text);
    assert_int_equal(leat_task_run(rt, ask_both, llm, NULL), LEAT_OK);
    leat_limiter_read(l, &stats);
    assert_true(stats.settled == 2 && stats.tokens_charged > 10 && stats.tokens_charged < 200);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    leat_limiter_free(l);
    fault_server_free(s);
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
    leat_limiter_stats stats = stats_after(200, headers, false, NULL);
    assert_true(stats.requests_per_min == 0);
}

/* ---- several endpoints ---- */

typedef struct pair {
    leat_runtime *rt;
    leat_limiter *l;
    leat_llm *llm;
} pair;

static pair pair_new(const char *one_url, const char *other_url, leat_error *error)
{
    static const leat_limiter_opts limits[2];
    pair p;
    leat_llm_endpoint endpoints[] = { { .base_url = one_url }, { .base_url = other_url } };
    assert_int_equal(leat_runtime_new(&p.rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    assert_int_equal(leat_limiter_new_many(&p.l, limits, 2), LEAT_OK);
    leat_llm_opts opts = { .endpoints = endpoints, .endpoint_count = 2, .limiter = p.l, .model = "m", .max_attempts = 1 };
    if (leat_llm_new(&p.llm, p.rt, &opts, error)) fail_msg("%s", error->text);
    return p;
}

static void pair_free(pair *p)
{
    leat_llm_free(p->llm);
    leat_runtime_free(p->rt);
    leat_limiter_free(p->l);
}

static leat_err forty(leat_task *t, void *arg, const void **result)
{
    const char *reply;
    (void)result;
    for (int i = 0; i < 40; i++)
        LEAT_TRY(leat_llm_ask(t, arg, "[[fine]]", &reply));
    return LEAT_OK;
}

/* A key that is denied at one endpoint costs one request there and no document; denied everywhere it ends the run. */
static void a_denied_key_leaves_the_others(void **state)
{
    (void)state;
    leat_error error = { 0 };
    const fault_step denied[] = { { .op = FAULT_SEND, .data = fault_reply(401, "", "{}") }, { .op = FAULT_KEEP } };
    fault_script script[] = { { .step = denied } };
    fault_server *bad = fault_server_new(&(fault_opts){ .script = script, .script_count = 1 });
    fault_server *good = fault_server_new(&(fault_opts){ .script_count = 0 });
    pair p = pair_new(fault_server_url(bad), fault_server_url(good), &error);
    assert_int_equal(leat_task_run(p.rt, forty, p.llm, &error), LEAT_OK);
    assert_int_equal(fault_server_counts(bad).requests, 1);
    assert_int_equal(fault_server_counts(good).requests, 40);
    leat_limiter_stats stats;
    leat_limiter_read(p.l, &stats);
    assert_true(stats.endpoint_count == 2 && stats.endpoints_out == 1 && stats.endpoints_denied == 1);
    pair_free(&p);
    p = pair_new(fault_server_url(bad), fault_server_url(bad), &error);
    assert_int_equal(leat_task_run(p.rt, forty, p.llm, &error), LEAT_DENIED);
    assert_int_equal(fault_server_counts(bad).requests, 3);
    pair_free(&p);
    fault_server_free(bad);
    fault_server_free(good);
}

static void a_dead_endpoint_leaves_the_others(void **state)
{
    (void)state;
    leat_error error = { 0 };
    fault_server *good = fault_server_new(&(fault_opts){ .script_count = 0 });
    fault_server *dead = fault_server_new(&(fault_opts){ .script_count = 0 });
    char url[64];
    snprintf(url, sizeof url, "%s", fault_server_url(dead));
    fault_server_free(dead);
    pair p = pair_new(url, fault_server_url(good), &error); /* One attempt, and yet no document is lost. */
    assert_int_equal(leat_task_run(p.rt, forty, p.llm, &error), LEAT_OK);
    assert_int_equal(fault_server_counts(good).requests, 40);
    pair_free(&p);
    p = pair_new(url, url, &error);
    assert_int_equal(leat_task_run(p.rt, forty, p.llm, &error), LEAT_NET);
    pair_free(&p);
    fault_server_free(good);
}

static void endpoints_and_limiter_must_agree(void **state)
{
    (void)state;
    leat_runtime *rt;
    leat_limiter *l;
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    const leat_llm_endpoint endpoints[] = { { .base_url = "http://127.0.0.1:1" }, { .base_url = "http://127.0.0.1:2" } };
    assert_int_equal(leat_runtime_new(&rt, NULL), LEAT_OK);
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    leat_llm_opts opts = { .endpoints = endpoints, .endpoint_count = 2 };
    assert_int_equal(leat_llm_new(&llm, rt, &opts, &error), LEAT_USAGE);
    assert_string_equal(error.text, "2 endpoints need a limiter made for as many");
    opts.limiter = l;
    assert_int_equal(leat_llm_new(&llm, rt, &opts, &error), LEAT_USAGE);
    assert_null(llm);
    leat_limiter_free(l);
    assert_int_equal(leat_limiter_new_many(&l, NULL, 0), LEAT_USAGE);
    assert_int_equal(leat_limiter_new_many(&l, NULL, 1001), LEAT_USAGE);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_answers_hold_nobody_else_back),
        cmocka_unit_test(limits_are_learned_from_headers),
        cmocka_unit_test(a_failed_attempt_keeps_what_is_known_by_then),
        cmocka_unit_test(many_lines_of_limits_are_bounded),
        cmocka_unit_test(a_denied_key_leaves_the_others),
        cmocka_unit_test(a_dead_endpoint_leaves_the_others),
        cmocka_unit_test(endpoints_and_limiter_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
