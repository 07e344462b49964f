/* estimate.c: two moving means behind a lock; see estimate.h for what they are for. */
#include "estimate.h"

#include <math.h>

#include "../base/check.h"

/* Before the first reply: English text has about four bytes a token, and a chat answer is some hundred tokens long. */
static const double RATIO_UNKNOWN = 0.25;
static const double OUTPUT_UNKNOWN = 512.0;
/* A body has JSON around its text, so even an empty prompt costs some tokens. */
static const double INPUT_MIN = 8.0;
static const double MARGIN = 4; /* mean deviations: some three sigmas */
static const double FADE_NS = 60e9;
static const double WEIGHT = 1.0 / 16; /* of a new reply, once some have been seen */

/* The first replies count by their number, so that one reply is believed as soon as it is the only one known. */
static double weight_of(uint64_t learned_count)
{
    double first = 1.0 / (double)(learned_count + 1);
    return first > WEIGHT ? first : WEIGHT;
}

static void ewma_add(leat_i_ewma *m, double value, double weight)
{
    double distance = fabs(value - m->mean);
    m->mean += weight * (value - m->mean);
    /* The very first value says nothing about the spread: a quarter is assumed. */
    if (weight >= 1.0)
        m->deviation = 0.25 * value;
    else
        m->deviation += weight * (distance - m->deviation);
}

/* In mean deviations. */
static double margin_of(const leat_i_estimate *e)
{
    double unknown = e->lost_count + e->open_count + 1;
    return unknown > MARGIN * MARGIN ? MARGIN / sqrt(unknown) : 1;
}

leat_cost leat_i_estimate_guess(leat_i_estimate *e, size_t body_bytes, double max_tokens)
{
    leat_i_lock_take(&e->lock);
    bool known = e->learned_count > 0;
    double margin = margin_of(e);
    double ratio = known ? e->input / e->bytes + margin * e->ratio.deviation : RATIO_UNKNOWN;
    double output = known ? e->output.mean + margin * e->output.deviation : OUTPUT_UNKNOWN;
    leat_i_lock_give(&e->lock);

    bool capped = isfinite(max_tokens) && max_tokens > 0;
    /* Nothing learned yet: what the request allows is all there is to go by. */
    if (capped && (!known || output > max_tokens)) output = max_tokens;
    double input = ratio * (double)body_bytes;
    return (leat_cost){ .input = ceil(input > INPUT_MIN ? input : INPUT_MIN),
                        .output = ceil(output),
                        .bytes = (double)body_bytes };
}

void leat_i_estimate_learn(leat_i_estimate *e, size_t body_bytes, leat_cost used)
{
    if (body_bytes == 0 || !isfinite(used.input) || !isfinite(used.output)) return;
    if (used.input <= 0 || used.output < 0) return;
    leat_i_lock_take(&e->lock);
    double weight = weight_of(e->learned_count);
    ewma_add(&e->ratio, used.input / (double)body_bytes, weight);
    ewma_add(&e->output, used.output, weight);
    e->input += weight * (used.input - e->input);
    e->bytes += weight * ((double)body_bytes - e->bytes);
    e->learned_count++;
    leat_i_lock_give(&e->lock);
}

void leat_i_estimate_open(leat_i_estimate *e)
{
    leat_i_lock_take(&e->lock);
    e->open_count++;
    leat_i_lock_give(&e->lock);
}

void leat_i_estimate_close(leat_i_estimate *e, bool lost, int64_t now_ns)
{
    leat_i_lock_take(&e->lock);
    LEAT_ASSERT(e->open_count > 0);
    e->open_count--;
    if (now_ns > e->lost_ns && e->lost_count > 0) e->lost_count *= exp((double)(e->lost_ns - now_ns) / FADE_NS);
    if (now_ns > e->lost_ns) e->lost_ns = now_ns;
    if (lost) e->lost_count++;
    leat_i_lock_give(&e->lock);
}
