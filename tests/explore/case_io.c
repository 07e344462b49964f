/*
 * case_io.c: descriptors: those that tasks wait for, and those that stand for a handle. Who waits goes on when there is something to read,
 * a cancel ends the wait at any moment, and what was opened for it is closed.
 */
#include "begin.h"

#include "leat/io.h"

static leat_runtime *rt;
static int fd;

static leat_err waits(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_fd_wait(t, fd, LEAT_FD_READABLE);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    *(leat_err *)arg = err;
    return err;
}

static void begin(uint32_t workers)
{
    rt = runtime_begin(workers);
    fd = leat_i_os_eventfd();
}

static void end(void)
{
    leat_runtime_free(rt);
    explore_join_all();
    leat_i_os_close(fd);
    EXPLORE_CHECK(explore_descriptors() == 0);
}

/* Readable at some moment, or canceled, or both. */
static void descriptor_wait(void)
{
    leat_handle *h;
    leat_err seen = LEAT_OK;
    begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, waits, &seen, &h) == LEAT_OK);
    unsigned what = explore_any(3);
    if (what < 2) leat_i_os_eventfd_signal(fd);
    if (what > 0) leat_handle_cancel(h);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == (what == 0 ? LEAT_OK : what == 1 ? err : LEAT_CANCELED) && (err == seen || err == LEAT_CANCELED));
    leat_handle_free(h);
    end();
}

/* Two for the same one, of which one is canceled: the other still goes on. */
static void descriptor_two(void)
{
    leat_handle *h[2];
    leat_err seen[2];
    begin(2);
    for (int i = 0; i < 2; i++)
        EXPLORE_CHECK(leat_task_submit(rt, waits, &seen[i], &h[i]) == LEAT_OK);
    leat_handle_cancel(h[1]);
    leat_i_os_eventfd_signal(fd);
    EXPLORE_CHECK(leat_handle_wait(h[0], -1, NULL, NULL) == LEAT_OK);
    leat_err err = leat_handle_wait(h[1], -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    for (int i = 0; i < 2; i++)
        leat_handle_free(h[i]);
    end();
}

/* ---- the descriptor of a handle ---- */

static leat_err runs(leat_task *t, void *arg, const void **result)
{
    (void)t;
    ++*(int *)arg; /* plain: a race when the end does not publish it */
    *result = arg;
    return LEAT_OK;
}

static void asks(void *handle)
{
    EXPLORE_CHECK(leat_handle_fd(handle) >= 0);
}

/* Asked for before, during or after the end, by two: it is one, and becomes readable. */
static void handle_fd(void)
{
    leat_handle *h;
    int ran = 0;
    rt = runtime_begin(1);
    EXPLORE_CHECK(leat_task_submit(rt, runs, &ran, &h) == LEAT_OK);
    unsigned other = explore_start(asks, h);
    int mine = leat_handle_fd(h);
    EXPLORE_CHECK(mine >= 0 && leat_i_os_wait_readable(mine, -1) == 1);
    EXPLORE_CHECK(leat_handle_is_done(h) && ran == 1);
    explore_join(other);
    EXPLORE_CHECK(leat_handle_fd(h) == mine && explore_descriptors() == 1);
    leat_handle_free(h);
    EXPLORE_CHECK(explore_descriptors() == 0);
    explore_finish();
}

const explore_case explore_descriptor_wait = {
    "descriptor_wait", descriptor_wait, { 2, 1, 2, 2000 }, { 3, 1, 3, 50000 }, false
};
const explore_case explore_descriptor_two = {
    "descriptor_two", descriptor_two, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false
};
const explore_case explore_handle_fd = { "handle_fd", handle_fd, { 2, 1, 3, 2000 }, { 4, 2, 4, 100000 }, false };
