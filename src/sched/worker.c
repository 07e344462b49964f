/*
 * worker.c: what a worker does next, and on which stack.
 *
 * The scheduling loop itself runs on a pooled stack, and a fresh task is called on top of it. So a task that never waits costs no
 * stack. A task that waits leaves its whole stack behind, the loop's frame at the bottom of it; the worker goes on with a stack
 * that is ready, or else takes one from the pool and starts the loop anew there. When the task goes on and ends, the loop below
 * it goes on. A loop that has nothing on top gives its stack back when it goes on with a ready one. So:
 *
 *     running   one per worker; w->running. Runs the loop, maybe a task on top.
 *     parked    its task waits; token PARKED or NOTIFIED (park.c); in no list, or in its home's inbox
 *     ready     in its home's FIFO
 *     pooled    in a pool; its fiber is dead and is made anew when taken
 *
 * A stack belongs to its home worker from take to give: only that thread runs it, resumes it, puts it on the FIFO. Others wake it
 * through the home's inbox. That is why a stack may be marked as parked before its registers are saved: nobody but this very
 * thread could resume it too early. Only the give-back must wait until the stack is left, and is done on the other side (`leaving`).
 *
 * Fairness: after FRESH_BURST fresh tasks have begun, the stacks that are ready then go on before the next one begins (at most
 * FRESH_WAIT_MAX of them). So a crowd of tasks that yield needs FRESH_BURST stacks for each time that one of them yields, where
 * taking turns would begin them all before the first has ended. Once CROWD stacks are ready, one more joins them when all had a turn and
 * CROWD_NS have passed: there is enough to do, and each stack more leaves less of the caches to all. Timers and inbox are looked at every
 * POLL_TICKS rounds, the injection list every INJECT_TICKS, and each OLDEST_TICKS-th fresh task is the oldest of the own deque: what
 * waits there must not starve under a stream of newer work.
 */
#include "runtime.h"

#include "../base/check.h"

#include <signal.h>

#define POLL_TICKS     8u
#define INJECT_TICKS   61u
#define OLDEST_TICKS   61u
#define FRESH_BURST    16u
#define FRESH_WAIT_MAX 1024u
#define CROWD          64u
#define CROWD_NS       50000
#define COLOR_BYTES    192u
#define COLOR_COUNT    8u

static _Thread_local leat_i_worker *worker_of_thread __attribute__((tls_model("initial-exec")));

/* Opaque to the compiler, so that no result is kept over anything. */
LEAT_WAKE_PATH __attribute__((noinline)) leat_i_worker *leat_i_worker_current(void)
{
    leat_i_worker *w = worker_of_thread;
    __asm__ volatile("" : "+r"(w));
    return w;
}

__attribute__((noinline)) void leat_i_worker_forget(void)
{
    leat_i_worker *w = worker_of_thread;
    worker_of_thread = NULL;
    if (!w || !w->running) return;
    leat_i_blocking_adopt(w->running->task);
    leat_i_astray_mark(w);
}

void leat_i_worker_push_ready(leat_i_worker *w, leat_i_waiter *s)
{
    s->link = NULL;
    if (w->ready.last)
        w->ready.last->link = s;
    else
        w->ready.first = s;
    w->ready.last = s;
    w->ready.count++;
}

static leat_i_waiter *worker_pop_ready(leat_i_worker *w)
{
    leat_i_waiter *s = w->ready.first;
    if (!s) return NULL;
    leat_i_waiter *next = s->link;
    w->ready.first = next;
    w->ready.count--;
    if (!next) {
        w->ready.last = NULL;
        return s;
    }
    /* With thousands of stacks each one comes back cold: memory is asked for two stacks ahead, of which the head has come by then. */
    next = next->link;
    if (!next) return s;
    leat_i_fiber_prefetch(&next->fiber);
    leat_i_task_prefetch(next->task);
    __builtin_prefetch(next->link);
    return s;
}

/* Takes all that others have woken, oldest first. */
static void worker_poll_inbox(leat_i_worker *w)
{
    if (!leat_load_relaxed(&w->inbox)) return;
    leat_i_waiter *s = leat_exchange_acquire(&w->inbox, NULL); /* acquire: pairs with the release of the push in park.c */
    leat_i_waiter *oldest = NULL;
    while (s) {
        leat_i_waiter *next = s->link;
        s->link = oldest;
        oldest = s;
        s = next;
    }
    while (oldest) {
        leat_i_waiter *next = oldest->link;
        leat_i_worker_push_ready(w, oldest);
        oldest = next;
    }
}

static void worker_poll_timers(leat_i_worker *w)
{
    if (!leat_i_heap_first(&w->timers)) return;
    int64_t now_ns = leat_i_runtime_now_ns(w->rt);
    leat_i_timer *timer;
    while ((timer = leat_i_heap_pop_due(&w->timers, now_ns)))
        leat_i_park_timer_due(w, timer);
}

/* Takes all that was submitted from outside, newest first. */
static leat_i_job *worker_take_inject(leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    if (!leat_load_relaxed(&rt->inject)) return NULL;
    return leat_exchange_acquire(&rt->inject, NULL); /* acquire: pairs with leat_i_runtime_inject */
}

/* Puts what was submitted into the own deque: newest first, so that the owner pops the oldest first. */
static void worker_keep(leat_i_worker *w, leat_i_job *job)
{
    leat_runtime *rt = w->rt;
    bool many = job && job->link;
    while (job) {
        leat_i_job *next = job->link;
        if (!leat_i_deque_push_owner(&w->deque, job)) {
            /* Memory is short: what does not fit goes back. */
            leat_i_job *last = job;
            while (last->link)
                last = last->link;
            leat_i_runtime_inject(rt, job, last);
            break;
        }
        job = next;
    }
    if (many) leat_i_runtime_wake_one(rt);
}

static void worker_poll_inject(leat_i_worker *w)
{
    leat_i_job *job = worker_take_inject(w);
    worker_keep(w, job);
}

static void worker_poll(leat_i_worker *w)
{
    worker_poll_inbox(w);
    worker_poll_timers(w);
    if (leat_i_deque_is_empty(&w->deque)) worker_poll_inject(w);
}

/* What is looked at now and then however much there is to do. */
static void worker_tick(leat_i_worker *w)
{
    uint32_t tick = ++w->tick;
    if (tick % POLL_TICKS == 0) {
        worker_poll_inbox(w);
        worker_poll_timers(w);
    }
    if (tick % INJECT_TICKS == 0) worker_poll_inject(w);
}

/* A ready stack if it is its turn, or if there is nothing fresh. */
static leat_i_waiter *worker_ready_turn(leat_i_worker *w)
{
    if (!w->ready.first) return NULL;
    if (w->fresh_wait == 0 && !leat_i_deque_is_empty(&w->deque)) return NULL;
    if (w->fresh_wait > 0) w->fresh_wait--;
    return worker_pop_ready(w);
}

void leat_i_worker_hold_fresh(leat_i_worker *w)
{
    w->fresh_wait = w->ready.count < FRESH_WAIT_MAX ? w->ready.count : FRESH_WAIT_MAX;
}

/* The newest task, and now and then the oldest. */
static leat_i_job *worker_pop_fresh(leat_i_worker *w)
{
    if (leat_i_deque_is_empty(&w->deque)) return NULL;
    if (++w->fresh_tick % FRESH_BURST == 0) leat_i_worker_hold_fresh(w);
    if (w->fresh_tick % OLDEST_TICKS == 0) return leat_i_deque_steal_thief(&w->deque);
    return leat_i_deque_pop_owner(&w->deque);
}

static void worker_loop(void *stack);

/* Gives back the stack that was left for good by the switch that has just ended. */
static void worker_arrive(leat_i_worker *w)
{
    leat_i_waiter *left = w->leaving;
    if (!left) return;
    w->leaving = NULL;
    leat_i_fiber_fini(&left->fiber);
    leat_i_stack_give(w, left);
}

/* How much of a stack is used; its top is shifted by its color. */
static size_t worker_stack_bytes(const leat_i_stack_pool *p, const leat_i_waiter *s)
{
    uint32_t color = (uint32_t)((uintptr_t)s->low / p->stride_bytes % COLOR_COUNT) * COLOR_BYTES;
    return p->stack_bytes - color;
}

/*
 * In a crowd of tasks that suspend each stack that is taken is cold, and its page is not in the processor's table of pages either. A
 * prefetch is dropped where that would have to be looked up; a load is not, and nobody waits for what this one brings. So the page of the
 * stack after the next one is loaded from, and then the lines of the next one are there when it is taken: a fifth less time a task.
 */
static void worker_prefetch_loop(const leat_i_stack_pool *p, const leat_i_waiter *next)
{
    if (!next) return;
    const leat_i_waiter *after = next->link;
    if (after) {
        if (after->link) __builtin_prefetch(after->link, 1);
        if (!after->clean) (void)*(const volatile char *)(after->low + worker_stack_bytes(p, after) - 64);
    }
    if (next->clean) return;
    const char *top = next->low + worker_stack_bytes(p, next);
    for (size_t at = 64; at <= LEAT_I_FIBER_HOT_BYTES; at += 64)
        __builtin_prefetch(top - at, 1);
}

/* Takes a stack on which the loop will start when it is switched to; NULL when memory is short. */
static leat_i_waiter *worker_new_loop(leat_i_worker *w)
{
    leat_i_waiter *s = leat_i_stack_take(w);
    if (!s) return NULL;
    const leat_i_stack_pool *p = &w->rt->stacks;
    worker_prefetch_loop(p, w->stacks.list);
    leat_i_fiber_make(&s->fiber, s->low, worker_stack_bytes(p, s), worker_loop, s);
    return s;
}

/* Whether it is time for one more stack. The virtual clock, with which all is the same each time, knows turns only. */
static bool crowd_may_grow(leat_i_worker *w)
{
    if (w->crowd_turn) {
        w->crowd_turn = false;
        return false;
    }
    int64_t now_ns = w->rt->virtual_clock ? w->crowd_ns : leat_i_os_now_ns();
    if (now_ns < w->crowd_ns) return false;
    w->crowd_turn = true;
    w->crowd_ns = now_ns + CROWD_NS;
    return true;
}

/* A stack for the next fresh task; in a crowd, that of a ready one instead. NULL when memory is short. */
static leat_i_waiter *worker_grow(leat_i_worker *w)
{
    if (w->ready.count < CROWD || crowd_may_grow(w)) return worker_new_loop(w);
    leat_i_worker_hold_fresh(w);
    w->fresh_wait--;
    return worker_pop_ready(w);
}

static void worker_switch(leat_i_worker *w, leat_i_waiter *from, leat_i_waiter *to)
{
    w->running = to;
    leat_i_fiber_switch(&from->fiber, &to->fiber, false);
    worker_arrive(w);
}

/* Memory for another stack is short: waits on top of `s` for any stack to become ready, and asks for memory now and then. */
static leat_i_waiter *worker_wait_in_place(leat_i_worker *w)
{
    for (;;) {
        worker_poll(w);
        leat_i_waiter *next = worker_pop_ready(w);
        if (!next) next = worker_new_loop(w);
        if (next) return next;
        leat_i_detached_flush(w);
        leat_i_worker_starve(w);
    }
}

void leat_i_worker_suspend(leat_i_worker *w, leat_i_waiter *s)
{
    if (LEAT_UNLIKELY(w->stolen)) leat_i_astray_child(); /* Who has taken a fork runs it before anything else. */
    worker_tick(w);
    leat_i_batch_flush(w);
    leat_i_waiter *next = worker_ready_turn(w);
    if (!next) next = worker_grow(w);
    if (LEAT_UNLIKELY(!next)) next = worker_wait_in_place(w);
    if (next != s) worker_switch(w, s, next);
}

/* One round: goes on with a ready stack (and does not come back), or runs a fresh task. False = there is nothing. */
static bool worker_round(leat_i_worker *w, leat_i_waiter *s)
{
    worker_tick(w);
    if (w->stolen) {
        leat_i_batch_flush(w);
        leat_i_worker_found(w);
        leat_i_fork_run_stolen(w);
        return true;
    }
    leat_i_waiter *ready = worker_ready_turn(w);
    if (ready) {
        leat_i_batch_flush(w);
        leat_i_worker_found(w);
        w->leaving = s;
        w->crowd_turn = false; /* There is one less, so one more may come at once. */
        w->crowd_ns = 0;
        w->running = ready;
        leat_i_fiber_switch(&s->fiber, &ready->fiber, true);
        LEAT_BUG("a stack that was left for good was gone on with");
    }
    leat_i_job *job = worker_pop_fresh(w);
    if (!job) return false;
    leat_i_worker_found(w);
    if (job->run != leat_i_batch_run_lane) leat_i_batch_flush(w);
    job->run(job, s);
    return true;
}

/* What a worker finds as a rule that was woken to look for work: one task from outside. It begins without a way over the deque, since
 * all that is touched here has to be fetched from far away after a rest. */
static void worker_begin_woken(leat_i_worker *w, leat_i_waiter *s)
{
    if (!w->searching) return;
    leat_i_job *job = worker_take_inject(w);
    if (job && !job->link) {
        leat_i_worker_found_only(w);
        job->run(job, s);
    } else if (job) {
        w->spin_skip = 0; /* Several at once: more may follow soon. */
        worker_keep(w, job);
    }
}

/* What every pooled stack runs. */
LEAT_WAKE_PATH static void worker_loop(void *stack)
{
    leat_i_waiter *s = stack;
    leat_i_worker *w = s->home;
    leat_i_fiber_begin(&w->thread_fiber);
    worker_arrive(w);
    for (;;) {
        if (worker_round(w, s)) continue;
        leat_i_batch_flush(w); /* before the look at what is ready, which may be the batch's head */
        worker_poll(w);
        if (w->ready.first || !leat_i_deque_is_empty(&w->deque)) continue;
        leat_i_detached_flush(w);
        if (leat_i_worker_search(w)) continue;
        if (leat_load_acquire(&w->rt->stop)) break; /* acquire: pairs with leat_runtime_free */
        leat_i_worker_sleep(w);
        worker_begin_woken(w, s);
    }
    leat_i_worker_found(w);
    w->leaving = s;
    w->running = NULL;
    leat_i_fiber_switch(&s->fiber, &w->thread_fiber, true);
    LEAT_BUG("a stack was gone on with after the end of its worker");
}

void *leat_i_worker_main(void *worker)
{
    leat_i_worker *w = worker;
    worker_of_thread = w;
    leat_i_overflow_thread_begin(w);
    leat_i_astray_watch(
        "leat: the thread of a worker was ended by pthread_exit or pthread_cancel: a task ends by returning\n");
    leat_i_fiber_adopt_thread(&w->thread_fiber);
    leat_i_waiter *s = worker_new_loop(w); /* There is one: leat_runtime_new made sure. */
    w->running = s;
    leat_i_fiber_switch(&w->thread_fiber, &s->fiber, false);
    worker_arrive(w);
    leat_i_astray_unwatch();
    leat_i_overflow_thread_end(w);
    worker_of_thread = NULL;
    return NULL;
}
