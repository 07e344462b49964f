/*
 * health.h: whether an endpoint is asked at all: a circuit breaker. Pure arithmetic over explicit times; one caller at a time.
 *
 *   CLOSED   all go. Failures in a row (overloads; lost connections too when there are other endpoints) open it: ten of them, or a
 *            quarter of what is in flight. One good answer starts the count anew.
 *   OPEN     nobody goes until a wait is over, then one request goes as a probe:
 *            good -> CLOSED; bad -> OPEN with twice the wait; silent for ten seconds -> one more may go, for an endpoint that is
 *            loading a model may hold a request until it is ready.
 *            Where all of several endpoints are out, the waits end with some 4 s, for nobody else does the work meanwhile.
 *   GONE     it refused for good (key, quota): as OPEN, with waits of minutes.
 * Any good answer closes it, also one to a request from before.
 */
#ifndef LEAT_I_HEALTH_H
#define LEAT_I_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct leat_i_health { /* zeroed memory is a closed breaker */
    bool is_open;
    bool is_gone;
    uint32_t bad_count; /* in a row */
    uint32_t opened;    /* times since the last good answer: doubles the wait */
    uint64_t probe;     /* number of the grant that tries; 0 = none is under way */
    int64_t probe_ns;   /* when it went */
    int64_t until_ns;   /* nobody before, while it is open */
    int64_t soon_ns;    /* nor before this when all endpoints are out */
} leat_i_health;

/* When somebody may go: <= now_ns = now; later while it is open. `all_out`: as is every other endpoint. */
int64_t leat_i_health_ready_ns(const leat_i_health *h, bool all_out);

/* Grant `number` goes: while open it is the probe. */
void leat_i_health_take(leat_i_health *h, uint64_t number, int64_t now_ns);

/* Grant `number` ended without a word about the endpoint: the next one may try. */
void leat_i_health_drop(leat_i_health *h, uint64_t number);

/* A good answer. True when it has closed the breaker: what follows should start slowly. */
bool leat_i_health_good(leat_i_health *h);

/* A failure of grant `number`. `floor_ns` is the wait that the endpoint asked for (0 = none), `jitter` in [0, 1) spreads ours. */
void leat_i_health_bad(leat_i_health *h, uint64_t number, uint32_t in_flight, int64_t floor_ns, double jitter,
                       int64_t now_ns);

/* The endpoint refused for good. */
void leat_i_health_gone(leat_i_health *h, uint64_t number, int64_t now_ns);

#endif
