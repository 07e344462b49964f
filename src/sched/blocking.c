/*
 * blocking.c: helper threads for C code that blocks.
 *
 * Jobs stand on the stacks of the tasks that wait for them, in a FIFO. A thread is started when a job comes and no thread is idle,
 * up to thread_max; a thread that has been idle for IDLE_NS ends, and is joined by the next that starts one, or at the end.
 * A mutex and a condition are right here: the calls block anyway.
 *
 * A job's `done` is stored by the helper as its last touch of the job; the unpark after it touches only the stack's head.
 */
#include "runtime.h"

#include "../base/check.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define IDLE_NS (10 * LEAT_I_NS_PER_S)

struct leat_i_blocking_job {
    struct leat_i_blocking_job *next;
    leat_err (*fn)(void *arg);
    void *arg;
    leat_runtime *rt;
    leat_i_waiter *stack;
    leat_err err;
    LEAT_ATOMIC(uint32_t) done;
};

struct leat_i_blocking_thread {
    struct leat_i_blocking_thread *next; /* in `ended` */
    leat_i_blocking *blocking;
    pthread_t thread;
};

void leat_i_blocking_init(leat_i_blocking *b, uint32_t thread_max)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    *b = (leat_i_blocking){ .thread_max = thread_max };
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static void threads_join(struct leat_i_blocking_thread *ended)
{
    while (ended) {
        struct leat_i_blocking_thread *next = ended->next;
        pthread_join(ended->thread, NULL);
        leat_i_free(ended);
        ended = next;
    }
}

void leat_i_blocking_fini(leat_i_blocking *b)
{
    pthread_mutex_lock(&b->mutex);
    LEAT_ASSERT(!b->first);
    b->stopping = true;
    pthread_cond_broadcast(&b->changed);
    while (b->thread_count > 0)
        pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
    threads_join(b->ended);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->mutex);
}

/* Gives the next job; NULL = this thread is to end. Under the mutex. */
static struct leat_i_blocking_job *job_next(leat_i_blocking *b)
{
    int64_t until_ns = leat_i_os_now_ns() + IDLE_NS;
    struct timespec until = { .tv_sec = until_ns / LEAT_I_NS_PER_S, .tv_nsec = until_ns % LEAT_I_NS_PER_S };
    bool late = false;
    while (!b->first) {
        if (b->stopping || late) return NULL;
        b->idle_count++;
        late = pthread_cond_timedwait(&b->changed, &b->mutex, &until) == ETIMEDOUT;
        b->idle_count--;
    }
    struct leat_i_blocking_job *job = b->first;
    b->first = job->next;
    if (!b->first) b->last = NULL;
    return job;
}

static _Thread_local leat_task *blocking_task __attribute__((tls_model("initial-exec")));

/* Opaque to the compiler, as leat_i_worker_current is. */
__attribute__((noinline)) leat_task *leat_i_blocking_task(void)
{
    leat_task *t = blocking_task;
    __asm__ volatile("" : "+r"(t));
    return t;
}

__attribute__((noinline)) void leat_i_blocking_adopt(leat_task *t)
{
    blocking_task = t;
}

static void job_run(struct leat_i_blocking_job *job)
{
    leat_runtime *rt = job->rt;
    leat_i_waiter *stack = job->stack;
    blocking_task = stack->task;
    job->err = job->fn(job->arg);
    if (LEAT_UNLIKELY(leat_i_runtime_is_forked(rt))) leat_i_astray_child();
    blocking_task = NULL;
    leat_store_release(&job->done, 1); /* release: pairs with the acquire in leat_blocking; the job is gone from here on */
    leat_i_unpark(stack);
    leat_i_runtime_external_end(rt);
}

static void *blocking_main(void *arg)
{
    struct leat_i_blocking_thread *me = arg;
    leat_i_blocking *b = me->blocking;
    leat_i_astray_watch(
        "leat: a helper thread was ended by pthread_exit or pthread_cancel: what leat_blocking calls ends by returning\n");
    pthread_mutex_lock(&b->mutex);
    struct leat_i_blocking_job *job;
    while ((job = job_next(b))) {
        pthread_mutex_unlock(&b->mutex);
        job_run(job);
        pthread_mutex_lock(&b->mutex);
    }
    b->thread_count--;
    me->next = b->ended;
    b->ended = me;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    leat_i_astray_unwatch();
    return NULL;
}

/* Starts a thread. Under the mutex; so it cannot be in `ended` before its id is known. */
static bool thread_add(leat_i_blocking *b)
{
    struct leat_i_blocking_thread *t = leat_i_alloc(sizeof *t);
    if (!t) return false;
    *t = (struct leat_i_blocking_thread){ .blocking = b };
    char name[16];
    snprintf(name, sizeof name, "leat-block-%u", b->thread_count);
    if (leat_i_os_thread_start(&t->thread, name, blocking_main, t) != 0) {
        leat_i_free(t);
        return false;
    }
    b->thread_count++;
    return true;
}

/* Queues a job; false = there is no helper thread, and none could be started. */
static bool blocking_submit(leat_i_blocking *b, struct leat_i_blocking_job *job)
{
    pthread_mutex_lock(&b->mutex);
    struct leat_i_blocking_thread *ended = b->ended;
    b->ended = NULL;
    /* More jobs than idle threads: those already queued count, since a signaled thread is still counted as idle. */
    uint32_t queued = 1;
    for (struct leat_i_blocking_job *j = b->first; j && queued <= b->idle_count; j = j->next)
        queued++;
    if (queued > b->idle_count && b->thread_count < b->thread_max) (void)thread_add(b);
    bool served = b->thread_count > 0;
    if (served) {
        if (b->last)
            b->last->next = job;
        else
            b->first = job;
        b->last = job;
        pthread_cond_signal(&b->changed);
    }
    pthread_mutex_unlock(&b->mutex);
    threads_join(ended);
    return served;
}

leat_err leat_blocking(leat_task *t, leat_err (*fn)(void *arg), void *arg)
{
    if (!fn) return LEAT_USAGE;
    LEAT_I_TASK_TRY(t);
    leat_runtime *rt = t->rt;
    LEAT_TRY(leat_i_task_check(t));
    struct leat_i_blocking_job job = { .fn = fn, .arg = arg, .rt = rt, .stack = leat_i_task_waiter(t) };
    leat_i_runtime_external_begin(rt);
    if (!blocking_submit(&rt->blocking, &job)) {
        leat_i_runtime_external_end(rt);
        return LEAT_NOMEM;
    }
    while (!leat_load_acquire(&job.done)) /* acquire: pairs with the release in job_run */
        leat_i_park_shielded(t);
    return job.err;
}
