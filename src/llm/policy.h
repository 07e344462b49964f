/*
 * policy.h: whether a failed attempt is followed by another, and when. Pure: time and chance are handed in.
 *
 * Two budgets, because they mean different things: failures are counted (something is wrong with this request, or with the way),
 * throttles are bounded in time (all is well, but there is too much of it). What the endpoint asks for is a floor, and jitter only
 * adds to it: whoever wakes at the very moment that was named wakes together with all others.
 *
 * Limits are full for a minute, so waits for one grow to a minute. An overload may be over in a second, and the limiter, which lets
 * one request at a time try meanwhile, spares the endpoint: so waits for its end stay as short as those after failures.
 */
#ifndef LEAT_I_POLICY_H
#define LEAT_I_POLICY_H

#include "cases.h"

#define LEAT_I_BACKOFF_FIRST_MS          500
#define LEAT_I_BACKOFF_MAX_MS            8000
#define LEAT_I_THROTTLE_BACKOFF_FIRST_MS 1000
#define LEAT_I_THROTTLE_BACKOFF_MAX_MS   60000

typedef struct leat_i_policy { /* of one call */
    uint32_t failures_max;
    int64_t throttle_max_ms;
    uint32_t failures;   /* charged so far */
    uint32_t throttles;  /* so far */
    int64_t throttle_ms; /* spent on throttles: the attempts and the waits after them */
    uint64_t seen;       /* bit of each case that has come before */
    uint64_t random;     /* state of the generator */
} leat_i_policy;

typedef struct leat_i_outcome {
    leat_i_case what;
    int64_t retry_after_ms; /* what the endpoint asks for; < 0 = nothing */
    int64_t attempt_ms;     /* how long the attempt took */
    int should_retry;       /* the endpoint's own opinion: 1, 0; -1 = it has none */
    bool overloaded;        /* a throttle that is no limit's: too much at once, or not ready */
    bool others;            /* the next attempt may go to another endpoint */
} leat_i_outcome;

/* Charges the outcome; true with the wait before the next attempt, false when this one was the last. */
bool leat_i_policy_next(leat_i_policy *p, const leat_i_outcome *outcome, int64_t *wait_ms);

/* What the outcome of an attempt shows about the endpoint. `overloaded` as in leat_i_fault. */
leat_verdict leat_i_verdict_of(leat_i_case what, int status, bool overloaded);

#endif
