/*
 * test_stress.c: random trees of tasks that do everything at once, on all worker counts and both clocks, while threads outside cancel
 * some of them. What must hold: every task that began has ended before its root did, nobody meets anybody in the gate, permits do
 * not multiply, and the whole comes to an end.
 */
#include "support_sched.h"

struct forest {
    leat_i_gate *gate;
    leat_semaphore *semaphore;
    LEAT_ATOMIC(int) begun, ended, permits;
    int inside; /* guarded by the gate */
};

struct seed {
    struct forest *forest;
    uint64_t random;
    int depth;
    LEAT_ATOMIC(int) * live; /* of this root */
};

static leat_err grows(leat_task *t, void *arg, const void **result);

static leat_err sleeps_a_little(leat_task *t, uint64_t *random)
{
    return leat_sleep_ms(t, (int64_t)(leat_i_rand_next(random) % 3));
}

static leat_err in_the_gate(leat_task *t, struct seed *s)
{
    struct forest *f = s->forest;
    leat_i_gate_enter(t, f->gate);
    CHECK(f->inside++ == 0);
    CHECK(--f->inside == 0);
    leat_err err = sleeps_a_little(t, &s->random);
    CHECK(f->inside == 0);
    leat_i_gate_leave(t);
    return err;
}

static leat_err with_a_permit(leat_task *t, struct seed *s)
{
    struct forest *f = s->forest;
    LEAT_TRY(leat_semaphore_acquire(t, f->semaphore));
    CHECK(leat_add_acq_rel(&f->permits, 1) < 3);
    leat_err err = sleeps_a_little(t, &s->random);
    leat_sub_acq_rel(&f->permits, 1);
    leat_semaphore_release(f->semaphore);
    return err;
}

static leat_err blocks(void *arg)
{
    *(uint32_t *)arg = 7;
    return LEAT_OK;
}

static void counts(void *arg, size_t begin, size_t end)
{
    leat_add_relaxed((LEAT_ATOMIC(size_t) *)arg, end - begin);
}

static leat_err in_parallel(leat_task *t, struct seed *s)
{
    LEAT_ATOMIC(size_t) covered = 0;
    size_t count = leat_i_rand_next(&s->random) % 3000;
    LEAT_TRY(leat_for(t, count, counts, (void *)&covered));
    CHECK(leat_load_relaxed(&covered) == count);
    return LEAT_OK;
}

static leat_future *plant(leat_task *t, struct seed *s)
{
    struct seed *child = leat_task_alloc(t, sizeof *child);
    *child = *s;
    child->random = leat_i_rand_next(&s->random);
    child->depth = s->depth - 1;
    return leat_task_start(t, grows, child);
}

static leat_err with_children(leat_task *t, struct seed *s)
{
    leat_future *f[5];
    size_t count = 1 + leat_i_rand_next(&s->random) % 5, index;
    for (size_t i = 0; i < count; i++)
        f[i] = plant(t, s);
    leat_err err = LEAT_OK;
    switch (leat_i_rand_next(&s->random) % 5) {
    case 0:
        return leat_await_all(t, f, count);
    case 1:
        return leat_await_any(t, f, count, &index);
    case 2:
        leat_future_cancel(f[0]);
        err = leat_await(t, f[0], NULL);
        return err == LEAT_CANCELED ? LEAT_OK : err;
    case 3:
        for (size_t i = 0; i < count && err == LEAT_OK; i++) {
            err = leat_await(t, f[i], NULL);
            if (leat_future_is_done(f[i])) leat_i_future_release(t, f[i]);
        }
        return err;
    default:
        return LEAT_OK; /* left behind: canceled and joined by the end */
    }
}

static leat_err does_something(leat_task *t, void *arg, const void **result)
{
    struct seed *s = arg;
    uint32_t blocked = 0;
    (void)result;
    switch (leat_i_rand_next(&s->random) % 8) {
    case 0:
        return in_the_gate(t, s);
    case 1:
        return with_a_permit(t, s);
    case 2:
        LEAT_TRY(leat_blocking(t, blocks, &blocked));
        CHECK(blocked == 7);
        return LEAT_OK;
    case 3:
        return in_parallel(t, s);
    case 4:
        return sleeps_a_little(t, &s->random);
    default:
        return s->depth > 0 ? with_children(t, s) : LEAT_OK;
    }
}

static leat_err grows(leat_task *t, void *arg, const void **result)
{
    struct seed *s = arg;
    leat_add_relaxed(&s->forest->begun, 1);
    leat_add_relaxed(s->live, 1);
    leat_err err = LEAT_OK;
    for (int i = 0; i < 4 && err == LEAT_OK; i++) {
        if (leat_i_rand_next(&s->random) % 4)
            err = does_something(t, s, result);
        else
            err = leat_task_within(t, (int64_t)(leat_i_rand_next(&s->random) % 3), does_something, s, NULL);
        if (err == LEAT_TIMEOUT && leat_i_task_check(t) == LEAT_OK) err = LEAT_OK; /* its own deadline: goes on */
    }
    leat_i_task_end_children(t, NULL);
    leat_sub_relaxed(s->live, 1);
    leat_add_relaxed(&s->forest->ended, 1);
    return err;
}

#define ROOTS 24

static void forest_run(uint32_t workers, bool virtual_clock, uint64_t random)
{
    struct forest forest = { .gate = leat_i_gate_new() };
    struct seed seed[ROOTS];
    LEAT_ATOMIC(int) live[ROOTS];
    leat_handle *h[ROOTS];
    leat_runtime *rt = runtime_with(workers, virtual_clock);
    assert_int_equal(leat_semaphore_new(&forest.semaphore, 3), LEAT_OK);
    for (int i = 0; i < ROOTS; i++) {
        leat_store_relaxed(&live[i], 0);
        seed[i] = (struct seed){ &forest, leat_i_rand_next(&random), 3, &live[i] };
        assert_int_equal(leat_task_submit(rt, grows, &seed[i], &h[i]), LEAT_OK);
    }
    for (int i = 0; i < ROOTS; i++) {
        if (leat_i_rand_next(&random) % 3 == 0) leat_handle_cancel(h[i]);
        if (leat_i_rand_next(&random) % 3) {
            leat_err err = leat_handle_wait(h[i], -1, NULL, NULL);
            assert_true(err == LEAT_OK || err == LEAT_CANCELED);
        }
        leat_handle_free(h[i]);
        assert_int_equal(leat_load_relaxed(&live[i]), 0);
    }
    assert_int_equal(leat_load_relaxed(&forest.begun), leat_load_relaxed(&forest.ended));
    assert_int_equal(leat_load_relaxed(&forest.permits), 0);
    leat_semaphore_free(forest.semaphore);
    leat_i_gate_free(forest.gate);
    leat_runtime_free(rt);
}

static void random_trees_come_to_an_end_in_virtual_time(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        for (uint64_t i = 0; i < ROUNDS(40); i++)
            forest_run(count, true, i * 1000 + count);
    }
}

static void random_trees_come_to_an_end_in_real_time(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        for (uint64_t i = 0; i < ROUNDS(20); i++)
            forest_run(count, false, i * 77 + count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_trees_come_to_an_end_in_virtual_time),
        cmocka_unit_test(random_trees_come_to_an_end_in_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
