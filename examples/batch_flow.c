/*
 * batch_flow.c FILE...: a walk of the flow per file, four at once: load it, sum it up. What one node hands to the next stands in the
 * walk's own store. A file that fails does not stop the others.
 */
#include <leat/leat.h>

#include <stdio.h>

struct store {
    char **files;
    int file_count;
    char summary[64][512];
};

static leat_err files_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    for (int i = 0; i < s->file_count; i++)
        leat_param_sets_add(t, prep_res, &(leat_param){ "file", s->files[i] }, 1);
    return LEAT_OK;
}

static leat_err load_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const char *text;
    LEAT_TRY(leat_file_read(t, leat_task_param(t, "file"), &text, NULL)); /* waits, and costs no worker */
    snprintf(leat_task_walk(t), 4096, "%s", text);
    return LEAT_OK;
}

static leat_err sum_up_prep(leat_task *t, void *shared, const void **prep_res)
{
    *prep_res = leat_task_walk(t);
    return LEAT_OK;
}

static leat_err sum_up_exec(leat_task *t, const void *text, const void **summary)
{
    return leat_llm_askf(t, leat_task_self(t), summary, "%s", (const char *)text);
}

static leat_err sum_up_post(leat_task *t, void *shared, const void *text, const void *summary, const char **action)
{
    struct store *s = shared;
    snprintf(s->summary[leat_task_index(t)], 512, "%s", (const char *)summary);
    return LEAT_OK;
}

static leat_err files_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                           const char **action)
{
    const leat_walks *w = walks;
    struct store *s = shared;
    for (size_t i = 0; i < w->count; i++)
        printf("%s\n  %s\n", s->files[i], w->walk[i].error ? w->walk[i].error->text : s->summary[i]);
    printf("%zu files, %zu failed\n", w->count, w->failed);
    return LEAT_OK;
}

static const leat_node_class load = { .name = "Load", .post = load_post };
static const leat_node_class sum_up = { "SumUp", sum_up_prep, sum_up_exec, NULL, sum_up_post };

int main(int argc, char **argv)
{
    struct store store = { .files = argv + 1, .file_count = argc - 1 < 64 ? argc - 1 : 64 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:", .system = "Sum it up." }, &error);
    leat_flow_opts opts = { .batch = true, .prep = files_prep, .post = files_post, .in_flight_max = 4 };
    opts.policy = LEAT_BATCH_COLLECT, opts.walk_bytes = 4096;
    leat_flow *flow = leat_flow_new(&opts);
    leat_node *first = leat_flow_add(flow, &load, NULL);
    leat_flow_link(first, NULL, leat_flow_add(flow, &sum_up, &(leat_node_opts){ .max_attempts = 3, .self = llm }));
    if (!err) err = leat_flow_run(rt, flow, &store, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
