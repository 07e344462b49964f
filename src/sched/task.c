/*
 * task.c: the life of a task, from its start to the completion of its future.
 *
 * A task's object is in one place at a time: the pool (task_pool.c), the parent's hands (leat_i_task_start), a deque or the
 * injection list, a stack that runs it, then (its future done) the parent's list of children, until the parent releases it.
 * Whoever runs it touches it last in leat_i_future_complete or `ended`: the owner may free it at once.
 */
#include "runtime.h"

#include "../base/check.h"

const leat_error *leat_i_error_of(leat_err code)
{
#define TASK_STORY(name, retryable, sentence) { .code = LEAT_##name, .retry_after_ms = -1, .text = sentence },
    static const leat_error story[] = { LEAT_ERR_MAP(TASK_STORY) };
#undef TASK_STORY
    static const leat_error unknown = { .retry_after_ms = -1, .text = "unknown error" };
    return (size_t)code < sizeof story / sizeof story[0] ? &story[code] : &unknown;
}

LEAT_WAKE_PATH static void task_run(leat_i_job *job, leat_i_waiter *s)
{
    leat_i_task_execute((leat_task *)job, s); /* its first member */
}

LEAT_WAKE_PATH void leat_i_task_init(leat_task *task, leat_runtime *rt, leat_task_fn fn, void *arg)
{
    *task = (leat_task){ .job.run = task_run,
                         .rt = rt,
                         .stop = &task->canceled,
                         .parked = &task->own_parked,
                         .fn = fn,
                         .arg = arg,
                         .deadline_ns = LEAT_I_NEVER_NS,
                         .attempt_deadline_ns = LEAT_I_NEVER_NS };
}

leat_task *leat_i_task_of_job(leat_i_job *job)
{
    return job->run == task_run ? (leat_task *)job : NULL;
}

/* ---- a child's future, as its parent sees it ---- */

static leat_task *task_of_future(leat_future *f)
{
    return (leat_task *)((char *)f - offsetof(leat_task, future));
}

static void child_cancel(leat_future *f)
{
    leat_i_task_cancel(task_of_future(f));
}

static void child_free(leat_future *f)
{
    leat_task *task = task_of_future(f);
    leat_i_arena_fini(&task->arena);
    leat_i_task_dealloc(leat_i_worker_current(), task);
}

static const leat_i_future_ops child_ops = { child_cancel, child_free };

/* What leat_task_start gives when memory is short. Read only, so one is enough for all. */
static leat_future no_memory = { .state = LEAT_I_FUTURE_DONE, .err = LEAT_NOMEM };

/* What `t` hands down to a task that it starts. */
static void task_inherit(leat_task *task, const leat_task *t)
{
    task->root = t->root;
    task->name = t->name;
    task->visit = t->visit;
    task->watcher = t->watcher;
    task->deadline_ns = t->deadline_ns < t->attempt_deadline_ns ? t->deadline_ns : t->attempt_deadline_ns;
}

static void task_publish(leat_i_worker *w, leat_task *task)
{
    if (leat_i_deque_push_owner(&w->deque, &task->job))
        leat_i_runtime_wake_one(w->rt);
    else
        leat_i_runtime_inject(w->rt, &task->job, &task->job);
}

static leat_task *task_start(leat_task *t, leat_task_fn fn, void *arg, bool skip_canceled,
                             void (*init)(leat_task *child, void *arg))
{
    leat_i_worker *w = t->waiter->home;
    LEAT_ASSERT(w->running == t->waiter);
    leat_task *child = leat_i_task_alloc(w);
    if (!child) return NULL;
    leat_i_task_init(child, t->rt, fn, arg);
    child->future.ops = &child_ops;
    child->skip_canceled = skip_canceled;
    task_inherit(child, t);
    if (init) init(child, arg);
    leat_i_future_adopt(t, &child->future);
    task_publish(w, child);
    return child;
}

leat_task *leat_i_task_start(leat_task *t, leat_task_fn fn, void *arg, void (*init)(leat_task *child, void *arg))
{
    return task_start(t, fn, arg, false, init);
}

leat_future *leat_task_start(leat_task *t, leat_task_fn fn, void *arg)
{
    if (LEAT_UNLIKELY(!leat_i_task_is_here(t))) return leat_i_future_misused(__func__);
    if (LEAT_UNLIKELY(!fn)) return leat_i_future_empty(__func__);
    leat_task *child = task_start(t, fn, arg, true, NULL);
    return child ? &child->future : &no_memory;
}

/* ---- tasks that nobody awaits as a future ---- */

/* The worker's last touch of it. */
static void spawned_ended(leat_task *task, leat_err err, const void *result, const leat_error *error)
{
    (void)err, (void)result, (void)error;
    child_free(&task->future);
}

bool leat_i_task_spawn(leat_task *t, leat_task_fn fn, void *arg, void (*init)(leat_task *task, void *arg))
{
    leat_i_worker *w = t->waiter->home;
    LEAT_ASSERT(w->running == t->waiter);
    leat_task *task = leat_i_task_alloc(w);
    if (!task) return false;
    leat_i_task_init(task, t->rt, fn, arg);
    task->ended = spawned_ended;
    task_inherit(task, t);
    if (init) init(task, arg);
    task_publish(w, task);
    return true;
}

void leat_i_task_end_children(leat_task *t, leat_future *mark)
{
    if (t->children == mark) return;
    for (leat_future *f = t->children; f != mark; f = f->next)
        leat_i_future_cancel(f);
    while (t->children != mark) {
        leat_future *f = t->children;
        (void)leat_i_await_shielded(t, f);
        leat_i_future_release(t, f);
    }
}

/* ---- running ---- */

/* The story of a failed task: its own words if they are about this failure, else the code's sentence. */
static const leat_error *task_story(const leat_task *task, leat_err err)
{
    if (err == LEAT_OK) return NULL;
    if (task->error && task->error->code == err) return task->error;
    return leat_i_error_of(err);
}

LEAT_WAKE_PATH void leat_i_task_execute(leat_task *task, leat_i_waiter *s)
{
    const void *result = NULL;
    leat_err err = LEAT_OK;
    task->waiter = s;
    s->task = task;
    if (task->skip_canceled) err = leat_i_task_check(task);
    if (err == LEAT_OK) err = task->fn(task, task->arg, &result);
    LEAT_ASSERT(!task->gate_held);
    leat_i_task_end_children(task, NULL);
    if (err == LEAT_OK && task->nomem) err = LEAT_NOMEM;
    s->task = NULL;
    if (task->ended)
        task->ended(task, err, result, task_story(task, err));
    else
        leat_i_future_complete(&task->future, err, err == LEAT_OK ? result : NULL, task_story(task, err));
}
