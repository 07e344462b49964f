/*
 * limiter_play.h: an endpoint that is played on the virtual clock, and callers that ask a limiter before they call it. The endpoint
 * keeps a true window of 60 s and says no more than real ones do; what it does may change at given times.
 */
#ifndef LIMITER_PLAY_H
#define LIMITER_PLAY_H

#include <string.h>

#include "base/os.h"
#include "limiter_support.h"

enum { ARRIVALS_MAX = 400000, CALLERS = 400 };

typedef struct phase { /* from a time on */
    int64_t from_ns;
    double per_min; /* true sliding window; 0 = none */
    int in_flight;  /* more at once is overload: 503; 0 = any number */
    bool loading;   /* 503 to everybody */
    int busy;       /* every so manieth request is answered by a 503 that asks for 20 ms; 0 = none */
    int64_t first_token_ms;
    bool gone; /* no connection */
    double
        even_per_min; /* a limit without a memory: what comes sooner than an interval after the last accepted one, and five
                              more, is refused; 0 = none */
    double noise;     /* the share that is answered by a 429 at random, whatever the rate; 1 = all */
    int64_t noise_wait_ms; /* what these ask for; 0 = nothing */
} phase;

typedef struct arrival {
    int64_t at_ns;
    bool accepted;
} arrival;

typedef struct endpoint {
    const phase *phase;
    int phase_count;
    int64_t latency_ms;
    bool tells_wait, tells_limit; /* Retry-After; the limit in a header */
    /* what came */
    arrival *arrival;
    int count;
    int oldest; /* the first accepted one that still counts */
    int in_window, in_flight;
    uint64_t random;
    int64_t even_ns; /* the schedule of even_per_min */
} endpoint;

typedef struct play {
    leat_runtime *rt;
    leat_limiter *l;
    endpoint e[3];
    int endpoint_count, callers;
    int64_t end_ns;
    uint64_t random;
} play;

static const int64_t WINDOW_NS = 60 * S;
static uint64_t play_seed = 1; /* of what is refused at random, and of the callers' waits */

static const phase *phase_at(const endpoint *e, int64_t now_ns)
{
    int i = e->phase_count - 1;
    while (i > 0 && e->phase[i].from_ns > now_ns)
        i--;
    return &e->phase[i];
}

/* ---- the endpoint: what it answers to a request that arrives now ---- */

static inline void window_advance(endpoint *e, int64_t now_ns)
{
    for (; e->oldest < e->count && e->arrival[e->oldest].at_ns <= now_ns - WINDOW_NS; e->oldest++)
        e->in_window -= e->arrival[e->oldest].accepted;
}

/* How long until the window has room, rounded up to seconds as the header has them. */
static inline int64_t wait_ms(const endpoint *e, double per_min, int64_t now_ns)
{
    int over = e->in_window - (int)per_min + 1;
    for (int i = e->oldest; i < e->count; i++)
        if (e->arrival[i].accepted && --over <= 0) return (e->arrival[i].at_ns + WINDOW_NS - now_ns + S - 1) / S * 1000;
    return 60000;
}

static inline double play_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (double)(*random >> 11) / 9007199254740992.0;
}

static inline leat_limiter_report endpoint_answer(endpoint *e, int64_t now_ns)
{
    const phase *p = phase_at(e, now_ns);
    leat_limiter_report r = { .verdict = LEAT_VERDICT_GOOD };
    assert_true(e->count < ARRIVALS_MAX);
    window_advance(e, now_ns);
    arrival *a = &e->arrival[e->count];
    *a = (arrival){ .at_ns = now_ns };
    if (p->gone) {
        r.verdict = LEAT_VERDICT_LOST;
    } else if (p->busy > 0 && e->count % p->busy == p->busy - 1) {
        r.verdict = LEAT_VERDICT_OVERLOADED;
        r.retry_after_ms = 20;
    } else if (p->loading || (p->in_flight > 0 && e->in_flight >= p->in_flight)) {
        r.verdict = LEAT_VERDICT_OVERLOADED;
    } else if (p->noise > 0 && play_random(&e->random) < p->noise) {
        r.verdict = LEAT_VERDICT_LIMITED;
        r.retry_after_ms = p->noise_wait_ms;
    } else if (p->even_per_min > 0 && e->even_ns > now_ns + (int64_t)(5 * 60e9 / p->even_per_min)) {
        r.verdict = LEAT_VERDICT_LIMITED;
    } else if (p->per_min > 0 && e->in_window + 1 > p->per_min) {
        r.verdict = LEAT_VERDICT_LIMITED;
        if (e->tells_wait) r.retry_after_ms = wait_ms(e, p->per_min, now_ns);
    } else {
        a->accepted = true;
        if (p->even_per_min > 0)
            e->even_ns = (e->even_ns > now_ns ? e->even_ns : now_ns) + (int64_t)(60e9 / p->even_per_min);
        e->in_window++;
        e->in_flight++;
        r.first_token_ms = p->first_token_ms;
    }
    e->count++;
    return r;
}

/* ---- the callers ---- */

static inline leat_err one_call(leat_task *t, play *p)
{
    leat_grant g;
    LEAT_TRY(leat_limiter_acquire(t, p->l, (leat_cost){ 10, 10, 100 }, &g));
    endpoint *e = &p->e[g.endpoint_index];
    LEAT_TRY(leat_sleep_ms(t, 20));
    leat_limiter_report r = endpoint_answer(e, leat_task_now_ns(t));
    LEAT_TRY(leat_sleep_ms(t, r.verdict == LEAT_VERDICT_GOOD ? e->latency_ms : 20));
    const phase *now = phase_at(e, leat_task_now_ns(t));
    if (r.verdict == LEAT_VERDICT_GOOD) e->in_flight--;
    if (e->tells_limit && now->per_min > 0)
        (void)leat_limiter_learn(t, p->l, g.endpoint_index, &(leat_limiter_opts){ .requests_per_min = now->per_min });
    leat_limiter_tell(t, p->l, g, &r);
    leat_limiter_refund(p->l, g);
    if (r.verdict == LEAT_VERDICT_GOOD) return LEAT_OK;
    /* As the client does: what was asked for, or a while, and some more. */
    int64_t wait = r.retry_after_ms > 0 ? r.retry_after_ms : 1000;
    return leat_sleep_ms(t, wait + (int64_t)(play_random(&p->random) * (double)(wait / 4 + 100)));
}

static inline leat_err caller(leat_task *t, void *arg, const void **result)
{
    play *p = arg;
    (void)result;
    while (leat_task_now_ns(t) < p->end_ns)
        LEAT_TRY(one_call(t, p));
    return LEAT_OK;
}

static inline leat_err callers(leat_task *t, void *arg, const void **result)
{
    (void)result;
    play *p = arg;
    leat_future *f[CALLERS];
    for (int i = 0; i < p->callers; i++)
        f[i] = leat_task_start(t, caller, p);
    return leat_await_all(t, f, (size_t)p->callers);
}

/* One worker: the endpoint's books need no lock then. */
static inline play *play_new(const leat_limiter_opts *opts, const endpoint *e, int endpoint_count, int64_t minutes)
{
    play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    leat_i_os_random_seed = play_seed; /* One worker and a seed: a play is the same each time. */
    assert_int_equal(leat_runtime_new(&p->rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    assert_int_equal(leat_limiter_new_many(&p->l, opts, (size_t)endpoint_count), LEAT_OK);
    leat_i_os_random_seed = 0;
    p->endpoint_count = endpoint_count;
    p->callers = CALLERS;
    p->end_ns = minutes * 60 * S;
    p->random = play_seed;
    for (int i = 0; i < endpoint_count; i++) {
        p->e[i] = e[i];
        p->e[i].random = p->random * 1000 + (uint64_t)i;
        p->e[i].arrival = malloc(ARRIVALS_MAX * sizeof(arrival));
        assert_non_null(p->e[i].arrival);
    }
    return p;
}

static inline play *play_run(const leat_limiter_opts *opts, const endpoint *e, int endpoint_count, int64_t minutes)
{
    play *p = play_new(opts, e, endpoint_count, minutes);
    assert_int_equal(leat_task_run(p->rt, callers, p, NULL), LEAT_OK);
    return p;
}

static inline void play_free(play *p)
{
    leat_limiter_stats s;
    leat_limiter_read(p->l, &s);
    assert_true(s.waiting == 0 && s.in_flight == 0);
    leat_limiter_free(p->l);
    leat_runtime_free(p->rt);
    for (int i = 0; i < p->endpoint_count; i++)
        free(p->e[i].arrival);
    free(p);
}

/* Arrivals in [from, to) minutes: all, or the accepted ones, or the others. */
typedef enum which { ALL, ACCEPTED, REFUSED } which;
static inline int arrivals(const endpoint *e, double from_min, double to_min, which w)
{
    int n = 0;
    for (int i = 0; i < e->count; i++) {
        double at = (double)e->arrival[i].at_ns / 60e9;
        n += at >= from_min && at < to_min && (w == ALL || (w == ACCEPTED) == e->arrival[i].accepted);
    }
    return n;
}

#endif
