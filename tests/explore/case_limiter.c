/*
 * case_limiter.c: the limiter's hand-overs that its lock does not guard: a waiter that is told of its grant, and a claim whose grant is
 * closed. Each is the last touch of memory that belongs to somebody who goes on with it at once.
 */
#include "begin.h"

#include "leat/limiter.h"

static leat_runtime *rt;
static leat_limiter *limiter;
static LEAT_ATOMIC(uint64_t) open_id; /* the grant that another thread settles; 0 = none yet */
static explore_flag settled;

/* What a frame held before belongs to the next one: a race with whoever still looks at the waiter that stood there. */
static void writes_stack(void)
{
    char text[1024];
    memset(text, 1, sizeof text);
    __asm__ volatile("" : : "r"(text) : "memory");
}

static void opens(leat_task *t)
{
    leat_grant grant;
    EXPLORE_CHECK(leat_limiter_acquire(t, limiter, (leat_cost){ 0 }, &grant) == LEAT_OK);
    leat_store_release(&open_id, grant.id); /* release: its place, for settles */
}

static void settles(void)
{
    uint64_t id;
    while (!(id = leat_load_acquire(&open_id))) /* acquire: pairs with opens */
        leat_i_os_relax();
    leat_limiter_settle(limiter, (leat_grant){ .id = id }, (leat_cost){ 0 });
}

static void begin(void)
{
    leat_limiter_opts opts = { .in_flight_max = 1 };
    settled = (explore_flag){ 0 };
    leat_store_relaxed(&open_id, 0);
    rt = runtime_begin(1);
    EXPLORE_CHECK(leat_limiter_new(&limiter, &opts) == LEAT_OK);
}

static void end(void)
{
    leat_limiter_stats stats;
    leat_limiter_read(limiter, &stats);
    EXPLORE_CHECK(stats.in_flight == 0 && stats.waiting == 0);
    leat_limiter_free(limiter);
    explore_finish();
}

/* The second waits until the first is settled. */
static leat_err asks_twice(leat_task *t, void *arg, const void **result)
{
    leat_grant grant;
    (void)arg, (void)result;
    opens(t);
    leat_err err = leat_limiter_acquire(t, limiter, (leat_cost){ 0 }, &grant);
    writes_stack();
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    if (err == LEAT_OK) leat_limiter_settle(limiter, grant, (leat_cost){ 0 });
    return err;
}

static void limiter_told(void)
{
    begin();
    leat_handle *h;
    EXPLORE_CHECK(leat_task_submit(rt, asks_twice, NULL, &h) == LEAT_OK);
    settles();
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    leat_handle_free(h);
    end();
}

static void cancels(void *handle)
{
    leat_handle_cancel(handle);
}

/* Canceled while it is granted what it waits for: it has it, or somebody else may. */
static void limiter_leave(void)
{
    begin();
    leat_handle *h;
    explore_quiet(true);
    EXPLORE_CHECK(leat_task_submit(rt, asks_twice, NULL, &h) == LEAT_OK);
    explore_settle();
    unsigned other = explore_start(cancels, h);
    settles();
    explore_join(other);
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    EXPLORE_CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    leat_handle_free(h);
    end();
}

static void settles_and_tells(void *unused)
{
    (void)unused;
    settles();
    explore_flag_add(&settled, 1);
}

/* Ends when its grant has been closed by another thread; its memory goes with the handle. */
static leat_err asks_once(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    opens(t);
    explore_flag_await(&settled, 1);
    return LEAT_OK;
}

static void limiter_closed(void)
{
    begin();
    leat_handle *h;
    EXPLORE_CHECK(leat_task_submit(rt, asks_once, NULL, &h) == LEAT_OK);
    explore_start(settles_and_tells, NULL);
    EXPLORE_CHECK(leat_handle_wait(h, -1, NULL, NULL) == LEAT_OK);
    leat_handle_free(h);
    end();
}

const explore_case explore_limiter_told = { "limiter_told", limiter_told, { 2, 1, 2, 2000 }, { 3, 1, 3, 20000 }, false };
const explore_case explore_limiter_leave = { "limiter_leave", limiter_leave, { 2, 1, 2, 2000 }, { 3, 1, 3, 20000 }, false };
const explore_case explore_limiter_closed = {
    "limiter_closed", limiter_closed, { 1, 1, 1, 1000 }, { 2, 1, 2, 20000 }, false
};
