/*
 * test_limiter_learn.c: the limiter against an endpoint that is played on the virtual clock: limits that change at a given time,
 * overloads, a model that is being loaded, an endpoint that goes away. The endpoint keeps a true window of 60 s and says no more
 * than real ones do.
 */
#include <string.h>

#include "limiter_support.h"

enum { ARRIVALS_MAX = 400000, CALLERS = 400 };

typedef struct phase { /* from a time on */
    int64_t from_ns;
    double per_min; /* true sliding window; 0 = none */
    int in_flight;  /* more at once is overload: 503; 0 = any number */
    bool loading;   /* 503 to everybody */
    int busy;       /* every so manieth request is answered by a 503 that asks for 20 ms; 0 = none */
    int64_t first_token_ms;
    bool gone; /* no connection */
} phase;

typedef struct arrival {
    int64_t at_ns;
    bool accepted;
} arrival;

typedef struct endpoint {
    const phase *phase;
    int phase_count;
    int64_t latency_ms;
    bool tells_wait, tells_limit; /* Retry-After; the limit in a header */
    /* what came */
    arrival *arrival;
    int count;
    int oldest; /* the first accepted one that still counts */
    int in_window, in_flight;
} endpoint;

typedef struct play {
    leat_runtime *rt;
    leat_limiter *l;
    endpoint e[3];
    int endpoint_count, callers;
    int64_t end_ns;
    uint64_t random;
} play;

static const int64_t WINDOW_NS = 60 * S;

static const phase *phase_at(const endpoint *e, int64_t now_ns)
{
    int i = e->phase_count - 1;
    while (i > 0 && e->phase[i].from_ns > now_ns)
        i--;
    return &e->phase[i];
}

/* ---- the endpoint: what it answers to a request that arrives now ---- */

static void window_advance(endpoint *e, int64_t now_ns)
{
    for (; e->oldest < e->count && e->arrival[e->oldest].at_ns <= now_ns - WINDOW_NS; e->oldest++)
        e->in_window -= e->arrival[e->oldest].accepted;
}

/* How long until the window has room, rounded up to seconds as the header has them. */
static int64_t wait_ms(const endpoint *e, double per_min, int64_t now_ns)
{
    int over = e->in_window - (int)per_min + 1;
    for (int i = e->oldest; i < e->count; i++)
        if (e->arrival[i].accepted && --over <= 0) return (e->arrival[i].at_ns + WINDOW_NS - now_ns + S - 1) / S * 1000;
    return 60000;
}

static leat_limiter_report endpoint_answer(endpoint *e, int64_t now_ns)
{
    const phase *p = phase_at(e, now_ns);
    leat_limiter_report r = { .verdict = LEAT_VERDICT_GOOD };
    assert_true(e->count < ARRIVALS_MAX);
    window_advance(e, now_ns);
    arrival *a = &e->arrival[e->count];
    *a = (arrival){ .at_ns = now_ns };
    if (p->gone) {
        r.verdict = LEAT_VERDICT_LOST;
    } else if (p->busy > 0 && e->count % p->busy == p->busy - 1) {
        r.verdict = LEAT_VERDICT_OVERLOADED;
        r.retry_after_ms = 20;
    } else if (p->loading || (p->in_flight > 0 && e->in_flight >= p->in_flight)) {
        r.verdict = LEAT_VERDICT_OVERLOADED;
    } else if (p->per_min > 0 && e->in_window + 1 > p->per_min) {
        r.verdict = LEAT_VERDICT_LIMITED;
        if (e->tells_wait) r.retry_after_ms = wait_ms(e, p->per_min, now_ns);
    } else {
        a->accepted = true;
        e->in_window++;
        e->in_flight++;
        r.first_token_ms = p->first_token_ms;
    }
    e->count++;
    return r;
}

/* ---- the callers ---- */

static leat_err one_call(leat_task *t, play *p)
{
    leat_grant g;
    LEAT_TRY(leat_limiter_acquire(t, p->l, (leat_cost){ 10, 10, 100 }, &g));
    endpoint *e = &p->e[g.endpoint_index];
    LEAT_TRY(leat_sleep_ms(t, 20));
    leat_limiter_report r = endpoint_answer(e, leat_task_now_ns(t));
    LEAT_TRY(leat_sleep_ms(t, r.verdict == LEAT_VERDICT_GOOD ? e->latency_ms : 20));
    const phase *now = phase_at(e, leat_task_now_ns(t));
    if (r.verdict == LEAT_VERDICT_GOOD) e->in_flight--;
    if (e->tells_limit && now->per_min > 0)
        (void)leat_limiter_learn(t, p->l, g.endpoint_index, &(leat_limiter_opts){ .requests_per_min = now->per_min });
    leat_limiter_tell(t, p->l, g, &r);
    leat_limiter_refund(p->l, g);
    if (r.verdict == LEAT_VERDICT_GOOD) return LEAT_OK;
    /* As the client does: what was asked for, or a while, and some more. */
    p->random = p->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    int64_t wait = r.retry_after_ms > 0 ? r.retry_after_ms : 1000;
    return leat_sleep_ms(t, wait + (int64_t)(p->random >> 40) % (wait / 4 + 100));
}

static leat_err caller(leat_task *t, void *arg, const void **result)
{
    play *p = arg;
    (void)result;
    while (leat_task_now_ns(t) < p->end_ns)
        LEAT_TRY(one_call(t, p));
    return LEAT_OK;
}

static leat_err callers(leat_task *t, void *arg, const void **result)
{
    (void)result;
    play *p = arg;
    leat_future *f[CALLERS];
    for (int i = 0; i < p->callers; i++)
        f[i] = leat_task_start(t, caller, p);
    return leat_await_all(t, f, (size_t)p->callers);
}

/* One worker: the endpoint's books need no lock then. */
static play *play_new(const leat_limiter_opts *opts, const endpoint *e, int endpoint_count, int64_t minutes)
{
    play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(leat_runtime_new(&p->rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    assert_int_equal(leat_limiter_new_many(&p->l, opts, (size_t)endpoint_count), LEAT_OK);
    p->endpoint_count = endpoint_count;
    p->callers = CALLERS;
    p->end_ns = minutes * 60 * S;
    p->random = 1;
    for (int i = 0; i < endpoint_count; i++) {
        p->e[i] = e[i];
        p->e[i].arrival = malloc(ARRIVALS_MAX * sizeof(arrival));
        assert_non_null(p->e[i].arrival);
    }
    return p;
}

static play *play_run(const leat_limiter_opts *opts, const endpoint *e, int endpoint_count, int64_t minutes)
{
    play *p = play_new(opts, e, endpoint_count, minutes);
    assert_int_equal(leat_task_run(p->rt, callers, p, NULL), LEAT_OK);
    return p;
}

static void play_free(play *p)
{
    leat_limiter_stats s;
    leat_limiter_read(p->l, &s);
    assert_true(s.waiting == 0 && s.in_flight == 0);
    leat_limiter_free(p->l);
    leat_runtime_free(p->rt);
    for (int i = 0; i < p->endpoint_count; i++)
        free(p->e[i].arrival);
    free(p);
}

/* Arrivals in [from, to) minutes: all, or the accepted ones, or the others. */
typedef enum which { ALL, ACCEPTED, REFUSED } which;
static int arrivals(const endpoint *e, double from_min, double to_min, which w)
{
    int n = 0;
    for (int i = 0; i < e->count; i++) {
        double at = (double)e->arrival[i].at_ns / 60e9;
        n += at >= from_min && at < to_min && (w == ALL || (w == ACCEPTED) == e->arrival[i].accepted);
    }
    return n;
}

/* ---- limits that change ---- */

/* 6,000 a minute, halved after 3 minutes, back after 9. */
static const phase HALVED[] = {
    { .from_ns = 0, .per_min = 6000 },
    { .from_ns = 180 * S, .per_min = 3000 },
    { .from_ns = 540 * S, .per_min = 6000 },
};

static play *halved(bool tells_wait, bool tells_limit)
{
    endpoint e = {
        .phase = HALVED, .phase_count = 3, .latency_ms = 400, .tells_wait = tells_wait, .tells_limit = tells_limit
    };
    play *p = play_run(&(leat_limiter_opts){ .requests_per_min = 6000 }, &e, 1, 14);
    const endpoint *x = &p->e[0];
    int all = arrivals(x, 0, 14, ALL), refused = arrivals(x, 0, 14, REFUSED);
    print_message("wait %d, limit %d: %d calls, %d refused; a minute:", tells_wait, tells_limit, all, refused);
    for (int m = 0; m < 14; m++)
        print_message(" %d", arrivals(x, m, m + 1, ACCEPTED));
    print_message("\n");
    assert_true(arrivals(x, 1, 3, ALL) >= 2 * 6000 * 97 / 100);
    assert_int_equal(arrivals(x, 0, 3, REFUSED), 0);
    assert_true(refused * 100 <= all); /* at most 1 % of the calls */
    /* Within one window it asks for no more than the new limit. */
    assert_true(arrivals(x, 4, 5, ALL) <= 3000);
    return p;
}

static void test_a_halved_limit_that_is_told(void **state)
{
    (void)state;
    play *p = halved(true, true);
    assert_true(arrivals(&p->e[0], 5, 9, ACCEPTED) >= 4 * 3000 * 97 / 100);
    assert_true(arrivals(&p->e[0], 9.5, 13.5, ACCEPTED) >= 4 * 6000 * 97 / 100); /* And back up at once. */
    play_free(p);
}

static void test_a_halved_limit_with_a_wait(void **state)
{
    (void)state;
    play *p = halved(true, false);
    assert_true(arrivals(&p->e[0], 5, 9, ACCEPTED) >= 4 * 3000 * 80 / 100);
    assert_true(arrivals(&p->e[0], 12, 14, ACCEPTED) >= 2 * 6000 * 97 / 100); /* Back up within three minutes. */
    play_free(p);
}

static void test_a_halved_limit_without_a_word(void **state)
{
    (void)state;
    play *p = halved(false, false);
    assert_true(arrivals(&p->e[0], 5, 9, ACCEPTED) >= 4 * 3000 * 70 / 100);
    assert_true(arrivals(&p->e[0], 12, 14, ACCEPTED) >= 2 * 6000 * 97 / 100);
    play_free(p);
}

/* Nobody said a limit: it is found out by what is refused. */
static void test_a_limit_that_nobody_knows(void **state)
{
    static const phase always[] = { { .per_min = 3000 } };
    (void)state;
    endpoint e = { .phase = always, .phase_count = 1, .latency_ms = 400, .tells_wait = true };
    play *p = play_run(NULL, &e, 1, 12);
    int all = arrivals(&p->e[0], 2, 12, ALL), refused = arrivals(&p->e[0], 2, 12, REFUSED);
    print_message("unknown limit: %d calls, %d refused after two minutes\n", all, refused);
    assert_true(refused * 50 <= all);
    assert_true(arrivals(&p->e[0], 2, 12, ACCEPTED) >= 10 * 3000 * 75 / 100);
    play_free(p);
}

/* ---- overloads ---- */

/* While a model is being loaded one request at a time asks; then all goes on by itself, without a stampede. */
static void test_a_model_that_is_being_loaded(void **state)
{
    static const phase loading[] = { { .loading = true }, { .from_ns = 90 * S } };
    (void)state;
    endpoint e = { .phase = loading, .phase_count = 2, .latency_ms = 400 };
    play *p = play_run(&(leat_limiter_opts){ .in_flight_max = 200 }, &e, 1, 5);
    const endpoint *x = &p->e[0];
    int first = arrivals(x, 0, 0.05, ALL), probes = arrivals(x, 0.05, 1.5, ALL);
    print_message("loading: %d requests at first, %d probes, the minutes then: %d %d\n", first, probes,
                  arrivals(x, 2, 3, ALL), arrivals(x, 3, 4, ALL));
    assert_true(first <= 260 && probes >= 2 && probes <= 10);
    for (int i = first + 1; i < first + probes; i++)
        assert_true(x->arrival[i].at_ns - x->arrival[i - 1].at_ns >= 500 * MS);
    /* The last probe was at most half a minute before; then it starts slowly. */
    assert_true(arrivals(x, 2.2, 3.2, ACCEPTED) >= 60 * 200 * 1000 / 440 * 9 / 10);
    play_free(p);
}

/* A 503 here and there is a matter of that request, and stops nobody else. */
static void test_a_busy_answer_now_and_then_stops_nobody(void **state)
{
    static const phase busy[] = { { .busy = 5 } };
    (void)state;
    endpoint e = { .phase = busy, .phase_count = 1, .latency_ms = 80 };
    play *p = play_new(&(leat_limiter_opts){ .in_flight_max = 4 }, &e, 1, 1);
    p->callers = 4;
    assert_int_equal(leat_task_run(p->rt, callers, p, NULL), LEAT_OK);
    /* Each call: 100 ms when good; else 40 ms and a wait of 20 to 125 ms. */
    print_message("one in five busy: %d good answers in a minute\n", arrivals(&p->e[0], 0, 1, ACCEPTED));
    assert_true(arrivals(&p->e[0], 0, 1, ACCEPTED) >= 4 * 60 * 1000 / 140 * 9 / 10);
    play_free(p);
}

static void test_adaptive_finds_what_is_borne(void **state)
{
    static const phase rooms[] = { { .in_flight = 100 },
                                   { .from_ns = 300 * S, .in_flight = 25 },
                                   { .from_ns = 600 * S, .in_flight = 100 } };
    (void)state;
    endpoint e = { .phase = rooms, .phase_count = 3, .latency_ms = 960 };
    play *p = play_run(&(leat_limiter_opts){ .in_flight_max = 400, .adaptive = true }, &e, 1, 15);
    const endpoint *x = &p->e[0];
    int all = arrivals(x, 0, 15, ALL), refused = arrivals(x, 0, 15, REFUSED);
    print_message("adaptive: %d calls, %d refused; a minute:", all, refused);
    for (int m = 0; m < 15; m++)
        print_message(" %d", arrivals(x, m, m + 1, ACCEPTED));
    print_message("\n");
    assert_true(refused * 20 <= all);
    /* A second a request: of the 6,000 (1,500) that are possible in a minute at least two thirds. */
    assert_true(arrivals(x, 2, 5, ACCEPTED) >= 3 * 6000 * 2 / 3);
    assert_true(arrivals(x, 6, 10, ACCEPTED) >= 4 * 1500 * 2 / 3);
    assert_true(arrivals(x, 12, 15, ACCEPTED) >= 3 * 6000 * 2 / 3);
    play_free(p);
}

/* A queue at the endpoint shows in the first token, long before anything is refused. */
static void test_adaptive_heeds_the_first_token(void **state)
{
    static const phase slow[] = { { .first_token_ms = 100 }, { .from_ns = 120 * S, .first_token_ms = 900 } };
    (void)state;
    endpoint e = { .phase = slow, .phase_count = 2, .latency_ms = 960 };
    leat_limiter_opts opts = { .in_flight_max = 400, .in_flight_min = 3, .adaptive = true };
    play *p = play_run(&opts, &e, 1, 4);
    int before = arrivals(&p->e[0], 1, 2, ACCEPTED), after = arrivals(&p->e[0], 3, 4, ACCEPTED);
    print_message("first token: %d answers a minute, %d when it is slow\n", before, after);
    assert_true(before >= 60 * 390);
    assert_true(after <= before / 10 && after >= 60 * 3 * 9 / 10);
    play_free(p);
}

/* ---- several endpoints ---- */

static void test_several_endpoints_use_the_limits_of_all(void **state)
{
    static const phase big[] = { { .per_min = 6000 } }, small[] = { { .per_min = 600 } };
    (void)state;
    endpoint e[] = { { .phase = big, .phase_count = 1, .latency_ms = 400 },
                     { .phase = small, .phase_count = 1, .latency_ms = 400 },
                     { .phase = big, .phase_count = 1, .latency_ms = 400 } };
    leat_limiter_opts opts[] = { { .requests_per_min = 6000 }, { .requests_per_min = 600 }, { .requests_per_min = 6000 } };
    play *p = play_run(opts, e, 3, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(arrivals(&p->e[i], 0, 4, REFUSED), 0);
        assert_true(arrivals(&p->e[i], 1, 4, ACCEPTED) >= 3 * e[i].phase->per_min * 0.97);
    }
    leat_limiter_stats s;
    leat_limiter_read(p->l, &s);
    assert_true(s.requests_per_min == 12600 && s.endpoints_out == 0);
    play_free(p);
}

static void test_a_dead_endpoint_is_left_alone_and_tried_again(void **state)
{
    static const phase well[] = { { .in_flight = 0 } };
    static const phase dies[] = { { .in_flight = 0 }, { .from_ns = 60 * S, .gone = true }, { .from_ns = 300 * S } };
    (void)state;
    endpoint e[] = { { .phase = well, .phase_count = 1, .latency_ms = 400 },
                     { .phase = dies, .phase_count = 3, .latency_ms = 400 } };
    leat_limiter_opts opts[] = { { .in_flight_max = 20 }, { .in_flight_max = 20 } };
    play *p = play_run(opts, e, 2, 8);
    const endpoint *x = &p->e[1];
    int tries = arrivals(x, 1.1, 5, ALL);
    print_message("a dead endpoint: %d at its death, %d tries in four minutes, %d a minute afterwards\n",
                  arrivals(x, 1, 1.1, REFUSED), tries, arrivals(x, 6, 7, ACCEPTED));
    assert_true(arrivals(x, 0, 1, ACCEPTED) >= 60 * 20 * 1000 / 440 * 9 / 10);
    assert_true(arrivals(x, 1, 1.1, REFUSED) <= 40);
    assert_true(tries >= 5 && tries <= 15);
    assert_true(arrivals(x, 6, 8, ACCEPTED) >= 2 * 60 * 20 * 1000 / 440 * 9 / 10);
    /* The other one goes on all the time. */
    for (int m = 0; m < 8; m++)
        assert_true(arrivals(&p->e[0], m, m + 1, ACCEPTED) >= 60 * 20 * 1000 / 440 * 9 / 10);
    play_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_halved_limit_that_is_told),
        cmocka_unit_test(test_a_halved_limit_with_a_wait),
        cmocka_unit_test(test_a_halved_limit_without_a_word),
        cmocka_unit_test(test_a_limit_that_nobody_knows),
        cmocka_unit_test(test_a_model_that_is_being_loaded),
        cmocka_unit_test(test_a_busy_answer_now_and_then_stops_nobody),
        cmocka_unit_test(test_adaptive_finds_what_is_borne),
        cmocka_unit_test(test_adaptive_heeds_the_first_token),
        cmocka_unit_test(test_several_endpoints_use_the_limits_of_all),
        cmocka_unit_test(test_a_dead_endpoint_is_left_alone_and_tried_again),
    };
    /* One worker and a virtual clock: no threads to look at, and there a fiber costs a millisecond. */
    const struct CMUnitTest few[] = { cmocka_unit_test(test_a_busy_answer_now_and_then_stops_nobody) };
    if (LEAT_TSAN) return cmocka_run_group_tests(few, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
