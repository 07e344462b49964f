/* test_limiter_pace.c: the pace of requests, in explicit times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limit/pace.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

/* Takes all that is ready at `now`; answers how many. */
static int take_all(leat_i_pace *p, int64_t now, int most)
{
    int n = 0;
    while (n < most && leat_i_pace_ready_ns(p, now) <= now) {
        leat_i_pace_take(p, now);
        n++;
    }
    return n;
}

static void test_first_goes_at_once_and_alone(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 60000, 0);
    assert_int_equal(take_all(&p, 5 * S, 100), 1);
    int64_t next = leat_i_pace_ready_ns(&p, 5 * S);
    /* 60,000 a minute at 98.5 % are 1.0152 ms apart. */
    assert_in_range(next - 5 * S, 1015228, 1015230);
}

static void test_punctual_wakes_keep_the_pace(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 600, 0);
    int64_t now = 1 * S;
    int n = 0;
    while (now <= 61 * S) {
        leat_i_pace_take(&p, now);
        n++;
        now = leat_i_pace_ready_ns(&p, now);
    }
    assert_in_range(n, 591, 592);
}

static void test_late_wakes_lose_nothing_up_to_the_slack(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 60000, 0);
    int64_t start = 1 * S, now = start;
    int n = 0;
    while (now < start + 60 * S) {
        n += take_all(&p, now, 1000);
        now = leat_i_pace_ready_ns(&p, now) + 20 * MS; /* Each wake is 20 ms late. */
    }
    assert_in_range(n, 59050, 59101);
}

static void test_a_long_pause_earns_only_the_slack(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 60000, 0);
    assert_int_equal(take_all(&p, 1 * S, 100), 1);
    /* 25 ms at 1.015 ms: 24 slots behind, and the one of now. */
    assert_int_equal(take_all(&p, 3600 * S, 1000), 25);
    leat_i_pace slow = { 0 };
    leat_i_pace_set(&slow, 60, 0);
    assert_int_equal(take_all(&slow, 1 * S, 100), 1);
    assert_int_equal(take_all(&slow, 3600 * S, 100), 1);
}

/* Lets requests go from `from` to `to` with work always waiting; every `each` the machine stands still for `still`. Fills in the
 * times and answers how many. */
enum { GRANTS_MAX = 800000 };
static int64_t granted[GRANTS_MAX];

static int run_with_stalls(leat_i_pace *p, int64_t from, int64_t to, int64_t each, int64_t still)
{
    int n = 0;
    int64_t next_stall = from + each;
    for (int64_t now = from; now < to;) {
        int64_t ready = leat_i_pace_ready_ns(p, now);
        if (ready > now) {
            int64_t woken = ready > next_stall && ready < next_stall + still ? next_stall + still : ready;
            if (ready > next_stall) next_stall += each;
            if (woken > ready) leat_i_pace_late(p, woken, woken - ready);
            now = woken;
        }
        leat_i_pace_take(p, now);
        assert_true(n < GRANTS_MAX);
        granted[n++] = now;
    }
    return n;
}

/* The most that any window of this length held. */
static int most_in_window(int count, int64_t window)
{
    int most = 0, first = 0;
    for (int i = 0; i < count; i++) {
        while (granted[i] - granted[first] >= window)
            first++;
        if (i - first + 1 > most) most = i - first + 1;
    }
    return most;
}

static void test_what_a_stall_took_is_caught_up(void **state)
{
    static const struct {
        double per_min;
        int64_t each, still; /* at most 1.2 % of the time, so that all of it can be made good */
    } cases[] = {
        { 600, 10 * S, 120 * MS }, { 6000, 7 * S, 100 * MS }, { 6000, 200 * S, 2 * S },
        { 60000, 3 * S, 55 * MS }, { 60000, 300 * S, 3 * S },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_i_pace p = { 0 };
        double per_min = cases[i].per_min;
        leat_i_pace_set(&p, per_min, 0);
        int n = run_with_stalls(&p, 1 * S, 601 * S, cases[i].each, cases[i].still);
        assert_true(n >= 10 * per_min * 0.982);
        assert_true(n <= 10 * per_min * 0.985 + per_min / 600 + 2);
        assert_true(most_in_window(n, 60 * S) <= per_min);
        for (int64_t w = 50 * MS; w < 60 * S; w = w * 5 / 4)
            assert_true(most_in_window(n, w) <= per_min * ((double)w / 1e9 + 0.05) / 60 + 1);
    }
}

/* Whatever stands still and for how long: no window is over. Few requests a minute are not caught up at all. */
static void test_catching_up_never_exceeds(void **state)
{
    static const double limits[] = { 2, 3, 59, 60, 61, 67, 100, 300, 386, 387, 388, 1000, 20000 };
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (int64_t each = 900 * MS; each < 100 * S; each *= 3) {
            leat_i_pace p = { 0 };
            leat_i_pace_set(&p, limits[i], 0);
            int n = run_with_stalls(&p, 1 * S, 301 * S, each, each / 10);
            assert_true(most_in_window(n, 60 * S) <= limits[i]);
            assert_true(most_in_window(n, 5 * S) <= limits[i] * 5.05 / 60 + 1);
            assert_true(p.lost_ns >= 0 && p.lost_ns <= LEAT_I_PACE_LOST_NS);
        }
}

static void test_nothing_is_caught_up_without_work_or_after_a_pause(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 6000, 0);
    assert_int_equal(take_all(&p, 1 * S, 100), 1);
    leat_i_pace_late(&p, 100 * S, 0); /* Nobody asked for 99 s. */
    assert_int_equal(p.lost_ns, 0);
    (void)take_all(&p, 100 * S, 100);
    leat_i_pace_late(&p, 110 * S, 20 * MS); /* Nor now, but for a moment within the slack. */
    assert_int_equal(p.lost_ns, 0);
    leat_i_pace_late(&p, 110 * S, 125 * MS);
    assert_int_equal(p.lost_ns, 100 * MS);
    leat_i_pace_late(&p, 110 * S, 9 * S);
    assert_int_equal(p.lost_ns, LEAT_I_PACE_LOST_NS);
    (void)take_all(&p, 110 * S, 100);
    assert_true(p.lost_ns > 0 && p.lost_ns < LEAT_I_PACE_LOST_NS);
    leat_i_pace_untake(&p);
    leat_i_pace_pause(&p, 120 * S, S);
    assert_int_equal(p.lost_ns, 0);
    leat_i_pace_take(&p, 120 * S);
    leat_i_pace_late(&p, 121 * S, S); /* In the slow start: its rate is not what was lost. */
    assert_int_equal(p.lost_ns, 0);
}

static void test_burst_goes_at_once_and_is_earned_again(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 60, 4);
    assert_int_equal(take_all(&p, 1 * S, 100), 5);
    assert_int_equal(take_all(&p, 1 * S + 500 * MS, 100), 0);
    assert_int_equal(take_all(&p, 100 * S, 100), 5);
}

static void test_a_change_judges_from_the_last_grant(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 1, 0);
    leat_i_pace_take(&p, 10 * S);
    assert_true(leat_i_pace_ready_ns(&p, 10 * S) > 70 * S);
    leat_i_pace_set(&p, 6000, 0);
    assert_in_range(leat_i_pace_ready_ns(&p, 10 * S), 10 * S + 10 * MS, 10 * S + 11 * MS);
    leat_i_pace_set(&p, 6, 0);
    assert_in_range(leat_i_pace_ready_ns(&p, 10 * S), 20 * S, 21 * S);
    leat_i_pace_set(&p, 0, 0);
    assert_true(leat_i_pace_ready_ns(&p, 10 * S) <= 10 * S);
}

/* Ten requests of a burst at a slow pace are ten at a fast one, not as many as fit into their time. */
static void test_a_faster_pace_keeps_what_is_left_of_a_burst(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 6, 10);
    assert_int_equal(take_all(&p, 1 * S, 1), 1);
    leat_i_pace_set(&p, 600, 10);
    assert_int_equal(take_all(&p, 1 * S, 100), 10);
    leat_i_pace_untake(&p);
    assert_int_equal(take_all(&p, 1 * S, 100), 1);
}

static void test_untake_gives_the_slot_back(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 60, 0);
    leat_i_pace_take(&p, 1 * S);
    leat_i_pace_untake(&p);
    assert_true(leat_i_pace_ready_ns(&p, 1 * S) <= 1 * S);
    leat_i_pace_take(&p, 1 * S);
    int64_t next = leat_i_pace_ready_ns(&p, 1 * S);
    leat_i_pace_take(&p, next);
    leat_i_pace_untake(&p);
    assert_int_equal(leat_i_pace_ready_ns(&p, next), next);
}

/* Grants in each second after `from`, waking exactly when ready. */
static void count_seconds(leat_i_pace *p, int64_t from, int *count, int seconds)
{
    int64_t now = from;
    for (int i = 0; i < seconds; i++)
        count[i] = 0;
    while (now < from + seconds * S) {
        int64_t ready = leat_i_pace_ready_ns(p, now);
        if (ready > now) {
            now = ready;
            continue;
        }
        leat_i_pace_take(p, now);
        count[(now - from) / S]++;
    }
}

static void test_a_pause_holds_all_then_starts_slowly(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 6000, 0);
    leat_i_pace_take(&p, 1 * S);
    leat_i_pace_pause(&p, 31 * S, S);
    leat_i_pace_pause(&p, 20 * S, S); /* Earlier than the one before: ignored. */
    assert_int_equal(leat_i_pace_ready_ns(&p, 2 * S), 31 * S);
    int count[4];
    count_seconds(&p, 31 * S, count, 4);
    assert_in_range(count[0], 24, 26);
    assert_in_range(count[1], 47, 51);
    assert_in_range(count[2], 96, 100);
    assert_in_range(count[3], 97, 100);
}

static void test_a_pause_without_limit_ramps_from_the_rate_seen(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    for (int i = 0; i < 8000; i++)
        leat_i_pace_take(&p, 1 * S + i * MS); /* 1,000 a second. */
    leat_i_pace_pause(&p, 12 * S, S);
    int count[3];
    count_seconds(&p, 12 * S, count, 3);
    assert_in_range(count[0], 150, 260);
    assert_in_range(count[1], 300, 520);
    assert_in_range(count[2], 600, 1040);
    /* The ramp ends: some time later there is no limit again. */
    assert_int_equal(take_all(&p, 60 * S, 5000), 5000);

    leat_i_pace fresh = { 0 };
    leat_i_pace_pause(&fresh, 2 * S, S);
    count_seconds(&fresh, 2 * S, count, 3);
    assert_in_range(count[0], 4, 5);
    assert_in_range(count[1], 7, 9);
}

static void test_a_short_pause_ends_as_shortly(void **state)
{
    (void)state;
    assert_int_equal(leat_i_pace_step_ns(1), 10 * MS);
    assert_int_equal(leat_i_pace_step_ns(20 * MS), 20 * MS);
    assert_int_equal(leat_i_pace_step_ns(20 * S), 1 * S);
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 6000, 0);
    leat_i_pace_take(&p, 1 * S);
    leat_i_pace_pause(&p, 1 * S + 20 * MS, leat_i_pace_step_ns(20 * MS));
    int count[2];
    count_seconds(&p, 1 * S + 20 * MS, count, 2);
    assert_in_range(count[0], 92, 100); /* 40 ms at less than the full rate. */
}

static void test_the_rate_seen(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    int64_t now = 1000 * S;
    assert_true(leat_i_pace_seen_per_min(&p, now) == 0);
    for (int i = 0; i < 20000; i++)
        leat_i_pace_take(&p, now += 5 * MS);
    double seen = leat_i_pace_seen_per_min(&p, now);
    assert_true(seen > 11900 && seen < 12100);
    assert_true(leat_i_pace_seen_per_min(&p, now + 60 * S) == 0);
}

static void test_a_slow_limit_ramps_by_time(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 6, 0); /* 10.15 s apart; a quarter of it is 40.6 s. */
    leat_i_pace_take(&p, 1 * S);
    leat_i_pace_pause(&p, 5 * S, S);
    int64_t first = leat_i_pace_ready_ns(&p, 1 * S);
    assert_true(first >= 11 * S && first < 12 * S);
    leat_i_pace_take(&p, first);
    int64_t second = leat_i_pace_ready_ns(&p, first);
    assert_in_range(second - first, 10 * S, 11 * S);
}

static void test_extreme_limits(void **state)
{
    (void)state;
    leat_i_pace p = { 0 };
    leat_i_pace_set(&p, 1e-12, UINT32_MAX);
    leat_i_pace_take(&p, INT64_C(1) << 60);
    assert_true(leat_i_pace_ready_ns(&p, INT64_C(1) << 60) > 0);
    leat_i_pace fast = { 0 };
    leat_i_pace_set(&fast, 1e30, 0);
    assert_int_equal(take_all(&fast, 1 * S, 1), 1);
    assert_true(leat_i_pace_ready_ns(&fast, 1 * S) <= 1 * S + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_goes_at_once_and_alone),
        cmocka_unit_test(test_punctual_wakes_keep_the_pace),
        cmocka_unit_test(test_late_wakes_lose_nothing_up_to_the_slack),
        cmocka_unit_test(test_a_long_pause_earns_only_the_slack),
        cmocka_unit_test(test_what_a_stall_took_is_caught_up),
        cmocka_unit_test(test_catching_up_never_exceeds),
        cmocka_unit_test(test_nothing_is_caught_up_without_work_or_after_a_pause),
        cmocka_unit_test(test_burst_goes_at_once_and_is_earned_again),
        cmocka_unit_test(test_a_change_judges_from_the_last_grant),
        cmocka_unit_test(test_a_faster_pace_keeps_what_is_left_of_a_burst),
        cmocka_unit_test(test_untake_gives_the_slot_back),
        cmocka_unit_test(test_a_pause_holds_all_then_starts_slowly),
        cmocka_unit_test(test_a_pause_without_limit_ramps_from_the_rate_seen),
        cmocka_unit_test(test_a_short_pause_ends_as_shortly),
        cmocka_unit_test(test_the_rate_seen),
        cmocka_unit_test(test_a_slow_limit_ramps_by_time),
        cmocka_unit_test(test_extreme_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
