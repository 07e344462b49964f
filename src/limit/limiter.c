/*
 * limiter.c: the queue in front of the endpoints' budgets.
 *
 * States of a waiter (a struct on the stack of the task that waits):
 *   QUEUED    in the queue, in the order of asking                     -> GRANTED by whoever serves the queue
 *   GRANTED   out of the queue, the budget is charged, not yet told    -> `told` set and unparked by the same, lock let go
 * `granted` and the links are guarded by the lock; `told` is the hand-over to the stack that sleeps: once it is set, the server
 * may not touch the waiter again, for its stack may have gone on.
 *
 * Only the head is judged, for all limits at once: so a large request is not starved by small ones that would fit. Whoever
 * changes a budget serves the queue before it lets the lock go: it grants from the head on while the head is ready, so a head
 * that woke late takes all who are due with it, and tells its endpoint's pace how late it was. What is left at the head needs a
 * timer when time alone makes it ready: the timer is the head's own park, and `armed_ns` is what it parks until. A server that
 * finds an earlier time writes it there and wakes the head; a later one needs nothing, since the head judges again when it wakes. A
 * head that waits for a slot in flight has no timer: the settle that frees the slot serves it.
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

#include "grants.h"
#include "member.h"

enum { MEMBERS_MAX = 1000 };

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
    int64_t now_ns;   /* the latest time seen */
    waiter *first, *last;
    uint32_t waiting;
    uint64_t granted, settled, refunded;
    int64_t waited_ns;
    leat_i_grants grants;
    uint32_t member_count;
    leat_i_member member[];
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

/* Threads read the clock before they take the lock, so times may arrive a little out of order. */
static int64_t time_forward(leat_limiter *l, int64_t now_ns)
{
    if (now_ns > l->now_ns) l->now_ns = now_ns;
    return l->now_ns;
}

static bool all_are_out(const leat_limiter *l)
{
    for (uint32_t i = 0; i < l->member_count; i++)
        if (!l->member[i].health.is_open) return false;
    return true;
}

__attribute__((noinline)) static int64_t members_ready_ns(leat_limiter *l, const leat_i_charge *charge, uint32_t *best)
{
    int64_t best_ns = LEAT_I_NEVER_NS;
    bool all_out = all_are_out(l);
    *best = 0;
    for (uint32_t i = 0; i < l->member_count; i++) {
        int64_t ready_ns = all_out ? leat_i_member_ready_all_out_ns(&l->member[i], *charge, l->now_ns)
                                   : leat_i_member_ready_ns(&l->member[i], *charge, l->now_ns);
        if (ready_ns < l->now_ns) ready_ns = l->now_ns;
        const leat_i_budget *b = &l->member[i].budget, *than = &l->member[*best].budget;
        /* Where there is room for it, the fewest in flight, and then the fewest so far: so that all of them share. */
        bool better = ready_ns < best_ns;
        if (ready_ns == best_ns && ready_ns == l->now_ns && i > 0)
            better =
                b->in_flight < than->in_flight || (b->in_flight == than->in_flight && b->taken_count < than->taken_count);
        if (!better) continue;
        best_ns = ready_ns;
        *best = i;
    }
    return best_ns;
}

/* When the first endpoint has room, as leat_i_budget_ready_ns says it, and in *best which. l->now_ns is the present. */
static int64_t limiter_ready_ns(leat_limiter *l, const leat_i_charge *charge, uint32_t *best)
{
    if (LEAT_UNLIKELY(l->member_count > 1)) return members_ready_ns(l, charge, best);
    *best = 0;
    return leat_i_member_ready_all_out_ns(&l->member[0], *charge, l->now_ns); /* If it is out, all are. */
}

/* Charges the budget of `member` for an open place. */
static void grant_take(leat_limiter *l, leat_i_grant_place *place, leat_i_charge charge, uint32_t member)
{
    l->granted++;
    place->member = member;
    place->taken = leat_i_member_take(&l->member[member], charge, l->now_ns);
}

/* Grants from the head on; `self` is the caller's own waiter or NULL. Answers the granted ones, linked by `next`, for
 * waiters_tell, and in *wake the head that has to set its timer anew. */
static waiter *queue_serve(leat_limiter *l, waiter *self, leat_i_waiter **wake)
{
    waiter *granted = NULL, **tail = &granted;
    *wake = NULL;
    while (l->first) {
        waiter *head = l->first;
        uint32_t member;
        int64_t now_ns = time_forward(l, leat_i_runtime_now_ns(head->rt));
        int64_t ready_ns = limiter_ready_ns(l, &head->charge, &member);
        if (ready_ns > now_ns) {
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
        if (head->armed_ns < now_ns) leat_i_member_late(&l->member[member], now_ns, now_ns - head->armed_ns);
        grant_take(l, head->place, head->charge, member);
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
    leat_store_release(&c->id, (uint64_t)0); /* Pairs with the acquire in claim_cancel: last touch of the claim. */
}

static void grant_close(leat_limiter *l, uint64_t id, const leat_i_charge *used, uint64_t *count)
{
    leat_i_lock_take(&l->lock);
    leat_i_grant_place *place = leat_i_grants_find(&l->grants, id);
    if (!place) { /* Closed before: the first one counts. */
        leat_i_lock_give(&l->lock);
        return;
    }
    leat_i_member_settle(&l->member[place->member], &place->taken, used ? *used : place->taken.charge);
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
        if (leat_load_relaxed(&c->id) == 0) { /* Relaxed: the lock, which is taken next, orders it after the close. */
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
        leat_i_member_untake(&l->member[w->place->member], &w->place->taken);
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

        /* Relaxed: the look below acquires. Why the park ended is asked afterwards. */
        if (!leat_load_relaxed(&w->told)) (void)leat_i_park(t, until_ns);
        leat_err err = leat_i_task_check(t);
        if (err != LEAT_OK) return waiter_leave(t, l, w, err);
        if (leat_load_acquire(&w->told)) return LEAT_OK; /* Acquire: pairs with the release in waiters_tell. */
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
        .asked_ns = l->now_ns,
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
    LEAT_I_TASK_TRY(t);
    LEAT_TRY(leat_i_task_check(t));
    claim *c = claim_of(t, l);
    if (!c) return LEAT_NOMEM;
    leat_i_charge charge = leat_i_charge_request(guess);
    uint64_t id;
    uint32_t member;
    int64_t now_ns = leat_i_runtime_now_ns(t->rt);

    leat_i_lock_take(&l->lock);
    leat_i_grant_place *place = leat_i_grants_open(&l->grants, c, &id);
    if (!place) {
        leat_i_lock_give(&l->lock);
        return LEAT_NOMEM;
    }
    leat_store_relaxed(&c->id, id); /* Relaxed: who closes the grant finds it by the lock. */
    now_ns = time_forward(l, now_ns);
    if (LEAT_LIKELY(!l->first && limiter_ready_ns(l, &charge, &member) <= now_ns)) {
        grant_take(l, place, charge, member);
        leat_i_lock_give(&l->lock);
    } else {
        LEAT_TRY(grant_wait(t, l, place, charge));
    }
    *grant = (leat_grant){
        .id = id,
        .charged = leat_i_charge_cost(charge),
        .granted_ns = place->taken.at_ns,
        .endpoint_index = place->member,
    };
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

/* A call that only tells something is left undone where its task does not run, and said to be. */
static bool is_told_here(const leat_task *t, const char *call)
{
    return LEAT_LIKELY(leat_i_task_is_here(t)) || leat_i_task_misused(call) == LEAT_OK;
}

void leat_limiter_tell(leat_task *t, leat_limiter *l, leat_grant grant, const leat_limiter_report *report)
{
    if (!l || !report || !is_told_here(t, __func__)) return;
    int64_t now_ns = leat_i_runtime_now_ns(t->rt);
    leat_i_lock_take(&l->lock);
    leat_i_grant_place *place = leat_i_grants_find(&l->grants, grant.id);
    if (place) leat_i_member_report(&l->member[place->member], &place->taken, report, time_forward(l, now_ns));
    if (l->first)
        limiter_unlock_served(l, NULL); /* An endpoint that answers again has room. */
    else
        leat_i_lock_give(&l->lock);
}

bool leat_limiter_learn(leat_task *t, leat_limiter *l, uint32_t endpoint_index, const leat_limiter_opts *told)
{
    if (!l || !told || endpoint_index >= l->member_count || !is_told_here(t, __func__)) return false;
    int64_t now_ns = leat_i_runtime_now_ns(t->rt);
    leat_i_lock_take(&l->lock);
    bool changed = leat_i_member_learn(&l->member[endpoint_index], told, time_forward(l, now_ns));
    if (changed)
        limiter_unlock_served(l, NULL);
    else
        leat_i_lock_give(&l->lock);
    return changed;
}

void leat_limiter_pause(leat_task *t, leat_limiter *l, uint32_t endpoint_index, int64_t duration_ms)
{
    if (!l || endpoint_index >= l->member_count || duration_ms <= 0 || !is_told_here(t, __func__)) return;
    /* A century is for ever, and keeps sums of times within bounds. */
    const int64_t longest_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;
    if (duration_ms > longest_ms) duration_ms = longest_ms;
    int64_t wait_ns = duration_ms * LEAT_I_NS_PER_MS, until_ns = leat_i_runtime_now_ns(t->rt) + wait_ns;
    leat_i_lock_take(&l->lock);
    /* Who waits judges again when it wakes. */
    leat_i_pace_pause(&l->member[endpoint_index].budget.pace, until_ns, leat_i_pace_step_ns(wait_ns));
    leat_i_lock_give(&l->lock);
}

leat_err leat_limiter_change(leat_limiter *l, uint32_t endpoint_index, const leat_limiter_opts *opts)
{
    if (!l || endpoint_index >= l->member_count) return LEAT_USAGE;
    leat_i_lock_take(&l->lock);
    if (!leat_i_member_set(&l->member[endpoint_index], opts)) {
        leat_i_lock_give(&l->lock);
        return LEAT_USAGE;
    }
    limiter_unlock_served(l, NULL);
    return LEAT_OK;
}

/* The sum over the endpoints of a limit of which 0 is none: then there is none in all. */
static void limit_add(double *sum, double limit, uint32_t index)
{
    *sum = limit == 0 || (index > 0 && *sum == 0) ? 0 : *sum + limit;
}

static void stats_add(leat_limiter_stats *s, leat_i_member *m, uint32_t index, int64_t now_ns)
{
    leat_limiter_opts set = leat_i_member_limits(m), now = leat_i_member_limits_now(m, now_ns);
    double in_flight_max = s->in_flight_max;
    s->in_flight += m->budget.in_flight;
    s->tokens_charged += (double)m->budget.charged_units / LEAT_I_UNITS_PER_TOKEN;
    limit_add(&s->requests_per_min, set.requests_per_min, index);
    limit_add(&s->tokens_per_min, set.tokens_per_min, index);
    limit_add(&s->requests_per_min_now, now.requests_per_min, index);
    limit_add(&in_flight_max, now.in_flight_max, index);
    s->in_flight_max = in_flight_max < UINT32_MAX ? (uint32_t)in_flight_max : UINT32_MAX;
    s->endpoint_count++;
    s->endpoints_out += m->health.is_open;
    s->endpoints_denied += m->health.is_gone;
}

void leat_limiter_read(leat_limiter *l, leat_limiter_stats *stats)
{
    if (!stats) return;
    *stats = (leat_limiter_stats){ 0 };
    if (!l) return;
    leat_i_lock_take(&l->lock);
    *stats = (leat_limiter_stats){
        .granted = l->granted,
        .settled = l->settled,
        .refunded = l->refunded,
        .waiting = l->waiting,
        .waited_ns = l->waited_ns,
    };
    for (uint32_t i = 0; i < l->member_count; i++)
        stats_add(stats, &l->member[i], i, l->now_ns);
    leat_i_lock_give(&l->lock);
}

leat_err leat_limiter_new_many(leat_limiter **out, const leat_limiter_opts *opts, size_t count)
{
    if (!out) return LEAT_USAGE;
    *out = NULL;
    if (count < 1 || count > MEMBERS_MAX) return LEAT_USAGE;
    leat_limiter *l = leat_i_alloc_zeroed(sizeof *l + count * sizeof l->member[0]);
    if (!l) return LEAT_NOMEM;
    l->member_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        leat_i_os_random(&l->member[i].random, sizeof l->member[i].random);
        l->member[i].has_others = count > 1;
        if (leat_i_member_set(&l->member[i], opts ? &opts[i] : NULL)) continue;
        leat_i_free(l);
        return LEAT_USAGE;
    }
    *out = l;
    return LEAT_OK;
}

leat_err leat_limiter_new(leat_limiter **out, const leat_limiter_opts *opts)
{
    return leat_limiter_new_many(out, opts, 1);
}

void leat_limiter_free(leat_limiter *l)
{
    if (!l) return;
    if (LEAT_UNLIKELY(l->first)) leat_i_wrong(__func__, "while a task waits on the limiter");
    leat_i_grants_fini(&l->grants);
    leat_i_free(l);
}
