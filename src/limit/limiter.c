/*
 * limiter.c: the queue in front of the budget.
 *
 * States of a waiter (a struct on the stack of the task that waits):
 *   QUEUED    in the queue, in the order of asking                     -> GRANTED by whoever serves the queue
 *   GRANTED   out of the queue, the budget is charged, not yet told    -> `told` set and unparked by the same, lock let go
 * `state` and the links are guarded by the lock; `told` is the hand-over to the stack that sleeps: once it is set, the server
 * may not touch the waiter again, for its stack may have gone on.
 *
 * Only the head is judged, for all limits at once: so a large request is not starved by small ones that would fit. Whoever
 * changes the budget serves the queue before it lets the lock go: it grants from the head on while the head is ready, so a head
 * that woke late takes all who are due with it. What is left at the head needs a timer when time alone makes it ready: the
 * timer is the head's own park, and `armed_ns` is what it parks until. A server that finds an earlier time writes it there and
 * wakes the head; a later one needs nothing, since the head judges again when it wakes. A head that waits for a slot in flight
 * has no timer: the settle that frees the slot serves it.
 *
 * Exactly once: a grant is opened by its waiter before it queues (so a grant never fails for want of memory), charged by the
 * server, and closed by the first of settle, refund, put-back after a cancel, and the end of the task's visit. The last is a
 * future that the task adopts with its first grant and that serves for later ones once the grant is closed (struct claim): it
 * completes only when it is canceled, which the end of a visit does, and settles at the guess what is still open.
 *
 * Lock order: the limiter's lock is innermost; nothing is called under it but the budget, the table and the clock.
 */
#include "leat/limiter.h"

#include <math.h>

#include "../base/check.h"
#include "../base/lock.h"
#include "../base/mem.h"
#include "../sched/sched.h"

#include "budget.h"
#include "grants.h"

typedef struct waiter {
    struct waiter *next, *prev;
    leat_runtime *rt;
    leat_i_waiter *stack; /* whom to wake */
    int64_t armed_ns;     /* the head parks until then; guarded by the lock */
    int64_t asked_ns;
    leat_i_grant_place *place; /* `taken` is written by the server, read once `told` is set */
    leat_i_charge charge;
    bool granted; /* guarded by the lock */
    LEAT_ATOMIC(uint32_t) told;
} waiter;

struct leat_limiter {
    leat_i_lock lock; /* guards all below */
    leat_limiter_opts opts;
    waiter *first, *last;
    uint32_t waiting;
    uint64_t granted, settled, refunded;
    int64_t waited_ns;
    leat_i_grants grants;
    leat_i_budget budget;
};

/* A task's promise that its grant will be closed; in the arena of the visit that made it. While the grant is open the claim
 * lives, since the end of the visit closes it first; once `id` is 0 nobody but its task touches it, nor it the limiter. */
typedef struct claim {
    leat_future future;
    leat_limiter *limiter;
    LEAT_ATOMIC(uint64_t) id; /* 0 = none open; set by its task, zeroed under the limiter's lock by who closes the grant */
} claim;

/* ---- the queue; the lock is held ---- */

static void queue_push(leat_limiter *l, waiter *w)
{
    w->next = NULL;
    w->prev = l->last;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->waiting++;
}

static void queue_remove(leat_limiter *l, waiter *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        l->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        l->last = w->prev;
    w->next = w->prev = NULL;
    l->waiting--;
}

/* Charges the budget for an open place. */
static void grant_take(leat_limiter *l, leat_i_grant_place *place, leat_i_charge charge, int64_t now_ns)
{
    l->granted++;
    place->taken = leat_i_budget_take(&l->budget, charge, now_ns);
}

/* Grants from the head on; `self` is the caller's own waiter or NULL. Answers the granted ones, linked by `next`, for
 * waiters_tell, and in *wake the head that has to set its timer anew. */
static waiter *queue_serve(leat_limiter *l, waiter *self, leat_i_waiter **wake)
{
    waiter *granted = NULL, **tail = &granted;
    *wake = NULL;
    while (l->first) {
        waiter *head = l->first;
        int64_t now_ns = leat_i_runtime_now_ns(head->rt);
        int64_t ready_ns = leat_i_budget_ready_ns(&l->budget, head->charge, now_ns);
        if (ready_ns > l->budget.now_ns) {
            if (head == self) {
                head->armed_ns = ready_ns;
            } else if (ready_ns < head->armed_ns) {
                head->armed_ns = ready_ns;
                *wake = head->stack;
            }
            break;
        }
        queue_remove(l, head);
        if (l->first) { /* Each waiter lies on a stack that has been cold for long, and the next one's turn comes soon. */
            __builtin_prefetch(l->first->place, 1);
            __builtin_prefetch(l->first->next, 1);
        }
        grant_take(l, head->place, head->charge, now_ns);
        head->granted = true;
        l->waited_ns += head->place->taken.at_ns - head->asked_ns;
        *tail = head;
        tail = &head->next;
    }
    return granted;
}

/* The lock is not held. */
static void waiters_tell(waiter *granted, leat_i_waiter *wake, const waiter *self)
{
    while (granted) {
        waiter *w = granted;
        leat_i_waiter *stack = w == self ? NULL : w->stack;
        granted = w->next;
        leat_store_release(&w->told, 1u); /* Pairs with the acquires in waiter_wait and waiter_leave. */
        if (stack) leat_i_unpark(stack);
    }
    if (wake) leat_i_unpark(wake);
}

/* Lets the lock go after the budget may have got room. */
static void limiter_unlock_served(leat_limiter *l, waiter *self)
{
    leat_i_waiter *wake;
    waiter *granted = queue_serve(l, self, &wake);
    leat_i_lock_give(&l->lock);
    waiters_tell(granted, wake, self);
}

/* ---- claims ---- */

/* The lock is held. */
static void grant_shut(leat_limiter *l, leat_i_grant_place *place)
{
    claim *c = leat_i_grants_close(&l->grants, place);
    leat_store_release(&c->id,
                       (uint64_t)0); /* Pairs with the acquires in claim_cancel and claim_of: last touch of the claim. */
}

static void grant_close(leat_limiter *l, uint64_t id, const leat_i_charge *used, uint64_t *count)
{
    leat_i_lock_take(&l->lock);
    leat_i_grant_place *place = leat_i_grants_find(&l->grants, id);
    if (!place) { /* Closed before: the first one counts. */
        leat_i_lock_give(&l->lock);
        return;
    }
    leat_i_budget_settle(&l->budget, &place->taken, used ? *used : place->taken.charge);
    grant_shut(l, place);
    ++*count;
    if (l->first)
        limiter_unlock_served(l, NULL);
    else
        leat_i_lock_give(&l->lock);
}

static void claim_cancel(leat_future *f)
{
    claim *c = (claim *)f;                   /* The future is its first member. */
    uint64_t id = leat_load_acquire(&c->id); /* Pairs with the release in grant_shut. */
    if (id != 0) grant_close(c->limiter, id, NULL, &c->limiter->settled);
    leat_i_future_complete(f, LEAT_OK, NULL, NULL);
}

static const leat_i_future_ops claim_ops = { .cancel = claim_cancel };

/* The newest claim of `t` when its grant is closed, so that a loop of requests in one visit needs one claim; else a new one. */
static claim *claim_of(leat_task *t, leat_limiter *l)
{
    leat_future *newest = t->children;
    if (newest && newest->ops == &claim_ops) {
        claim *c = (claim *)newest;
        if (leat_load_acquire(&c->id) == 0) { /* Pairs with the release in grant_shut. */
            c->limiter = l;
            return c;
        }
    }
    claim *c = leat_task_alloc(t, sizeof *c);
    if (!c) return NULL;
    c->limiter = l;
    leat_i_future_init(&c->future, &claim_ops);
    leat_i_future_adopt(t, &c->future);
    return c;
}

/* ---- waiting ---- */

/* A wait that ended with `err`: gives the place, and what was granted meanwhile, to who comes next. */
static leat_err waiter_leave(leat_task *t, leat_limiter *l, waiter *w, leat_err err)
{
    leat_i_lock_take(&l->lock);
    if (w->granted) {
        leat_i_lock_give(&l->lock);
        /* The server is about to tell us; until then it holds our address. */
        while (!leat_load_acquire(&w->told)) /* Pairs with the release in waiters_tell. */
            leat_i_park_shielded(t);
        leat_i_lock_take(&l->lock);
        leat_i_budget_untake(&l->budget, &w->place->taken);
        l->granted--;
    } else {
        queue_remove(l, w);
    }
    grant_shut(l, w->place);
    limiter_unlock_served(l, NULL);
    return err;
}

/* Waits in the queue; the lock is held at the call and not after it. */
static leat_err waiter_wait(leat_task *t, leat_limiter *l, waiter *w)
{
    queue_push(l, w);
    for (;;) {
        /* Only the head judges: it is armed by whoever made it the head, or by itself. */
        leat_i_waiter *wake = NULL;
        waiter *granted = l->first == w ? queue_serve(l, w, &wake) : NULL;
        int64_t until_ns = w->armed_ns;
        leat_i_lock_give(&l->lock);
        waiters_tell(granted, wake, w);

        /* Acquire, here and below: pairs with the release in waiters_tell. Why the park ended is asked afterwards. */
        if (!leat_load_acquire(&w->told)) (void)leat_i_park(t, until_ns);
        leat_err err = leat_i_task_check(t);
        if (err != LEAT_OK) return waiter_leave(t, l, w, err);
        if (leat_load_acquire(&w->told)) return LEAT_OK;
        leat_i_lock_take(&l->lock);
    }
}

__attribute__((noinline)) static leat_err grant_wait(leat_task *t, leat_limiter *l, leat_i_grant_place *place,
                                                     leat_i_charge charge)
{
    waiter w = {
        .rt = t->rt,
        .stack = leat_i_task_waiter(t),
        .armed_ns = LEAT_I_NEVER_NS,
        .asked_ns = l->budget.now_ns,
        .place = place,
        .charge = charge,
    };
    int64_t begin_ns = leat_i_wait_begin(t);
    leat_err err = waiter_wait(t, l, &w);
    leat_i_wait_end(t, LEAT_I_WAIT_LIMITER, begin_ns, err);
    return err;
}

static bool cost_is_valid(leat_cost c)
{
    return isfinite(c.input) && isfinite(c.output) && isfinite(c.bytes) && c.input >= 0 && c.output >= 0 && c.bytes >= 0;
}

leat_err leat_limiter_acquire(leat_task *t, leat_limiter *l, leat_cost guess, leat_grant *grant)
{
    if (!l || !grant || !cost_is_valid(guess)) return LEAT_USAGE;
    LEAT_TRY(leat_i_task_check(t));
    claim *c = claim_of(t, l);
    if (!c) return LEAT_NOMEM;
    leat_i_charge charge = leat_i_charge_request(guess);
    uint64_t id;
    int64_t now_ns = leat_i_runtime_now_ns(t->rt);

    leat_i_lock_take(&l->lock);
    leat_i_grant_place *place = leat_i_grants_open(&l->grants, c, &id);
    if (!place) {
        leat_i_lock_give(&l->lock);
        return LEAT_NOMEM;
    }
    leat_store_relaxed(&c->id, id); /* Relaxed: who closes the grant finds it by the lock. */
    if (LEAT_LIKELY(!l->first && leat_i_budget_ready_ns(&l->budget, charge, now_ns) <= l->budget.now_ns)) {
        grant_take(l, place, charge, now_ns);
        leat_i_lock_give(&l->lock);
    } else {
        LEAT_TRY(grant_wait(t, l, place, charge));
    }
    *grant = (leat_grant){ .id = id, .charged = leat_i_charge_cost(charge), .granted_ns = place->taken.at_ns };
    return LEAT_OK;
}

void leat_limiter_settle(leat_limiter *l, leat_grant grant, leat_cost used)
{
    if (!l) return;
    if (!cost_is_valid(used)) {
        grant_close(l, grant.id, NULL, &l->settled); /* Nonsense tells nothing: the guess stands. */
        return;
    }
    leat_i_charge charge = leat_i_charge_request(used);
    grant_close(l, grant.id, &charge, &l->settled);
}

void leat_limiter_refund(leat_limiter *l, leat_grant grant)
{
    static const leat_i_charge nothing = { 0 };
    if (l) grant_close(l, grant.id, &nothing, &l->refunded);
}

void leat_limiter_pause(leat_task *t, leat_limiter *l, int64_t duration_ms)
{
    if (!l || duration_ms <= 0) return;
    /* A century is for ever, and keeps sums of times within bounds. */
    const int64_t longest_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;
    if (duration_ms > longest_ms) duration_ms = longest_ms;
    int64_t until_ns = leat_i_runtime_now_ns(t->rt) + duration_ms * LEAT_I_NS_PER_MS;
    leat_i_lock_take(&l->lock);
    leat_i_pace_pause(&l->budget.pace, until_ns); /* Who waits judges again when it wakes. */
    leat_i_lock_give(&l->lock);
}

leat_err leat_limiter_change(leat_limiter *l, const leat_limiter_opts *opts)
{
    if (!l) return LEAT_USAGE;
    leat_i_lock_take(&l->lock);
    if (!leat_i_budget_set(&l->budget, opts)) {
        leat_i_lock_give(&l->lock);
        return LEAT_USAGE;
    }
    l->opts = opts ? *opts : (leat_limiter_opts){ 0 };
    limiter_unlock_served(l, NULL);
    return LEAT_OK;
}

void leat_limiter_read(leat_limiter *l, leat_limiter_stats *stats)
{
    *stats = (leat_limiter_stats){ 0 };
    if (!l) return;
    leat_i_lock_take(&l->lock);
    *stats = (leat_limiter_stats){
        .granted = l->granted,
        .settled = l->settled,
        .refunded = l->refunded,
        .in_flight = l->budget.in_flight,
        .waiting = l->waiting,
        .tokens_charged = (double)l->budget.charged_units / LEAT_I_UNITS_PER_TOKEN,
        .waited_ns = l->waited_ns,
        .requests_per_min = l->opts.requests_per_min,
        .tokens_per_min = l->opts.tokens_per_min,
    };
    leat_i_lock_give(&l->lock);
}

leat_err leat_limiter_new(leat_limiter **out, const leat_limiter_opts *opts)
{
    if (!out) return LEAT_USAGE;
    *out = NULL;
    leat_limiter *l = leat_i_alloc_zeroed(sizeof *l);
    if (!l) return LEAT_NOMEM;
    if (!leat_i_budget_set(&l->budget, opts)) {
        leat_i_free(l);
        return LEAT_USAGE;
    }
    if (opts) l->opts = *opts;
    *out = l;
    return LEAT_OK;
}

void leat_limiter_free(leat_limiter *l)
{
    if (!l) return;
    LEAT_ASSERT(l->first == NULL);
    leat_i_grants_fini(&l->grants);
    leat_i_free(l);
}
