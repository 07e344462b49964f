/*
 * mixed.c: nodes that wait, nodes that block and nodes that compute, in one flow. Where Python needs AsyncNode beside Node, here
 * every phase may await; only C code that blocks (a library, a disk) says so, and runs on a helper thread.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

struct recipe {
    char ingredient[16];
    char list[128];
    size_t letters;
};

/* Waits for an answer from afar: suspends, and costs no thread. */
static leat_err fetch_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    LEAT_TRY(leat_sleep_ms(t, 50));
    *exec_res = "chicken soup, chicken pie, roast chicken";
    return LEAT_OK;
}

static leat_err fetch_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct recipe *r = shared;
    snprintf(r->list, sizeof r->list, "%s", (const char *)exec_res);
    printf("fetched: %s\n", r->list);
    return LEAT_OK;
}

/* Blocks its thread (fopen knows nothing of tasks), so the node is marked `blocking`. */
static leat_err load_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    FILE *file = tmpfile();
    char line[32] = "";
    if (!file) return leat_task_fail(t, LEAT_IO, "no temporary file");
    fputs("garlic\n", file);
    rewind(file);
    if (!fgets(line, sizeof line, file)) line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    *exec_res = leat_task_printf(t, "%s", line);
    return LEAT_OK;
}

static leat_err load_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct recipe *r = shared;
    snprintf(r->ingredient, sizeof r->ingredient, "%s", (const char *)exec_res);
    printf("from the disk: %s\n", r->ingredient);
    return LEAT_OK;
}

/* Computes, and waits for nothing: runs straight through. */
static leat_err count_prep(leat_task *t, void *shared, const void **prep_res)
{
    const struct recipe *r = shared;
    *prep_res = leat_task_printf(t, "%s with %s", r->list, r->ingredient);
    return LEAT_OK;
}

static leat_err count_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    size_t *count = leat_task_alloc(t, sizeof *count);
    if (!count) return LEAT_NOMEM;
    for (const char *c = prep_res; *c; c++)
        *count += *c != ' ' && *c != ',';
    *exec_res = count;
    return LEAT_OK;
}

static leat_err count_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct recipe *r = shared;
    r->letters = *(const size_t *)exec_res;
    printf("%s: %zu letters\n", (const char *)prep_res, r->letters);
    return LEAT_OK;
}

static const leat_node_class fetch = { .name = "Fetch", .exec = fetch_exec, .post = fetch_post };
static const leat_node_class load = { .name = "Load", .exec = load_exec, .post = load_post };
static const leat_node_class count = { "Count", count_prep, count_exec, NULL, count_post };

int main(void)
{
    struct recipe recipe = { 0 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &fetch, NULL);
    leat_node *second = leat_flow_link(first, NULL, leat_flow_add(flow, &load, &(leat_node_opts){ .blocking = true }));
    leat_flow_link(second, NULL, leat_flow_add(flow, &count, NULL));
    leat_err err = leat_flow_run(rt, flow, &recipe, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
