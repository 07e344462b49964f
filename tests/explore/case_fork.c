/*
 * case_fork.c: forks of the whole runtime: each runs once, its result is seen by the join, and what is shared is taken by somebody.
 *
 * In fork_meet and fork_feed forks wait for each other to have begun, so that one that nobody takes is a deadlock: as in case_wake.c,
 * a wake whose loss only costs parallelism is seen, too.
 */
#include "begin.h"

#include "leat/fork.h"

static leat_runtime *rt;
static explore_flag begun;

static void begin(uint32_t workers)
{
    begun = (explore_flag){ 0 };
    rt = runtime_begin(workers);
}

static void leaf(leat_fork *f, void *arg)
{
    (void)f;
    int *value = arg; /* plain: a race when two run it, or when the join does not publish it */
    *value += 1;
}

static void branch(leat_fork *f, void *arg)
{
    int *value = arg;
    leat_fork_spawn(f, leaf, &value[1]);
    leat_fork_spawn(f, leaf, &value[2]);
    value[0] += 1;
    leat_fork_sync(f);
    EXPLORE_CHECK(value[2] == 1);
    leat_fork_sync(f);
    EXPLORE_CHECK(value[1] == 1);
}

static void tree(leat_fork *f, void *arg)
{
    int *value = arg;
    leat_fork_spawn(f, branch, &value[0]);
    leat_fork_spawn(f, leaf, &value[3]);
    leat_fork_sync(f);
    EXPLORE_CHECK(value[3] == 1);
    leat_fork_spawn(f, leaf, &value[4]);
    leat_fork_sync(f);
    EXPLORE_CHECK(value[4] == 1);
    leat_fork_sync(f);
    EXPLORE_CHECK(value[0] == 1);
}

static leat_err runs_tree(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fork_run(t, tree, arg);
}

static void fork_tree(void)
{
    int value[5] = { 0 };
    begin(2);
    EXPLORE_CHECK(leat_task_run(rt, runs_tree, value, NULL) == LEAT_OK);
    for (int i = 0; i < 5; i++)
        EXPLORE_CHECK(value[i] == 1);
    explore_finish();
}

/* Goes on only when two have begun. */
static void meets(leat_fork *f, void *arg)
{
    leaf(f, arg);
    explore_flag_add(&begun, 1);
    explore_flag_await(&begun, 2);
}

/* The owner runs the newest itself, so a thief has to take the other. */
static void meets_thief(leat_fork *f, void *arg)
{
    int *value = arg;
    leat_fork_spawn(f, meets, &value[0]);
    leat_fork_spawn(f, meets, &value[1]);
    leat_fork_sync(f);
    leat_fork_sync(f);
}

/* The owner goes on to fork and join, and whoever is hungry must get its share: two thieves have to take one each. */
static void feeds_two(leat_fork *f, void *arg)
{
    int *value = arg;
    leat_fork_spawn(f, meets, &value[0]);
    leat_fork_spawn(f, meets, &value[1]);
    while (explore_flag_get(&begun) < 2) {
        value[2] = 0;
        leat_fork_spawn(f, leaf, &value[2]);
        leat_fork_sync(f);
        EXPLORE_CHECK(value[2] == 1);
        leat_i_os_relax();
    }
    leat_fork_sync(f);
    leat_fork_sync(f);
}

static void begins(leat_fork *f, void *arg)
{
    leaf(f, arg);
    explore_flag_add(&begun, 1);
}

/* What was shared first is taken back, maybe, by the owner, who has more afterwards: a thief has to come for that. */
static void feeds_later(leat_fork *f, void *arg)
{
    int *value = arg;
    for (int i = 0; i < 2; i++) {
        value[2] = 0;
        leat_fork_spawn(f, leaf, &value[2]);
        leat_fork_sync(f);
    }
    leat_fork_spawn(f, begins, &value[0]);
    while (explore_flag_get(&begun) < 1) {
        value[2] = 0;
        leat_fork_spawn(f, leaf, &value[2]);
        leat_fork_sync(f);
        leat_i_os_relax();
    }
    leat_fork_sync(f);
}

static LEAT_ATOMIC(leat_task *) region_task;
static LEAT_ATOMIC(leat_i_waiter *) region_stack; /* outlives the task, which lies on it */
static explore_flag go;

static leat_err lets_go(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    explore_flag_add(&go, 1);
    return LEAT_OK;
}

static void waits_for_go(leat_fork *f, void *arg)
{
    begins(f, arg);
    explore_flag_await(&go, 1);
}

/* The thief ends when the owner's worker has run another task: so the join has to park. */
static void parks(leat_fork *f, void *arg)
{
    int *value = arg;
    leat_fork_spawn(f, waits_for_go, &value[0]);
    while (explore_flag_get(&begun) < 1) {
        value[2] = 0;
        leat_fork_spawn(f, leaf, &value[2]);
        leat_fork_sync(f);
        leat_i_os_relax();
    }
    /* Past the look of leat_task_start, which refuses the task of a region: so the deque has a task that no thief has seen before. */
    (void)leat_i_task_start(leat_load_relaxed(&region_task), lets_go, NULL, NULL);
    leat_fork_sync(f);
    EXPLORE_CHECK(value[0] == 1);
    leat_fork_spawn(f, leaf, &value[1]); /* goes on as before */
    leat_fork_sync(f);
}

static leat_fork_fn place;

static leat_err runs_place(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_store_relaxed(&region_task, t);
    leat_store_release(&region_stack, leat_i_task_waiter(t)); /* release: for meet */
    return leat_fork_run(t, place, arg);
}

static void meet(leat_fork_fn fn, uint32_t workers, int forks)
{
    int value[3] = { 0 };
    leat_handle *h;
    place = fn;
    go = (explore_flag){ 0 };
    leat_store_relaxed(&region_stack, NULL);
    begin(workers);
    EXPLORE_CHECK(leat_task_submit(rt, runs_place, value, &h) == LEAT_OK);
    if (fn == parks) { /* A stack may be woken without cause, also while it waits in a join. */
        explore_flag_await(&go, 1);
        leat_i_waiter *stack;
        while (!(stack = leat_load_acquire(&region_stack))) /* acquire: pairs with runs_place */
            leat_i_os_relax();
        leat_i_unpark(stack);
    }
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    for (int i = 0; i < forks; i++)
        EXPLORE_CHECK(value[i] == 1);
    explore_finish();
}

static void fork_meet(void)
{
    meet(meets_thief, 2, 2);
}

static void fork_feed(void)
{
    meet(feeds_two, 3, 2);
}

static void fork_retake(void)
{
    meet(feeds_later, 2, 1);
}

static void fork_park(void)
{
    meet(parks, 2, 2);
}

/* As fork_retake, with a task that keeps one of the thieves: it comes out of the search with that, and must think of the other. */
static leat_err keeps_worker(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    explore_flag_await(&begun, 1);
    return LEAT_OK;
}

static void fork_busy(void)
{
    int value[3] = { 0 };
    leat_handle *h[2];
    place = feeds_later;
    begin(3);
    EXPLORE_CHECK(leat_task_submit(rt, runs_place, value, &h[0]) == LEAT_OK);
    EXPLORE_CHECK(leat_task_submit(rt, keeps_worker, NULL, &h[1]) == LEAT_OK);
    for (int i = 0; i < 2; i++)
        EXPLORE_CHECK(leat_handle_wait(h[i], -1, NULL, NULL) == LEAT_OK);
    EXPLORE_CHECK(value[0] == 1);
    explore_finish();
}

const explore_case explore_fork_tree = { "fork_tree", fork_tree, { 2, 1, 2, 3000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_fork_meet = { "fork_meet", fork_meet, { 2, 1, 2, 3000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_fork_feed = { "fork_feed", fork_feed, { 1, 1, 1, 3000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_fork_retake = { "fork_retake", fork_retake, { 2, 1, 2, 3000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_fork_busy = { "fork_busy", fork_busy, { 1, 1, 1, 3000 }, { 2, 1, 2, 50000 }, false };
const explore_case explore_fork_park = { "fork_park", fork_park, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false };
