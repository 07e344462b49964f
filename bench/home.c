/*
 * home.c: what it costs that a task which has waited goes on on its own worker: documents whose answers wake some CPU work each.
 *
 *   bench_home [--items N] [--cap N] [--work-us N] [--wait-ms N] [--workers N] [--spread]
 *
 * An item waits (0.5 to 1.5 times --wait-ms, as for an answer), then computes. What it computes is uneven: most take less than
 * --work-us, each tenth five times that much. --cap is chosen so that the workers are never idle for want of answers. With --spread the
 * computing is a leat_for over its pieces, which other workers may take.
 *
 * The ideal is computed: the same items with the same times through one line in front of all workers, so that none is idle while anything
 * is ready; the price of a piece of work is measured first, on all workers at once.
 */
#include <leat/flow.h>
#include <leat/fork.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bench_util.h"

enum { PIECES = 20, WORKERS_MAX = 64 };

struct item {
    int64_t wait_ms;
    uint32_t pieces; /* of work */
    _Atomic uint32_t sum;
};

static struct {
    struct item *item;
    leat_items list;
    uint32_t piece_steps;
    bool spread;
} bench;

static uint32_t piece(uint32_t x)
{
    for (uint32_t i = 0; i < bench.piece_steps; i++) {
        x = x * 1664525u + 1013904223u;
        __asm__ volatile("" : "+r"(x)); /* No compiler takes several steps at once. */
    }
    return x;
}

static void pieces(void *arg, size_t begin, size_t end)
{
    struct item *item = arg;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add_explicit(&item->sum, piece((uint32_t)i), memory_order_relaxed);
}

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.list;
    return LEAT_OK;
}

static leat_err item_exec(leat_task *t, const void *arg, const void **exec_res)
{
    struct item *item = (struct item *)(uintptr_t)arg;
    (void)exec_res;
    LEAT_TRY(leat_sleep_ms(t, item->wait_ms));
    if (bench.spread) return leat_for(t, item->pieces, pieces, item);
    pieces(item, 0, item->pieces);
    return LEAT_OK;
}

static const leat_node_class document = { .name = "Document", .prep = items_prep, .exec = item_exec };

/* ---- the ideal ---- */

static int64_t thread_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void *works(void *ns)
{
    static _Atomic uint32_t sink;
    int64_t begin_ns = thread_cpu_ns();
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 2000; i++)
        sum += piece(i);
    atomic_fetch_add_explicit(&sink, sum, memory_order_relaxed);
    *(double *)ns = (double)(thread_cpu_ns() - begin_ns) / 2000;
    return NULL;
}

/* The price of a piece while as many threads compute as there will be workers; the mean of theirs. */
static double piece_ns(int64_t workers)
{
    pthread_t thread[WORKERS_MAX];
    double ns[WORKERS_MAX], sum = 0;
    for (int64_t i = 0; i < workers; i++)
        if (pthread_create(&thread[i], NULL, works, &ns[i]) != 0) bench_die("thread");
    for (int64_t i = 0; i < workers; i++) {
        pthread_join(thread[i], NULL);
        sum += ns[i];
    }
    return sum / (double)workers;
}

/* The index of the least of `count` times. */
static int64_t first_of(const double *when, int64_t count)
{
    int64_t first = 0;
    for (int64_t i = 1; i < count; i++)
        if (when[i] < when[first]) first = i;
    return first;
}

/* Seconds until all have ended: `cap` places, each with one item after another; the answer that comes first is worked on first. */
static double ideal_s(int64_t count, int64_t cap, int64_t workers, double ns)
{
    double *ready = malloc((size_t)cap * sizeof *ready), idle[WORKERS_MAX] = { 0 }, last = 0;
    int64_t *who = malloc((size_t)cap * sizeof *who), next = 0, places = 0;
    if (!ready || !who) bench_die("out of memory");
    for (; places < cap && next < count; places++, next++) {
        who[places] = next;
        ready[places] = (double)bench.item[next].wait_ms / 1e3;
    }
    for (int64_t left = count; left > 0; left--) {
        int64_t place = first_of(ready, places), worker = first_of(idle, workers);
        double begin = ready[place] > idle[worker] ? ready[place] : idle[worker];
        double end = begin + bench.item[who[place]].pieces * ns / 1e9;
        idle[worker] = end;
        if (end > last) last = end;
        if (next < count) {
            ready[place] = end + (double)bench.item[next].wait_ms / 1e3;
            who[place] = next++;
        } else {
            ready[place] = 1e18;
        }
    }
    free(ready);
    free(who);
    return last;
}

static void items_make(int64_t count, int64_t wait_ms)
{
    const void **list = malloc((size_t)count * sizeof *list);
    uint32_t seed = 7;
    bench.item = calloc((size_t)count, sizeof *bench.item);
    if (!list || !bench.item) bench_die("out of memory");
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        bench.item[i].wait_ms = wait_ms / 2 + (int64_t)(seed >> 8) % (wait_ms + 1);
        seed = seed * 1664525u + 1013904223u;
        bench.item[i].pieces = (seed >> 8) % 10 == 0 ? PIECES * 5 : PIECES / 4 + (seed >> 16) % (PIECES / 2);
        list[i] = &bench.item[i];
    }
    bench.list = (leat_items){ .item = list, .count = (size_t)count };
}

int main(int argc, char **argv)
{
    int64_t count = bench_arg_i64(argc, argv, "--items", 4000), workers = bench_arg_i64(argc, argv, "--workers", 2);
    int64_t cap = bench_arg_i64(argc, argv, "--cap", 200), wait_ms = bench_arg_i64(argc, argv, "--wait-ms", 50);
    int64_t work_us = bench_arg_i64(argc, argv, "--work-us", 1000);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--spread") == 0) bench.spread = true;
    if (count < 1 || cap < 1 || wait_ms < 1 || work_us < 1 || workers < 1 || workers > WORKERS_MAX) {
        fprintf(stderr, "bench_home: an argument is out of range\n");
        return 2;
    }
    items_make(count, wait_ms);
    bench.piece_steps = 10000;
    bench.piece_steps = (uint32_t)(10000.0 * (double)work_us * 1e3 / PIECES / piece_ns(workers)) + 1;
    leat_runtime *rt;
    leat_runtime_opts opts = { .worker_count = (uint32_t)workers };
    if (leat_runtime_new(&rt, &opts) != LEAT_OK) bench_die("runtime");
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &document, &(leat_node_opts){ .batch = true, .in_flight_max = (uint32_t)cap });
    double before_ns = piece_ns(workers);
    int64_t begin_ns = bench_now_ns();
    leat_error error = { 0 };
    leat_err err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    double seconds = (double)(bench_now_ns() - begin_ns) / 1e9;
    if (err != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
        return 2;
    }
    leat_flow_free(flow);
    leat_runtime_free(rt);
    double ideal = ideal_s(count, cap, workers, (before_ns + piece_ns(workers)) / 2);
    printf("{\"items\":%lld,\"cap\":%lld,\"seconds\":%.4f,\"ideal\":%.4f,\"loss_percent\":%.2f}\n", (long long)count,
           (long long)cap, seconds, ideal, 100 * (seconds / ideal - 1));
    free((void *)(uintptr_t)bench.list.item);
    free(bench.item);
    return 0;
}
