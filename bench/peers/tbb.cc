// tbb.cc: oneTBB.
#include <atomic>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "peer.h"

static long fib(int n)
{
    if (n < 2) return n;
    long a, b;
    tbb::parallel_invoke([&] { a = fib(n - 1); }, [&] { b = fib(n - 2); });
    return a + b;
}

static int measure_fib()
{
    int n = 30;
    int64_t begin_ns = peer_now_ns();
    long result = fib(n);
    peer_print_fib("fork", n, peer_now_ns() - begin_ns);
    peer_fib_check(n, result);
    return 0;
}

static int measure_loop()
{
    uint32_t *out = static_cast<uint32_t *>(calloc(PEER_LOOP_ITEMS, sizeof *out));
    double ns[7];
    for (double &one : ns) {
        int64_t begin_ns = peer_now_ns();
        tbb::parallel_for(tbb::blocked_range<size_t>(0, PEER_LOOP_ITEMS),
                          [=](const tbb::blocked_range<size_t> &r) { peer_loop_range(out, r.begin(), r.end()); });
        one = static_cast<double>(peer_now_ns() - begin_ns);
    }
    printf("{\"ns\":%.4f}\n", peer_best(ns, 7) / PEER_LOOP_ITEMS);
    return 0;
}

static int measure_pareto(int ascending)
{
    uint32_t *cost = peer_pareto_costs(ascending);
    std::atomic<uint32_t> sum(0);
    double ns[7];
    for (double &one : ns) {
        int64_t begin_ns = peer_now_ns();
        tbb::parallel_for(tbb::blocked_range<size_t>(0, PEER_PARETO_ITEMS), [&](const tbb::blocked_range<size_t> &r) {
            uint32_t part = 0;
            for (size_t i = r.begin(); i < r.end(); i++)
                part += peer_spin(cost[i]);
            sum.fetch_add(part, std::memory_order_relaxed);
        });
        one = static_cast<double>(peer_now_ns() - begin_ns);
    }
    printf("{\"ms\":%.3f}\n", peer_best(ns, 7) / 1e6);
    return 0;
}

static int measure_submit(tbb::task_arena &arena)
{
    std::atomic<long> done(0);
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < PEER_SUBMITS; i++)
        arena.enqueue([&] { done.fetch_add(1, std::memory_order_relaxed); });
    while (done.load() < PEER_SUBMITS)
        ;
    printf("{\"million_per_s\":%.3f}\n", PEER_SUBMITS * 1e3 / static_cast<double>(peer_now_ns() - begin_ns));
    return 0;
}

static int enqueues_one(void *arg)
{
    static_cast<tbb::task_arena *>(arg)->enqueue([] { peer_ran(); });
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    int threads = argc > 2 ? atoi(argv[2]) : 2;
    bool outside = strcmp(name, "submit") == 0 || strcmp(name, "wake") == 0; // the submitting thread is not one of them
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads + outside));
    tbb::task_arena arena(threads + outside, outside);
    if (strcmp(name, "fib") == 0) return measure_fib();
    if (strcmp(name, "loop") == 0) return measure_loop();
    if (strcmp(name, "pareto") == 0) return measure_pareto(0);
    if (strcmp(name, "ascending") == 0) return measure_pareto(1);
    if (strcmp(name, "submit") == 0) return measure_submit(arena);
    if (strcmp(name, "wake") == 0) return peer_wakes(enqueues_one, nullptr, &arena);
    return PEER_NO_MEASURE;
}
