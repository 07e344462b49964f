/*
 * future.c: the one-shot result cell, and waiting for it.
 *
 * `state`: 0 -> waiter (owner, CAS) -> 0 (owner, CAS, when it stops waiting); 0 or waiter -> DONE (completer, exchange, once).
 * Before DONE the cell's result belongs to the completer, after it to the owner. The completer's exchange is its last touch of the
 * cell; the waiter that it found is unparked after that, which is safe since waiters outlive everything (sched.h).
 *
 * Who waits for many stores a latch instead, marked by LATCH_BIT: a count on the owner's stack, taken down once for each future in
 * which it stands, by the completer that found it or by the owner who took it out. Only who takes it to 0 wakes the owner, so that a
 * gather of n wakes once and not n times. The latch's frame stands until the count is 0: a completer touches it after its exchange.
 *
 * The list of a task's futures is touched by that task only: adopt puts in front, release takes out, from anywhere.
 */
#include "runtime.h"

#include "../base/check.h"

#define LATCH_BIT ((uintptr_t)2)

struct future_latch {
    leat_i_waiter *stack;
    LEAT_ATOMIC(size_t) pending;
};

/* Takes the latch down by `count`; who brings it to 0 wakes the owner. */
static void latch_leave(struct future_latch *latch, size_t count)
{
    leat_i_waiter *stack = latch->stack;
    /* release: what was done before is seen by the owner, who reads 0 with acquire; the updates between are of its release sequence. */
    if (leat_sub_release(&latch->pending, count) == count) leat_i_unpark(stack);
}

void leat_i_future_init(leat_future *f, const leat_i_future_ops *ops)
{
    *f = (leat_future){ .ops = ops };
}

void leat_i_future_complete(leat_future *f, leat_err err, const void *result, const leat_error *error)
{
    f->err = err;
    f->result = result;
    f->error = error;
    /* release: publishes the result to whoever reads DONE; acquire: pairs with the CAS that stored the waiter. */
    uintptr_t state = leat_exchange_acq_rel(&f->state, LEAT_I_FUTURE_DONE);
    LEAT_ASSERT(state != LEAT_I_FUTURE_DONE);
    if (state & LATCH_BIT)
        latch_leave((struct future_latch *)(state & ~LATCH_BIT), 1);
    else if (state)
        leat_i_unpark((leat_i_waiter *)state);
}

bool leat_future_is_done(const leat_future *f)
{
    if (LEAT_UNLIKELY(!f)) leat_i_wrong(__func__, "without a future");
    /* acquire: pairs with the exchange in leat_i_future_complete. */
    return leat_load_acquire(&((leat_future *)(uintptr_t)f)->state) == LEAT_I_FUTURE_DONE;
}

const leat_error *leat_future_error(const leat_future *f)
{
    if (LEAT_UNLIKELY(!f)) leat_i_wrong(__func__, "without a future");
    if (!leat_future_is_done(f) || f->err == LEAT_OK) return NULL;
    return f->error ? f->error : leat_i_error_of(f->err);
}

void leat_i_future_cancel(leat_future *f)
{
    if (leat_future_is_done(f) || f->cancel_asked || !f->ops || !f->ops->cancel) return;
    f->cancel_asked = true;
    f->ops->cancel(f);
}

void leat_future_cancel(leat_future *f)
{
    if (LEAT_UNLIKELY(!f)) leat_i_wrong(__func__, "without a future");
    if (leat_future_is_done(f)) return;
    if (!f->owner || leat_i_task_is_here(f->owner))
        leat_i_future_cancel(f);
    else
        (void)leat_i_future_foreign(__func__);
}

void leat_i_future_adopt(leat_task *t, leat_future *f)
{
    f->owner = t;
    f->prev = NULL;
    f->next = t->children;
    if (t->children) t->children->prev = f;
    t->children = f;
}

void leat_i_future_release(leat_task *t, leat_future *f)
{
    LEAT_ASSERT(leat_future_is_done(f));
    if (f->prev)
        f->prev->next = f->next;
    else if (t->children == f)
        t->children = f->next;
    if (f->next) f->next->prev = f->prev;
    f->prev = f->next = NULL;
    if (f->ops && f->ops->free) f->ops->free(f);
}

/* Puts the waiter in; false = the future is done. */
static bool future_watch(leat_future *f, leat_i_waiter *s)
{
    uintptr_t state = 0;
    if (leat_cas_acq_rel(&f->state, &state, (uintptr_t)s)) return true; /* release: pairs with the completer's exchange */
    return state != LEAT_I_FUTURE_DONE;
}

/* Takes the waiter out again; false = the future has been done meanwhile. */
static bool future_unwatch(leat_future *f, leat_i_waiter *s)
{
    uintptr_t state = (uintptr_t)s;
    return leat_cas_relaxed(&f->state, &state, 0) || state == 0; /* relaxed: who reads the result looks at `state` again */
}

/* The result of a future that is done. A failure's story becomes the task's own, so that passing the code on passes it on too. */
static leat_err future_result(leat_task *t, leat_future *f, const void **result)
{
    if (f->err == LEAT_OK) {
        if (result) *result = f->result;
        return LEAT_OK;
    }
    const leat_error *story = leat_future_error(f);
    if (story) {
        leat_error *copy = leat_i_arena_alloc(&t->arena, sizeof *copy);
        if (copy) *copy = *story;
        t->error = copy;
    }
    return f->err;
}

/* Waits until `f` is done; else why `t` was stopped. */
static leat_err future_wait(leat_task *t, leat_future *f)
{
    leat_i_waiter *s = t->waiter;
    if (leat_load_relaxed(t->stop)) return LEAT_CANCELED; /* relaxed: seen now or at the next suspension */
    if (leat_future_is_done(f) || !future_watch(f, s)) return LEAT_OK;
    while (!leat_future_is_done(f)) {
        leat_err err = leat_i_park(t, LEAT_I_NEVER_NS);
        if (err != LEAT_OK && future_unwatch(f, s)) return err;
    }
    return LEAT_OK;
}

/* A future that is done may be read by all who know that it lives; one that is not has one who waits. */
static bool future_is_of(const leat_future *f, const leat_task *t)
{
    return f->owner == t || !f->owner || leat_future_is_done(f);
}

static leat_err futures_check(const leat_task *t, leat_future *const *futures, size_t count, const char *call)
{
    if (LEAT_UNLIKELY(!leat_i_task_is_here(t))) return leat_i_task_misused(call);
    if (LEAT_UNLIKELY(!futures && count > 0)) return leat_i_missing(call, "futures");
    for (size_t i = 0; i < count; i++) {
        if (LEAT_UNLIKELY(!futures[i])) return leat_i_missing(call, "a future");
        if (LEAT_UNLIKELY(!future_is_of(futures[i], t))) return leat_i_future_foreign(call);
    }
    return LEAT_OK;
}

leat_err leat_await(leat_task *t, leat_future *f, const void **result)
{
    LEAT_TRY(futures_check(t, &f, 1, __func__));
    LEAT_TRY(future_wait(t, f));
    return future_result(t, f, result);
}

leat_err leat_i_await_shielded(leat_task *t, leat_future *f)
{
    leat_i_waiter *s = t->waiter;
    if (!leat_future_is_done(f) && future_watch(f, s)) {
        leat_i_batch_wait(t);
        leat_store_seq_cst(t->parked, s); /* seq_cst: a cancel of `t` wakes this wait, to be passed on */
        while (!leat_future_is_done(f)) {
            if (leat_load_seq_cst(t->stop)) leat_i_future_cancel(f);
            leat_i_park_shielded(t);
        }
        leat_store_relaxed(t->parked, NULL);
    }
    return f->err;
}

/* Puts the latch into those that are not done; gives how many. A future that is listed twice holds it once. */
static size_t latch_watch(struct future_latch *latch, leat_future *const *futures, size_t count)
{
    size_t watched = 0;
    uintptr_t mark = (uintptr_t)latch | LATCH_BIT;
    for (size_t i = 0; i < count; i++) {
        uintptr_t state = 0;
        if (leat_cas_acq_rel(&futures[i]->state, &state, mark))
            watched++; /* release: publishes the latch to the completer */
    }
    return watched;
}

/* Takes the latch out of those that are not done yet. */
static size_t latch_unwatch(struct future_latch *latch, leat_future *const *futures, size_t count)
{
    size_t unwatched = 0;
    for (size_t i = 0; i < count; i++) {
        uintptr_t state = (uintptr_t)latch | LATCH_BIT;
        if (leat_cas_relaxed(&futures[i]->state, &state, 0)) unwatched++; /* relaxed: `pending` orders the rest */
    }
    return unwatched;
}

/* Waits until all are done; else why `t` was stopped. */
static leat_err future_wait_all(leat_task *t, leat_future *const *futures, size_t count)
{
    leat_err err = LEAT_OK;
    if (leat_load_relaxed(t->stop)) return LEAT_CANCELED;
    struct future_latch latch = { .stack = t->waiter };
    /* While they are put in, completions take the count below what it will be: it starts out of their reach. */
    leat_store_relaxed(&latch.pending, count + 1); /* relaxed: the CAS that puts it in publishes it */
    size_t watched = latch_watch(&latch, futures, count);
    latch_leave(&latch, count + 1 - watched);
    while (leat_load_acquire(&latch.pending) && err == LEAT_OK) /* acquire: pairs with latch_leave */
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    if (err == LEAT_OK || !leat_load_acquire(&latch.pending)) return LEAT_OK;
    size_t unwatched = latch_unwatch(&latch, futures, count);
    if (unwatched > 0) latch_leave(&latch, unwatched);
    while (leat_load_acquire(&latch.pending)) /* Completers that have found it are about to leave it. */
        leat_i_park_shielded(t);
    return unwatched > 0 ? err : LEAT_OK;
}

leat_err leat_await_all(leat_task *t, leat_future *const *futures, size_t count)
{
    LEAT_TRY(futures_check(t, futures, count, __func__));
    LEAT_TRY(future_wait_all(t, futures, count));
    for (size_t i = 0; i < count; i++)
        LEAT_TRY(future_result(t, futures[i], NULL));
    return LEAT_OK;
}

static size_t any_done(leat_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (leat_future_is_done(futures[i])) return i;
    return count;
}

leat_err leat_await_any(leat_task *t, leat_future *const *futures, size_t count, size_t *index)
{
    if (count == 0) return LEAT_USAGE;
    LEAT_TRY(futures_check(t, futures, count, __func__));
    leat_i_waiter *s = t->waiter;
    leat_err err = LEAT_OK;
    if (leat_load_relaxed(t->stop)) return LEAT_CANCELED;
    size_t watched = 0;
    while (watched < count && future_watch(futures[watched], s))
        watched++;
    size_t first;
    while ((first = any_done(futures, count)) == count && err == LEAT_OK)
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    while (watched-- > 0)
        (void)future_unwatch(futures[watched], s);
    first = any_done(futures, count); /* One may have ended while the others were let go. */
    if (first == count) return err;
    if (index) *index = first;
    return LEAT_OK;
}
