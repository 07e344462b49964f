/*
 * runtime.h: the two structures behind the scheduler, and what its files offer each other.
 *
 * Who touches what: a worker's private part only its own thread; the rest of it, and the runtime's shared words, whoever the
 * comment says. Lock order: a room's mutex (rooms) -> none; stacks.mutex, blocking.mutex and clock_mutex are leaves.
 */
#ifndef LEAT_I_RUNTIME_H
#define LEAT_I_RUNTIME_H

#include "deque.h"
#include "fork.h"
#include "stack.h"

#include "../base/lock.h"

#include <signal.h>

#define LEAT_I_WORKERS_MAX 256u
#define LEAT_I_WAITS_KNOWN 8u
#define LEAT_I_IDLE_WORDS  (LEAT_I_WORKERS_MAX / 64u)

typedef struct leat_i_batch leat_i_batch;

typedef struct leat_i_list { /* FIFO of stacks, linked by `link` */
    leat_i_waiter *first, *last;
    uint32_t count;
} leat_i_list;

/* Items of a batch that have ended on a worker, and that the batch has not been told of yet (batch.c). */
typedef struct leat_i_batch_tally {
    leat_i_batch *batch; /* NULL = none */
    size_t ended;
} leat_i_batch_tally;

/* What a worker has done with detached tasks and not told yet (detached.c). */
typedef struct leat_i_detached_tally {
    uint32_t ended;
    _Alignas(8)
        uint32_t canceled; /* by the end of the runtime; read by leat_runtime_free. In 8 bytes of its own for the explorer */
} leat_i_detached_tally;

/* Memory for tasks (task_pool.c): what a worker has at hand, and what is there for all. */
typedef struct leat_i_task_block leat_i_task_block;
typedef struct leat_i_task_cache {
    leat_task *list;
    leat_task *full; /* one more batch, whole; or NULL */
    uint32_t count;  /* in `list`: a batch at most */
    uint32_t block_used;
    uint32_t block_room;      /* tasks of the next block; 0 = the least */
    leat_i_task_block *block; /* that tasks are cut from; or NULL */
    bool used;                /* one was given back since the last trim */
} leat_i_task_cache;
typedef struct leat_i_task_pool {
    leat_i_lock lock;
    LEAT_ATOMIC(leat_task *) spare; /* batches; written under the lock */
} leat_i_task_pool;

struct leat_i_worker {
    /* Private. */
    leat_runtime *rt;
    leat_i_waiter *running; /* the stack that this thread stands on; NULL on its own */
    leat_i_waiter *leaving; /* left for good by the last switch: to be given back on the other side */
    leat_i_list ready;
    leat_i_heap timers;
    leat_i_stack_cache stacks;
    leat_i_task_cache tasks;
    leat_i_batch_tally batch;
    leat_i_detached_tally detached;
    leat_i_fork *free_forks;
    leat_fork_slot *stolen;                /* a fork that was taken from another worker and is run next */
    const void *waits[LEAT_I_WAITS_KNOWN]; /* where its tasks waited last, maybe gone: for prefetching only (semaphore.c) */
    uint32_t waits_count;
    uint32_t index;
    uint32_t tick;       /* rounds, for what is looked at only now and then */
    uint32_t fresh_tick; /* fresh tasks, so that each n-th is the oldest */
    uint32_t fresh_wait; /* ready stacks that go on before the next fresh task begins */
    uint32_t spin_pause; /* searches that go without spinning after one that span in vain */
    uint32_t spin_skip;  /* how many of them are left */
    int64_t crowd_ns;    /* until then no other stack joins a crowd of ready ones */
    bool crowd_turn;     /* nor before each of them had a turn */
    bool searching;      /* counted in rt->searching */
    bool plain;          /* the running task is in a loop or in forks, whose callbacks have no task: it is not to be used */
    uint64_t random;
    leat_i_fiber thread_fiber;
    void *signal_stack;
    stack_t signal_stack_old;
    pthread_t thread;
    /* Shared. */
    leat_i_deque deque;
    LEAT_ATOMIC(leat_i_fork *) fork;                 /* the region that this thread is in; the worker writes it */
    _Alignas(64) LEAT_ATOMIC(leat_i_waiter *) inbox; /* woken by others; newest first; the worker takes all */
    _Alignas(64) LEAT_ATOMIC(uint32_t) wake;         /* futex word: LEAT_I_WAKE_* */
    LEAT_ATOMIC(int64_t) next_ns;                    /* virtual clock: first timer, valid while idle or starved */
    LEAT_ATOMIC(bool) starved; /* no memory for a stack to start a task on: it waits for one to be ready */
};

enum { LEAT_I_WAKE_NONE, LEAT_I_WAKE_INBOX, LEAT_I_WAKE_SEARCH };

/* Helper threads for leat_blocking (blocking.c). All fields are guarded by `mutex`. */
typedef struct leat_i_blocking {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct leat_i_blocking_job *first, *last;
    struct leat_i_blocking_thread *ended; /* to be joined */
    uint32_t thread_count, idle_count, thread_max;
    bool stopping;
} leat_i_blocking;

struct leat_runtime {
    uint32_t worker_count;
    uint32_t fork_count; /* forks this process had behind it when the runtime was made */
    bool virtual_clock;
    uint64_t spin_ns;
    uint32_t searching_max;
    leat_i_worker *worker;
    void (*log)(void *arg, leat_log_level level, const char *text);
    void *log_arg;
    leat_i_stack_pool stacks;
    leat_i_task_pool tasks;
    leat_i_blocking blocking;
    pthread_mutex_t room_mutex;
    struct {
        LEAT_ATOMIC(void *) object;
        void (*free)(void *object);
        uint32_t order; /* of making, from 1; 0 = not made. Guarded by room_mutex */
    } room[LEAT_I_ROOM_COUNT];
    uint32_t room_count;
    pthread_mutex_t clock_mutex;
    LEAT_ATOMIC(int64_t) virtual_ns;
    LEAT_ATOMIC(uint32_t) external;  /* virtual clock: waits for something outside the pool */
    LEAT_ATOMIC(uint32_t) stirred;   /* virtual clock: times that a worker was woken, or was about to be (clock.c) */
    LEAT_ATOMIC(uint32_t) canceling; /* the runtime ends while tasks still run: all are as good as canceled */
    LEAT_ATOMIC(uint32_t) stop;      /* workers end when they have nothing to do */
    LEAT_ATOMIC(uint32_t) roots;     /* root tasks that have not ended; futex word for leat_runtime_free */
    _Alignas(64) LEAT_ATOMIC(leat_i_job *) inject; /* submitted from outside; newest first; a worker takes all */
    LEAT_ATOMIC(uint32_t) detached; /* tasks without a handle that have not ended; futex word for leat_runtime_free */
    _Alignas(64) LEAT_ATOMIC(uint32_t) searching;  /* workers that look for work and will look once more before they park */
    LEAT_ATOMIC(uint64_t) idle[LEAT_I_IDLE_WORDS]; /* parked workers; who clears a bit must wake that worker */
};

/* worker.c */
leat_i_worker *leat_i_worker_current(void); /* NULL outside the pool */
void leat_i_worker_forget(void); /* in a child of fork: this thread is no worker; its task may still use its memory */
void *leat_i_worker_main(void *worker);
/* Leaves the running stack `s`, which is parked or on a list already, until it is gone on with. */
void leat_i_worker_suspend(leat_i_worker *w, leat_i_waiter *s);
void leat_i_worker_push_ready(leat_i_worker *w, leat_i_waiter *s);
void leat_i_worker_hold_fresh(leat_i_worker *w); /* what is ready now goes on before the next fresh task begins */

/* idle.c */
void leat_i_worker_found(leat_i_worker *w); /* it has something to do: ends its search, wakes the next if there is more */
void leat_i_worker_found_only(
    leat_i_worker *w);                       /* the same for one that searches and has nothing in its own deque and forks */
bool leat_i_worker_search(leat_i_worker *w); /* looks at the others for a while; true = look again at what is there */
void leat_i_worker_sleep(leat_i_worker *w);  /* parks until there may be something to do */
void leat_i_worker_starve(leat_i_worker *w); /* waits a moment for memory, or for one of its stacks to be woken */
void leat_i_worker_wake(leat_i_worker *w);   /* if it is parked; after publishing what it is to find, any thread */
void leat_i_runtime_wake_one(leat_runtime *rt);        /* after publishing a task, any thread */
bool leat_i_runtime_is_parked(leat_runtime *rt);       /* a worker is parked: a hint */
bool leat_i_runtime_is_hungry(leat_runtime *rt);       /* a worker searches or is parked: a hint */
bool leat_i_worker_holds_more(const leat_i_worker *w); /* stacks than a worker has on the average; a hint */
void leat_i_runtime_inject(leat_runtime *rt, leat_i_job *first, leat_i_job *last); /* linked newest first; any thread */

/* park.c */
void leat_i_stack_park(
    leat_i_worker *w); /* parks the running stack until an unpark, or without cause; no task need be on it */
bool leat_i_park_timer_due(leat_i_worker *w, leat_i_timer *timer);
/* What a cancel does, with the words that `stop` and `parked` of the task point to; any thread, while they live. */
void leat_i_cancel(LEAT_ATOMIC(uint32_t) * canceled, LEAT_ATOMIC(leat_i_waiter *) * parked);

/* misuse.c */
leat_err leat_i_future_foreign(const char *call);   /* logs that a future is another task's; LEAT_USAGE */
leat_future *leat_i_future_empty(const char *call); /* logs that there is no function; one that has failed with LEAT_USAGE */

/* astray.c */
void leat_i_astray_watch(const char *sentence); /* this thread ends with it and the process, if it ends before the next: */
void leat_i_astray_unwatch(void);
void leat_i_astray_mark(leat_i_worker *w); /* in a child of fork that runs on `w`: it must not leave the callback */
__attribute__((noreturn, cold)) void leat_i_astray_child(void); /* it has */

/* task.c */
void leat_i_task_init(leat_task *task, leat_runtime *rt, leat_task_fn fn, void *arg);
void leat_i_task_execute(leat_task *task, leat_i_waiter *s);
leat_task *leat_i_task_of_job(leat_i_job *job); /* NULL when it is something else */

/* A hint: the task, or the job that may be one, is used soon. A task is written whole when it begins, and in most lines when it ends. */
static inline void leat_i_task_prefetch(const void *task)
{
    for (size_t at = 0; at < sizeof(leat_task); at += 64)
        __builtin_prefetch((const char *)task + at, 1);
}

/* task_pool.c */
leat_task *leat_i_task_alloc(leat_i_worker *w);              /* not initialised; NULL when memory is short */
void leat_i_task_dealloc(leat_i_worker *w, leat_task *task); /* any worker, or NULL for a thread that is none */
bool leat_i_task_trim(leat_i_worker *w);      /* gives memory of a batch or two back; true = there may be more to give */
void leat_i_task_pool_fini(leat_runtime *rt); /* all workers have ended */

/* clock.c */
void leat_i_clock_evaluate(leat_runtime *rt); /* virtual: if all wait, jump to the next timer and wake its worker */

/* blocking.c */
void leat_i_blocking_adopt(leat_task *t); /* this thread is a helper of `t` from now on */
leat_task *leat_i_blocking_task(void);    /* on a helper thread: whose call it runs; else NULL */
void leat_i_blocking_init(leat_i_blocking *b, uint32_t thread_max);
void leat_i_blocking_fini(leat_i_blocking *b); /* joins the helper threads; none has a job */

/* overflow.c */
void leat_i_overflow_install(void); /* counts; the process-wide handler is there while any runtime is */
void leat_i_overflow_remove(void);
void leat_i_overflow_thread_begin(leat_i_worker *w);
void leat_i_overflow_thread_end(leat_i_worker *w);

/* runtime.c */
void leat_i_runtime_root_ended(leat_runtime *rt); /* a root task has ended: partner of the count in rt->roots */

/* handle.c */
bool leat_i_submit_is_allowed(const leat_runtime *rt, leat_task_fn fn); /* from this thread */

/* batch.c: tasks that were submitted together */
void leat_i_batch_run_lane(leat_i_job *job, leat_i_waiter *s);
void leat_i_batch_tell(leat_i_worker *w);
static inline void leat_i_batch_flush(leat_i_worker *w) /* before it does anything but the next item */
{
    if (__builtin_expect(w->batch.batch != NULL, 0)) leat_i_batch_tell(w);
}
void leat_i_batch_add(leat_task *t);               /* puts an item among those that a cancel wakes, if it is not there yet */
static inline void leat_i_batch_wait(leat_task *t) /* before it stores `parked` */
{
    if (__builtin_expect(t->batch != NULL, 0)) leat_i_batch_add(t);
}

/* detached.c */
/* A task without a handle has ended, its root: the worker's last touch of it. */
void leat_i_detached_ended(leat_task *task, leat_err err, const void *result, const leat_error *error);
void leat_i_detached_run_block(leat_i_job *job, leat_i_waiter *s);
leat_err leat_i_detached_submit(leat_runtime *rt, leat_task_fn fn, void *arg); /* a thread outside the pool */
void leat_i_detached_close(void);             /* gives back what this thread keeps for its next detached tasks */
void leat_i_detached_flush(leat_i_worker *w); /* tells what it has done; before it looks for work elsewhere */

#endif
