/* test_limiter_change.c: limits that change under those who wait, pauses, wrong calls, and memory that runs short. */
#include "limiter_support.h"

/* ---- changes and pauses ---- */

static leat_err change_under_waiter(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    member m = { w, 0 };
    LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
    leat_limiter_settle(w->l, g, w->guess);
    leat_future *f = leat_task_start(t, one_request, &m);
    LEAT_TRY(leat_sleep_ms(t, 5000));
    int64_t changed_ns = leat_task_now_ns(t);
    assert_int_equal(leat_limiter_change(w->l, 0, &(leat_limiter_opts){ .requests_per_min = -3 }), LEAT_USAGE);
    LEAT_TRY(leat_limiter_change(w->l, 0, &(leat_limiter_opts){ .requests_per_min = 600 }));
    LEAT_TRY(leat_await(t, f, NULL));
    assert_true(w->granted_ns[0] - changed_ns < 10 * MS);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_true(s.requests_per_min == 600);
    return LEAT_OK;
}

static void test_a_change_judges_who_waits_anew(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .requests_per_min = 1 });
    assert_int_equal(leat_task_run(w->rt, change_under_waiter, w, NULL), LEAT_OK);
    world_free(w);
}

static leat_err pause_under_waiters(leat_task *t, void *arg, const void **result)
{
    world *w = arg;
    leat_grant g;
    LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
    leat_limiter_settle(w->l, g, w->guess);
    int64_t start_ns = leat_task_now_ns(t);
    leat_limiter_pause(t, w->l, 0, 30000);
    leat_limiter_pause(t, w->l, 0, 1000); /* Earlier: ignored. */
    leat_limiter_pause(t, w->l, 0, -5);
    LEAT_TRY(all_requests(t, arg, result));
    int second[4] = { 0 };
    for (int i = 0; i < w->count; i++) {
        int64_t after_ns = w->granted_ns[i] - start_ns - 30 * S;
        assert_true(after_ns >= 0);
        if (after_ns < 4 * S) second[after_ns / S]++;
    }
    assert_in_range(second[0], 24, 26);
    assert_in_range(second[1], 47, 51);
    assert_in_range(second[2], 96, 101);
    return LEAT_OK;
}

static void test_a_pause_ends_slowly(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .requests_per_min = 6000 });
    w->count = 300;
    assert_int_equal(leat_task_run(w->rt, pause_under_waiters, w, NULL), LEAT_OK);
    world_free(w);
}

/* ---- wrong calls, short memory ---- */

static leat_err wrong_calls(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    assert_int_equal(leat_limiter_acquire(t, w->l, (leat_cost){ -1, 0, 0 }, &g), LEAT_USAGE);
    assert_int_equal(leat_limiter_acquire(t, w->l, (leat_cost){ 0, 0.0 / 0.0, 0 }, &g), LEAT_USAGE);
    assert_int_equal(leat_limiter_acquire(t, NULL, (leat_cost){ 0, 0, 0 }, &g), LEAT_USAGE);
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 5, 5, 0 }, &g));
    leat_limiter_settle(w->l, g, (leat_cost){ 0.0 / 0.0, -1, 0 }); /* Nonsense: the guess stands. */
    leat_limiter_settle(NULL, g, (leat_cost){ 0, 0, 0 });
    leat_limiter_refund(NULL, g);
    return LEAT_OK;
}

static void test_wrong_calls(void **state)
{
    (void)state;
    world *w = world_new(1, false, NULL);
    leat_limiter *none = w->l;
    assert_int_equal(leat_limiter_new(&none, &(leat_limiter_opts){ .tokens_per_min = -1 }), LEAT_USAGE);
    assert_null(none);
    assert_int_equal(leat_limiter_new(NULL, NULL), LEAT_USAGE);
    assert_int_equal(leat_task_run(w->rt, wrong_calls, w, NULL), LEAT_OK);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_true(s.tokens_charged == 10);
    leat_limiter_free(NULL);
    world_free(w);
}

static leat_err short_of_memory(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    leat_i_mem_fail_after(1, false);
    leat_err err = leat_limiter_acquire(t, w->l, w->guess, &g);
    leat_i_mem_fail_after(0, false);
    assert_int_equal(err, LEAT_NOMEM);
    return LEAT_OK;
}

static void test_short_of_memory(void **state)
{
    (void)state;
    leat_limiter *none;
    leat_i_mem_fail_after(1, false);
    assert_int_equal(leat_limiter_new(&none, NULL), LEAT_NOMEM);
    leat_i_mem_fail_after(0, false);
    assert_null(none);
    world *w = world_new(1, false, NULL);
    leat_err err = leat_task_run(w->rt, short_of_memory, w, NULL);
    assert_true(err == LEAT_OK || err == LEAT_NOMEM); /* Sticky when the claim was what failed. */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_change_judges_who_waits_anew),
        cmocka_unit_test(test_a_pause_ends_slowly),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
