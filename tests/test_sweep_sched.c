/* test_sweep_sched.c: memory and system fail at every place in the life of a runtime and of all that its tasks may wait for. */
#include "support/sweep.h"

#include <poll.h>
#include <stdio.h>

#include "base/atomics.h"
#include "leat/fork.h"
#include "leat/task.h"

static leat_err child(leat_task *t, void *arg, const void **result)
{
    if (arg) LEAT_TRY(leat_sleep_ms(t, (int64_t)(uintptr_t)arg % 3));
    *result = leat_task_printf(t, "child %u", (unsigned)(uintptr_t)arg);
    return LEAT_OK;
}

static leat_err sleeps_long(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 1000000);
}

static leat_err blocks(void *arg)
{
    (void)arg;
    return LEAT_OK;
}

static void touches(void *arg, size_t begin, size_t end)
{
    leat_add_relaxed((LEAT_ATOMIC(size_t) *)arg, end - begin);
}

static leat_err futures(leat_task *t)
{
    leat_future *f[100]; /* more than one slab of stacks */
    size_t index;
    for (size_t i = 0; i < 100; i++)
        f[i] = leat_task_start(t, child, (void *)(uintptr_t)i);
    LEAT_TRY(leat_await_any(t, f, 100, &index));
    LEAT_TRY(leat_await_all(t, f, 100));
    (void)leat_task_start(t, sleeps_long, NULL); /* canceled and joined by the end */
    leat_future *canceled = leat_task_start(t, sleeps_long, NULL);
    leat_future_cancel(canceled);
    leat_err err = leat_await(t, canceled, NULL);
    if (err != LEAT_CANCELED) return err;
    err = leat_task_within(t, 5, sleeps_long, NULL, NULL);
    return err == LEAT_TIMEOUT ? LEAT_OK : err;
}

static leat_err all_kinds(leat_task *t, void *arg, const void **result)
{
    leat_semaphore *s = arg;
    LEAT_ATOMIC(size_t) covered = 0;
    (void)result;
    LEAT_TRY(futures(t));
    LEAT_TRY(leat_semaphore_acquire(t, s));
    leat_semaphore_release(s);
    LEAT_TRY(leat_for(t, 10000, touches, (void *)&covered));
    if (leat_load_relaxed(&covered) != 10000) return LEAT_USER;
    LEAT_TRY(leat_blocking(t, blocks, NULL));
    (void)leat_task_fail(t, LEAT_USER, "a sentence");
    return leat_task_alloc(t, 100000) ? LEAT_OK : LEAT_NOMEM;
}

static void done(void *arg)
{
    leat_store_release((LEAT_ATOMIC(uint32_t) *)arg, 1);
}

/* A handle in all its ways, the descriptor too where there is one. */
static leat_err with_handle(leat_runtime *rt)
{
    leat_handle *h = NULL;
    LEAT_ATOMIC(uint32_t) called = 0;
    leat_error error = { .code = LEAT_OK };
    LEAT_TRY(leat_task_submit(rt, child, (void *)(uintptr_t)4, &h));
    leat_err err = leat_handle_on_done(h, done, (void *)&called);
    int fd = leat_handle_fd(h);
    if (err == LEAT_OK && fd >= 0) (void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
    if (err == LEAT_OK) err = leat_handle_wait(h, -1, NULL, &error);
    if (err != LEAT_OK && error.code != err) err = LEAT_USER; /* the story must be that of the error */
    leat_handle_free(h);
    return leat_load_acquire(&called) ? err : LEAT_USER;
}

static leat_err scenario(void *arg)
{
    leat_runtime *rt = NULL;
    leat_semaphore *s = NULL;
    leat_runtime_opts opts = { .worker_count = *(uint32_t *)arg, .virtual_clock = true };
    leat_err err = leat_runtime_new(&rt, &opts);
    if (err != LEAT_OK) return rt ? LEAT_USER : err;
    err = leat_semaphore_new(&s, 1);
    if (err == LEAT_OK) err = leat_task_run(rt, all_kinds, s, NULL);
    if (err == LEAT_OK) err = with_handle(rt);
    leat_semaphore_free(s);
    leat_runtime_free(rt);
    return err;
}

static void a_runtime_with_one_worker(void **state)
{
    uint32_t workers = 1;
    (void)state;
    sweep_run(&(sweep){ .name = "one worker", .fn = scenario, .arg = &workers, .may = SWEEP_NOMEM });
}

static void a_runtime_with_three_workers(void **state)
{
    uint32_t workers = 3;
    (void)state;
    sweep_run(&(sweep){ .name = "three workers", .fn = scenario, .arg = &workers, .may = SWEEP_NOMEM });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runtime_with_one_worker),
        cmocka_unit_test(a_runtime_with_three_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
