/*
 * case_lock.c: the small lock, the semaphore and the gate: never two inside, nobody waits for ever, no permit is lost.
 *
 * semaphore.c and gate.c are part of this file, so that a count and a state can be looked at.
 */
#include "begin.h"

#include "sched/gate.c"
#include "sched/semaphore.c"

static leat_runtime *rt;
static uint32_t inside; /* plain: a race if two are in */
static explore_flag entered, go;

/* ---- the small lock ---- */

static leat_i_lock lock;

static void locks(void *unused)
{
    (void)unused;
    leat_i_lock_take(&lock);
    EXPLORE_CHECK(inside++ == 0);
    inside--;
    leat_i_lock_give(&lock);
}

/* The lock is held for longer than others look: one of them sleeps, or is about to, when it is given back. */
static void lock_sleep(void)
{
    inside = 1;
    lock = (leat_i_lock){ 0 };
    leat_i_lock_take(&lock);
    explore_start(locks, NULL);
    explore_start(locks, NULL);
    explore_quiet(true);
    while (leat_load_relaxed(&lock.word) != 2)
        leat_i_os_relax();
    explore_quiet(false);
    inside--;
    leat_i_lock_give(&lock);
    explore_join_all();
    EXPLORE_CHECK(inside == 0 && leat_i_lock_try(&lock));
}

/* ---- the semaphore ---- */

static leat_semaphore *semaphore;

static leat_err takes_permit(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_err err = leat_semaphore_acquire(t, semaphore);
    if (err != LEAT_OK) return err;
    EXPLORE_CHECK(inside++ == 0);
    err = leat_sleep_ms(t, 0); /* others go on meanwhile */
    inside--;
    leat_semaphore_release(semaphore);
    return err;
}

static void semaphore_take(void)
{
    leat_handle *h[2];
    inside = 0;
    rt = runtime_begin(2);
    EXPLORE_CHECK(leat_semaphore_new(&semaphore, 1) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, takes_permit, NULL, &h[0]) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, takes_permit, NULL, &h[1]) == LEAT_OK);
    leat_handle_cancel(h[1]);
    EXPLORE_CHECK(leat_handle_wait(h[0], -1, NULL, NULL) == LEAT_OK);
    leat_err err = leat_handle_wait(h[1], -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    EXPLORE_CHECK(semaphore->free == 1 && !semaphore->first); /* none is lost, and none is held after an error */
    leat_handle_free(h[0]);
    leat_handle_free(h[1]);
    leat_semaphore_free(semaphore);
    explore_finish();
}

static leat_err acquires(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_semaphore_acquire(t, semaphore);
}

static leat_err acquires_within(leat_task *t, void *arg, const void **result)
{
    leat_err err = leat_task_within(t, 5, acquires, NULL, result);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_TIMEOUT || err == LEAT_CANCELED);
    *(leat_err *)arg = err;
    return LEAT_OK;
}

/* A permit, a cancel and a deadline at the same moment: either the task has the permit and says so, or it is still there. */
static void semaphore_limit(void)
{
    leat_handle *h;
    leat_err err = LEAT_CANCELED; /* when it was canceled before it began */
    rt = runtime_begin(1);
    EXPLORE_CHECK(leat_semaphore_new(&semaphore, 0) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, acquires_within, &err, &h) == LEAT_OK);
    bool canceled = explore_any(2);
    leat_semaphore_release(semaphore);
    if (canceled) leat_handle_cancel(h);
    leat_err ended = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(ended == LEAT_OK || (canceled && ended == LEAT_CANCELED));
    EXPLORE_CHECK(err != LEAT_CANCELED || canceled);
    EXPLORE_CHECK(!semaphore->first && semaphore->free == (err == LEAT_OK ? 0 : 1));
    leat_handle_free(h);
    leat_semaphore_free(semaphore);
    explore_finish();
}

/* Who was let through may free the semaphore: who let it through is done with it by then. */
static leat_err takes_the_last(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    explore_flag_add(&entered, 1);
    leat_err err = leat_semaphore_acquire(t, semaphore);
    if (err != LEAT_OK) return err;
    EXPLORE_CHECK(inside++ == 1); /* plain: written by who has released it */
    leat_semaphore_free(semaphore);
    return LEAT_OK;
}

static void semaphore_free(void)
{
    leat_handle *h;
    inside = 0;
    entered = (explore_flag){ 0 };
    rt = runtime_begin(1);
    EXPLORE_CHECK(leat_semaphore_new(&semaphore, 0) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, takes_the_last, NULL, &h) == LEAT_OK);
    explore_flag_await(&entered, 1);
    inside++;
    leat_semaphore_release(semaphore);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    leat_handle_free(h);
    explore_finish();
}

static void releases(void *unused)
{
    (void)unused;
    leat_semaphore_release(semaphore);
}

/* One in line is stopped while a permit is handed to it: it has the permit, or it is there for the next one. */
static void semaphore_stop(void)
{
    leat_handle *h;
    rt = runtime_begin(1);
    explore_quiet(true);
    EXPLORE_CHECK(leat_semaphore_new(&semaphore, 0) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, acquires, NULL, &h) == LEAT_OK);
    explore_settle();
    explore_quiet(false);
    unsigned releaser = explore_start(releases, NULL);
    leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    explore_join(releaser);
    EXPLORE_CHECK(!semaphore->first && semaphore->free == (err == LEAT_OK ? 0 : 1));
    leat_handle_free(h);
    leat_semaphore_free(semaphore);
    explore_finish();
}

/* ---- the gate ---- */

static leat_i_gate *gate;

static void pass(leat_task *t)
{
    leat_i_gate_enter(t, gate);
    EXPLORE_CHECK(inside++ == 0);
    inside--;
    leat_i_gate_leave(t);
}

static leat_err passes(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    pass(t);
    return LEAT_OK;
}

/* Stands in the gate until it is told for the `turn`th time. */
static void hold(leat_task *t, uint32_t turn)
{
    leat_i_gate_enter(t, gate);
    EXPLORE_CHECK(inside++ == 0);
    explore_flag_add(&entered, 1);
    explore_flag_await(&go, turn);
    inside--;
    leat_i_gate_leave(t);
}

/* Twice in a row. */
static leat_err holds(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    hold(t, 1);
    hold(t, 2);
    return LEAT_OK;
}

static void gate_run(uint32_t workers, leat_task_fn first, void (*meanwhile)(void))
{
    leat_handle *h[3];
    inside = 0;
    entered = go = (explore_flag){ 0 };
    rt = runtime_begin(workers);
    gate = leat_i_gate_new();
    explore_quiet(meanwhile != NULL);
    for (int i = 0; i < 3; i++)
        EXPLORE_CHECK(leat_task_submit(rt, i == 0 ? first : passes, NULL, &h[i]) == LEAT_OK);
    if (meanwhile) meanwhile();
    for (int i = 0; i < 3; i++)
        EXPLORE_CHECK(leat_handle_wait(h[i], -1, NULL, NULL) == LEAT_OK);
    for (int i = 0; i < 3; i++)
        leat_handle_free(h[i]);
    leat_i_gate_free(gate);
    explore_finish();
}

static void gate_enter(void)
{
    gate_run(3, passes, NULL);
}

/* Two have queued up when the holder leaves, and it comes back at once: so one of them may become the heir. */
static void lets_go(void)
{
    explore_settle();
    explore_flag_add(&go, 1);
    explore_flag_await(&entered, 2);
    explore_flag_add(&go, 1);
}

static void gate_line(void)
{
    gate_run(3, holds, lets_go);
}

/* The one that was woken finds the gate held for longer than it looks: it is the heir before the holder leaves. */
static void lets_go_late(void)
{
    explore_settle();
    explore_flag_add(&go, 1);
    explore_settle();
    explore_flag_add(&go, 1);
}

static void gate_heir(void)
{
    gate_run(3, holds, lets_go_late);
}

static leat_err passes_once(leat_task *t, void *arg, const void **result)
{
    leat_err err = passes(t, arg, result);
    explore_flag_add(&entered, 1);
    return err;
}

/* Leaves when the one that was woken has become the heir, which may be before that one parks; or when it was faster. */
static leat_err holds_for_heir(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    hold(t, 1);
    leat_i_gate_enter(t, gate);
    EXPLORE_CHECK(inside++ == 0);
    while (!(leat_load_relaxed(&gate->state) & GATE_HEIR) && explore_flag_get(&entered) < 2)
        leat_i_os_relax();
    inside--;
    leat_i_gate_leave(t);
    return LEAT_OK;
}

static void gate_told(void)
{
    leat_handle *h[2];
    inside = 0;
    entered = go = (explore_flag){ 0 };
    rt = runtime_begin(2);
    gate = leat_i_gate_new();
    explore_quiet(true);
    EXPLORE_CHECK(leat_task_submit(rt, holds_for_heir, NULL, &h[0]) == LEAT_OK);
    explore_flag_await(&entered, 1);
    EXPLORE_CHECK(leat_task_submit(rt, passes_once, NULL, &h[1]) == LEAT_OK);
    explore_settle();
    explore_flag_add(&go, 1);
    for (int i = 0; i < 2; i++)
        EXPLORE_CHECK(leat_handle_wait(h[i], -1, NULL, NULL) == LEAT_OK);
    for (int i = 0; i < 2; i++)
        leat_handle_free(h[i]);
    leat_i_gate_free(gate);
    explore_finish();
}

const explore_case explore_semaphore_take = {
    "semaphore_take", semaphore_take, { 2, 1, 2, 2000 }, { 2, 2, 3, 100000 }, false
};
const explore_case explore_semaphore_limit = {
    "semaphore_limit", semaphore_limit, { 3, 1, 3, 2000 }, { 4, 2, 4, 100000 }, false
};
const explore_case explore_gate_enter = { "gate_enter", gate_enter, { 1, 1, 1, 3000 }, { 2, 2, 2, 50000 }, false };
const explore_case explore_gate_line = { "gate_line", gate_line, { 1, 1, 1, 3000 }, { 1, 1, 1, 50000 }, false };
const explore_case explore_semaphore_stop = { "semaphore_stop", semaphore_stop, { 2, 1, 2, 500 }, { 3, 2, 3, 5000 }, false };
const explore_case explore_semaphore_free = { "semaphore_free", semaphore_free, { 2, 1, 2, 500 }, { 3, 2, 3, 5000 }, false };
const explore_case explore_gate_heir = { "gate_heir", gate_heir, { 1, 1, 1, 2000 }, { 2, 1, 2, 20000 }, false };
const explore_case explore_gate_told = { "gate_told", gate_told, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_lock_sleep = { "lock_sleep", lock_sleep, { 2, 1, 2, 2000 }, { 3, 2, 4, 50000 }, false };
