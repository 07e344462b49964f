/* limiter_support.h: the world of the limiter's tests: a runtime, a limiter, tasks that ask, and what they wrote down. */
#ifndef LIMITER_SUPPORT_H
#define LIMITER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/atomics.h"
#include "base/mem.h"
#include "leat/limiter.h"

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

enum { TASKS_MAX = 4000 };

/* One world per test: a runtime, a limiter, and what its tasks wrote down. */
typedef struct world {
    leat_runtime *rt;
    leat_limiter *l;
    int count;
    leat_cost guess;
    int64_t hold_ms;               /* between grant and settle */
    int64_t granted_ns[TASKS_MAX]; /* by the order of asking, as what follows */
    int order[TASKS_MAX];          /* who was granted when */
    LEAT_ATOMIC(int) asked, granted, in_flight, in_flight_peak, stopped;
    leat_task_fn body;
} world;

typedef struct member {
    world *w;
    int index;
} member;

static inline world *world_new(uint32_t workers, bool virtual_clock, const leat_limiter_opts *opts)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(
        leat_runtime_new(&w->rt, &(leat_runtime_opts){ .worker_count = workers, .virtual_clock = virtual_clock }), LEAT_OK);
    assert_int_equal(leat_limiter_new(&w->l, opts), LEAT_OK);
    return w;
}

static inline void world_free(world *w)
{
    leat_limiter_stats s;
    leat_limiter_read(w->l, &s);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.in_flight, 0);
    assert_int_equal(s.granted, s.settled + s.refunded);
    leat_limiter_free(w->l);
    leat_runtime_free(w->rt);
    free(w);
}

static inline void peak_note(world *w)
{
    int now = leat_add_relaxed(&w->in_flight, 1) + 1;
    int peak = leat_load_relaxed(&w->in_flight_peak);
    while (now > peak && !leat_cas_relaxed(&w->in_flight_peak, &peak, now)) {
    }
}

static inline leat_err one_request(leat_task *t, void *arg, const void **result)
{
    (void)result;
    member *m = arg;
    world *w = m->w;
    leat_grant g;
    int number = leat_add_relaxed(&w->asked, 1);
    leat_err err = leat_limiter_acquire(t, w->l, w->guess, &g);
    if (err != LEAT_OK) {
        leat_add_relaxed(&w->stopped, 1);
        return err;
    }
    w->granted_ns[number] = leat_task_now_ns(t);
    w->order[leat_add_relaxed(&w->granted, 1)] = number;
    peak_note(w);
    if (w->hold_ms > 0) err = leat_sleep_ms(t, w->hold_ms);
    leat_sub_relaxed(&w->in_flight, 1);
    leat_limiter_settle(w->l, g, w->guess);
    return err;
}

/* Starts `count` members and waits for all. */
static inline leat_err all_requests(leat_task *t, void *arg, const void **result)
{
    (void)result;
    world *w = arg;
    member *m = leat_task_alloc(t, (size_t)w->count * sizeof *m);
    leat_future **f = leat_task_alloc(t, (size_t)w->count * sizeof(leat_future *));
    assert_non_null(m);
    assert_non_null(f);
    for (int i = 0; i < w->count; i++) {
        m[i] = (member){ w, i };
        f[i] = leat_task_start(t, w->body ? w->body : one_request, &m[i]);
    }
    return leat_await_all(t, f, (size_t)w->count);
}

static inline void run(world *w, int count)
{
    w->count = count;
    assert_int_equal(leat_task_run(w->rt, all_requests, w, NULL), LEAT_OK);
}

#endif
