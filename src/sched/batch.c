/*
 * batch.c: tasks that were submitted together, one for each element of an array.
 *
 * A task (the head) shares the elements out and waits for all items; it is what the handle stands for, if there is one. The elements that have not
 * begun lie in lanes. A lane is a job in a deque: who takes it takes its first element, puts the lane with the rest back, where others
 * may steal it, and then runs the item, whose task lies in the frame that runs it. So nothing waits behind an item that takes long or
 * suspends, and an item costs no memory that was not there. When another worker has nothing to do and this one nothing else to give
 * away, the lane is halved.
 *
 * `left` counts the items that have not ended; who takes it to 0 wakes the head, and may not touch the batch after that. A worker that
 * runs one item after another counts their ends by itself, and tells the batch before it does anything else.
 *
 * Cancel. All items read the head's flag as their own, so it is seen at once by those that compute, and nothing begins any more. Those
 * that wait are woken by the head, which the cancel has woken. An item is put on the list of those before it stores `parked` for the first
 * time (under `mutex`), and reads the flag after that; the head goes through the list, and reads `parked`, after the flag was set. So an
 * item is either found, or sees the flag itself.
 */
#include "runtime.h"

#include "../base/check.h"

struct lane {
    leat_i_job job; /* its first member */
    leat_i_batch *batch;
    size_t next, end; /* elements that have not begun */
};

struct leat_i_batch {
    leat_i_job job; /* its first member: begins the head of a batch without a handle */
    leat_task_fn fn;
    char *args;
    size_t arg_bytes;
    struct lane *lane; /* the first */
    leat_task *head;
    LEAT_ATOMIC(size_t) left;
    pthread_mutex_t mutex;
    struct item *waiting; /* guarded by mutex */
    size_t failed;        /* no task with a higher index counts any more; this and the next two are guarded by mutex */
    leat_err err;
    leat_error error;
};

struct item {
    leat_task task; /* its first member */
    size_t index;
    bool listed;
    struct item *next, *prev; /* in batch->waiting, guarded by its mutex */
};

static void batch_fail(leat_i_batch *b, size_t index, leat_err err, const leat_error *error)
{
    pthread_mutex_lock(&b->mutex);
    if (index < b->failed) {
        b->failed = index;
        b->err = err;
        b->error = *error;
    }
    pthread_mutex_unlock(&b->mutex);
}

/* `count` items have ended, or will not begin: the last touch of the batch. */
static void batch_leave(leat_i_batch *b, size_t count)
{
    leat_i_waiter *stack = b->head->waiter;
    /* release: what the items did is seen by the head, who reads 0; the updates between are of the release sequence. */
    if (leat_sub_release(&b->left, count) == count) leat_i_unpark(stack);
}

void leat_i_batch_tell(leat_i_worker *w)
{
    leat_i_batch *b = w->batch.batch;
    size_t ended = w->batch.ended;
    w->batch = (leat_i_batch_tally){ 0 };
    batch_leave(b, ended);
}

/* ---- items ---- */

void leat_i_batch_add(leat_task *t)
{
    struct item *item = (struct item *)t;
    leat_i_batch *b = t->batch;
    if (item->listed) return;
    item->listed = true;
    pthread_mutex_lock(&b->mutex);
    item->next = b->waiting;
    if (b->waiting) b->waiting->prev = item;
    b->waiting = item;
    pthread_mutex_unlock(&b->mutex);
}

static void item_withdraw(struct item *item)
{
    leat_i_batch *b = item->task.batch;
    pthread_mutex_lock(&b->mutex);
    if (item->prev)
        item->prev->next = item->next;
    else
        b->waiting = item->next;
    if (item->next) item->next->prev = item->prev;
    pthread_mutex_unlock(&b->mutex);
}

static void item_ended(leat_task *task, leat_err err, const void *result, const leat_error *error)
{
    struct item *item = (struct item *)task;
    (void)result;
    if (item->listed) item_withdraw(item);
    if (err != LEAT_OK) batch_fail(task->batch, item->index, err, error);
    leat_i_arena_fini(&task->arena);
    leat_i_worker *w = task->waiter->home;
    if (w->batch.batch != task->batch) {
        leat_i_batch_flush(w);
        w->batch.batch = task->batch;
    }
    w->batch.ended++;
}

static void item_run(leat_i_batch *b, size_t index, leat_i_waiter *s)
{
    struct item item;
    leat_i_task_init(&item.task, s->home->rt, b->fn, b->arg_bytes ? b->args + b->arg_bytes * index : b->args);
    item.task.root = b->head->root;
    item.task.batch = b;
    item.task.stop = b->head->stop;
    item.task.ended = item_ended;
    item.task.skip_canceled = true;
    item.index = index;
    item.listed = false;
    item.next = item.prev = NULL;
    leat_i_task_execute(&item.task, s);
}

/* ---- lanes ---- */

static void lane_push(leat_i_worker *w, struct lane *lane)
{
    if (!leat_i_deque_push_owner(&w->deque, &lane->job)) leat_i_runtime_inject(w->rt, &lane->job, &lane->job);
}

/* Gives the far half to those who have nothing to do. Without memory for that the lane stays whole. */
static void lane_halve(leat_i_worker *w, struct lane *lane)
{
    struct lane *half = leat_i_alloc(sizeof *half);
    if (!half) return;
    size_t middle = lane->next + (lane->end - lane->next) / 2;
    *half = (struct lane){ .job.run = leat_i_batch_run_lane, .batch = lane->batch, .next = middle, .end = lane->end };
    lane->end = middle;
    lane_push(w, half);
}

/* After a cancel: its elements do not begin any more. */
static void lane_drop(struct lane *lane)
{
    leat_i_batch *b = lane->batch;
    size_t count = lane->end - lane->next;
    batch_fail(b, lane->next, LEAT_CANCELED, leat_i_error_of(LEAT_CANCELED));
    leat_i_free(lane);
    batch_leave(b, count);
}

void leat_i_batch_run_lane(leat_i_job *job, leat_i_waiter *s)
{
    struct lane *lane = (struct lane *)job;
    leat_i_batch *b = lane->batch;
    leat_i_worker *w = s->home;
    if (w->batch.batch != b) leat_i_batch_flush(w);
    if (LEAT_UNLIKELY(leat_load_relaxed(b->head->stop))) { /* relaxed: seen now or by the item itself */
        lane_drop(lane);
        return;
    }
    size_t index = lane->next++;
    if (lane->next == lane->end) {
        leat_i_free(lane);
    } else {
        if (lane->end - lane->next > 1 && leat_i_deque_is_empty(&w->deque) && leat_i_runtime_is_hungry(w->rt))
            lane_halve(w, lane);
        lane_push(w, lane);
        leat_i_runtime_wake_one(w->rt); /* Who took his last look while the lane was in no deque has not seen it. */
    }
    item_run(b, index, s);
}

/* ---- the head ---- */

static void batch_stop(leat_i_batch *b)
{
    leat_store_seq_cst(b->head->stop, 1); /* Also at the end of the runtime. seq_cst: partner of leat_i_park */
    pthread_mutex_lock(&b->mutex);
    for (const struct item *item = b->waiting; item; item = item->next) {
        leat_i_waiter *s = leat_load_seq_cst(((struct item *)(uintptr_t)item)->task.parked);
        if (s) leat_i_unpark(s);
    }
    pthread_mutex_unlock(&b->mutex);
}

static void batch_join(leat_task *t, leat_i_batch *b)
{
    bool stopped = false;
    while (leat_load_acquire(&b->left)) { /* acquire: pairs with batch_leave */
        if (stopped) {
            leat_i_park_shielded(t);
        } else if (leat_i_park(t, LEAT_I_NEVER_NS) != LEAT_OK) {
            stopped = true;
            batch_stop(b);
        }
    }
}

/* The head's body: called also when it was canceled before it began. */
static leat_err batch_body(leat_task *t, void *arg, const void **result)
{
    leat_i_batch *b = arg;
    (void)result;
    b->head = t;
    lane_push(t->waiter->home, b->lane);
    batch_join(t, b);
    leat_err err = b->err;
    if (err != LEAT_OK && (t->error = leat_i_arena_alloc(&t->arena, sizeof b->error))) *t->error = b->error;
    pthread_mutex_destroy(&b->mutex);
    leat_i_free(b);
    return err;
}

/* The head of a batch that has no handle. It counts as one task without a handle, so the end of the runtime waits for it, and complains of
 * it only when there was something to cancel. */
static void batch_begin(leat_i_job *job, leat_i_waiter *s)
{
    leat_task head;
    leat_i_task_init(&head, s->home->rt, batch_body, job);
    head.root = &head;
    head.ended = leat_i_detached_ended;
    leat_i_task_execute(&head, s);
}

static leat_err nothing_body(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

static leat_i_batch *batch_new(leat_task_fn fn, void *args, size_t arg_bytes, size_t count)
{
    leat_i_batch *b = leat_i_alloc(sizeof *b);
    struct lane *lane = leat_i_alloc(sizeof *lane);
    if (!b || !lane) {
        leat_i_free(lane);
        leat_i_free(b);
        return NULL;
    }
    *lane = (struct lane){ .job.run = leat_i_batch_run_lane, .batch = b, .end = count };
    *b = (leat_i_batch){
        .job.run = batch_begin, .fn = fn, .args = args, .arg_bytes = arg_bytes, .lane = lane, .failed = count
    };
    leat_store_relaxed(&b->left, count); /* relaxed: the injection publishes it */
    pthread_mutex_init(&b->mutex, NULL);
    return b;
}

static void batch_free(leat_i_batch *b)
{
    pthread_mutex_destroy(&b->mutex);
    leat_i_free(b->lane);
    leat_i_free(b);
}

leat_err leat_task_submit_batch(leat_runtime *rt, leat_task_fn fn, void *args, size_t arg_bytes, size_t count,
                                leat_handle **out)
{
    if (out) *out = NULL;
    if (!leat_i_submit_is_allowed(rt, fn)) return LEAT_USAGE;
    if (arg_bytes && count && (!args || count > SIZE_MAX / arg_bytes)) return LEAT_USAGE;
    if (!count) return out ? leat_i_task_submit(rt, nothing_body, NULL, false, out) : LEAT_OK;
    leat_i_batch *b = batch_new(fn, args, arg_bytes, count);
    if (!b) return LEAT_NOMEM;
    if (out) {
        leat_err err = leat_i_task_submit(rt, batch_body, b, false, out);
        if (err != LEAT_OK) batch_free(b);
        return err;
    }
    leat_add_relaxed(&rt->detached, 1); /* relaxed: comes before the release of the injection, which its end has acquired */
    leat_i_runtime_inject(rt, &b->job, &b->job);
    return LEAT_OK;
}
