/*
 * gate.c: a FIFO lock for tasks.
 *
 * `state` is 0 when the gate is free, HELD when it is held and nobody has come since, else the newest waiter with HELD in its
 * lowest bit; waiters are linked newest first. The holder alone owns `line`, the waiters that it has taken off `state`, oldest
 * first. Who leaves hands the gate to the first of the line, and refills the line from `state` when it is empty; the gate is never
 * free while somebody waits, so nobody can overtake.
 *
 * A waiter stands on its task's stack. It leaves the line exactly once, by the hand-over: `granted` is stored, then the stack is
 * unparked, and the waiter is not touched after the store. Waiting is shielded, so that nobody has to be taken out of the middle.
 */
#include "runtime.h"

#include "../base/check.h"

#define GATE_FREE ((uintptr_t)0)
#define GATE_HELD ((uintptr_t)1)

struct gate_waiter {
    struct gate_waiter *next; /* the next older, then, in the line, the next younger */
    leat_i_waiter *stack;
    LEAT_ATOMIC(uint32_t) granted;
};

struct leat_i_gate {
    LEAT_ATOMIC(uintptr_t) state;
    struct gate_waiter *line; /* the holder's */
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

static void gate_wait(leat_task *t, leat_i_gate *g)
{
    struct gate_waiter me = { .stack = t->waiter };
    int64_t begin_ns = leat_i_wait_begin(t);
    uintptr_t state = leat_load_relaxed(&g->state);
    for (;;) {
        uintptr_t desired = state == GATE_FREE ? GATE_HELD : (uintptr_t)&me | GATE_HELD;
        me.next = (struct gate_waiter *)(state & ~GATE_HELD);
        /* acquire: pairs with the release of the leave, for what the gate guards; release: publishes `me`. */
        if (leat_cas_acq_rel(&g->state, &state, desired)) break;
    }
    if (state == GATE_FREE) return;
    while (!leat_load_acquire(&me.granted)) /* acquire: pairs with the release in gate_grant */
        leat_i_park_shielded(t);
    leat_i_wait_end(t, LEAT_I_WAIT_GATE, begin_ns, LEAT_OK);
}

void leat_i_gate_enter(leat_task *t, leat_i_gate *g)
{
    LEAT_ASSERT(!t->gate_held);
    uintptr_t state = GATE_FREE;
    if (!leat_cas_acquire(&g->state, &state, GATE_HELD)) gate_wait(t, g); /* acquire: pairs with the release of the leave */
    t->gate = g;
    t->gate_held = true;
}

static void gate_grant(struct gate_waiter *next)
{
    leat_i_waiter *stack = next->stack;
    leat_store_release(&next->granted, 1); /* release: pairs with the acquire in gate_wait; next is gone from here on */
    leat_i_unpark(stack);
}

/* Takes those who came since, oldest first. */
static struct gate_waiter *gate_take_line(leat_i_gate *g)
{
    uintptr_t state = leat_exchange_acquire(&g->state, GATE_HELD); /* acquire: pairs with the CAS in gate_wait */
    struct gate_waiter *newest = (struct gate_waiter *)(state & ~GATE_HELD), *line = NULL;
    while (newest) {
        struct gate_waiter *older = newest->next;
        newest->next = line;
        line = newest;
        newest = older;
    }
    return line;
}

void leat_i_gate_leave(leat_task *t)
{
    leat_i_gate *g = t->gate;
    LEAT_ASSERT(t->gate_held);
    t->gate_held = false;
    if (!g->line) {
        uintptr_t state = GATE_HELD;
        if (leat_cas_release(&g->state, &state, GATE_FREE)) return; /* release: pairs with the acquire of the next enter */
        g->line = gate_take_line(g);
    }
    struct gate_waiter *next = g->line;
    g->line = next->next;
    gate_grant(next);
}
