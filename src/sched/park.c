/*
 * park.c: suspending a task and waking it.
 *
 * The token of a waiter:
 *     EMPTY     -> NOTIFIED  unpark, any thread: nobody waits, the next park returns at once
 *     EMPTY     -> PARKED    park, home worker: then, and only then, the stack is left
 *     PARKED    -> NOTIFIED  unpark, any thread, exactly one: this one makes the stack ready
 *     NOTIFIED  -> EMPTY     park, home worker: at its start (nothing is suspended then), or when the stack goes on
 * A stack goes on exactly once per PARKED -> NOTIFIED: by the home's FIFO when the home woke it (or its timer), else by the inbox.
 *
 * Cancel and park are partners in a Dekker game: park stores t->parked, then reads t->canceled; cancel stores t->canceled, then
 * reads t->parked. One of the two sees the other. A cancel that comes late unparks a stack that may serve another task by then:
 * a spurious wake, which every park allows.
 *
 * The gate is let go only when the stack is really left, and taken again before the park returns.
 */
#include "runtime.h"

#include "../base/check.h"

#include <errno.h>

enum { TOKEN_EMPTY, TOKEN_PARKED, TOKEN_NOTIFIED };

void leat_i_unpark(leat_i_waiter *s)
{
    /* acq_rel: release pairs with the acquire of the park that sees it; acquire pairs with the CAS to PARKED, which publishes home. */
    if (leat_exchange_acq_rel(&s->token, TOKEN_NOTIFIED) != TOKEN_PARKED) return;
    leat_i_worker *home = s->home;
    if (home == leat_i_worker_current()) {
        leat_i_worker_push_ready(home, s);
        return;
    }
    leat_i_waiter *old = leat_load_relaxed(&home->inbox);
    do {
        s->link = old;
    } while (!leat_cas_weak_release(&home->inbox, &old, s)); /* release: pairs with the take-all in worker.c */
    /* Who found it empty wakes for all who follow, be it later, when it holds its wakes back: an inbox that is not empty is seen by its
     * worker before it parks. */
    if (!old) leat_i_worker_wake(home);
}

/* Called by the home worker when a timer has left the heap because it was due. */
bool leat_i_park_timer_due(leat_i_worker *w, leat_i_timer *timer)
{
    leat_i_waiter *s = (leat_i_waiter *)((char *)timer - offsetof(leat_i_waiter, timer));
    if (leat_exchange_acq_rel(&s->token, TOKEN_NOTIFIED) != TOKEN_PARKED) return false; /* woken already */
    leat_i_worker_push_ready(w, s);
    return true;
}

leat_i_waiter *leat_i_task_waiter(leat_task *t)
{
    return t->waiter;
}

uint32_t leat_i_task_worker(const leat_task *t)
{
    return t->waiter->home->index;
}

/* Consumes a token that came first; acquire: pairs with the release of leat_i_unpark. */
static bool token_consume(leat_i_waiter *s)
{
    if (leat_load_relaxed(&s->token) != TOKEN_NOTIFIED) return false;
    return leat_exchange_acquire(&s->token, TOKEN_EMPTY) == TOKEN_NOTIFIED;
}

/* Leaves the stack, which is parked or on a list, until it is gone on with; its task's watcher is told how long that was. */
static void stack_leave(leat_i_worker *w, leat_i_waiter *s)
{
    int saved = errno;
    leat_task *t = s->task; /* NULL: a fork that another worker runs joins its own */
    int64_t left_ns = t ? leat_i_wait_begin(t) : 0;
    leat_i_worker_suspend(w, s);
    if (LEAT_UNLIKELY(t && t->watcher)) t->watcher->resumed(t, left_ns);
    errno = saved;
}

/* Leaves the stack until it is woken. The token was not there a moment ago; if it has come since, nothing is left. */
static void stack_park(leat_i_worker *w, leat_i_waiter *s)
{
    uint32_t token = TOKEN_EMPTY;
    if (leat_cas_acq_rel(&s->token, &token, TOKEN_PARKED)) stack_leave(w, s);
    leat_exchange_acquire(&s->token, TOKEN_EMPTY); /* acquire: pairs with the release of leat_i_unpark */
}

void leat_i_stack_park(leat_i_worker *w)
{
    if (!token_consume(w->running)) stack_park(w, w->running);
}

/* Leaves the stack at the end of the ready FIFO. Nobody can wake it twice: it is not PARKED. */
static void stack_yield(leat_i_worker *w, leat_i_waiter *s)
{
    leat_i_worker_push_ready(w, s);
    stack_leave(w, s);
}

static bool task_has_stop(const leat_task *t)
{
    return leat_load_relaxed(t->stop) || leat_load_relaxed(&t->rt->canceling);
}

LEAT_WAKE_PATH leat_err leat_i_task_check(leat_task *t)
{
    if (task_has_stop(t)) return LEAT_CANCELED;
    if (t->deadline_ns == LEAT_I_NEVER_NS && t->attempt_deadline_ns == LEAT_I_NEVER_NS) return LEAT_OK;
    int64_t now_ns = leat_i_runtime_now_ns(t->rt);
    if (now_ns >= t->deadline_ns) return LEAT_CANCELED;
    return now_ns >= t->attempt_deadline_ns ? LEAT_TIMEOUT : LEAT_OK;
}

/* Waits until woken or `limit_ns`; true = the limit has passed. There is room for the timer since the stack was taken. */
static bool park_limited(leat_i_worker *w, leat_i_waiter *s, int64_t limit_ns)
{
    if (!leat_i_heap_add(&w->timers, &s->timer, limit_ns)) LEAT_BUG("no room for a timer");
    stack_park(w, s);
    if (s->timer.place == 0) return true;
    leat_i_heap_remove(&w->timers, &s->timer);
    return false;
}

static leat_i_gate *gate_let_go(leat_task *t)
{
    if (!t->gate_held) return NULL;
    leat_i_gate *g = t->gate;
    leat_i_gate_leave(t);
    return g;
}

leat_err leat_i_park(leat_task *t, int64_t until_ns)
{
    leat_i_waiter *s = t->waiter;
    leat_i_worker *w = s->home;
    LEAT_ASSERT(w->running == s);
    int64_t limit_ns = until_ns;
    leat_err late = LEAT_TIMEOUT;
    if (t->attempt_deadline_ns < limit_ns) limit_ns = t->attempt_deadline_ns;
    if (t->deadline_ns <= limit_ns && t->deadline_ns != LEAT_I_NEVER_NS) {
        limit_ns = t->deadline_ns;
        late = LEAT_CANCELED;
    }
    if (task_has_stop(t)) return LEAT_CANCELED;
    if (token_consume(s)) return LEAT_OK;
    leat_i_gate *gate = gate_let_go(t);
    leat_i_batch_wait(t);
    leat_store_seq_cst(t->parked, s); /* seq_cst: before the next line; partner of leat_i_cancel */
    bool passed = false;
    if (!leat_load_seq_cst(t->stop)) {
        t->suspended = true;
        if (limit_ns == LEAT_I_NEVER_NS)
            stack_park(w, s);
        else
            passed = park_limited(w, s, limit_ns);
    }
    leat_store_relaxed(t->parked, NULL); /* relaxed: who still reads it makes a spurious wake */
    if (gate) leat_i_gate_enter(t, gate);
    if (task_has_stop(t)) return LEAT_CANCELED;
    return passed ? late : LEAT_OK;
}

void leat_i_park_shielded(leat_task *t)
{
    leat_i_waiter *s = t->waiter;
    LEAT_ASSERT(s->home->running == s);
    if (token_consume(s)) return;
    leat_i_gate *gate = gate_let_go(t);
    t->suspended = true;
    stack_park(s->home, s);
    if (gate) leat_i_gate_enter(t, gate);
}

void leat_i_cancel(LEAT_ATOMIC(uint32_t) * canceled, LEAT_ATOMIC(leat_i_waiter *) * parked)
{
    leat_store_seq_cst(canceled, 1); /* seq_cst: before the next line; partner of leat_i_park */
    leat_i_waiter *s = leat_load_seq_cst(parked);
    if (s) leat_i_unpark(s);
}

void leat_i_task_cancel(leat_task *t)
{
    LEAT_ASSERT(!t->batch); /* its flag would be that of all items */
    leat_i_cancel(t->stop, t->parked);
}

static void task_yield(leat_task *t)
{
    leat_i_gate *gate = gate_let_go(t);
    t->suspended = true;
    stack_yield(t->waiter->home, t->waiter);
    if (gate) leat_i_gate_enter(t, gate);
}

void leat_i_task_breathe(leat_task *t)
{
    leat_i_worker *w = t->waiter->home;
    int64_t timer_ns = leat_i_heap_first_ns(&w->timers);
    if (w->ready.first || leat_load_relaxed(&w->inbox) || leat_load_relaxed(&w->rt->inject) ||
        (timer_ns != LEAT_I_NEVER_NS && timer_ns <= leat_i_runtime_now_ns(w->rt)))
        task_yield(t);
}

bool leat_i_task_is_crowded(const leat_task *t)
{
    const leat_i_worker *w = t->waiter->home;
    if (!w->ready.first || !leat_i_deque_is_empty(&w->deque)) return false;
    return leat_i_runtime_is_hungry(w->rt) && leat_i_worker_holds_more(w);
}

void leat_i_task_leave_to_others(const leat_task *t)
{
    leat_i_worker_hold_fresh(t->waiter->home);
}

leat_err leat_sleep_ms(leat_task *t, int64_t duration_ms)
{
    LEAT_I_TASK_TRY(t);
    LEAT_TRY(leat_i_task_check(t));
    if (duration_ms <= 0) {
        task_yield(t);
        return leat_i_task_check(t);
    }
    int64_t duration_ns = duration_ms > INT64_MAX / LEAT_I_NS_PER_MS ? LEAT_I_NEVER_NS : duration_ms * LEAT_I_NS_PER_MS;
    int64_t until_ns = leat_i_os_add_ns(leat_i_runtime_now_ns(t->rt), duration_ns);
    for (;;) {
        leat_err err = leat_i_park(t, until_ns);
        if (err == LEAT_OK) continue; /* woken without cause */
        if (err == LEAT_TIMEOUT && until_ns < t->attempt_deadline_ns) return LEAT_OK;
        return err;
    }
}
