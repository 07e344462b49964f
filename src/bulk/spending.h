/*
 * spending.h: what a run may spend: tokens and cost, added up attempt by attempt; none begins that is expected to lead beyond a maximum.
 *
 * An attempt is expected to use the mean of those that have told what they used; one in flight counts as that, and so does one whose
 * answer was lost after it may have been billed. Until the first has told, attempts go alone, one after another: else as many as may be
 * in flight would begin on a guess. So a maximum is exceeded by no more than those in flight use beyond the mean.
 */
#ifndef LEAT_I_BULK_SPENDING_H
#define LEAT_I_BULK_SPENDING_H

#include "leat/bulk.h"

#include "../base/lock.h"
#include "../llm/turn.h"

typedef struct leat_i_spending {
    double tokens_max, cost_max; /* 0 = none */
    double price_in, price_out;  /* per million tokens; both 0 = none are known */
    leat_semaphore *alone;       /* who goes while nothing has told; NULL = there is no maximum */
    LEAT_ATOMIC(bool) has_told;  /* an attempt has told what it used */
    leat_i_lock lock;            /* a leaf; guards what follows */
    double tokens, cost;         /* as told; the cost by the prices where the endpoint does not name it */
    double priced;               /* of the cost: by the prices */
    uint64_t told, lost;         /* attempts that told what they used; that did not, and may have been billed */
    uint32_t in_flight;
} leat_i_spending;

typedef struct leat_i_spender { /* of a document; zeroed = it has no attempt under way */
    bool is_alone, in_flight;
} leat_i_spender;

/* LEAT_USAGE and a sentence, LEAT_NOMEM; fini is due in any case. */
leat_err leat_i_spending_init(leat_i_spending *s, const leat_bulk_opts *opts, leat_error *error);
void leat_i_spending_fini(leat_i_spending *s);
/* Before an attempt: suspends while another goes alone. LEAT_CANCELED, LEAT_TIMEOUT. */
leat_err leat_i_spending_wait(leat_task *t, leat_i_spending *s, leat_i_spender *who);
/* An attempt would begin now. False = it must not, and *why is the reason to stop the run. */
bool leat_i_spending_begin(leat_i_spending *s, leat_i_spender *who, leat_error *why);
/* It has ended as `a` tells; NULL = nothing of it is known, or there was none. False = *why is a reason to stop the run. */
bool leat_i_spending_end(leat_i_spending *s, leat_i_spender *who, const leat_i_llm_attempt *a, leat_error *why);
double leat_i_spending_priced(leat_i_spending *s);

#endif
