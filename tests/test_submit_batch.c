/* test_submit_batch.c: tasks submitted together: each element once, one handle for all, and a cancel that reaches all of them. */
#include "support_sched.h"

#include <pthread.h>

struct element {
    LEAT_ATOMIC(uint32_t) begun, ended;
    uint32_t index;
    LEAT_ATOMIC(uint32_t) * shared;
};

static struct element *elements_new(size_t count, LEAT_ATOMIC(uint32_t) * shared)
{
    struct element *e = calloc(count ? count : 1, sizeof *e);
    assert_non_null(e);
    for (size_t i = 0; i < count; i++) {
        e[i].index = (uint32_t)i;
        e[i].shared = shared;
    }
    return e;
}

static leat_err nothing(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

/* Ends at once, suspends, or starts a child and waits for it. */
static leat_err mixed(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    leat_add_relaxed(&e->begun, 1);
    *result = leat_task_printf(t, "element %u", e->index);
    if (e->index % 4 == 1) LEAT_TRY(leat_sleep_ms(t, e->index % 3));
    if (e->index % 4 == 2) LEAT_TRY(leat_await(t, leat_task_start(t, nothing, NULL), NULL));
    leat_add_relaxed(&e->ended, 1);
    return LEAT_OK;
}

static void each_element_has_its_task(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 3, 17, 1000, 20000 };
    (void)state;
    int64_t live = leat_i_mem_live_count();
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            leat_handle *h;
            const void *result = rt;
            struct element *e = elements_new(counts[i], NULL);
            assert_int_equal(leat_task_submit_batch(rt, mixed, e, sizeof *e, counts[i], &h), LEAT_OK);
            assert_int_equal(leat_handle_wait(h, -1, &result, NULL), LEAT_OK);
            assert_null(result);
            leat_handle_free(h);
            for (size_t k = 0; k < counts[i]; k++)
                assert_true(leat_load_relaxed(&e[k].begun) == 1 && leat_load_relaxed(&e[k].ended) == 1);
            free(e);
        }
        leat_runtime_free(rt);
    }
    assert_int_equal(leat_i_mem_live_count(), live);
}

static leat_err adds(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    leat_add_relaxed((LEAT_ATOMIC(uint32_t) *)arg, 1);
    return LEAT_OK;
}

/* Submits them, waits for the end of all, and expects it to be good. */
static void batch_run(leat_runtime *rt, leat_task_fn fn, void *args, size_t arg_bytes, size_t count)
{
    leat_handle *h;
    assert_int_equal(leat_task_submit_batch(rt, fn, args, arg_bytes, count, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
}

static void all_may_get_the_same_argument(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    LEAT_ATOMIC(uint32_t) sum = 0;
    batch_run(rt, adds, (void *)&sum, 0, 5000);
    assert_int_equal(leat_load_relaxed(&sum), 5000);
    leat_runtime_free(rt);
}

/* ---- they do not wait for each other ---- */

/* All items of a batch suspend at once: the last one to come lets them go on. */
static leat_err meets(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    (void)result;
    leat_add_acq_rel(e->shared, 1);
    while (leat_load_acquire(e->shared) < 300)
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static void who_suspends_holds_nobody_back(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        LEAT_ATOMIC(uint32_t) here = 0;
        struct element *e = elements_new(300, &here);
        batch_run(rt, meets, e, sizeof *e, 300);
        leat_runtime_free(rt);
        free(e);
    }
}

/* Holds its worker, without a suspension, until the other one has begun on another. */
static leat_err holds(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    (void)t, (void)result;
    leat_add_acq_rel(e->shared, 1);
    while (leat_load_acquire(e->shared) < 2)
        leat_i_os_relax();
    return LEAT_OK;
}

static void who_computes_holds_nobody_back_while_a_worker_is_idle(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    for (int round = 0; round < ROUNDS(500); round++) {
        LEAT_ATOMIC(uint32_t) here = 0;
        struct element *e = elements_new(2, &here);
        batch_run(rt, holds, e, sizeof *e, 2);
        free(e);
    }
    leat_runtime_free(rt);
}

/* Goes on until the batch behind `arg` is done: the worker always has something else to do. */
static leat_err yields_until_done(leat_task *t, void *arg, const void **result)
{
    (void)result;
    while (!leat_handle_is_done(arg))
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static void the_end_is_told_though_the_workers_are_never_idle(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        for (int round = 0; round < 50; round++) {
            leat_handle *h, *other;
            LEAT_ATOMIC(uint32_t) sum = 0;
            assert_int_equal(leat_task_submit_batch(rt, adds, (void *)&sum, 0, 200, &h), LEAT_OK);
            assert_int_equal(leat_task_submit(rt, yields_until_done, h, &other), LEAT_OK);
            assert_int_equal(leat_handle_wait(other, -1, NULL, NULL), LEAT_OK);
            assert_int_equal(leat_load_relaxed(&sum), 200);
            leat_handle_free(other);
            leat_handle_free(h);
        }
        leat_runtime_free(rt);
    }
}

/* ---- errors ---- */

static leat_err some_fail(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    leat_err err = mixed(t, arg, result);
    return err == LEAT_OK && e->index >= 40 && e->index % 7 == 0 ? leat_task_fail(t, LEAT_IO, "element %u", e->index) : err;
}

static void the_error_is_that_of_the_lowest_index_and_stops_nobody(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        leat_runtime *rt = runtime_with(workers, false);
        leat_handle *h;
        leat_error error = { 0 };
        struct element *e = elements_new(500, NULL);
        assert_int_equal(leat_task_submit_batch(rt, some_fail, e, sizeof *e, 500, &h), LEAT_OK);
        assert_int_equal(leat_handle_wait(h, -1, NULL, &error), LEAT_IO);
        assert_int_equal(error.code, LEAT_IO);
        assert_string_equal(error.text, "element 42");
        leat_handle_free(h);
        for (size_t i = 0; i < 500; i++)
            assert_int_equal(leat_load_relaxed(&e[i].ended), 1);
        leat_runtime_free(rt);
        free(e);
    }
}

static leat_err submits_inside(leat_task *t, void *arg, const void **result)
{
    leat_handle *h = arg;
    (void)result;
    CHECK(leat_task_submit_batch(leat_task_runtime(t), adds, NULL, 0, 0, &h) == LEAT_USAGE && !h);
    return LEAT_OK;
}

static void wrong_calls_and_short_memory_are_told(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    int64_t live = leat_i_mem_live_count();
    LEAT_ATOMIC(uint32_t) sum = 0;
    leat_handle *h = (leat_handle *)rt;
    assert_int_equal(leat_task_submit_batch(NULL, adds, (void *)&sum, 0, 1, &h), LEAT_USAGE);
    assert_null(h);
    assert_int_equal(leat_task_submit_batch(rt, NULL, (void *)&sum, 0, 1, &h), LEAT_USAGE);
    assert_int_equal(leat_task_submit_batch(rt, adds, NULL, 8, 1, &h), LEAT_USAGE);
    assert_int_equal(leat_task_submit_batch(rt, adds, (void *)&sum, 8, SIZE_MAX / 4, &h), LEAT_USAGE);
    assert_int_equal(leat_task_run(rt, submits_inside, NULL, NULL), LEAT_OK);
    uint64_t failures = 0;
    for (leat_err err = LEAT_NOMEM; err == LEAT_NOMEM; failures++) {
        leat_i_mem_fail_after(failures + 1, true);
        err = leat_task_submit_batch(rt, adds, (void *)&sum, 0, 100, &h);
        if (err == LEAT_OK) err = leat_handle_wait(h, -1, NULL, NULL); /* Halving lanes may fail, and nothing else. */
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_OK || (err == LEAT_NOMEM && !h));
    }
    assert_true(failures > 3);
    assert_int_equal(leat_load_relaxed(&sum), 100);
    leat_handle_free(h);
    leat_runtime_free(rt);
    assert_true(leat_i_mem_live_count() <= live);
}

/* ---- the end before the end ---- */

static leat_err grandchild(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 3600000);
}

/* An odd element waits by itself, an even one for a task that it has started. */
static leat_err waits_long(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    (void)result;
    leat_add_acq_rel(&e->begun, 1);
    leat_add_acq_rel(e->shared, 1);
    leat_err err = e->index % 2 ? leat_sleep_ms(t, 3600000) : leat_await(t, leat_task_start(t, grandchild, NULL), NULL);
    leat_add_acq_rel(&e->ended, 1);
    return err;
}

/* Canceled after `begun` items have begun: all that have begun end, and none begins any more. */
static void cancel_after(uint32_t workers, uint32_t begun, bool let_go)
{
    leat_runtime *rt = runtime_with(workers, false);
    LEAT_ATOMIC(uint32_t) here = 0;
    struct element *e = elements_new(1000, &here);
    leat_handle *h;
    leat_error error = { 0 };
    assert_int_equal(leat_task_submit_batch(rt, waits_long, e, sizeof *e, 1000, &h), LEAT_OK);
    while (leat_load_acquire(&here) < begun)
        leat_i_os_relax();
    if (!let_go) {
        leat_handle_cancel(h);
        assert_int_equal(leat_handle_wait(h, -1, NULL, &error), LEAT_CANCELED);
        assert_int_equal(error.code, LEAT_CANCELED);
    }
    leat_handle_free(h);
    uint32_t sum = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(leat_load_acquire(&e[i].begun), leat_load_acquire(&e[i].ended));
        sum += leat_load_acquire(&e[i].begun);
    }
    assert_int_equal(sum, leat_load_acquire(&here));
    leat_runtime_free(rt);
    free(e);
}

static void a_cancel_stops_all_that_wait_and_lets_no_more_begin(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        uint32_t rounds = ROUNDS(20);
        for (uint32_t round = 0; round < rounds; round++)
            cancel_after(workers, round * (1000 / rounds), round % 2);
        cancel_after(workers, 1000, false);
    }
}

static leat_err looks_whether_to_stop(leat_task *t, void *arg, const void **result)
{
    struct element *e = arg;
    (void)result;
    leat_add_acq_rel(e->shared, 1);
    while (!leat_task_is_canceled(t))
        leat_i_os_relax();
    return LEAT_CANCELED;
}

static void a_cancel_is_seen_by_who_computes(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    LEAT_ATOMIC(uint32_t) here = 0;
    struct element *e = elements_new(2, &here);
    leat_handle *h;
    assert_int_equal(leat_task_submit_batch(rt, looks_whether_to_stop, e, sizeof *e, 2, &h), LEAT_OK);
    while (!leat_load_acquire(&here))
        leat_i_os_relax();
    leat_handle_cancel(h);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_CANCELED);
    leat_handle_free(h);
    leat_runtime_free(rt);
    free(e);
}

static leat_err waits_for_ever(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_add_relaxed((LEAT_ATOMIC(uint32_t) *)arg, 1);
    return leat_sleep_ms(t, INT64_MAX);
}

static void counts_warnings(void *arg, leat_log_level level, const char *text)
{
    (void)text;
    if (level <= LEAT_LOG_WARNING) leat_add_relaxed((LEAT_ATOMIC(uint32_t) *)arg, 1);
}

/* All have ended when the runtime is freed, though the head may not know it yet: there is nothing to complain of. */
static void without_a_handle_the_end_of_the_runtime_joins_them(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        LEAT_ATOMIC(uint32_t) sum = 0, warnings = 0;
        leat_runtime *rt = NULL;
        leat_runtime_opts opts = { .worker_count = workers, .log = counts_warnings, .log_arg = (void *)&warnings };
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        int64_t live = leat_i_mem_live_count();
        assert_int_equal(leat_task_submit_batch(rt, adds, (void *)&sum, 0, 0, NULL), LEAT_OK);
        assert_int_equal(leat_task_submit_batch(rt, adds, (void *)&sum, 0, 700, NULL), LEAT_OK);
        while (leat_load_acquire(&sum) < 700)
            leat_i_os_relax();
        leat_runtime_free(rt);
        assert_int_equal(leat_load_acquire(&sum), 700);
        assert_int_equal(leat_load_relaxed(&warnings), 0);
        assert_true(leat_i_mem_live_count() <= live);
    }
}

static void without_a_handle_the_end_of_the_runtime_cancels_who_waits(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        LEAT_ATOMIC(uint32_t) warnings = 0;
        leat_runtime *rt = NULL;
        leat_runtime_opts opts = { .worker_count = workers, .log = counts_warnings, .log_arg = (void *)&warnings };
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        LEAT_ATOMIC(uint32_t) waiting = 0;
        assert_int_equal(leat_task_submit_batch(rt, waits_for_ever, (void *)&waiting, 0, 20, NULL), LEAT_OK);
        while (leat_load_acquire(&waiting) < 20)
            leat_i_os_relax();
        leat_runtime_free(rt);
        assert_int_equal(leat_load_relaxed(&warnings), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_has_its_task),
        cmocka_unit_test(all_may_get_the_same_argument),
        cmocka_unit_test(who_suspends_holds_nobody_back),
        cmocka_unit_test(who_computes_holds_nobody_back_while_a_worker_is_idle),
        cmocka_unit_test(the_end_is_told_though_the_workers_are_never_idle),
        cmocka_unit_test(the_error_is_that_of_the_lowest_index_and_stops_nobody),
        cmocka_unit_test(wrong_calls_and_short_memory_are_told),
        cmocka_unit_test(a_cancel_stops_all_that_wait_and_lets_no_more_begin),
        cmocka_unit_test(a_cancel_is_seen_by_who_computes),
        cmocka_unit_test(without_a_handle_the_end_of_the_runtime_joins_them),
        cmocka_unit_test(without_a_handle_the_end_of_the_runtime_cancels_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
