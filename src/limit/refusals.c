/* refusals.c: see refusals.h. */
#include "refusals.h"

#include <math.h>

#include "../base/os.h"

#include "ceiling.h"

static const double BORNE = 0.03;     /* refusals that a grant earns */
static const double BORNE_MOST = 0.4; /* a half that is refused is soon too much, whatever a trial has shown by luck */
static const double CREDIT_BASE = 3, CREDIT_PER_SHARE = 60; /* the most that is kept: 4.8, and more where there is noise */
static const double NOISE_MOST = 0.33;                      /* more is never taken for noise */
static const double NOISE_TIMES = 1.5;                      /* what is borne of it beside that, since it varies */
static const int64_t NOISE_NS = 300 * LEAT_I_NS_PER_S;      /* how long it is believed */
static const double TRIAL_GRANTS_LEAST = 10, TRIAL_GRANTS_MOST = 150;
static const double TRIAL_EXPECTED = 8;                    /* refusals that a trial is to show, were it noise */
static const double DOUBTFUL = 0.2, DOUBTFUL_GRANTS = 120; /* where luck is possible: a longer look */
static const int64_t DOUBTFUL_NS = 180 * LEAT_I_NS_PER_S;
static const double SIGMAS = 4;
enum { TRIAL_REFUSED_LEAST = 2 };                          /* one is no share */
static const int64_t TRIAL_LEAST_NS = 2 * LEAT_I_NS_PER_S; /* until refusals are back */
static const int64_t FULL_FIRST_NS = LEAT_I_NS_PER_S / 2;  /* doubles to 32 s */
enum { FULL_DOUBLINGS_MAX = 6 };

static double share_borne(leat_i_refusals *r, int64_t now_ns)
{
    if (now_ns >= r->noise_until_ns) r->noise = 0;
    double share = BORNE + NOISE_TIMES * r->noise;
    return share < BORNE_MOST ? share : BORNE_MOST;
}

static double credit_max(double share)
{
    return CREDIT_BASE - 1 + CREDIT_PER_SHARE * share;
}

/* What the grants up to `number` have earned since the last refusal. */
static void credit_earn(leat_i_refusals *r, uint64_t number, int64_t now_ns)
{
    double share = share_borne(r, now_ns), most = credit_max(share);
    if (number > r->last_number) {
        r->credit += share * (double)(number - r->last_number);
        r->last_number = number;
    }
    if (r->credit < most) return;
    r->credit = most;
    r->since_number = number - 1;
    r->since_count = 0;
}

/* Refused once more; nobody goes for a while. The trial, if there is one, begins anew after it. */
static leat_i_refusal refusal_wait(leat_i_refusals *r, uint64_t granted, int64_t wait_ns, bool is_cut, int64_t now_ns)
{
    r->full_count++;
    r->cut_number = granted;
    r->cut_count = 0;
    r->trial_ns = leat_i_os_add_ns(now_ns, wait_ns);
    return (leat_i_refusal){ .is_cut = is_cut, .wait_ns = wait_ns };
}

static int64_t full_wait_ns(const leat_i_refusals *r, int64_t asked_ns)
{
    uint32_t doublings = r->full_count > 1 ? r->full_count - 1 : 0;
    int64_t ours_ns = FULL_FIRST_NS << (doublings < FULL_DOUBLINGS_MAX ? doublings : FULL_DOUBLINGS_MAX);
    return asked_ns > ours_ns ? asked_ns : ours_ns;
}

/* The share refused before a cut, less the one that was too much: the moment was chosen by it. */
static double share_before(const leat_i_refusals *r, uint64_t number)
{
    double count = r->since_count > 1 ? (double)(r->since_count - 1) : 1;
    double span = number > r->since_number ? (double)(number - r->since_number) : 1; /* Answers come in any order. */
    return count < span ? count / span : 1;
}

leat_i_refusal leat_i_refusals_add(leat_i_refusals *r, uint64_t number, uint64_t granted, bool has_rate, int64_t asked_ns,
                                   int64_t now_ns)
{
    if (number <= r->cut_number) return (leat_i_refusal){ .wait_ns = asked_ns };
    r->cut_count++;
    if (r->is_trial || r->full_count > 0) {
        if (r->cut_count * 2 > number - r->cut_number)
            return refusal_wait(r, granted, full_wait_ns(r, asked_ns), false, now_ns);
        r->full_count = 0;
    }
    if (r->is_trial) return (leat_i_refusal){ .is_borne = true };
    credit_earn(r, number, now_ns);
    r->since_count++;
    if (r->credit >= 0) {
        r->credit -= 1;
        return (leat_i_refusal){ .is_borne = true };
    }
    if (!has_rate) return refusal_wait(r, granted, full_wait_ns(r, asked_ns), false, now_ns);
    r->is_trial = true;
    r->trial_share = share_before(r, number);
    return refusal_wait(r, granted, asked_ns, true, now_ns);
}

/* What becomes of a share `before` when the rate is cut, if the rate alone is the cause. */
static double share_explained(double before)
{
    double accepted = (1 - before) / LEAT_I_CEILING_CUT_TO;
    return accepted < 1 ? 1 - accepted : 0;
}

/* How many show whether as many are refused as before. */
static double trial_grants(const leat_i_refusals *r)
{
    double grants = TRIAL_EXPECTED / r->trial_share;
    if (r->trial_share > DOUBTFUL && r->cut_count > 0) return DOUBTFUL_GRANTS; /* None at all is soon clear enough. */
    if (grants < TRIAL_GRANTS_LEAST) return TRIAL_GRANTS_LEAST;
    return grants < TRIAL_GRANTS_MOST ? grants : TRIAL_GRANTS_MOST;
}

/* Whether a trial of `count` grants would hardly have found `share` refused, were it really half of them: four sigmas, since it is
 * asked again and again. */
static bool is_surely_less_than_half(double share, double count)
{
    return (0.5 - share) * sqrt(count) >= SIGMAS / 2;
}

leat_i_judgement leat_i_refusals_judge(leat_i_refusals *r, uint64_t granted, int64_t now_ns)
{
    if (!r->is_trial || now_ns < r->trial_ns + TRIAL_LEAST_NS) return LEAT_I_JUDGEMENT_NONE;
    double count = granted > r->cut_number ? (double)(granted - r->cut_number) : 0; /* Fewer: grants were taken back. */
    double share = count > 0 ? (double)r->cut_count / count : 0;
    if (count < trial_grants(r) && now_ns < r->trial_ns + LEAT_I_TRIAL_NS) return LEAT_I_JUDGEMENT_NONE;
    bool is_sure = r->cut_count == 0 || is_surely_less_than_half(share, count);
    if (!is_sure && share <= NOISE_MOST && count < DOUBTFUL_GRANTS && now_ns < r->trial_ns + DOUBTFUL_NS)
        return LEAT_I_JUDGEMENT_NONE;
    r->is_trial = false;
    r->last_number = granted;
    r->since_number = r->cut_number;
    r->since_count = r->cut_count;
    if (count > 0 && share <= 0.5) r->full_count = 0;

    double explained = share_explained(r->trial_share), noise = share - explained;
    bool may_be_noise = r->cut_count >= TRIAL_REFUSED_LEAST && share <= NOISE_MOST && is_sure;
    bool is_as_before = may_be_noise && noise > 0 && noise >= (r->trial_share - explained) / 3;
    /* Where the rate explains some of it, the rest may be but an error of what was counted before the cut. */
    if (is_as_before || explained == 0) {
        r->noise = may_be_noise ? noise : 0;
        r->noise_until_ns = leat_i_os_add_ns(now_ns, NOISE_NS);
    }
    double borne = share_borne(r, now_ns);
    /* What the trial has earned: an endpoint that refuses little need not show that a second time. */
    double earned = borne * count - (double)r->cut_count - 1, most = credit_max(borne);
    r->credit = earned < -1 ? -1 : earned < most ? earned : most;
    return is_as_before ? LEAT_I_JUDGEMENT_NOISE : LEAT_I_JUDGEMENT_RATE;
}
