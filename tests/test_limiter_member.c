/* test_limiter_member.c: one endpoint in explicit times: limits that are told, refusals, the breaker, the room in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>
#include <cmocka.h>

#include "limit/member.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

static const leat_i_charge ONE = { 64, 64, 1, 10 };

static leat_i_member *member_new(const leat_limiter_opts *own)
{
    leat_i_member *m = calloc(1, sizeof *m);
    assert_non_null(m);
    assert_true(leat_i_member_set(m, own));
    return m;
}

/* Takes one as soon as it may go, from `*now` on, which moves there. */
static leat_i_taken take(leat_i_member *m, int64_t *now)
{
    for (int64_t ready; (ready = leat_i_member_ready_ns(m, ONE, *now)) > *now;) {
        assert_true(ready < INT64_MAX);
        *now = ready;
    }
    return leat_i_member_take(m, ONE, *now);
}

static void report(leat_i_member *m, const leat_i_taken *taken, leat_verdict verdict, int64_t retry_after_ms, int64_t now)
{
    leat_limiter_report r = { verdict, retry_after_ms, -1 };
    leat_i_member_report(m, taken, &r, now);
    leat_i_member_settle(m, taken, taken->charge);
}

/* ---- told limits ---- */

static void test_a_told_limit_counts_where_it_is_lower(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 600, .tokens_per_min = 1000 });
    assert_true(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_min = 300, .tokens_per_min = 5000 }, 1 * S));
    leat_limiter_opts o = leat_i_member_limits(m);
    assert_true(o.requests_per_min == 300 && o.tokens_per_min == 1000);
    assert_false(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_min = 300 }, 1 * S));
    /* Raised above what the user set: the user's. */
    assert_true(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_min = 60000 }, 1 * S));
    assert_true(leat_i_member_limits(m).requests_per_min == 600);
    /* A limit that the user did not set is taken too; nothing told leaves it. */
    assert_true(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_day = 50 }, 1 * S));
    assert_false(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_day = 0 }, 1 * S));
    assert_true(leat_i_member_limits(m).requests_per_day == 50);
    assert_false(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_min = (double)NAN }, 1 * S));
    assert_false(leat_i_member_learn(m, &(leat_limiter_opts){ .requests_per_min = -5 }, 1 * S));
    /* A new limit of the user's is judged with what is known. */
    assert_true(leat_i_member_set(m, &(leat_limiter_opts){ .requests_per_min = 90000 }));
    assert_true(leat_i_member_limits(m).requests_per_min == 60000);
    free(m);
}

/* ---- refusals for the rate ---- */

static void test_a_refusal_cuts_once_a_round(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 6000 });
    int64_t now = 1 * S;
    leat_i_taken t[20];
    for (int i = 0; i < 2000; i++) {
        t[0] = take(m, &now);
        report(m, &t[0], LEAT_VERDICT_GOOD, 0, now);
    }
    for (int i = 0; i < 20; i++)
        t[i] = take(m, &now);
    for (int i = 0; i < 20; i++)
        report(m, &t[i], LEAT_VERDICT_LIMITED, 0, now);
    double cut = leat_i_member_limits_now(m, now).requests_per_min;
    assert_true(cut > 0.65 * 5910 && cut < 0.72 * 5910);
    /* It stays until some good answers have shown that the rate was the cause. */
    assert_true(leat_i_member_limits_now(m, now + 30 * S).requests_per_min == cut);
    for (int i = 0; i < 150; i++) {
        t[0] = take(m, &now);
        report(m, &t[0], LEAT_VERDICT_GOOD, 0, now);
    }
    assert_true(m->ceiling.cut_ns <= now && m->ceiling.cut_ns > now - 1 * S);
    now = m->ceiling.cut_ns;
    /* It climbs back, and past a minute to where it was. */
    double half = leat_i_member_limits_now(m, now + 30 * S).requests_per_min;
    assert_true(half > cut && half < 5910);
    double whole = leat_i_member_limits_now(m, now + 60 * S).requests_per_min;
    assert_true(whole > 5800 && whole <= 6000);
    assert_true(leat_i_member_limits_now(m, now + 120 * S).requests_per_min == 6000);
    assert_true(m->ceiling.refused_per_min == 0);
    free(m);
}

/* Every so manieth of `count` requests is refused. */
static void refuse_some(leat_i_member *m, int count, int every, int64_t *now)
{
    for (int i = 1; i <= count; i++) {
        leat_i_taken t = take(m, now);
        report(m, &t, i % every == 0 ? LEAT_VERDICT_LIMITED : LEAT_VERDICT_GOOD, i % every == 0 ? 5000 : 0, *now);
    }
}

static void test_one_refusal_of_many_holds_nobody(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 6000 });
    int64_t now = 1 * S, begin = now;
    refuse_some(m, 2000, 50, &now);
    assert_true(m->ceiling.refused_per_min == 0 && now - begin < 2001 * 60 * S / 5910);
    /* The last one has used some credit up: three in a row are borne, six are not. */
    for (int i = 0; i < 6; i++) {
        assert_true(i > 3 || m->ceiling.refused_per_min == 0);
        leat_i_taken t = take(m, &now);
        report(m, &t, LEAT_VERDICT_LIMITED, 5000, now);
    }
    assert_true(m->ceiling.refused_per_min > 5800);
    assert_true(leat_i_member_ready_ns(m, ONE, now) >= now + 5 * S);
    free(m);
}

/* One in five is refused, whatever the rate: the cut is taken back, and from then on it is borne, for five minutes. */
static void test_a_cut_in_vain_is_taken_back(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 6000 });
    int64_t now = 1 * S;
    refuse_some(m, 400, 1000, &now);
    int64_t begin = now;
    refuse_some(m, 40, 5, &now);
    assert_true(m->ceiling.refused_per_min > 0);
    refuse_some(m, 200, 5, &now);
    assert_true(m->ceiling.refused_per_min == 0);
    assert_true(now - begin < 20 * S); /* 5 s as asked, and the slow start after it. */
    int64_t back = now;
    refuse_some(m, 100 * 200, 5, &now);
    assert_true(m->ceiling.refused_per_min == 0 && now - back < 205 * S);
    refuse_some(m, 100 * 120, 5, &now);
    assert_true(now - back > 320 * S); /* Asked anew. */
    free(m);
}

/* Answers in any order, and grants that are taken back, do no harm to the books. */
static void test_refusals_in_any_order(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 60000 });
    int64_t now = 1 * S;
    leat_i_taken t[400];
    for (int i = 0; i < 400; i++)
        t[i] = take(m, &now);
    for (int i = 399; i >= 1; i--)
        report(m, &t[i], i % 60 == 0 ? LEAT_VERDICT_LIMITED : LEAT_VERDICT_GOOD, 0, now);
    report(m, &t[0], LEAT_VERDICT_LIMITED, 0, now);
    assert_true(m->refusals.trial_share > 0 && m->refusals.trial_share <= 1);
    assert_true(leat_i_member_ready_ns(m, ONE, now) <= now + 1 * S);
    t[0] = take(m, &now);
    t[1] = take(m, &now);
    report(m, &t[0], LEAT_VERDICT_LIMITED, 0, now);
    leat_i_member_untake(m, &t[1]); /* The last one: its number is given again. */
    for (int i = 0; i < 1000; i++) {
        t[0] = take(m, &now);
        report(m, &t[0], LEAT_VERDICT_GOOD, 0, now);
    }
    assert_false(m->refusals.is_trial);
    assert_true(m->refusals.credit >= 0 && m->refusals.noise == 0);
    free(m);
}

static void test_what_the_endpoint_asks_for_is_a_floor(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        leat_i_member *m = member_new(NULL);
        int64_t now = 1 * S;
        m->random = seed * 7919;
        leat_i_taken t = take(m, &now);
        report(m, &t, LEAT_VERDICT_LIMITED, 4000, now); /* One may be chance. */
        assert_true(leat_i_member_ready_ns(m, ONE, now) <= now);
        t = take(m, &now);
        report(m, &t, LEAT_VERDICT_LIMITED, 4000, now);
        int64_t ready = leat_i_member_ready_ns(m, ONE, now) - now;
        if (ready < least) least = ready;
        if (ready > most) most = ready;
        free(m);
    }
    assert_in_range(least, 4000 * MS, 4030 * MS); /* Never before, and not all at the same moment. */
    assert_in_range(most, 4450 * MS, 4500 * MS);
}

/* Everything refused: the waits double instead of the rate going to nothing. */
static void test_a_full_endpoint_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .requests_per_min = 6000 });
    int64_t now = 1 * S, before = now;
    leat_i_taken t;
    for (int i = 0; m->ceiling.refused_per_min == 0; i++) {
        assert_in_range(i, 0, 105);
        t = take(m, &now);
        report(m, &t, i < 100 ? LEAT_VERDICT_GOOD : LEAT_VERDICT_LIMITED, 0, now);
    }
    double cut = m->ceiling.refused_per_min;
    assert_true(cut > 5000);
    for (int i = 0; i < 10; i++) {
        before = now;
        t = take(m, &now);
        report(m, &t, LEAT_VERDICT_LIMITED, 0, now);
    }
    assert_true(now - before >= 32 * S && now - before < 40 * S);
    assert_true(m->ceiling.refused_per_min == cut || m->ceiling.refused_per_min == 0); /* Not cut again. */
    t = take(m, &now);
    report(m, &t, LEAT_VERDICT_GOOD, 0, now);
    assert_int_equal(m->refusals.full_count, 0);
    free(m);
}

/* ---- the breaker ---- */

static void fail_in_a_row(leat_i_member *m, int count, int64_t *now)
{
    for (int i = 0; i < count; i++) {
        leat_i_taken t = take(m, now);
        report(m, &t, LEAT_VERDICT_OVERLOADED, 0, *now);
    }
}

static void test_the_breaker_opens_probes_and_closes(void **state)
{
    (void)state;
    leat_i_member *m = member_new(NULL);
    int64_t now = 1 * S;
    fail_in_a_row(m, 9, &now);
    assert_false(m->health.is_open);
    leat_i_taken good = take(m, &now);
    report(m, &good, LEAT_VERDICT_GOOD, 0, now);
    fail_in_a_row(m, 10, &now); /* The count began anew. */
    assert_true(m->health.is_open);
    int64_t ready = leat_i_member_ready_ns(m, ONE, now) - now;
    assert_in_range(ready, 500 * MS, 625 * MS);

    leat_i_taken probe = take(m, &now);
    assert_true(leat_i_member_ready_ns(m, ONE, now) > now + 9 * S); /* One at a time. */
    report(m, &probe, LEAT_VERDICT_OVERLOADED, 7000, now);
    ready = leat_i_member_ready_ns(m, ONE, now) - now;
    assert_in_range(ready, 7 * S, 9 * S); /* What it asked for, and some more. */

    probe = take(m, &now);
    leat_i_member_untake(m, &probe); /* Canceled: the next one tries, at once. */
    assert_true(leat_i_member_ready_ns(m, ONE, now) <= now);
    probe = take(m, &now);
    int64_t asked = now;
    now += 10 * S; /* A silent probe does not stop everything for ever. */
    leat_i_taken second = take(m, &now);
    assert_true(now == asked + 10 * S);
    report(m, &second, LEAT_VERDICT_GOOD, 0, now);
    assert_false(m->health.is_open);
    report(m, &probe, LEAT_VERDICT_OVERLOADED, 0, now);
    assert_false(m->health.is_open);
    free(m);
}

static void test_lost_connections_count_where_there_are_others(void **state)
{
    (void)state;
    for (int others = 0; others < 2; others++) {
        leat_i_member *m = member_new(NULL);
        int64_t now = 1 * S;
        m->has_others = others;
        for (int i = 0; i < 10; i++) {
            leat_i_taken t = take(m, &now);
            report(m, &t, i % 2 ? LEAT_VERDICT_LOST : LEAT_VERDICT_FAILED, 0, now);
        }
        assert_int_equal(m->health.is_open, others);
        leat_i_taken t = take(m, &now);
        report(m, &t, LEAT_VERDICT_DENIED, 0, now);
        assert_int_equal(m->health.is_gone, others);
        int64_t ready = leat_i_member_ready_ns(m, ONE, now) - now;
        assert_true(others ? ready >= 60 * S : ready <= 0);
        free(m);
    }
}

/* A server that goes down finishes what it has begun: that says nothing about new requests. */
static void test_what_was_sent_before_closes_no_breaker(void **state)
{
    (void)state;
    for (int away = 0; away < 3; away++) {
        leat_i_member *m = member_new(NULL);
        int64_t now = 1 * S;
        m->has_others = true;
        leat_i_taken old[2] = { take(m, &now), take(m, &now) };
        for (int i = 0; i < 10; i++) {
            leat_i_taken t = take(m, &now);
            report(m, &t, away == 0 ? LEAT_VERDICT_LOST : away == 1 ? LEAT_VERDICT_FAILED : LEAT_VERDICT_DENIED, 0, now);
        }
        int64_t ready = leat_i_member_ready_ns(m, ONE, now);
        report(m, &old[0], LEAT_VERDICT_GOOD, 0, now);
        report(m, &old[1], LEAT_VERDICT_LIMITED, 0, now);
        assert_true(m->health.is_open);
        assert_int_equal(m->health.is_gone, away == 2);
        assert_true(leat_i_member_ready_ns(m, ONE, now) >= ready); /* It has waited, or waits, as long as before. */
        leat_i_taken probe = take(m, &now);
        report(m, &probe, LEAT_VERDICT_GOOD, 0, now);
        assert_false(m->health.is_open);
        free(m);
    }
}

/* Also where the breaker was open for another reason by then. */
static void test_a_refusal_for_good_outdates_what_was_sent_before(void **state)
{
    (void)state;
    leat_i_member *m = member_new(NULL);
    int64_t now = 1 * S;
    m->has_others = true;
    fail_in_a_row(m, 10, &now);
    leat_i_taken first = take(m, &now);
    now += 10 * S; /* It is silent. */
    leat_i_taken second = take(m, &now);
    report(m, &second, LEAT_VERDICT_DENIED, 0, now);
    report(m, &first, LEAT_VERDICT_GOOD, 0, now);
    assert_true(m->health.is_gone && m->health.is_open);
    leat_i_taken probe = take(m, &now);
    report(m, &probe, LEAT_VERDICT_GOOD, 0, now);
    assert_false(m->health.is_gone || m->health.is_open);
    free(m);
}

/* An overloaded one has room for one more when it has answered one; but not before the time that it asked for. */
static void test_an_answer_from_before_an_overload_lets_one_try(void **state)
{
    (void)state;
    leat_i_member *m = member_new(NULL);
    int64_t now = 1 * S;
    leat_i_taken old[3] = { take(m, &now), take(m, &now), take(m, &now) };
    fail_in_a_row(m, 10, &now);
    assert_true(leat_i_member_ready_ns(m, ONE, now) >= now + 500 * MS);
    for (int i = 0; i < 2; i++) {
        report(m, &old[i], LEAT_VERDICT_GOOD, 0, now);
        assert_true(m->health.is_open);
        assert_true(leat_i_member_ready_ns(m, ONE, now) <= now); /* The second time while the first one tries. */
        (void)take(m, &now);
        assert_true(leat_i_member_ready_ns(m, ONE, now) > now);
    }
    leat_i_taken probe = take(m, &now); /* Those two are silent. */
    int64_t told = now;
    report(m, &probe, LEAT_VERDICT_OVERLOADED, 7000, now);
    now += 100 * MS;
    report(m, &old[2], LEAT_VERDICT_GOOD, 0, now);
    assert_int_equal(leat_i_member_ready_ns(m, ONE, now), told + 7 * S);
    probe = take(m, &now);
    report(m, &probe, LEAT_VERDICT_GOOD, 0, now);
    assert_false(m->health.is_open);
    free(m);
}

/* ---- the room in flight ---- */

static void test_losses_halve_the_room_once_a_round(void **state)
{
    (void)state;
    leat_i_member *m = member_new(&(leat_limiter_opts){ .adaptive = true, .in_flight_min = 5, .in_flight_max = 64 });
    int64_t now = 1 * S;
    leat_i_taken t[64];
    uint32_t n = 0;
    while (leat_i_member_ready_ns(m, ONE, now) <= now)
        t[n++] = take(m, &now);
    assert_int_equal(n, 8);
    /* Each good answer makes room for itself and one more. */
    for (uint32_t i = 0; i < 8; i++)
        report(m, &t[i], LEAT_VERDICT_GOOD, 0, now), t[i] = take(m, &now);
    while (leat_i_member_ready_ns(m, ONE, now) <= now)
        t[n++] = take(m, &now);
    assert_int_equal(n, 16);
    for (uint32_t i = 0; i < n; i++)
        report(m, &t[i], i % 2 ? LEAT_VERDICT_OVERLOADED : LEAT_VERDICT_NONE, 0, now);
    assert_int_equal(m->budget.in_flight_max, 8);
    for (int round = 0; round < 5; round++) {
        t[0] = take(m, &now);
        report(m, &t[0], LEAT_VERDICT_LOST, 0, now);
    }
    assert_int_equal(m->budget.in_flight_max, 5);
    /* The user's new end holds at once. */
    assert_true(leat_i_member_set(m, &(leat_limiter_opts){ .adaptive = true, .in_flight_max = 3 }));
    assert_int_equal(m->budget.in_flight_max, 3);
    assert_true(leat_i_member_set(m, &(leat_limiter_opts){ .in_flight_max = 30 }));
    assert_int_equal(m->budget.in_flight_max, 30);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_told_limit_counts_where_it_is_lower),
        cmocka_unit_test(test_a_refusal_cuts_once_a_round),
        cmocka_unit_test(test_one_refusal_of_many_holds_nobody),
        cmocka_unit_test(test_a_cut_in_vain_is_taken_back),
        cmocka_unit_test(test_refusals_in_any_order),
        cmocka_unit_test(test_what_the_endpoint_asks_for_is_a_floor),
        cmocka_unit_test(test_a_full_endpoint_is_asked_ever_more_rarely),
        cmocka_unit_test(test_the_breaker_opens_probes_and_closes),
        cmocka_unit_test(test_what_was_sent_before_closes_no_breaker),
        cmocka_unit_test(test_a_refusal_for_good_outdates_what_was_sent_before),
        cmocka_unit_test(test_an_answer_from_before_an_overload_lets_one_try),
        cmocka_unit_test(test_lost_connections_count_where_there_are_others),
        cmocka_unit_test(test_losses_halve_the_room_once_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
