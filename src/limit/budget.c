/* budget.c: see budget.h. The pace decides about requests, the window about tokens, and about requests too when bursts are
 * allowed: then the pace alone would let a full minute and a burst through in one window. */
#include "budget.h"

#include <math.h>

#include "../base/check.h"
#include "../base/os.h"

/* Per request. A window of 60 million such requests still sums up within 63 bits. */
static const double TOKENS_MAX = 1e9;

static bool limit_is_valid(double limit)
{
    return isfinite(limit) && limit >= 0;
}

static int64_t units_of_limit(double tokens)
{
    if (tokens == 0) return INT64_MAX;
    double units = floor(tokens * LEAT_I_UNITS_PER_TOKEN);
    return units < 9e18 ? (int64_t)units : INT64_MAX;
}

static int64_t units_of_tokens(double tokens)
{
    if (!(tokens > 0)) return 0;
    double exact = (tokens < TOKENS_MAX ? tokens : TOKENS_MAX) * LEAT_I_UNITS_PER_TOKEN;
    int64_t units = (int64_t)exact; /* ceil() is a call into libm where the compiler may not assume SSE4.1. */
    return units + ((double)units < exact);
}

bool leat_i_budget_set(leat_i_budget *b, const leat_limiter_opts *opts)
{
    static const leat_limiter_opts none = { 0 };
    if (!opts) opts = &none;
    if (!limit_is_valid(opts->requests_per_min) || !limit_is_valid(opts->tokens_per_min)) return false;
    if (!limit_is_valid(opts->input_tokens_per_min) || !limit_is_valid(opts->output_tokens_per_min)) return false;
    b->account_max[LEAT_I_ACCOUNT_INPUT] = units_of_limit(opts->input_tokens_per_min);
    b->account_max[LEAT_I_ACCOUNT_OUTPUT] = units_of_limit(opts->output_tokens_per_min);
    b->account_max[LEAT_I_ACCOUNT_SUM] = units_of_limit(opts->tokens_per_min);
    bool bursts = opts->burst > 0 && opts->requests_per_min > 0 && opts->requests_per_min < 1e15;
    b->account_max[LEAT_I_ACCOUNT_REQUESTS] = bursts ? (int64_t)opts->requests_per_min : INT64_MAX;
    b->in_flight_max = opts->in_flight_max;
    leat_i_pace_set(&b->pace, opts->requests_per_min, opts->burst);
    return true;
}

leat_i_charge leat_i_charge_request(leat_tokens tokens)
{
    return (leat_i_charge){ units_of_tokens(tokens.input), units_of_tokens(tokens.output), 1 };
}

leat_tokens leat_i_charge_tokens(leat_i_charge c)
{
    return (leat_tokens){ (double)c.input / LEAT_I_UNITS_PER_TOKEN, (double)c.output / LEAT_I_UNITS_PER_TOKEN };
}

static int64_t account_ready_ns(const leat_i_budget *b, leat_i_account account, const leat_i_charge *c)
{
    int64_t max = b->account_max[account];
    if (max == INT64_MAX) return 0;
    int64_t need = leat_i_charge_of(c, account);
    if (need > max) need = max;
    return leat_i_window_gone_ns(&b->window, account, leat_i_charge_of(&b->window.total, account) - (max - need));
}

/* Threads read the clock before they take the lock, so times may arrive a little out of order. */
static int64_t time_forward(leat_i_budget *b, int64_t now_ns)
{
    if (now_ns > b->now_ns) b->now_ns = now_ns;
    return b->now_ns;
}

int64_t leat_i_budget_ready_ns(leat_i_budget *b, leat_i_charge c, int64_t now_ns)
{
    now_ns = time_forward(b, now_ns);
    if (b->in_flight_max != 0 && b->in_flight >= b->in_flight_max) return LEAT_I_NEVER_NS;
    int64_t ready = leat_i_pace_ready_ns(&b->pace, now_ns);
    leat_i_window_advance(&b->window, now_ns);
    for (int account = 0; account < LEAT_I_ACCOUNT_COUNT; account++) {
        int64_t room = account_ready_ns(b, (leat_i_account)account, &c);
        if (room > ready) ready = room;
    }
    return ready;
}

leat_i_taken leat_i_budget_take(leat_i_budget *b, leat_i_charge c, int64_t now_ns)
{
    now_ns = time_forward(b, now_ns);
    LEAT_ASSERT(leat_i_budget_ready_ns(b, c, now_ns) <= now_ns);
    leat_i_pace_take(&b->pace, now_ns);
    leat_i_window_add(&b->window, now_ns, c);
    b->in_flight++;
    b->charged_units += c.input + c.output;
    return (leat_i_taken){ .charge = c, .at_ns = now_ns, .number = ++b->taken_count };
}

static void charge_correct(leat_i_budget *b, const leat_i_taken *taken, leat_i_charge delta)
{
    b->charged_units += delta.input + delta.output;
    leat_i_window_adjust(&b->window, taken->at_ns, delta);
}

void leat_i_budget_settle(leat_i_budget *b, const leat_i_taken *taken, leat_i_charge used)
{
    LEAT_ASSERT(b->in_flight > 0);
    b->in_flight--;
    leat_i_charge delta = { used.input - taken->charge.input, used.output - taken->charge.output, 0 };
    if (delta.input != 0 || delta.output != 0) charge_correct(b, taken, delta);
}

void leat_i_budget_untake(leat_i_budget *b, const leat_i_taken *taken)
{
    LEAT_ASSERT(b->in_flight > 0);
    b->in_flight--;
    charge_correct(b, taken, (leat_i_charge){ -taken->charge.input, -taken->charge.output, -1 });
    if (taken->number != b->taken_count) return;
    leat_i_pace_untake(&b->pace);
    b->taken_count--;
}
