/*
 * rates.h: what a reply's headers say about the endpoint's limits. Pure.
 *
 * OpenAI's x-ratelimit-{limit,remaining,reset}-{requests,tokens}, as many others send them too, with -minute or -day behind it at
 * some; Anthropic's anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}. What makes no sense
 * (no number, zero, negative, more left than there is) is as if it were not there. A reset says when the limit will be full again,
 * not how long to wait: it is never taken as a wait, but for Anthropic's when nothing is left and no Retry-After came.
 *
 * OpenAI's names do not say whether they count a minute or a day: Groq's requests are those of a day. The reset tells: as a bucket
 * fills, limit * reset / missing is the period, and nothing of a minute takes longer than that minute. A day is believed when
 * replies in a row say so, for a minute taken as a day would end a run after some seconds; a day taken as a minute does no harm.
 */
#ifndef LEAT_I_RATES_H
#define LEAT_I_RATES_H

#include "leat/limiter.h"

#include "../base/atomics.h"

/* What is remembered from one reply to the next; zeroed memory knows nothing. Any thread. */
typedef struct leat_i_rates_memory {
    LEAT_ATOMIC(uint32_t) request_days, token_days; /* replies in a row that spoke of a day */
} leat_i_rates_memory;

/* Reads the lines "name: value\n" of a reply (NULL = none) that came at `wall_s` (since 1970). Fills `told` with the limits, 0 where
 * they say nothing; *wait_ms gets the wait of limits that are used up, < 0 = none is known. */
void leat_i_rates_read(const char *lines, int64_t wall_s, leat_i_rates_memory *memory, leat_limiter_opts *told,
                       int64_t *wait_ms);

#endif
