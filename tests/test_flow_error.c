/* test_flow_error.c: what a failed run says: one sentence with the place and the cause, and the story behind it. */
#include "support/flow.h"

static void check_story(const leat_error *error, const char *text)
{
    char story[1024];
    leat_error_format(error, story, sizeof story);
    assert_string_equal(story, text);
}

static void a_failed_fallback_keeps_what_it_was_called_for(void **state)
{
    struct script s = { .name = "a", .fails = 9, .code = LEAT_NET, .fallback_code = LEAT_USER };
    leat_error error;
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    check_story(&error, "USER: flow \"flow\", node \"Script\", fallback: fallback of a broke\n"
                        "  because (NET): failure 1 of a");
}

static leat_err pass_on(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_task_fail(t, cause->code, "%s", cause->text);
}

static void a_fallback_that_passes_the_failure_on_tells_it_once(void **state)
{
    static const leat_node_class cls = { "Pass", script_prep, script_exec, pass_on, NULL };
    struct script s = { .name = "a", .fails = 9 };
    leat_error error;
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ 0 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    check_story(&error, "USER: flow \"flow\", node \"Pass\", fallback: failure 0 of a");
}

static leat_err call_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_flow_call(t, leat_task_self(t), NULL, NULL);
}

static const leat_node_class call_class = { .name = "Call", .exec = call_exec };

static void a_called_flow_tells_where_it_broke_and_who_called(void **state)
{
    struct script s = { .name = "in", .fails = 9 };
    leat_error error;
    leat_flow *inner = flow_of(&script_class, &s, (leat_node_opts){ 0 }),
              *outer = leat_flow_new(&(leat_flow_opts){ .name = "out" });
    leat_flow_add(outer, &call_class, &(leat_node_opts){ .self = inner, .max_attempts = 2 });
    assert_int_equal(run_free(*state, outer, NULL, &error), LEAT_USER);
    check_story(&error, "USER: flow \"flow\", node \"Script\", attempt 1 of 1: failure 1 of in\n"
                        "  in flow \"out\", node \"Call\", attempt 2 of 2");
    leat_flow_free(inner);
}

static void a_flow_in_flows_tells_them_all(void **state)
{
    struct script s = { .name = "in", .fails = 9 };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "f%d", i);
        leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = name });
        leat_flow_add_flow(outer, flow);
        flow = outer;
    }
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    check_story(&error, "USER: flow \"flow\", node \"Script\", attempt 1 of 1: failure 0 of in\n"
                        "  in flow \"f0\", node \"flow\"\n"
                        "  in flow \"f1\", node \"f0\"\n"
                        "  in flow \"f2\", node \"f1\"");
}

static leat_err list_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    leat_items_add(t, prep_res, "x");
    return LEAT_OK;
}

static void an_item_names_its_place_once(void **state)
{
    for (uint32_t width = 1; width <= 2; width++) {
        static const leat_node_class cls = { "Items", list_prep, script_exec, NULL, NULL };
        struct script s = { .name = "a", .fails = 9 };
        leat_error error;
        leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .batch = true, .in_flight_max = width });
        assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
        check_story(&error, "USER: flow \"flow\", node \"Items\", item 0, attempt 1 of 1: failure 0 of a");
    }
}

static void a_deadline_tells_what_was_under_way(void **state)
{
    struct script s = { .name = "a", .exec_ms = 1000 };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .deadline_ms = 100, .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_TIMEOUT);
    check_story(&error, "TIMEOUT: flow \"flow\", node \"Script\", visit: the node's deadline of 100 ms passed\n"
                        "  because (CANCELED): flow \"flow\", node \"Script\", attempt 1 of 3: the run was canceled");
    flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .deadline_ms = 5, .error = &error }), LEAT_TIMEOUT);
    check_story(&error, "TIMEOUT: the run's deadline of 5 ms passed\n"
                        "  because (CANCELED): flow \"flow\", node \"Script\", attempt 1 of 1: the run was canceled");
    leat_flow_free(flow);
}

static leat_err fetch(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_task_fail(t, LEAT_NET, "%s does not answer", (const char *)arg);
}

static char host[] = "host";

static leat_err explain_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    leat_future *f = leat_task_start(t, fetch, host);
    (void)prep_res;
    leat_err err = leat_await(t, f, exec_res);
    if (!leat_task_self(t)) return leat_task_fail_because(t, LEAT_USER, NULL, "no page");
    return leat_task_fail_because(t, err, leat_future_error(f), "no page");
}

static void what_users_add_is_kept_with_what_it_came_from(void **state)
{
    static const leat_node_class cls = { .name = "Explain", .exec = explain_exec };
    for (int way = 0; way < 2; way++) {
        leat_error error;
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .self = way ? &error : NULL });
        assert_int_equal(run_free(*state, flow, NULL, &error), way ? LEAT_NET : LEAT_USER);
        assert_string_equal(error.text, "flow \"flow\", node \"Explain\", attempt 1 of 1: no page");
        assert_string_equal(leat_error_cause(&error, 0, NULL), "host does not answer");
    }
}

static leat_err wordy_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_task_fail(t, LEAT_USER, "%0150d ends here", 0);
}

static void a_sentence_that_is_cut_is_whole_in_the_story(void **state)
{
    static const leat_node_class cls = { .name = "Wordy", .exec = wordy_exec };
    leat_error error;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_non_null(strstr(leat_error_cause(&error, 0, NULL), "0 ends here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_fallback_keeps_what_it_was_called_for),
        cmocka_unit_test(a_fallback_that_passes_the_failure_on_tells_it_once),
        cmocka_unit_test(a_called_flow_tells_where_it_broke_and_who_called),
        cmocka_unit_test(a_flow_in_flows_tells_them_all),
        cmocka_unit_test(an_item_names_its_place_once),
        cmocka_unit_test(a_deadline_tells_what_was_under_way),
        cmocka_unit_test(what_users_add_is_kept_with_what_it_came_from),
        cmocka_unit_test(a_sentence_that_is_cut_is_whole_in_the_story),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
