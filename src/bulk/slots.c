/*
 * slots.c: turns; see slots.h.
 *
 * A waiter lies on its task's stack. `granted` is set, under the lock, by the giver who has taken it off its queue; from then on
 * the turn is the waiter's, also when it wakes because of a cancel: then it gives the turn on.
 */
#include "slots.h"

#include <string.h>

struct leat_i_slot_wait {
    leat_i_waiter *waiter;
    struct leat_i_slot_wait *next, *prev;
    LEAT_ATOMIC(bool) granted;
};

void leat_i_slots_init(leat_i_slots *s, uint32_t count)
{
    memset(s, 0, sizeof *s);
    s->free_count = count;
}

static void queue_remove(leat_i_slots *s, leat_i_slot_kind kind, struct leat_i_slot_wait *wait)
{
    *(wait->prev ? &wait->prev->next : &s->first[kind]) = wait->next;
    *(wait->next ? &wait->next->prev : &s->last[kind]) = wait->prev;
}

leat_err leat_i_slots_take(leat_task *t, leat_i_slots *s, leat_i_slot_kind kind)
{
    struct leat_i_slot_wait wait = { .waiter = leat_i_task_waiter(t) };
    leat_i_lock_take(&s->lock);
    if (s->free_count > 0) {
        s->free_count--;
        leat_i_lock_give(&s->lock);
        return LEAT_OK;
    }
    wait.prev = s->last[kind];
    *(wait.prev ? &wait.prev->next : &s->first[kind]) = &wait;
    s->last[kind] = &wait;
    leat_i_lock_give(&s->lock);
    leat_err err = LEAT_OK;
    /* Acquire: pairs with the release in leat_i_slots_give. */
    while (!leat_load_acquire(&wait.granted) && !err)
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    if (!err) return LEAT_OK;
    leat_i_lock_take(&s->lock);
    bool granted = leat_load_relaxed(&wait.granted); /* Relaxed: written under the lock that is held. */
    if (!granted) queue_remove(s, kind, &wait);
    leat_i_lock_give(&s->lock);
    if (granted) (void)leat_i_slots_give(s);
    return err;
}

bool leat_i_slots_give(leat_i_slots *s)
{
    leat_i_lock_take(&s->lock);
    for (int kind = 0; kind < LEAT_I_SLOT_KIND_COUNT; kind++) {
        struct leat_i_slot_wait *wait = s->first[kind];
        if (!wait) continue;
        queue_remove(s, (leat_i_slot_kind)kind, wait);
        leat_i_waiter *waiter = wait->waiter;
        /* Release: pairs with the acquire in leat_i_slots_take. After it `wait` may be gone; the waiter never is. */
        leat_store_release(&wait->granted, true);
        leat_i_lock_give(&s->lock);
        leat_i_unpark(waiter);
        return false;
    }
    s->free_count++;
    leat_i_lock_give(&s->lock);
    return true;
}

bool leat_i_slots_wanted(leat_i_slots *s)
{
    leat_i_lock_take(&s->lock);
    bool wanted = s->first[LEAT_I_SLOT_RETRY] != NULL;
    leat_i_lock_give(&s->lock);
    return wanted;
}
