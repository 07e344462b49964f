/* pace.c: see pace.h. All times are ns of one monotonic clock that may jump forward; nothing here reads it. */
#include "pace.h"

#include <math.h>

#include "../base/check.h"
#include "../base/os.h"

static const int64_t RAMP_STEP_MIN_NS = 10 * LEAT_I_NS_PER_MS;
static const int64_t RAMP_STEP_MAX_NS = LEAT_I_NS_PER_S;
static const int64_t RAMP_SLOWEST_NS = 250 * LEAT_I_NS_PER_MS; /* where the ramp starts when no rate was seen */
static const int64_t RAMP_FASTEST_NS = 10000;                  /* a ramp without a limit ends here: 100,000 a second */
static const int64_t RAMP_START_DIVISOR = 4;
enum { RAMP_STAGES = 63, TALLY_SHIFT = 33 /* stretches of 8.6 s */ };

static int64_t max_ns(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The time that slots may not lie before: a clock may start at 0, and a burst reaches back beyond that. */
static int64_t slot_floor_ns(const leat_i_pace *p)
{
    return p->floor_ns > 0 ? p->floor_ns : INT64_MIN;
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ns_of(double ns)
{
    /* Far beyond any wait that ends, and far enough from the end of int64_t for sums of two. */
    const double top = 9e17;
    return (int64_t)(ns < top ? ns : top);
}

/* The pace becomes faster: what was left to be caught up, or to burst, stays as many requests, and becomes so much less time. */
static void slot_rescale(leat_i_pace *p, double share)
{
    int64_t behind_ns = p->last_ns - p->slot_ns;
    if (behind_ns > 0) p->slot_ns = p->last_ns - ns_of((double)behind_ns * share);
    p->undo_slot_ns = max_ns(p->undo_slot_ns, p->slot_ns - p->interval_ns);
    p->lost_ns = ns_of((double)p->lost_ns * share);
    p->undo_lost_ns = ns_of((double)p->undo_lost_ns * share);
}

/* The shortest interval at which 60 s, and the slack, hold no more than the limit. */
static int64_t interval_fast_ns(const leat_i_pace *p, double requests_per_min)
{
    const double minute_ns = 60.0 * (double)LEAT_I_NS_PER_S;
    if (p->burst_ns > 0 || requests_per_min <= 2) return p->interval_ns;
    double even = minute_ns / (LEAT_I_PACE_CATCH_UP * requests_per_min);
    double whole = (minute_ns + (double)LEAT_I_PACE_SLACK_NS) / (requests_per_min - 1);
    return min_ns(p->interval_ns, ns_of(ceil(even > whole ? even : whole)));
}

void leat_i_pace_set(leat_i_pace *p, double requests_per_min, uint32_t burst)
{
    if (requests_per_min <= 0) {
        p->interval_ns = p->fast_ns = p->lost_ns = p->burst_ns = p->slack_ns = 0;
        return;
    }
    int64_t before_ns = p->interval_ns;
    p->interval_ns = ns_of(ceil(60.0 * (double)LEAT_I_NS_PER_S / (LEAT_I_PACE_SHARE * requests_per_min)));
    p->burst_ns = ns_of((double)p->interval_ns * burst);
    p->fast_ns = interval_fast_ns(p, requests_per_min);
    p->slack_ns = LEAT_I_PACE_SLACK_NS + p->burst_ns;
    if (before_ns > p->interval_ns) slot_rescale(p, (double)p->interval_ns / (double)before_ns);
}

/* The ramp's stage at `now_ns`: how often its interval has halved. */
static int64_t ramp_stage(const leat_i_pace *p, int64_t now_ns)
{
    int64_t stage = now_ns <= p->floor_ns ? 0 : (now_ns - p->floor_ns) / p->step_ns;
    return stage < RAMP_STAGES ? stage : RAMP_STAGES;
}

static bool ramp_is_over(const leat_i_pace *p, int64_t stage)
{
    int64_t interval = p->ramp_ns >> stage;
    return stage >= RAMP_STAGES || interval <= max_ns(p->interval_ns, RAMP_FASTEST_NS);
}

static int64_t interval_at_stage(const leat_i_pace *p, int64_t stage)
{
    return ramp_is_over(p, stage) ? p->interval_ns : p->ramp_ns >> stage;
}

/* By how much the next slot comes sooner, since something is to be caught up. */
static int64_t caught_up_ns(const leat_i_pace *p)
{
    return min_ns(p->lost_ns, p->interval_ns - p->fast_ns);
}

int64_t leat_i_pace_ready_ns(const leat_i_pace *p, int64_t now_ns)
{
    if (!p->started) return p->floor_ns;
    if (p->ramp_ns == 0) return max_ns(p->floor_ns, leat_i_os_add_ns(p->slot_ns, p->interval_ns - caught_up_ns(p)));
    int64_t stage = ramp_stage(p, now_ns);
    for (;; stage++) {
        /* A later stage is faster: its start may come before the slot that this stage promises. */
        int64_t slot = leat_i_os_add_ns(p->slot_ns, interval_at_stage(p, stage));
        int64_t ready = max_ns(slot, p->floor_ns + stage * p->step_ns);
        if (ramp_is_over(p, stage) || ready < p->floor_ns + (stage + 1) * p->step_ns) return ready;
    }
}

static void tally_add(leat_i_pace *p, int64_t now_ns)
{
    int64_t at = now_ns >> TALLY_SHIFT;
    if (at != p->tally_at) {
        p->tally[1] = at == p->tally_at + 1 ? p->tally[0] : 0;
        p->tally[0] = 0;
        p->tally_at = at;
    }
    p->tally[0]++;
}

void leat_i_pace_late(leat_i_pace *p, int64_t now_ns, int64_t late_ns)
{
    if (!p->started || p->interval_ns == 0 || p->ramp_ns != 0 || late_ns <= p->slack_ns) return;
    /* Where the slot will be, and where it would be had the request gone when it could. */
    int64_t skipped_ns = now_ns - p->slack_ns - leat_i_os_add_ns(p->slot_ns, p->interval_ns);
    int64_t lost_ns = min_ns(skipped_ns, late_ns - p->slack_ns);
    if (lost_ns > 0) p->lost_ns = min_ns(p->lost_ns + min_ns(lost_ns, LEAT_I_PACE_LOST_NS), LEAT_I_PACE_LOST_NS);
}

void leat_i_pace_take(leat_i_pace *p, int64_t now_ns)
{
    LEAT_ASSERT(leat_i_pace_ready_ns(p, now_ns) <= now_ns);
    tally_add(p, now_ns);
    p->last_ns = now_ns;
    p->undo_slot_ns = p->slot_ns;
    p->undo_lost_ns = p->lost_ns;
    if (!p->started) {
        /* Nothing to catch up at the start: only the burst that was asked for. */
        p->slot_ns = max_ns(now_ns - p->burst_ns, slot_floor_ns(p));
        p->undo_slot_ns = p->slot_ns - p->interval_ns;
        p->started = true;
        p->start_ns = now_ns;
        return;
    }
    int64_t interval = p->interval_ns;
    if (p->ramp_ns != 0) {
        int64_t stage = ramp_stage(p, now_ns);
        interval = interval_at_stage(p, stage);
        if (ramp_is_over(p, stage)) p->ramp_ns = 0;
    } else {
        interval -= caught_up_ns(p);
        p->lost_ns -= p->interval_ns - interval;
    }
    p->slot_ns = max_ns(max_ns(leat_i_os_add_ns(p->slot_ns, interval), now_ns - p->slack_ns), slot_floor_ns(p));
}

void leat_i_pace_untake(leat_i_pace *p)
{
    p->slot_ns = p->undo_slot_ns;
    p->lost_ns = p->undo_lost_ns;
    if (p->tally[0] > 0) p->tally[0]--;
}

void leat_i_pace_pause(leat_i_pace *p, int64_t until_ns, int64_t step_ns)
{
    LEAT_ASSERT(step_ns > 0);
    if (until_ns <= p->floor_ns) return;
    p->floor_ns = until_ns;
    p->step_ns = step_ns;
    p->lost_ns = p->undo_lost_ns = 0;
    int64_t interval = p->interval_ns;
    if (interval == 0) {
        int64_t seen = max_ns(p->tally[0], p->tally[1]);
        interval = seen > 0 ? (INT64_C(1) << TALLY_SHIFT) / seen : RAMP_SLOWEST_NS;
        if (interval > RAMP_SLOWEST_NS / RAMP_START_DIVISOR) interval = RAMP_SLOWEST_NS / RAMP_START_DIVISOR;
    }
    p->ramp_ns = max_ns(interval * RAMP_START_DIVISOR, 1);
}

int64_t leat_i_pace_step_ns(int64_t wait_ns)
{
    if (wait_ns < RAMP_STEP_MIN_NS) return RAMP_STEP_MIN_NS;
    return wait_ns < RAMP_STEP_MAX_NS ? wait_ns : RAMP_STEP_MAX_NS;
}

double leat_i_pace_seen_per_min(const leat_i_pace *p, int64_t now_ns)
{
    int64_t at = now_ns >> TALLY_SHIFT, count = 0;
    if (p->tally_at == at) count = p->tally[0] + p->tally[1];
    if (p->tally_at == at - 1) count = p->tally[0];
    int64_t span_ns = now_ns - max_ns((at - 1) * (INT64_C(1) << TALLY_SHIFT), p->start_ns);
    return (double)count * 60 * (double)LEAT_I_NS_PER_S / (double)max_ns(span_ns, LEAT_I_PACE_SPAN_NS);
}
