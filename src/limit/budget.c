/* budget.c: see budget.h. The pace decides about requests, the logs of the minute and the day about all else, and about requests
 * too when bursts are allowed: then the pace alone would let a full minute and a burst through in one window. Where they are not
 * allowed, what the log of the minute lets through is spread over it. */
#include "budget.h"

#include <math.h>

#include "../base/check.h"
#include "../base/os.h"

/* Per request. A window of 60 million such requests still sums up within 63 bits. */
static const double AMOUNT_MAX = 1e9;

/* How much of an account is one of what a limit counts. */
static double units_of_account(leat_i_account account)
{
    return account == LEAT_I_ACCOUNT_REQUESTS || account == LEAT_I_ACCOUNT_BYTES ? 1 : LEAT_I_UNITS_PER_TOKEN;
}

static int64_t whole_up(double amount, double scale)
{
    if (!(amount > 0)) return 0;
    double exact = (amount < AMOUNT_MAX ? amount : AMOUNT_MAX) * scale;
    int64_t units = (int64_t)exact; /* ceil() is a call into libm where the compiler may not assume SSE4.1. */
    return units + ((double)units < exact);
}

static void rule_add(leat_i_budget *b, leat_i_account account, double limit, bool per_day)
{
    double units = floor(limit * units_of_account(account));
    if (limit == 0 || units >= 9e18) return;
    b->rule[b->rule_count++] = (leat_i_rule){ .max = (int64_t)units, .account = account, .per_day = per_day };
    if (!per_day || b->has_day) return;
    b->has_day = b->day.is_day = true; /* The log of the day is empty so far. */
}

bool leat_i_limits_are_valid(const leat_limiter_opts *o)
{
    const double limit[] = { o->requests_per_min,     o->requests_per_day,      o->tokens_per_min, o->tokens_per_day,
                             o->input_tokens_per_min, o->output_tokens_per_min, o->bytes_per_min };
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        if (!isfinite(limit[i]) || limit[i] < 0) return false;
    return true;
}

static void rules_spread(leat_i_budget *b, bool bursts)
{
    int64_t max[LEAT_I_ACCOUNT_COUNT] = { 0 };
    for (uint32_t i = 0; i < b->rule_count && !bursts; i++) {
        leat_i_rule *rule = &b->rule[i];
        rule->is_spread = !rule->per_day && rule->account != LEAT_I_ACCOUNT_REQUESTS;
        if (rule->is_spread) max[rule->account] = rule->max;
    }
    for (int account = 0; account < LEAT_I_ACCOUNT_COUNT; account++)
        leat_i_spread_set(&b->spread[account], max[account], b->now_ns);
}

bool leat_i_budget_set(leat_i_budget *b, const leat_limiter_opts *opts)
{
    static const leat_limiter_opts none = { 0 };
    if (!opts) opts = &none;
    if (!leat_i_limits_are_valid(opts)) return false;
    b->rule_count = 0;
    rule_add(b, LEAT_I_ACCOUNT_INPUT, opts->input_tokens_per_min, false);
    rule_add(b, LEAT_I_ACCOUNT_OUTPUT, opts->output_tokens_per_min, false);
    rule_add(b, LEAT_I_ACCOUNT_SUM, opts->tokens_per_min, false);
    rule_add(b, LEAT_I_ACCOUNT_BYTES, opts->bytes_per_min, false);
    if (opts->burst > 0) rule_add(b, LEAT_I_ACCOUNT_REQUESTS, opts->requests_per_min, false);
    rule_add(b, LEAT_I_ACCOUNT_REQUESTS, opts->requests_per_day, true);
    rule_add(b, LEAT_I_ACCOUNT_SUM, opts->tokens_per_day, true);
    LEAT_ASSERT(b->rule_count <= LEAT_I_RULES_MAX);
    rules_spread(b, opts->burst > 0);
    b->in_flight_max = opts->in_flight_max;
    leat_i_pace_set(&b->pace, opts->requests_per_min, opts->burst);
    return true;
}

leat_i_charge leat_i_charge_request(leat_cost cost)
{
    return (leat_i_charge){ whole_up(cost.input, LEAT_I_UNITS_PER_TOKEN), whole_up(cost.output, LEAT_I_UNITS_PER_TOKEN), 1,
                            whole_up(cost.bytes, 1) };
}

leat_cost leat_i_charge_cost(leat_i_charge c)
{
    return (leat_cost){ (double)c.input / LEAT_I_UNITS_PER_TOKEN, (double)c.output / LEAT_I_UNITS_PER_TOKEN,
                        (double)c.bytes };
}

static int64_t rule_ready_ns(const leat_i_budget *b, const leat_i_rule *rule, const leat_i_charge *c)
{
    const leat_i_window *w = rule->per_day ? &b->day : &b->window;
    int64_t need = leat_i_charge_of(c, rule->account);
    if (need > rule->max) need = rule->max;
    int64_t over = leat_i_charge_of(&w->total, rule->account) - (rule->max - need);
    return over <= 0 ? 0 : leat_i_window_gone_ns(w, rule->account, over);
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
    if (b->has_day) leat_i_window_advance(&b->day, now_ns);
    for (uint32_t i = 0; i < b->rule_count; i++) {
        const leat_i_rule *rule = &b->rule[i];
        int64_t room = rule_ready_ns(b, rule, &c);
        if (room > ready) ready = room;
        if (!rule->is_spread) continue;
        int64_t slot = leat_i_spread_ready_ns(&b->spread[rule->account]);
        if (slot > ready) ready = slot;
    }
    return ready;
}

static void spread_take(leat_i_budget *b, const leat_i_charge *c, int64_t now_ns)
{
    for (uint32_t i = 0; i < b->rule_count; i++) {
        leat_i_account account = b->rule[i].account;
        if (b->rule[i].is_spread) leat_i_spread_take(&b->spread[account], leat_i_charge_of(c, account), now_ns);
    }
}

static void spread_adjust(leat_i_budget *b, const leat_i_charge *charge, const leat_i_charge *delta)
{
    for (uint32_t i = 0; i < b->rule_count; i++) {
        leat_i_account account = b->rule[i].account;
        int64_t units = leat_i_charge_of(charge, account), more = leat_i_charge_of(delta, account);
        if (b->rule[i].is_spread && more != 0) leat_i_spread_adjust(&b->spread[account], units, units + more);
    }
}

leat_i_taken leat_i_budget_take(leat_i_budget *b, leat_i_charge c, int64_t now_ns)
{
    now_ns = time_forward(b, now_ns);
    LEAT_ASSERT(leat_i_budget_ready_ns(b, c, now_ns) <= now_ns);
    leat_i_pace_take(&b->pace, now_ns);
    spread_take(b, &c, now_ns);
    leat_i_window_add(&b->window, now_ns, c);
    if (b->has_day) leat_i_window_add(&b->day, now_ns, c);
    b->in_flight++;
    b->charged_units += c.input + c.output;
    return (leat_i_taken){ .charge = c, .at_ns = now_ns, .number = ++b->taken_count, .in_day = b->has_day };
}

static void charge_correct(leat_i_budget *b, const leat_i_taken *taken, leat_i_charge delta)
{
    b->charged_units += delta.input + delta.output;
    spread_adjust(b, &taken->charge, &delta);
    leat_i_window_adjust(&b->window, taken->at_ns, delta);
    if (taken->in_day) leat_i_window_adjust(&b->day, taken->at_ns, delta);
}

void leat_i_budget_settle(leat_i_budget *b, const leat_i_taken *taken, leat_i_charge used)
{
    LEAT_ASSERT(b->in_flight > 0);
    b->in_flight--;
    leat_i_charge delta = { used.input - taken->charge.input, used.output - taken->charge.output, 0, 0 };
    if (delta.input != 0 || delta.output != 0) charge_correct(b, taken, delta);
}

void leat_i_budget_untake(leat_i_budget *b, const leat_i_taken *taken)
{
    LEAT_ASSERT(b->in_flight > 0);
    b->in_flight--;
    charge_correct(b, taken, (leat_i_charge){ -taken->charge.input, -taken->charge.output, -1, -taken->charge.bytes });
    if (taken->number != b->taken_count) return;
    leat_i_pace_untake(&b->pace);
    b->taken_count--;
}
