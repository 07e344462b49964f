/* test_semaphore.c: never more than the permits, in order, and none is lost when an acquire is stopped. */
#include "support_sched.h"

#include <pthread.h>

struct world {
    leat_semaphore *semaphore;
    LEAT_ATOMIC(int) inside, most, got, stopped;
    int order[64], order_count;
    int sleep_ms;
};

static void note_inside(struct world *w, int change)
{
    int now = leat_add_acq_rel(&w->inside, change) + change;
    int most = leat_load_relaxed(&w->most);
    while (now > most && !leat_cas_relaxed(&w->most, &most, now))
        ;
}

static leat_err acquires(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    for (int i = 0; i < 20; i++) {
        LEAT_TRY(leat_semaphore_acquire(t, w->semaphore));
        note_inside(w, 1);
        LEAT_TRY(leat_sleep_ms(t, i % 3));
        note_inside(w, -1);
        leat_semaphore_release(w->semaphore);
        leat_add_relaxed(&w->got, 1);
    }
    return LEAT_OK;
}

static leat_err many_acquire(leat_task *t, void *arg, const void **result)
{
    leat_future *f[50];
    (void)result;
    for (int i = 0; i < 50; i++)
        f[i] = leat_task_start(t, acquires, arg);
    return leat_await_all(t, f, 50);
}

static void never_more_than_the_permits_are_out(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { 0 };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_semaphore_new(&w.semaphore, 3), LEAT_OK);
        assert_int_equal(leat_task_run(rt, many_acquire, &w, NULL), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&w.got), 1000);
        assert_int_equal(leat_load_relaxed(&w.most), 3);
        leat_semaphore_free(w.semaphore);
        leat_runtime_free(rt);
    }
}

struct comer {
    struct world *world;
    int index;
};

static leat_err comes_in_turn(leat_task *t, void *arg, const void **result)
{
    struct comer *c = arg;
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, c->index));
    LEAT_TRY(leat_semaphore_acquire(t, c->world->semaphore));
    c->world->order[c->world->order_count++] = c->index; /* one permit: no two are here */
    LEAT_TRY(leat_sleep_ms(t, 100));
    leat_semaphore_release(c->world->semaphore);
    return LEAT_OK;
}

static leat_err all_come_in_turn(leat_task *t, void *arg, const void **result)
{
    struct comer *c = leat_task_alloc(t, 64 * sizeof *c);
    leat_future *f[64];
    (void)result;
    for (int i = 0; i < 64; i++) {
        c[i] = (struct comer){ arg, i };
        f[i] = leat_task_start(t, comes_in_turn, &c[i]);
    }
    return leat_await_all(t, f, 64);
}

static void permits_go_out_in_the_order_of_asking(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { 0 };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_semaphore_new(&w.semaphore, 1), LEAT_OK);
        assert_int_equal(leat_task_run(rt, all_come_in_turn, &w, NULL), LEAT_OK);
        for (int i = 0; i < 64; i++)
            assert_int_equal(w.order[i], i);
        leat_semaphore_free(w.semaphore);
        leat_runtime_free(rt);
    }
}

/* Of three that come two have no patience: they leave from the front, the middle and the end of the line, while it moves and while it grows. */
static leat_err comes_and_may_leave(leat_task *t, void *arg, const void **result)
{
    struct comer *c = arg;
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, c->index));
    if (c->index % 3 != 1) t->attempt_deadline_ns = leat_task_now_ns(t) + (5 + c->index * 7 % 40) * LEAT_I_NS_PER_MS;
    leat_err err = leat_semaphore_acquire(t, c->world->semaphore);
    t->attempt_deadline_ns = LEAT_I_NEVER_NS;
    if (err != LEAT_OK) {
        leat_add_relaxed(&c->world->stopped, 1);
        return err == LEAT_TIMEOUT ? LEAT_OK : err;
    }
    c->world->order[c->world->order_count++] = c->index;
    LEAT_TRY(leat_sleep_ms(t, 6));
    leat_semaphore_release(c->world->semaphore);
    return LEAT_OK;
}

static leat_err all_come_and_may_leave(leat_task *t, void *arg, const void **result)
{
    struct comer *c = leat_task_alloc(t, 64 * sizeof *c);
    leat_future *f[64];
    (void)result;
    for (int i = 0; i < 64; i++) {
        c[i] = (struct comer){ arg, i };
        f[i] = leat_task_start(t, comes_and_may_leave, &c[i]);
    }
    LEAT_TRY(leat_await_all(t, f, 64));
    return leat_semaphore_acquire(t, c[0].world->semaphore); /* The permit is back. */
}

static void who_leaves_the_line_leaves_the_others_in_order(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { 0 };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_semaphore_new(&w.semaphore, 1), LEAT_OK);
        assert_int_equal(leat_task_run(rt, all_come_and_may_leave, &w, NULL), LEAT_OK);
        assert_int_equal(w.order_count + leat_load_relaxed(&w.stopped), 64);
        assert_in_range(leat_load_relaxed(&w.stopped), 10, 45);
        for (int i = 1; i < w.order_count; i++)
            assert_true(w.order[i - 1] < w.order[i]);
        leat_semaphore_free(w.semaphore);
        leat_runtime_free(rt);
    }
}

/* Acquires that are stopped by a deadline at the very moment when permits come back. */
static leat_err acquires_in_vain(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    for (int i = 0; i < 50; i++) {
        t->attempt_deadline_ns = leat_task_now_ns(t) + (i % 7) * 10000;
        leat_err err = leat_semaphore_acquire(t, w->semaphore);
        t->attempt_deadline_ns = LEAT_I_NEVER_NS;
        leat_add_relaxed(err == LEAT_OK ? &w->got : &w->stopped, 1);
        if (err != LEAT_OK) {
            CHECK(err == LEAT_TIMEOUT);
            continue;
        }
        note_inside(w, 1);
        (void)leat_i_park(t, leat_task_now_ns(t) + 10000);
        note_inside(w, -1);
        leat_semaphore_release(w->semaphore);
    }
    return LEAT_OK;
}

static leat_err many_acquire_in_vain(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    leat_future *f[40];
    (void)result;
    for (int i = 0; i < 40; i++)
        f[i] = leat_task_start(t, acquires_in_vain, arg);
    LEAT_TRY(leat_await_all(t, f, 40));
    for (int i = 0; i < 2; i++) /* All permits are back, and no more. */
        LEAT_TRY(leat_semaphore_acquire(t, w->semaphore));
    t->attempt_deadline_ns = leat_task_now_ns(t) + LEAT_I_NS_PER_MS;
    CHECK(leat_semaphore_acquire(t, w->semaphore) == LEAT_TIMEOUT);
    return LEAT_OK;
}

static void no_permit_is_lost_when_acquires_are_stopped(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { 0 };
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_semaphore_new(&w.semaphore, 2), LEAT_OK);
        assert_int_equal(leat_task_run(rt, many_acquire_in_vain, &w, NULL), LEAT_OK);
        assert_in_range(leat_load_relaxed(&w.most), 1, 2);
        assert_int_equal(leat_load_relaxed(&w.got) + leat_load_relaxed(&w.stopped), 2000);
        leat_semaphore_free(w.semaphore);
        leat_runtime_free(rt);
    }
}

static leat_err acquires_100(leat_task *t, void *arg, const void **result)
{
    (void)result;
    for (int i = 0; i < 100; i++)
        LEAT_TRY(leat_semaphore_acquire(t, arg));
    return LEAT_OK;
}

static void any_thread_may_release(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    leat_semaphore *s;
    leat_handle *h;
    assert_int_equal(leat_semaphore_new(&s, 0), LEAT_OK);
    assert_int_equal(leat_task_submit(rt, acquires_100, s, &h), LEAT_OK);
    for (int i = 0; i < 100; i++)
        leat_semaphore_release(s);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_runtime_free(rt);
    leat_semaphore_free(s);
}

static void wrong_counts_and_short_memory_are_refused(void **state)
{
    (void)state;
    leat_semaphore *s = (leat_semaphore *)state;
    assert_int_equal(leat_semaphore_new(&s, (uint32_t)INT32_MAX + 1), LEAT_USAGE);
    assert_int_equal(leat_semaphore_new(NULL, 1), LEAT_USAGE);
    assert_null(s);
    assert_int_equal(leat_semaphore_new(&s, INT32_MAX), LEAT_OK);
    leat_semaphore_free(s);
    leat_i_mem_fail_after(1, false);
    assert_int_equal(leat_semaphore_new(&s, 1), LEAT_NOMEM);
    leat_i_mem_fail_after(0, false);
    assert_null(s);
    leat_semaphore_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_more_than_the_permits_are_out),
        cmocka_unit_test(permits_go_out_in_the_order_of_asking),
        cmocka_unit_test(who_leaves_the_line_leaves_the_others_in_order),
        cmocka_unit_test(no_permit_is_lost_when_acquires_are_stopped),
        cmocka_unit_test(any_thread_may_release),
        cmocka_unit_test(wrong_counts_and_short_memory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
