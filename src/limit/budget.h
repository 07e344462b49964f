/*
 * budget.h: all limits of one limiter together, judged at once: a request goes when every one of them has room for it, and
 * takes from each. Pure arithmetic over explicit times; one caller at a time. Waiting is not its business (limiter.c).
 */
#ifndef LEAT_I_BUDGET_H
#define LEAT_I_BUDGET_H

#include "leat/limiter.h"

#include "pace.h"
#include "spread.h"
#include "window.h"

typedef struct leat_i_rule {
    int64_t max; /* in the window */
    leat_i_account account;
    bool per_day;
    bool is_spread; /* over the minute */
} leat_i_rule;

enum { LEAT_I_RULES_MAX = 7 };

typedef struct leat_i_budget {
    leat_i_rule rule[LEAT_I_RULES_MAX]; /* the limits that there are */
    uint32_t rule_count;
    bool has_day;           /* one of them is per day; the log of the day is kept from then on */
    uint32_t in_flight_max; /* 0 = no limit */
    uint32_t in_flight;
    int64_t now_ns;        /* the latest time seen */
    int64_t charged_units; /* input + output after settling, since the start */
    uint64_t taken_count;  /* grants so far: tells the last one */
    leat_i_pace pace;
    leat_i_spread spread[LEAT_I_ACCOUNT_COUNT];
    leat_i_window window, day;
} leat_i_budget;

/* What a grant took: kept by whoever holds the grant, and given back with it. */
typedef struct leat_i_taken {
    leat_i_charge charge;
    int64_t at_ns;
    uint64_t number;
    bool in_day; /* the log of the day knows of it */
} leat_i_taken;

bool leat_i_limits_are_valid(const leat_limiter_opts *opts);

/* False when a limit is negative or not finite: nothing is changed then. NULL = no limits. */
bool leat_i_budget_set(leat_i_budget *b, const leat_limiter_opts *opts);

/* The charge of one request, rounded up to whole units and bytes and cut at what sums can hold. */
leat_i_charge leat_i_charge_request(leat_cost cost);
leat_cost leat_i_charge_cost(leat_i_charge c);

/* When all limits have room for `c`, as things stand: <= now_ns = it may go now; LEAT_I_NEVER_NS = only when a slot in flight is
 * given back. Later grants, pauses and limits may move it, so may refunds (earlier). A charge larger than a limit needs all of
 * it: it goes alone in its window, into debt. */
int64_t leat_i_budget_ready_ns(leat_i_budget *b, leat_i_charge c, int64_t now_ns);

/* Takes a ready request. */
leat_i_taken leat_i_budget_take(leat_i_budget *b, leat_i_charge c, int64_t now_ns);

/* Frees the slot, and charges `used` tokens in place of those that were taken. */
void leat_i_budget_settle(leat_i_budget *b, const leat_i_taken *taken, leat_i_charge used);

/* Undoes a take whose request never went out. The pace gets its slot back only when nobody took one after it. */
void leat_i_budget_untake(leat_i_budget *b, const leat_i_taken *taken);

#endif
