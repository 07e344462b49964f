/*
 * test_limiter_runs.c: random runs through the queue itself, on the virtual clock: tasks that come at random times, ask, work,
 * settle or refund or forget, try again, lose patience, while limits change and pauses come. A checker reads what was granted.
 *
 * 600 runs; LEAT_LONG=1 makes it 20,000. LEAT_SEED=n runs that one alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "limiter_support.h"
#include "support_random.h"

enum { RUN_TASKS = 250, RUN_GRANTS = 4 * RUN_TASKS };

typedef struct record { /* one grant */
    int64_t granted_ns, settled_ns;
    double guess, used;
} record;

typedef struct random_run {
    uint64_t seed;
    leat_limiter *l;
    leat_limiter_opts opts;
    bool is_steady; /* no pauses, no changes: its use can be judged too */
    LEAT_ATOMIC(int) count;
    LEAT_ATOMIC(int64_t) paused_from, paused_until; /* the last pause: nobody between */
    LEAT_ATOMIC(int) early;                         /* grants that came in a pause */
    record record[RUN_GRANTS];
} random_run;

typedef struct asker {
    random_run *r;
    uint64_t seed;
} asker;

/* One attempt: asks, works, and tells in one of the ways there are. */
static leat_err attempt(leat_task *t, void *arg, const void **result)
{
    (void)result;
    asker *a = arg;
    random_run *r = a->r;
    leat_grant g;
    double guess = (double)random_below(&a->seed, 200);
    LEAT_TRY(leat_limiter_acquire(t, r->l, (leat_cost){ guess, 0, 0 }, &g));
    record *c = &r->record[leat_add_relaxed(&r->count, 1)];
    *c = (record){ .granted_ns = g.granted_ns, .guess = guess, .used = guess, .settled_ns = INT64_MAX };
    if (g.granted_ns > leat_load_relaxed(&r->paused_from) && g.granted_ns < leat_load_relaxed(&r->paused_until))
        leat_add_relaxed(&r->early, 1);
    int64_t way = random_below(&a->seed, 10);
    leat_err err = leat_sleep_ms(t, random_below(&a->seed, 3000));
    c->settled_ns = leat_task_now_ns(t);
    if (err != LEAT_OK || way == 0) return err != LEAT_OK ? err : LEAT_USER; /* Forgotten; the end of the task settles it. */
    if (way == 1) {
        c->used = 0;
        leat_limiter_refund(r->l, g);
        return LEAT_HTTP;
    }
    c->used = (double)random_below(&a->seed, way == 2 ? 400 : 1 + (int64_t)guess);
    leat_limiter_settle(r->l, g, (leat_cost){ c->used, 0, 0 });
    return LEAT_OK;
}

static leat_err one_asker(leat_task *t, void *arg, const void **result)
{
    (void)result;
    asker *a = arg;
    if (!a->r->is_steady) LEAT_TRY(leat_sleep_ms(t, random_below(&a->seed, 60000)));
    for (int i = 0; i < 3; i++) {
        int64_t patience_ms = random_below(&a->seed, 6) == 0 ? 1 + random_below(&a->seed, 5000) : 0;
        leat_future *f =
            leat_task_start(t, attempt, a); /* Of its own task, so that what it forgets is settled at its end. */
        leat_err err = LEAT_OK;
        if (patience_ms > 0) {
            LEAT_TRY(leat_sleep_ms(t, patience_ms));
            leat_future_cancel(f);
        }
        err = leat_await(t, f, NULL);
        if (err == LEAT_OK || err == LEAT_CANCELED) break;
    }
    return LEAT_OK;
}

/* Shakes the limiter while the others ask. */
static leat_err shaker(leat_task *t, void *arg, const void **result)
{
    (void)result;
    asker *a = arg;
    random_run *r = a->r;
    for (int i = 0; i < 5; i++) {
        LEAT_TRY(leat_sleep_ms(t, random_below(&a->seed, 30000)));
        if (i % 2 == 0) {
            leat_limiter_opts lower = r->opts;
            lower.requests_per_min /= 1 + (double)random_below(&a->seed, 5);
            lower.tokens_per_min /= 1 + (double)random_below(&a->seed, 3);
            LEAT_TRY(leat_limiter_change(r->l, 0, i == 4 ? &r->opts : &lower));
            continue;
        }
        int64_t pause_ms = 1 + random_below(&a->seed, 20000), now_ns = leat_task_now_ns(t);
        leat_store_relaxed(&r->paused_until, now_ns);
        leat_store_relaxed(&r->paused_from, now_ns);
        leat_limiter_pause(t, r->l, 0, pause_ms);
        leat_store_relaxed(&r->paused_until, now_ns + pause_ms * MS);
    }
    return leat_limiter_change(r->l, 0, &r->opts);
}

static leat_err run_all(leat_task *t, void *arg, const void **result)
{
    (void)result;
    random_run *r = arg;
    uint64_t seed = r->seed;
    asker *a = leat_task_alloc(t, (RUN_TASKS + 1) * sizeof *a);
    leat_future **f = leat_task_alloc(t, (RUN_TASKS + 1) * sizeof(leat_future *));
    assert_true(a && f);
    for (int i = 0; i <= RUN_TASKS; i++)
        a[i] = (asker){ r, leat_i_rand_next(&seed) };
    int count = 0;
    for (; count < RUN_TASKS; count++)
        f[count] = leat_task_start(t, one_asker, &a[count]);
    if (!r->is_steady) {
        f[count] = leat_task_start(t, shaker, &a[count]);
        count++;
    }
    return leat_await_all(t, f, (size_t)count);
}

/* ---- the checker ---- */

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const record *)a)->granted_ns, y = ((const record *)b)->granted_ns;
    return (x > y) - (x < y);
}

static void complain(const random_run *r, const char *what, int at)
{
    print_error("run %" PRIu64 ": %s, at grant %d (LEAT_SEED=%" PRIu64 " runs it alone)\n", r->seed, what, at, r->seed);
    fail();
}

/* What a grant counts for in the eyes of one let through at `now`: in the moment of its settling, either amount is right. */
static double known_at(const record *c, int64_t now)
{
    if (c->settled_ns > now) return c->guess;
    return c->settled_ns == now && c->guess < c->used ? c->guess : c->used;
}

static void check_run(random_run *r)
{
    double per_s = r->opts.requests_per_min / 60;
    qsort(r->record, (size_t)r->count, sizeof *r->record, by_time);
    for (int j = 0; j < r->count; j++) {
        const record *c = &r->record[j];
        double sum = 0;
        int minute = 0, others = 0;
        uint32_t open = 1;
        for (int i = 0; i < j; i++) {
            const record *o = &r->record[i];
            double w = (double)(c->granted_ns - o->granted_ns) / 1e9;
            if (per_s > 0 && j - i + 1 > per_s * (w + 0.05) + 1 + r->opts.burst + 1e-9)
                complain(r, "too many in a window", j);
            open += o->settled_ns > c->granted_ns;
            if (w >= 60) continue;
            minute++;
            sum += known_at(o, c->granted_ns);
            others += known_at(o, c->granted_ns) > 0;
        }
        if (per_s > 0 && minute + 1 > r->opts.requests_per_min) complain(r, "too many in 60 s", j);
        if (r->opts.in_flight_max && open > r->opts.in_flight_max) complain(r, "too many in flight", j);
        double limit = r->opts.tokens_per_min;
        if (limit > 0 && sum + c->guess > limit + 1e-6 && !(c->guess > limit && others == 0))
            complain(r, "too many tokens", j);
    }
    if (r->early) complain(r, "somebody went in a pause", r->early);
}

static void run_one(uint64_t seed)
{
    random_run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    uint64_t dice = seed;
    r->seed = seed;
    r->is_steady = random_below(&dice, 3) == 0;
    if (random_below(&dice, 4) > 0) r->opts.requests_per_min = (double)(60 + random_below(&dice, 2000));
    if (random_below(&dice, 2) > 0) r->opts.tokens_per_min = (double)(3000 + random_below(&dice, 20000));
    if (random_below(&dice, 2) > 0) r->opts.in_flight_max = (uint32_t)(1 + random_below(&dice, 40));
    if (random_below(&dice, 4) == 0) r->opts.burst = (uint32_t)random_below(&dice, 30);
    leat_runtime *rt;
    leat_runtime_opts opts = { .worker_count = (uint32_t)(1 + random_below(&dice, 3)), .virtual_clock = true };
    assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
    assert_int_equal(leat_limiter_new(&r->l, &r->opts), LEAT_OK);
    assert_int_equal(leat_task_run(rt, run_all, r, NULL), LEAT_OK);
    leat_limiter_stats s;
    leat_limiter_read(r->l, &s);
    assert_int_equal(s.granted, r->count);
    assert_int_equal(s.settled + s.refunded, s.granted);
    assert_true(s.waiting == 0 && s.in_flight == 0);
    check_run(r);
    leat_limiter_free(r->l);
    leat_runtime_free(rt);
    free(r);
}

static void test_random_runs(void **state)
{
    (void)state;
    const char *one = getenv("LEAT_SEED"), *longer = getenv("LEAT_LONG");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one                          ? 1
                     : longer && longer[0] == '1' ? 20000
                     : LEAT_TSAN                  ? 30
                                                  : 600; /* There a fiber costs a millisecond. */
    for (uint64_t seed = first; seed < first + count; seed++)
        run_one(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_runs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
