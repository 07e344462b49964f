/*
 * lock.h: a lock of one word for sections of a few instructions that never suspend. 0 free, 1 taken, 2 taken and waited for.
 * Who has given it back does not read it again, so that the last to leave a structure may be waited for under its own lock.
 */
#ifndef LEAT_I_LOCK_H
#define LEAT_I_LOCK_H

#include "../base/os.h"

typedef LEAT_ATOMIC(uint32_t) leat_i_lock;

static inline void leat_i_lock_take(leat_i_lock *lock)
{
    uint32_t free = 0;
    if (leat_cas_acquire(lock, &free, 1u)) return; /* acquire: pairs with the exchange in give */
    while (leat_exchange_acquire(lock, 2u) != 0)   /* acquire: the same */
        leat_i_os_futex_wait(lock, 2u, LEAT_I_NEVER_NS);
}

static inline void leat_i_lock_give(leat_i_lock *lock)
{
    /* acq_rel for its release half: pairs with the acquires in take. The address alone is used after it. */
    if (leat_exchange_acq_rel(lock, 0u) == 2u) leat_i_os_futex_wake(lock, 1);
}

#endif
