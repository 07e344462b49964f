/*
 * batch_node.c: one call of exec per item. A thousand sales are cut into chunks; each chunk is added up, and post gets the sums in
 * the order of the chunks. `.in_flight_max = 8` would work on eight chunks at once, and change nothing else.
 */
#include <leat/leat.h>

#include <stdio.h>

struct chunk {
    const int *sale;
    size_t count;
};

struct report {
    int sales[1000];
    long total;
};

static leat_err cut_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct report *r = shared;
    for (size_t at = 0; at < 1000; at += 256) {
        struct chunk *c = leat_task_alloc(t, sizeof *c); /* lives until post has returned */
        if (!c) return LEAT_NOMEM;
        *c = (struct chunk){ &r->sales[at], at + 256 < 1000 ? 256 : 1000 - at };
        leat_items_add(t, prep_res, c);
    }
    return LEAT_OK;
}

static leat_err sum_exec(leat_task *t, const void *item, const void **exec_res)
{
    const struct chunk *c = item;
    long *sum = leat_task_alloc(t, sizeof *sum);
    if (!sum) return LEAT_NOMEM;
    for (size_t i = 0; i < c->count; i++)
        *sum += c->sale[i];
    *exec_res = sum;
    return LEAT_OK;
}

static leat_err total_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *sums = exec_res;
    struct report *r = shared;
    for (size_t i = 0; i < sums->count; i++) {
        printf("chunk %zu: %ld\n", i, *(const long *)sums->value[i]);
        r->total += *(const long *)sums->value[i];
    }
    return LEAT_OK;
}

static const leat_node_class add_up = { "AddUp", cut_prep, sum_exec, NULL, total_post };

int main(void)
{
    struct report report = { 0 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    for (int i = 0; i < 1000; i++)
        report.sales[i] = i * 37 % 101;
    leat_err err = leat_runtime_new(&rt, NULL);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &add_up, &(leat_node_opts){ .batch = true });
    if (!err) err = leat_flow_run(rt, flow, &report, &(leat_run_opts){ .error = &error });
    if (!err) printf("total: %ld\n", report.total);
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
