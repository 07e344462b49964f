/* outage.c: see outage.h. */
#include "outage.h"

#include "../base/err.h"
#include "run.h"

enum {
    UNREACHED_MAX = 10,
    FAULTS_MIN = 20,
    OUTAGE_MS_DEFAULT = 60000,
    PROBE_FIRST_MS = 250,
    PROBE_MAX_MS = 4000,
    AGAIN_MS = 500, /* for who found nobody while others were answered */
};

struct leat_i_outage_wait { /* on the stack of its task */
    leat_i_waiter *waiter;
    struct leat_i_outage_wait *next, *prev;
};

static int64_t outage_ms(const leat_i_run *run)
{
    return run->opts->outage_ms > 0 ? run->opts->outage_ms : OUTAGE_MS_DEFAULT;
}

/* ---- what an attempt shows ---- */

typedef enum showing { SHOWS_NOTHING, SHOWS_NOBODY, SHOWS_FAULT, SHOWS_LATER, SHOWS_LIFE } showing;

static showing attempt_shows(const leat_i_run *run, const leat_i_llm_attempt *a)
{
    if (a->fatal) return SHOWS_NOTHING; /* the run stops for it */
    /* Until the first reply the rule of leat_i_stop_insist is at work, unless requests went out and nothing came. */
    bool was_there = leat_load_relaxed(&run->count.reached) > 0 || leat_load_relaxed(&run->outage.on);
    if (a->unreached) return was_there ? SHOWS_NOBODY : SHOWS_NOTHING;
    /* Of several endpoints, one that denies its key does not speak for the others. */
    if (run->places.count > 1 && (a->cls == LEAT_CLASS_AUTH || a->cls == LEAT_CLASS_QUOTA)) return SHOWS_NOTHING;
    if (a->cls == LEAT_CLASS_RESET && !was_there) return SHOWS_NOTHING;
    switch (a->cls) {
    case LEAT_CLASS_SERVER:
    case LEAT_CLASS_TIMEOUT:
    case LEAT_CLASS_RESET:
    case LEAT_CLASS_TRUNCATED:
    case LEAT_CLASS_NOT_JSON:
        return SHOWS_FAULT;
    case LEAT_CLASS_THROTTLED:
        return SHOWS_LATER;
    default:
        return a->http_status > 0 ? SHOWS_LIFE : SHOWS_NOTHING;
    }
}

/* Counts attempts in a row. True = an outage begins with this one. */
static bool outage_counts(leat_i_run *run, showing shows)
{
    leat_i_outage *o = &run->outage;
    uint32_t nobody_max = run->concurrency < UNREACHED_MAX ? run->concurrency : UNREACHED_MAX;
    if (run->places.count > 1) nobody_max = 1; /* it is told only once all of them are out, each after attempts of its own */
    uint32_t faults_max = 2 * run->concurrency > FAULTS_MIN ? 2 * run->concurrency : FAULTS_MIN;
    if (shows == SHOWS_NOBODY) return leat_add_relaxed(&o->unreached, 1u) + 1 >= nobody_max;
    if (shows == SHOWS_FAULT) return leat_add_relaxed(&o->faults, 1u) + 1 >= faults_max;
    if (shows != SHOWS_LIFE) return false;
    if (leat_load_relaxed(&o->unreached) > 0) leat_store_relaxed(&o->unreached, 0u);
    if (leat_load_relaxed(&o->faults) > 0) leat_store_relaxed(&o->faults, 0u);
    return false;
}

/* ---- beginning, trying, ending ---- */

/* Under the lock, which keeps a waiter's stack from going. */
static void waiters_wake(leat_i_outage *o)
{
    for (struct leat_i_outage_wait *w = o->first; w; w = w->next)
        leat_i_unpark(w->waiter);
}

static void outage_begin(leat_i_run *run, showing shows, const char *message, int64_t now_ns)
{
    leat_i_outage *o = &run->outage;
    int seconds = (int)((outage_ms(run) + 999) / 1000);
    leat_i_lock_take(&o->lock);
    bool begins = !leat_load_relaxed(&o->on);
    if (begins) {
        o->begin_ns = now_ns;
        o->wait_ms = PROBE_FIRST_MS;
        o->next_ns = now_ns + o->wait_ms * LEAT_I_NS_PER_MS;
        /* Release: pairs with the acquire in leat_i_outage_pass. */
        leat_store_release(&o->on, true);
    }
    leat_i_lock_give(&o->lock);
    if (begins && shows == SHOWS_NOBODY)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "the endpoint went away: the run pauses and tries again for %d s (%s)",
                           seconds, message);
    else if (begins)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING,
                           "the last %u requests all failed: the run pauses and tries one at a time for %d s (%s)",
                           leat_load_relaxed(&o->faults), seconds, message);
}

/* An attempt from before, which is answered only now, says nothing about new ones. */
static void outage_end(leat_i_run *run, int64_t start_ns, int64_t now_ns)
{
    leat_i_outage *o = &run->outage;
    leat_i_lock_take(&o->lock);
    bool ends = leat_load_relaxed(&o->on) && !o->over && start_ns >= o->begin_ns;
    int64_t since_ns = o->begin_ns;
    if (ends) {
        o->probe = NULL;
        leat_store_relaxed(&o->unreached, 0u);
        leat_store_relaxed(&o->faults, 0u);
        leat_store_release(&o->on, false); /* pairs as above */
        waiters_wake(o);
    }
    leat_i_lock_give(&o->lock);
    if (ends)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "the endpoint is back after %.1f s: the run goes on",
                           (double)(now_ns - since_ns) / 1e9);
}

static void run_give_up(leat_i_run *run, showing shows, const char *message)
{
    leat_error why;
    double seconds = (double)outage_ms(run) / 1000;
    if (shows == SHOWS_NOBODY)
        (void)leat_i_fail(&why, LEAT_NET, "the endpoint went away and was not back within %.4g s: %.130s", seconds, message);
    else
        (void)leat_i_fail(&why, LEAT_NET, "the endpoint has not answered well once within %.4g s: %.130s", seconds, message);
    leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
}

/* The probe stays one until the run is stopping: who is let go by the end of the outage is to see why. */
static void outage_over(leat_i_run *run, showing shows, const char *message)
{
    leat_i_outage *o = &run->outage;
    run_give_up(run, shows, message);
    leat_i_lock_take(&o->lock);
    o->over = true;
    waiters_wake(o);
    leat_i_lock_give(&o->lock);
}

/* Under the lock. */
static int64_t outage_end_ns(const leat_i_run *run)
{
    return leat_i_os_add_ns(run->outage.begin_ns, outage_ms(run) * LEAT_I_NS_PER_MS);
}

/* Under the lock. The next probe may go before long. */
static void probe_take_back(leat_i_outage *o, int64_t now_ns, int64_t end_ns)
{
    o->probe = NULL;
    o->next_ns = now_ns + o->wait_ms * LEAT_I_NS_PER_MS;
    if (o->next_ns > end_ns && now_ns < end_ns) o->next_ns = end_ns;
    waiters_wake(o);
}

/* The probe, or one of those that were on their way to the limiter when the outage began and went since: the limiter serves in the
 * order of asking, so the probe may stand behind a great many of them. */
static void try_failed(leat_i_run *run, const struct leat_i_doc *d, showing shows, const leat_i_llm_attempt *a,
                       int64_t now_ns)
{
    leat_i_outage *o = &run->outage;
    leat_i_lock_take(&o->lock);
    bool away = leat_load_relaxed(&o->on) && !o->over, was_probe = away && o->probe == d;
    int64_t end_ns = outage_end_ns(run);
    bool is_last = away && now_ns >= end_ns && (was_probe || a->start_ns >= o->begin_ns);
    if (was_probe && !is_last) {
        o->wait_ms = 2 * o->wait_ms < PROBE_MAX_MS ? 2 * o->wait_ms : PROBE_MAX_MS;
        probe_take_back(o, now_ns, end_ns);
    }
    leat_i_lock_give(&o->lock);
    if (is_last) outage_over(run, shows, a->message);
}

void leat_i_outage_tell(leat_i_run *run, const struct leat_i_doc *d, leat_i_llm_attempt *a, int64_t now_ns)
{
    leat_i_outage *o = &run->outage;
    showing shows = attempt_shows(run, a);
    bool bad = shows == SHOWS_NOBODY || shows == SHOWS_FAULT;
    bool begins = outage_counts(run, shows);
    bool on = leat_load_acquire(&o->on); /* pairs with the releases above */
    if (begins && !on)
        outage_begin(run, shows, a->message, now_ns);
    else if (on && bad)
        try_failed(run, d, shows, a, now_ns);
    else if (on && shows != SHOWS_NOTHING)
        outage_end(run, a->start_ns, now_ns);
    if (shows != SHOWS_NOBODY) return;
    a->uncharged = true;
    a->wait_ms = begins || on ? 0 : a->again && a->wait_ms > 0 ? a->wait_ms : AGAIN_MS;
    a->again = true;
}

/* ---- who waits ---- */

static void wait_add(leat_i_outage *o, struct leat_i_outage_wait *wait)
{
    wait->next = o->first;
    if (wait->next) wait->next->prev = wait;
    o->first = wait;
}

static void wait_remove(leat_i_outage *o, const struct leat_i_outage_wait *wait)
{
    *(wait->prev ? &wait->prev->next : &o->first) = wait->next;
    if (wait->next) wait->next->prev = wait->prev;
}

/* One look, under the lock. True = the wait is over, with *err. */
static bool outage_look(leat_i_outage *o, const struct leat_i_doc *d, int64_t now_ns, int64_t *until_ns, leat_err *err)
{
    *err = o->over ? LEAT_CANCELED : LEAT_OK;
    if (o->over || !leat_load_relaxed(&o->on) || o->probe == d) return true;
    *until_ns = o->probe ? LEAT_I_NEVER_NS : o->next_ns;
    if (o->probe || now_ns < o->next_ns) return false;
    o->probe = d;
    return true;
}

leat_err leat_i_outage_pass(leat_task *t, leat_i_run *run, const struct leat_i_doc *d)
{
    leat_i_outage *o = &run->outage;
    if (!leat_load_acquire(&o->on)) return LEAT_OK; /* pairs with the releases above */
    struct leat_i_outage_wait wait = { .waiter = leat_i_task_waiter(t) };
    leat_err err = LEAT_OK;
    int64_t until_ns = 0;
    leat_i_lock_take(&o->lock);
    wait_add(o, &wait);
    while (!outage_look(o, d, leat_task_now_ns(t), &until_ns, &err)) {
        leat_i_lock_give(&o->lock);
        leat_err parked = leat_i_park(t, until_ns);
        leat_i_lock_take(&o->lock);
        err = parked == LEAT_TIMEOUT ? leat_i_task_check(t) : parked;
        if (err) break;
    }
    wait_remove(o, &wait);
    leat_i_lock_give(&o->lock);
    return err;
}

void leat_i_outage_leave(leat_i_run *run, const struct leat_i_doc *d, int64_t now_ns)
{
    leat_i_outage *o = &run->outage;
    if (!leat_load_acquire(&o->on)) return; /* pairs with the releases above */
    leat_i_lock_take(&o->lock);
    if (o->probe == d) probe_take_back(o, now_ns, outage_end_ns(run));
    leat_i_lock_give(&o->lock);
}
