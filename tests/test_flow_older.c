/*
 * test_flow_older.c: rows 72 to 81 of the flow model: what the older variant of PocketFlow did, and what became of it.
 *
 * row  what the older variant did                            leat         test
 * 72   the fallback is called process_after_fail             keep         row_72: one slot, `fallback`
 * 73   exec and fallback get shared                          fix          row_73: by their types they cannot
 * 74   sync and async mixed per phase                        keep         row_74
 * 75   BatchAsyncFlow is one after another                   keep         row_75: one number makes it concurrent
 * 76   the default post gives "default"                      fix          row_76: it gives none, and leads the same way
 * 77   a batch node has no retries                           fix          row_77
 * 78   no copies of nodes; prep's value is the params        fix          row_78_*
 * 79   phases under other names are silently ignored         fix          row_79: options that would be ignored are refused
 * 80   a walk without the flow's params                      fix          row_80
 * 81   semaphores against limits, partial failure left open  fix          row_81: a limiter, and a policy
 */
#include "support/flow.h"

#define HAS_TYPE(expression, type) _Generic((expression), type : 1, default : 0)

/* ---- the fallback, and who sees shared ---- */

static leat_err failing_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_task_fail(t, LEAT_USER, "it broke");
}

static leat_err kind_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    *exec_res = leat_task_printf(t, "%s after: %s", (const char *)prep_res, cause->text);
    return LEAT_OK;
}

static leat_err unkind_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_task_fail(t, cause->code, "%s", cause->text); /* what the default does */
}

static leat_err told_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    trace_add(shared, "prep");
    *prep_res = "what prep gave";
    return LEAT_OK;
}

static leat_err told_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)action;
    assert_string_equal(prep_res, "what prep gave");
    trace_add(shared, "post:%s", (const char *)exec_res);
    return LEAT_OK;
}

static void row_72_one_fallback_for_what_had_three_names(void **state)
{
    static const leat_node_class cls[] = { { "None", told_prep, failing_exec, NULL, told_post },
                                           { "Unkind", told_prep, failing_exec, unkind_fallback, told_post },
                                           { "Kind", told_prep, failing_exec, kind_fallback, told_post } };
    for (int i = 0; i < 3; i++) {
        struct trace trace = { "" };
        leat_error error = { .text = "" };
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls[i], NULL);
        assert_int_equal(run_free(*state, flow, &trace, &error), i < 2 ? LEAT_USER : LEAT_OK);
        assert_string_equal(trace.text, i < 2 ? "prep" : "prep post:what prep gave after: it broke");
        assert_true(i == 2 || strstr(error.text, "it broke"));
    }
}

/* What exec needs of shared comes through prep, what it makes goes through post. */
static leat_err doubling_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    *prep_res = shared;
    return LEAT_OK;
}

static leat_err doubling_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    int *twice = leat_task_alloc(t, sizeof *twice);
    *twice = 2 * *(const int *)prep_res;
    *exec_res = twice;
    return LEAT_OK;
}

static leat_err doubling_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)action;
    *(int *)shared = *(const int *)exec_res;
    return LEAT_OK;
}

static void row_73_exec_and_fallback_do_not_see_shared(void **state)
{
    static const leat_node_class cls = { "Doubling", doubling_prep, doubling_exec, NULL, doubling_post };
    typedef leat_err (*exec_type)(leat_task *, const void *, const void **);
    typedef leat_err (*fallback_type)(leat_task *, const void *, const leat_error *, const void **);
    _Static_assert(HAS_TYPE(((leat_node_class *)0)->exec, exec_type), "exec gets what prep gave, and nothing else");
    _Static_assert(HAS_TYPE(((leat_node_class *)0)->fallback, fallback_type), "fallback gets that and the cause");
    int value = 21;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, &value, NULL), LEAT_OK);
    assert_int_equal(value, 42);
}

/* ---- what waits ---- */

static leat_err wait_prep(leat_task *t, void *shared, const void **prep_res)
{
    LEAT_TRY(leat_sleep_ms(t, 1));
    return told_prep(t, shared, prep_res);
}

static leat_err wait_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = prep_res;
    return leat_sleep_ms(t, 1);
}

static leat_err plain_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t;
    *exec_res = prep_res;
    return LEAT_OK;
}

static leat_err wait_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    LEAT_TRY(leat_sleep_ms(t, 1));
    return told_post(t, shared, prep_res, exec_res, action);
}

/* The wish of the first text: prep, exec and post carry the same names, and each may wait or not. */
static void row_74_what_waits_and_what_does_not_mix_in_one_flow(void **state)
{
    static const leat_node_class cls[] = { { "000", told_prep, plain_exec, NULL, told_post },
                                           { "001", told_prep, plain_exec, NULL, wait_post },
                                           { "010", told_prep, wait_exec, NULL, told_post },
                                           { "100", wait_prep, plain_exec, NULL, told_post },
                                           { "111", wait_prep, wait_exec, NULL, wait_post } };
    struct trace trace = { "" }, expected = { "" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *last = NULL;
    for (int i = 0; i < 5; i++) {
        leat_node *node = leat_flow_add(flow, &cls[i], NULL);
        if (last) leat_flow_link(last, NULL, node);
        last = node;
        trace_add(&expected, "prep post:what prep gave");
    }
    assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, expected.text);
}

static int64_t four_begin_ns;

static leat_err four_sets(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param param[4] = { { "k", "a" }, { "k", "b" }, { "k", "c" }, { "k", "d" } };
    static const leat_param_set set[4] = { { &param[0], 1 }, { &param[1], 1 }, { &param[2], 1 }, { &param[3], 1 } };
    static const leat_param_sets sets = { .set = set, .count = 4 };
    (void)shared;
    four_begin_ns = leat_task_now_ns(t);
    *prep_res = &sets;
    return LEAT_OK;
}

static leat_err fifty_ms_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_sleep_ms(t, 50);
}

static leat_err time_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)prep_res, (void)exec_res, (void)action;
    trace_add(shared, "%lld", (long long)((leat_task_now_ns(t) - four_begin_ns) / 1000000));
    return LEAT_OK;
}

static void row_75_one_after_another_or_concurrent_is_one_number(void **state)
{
    static const leat_node_class cls = { .name = "Fifty", .exec = fifty_ms_exec, .post = time_post };
    (void)state;
    for (uint32_t in_flight = 1; in_flight <= 4; in_flight += 3) {
        struct trace trace = { "" };
        leat_runtime *rt = runtime_make(1, true);
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .batch = true, .in_flight_max = in_flight, .prep = four_sets });
        leat_flow_add(flow, &cls, NULL);
        assert_int_equal(run_free(rt, flow, &trace, NULL), LEAT_OK);
        assert_string_equal(trace.text, in_flight == 1 ? "50 100 150 200" : "50 50 50 50");
        leat_runtime_free(rt);
    }
}

/* ---- actions, attempts, params ---- */

static void row_76_a_missing_post_gives_no_action_and_goes_by_default(void **state)
{
    struct script end = { .name = "end" };
    static const leat_node_class silent = { .name = "Silent" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &silent, NULL);
    leat_node *second =
        leat_flow_link(first, "default", leat_flow_add(flow, &script_class, &(leat_node_opts){ .self = &end }));
    leat_flow_link(second, "default", leat_flow_add(flow, &silent, NULL));
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_int_equal(end.calls, 1);
    assert_null(o.action); /* and not "default" */
    leat_flow_free(flow);
}

static leat_err three_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const void *const item[3] = { "a", "b", "c" };
    static const leat_items items = { .item = item, .count = 3 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err third_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    if (*(const char *)prep_res == 'b' || leat_task_attempt(t) < 2) return LEAT_USER;
    *exec_res = "third time";
    return LEAT_OK;
}

static leat_err last_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)prep_res;
    *exec_res = leat_task_printf(t, "attempt %u", cause->attempt);
    return LEAT_OK;
}

static leat_err three_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)t, (void)prep_res, (void)action;
    for (size_t i = 0; i < r->count; i++)
        trace_add(shared, "%s", (const char *)r->value[i]);
    return LEAT_OK;
}

static void row_77_items_of_a_batch_are_tried_again_and_have_a_fallback(void **state)
{
    static const leat_node_class cls = { "Three", three_prep, third_exec, last_fallback, three_post };
    for (uint32_t in_flight = 1; in_flight <= 3; in_flight += 2) {
        struct trace trace = { "" };
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight, .max_attempts = 3 });
        assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
        assert_string_equal(trace.text, "third time attempt 2 third time");
    }
}

static leat_err param_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const char *k = leat_task_param(t, "k"), *own = leat_task_param(t, "own");
    (void)prep_res, (void)exec_res;
    trace_add(shared, "%s,%s", k ? k : "-", own ? own : "-");
    *action = "done";
    return LEAT_OK;
}

static const leat_node_class param_class = { .name = "Param", .exec = wait_exec, .post = param_post };

static void row_78_one_graph_runs_twice_at_once_and_keeps_no_params(void **state)
{
    struct trace trace[3] = { { "" }, { "" }, { "" } };
    leat_handle *h[2];
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &param_class, NULL);
    leat_param param[2] = { { "k", "first" }, { "k", "second" } };
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            leat_flow_submit(*state, flow, &trace[i], &(leat_run_opts){ .params = &param[i], .param_count = 1 }, &h[i]),
            LEAT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(leat_handle_wait(h[i], -1, NULL, NULL), LEAT_OK);
        leat_handle_free(h[i]);
    }
    assert_int_equal(run_free(*state, flow, &trace[2], NULL), LEAT_OK);
    assert_string_equal(trace[0].text, "first,-");
    assert_string_equal(trace[1].text, "second,-");
    assert_string_equal(trace[2].text, "-,-");
}

static leat_err params_as_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param param = { "k", "from prep" };
    (void)t;
    trace_add(shared, "flow-prep");
    *prep_res = &param;
    return LEAT_OK;
}

static void row_78_what_a_plain_flows_prep_gives_are_no_params_and_it_comes_first(void **state)
{
    struct trace trace = { "" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .prep = params_as_prep });
    leat_flow_add(flow, &param_class, NULL);
    assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "flow-prep -,-");
}

static leat_err any_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                         const leat_error *error)
{
    (void)t, (void)shared, (void)index, (void)item, (void)value, (void)error;
    return LEAT_OK;
}

static void check_refused(leat_flow *flow, const char *text)
{
    leat_error error = { .text = "" };
    assert_int_equal(leat_flow_check(flow, &error), LEAT_USAGE);
    assert_string_equal(error.text, text);
    leat_flow_free(flow);
}

static void row_79_what_would_be_ignored_is_refused(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f" });
    leat_flow_add(flow, &param_class, &(leat_node_opts){ .in_flight_max = 2 });
    check_refused(flow, "flow \"f\": node \"Param\": in_flight_max is set and batch is not");
    flow = leat_flow_new(&(leat_flow_opts){ .name = "f" });
    leat_flow_add(flow, &param_class, &(leat_node_opts){ .each = any_each });
    check_refused(flow, "flow \"f\": node \"Param\": each is set and batch is not");
    flow = leat_flow_new(&(leat_flow_opts){ .name = "f", .in_flight_max = 2 });
    leat_flow_add(flow, &param_class, NULL);
    check_refused(flow, "flow \"f\": in_flight_max is set and batch is not");
}

static void row_80_a_walk_has_the_flows_params_and_done_ends_it_silently(void **state)
{
    struct trace trace = { "" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .params = &(leat_param){ "own", "flow" }, .param_count = 1 });
    leat_flow_add(flow, &param_class, NULL);
    struct outcome o = run_keep(*state, flow, &trace);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "done");
    assert_string_equal(trace.text, "-,flow");
    assert_int_equal(leat_load_relaxed(&log_count), 0);
    leat_flow_free(flow);
}

/* ---- limits and partial failure ---- */

static LEAT_ATOMIC(int) active, active_max;

static leat_err limited_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    leat_limiter *limiter = leat_task_self(t);
    leat_grant grant;
    LEAT_TRY(leat_limiter_acquire(t, limiter, (leat_cost){ 0 }, &grant));
    int now = leat_add_relaxed(&active, 1) + 1, max = leat_load_relaxed(&active_max);
    while (now > max && !leat_cas_relaxed(&active_max, &max, now))
        ;
    leat_err err = leat_sleep_ms(t, 10);
    leat_sub_relaxed(&active, 1);
    leat_limiter_settle(limiter, grant, (leat_cost){ 0 });
    *exec_res = prep_res;
    return err == LEAT_OK && *(const char *)prep_res == 'b' ? leat_task_fail(t, LEAT_USER, "b is bad") : err;
}

static leat_err partial_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)t, (void)prep_res, (void)action;
    for (size_t i = 0; i < r->count; i++)
        trace_add(shared, "%s", r->value[i] ? (const char *)r->value[i] : r->error[i]->text);
    return LEAT_OK;
}

static void row_81_a_limiter_paces_the_items_and_a_policy_says_what_a_failure_does(void **state)
{
    static const leat_node_class cls = { "Limited", three_prep, limited_exec, NULL, partial_post };
    static const char *const ends[] = { "", "", "a b is bad c" };
    for (int policy = LEAT_BATCH_FAIL_FAST; policy <= LEAT_BATCH_COLLECT; policy++) {
        struct trace trace = { "" };
        leat_limiter *limiter = NULL;
        assert_int_equal(leat_limiter_new(&limiter, &(leat_limiter_opts){ .in_flight_max = 2 }), LEAT_OK);
        leat_store_relaxed(&active_max, 0);
        leat_flow *flow = leat_flow_new(NULL);
        leat_node_opts opts = { .batch = true, .in_flight_max = 3, .policy = (leat_batch_policy)policy, .self = limiter };
        leat_flow_add(flow, &cls, &opts);
        assert_int_equal(run_free(*state, flow, &trace, NULL), policy == LEAT_BATCH_COLLECT ? LEAT_OK : LEAT_USER);
        assert_string_equal(trace.text, ends[policy]);
        assert_int_equal(leat_load_relaxed(&active_max), 2);
        leat_limiter_free(limiter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_72_one_fallback_for_what_had_three_names, each_test),
        cmocka_unit_test_setup(row_73_exec_and_fallback_do_not_see_shared, each_test),
        cmocka_unit_test_setup(row_74_what_waits_and_what_does_not_mix_in_one_flow, each_test),
        cmocka_unit_test_setup(row_75_one_after_another_or_concurrent_is_one_number, each_test),
        cmocka_unit_test_setup(row_76_a_missing_post_gives_no_action_and_goes_by_default, each_test),
        cmocka_unit_test_setup(row_77_items_of_a_batch_are_tried_again_and_have_a_fallback, each_test),
        cmocka_unit_test_setup(row_78_one_graph_runs_twice_at_once_and_keeps_no_params, each_test),
        cmocka_unit_test_setup(row_78_what_a_plain_flows_prep_gives_are_no_params_and_it_comes_first, each_test),
        cmocka_unit_test_setup(row_79_what_would_be_ignored_is_refused, each_test),
        cmocka_unit_test_setup(row_80_a_walk_has_the_flows_params_and_done_ends_it_silently, each_test),
        cmocka_unit_test_setup(row_81_a_limiter_paces_the_items_and_a_policy_says_what_a_failure_does, each_test),
    };
    return cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
