/*
 * lock.h: a small lock for critical sections of some tens of nanoseconds, never held over a park.
 *
 * Three states of one word: 0 free, 1 held, 2 held and somebody may sleep on it (Drepper, "Futexes Are Tricky", mutex 2). Taking
 * and giving it back uncontended is one atomic operation each and no call; memory of zeros is a free lock. Who has given it back
 * does not read it again, so that the last to leave a structure may be waited for under the structure's own lock.
 */
#ifndef LEAT_I_LOCK_H
#define LEAT_I_LOCK_H

#include "atomics.h"
#include "check.h"
#include "os.h"

typedef struct leat_i_lock {
    LEAT_ATOMIC(uint32_t) word;
} leat_i_lock;

enum { LEAT_I_LOCK_SPIN_COUNT = 64 }; /* about as long as a critical section; longer only burns what the holder needs */

static inline bool leat_i_lock_try(leat_i_lock *l)
{
    uint32_t free_word = 0;
    return leat_cas_acquire(&l->word, &free_word, 1u); /* Acquire: pairs with the release in leat_i_lock_give. */
}

__attribute__((noinline, unused)) static void leat_i_lock_slow(leat_i_lock *l)
{
    for (int i = 0; i < LEAT_I_LOCK_SPIN_COUNT; i++) {
        if (leat_load_relaxed(&l->word) == 0 && leat_i_lock_try(l)) return;
        leat_i_os_relax();
    }
    /* Whoever sleeps takes the lock as "somebody may sleep": it cannot know whether it was the last one. */
    while (leat_exchange_acquire(&l->word, 2u) != 0) /* Acquire: pairs with the release in leat_i_lock_give. */
        (void)leat_i_os_futex_wait(&l->word, 2u, LEAT_I_NEVER_NS);
}

static inline void leat_i_lock_take(leat_i_lock *l)
{
    if (LEAT_UNLIKELY(!leat_i_lock_try(l))) leat_i_lock_slow(l);
}

static inline void leat_i_lock_give(leat_i_lock *l)
{
    /* Release: what was written under the lock is seen by the acquire of the next holder. */
    if (LEAT_UNLIKELY(leat_exchange_release(&l->word, 0u) == 2)) leat_i_os_futex_wake(&l->word, 1);
}

#endif
