/*
 * atomics.h: the only door to atomic operations.
 *
 * Every operation has its order in its name; there is no default. Each use has a comment that names its partner. There is one
 * fence, the sequentially consistent one that the deque's take and parking need; ThreadSanitizer does not understand fences, so
 * that build replaces it by a sequentially consistent operation (see LEAT_FENCE_SEQ_CST).
 */
#ifndef LEAT_I_ATOMICS_H
#define LEAT_I_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEAT_ATOMIC(type) _Atomic(type)

#define leat_load_relaxed(p)        atomic_load_explicit((p), memory_order_relaxed)
#define leat_load_acquire(p)        atomic_load_explicit((p), memory_order_acquire)
#define leat_load_seq_cst(p)        atomic_load_explicit((p), memory_order_seq_cst)
#define leat_store_relaxed(p, v)    atomic_store_explicit((p), (v), memory_order_relaxed)
#define leat_store_release(p, v)    atomic_store_explicit((p), (v), memory_order_release)
#define leat_store_seq_cst(p, v)    atomic_store_explicit((p), (v), memory_order_seq_cst)
#define leat_exchange_acquire(p, v) atomic_exchange_explicit((p), (v), memory_order_acquire)
#define leat_exchange_release(p, v) atomic_exchange_explicit((p), (v), memory_order_release)
#define leat_exchange_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define leat_exchange_seq_cst(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define leat_add_relaxed(p, v)      atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define leat_add_release(p, v)      atomic_fetch_add_explicit((p), (v), memory_order_release)
#define leat_add_acq_rel(p, v)      atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define leat_add_seq_cst(p, v)      atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define leat_sub_relaxed(p, v)      atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define leat_sub_release(p, v)      atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define leat_sub_acq_rel(p, v)      atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define leat_sub_seq_cst(p, v)      atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define leat_or_acquire(p, v)       atomic_fetch_or_explicit((p), (v), memory_order_acquire)
#define leat_or_acq_rel(p, v)       atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define leat_or_seq_cst(p, v)       atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define leat_and_acquire(p, v)      atomic_fetch_and_explicit((p), (v), memory_order_acquire)
#define leat_and_release(p, v)      atomic_fetch_and_explicit((p), (v), memory_order_release)
#define leat_and_seq_cst(p, v)      atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)

/* Compare-and-swap, strong unless named weak: (object, &expected, desired); `expected` is updated (relaxed) on failure. */
#define leat_cas_relaxed(p, e, d) \
    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_relaxed, memory_order_relaxed)
#define leat_cas_acquire(p, e, d) \
    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_acquire, memory_order_relaxed)
#define leat_cas_release(p, e, d) \
    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_release, memory_order_relaxed)
#define leat_cas_acq_rel(p, e, d) \
    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_acq_rel, memory_order_acquire)
#define leat_cas_seq_cst(p, e, d) \
    atomic_compare_exchange_strong_explicit((p), (e), (d), memory_order_seq_cst, memory_order_relaxed)
#define leat_cas_weak_release(p, e, d) \
    atomic_compare_exchange_weak_explicit((p), (e), (d), memory_order_release, memory_order_relaxed)

/* The same for words in public headers, which C++ reads too, so that they cannot be _Atomic. */
#define leat_word_load_relaxed(p)        __atomic_load_n((p), __ATOMIC_RELAXED)
#define leat_word_load_acquire(p)        __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define leat_word_store_relaxed(p, v)    __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define leat_word_exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define leat_word_cas_release(p, e, d)   __atomic_compare_exchange_n((p), (e), (d), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define leat_word_cas_acq_rel(p, e, d)   __atomic_compare_exchange_n((p), (e), (d), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* Under ThreadSanitizer code must not rely on fences; LEAT_TSAN lets the few places choose an operation instead. */
#if defined(LEAT_EXPLORE) /* tests/explore stands in for its runtime, and does understand fences */
#define LEAT_TSAN 0
#elif defined(__SANITIZE_THREAD__)
#define LEAT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_TSAN 1
#endif
#endif
#ifndef LEAT_TSAN
#define LEAT_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define LEAT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAT_ASAN 1
#endif
#endif
#ifndef LEAT_ASAN
#define LEAT_ASAN 0
#endif

#if LEAT_TSAN
extern LEAT_ATOMIC(uint32_t) leat_i_fence_word; /* base/mem.c; what the fence is replaced by */
#define LEAT_FENCE_SEQ_CST() ((void)leat_add_seq_cst(&leat_i_fence_word, 0u))
#else
#define LEAT_FENCE_SEQ_CST() atomic_thread_fence(memory_order_seq_cst)
#endif

#endif
