/* test_for.c: the parallel loop covers each index exactly once, and stops when it is told to. */
#include "support_sched.h"

struct loop {
    size_t count;
    LEAT_ATOMIC(uint8_t) * seen;
    LEAT_ATOMIC(size_t) covered;
    LEAT_ATOMIC(uint32_t) calls;
    leat_err err;
    void (*hook)(struct loop *l, size_t index);
};

static void marks(void *arg, size_t begin, size_t end)
{
    struct loop *l = arg;
    CHECK(begin < end && end <= l->count);
    for (size_t i = begin; i < end; i++) {
        if (l->hook) l->hook(l, i);
        leat_add_relaxed(&l->seen[i], 1);
    }
    leat_add_relaxed(&l->covered, end - begin);
    leat_add_relaxed(&l->calls, 1);
}

static leat_err runs_loop(leat_task *t, void *arg, const void **result)
{
    struct loop *l = arg;
    (void)result;
    l->err = leat_for(t, l->count, marks, l);
    return LEAT_OK;
}

static struct loop loop_run(uint32_t workers, size_t count, void (*hook)(struct loop *l, size_t index))
{
    struct loop l = { .count = count, .seen = calloc(count ? count : 1, 1), .hook = hook };
    leat_runtime *rt = runtime_with(workers, false);
    assert_int_equal(leat_task_run(rt, runs_loop, &l, NULL), LEAT_OK);
    leat_runtime_free(rt);
    return l;
}

static void each_index_is_covered_once(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 2, 3, 7, 100, 1000, 65537, 3000000 };
    EACH_WORKER_COUNT(workers)
    {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            size_t count = sizes[s] > 65537 ? ROUNDS(sizes[s]) : sizes[s];
            struct loop l = loop_run(workers, count, NULL);
            assert_int_equal(l.err, LEAT_OK);
            assert_int_equal(leat_load_relaxed(&l.covered), count);
            for (size_t i = 0; i < count; i++)
                if (leat_load_relaxed(&l.seen[i]) != 1) fail_msg("index %zu of %zu: %d times", i, count, l.seen[i]);
            free((void *)l.seen);
        }
    }
}

static void spins(struct loop *l, size_t index)
{
    /* The later the dearer, with one giant: what halving alone splits badly. */
    size_t n = index == l->count - 1 ? 20000 : index / 4;
    for (size_t i = 0; i < n; i++)
        __asm__ volatile("");
}

static void uneven_items_are_covered_too(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct loop l = loop_run(workers, 5000, spins);
        assert_int_equal(leat_load_relaxed(&l.covered), 5000);
        for (size_t i = 0; i < 5000; i++)
            assert_int_equal(leat_load_relaxed(&l.seen[i]), 1);
        free((void *)l.seen);
    }
}

static void cheap_items_come_in_large_ranges(void **state)
{
    (void)state;
    struct loop l = loop_run(1, ROUNDS(10000000), NULL);
    assert_int_equal(leat_load_relaxed(&l.covered), l.count);
    assert_true(leat_load_relaxed(&l.calls) < l.count / 100);
    free((void *)l.seen);
}

static void ends_at_a_power_of_two(void *arg, size_t begin, size_t end)
{
    struct loop *l = arg;
    size_t step = end & (~end + 1); /* the largest power of two that divides it */
    if (end != l->count && end - begin > step) leat_add_relaxed(&l->calls, 1);
    leat_add_relaxed(&l->covered, end - begin);
}

static leat_err runs_aligned(leat_task *t, void *arg, const void **result)
{
    struct loop *l = arg;
    (void)result;
    return leat_for(t, l->count, ends_at_a_power_of_two, l);
}

static void blocks_end_where_lines_of_an_array_do(void **state)
{
    (void)state;
    struct loop l = { .count = 1000003 };
    leat_runtime *rt = runtime_with(1, false);
    assert_int_equal(leat_task_run(rt, runs_aligned, &l, NULL), LEAT_OK);
    leat_runtime_free(rt);
    assert_int_equal(leat_load_relaxed(&l.covered), l.count);
    assert_int_equal(leat_load_relaxed(&l.calls), 0);
}

/* ---- stopping ---- */

static leat_handle *loop_handle;
static LEAT_ATOMIC(uint32_t) loop_ready;

static void cancels_in_the_middle(struct loop *l, size_t index)
{
    if (index != l->count / 3) return;
    while (!leat_load_acquire(&loop_ready))
        leat_i_os_relax();
    leat_handle_cancel(loop_handle);
}

static void a_cancel_stops_handing_out_ranges(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct loop l = { .count = 1000000, .hook = cancels_in_the_middle };
        l.seen = calloc(l.count, 1);
        leat_runtime *rt = runtime_with(workers, false);
        leat_store_relaxed(&loop_ready, 0);
        assert_int_equal(leat_task_submit(rt, runs_loop, &l, &loop_handle), LEAT_OK);
        leat_store_release(&loop_ready, 1);
        assert_int_equal(leat_handle_wait(loop_handle, -1, NULL, NULL), LEAT_OK);
        leat_handle_free(loop_handle);
        leat_runtime_free(rt);
        assert_true(l.err == LEAT_CANCELED || (l.err == LEAT_OK && leat_load_relaxed(&l.covered) == l.count));
        if (workers == 1) assert_int_equal(l.err, LEAT_CANCELED);
        if (l.err != LEAT_OK) assert_true(leat_load_relaxed(&l.covered) < l.count);
        for (size_t i = 0; i < l.count; i++)
            assert_in_range(leat_load_relaxed(&l.seen[i]), 0, 1);
        free((void *)l.seen);
    }
}

static void takes_long(struct loop *l, size_t index)
{
    (void)l, (void)index;
    int64_t until_ns = leat_i_os_now_ns() + 10000;
    while (leat_i_os_now_ns() < until_ns)
        leat_i_os_relax();
}

static leat_err loop_within(leat_task *t, void *arg, const void **result)
{
    struct loop *l = arg;
    (void)result;
    return leat_for(t, l->count, marks, l);
}

static leat_err times_out(leat_task *t, void *arg, const void **result)
{
    return leat_task_within(t, 5, loop_within, arg, result);
}

static void a_deadline_stops_it(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct loop l = { .count = 10000000, .hook = takes_long };
        l.seen = calloc(l.count, 1);
        leat_runtime *rt = runtime_with(workers, false);
        assert_int_equal(leat_task_run(rt, times_out, &l, NULL), LEAT_TIMEOUT);
        leat_runtime_free(rt);
        assert_in_range(leat_load_relaxed(&l.covered), 1, l.count - 1);
        free((void *)l.seen);
    }
}

/* ---- loops beside loops and other tasks ---- */

static leat_err starts_loops(leat_task *t, void *arg, const void **result)
{
    struct loop *l = arg;
    leat_future *f[8];
    (void)result;
    for (int i = 0; i < 8; i++)
        f[i] = leat_task_start(t, runs_loop, &l[i]);
    LEAT_TRY(runs_loop(t, &l[8], NULL)); /* with the others' tasks below it in the deque */
    return leat_await_all(t, f, 8);
}

static void many_loops_run_side_by_side(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct loop l[9];
        leat_runtime *rt = runtime_with(workers, false);
        for (int i = 0; i < 9; i++)
            l[i] = (struct loop){ .count = ROUNDS(200000), .seen = calloc(ROUNDS(200000), 1) };
        assert_int_equal(leat_task_run(rt, starts_loops, l, NULL), LEAT_OK);
        for (int i = 0; i < 9; i++) {
            assert_int_equal(l[i].err, LEAT_OK);
            assert_int_equal(leat_load_relaxed(&l[i].covered), l[i].count);
            free((void *)l[i].seen);
        }
        leat_runtime_free(rt);
    }
}

static leat_err loop_without_memory(leat_task *t, void *arg, const void **result)
{
    leat_i_mem_fail_after(1, true);
    leat_err err = runs_loop(t, arg, result);
    leat_i_mem_fail_after(0, false);
    CHECK(leat_for(t, 1, NULL, NULL) == LEAT_USAGE);
    return err;
}

static void without_memory_it_is_a_plain_loop(void **state)
{
    (void)state;
    struct loop l = { .count = 100000, .seen = calloc(100000, 1) };
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, loop_without_memory, &l, NULL), LEAT_OK);
    assert_int_equal(l.err, LEAT_OK);
    assert_int_equal(leat_load_relaxed(&l.covered), l.count);
    leat_runtime_free(rt);
    free((void *)l.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_index_is_covered_once),        cmocka_unit_test(uneven_items_are_covered_too),
        cmocka_unit_test(cheap_items_come_in_large_ranges),  cmocka_unit_test(blocks_end_where_lines_of_an_array_do),
        cmocka_unit_test(a_cancel_stops_handing_out_ranges), cmocka_unit_test(a_deadline_stops_it),
        cmocka_unit_test(many_loops_run_side_by_side),       cmocka_unit_test(without_memory_it_is_a_plain_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
