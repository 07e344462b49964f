/*
 * judge.c: a loop of two nodes: one writes a slogan from a note, the other judges it and sends it back by an action, with a reason.
 * After four drafts it takes what there is.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

static const char *const notes[] = {
    "Our mill grinds corn, rye, oats, barley, peas, beans and acorns, by day and by night.",
    "Flour! Flour! Flour!",
    "Good bread begins with water.",
    "We mill.",
};

struct store {
    int drafts;
    char slogan[256];
};

static leat_err write_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    *prep_res = notes[s->drafts++];
    return LEAT_OK;
}

static leat_err write_exec(leat_task *t, const void *note, const void **exec_res)
{
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", (const char *)note);
}

static leat_err write_post(leat_task *t, void *shared, const void *note, const void *slogan, const char **action)
{
    struct store *s = shared;
    snprintf(s->slogan, sizeof s->slogan, "%s", (const char *)slogan);
    return LEAT_OK;
}

static leat_err judge_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    const char *fault = strlen(s->slogan) > 60 ? "too long" : strchr(s->slogan, '!') ? "too loud" : NULL;
    printf("draft %d: %s\n  %s\n", s->drafts, s->slogan, fault ? fault : "good");
    *action = fault && s->drafts < 4 ? "again" : NULL;
    return LEAT_OK;
}

static const leat_node_class writer = { "Write", write_prep, write_exec, NULL, write_post };
static const leat_node_class judge = { .name = "Judge", .post = judge_post };

int main(void)
{
    struct store store = { 0 };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_llm_opts opts = { .base_url = "mock:", .system = "Write a slogan for a mill from the user's note." };
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &opts, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &writer, &(leat_node_opts){ .max_attempts = 3, .self = llm });
    leat_node *second = leat_flow_add(flow, &judge, NULL);
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
