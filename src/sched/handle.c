/*
 * handle.c: a task seen from outside the pool.
 *
 * `state`: DONE is set once by the worker on which the task ended, after the result was written. WATCHED is set by a thread that
 * sleeps on the word, CALLBACK when a callback was set. Whoever comes second of {end, callback} calls the callback: the end on its
 * worker, the setter by queueing a job (its memory lies in the handle). In the same way the end and leat_handle_fd settle
 * who signals the descriptor; both may, it stays readable.
 *
 * `busy`: how many on workers may still touch the handle: the task, and a late callback. FREE_WAITS: a thread sleeps in
 * leat_handle_free until the count is 0, and frees then. FREE_LATER: leat_handle_free was called inside a task (or in the callback
 * itself), where nothing may wait: the last to leave frees.
 *
 * A handle may outlive its runtime, whose end is also that of the task: from then on `rt` is not touched any more. What waits, asks, cancels
 * or frees looks at the handle alone, once it is done.
 *
 * The task itself is made by the worker that begins it, in the frame that runs it; what a cancel needs of it stands in the handle, and
 * what is left of it at its end moves there. So a handle is two cache lines, where a task is five.
 */
#include "runtime.h"

#include "../base/check.h"
#include "../base/err.h"

#define STATE_DONE     1u
#define STATE_WATCHED  2u
#define STATE_CALLBACK 4u

#define BUSY_COUNT      0xFFFFu
#define BUSY_FREE_WAITS 0x10000u
#define BUSY_FREE_LATER 0x20000u

struct leat_handle {
    leat_i_job job; /* its first member: begins the task; carries a callback that was set after the end */
    leat_task_fn fn;
    void *arg;
    leat_runtime *rt;
    LEAT_ATOMIC(leat_i_waiter *) parked;
    LEAT_ATOMIC(uint32_t) canceled;
    LEAT_ATOMIC(uint32_t) state;
    LEAT_ATOMIC(uint32_t) busy;
    LEAT_ATOMIC(int) fd; /* -1 = none was asked for */
    /* Of the end, and of what is set for it. */
    void (*on_done)(void *arg);
    void *on_done_arg;
    union {
        const void *result;
        const leat_error *error; /* when err is not LEAT_OK */
    };
    leat_err err;
    bool skip_canceled;
    uint16_t forks;     /* those that this process came from, when it was made; the low bits tell a child from its parent */
    leat_i_arena arena; /* what the task has left: the result and the error may lie in it */
};

_Static_assert(sizeof(struct leat_handle) <= 2 * LEAT_CACHE_LINE_BYTES, "a handle is as much as two cache lines");

/* A task that has begun. */
struct root {
    leat_task task; /* its first member */
    leat_handle *handle;
};

/* Asked of the handle alone: its runtime may be gone. */
static bool handle_is_forked(const leat_handle *h)
{
    return h->forks != (uint16_t)leat_i_forks_now();
}

static void handle_dealloc(leat_handle *h)
{
    int fd = leat_load_relaxed(&h->fd);
    if (fd >= 0) leat_i_os_close(fd);
    leat_i_arena_fini(&h->arena);
    leat_i_free(h);
}

/* The last touch of the handle by somebody on a worker. */
static void handle_leave(leat_handle *h, leat_runtime *rt)
{
    leat_i_runtime_root_ended(rt);
    uint32_t busy =
        leat_sub_acq_rel(&h->busy, 1); /* release: what was done is done before the free; acquire: for the free here */
    if ((busy & BUSY_COUNT) != 1) return;
    if (busy & BUSY_FREE_LATER)
        handle_dealloc(h);
    else if (busy & BUSY_FREE_WAITS)
        leat_i_os_futex_wake(&h->busy, 1); /* Maybe freed by now: then it wakes nobody. */
}

static void handle_ended(leat_task *t, leat_err err, const void *result, const leat_error *error)
{
    leat_handle *h = ((struct root *)t)->handle;
    leat_runtime *rt = t->rt;
    h->arena = t->arena;
    h->err = err;
    if (err == LEAT_OK)
        h->result = result;
    else
        h->error = error;
    /* seq_cst: release publishes the result; ordered before the look at fd, as leat_handle_fd orders its two the other way. */
    uint32_t state = leat_or_seq_cst(&h->state, STATE_DONE);
    if (state & STATE_WATCHED) leat_i_os_futex_wake(&h->state, INT32_MAX);
    int fd = leat_load_seq_cst(&h->fd);
    if (fd >= 0) leat_i_os_eventfd_signal(fd);
    if (state & STATE_CALLBACK) h->on_done(h->on_done_arg);
    handle_leave(h, rt);
}

LEAT_WAKE_PATH static void handle_begin(leat_i_job *job, leat_i_waiter *s)
{
    leat_handle *h = (leat_handle *)job;
    struct root root;
    root.handle = h;
    leat_i_task_init(&root.task, h->rt, h->fn, h->arg);
    root.task.root = (leat_task *)h; /* a name for it, nothing more */
    root.task.ended = handle_ended;
    root.task.stop = &h->canceled;
    root.task.parked = &h->parked;
    root.task.skip_canceled = h->skip_canceled;
    leat_i_task_execute(&root.task, s);
}

bool leat_i_submit_is_allowed(const leat_runtime *rt, leat_task_fn fn)
{
    return rt && fn && !leat_i_worker_current() && !leat_i_runtime_is_forked(rt);
}

/* Why it is not. */
static const char *submit_refusal(const leat_runtime *rt, leat_task_fn fn)
{
    if (!rt || !fn) return "a task needs a runtime and a function";
    if (leat_i_runtime_is_forked(rt)) return "the runtime belongs to the process that this one was forked from";
    return "leat_task_run would hold a worker: inside a task, start another one with leat_task_start, and await it";
}

LEAT_WAKE_PATH leat_err leat_i_task_submit(leat_runtime *rt, leat_task_fn fn, void *arg, bool skip_canceled,
                                           leat_handle **out)
{
    if (!out) return LEAT_USAGE;
    *out = NULL;
    if (!leat_i_submit_is_allowed(rt, fn)) return LEAT_USAGE;
    leat_handle *h = leat_i_alloc(sizeof *h);
    if (!h) return LEAT_NOMEM;
    h->job = (leat_i_job){ .run = handle_begin };
    h->fn = fn;
    h->arg = arg;
    h->rt = rt;
    h->skip_canceled = skip_canceled;
    h->forks = (uint16_t)rt->fork_count;
    h->on_done = NULL;
    leat_store_relaxed(&h->parked, NULL); /* relaxed: the injection publishes it all */
    leat_store_relaxed(&h->canceled, 0);
    leat_store_relaxed(&h->state, 0);
    leat_store_relaxed(&h->busy, 1);
    leat_store_relaxed(&h->fd, -1);
    leat_add_relaxed(&rt->roots, 1);
    *out = h;
    leat_i_runtime_inject(rt, &h->job, &h->job);
    return LEAT_OK;
}

LEAT_WAKE_PATH leat_err leat_task_submit(leat_runtime *rt, leat_task_fn fn, void *arg, leat_handle **out)
{
    if (out) return leat_i_task_submit(rt, fn, arg, true, out);
    return leat_i_submit_is_allowed(rt, fn) ? leat_i_detached_submit(rt, fn, arg) : LEAT_USAGE;
}

/* Tells whether this thread is a part of what is behind the handle: to wait for its end would be to wait for oneself. */
static bool handle_is_own(const leat_handle *h)
{
    const leat_task *helped = leat_i_blocking_task();
    return helped && helped->root == (const leat_task *)h;
}

bool leat_handle_is_done(const leat_handle *h)
{
    /* acquire: pairs with the end, for the result */
    return h && leat_load_acquire(&((leat_handle *)(uintptr_t)h)->state) & STATE_DONE;
}

/* Sleeps until the end or `until_ns`. */
static bool handle_watch(leat_handle *h, int64_t until_ns)
{
    while (!leat_handle_is_done(h)) {
        uint32_t state = leat_or_acquire(&h->state, STATE_WATCHED) | STATE_WATCHED;
        if (state & STATE_DONE) break;
        if (leat_i_os_futex_wait(&h->state, state, until_ns) != 0) return leat_handle_is_done(h);
    }
    return true;
}

leat_err leat_handle_wait(leat_handle *h, int64_t timeout_ms, const void **result, leat_error *error)
{
    if (!h || handle_is_forked(h)) return LEAT_USAGE;
    if (!leat_handle_is_done(h)) {
        if (timeout_ms == 0) return LEAT_TIMEOUT;
        if (leat_i_worker_current() || handle_is_own(h)) return LEAT_USAGE;
        int64_t until_ns = LEAT_I_NEVER_NS;
        if (timeout_ms > 0 && timeout_ms < INT64_MAX / LEAT_I_NS_PER_MS)
            until_ns = leat_i_os_add_ns(leat_i_os_now_ns(), timeout_ms * LEAT_I_NS_PER_MS);
        if (!handle_watch(h, until_ns)) return LEAT_TIMEOUT;
    }
    if (h->err == LEAT_OK) {
        if (result) *result = h->result;
    } else if (error) {
        *error = *h->error;
    }
    return h->err;
}

leat_err leat_task_run(leat_runtime *rt, leat_task_fn fn, void *arg, leat_error *error)
{
    leat_handle *h;
    leat_err err = leat_task_submit(rt, fn, arg, &h);
    if (err) return leat_i_fail(error, err, "%s", err == LEAT_USAGE ? submit_refusal(rt, fn) : leat_err_sentence(err));
    err = leat_handle_wait(h, -1, NULL, error);
    leat_handle_free(h);
    return err;
}

/* ---- the callback ---- */

static void callback_run(leat_i_job *job, leat_i_waiter *s)
{
    leat_handle *h = (leat_handle *)job;
    leat_runtime *rt = h->rt;
    (void)s;
    h->on_done(h->on_done_arg);
    handle_leave(h, rt);
}

leat_err leat_handle_on_done(leat_handle *h, void (*fn)(void *arg), void *arg)
{
    if (!h || !fn || h->on_done || handle_is_forked(h)) return LEAT_USAGE;
    leat_runtime *rt = h->rt;
    h->on_done = fn;
    h->on_done_arg = arg;
    /* release: publishes fn and arg to the end, which calls them unless it came first; acquire: it has. */
    if (!(leat_or_acq_rel(&h->state, STATE_CALLBACK) & STATE_DONE)) return LEAT_OK;
    h->job.run = callback_run;
    leat_add_relaxed(&h->busy, 1); /* relaxed: whoever may free it does so after this call */
    leat_add_relaxed(&rt->roots, 1);
    leat_i_runtime_inject(rt, &h->job, &h->job);
    return LEAT_OK;
}

/* ---- the descriptor ---- */

int leat_handle_fd(leat_handle *h)
{
    if (!h || handle_is_forked(h)) return -1;
    int fd = leat_load_relaxed(&h->fd); /* relaxed: a number alone */
    if (fd >= 0) return fd;
    int made = leat_i_os_eventfd();
    if (made < 0) return -1;
    /* seq_cst: stored before the look at `state`, as the end orders its two the other way: one of both signals, or both. */
    if (!leat_cas_seq_cst(&h->fd, &fd, made)) {
        leat_i_os_close(made);
        return fd;
    }
    if (leat_load_seq_cst(&h->state) & STATE_DONE) leat_i_os_eventfd_signal(made);
    return made;
}

/* ---- the end ---- */

void leat_handle_cancel(leat_handle *h)
{
    if (h && !handle_is_forked(h)) leat_i_cancel(&h->canceled, &h->parked);
}

/* Lets it go without a cancel: the last to leave frees. */
static void handle_drop(leat_handle *h)
{
    uint32_t busy = leat_or_acq_rel(&h->busy, BUSY_FREE_LATER); /* acq_rel: as in handle_leave */
    if ((busy & BUSY_COUNT) == 0) handle_dealloc(h);
}

void leat_handle_free(leat_handle *h)
{
    if (!h || handle_is_forked(h)) return;
    if (!leat_handle_is_done(h)) leat_i_cancel(&h->canceled, &h->parked);
    if (leat_i_worker_current() || handle_is_own(h)) {
        handle_drop(h);
        return;
    }
    uint32_t busy = leat_load_acquire(&h->busy); /* acquire: pairs with the release in handle_leave */
    while (busy & BUSY_COUNT) {
        busy = leat_or_acquire(&h->busy, BUSY_FREE_WAITS) | BUSY_FREE_WAITS;
        if (busy & BUSY_COUNT) leat_i_os_futex_wait(&h->busy, busy, LEAT_I_NEVER_NS);
        busy = leat_load_acquire(&h->busy);
    }
    handle_dealloc(h);
}
