/*
 * spread.h: tokens, or bytes, spread over the minute: without it all of them would go at its beginning, as fast as requests are
 * made. Pure arithmetic over explicit times; one caller at a time.
 *
 * The schedule form of GCRA again (pace.h), by amounts: the slot is the time at which all that went will have been paid for at the
 * rate of the limit. Who comes at the slot or later may go, however large it is, and moves the slot by its own amount, by a
 * minute at most. What is learned later moves it too: a refund back, debt on. A quiet time of up to 10 s is made good at once, so a
 * request that is large holds nobody back where the tokens are not what is short; at the start there is nothing to be made good.
 *
 * It keeps no limit: that is what the log is for (window.h). So it may be as fast as the limit itself, and it never makes anybody
 * wait for longer than the log remembers.
 */
#ifndef LEAT_I_SPREAD_H
#define LEAT_I_SPREAD_H

#include <stdint.h>

#define LEAT_I_SPREAD_SLACK_NS INT64_C(10000000000)
#define LEAT_I_SPREAD_MOST_NS  INT64_C(60000000000) /* nobody waits longer after the last grant */

typedef struct leat_i_spread { /* zeroed memory: nothing is spread */
    double ns_per_unit;        /* 0 = off */
    int64_t slot_ns;           /* INT64_MIN = nobody went so far */
    int64_t last_ns;           /* of the last grant */
} leat_i_spread;

/* Sets or changes the limit: `max` units a minute, 0 = off. What was not paid for at `now_ns` is still owed. */
void leat_i_spread_set(leat_i_spread *s, int64_t max, int64_t now_ns);

/* When the next one may go. */
static inline int64_t leat_i_spread_ready_ns(const leat_i_spread *s)
{
    return s->ns_per_unit > 0 ? s->slot_ns : INT64_MIN;
}

/* A request of `units` goes now. */
void leat_i_spread_take(leat_i_spread *s, int64_t units, int64_t now_ns);

/* One that went with `units` has used `used` instead. */
void leat_i_spread_adjust(leat_i_spread *s, int64_t units, int64_t used);

#endif
