/*
 * deque.c: the Chase-Lev deque with C11 orders.
 *
 * Source: Le, Pop, Cohen, Zappa Nardelli, "Correct and efficient work-stealing for weak memory models" (PPoPP 2013), with three
 * corrections: indices are signed, since an empty pop wraps unsigned ones; the array's address is published with release and read
 * with acquire after `top`, since a steal that races with a growth could otherwise read a slot that was never written (Norris and
 * Demsky, 2013); slots are atomic.
 *
 * What holds: top <= bottom, except inside a pop of an empty deque. An item at index i is taken exactly once: by the owner without
 * a CAS when i > top cannot change any more (bottom was lowered to i, then a full fence, then top was read below i), else by whoever
 * moves top from i to i + 1. A thief reads the slot before its CAS: when the CAS succeeds the slot was not reused, since the owner
 * writes index i + size only while top > i. Arrays that were grown away stay until the deque dies (less than the last one in all),
 * so a slow thief may still read them.
 *
 * ThreadSanitizer does not understand fences: there LEAT_FENCE_SEQ_CST is an operation, and bottom is stored with release.
 */
#include "deque.h"

#include "../base/check.h"

#define DEQUE_ROOM_FIRST 256

struct leat_i_deque_array {
    int64_t room; /* a power of two */
    leat_i_deque_array *older;
    LEAT_ATOMIC(leat_i_job *) slot[];
};

static leat_i_deque_array *array_new(int64_t room, leat_i_deque_array *older)
{
    leat_i_deque_array *a = leat_i_alloc(sizeof *a + (size_t)room * sizeof a->slot[0]);
    if (!a) return NULL;
    a->room = room;
    a->older = older;
    return a;
}

static LEAT_ATOMIC(leat_i_job *) * array_slot(leat_i_deque_array *a, int64_t index)
{
    return &a->slot[index & (a->room - 1)];
}

bool leat_i_deque_init(leat_i_deque *d)
{
    leat_i_deque_array *a = array_new(DEQUE_ROOM_FIRST, NULL);
    /* relaxed: no thief knows the deque yet; the start of the threads publishes it. */
    leat_store_relaxed(&d->top, 0);
    leat_store_relaxed(&d->bottom, 0);
    leat_store_relaxed(&d->array, a);
    return a != NULL;
}

void leat_i_deque_fini(leat_i_deque *d)
{
    leat_i_deque_array *a = leat_load_relaxed(&d->array); /* relaxed: alone */
    while (a) {
        leat_i_deque_array *older = a->older;
        leat_i_free(a);
        a = older;
    }
    leat_store_relaxed(&d->array, NULL);
}

static leat_i_deque_array *deque_grow(leat_i_deque *d, leat_i_deque_array *a, int64_t top, int64_t bottom)
{
    leat_i_deque_array *grown = array_new(a->room * 2, a);
    if (!grown) return NULL;
    for (int64_t i = top; i < bottom; i++)
        leat_store_relaxed(array_slot(grown, i), leat_load_relaxed(array_slot(a, i)));
    leat_store_release(&d->array, grown); /* release: pairs with the acquire of `array` in a steal */
    return grown;
}

bool leat_i_deque_push_owner(leat_i_deque *d, leat_i_job *job)
{
    int64_t bottom = leat_load_relaxed(&d->bottom); /* relaxed: only the owner writes it */
    int64_t top = leat_load_acquire(&d->top); /* acquire: pairs with the CAS of a steal, whose slot may be reused now */
    leat_i_deque_array *a = leat_load_relaxed(&d->array);
    if (bottom - top >= a->room) {
        a = deque_grow(d, a, top, bottom);
        if (!a) return false;
    }
    leat_store_relaxed(array_slot(a, bottom), job);
    leat_store_release(&d->bottom, bottom + 1); /* release: pairs with the acquire of bottom in a steal; the job is whole */
    return true;
}

leat_i_job *leat_i_deque_pop_owner(leat_i_deque *d)
{
    int64_t bottom = leat_load_relaxed(&d->bottom) - 1;
    leat_i_deque_array *a = leat_load_relaxed(&d->array);
    leat_store_release(&d->bottom, bottom); /* release: a thief that reads it must see the slots below */
    LEAT_FENCE_SEQ_CST();                   /* pairs with the fence of a steal: one of both sees what the other wrote */
    int64_t top = leat_load_relaxed(&d->top);
    leat_i_job *job = NULL;
    if (top <= bottom) {
        job = leat_load_relaxed(array_slot(a, bottom));
        if (top < bottom) return job;
        /* The last one: whoever moves top has it. */
        if (!leat_cas_seq_cst(&d->top, &top, top + 1)) job = NULL;
    }
    leat_store_release(&d->bottom, bottom + 1);
    return job;
}

leat_i_job *leat_i_deque_steal_thief(leat_i_deque *d)
{
    for (;;) {
        int64_t top = leat_load_acquire(&d->top);       /* acquire: the CAS below must not see an older slot */
        LEAT_FENCE_SEQ_CST();                           /* pairs with the fence of a pop */
        int64_t bottom = leat_load_acquire(&d->bottom); /* acquire: pairs with the release of a push */
        if (top >= bottom) return NULL;
        leat_i_deque_array *a = leat_load_acquire(&d->array); /* acquire: pairs with the release of a growth */
        leat_i_job *job = leat_load_relaxed(array_slot(a, top));
        /* On failure somebody else made progress: look again. */
        if (leat_cas_seq_cst(&d->top, &top, top + 1)) return job;
    }
}

int64_t leat_i_deque_count(const leat_i_deque *d)
{
    leat_i_deque *seen = (leat_i_deque *)(uintptr_t)d; /* C11's atomic loads take no const object */
    int64_t bottom = leat_load_relaxed(&seen->bottom); /* relaxed, as the next one: a hint */
    return bottom - leat_load_relaxed(&seen->top);
}

bool leat_i_deque_is_empty(const leat_i_deque *d)
{
    leat_i_deque *seen = (leat_i_deque *)(uintptr_t)d; /* as above */
    int64_t bottom = leat_load_acquire(&seen->bottom);
    return leat_load_acquire(&seen->top) >= bottom;
}
