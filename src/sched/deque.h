/*
 * deque.h: the work-stealing deque of a worker: its owner pushes and pops at the bottom, thieves steal at the top.
 */
#ifndef LEAT_I_DEQUE_H
#define LEAT_I_DEQUE_H

#include "sched.h"

typedef struct leat_i_deque_array leat_i_deque_array;

typedef struct leat_i_deque {
    _Alignas(64) LEAT_ATOMIC(int64_t) top;    /* next to steal; thieves and, for the last one, the owner move it by CAS */
    _Alignas(64) LEAT_ATOMIC(int64_t) bottom; /* next free place; the owner writes */
    LEAT_ATOMIC(leat_i_deque_array *) array;  /* the owner replaces it; old ones stay until fini */
} leat_i_deque;

bool leat_i_deque_init(leat_i_deque *d);                        /* false = memory is short */
void leat_i_deque_fini(leat_i_deque *d);                        /* nobody uses it any more; fini of zeroed memory is fine */
bool leat_i_deque_push_owner(leat_i_deque *d, leat_i_job *job); /* false = full and memory is short */
leat_i_job *leat_i_deque_pop_owner(leat_i_deque *d);            /* newest; NULL = empty */
leat_i_job *leat_i_deque_steal_thief(leat_i_deque *d);          /* oldest; NULL = empty; the owner may call it too */
int64_t leat_i_deque_count(const leat_i_deque *d);              /* any thread; a hint, which may be below 0 */
bool leat_i_deque_is_empty(const leat_i_deque *d);              /* any thread; a hint unless a fence orders it */

#endif
