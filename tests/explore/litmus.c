/*
 * litmus.c: cases about the model itself: what C11 forbids is never seen, and what it allows is.
 *
 * A case that is named after what must not happen checks that no execution shows it; one that ends in _allowed must fail, since the model
 * would be too strong otherwise.
 */
#include "explore.h"

#include "base/atomics.h"

static LEAT_ATOMIC(uint32_t) x, y;
static uint32_t plain, a, b, c, d;

static void clear(void)
{
    plain = a = b = c = d = 0;
    atomic_init(&x, 0);
    atomic_init(&y, 0);
}

/* Runs up to four threads to their end. */
static void run4(void (*f0)(void *), void (*f1)(void *), void (*f2)(void *), void (*f3)(void *))
{
    clear();
    explore_start(f0, NULL);
    explore_start(f1, NULL);
    if (f2) explore_start(f2, NULL);
    if (f3) explore_start(f3, NULL);
    explore_join_all();
}

#define THREAD(name, body)         \
    static void name(void *unused) \
    {                              \
        (void)unused;              \
        body                       \
    }

/* Store buffering. */
THREAD(sb_0, leat_store_release(&x, 1); a = leat_load_acquire(&y);)
THREAD(sb_1, leat_store_release(&y, 1); b = leat_load_acquire(&x);)
THREAD(sb_fence_0, leat_store_relaxed(&x, 1); atomic_thread_fence(memory_order_seq_cst); a = leat_load_relaxed(&y);)
THREAD(sb_fence_1, leat_store_relaxed(&y, 1); atomic_thread_fence(memory_order_seq_cst); b = leat_load_relaxed(&x);)
THREAD(sb_seq_cst_0, leat_store_seq_cst(&x, 1); a = leat_load_seq_cst(&y);)
THREAD(sb_seq_cst_1, leat_store_seq_cst(&y, 1); b = leat_load_seq_cst(&x);)

static void sb_allowed(void)
{
    run4(sb_0, sb_1, NULL, NULL);
    EXPLORE_CHECK(a || b);
}

static void sb_fence(void)
{
    run4(sb_fence_0, sb_fence_1, NULL, NULL);
    EXPLORE_CHECK(a || b);
}

static void sb_one_fence_allowed(void)
{
    run4(sb_fence_0, sb_1, NULL, NULL);
    EXPLORE_CHECK(a || b);
}

static void sb_seq_cst(void)
{
    run4(sb_seq_cst_0, sb_seq_cst_1, NULL, NULL);
    EXPLORE_CHECK(a || b);
}

/* Message passing. */
THREAD(mp_relaxed_0, leat_store_relaxed(&x, 1); leat_store_relaxed(&y, 1);)
THREAD(mp_release_0, leat_store_relaxed(&x, 1); leat_store_release(&y, 1);)
THREAD(mp_fence_0, leat_store_relaxed(&x, 1); atomic_thread_fence(memory_order_release); leat_store_relaxed(&y, 1);)
THREAD(mp_acquire_1, a = leat_load_acquire(&y); b = leat_load_relaxed(&x);)
THREAD(mp_relaxed_1, a = leat_load_relaxed(&y); b = leat_load_relaxed(&x);)
THREAD(mp_fence_1, a = leat_load_relaxed(&y); atomic_thread_fence(memory_order_acquire); b = leat_load_relaxed(&x);)

static void mp(void)
{
    run4(mp_release_0, mp_acquire_1, NULL, NULL);
    EXPLORE_CHECK(!(a && !b));
}

static void mp_fences(void)
{
    run4(mp_fence_0, mp_fence_1, NULL, NULL);
    EXPLORE_CHECK(!(a && !b));
}

static void mp_no_release_allowed(void)
{
    run4(mp_relaxed_0, mp_acquire_1, NULL, NULL);
    EXPLORE_CHECK(!(a && !b));
}

static void mp_no_acquire_allowed(void)
{
    run4(mp_release_0, mp_relaxed_1, NULL, NULL);
    EXPLORE_CHECK(!(a && !b));
}

/* A release sequence goes on through updates, and not through another's plain store. */
THREAD(rs_update, (void)leat_add_relaxed(&y, 1);)
THREAD(rs_store, leat_store_relaxed(&y, 2);)
THREAD(rs_read, a = leat_load_acquire(&y); b = leat_load_relaxed(&x);)

static void release_sequence(void)
{
    run4(mp_release_0, rs_update, rs_read, NULL);
    EXPLORE_CHECK(!(a == 2 && !b));
}

static void release_sequence_cut_allowed(void)
{
    run4(mp_release_0, rs_store, rs_read, NULL);
    EXPLORE_CHECK(!(a == 2 && !b));
}

/* Independent reads of independent writes. */
THREAD(iriw_x, leat_store_seq_cst(&x, 1);)
THREAD(iriw_y, leat_store_seq_cst(&y, 1);)
THREAD(iriw_xy, a = leat_load_seq_cst(&x); b = leat_load_seq_cst(&y);)
THREAD(iriw_yx, c = leat_load_seq_cst(&y); d = leat_load_seq_cst(&x);)
THREAD(iriw_weak_xy, a = leat_load_acquire(&x); b = leat_load_acquire(&y);)
THREAD(iriw_weak_yx, c = leat_load_acquire(&y); d = leat_load_acquire(&x);)

static void iriw(void)
{
    run4(iriw_x, iriw_y, iriw_xy, iriw_yx);
    EXPLORE_CHECK(!(a && !b && c && !d));
}

static void iriw_weak_allowed(void)
{
    run4(iriw_x, iriw_y, iriw_weak_xy, iriw_weak_yx);
    EXPLORE_CHECK(!(a && !b && c && !d));
}

/* Two writes each, in opposite orders: the modification orders need not agree with any interleaving. */
THREAD(ww_0, leat_store_relaxed(&x, 1); leat_store_relaxed(&y, 2);)
THREAD(ww_1, leat_store_relaxed(&y, 1); leat_store_relaxed(&x, 2);)

static void ww_allowed(void)
{
    run4(ww_0, ww_1, NULL, NULL);
    EXPLORE_CHECK(!(leat_load_seq_cst(&x) == 1 && leat_load_seq_cst(&y) == 1));
}

/* Coherence: one object's values are seen in one order. */
THREAD(co_write, leat_store_relaxed(&x, 1); leat_store_relaxed(&x, 2);)
THREAD(co_read, a = leat_load_relaxed(&x); b = leat_load_relaxed(&x);)
THREAD(co_read_too, c = leat_load_relaxed(&x); d = leat_load_relaxed(&x);)

static void coherence(void)
{
    run4(co_write, co_read, co_read_too, NULL);
    EXPLORE_CHECK(a <= b && c <= d);
}

THREAD(update_once, uint32_t old = leat_add_relaxed(&x, 1); if (old == 0) a++; else if (old == 1) b++; else c++;)

static void updates_are_atomic(void)
{
    run4(update_once, update_once, update_once, NULL);
    EXPLORE_CHECK(a == 1 && b == 1 && c == 1 && leat_load_relaxed(&x) == 3);
}

/* Plain data behind a flag. */
THREAD(plain_0, plain = 7; leat_store_release(&x, 1);)
THREAD(plain_1, if (leat_load_acquire(&x)) a = plain; else a = 7;)
THREAD(plain_race_1, if (leat_load_relaxed(&x)) a = plain; else a = 7;)

static void publication(void)
{
    run4(plain_0, plain_1, NULL, NULL);
    EXPLORE_CHECK(a == 7);
}

static void race_allowed(void)
{
    run4(plain_0, plain_race_1, NULL, NULL);
}

/* Write to read causality, and a fence between the ends of a chain. */
THREAD(wrc_0, leat_store_relaxed(&x, 1);)
THREAD(wrc_1, a = leat_load_acquire(&x); leat_store_release(&y, a);)
THREAD(wrc_2, b = leat_load_acquire(&y); c = leat_load_relaxed(&x);)

static void causality(void)
{
    run4(wrc_0, wrc_1, wrc_2, NULL);
    EXPLORE_CHECK(!(b && !c));
}

#define LITMUS(name, must_fail) \
    const explore_case explore_litmus_##name = { "litmus_" #name, name, { 3, 3, 4, 2000 }, { 4, 4, 6, 20000 }, must_fail }

LITMUS(sb_allowed, true);
LITMUS(sb_fence, false);
LITMUS(sb_one_fence_allowed, true);
LITMUS(sb_seq_cst, false);
LITMUS(mp, false);
LITMUS(mp_fences, false);
LITMUS(mp_no_release_allowed, true);
LITMUS(mp_no_acquire_allowed, true);
LITMUS(release_sequence, false);
LITMUS(release_sequence_cut_allowed, true);
LITMUS(iriw, false);
LITMUS(iriw_weak_allowed, true);
LITMUS(ww_allowed, true);
LITMUS(coherence, false);
LITMUS(updates_are_atomic, false);
LITMUS(publication, false);
LITMUS(race_allowed, true);
LITMUS(causality, false);
