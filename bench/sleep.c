/*
 * sleep.c: a parallel batch whose items only wait: 100,000 items that sleep 10 ms, at most 10,000 at once.
 *
 *   bench_sleep [--items N] [--cap N] [--sleep-ms N] [--workers N]
 *
 * The ideal is that of a machine to which starting and ending an item costs nothing: items / cap rounds of the sleep.
 */
#include <leat/flow.h>
#include <stdatomic.h>

#include "bench_util.h"

static struct {
    int64_t items, sleep_ms, start_ns;
    leat_items list;
    _Atomic int64_t first_ns, done;
} bench;

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.list;
    return LEAT_OK;
}

static leat_err item_exec(leat_task *t, const void *item, const void **exec_res)
{
    (void)item, (void)exec_res;
    if (atomic_load_explicit(&bench.first_ns, memory_order_relaxed) == 0) {
        int64_t none = 0;
        atomic_compare_exchange_strong(&bench.first_ns, &none, bench_now_ns());
    }
    LEAT_TRY(leat_sleep_ms(t, bench.sleep_ms));
    atomic_fetch_add_explicit(&bench.done, 1, memory_order_relaxed);
    return LEAT_OK;
}

static const leat_node_class sleeper = { .name = "Sleeper", .prep = items_prep, .exec = item_exec };

int main(int argc, char **argv)
{
    bench.items = bench_arg_i64(argc, argv, "--items", 100000);
    bench.sleep_ms = bench_arg_i64(argc, argv, "--sleep-ms", 10);
    int64_t cap = bench_arg_i64(argc, argv, "--cap", 10000);
    const void **item = malloc((size_t)bench.items * sizeof *item);
    if (!item) bench_die("out of memory");
    for (int64_t i = 0; i < bench.items; i++)
        item[i] = &bench;
    bench.list = (leat_items){ .item = item, .count = (size_t)bench.items };

    leat_runtime *rt;
    leat_runtime_opts opts = { .worker_count = (uint32_t)bench_arg_i64(argc, argv, "--workers", 0) };
    if (leat_runtime_new(&rt, &opts) != LEAT_OK) bench_die("runtime");
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &sleeper, &(leat_node_opts){ .batch = true, .in_flight_max = (uint32_t)cap });
    bench.start_ns = bench_now_ns();
    leat_error error = { 0 };
    leat_err err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    double seconds = (double)(bench_now_ns() - bench.start_ns) / 1e9;
    if (err != LEAT_OK || bench.done != bench.items) {
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
        return 2;
    }
    int64_t rounds = (bench.items + cap - 1) / cap;
    double ideal = (double)(rounds * bench.sleep_ms) / 1e3;
    leat_flow_free(flow);
    leat_runtime_free(rt);
    printf("{\"items\":%lld,\"cap\":%lld,\"seconds\":%.4f,\"ideal\":%.4f,\"ratio\":%.3f,\"first_exec_us\":%.1f,\"rss_kb\":%"
           "ld}\n",
           (long long)bench.items, (long long)cap, seconds, ideal, seconds / ideal,
           (double)(bench.first_ns - bench.start_ns) / 1e3, bench_rss_kb());
    return 0;
}
