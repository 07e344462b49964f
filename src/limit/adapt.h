/*
 * adapt.h: how many requests an endpoint bears at once, found by trying. Pure; one caller at a time.
 *
 * Doubles with each round of good answers until the first loss; from then on one more each round, and half at a loss. Losses are
 * 429, 503, 529 and connections that break. A first token that takes much longer than it did takes a tenth off: that is a queue
 * growing at the endpoint. The time of a whole answer says nothing, for it follows the answer's length. Requests that went before
 * a cut cannot cause another one, so it is cut at most once a round.
 *
 * Source: AIMD with slow start (RFC 5681, 3.1), over requests instead of bytes; it grows only while its room is used (RFC 7661).
 */
#ifndef LEAT_I_ADAPT_H
#define LEAT_I_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct leat_i_adapt { /* zeroed memory: off */
    bool is_on;
    bool had_loss;                              /* the doubling is over */
    uint32_t min, max;                          /* requests in flight */
    double room;                                /* requests in flight allowed */
    uint64_t cut_number;                        /* grants up to this one went before the last cut */
    uint64_t round_number;                      /* and up to this one before the round began */
    double first_token_ms, first_token_base_ms; /* moving mean; and the least, rising a little each round; 0 = none yet */
} leat_i_adapt;

/* `max` 0 = no end. What was found stays, within the new bounds. */
void leat_i_adapt_set(leat_i_adapt *a, bool on, uint32_t min, uint32_t max);

/* Requests allowed in flight; 0 = any. */
uint32_t leat_i_adapt_max(const leat_i_adapt *a);

/* A good answer to grant `number` of `granted` so far; `first_token_ms` < 0 = unknown. */
void leat_i_adapt_good(leat_i_adapt *a, uint64_t number, uint64_t granted, uint32_t in_flight, int64_t first_token_ms);

void leat_i_adapt_loss(leat_i_adapt *a, uint64_t number, uint64_t granted);

#endif
