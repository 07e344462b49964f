/*
 * gate.c: a lock for tasks, for sections of some tens of nanoseconds that many workers enter all the time.
 *
 * Who finds the gate held looks again for about a microsecond, since its holder is running and will have left by then. Then it
 * queues and parks. Who leaves frees the gate and wakes the first of the line, one at a time; whoever runs meanwhile may take it. A
 * gate that were handed to a parked task would stand still until the task's home worker has time for it, while all others queue up
 * behind: with sections between two microseconds of work that cost half of the throughput of two workers.
 *
 * Nobody starves: the line is served in the order of coming, and who was woken in vain becomes the heir, to whom the next one to
 * leave hands the gate over. So others go first only while it is on its way.
 *
 * `state`: HELD while somebody holds the gate; HEIR when `heir` is to get it next; above them the newest waiter, linked newest
 * first. The holder alone owns `line`, the waiters that were taken off `state`, oldest first, and `waking`: the first of the line
 * has been woken, and is neither in nor the heir yet. While anybody waits, the gate is held or somebody is on its way.
 *
 *     queued    in `state` or in `line`; leaves it once, by a leave that frees the gate (told TRY)
 *     on its way  `waking`; takes the gate, or becomes
 *     heir      leaves it once, by a leave that hands the gate over (told YOURS)
 *
 * A waiter stands on its task's stack. `told` is stored, then the stack is unparked, and the waiter is not touched after the store.
 * Waiting is shielded, so that nobody has to be taken out of the middle.
 */
#include "runtime.h"

#include "../base/check.h"

#define GATE_FREE  ((uintptr_t)0)
#define GATE_HELD  ((uintptr_t)1)
#define GATE_HEIR  ((uintptr_t)2)
#define GATE_FLAGS (GATE_HELD | GATE_HEIR)

/* Looks at a gate that is held, with a pause between: longer than a section, much shorter than a park and what comes after it. */
#define GATE_SPIN_COUNT 64

enum { TOLD_NOTHING, TOLD_TRY, TOLD_YOURS };

struct gate_waiter {
    struct gate_waiter *next; /* the next older, then, in the line, the next younger */
    leat_i_waiter *stack;
    LEAT_ATOMIC(uint32_t) told;
};

struct leat_i_gate {
    LEAT_ATOMIC(uintptr_t) state;
    struct gate_waiter *line; /* the holder's */
    struct gate_waiter *heir; /* written before HEIR is set, read after it was seen */
    bool waking;              /* the holder's */
};

leat_i_gate *leat_i_gate_new(void)
{
    return leat_i_alloc_zeroed(sizeof(leat_i_gate));
}

void leat_i_gate_free(leat_i_gate *g)
{
    LEAT_ASSERT(!g || leat_load_relaxed(&g->state) == GATE_FREE);
    leat_i_free(g);
}

/* Takes the gate if it is free; *state is what was seen. */
static bool gate_try(leat_i_gate *g, uintptr_t *state)
{
    while (!(*state & GATE_HELD)) {
        /* acquire: pairs with the release of the leave, for what the gate guards. */
        if (leat_cas_acquire(&g->state, state, *state | GATE_HELD)) return true;
    }
    return false;
}

static bool gate_spin(leat_i_gate *g, uintptr_t *state)
{
    for (int i = 0; i < GATE_SPIN_COUNT; i++) {
        *state = leat_load_relaxed(&g->state); /* relaxed: a hint; the CAS decides */
        if (gate_try(g, state)) return true;
        leat_i_os_relax();
    }
    return false;
}

/* Puts a flag or a waiter into the state of a gate that is held; true = the gate was free, and is taken instead. */
static bool gate_join(leat_i_gate *g, uintptr_t *state, struct gate_waiter *me, bool heir)
{
    for (;;) {
        if (gate_try(g, state)) return true;
        uintptr_t desired = *state | GATE_HEIR;
        if (!heir) {
            me->next = (struct gate_waiter *)(*state & ~GATE_FLAGS);
            desired = (uintptr_t)me | (*state & GATE_FLAGS);
        }
        if (leat_cas_release(&g->state, state, desired)) return false; /* release: publishes `me`, or `heir` */
    }
}

static uint32_t gate_wait(leat_task *t, struct gate_waiter *me)
{
    uint32_t told;
    while ((told = leat_load_acquire(&me->told)) == TOLD_NOTHING) /* acquire: pairs with the release in gate_tell */
        leat_i_park_shielded(t);
    leat_store_relaxed(&me->told, TOLD_NOTHING); /* relaxed: nobody else knows it now */
    return told;
}

/* In the line: until the gate is ours. */
static void gate_wait_turn(leat_task *t, leat_i_gate *g, struct gate_waiter *me)
{
    uintptr_t state;
    uint32_t told = gate_wait(t, me);
    LEAT_ASSERT(told == TOLD_TRY);
    if (!gate_spin(g, &state)) {
        g->heir = me;
        if (!gate_join(g, &state, me, true)) {
            told = gate_wait(t, me);
            LEAT_ASSERT(told == TOLD_YOURS);
            return;
        }
    }
    g->waking = false;
    (void)told;
}

__attribute__((noinline)) static void gate_enter_slow(leat_task *t, leat_i_gate *g)
{
    struct gate_waiter me = { .stack = t->waiter };
    uintptr_t state;
    if (gate_spin(g, &state)) return;
    int64_t begin_ns = leat_i_wait_begin(t);
    if (gate_join(g, &state, &me, false)) return;
    gate_wait_turn(t, g, &me);
    leat_i_wait_end(t, LEAT_I_WAIT_GATE, begin_ns, LEAT_OK);
}

void leat_i_gate_enter(leat_task *t, leat_i_gate *g)
{
    LEAT_ASSERT(!t->gate_held);
    uintptr_t state = GATE_FREE;
    /* acquire: pairs with the release of the leave. */
    if (LEAT_UNLIKELY(!leat_cas_acquire(&g->state, &state, GATE_HELD))) gate_enter_slow(t, g);
    t->gate = g;
    t->gate_held = true;
}

static void gate_tell(struct gate_waiter *waiter, uint32_t what)
{
    leat_i_waiter *stack = waiter->stack;
    leat_store_release(&waiter->told,
                       what); /* release: pairs with the acquire in gate_wait; the waiter is gone from here on */
    leat_i_unpark(stack);
}

/* Takes those who came since, oldest first. */
static struct gate_waiter *gate_take_line(leat_i_gate *g)
{
    uintptr_t state = leat_exchange_acquire(&g->state, GATE_HELD); /* acquire: pairs with the CAS in gate_join */
    struct gate_waiter *newest = (struct gate_waiter *)(state & ~GATE_FLAGS), *line = NULL;
    while (newest) {
        struct gate_waiter *older = newest->next;
        newest->next = line;
        line = newest;
        newest = older;
    }
    return line;
}

static void gate_hand_over(leat_i_gate *g)
{
    (void)leat_and_acquire(&g->state, ~GATE_HEIR); /* acquire: pairs with the CAS in gate_join, for `heir` */
    g->waking = false;
    gate_tell(g->heir, TOLD_YOURS);
}

__attribute__((noinline)) static void gate_leave_slow(leat_i_gate *g)
{
    uintptr_t state = leat_load_relaxed(&g->state);
    for (;;) {
        if (state & GATE_HEIR) {
            gate_hand_over(g);
            return;
        }
        /* Somebody is on its way, or nobody waits. release: pairs with the acquire of the next enter. */
        if (g->waking || (!g->line && state == GATE_HELD)) {
            if (leat_cas_release(&g->state, &state, state & ~GATE_HELD)) return;
            continue;
        }
        if (!g->line) g->line = gate_take_line(g);
        struct gate_waiter *first = g->line;
        g->line = first->next;
        g->waking = true;
        (void)leat_and_release(&g->state, ~GATE_HELD); /* release: as above; nobody can be the heir before `first` is told */
        gate_tell(first, TOLD_TRY);
        return;
    }
}

void leat_i_gate_leave(leat_task *t)
{
    leat_i_gate *g = t->gate;
    LEAT_ASSERT(t->gate_held);
    t->gate_held = false;
    uintptr_t state = GATE_HELD;
    /* release: pairs with the acquire of the next enter. */
    if (LEAT_LIKELY(!g->line && leat_cas_release(&g->state, &state, GATE_FREE))) return;
    gate_leave_slow(g);
}
