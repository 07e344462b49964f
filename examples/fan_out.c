/* fan_out.c: a question to a model, a flow and plain work, all at once; the node that starts them joins their results. */
#include <leat/leat.h>

#include <stdio.h>

struct weather {
    const char *city;
    char report[64];
};

static leat_err weather_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = "Sunny";
    return leat_sleep_ms(t, 50);
}

static leat_err weather_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct weather *w = shared;
    snprintf(w->report, sizeof w->report, "%s in %s", (const char *)exec_res, w->city);
    return LEAT_OK;
}

static leat_err count_primes(leat_task *t, void *arg, const void **result)
{
    int count = 0;
    for (int n = 2, d = 2; n < 20000; n++, d = 2) {
        while (d * d <= n && n % d)
            d++;
        count += d * d > n;
    }
    *result = leat_task_printf(t, "%d primes below 20000", count);
    return LEAT_OK;
}

struct fan {
    leat_llm *llm;
    leat_flow *weather;
};

static leat_err join_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct fan *fan = leat_task_self(t);
    struct weather *w = leat_task_alloc(t, sizeof *w); /* not on the stack: what is started may outlive this function */
    const void *saying, *primes;
    if (!w) return LEAT_NOMEM;
    w->city = "London";
    leat_future *f[] = {
        leat_llm_start(t, fan->llm, "The leat carries the water."),
        leat_flow_start(t, fan->weather, w, NULL),
        leat_task_start(t, count_primes, NULL),
    };
    LEAT_TRY(leat_await_all(t, f, 3)); /* as long as the slowest of them */
    LEAT_TRY(leat_await(t, f[0], &saying));
    LEAT_TRY(leat_await(t, f[2], &primes));
    printf("%s\n%s.\n%s.\n", (const char *)saying, w->report, (const char *)primes);
    return LEAT_OK;
}

static const leat_node_class weather = { .name = "Weather", .exec = weather_exec, .post = weather_post };
static const leat_node_class join = { .name = "Join", .exec = join_exec };

int main(void)
{
    struct fan fan = { .weather = leat_flow_new(NULL) };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&fan.llm, rt, &(leat_llm_opts){ .base_url = "mock:" }, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(fan.weather, &weather, NULL);
    leat_flow_add(flow, &join, &(leat_node_opts){ .self = &fan });
    if (!err) err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_flow_free(fan.weather);
    leat_llm_free(fan.llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
