/*
 * human_in_the_loop.c: a person approves what a model wrote. While the terminal is silent, the task waits and costs no worker; other
 * walks go on. y accepts the draft, n asks for another one, the end of the input gives up.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const subjects[] = { "The sluice opens when the river falls.", "The leat carries the water to the mill.",
                                        "The wheel turns the stone." };

struct store {
    unsigned drafts;
    char text[256];
};

static leat_err draft_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    *prep_res = subjects[s->drafts++ % 3];
    return LEAT_OK;
}

static leat_err draft_exec(leat_task *t, const void *subject, const void **exec_res)
{
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", (const char *)subject);
}

static leat_err draft_post(leat_task *t, void *shared, const void *subject, const void *text, const char **action)
{
    struct store *s = shared;
    snprintf(s->text, sizeof s->text, "%s", (const char *)text);
    return LEAT_OK;
}

static leat_err approve_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    const char *line;
    printf("Draft %u: %s\nPublish it (y/n)? ", s->drafts, s->text);
    fflush(stdout);
    LEAT_TRY(leat_fd_read_line(t, STDIN_FILENO, &line));
    printf("%s\n", !line ? "nobody is there" : strcmp(line, "y") == 0 ? "published" : "again");
    *action = line && strcmp(line, "y") != 0 ? "again" : NULL;
    return LEAT_OK;
}

static const leat_node_class draft = { "Draft", draft_prep, draft_exec, NULL, draft_post };
static const leat_node_class approve = { .name = "Approve", .post = approve_post };

int main(void)
{
    struct store store = { 0 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:" }, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &draft, &(leat_node_opts){ .max_attempts = 3, .self = llm });
    leat_node *second = leat_flow_add(flow, &approve, NULL);
    leat_flow_link(first, NULL, second);
    leat_flow_link(second, "again", first);
    leat_flow_end(second, NULL);
    if (!err) err = leat_flow_run(rt, flow, &store, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
