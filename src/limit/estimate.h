/*
 * estimate.h: guesses the tokens of a request before it is sent, and learns from what the endpoint reports.
 *
 * No tokenizer: the ratio of input tokens to body bytes is a property of model and language, and settles after a few replies;
 * the size of the answers is a property of the job. A guess is the learned mean plus one mean deviation: a little too much
 * costs nothing for long, since settling gives it back, and too little would send requests that the endpoint refuses.
 * One estimate per client (endpoint and model). Any thread; never suspends.
 */
#ifndef LEAT_I_ESTIMATE_H
#define LEAT_I_ESTIMATE_H

#include "leat/limiter.h"

#include "../base/lock.h"

typedef struct leat_i_ewma { /* exponentially weighted mean, and mean distance from it */
    double mean, deviation;
} leat_i_ewma;

typedef struct leat_i_estimate {
    leat_i_lock lock;
    uint64_t learned_count; /* replies learned from */
    leat_i_ewma ratio;      /* input tokens per body byte */
    leat_i_ewma output;     /* output tokens per reply */
} leat_i_estimate;

/* Zeroed memory is a valid estimate too. */
void leat_i_estimate_init(leat_i_estimate *e);

/* What a request of `body_bytes` will cost; `max_tokens` is what the request allows for the reply, 0 = it does not say.
 * Never negative, never more output than max_tokens. */
leat_cost leat_i_estimate_guess(leat_i_estimate *e, size_t body_bytes, double max_tokens);

/* Learns from the `used` that an endpoint reported for a request of `body_bytes`. Nonsense (negative, not finite, no input at
 * all) is ignored. */
void leat_i_estimate_learn(leat_i_estimate *e, size_t body_bytes, leat_cost used);

#endif
