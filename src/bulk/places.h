/*
 * places.h: what each of several endpoints does for a run: counted, and told when one is out, which costs no document and would else be
 * seen by nobody until the bill or the rate shows it.
 *
 * An endpoint is out when it denies its key, or after three attempts in a row that found nobody there, or twenty that it failed. It is
 * back with the first answer.
 */
#ifndef LEAT_I_BULK_PLACES_H
#define LEAT_I_BULK_PLACES_H

#include "leat/bulk.h"

#include "../base/atomics.h"
#include "../llm/turn.h"

struct leat_i_run;

typedef struct leat_i_place_count { /* counters that order nothing: relaxed */
    LEAT_ATOMIC(uint64_t) requests, good, failed, throttles;
    LEAT_ATOMIC(uint32_t) bad; /* attempts in a row that say it is out */
    LEAT_ATOMIC(bool) out;     /* and that was told */
} leat_i_place_count;

typedef struct leat_i_places {
    leat_i_place_count *place; /* NULL = there is one endpoint, or none */
    uint32_t count;
} leat_i_places;

/* LEAT_NOMEM. fini is due in any case. */
leat_err leat_i_places_init(leat_i_places *p, const leat_llm *llm);
/* After an attempt of `llm`. */
void leat_i_places_tell(struct leat_i_run *run, const leat_llm *llm, const leat_i_llm_attempt *a);
void leat_i_places_sum_up(const leat_i_places *p, const leat_llm *llm, leat_bulk_summary *summary);
void leat_i_places_fini(leat_i_places *p);

#endif
