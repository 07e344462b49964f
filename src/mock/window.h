/*
 * window.h: exact logs of the last 60 seconds: what the endpoint's limits are judged by. No clock inside, no lock: one owner.
 *
 * An entry counts from its time t until just before t + 60 s. So any window of 60 s, wherever it starts, is what was judged
 * when its last entry came.
 */
#ifndef LEAT_I_MOCK_WINDOW_H
#define LEAT_I_MOCK_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_I_MOCK_WINDOW_NS (INT64_C(60) * 1000000000)

typedef struct leat_i_mock_entry {
    int64_t time_ns;
    uint64_t tokens;
} leat_i_mock_entry;

typedef struct leat_i_mock_window { /* zeroed memory is a valid empty window */
    leat_i_mock_entry *entry;       /* ring: `count` entries from `first`, room a power of two */
    uint32_t first, count, room;
    uint64_t tokens; /* sum over the entries */
} leat_i_mock_window;

typedef enum leat_i_mock_verdict {
    LEAT_I_MOCK_ADMIT,
    LEAT_I_MOCK_OVER_REQUESTS,
    LEAT_I_MOCK_OVER_TOKENS,
    LEAT_I_MOCK_NEVER, /* more tokens than the limit of a whole minute */
} leat_i_mock_verdict;

/* Limits; 0 = none. */
typedef struct leat_i_mock_limits {
    uint64_t requests, tokens;            /* of a minute, for each key */
    uint64_t input, output;               /* the same for parts of the tokens: what is asked, what is answered */
    uint64_t in_flight, in_flight_of_key; /* at once: of all keys together; of the key at hand */
} leat_i_mock_limits;

/* What the headers say, and how long a refused request should wait. Times in ns. */
typedef struct leat_i_mock_state {
    uint64_t requests_left, tokens_left;
    uint64_t requests_used, tokens_used;        /* may be more than the limit, when it has become less */
    int64_t requests_reset_ns, tokens_reset_ns; /* until the window is empty again */
    int64_t wait_ns;                            /* until the request would be admitted if nothing else came; 0 = now */
} leat_i_mock_state;

/* Judges a request of `tokens` at now_ns (never before an earlier call's) and adds nothing. */
leat_i_mock_verdict leat_i_mock_window_judge(leat_i_mock_window *w, const leat_i_mock_limits *l, int64_t now_ns,
                                             uint64_t tokens);
/* Adds an admitted request. False = memory is short, nothing was added. */
bool leat_i_mock_window_add(leat_i_mock_window *w, int64_t now_ns, uint64_t tokens);
void leat_i_mock_window_state(leat_i_mock_window *w, const leat_i_mock_limits *l, int64_t now_ns, uint64_t tokens,
                              leat_i_mock_state *out);
void leat_i_mock_window_fini(leat_i_mock_window *w);

/*
 * The busiest 60 seconds so far, for the counters: exact to a microsecond, four bytes a request, since it also runs without
 * limits at any rate.
 */
typedef struct leat_i_mock_peak { /* zeroed memory is valid */
    uint32_t *time_us;            /* ring of times modulo 2^32 microseconds (71 minutes) */
    uint32_t first, count, room, peak;
    int64_t last_ns;
} leat_i_mock_peak;

/* Counts one request; false = memory is short. The most that any window of 60 s held is in `peak`. */
bool leat_i_mock_peak_add(leat_i_mock_peak *p, int64_t now_ns);
void leat_i_mock_peak_fini(leat_i_mock_peak *p);

#endif
