/*
 * majority_vote.c: five voters, one question; what most of them answer counts. Each reads the plans in another order, since models
 * favour what stands first. A voter that fails is dropped, and the others decide.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <string.h>

enum { PLANS = 4, VOTERS = 5 };

static const char *const plans[PLANS] = {
    "Dig the leat deeper from the sluice to the mill, so that the wheel of the mill turns in a dry summer too, and "
    "line the leat with clay where it leaks, as was done a hundred years ago "
    "when a summer was as dry as this one is.",
    "Build a dam across the upper valley, which would cost more than the mill and everybody in it are worth, drown "
    "two farms and a chapel, and be finished, if ever, by the grandchildren of those who voted for it.",
    "Buy a steam engine on credit, with a chimney, a stoker and a cart of coal every Monday, and hope that the "
    "price of coal stays what it was last year and that nobody minds the smoke on washing days.",
    "Ask the parish to pray for rain every Sunday until the harvest, as that is free of charge and has never done "
    "anybody any harm, and let the baker of the next village sell us bread at whatever price pleases him.",
};

static leat_err voters_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (int i = 0; i < VOTERS; i++)
        leat_items_add(t, prep_res,
                       leat_task_printf(t, "%s\n%s\n%s\n%s", plans[i % PLANS], plans[(i + 1) % PLANS],
                                        plans[(i + 2) % PLANS], plans[(i + 3) % PLANS]));
    return LEAT_OK;
}

static leat_err vote_exec(leat_task *t, const void *ballot, const void **vote)
{
    if (leat_task_index(t) == 3) return leat_task_fail(t, LEAT_USER, "voter 3 answered in no agreed form");
    return leat_llm_askf(t, leat_task_self(t), vote, "%s", (const char *)ballot);
}

static leat_err count_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *votes = exec_res;
    int count[PLANS] = { 0 }, best = 0;
    for (size_t i = 0; i < votes->count; i++) {
        if (!votes->value[i]) printf("dropped: %s\n", votes->error[i]->text);
        for (int plan = 0; plan < PLANS && votes->value[i]; plan++)
            count[plan] += strcmp(votes->value[i], plans[plan]) == 0;
    }
    for (int plan = 0; plan < PLANS; plan++) {
        printf("%d for: %.30s...\n", count[plan], plans[plan]);
        best = count[plan] > count[best] ? plan : best;
    }
    printf("%d of %zu votes decide: %.30s...\n", count[best], votes->count - votes->failed, plans[best]);
    return LEAT_OK;
}

static const leat_node_class ballot = { "Vote", voters_prep, vote_exec, NULL, count_post };

int main(void)
{
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_llm_opts opts = { .base_url = "mock:", .system = "Which plan is best for the mill? Quote it." };
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &opts, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &ballot,
                  &(leat_node_opts){ .batch = true, .in_flight_max = VOTERS, .policy = LEAT_BATCH_COLLECT, .self = llm });
    if (!err) err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
