/*
 * summarize_file.c: attempts and a fallback. A call that fails is made again, three times in all; if that does not help, the
 * fallback gives an answer in its place and the flow goes on.
 */
#include <leat/leat.h>

#include <stdio.h>

struct file {
    const char *name, *content;
    uint32_t failures; /* how often the service fails before it answers */
    char summary[160];
};

static leat_err summarize_prep(leat_task *t, void *shared, const void **prep_res)
{
    *prep_res = shared; /* exec never sees `shared` unless prep hands it over */
    return LEAT_OK;
}

static leat_err summarize_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const struct file *f = prep_res;
    printf("  attempt %u\n", leat_task_attempt(t) + 1);
    if (f->content[0] == '\0') return leat_task_fail(t, LEAT_USER, "file content is empty");
    if (leat_task_attempt(t) < f->failures) return leat_task_fail(t, LEAT_NET, "the service hung up");
    LEAT_TRY(leat_sleep_ms(t, 20)); /* the call */
    *exec_res = leat_task_printf(t, "%.24s...", f->content);
    return LEAT_OK;
}

static leat_err summarize_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    *exec_res = leat_task_printf(t, "Unable to complete async call: %s", cause->text);
    return LEAT_OK;
}

static leat_err summarize_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct file *f = shared;
    snprintf(f->summary, sizeof f->summary, "%s", (const char *)exec_res);
    return LEAT_OK;
}

static const leat_node_class summarize_file = { "SummarizeFile", summarize_prep, summarize_exec, summarize_fallback,
                                                summarize_post };

int main(void)
{
    struct file files[] = {
        { .name = "leat.txt", .content = "A leat is the channel that carries water to a mill." },
        { .name = "flaky.txt", .content = "It lets through just as much as the mill can take.", .failures = 2 },
        { .name = "hopeless.txt", .content = "Nobody will ever read this.", .failures = 99 },
        { .name = "empty.txt", .content = "" },
    };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &summarize_file, &(leat_node_opts){ .max_attempts = 3, .retry_wait_ms = 10 });
    leat_err err = LEAT_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && err == LEAT_OK; i++) {
        printf("%s\n", files[i].name);
        err = leat_flow_run(rt, flow, &files[i], &(leat_run_opts){ .error = &error });
        printf("  %s\n", files[i].summary);
    }
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
