/* test_sweep_flow.c: memory and system fail at every place in building, checking, drawing, running and tracing a flow. */
#include "support/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "leat/leat.h"

static leat_err words_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const char *const words[] = { "one", "two", "three", "four", "five" };
    (void)shared;
    for (size_t i = 0; i < 5; i++)
        leat_items_add(t, prep_res, words[i]);
    return LEAT_OK;
}

static leat_err child(leat_task *t, void *arg, const void **result)
{
    *result = leat_task_printf(t, "child of %s", (const char *)arg);
    return LEAT_OK;
}

/* Each item waits, starts a task, and its first attempt fails. */
static leat_err words_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    LEAT_TRY(leat_sleep_ms(t, 1));
    if (leat_task_attempt(t) == 0) return leat_task_fail(t, LEAT_NET, "the first attempt of %s", (const char *)prep_res);
    return leat_await(t, leat_task_start(t, child, (void *)(uintptr_t)prep_res), exec_res);
}

static leat_err words_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)shared, (void)prep_res;
    *action = leat_task_printf(t, "%s", r->failed ? "failed" : "next");
    return LEAT_OK;
}

struct source {
    int left;
};

static leat_err numbers_next(leat_task *t, void *state, const void **item)
{
    struct source *s = state;
    if (s->left-- > 0) *item = leat_task_printf(t, "%d", s->left);
    return LEAT_OK;
}

static leat_err numbers_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct source *s = leat_task_alloc(t, sizeof *s);
    leat_items *items = leat_task_alloc(t, sizeof *items);
    (void)shared;
    if (!s || !items) return LEAT_NOMEM;
    s->left = 7;
    *items = (leat_items){ .next = numbers_next, .state = s };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err numbers_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    return leat_task_fail(t, LEAT_USER, "%s will not do", (const char *)prep_res);
}

static leat_err numbers_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)prep_res;
    *exec_res = leat_task_printf(t, "instead: %s", cause->text);
    return LEAT_OK;
}

static leat_err numbers_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                             const leat_error *error)
{
    (void)t, (void)index, (void)item, (void)value;
    *(int *)shared += error == NULL;
    return LEAT_OK;
}

static leat_err blocking_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t, (void)prep_res, (void)exec_res;
    return LEAT_OK;
}

static leat_err calls_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    leat_flow *inner = leat_task_self(t);
    int shared = 0;
    (void)prep_res, (void)exec_res;
    LEAT_TRY(leat_flow_call(t, inner, &shared, NULL));
    return leat_await(t, leat_flow_start(t, inner, &shared, NULL), NULL);
}

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    for (int i = 0; i < 3; i++)
        leat_param_sets_add(t, prep_res, &(leat_param){ "n", leat_task_printf(t, "%d", i) }, 1);
    return LEAT_OK;
}

static const leat_node_class words = { .name = "Words", .prep = words_prep, .exec = words_exec, .post = words_post };
static const leat_node_class numbers = {
    .name = "Numbers", .prep = numbers_prep, .exec = numbers_exec, .fallback = numbers_fallback
};
static const leat_node_class blocking = { .name = "Blocking", .exec = blocking_exec };
static const leat_node_class calls = { .name = "Calls", .exec = calls_exec };

static leat_flow *flow_inner(void)
{
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" });
    leat_flow_add(inner, &blocking, &(leat_node_opts){ .blocking = true });
    return inner;
}

static leat_flow *flow_build(leat_flow *called)
{
    leat_param param = { "a", "b" };
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "outer", .params = &param, .param_count = 1 });
    leat_flow *walks = leat_flow_new(
        &(leat_flow_opts){ .name = "walks", .batch = true, .prep = sets_prep, .in_flight_max = 2, .walk_bytes = 600 });
    leat_node *first = leat_flow_add(
        walks, &words, &(leat_node_opts){ .batch = true, .in_flight_max = 3, .max_attempts = 2, .retry_wait_ms = 1 });
    leat_node *second =
        leat_flow_add(walks, &numbers,
                      &(leat_node_opts){ .batch = true, .in_flight_max = 2, .each = numbers_each, .each_in_order = true });
    leat_flow_link(first, "next", second);
    leat_node *inner = leat_flow_add_flow(outer, walks);
    leat_flow_link(inner, NULL, leat_flow_add(outer, &calls, &(leat_node_opts){ .self = called }));
    return outer;
}

/* The drawings are asked for as well; both or neither of flow and text are there. */
static leat_err flow_draw(const leat_flow *flow)
{
    char *dot = leat_flow_dot(flow), *mermaid = leat_flow_mermaid(flow);
    leat_err err = dot && mermaid ? LEAT_OK : LEAT_NOMEM;
    free(dot);
    free(mermaid);
    return err;
}

static leat_err flow_run(leat_runtime *rt, leat_flow *flow, leat_run_opts *opts)
{
    int good = 0;
    leat_error error = { .code = LEAT_OK };
    const char *action = NULL;
    leat_handle *h = NULL;
    opts->error = &error;
    opts->last_action = &action;
    leat_err err = leat_flow_run(rt, flow, &good, opts);
    if (err != LEAT_OK && (error.code != err || !error.text[0])) return LEAT_USER; /* a failure has its story */
    LEAT_TRY(err);
    if (good != 21) return LEAT_USER; /* three walks of seven numbers: not one is lost in silence */
    *opts = (leat_run_opts){ .timeline = opts->timeline, .profile = opts->profile };
    LEAT_TRY(leat_flow_submit(rt, flow, &good, opts, &h));
    err = leat_handle_wait(h, -1, NULL, NULL);
    leat_handle_free(h);
    return err;
}

static leat_err flow_traced(leat_runtime *rt, leat_flow *flow, FILE *file)
{
    leat_timeline *timeline = NULL;
    leat_profile *profile = NULL;
    leat_err err = leat_profile_new(&profile);
    if (err == LEAT_OK) err = leat_timeline_new(&timeline, fileno(file), 0);
    leat_run_opts opts = { .timeline = timeline, .profile = profile };
    if (err == LEAT_OK) err = flow_run(rt, flow, &opts);
    if (err == LEAT_OK) err = leat_timeline_flush(timeline);
    char *text = err == LEAT_OK ? leat_profile_text(profile) : NULL;
    if (err == LEAT_OK && !text) err = LEAT_NOMEM;
    free(text);
    leat_timeline_free(timeline);
    leat_profile_free(profile);
    return err;
}

static leat_err scenario(void *arg)
{
    FILE *file = arg;
    leat_runtime *rt = NULL;
    leat_err err = leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2, .virtual_clock = true });
    if (err != LEAT_OK) return err;
    rewind(file);
    leat_flow *called = flow_inner(), *flow = flow_build(called);
    err = flow_draw(flow);
    if (err == LEAT_OK) err = flow_traced(rt, flow, file);
    leat_flow_free(flow);
    leat_flow_free(called);
    leat_runtime_free(rt);
    return err;
}

static void a_flow_with_a_bit_of_everything(void **state)
{
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    sweep_run(&(sweep){ .name = "flow", .fn = scenario, .arg = file, .may = SWEEP_NOMEM | SWEEP_MAY(LEAT_IO) });
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_flow_with_a_bit_of_everything) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
