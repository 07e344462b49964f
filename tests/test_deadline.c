/* test_deadline.c: deadlines and cancel, and who hears of them as what. All on the virtual clock, where times are exact. */
#include "support_sched.h"

#define MS(n) ((n)*LEAT_I_NS_PER_MS)

static leat_err sleeps_ms(leat_task *t, void *arg, const void **result)
{
    LEAT_TRY(leat_sleep_ms(t, (intptr_t)arg));
    *result = arg;
    return LEAT_OK;
}

static leat_err ignores_time(leat_task *t, void *arg, const void **result)
{
    CHECK(leat_sleep_ms(t, (intptr_t)arg) == LEAT_TIMEOUT);
    CHECK(leat_task_is_canceled(t));
    *result = arg;
    return LEAT_OK;
}

static leat_err fails_late(leat_task *t, void *arg, const void **result)
{
    (void)result;
    CHECK(leat_sleep_ms(t, (intptr_t)arg) == LEAT_TIMEOUT);
    return LEAT_USER;
}

static leat_err uses_within(leat_task *t, void *arg, const void **result)
{
    const void *value = NULL;
    int64_t from_ns = leat_task_now_ns(t);
    (void)arg, (void)result;
    CHECK(leat_task_within(t, 100, sleeps_ms, (void *)(intptr_t)50, &value) == LEAT_OK);
    CHECK((intptr_t)value == 50);
    CHECK(leat_task_now_ns(t) - from_ns == MS(50));
    CHECK(leat_task_within(t, 100, sleeps_ms, (void *)(intptr_t)5000, &value) == LEAT_TIMEOUT);
    CHECK((intptr_t)value == 50);
    CHECK(leat_task_now_ns(t) - from_ns == MS(150));
    CHECK(!leat_task_is_canceled(t)); /* the deadline ended with its call */
    CHECK(leat_task_within(t, 0, sleeps_ms, (void *)(intptr_t)50, NULL) == LEAT_OK);
    CHECK(leat_task_within(t, 10, ignores_time, (void *)(intptr_t)50, NULL) == LEAT_OK); /* late, but well */
    CHECK(leat_task_within(t, 10, fails_late, (void *)(intptr_t)50, NULL) == LEAT_USER);
    CHECK(leat_task_within(t, 10, NULL, NULL, NULL) == LEAT_USAGE);
    return LEAT_OK;
}

static leat_err within_50(leat_task *t, void *arg, const void **result)
{
    return leat_task_within(t, 50, sleeps_ms, arg, result);
}

static leat_err within_5000(leat_task *t, void *arg, const void **result)
{
    return leat_task_within(t, 5000, sleeps_ms, arg, result);
}

static leat_err nests_within(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    void *hour = (void *)(intptr_t)(3600 * 1000);
    CHECK(leat_task_within(t, 1000, within_50, hour, NULL) == LEAT_TIMEOUT);
    CHECK(leat_task_now_ns(t) - from_ns == MS(50));
    CHECK(leat_task_within(t, 1000, within_5000, hour, NULL) == LEAT_TIMEOUT); /* the nearest counts */
    CHECK(leat_task_now_ns(t) - from_ns == MS(1050));
    return LEAT_OK;
}

/* A child inherits the deadline as the end of its run: LEAT_CANCELED for the child, LEAT_TIMEOUT for who set it. */
static leat_err child_under_deadline(leat_task *t, void *arg, const void **result)
{
    CHECK(leat_sleep_ms(t, 3600 * 1000) == LEAT_CANCELED);
    *(int64_t *)arg = leat_task_now_ns(t);
    (void)result;
    return LEAT_CANCELED;
}

static leat_err awaits_child(leat_task *t, void *arg, const void **result)
{
    return leat_await(t, leat_task_start(t, child_under_deadline, arg), result);
}

static leat_err deadline_reaches_children(leat_task *t, void *arg, const void **result)
{
    int64_t *ended_ns = leat_task_alloc(t, sizeof *ended_ns), from_ns = leat_task_now_ns(t);
    (void)arg, (void)result;
    CHECK(leat_task_within(t, 70, awaits_child, ended_ns, NULL) == LEAT_TIMEOUT);
    CHECK(leat_task_now_ns(t) - from_ns == MS(70));
    leat_i_task_end_children(t, NULL);
    CHECK(*ended_ns - from_ns == MS(70));
    return LEAT_OK;
}

static leat_err run_deadline_cancels(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    t->deadline_ns = from_ns + MS(30);
    t->attempt_deadline_ns = from_ns + MS(20);
    CHECK(leat_sleep_ms(t, 10) == LEAT_OK);
    CHECK(leat_i_park(t, from_ns + MS(15)) == LEAT_TIMEOUT); /* its own limit: no stop */
    CHECK(leat_i_task_check(t) == LEAT_OK);
    CHECK(leat_sleep_ms(t, 5) == LEAT_TIMEOUT); /* at the very end: the deadline comes first */
    CHECK(leat_i_task_check(t) == LEAT_TIMEOUT);
    CHECK(leat_sleep_ms(t, 0) == LEAT_TIMEOUT);
    t->attempt_deadline_ns = LEAT_I_NEVER_NS;
    CHECK(leat_i_task_check(t) == LEAT_OK);
    CHECK(leat_sleep_ms(t, INT64_MAX) == LEAT_CANCELED);
    CHECK(leat_task_now_ns(t) - from_ns == MS(30));
    CHECK(leat_i_park(t, LEAT_I_NEVER_NS) == LEAT_CANCELED);
    CHECK(leat_i_task_check(t) == LEAT_CANCELED);
    return LEAT_OK;
}

static void within_gives_its_own_deadline_only(void **state)
{
    (void)state;
    run_virtual(uses_within);
}

static void of_nested_deadlines_the_nearest_counts(void **state)
{
    (void)state;
    run_virtual(nests_within);
}

static void a_deadline_reaches_children_as_a_cancel(void **state)
{
    (void)state;
    run_virtual(deadline_reaches_children);
}

static void the_deadline_of_a_run_is_a_cancel_inside(void **state)
{
    (void)state;
    run_virtual(run_deadline_cancels);
}

/* ---- cancel against everything else, in real time ---- */

struct race {
    LEAT_ATOMIC(uint32_t) parked, ended;
};

static leat_err waits_for_cancel(leat_task *t, void *arg, const void **result)
{
    struct race *r = arg;
    (void)result;
    leat_add_relaxed(&r->parked, 1);
    leat_err err = LEAT_OK;
    for (int i = 0; err == LEAT_OK; i++) /* All kinds of suspension, so that the cancel meets each. */
        err = i % 3 == 0 ? leat_sleep_ms(t, 0) : leat_i_park(t, leat_task_now_ns(t) + 1000 * (i % 50));
    while (err == LEAT_TIMEOUT)
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    leat_add_relaxed(&r->ended, 1);
    return err;
}

static void cancel_meets_every_kind_of_suspension(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        struct race r = { 0 };
        uint32_t rounds = ROUNDS(1000);
        for (uint32_t i = 0; i < rounds; i++) {
            leat_handle *h;
            assert_int_equal(leat_task_submit(rt, waits_for_cancel, &r, &h), LEAT_OK);
            if (i % 4) /* Else the cancel may come before the task has begun. */
                while (leat_load_relaxed(&r.parked) == leat_load_relaxed(&r.ended))
                    leat_i_os_relax();
            for (uint32_t k = 0; k < i % 100; k++)
                leat_i_os_relax();
            leat_handle_cancel(h);
            assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_CANCELED);
            leat_handle_free(h);
            assert_int_equal(leat_load_relaxed(&r.parked), leat_load_relaxed(&r.ended));
        }
        leat_runtime_free(rt);
    }
}

/* A cancel that comes while a task already joins its children must reach them all the same. */
static leat_err sleeps_for_ever(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, INT64_MAX);
}

static leat_err joins_shielded(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *f = leat_task_start(t, sleeps_for_ever, NULL);
    leat_store_release((LEAT_ATOMIC(uint32_t) *)arg, 1);
    return leat_i_await_shielded(t, f);
}

static void a_cancel_during_a_shielded_join_is_passed_on(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        for (int i = 0; i < 50; i++) {
            LEAT_ATOMIC(uint32_t) started = 0;
            leat_handle *h;
            assert_int_equal(leat_task_submit(rt, joins_shielded, (void *)&started, &h), LEAT_OK);
            while (!leat_load_acquire(&started))
                leat_i_os_relax();
            leat_handle_cancel(h);
            assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_CANCELED);
            leat_handle_free(h);
        }
        leat_runtime_free(rt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_gives_its_own_deadline_only),
        cmocka_unit_test(of_nested_deadlines_the_nearest_counts),
        cmocka_unit_test(a_deadline_reaches_children_as_a_cancel),
        cmocka_unit_test(the_deadline_of_a_run_is_a_cancel_inside),
        cmocka_unit_test(cancel_meets_every_kind_of_suspension),
        cmocka_unit_test(a_cancel_during_a_shielded_join_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
