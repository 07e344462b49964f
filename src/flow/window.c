/*
 * window.c: items of a batch in parallel.
 *
 * The work is done by runners: tasks that each take one item after another. The first is started by the owner; a runner that
 * has taken its first item starts another one before it works, as long as a place of the window is free and an item is left. So
 * the window fills at the pace at which workers take up runners: with items that only compute there are about as many runners
 * as workers and an item costs no task; with items that wait there are as many as places.
 *
 * A runner goes on with the next item. One that was suspended is bound to its worker: when that one has more to do, and more
 * stacks than others, while another worker looks for work and can take nothing of it, the runner starts a successor, which any
 * worker may take, hands its place over, and ends; its worker goes on with all that is ready before it would take the successor
 * itself. (Whoever is idle for a moment may have as many places as the others, so being idle is no reason to give it more: their
 * answers come much later.) An item that was suspended let others go on; after one that was not, the runner does so between two
 * items: a batch that never waits must not starve them. But a place that waits for its turn to begin the next item is one less in
 * flight, so that is not done always. Where no item is left, a runner ends behind the others: a crowd that ends at once wants the
 * lock below for each of them.
 *
 * Where attempts need permits of a run's budget (`paced`), a runner starts the other one when it holds its first permit, and ends
 * after its item: so at most one of the window stands in line for a first permit, and batches inside batches need stacks for the
 * permits, not for the product of their widths.
 *
 * What happens exactly once: each index is taken by one runner (array: a counter; source: `pulling` lets one ask at a time, and
 * who finds it taken gives its place up and goes, noting that the one who asks shall start another). `places` counts the items in
 * flight and never passes `max`; `live` counts runners that may still touch the window, and the owner returns when it is 0. The
 * first error wins; it stops the taking and cancels the runners that are at work. Runners that have not begun see `stopped` and
 * go.
 *
 * The lock guards all but the counter and the flag. Nothing suspends under it; a cancel under it wakes others and no more.
 */
#include "window.h"

static leat_err runner_main(leat_task *t, void *arg, const void **result);

/* Before anybody sees the new task. What it inherits is the owner's, not that of the runner which starts it. */
static void runner_init(leat_task *task, void *arg)
{
    leat_i_window *w = arg;
    int64_t run = w->owner->deadline_ns, attempt = w->owner->attempt_deadline_ns;
    task->deadline_ns = run < attempt ? run : attempt;
    task->attempt_deadline_ns = LEAT_I_NEVER_NS;
    task->visit = w->visit;
    task->gate = NULL;
    task->gate_held = false;
    task->name = w->owner->name;
}

static bool window_has_more(leat_i_window *w)
{
    if (leat_load_acquire(&w->stopped)) return false;         /* acquire: pairs with the release in window_fail */
    return w->pull || leat_load_relaxed(&w->next) < w->count; /* relaxed: a hint; taking decides */
}

/* Starts a runner, on a free place, or on the place of the one who calls (`handed`). false = no place, or memory is short. */
static bool runner_start(leat_task *t, leat_i_window *w, bool handed)
{
    leat_i_lock_take(&w->lock);
    bool ok = handed || (w->places < w->max && !(w->paced && w->filling));
    if (ok) {
        w->filling = true; /* the new one, which takes an item and stands in line for its first permit */
        w->live++;
        w->places += !handed;
    }
    leat_i_lock_give(&w->lock);
    if (!ok) return false;
    if (leat_i_task_spawn(t, runner_main, w, runner_init)) return true;
    leat_i_lock_take(&w->lock);
    w->live--;
    w->places -= !handed;
    w->filling = handed; /* by the one that fills, which goes on */
    leat_i_lock_give(&w->lock);
    return false;
}

/* Stops the batch. The caller holds the lock. */
static void window_stop(leat_i_window *w, const leat_i_runner *but)
{
    leat_store_release(&w->stopped, true); /* release: pairs with the acquires of those who take items */
    for (leat_i_runner *r = w->runners; r; r = r->next) {
        if (r != but) leat_i_task_cancel(r->task);
    }
}

static void window_fail(leat_i_window *w, leat_task *t, leat_err err, const leat_i_runner *me)
{
    const leat_error *story = leat_i_error_story(t, err);
    leat_i_lock_take(&w->lock);
    if (w->fatal == LEAT_OK && !leat_load_relaxed(&w->stopped)) {
        w->fatal = err;
        w->story = *story;
        window_stop(w, me);
    }
    leat_i_lock_give(&w->lock);
}

/* What a runner has taken. */
struct take {
    size_t index;
    const void *item;
    bool gone; /* the runner's place is no longer its own */
};

/* Asks the source for its next item; NULL = its end. The visit is that of the batch, in the task that asks. */
static leat_err source_pull(leat_task *t, leat_i_window *w, const void **item)
{
    struct leat_i_visit v = { .task = t, .frame = w->visit->frame, .node = w->visit->node };
    leat_future *mark = t->children;
    *item = NULL;
    t->visit = &v;
    t->error = NULL;
    leat_err err = leat_i_phase_err(t, w->pull(t, w, item));
    if (err != LEAT_OK) leat_i_error_place(t, &v, err, "next");
    leat_i_visit_join(t, mark);
    t->visit = NULL;
    return err;
}

/* Takes the next item of a source. */
static bool source_take(leat_task *t, leat_i_window *w, struct take *take, leat_i_runner *me)
{
    leat_i_lock_take(&w->lock);
    bool mine = !w->pulling && !w->drained && !leat_load_relaxed(&w->stopped);
    if (w->pulling) {
        w->missed = true;
        w->places--; /* now, not when it leaves: who asks may start the other one before */
        take->gone = true;
    }
    if (mine) w->pulling = true;
    leat_i_lock_give(&w->lock);
    if (!mine) return false;
    leat_err err = source_pull(t, w, &take->item);
    if (err != LEAT_OK) window_fail(w, t, err, me);
    bool got = err == LEAT_OK && take->item != NULL;
    leat_i_lock_take(&w->lock);
    w->pulling = false;
    me->owes |= w->missed;
    w->missed = false;
    take->index = leat_load_relaxed(&w->next); /* relaxed, as the store: the lock orders them */
    if (got)
        leat_store_relaxed(&w->next, take->index + 1);
    else
        w->drained = true;
    leat_i_lock_give(&w->lock);
    return got;
}

static bool array_take(leat_i_window *w, struct take *take)
{
    if (leat_load_acquire(&w->stopped)) return false; /* acquire: pairs with the release in window_stop */
    take->index = leat_add_relaxed(&w->next, 1);      /* relaxed: the items were there before the runners were started */
    return take->index < w->count;
}

static bool runner_enter(leat_i_window *w, leat_i_runner *r)
{
    leat_i_lock_take(&w->lock);
    bool go = !leat_load_relaxed(&w->stopped);
    if (go) {
        r->next = w->runners;
        r->prev = NULL;
        if (r->next) r->next->prev = r;
        w->runners = r;
    }
    leat_i_lock_give(&w->lock);
    return go;
}

static void runner_leave(leat_i_window *w, leat_i_runner *r, bool entered, bool gone)
{
    leat_i_lock_take(&w->lock);
    if (entered) {
        if (r->prev)
            r->prev->next = r->next;
        else
            w->runners = r->next;
        if (r->next) r->next->prev = r->prev;
    }
    if (w->keep && !leat_i_kept_take(&w->kept, r->task) && w->fatal == LEAT_OK) {
        w->fatal = LEAT_NOMEM; /* results may lie in memory that goes with this task */
        w->story = *leat_i_error_story(r->task, LEAT_NOMEM);
        window_stop(w, r);
    }
    w->places -= !gone;
    /* After the lock is given the window may be gone, if this was the last one; the owner's stack stays what it is. */
    leat_i_waiter *waiter = --w->live == 0 ? w->waiter : NULL;
    leat_i_lock_give(&w->lock);
    if (waiter) leat_i_unpark(waiter);
}

/* It has its first permit, or needs none: it is another one's turn to stand in line. */
static void runner_filled(leat_i_runner *me)
{
    leat_i_window *w = me->window;
    if (!me->fills) return;
    me->fills = false;
    leat_i_lock_take(&w->lock);
    w->filling = false;
    leat_i_lock_give(&w->lock);
}

/* Paced, after an item: whether nobody stands in line for a permit, so that `me` is the one to do so. */
static bool runner_fills_again(leat_i_runner *me)
{
    leat_i_window *w = me->window;
    leat_i_lock_take(&w->lock);
    me->fills = !w->filling;
    w->filling = true;
    leat_i_lock_give(&w->lock);
    return me->fills;
}

void leat_i_runner_feed(leat_i_runner *me)
{
    leat_i_window *w = me->window;
    if (w->paced) {
        runner_filled(me);
        if (window_has_more(w)) (void)runner_start(me->task, w, false);
        return;
    }
    if (!me->owes) return;
    me->owes = false;
    if (window_has_more(w)) (void)runner_start(me->task, w, false);
}

/* One item after another. true = its place is no longer its own. */
static bool runner_work(leat_task *t, leat_i_window *w, leat_i_runner *me)
{
    struct take take = { .gone = false };
    bool bound = false; /* to its worker, since it has been suspended */
    leat_i_mark mark = leat_i_mark_take(t);
    for (; w->pull ? source_take(t, w, &take, me) : array_take(w, &take); mark = leat_i_mark_take(t)) {
        if (!w->paced) leat_i_runner_feed(me);
        bound |= t->suspended;
        t->suspended = false;
        leat_err err = w->work(t, me, take.index, take.item);
        bool waited = t->suspended;
        bound |= waited;
        if (LEAT_UNLIKELY(err != LEAT_OK)) {
            window_fail(w, t, err, me);
            return false;
        }
        if (!w->keep) leat_i_mark_rewind(t, &mark); /* what the item made, and the item itself if it came from a source */
        if (LEAT_UNLIKELY(w->paced)) {
            runner_filled(me);
            if (!runner_fills_again(me)) return false; /* another one waits for a permit already */
        }
        if (bound && leat_i_task_is_crowded(t) && window_has_more(w) && runner_start(t, w, true)) {
            leat_i_task_leave_to_others(t); /* or this worker, which is awake, would begin it before the other one is */
            return true;
        }
        if (!waited || !window_has_more(w)) leat_i_task_breathe(t);
    }
    return take.gone;
}

static leat_err runner_main(leat_task *t, void *arg, const void **result)
{
    leat_i_window *w = arg;
    leat_i_runner me = { .task = t, .window = w, .owes = true, .fills = true };
    bool gone = false, entered = runner_enter(w, &me);
    (void)result;
    t->suspended = false;
    if (entered) gone = runner_work(t, w, &me);
    leat_i_gate_give(t);
    t->visit = NULL;
    runner_leave(w, &me, entered, gone);
    return LEAT_OK;
}

static bool window_is_live(leat_i_window *w)
{
    leat_i_lock_take(&w->lock);
    bool live = w->live > 0;
    leat_i_lock_give(&w->lock);
    return live;
}

leat_err leat_i_window_run(leat_i_window *w)
{
    leat_task *t = w->owner;
    leat_err stop = LEAT_OK;
    w->waiter = leat_i_task_waiter(t);
    if (!w->pull && w->count == 0) return LEAT_OK;
    if (!runner_start(t, w, false)) return LEAT_NOMEM;
    while (window_is_live(w)) {
        if (stop != LEAT_OK) {
            leat_i_park_shielded(t); /* all were told; they end */
            continue;
        }
        stop = leat_i_park(t, LEAT_I_NEVER_NS);
        if (stop == LEAT_OK) continue;
        leat_i_lock_take(&w->lock);
        window_stop(w, NULL);
        leat_i_lock_give(&w->lock);
    }
    if (stop != LEAT_OK) {
        t->error = NULL;
        return stop;
    }
    if (w->fatal != LEAT_OK) leat_i_error_set(t, &w->story);
    return w->fatal;
}

leat_err leat_i_window_turn_wait(leat_i_window *w, leat_task *t, size_t index)
{
    leat_err err = LEAT_OK;
    for (;;) {
        leat_i_lock_take(&w->lock);
        bool turn = w->each_next == index, stopped = leat_load_relaxed(&w->stopped);
        leat_i_waiter **place = &w->each_waiter[index % w->max];
        /* At most `max` items are in flight, and all of them from each_next on: each has a place of its own. */
        *place = turn || stopped || err != LEAT_OK ? NULL : leat_i_task_waiter(t);
        leat_i_lock_give(&w->lock);
        if (turn) return LEAT_OK;
        if (stopped) return LEAT_CANCELED;
        if (err != LEAT_OK) return err;
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    }
}

void leat_i_window_turn_done(leat_i_window *w)
{
    leat_i_lock_take(&w->lock);
    leat_i_waiter *next = w->each_waiter[++w->each_next % w->max];
    leat_i_lock_give(&w->lock);
    if (next) leat_i_unpark(next);
}
