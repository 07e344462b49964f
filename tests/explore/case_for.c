/*
 * case_for.c: the parallel loop: each index is run once, the caller sees what was done, and a worker that has nothing to do gets its part.
 */
#include "begin.h"

#include "leat/fork.h"

enum { COUNT = 4 };

static leat_runtime *rt;
static explore_flag begun;
static uint32_t ran[COUNT]; /* plain: a race when two run an index, or when the end does not publish it */

static void begin(uint32_t workers)
{
    begun = (explore_flag){ 0 };
    memset(ran, 0, sizeof ran);
    rt = runtime_begin(workers);
}

static void counts(void *arg, size_t from, size_t to)
{
    (void)arg;
    for (size_t i = from; i < to; i++)
        ran[i]++;
}

static leat_err loops(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_err err = leat_for(t, COUNT, counts, NULL);
    for (int i = 0; i < COUNT; i++)
        EXPLORE_CHECK(ran[i] == 1 || (err == LEAT_CANCELED && ran[i] == 0));
    return err;
}

/* A cancel cuts it short between two blocks, and what was begun is over before the loop returns. */
static void for_run(void)
{
    leat_handle *h;
    begin(2);
    EXPLORE_CHECK(leat_task_submit(rt, loops, NULL, &h) == LEAT_OK);
    bool canceled = explore_any(2);
    if (canceled) leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || (canceled && err == LEAT_CANCELED));
    leat_handle_free(h);
    explore_finish();
}

/* The first and the last index wait for each other. */
static void meets(void *arg, size_t from, size_t to)
{
    counts(arg, from, to);
    if (from == 0 || to == COUNT) {
        explore_flag_add(&begun, 1);
        explore_flag_await(&begun, 2);
    }
}

static leat_err loops_meeting(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_for(t, COUNT, meets, arg);
    for (int i = 0; i < COUNT; i++)
        EXPLORE_CHECK(ran[i] == 1);
    return err;
}

static void for_meet(void)
{
    begin(2);
    EXPLORE_CHECK(leat_task_run(rt, loops_meeting, NULL, NULL) == LEAT_OK);
    explore_finish();
}

const explore_case explore_for_run = { "for_run", for_run, { 2, 1, 2, 2000 }, { 3, 1, 3, 50000 }, false };
const explore_case explore_for_meet = { "for_meet", for_meet, { 2, 1, 2, 2000 }, { 3, 1, 3, 50000 }, false };
