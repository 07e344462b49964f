/*
 * map_reduce.c FILE...: sums up each file, all at once, and then the summaries: a batch node, and a node behind it.
 */
#include <leat/leat.h>

#include <stdio.h>

struct store {
    char **files;
    int file_count;
    char notes[8192]; /* between the two nodes */
};

static leat_err map_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    for (int i = 0; i < s->file_count; i++)
        leat_items_add(t, prep_res, s->files[i]);
    return LEAT_OK;
}

static leat_err map_exec(leat_task *t, const void *file, const void **exec_res)
{
    const char *text;
    LEAT_TRY(leat_file_read(t, file, &text, NULL));
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", text);
}

static leat_err map_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *summaries = exec_res; /* in the order of the files, whatever the order in which they came */
    struct store *s = shared;
    size_t at = 0;
    for (size_t i = 0; i < summaries->count && at < sizeof s->notes; i++)
        at += (size_t)snprintf(s->notes + at, sizeof s->notes - at, "%s\n", (const char *)summaries->value[i]);
    printf("Notes:\n%s", s->notes);
    return LEAT_OK;
}

static leat_err reduce_prep(leat_task *t, void *shared, const void **prep_res)
{
    *prep_res = ((struct store *)shared)->notes;
    return LEAT_OK;
}

static leat_err reduce_exec(leat_task *t, const void *notes, const void **exec_res)
{
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", (const char *)notes);
}

static leat_err reduce_post(leat_task *t, void *shared, const void *notes, const void *text, const char **action)
{
    printf("All of it:\n%s\n", (const char *)text);
    return LEAT_OK;
}

static const leat_node_class map = { "Map", map_prep, map_exec, NULL, map_post };
static const leat_node_class reduce = { "Reduce", reduce_prep, reduce_exec, NULL, reduce_post };

int main(int argc, char **argv)
{
    struct store store = { .files = argv + 1, .file_count = argc - 1 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:", .system = "Sum it up." }, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &map, &(leat_node_opts){ .batch = true, .in_flight_max = 16, .self = llm });
    leat_flow_link(first, NULL, leat_flow_add(flow, &reduce, &(leat_node_opts){ .self = llm }));
    if (!err) err = leat_flow_run(rt, flow, &store, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
