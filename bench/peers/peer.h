/*
 * peer.h: the work that each peer does in its own way, so that only the scheduling differs. C and C++.
 *
 * A peer's program is called with a measure's name and a number of threads, and prints one line of JSON; it exits with 3 when it has no
 * such measure.
 *
 *     fib        recursive fib, a fork and a call a node: ns a fork and join
 *     loop       10 million items of a few instructions, no grain given: ns an item
 *     pareto     10,000 items of uneven cost (alpha 1.1), in random order: ms
 *     ascending  the same, the dearest last: ms
 *     submit     a million tasks from one thread outside the pool, all waited for: million tasks a second
 *     yield      two fibers that hand over to each other: ns a turn
 *     crowd      100,000 suspended tasks: ms to suspend them the first time and again, ms to wake all, bytes each
 *     wake       from a submit to a parked pool until the task runs, 10 ms apart: us median and p99; CPU % of the process; CPU us a wake
 *                without what the measuring itself takes, which is to sleep 10 ms and to watch for the task
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PEER_LOOP_ITEMS = 10000000,
    PEER_PARETO_ITEMS = 10000,
    PEER_SUBMITS = 1000000,
    PEER_YIELDS = 2000000,
    PEER_CROWD = 100000,
    PEER_WAKES = 150,
    PEER_NO_MEASURE = 3
};

static inline int64_t peer_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline int64_t peer_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline int64_t peer_thread_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- fib ---- */

/* Forks in the tree of fib(n): one a node that is not a leaf. */
static inline double peer_fib_forks(int n)
{
    double last = 0, forks = 0;
    for (int i = 2; i <= n; i++) {
        double next = forks + last + 1;
        last = forks;
        forks = next;
    }
    return forks;
}

static inline void peer_fib_check(int n, long result)
{
    long a = 0, b = 1;
    for (int i = 0; i < n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    if (result == a) return;
    fprintf(stderr, "fib(%d) is not %ld\n", n, result);
    exit(2);
}

static inline void peer_print_fib(const char *tier, int n, int64_t ns)
{
    printf("{\"%s\":%.3f}\n", tier, (double)ns / peer_fib_forks(n));
}

/* ---- loops ---- */

static inline uint32_t peer_hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    return x;
}

static inline void peer_loop_range(uint32_t *out, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        out[i] = peer_hash((uint32_t)i);
}

/* About `cost` times a nanosecond, in a way that no compiler takes away. */
static inline uint32_t peer_spin(uint32_t cost)
{
    uint32_t x = cost | 1;
    for (uint32_t i = 0; i < cost; i++) {
        x = x * 1664525u + 1013904223u;
        __asm__ volatile("" : "+r"(x)); /* One compiler sees through the steps and takes several at once. */
    }
    return x;
}

/* Costs with a Pareto distribution of alpha 1.1, always the same; 12 ms in all or so. */
static inline uint32_t *peer_pareto_costs(int ascending)
{
    uint32_t *cost = (uint32_t *)malloc(PEER_PARETO_ITEMS * sizeof *cost), seed = 7;
    if (!cost) exit(2);
    for (int i = 0; i < PEER_PARETO_ITEMS; i++)
        cost[i] = (uint32_t)(200.0 * __builtin_pow((i + 0.5) / PEER_PARETO_ITEMS, -1 / 1.1)); /* descending */
    for (int i = 0; i < PEER_PARETO_ITEMS / 2 && ascending; i++) {
        uint32_t other = cost[i];
        cost[i] = cost[PEER_PARETO_ITEMS - 1 - i];
        cost[PEER_PARETO_ITEMS - 1 - i] = other;
    }
    for (int i = PEER_PARETO_ITEMS - 1; i > 0 && !ascending; i--) {
        seed = seed * 1664525u + 1013904223u;
        int j = (int)(seed >> 8) % (i + 1);
        uint32_t other = cost[i];
        cost[i] = cost[j];
        cost[j] = other;
    }
    return cost;
}

/* ---- figures ---- */

static inline int peer_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The best of some repeats in one process: the first ones pay for pages and threads. */
static inline double peer_best(const double *value, int count)
{
    double best = value[0];
    for (int i = 1; i < count; i++)
        if (value[i] < best) best = value[i];
    return best;
}

/* Resident bytes of this process. */
static inline double peer_resident(void)
{
    long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld", &size, &resident) != 2) exit(2);
    fclose(statm);
    return (double)resident * 4096;
}

/* ---- waking ---- */

static int64_t peer_ran_at_ns;

/* What the task of a wake does. */
static inline void peer_ran(void)
{
    __atomic_store_n(&peer_ran_at_ns, peer_now_ns(), __ATOMIC_SEQ_CST);
}

/* One wake after the other, 10 ms apart: start(arg) submits a task that calls peer_ran, end(arg), which may be NULL, does what is left then.
 * Prints the figures. The CPU of a wake is that of start, of end and of all other threads. Returns what start or end returned when not 0. */
static inline int peer_wakes(int (*start)(void *), int (*end)(void *), void *arg)
{
    double us[PEER_WAKES];
    int64_t cpu_ns = peer_cpu_ns(), wall_ns = peer_now_ns(), own_ns = 0;
    for (int i = 0; i < PEER_WAKES; i++) {
        struct timespec pause = { 0, 10000000 };
        int64_t own_from_ns = peer_thread_ns(), end_ns;
        nanosleep(&pause, NULL);
        __atomic_store_n(&peer_ran_at_ns, 0, __ATOMIC_SEQ_CST);
        own_ns += peer_thread_ns() - own_from_ns;
        int64_t begin_ns = peer_now_ns();
        int rc = start(arg);
        if (rc != 0) return rc;
        own_from_ns = peer_thread_ns();
        while (!(end_ns = __atomic_load_n(&peer_ran_at_ns, __ATOMIC_SEQ_CST)))
            ;
        own_ns += peer_thread_ns() - own_from_ns;
        us[i] = (double)(end_ns - begin_ns) / 1e3;
        rc = end ? end(arg) : 0;
        if (rc != 0) return rc;
    }
    cpu_ns = peer_cpu_ns() - cpu_ns;
    wall_ns = peer_now_ns() - wall_ns;
    qsort(us, PEER_WAKES, sizeof *us, peer_compare);
    printf("{\"median_us\":%.2f,\"p99_us\":%.2f,\"cpu_percent\":%.3f,\"wake_cpu_us\":%.2f}\n", us[PEER_WAKES / 2],
           us[PEER_WAKES * 99 / 100], 100.0 * (double)cpu_ns / (double)wall_ns,
           (double)(cpu_ns - own_ns) / 1e3 / PEER_WAKES);
    return 0;
}

#endif
