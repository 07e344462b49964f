/*
 * leat/limiter.h: lets through exactly what an endpoint allows.
 *
 * One limiter per endpoint, or for several endpoints (or keys) that do the same work, each with limits of its own; shared by
 * everything that calls them; acquired per attempt, released before any retry wait.
 * Promise: any window of w seconds sees at most limit * (w + 0.05) / 60 + 1 requests, the burst more when one is allowed; any
 * window of 60 s sees at most the limit, burst or not; and in any window of 60 s the tokens charged at admission never exceed the
 * limit, one oversize request alone in its window excepted. Without bursts, tokens and bytes are spread over the minute: any w
 * seconds see at most limit * (w + 10) / 60 of them, and one request. Who asks first goes first. docs/limits.md says how it is kept.
 *
 * Source: GCRA (ITU-T I.371, annex A) for requests; the exact log of tokens and the debts are our own; docs/limits.md.
 */
#ifndef LEAT_LIMITER_H
#define LEAT_LIMITER_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_limiter leat_limiter;

/* Every field may be 0 = no limit (or the default). A day is any 24 hours; in flight counts from grant to settle. */
typedef struct leat_limiter_opts {
    double requests_per_min;
    double requests_per_day;
    double tokens_per_min; /* LLM tokens, prompt and reply together */
    double tokens_per_day;
    double input_tokens_per_min;
    double output_tokens_per_min;
    double bytes_per_min; /* of request bodies */
    uint32_t in_flight_max;
    uint32_t in_flight_min; /* adaptive: never fewer; 0 = 1 */
    bool adaptive;          /* finds out how many may be in flight, up to in_flight_max, from what is told of the requests */
    uint32_t burst; /* requests that may go at once after a pause, beside the paced one; 0 = none. With bursts, tokens and
                             * bytes are not spread over the minute */
} leat_limiter_opts;

/* What one request costs: guessed before, or known after. */
typedef struct leat_cost {
    double input, output; /* LLM tokens; tokens_per_min counts their sum */
    double bytes;         /* of the request's body; only the guess counts, for a body is as long as it is */
} leat_cost;

/* Permission for one request. Plain data; settle or refund it once: the first time counts, later ones do nothing. A forgotten one
 * is settled at its guess when the attempt, or the visit (task body) that acquired it, ends. */
typedef struct leat_grant {
    uint64_t id;             /* never given to another grant of the limiter */
    leat_cost charged;       /* the guess, rounded up to 64ths of a token and whole bytes */
    int64_t granted_ns;      /* the runtime's clock */
    uint32_t endpoint_index; /* where the request goes; 0 when there is one endpoint */
} leat_grant;

typedef struct leat_limiter_stats {
    uint64_t granted, settled, refunded; /* requests */
    uint32_t in_flight, waiting;         /* now */
    double tokens_charged;               /* after settling, since the start */
    int64_t waited_ns;                   /* sum over all grants */
    double requests_per_min;             /* the limit, of all endpoints together, as set or as they tell; 0 = none */
    double tokens_per_min;
    double requests_per_min_now; /* what their refusals leave of it for the moment; 0 = no limit */
    uint32_t in_flight_max;      /* now, of all endpoints together; 0 = no limit */
    uint32_t endpoint_count;
    uint32_t endpoints_out;    /* of these, left alone for the moment */
    uint32_t endpoints_denied; /* of those, since their key is refused for good */
} leat_limiter_stats;

/* What a request has shown about its endpoint. */
typedef enum leat_verdict {
    LEAT_VERDICT_NONE,       /* nothing: canceled, or this machine's fault */
    LEAT_VERDICT_GOOD,       /* it answers */
    LEAT_VERDICT_LIMITED,    /* too many requests or tokens a minute: 429 */
    LEAT_VERDICT_OVERLOADED, /* too much at once, or not ready: 503, 529, 498, a model that is being loaded */
    LEAT_VERDICT_FAILED,     /* an error of its own: 500, 502, a page */
    LEAT_VERDICT_LOST,       /* no connection, a broken one, no answer in time */
    LEAT_VERDICT_DENIED,     /* never with this key: not valid, or its quota is used up */
} leat_verdict;

typedef struct leat_limiter_report {
    leat_verdict verdict;
    int64_t retry_after_ms; /* the wait that the endpoint asked for; <= 0 = none */
    int64_t first_token_ms; /* from the request to the first token of a stream; < 0 = not known */
} leat_limiter_report;

/**
 * Makes a limiter. `opts` is copied; NULL = no limits (it still counts).
 *
 * Threads: any.
 * Owns:    `*out` belongs to the caller, who frees it with leat_limiter_free when nobody waits on it.
 * Errors:  LEAT_NOMEM; LEAT_USAGE for a negative limit or one that is not finite.
 */
LEAT_API LEAT_MUST_USE leat_err leat_limiter_new(leat_limiter **out, const leat_limiter_opts *opts);

/**
 * Makes a limiter for `count` endpoints, each with the limits of its own entry. Who asks goes to the endpoint that has room first,
 * and of several that have room to the one with the fewest requests in flight.
 *
 * Threads: any.
 * Owns:    `*out` as in leat_limiter_new; `opts` is copied.
 * Shape:   `opts` has `count` entries, 1 to 1,000.
 * Errors:  as leat_limiter_new; LEAT_USAGE for a count out of range too.
 */
LEAT_API LEAT_MUST_USE leat_err leat_limiter_new_many(leat_limiter **out, const leat_limiter_opts *opts, size_t count);

/**
 * Frees a limiter that nobody waits on, and of which no grant is open. NULL is fine.
 *
 * Threads: any, when no other call on `l` is under way.
 * Owns:    `l` is gone.
 */
LEAT_API void leat_limiter_free(leat_limiter *l);

/**
 * Waits in the order of asking until all limits have room for one request that costs about `guess`, and takes it from each at
 * once: from all or from none. A request larger than a whole limit goes alone in its window, into debt.
 *
 * Suspends: yes, until there is room.
 * Threads:  from the task `t` only; any number of tasks at once.
 * Owns:     `*grant` is the caller's; settle it.
 * Units:    guesses over 10^9 tokens or bytes count as 10^9.
 * Errors:   LEAT_CANCELED, LEAT_TIMEOUT; nothing was taken then, nor with LEAT_NOMEM. LEAT_USAGE for a guess that is negative or not
 *           finite.
 */
LEAT_API LEAT_MUST_USE leat_err leat_limiter_acquire(leat_task *t, leat_limiter *l, leat_cost guess, leat_grant *grant);

/**
 * Tells the limiter what a granted request really used: the difference is refunded, or becomes debt. Frees the slot. A `used`
 * that is negative or not finite tells nothing: the guess stands.
 *
 * Threads: any, outside the pool too.
 */
LEAT_API void leat_limiter_settle(leat_limiter *l, leat_grant grant, leat_cost used);

/**
 * Gives back a grant whose request did not count at the endpoint (never sent, or refused with a 429): the tokens are
 * refunded, the request stays counted. Frees the slot.
 *
 * Threads: any.
 */
LEAT_API void leat_limiter_refund(leat_limiter *l, leat_grant grant);

/**
 * Tells what an open grant's request has shown about its endpoint, before the grant is settled or refunded. Refusals for the rate
 * that are not one of few lower it for some minutes and hold everybody back for `retry_after_ms`; overloads in a row close the
 * endpoint but for one request at a time until one is answered; with `adaptive`, losses lower what may be in flight.
 * docs/limits.md has the rules.
 *
 * Suspends: no.
 * Threads:  from the task `t` only (it reads its clock).
 * Owns:     `report` is borrowed during the call.
 */
LEAT_API void leat_limiter_tell(leat_task *t, leat_limiter *l, leat_grant grant, const leat_limiter_report *report);

/**
 * Takes the limits that an endpoint says it allows: requests and tokens, a minute or a day. They count where they are lower than
 * those that were set; a field of 0 says nothing and leaves what was known. Gives true when the limits in force have changed.
 *
 * Suspends: no.
 * Threads:  from the task `t` only (it reads its clock).
 * Owns:     `told` is borrowed during the call.
 */
LEAT_API bool leat_limiter_learn(leat_task *t, leat_limiter *l, uint32_t endpoint_index, const leat_limiter_opts *told);

/**
 * Lets nobody through to an endpoint before `duration_ms` have passed, then starts at a quarter of the rate and doubles it each
 * second, or each time that the pause was long when that was shorter.
 *
 * Suspends: no.
 * Threads:  from the task `t` only (it reads its clock).
 * Units:    ms from now; an earlier end than one already set is ignored.
 */
LEAT_API void leat_limiter_pause(leat_task *t, leat_limiter *l, uint32_t endpoint_index, int64_t duration_ms);

/**
 * Changes the limits of an endpoint in place; who waits is judged by the new ones. What the endpoint told stays known.
 *
 * Threads: any.
 * Owns:    `opts` is copied; NULL = no limits.
 * Errors:  LEAT_USAGE for a negative limit or one that is not finite, an endpoint that there is not, or without `l`; the old
 *          limits stay then.
 */
LEAT_API LEAT_MUST_USE leat_err leat_limiter_change(leat_limiter *l, uint32_t endpoint_index, const leat_limiter_opts *opts);

/**
 * Reads the counters.
 *
 * Threads: any.
 * Owns:    `*stats` is overwritten.
 */
LEAT_API void leat_limiter_read(leat_limiter *l, leat_limiter_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
