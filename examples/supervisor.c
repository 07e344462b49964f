/*
 * supervisor.c: an outer flow runs an inner one again until a supervisor is content. The inner flow answers questions, but not always
 * well: its first two answers are nonsense. The supervisor sends it back by an action; `max_steps` ends it if it never learns.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

struct store {
    const char *question;
    char answer[512];
    int tries;
};

static leat_err answer_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    *prep_res = ++s->tries < 3 ? "" : s->question;
    return LEAT_OK;
}

static leat_err answer_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *question = prep_res;
    *exec_res = "Purple cheese, mostly.";
    if (!question[0]) return LEAT_OK;
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", question);
}

static leat_err answer_post(leat_task *t, void *shared, const void *prep_res, const void *answer, const char **action)
{
    struct store *s = shared;
    snprintf(s->answer, sizeof s->answer, "%s", (const char *)answer);
    return LEAT_OK;
}

static leat_err supervise_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    bool nonsense = strstr(s->answer, "cheese") != NULL;
    printf("%s: %s\n", nonsense ? "rejected" : "approved", s->answer);
    *action = nonsense ? "again" : NULL;
    return LEAT_OK;
}

static const leat_node_class answer = { "Answer", answer_prep, answer_exec, NULL, answer_post };
static const leat_node_class supervise = { .name = "Supervise", .post = supervise_post };

int main(void)
{
    struct store store = { .question = "What does a leat carry? A leat carries water to a mill." };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:" }, &error);
    leat_flow *research = leat_flow_new(&(leat_flow_opts){ .name = "Research" });
    leat_flow_add(research, &answer, &(leat_node_opts){ .self = llm });
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "Supervised", .max_steps = 20 });
    leat_node *inner = leat_flow_add_flow(flow, research);
    leat_node *supervisor = leat_flow_add(flow, &supervise, NULL);
    leat_flow_link(inner, NULL, supervisor);
    leat_flow_link(supervisor, "again", inner);
    leat_flow_end(supervisor, NULL);
    if (!err) err = leat_flow_run(rt, flow, &store, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
