/* test_limiter_window.c: the log of the last minute against a plain list of charges, and budgets over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>
#include <cmocka.h>

#include "limit/budget.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

enum { CHARGES_MAX = 4000 };

typedef struct listed {
    int64_t at;
    leat_i_charge charge;
} listed;

static uint64_t random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Sum of what is younger than `age` at `now`, by looking at every charge. */
static int64_t listed_sum(const listed *list, int count, leat_i_account account, int64_t now, int64_t age)
{
    int64_t sum = 0;
    for (int i = 0; i < count; i++)
        if (list[i].at > now - age) sum += leat_i_charge_of(&list[i].charge, account);
    return sum;
}

static void check_against_list(leat_i_window *w, const listed *list, int count, int64_t now)
{
    for (int account = 0; account < LEAT_I_ACCOUNT_COUNT; account++) {
        int64_t total = leat_i_charge_of(&w->total, (leat_i_account)account);
        /* Never less than the last 60 s hold, never more than an entry longer. */
        assert_true(total >= listed_sum(list, count, (leat_i_account)account, now, LEAT_I_WINDOW_NS));
        assert_true(total <=
                    listed_sum(list, count, (leat_i_account)account, now, LEAT_I_WINDOW_NS + 2 * LEAT_I_WINDOW_ENTRY_NS));
        if (total == 0) continue;
        /* At the time it names, half is gone; an entry earlier it is not. */
        int64_t half = (total + 1) / 2;
        int64_t gone = leat_i_window_gone_ns(w, (leat_i_account)account, half);
        leat_i_window *copy = malloc(sizeof *copy);
        *copy = *w;
        leat_i_window_advance(copy, gone - 1);
        assert_true(total - leat_i_charge_of(&copy->total, (leat_i_account)account) < half);
        leat_i_window_advance(copy, gone);
        assert_true(total - leat_i_charge_of(&copy->total, (leat_i_account)account) >= half);
        free(copy);
    }
}

static void test_the_day_against_a_plain_list(void **state)
{
    (void)state;
    uint64_t seed = 7;
    leat_i_window *w = calloc(1, sizeof *w);
    listed *list = calloc(CHARGES_MAX, sizeof *list);
    const int64_t longest = LEAT_I_DAY_NS + (INT64_C(2) << LEAT_I_DAY_ENTRY_SHIFT);
    int64_t now = 0;
    w->is_day = true;
    for (int i = 0; i < CHARGES_MAX; i++) {
        now += (int64_t)(random_next(&seed) % 200) * S;
        leat_i_window_advance(w, now);
        list[i] = (listed){ now, { 1, 2, 1, 3 } };
        leat_i_window_add(w, now, list[i].charge);
        assert_true(w->total.requests >= listed_sum(list, i + 1, LEAT_I_ACCOUNT_REQUESTS, now, LEAT_I_DAY_NS));
        assert_true(w->total.requests <= listed_sum(list, i + 1, LEAT_I_ACCOUNT_REQUESTS, now, longest));
    }
    assert_true(now > 3 * LEAT_I_DAY_NS);
    free(list);
    free(w);
}

static void run_against_list(uint64_t seed)
{
    leat_i_window *w = calloc(1, sizeof *w);
    listed *list = calloc(CHARGES_MAX, sizeof *list);
    int count = 0;
    int64_t now = (int64_t)(random_next(&seed) % 100) * S;
    int64_t step = INT64_C(1) << (20 + random_next(&seed) % 16); /* 1 ms to 34 s at most. */
    for (int i = 0; i < 300; i++) {
        now += (int64_t)(random_next(&seed) % (uint64_t)step);
        leat_i_window_advance(w, now);
        leat_i_charge c = { (int64_t)(random_next(&seed) % 1000), (int64_t)(random_next(&seed) % 1000), 1,
                            (int64_t)(random_next(&seed) % 100) };
        leat_i_window_add(w, now, c);
        list[count++] = (listed){ now, c };
        if (random_next(&seed) % 3 == 0) {
            listed *then = &list[random_next(&seed) % (uint64_t)count];
            leat_i_charge delta = { 500 - (int64_t)(random_next(&seed) % 1000), 0, 0, 0 };
            if (delta.input < -then->charge.input) delta.input = -then->charge.input;
            leat_i_window_adjust(w, then->at, delta);
            then->charge.input += delta.input;
        }
        if (i % 50 == 49) check_against_list(w, list, count, now);
    }
    leat_i_window_advance(w, now + 2 * LEAT_I_WINDOW_NS);
    for (int account = 0; account < LEAT_I_ACCOUNT_COUNT; account++)
        assert_int_equal(leat_i_charge_of(&w->total, (leat_i_account)account), 0);
    free(list);
    free(w);
}

static void test_against_a_plain_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_against_list(seed);
}

static void test_a_refund_after_the_window_changes_nothing(void **state)
{
    (void)state;
    leat_i_window *w = calloc(1, sizeof *w);
    leat_i_window_advance(w, 1 * S);
    leat_i_window_add(w, 1 * S, (leat_i_charge){ 100, 0, 1, 0 });
    leat_i_window_advance(w, 100 * S);
    leat_i_window_add(w, 100 * S, (leat_i_charge){ 7, 0, 1, 0 });
    leat_i_window_adjust(w, 1 * S, (leat_i_charge){ -100, 0, 0, 0 });
    leat_i_window_adjust(w, 1 * S, (leat_i_charge){ 1000, 0, 0, 0 });
    assert_int_equal(w->total.input, 7);
    free(w);
}

static leat_i_budget *budget_new(const leat_limiter_opts *opts)
{
    leat_i_budget *b = calloc(1, sizeof *b);
    assert_true(leat_i_budget_set(b, opts));
    return b;
}

static leat_i_taken take(leat_i_budget *b, double input, double output, int64_t now)
{
    leat_i_charge c = leat_i_charge_request((leat_cost){ input, output, 0 });
    assert_true(leat_i_budget_ready_ns(b, c, now) <= now);
    return leat_i_budget_take(b, c, now);
}

static int64_t ready(leat_i_budget *b, double input, double output, int64_t now)
{
    return leat_i_budget_ready_ns(b, leat_i_charge_request((leat_cost){ input, output, 0 }), now);
}

/* With bursts the log alone judges; without, what it lets through is spread (test_limiter_spread.c). */
static void test_tokens_wait_until_enough_has_left(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .tokens_per_min = 1000, .burst = 1 });
    take(b, 300, 100, 10 * S);
    take(b, 500, 0, 20 * S);
    assert_true(ready(b, 50, 50, 20 * S) <= 20 * S);
    assert_in_range(ready(b, 101, 0, 20 * S), 70 * S + 50 * MS, 70 * S + 67 * MS);
    assert_in_range(ready(b, 601, 0, 20 * S), 80 * S + 50 * MS, 80 * S + 67 * MS);
    free(b);
}

static void test_a_refund_makes_room_at_once_and_debt_takes_it(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .tokens_per_min = 1000, .burst = 1 });
    leat_i_taken first = take(b, 600, 200, 10 * S), second = take(b, 200, 0, 11 * S);
    assert_true(ready(b, 500, 0, 12 * S) > 12 * S);
    leat_i_budget_settle(b, &first, leat_i_charge_request((leat_cost){ 100, 100, 0 }));
    assert_true(ready(b, 500, 0, 12 * S) <= 12 * S);
    leat_i_budget_settle(b, &second, leat_i_charge_request((leat_cost){ 200, 5000, 0 }));
    /* In debt until the second has left, for a request of no tokens too. */
    assert_true(ready(b, 0, 0, 12 * S) > 71 * S);
    assert_in_range(b->charged_units / LEAT_I_UNITS_PER_TOKEN, 5400, 5400);
    free(b);
}

static void test_an_oversize_request_goes_alone(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .tokens_per_min = 1000, .burst = 1 });
    take(b, 1, 0, 10 * S);
    int64_t at = ready(b, 5000, 0, 10 * S);
    assert_in_range(at, 70 * S + 50 * MS, 70 * S + 67 * MS);
    take(b, 5000, 0, at);
    int64_t next = ready(b, 1, 0, at);
    assert_in_range(next, at + 60 * S, at + 60 * S + 67 * MS);
    free(b);
}

static void test_accounts_are_judged_apart(void **state)
{
    (void)state;
    leat_i_budget *b =
        budget_new(&(leat_limiter_opts){ .input_tokens_per_min = 1000, .output_tokens_per_min = 100, .burst = 1 });
    take(b, 10, 100, 10 * S);
    assert_true(ready(b, 990, 0, 10 * S) <= 10 * S);
    assert_true(ready(b, 0, 1, 10 * S) > 70 * S);
    free(b);
}

static void test_bytes_and_tokens_and_requests_all_or_nothing(void **state)
{
    (void)state;
    leat_i_budget *b =
        budget_new(&(leat_limiter_opts){ .bytes_per_min = 1000, .tokens_per_min = 100, .requests_per_min = 6000 });
    leat_i_charge c = leat_i_charge_request((leat_cost){ 10, 10, 600.5 });
    leat_i_taken first = leat_i_budget_take(b, c, 10 * S);
    assert_int_equal(b->window.total.bytes, 601);
    /* Tokens would have room, bytes have not: nothing is taken from either, and the time is that of the bytes. */
    assert_in_range(leat_i_budget_ready_ns(b, c, 11 * S), 70 * S + 50 * MS, 70 * S + 67 * MS);
    assert_int_equal(b->window.total.requests, 1);
    /* A settle tells of tokens; the bytes went out as they were. */
    leat_i_budget_settle(b, &first, leat_i_charge_request((leat_cost){ 80, 10, 0 }));
    assert_int_equal(b->window.total.bytes, 601);
    assert_in_range(ready(b, 11, 0, 12 * S), 70 * S + 50 * MS, 70 * S + 67 * MS);
    free(b);
}

static void test_a_day_is_any_24_hours(void **state)
{
    (void)state;
    const int64_t hour = 3600 * S;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .requests_per_day = 3, .tokens_per_day = 1000 });
    take(b, 100, 0, 1 * hour);
    take(b, 100, 0, 2 * hour);
    leat_i_taken third = take(b, 100, 0, 3 * hour);
    assert_in_range(ready(b, 1, 0, 4 * hour), 25 * hour, 25 * hour + 35 * S);
    /* The tokens of a day are settled hours later, too. */
    leat_i_budget_settle(b, &third, leat_i_charge_request((leat_cost){ 900, 0, 0 }));
    assert_in_range(ready(b, 1, 0, 25 * hour + 40 * S), 26 * hour, 26 * hour + 35 * S);
    free(b);
}

/* A limit that comes later counts from then on, and what was taken before may still be settled or undone. */
static void test_a_day_that_begins_under_way(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(NULL);
    leat_i_taken first = take(b, 100, 0, 1 * S), second = take(b, 100, 0, 2 * S);
    assert_true(leat_i_budget_set(b, &(leat_limiter_opts){ .requests_per_day = 1 }));
    take(b, 10, 0, 3 * S);
    leat_i_budget_untake(b, &first);
    leat_i_budget_settle(b, &second, leat_i_charge_request((leat_cost){ 1, 0, 0 }));
    assert_int_equal(b->day.total.requests, 1);
    assert_true(ready(b, 1, 0, 4 * S) > 86400 * S);
    free(b);
}

static void test_bursts_keep_the_minute(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .requests_per_min = 60, .burst = 30 });
    int64_t now = 1 * S;
    int n = 0;
    while (ready(b, 0, 0, now) <= 61 * S) {
        if (ready(b, 0, 0, now) > now) now = ready(b, 0, 0, now);
        take(b, 0, 0, now);
        n++;
    }
    assert_int_equal(n, 60);
    free(b);
}

static void test_in_flight_has_no_time(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .in_flight_max = 2 });
    leat_i_taken first = take(b, 1, 1, 1 * S);
    take(b, 1, 1, 1 * S);
    assert_true(ready(b, 1, 1, 1 * S) == INT64_MAX);
    leat_i_budget_settle(b, &first, first.charge);
    assert_true(ready(b, 1, 1, 1 * S) <= 1 * S);
    free(b);
}

static void test_untake_leaves_no_trace(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(&(leat_limiter_opts){ .requests_per_min = 60, .tokens_per_min = 100, .burst = 2 });
    leat_i_taken first = take(b, 40, 0, 1 * S), second = take(b, 40, 0, 1 * S);
    leat_i_budget_untake(b, &second);
    assert_int_equal(b->window.total.requests, 1);
    assert_int_equal(b->in_flight, 1);
    take(b, 60, 0, 1 * S);
    /* The first is not the last any more: its tokens come back, its slot does not. */
    leat_i_budget_untake(b, &first);
    assert_int_equal(b->window.total.input, 60 * LEAT_I_UNITS_PER_TOKEN);
    assert_true(ready(b, 40, 0, 1 * S) <= 1 * S); /* The third of the burst. */
    free(b);
}

static void test_limits_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    leat_i_budget *b = budget_new(NULL);
    leat_i_budget before = *b;
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .requests_per_min = -1 }));
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .tokens_per_min = (double)INFINITY }));
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .input_tokens_per_min = (double)NAN }));
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .output_tokens_per_min = -0.5 }));
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .requests_per_day = -1 }));
    assert_false(leat_i_budget_set(b, &(leat_limiter_opts){ .bytes_per_min = (double)NAN }));
    assert_memory_equal(b->rule, before.rule, sizeof before.rule);
    assert_int_equal(b->rule_count, before.rule_count);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_plain_list),
        cmocka_unit_test(test_the_day_against_a_plain_list),
        cmocka_unit_test(test_a_refund_after_the_window_changes_nothing),
        cmocka_unit_test(test_tokens_wait_until_enough_has_left),
        cmocka_unit_test(test_a_refund_makes_room_at_once_and_debt_takes_it),
        cmocka_unit_test(test_an_oversize_request_goes_alone),
        cmocka_unit_test(test_accounts_are_judged_apart),
        cmocka_unit_test(test_bytes_and_tokens_and_requests_all_or_nothing),
        cmocka_unit_test(test_a_day_is_any_24_hours),
        cmocka_unit_test(test_a_day_that_begins_under_way),
        cmocka_unit_test(test_bursts_keep_the_minute),
        cmocka_unit_test(test_in_flight_has_no_time),
        cmocka_unit_test(test_untake_leaves_no_trace),
        cmocka_unit_test(test_limits_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
