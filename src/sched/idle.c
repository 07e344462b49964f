/*
 * idle.c: looking for work at others, parking, and waking.
 *
 * A worker without work is in one of three states: searching (counted in rt->searching, for a few microseconds by the clock; at most
 * half of the workers start it of themselves, and who searched in vain parks without a search the next time: once, then 3 times, then 7, up
 * to SPIN_PAUSE_MAX, until a search finds something again), about to park (its bit in rt->idle is set, and it looks once more), parked (in the
 * futex on w->wake).
 *
 * No wake-up is lost, because both sides publish, fence, and look:
 *     who publishes work: publish; fence; if nobody searches, clear an idle bit and wake its owner.
 *     who parks: leave the search (searching - 1); set the idle bit; fence; look at everything once more; park.
 * Who relied on a searcher is right: the searcher looks once more after it has left the search, whether it found something or
 * not (leat_i_worker_found, leat_i_worker_sleep), and passes on what it sees there. Who sees work in that look wakes another, or
 * becomes a searcher again, since what it takes need not be all. Who sees none while others are parked asks the fork regions: what
 * was shared when they were relied on may have been taken back by its owner, who has more. Who cleared an idle bit, and only he,
 * must store w->wake and wake the futex.
 * Nobody looks at the deques and forks of parked workers: they are empty, since a worker parks only when its own are and nobody else
 * adds to them. Who reads an idle bit as set although its worker has been woken and has published since is no loss: the publisher's
 * fence comes after the one of the reader then (else the reader would see the bit cleared), so the publisher sees that nobody searches,
 * or the reader's idle bit.
 * Who steals several moves tasks from a deque to another while a third may look at both, in the wrong order: so it wakes one, too.
 * One wakes one: a woken worker starts as a searcher on the waker's count, and when it has found something, and there is more, it
 * wakes the next.
 *
 * A stack that is woken by another thread goes to its home's inbox, and who found that empty wakes just that worker, if it is parked.
 */
#include "runtime.h"

#include "../base/check.h"

#define SPIN_PAUSE_MAX 63u
#define STEAL_MAX      8
#define TRIM_AFTER_NS  (1 * LEAT_I_NS_PER_S)
#define TRIM_PAUSE_NS  (1 * LEAT_I_NS_PER_MS)

/* Of the workers from 64 * i on, a bit for each that is not parked. */
static uint64_t runtime_awake(leat_runtime *rt, uint32_t i)
{
    uint32_t left = rt->worker_count - i * 64;
    uint64_t all = left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX;
    return all & ~leat_load_relaxed(&rt->idle[i]); /* relaxed: comes after a fence where it matters, see the contract */
}

static bool runtime_has_work(leat_runtime *rt)
{
    if (leat_load_relaxed(&rt->inject)) return true;
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++)
        for (uint64_t awake = runtime_awake(rt, i); awake; awake &= awake - 1) {
            leat_i_worker *w = &rt->worker[i * 64 + (uint32_t)__builtin_ctzll(awake)];
            if (!leat_i_deque_is_empty(&w->deque) || leat_i_fork_has_shared(w)) return true;
        }
    return false;
}

/* Clears the idle bit of a worker; true = it was set, and the caller must wake that worker. */
static bool idle_claim(leat_runtime *rt, uint32_t index)
{
    uint64_t bit = UINT64_C(1) << (index % 64);
    LEAT_ATOMIC(uint64_t) *idle = &rt->idle[index / 64];
    if (!(leat_load_relaxed(idle) & bit)) return false;
    if (LEAT_UNLIKELY(rt->virtual_clock))
        leat_add_seq_cst(&rt->stirred, 1); /* seq_cst: before the bit; partner of clock_all_wait */
    return (leat_and_seq_cst(idle, ~bit) & bit) != 0;
}

static void worker_signal(leat_i_worker *w, uint32_t why)
{
    leat_store_release(&w->wake, why); /* release: pairs with the acquire in worker_take_signal */
    leat_i_os_futex_wake(&w->wake, 1);
}

/* ---- wakes held back ---- */

static _Thread_local leat_i_held_wakes *held_wakes __attribute__((tls_model("initial-exec")));

/* Opaque to the compiler, as leat_i_worker_current is: who wakes may be a task, which is suspended later. */
static __attribute__((noinline)) leat_i_held_wakes **wakes_of_thread(void)
{
    leat_i_held_wakes **h = &held_wakes;
    __asm__ volatile("" : "+r"(h));
    return h;
}

static bool wake_hold(leat_i_worker *w)
{
    leat_i_held_wakes *h = *wakes_of_thread();
    if (LEAT_LIKELY(!h)) return false;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->worker[i] == w) return true;
    if (h->count == LEAT_I_HELD_WAKES) return false;
    h->worker[h->count++] = w;
    return true;
}

void leat_i_wakes_hold(leat_i_held_wakes *h)
{
    leat_i_held_wakes **of_thread = wakes_of_thread();
    LEAT_ASSERT(!*of_thread && !leat_i_worker_current());
    h->count = 0;
    *of_thread = h;
}

void leat_i_wakes_release(leat_i_held_wakes *h)
{
    *wakes_of_thread() = NULL;
    for (uint32_t i = 0; i < h->count; i++)
        leat_i_worker_wake(h->worker[i]);
}

void leat_i_worker_wake(leat_i_worker *w)
{
    if (wake_hold(w)) return;
    LEAT_FENCE_SEQ_CST(); /* pairs with the fence in leat_i_worker_sleep: it sees what was published, or we see its bit */
    if (idle_claim(w->rt, w->index)) worker_signal(w, LEAT_I_WAKE_INBOX);
}

LEAT_WAKE_PATH void leat_i_runtime_wake_one(leat_runtime *rt)
{
    LEAT_FENCE_SEQ_CST(); /* pairs with the fence in leat_i_worker_sleep, and with the seq_cst ends of a search */
    if (leat_load_relaxed(&rt->searching)) return;
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++) {
        uint64_t bits = leat_load_relaxed(&rt->idle[i]);
        for (; bits; bits &= bits - 1) {
            uint32_t index = i * 64 + (uint32_t)__builtin_ctzll(bits);
            if (!idle_claim(rt, index)) continue;
            leat_add_seq_cst(&rt->searching, 1); /* on behalf of that worker, which ends the search */
            worker_signal(&rt->worker[index], LEAT_I_WAKE_SEARCH);
            return;
        }
    }
}

bool leat_i_runtime_is_parked(leat_runtime *rt)
{
    uint64_t idle = 0;
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++)
        idle |= leat_load_relaxed(&rt->idle[i]); /* relaxed: a hint */
    return idle != 0;
}

bool leat_i_runtime_is_hungry(leat_runtime *rt)
{
    uint64_t idle = leat_load_relaxed(&rt->searching); /* relaxed, as below: a hint */
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++)
        idle |= leat_load_relaxed(&rt->idle[i]);
    return idle != 0;
}

bool leat_i_worker_holds_more(const leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    uint64_t sum = 0, own = 0;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        uint32_t taken = leat_load_relaxed(&rt->worker[i].stacks.taken); /* relaxed: a hint */
        sum += taken;
        if (i == w->index) own = taken;
    }
    return own * rt->worker_count > sum;
}

LEAT_WAKE_PATH void leat_i_runtime_inject(leat_runtime *rt, leat_i_job *first, leat_i_job *last)
{
    leat_i_job *old = leat_load_relaxed(&rt->inject);
    do {
        last->link = old;
    } while (!leat_cas_weak_release(&rt->inject, &old, first)); /* release: pairs with the take-all in worker.c */
    /* Who found the list empty wakes for all who follow: a list that is not empty is seen by every worker before it parks. */
    if (!old) leat_i_runtime_wake_one(rt);
}

/* Regions that share nothing now will wake somebody when they have something to share. */
static void runtime_ask_forks(leat_runtime *rt)
{
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++)
        for (uint64_t awake = runtime_awake(rt, i); awake; awake &= awake - 1)
            leat_i_fork_ask(&rt->worker[i * 64 + (uint32_t)__builtin_ctzll(awake)]);
}

/* Passes on what the last searcher leaves behind. */
static __attribute__((noinline)) void runtime_pass_on(leat_runtime *rt)
{
    if (runtime_has_work(rt))
        leat_i_runtime_wake_one(rt);
    else if (leat_i_runtime_is_parked(rt))
        runtime_ask_forks(rt);
}

/* Leaves the search; true = it was the last searcher. */
static bool search_leave(leat_i_worker *w)
{
    w->searching = false;
    /* seq_cst: who published while we were counted relied on us, and what he published is seen after the fence that follows. */
    return leat_sub_seq_cst(&w->rt->searching, 1) == 1;
}

void leat_i_worker_found(leat_i_worker *w)
{
    if (LEAT_LIKELY(!w->searching)) return;
    if (!search_leave(w)) return;
    LEAT_FENCE_SEQ_CST();
    runtime_pass_on(w->rt);
}

LEAT_WAKE_PATH void leat_i_worker_found_only(leat_i_worker *w)
{
    if (!search_leave(w)) return;
    LEAT_FENCE_SEQ_CST();
    leat_runtime *rt = w->rt;
    bool more = leat_load_relaxed(&rt->inject) != NULL;
    for (uint32_t i = 0; i * 64 < rt->worker_count; i++) {
        uint64_t own = i == w->index / 64 ? UINT64_C(1) << (w->index % 64) : 0;
        if (runtime_awake(rt, i) & ~own) more = true;
    }
    if (LEAT_UNLIKELY(more)) runtime_pass_on(rt);
}

/* A hint. */
static bool worker_is_parked(leat_runtime *rt, uint32_t index)
{
    return leat_load_relaxed(&rt->idle[index / 64]) >> (index % 64) & 1;
}

/* Steals tasks into the own deque, half of those that are there at most: a theft costs more than a small task. */
static bool worker_steal_tasks(leat_i_worker *w, leat_i_worker *victim)
{
    int64_t want = (leat_i_deque_count(&victim->deque) + 1) / 2, count = 0;
    if (want > STEAL_MAX) want = STEAL_MAX;
    for (; count < want; count++) {
        leat_i_job *job = leat_i_deque_steal_thief(&victim->deque);
        if (!job) break;
        if (!leat_i_deque_push_owner(&w->deque, job)) leat_i_runtime_inject(w->rt, job, job);
    }
    /* One is for ourselves. The others went from a deque that somebody's last look had still before it to one that it had behind it. */
    if (count > 1) leat_i_runtime_wake_one(w->rt);
    return count > 0;
}

/* Steals tasks into the own deque, or one fork. */
static bool worker_steal(leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    uint32_t count = rt->worker_count;
    uint32_t start = (uint32_t)(leat_i_rand_next(&w->random) % count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (start + i) % count;
        leat_i_worker *victim = &rt->worker[index];
        if (victim == w || worker_is_parked(rt, index)) continue;
        if (leat_i_fork_steal(w, victim)) return true;
        if (worker_steal_tasks(w, victim)) return true;
    }
    return false;
}

static bool worker_sees_work(leat_i_worker *w)
{
    return leat_load_relaxed(&w->inbox) || leat_load_relaxed(&w->rt->inject) || worker_steal(w);
}

/* Looks again and again for spin_ns; true = there is something to do. */
static bool worker_spin(leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    int64_t now_ns = leat_i_os_now_ns(), end_ns = now_ns + (int64_t)rt->spin_ns;
    int64_t timer_ns = rt->virtual_clock ? LEAT_I_NEVER_NS : leat_i_heap_first_ns(&w->timers);
    for (; now_ns < end_ns && !leat_load_relaxed(&rt->stop); now_ns = leat_i_os_now_ns()) {
        if (now_ns >= timer_ns || worker_sees_work(w)) return true;
        leat_i_os_relax();
    }
    return false;
}

bool leat_i_worker_search(leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    if (worker_sees_work(w)) return true;
    if (!w->searching) {
        if (w->spin_skip > 0) {
            w->spin_skip--;
            return false;
        }
        if (rt->searching_max == 0 || leat_load_relaxed(&rt->searching) >= rt->searching_max) return false;
        leat_add_seq_cst(&rt->searching, 1);
        w->searching = true;
    }
    bool found = worker_spin(w);
    if (found) {
        w->spin_pause = 0;
        return true;
    }
    if (w->spin_pause < SPIN_PAUSE_MAX) w->spin_pause = w->spin_pause * 2 + 1;
    w->spin_skip = w->spin_pause;
    w->searching = false;
    leat_sub_seq_cst(&rt->searching, 1); /* seq_cst: comes before the last look in leat_i_worker_sleep */
    return false;
}

/* Waits for whoever cleared our idle bit to say why. */
static void worker_take_signal(leat_i_worker *w)
{
    uint32_t why;
    while ((why = leat_load_acquire(&w->wake)) == LEAT_I_WAKE_NONE)
        leat_i_os_futex_wait(&w->wake, LEAT_I_WAKE_NONE, LEAT_I_NEVER_NS);
    leat_store_relaxed(&w->wake, LEAT_I_WAKE_NONE); /* relaxed: nobody writes it before our bit is set again */
    if (why == LEAT_I_WAKE_SEARCH) w->searching = true;
}

/* Sleeps in the futex until `until_ns`; true = woken by another, false = the time has come. */
static bool worker_futex(leat_i_worker *w, int64_t until_ns)
{
    while (leat_load_acquire(&w->wake) == LEAT_I_WAKE_NONE)
        if (leat_i_os_futex_wait(&w->wake, LEAT_I_WAKE_NONE, until_ns) != 0) return false;
    return true;
}

/* Gives a part of the memory back that is kept for the next tasks; true = there may be more. */
static bool worker_trim(leat_i_worker *w)
{
    bool more = leat_i_stack_trim(w);
    return leat_i_task_trim(w) || more;
}

/* The long part of parking: until woken, or the first timer. After a while without work, memory of ended tasks goes back once. True =
 * woken by another. */
static bool worker_park(leat_i_worker *w)
{
    int64_t until_ns = leat_i_heap_first_ns(&w->timers);
    if (LEAT_UNLIKELY(w->rt->virtual_clock)) {
        leat_i_clock_evaluate(w->rt);
        until_ns = LEAT_I_NEVER_NS;
    } else if (w->stacks.used || w->tasks.used) {
        int64_t trim_ns = leat_i_os_now_ns() + TRIM_AFTER_NS;
        while (trim_ns < until_ns) {
            if (worker_futex(w, trim_ns)) return true;
            if (!worker_trim(w)) break;
            trim_ns = leat_i_os_now_ns() + TRIM_PAUSE_NS;
        }
    }
    return worker_futex(w, until_ns);
}

LEAT_WAKE_PATH void leat_i_worker_sleep(leat_i_worker *w)
{
    leat_runtime *rt = w->rt;
    LEAT_ASSERT(!w->searching);
    LEAT_ASSERT(leat_load_relaxed(&w->wake) == LEAT_I_WAKE_NONE);
    leat_store_relaxed(&w->next_ns, leat_i_heap_first_ns(&w->timers)); /* relaxed: the bit below publishes it */
    leat_or_seq_cst(&rt->idle[w->index / 64], UINT64_C(1) << (w->index % 64));
    LEAT_FENCE_SEQ_CST(); /* pairs with the fence of whoever publishes */
    bool sees_work = runtime_has_work(rt), woken = false;
    if (!sees_work && !leat_load_relaxed(&w->inbox) && !leat_load_relaxed(&rt->stop)) {
        runtime_ask_forks(rt);
        woken = worker_park(w);
    }
    if (woken || !idle_claim(rt, w->index))
        worker_take_signal(w);
    else if (LEAT_UNLIKELY(rt->virtual_clock))
        leat_add_seq_cst(&rt->stirred, 1); /* seq_cst: after the own bit and before the queues, see clock.c */
    if (sees_work && !w->searching) {
        leat_add_seq_cst(&rt->searching, 1); /* So that leat_i_worker_found looks whether there is more. */
        w->searching = true;
    }
}

void leat_i_worker_starve(leat_i_worker *w)
{
    /* No idle bit: who looks for a worker to run a task would find one that cannot. So it is not signaled either, and looks itself. */
    leat_store_relaxed(&w->next_ns, leat_i_heap_first_ns(&w->timers)); /* relaxed: the flag below publishes it */
    leat_store_release(&w->starved, true); /* release: pairs with the acquire in clock.c; the look begins with a fence */
    if (w->rt->virtual_clock) leat_i_clock_evaluate(w->rt);
    leat_i_os_futex_wait(&w->wake, LEAT_I_WAKE_NONE, leat_i_os_now_ns() + LEAT_I_NS_PER_MS);
    leat_store_relaxed(&w->starved, false); /* relaxed: the next line publishes it */
    leat_add_seq_cst(&w->rt->stirred, 1);   /* seq_cst: before it goes on; partner of clock_all_wait */
}
