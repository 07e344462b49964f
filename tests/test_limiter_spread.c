/* test_limiter_spread.c: tokens and bytes go evenly over the minute, in explicit times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "limit/budget.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

enum { FLOWN_MAX = 20000 };

typedef struct flown { /* one request that went */
    int64_t at, settled;
    double used;
    leat_i_taken taken;
} flown;

typedef struct flow { /* work is always waiting */
    leat_i_budget *b;
    double used_low, used_high; /* what a request uses; it is guessed as the mean of the two, and `margin` times that */
    double margin;
    int64_t latency;
    uint64_t seed;
    int count, settled;
    int64_t now;
    flown went[FLOWN_MAX];
} flow;

static double random_between(uint64_t *seed, double low, double high)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (high - low) * (double)(*seed >> 11) / 9007199254740992.0;
}

static flow *flow_new(const leat_limiter_opts *opts, double low, double high)
{
    flow *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->b = calloc(1, sizeof *f->b);
    assert_true(f->b && leat_i_budget_set(f->b, opts));
    f->used_low = low;
    f->used_high = high;
    f->margin = 1.2;
    f->latency = 300 * MS;
    f->now = 1 * S;
    return f;
}

static void flow_free(flow *f)
{
    free(f->b);
    free(f);
}

static leat_i_charge tokens(double count)
{
    return leat_i_charge_request((leat_cost){ count, 0, 0 });
}

/* Requests go as soon as they may, and tell what they used when they are answered. */
static void flow_until(flow *f, int64_t end)
{
    leat_i_charge guess = tokens((f->used_low + f->used_high) / 2 * f->margin);
    while (f->now < end) {
        int64_t ready = leat_i_budget_ready_ns(f->b, guess, f->now);
        if (f->settled < f->count && f->went[f->settled].settled <= (ready > f->now ? ready : f->now)) {
            flown *first = &f->went[f->settled++];
            if (first->settled > f->now) f->now = first->settled;
            leat_i_budget_settle(f->b, &first->taken, tokens(first->used));
            continue;
        }
        if (ready > f->now) f->now = ready;
        assert_true(f->count < FLOWN_MAX);
        f->went[f->count++] = (flown){ .at = f->now,
                                       .settled = f->now + f->latency,
                                       .used = random_between(&f->seed, f->used_low, f->used_high),
                                       .taken = leat_i_budget_take(f->b, guess, f->now) };
    }
}

/* What was used by the requests of [from, to). */
static double used(const flow *f, int64_t from, int64_t to)
{
    double sum = 0;
    for (int i = 0; i < f->count; i++)
        if (f->went[i].at >= from && f->went[i].at < to) sum += f->went[i].used;
    return sum;
}

static void test_the_first_minute_is_as_even_as_the_others(void **state)
{
    (void)state;
    flow *f = flow_new(&(leat_limiter_opts){ .tokens_per_min = 60000 }, 50, 150);
    flow_until(f, 301 * S);
    for (int64_t at = 1 * S; at < 296 * S; at += 5 * S)
        assert_in_range((int)used(f, at, at + 5 * S), 4500, 5500);
    for (int64_t at = 1 * S; at < 241 * S; at += S)
        assert_in_range((int)used(f, at, at + 60 * S), 59000, 60500);
    flow_free(f);
}

/* Answers take long, and much is reserved that is not used in the end. */
static void test_refunds_are_used(void **state)
{
    (void)state;
    flow *f = flow_new(&(leat_limiter_opts){ .input_tokens_per_min = 60000 }, 50, 150);
    f->margin = 2;
    f->latency = 5 * S;
    flow_until(f, 301 * S);
    for (int64_t at = 31 * S; at < 241 * S; at += S)
        assert_in_range((int)used(f, at, at + 60 * S), 53000, 60500); /* 5 s of the minute are reserved twice. */
    flow_free(f);
}

/* Guesses that are far too low: debts slow it down, and it is even again. */
static void test_debts_are_paid(void **state)
{
    (void)state;
    flow *f = flow_new(&(leat_limiter_opts){ .tokens_per_min = 60000 }, 100, 300);
    f->margin = 0.5;
    flow_until(f, 301 * S);
    for (int64_t at = 31 * S; at < 241 * S; at += S)
        assert_in_range((int)used(f, at, at + 60 * S), 58500, 61000);
    flow_free(f);
}

static void test_a_quiet_time_is_made_good_for_ten_seconds(void **state)
{
    (void)state;
    flow *f = flow_new(&(leat_limiter_opts){ .tokens_per_min = 60000 }, 100, 100);
    flow_until(f, 101 * S);
    f->now = 201 * S;
    flow_until(f, 202 * S);
    assert_in_range((int)used(f, 201 * S, 201 * S + 100 * MS), 8000, 10500); /* 20 % are reserved in vain. */
    assert_in_range((int)used(f, 201 * S, 202 * S), 10500, 11500);
    flow_free(f);
}

/* Where requests are what is short, a large one does not make the others wait for its tokens. */
static void test_a_large_request_holds_nobody_back_where_there_is_room(void **state)
{
    (void)state;
    leat_i_budget *b = calloc(1, sizeof *b);
    assert_true(b && leat_i_budget_set(b, &(leat_limiter_opts){ .requests_per_min = 600, .tokens_per_min = 60000 }));
    int64_t now = 1 * S;
    for (int i = 0; i < 600; i++) { /* A sixth of the tokens. */
        leat_i_charge c = tokens(i == 400 ? 9000 : 17);
        int64_t ready = leat_i_budget_ready_ns(b, c, now);
        assert_true(i == 0 || ready - now < 102 * MS);
        if (ready > now) now = ready;
        (void)leat_i_budget_take(b, c, now);
    }
    free(b);
}

static void test_bursts_are_not_spread(void **state)
{
    (void)state;
    leat_i_budget *b = calloc(1, sizeof *b);
    assert_true(b && leat_i_budget_set(b, &(leat_limiter_opts){ .tokens_per_min = 60000, .burst = 1 }));
    for (int i = 0; i < 600; i++)
        (void)leat_i_budget_take(b, tokens(100), 1 * S);
    assert_true(leat_i_budget_ready_ns(b, tokens(100), 1 * S) > 60 * S);
    free(b);
}

/* What is owed stays the same tokens when the limit changes, and nothing is owed to a limit that was not there. */
static void test_a_change_keeps_what_is_owed(void **state)
{
    (void)state;
    leat_i_spread s = { 0 };
    leat_i_spread_take(&s, 1000, 1 * S);
    assert_true(leat_i_spread_ready_ns(&s) == INT64_MIN);
    leat_i_spread_set(&s, 6000, 2 * S);
    assert_true(leat_i_spread_ready_ns(&s) == INT64_MIN);
    leat_i_spread_take(&s, 1000, 2 * S);
    assert_in_range(leat_i_spread_ready_ns(&s), 12 * S - 1, 12 * S);
    leat_i_spread_set(&s, 12000, 4 * S);
    assert_in_range(leat_i_spread_ready_ns(&s), 8 * S - 1, 8 * S);
    leat_i_spread_set(&s, 3000, 4 * S);
    assert_in_range(leat_i_spread_ready_ns(&s), 20 * S - 10, 20 * S);
    leat_i_spread_set(&s, 1, 4 * S); /* Never longer than a minute after the last one. */
    assert_int_equal(leat_i_spread_ready_ns(&s), 62 * S);
    leat_i_spread_set(&s, 0, 4 * S);
    leat_i_spread_set(&s, 6000, 5 * S);
    assert_true(leat_i_spread_ready_ns(&s) == INT64_MIN);
    leat_i_spread_take(&s, INT64_MAX, 5 * S);
    assert_int_equal(leat_i_spread_ready_ns(&s), 65 * S);
    leat_i_spread_adjust(&s, INT64_MAX, 0);
    assert_int_equal(leat_i_spread_ready_ns(&s), 5 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_minute_is_as_even_as_the_others),
        cmocka_unit_test(test_refunds_are_used),
        cmocka_unit_test(test_debts_are_paid),
        cmocka_unit_test(test_a_quiet_time_is_made_good_for_ten_seconds),
        cmocka_unit_test(test_a_large_request_holds_nobody_back_where_there_is_room),
        cmocka_unit_test(test_bursts_are_not_spread),
        cmocka_unit_test(test_a_change_keeps_what_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
