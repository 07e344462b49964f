/*
 * parallel_translate.c [BASE_URL [MODEL]]: one text in many languages, all asked for at once, but never faster than the endpoint
 * allows. Without arguments the embedded endpoint answers: it knows no languages, and quotes what it is given.
 */
#include <leat/leat.h>

#include <stdio.h>

static const char text[] = "The leat brings the water to the mill. In winter it freezes, and then there is no bread.";
static const char *const languages[] = { "Chinese", "Spanish", "Japanese", "German", "Russian", "Portuguese", "French" };

static leat_err languages_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        leat_items_add(t, prep_res, languages[i]);
    return LEAT_OK;
}

static leat_err translate_exec(leat_task *t, const void *language, const void **exec_res)
{
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s: %s", (const char *)language, text);
}

static leat_err translate_fallback(leat_task *t, const void *language, const leat_error *cause, const void **exec_res)
{
    *exec_res = leat_task_printf(t, "(no translation: %s)", cause->text);
    return LEAT_OK;
}

static leat_err print_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    for (size_t i = 0; i < r->count; i++)
        puts(r->value[i]);
    return LEAT_OK;
}

static const leat_node_class translate = { "Translate", languages_prep, translate_exec, translate_fallback, print_post };

int main(int argc, char **argv)
{
    leat_runtime *rt = NULL;
    leat_limiter *limiter = NULL;
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_limiter_new(&limiter, &(leat_limiter_opts){ .requests_per_min = 1200 });
    leat_llm_opts opts = {
        .base_url = argc > 1 ? argv[1] : "mock:", .model = argc > 2 ? argv[2] : NULL, .limiter = limiter
    };
    if (!err) err = leat_llm_new(&llm, rt, &opts, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &translate, &(leat_node_opts){ .batch = true, .in_flight_max = 7, .max_attempts = 3, .self = llm });
    if (!err) err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_limiter_free(limiter);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
