/*
 * limiter.c: what a grant costs: acquire and settle when nobody waits, and when 10,000 tasks wait for one slot.
 *
 *   bench_limiter [--grants N] [--waiters N] [--workers N]
 */
#include <leat/limiter.h>

#include "bench_util.h"

static struct {
    leat_limiter *limiter;
    int64_t grants, each;
    double ns;
} bench;

static const leat_cost guess = { .input = 700, .output = 100 }, used = { .input = 650, .output = 80 };

static void check(leat_err err, const char *what)
{
    if (err == LEAT_OK) return;
    fprintf(stderr, "%s: %s\n", what, leat_err_sentence(err));
    exit(2);
}

static void requests_make(leat_task *t, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        leat_grant g;
        check(leat_limiter_acquire(t, bench.limiter, guess, &g), "acquire");
        leat_limiter_settle(bench.limiter, g, used);
    }
}

static leat_err alone(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    requests_make(t, bench.grants / 10);
    int64_t start_ns = bench_cpu_ns();
    requests_make(t, bench.grants);
    bench.ns = (double)(bench_cpu_ns() - start_ns) / (double)bench.grants;
    return LEAT_OK;
}

/* Asks again and again; the await of a yield between grant and settle keeps the slot taken, so that all others queue. */
static leat_err one_of_many(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (int64_t i = 0; i < bench.each; i++) {
        leat_grant g;
        LEAT_TRY(leat_limiter_acquire(t, bench.limiter, guess, &g));
        leat_limiter_settle(bench.limiter, g, used);
    }
    return LEAT_OK;
}

static leat_err crowd(leat_task *t, void *arg, const void **result)
{
    (void)result;
    int64_t count = *(int64_t *)arg;
    leat_grant g;
    leat_future **f = leat_task_alloc(t, (size_t)count * sizeof(leat_future *));
    if (!f) return LEAT_NOMEM;
    LEAT_TRY(leat_limiter_acquire(t, bench.limiter, guess, &g));
    for (int64_t i = 0; i < count; i++)
        f[i] = leat_task_start(t, one_of_many, NULL);
    for (leat_limiter_stats s = { 0 }; s.waiting < count; leat_limiter_read(bench.limiter, &s))
        LEAT_TRY(leat_sleep_ms(t, 1));
    int64_t start_ns = bench_cpu_ns();
    leat_limiter_settle(bench.limiter, g, used);
    LEAT_TRY(leat_await_all(t, f, (size_t)count));
    bench.ns = (double)(bench_cpu_ns() - start_ns) / (double)(count * bench.each);
    return LEAT_OK;
}

int main(int argc, char **argv)
{
    int64_t waiters = bench_arg_i64(argc, argv, "--waiters", 10000);
    leat_runtime *rt;
    bench.grants = bench_arg_i64(argc, argv, "--grants", 1000000);
    bench.each = bench.grants / waiters / 2 + 1;
    leat_runtime_opts opts = { .worker_count = (uint32_t)bench_arg_i64(argc, argv, "--workers", 1) };
    check(leat_runtime_new(&rt, &opts), "runtime");

    leat_limiter_opts limits = { .requests_per_min = 60e9, .tokens_per_min = 1e15, .in_flight_max = 100 };
    check(leat_limiter_new(&bench.limiter, &limits), "limiter");
    check(leat_task_run(rt, alone, NULL, NULL), "alone");
    double alone_ns = bench.ns;
    leat_limiter_free(bench.limiter);

    limits.in_flight_max = 1;
    check(leat_limiter_new(&bench.limiter, &limits), "limiter");
    check(leat_task_run(rt, crowd, &waiters, NULL), "crowd");
    leat_limiter_free(bench.limiter);
    leat_runtime_free(rt);
    printf("{\"alone_ns\":%.1f,\"waiters\":%lld,\"crowd_ns\":%.1f}\n", alone_ns, (long long)waiters, bench.ns);
    return 0;
}
