/* spending.c: see spending.h. */
#include "spending.h"

#include <string.h>

#include "../base/err.h"

#define AMOUNT_MAX       1e15
#define TOKENS_PER_PRICE 1e6

static bool amount_ok(double amount)
{
    return amount >= 0 && amount <= AMOUNT_MAX; /* false for what is no number */
}

leat_err leat_i_spending_init(leat_i_spending *s, const leat_bulk_opts *o, leat_error *error)
{
    memset(s, 0, sizeof *s);
    if (!amount_ok(o->cost_max) || !amount_ok(o->price_in) || !amount_ok(o->price_out))
        return leat_i_fail(error, LEAT_USAGE, "a maximum of the cost and prices are 0 to %.0e", AMOUNT_MAX);
    s->tokens_max = (double)o->tokens_max;
    s->cost_max = o->cost_max;
    s->price_in = o->price_in;
    s->price_out = o->price_out;
    if (s->tokens_max <= 0 && s->cost_max <= 0) return LEAT_OK;
    return leat_semaphore_new(&s->alone, 1) ? leat_i_fail(error, LEAT_NOMEM, "out of memory") : LEAT_OK;
}

void leat_i_spending_fini(leat_i_spending *s)
{
    leat_semaphore_free(s->alone);
}

leat_err leat_i_spending_wait(leat_task *t, leat_i_spending *s, leat_i_spender *who)
{
    /* Acquire: pairs with the release in leat_i_spending_end. */
    if (!s->alone || who->is_alone || leat_load_acquire(&s->has_told)) return LEAT_OK;
    LEAT_TRY(leat_semaphore_acquire(t, s->alone));
    /* Who finds that one has told lets the next in line go, and so do all of them. */
    if (leat_load_acquire(&s->has_told))
        leat_semaphore_release(s->alone);
    else
        who->is_alone = true;
    return LEAT_OK;
}

/* What is spent, and with it `count` attempts that have not told, is within `max`. */
static bool sum_fits(double spent, uint64_t told, uint64_t count, double max)
{
    if (max <= 0 || told == 0) return true;
    return spent + spent / (double)told * (double)count <= max;
}

bool leat_i_spending_begin(leat_i_spending *s, leat_i_spender *who, leat_error *why)
{
    if (!s->alone) return true;
    leat_i_lock_take(&s->lock);
    uint64_t told = s->told, untold = s->in_flight + s->lost;
    double tokens = s->tokens, cost = s->cost;
    bool tokens_fit = sum_fits(tokens, told, untold + 1, s->tokens_max);
    bool fits = tokens_fit && sum_fits(cost, told, untold + 1, s->cost_max);
    if (fits && !who->in_flight) s->in_flight++;
    leat_i_lock_give(&s->lock);
    who->in_flight = who->in_flight || fits;
    if (!tokens_fit)
        (void)leat_i_fail(why, LEAT_STOPPED,
                          "no more than %.0f tokens are to be spent: %.0f are, %llu requests have not told yet, and one "
                          "uses about %.0f",
                          s->tokens_max, tokens, (unsigned long long)untold, tokens / (double)told);
    else if (!fits)
        (void)leat_i_fail(why, LEAT_STOPPED,
                          "the cost is to be no more than %.6g: it is %.6g, %llu requests have not told yet, and one "
                          "costs about %.3g",
                          s->cost_max, cost, (unsigned long long)untold, cost / (double)told);
    return fits;
}

/* Under the lock. */
static void sums_add(leat_i_spending *s, const leat_i_llm_attempt *a)
{
    double in = (double)a->tokens_in, out = (double)a->tokens_out;
    double priced = a->cost > 0 ? 0 : (in * s->price_in + out * s->price_out) / TOKENS_PER_PRICE;
    if (in + out <= 0 && a->cost <= 0) {
        if (a->billed) s->lost++;
        return;
    }
    s->told++;
    s->tokens += in + out;
    s->cost += a->cost + priced;
    s->priced += priced;
}

bool leat_i_spending_end(leat_i_spending *s, leat_i_spender *who, const leat_i_llm_attempt *a, leat_error *why)
{
    bool has_prices = s->price_in > 0 || s->price_out > 0;
    if (!s->alone && !has_prices) return true;
    leat_i_lock_take(&s->lock);
    if (who->in_flight) s->in_flight--;
    if (a) sums_add(s, a);
    bool has_told = s->told > 0;
    leat_i_lock_give(&s->lock);
    /* Release: pairs with the acquire in leat_i_spending_wait. */
    if (has_told && !leat_load_relaxed(&s->has_told)) leat_store_release(&s->has_told, true);
    if (who->is_alone) leat_semaphore_release(s->alone);
    *who = (leat_i_spender){ 0 };
    if (!a || s->cost_max <= 0 || has_prices || a->cost > 0 || a->tokens_in + a->tokens_out == 0) return true;
    (void)leat_i_fail(why, LEAT_STOPPED,
                      "the endpoint does not name the cost of its answers, so a maximum of it (--max-cost) needs prices: "
                      "--price-in and --price-out");
    return false;
}

double leat_i_spending_priced(leat_i_spending *s)
{
    leat_i_lock_take(&s->lock);
    double priced = s->priced;
    leat_i_lock_give(&s->lock);
    return priced;
}
