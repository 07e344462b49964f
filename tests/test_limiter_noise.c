/*
 * test_limiter_noise.c: an endpoint that refuses at random, on the virtual clock: a few 429s do not slow a run, however they are
 * spread, and a limit that is really exceeded is still obeyed at once.
 */
#include "limiter_play.h"

enum { SEEDS = LEAT_ASAN || LEAT_TSAN ? 1 : 5 };

typedef struct noise_case {
    double share, rpm;
    int64_t wait_ms, latency_ms; /* latency: longer than a trial lasts, for answers of models take long */
    double least;                /* of what the limit and the noise leave */
} noise_case;

static play *noise_run(const phase *phases, int count, int64_t latency_ms, double rpm, int64_t minutes)
{
    endpoint e = { .phase = phases, .phase_count = count, .latency_ms = latency_ms, .tells_wait = true };
    return play_run(&(leat_limiter_opts){ .requests_per_min = rpm }, &e, 1, minutes);
}

static void minutes_print(const char *what, const endpoint *e, int minutes)
{
    print_message("%s: %d of %d refused; accepted a minute:", what, arrivals(e, 0, minutes, REFUSED),
                  arrivals(e, 0, minutes, ALL));
    for (int m = 0; m < minutes; m++)
        print_message(" %d", arrivals(e, m, m + 1, ACCEPTED));
    print_message("\n");
}

/* What is accepted, as a share of what the limit and the noise leave: the mean of some seeds. */
static double noise_mean(const noise_case *c)
{
    double possible = c->rpm * 10 * (1 - c->share), sum = 0;
    for (play_seed = 1; play_seed <= SEEDS; play_seed++) {
        phase p = { .noise = c->share, .noise_wait_ms = c->wait_ms, .per_min = c->rpm };
        play *x = noise_run(&p, 1, c->latency_ms, c->rpm, 10);
        double share = arrivals(&x->e[0], 0, 10, ACCEPTED) / possible;
        assert_true(share >= 0.6); /* By bad luck a trial is judged wrongly, and its cut stands for some minutes. */
        sum += share;
        play_free(x);
    }
    play_seed = 1;
    return sum / SEEDS;
}

/* The marks. One in a hundred: nothing is cut but once at the very start at most, so little more than the pace's own 1.5 % is
 * missing. More of them: a trial every five minutes costs 30 % of the rate for 2 to 60 s, the wait that was asked for, and a slow
 * start; now and then there are two of them. At 300 a minute a trial needs half a minute to see enough. */
static void test_refusals_at_random_do_not_slow_a_run(void **state)
{
    static const noise_case cases[] = {
        { 0.01, 6000, 2000, 400, 0.95 }, { 0.01, 6000, 0, 3000, 0.95 }, { 0.01, 300, 2000, 400, 0.94 },
        { 0.05, 6000, 2000, 400, 0.90 }, { 0.05, 6000, 0, 3000, 0.92 }, { 0.05, 300, 2000, 400, 0.85 },
        { 0.20, 6000, 2000, 400, 0.85 }, { 0.20, 6000, 0, 3000, 0.85 }, { 0.20, 300, 2000, 400, 0.80 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double mean = noise_mean(&cases[i]);
        print_message("%g %% refused at random at %g a minute: %.3f of what is possible\n", 100 * cases[i].share,
                      cases[i].rpm, mean);
        assert_true(mean >= cases[i].least);
    }
}

/* Nobody said a limit: the noise must not draw one. */
static void test_noise_draws_no_limit(void **state)
{
    static const phase noisy[] = { { .noise = 0.05, .noise_wait_ms = 1000 } };
    (void)state;
    endpoint e = { .phase = noisy, .phase_count = 1, .latency_ms = 960 };
    play *p = play_new(&(leat_limiter_opts){ .in_flight_max = 50 }, &e, 1, 10);
    p->callers = 100;
    assert_int_equal(leat_task_run(p->rt, callers, p, NULL), LEAT_OK);
    minutes_print("no limit", &p->e[0], 10);
    /* 50 places; an answer takes 980 ms, a refusal 40. */
    assert_true(arrivals(&p->e[0], 0, 10, ACCEPTED) >= 0.85 * 10 * 60 * 50 / (0.98 + 0.04 * 0.05 / 0.95));
    play_free(p);
}

/* One in fifty is refused at random, and from the third to the ninth minute half of the limit is gone: that is still found. */
static void test_a_halved_limit_behind_noise(void **state)
{
    static const phase halved[] = { { .noise = 0.02, .per_min = 6000 },
                                    { .from_ns = 180 * S, .noise = 0.02, .per_min = 3000 },
                                    { .from_ns = 540 * S, .noise = 0.02, .per_min = 6000 } };
    (void)state;
    double used = 0, back = 0;
    for (play_seed = 1; play_seed <= SEEDS; play_seed++) {
        play *p = noise_run(halved, 3, 400, 6000, 14);
        const endpoint *e = &p->e[0];
        minutes_print("halved, 2 % noise", e, 14);
        assert_true(arrivals(e, 1, 3, ACCEPTED) >= 2 * 6000 * 0.98 * 0.75);
        assert_true(arrivals(e, 4, 5, ALL) <= 3000 * 1.05); /* Within one window, and as many more as are borne. */
        assert_true(arrivals(e, 0, 14, REFUSED) <= (0.02 + 0.01) * arrivals(e, 0, 14, ALL));
        used += arrivals(e, 5, 9, ACCEPTED) / (4 * 3000 * 0.98) / SEEDS;
        back += arrivals(e, 12, 14, ACCEPTED) / (2 * 6000 * 0.98) / SEEDS;
        play_free(p);
    }
    play_seed = 1;
    print_message("used of the half: %.3f; of the whole in the end: %.3f\n", used, back);
    assert_true(used >= 0.75 && back >= 0.85);
}

/* An endpoint without a memory refuses half of what comes when its limit is halved, and never all: that is no noise. */
static void test_a_halved_limit_without_a_memory(void **state)
{
    static const phase halved[] = { { .even_per_min = 6000 },
                                    { .from_ns = 180 * S, .even_per_min = 3000 },
                                    { .from_ns = 540 * S, .even_per_min = 6000 } };
    (void)state;
    play *p = noise_run(halved, 3, 400, 6000, 14);
    const endpoint *e = &p->e[0];
    minutes_print("halved, no memory", e, 14);
    assert_true(arrivals(e, 0, 14, REFUSED) <= 0.01 * arrivals(e, 0, 14, ALL));
    assert_true(arrivals(e, 6, 9, REFUSED) <= 0.04 * arrivals(e, 6, 9, ALL));
    assert_true(arrivals(e, 4, 9, ACCEPTED) >= 0.7 * 5 * 3000);
    assert_true(arrivals(e, 12, 14, ACCEPTED) >= 0.9 * 2 * 6000);
    play_free(p);
}

/* Others use the same key, as much as they can: half of ours is refused whatever we do. Then we give way. */
static void test_half_refused_is_no_noise(void **state)
{
    static const phase shared[] = { { .noise = 0.5 } };
    (void)state;
    play *p = noise_run(shared, 1, 400, 6000, 6);
    minutes_print("half refused", &p->e[0], 6);
    assert_true(arrivals(&p->e[0], 2, 6, ALL) <= 4 * 6000 / 4);
    play_free(p);
}

/* A little less than was set: what is borne is borne, and more is not. */
static void test_a_limit_a_little_lower(void **state)
{
    static const phase little[] = { { .per_min = 5500 } };
    (void)state;
    play *p = noise_run(little, 1, 400, 6000, 10);
    const endpoint *e = &p->e[0];
    minutes_print("8 % lower", e, 10);
    assert_true(arrivals(e, 2, 10, REFUSED) <= 0.03 * arrivals(e, 2, 10, ALL));
    assert_true(arrivals(e, 2, 10, ACCEPTED) >= 0.85 * 8 * 5500);
    play_free(p);
}

/* All refused for ten seconds, and once for ever: few ask, and after the first it goes on as before. */
static void test_all_refused(void **state)
{
    static const phase phases[] = { { .per_min = 6000 },
                                    { .from_ns = 120 * S, .noise = 1 },
                                    { .from_ns = 130 * S, .per_min = 6000 },
                                    { .from_ns = 360 * S, .noise = 1 } };
    (void)state;
    play *p = noise_run(phases, 4, 400, 6000, 9);
    const endpoint *e = &p->e[0];
    minutes_print("all refused, twice", e, 9);
    /* What is on its way when the first refusal comes back (40 ms), what is borne, and a try after 0.5, 1, 2, 4 s. */
    assert_true(arrivals(e, 2, 2 + 1 / 6.0, REFUSED) <= 30);
    assert_true(arrivals(e, 3, 6, ACCEPTED) >= 3 * 6000 * 0.93);
    assert_true(arrivals(e, 6, 9, REFUSED) <= 35 && arrivals(e, 7, 9, REFUSED) >= 2);
    play_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_at_random_do_not_slow_a_run),
        cmocka_unit_test(test_noise_draws_no_limit),
        cmocka_unit_test(test_a_halved_limit_behind_noise),
        cmocka_unit_test(test_a_limit_a_little_lower),
        cmocka_unit_test(test_a_halved_limit_without_a_memory),
        cmocka_unit_test(test_half_refused_is_no_noise),
        cmocka_unit_test(test_all_refused),
    };
    /* One worker and a virtual clock: no threads to look at, and there a fiber costs a millisecond. */
    const struct CMUnitTest few[] = { cmocka_unit_test(test_all_refused) };
    if (LEAT_TSAN) return cmocka_run_group_tests(few, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
