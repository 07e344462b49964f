/*
 * test_limiter_learn.c: the limiter against an endpoint that is played on the virtual clock: limits that change at a given time,
 * overloads, a model that is being loaded, an endpoint that goes away.
 */
#include "limiter_play.h"

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
    assert_true(first <= 260 && probes >= 15 &&
                probes <= 30); /* Some doubling at first, then one in four to five seconds. */
    for (int i = first + 1; i < first + probes; i++)
        assert_true(x->arrival[i].at_ns - x->arrival[i - 1].at_ns >= 500 * MS);
    /* Its end is noticed within some five seconds; then it starts slowly. */
    assert_true(arrivals(x, 1.5, 1.5 + 5.5 / 60, ACCEPTED) > 0);
    assert_true(arrivals(x, 1.7, 2.7, ACCEPTED) >= 60 * 200 * 1000 / 440 * 9 / 10);
    play_free(p);
}

/* A server of one's own that is started again: two seconds with nobody well, five, twenty. */
static void test_a_single_endpoint_that_is_back_is_noticed(void **state)
{
    static const int away_s[] = { 2, 5, 20, 60 };
    (void)state;
    for (size_t i = 0; i < sizeof away_s / sizeof *away_s; i++) {
        const phase restarts[] = { { .in_flight = 0 },
                                   { .from_ns = 60 * S, .loading = true },
                                   { .from_ns = (60 + away_s[i]) * S } };
        endpoint e = { .phase = restarts, .phase_count = 3, .latency_ms = 400 };
        play *p = play_run(&(leat_limiter_opts){ .in_flight_max = 64 }, &e, 1, 4);
        const endpoint *x = &p->e[0];
        double back = 1 + away_s[i] / 60.0, least_s = away_s[i] < 4 ? away_s[i] + 0.5 : 5.5;
        int first = arrivals(x, back, back + least_s / 60, ACCEPTED), probes = arrivals(x, 1.01, back, ALL);
        print_message("away for %d s: %d tries, %d answers in the %.1f s behind it\n", away_s[i], probes, first, least_s);
        assert_true(first > 0);
        assert_true(probes <= 5 + away_s[i] / 4);
        assert_true(arrivals(x, back + 0.2, back + 1.2, ACCEPTED) >= 60 * 64 * 1000 / 440 * 9 / 10);
        play_free(p);
    }
}

/* A server with fewer places than are asked for, and long answers: each that ends makes room for one, also while the breaker is open. */
static void test_a_server_with_few_places_stays_busy(void **state)
{
    static const phase small[] = { { .in_flight = 40 } };
    (void)state;
    endpoint e = { .phase = small, .phase_count = 1, .latency_ms = 10000 };
    play *p = play_run(&(leat_limiter_opts){ .in_flight_max = 200 }, &e, 1, 10);
    int good = arrivals(&p->e[0], 2, 10, ACCEPTED), refused = arrivals(&p->e[0], 2, 10, REFUSED);
    print_message("40 places for 200: %d of %d answers, %d refused\n", good, 8 * 60 * 40 / 10, refused);
    assert_true(good >= 8 * 60 * 40 / 10 * 8 / 10);
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

/* All of three are away for some minutes, and come back one after the other: the first of them is noticed within seconds. */
static void test_all_endpoints_away(void **state)
{
    static const phase first[] = { { .in_flight = 0 }, { .from_ns = 60 * S, .gone = true }, { .from_ns = 302 * S } };
    static const phase later[] = { { .in_flight = 0 }, { .from_ns = 60 * S, .gone = true }, { .from_ns = 420 * S } };
    (void)state;
    endpoint e[] = { { .phase = later, .phase_count = 3, .latency_ms = 400 },
                     { .phase = first, .phase_count = 3, .latency_ms = 400 },
                     { .phase = later, .phase_count = 3, .latency_ms = 400 } };
    leat_limiter_opts opts[] = { { .in_flight_max = 20 }, { .in_flight_max = 20 }, { .in_flight_max = 20 } };
    play *p = play_run(opts, e, 3, 9);
    int tries = 0, full = 20 * 1000 / 440; /* a second */
    for (int i = 0; i < 3; i++)
        tries += arrivals(&p->e[i], 1.1, 5, ALL);
    print_message("all away: %d tries in four minutes; in the ten seconds after the return of one %d answers\n", tries,
                  arrivals(&p->e[1], 302 / 60.0, 312 / 60.0, ACCEPTED));
    assert_true(tries >= 3 * 45 && tries <= 3 * 75); /* One in four to five seconds each, and some doubling at first. */
    assert_true(arrivals(&p->e[1], 302 / 60.0, 312 / 60.0, ACCEPTED) >= 3 * full);
    assert_true(arrivals(&p->e[1], 312 / 60.0, 372 / 60.0, ACCEPTED) >= 60 * full * 9 / 10);
    /* The others are left alone again, as long as one does the work. */
    assert_true(arrivals(&p->e[0], 320 / 60.0, 7, ALL) <= 6);
    assert_true(arrivals(&p->e[0], 8, 9, ACCEPTED) >= 60 * full * 9 / 10);
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
        cmocka_unit_test(test_a_single_endpoint_that_is_back_is_noticed),
        cmocka_unit_test(test_a_server_with_few_places_stays_busy),
        cmocka_unit_test(test_a_busy_answer_now_and_then_stops_nobody),
        cmocka_unit_test(test_adaptive_finds_what_is_borne),
        cmocka_unit_test(test_adaptive_heeds_the_first_token),
        cmocka_unit_test(test_several_endpoints_use_the_limits_of_all),
        cmocka_unit_test(test_a_dead_endpoint_is_left_alone_and_tried_again),
        cmocka_unit_test(test_all_endpoints_away),
    };
    /* One worker and a virtual clock: no threads to look at, and there a fiber costs a millisecond. */
    const struct CMUnitTest few[] = { cmocka_unit_test(test_a_busy_answer_now_and_then_stops_nobody) };
    if (LEAT_TSAN) return cmocka_run_group_tests(few, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
