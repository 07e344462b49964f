/*
 * member.h: one endpoint of a limiter: its budget, and what has been learned about it. Pure arithmetic over explicit times; one
 * caller at a time. Waiting is not its business (limiter.c).
 *
 * What is in force is the least of what the user set, what the endpoint says it allows (learned from headers), and, for the rate
 * of requests, the ceiling that its refusals have drawn. Who may go is judged by the breaker first, then by the budget.
 *
 * A refusal for the rate (429) is judged by its kind (refusals.h): one of few is a matter of its own request; more of them cut the
 * ceiling once, which is taken back when it turns out that they do not depend on the rate; and when all are refused, only the wait
 * doubles. A refusal that is not borne holds everybody back for the time that the endpoint asked for, with a jitter that only
 * adds. An overload (503, 529) is no matter of rate: it takes from what is in flight, when that is adaptive, and opens the breaker
 * when nothing else comes; the request itself waits for as long as it was told.
 */
#ifndef LEAT_I_MEMBER_H
#define LEAT_I_MEMBER_H

#include "adapt.h"
#include "budget.h"
#include "ceiling.h"
#include "health.h"
#include "refusals.h"

typedef struct leat_i_member {
    leat_i_budget budget;
    leat_i_health health;
    leat_i_adapt adapt;
    leat_i_refusals refusals;
    leat_i_ceiling ceiling;
    leat_i_ceiling before;  /* the cuts of it that may be in vain */
    bool is_certain;        /* the last cut is none of them */
    int64_t review_ns;      /* when the ceiling is looked at again; INT64_MAX = there is none */
    leat_limiter_opts own;  /* what the user set */
    leat_limiter_opts told; /* what the endpoint says; 0 = nothing */
    bool has_others;        /* there are other endpoints: lost connections open the breaker */
    uint64_t random;        /* state of the jitter */
} leat_i_member;

/* False when a limit is negative or not finite: nothing is changed then. NULL = no limits. The first call on zeroed memory. */
bool leat_i_member_set(leat_i_member *m, const leat_limiter_opts *own);

/* What the endpoint says it allows; fields of 0 say nothing and leave what was learned. True when the limits in force changed. */
bool leat_i_member_learn(leat_i_member *m, const leat_limiter_opts *told, int64_t now_ns);

/* The limits, as set or told; and what is left of them for now. */
leat_limiter_opts leat_i_member_limits(const leat_i_member *m);
leat_limiter_opts leat_i_member_limits_now(leat_i_member *m, int64_t now_ns);

/* As those of the budget. */
int64_t leat_i_member_ready_ns(leat_i_member *m, leat_i_charge c, int64_t now_ns);
/* The same where there is no other endpoint, or all are out: each is tried more often then. */
int64_t leat_i_member_ready_all_out_ns(leat_i_member *m, leat_i_charge c, int64_t now_ns);
/* Before the take of a request that has been ready for `late_ns` and was not let through: nobody ran. */
void leat_i_member_late(leat_i_member *m, int64_t now_ns, int64_t late_ns);
leat_i_taken leat_i_member_take(leat_i_member *m, leat_i_charge c, int64_t now_ns);
void leat_i_member_settle(leat_i_member *m, const leat_i_taken *taken, leat_i_charge used);
void leat_i_member_untake(leat_i_member *m, const leat_i_taken *taken);

/* What an open grant's request has shown about the endpoint; before it is settled. */
void leat_i_member_report(leat_i_member *m, const leat_i_taken *taken, const leat_limiter_report *report, int64_t now_ns);

#endif
