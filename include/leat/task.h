/*
 * leat/task.h: the runtime, tasks, futures, and what a task can wait for.
 *
 * The first argument tells: a function that takes `leat_task *` may suspend the task; one that does not never does.
 * While a task is suspended it costs no thread. It goes on on the worker where it first suspended, so C code between
 * two suspensions may use malloc, errno, locale and thread-locals as always; no mutex may be held over one.
 *
 * Structured: whatever a task starts has ended before the task ends. A future that nobody awaited is canceled and joined. Until then its
 * futures, and the memory that it was given, stay: a task that lives long works in scopes (leat_task_scope).
 *
 * A task is used only inside the callback that it is given to, on the thread that runs it, and a future by the task that started
 * it. Calls look, in all builds: those that give an error answer LEAT_USAGE, those that give a future give one that has failed
 * with it, and both log a sentence that names the call. Those that can do neither (leat_task_alloc, leat_task_printf,
 * leat_task_fail, what tells of the visit) end the process with that sentence, since going on would write into the memory of
 * somebody else; they may also come from the function that leat_blocking, or a node with `blocking`, runs for the task. A call without
 * what it needs (NULL for a future, a semaphore, a client) is answered in the same way.
 *
 * A callback ends by returning. pthread_exit in one, and a child of fork that leaves one, end the process with a sentence too.
 *
 * Source: our own. Structured concurrency after N. J. Smith, "Notes on structured concurrency" (2018); where a call has a twin in
 * Python's asyncio, its block names it.
 */
#ifndef LEAT_TASK_H
#define LEAT_TASK_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_runtime leat_runtime; /* a pool of workers; one per program is usual */
typedef struct leat_task leat_task;       /* valid only inside the callback that it is given to */
typedef struct leat_future leat_future;   /* one-shot result; owned by the task that started it */
typedef struct leat_handle leat_handle;   /* a future for threads outside the pool */
typedef struct leat_semaphore leat_semaphore;

typedef enum leat_log_level { LEAT_LOG_WARNING, LEAT_LOG_INFO, LEAT_LOG_DEBUG } leat_log_level;

/* Every field may be 0 = the default. */
typedef struct leat_runtime_opts {
    uint32_t worker_count; /* 0 = affinity mask and cgroup quota; at most 256 */
    uint32_t stack_bytes;  /* per stack; 0 = 64 KiB (4 times that under sanitizers); at least 16 KiB */
    uint32_t blocking_max; /* helper threads for leat_blocking; 0 = 64 */
    void (*log)(void *arg, leat_log_level level, const char *text); /* any thread; NULL = warnings to stderr */
    void *log_arg;                                                  /* borrowed until leat_runtime_free */
    bool virtual_clock; /* time stands still while anything runs, and jumps to the next timer when all wait: for tests */
} leat_runtime_opts;

/**
 * Starts a runtime: its workers, with nothing to do yet.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*out` belongs to the caller, who frees it with leat_runtime_free. `opts` is copied; NULL = all defaults.
 * Errors:  LEAT_USAGE for options out of range (the log says which) and inside a task, LEAT_NOMEM when memory or threads are
 *          short. `*out` is NULL then.
 */
LEAT_API LEAT_MUST_USE leat_err leat_runtime_new(leat_runtime **out, const leat_runtime_opts *opts);

/**
 * Ends a runtime: cancels and joins what still runs, then joins the workers. NULL is fine.
 *
 * Threads: one thread outside the pool; no other call on `rt` may be under way.
 * Owns:    `rt` and all its memory are gone. Handles stay with who has them: they tell how their tasks ended, and are freed
 *          later; only leat_handle_on_done needs the runtime. So do clients (leat_llm), which can but be freed then. From inside
 *          a task it stays, with a warning.
 */
LEAT_API void leat_runtime_free(leat_runtime *rt);

/**
 * Gives the number of workers.
 *
 * Threads: any.
 */
LEAT_API uint32_t leat_runtime_worker_count(const leat_runtime *rt);

/* The body of a task. On LEAT_OK, `*result` (NULL until set) is what an await gives; it must outlive the task's body:
 * memory of leat_task_alloc does. Any other code fails the task; leat_task_fail adds the sentence. */
typedef leat_err (*leat_task_fn)(leat_task *t, void *arg, const void **result);

/**
 * Starts a task that may run in parallel with `t`.
 *
 * Suspends: no; the new task runs when a worker is free.
 * Threads:  from the task `t` only.
 * Owns:     the future belongs to `t` until the visit (or task body) in which it was started ends; `arg` is borrowed until
 *           the task has ended. That may be after the function that started it has returned early: so memory of leat_task_alloc
 *           is right for it, and a variable of that function is not.
 * Shape:    `fn` is called once with `arg`, on any worker.
 * Errors:   never NULL: when memory is short it gives a future that has already failed with LEAT_NOMEM, and without `fn` one that
 *           has failed with LEAT_USAGE.
 */
LEAT_API leat_future *leat_task_start(leat_task *t, leat_task_fn fn, void *arg);

/**
 * Waits until `f` has its result. May be called again on the same future: it answers the same.
 *
 * Suspends: yes, until the result, or cancel, or the nearest deadline of `t`.
 * Threads:  from the task that owns `f` only.
 * Owns:     `*result` lives until the visit (or task body) of `t` in which `f` was started ends. `result` may be NULL.
 * Shape:    `*result` is what the task gave; what it points to is between it and you.
 * Errors:   the error of the awaited task or operation (leat_future_error has its story); LEAT_CANCELED, LEAT_TIMEOUT when
 *           `t` itself was stopped: then `f` goes on until `t` awaits it again or ends. On error `*result` is untouched.
 */
LEAT_API LEAT_MUST_USE leat_err leat_await(leat_task *t, leat_future *f, const void **result);

/**
 * Waits until all `count` futures have ended, the failed ones too; asyncio's gather with return_exceptions.
 *
 * Suspends: yes, as leat_await.
 * Threads:  as leat_await.
 * Owns:     `futures` is borrowed during the call.
 * Shape:    `count` pointers, none of them NULL; the same one may stand there twice.
 * Errors:   that of the failed future with the lowest index; LEAT_CANCELED, LEAT_TIMEOUT of `t` itself.
 */
LEAT_API LEAT_MUST_USE leat_err leat_await_all(leat_task *t, leat_future *const *futures, size_t count);

/**
 * Waits until one of `count` futures has ended, well or not, and gives its index (the lowest of those ended).
 *
 * Suspends: yes, as leat_await. The others go on.
 * Threads:  as leat_await.
 * Owns:     `futures` is borrowed during the call; `index` may be NULL.
 * Shape:    `count` pointers, none of them NULL.
 * Units:    `*index` counts from 0.
 * Errors:   LEAT_USAGE for count 0; LEAT_CANCELED, LEAT_TIMEOUT of `t` itself. A failed future is not an error here.
 */
LEAT_API LEAT_MUST_USE leat_err leat_await_any(leat_task *t, leat_future *const *futures, size_t count, size_t *index);

/**
 * Tells whether `f` has its result, without waiting.
 *
 * Threads: from the task that owns `f` only.
 */
LEAT_API bool leat_future_is_done(const leat_future *f);

/**
 * Gives the story of a failed future; NULL while it runs and when it ended well.
 *
 * Threads: from the task that owns `f` only.
 * Owns:    lives as long as `f`.
 * Errors:  none of its own.
 */
LEAT_API const leat_error *leat_future_error(const leat_future *f);

/**
 * Asks what is behind `f` to stop. Await it to know that it has.
 *
 * Threads: from the task that owns `f` only.
 */
LEAT_API void leat_future_cancel(leat_future *f);

/**
 * Suspends for `duration_ms`; 0 or less lets others go first (a yield).
 *
 * Suspends: yes.
 * Threads:  from the task `t` only.
 * Errors:   LEAT_CANCELED, LEAT_TIMEOUT (a deadline of `t` came first).
 */
LEAT_API LEAT_MUST_USE leat_err leat_sleep_ms(leat_task *t, int64_t duration_ms);

/**
 * Runs `fn(t, arg, result)` in this task under a deadline of its own; asyncio's wait_for.
 *
 * Suspends: as `fn` does.
 * Threads:  from the task `t` only.
 * Owns:     `arg` is borrowed during the call; `result` may be NULL. On error `*result` is untouched.
 * Shape:    `fn` is called once, on this stack, with `t` and `arg`.
 * Units:    `duration_ms` in ms from now; 0 or less = no deadline. The nearest of this and the deadlines around it counts.
 * Errors:   LEAT_TIMEOUT when this deadline ended it; else what `fn` returned. An `fn` that returns LEAT_OK late counts as
 *           OK. LEAT_USAGE without `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_task_within(leat_task *t, int64_t duration_ms, leat_task_fn fn, void *arg,
                                                 const void **result);

/**
 * Calls `fn(t, arg, result)` in this task, and ends what it made when it returns, as the end of a task does: what it has started and
 * not awaited is canceled and joined, its memory and its futures are given back. For a task that lives long, whose own memory would
 * only grow: a scope for each turn of its loop.
 *
 *     while (!leat_task_is_canceled(t))
 *         if (leat_task_scope(t, serve_one, server, &error) != LEAT_OK) log_failure(&error);
 *
 * Suspends: as `fn` does, and until what it has started has ended.
 * Threads:  from the task `t` only; scopes may stand in one another.
 * Owns:     what `fn` was given for `t` (memory, text, replies, futures) is gone afterwards, and so is what it set as a result: what is to
 *           stay goes by way of `arg`. `*error` (optional) is written on failure; without it the story stays in the memory of `t`.
 * Shape:    `fn` is called once, on this stack, with `t` and `arg`. The items of a batch are not added in a scope.
 * Errors:   what `fn` returned; LEAT_NOMEM when its memory was short, and `t` goes on; LEAT_USAGE without `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_task_scope(leat_task *t, leat_task_fn fn, void *arg, leat_error *error);

/**
 * Runs `fn(arg)` on a helper thread, for C code that blocks (a library, a disk), and waits for it.
 *
 * Suspends: yes, until `fn` has returned: neither cancel nor a deadline cuts it short, since `arg` must outlive it.
 * Threads:  from the task `t` only; `fn` runs on another thread and gets no task.
 * Owns:     `arg` is borrowed until `fn` has returned.
 * Shape:    `fn` is called at most once, with `arg`, and may block as long as it likes.
 * Errors:   what `fn` returned, also after a cancel meanwhile; without a call of `fn`: LEAT_NOMEM when no helper thread
 *           could be had, LEAT_CANCELED, LEAT_TIMEOUT when `t` had been stopped before, LEAT_USAGE without `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_blocking(leat_task *t, leat_err (*fn)(void *arg), void *arg);

/**
 * Gives zeroed memory that lives until the visit (or task body) ends; nobody frees it. Alignment: 16.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     the memory belongs to the visit (or task body) of `t`.
 * Errors:   NULL when memory is short; the visit then ends with LEAT_NOMEM whatever the step returns.
 */
LEAT_API void *leat_task_alloc(leat_task *t, size_t size);

/**
 * Formats like sprintf into memory that lives until the visit (or task body) ends.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     the text belongs to the visit (or task body) of `t`.
 * Errors:   never NULL: "" when memory is short, and the visit then ends with LEAT_NOMEM whatever the step returns.
 */
LEAT_API const char *leat_task_printf(leat_task *t, const char *fmt, ...) LEAT_PRINTF(2, 3);

/**
 * Notes the sentence that explains a failure, and returns `code` so that a step can `return leat_task_fail(...)`.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     the sentence is copied.
 * Shape:    the sentence is cut to fit leat_error.text.
 * Errors:   always `code`. When memory is short the sentence of `code` itself stands for it.
 */
LEAT_API leat_err leat_task_fail(leat_task *t, leat_err code, const char *fmt, ...) LEAT_PRINTF(3, 4);

/**
 * As leat_task_fail, and keeps what the failure came from: leat_error_cause walks it, leat_error_format prints it.
 *
 *     leat_err err = leat_await(t, f, &page);
 *     if (err) return leat_task_fail_because(t, LEAT_USER, NULL, "the page of %s is missing", city);
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     `cause` and its story are copied; NULL = the last error that `t` was given by a call that failed.
 * Shape:    as leat_task_fail.
 * Errors:   gives `code`.
 */
LEAT_API leat_err leat_task_fail_because(leat_task *t, leat_err code, const leat_error *cause, const char *fmt, ...)
    LEAT_PRINTF(4, 5);

/**
 * Tells whether `t` was asked to stop (cancel, or a deadline has passed): for long C code between two suspensions.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 */
LEAT_API bool leat_task_is_canceled(const leat_task *t);

/**
 * Gives the runtime that runs `t`.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     borrowed; it outlives `t`.
 * Errors:   never NULL.
 */
LEAT_API leat_runtime *leat_task_runtime(const leat_task *t);

/**
 * Gives the time of the runtime's clock: monotonic, or virtual where the runtime was made so.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Units:    ns.
 */
LEAT_API int64_t leat_task_now_ns(const leat_task *t);

/* ---- from threads outside the pool ---- */

/**
 * Starts a task from outside the pool. With `out` NULL nobody can wait for it or cancel it, which makes it several times
 * cheaper; leat_runtime_free cancels and joins those that have not ended, and warns of them.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*out` belongs to the caller, who frees it with leat_handle_free; `arg` is borrowed until the task has ended.
 * Shape:   `fn` is called once with `arg`, on any worker; not at all when the task is canceled before it has begun.
 * Errors:  LEAT_NOMEM; LEAT_USAGE from inside a task or in a forked child.
 */
LEAT_API LEAT_MUST_USE leat_err leat_task_submit(leat_runtime *rt, leat_task_fn fn, void *arg, leat_handle **out);

/**
 * Starts `count` tasks at once, one for each element of an array, at less than what each would cost alone.
 *
 *     leat_err err = leat_task_submit_batch(rt, load_page, pages, sizeof pages[0], page_count, &h);
 *
 * One handle stands for all of them: it is done when all have ended, and leat_handle_cancel stops all. A task that fails does not
 * stop the others. With `out` NULL nobody waits, as with leat_task_submit.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*out` belongs to the caller, who frees it with leat_handle_free; the elements are borrowed until all tasks have ended.
 * Shape:   `fn` is called once for each element with its address, on any worker, in no order; element i begins `arg_bytes` * i
 *          bytes after `args`. With `arg_bytes` 0 all tasks get `args` itself, which may be NULL then. After a cancel it is not called
 *          for those that have not begun. The results of the tasks are dropped, and leat_handle_wait gives NULL.
 * Units:   bytes; `count` may be 0: nothing is called, and the handle is done as soon as a worker has seen it.
 * Errors:  LEAT_NOMEM; LEAT_USAGE from inside a task, in a forked child, or for an array larger than the address space.
 *          leat_handle_wait gives the error of the failed task with the lowest index; one that was not called for a cancel has
 *          failed with LEAT_CANCELED.
 */
LEAT_API LEAT_MUST_USE leat_err leat_task_submit_batch(leat_runtime *rt, leat_task_fn fn, void *args, size_t arg_bytes,
                                                       size_t count, leat_handle **out);

/**
 * Starts a task and blocks this thread until it has ended.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*error` (optional) is written on failure only.
 * Shape:   `fn` is called once with `arg`, on any worker.
 * Errors:  what the task returned; LEAT_NOMEM; LEAT_USAGE from inside a task, in a forked child, or without `rt` or `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_task_run(leat_runtime *rt, leat_task_fn fn, void *arg, leat_error *error);

/**
 * Blocks this thread until the task behind `h` has ended or `timeout_ms` has passed (< 0 = wait for ever, 0 = poll).
 *
 * Threads: any thread outside the pool, one at a time.
 * Owns:    `*result` (optional) lives until leat_handle_free; `*error` (optional) is written when the task failed.
 * Errors:  LEAT_TIMEOUT when it still runs; LEAT_USAGE from inside a task that would have to wait, from a blocking call
 *          of its own run, or in a forked child; else what the task returned.
 */
LEAT_API LEAT_MUST_USE leat_err leat_handle_wait(leat_handle *h, int64_t timeout_ms, const void **result, leat_error *error);

/**
 * Tells whether the task behind `h` has ended, without waiting. A LEAT_TIMEOUT of leat_handle_wait may be the task's own;
 * this tells.
 *
 * Threads: any.
 */
LEAT_API bool leat_handle_is_done(const leat_handle *h);

/**
 * Has `fn(arg)` called once when the task has ended: always on a worker, never by this call itself.
 *
 * Threads: any thread outside the pool; set it at most once, before or after the end.
 * Owns:    `arg` is borrowed until `fn` has returned.
 * Shape:   `fn` is called with `arg`; it must not wait, and cannot start or submit tasks, but may call leat_handle_free.
 * Errors:  LEAT_USAGE when one was set before, without `fn`, or in a forked child.
 */
LEAT_API LEAT_MUST_USE leat_err leat_handle_on_done(leat_handle *h, void (*fn)(void *arg), void *arg);

/**
 * Gives a file descriptor that becomes readable when the task has ended: for other people's event loops.
 *
 * Threads: any thread outside the pool.
 * Owns:    the descriptor belongs to `h`; do not close it, only poll it.
 * Units:   a file descriptor.
 * Errors:  -1 when no descriptor could be had, or in a forked child.
 */
LEAT_API int leat_handle_fd(leat_handle *h);

/**
 * Asks the task behind `h` to stop; it ends with LEAT_CANCELED at its next suspension.
 *
 * Threads: any, signal handlers excepted.
 */
LEAT_API void leat_handle_cancel(leat_handle *h);

/**
 * Cancels what still runs, joins it, and frees the handle. NULL is fine.
 *
 * Threads: any. Outside the pool it waits for the end; inside a task it does not, and the last to leave frees.
 * Owns:    `h`, its result, its story and its descriptor are gone.
 */
LEAT_API void leat_handle_free(leat_handle *h);

/* ---- a semaphore for tasks ---- */

/**
 * Makes a semaphore with `count` permits.
 *
 * Threads: any.
 * Owns:    `*out` belongs to the caller, who frees it with leat_semaphore_free when nobody waits on it.
 * Errors:  LEAT_NOMEM, LEAT_USAGE for a count over 2^31 - 1 or without `out`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_semaphore_new(leat_semaphore **out, uint32_t count);

/**
 * Frees a semaphore that nobody waits on. NULL is fine.
 *
 * Threads: any.
 * Owns:    `s` is gone.
 */
LEAT_API void leat_semaphore_free(leat_semaphore *s);

/**
 * Takes one permit, in the order of asking.
 *
 * Suspends: yes, until a permit is free.
 * Threads:  from the task `t` only.
 * Errors:   LEAT_CANCELED, LEAT_TIMEOUT; no permit is held then.
 */
LEAT_API LEAT_MUST_USE leat_err leat_semaphore_acquire(leat_task *t, leat_semaphore *s);

/**
 * Gives one permit back.
 *
 * Threads: any.
 */
LEAT_API void leat_semaphore_release(leat_semaphore *s);

#ifdef __cplusplus
}
#endif
#endif
