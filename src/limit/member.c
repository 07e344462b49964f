/* member.c: see member.h. */
#include "member.h"

#include "../base/check.h"
#include "../base/os.h"

static const int64_t REVIEW_NS = LEAT_I_NS_PER_S / 4;
enum { RATE_LEAST = 5 /* requests in the last minute */ };
static const int64_t WAIT_MAX_MS = INT64_C(366) * 24 * 3600 * 1000; /* keeps sums of times within bounds */
static const int64_t JITTER_MAX_NS = LEAT_I_NS_PER_S;
static const int64_t REOPENED_STEP_NS = 250 * LEAT_I_NS_PER_MS; /* of the slow start behind a good probe */

/* ---- the limits in force ---- */

static double least(double a, double b)
{
    if (a == 0 || b == 0) return a + b; /* 0 is no limit. */
    return a < b ? a : b;
}

/* The limits that an endpoint may tell of. */
#define TOLD_MAP(X)         \
    X(requests_per_min)     \
    X(requests_per_day)     \
    X(tokens_per_min)       \
    X(tokens_per_day)       \
    X(input_tokens_per_min) \
    X(output_tokens_per_min)

leat_limiter_opts leat_i_member_limits(const leat_i_member *m)
{
    leat_limiter_opts o = m->own;
#define LIMIT_LEAST(limit) o.limit = least(m->own.limit, m->told.limit);
    TOLD_MAP(LIMIT_LEAST)
#undef LIMIT_LEAST
    return o;
}

leat_limiter_opts leat_i_member_limits_now(leat_i_member *m, int64_t now_ns)
{
    leat_limiter_opts o = leat_i_member_limits(m);
    o.requests_per_min = leat_i_ceiling_per_min(&m->ceiling, o.requests_per_min, now_ns);
    o.in_flight_max = leat_i_adapt_max(&m->adapt);
    return o;
}

static void limits_apply(leat_i_member *m, int64_t now_ns)
{
    leat_limiter_opts o = leat_i_member_limits_now(m, now_ns);
    m->review_ns = m->ceiling.refused_per_min > 0 ? now_ns + REVIEW_NS : INT64_MAX;
    bool valid = leat_i_budget_set(&m->budget, &o);
    LEAT_ASSERT(valid);
    (void)valid;
}

bool leat_i_member_set(leat_i_member *m, const leat_limiter_opts *own)
{
    static const leat_limiter_opts none = { 0 };
    if (!own) own = &none;
    if (!leat_i_limits_are_valid(own)) return false;
    m->own = *own;
    leat_i_adapt_set(&m->adapt, own->adaptive, own->in_flight_min, own->in_flight_max);
    limits_apply(m, m->budget.now_ns);
    return true;
}

bool leat_i_member_learn(leat_i_member *m, const leat_limiter_opts *told, int64_t now_ns)
{
    if (!leat_i_limits_are_valid(told)) return false;
    leat_limiter_opts before = leat_i_member_limits(m);
#define LIMIT_TAKE(limit) \
    if (told->limit > 0) m->told.limit = told->limit;
    TOLD_MAP(LIMIT_TAKE)
#undef LIMIT_TAKE
    leat_limiter_opts after = leat_i_member_limits(m);
    bool changed = false;
#define LIMIT_COMPARE(limit) changed |= before.limit != after.limit;
    TOLD_MAP(LIMIT_COMPARE)
#undef LIMIT_COMPARE
    if (changed) limits_apply(m, now_ns);
    return changed;
}

/* ---- going ---- */

static inline int64_t member_ready_ns(leat_i_member *m, leat_i_charge c, int64_t now_ns, bool all_out)
{
    if (LEAT_UNLIKELY(now_ns >= m->review_ns)) limits_apply(m, now_ns);
    int64_t ready_ns = leat_i_budget_ready_ns(&m->budget, c, now_ns);
    int64_t well_ns = leat_i_health_ready_ns(&m->health, all_out);
    return ready_ns > well_ns ? ready_ns : well_ns;
}

int64_t leat_i_member_ready_ns(leat_i_member *m, leat_i_charge c, int64_t now_ns)
{
    return member_ready_ns(m, c, now_ns, false);
}

int64_t leat_i_member_ready_all_out_ns(leat_i_member *m, leat_i_charge c, int64_t now_ns)
{
    return member_ready_ns(m, c, now_ns, true);
}

void leat_i_member_late(leat_i_member *m, int64_t now_ns, int64_t late_ns)
{
    leat_i_pace_late(&m->budget.pace, now_ns, late_ns);
}

leat_i_taken leat_i_member_take(leat_i_member *m, leat_i_charge c, int64_t now_ns)
{
    leat_i_taken taken = leat_i_budget_take(&m->budget, c, now_ns);
    leat_i_health_take(&m->health, taken.number, taken.at_ns);
    return taken;
}

void leat_i_member_settle(leat_i_member *m, const leat_i_taken *taken, leat_i_charge used)
{
    leat_i_health_drop(&m->health, taken->number);
    leat_i_budget_settle(&m->budget, taken, used);
}

void leat_i_member_untake(leat_i_member *m, const leat_i_taken *taken)
{
    leat_i_health_drop(&m->health, taken->number);
    leat_i_budget_untake(&m->budget, taken);
}

/* ---- learning ---- */

/* What the endpoint took of late: the rate of the last seconds, and that of the last minute where it was lower, since a window of
 * a minute that is full holds just the limit. */
static double rate_now(const leat_i_member *m, int64_t now_ns)
{
    double seen = leat_i_pace_seen_per_min(&m->budget.pace, now_ns);
    int64_t span_ns = now_ns - m->budget.pace.start_ns;
    if (span_ns > 60 * LEAT_I_NS_PER_S) span_ns = 60 * LEAT_I_NS_PER_S;
    if (span_ns < LEAT_I_PACE_SPAN_NS) span_ns = LEAT_I_PACE_SPAN_NS;
    double minute = (double)m->budget.window.total.requests * 60 * (double)LEAT_I_NS_PER_S / (double)span_ns;
    return seen > 0 ? least(seen, minute) : minute;
}

/* The rate that was refused just now. After a wait of all the rate of the last seconds is next to nothing, and says nothing: so a
 * second cut begins where the first one ended. */
static double rate_refused(const leat_i_member *m, int64_t now_ns)
{
    double now = rate_now(m, now_ns), least_now = LEAT_I_CEILING_CUT_TO * m->ceiling.refused_per_min;
    return now > least_now ? now : least_now;
}

static int64_t jitter_ns(leat_i_member *m, int64_t wait_ns)
{
    int64_t most = wait_ns / 8 < JITTER_MAX_NS ? wait_ns / 8 : JITTER_MAX_NS;
    return (int64_t)(leat_i_rand_unit(&m->random) * (double)most);
}

/* What the last cut has shown, once it has. */
static void trial_end(leat_i_member *m, int64_t now_ns)
{
    leat_i_judgement judgement = leat_i_refusals_judge(&m->refusals, m->budget.taken_count, now_ns);
    if (LEAT_LIKELY(judgement == LEAT_I_JUDGEMENT_NONE)) return;
    if (judgement == LEAT_I_JUDGEMENT_NOISE)
        m->ceiling = m->before;
    else
        leat_i_ceiling_climb(&m->ceiling, now_ns);
    limits_apply(m, now_ns);
}

static void report_limited(leat_i_member *m, const leat_i_taken *taken, int64_t asked_ns, int64_t now_ns)
{
    leat_i_budget *b = &m->budget;
    /* Without a rate to speak of it is not ours that is too high: somebody else has used the limit up. */
    bool has_rate = b->window.total.requests >= RATE_LEAST;
    leat_i_refusal refusal = leat_i_refusals_add(&m->refusals, taken->number, b->taken_count, has_rate, asked_ns, now_ns);
    trial_end(m, now_ns);
    if (refusal.is_borne) return;
    if (refusal.is_cut) {
        /* A cut that may have been in vain itself is taken back with this one. */
        if (m->ceiling.refused_per_min == 0 || m->is_certain) m->before = m->ceiling;
        m->is_certain = m->refusals.trial_share > 0.5;
        leat_i_ceiling_cut(&m->ceiling, rate_refused(m, now_ns),
                           leat_i_os_add_ns(now_ns, leat_i_os_add_ns(refusal.wait_ns, LEAT_I_TRIAL_NS)));
    }
    leat_i_adapt_loss(&m->adapt, taken->number, b->taken_count);
    limits_apply(m, now_ns); /* First, so that the slow start is that of the new rate. */
    if (refusal.wait_ns <= 0) return;
    int64_t until_ns = leat_i_os_add_ns(now_ns, refusal.wait_ns + jitter_ns(m, refusal.wait_ns));
    leat_i_pace_pause(&b->pace, until_ns, leat_i_pace_step_ns(refusal.wait_ns));
}

static void report_good(leat_i_member *m, const leat_i_taken *taken, const leat_limiter_report *r, int64_t now_ns)
{
    leat_i_refusals_good(&m->refusals, taken->number);
    trial_end(m, now_ns);
    leat_i_adapt_good(&m->adapt, taken->number, m->budget.taken_count, m->budget.in_flight, r->first_token_ms);
    m->budget.in_flight_max = leat_i_adapt_max(&m->adapt);
    if (LEAT_UNLIKELY(leat_i_health_good(&m->health, taken->number, now_ns)))
        leat_i_pace_pause(&m->budget.pace, now_ns, REOPENED_STEP_NS);
}

static void report_bad(leat_i_member *m, const leat_i_taken *taken, leat_verdict verdict, int64_t asked_ns, int64_t now_ns)
{
    leat_i_setback s = {
        .number = taken->number,
        .granted = m->budget.taken_count,
        .in_flight = m->budget.in_flight,
        .is_overload = verdict == LEAT_VERDICT_OVERLOADED,
        .floor_ns = asked_ns,
        .jitter = leat_i_rand_unit(&m->random),
    };
    leat_i_health_bad(&m->health, &s, now_ns);
}

void leat_i_member_report(leat_i_member *m, const leat_i_taken *taken, const leat_limiter_report *r, int64_t now_ns)
{
    leat_i_budget *b = &m->budget;
    int64_t asked_ms = r->retry_after_ms < WAIT_MAX_MS ? r->retry_after_ms : WAIT_MAX_MS;
    int64_t asked_ns = asked_ms > 0 ? asked_ms * LEAT_I_NS_PER_MS : 0;
    switch (r->verdict) {
    case LEAT_VERDICT_GOOD:
        report_good(m, taken, r, now_ns);
        break;
    case LEAT_VERDICT_LIMITED:
        /* A refusal is an answer: the endpoint is there. */
        (void)leat_i_health_good(&m->health, taken->number, now_ns);
        report_limited(m, taken, asked_ns, now_ns);
        break;
    case LEAT_VERDICT_FAILED:
        if (m->has_others) report_bad(m, taken, r->verdict, asked_ns, now_ns);
        break;
    case LEAT_VERDICT_OVERLOADED:
    case LEAT_VERDICT_LOST:
        leat_i_adapt_loss(&m->adapt, taken->number, b->taken_count);
        b->in_flight_max = leat_i_adapt_max(&m->adapt);
        if (r->verdict == LEAT_VERDICT_LOST && !m->has_others) break;
        report_bad(m, taken, r->verdict, asked_ns, now_ns);
        break;
    case LEAT_VERDICT_DENIED:
        if (m->has_others) leat_i_health_gone(&m->health, taken->number, b->taken_count, now_ns);
        break;
    case LEAT_VERDICT_NONE:
        break;
    }
}
