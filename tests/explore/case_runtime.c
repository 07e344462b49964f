/*
 * case_runtime.c: the whole runtime with its own loops and stacks, seen from outside: submit, wait, cancel, free.
 *
 * The way to two parked workers is not part of the search; from there on all is.
 */
#include "begin.h"

static leat_runtime *rt;

static void begin(uint32_t workers)
{
    rt = runtime_begin(workers);
}

/* ---- submit and the end ---- */

static leat_err forty_two(leat_task *t, void *arg, const void **result)
{
    (void)t;
    *(int *)arg = 42;
    *result = arg;
    return LEAT_OK;
}

static void runtime_submit(void)
{
    int value = 0;
    const void *result = NULL;
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, forty_two, &value, &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_wait(h, -1, &result, NULL) == LEAT_OK && result == &value && value == 42);
    leat_handle_free(h);
    leat_runtime_free(rt);
    explore_join_all();
}

/* ---- a cancel, and a wait that nothing else ends ---- */

static leat_err waits_for_cancel(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, INT64_MAX);
}

static void park_cancel(void)
{
    leat_handle *h;
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, waits_for_cancel, NULL, &h) == LEAT_OK);
    leat_handle_cancel(h);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_CANCELED);
    leat_handle_free(h);
    explore_finish();
}

/* ---- a child's future: set against await, cancel and the time ---- */

static explore_flag child_begun, child_there, child_go;

static leat_err child(leat_task *t, void *arg, const void **result)
{
    (void)t;
    explore_flag_add(&child_begun, 1);
    *(int *)arg += 1;
    *result = arg;
    return LEAT_OK;
}

static leat_err awaits_child(leat_task *t, void *arg, const void **result)
{
    const void *value = NULL;
    leat_future *f = leat_task_start(t, child, arg);
    leat_err err = leat_await(t, f, &value);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    if (err == LEAT_OK) EXPLORE_CHECK(value == arg && *(const int *)value == 1);
    *result = arg;
    return err;
}

static void future_cancel(void)
{
    int value = 0;
    leat_handle *h;
    child_begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, awaits_child, &value, &h) == LEAT_OK);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    EXPLORE_CHECK(value == (int)explore_flag_get(&child_begun)); /* joined: what it has written is seen */
    leat_handle_free(h);
    explore_finish();
}

/* Ends while its child waits for a cancel: what a task has started ends before it. */
static leat_err leaves_child(leat_task *t, void *arg, const void **result)
{
    (void)result;
    (void)leat_task_start(t, waits_for_cancel, arg);
    return LEAT_OK;
}

static void future_left(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, leaves_child, NULL, &h) == LEAT_OK);
    if (explore_any(2)) leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    leat_handle_free(h);
    explore_finish();
}

static leat_err slow(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_sleep_ms(t, 5);
    *(int *)arg += 1;
    return err;
}

static leat_err awaits_slow(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *f = leat_task_start(t, slow, arg);
    return leat_await(t, f, NULL);
}

static leat_err within(leat_task *t, void *arg, const void **result)
{
    leat_err err = leat_task_within(t, 5, awaits_slow, arg, result);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_TIMEOUT);
    return LEAT_OK;
}

static void future_timeout(void)
{
    int value = 0;
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, within, &value, &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    EXPLORE_CHECK(value <= 1);
    leat_handle_free(h);
    explore_finish();
}

static leat_err awaits_two(leat_task *t, void *arg, const void **result)
{
    int *value = arg;
    leat_future *f[2] = { leat_task_start(t, child, &value[0]), leat_task_start(t, child, &value[1]) };
    leat_err err = leat_await_all(t, f, 2);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    if (err == LEAT_OK) EXPLORE_CHECK(value[0] == 1 && value[1] == 1);
    (void)result;
    return err;
}

static void future_all(void)
{
    int value[2] = { 0, 0 };
    leat_handle *h;
    child_begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, awaits_two, value, &h) == LEAT_OK);
    if (explore_any(2)) leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    EXPLORE_CHECK(value[0] + value[1] == (int)explore_flag_get(&child_begun));
    leat_handle_free(h);
    explore_finish();
}

/* One of both ends by a cancel alone, which comes while the other completes. */
static leat_err awaits_stuck(leat_task *t, void *arg, const void **result)
{
    int *value = arg;
    leat_future *f[2] = { leat_task_start(t, child, &value[0]), leat_task_start(t, waits_for_cancel, NULL) };
    leat_err err = leat_await_all(t, f, 2);
    EXPLORE_CHECK(err == LEAT_CANCELED);
    if (leat_future_is_done(f[0])) EXPLORE_CHECK(value[0] == 1 || leat_future_error(f[0]));
    (void)result;
    return err;
}

static void future_stuck(void)
{
    int value = 0;
    leat_handle *h;
    child_begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, awaits_stuck, &value, &h) == LEAT_OK);
    if (explore_any(2)) explore_flag_await(&child_begun, 1);
    leat_handle_cancel(h);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_CANCELED);
    EXPLORE_CHECK(value == (int)explore_flag_get(&child_begun));
    leat_handle_free(h);
    explore_finish();
}

/* Done and canceled at once: what completes may be interrupted before it wakes anybody. */
static leat_err child_told(leat_task *t, void *arg, const void **result)
{
    explore_flag_add(&child_there, 1);
    explore_flag_await(&child_go, 1);
    return child(t, arg, result);
}

static leat_err awaits_told(leat_task *t, void *arg, const void **result)
{
    leat_future *f = leat_task_start(t, child_told, arg);
    explore_flag_await(&child_there, 1); /* on the other worker */
    leat_err err = leat_await_all(t, &f, 1);
    EXPLORE_CHECK(err == LEAT_CANCELED || *(const int *)arg == 1);
    (void)result;
    return err;
}

static void future_late(void)
{
    int value = 0;
    leat_handle *h;
    child_begun = child_there = child_go = (explore_flag){ 0 };
    begin(2);
    explore_quiet(true);
    EXPLORE_CHECK(leat_task_submit(rt, awaits_told, &value, &h) == LEAT_OK);
    explore_settle();
    explore_flag_add(&child_go, 1);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    EXPLORE_CHECK(value == (int)explore_flag_get(&child_begun));
    leat_handle_free(h);
    explore_finish();
}

/* Whichever of both is done first: the other one goes on until the parent's end cancels it. */
static leat_err awaits_any(leat_task *t, void *arg, const void **result)
{
    int *value = arg;
    size_t index = 2;
    leat_future *f[2] = { leat_task_start(t, explore_any(2) ? waits_for_cancel : child, &value[0]),
                          leat_task_start(t, child, &value[1]) };
    leat_err err = leat_await_any(t, f, 2, &index);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    if (err == LEAT_OK) EXPLORE_CHECK(leat_future_is_done(f[index]) && value[index] == 1);
    (void)result;
    return err;
}

static void future_any(void)
{
    int value[2] = { 0, 0 };
    leat_handle *h;
    child_begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, awaits_any, value, &h) == LEAT_OK);
    bool canceled = explore_any(2);
    if (canceled) leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || (canceled && err == LEAT_CANCELED));
    EXPLORE_CHECK(value[0] + value[1] == (int)explore_flag_get(&child_begun));
    leat_handle_free(h);
    explore_finish();
}

/* A cancel of the parent is passed on to what it joins, before or while it waits. */
static leat_err joins_shielded(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *f = leat_task_start(t, waits_for_cancel, arg);
    EXPLORE_CHECK(leat_i_await_shielded(t, f) == LEAT_CANCELED);
    return LEAT_OK;
}

static void future_joined(void)
{
    leat_handle *h;
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, joins_shielded, NULL, &h) == LEAT_OK);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    leat_handle_free(h);
    explore_finish();
}

/* ---- blocking calls ---- */

static leat_err blocks(void *arg)
{
    *(int *)arg = 7;
    return LEAT_OK;
}

static leat_err calls_blocking(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_blocking(t, blocks, arg);
    EXPLORE_CHECK(err == LEAT_OK && *(int *)arg == 7);
    return err;
}

static void blocking_call(void)
{
    int value = 0;
    begin(2);
    EXPLORE_CHECK(leat_task_run(rt, calls_blocking, &value, NULL) == LEAT_OK);
    leat_runtime_free(rt);
    explore_join_all();
}

const explore_case explore_park_cancel = { "park_cancel", park_cancel, { 3, 2, 3, 2000 }, { 4, 3, 4, 50000 }, false };
const explore_case explore_runtime_submit = {
    "runtime_submit", runtime_submit, { 2, 2, 2, 2000 }, { 3, 2, 3, 50000 }, false
};
const explore_case explore_future_cancel = { "future_cancel", future_cancel, { 3, 2, 3, 2000 }, { 4, 1, 4, 50000 }, false };
const explore_case explore_future_timeout = {
    "future_timeout", future_timeout, { 1, 1, 1, 2000 }, { 3, 1, 3, 50000 }, false
};
const explore_case explore_future_all = { "future_all", future_all, { 2, 1, 2, 2000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_blocking_call = { "blocking_call", blocking_call, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_future_left = { "future_left", future_left, { 2, 1, 2, 2000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_future_any = { "future_any", future_any, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_future_stuck = { "future_stuck", future_stuck, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_future_joined = { "future_joined", future_joined, { 2, 1, 3, 2000 }, { 3, 2, 3, 50000 }, false };
const explore_case explore_future_late = { "future_late", future_late, { 1, 2, 2, 2000 }, { 2, 2, 3, 50000 }, false };
