/*
 * case_submit.c: what comes from outside in other ways than one task with one handle: tasks without a handle, many at once, callbacks, and
 * the end of a runtime while tasks still run or wait. Each begins once at most, and what is behind it is over when the call that waits
 * for it returns.
 */
#include "begin.h"

static leat_runtime *rt;
static uint32_t ran[3]; /* plain: a race with what is read after the wait */

static leat_err runs(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    ++*(uint32_t *)arg;
    return LEAT_OK;
}

/* Nothing but a cancel ends it. */
static leat_err waits(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_sleep_ms(t, INT64_MAX);
    EXPLORE_CHECK(err == LEAT_CANCELED);
    ++*(uint32_t *)arg;
    return err;
}

static explore_flag begun;

static leat_err meets(leat_task *t, void *arg, const void **result)
{
    explore_flag_add(&begun, 1);
    explore_flag_await(&begun, 2);
    return runs(t, arg, result);
}

static void begin(uint32_t workers)
{
    memset(ran, 0, sizeof ran);
    rt = runtime_begin(workers);
}

/* ---- without a handle ---- */

/* What it keeps for its next tasks is given back by its key at the end of the thread. */
static void submits_one(void *arg)
{
    EXPLORE_CHECK(leat_task_submit(rt, runs, arg, NULL) == LEAT_OK);
}

static void submit_detached(void)
{
    begin(2);
    unsigned other = explore_start(submits_one, &ran[0]);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[1], NULL) == LEAT_OK);
    explore_join(other);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1 && ran[1] <= 1); /* the end of the runtime may have come first */
}

/* Alone with one worker, so that more can be tried at the end. */
static void submit_end(void)
{
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], NULL) == LEAT_OK);
    leat_i_detached_close();
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

/* The second comes while the block is on the list, in somebody's hand, or nobody's again. */
static void submit_more(void)
{
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], NULL) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[1], NULL) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1 && ran[1] <= 1);
}

/* Two that wait for each other: the other worker must come for the one that is left in the block. */
static void submit_meet(void)
{
    begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, meets, &ran[0], NULL) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, meets, &ran[1], NULL) == LEAT_OK);
    explore_flag_await(&begun, 2);
    explore_finish();
}

/* The same for a task whose handle is forgotten. */
static void submit_root(void)
{
    leat_handle *h;
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], &h) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

/* What tasks have made in the runtime goes when they have ended, before the workers are joined. */
static void *room_make(leat_runtime *unused)
{
    (void)unused;
    return leat_i_alloc_zeroed(sizeof(uint32_t));
}

static void room_free(void *object)
{
    ran[0] += *(uint32_t *)object;
    leat_i_free(object);
}

static leat_err uses_room(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    ++*(uint32_t *)leat_i_runtime_room(t->rt, LEAT_I_ROOM_NET, room_make, room_free);
    return LEAT_OK;
}

static void submit_room(void)
{
    leat_handle *h;
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, uses_room, NULL, explore_any(2) ? &h : NULL) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

/* ---- the end of a runtime that is in use ---- */

static void runtime_cancel(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, waits, &ran[0], &h) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, waits, &ran[1], NULL) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1 && ran[1] <= 1);
}

/* ---- many at once ---- */

static void batch_run(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit_batch(rt, runs, ran, sizeof ran[0], 3, &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    for (int i = 0; i < 3; i++)
        EXPLORE_CHECK(ran[i] == 1);
    leat_handle_free(h);
    explore_finish();
}

static void batch_cancel(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit_batch(rt, explore_any(2) ? runs : waits, ran, sizeof ran[0], 2, &h) == LEAT_OK);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_CANCELED || (err == LEAT_OK && ran[0] == 1 && ran[1] == 1));
    EXPLORE_CHECK(ran[0] <= 1 && ran[1] <= 1);
    leat_handle_free(h);
    explore_finish();
}

/* Without a handle: the end of the runtime comes while it runs or when it has ended. */
static void batch_forget(void)
{
    begin(1);
    EXPLORE_CHECK(leat_task_submit_batch(rt, runs, ran, sizeof ran[0], 1, NULL) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

/* Two items that wait for each other: the other worker must come for the second. */
static void batch_meet(void)
{
    leat_handle *h;
    begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit_batch(rt, meets, ran, sizeof ran[0], 2, &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1);
    leat_handle_free(h);
    explore_finish();
}

/* A cancel that comes while the last item ends: the head may be awake before the item wakes it. */
static void batch_stop(void)
{
    leat_handle *h;
    begun = (explore_flag){ 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_submit_batch(rt, meets, ran, sizeof ran[0], 2, &h) == LEAT_OK);
    explore_flag_await(&begun, 2);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK && ran[0] == 1 && ran[1] == 1);
    leat_handle_free(h);
    explore_finish();
}

static unsigned last; /* the item that begins its second wait when the cancel comes */

/* Waits a second time, when it is listed already: the cancel finds it there, or it sees the cancel. */
static leat_err waits_again(leat_task *t, void *arg, const void **result)
{
    explore_flag_add(&begun, 1);
    explore_flag_await(&begun, 2); /* each on a worker of its own */
    EXPLORE_CHECK(leat_sleep_ms(t, arg == &ran[last] ? 2 : 1) == LEAT_OK);
    explore_flag_add(&begun, 1);
    return waits(t, arg, result);
}

static void batch_again(void)
{
    leat_handle *h;
    begun = (explore_flag){ 0 };
    begin(2);
    last = explore_any(2);
    EXPLORE_CHECK(leat_task_submit_batch(rt, waits_again, ran, sizeof ran[0], 2, &h) == LEAT_OK);
    explore_quiet(true); /* up to here it is as in batch_cancel */
    explore_flag_await(&begun, 3);
    explore_quiet(false);
    explore_flag_await(&begun, 4);
    leat_handle_cancel(h);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_CANCELED && ran[0] == 1 && ran[1] == 1);
    leat_handle_free(h);
    explore_finish();
}

static explore_flag canceled;
static LEAT_ATOMIC(leat_task *) waiting_item;

/* The first item keeps the worker on which the head waits, so that no fence is between the cancel and the head's look. The other one is
 * listed already when it waits for the second time. */
static leat_err waits_elsewhere(leat_task *t, void *arg, const void **result)
{
    if (arg == &ran[0]) {
        explore_flag_await(&canceled, 1);
        return runs(t, arg, result);
    }
    leat_store_release(&waiting_item, t); /* release: its stack, for batch_late */
    EXPLORE_CHECK(leat_i_park(t, LEAT_I_NEVER_NS) == LEAT_OK);
    explore_flag_add(&begun, 1);
    return waits(t, arg, result);
}

static void batch_late(void)
{
    leat_handle *h;
    leat_task *t;
    begun = canceled = (explore_flag){ 0 };
    leat_store_relaxed(&waiting_item, NULL);
    begin(2);
    explore_quiet(true);
    EXPLORE_CHECK(leat_task_submit_batch(rt, waits_elsewhere, ran, sizeof ran[0], 2, &h) == LEAT_OK);
    while (!(t = leat_load_acquire(&waiting_item))) /* acquire: pairs with waits_elsewhere */
        leat_i_os_relax();
    explore_settle();
    leat_i_unpark(leat_i_task_waiter(t));
    explore_flag_await(&begun, 1);
    explore_settle();
    leat_handle_cancel(h);
    explore_flag_add(&canceled, 1);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_CANCELED && ran[0] == 1 && ran[1] == 1);
    leat_handle_free(h);
    explore_finish();
}

/* ---- handles ---- */

static void calls_back(void *arg)
{
    ++*(uint32_t *)arg;
}

static void handle_callback(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_on_done(h, calls_back, &ran[1]) == LEAT_OK);
    leat_handle_free(h); /* cancels, maybe before it has begun, and waits */
    EXPLORE_CHECK(ran[0] <= 1 && ran[1] == 1);
    leat_runtime_free(rt);
}

/* Freed in its own callback, which may run beside the end: the last of both to leave frees. */
static void frees(void *arg)
{
    leat_handle_free(arg);
}

static void handle_later(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], &h) == LEAT_OK);
    EXPLORE_CHECK(leat_handle_on_done(h, frees, h) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

/* Freed by a task, where nothing may wait, while its own task ends. */
static leat_err drops(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    leat_handle_free(arg);
    return LEAT_OK;
}

static void handle_dropped(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran[0], &h) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, drops, h, NULL) == LEAT_OK);
    leat_runtime_free(rt);
    EXPLORE_CHECK(ran[0] <= 1);
}

const explore_case explore_submit_detached = {
    "submit_detached", submit_detached, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false
};
const explore_case explore_runtime_cancel = {
    "runtime_cancel", runtime_cancel, { 1, 1, 1, 2000 }, { 2, 1, 2, 20000 }, false
};
const explore_case explore_batch_run = { "batch_run", batch_run, { 2, 1, 2, 2000 }, { 2, 2, 3, 100000 }, false };
const explore_case explore_batch_cancel = { "batch_cancel", batch_cancel, { 2, 1, 2, 2000 }, { 2, 2, 3, 100000 }, false };
const explore_case explore_handle_callback = {
    "handle_callback", handle_callback, { 2, 1, 2, 2000 }, { 3, 2, 3, 50000 }, false
};
const explore_case explore_batch_meet = { "batch_meet", batch_meet, { 2, 1, 2, 2000 }, { 2, 2, 3, 100000 }, false };
const explore_case explore_submit_end = { "submit_end", submit_end, { 2, 1, 3, 2000 }, { 3, 1, 4, 100000 }, false };
const explore_case explore_batch_stop = { "batch_stop", batch_stop, { 2, 0, 2, 2000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_handle_dropped = {
    "handle_dropped", handle_dropped, { 1, 1, 2, 2000 }, { 2, 2, 2, 200000 }, false
};
const explore_case explore_handle_later = { "handle_later", handle_later, { 1, 1, 2, 1000 }, { 3, 2, 3, 50000 }, false };
const explore_case explore_batch_again = { "batch_again", batch_again, { 1, 1, 2, 500 }, { 2, 2, 2, 50000 }, false };
const explore_case explore_batch_forget = { "batch_forget", batch_forget, { 1, 1, 1, 2000 }, { 2, 1, 2, 100000 }, false };
const explore_case explore_submit_root = { "submit_root", submit_root, { 2, 1, 3, 500 }, { 3, 1, 4, 100000 }, false };
const explore_case explore_batch_late = { "batch_late", batch_late, { 1, 1, 1, 500 }, { 2, 2, 3, 20000 }, false };
const explore_case explore_submit_room = { "submit_room", submit_room, { 2, 1, 2, 500 }, { 3, 1, 3, 20000 }, false };
const explore_case explore_submit_more = { "submit_more", submit_more, { 2, 1, 3, 1000 }, { 3, 1, 3, 50000 }, false };
const explore_case explore_submit_meet = { "submit_meet", submit_meet, { 1, 1, 2, 500 }, { 2, 1, 3, 50000 }, false };
