/*
 * pace.h: when the next request may go: a pace, not a bucket. Pure arithmetic over explicit times; one caller at a time.
 *
 * The generic cell rate algorithm in its schedule form: each grant has a slot, slots lie at least an interval apart, and a grant
 * comes at its slot or up to `slack_ns` after it. So late wake-ups lose nothing (the schedule does not move with them), and
 * n grants within w ns need n - 1 intervals within w + slack: n <= (w + slack) / interval + 1.
 *
 * The interval is that of 98.5 % of the limit: the endpoint's clock, its window and the way there are not ours. The slack is
 * 25 ms, half of what the promise allows (leat/limiter.h): the other half is for jitter on the way.
 *
 * Standing still is made good slowly: when somebody waited, was due, and nobody ran to let it through (the process was stopped, or
 * the machine had other things to do), what the schedule lost beyond the slack is remembered, 3 s of it at most, and slots lie as
 * near as 99.7 % of the limit until it is caught up. With that interval too any 60 s, slack and all, hold at most the limit; where
 * so few requests a minute are allowed that one more would be over it, nothing is caught up, nor where bursts are allowed, which
 * make good as much by themselves. Time in which nobody asked is nobody's, and a pause forgets what was lost.
 *
 * After a pause the pace starts at a quarter and doubles each second, or each time that the pause was long when that was shorter:
 * an endpoint that has just refused would refuse again. Without a limit the ramp starts at a quarter of the rate seen before, and
 * ends when it is faster than anything.
 *
 * Source: ITU-T I.371 annex A (GCRA); the slow start is that of TCP (RFC 5681, 3.1), in time instead of replies.
 */
#ifndef LEAT_I_PACE_H
#define LEAT_I_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_I_PACE_SHARE    0.985
#define LEAT_I_PACE_CATCH_UP 0.997
#define LEAT_I_PACE_SLACK_NS INT64_C(25000000)
#define LEAT_I_PACE_LOST_NS  INT64_C(3000000000) /* what is caught up at most */
#define LEAT_I_PACE_SPAN_NS  INT64_C(50000000)   /* less time shows no rate */

typedef struct leat_i_pace {
    int64_t interval_ns;  /* between two slots at full speed; 0 = no limit */
    int64_t slack_ns;     /* how far behind its slot a grant may come: what can be caught up at once */
    int64_t burst_ns;     /* the part of the slack that the burst is */
    int64_t slot_ns;      /* slot of the last grant */
    int64_t fast_ns;      /* between two slots while there is something to be caught up */
    int64_t lost_ns;      /* what is to be caught up */
    int64_t undo_slot_ns; /* slot_ns before the last grant */
    int64_t undo_lost_ns;
    int64_t last_ns;  /* of the last grant */
    int64_t floor_ns; /* end of the last pause: nobody before; 0 = there was none */
    int64_t ramp_ns;  /* interval at floor_ns; halves each step; 0 = no ramp */
    int64_t step_ns;  /* of the ramp */
    int64_t start_ns; /* of the first grant */
    int64_t tally_at; /* which stretch of time `tally` counts */
    int64_t tally[2]; /* grants in this stretch and in the one before: the rate seen */
    bool started;     /* there was a grant */
} leat_i_pace;

/* Sets or changes the limit; 0 = none. Zeroed memory is a pace without limit. What was granted stays granted. */
void leat_i_pace_set(leat_i_pace *p, double requests_per_min, uint32_t burst);

/* The earliest time >= `now_ns`, or a time <= now_ns when a request may go now. Does not change when time passes, but may become
 * earlier by leat_i_pace_set and later by leat_i_pace_take and leat_i_pace_pause. */
int64_t leat_i_pace_ready_ns(const leat_i_pace *p, int64_t now_ns);

/* Takes the slot of a request that goes now; it must be ready. */
void leat_i_pace_take(leat_i_pace *p, int64_t now_ns);

/* Before the take of a request that waited in the line and could have gone `late_ns` ago, had anybody been there to see to it. */
void leat_i_pace_late(leat_i_pace *p, int64_t now_ns, int64_t late_ns);

/* Gives the slot of the last grant back; right only if nothing happened to the pace since. */
void leat_i_pace_untake(leat_i_pace *p);

/* Lets nobody through before `until_ns`, then starts slowly, doubling each `step_ns` (> 0). An earlier end than one set before is
 * ignored. */
void leat_i_pace_pause(leat_i_pace *p, int64_t until_ns, int64_t step_ns);

/* The step that suits a pause of `wait_ns`: as long as the pause, within 10 ms and 1 s. */
int64_t leat_i_pace_step_ns(int64_t wait_ns);

/* Requests per minute that went out over the last seconds. */
double leat_i_pace_seen_per_min(const leat_i_pace *p, int64_t now_ns);

#endif
