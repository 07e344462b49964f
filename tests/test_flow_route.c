/*
 * test_flow_route.c: rows 17 to 32 of the flow model: actions and links, flows in flows.
 *
 * row  what PocketFlow has                              leat     test
 * 17   links by name, the call gives the target         keep     row_17
 * 18   None (and "") means "default"                    keep     row_18
 * 19   the flow gives the last action as it was         keep     row_19
 * 20   an unknown action ends the flow with a warning   keep+opt row_20_*
 * 21   no fall-through to "default"                     keep     row_21
 * 22   without links any action ends it silently        keep     row_22
 * 23   a second link for an action wins, with a warning keep     row_23
 * 24   an action that cannot be hashed                  n/a      actions are strings in C
 * 25   loops are allowed, without a limit               keep+opt row_25_*
 * 26   a flow is prep, the walk, post                   keep     row_26_*
 * 27   a flow is a node                                 keep     row_27
 * 28   a flow has no retry and no fallback              keep+opt row_28_*
 * 29   a flow without start runs nothing                fix      row_29
 * 30   each visit works on a copy of the node           fix      row_30
 * 31   runs at once share what hangs off the nodes      fix      row_31
 * 32   nesting uses the call stack                      keep     row_32
 */
#include "support/flow.h"

static leat_node *add(leat_flow *flow, struct script *s)
{
    return leat_flow_add(flow, &script_class, &(leat_node_opts){ .self = s });
}

/* Two nodes, the first the start. (In one expression C may evaluate the second add first.) */
static void add_two(leat_flow *flow, struct script *a, const char *action, struct script *b)
{
    leat_node *first = add(flow, a);
    leat_flow_link(first, action, add(flow, b));
}

static void row_17_links_by_name_and_the_call_gives_the_target(void **state)
{
    struct trace trace = { "" };
    struct script a = { .trace = &trace, .name = "a", .action = "yes" }, b = { .trace = &trace, .name = "b" };
    struct script c = { .trace = &trace, .name = "c" }, d = { .trace = &trace, .name = "d" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = add(flow, &a);
    leat_node *yes = leat_flow_link(first, "yes", add(flow, &b));
    leat_flow_link(yes, NULL, add(flow, &d));
    leat_flow_link(first, "no", add(flow, &c));
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_string_equal(trace.text, "a.prep a.exec a.post b.prep b.exec b.post d.prep d.exec d.post");
    assert_int_equal(c.calls, 0);
}

static void row_18_no_action_and_the_empty_one_are_default(void **state)
{
    static const char *const names[] = { NULL, "", "default" };
    for (size_t from = 0; from < 3; from++) {
        for (size_t link = 0; link < 3; link++) {
            struct script a = { .name = "a", .action = names[from] }, b = { .name = "b" };
            leat_flow *flow = leat_flow_new(NULL);
            add_two(flow, &a, names[link], &b);
            assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
            assert_int_equal(b.calls, 1);
        }
    }
}

static void row_19_the_last_action_is_given_as_it_was(void **state)
{
    static const char *const names[] = { NULL, "", "default", "odd" };
    for (size_t i = 0; i < 4; i++) {
        struct script a = { .name = "a", .action = names[i] };
        leat_flow *flow = flow_of(&script_class, &a, (leat_node_opts){ 0 });
        struct outcome o = run_keep(*state, flow, NULL);
        if (names[i])
            assert_string_equal(o.action, names[i]);
        else
            assert_null(o.action);
        leat_flow_free(flow);
    }
}

static leat_flow *flow_with_unserved(struct script *a, struct script *b, bool strict)
{
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f", .strict = strict });
    add_two(flow, a, "good", b);
    return flow;
}

static void row_20_an_unknown_action_ends_the_walk_with_a_warning(void **state)
{
    struct script a = { .name = "a", .action = "bad" }, b = { .name = "b" };
    leat_flow *flow = flow_with_unserved(&a, &b, false);
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "bad");
    assert_int_equal(b.calls, 0);
    assert_non_null(
        strstr(log_text, "flow \"f\": node \"Script\" gave action \"bad\", which no link serves (known: \"good\")"));
    a.action = NULL;
    o = run_keep(*state, flow, NULL);
    assert_null(o.action);
    assert_non_null(strstr(log_text, "gave no action, which no link serves"));
    leat_flow_free(flow);
}

static void row_20_option_strict_makes_it_an_error(void **state)
{
    struct script a = { .name = "a", .action = "bad" }, b = { .name = "b" };
    leat_error error;
    assert_int_equal(run_free(*state, flow_with_unserved(&a, &b, true), NULL, &error), LEAT_USAGE);
    assert_string_equal(
        error.text, "flow \"f\", node \"Script\", strict: it gave action \"bad\", which no link serves (known: \"good\")");
    assert_string_equal(log_text, "");
}

static void row_20_option_an_end_that_is_meant_is_no_dead_end(void **state)
{
    for (int strict = 0; strict < 2; strict++) {
        struct script a = { .name = "a" }, b = { .name = "b" };
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .strict = strict });
        leat_node *first = add(flow, &a);
        leat_flow_link(first, "on", add(flow, &b));
        leat_flow_end(first, NULL);
        leat_flow_end(first, "enough");
        leat_flow_end(first, "on"); /* the link goes before */
        for (int i = 0; i < 3; i++) {
            static const char *const actions[] = { NULL, "enough", "on" };
            a.action = actions[i];
            struct outcome o = run_keep(*state, flow, NULL);
            assert_int_equal(o.err, LEAT_OK);
            if (i == 1) assert_string_equal(o.action, "enough");
            assert_int_equal(b.calls, i == 2);
        }
        assert_string_equal(log_text, "");
        leat_flow_end(NULL, NULL); /* does nothing */
        leat_flow_free(flow);
    }
}

static void row_20_an_action_that_leads_out_of_an_inner_flow_is_no_dead_end(void **state)
{
    struct script a = { .name = "a", .action = "out" }, b = { .name = "b" }, c = { .name = "c" };
    leat_flow *outer = leat_flow_new(NULL), *inner = leat_flow_new(&(leat_flow_opts){ .strict = true });
    add_two(inner, &a, "in", &b);
    leat_node *first = leat_flow_add_flow(outer, inner);
    leat_flow_link(first, "out", add(outer, &c));
    assert_int_equal(run_free(*state, outer, NULL, NULL), LEAT_OK);
    assert_int_equal(c.calls, 1);
    assert_string_equal(log_text, "");
}

static void row_21_an_unknown_action_does_not_fall_through_to_default(void **state)
{
    struct script a = { .name = "a", .action = "bad" }, b = { .name = "b" };
    leat_flow *flow = leat_flow_new(NULL);
    add_two(flow, &a, NULL, &b);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(b.calls, 0);
}

static void row_22_without_links_any_action_ends_it_silently(void **state)
{
    struct script a = { .name = "a", .action = "whatever" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .strict = true });
    add(flow, &a);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_string_equal(log_text, "");
}

static void row_23_a_second_link_for_an_action_wins_with_a_warning(void **state)
{
    struct script a = { .name = "a" }, b = { .name = "b" }, c = { .name = "c", .action = "b" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *na = add(flow, &a), *nb = add(flow, &b), *nc = add(flow, &c);
    leat_flow_link(na, NULL, nb);
    leat_flow_link(na, "default", nc);
    leat_flow_link(nc, "b", nb);
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(c.calls, 1);
    assert_non_null(strstr(log_text, "node \"Script\": action \"default\" was linked twice; the last link counts"));
    log_reset();
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    assert_string_equal(log_text, ""); /* once is enough */
    leat_flow_free(flow);
}

static leat_err loop_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    int *left = shared;
    (void)t, (void)prep_res, (void)exec_res;
    *action = --*left > 0 ? "again" : "stop";
    return LEAT_OK;
}

static const leat_node_class loop_class = { .name = "Loop", .post = loop_post };

static leat_flow *flow_of_loop(leat_flow_opts opts)
{
    leat_flow *flow = leat_flow_new(&opts);
    leat_node *node = leat_flow_add(flow, &loop_class, NULL);
    leat_flow_link(node, "again", node);
    leat_flow_link(node, "stop", leat_flow_add(flow, &loop_class, NULL));
    return flow;
}

static void row_25_loops_have_no_limit(void **state)
{
    int left = 1000000;
    leat_flow *flow = flow_of_loop((leat_flow_opts){ 0 });
    struct outcome o = run_keep(*state, flow, &left);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "stop");
    leat_flow_free(flow);
}

static void row_25_option_max_steps(void **state)
{
    int left = 9; /* nine visits of the loop, one of the node after it */
    leat_error error;
    assert_int_equal(run_free(*state, flow_of_loop((leat_flow_opts){ .max_steps = 10 }), &left, &error), LEAT_OK);
    left = 10;
    assert_int_equal(run_free(*state, flow_of_loop((leat_flow_opts){ .max_steps = 10 }), &left, &error), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"flow\", node \"Loop\", visit: the walk took more than max_steps (10) steps");
}

static char name_f[] = "f", name_in[] = "in", name_out[] = "out"; /* what `self` of the flows below is */

static leat_err flow_prep(leat_task *t, void *shared, const void **prep_res)
{
    trace_add(shared, "prep(%s)", (const char *)leat_task_self(t));
    *prep_res = "P";
    return LEAT_OK;
}

static leat_err flow_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                          const char **action)
{
    assert_null(walks);
    trace_add(shared, "post(%s,%s,%s)", (const char *)leat_task_self(t), (const char *)prep_res,
              last_action ? last_action : "-");
    *action = leat_task_printf(t, "after-%s", last_action ? last_action : "nothing");
    return LEAT_OK;
}

static void row_26_a_flow_is_prep_the_walk_and_post(void **state)
{
    struct trace trace = { "" };
    struct script a = { .trace = &trace, .name = "a", .action = "x" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .prep = flow_prep, .post = flow_post, .self = name_f });
    add(flow, &a);
    struct outcome o = run_keep(*state, flow, &trace);
    assert_string_equal(trace.text, "prep(f) a.prep a.exec a.post post(f,P,x)");
    assert_string_equal(o.action, "after-x");
    leat_flow_free(flow);
}

static leat_err broken_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared, (void)prep_res;
    return leat_task_fail(t, LEAT_INPUT, "no input");
}

static void row_26_an_error_of_the_flows_own_prep_names_the_flow(void **state)
{
    struct script a = { .name = "a" };
    leat_error error;
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "big", .prep = broken_prep, .post = flow_post });
    add(flow, &a);
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_INPUT);
    assert_int_equal(a.calls, 0);
    assert_string_equal(error.text, "flow \"big\", prep: no input");
}

static void row_27_a_flow_is_a_node_and_its_action_chooses_the_next(void **state)
{
    struct trace trace = { "" };
    struct script a = { .trace = &trace, .name = "a", .action = "x" }, b = { .trace = &trace, .name = "b" };
    struct script c = { .trace = &trace, .name = "c" };
    leat_flow *outer = leat_flow_new(NULL);
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .prep = flow_prep, .post = flow_post, .self = name_in });
    leat_flow *plain = leat_flow_new(NULL); /* without post its last action is its action */
    add(inner, &a);
    add(plain, &b);
    leat_node *n = leat_flow_add_flow(outer, inner); /* a flow as the start */
    leat_node *second = leat_flow_link(n, "after-x", leat_flow_add_flow(outer, plain));
    leat_flow_link(second, NULL, add(outer, &c));
    assert_int_equal(run_free(*state, outer, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "prep(in) a.prep a.exec a.post post(in,P,x) b.prep b.exec b.post c.prep c.exec c.post");
}

static void row_28_an_error_leaves_all_enclosing_flows(void **state)
{
    struct trace trace = { "" };
    struct script a = { .trace = &trace, .name = "a", .fails = 99 }, b = { .trace = &trace, .name = "b" };
    leat_error error;
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "out", .post = flow_post, .self = name_out });
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "in", .post = flow_post, .self = name_in });
    add(inner, &a);
    leat_node *first = leat_flow_add_flow(outer, inner);
    leat_flow_link(first, NULL, add(outer, &b));
    assert_int_equal(run_free(*state, outer, &trace, &error), LEAT_USER);
    assert_string_equal(trace.text, "a.prep a.exec");
    assert_string_equal(error.text, "flow \"in\", node \"Script\", attempt 1 of 1: failure 0 of a");
}

static void row_28_option_a_retry_policy_on_a_flow(void **state)
{
    struct trace trace = { "" };
    struct script a = { .trace = &trace, .name = "a" }, b = { .trace = &trace, .name = "b", .fails = 2 };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .max_attempts = 3, .retry_wait_ms = 70 });
    add_two(flow, &a, NULL, &b);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(a.calls, 3);
    assert_int_equal(b.calls, 3);
    assert_int_equal(b.at_ms[1] - b.at_ms[0], 70);
    assert_int_equal(b.attempt[2], 0); /* walks are counted, not the attempts of nodes */
}

static void row_28_a_retry_policy_does_not_retry_a_cancel(void **state)
{
    struct script a = { .name = "a", .fails = 99, .code = LEAT_CANCELED };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .max_attempts = 3 });
    add(flow, &a);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_CANCELED);
    assert_int_equal(a.calls, 1);
}

static void row_29_a_flow_without_start_is_refused(void **state)
{
    leat_error error;
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "empty" });
    assert_int_equal(leat_flow_check(flow, &error), LEAT_USAGE);
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"empty\" has no start: no node was added");
}

static leat_err count_in_memory(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    int *scratch = leat_task_alloc(t, sizeof *scratch), *seen = shared;
    (void)prep_res, (void)exec_res;
    assert_int_equal(*scratch, 0); /* nothing is left of the visit before */
    *scratch = 1;
    *action = ++*seen < 3 ? "again" : "stop";
    return LEAT_OK;
}

static void row_30_a_visit_owns_its_state(void **state)
{
    static const leat_node_class cls = { .name = "Scratch", .post = count_in_memory };
    int seen = 0;
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *node = leat_flow_add(flow, &cls, NULL);
    leat_flow_link(node, "again", node);
    leat_flow_link(node, "stop",
                   leat_flow_add(flow, &script_class, &(leat_node_opts){ .self = &(struct script){ .name = "x" } }));
    assert_int_equal(run_free(*state, flow, &seen, NULL), LEAT_OK);
    assert_int_equal(seen, 3);
}

struct twin {
    const char *param;
    uint32_t attempts;
};

static leat_err twin_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res;
    LEAT_TRY(leat_sleep_ms(t, 5));
    if (leat_task_attempt(t) < 2) return LEAT_USER;
    *exec_res = leat_task_param(t, "who");
    return LEAT_OK;
}

static leat_err twin_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct twin *twin = shared;
    (void)prep_res, (void)action;
    twin->param = strcmp(exec_res, "a") == 0 ? "a" : "b";
    twin->attempts = leat_task_attempt(t);
    return LEAT_OK;
}

static void row_31_two_runs_at_once_share_neither_params_nor_attempts(void **state)
{
    static const leat_node_class cls = { .name = "Twin", .exec = twin_exec, .post = twin_post };
    struct twin a = { NULL, 0 }, b = { NULL, 0 };
    leat_handle *ha = NULL, *hb = NULL;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .max_attempts = 3 });
    leat_run_opts oa = { .params = &(leat_param){ "who", "a" }, .param_count = 1 };
    leat_run_opts ob = { .params = &(leat_param){ "who", "b" }, .param_count = 1 };
    assert_int_equal(leat_flow_submit(*state, flow, &a, &oa, &ha), LEAT_OK);
    assert_int_equal(leat_flow_submit(*state, flow, &b, &ob, &hb), LEAT_OK);
    assert_int_equal(leat_handle_wait(ha, -1, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_handle_wait(hb, -1, NULL, NULL), LEAT_OK);
    assert_string_equal(a.param, "a");
    assert_string_equal(b.param, "b");
    assert_int_equal(a.attempts, 2);
    assert_int_equal(b.attempts, 2);
    leat_handle_free(ha);
    leat_handle_free(hb);
    leat_flow_free(flow);
}

static leat_flow *flow_nested(struct script *s, int levels)
{
    leat_flow *flow = leat_flow_new(NULL);
    add(flow, s);
    for (int i = 1; i < levels; i++) {
        leat_flow *outer = leat_flow_new(NULL);
        leat_flow_add_flow(outer, flow);
        flow = outer;
    }
    return flow;
}

static void row_32_nesting_costs_no_stack_and_has_a_limit(void **state)
{
    struct script s = { .name = "deep", .action = "up" };
    leat_error error;
    leat_flow *flow = flow_nested(&s, 4096);
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "up");
    s.fails = 99;
    s.calls = 0;
    o = run_keep(*state, flow, NULL); /* an error comes up through all levels too */
    assert_int_equal(o.err, LEAT_USER);
    leat_flow_free(flow);
    assert_int_equal(run_free(*state, flow_nested(&s, 4097), NULL, &error), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"flow\": flows nest more than 4096 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_17_links_by_name_and_the_call_gives_the_target, each_test),
        cmocka_unit_test_setup(row_18_no_action_and_the_empty_one_are_default, each_test),
        cmocka_unit_test_setup(row_19_the_last_action_is_given_as_it_was, each_test),
        cmocka_unit_test_setup(row_20_an_unknown_action_ends_the_walk_with_a_warning, each_test),
        cmocka_unit_test_setup(row_20_option_strict_makes_it_an_error, each_test),
        cmocka_unit_test_setup(row_20_option_an_end_that_is_meant_is_no_dead_end, each_test),
        cmocka_unit_test_setup(row_20_an_action_that_leads_out_of_an_inner_flow_is_no_dead_end, each_test),
        cmocka_unit_test_setup(row_21_an_unknown_action_does_not_fall_through_to_default, each_test),
        cmocka_unit_test_setup(row_22_without_links_any_action_ends_it_silently, each_test),
        cmocka_unit_test_setup(row_23_a_second_link_for_an_action_wins_with_a_warning, each_test),
        cmocka_unit_test_setup(row_25_loops_have_no_limit, each_test),
        cmocka_unit_test_setup(row_25_option_max_steps, each_test),
        cmocka_unit_test_setup(row_26_a_flow_is_prep_the_walk_and_post, each_test),
        cmocka_unit_test_setup(row_26_an_error_of_the_flows_own_prep_names_the_flow, each_test),
        cmocka_unit_test_setup(row_27_a_flow_is_a_node_and_its_action_chooses_the_next, each_test),
        cmocka_unit_test_setup(row_28_an_error_leaves_all_enclosing_flows, each_test),
        cmocka_unit_test_setup(row_28_option_a_retry_policy_on_a_flow, each_test),
        cmocka_unit_test_setup(row_28_a_retry_policy_does_not_retry_a_cancel, each_test),
        cmocka_unit_test_setup(row_29_a_flow_without_start_is_refused, each_test),
        cmocka_unit_test_setup(row_30_a_visit_owns_its_state, each_test),
        cmocka_unit_test_setup(row_31_two_runs_at_once_share_neither_params_nor_attempts, each_test),
        cmocka_unit_test_setup(row_32_nesting_costs_no_stack_and_has_a_limit, each_test),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
