/*
 * ceiling.h: the rate that an endpoint bears, learned from its refusals. Pure arithmetic over explicit times.
 *
 * Refusals (429) say that the rate of the moment is too high, and not what would be right. So the rate is cut to 70 % of the
 * refused one, stays there until it is known whether that helped (refusals.h), comes back within a minute, lingers there, and then
 * climbs ever faster: if the refused rate was the limit, the cut is soon made good and the next try is cautious; if the limit was
 * raised meanwhile, it is found in two or three minutes. A minute between two tries at the limit keeps refusals rare: one round of
 * requests in flight a minute.
 *
 * Source: the curve is that of CUBIC (RFC 9438, 4.1), with a fixed time to come back instead of one that grows with the rate.
 */
#ifndef LEAT_I_CEILING_H
#define LEAT_I_CEILING_H

#include <stdint.h>

#define LEAT_I_CEILING_CUT_TO 0.7

typedef struct leat_i_ceiling { /* zeroed memory is no ceiling */
    double refused_per_min;     /* the rate that was refused; 0 = no ceiling */
    int64_t cut_ns;             /* when the climb starts */
} leat_i_ceiling;

/* The endpoint refused at `per_min`; the climb begins at `from_ns`. */
void leat_i_ceiling_cut(leat_i_ceiling *c, double per_min, int64_t from_ns);

/* The climb begins at `now_ns`, unless it has begun already. */
void leat_i_ceiling_climb(leat_i_ceiling *c, int64_t now_ns);

/* The rate allowed at `now_ns` under a limit of `limit_per_min` (0 = none), 0 = any. It forgets itself when it has climbed to
 * the limit, or without one far beyond what was refused. */
double leat_i_ceiling_per_min(leat_i_ceiling *c, double limit_per_min, int64_t now_ns);

#endif
