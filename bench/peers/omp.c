/* omp.c: OpenMP: built with gcc it is libgomp, with clang LLVM's. */
#include <omp.h>

#include "peer.h"

static long fib(int n)
{
    long a, b;
    if (n < 2) return n;
#pragma omp task shared(a)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static int measure_fib(void)
{
    int n = 25;
    long result = 0;
    int64_t ns = 0;
#pragma omp parallel
#pragma omp single
    {
        int64_t begin_ns = peer_now_ns();
        result = fib(n);
        ns = peer_now_ns() - begin_ns;
    }
    peer_print_fib("fork", n, ns);
    peer_fib_check(n, result);
    return 0;
}

static int measure_loop(void)
{
    uint32_t *out = calloc(PEER_LOOP_ITEMS, sizeof *out);
    double ns[7];
    for (int k = 0; k < 7; k++) {
        int64_t begin_ns = peer_now_ns();
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < PEER_LOOP_ITEMS; i++)
            out[i] = peer_hash((uint32_t)i);
        ns[k] = (double)(peer_now_ns() - begin_ns);
    }
    printf("{\"ns\":%.4f}\n", peer_best(ns, 7) / PEER_LOOP_ITEMS);
    return 0;
}

static int measure_pareto(int ascending)
{
    uint32_t *cost = peer_pareto_costs(ascending), sum = 0;
    double ns[7];
    for (int k = 0; k < 7; k++) {
        int64_t begin_ns = peer_now_ns();
#pragma omp parallel for schedule(guided) reduction(+ : sum)
        for (size_t i = 0; i < PEER_PARETO_ITEMS; i++)
            sum += peer_spin(cost[i]);
        ns[k] = (double)(peer_now_ns() - begin_ns);
    }
    printf("{\"ms\":%.3f}\n", peer_best(ns, 7) / 1e6);
    return sum == 1 ? 2 : 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    omp_set_num_threads(argc > 2 ? atoi(argv[2]) : 2);
    if (strcmp(name, "fib") == 0) return measure_fib();
    if (strcmp(name, "loop") == 0) return measure_loop();
    if (strcmp(name, "pareto") == 0) return measure_pareto(0);
    if (strcmp(name, "ascending") == 0) return measure_pareto(1);
    return PEER_NO_MEASURE;
}
