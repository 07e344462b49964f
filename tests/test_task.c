/* test_task.c: starting, awaiting, failing and ending tasks, on real workers and on the virtual clock. */
#include "support_sched.h"

static leat_err add_one(leat_task *t, void *arg, const void **result)
{
    int *value = leat_task_alloc(t, sizeof *value);
    *value = *(int *)arg + 1;
    *result = value;
    return LEAT_OK;
}

static leat_err sum_children(leat_task *t, void *arg, const void **result)
{
    int inputs[100], *sum = arg;
    leat_future *f[100];
    (void)result;
    for (int i = 0; i < 100; i++) {
        inputs[i] = i;
        f[i] = leat_task_start(t, add_one, &inputs[i]);
    }
    LEAT_TRY(leat_await_all(t, f, 100));
    for (int i = 0; i < 100; i++) {
        const void *value = NULL;
        LEAT_TRY(leat_await(t, f[i], &value));
        *sum += *(const int *)value;
    }
    return LEAT_OK;
}

static void children_give_their_results(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        int sum = 0;
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, sum_children, &sum, NULL), LEAT_OK);
        assert_int_equal(sum, 5050);
        leat_runtime_free(rt);
    }
}

/* A tree: each node starts two children and awaits both. */
static leat_err tree(leat_task *t, void *arg, const void **result)
{
    intptr_t depth = (intptr_t)arg, sum = 1;
    if (depth > 0) {
        leat_future *left = leat_task_start(t, tree, (void *)(depth - 1));
        leat_future *right = leat_task_start(t, tree, (void *)(depth - 1));
        const void *value;
        LEAT_TRY(leat_await(t, left, &value));
        sum += (intptr_t)value;
        LEAT_TRY(leat_await(t, right, &value));
        sum += (intptr_t)value;
    }
    *result = (void *)sum;
    return LEAT_OK;
}

static void a_tree_of_tasks_adds_up(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        leat_handle *h;
        const void *value = NULL;
        assert_int_equal(leat_task_submit(rt, tree, (void *)(intptr_t)12, &h), LEAT_OK);
        assert_int_equal(leat_handle_wait(h, -1, &value, NULL), LEAT_OK);
        assert_int_equal((intptr_t)value, (1 << 13) - 1);
        leat_handle_free(h);
        leat_runtime_free(rt);
    }
}

static leat_err failing(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_task_fail(t, LEAT_INPUT, "line %d is odd", 7);
}

static leat_err failing_plainly(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_IO;
}

static leat_err passes_failure_on(leat_task *t, void *arg, const void **result)
{
    leat_future *f = leat_task_start(t, failing, arg);
    const void *untouched = &f;
    leat_err err = leat_await(t, f, &untouched);
    CHECK(err == LEAT_INPUT);
    CHECK(untouched == &f);
    CHECK(strcmp(leat_future_error(f)->text, "line 7 is odd") == 0);
    CHECK(leat_await(t, f, result) == LEAT_INPUT);
    return err;
}

static void a_failure_travels_with_its_story(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    leat_error error = { 0 };
    assert_int_equal(leat_task_run(rt, passes_failure_on, NULL, &error), LEAT_INPUT);
    assert_int_equal(error.code, LEAT_INPUT);
    assert_string_equal(error.text, "line 7 is odd");
    assert_int_equal(leat_task_run(rt, failing_plainly, NULL, &error), LEAT_IO);
    assert_int_equal(error.code, LEAT_IO);
    assert_string_equal(error.text, leat_err_sentence(LEAT_IO));
    leat_runtime_free(rt);
}

/* Children that nobody awaits are canceled and joined before the parent ends. */
struct orphans {
    LEAT_ATOMIC(int) begun;
    LEAT_ATOMIC(int) ended;
    LEAT_ATOMIC(int) canceled;
};

static leat_err sleeps_long(leat_task *t, void *arg, const void **result)
{
    struct orphans *o = arg;
    (void)result;
    leat_add_relaxed(&o->begun, 1);
    leat_err err = leat_sleep_ms(t, 3600 * 1000);
    if (err == LEAT_CANCELED) leat_add_relaxed(&o->canceled, 1);
    leat_add_relaxed(&o->ended, 1);
    return err;
}

static leat_err leaves_orphans(leat_task *t, void *arg, const void **result)
{
    (void)result;
    for (int i = 0; i < 10; i++)
        (void)leat_i_task_start(t, sleeps_long, arg, NULL);
    return leat_sleep_ms(t, 0);
}

static void what_a_task_started_has_ended_before_it_ends(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct orphans o = { 0 };
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, leaves_orphans, &o, NULL), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&o.ended), 10);
        assert_int_equal(leat_load_relaxed(&o.canceled), 10);
        leat_runtime_free(rt);
    }
}

/* Cancel goes down through tasks that wait for each other. What a child is given must outlive a parent's early return: the arena
 * does, the frame would not. */
struct chain {
    int depth;
    struct orphans *o;
};

static leat_err waits_for_child(leat_task *t, void *arg, const void **result)
{
    struct chain *c = arg, *next = leat_task_alloc(t, sizeof *next);
    *next = (struct chain){ c->depth - 1, c->o };
    leat_future *f = c->depth > 0 ? leat_task_start(t, waits_for_child, next) : leat_task_start(t, sleeps_long, c->o);
    leat_err err = leat_await(t, f, result);
    if (err == LEAT_CANCELED) leat_add_relaxed(&c->o->canceled, 1);
    return err;
}

static void cancel_goes_down_the_whole_tree(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct orphans o = { 0 };
        struct chain top = { 20, &o };
        leat_runtime *rt = runtime_with(count, false);
        leat_handle *h;
        assert_int_equal(leat_task_submit(rt, waits_for_child, &top, &h), LEAT_OK);
        /* Before the last one began the tree is not whole, and a task that never begins counts nothing. */
        while (leat_load_relaxed(&o.begun) == 0)
            assert_int_equal(leat_handle_wait(h, 1, NULL, NULL), LEAT_TIMEOUT);
        leat_handle_cancel(h);
        assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_CANCELED);
        assert_int_equal(leat_load_relaxed(&o.canceled), 22);
        leat_handle_free(h);
        leat_runtime_free(rt);
    }
}

static leat_err sleeps_and_measures(leat_task *t, void *arg, const void **result)
{
    int64_t *took_ns = arg, from_ns = leat_task_now_ns(t);
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, 86400 * 1000));
    *took_ns = leat_task_now_ns(t) - from_ns;
    return LEAT_OK;
}

static void the_virtual_clock_jumps_over_a_sleep(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        int64_t took_ns = 0;
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, sleeps_and_measures, &took_ns, NULL), LEAT_OK);
        assert_int_equal(took_ns, 86400 * LEAT_I_NS_PER_S);
        leat_runtime_free(rt);
    }
}

static leat_err runs_inside(leat_task *t, void *arg, const void **result)
{
    leat_handle *h;
    leat_runtime *rt = NULL;
    CHECK(leat_task_run(leat_task_runtime(t), failing, arg, NULL) == LEAT_USAGE);
    CHECK(leat_task_submit(leat_task_runtime(t), failing, arg, &h) == LEAT_USAGE);
    CHECK(!h);
    CHECK(leat_runtime_new(&rt, NULL) == LEAT_USAGE);
    (void)result;
    return LEAT_OK;
}

static void a_task_cannot_block_on_the_pool_it_runs_in(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    assert_int_equal(leat_task_run(rt, runs_inside, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_give_their_results),
        cmocka_unit_test(a_tree_of_tasks_adds_up),
        cmocka_unit_test(a_failure_travels_with_its_story),
        cmocka_unit_test(what_a_task_started_has_ended_before_it_ends),
        cmocka_unit_test(cancel_goes_down_the_whole_tree),
        cmocka_unit_test(the_virtual_clock_jumps_over_a_sleep),
        cmocka_unit_test(a_task_cannot_block_on_the_pool_it_runs_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
