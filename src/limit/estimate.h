/*
 * estimate.h: guesses the tokens of a request before it is sent, and learns from what the endpoint reports.
 *
 * No tokenizer: the ratio of input tokens to body bytes is a property of model and language, and settles after a few replies;
 * the size of the answers is a property of the job. A guess is the learned mean and a margin, since too little would send requests
 * that the endpoint refuses. What counts is the sum over all requests of which nobody knows yet what they used, or ever will: those
 * under way, and those of the last minute that failed. Over n of them chance has taken three sigmas of sqrt(n) at most; so each one's
 * margin is that by n, some four mean deviations by sqrt(n), and one mean deviation while they are few.
 * One estimate per client (endpoint and model). Any thread; never suspends.
 */
#ifndef LEAT_I_ESTIMATE_H
#define LEAT_I_ESTIMATE_H

#include "leat/limiter.h"

#include "../base/lock.h"

typedef struct leat_i_ewma { /* exponentially weighted mean, and mean distance from it */
    double mean, deviation;
} leat_i_ewma;

typedef struct leat_i_estimate { /* zeroed memory: nothing is known yet */
    leat_i_lock lock;
    uint64_t learned_count; /* replies learned from */
    leat_i_ewma ratio;      /* input tokens per body byte */
    leat_i_ewma output;     /* output tokens per reply */
    /* Moving means of their own: what the input tokens of all come to, large and small bodies together. */
    double input, bytes;
    uint32_t open_count; /* requests under way */
    double lost_count;   /* requests that failed, and fade away within a minute or so */
    int64_t lost_ns;     /* when that was right */
} leat_i_estimate;

/* What a request of `body_bytes` will cost, or has cost if it failed; `max_tokens` is what the request allows for the reply, 0 = it
 * does not say. Never negative, never more output than max_tokens. */
leat_cost leat_i_estimate_guess(leat_i_estimate *e, size_t body_bytes, double max_tokens);

/* Learns from the `used` that an endpoint reported for a request of `body_bytes`. Nonsense (negative, not finite, no input at
 * all) is ignored. */
void leat_i_estimate_learn(leat_i_estimate *e, size_t body_bytes, leat_cost used);

/* A request goes out; and it has ended, `lost` if nobody will ever tell what it used. */
void leat_i_estimate_open(leat_i_estimate *e);
void leat_i_estimate_close(leat_i_estimate *e, bool lost, int64_t now_ns);

#endif
