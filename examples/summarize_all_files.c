/*
 * summarize_all_files.c: a batch of flows. One flow summarizes one file, by its param "filename"; the batch flow walks through it
 * once per file, one after another, or eight at once: one number says which.
 *
 * The summaries come from an LLM endpoint over HTTP; the base URL "mock:" starts the embedded one in this process, so no key and
 * no network is needed. Give another URL as argument, and OPENAI_API_KEY, and the same program asks that.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

struct file {
    const char *name, *content;
    char summary[512];
};

static struct file files[] = {
    { "leat.txt",
      "A leat is a channel that carries water to a mill. Somebody dug it along the slope, mile after mile, with a spade. "
      "It falls just enough for the water to run, and no more. Sheep drink from it. Children sail paper boats. In winter it "
      "freezes, and then there is no bread. The water of the leat turns the wheel of the mill, and the mill grinds the corn "
      "of the whole valley. Who owns the leat owns the valley, people say. It is not true, but the miller likes to hear it. "
      "A good leat needs no repair for a hundred years. A bad leat floods the meadows every spring.",
      "" },
    { "sluice.txt",
      "Where the leat leaves the river there is a sluice. It has a gate of oak. The gate lets through just as much water as "
      "the mill can take. After rain the river rises, and the gate goes down. In a dry summer the gate stands open day and "
      "night. Nobody has to watch it: a float moves the gate, and the water moves the float. The old sluice had a man "
      "instead of a float. He slept in a hut, and he drank. Without the sluice the first flood would break the wheel, and "
      "without the wheel the water would only be water.",
      "" },
    { "empty.txt", "", "" },
};
enum { FILE_COUNT = sizeof files / sizeof files[0] };

static struct file *file_find(const char *name)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (strcmp(files[i].name, name) == 0) return &files[i];
    return NULL;
}

static leat_err summarize_prep(leat_task *t, void *shared, const void **prep_res)
{
    const struct file *f = file_find(leat_task_param(t, "filename"));
    *prep_res = f ? f->content : "";
    return LEAT_OK;
}

static leat_err summarize_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *content = prep_res;
    if (content[0] == '\0') return leat_task_fail(t, LEAT_USER, "file content is empty");
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", content);
}

static leat_err summarize_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    *exec_res = leat_task_printf(t, "Unable to complete async call: %s", cause->text);
    return LEAT_OK;
}

static leat_err summarize_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct file *f = file_find(leat_task_param(t, "filename"));
    snprintf(f->summary, sizeof f->summary, "%s", (const char *)exec_res);
    *action = "default";
    return LEAT_OK;
}

static const leat_node_class summarize_file = { "SummarizeFile", summarize_prep, summarize_exec, summarize_fallback,
                                                summarize_post };

/* One param set per file. */
static leat_err list_files(leat_task *t, void *shared, const void **prep_res)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        leat_param_sets_add(t, prep_res, &(leat_param){ "filename", files[i].name }, 1);
    return LEAT_OK;
}

static leat_err summarize_all(leat_runtime *rt, leat_llm *llm, uint32_t in_flight_max, leat_error *error)
{
    leat_flow *all = leat_flow_new(
        &(leat_flow_opts){ .name = "SummarizeAllFiles", .batch = true, .prep = list_files, .in_flight_max = in_flight_max });
    leat_flow_add(all, &summarize_file, &(leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 10, .self = llm });
    leat_err err = leat_flow_run(rt, all, NULL, &(leat_run_opts){ .error = error });
    leat_flow_free(all);
    return err;
}

int main(int argc, char **argv)
{
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_llm_opts opts = {
        .base_url = argc > 1 ? argv[1] : "mock:", .model = argc > 2 ? argv[2] : NULL, .system = "Summarize."
    };
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_err err = leat_llm_new(&llm, rt, &opts, &error);
    for (uint32_t in_flight = 1; in_flight <= 8 && err == LEAT_OK; in_flight += 7) {
        printf(in_flight == 1 ? "One after another:\n" : "Eight at once:\n");
        for (size_t i = 0; i < FILE_COUNT; i++)
            files[i].summary[0] = '\0';
        err = summarize_all(rt, llm, in_flight, &error);
        for (size_t i = 0; i < FILE_COUNT; i++)
            printf("  %s: %s\n", files[i].name, files[i].summary);
    }
    if (err != LEAT_OK) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
