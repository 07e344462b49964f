/*
 * gather.c: several calls at once inside one node, like asyncio.gather: start them, then await them all.
 */
#include <leat/leat.h>

#include <stdio.h>

#define COUNT 5

/* One call: a task of its own. Its result lives until the visit of the node that started it ends. */
static leat_err fetch(leat_task *t, void *arg, const void **result)
{
    const char *city = arg;
    LEAT_TRY(leat_sleep_ms(t, 100));
    if (city[0] == 'A') return leat_task_fail(t, LEAT_NET, "no answer from %s", city);
    *result = leat_task_printf(t, "sunny in %s", city);
    return LEAT_OK;
}

static leat_err gather_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    static char cities[COUNT][16] = { "London", "Paris", "Atlantis", "Rome", "Oslo" };
    leat_future *futures[COUNT];
    int64_t begin_ns = leat_task_now_ns(t);
    for (size_t i = 0; i < COUNT; i++)
        futures[i] = leat_task_start(t, fetch, cities[i]);
    /* Waits for all, the failed ones too, and gives the first failure; each future still tells its own. */
    leat_err err = leat_await_all(t, futures, COUNT);
    printf("all: %s\n", err == LEAT_OK ? "good" : leat_err_name(err));
    for (size_t i = 0; i < COUNT; i++) {
        const void *report = NULL;
        if (leat_await(t, futures[i], &report) == LEAT_OK)
            printf("  %s\n", (const char *)report);
        else
            printf("  failed: %s\n", leat_future_error(futures[i])->text);
    }
    int64_t ms = (leat_task_now_ns(t) - begin_ns) / 1000000;
    *exec_res = ms < 100 * COUNT ? "They waited at the same time." : "They waited one after another.";
    return LEAT_OK;
}

static leat_err gather_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    printf("%s\n", (const char *)exec_res);
    return LEAT_OK;
}

static const leat_node_class gather = { .name = "Gather", .exec = gather_exec, .post = gather_post };

int main(void)
{
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &gather, NULL);
    leat_err err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
