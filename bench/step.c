/*
 * step.c: what the flow itself costs: a step of a loop of two trivial nodes, how much of it is the gate when nobody contends, and
 * an item of a sequential batch.
 *
 *   bench_step [--steps N] [--items N]
 *
 * CPU time of one worker. The gate's part is the difference between a loop with it and the same loop without it, which take turns.
 */
#include <leat/flow.h>
#include <stdbool.h>

#include "bench_util.h"

static struct {
    int64_t left;
    leat_items list;
    const void **item;
} bench;

static leat_err step_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t;
    *exec_res = prep_res;
    return LEAT_OK;
}

static leat_err step_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)shared, (void)prep_res, (void)exec_res;
    *action = --bench.left > 0 ? "default" : "stop";
    return LEAT_OK;
}

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.list;
    return LEAT_OK;
}

static const leat_node_class ping = { .name = "Ping", .exec = step_exec, .post = step_post };
static const leat_node_class pong = { .name = "Pong", .exec = step_exec, .post = step_post };
static const leat_node_class batch = { .name = "Batch", .prep = items_prep, .exec = step_exec };

/* The loop ends by an action that leads nowhere, which the library warns of: here it is meant. */
static void quiet(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

/* CPU seconds of one run, its start and end included. */
static double run_s(leat_runtime *rt, leat_flow *flow)
{
    leat_error error = { 0 };
    int64_t start_ns = bench_cpu_ns();
    leat_err err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    double seconds = (double)(bench_cpu_ns() - start_ns) / 1e9;
    if (err != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
        exit(2);
    }
    return seconds;
}

/* The loop, with the gate or without it. */
static leat_flow *loop_new(bool concurrent_shared)
{
    leat_flow *loop = leat_flow_new(&(leat_flow_opts){ .concurrent_shared = concurrent_shared });
    leat_node *a = leat_flow_add(loop, &ping, NULL), *b = leat_flow_add(loop, &pong, NULL);
    leat_flow_link(a, "default", b);
    leat_flow_link(b, "default", a);
    return loop;
}

static double loop_ns(leat_runtime *rt, leat_flow *loop, int64_t steps)
{
    bench.left = steps;
    return run_s(rt, loop) * 1e9 / (double)steps;
}

static void measure_step(leat_runtime *rt, int64_t steps, double *step_ns, double *gate_ns)
{
    enum { TURNS = 5 };
    double gated = 0, open = 0;
    leat_flow *loop[2] = { loop_new(false), loop_new(true) };
    (void)loop_ns(rt, loop[0], steps / 10);
    *step_ns = loop_ns(rt, loop[0], steps);
    for (int i = 0; i < TURNS; i++) {
        gated += loop_ns(rt, loop[0], steps / TURNS);
        open += loop_ns(rt, loop[1], steps / TURNS);
    }
    *gate_ns = (gated - open) / TURNS;
    leat_flow_free(loop[0]);
    leat_flow_free(loop[1]);
}

static double measure_item(leat_runtime *rt, int64_t items)
{
    bench.item = malloc((size_t)items * sizeof *bench.item);
    if (!bench.item) bench_die("out of memory");
    for (int64_t i = 0; i < items; i++)
        bench.item[i] = &bench;
    leat_flow *sequence = leat_flow_new(NULL);
    leat_flow_add(sequence, &batch, &(leat_node_opts){ .batch = true });
    bench.list = (leat_items){ .item = bench.item, .count = (size_t)items / 10 };
    (void)run_s(rt, sequence);
    bench.list.count = (size_t)items;
    double item_ns = run_s(rt, sequence) * 1e9 / (double)items;
    leat_flow_free(sequence);
    return item_ns;
}

int main(int argc, char **argv)
{
    int64_t steps = bench_arg_i64(argc, argv, "--steps", 2000000), items = bench_arg_i64(argc, argv, "--items", 2000000);
    double step_ns, gate_ns;
    leat_runtime *rt;
    if (leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1, .log = quiet }) != LEAT_OK) bench_die("runtime");
    measure_step(rt, steps, &step_ns, &gate_ns);
    double item_ns = measure_item(rt, items);
    leat_runtime_free(rt);
    printf("{\"steps\":%lld,\"step_ns\":%.1f,\"gate_ns\":%.1f,\"items\":%lld,\"item_ns\":%.1f}\n", (long long)steps, step_ns,
           gate_ns, (long long)items, item_ns);
    return 0;
}
