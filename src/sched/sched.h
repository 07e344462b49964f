/*
 * sched.h: what the other rooms use of the scheduler.
 *
 * The life of a task: made (leat_i_task_init) -> queued on a deque or the injection list -> started by any worker, on that
 * worker's current stack -> runs, parks and resumes on that stack, always on the same worker (its home) -> done: its future is
 * completed -> freed by its owner (the parent's end, a batch that is finished with the item, or leat_handle_free).
 *
 * Waiting. Whoever wants to be woken takes the waiter of the current task (leat_i_task_waiter), hands it to whom it may concern
 * under its own protocol, and parks in a loop around its own condition:
 *
 *     leat_i_waiter *w = leat_i_task_waiter(t);
 *     ... publish w ...
 *     while (!condition) { err = leat_i_park(t, until_ns); if (err) break; }
 *     ... withdraw w ...
 *
 * leat_i_unpark(w) may come before, during or after the park, from any thread, more than once and too late: a park that follows
 * an unpark returns at once (one token, as in Java's LockSupport), so each park may return without cause. Waiters are the stacks
 * themselves and live until the runtime dies: a late unpark of a stack that serves another task is a harmless spurious wake.
 *
 * While it is parked a task lets its gate go (hooks below), and takes it again before leat_i_park returns.
 */
#ifndef LEAT_I_SCHED_H
#define LEAT_I_SCHED_H

#include "leat/task.h"

#include "../base/atomics.h"
#include "../base/heap.h"
#include "../base/mem.h"
#include "../base/os.h"

typedef struct leat_i_waiter leat_i_waiter; /* a stack, seen by those who wake it */

/* ---- the result cell: inside a task, or inside an operation of another room ---- */

/*
 * States of `state`: 0 pending, a waiter's address (or a latch's, see future.c), or LEAT_I_FUTURE_DONE. Only the owner stores it (CAS 0 -> waiter) and
 * takes it back (CAS waiter -> 0); whoever completes exchanges DONE in, once, after writing err, result and error, and unparks
 * the waiter it found. After that exchange it may not touch the future again: the owner may have freed it.
 */
struct leat_future {
    LEAT_ATOMIC(uintptr_t) state;
    leat_err err;
    bool cancel_asked; /* by the owner, who asks once */
    const void *result;
    const leat_error *error; /* NULL or in memory that lives as long as the future */
    const struct leat_i_future_ops *ops;
    leat_future *next, *prev; /* list of the owning task; touched by that task only */
    leat_task *owner;         /* who adopted it, to be compared; NULL = an operation on the stack of who waits */
};

#define LEAT_I_FUTURE_DONE ((uintptr_t)1)

/* What the owner can do to a future it has started. Called on the owner's stack. */
typedef struct leat_i_future_ops {
    void (*cancel)(leat_future *f); /* asks to stop, once at most; the future still completes */
    void (*free)(leat_future *f);   /* after completion; NULL = memory is the owner's arena */
} leat_i_future_ops;

void leat_i_future_init(leat_future *f, const leat_i_future_ops *ops);
void leat_i_future_complete(leat_future *f, leat_err err, const void *result,
                            const leat_error *error); /* any thread, once */
void leat_i_future_cancel(leat_future *f);            /* leat_future_cancel without its look at who asks */
/* Adds a started operation to those that `t` joins at its end. */
void leat_i_future_adopt(leat_task *t, leat_future *f);
/* Owner: takes it out of the list and frees it now; it must be done. For batches, whose items free theirs as they finish. */
void leat_i_future_release(leat_task *t, leat_future *f);
/* As leat_await, but neither cancel nor deadline ends the wait: for joins after a cancel. Returns the future's own error. */
leat_err leat_i_await_shielded(leat_task *t, leat_future *f);

/* ---- tasks ---- */

struct leat_i_visit; /* flow's state of the running visit: sched carries it, and knows nothing of it */
struct leat_i_gate;

/* What a task waits for, where that is worth telling. */
typedef enum leat_i_wait { LEAT_I_WAIT_RETRY, LEAT_I_WAIT_LIMITER, LEAT_I_WAIT_GATE, LEAT_I_WAIT_SEMAPHORE } leat_i_wait;

/* Who watches a task; told on the task's own stack, and must not suspend. */
typedef struct leat_i_watcher {
    void (*waited)(leat_task *t, leat_i_wait what, int64_t begin_ns, leat_err err); /* a wait is over */
    void (*resumed)(leat_task *t, int64_t left_ns); /* it goes on; its stack had been left at left_ns */
} leat_i_watcher;

/* What a worker runs next: the head of a task, and of what is not a task yet (detached.c, batch.c). `run` is called once, on the
 * stack `s` of the worker that took the job, and may suspend there; nobody else touches the job any more. */
typedef struct leat_i_job {
    struct leat_i_job *link; /* injection list, free list */
    void (*run)(struct leat_i_job *job, leat_i_waiter *s);
} leat_i_job;

/*
 * Fields are touched by the task's own code only, unless said otherwise.
 */
struct leat_task {
    /* What its beginning reads stands first: it was written by another thread as a rule. */
    leat_i_job job; /* what the deques hold */
    leat_task_fn fn;
    void *arg;
    leat_runtime *rt;
    leat_i_waiter *waiter;          /* the stack it runs on; NULL until started */
    LEAT_ATOMIC(uint32_t) * stop;   /* its own `canceled`, that of its handle, or that of the batch's (batch.c) */
    LEAT_ATOMIC(uint32_t) canceled; /* any thread sets it; read through `stop` */
    bool skip_canceled;             /* canceled before it began: its body is not called */
    bool nomem;                     /* sticky: a task_alloc failed in this visit */
    bool gate_held;                 /* it holds `gate` and lets it go around each park */
    bool suspended;                 /* it has parked since somebody cleared this: from then on it is bound to its home */
    int64_t deadline_ns;            /* run, node: passed = LEAT_CANCELED inside */
    int64_t attempt_deadline_ns;    /* attempt, leat_task_within: passed = LEAT_TIMEOUT */
    leat_future *children;          /* started and not released */
    /* Called instead of leat_i_future_complete when the task has ended, as the worker's last touch of it; NULL = as usual. For those
     * who embed a task and keep accounts of their own. */
    void (*ended)(leat_task *t, leat_err err, const void *result, const leat_error *error);
    leat_error *error;  /* last leat_task_fail; in the arena */
    leat_future future; /* what the parent or handle waits for */
    leat_task *root;    /* what was submitted, or its handle, and has started this one by way of others; compared only */
    LEAT_ATOMIC(leat_i_waiter *) *
        parked; /* the next one, or that of its handle: != NULL there while a cancel should unpark it; partner
                                              of `canceled` (Dekker) */
    LEAT_ATOMIC(leat_i_waiter *) own_parked;
    leat_i_arena arena; /* of the running visit; rewound by its owner */
    struct leat_i_visit *visit;
    struct leat_i_gate *gate;
    const leat_i_watcher *watcher; /* NULL = nobody; tasks that it starts inherit it */
    struct leat_i_span *span;      /* what the watcher keeps of it: calls under way, the innermost first */
    const char *name;              /* of the node class, for overflow messages and reports; may change per visit */
    struct leat_i_batch *batch;    /* of which it is one item; else NULL */
};

/* Starts a child as leat_task_start does; the caller may set the inherited fields (visit, gate, deadlines) in `init`, which
 * runs before any worker can see the child. NULL init is fine. NULL when memory is short. */
leat_task *leat_i_task_start(leat_task *t, leat_task_fn fn, void *arg, void (*init)(leat_task *child, void *arg));

/* Starts a task that is on nobody's list of children: windows of a batch, which count their tasks and join them by themselves.
 * `t` is the running task, whose worker's deque takes the new one and which it inherits from as a child does, `visit` too; `init`
 * as above. `fn` is always called, also after a cancel; the task is freed when fn has returned and its own children have ended.
 * Whoever starts it makes sure that what `arg` points to lives until fn's last use of it. false when memory is short. */
bool leat_i_task_spawn(leat_task *t, leat_task_fn fn, void *arg, void (*init)(leat_task *task, void *arg));

/* As leat_task_submit; with `skip_canceled` off, `fn` is called also when the task was canceled before it began: for those whose
 * `arg` must be given back. */
leat_err leat_i_task_submit(leat_runtime *rt, leat_task_fn fn, void *arg, bool skip_canceled, leat_handle **out);

/* Asks a task to stop, as leat_future_cancel does: flag and unpark. Any thread that knows that the task has not ended. */
void leat_i_task_cancel(leat_task *t);

/* Cancels and joins all futures started since `mark` (a value of t->children), newest first, and releases them: what the end of
 * a visit does. */
void leat_i_task_end_children(leat_task *t, leat_future *mark);

const leat_error *leat_i_error_of(leat_err code); /* the story of an error that nobody told: the code's sentence */

/* LEAT_OK, or why `t` should stop now: LEAT_CANCELED (cancel, run or node deadline), LEAT_TIMEOUT (attempt deadline). */
leat_err leat_i_task_check(leat_task *t);

/*
 * Misuse. A task is used inside the callback that it is given to, and on the thread that runs it. Calls that suspend or start
 * something look first, in all builds: is_here costs about a nanosecond and does not touch `t`, which may be gone. They answer
 * LEAT_USAGE and log a sentence that names the call. Calls that cannot say so (they give memory, or text that is never NULL)
 * end the process with that sentence: to go on would be to write into memory of somebody else. Those may also come from
 * the helper thread that runs a blocking call of `t`, which stands still meanwhile.
 */
bool leat_i_task_is_here(const leat_task *t);
leat_err leat_i_task_misused(const char *call); /* logs; LEAT_USAGE */
void leat_i_task_require(const leat_task *t, const char *call);
leat_future *leat_i_future_misused(const char *call);        /* one that has failed with LEAT_USAGE */
leat_err leat_i_missing(const char *call, const char *what); /* "... was called without WHAT"; LEAT_USAGE */
/* "... was called WHAT", for calls that can answer no error: ends the process. */
__attribute__((noreturn, cold)) void leat_i_wrong(const char *call, const char *what);

#define LEAT_I_TASK_TRY(t)                                                                      \
    do {                                                                                        \
        if (__builtin_expect(!leat_i_task_is_here(t), 0)) return leat_i_task_misused(__func__); \
    } while (0)

leat_i_waiter *leat_i_task_waiter(leat_task *t);
uint32_t leat_i_task_worker(const leat_task *t); /* index of the worker that runs it */

/* When a wait begins that the watcher is told of at its end; 0 when nobody wants to know. */
static inline int64_t leat_i_wait_begin(const leat_task *t)
{
    return __builtin_expect(!t->watcher, 1) ? 0 : leat_task_now_ns(t);
}

static inline void leat_i_wait_end(leat_task *t, leat_i_wait what, int64_t begin_ns, leat_err err)
{
    if (__builtin_expect(t->watcher != NULL, 0)) t->watcher->waited(t, what, begin_ns, err);
}

/* For those who do one piece of work after another in one task. Lets go on what waits for this worker, if anything does; neither a
 * cancel nor a deadline ends it. */
void leat_i_task_breathe(leat_task *t);
/* Tells whether another worker looks for work while this one has more than `t` to do, of which nothing can be taken, and more stacks than
 * the average: time to hand work over. */
bool leat_i_task_is_crowded(const leat_task *t);
/* What it has started is for other workers: its own goes on with all that is ready first. */
void leat_i_task_leave_to_others(const leat_task *t);

/* Suspends until unparked, canceled or until_ns (LEAT_I_NEVER_NS = none). LEAT_OK (maybe without cause); LEAT_TIMEOUT when
 * until_ns or the attempt's deadline has passed; LEAT_CANCELED. An unpark that came first is consumed. */
leat_err leat_i_park(leat_task *t, int64_t until_ns);
/* Suspends until unparked, whatever happens. */
void leat_i_park_shielded(leat_task *t);
void leat_i_unpark(leat_i_waiter *w); /* any thread, signal handlers excepted */

/* For a thread outside the pools that unparks many in a row: in between, parked workers are noted and woken at the end, each once. A
 * woken thread may take the waker's CPU at once, and then each unpark costs two switches of threads. Keep the time in between short. */
enum { LEAT_I_HELD_WAKES = 16 };
typedef struct leat_i_held_wakes {
    uint32_t count;
    struct leat_i_worker *worker[LEAT_I_HELD_WAKES]; /* one that finds no room is woken at once */
} leat_i_held_wakes;
void leat_i_wakes_hold(leat_i_held_wakes *h); /* until leat_i_wakes_release; not nested */
void leat_i_wakes_release(leat_i_held_wakes *h);

int64_t leat_i_runtime_now_ns(const leat_runtime *rt); /* any thread */
uint32_t leat_i_fork_count(void); /* forks that this process came from, as far as it had been called before them */
uint32_t leat_i_forks_now(void);  /* the same, where a runtime has been made before */
bool leat_i_runtime_is_forked(const leat_runtime *rt); /* this is a child of the process that made it: it has no workers */
void leat_i_runtime_log(leat_runtime *rt, leat_log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The virtual clock does not jump while something outside the pool (a reply, a helper thread) is awaited: bracket such waits. */
void leat_i_runtime_external_begin(leat_runtime *rt);
void leat_i_runtime_external_end(leat_runtime *rt);

/* One slot per room for what it keeps per runtime (the net loop, the embedded endpoint); freed, newest first, at the start of
 * leat_runtime_free while the workers still run, with no task left. */
typedef enum leat_i_room { LEAT_I_ROOM_NET, LEAT_I_ROOM_MOCK, LEAT_I_ROOM_DESCRIPTOR, LEAT_I_ROOM_COUNT } leat_i_room;
/* Gives the slot's object, making it on first use by make(rt); NULL when make failed, and in a forked child. Any thread. */
void *leat_i_runtime_room(leat_runtime *rt, leat_i_room room, void *(*make)(leat_runtime *rt), void (*free)(void *object));

/* ---- the gate: a lock for tasks, let go at each suspension: prep and post of one run never overlap ---- */

typedef struct leat_i_gate leat_i_gate;
leat_i_gate *leat_i_gate_new(void); /* NULL when memory is short */
void leat_i_gate_free(leat_i_gate *g);
void leat_i_gate_enter(leat_task *t, leat_i_gate *g); /* sets t->gate and t->gate_held; waits shielded, see gate.c */
void leat_i_gate_leave(leat_task *t);

#endif
