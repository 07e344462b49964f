/* policy.c: see policy.h. */
#include "policy.h"

#include "../base/check.h"

/* Full jitter: anything up to a bound that doubles. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
static int64_t backoff_ms(leat_i_policy *p, uint32_t count, int64_t first_ms, int64_t max_ms)
{
    int64_t bound_ms = first_ms;
    for (uint32_t i = 1; i < count && bound_ms < max_ms; i++)
        bound_ms *= 2;
    if (bound_ms > max_ms) bound_ms = max_ms;
    return 1 + (int64_t)(leat_i_rand_unit(&p->random) * (double)bound_ms);
}

static int64_t asked_ms(leat_i_policy *p, int64_t retry_after_ms)
{
    int64_t spread_ms = retry_after_ms / 4 + 100;
    if (spread_ms > 5000) spread_ms = 5000;
    return retry_after_ms + (int64_t)(leat_i_rand_unit(&p->random) * (double)spread_ms);
}

static bool policy_failure(leat_i_policy *p, const leat_i_outcome *o, int64_t *wait_ms)
{
    p->failures++;
    if (p->failures >= p->failures_max) return false;
    *wait_ms = backoff_ms(p, p->failures, LEAT_I_BACKOFF_FIRST_MS, LEAT_I_BACKOFF_MAX_MS);
    if (o->retry_after_ms <= 0) return true;
    if (o->retry_after_ms > p->throttle_max_ms) return false; /* Longer than anybody would wait. */
    if (*wait_ms < o->retry_after_ms) *wait_ms = asked_ms(p, o->retry_after_ms);
    return true;
}

static bool policy_throttle(leat_i_policy *p, const leat_i_outcome *o, int64_t *wait_ms)
{
    p->throttles++;
    p->throttle_ms += o->attempt_ms;
    int64_t max_ms = o->overloaded ? LEAT_I_BACKOFF_MAX_MS : LEAT_I_THROTTLE_BACKOFF_MAX_MS;
    *wait_ms = o->retry_after_ms > 0 ? asked_ms(p, o->retry_after_ms)
                                     : backoff_ms(p, p->throttles, LEAT_I_THROTTLE_BACKOFF_FIRST_MS, max_ms);
    p->throttle_ms += *wait_ms;
    return p->throttle_ms <= p->throttle_max_ms;
}

bool leat_i_policy_next(leat_i_policy *p, const leat_i_outcome *outcome, int64_t *wait_ms)
{
    const leat_i_case_rule *rule = leat_i_case_rule_of(outcome->what);
    uint64_t bit = UINT64_C(1) << outcome->what;
    bool again = (p->seen & bit) != 0;
    leat_i_retry retry = rule->retry;
    leat_i_budget budget = rule->budget;
    _Static_assert(LEAT_I_CASE_COUNT <= 64, "one bit a case");
    p->seen |= bit;
    *wait_ms = 0;
    if (retry == LEAT_I_RETRY_FREE) {
        if (!again) return true;
        /* Twice in one call is no accident: from here on it counts as any lost connection. */
        retry = LEAT_I_RETRY_YES;
        budget = LEAT_I_BUDGET_FAILURE;
    }
    /* A login page is one endpoint's trouble, and no endpoint says of itself how long. */
    if (outcome->others && outcome->what == LEAT_I_CASE_PAGE) retry = LEAT_I_RETRY_YES;
    if (outcome->should_retry == 0) retry = LEAT_I_RETRY_NO;
    if (outcome->should_retry == 1 && outcome->what == LEAT_I_CASE_REJECTED) {
        retry = LEAT_I_RETRY_YES;
        budget = LEAT_I_BUDGET_FAILURE;
    }
    if (retry == LEAT_I_RETRY_NO || (retry == LEAT_I_RETRY_ONCE && again)) return false;
    return budget == LEAT_I_BUDGET_THROTTLE ? policy_throttle(p, outcome, wait_ms) : policy_failure(p, outcome, wait_ms);
}

leat_verdict leat_i_verdict_of(leat_i_case what, int status, bool overloaded)
{
    switch (leat_i_case_rule_of(what)->cls) {
    case LEAT_CLASS_THROTTLED:
        if (status == 429 || (status < 300 && !overloaded)) return LEAT_VERDICT_LIMITED;
        return LEAT_VERDICT_OVERLOADED;
    case LEAT_CLASS_SERVER:
        return what == LEAT_I_CASE_NOT_NOW ? LEAT_VERDICT_NONE : LEAT_VERDICT_FAILED;
    case LEAT_CLASS_TRUNCATED:
    case LEAT_CLASS_TIMEOUT:
    case LEAT_CLASS_CONNECT:
        return LEAT_VERDICT_LOST;
    case LEAT_CLASS_RESET:
        /* A kept connection that ran out says nothing. */
        return what == LEAT_I_CASE_RESET_REUSED ? LEAT_VERDICT_NONE : LEAT_VERDICT_LOST;
    case LEAT_CLASS_DNS:
    case LEAT_CLASS_TLS:
        return leat_i_case_rule_of(what)->fatal ? LEAT_VERDICT_DENIED : LEAT_VERDICT_LOST;
    case LEAT_CLASS_AUTH:
    case LEAT_CLASS_QUOTA:
    case LEAT_CLASS_REDIRECT:
        return LEAT_VERDICT_DENIED;
    case LEAT_CLASS_INPUT:
    case LEAT_CLASS_DUPLICATE:
    case LEAT_CLASS_CANCELED:
    case LEAT_CLASS_LOCAL:
    case LEAT_CLASS_USER:
        return LEAT_VERDICT_NONE;
    case LEAT_CLASS_NOT_JSON:
        return what == LEAT_I_CASE_PAGE ? LEAT_VERDICT_FAILED : LEAT_VERDICT_GOOD;
    case LEAT_CLASS_OK:
    case LEAT_CLASS_LENGTH:
    case LEAT_CLASS_FILTERED:
    case LEAT_CLASS_EMPTY:
    case LEAT_CLASS_MALFORMED:
    case LEAT_CLASS_TOO_LARGE:
    case LEAT_CLASS_ENCODING:
    case LEAT_CLASS_REJECTED:
        break;
    }
    return LEAT_VERDICT_GOOD; /* It answers, whatever the answer is worth. */
}
