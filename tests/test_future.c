/* test_future.c: operations completed from elsewhere, and all the ways of waiting for them. */
#include "support_sched.h"

#include <pthread.h>

/* An operation as other rooms make them: completed by a thread outside, asked to stop by its owner. */
struct op {
    leat_future future; /* first member */
    LEAT_ATOMIC(uint32_t) canceled;
    uint32_t freed;
    pthread_t thread;
    uint32_t delay;   /* rounds of nothing before it completes */
    bool until_asked; /* completes only after a cancel */
};

static void op_cancel(leat_future *f)
{
    leat_add_acq_rel(&((struct op *)f)->canceled, 1);
}

static void op_free(leat_future *f)
{
    ((struct op *)f)->freed++;
}

static const leat_i_future_ops op_ops = { op_cancel, op_free };

static void *op_main(void *arg)
{
    struct op *op = arg;
    for (uint32_t i = 0; i < op->delay; i++)
        leat_i_os_relax();
    while (op->until_asked && !leat_load_acquire(&op->canceled))
        leat_i_os_relax();
    bool stopped = leat_load_acquire(&op->canceled) != 0;
    leat_i_future_complete(&op->future, stopped ? LEAT_CANCELED : LEAT_OK, "done", NULL);
    return NULL;
}

static void op_start(leat_task *t, struct op *op, uint32_t delay, bool until_asked)
{
    memset(op, 0, sizeof *op);
    op->delay = delay;
    op->until_asked = until_asked;
    leat_i_future_init(&op->future, &op_ops);
    leat_i_future_adopt(t, &op->future);
    CHECK(pthread_create(&op->thread, NULL, op_main, op) == 0);
}

static leat_err awaits_ops(leat_task *t, void *arg, const void **result)
{
    uint32_t rounds = *(uint32_t *)arg;
    (void)result;
    for (uint32_t i = 0; i < rounds; i++) {
        struct op op;
        const void *value = NULL;
        op_start(t, &op, i * 37 % 3000, false);
        LEAT_TRY(leat_await(t, &op.future, &value));
        CHECK(strcmp(value, "done") == 0);
        value = NULL;
        LEAT_TRY(leat_await(t, &op.future, &value)); /* again: the same */
        CHECK(strcmp(value, "done") == 0);
        CHECK(leat_future_is_done(&op.future));
        CHECK(!leat_future_error(&op.future));
        leat_i_future_release(t, &op.future);
        CHECK(op.freed == 1);
        CHECK(t->children == NULL);
        pthread_join(op.thread, NULL);
    }
    return LEAT_OK;
}

static void an_operation_completes_before_or_during_the_await(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        uint32_t rounds = ROUNDS(1000);
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, awaits_ops, &rounds, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

static leat_err leaves_ops_behind(leat_task *t, void *arg, const void **result)
{
    struct op *ops = arg;
    (void)result;
    for (int i = 0; i < 4; i++)
        op_start(t, &ops[i], 0, true);
    return leat_sleep_ms(t, 0);
}

static void operations_left_behind_are_canceled_joined_and_freed_once(void **state)
{
    (void)state;
    struct op ops[4];
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, leaves_ops_behind, ops, NULL), LEAT_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(leat_load_relaxed(&ops[i].canceled), 1);
        assert_int_equal(ops[i].freed, 1);
        pthread_join(ops[i].thread, NULL);
    }
    leat_runtime_free(rt);
}

/* ---- await_all and await_any, on the virtual clock ---- */

static leat_err sleeps_then(leat_task *t, void *arg, const void **result)
{
    int ms = *(const int *)arg;
    LEAT_TRY(leat_sleep_ms(t, ms));
    *result = arg;
    return ms % 2 ? leat_task_fail(t, (leat_err)(LEAT_LIMITED + ms % 10), "odd after %d ms", ms) : LEAT_OK;
}

static leat_err waits_for_all(leat_task *t, void *arg, const void **result)
{
    static int ms[] = { 50, 20, 33, 10, 11, 40 };
    leat_future *f[6];
    (void)arg, (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    for (int i = 0; i < 6; i++)
        f[i] = leat_task_start(t, sleeps_then, &ms[i]);
    CHECK(!leat_future_is_done(f[0]));
    CHECK(!leat_future_error(f[2]));
    leat_err err = leat_await_all(t, f, 6);
    CHECK(err == (leat_err)(LEAT_LIMITED + 3)); /* the failed one with the lowest index, not the first in time */
    CHECK(leat_task_now_ns(t) - from_ns == 50 * LEAT_I_NS_PER_MS);
    for (int i = 0; i < 6; i++)
        CHECK(leat_future_is_done(f[i]));
    CHECK(strcmp(leat_future_error(f[2])->text, "odd after 33 ms") == 0);
    CHECK(strcmp(leat_future_error(f[4])->text, "odd after 11 ms") == 0);
    CHECK(!leat_future_error(f[0]));
    CHECK(leat_await_all(t, f, 0) == LEAT_OK);
    return LEAT_OK;
}

static leat_err waits_for_any(leat_task *t, void *arg, const void **result)
{
    static int ms[] = { 50, 20, 33, 20 };
    leat_future *f[4];
    size_t index = 99;
    (void)arg, (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    CHECK(leat_await_any(t, f, 0, &index) == LEAT_USAGE);
    for (int i = 0; i < 4; i++)
        f[i] = leat_task_start(t, sleeps_then, &ms[i]);
    CHECK(leat_await_any(t, f, 4, &index) == LEAT_OK);
    CHECK(index == 1 || index == 3);
    CHECK(leat_task_now_ns(t) - from_ns == 20 * LEAT_I_NS_PER_MS);
    CHECK(leat_await_any(t, f, 1, &index) == LEAT_OK); /* the others go on */
    CHECK(index == 0);
    CHECK(leat_task_now_ns(t) - from_ns == 50 * LEAT_I_NS_PER_MS);
    CHECK(leat_await_any(t, f, 4, &index) == LEAT_OK); /* the lowest of those ended */
    CHECK(index == 0);
    CHECK(leat_await_any(t, f + 2, 2, &index) == LEAT_OK); /* a failed one is no error here */
    CHECK(index == 0);
    CHECK(leat_await(t, f[2], NULL) == (leat_err)(LEAT_LIMITED + 3));
    return LEAT_OK;
}

static leat_err sleeps_an_hour(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 3600 * 1000);
}

static leat_err any_is_stopped(leat_task *t, void *arg, const void **result)
{
    leat_future *f[3];
    size_t index = 99;
    (void)arg;
    for (int i = 0; i < 3; i++)
        f[i] = leat_task_start(t, sleeps_an_hour, NULL);
    t->attempt_deadline_ns = leat_task_now_ns(t) + LEAT_I_NS_PER_S;
    CHECK(leat_await_any(t, f, 3, &index) == LEAT_TIMEOUT);
    CHECK(index == 99);
    CHECK(leat_await_all(t, f, 3) == LEAT_TIMEOUT);
    CHECK(leat_await(t, f[0], result) == LEAT_TIMEOUT);
    t->attempt_deadline_ns = LEAT_I_NEVER_NS;
    leat_future_cancel(f[1]);
    CHECK(leat_await_any(t, f, 3, &index) == LEAT_OK);
    CHECK(index == 1);
    CHECK(leat_await(t, f[1], NULL) == LEAT_CANCELED);
    CHECK(leat_future_error(f[1])->code == LEAT_CANCELED);
    return LEAT_OK;
}

static void await_all_waits_for_the_failed_too(void **state)
{
    (void)state;
    run_virtual(waits_for_all);
}

static void await_any_gives_the_first_and_lets_the_others_go_on(void **state)
{
    (void)state;
    run_virtual(waits_for_any);
}

static void a_stopped_await_leaves_the_futures_usable(void **state)
{
    (void)state;
    run_virtual(any_is_stopped);
}

/* await_any against completions that come at the same moment, from threads. */
static leat_err any_of_ops(leat_task *t, void *arg, const void **result)
{
    uint32_t rounds = *(uint32_t *)arg;
    (void)result;
    for (uint32_t round = 0; round < rounds; round++) {
        struct op ops[3];
        leat_future *f[3];
        size_t index = 99;
        for (uint32_t i = 0; i < 3; i++) {
            op_start(t, &ops[i], (round * 53 + i * 101) % 2000, false);
            f[i] = &ops[i].future;
        }
        LEAT_TRY(leat_await_any(t, f, 3, &index));
        CHECK(index < 3 && leat_future_is_done(f[index]));
        LEAT_TRY(leat_await_all(t, f, 3));
        for (int i = 0; i < 3; i++) {
            leat_i_future_release(t, f[i]);
            pthread_join(ops[i].thread, NULL);
        }
    }
    return LEAT_OK;
}

static void await_any_races_with_completions(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        uint32_t rounds = ROUNDS(300);
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, any_of_ops, &rounds, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

/* ---- without memory ---- */

static leat_err starts_without_memory(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_i_mem_fail_after(1, true);
    leat_future *f = leat_task_start(t, sleeps_an_hour, NULL);
    leat_i_mem_fail_after(0, false);
    CHECK(f && leat_future_is_done(f));
    leat_future_cancel(f);
    CHECK(leat_await(t, f, NULL) == LEAT_NOMEM);
    CHECK(strcmp(leat_future_error(f)->text, leat_err_sentence(LEAT_NOMEM)) == 0);
    leat_i_mem_fail_after(1, true);
    CHECK(strcmp(leat_task_printf(t, "%100000d", 1), "") == 0); /* more than the arena has at hand */
    leat_i_mem_fail_after(0, false);
    return LEAT_OK; /* and yet the task ends with LEAT_NOMEM: it is sticky */
}

static void short_memory_fails_the_future_not_the_program(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, starts_without_memory, NULL, NULL), LEAT_NOMEM);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_completes_before_or_during_the_await),
        cmocka_unit_test(operations_left_behind_are_canceled_joined_and_freed_once),
        cmocka_unit_test(await_all_waits_for_the_failed_too),
        cmocka_unit_test(await_any_gives_the_first_and_lets_the_others_go_on),
        cmocka_unit_test(a_stopped_await_leaves_the_futures_usable),
        cmocka_unit_test(await_any_races_with_completions),
        cmocka_unit_test(short_memory_fails_the_future_not_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
