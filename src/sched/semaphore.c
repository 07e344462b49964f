/*
 * semaphore.c: permits for tasks, in the order of asking.
 *
 * Under the lock: a permit is either counted in `free`, or handed to the first waiter, who is then out of the line. A waiter that is
 * stopped looks under the lock: when it is still in the line it leaves it, when it is not it keeps the permit and the acquire has
 * succeeded; so no permit is lost, and none is held after an error.
 *
 * Waiters stand on their tasks' stacks. Who hands a permit over does so in three steps: it takes the waiter out of the line and gives
 * the lock back, its last touch of the semaphore; stores `granted`, its last touch of the waiter; and unparks the stack, whose head lives
 * on. So who was woken needs no lock to see that it has the permit, and may free the semaphore with it; and one that was stopped and is no
 * longer in the line waits for `granted`.
 */
#include "runtime.h"

#include "../base/check.h"
#include "../base/lock.h"

/* With thousands in line each waiter is a cache miss, and the next one is known only after it: so each knows one further on. */
#define AHEAD LEAT_I_WAITS_KNOWN

struct semaphore_waiter {
    struct semaphore_waiter *prev, *next;
    const struct semaphore_waiter *ahead; /* so many places further on in the next walk; maybe gone: for prefetching only */
    leat_i_waiter *stack;
    bool in_line; /* guarded by lock */
    LEAT_ATOMIC(bool) granted;
};

/*
 * Who comes writes to the semaphore and to itself, and not to the one before it, which lies in the cache of whoever came last: so the
 * line is linked by `prev` alone at first, and by `next` up to `linked`. The rest is linked when somebody has to go on from there.
 */
struct leat_semaphore {
    _Alignas(64) leat_i_lock lock;
    uint32_t free;
    struct semaphore_waiter *first, *linked, *last;
};

leat_err leat_semaphore_new(leat_semaphore **out, uint32_t count)
{
    if (!out) return LEAT_USAGE;
    *out = NULL;
    if (count > INT32_MAX) return LEAT_USAGE;
    leat_semaphore *s = leat_i_alloc_aligned(64, sizeof *s);
    if (!s) return LEAT_NOMEM;
    *s = (leat_semaphore){ 0 };
    s->free = count;
    *out = s;
    return LEAT_OK;
}

void leat_semaphore_free(leat_semaphore *s)
{
    if (!s) return;
    if (LEAT_UNLIKELY(s->first)) leat_i_wrong(__func__, "while a task waits on the semaphore");
    leat_i_free(s);
}

static void line_append(leat_semaphore *s, struct semaphore_waiter *me)
{
    me->in_line = true;
    me->prev = s->last;
    s->last = me;
    if (!me->prev) s->first = s->linked = me;
}

/* Links all by `next`, from the last one back. */
static void line_link(leat_semaphore *s)
{
    const struct semaphore_waiter *walked[AHEAD] = { NULL };
    uint32_t at = 0;
    for (struct semaphore_waiter *me = s->last; me != s->linked; me = me->prev) {
        __builtin_prefetch(me->ahead, 1);
        me->ahead = walked[at];
        walked[at] = me;
        if (++at == AHEAD) at = 0;
        me->prev->next = me;
    }
    s->linked = s->last;
}

static void line_remove(leat_semaphore *s, struct semaphore_waiter *me)
{
    if (!me->next) line_link(s); /* it is the last one, or the next one is not known yet */
    me->in_line = false;
    if (me->prev)
        me->prev->next = me->next;
    else
        s->first = me->next;
    if (me->next)
        me->next->prev = me->prev;
    else
        s->linked = s->last = me->prev;
}

/* Takes a permit if nobody is before us, else stands in line. */
static bool semaphore_try(leat_semaphore *s, struct semaphore_waiter *me)
{
    leat_i_lock_take(&s->lock);
    bool taken = s->free > 0 && !s->first;
    if (taken)
        s->free--;
    else
        line_append(s, me);
    leat_i_lock_give(&s->lock);
    return taken;
}

/* Leaves the line; false = it was not in it: a permit is on its way. */
static bool semaphore_leave(leat_semaphore *s, struct semaphore_waiter *me)
{
    leat_i_lock_take(&s->lock);
    bool left = me->in_line;
    if (left) line_remove(s, me);
    leat_i_lock_give(&s->lock);
    return left;
}

static bool semaphore_granted(struct semaphore_waiter *me)
{
    return leat_load_acquire(&me->granted); /* acquire: pairs with the release in leat_semaphore_release */
}

static leat_err semaphore_wait(leat_task *t, leat_semaphore *s, struct semaphore_waiter *me)
{
    while (!semaphore_granted(me)) {
        leat_err err = leat_i_park(t, LEAT_I_NEVER_NS);
        if (err == LEAT_OK || semaphore_granted(me)) continue;
        if (semaphore_leave(s, me)) return err;
        while (!semaphore_granted(me)) /* Who has taken us out is about to tell. */
            leat_i_park_shielded(t);
    }
    return LEAT_OK;
}

/* What a task of this worker waited with some waits ago, and may still stand in the same line. */
static const void *worker_waits(leat_i_worker *w, const void *now)
{
    const void **place = &w->waits[w->waits_count++ % LEAT_I_WAITS_KNOWN], *then = *place;
    *place = now;
    return then;
}

leat_err leat_semaphore_acquire(leat_task *t, leat_semaphore *s)
{
    LEAT_I_TASK_TRY(t);
    if (LEAT_UNLIKELY(!s)) return leat_i_missing(__func__, "a semaphore");
    struct semaphore_waiter me = { .stack = t->waiter };
    LEAT_TRY(leat_i_task_check(t));
    me.ahead = worker_waits(t->waiter->home, &me);
    if (semaphore_try(s, &me)) return LEAT_OK;
    int64_t begin_ns = leat_i_wait_begin(t);
    leat_err err = semaphore_wait(t, s, &me);
    leat_i_wait_end(t, LEAT_I_WAIT_SEMAPHORE, begin_ns, err);
    return err;
}

void leat_semaphore_release(leat_semaphore *s)
{
    if (LEAT_UNLIKELY(!s)) leat_i_wrong(__func__, "without a semaphore");
    leat_i_lock_take(&s->lock);
    struct semaphore_waiter *first = s->first;
    if (!first) {
        s->free++;
        leat_i_lock_give(&s->lock);
        return;
    }
    line_remove(s, first);
    __builtin_prefetch(first->ahead, 1);
    if (s->first) __builtin_prefetch(s->first->stack, 1);
    leat_i_lock_give(&s->lock);
    leat_i_waiter *stack = first->stack;
    leat_store_release(&first->granted, true); /* release: pairs with the acquire in semaphore_granted; it may be gone now */
    leat_i_unpark(stack);
}
