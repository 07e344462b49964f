/* test_blocking.c: C code that blocks runs on helper threads, and the task waits for it whatever happens. */
#include "support_sched.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

struct world {
    LEAT_ATOMIC(int) inside, most, done;
    LEAT_ATOMIC(uint32_t) release;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int arrived, wanted;
};

static leat_err meets(void *arg)
{
    /* Returns only when `wanted` are here at once: they really are on threads of their own. */
    struct world *w = arg;
    pthread_mutex_lock(&w->mutex);
    w->arrived++;
    pthread_cond_broadcast(&w->cond);
    while (w->arrived < w->wanted)
        pthread_cond_wait(&w->cond, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
    return LEAT_OK;
}

static leat_err blocks_to_meet(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_blocking(t, meets, arg);
}

static leat_err all_meet(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    leat_future *f[32];
    (void)result;
    for (int i = 0; i < w->wanted; i++)
        f[i] = leat_task_start(t, blocks_to_meet, w);
    return leat_await_all(t, f, (size_t)w->wanted);
}

static void calls_that_block_do_so_side_by_side(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { .wanted = 32, .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, all_meet, &w, NULL), LEAT_OK);
        assert_int_equal(w.arrived, 32);
        leat_runtime_free(rt);
    }
}

static leat_err naps(void *arg)
{
    struct world *w = arg;
    int now = leat_add_acq_rel(&w->inside, 1) + 1, most = leat_load_relaxed(&w->most);
    while (now > most && !leat_cas_relaxed(&w->most, &most, now))
        ;
    nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    leat_sub_acq_rel(&w->inside, 1);
    leat_add_relaxed(&w->done, 1);
    return LEAT_IO;
}

static leat_err blocks_to_nap(leat_task *t, void *arg, const void **result)
{
    (void)result;
    for (int i = 0; i < 5; i++)
        CHECK(leat_blocking(t, naps, arg) == LEAT_IO); /* what fn returned */
    return LEAT_OK;
}

static leat_err all_nap(leat_task *t, void *arg, const void **result)
{
    leat_future *f[20];
    (void)result;
    for (int i = 0; i < 20; i++)
        f[i] = leat_task_start(t, blocks_to_nap, arg);
    return leat_await_all(t, f, 20);
}

static void no_more_threads_than_allowed(void **state)
{
    (void)state;
    struct world w = { 0 };
    leat_runtime *rt;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2, .blocking_max = 3 }), LEAT_OK);
    assert_int_equal(leat_task_run(rt, all_nap, &w, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&w.done), 100);
    assert_in_range(leat_load_relaxed(&w.most), 1, 3);
    leat_runtime_free(rt);
}

static leat_err blocks_until_released(void *arg)
{
    struct world *w = arg;
    leat_add_acq_rel(&w->inside, 1);
    while (!leat_load_acquire(&w->release))
        sched_yield();
    leat_add_acq_rel(&w->done, 1);
    return LEAT_OK;
}

static leat_err blocks_under_cancel(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    CHECK(leat_blocking(t, blocks_until_released, w) == LEAT_OK); /* what fn returned, and not before it did */
    CHECK(leat_load_acquire(&w->done) == 1);
    CHECK(leat_blocking(t, blocks_until_released, w) == LEAT_CANCELED); /* nothing new begins */
    CHECK(leat_load_acquire(&w->done) == 1);
    return LEAT_OK;
}

static void a_cancel_waits_for_the_call_to_return(void **state)
{
    (void)state;
    struct world w = { 0 };
    leat_handle *h;
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_submit(rt, blocks_under_cancel, &w, &h), LEAT_OK);
    while (!leat_load_acquire(&w.inside))
        sched_yield();
    leat_handle_cancel(h);
    assert_int_equal(leat_handle_wait(h, 3, NULL, NULL), LEAT_TIMEOUT);
    leat_store_release(&w.release, 1);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_runtime_free(rt);
}

static LEAT_ATOMIC(int) threads_allowed;

static int few_threads(const char *call)
{
    if (strcmp(call, "pthread_create") != 0) return 0;
    return leat_sub_relaxed(&threads_allowed, 1) > 0 ? 0 : -EAGAIN;
}

static void without_threads_it_says_so_or_makes_do(void **state)
{
    (void)state;
    struct world w = { .wanted = 1, .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
    leat_store_relaxed(&threads_allowed, 2);
    leat_i_os_fault = few_threads; /* Set while there are no threads that read it. */
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, blocks_to_meet, &w, NULL), LEAT_NOMEM);
    leat_store_relaxed(&threads_allowed, 1);
    assert_int_equal(leat_task_run(rt, all_nap, &w, NULL), LEAT_OK); /* one thread serves all */
    assert_int_equal(leat_load_relaxed(&w.most), 1);
    assert_int_equal(leat_load_relaxed(&w.done), 100);
    leat_runtime_free(rt);
    leat_i_os_fault = NULL;
}

/* While a helper thread works, the virtual clock stands still. */
static leat_err sleeps_a_little(leat_task *t, void *arg, const void **result)
{
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, 1));
    *(int64_t *)arg = leat_task_now_ns(t);
    return LEAT_OK;
}

static leat_err sleeps_a_real_while(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
    return LEAT_OK;
}

static leat_err blocks_and_sleeps(leat_task *t, void *arg, const void **result)
{
    int64_t *woke_ns = leat_task_alloc(t, sizeof *woke_ns), from_ns = leat_task_now_ns(t);
    (void)arg, (void)result;
    leat_future *f = leat_task_start(t, sleeps_a_little, woke_ns);
    LEAT_TRY(leat_blocking(t, sleeps_a_real_while, NULL));
    CHECK(!leat_future_is_done(f));
    CHECK(leat_task_now_ns(t) == from_ns);
    LEAT_TRY(leat_await(t, f, NULL));
    CHECK(*woke_ns == from_ns + LEAT_I_NS_PER_MS);
    return LEAT_OK;
}

static void the_virtual_clock_waits_for_helper_threads(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, blocks_and_sleeps, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_block_do_so_side_by_side),
        cmocka_unit_test(no_more_threads_than_allowed),
        cmocka_unit_test(a_cancel_waits_for_the_call_to_return),
        cmocka_unit_test(without_threads_it_says_so_or_makes_do),
        cmocka_unit_test(the_virtual_clock_waits_for_helper_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
