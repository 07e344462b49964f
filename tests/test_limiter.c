/* test_limiter.c: the queue in front of the limits: order, cancels, settling; on the virtual clock where time counts. */
#include <pthread.h>

#include "limiter_support.h"

static void test_without_limits_all_go_at_once(void **state)
{
    (void)state;
    world *w = world_new(2, false, NULL);
    run(w, 1000);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.granted, 1000);
    assert_int_equal(s.settled, 1000);
    assert_true(s.requests_per_min == 0 && s.tokens_per_min == 0);
    world_free(w);
}

static void test_requests_are_paced_in_the_order_of_asking(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .requests_per_min = 600 });
    run(w, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(w->order[i], i);
    for (int i = 1; i < 200; i++)
        assert_in_range(w->granted_ns[i] - w->granted_ns[i - 1], 101 * MS, 102 * MS);
    world_free(w);
}

static void test_in_flight_is_capped_and_handed_on(void **state)
{
    (void)state;
    world *w = world_new(2, true, &(leat_limiter_opts){ .in_flight_max = 7 });
    w->hold_ms = 100;
    run(w, 70);
    assert_int_equal(w->in_flight_peak, 7);
    int64_t first = INT64_MAX, last = 0;
    for (int i = 0; i < 70; i++) {
        last = w->granted_ns[i] > last ? w->granted_ns[i] : last;
        first = w->granted_ns[i] < first ? w->granted_ns[i] : first;
    }
    assert_in_range(last - first, 900 * MS, 901 * MS);
    world_free(w);
}

static void test_tokens_of_a_minute(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .tokens_per_min = 1000 });
    w->guess = (leat_cost){ 80, 20, 0 };
    run(w, 40);
    for (int i = 10; i < 40; i++)
        assert_in_range(w->granted_ns[i] - w->granted_ns[i - 10], 60 * S, 61 * S);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_true(s.tokens_charged == 4000);
    world_free(w);
}

/* ---- stopping who waits ---- */

static leat_err hold_and_let_wait(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    member m[20];
    leat_future *f[20];
    LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
    for (int i = 0; i < 20; i++) {
        m[i] = (member){ w, i };
        f[i] = leat_task_start(t, one_request, &m[i]);
        LEAT_TRY(leat_sleep_ms(t, 1));
    }
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.waiting, 20);
    for (int i = 0; i < 20; i += 2)
        leat_future_cancel(f[i]); /* The head among them. */
    for (int i = 0; i < 20; i += 2)
        assert_int_equal(leat_await(t, f[i], NULL), LEAT_CANCELED);
    leat_limiter_settle(w->l, g, w->guess);
    for (int i = 1; i < 20; i += 2)
        LEAT_TRY(leat_await(t, f[i], NULL));
    return LEAT_OK;
}

static void test_canceled_waiters_take_nothing(void **state)
{
    (void)state;
    world *w = world_new(2, true, &(leat_limiter_opts){ .in_flight_max = 1 });
    assert_int_equal(leat_task_run(w->rt, hold_and_let_wait, w, NULL), LEAT_OK);
    assert_int_equal(w->stopped, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(w->order[i], 2 * i + 1);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.granted, 11);
    world_free(w);
}

static leat_err within_deadline(leat_task *t, void *arg, const void **result)
{
    member *m = arg;
    leat_err err = leat_task_within(t, 1 + m->index % 3, one_request, m, result);
    return err == LEAT_TIMEOUT ? LEAT_OK : err;
}

/* Deadlines and grants race: whatever wins, nothing is lost and nothing stays taken. */
static void test_grants_that_race_with_deadlines_come_back(void **state)
{
    (void)state;
    world *w =
        world_new(4, false, &(leat_limiter_opts){ .requests_per_min = 60000, .in_flight_max = 3, .tokens_per_min = 1e7 });
    w->body = within_deadline;
    w->guess = (leat_cost){ 10, 10, 0 };
    run(w, 3000);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.granted, w->granted);
    assert_int_equal(w->granted + w->stopped, 3000);
    assert_true(s.tokens_charged == 20.0 * (double)s.granted);
    world_free(w);
}

static leat_err ask_after_cancel(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    leat_err slept = leat_sleep_ms(t, 10000);
    leat_err asked = leat_limiter_acquire(t, w->l, w->guess, &g);
    assert_int_equal(slept, LEAT_CANCELED);
    assert_int_equal(asked, LEAT_CANCELED);
    return slept;
}

static leat_err cancel_child(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *f = leat_task_start(t, ask_after_cancel, arg);
    LEAT_TRY(leat_sleep_ms(t, 10));
    leat_future_cancel(f);
    assert_int_equal(leat_await(t, f, NULL), LEAT_CANCELED);
    return LEAT_OK;
}

static void test_a_canceled_task_is_granted_nothing(void **state)
{
    (void)state;
    world *w = world_new(1, true, NULL);
    assert_int_equal(leat_task_run(w->rt, cancel_child, w, NULL), LEAT_OK);
    world_free(w);
}

/* ---- settling ---- */

static leat_err forget_grants(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant a, b;
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 30, 0, 0 }, &a));
    return leat_limiter_acquire(t, w->l, (leat_cost){ 0, 40, 0 }, &b);
}

static void test_forgotten_grants_are_settled_at_their_guess(void **state)
{
    (void)state;
    world *w = world_new(1, false, &(leat_limiter_opts){ .in_flight_max = 2, .tokens_per_min = 1000, .burst = 1 });
    for (int i = 0; i < 5; i++)
        assert_int_equal(leat_task_run(w->rt, forget_grants, w, NULL), LEAT_OK);
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.settled, 10);
    assert_true(s.tokens_charged == 350);
    world_free(w);
}

typedef struct kept {
    world *w;
    leat_grant grant;
} kept;

static leat_err keep_grant(leat_task *t, void *arg, const void **result)
{
    (void)result;
    kept *k = arg;
    return leat_limiter_acquire(t, k->w->l, (leat_cost){ 100, 100, 0 }, &k->grant);
}

static leat_err settle_twice(leat_task *t, void *arg, const void **result)
{
    kept *k = arg;
    leat_grant mine;
    LEAT_TRY(keep_grant(t, arg, result));
    mine = k->grant;
    leat_limiter_settle(k->w->l, mine, (leat_cost){ 1, 1, 0 });
    leat_limiter_settle(k->w->l, mine, (leat_cost){ 50, 50, 0 });
    leat_limiter_refund(k->w->l, mine);
    return keep_grant(t, arg, result); /* The same place, another use of it. */
}

static void test_only_the_first_settle_counts(void **state)
{
    (void)state;
    world *w = world_new(1, false, &(leat_limiter_opts){ .tokens_per_min = 1000, .burst = 1 });
    kept k = { .w = w };
    assert_int_equal(leat_task_run(w->rt, settle_twice, &k, NULL), LEAT_OK);
    /* The end of the task has settled the second at its guess. */
    leat_limiter_settle(w->l, k.grant, (leat_cost){ 999, 999, 0 });
    leat_limiter_settle(w->l, (leat_grant){ .id = 0 }, (leat_cost){ 1, 1, 0 });
    leat_limiter_settle(w->l, (leat_grant){ .id = UINT64_MAX }, (leat_cost){ 1, 1, 0 });
    leat_limiter_settle(w->l, (leat_grant){ .id = UINT64_C(1) << 32 | 5000 }, (leat_cost){ 1, 1, 0 });
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.settled, 2);
    assert_true(s.tokens_charged == 202);
    world_free(w);
}

static leat_err refund_and_ask_again(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    int64_t start_ns = leat_task_now_ns(t);
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 900, 0, 0 }, &g));
    leat_limiter_refund(w->l, g);
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 900, 0, 0 }, &g));
    assert_true(leat_task_now_ns(t) - start_ns < S); /* The tokens came back, the pace of 600 a minute did not. */
    assert_true(leat_task_now_ns(t) - start_ns >= 100 * MS);
    leat_limiter_settle(w->l, g, (leat_cost){ 1900, 0, 0 });
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 0, 0, 0 }, &g));
    assert_true(leat_task_now_ns(t) - start_ns >= 60 * S); /* Debt. */
    leat_limiter_settle(w->l, g, (leat_cost){ 0, 0, 0 });
    return LEAT_OK;
}

static void test_refund_and_debt(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .requests_per_min = 600, .tokens_per_min = 1000 });
    assert_int_equal(leat_task_run(w->rt, refund_and_ask_again, w, NULL), LEAT_OK);
    world_free(w);
}

/* A refund wakes who waits for tokens, though its timer is far off. */
static leat_err refund_under_waiter(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    member m = { w, 0 };
    LEAT_TRY(leat_limiter_acquire(t, w->l, (leat_cost){ 1000, 0, 0 }, &g));
    w->guess = (leat_cost){ 500, 0, 0 };
    leat_future *f = leat_task_start(t, one_request, &m);
    LEAT_TRY(leat_sleep_ms(t, 5000));
    int64_t refunded_ns = leat_task_now_ns(t);
    leat_limiter_settle(w->l, g, (leat_cost){ 50, 0, 0 });
    LEAT_TRY(leat_await(t, f, NULL));
    assert_true(w->granted_ns[0] - refunded_ns < 10 * MS);
    return LEAT_OK;
}

static void test_a_refund_wakes_the_head(void **state)
{
    (void)state;
    world *w = world_new(1, true, &(leat_limiter_opts){ .tokens_per_min = 1000 });
    assert_int_equal(leat_task_run(w->rt, refund_under_waiter, w, NULL), LEAT_OK);
    world_free(w);
}

static void *settle_from_outside(void *arg)
{
    kept *k = arg;
    leat_limiter_settle(k->w->l, k->grant, (leat_cost){ 1, 0, 0 });
    return NULL;
}

static leat_err settle_on_a_thread(void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, settle_from_outside, arg), 0);
    pthread_join(thread, NULL);
    return LEAT_OK;
}

static leat_err wait_for_a_thread(leat_task *t, void *arg, const void **result)
{
    (void)result;
    kept *k = arg;
    member m = { k->w, 0 };
    LEAT_TRY(leat_limiter_acquire(t, k->w->l, k->w->guess, &k->grant));
    leat_future *f = leat_task_start(t, one_request, &m);
    LEAT_TRY(leat_sleep_ms(t, 1));
    LEAT_TRY(leat_blocking(t, settle_on_a_thread, k));
    return leat_await(t, f, NULL);
}

static void test_settle_from_a_thread_outside_the_pool(void **state)
{
    (void)state;
    world *w = world_new(2, false, &(leat_limiter_opts){ .in_flight_max = 1 });
    kept k = { .w = w };
    for (int i = 0; i < 50; i++) {
        assert_int_equal(leat_task_run(w->rt, wait_for_a_thread, &k, NULL), LEAT_OK);
        w->granted = w->asked = 0;
    }
    world_free(w);
}

static leat_err many_in_one_visit(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_grant g;
    LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
    leat_limiter_settle(w->l, g, w->guess);
    uint64_t before = leat_i_mem_alloc_count();
    for (int i = 0; i < 100000; i++) {
        LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
        leat_limiter_settle(w->l, g, w->guess);
    }
    assert_int_equal(leat_i_mem_alloc_count(), before);
    return LEAT_OK;
}

static void test_a_loop_of_requests_allocates_nothing(void **state)
{
    (void)state;
    world *w = world_new(1, false, &(leat_limiter_opts){ .tokens_per_min = 1e9 });
    w->guess = (leat_cost){ 1, 1, 0 };
    assert_int_equal(leat_task_run(w->rt, many_in_one_visit, w, NULL), LEAT_OK);
    world_free(w);
}

/* Two limiters used in turn, the first freed while the task goes on: the task's claim must not look at it again. */
static leat_err outlive_a_limiter(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    leat_limiter *other;
    leat_grant g;
    LEAT_TRY(leat_limiter_new(&other, NULL));
    LEAT_TRY(leat_limiter_acquire(t, other, w->guess, &g));
    leat_limiter_settle(other, g, w->guess);
    leat_limiter_free(other);
    LEAT_TRY(leat_limiter_acquire(t, w->l, w->guess, &g));
    return LEAT_OK;
}

static void test_a_limiter_may_end_before_the_task(void **state)
{
    (void)state;
    world *w = world_new(1, false, NULL);
    assert_int_equal(leat_task_run(w->rt, outlive_a_limiter, w, NULL), LEAT_OK);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits_all_go_at_once),
        cmocka_unit_test(test_requests_are_paced_in_the_order_of_asking),
        cmocka_unit_test(test_in_flight_is_capped_and_handed_on),
        cmocka_unit_test(test_tokens_of_a_minute),
        cmocka_unit_test(test_canceled_waiters_take_nothing),
        cmocka_unit_test(test_grants_that_race_with_deadlines_come_back),
        cmocka_unit_test(test_a_canceled_task_is_granted_nothing),
        cmocka_unit_test(test_forgotten_grants_are_settled_at_their_guess),
        cmocka_unit_test(test_only_the_first_settle_counts),
        cmocka_unit_test(test_refund_and_debt),
        cmocka_unit_test(test_a_refund_wakes_the_head),
        cmocka_unit_test(test_settle_from_a_thread_outside_the_pool),
        cmocka_unit_test(test_a_loop_of_requests_allocates_nothing),
        cmocka_unit_test(test_a_limiter_may_end_before_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
