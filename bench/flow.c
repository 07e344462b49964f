/*
 * flow.c: what many items and many walks at once cost a flow.
 *
 *   bench_flow items   [--items N] [--workers N]           a parallel batch whose items yield once
 *   bench_flow walks   [--items N] [--workers N]           parallel walks of two nodes that yield once each
 *   bench_flow gate    [--items N] [--workers N] [--exec-ns N]  parallel walks of two nodes that compute: what the gate takes
 *                                                          of the throughput of nodes that need none
 *   bench_flow waiting [--items N] [--cap N] [--workers N] items that wait for one event, all at once or in a window of --cap
 *   bench_flow first   [--items N] [--workers N]           from the start of a batch to the first line of its first exec
 *
 * Each prints one line of JSON. Rates are of wall time, over --repeats runs on one runtime; the first run, which takes fresh
 * memory, is told apart.
 */
#include <leat/flow.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bench_util.h"

enum { REPEATS_MAX = 64 };

static struct {
    leat_runtime *rt;
    int64_t count, repeats, exec_ns;
    leat_items items;
    leat_param_sets sets;
    _Atomic int64_t done;
} bench;

static double run_s(leat_flow *flow, void *shared)
{
    leat_error error = { 0 };
    int64_t start_ns = bench_now_ns();
    leat_err err = leat_flow_run(bench.rt, flow, shared, &(leat_run_opts){ .error = &error });
    double seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    if (err != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
        exit(2);
    }
    return seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.items;
    return LEAT_OK;
}

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.sets;
    return LEAT_OK;
}

static leat_err yield_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = prep_res;
    return leat_sleep_ms(t, 0);
}

/* ---- items and walks that yield ---- */

static void rates_print(leat_flow *flow, const char *what)
{
    double seconds[REPEATS_MAX], first = run_s(flow, NULL);
    for (int64_t i = 0; i < bench.repeats; i++)
        seconds[i] = run_s(flow, NULL);
    leat_flow_free(flow);
    printf("{\"%s\":%lld,\"rate\":%.0f,\"first_rate\":%.0f}\n", what, (long long)bench.count,
           (double)bench.count / median_of(seconds, bench.repeats), (double)bench.count / first);
}

static void measure_items(void)
{
    static const leat_node_class cls = { .name = "Items", .prep = items_prep, .exec = yield_exec };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = (uint32_t)bench.count });
    rates_print(flow, "items");
}

static leat_flow *walks_new(const leat_node_class *a, const leat_node_class *b, uint32_t in_flight_max, bool concurrent)
{
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){
        .prep = sets_prep, .batch = true, .in_flight_max = in_flight_max, .concurrent_shared = concurrent });
    leat_node *first = leat_flow_add(flow, a, NULL);
    leat_flow_link(first, NULL, leat_flow_add(flow, b, NULL));
    return flow;
}

static void measure_walks(void)
{
    static const leat_node_class a = { .name = "A", .exec = yield_exec }, b = { .name = "B", .exec = yield_exec };
    rates_print(walks_new(&a, &b, (uint32_t)bench.count, false), "walks");
}

/* ---- the gate ---- */

/* As much work as --exec-ns takes when nothing else runs: counted, since looking at the clock would take no notice of others. */
static int64_t work_rounds;

static uint64_t work(int64_t rounds)
{
    uint64_t x = 88172645463325252u;
    for (int64_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

static leat_err work_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t;
    volatile uint64_t end = work(work_rounds);
    (void)end;
    *exec_res = prep_res;
    return LEAT_OK;
}

static leat_err some_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    *prep_res = shared;
    return LEAT_OK;
}

static leat_err count_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    ++*(int64_t *)shared;
    return LEAT_OK;
}

/* Without a gate it would have to guard what it writes, and that is no cost of the library's: it looks, and that is all. */
static leat_err look_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)exec_res, (void)action;
    return shared == prep_res ? LEAT_OK : LEAT_USER;
}

/* With --exec-ns 0 the walks are empty. */
static void work_set(void)
{
    double best = 1e9;
    enum { ROUNDS = 100000 };
    for (int i = 0; i < 20 && bench.exec_ns > 0; i++) {
        int64_t start_ns = bench_now_ns();
        volatile uint64_t end = work(ROUNDS);
        (void)end;
        double ns = (double)(bench_now_ns() - start_ns) / ROUNDS;
        if (ns < best) best = ns;
    }
    work_rounds = (int64_t)((double)bench.exec_ns / best);
}

enum { GATED, CONCURRENT, BARE, WAYS };

/* In rounds of short runs, each beside the others of its round: what disturbs one disturbs all, and the median of the losses is
 * that of a quiet moment. */
static void measure_gate(void)
{
    static const leat_node_class gated = { .name = "Gated", .prep = some_prep, .exec = work_exec, .post = count_post };
    static const leat_node_class open = { .name = "Open", .prep = some_prep, .exec = work_exec, .post = look_post };
    static const leat_node_class bare = { .name = "Bare", .exec = work_exec };
    double rate[WAYS][REPEATS_MAX], loss[WAYS][REPEATS_MAX];
    leat_flow *flow[WAYS] = { walks_new(&gated, &gated, 64, false), walks_new(&open, &open, 64, true),
                              walks_new(&bare, &bare, 64, false) };
    int64_t shared = 0;
    work_set();
    for (int way = 0; way < WAYS; way++)
        (void)run_s(flow[way], &shared);
    for (int64_t i = 0; i < bench.repeats; i++) {
        for (int way = 0; way < WAYS; way++)
            rate[way][i] = (double)bench.count / run_s(flow[way], &shared);
        for (int way = 0; way < WAYS; way++)
            loss[way][i] = 100 * (1 - rate[way][i] / rate[BARE][i]);
    }
    for (int way = 0; way < WAYS; way++)
        leat_flow_free(flow[way]);
    printf("{\"walks\":%lld,\"exec_ns\":%lld,\"bare_rate\":%.0f,\"gated_loss\":%.2f,\"concurrent_loss\":%.2f}\n",
           (long long)bench.count, (long long)bench.exec_ns, median_of(rate[BARE], bench.repeats),
           median_of(loss[GATED], bench.repeats), median_of(loss[CONCURRENT], bench.repeats));
}

/* ---- items that wait ---- */

static struct {
    leat_semaphore *event;
    int64_t cap;
    _Atomic int64_t waiting;
    int64_t all_bytes, woken_ns;
} wait;

/* Without stdio, which would use more of an item's stack than the item itself. */
static int64_t resident_bytes(void)
{
    static char text[64];
    static int fd = -1;
    if (fd < 0) fd = open("/proc/self/statm", O_RDONLY);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    const char *resident = n > 0 ? strchr(text, ' ') : NULL;
    if (!resident) bench_die("/proc/self/statm");
    return strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

/* The last one to come looks at the memory and wakes all; in a window the last one that fits in wakes those. */
static leat_err wait_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    int64_t now = atomic_fetch_add(&wait.waiting, 1) + 1;
    bool last = now % wait.cap == 0 || now == bench.count;
    if (!last) return leat_semaphore_acquire(t, wait.event);
    (void)prep_res;
    int64_t bytes = resident_bytes();
    if (bytes > wait.all_bytes) wait.all_bytes = bytes;
    wait.woken_ns = bench_now_ns();
    int64_t others = now % wait.cap == 0 ? wait.cap - 1 : now % wait.cap - 1;
    for (int64_t i = 0; i < others; i++)
        leat_semaphore_release(wait.event);
    return LEAT_OK;
}

static leat_err wait_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                          const leat_error *error)
{
    (void)t, (void)shared, (void)index, (void)item, (void)value, (void)error;
    return LEAT_OK;
}

static void measure_waiting(void)
{
    static const leat_node_class cls = { .name = "Waiting", .prep = items_prep, .exec = wait_exec };
    if (leat_semaphore_new(&wait.event, 0) != LEAT_OK) bench_die("semaphore");
    leat_flow *flow = leat_flow_new(NULL);
    /* In a window the results go as they come, so that nothing grows with the number of items. */
    leat_flow_add(flow, &cls,
                  &(leat_node_opts){ .batch = true,
                                     .in_flight_max = (uint32_t)wait.cap,
                                     .each = wait.cap < bench.count ? wait_each : NULL });
    int64_t before = resident_bytes(), start_ns = bench_now_ns();
    (void)run_s(flow, NULL);
    int64_t end_ns = bench_now_ns(), peak = (int64_t)bench_rss_kb() * 1024;
    leat_flow_free(flow);
    leat_semaphore_free(wait.event);
    printf("{\"items\":%lld,\"cap\":%lld,\"bytes_each\":%.0f,\"peak_bytes\":%lld,\"seconds\":%.4f,\"woken_ms\":%.1f}\n",
           (long long)bench.count, (long long)wait.cap, (double)(wait.all_bytes - before) / (double)wait.cap,
           (long long)(peak - before), (double)(end_ns - start_ns) / 1e9, (double)(end_ns - wait.woken_ns) / 1e6);
}

/* ---- the first exec ---- */

static _Atomic int64_t first_ns;

static leat_err first_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    int64_t none = 0;
    (void)t;
    *exec_res = prep_res;
    if (atomic_load_explicit(&first_ns, memory_order_relaxed) == 0)
        atomic_compare_exchange_strong(&first_ns, &none, bench_now_ns());
    return LEAT_OK;
}

static void measure_first(void)
{
    static const leat_node_class cls = { .name = "First", .prep = items_prep, .exec = first_exec };
    double us[REPEATS_MAX];
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = (uint32_t)bench.count });
    for (int64_t i = 0; i < bench.repeats; i++) {
        int64_t start_ns = bench_now_ns();
        atomic_store(&first_ns, 0);
        (void)run_s(flow, NULL);
        us[i] = (double)(atomic_load(&first_ns) - start_ns) / 1e3;
    }
    leat_flow_free(flow);
    double fresh = us[0];
    printf("{\"items\":%lld,\"first_exec_us\":%.1f,\"fresh_us\":%.1f}\n", (long long)bench.count,
           median_of(us, bench.repeats), fresh);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(void);
    } measures[] = { { "items", measure_items },
                     { "walks", measure_walks },
                     { "gate", measure_gate },
                     { "waiting", measure_waiting },
                     { "first", measure_first } };
    bench.count = bench_arg_i64(argc, argv, "--items", 100000);
    bench.repeats = bench_arg_i64(argc, argv, "--repeats", 5);
    bench.exec_ns = bench_arg_i64(argc, argv, "--exec-ns", 2000);
    wait.cap = bench_arg_i64(argc, argv, "--cap", bench.count);
    if (bench.count < 1 || bench.repeats < 1 || bench.repeats > REPEATS_MAX || wait.cap < 1) bench_die("arguments");
    const void **item = malloc((size_t)bench.count * sizeof *item);
    leat_param_set *set = calloc((size_t)bench.count, sizeof *set);
    if (!item || !set) bench_die("out of memory");
    for (int64_t i = 0; i < bench.count; i++)
        item[i] = &bench;
    bench.items = (leat_items){ .item = item, .count = (size_t)bench.count };
    bench.sets = (leat_param_sets){ .set = set, .count = (size_t)bench.count };
    leat_runtime_opts opts = { .worker_count = (uint32_t)bench_arg_i64(argc, argv, "--workers", 2) };
    if (leat_runtime_new(&bench.rt, &opts) != LEAT_OK) bench_die("runtime");
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        if (argc < 2 || strcmp(argv[1], measures[i].name) != 0) continue;
        measures[i].measure();
        leat_runtime_free(bench.rt);
        return 0;
    }
    fprintf(stderr, "usage: bench_flow items | walks | gate | waiting | first [--items N] ...\n");
    return 2;
}
