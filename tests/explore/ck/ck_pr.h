/*
 * ck_pr.h: stands in the explorer for Concurrency Kit's file of that name: what ck_ring.h calls, in C11's terms, where that file has
 * assembly. A fence of loads is an acquire fence, and one of stores a release fence, which orders the loads before it too. That a slot is
 * written only behind a load of c_head that says so rests on the branch between them, of which C11 knows nothing: so no case fills a ring.
 */
#ifndef CK_PR_H
#define CK_PR_H

#include <stdbool.h>

void __tsan_atomic_thread_fence(int order); /* entry.c; gcc warns of a fence that it would make this call of */

static inline unsigned ck_pr_load_uint(const unsigned *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void ck_pr_store_uint(unsigned *p, unsigned value)
{
    __atomic_store_n(p, value, __ATOMIC_RELAXED);
}

static inline void ck_pr_fence_load(void)
{
    __tsan_atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void ck_pr_fence_store(void)
{
    __tsan_atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void ck_pr_fence_store_atomic(void)
{
    __tsan_atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline bool ck_pr_cas_uint_value(unsigned *p, unsigned expected, unsigned value, unsigned *seen)
{
    *seen = expected;
    return __atomic_compare_exchange_n(p, seen, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline bool ck_pr_cas_uint(unsigned *p, unsigned expected, unsigned value)
{
    return ck_pr_cas_uint_value(p, expected, value, &expected);
}

static inline void ck_pr_stall(void)
{
}

#endif
