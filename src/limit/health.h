/*
 * health.h: whether an endpoint is asked at all: a circuit breaker. Pure arithmetic over explicit times; one caller at a time.
 *
 *   CLOSED   all go. Failures in a row (overloads; lost connections too when there are other endpoints) open it: ten of them, or a
 *            quarter of what is in flight. One good answer starts the count anew.
 *   OPEN     nobody goes until a wait is over, then one request goes as a probe:
 *            good -> CLOSED; bad -> OPEN with twice the wait; silent for ten seconds -> one more may go, for an endpoint that is
 *            loading a model may hold a request until it is ready.
 *            Where there is no other endpoint, or all are out, the waits end with some 4 s, for nobody else does the work meanwhile.
 *   GONE     it refused for good (key, quota): as OPEN, with waits of minutes.
 * Only a good answer to a request that went since it opened closes it: one from before says what was, and a server that goes down
 * may still finish what it has begun. After an overload it says more: there is room for one again. So the next one may try at once,
 * and a server that bears fewer requests than it gets stays busy.
 */
#ifndef LEAT_I_HEALTH_H
#define LEAT_I_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct leat_i_health { /* zeroed memory is a closed breaker */
    bool is_open;
    bool is_gone;
    bool is_away;       /* what opened it last was no overload but a failure, a lost connection, or a refusal for good */
    uint32_t bad_count; /* in a row */
    uint32_t opened;    /* times since it was closed: doubles the wait */
    uint64_t before;    /* grants up to this one went before it opened */
    uint64_t probe;     /* number of the grant that tries; 0 = none is under way */
    int64_t probe_ns;   /* when it went */
    int64_t until_ns;   /* nobody before, while it is open */
    int64_t soon_ns;    /* nor before this when all endpoints are out */
    int64_t asked_ns;   /* nor before this at all: what the endpoint asked for */
} leat_i_health;

/* When somebody may go: <= now_ns = now; later while it is open. `all_out`: as is every other endpoint. */
int64_t leat_i_health_ready_ns(const leat_i_health *h, bool all_out);

/* Grant `number` goes: while open it is the probe. */
void leat_i_health_take(leat_i_health *h, uint64_t number, int64_t now_ns);

/* Grant `number` ended without a word about the endpoint: the next one may try. */
void leat_i_health_drop(leat_i_health *h, uint64_t number);

/* A good answer to grant `number`. True when it has closed the breaker: what follows should start slowly. */
bool leat_i_health_good(leat_i_health *h, uint64_t number, int64_t now_ns);

typedef struct leat_i_setback {
    uint64_t number;    /* the grant that failed */
    uint64_t granted;   /* so far */
    uint32_t in_flight; /* of these */
    bool is_overload;   /* the endpoint is there, and has too much to do */
    int64_t floor_ns;   /* the wait that the endpoint asked for; 0 = none */
    double jitter;      /* in [0, 1): spreads ours */
} leat_i_setback;

/* A failure. */
void leat_i_health_bad(leat_i_health *h, const leat_i_setback *s, int64_t now_ns);

/* The endpoint refused grant `number` of `granted` for good. */
void leat_i_health_gone(leat_i_health *h, uint64_t number, uint64_t granted, int64_t now_ns);

#endif
