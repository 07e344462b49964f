/*
 * clock.c: the runtime's time.
 *
 * The virtual clock stands still while anything can run. It jumps to the first timer of all when every worker is parked (all idle
 * bits are set), nothing is queued anywhere, and nothing outside the pool is awaited. Who makes the last of these true looks: a
 * worker that is about to park, or leat_i_runtime_external_end. The looks are serialized by clock_mutex.
 *
 * A look reads one word after the other, and what it has seen may be over before it ends: a worker runs, begins to wait for something
 * outside, or wakes another, and parks before its bit is read. So who wakes a worker counts that in `stirred` before it clears the bit,
 * and a look counts for nothing when `stirred` has changed meanwhile. Else the second reading of the bits has seen all workers parked at
 * once: a bit that was still to be cleared when `stirred` was read first is one that somebody clears who runs, and whose own bit is set
 * after that; or who is counted in `external`; or who has filled a queue from outside. Who clears its own bit, since it has seen work at
 * the last moment, counts once more after that: it empties a queue next, and a look that saw the bit still set, and the queue empty, has
 * read `stirred` before this count first and after it last. The queues come after the bits, since only one that
 * is woken drains any; `external` comes before and after, since what is begun is begun by one who runs, and what has ended has woken
 * somebody before. Nobody needs to look again when a look was in vain: whoever was woken looks when it parks.
 *
 * A worker without memory for another stack counts as parked: it can start nothing, and goes on when a timer frees one. It says that this
 * is over, counts in `stirred`, and goes on then: a look that still saw it starved has read another count at first, or does at last. When
 * no worker can start anything, what is queued holds the clock no longer.
 */
#include "runtime.h"

#include "../base/check.h"

int64_t leat_i_runtime_now_ns(const leat_runtime *rt)
{
    if (!rt->virtual_clock) return leat_i_os_now_ns();
    return leat_load_relaxed(&((leat_runtime *)(uintptr_t)rt)->virtual_ns); /* relaxed: a number alone, which only grows */
}

static bool clock_all_starved(leat_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (!leat_load_relaxed(&rt->worker[i].starved)) return false; /* relaxed: clock_all_idle has acquired it */
    return true;
}

static bool clock_all_queues_empty(leat_runtime *rt)
{
    bool stuck = clock_all_starved(rt);
    if (!stuck && leat_load_seq_cst(&rt->inject)) return false;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        if (leat_load_seq_cst(&rt->worker[i].inbox)) return false;
        if (!stuck && !leat_i_deque_is_empty(&rt->worker[i].deque)) return false;
    }
    return true;
}

static bool clock_all_idle(leat_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (!(leat_load_seq_cst(&rt->idle[i / 64]) >> (i % 64) & 1) && !leat_load_acquire(&rt->worker[i].starved))
            return false; /* acquire: pairs with the release in leat_i_worker_starve */
    return true;
}

/* The worker whose timer comes first; NULL when there is no timer. */
static leat_i_worker *clock_next(leat_runtime *rt)
{
    leat_i_worker *next = NULL;
    int64_t next_ns = LEAT_I_NEVER_NS;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        int64_t when_ns = leat_load_relaxed(&rt->worker[i].next_ns); /* relaxed: its idle bit was seen, and published it */
        if (when_ns >= next_ns) continue;
        next_ns = when_ns;
        next = &rt->worker[i];
    }
    return next;
}

static bool clock_all_wait(leat_runtime *rt)
{
    uint32_t stirred = leat_load_seq_cst(&rt->stirred);
    return leat_load_seq_cst(&rt->external) == 0 && clock_all_idle(rt) && clock_all_idle(rt) && clock_all_queues_empty(rt) &&
           leat_load_seq_cst(&rt->external) == 0 && leat_load_seq_cst(&rt->stirred) == stirred;
}

void leat_i_clock_evaluate(leat_runtime *rt)
{
    LEAT_FENCE_SEQ_CST();
    pthread_mutex_lock(&rt->clock_mutex);
    if (clock_all_wait(rt)) {
        leat_i_worker *next = clock_next(rt);
        if (next) {
            int64_t when_ns = leat_load_relaxed(&next->next_ns);
            if (when_ns > leat_load_relaxed(&rt->virtual_ns)) leat_store_relaxed(&rt->virtual_ns, when_ns);
            leat_i_worker_wake(next);
        }
    }
    pthread_mutex_unlock(&rt->clock_mutex);
}

void leat_i_runtime_external_begin(leat_runtime *rt)
{
    if (rt->virtual_clock) leat_add_seq_cst(&rt->external, 1);
}

void leat_i_runtime_external_end(leat_runtime *rt)
{
    if (rt->virtual_clock && leat_sub_seq_cst(&rt->external, 1) == 1) leat_i_clock_evaluate(rt);
}
