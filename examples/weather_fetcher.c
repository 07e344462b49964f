/*
 * weather_fetcher.c: one node that waits for a slow service: while it waits, it costs no thread.
 *
 * The flow asks for the weather of a city (a call of two seconds), and stores the report. Its output is, byte for byte, that of
 * the Python program it was taken from (AsyncNode and AsyncFlow of PocketFlow).
 */
#include <leat/leat.h>

#include <stdio.h>

struct store {
    const char *city;
    char report[128];
};

static leat_err weather_prep(leat_task *t, void *shared, const void **prep_res)
{
    const struct store *s = shared;
    *prep_res = leat_task_printf(t, "%s", s->city ? s->city : "Unknown city");
    printf("WeatherFetcherNode: Preparing to fetch weather for %s.\n", (const char *)*prep_res);
    return LEAT_OK;
}

static leat_err weather_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *city = prep_res;
    printf("WeatherFetcherNode: Calling weather API for %s...\n", city);
    LEAT_TRY(leat_sleep_ms(t, 2000)); /* suspends; the worker serves others */
    *exec_res = leat_task_printf(t, "Sunny in %s", city);
    printf("WeatherFetcherNode: Got weather: %s\n", (const char *)*exec_res);
    return LEAT_OK;
}

static leat_err weather_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    snprintf(s->report, sizeof s->report, "%s", (const char *)exec_res);
    printf("WeatherFetcherNode: Weather report stored in shared.\n");
    *action = "done"; /* no link serves it: the flow ends */
    return LEAT_OK;
}

static const leat_node_class weather_fetcher = {
    .name = "WeatherFetcher", .prep = weather_prep, .exec = weather_exec, .post = weather_post
};

int main(void)
{
    struct store store = { .city = "London" };
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &weather_fetcher, NULL);

    printf("Starting weather flow...\n");
    leat_err err = leat_flow_run(rt, flow, &store, &(leat_run_opts){ .error = &error });
    if (err == LEAT_OK) {
        printf("Weather flow finished.\n");
        printf("Final shared data: {'city_name': '%s', 'weather_report': '%s'}\n", store.city, store.report);
    } else {
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    }
    leat_flow_free(flow);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
