/*
 * test_flow_node.c: rows 1 to 16 of the flow model: one node, its attempts and its fallback.
 *
 * row  what PocketFlow has                         leat     test
 *  1   prep, exec, post; action of post            keep     row_01_*
 *  2   exec does not get shared                    keep     row_02 (by its signature, and what reaches it)
 *  3   errors of prep and post are not retried     keep     row_03_*
 *  4   a node or flow run alone warns of its links keep     row_04
 *  5   state set on a node by a direct run stays   fix      row_05
 *  6   max_retries counts attempts                 keep     row_06
 *  7   cur_retry is 0-based, seen by the fallback  keep     row_07
 *  8   constant wait between attempts              keep+opt row_08_*
 *  9   the wait blocks the thread                  fix      row_09
 * 10   fallback gets the last error; post runs     keep     row_10
 * 11   without fallback the run fails, no post     keep     row_11
 * 12   an error of the fallback propagates         keep     row_12
 * 13   max_retries <= 0 skips exec silently        fix      row_13
 * 14   cancel is never retried                     keep     row_14_*
 * 15   each attempt gets the same prep result      keep     row_15
 * 16   which errors, and a deadline per attempt    option   row_16_*
 */
#include "support/flow.h"

static void row_01_prep_exec_post_and_the_action_of_post(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .action = "done" };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "done");
    assert_string_equal(trace.text, "a.prep a.exec a.post");
    assert_string_equal(s.exec_res, "a-result");
    leat_flow_free(flow);
}

static void row_01_all_three_are_optional(void **state)
{
    static const leat_node_class nothing = { .name = "Nothing" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &nothing, NULL);
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_null(o.action);
    leat_flow_free(flow);
}

static leat_err count_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)action;
    assert_null(prep_res);
    assert_null(exec_res);
    ++*(int *)shared;
    return LEAT_OK;
}

static void row_01_a_missing_phase_gives_null(void **state)
{
    static const leat_node_class only_post = { .name = "OnlyPost", .post = count_post };
    int count = 0;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &only_post, NULL);
    assert_int_equal(run_free(*state, flow, &count, NULL), LEAT_OK);
    assert_int_equal(count, 1);
}

static leat_err pass_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    *prep_res = shared;
    return LEAT_OK;
}

static leat_err pass_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t;
    *exec_res = (const char *)prep_res + 1;
    return LEAT_OK;
}

static leat_err pass_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t;
    assert_ptr_equal(prep_res, shared);
    assert_ptr_equal(exec_res, (char *)shared + 1);
    *action = "passed";
    return LEAT_OK;
}

/* exec has no parameter for it: only what prep hands over reaches it. */
static void row_02_exec_sees_only_what_prep_gives(void **state)
{
    static const leat_node_class pass = { "Pass", pass_prep, pass_exec, NULL, pass_post };
    char store[2] = "x";
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &pass, NULL);
    struct outcome o = run_keep(*state, flow, store);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "passed");
    leat_flow_free(flow);
}

static void row_03_an_error_in_prep_is_not_retried(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .prep_code = LEAT_USER };
    leat_error error;
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    assert_string_equal(trace.text, "a.prep");
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", prep: prep of a broke");
}

static void row_03_an_error_in_post_is_not_retried(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .post_code = LEAT_IO };
    leat_error error;
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_IO);
    assert_string_equal(trace.text, "a.prep a.exec a.post");
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", post: post of a broke");
    assert_string_equal(error.node, "Script");
}

static void row_04_a_flow_that_runs_alone_warns_of_its_links(void **state)
{
    struct script a = { .name = "a" }, b = { .name = "b" };
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" }), *outer = leat_flow_new(NULL);
    leat_flow_add(inner, &script_class, &(leat_node_opts){ .self = &a });
    leat_node *first = leat_flow_add_flow(outer, inner);
    leat_flow_link(first, NULL, leat_flow_add(outer, &script_class, &(leat_node_opts){ .self = &b }));
    assert_int_equal(leat_flow_run(*state, inner, NULL, NULL), LEAT_OK);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    assert_non_null(strstr(log_text, "flow \"inner\" runs alone"));
    leat_flow_free(outer);
}

/* The only state that stays is what hangs off the options. */
static void row_05_two_runs_are_alike_and_self_outlives_them(void **state)
{
    struct script s = { .name = "a", .fails = 1 };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.calls, 3);
    assert_int_equal(s.attempt[1], 1);
    assert_int_equal(s.attempt[2], 0); /* no attempt was left over from the first run */
    leat_flow_free(flow);
}

static void row_06_max_attempts_counts_attempts(void **state)
{
    for (int max = 0; max <= 3; max++) {
        struct script s = { .name = "a", .fails = 99 };
        leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = max });
        assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_USER);
        assert_int_equal(s.calls, max == 0 ? 1 : max);
    }
}

static void row_07_the_attempt_is_zero_based_and_seen_by_fallback_and_post(void **state)
{
    struct script s = { .name = "a", .fails = 99 };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(s.attempt[i], i);
    assert_int_equal(s.fallback_attempt, 2);
    assert_int_equal(s.post_attempt, 2);
}

static void row_08_the_wait_is_constant_and_only_between_attempts(void **state)
{
    struct script s = { .name = "a", .fails = 99 };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 3, .retry_wait_ms = 50 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.at_ms[1] - s.at_ms[0], 50);
    assert_int_equal(s.at_ms[2] - s.at_ms[1], 50);
    /* Not before the first, not after the last: the next run begins where the last attempt was. */
    struct script next = { .name = "b" };
    flow = flow_of(&script_class, &next, (leat_node_opts){ .retry_wait_ms = 50, .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(next.at_ms[0], s.at_ms[2]);
}

static void row_08_option_exponential_up_to_its_cap(void **state)
{
    struct script s = { .name = "a", .fails = 99 };
    leat_node_opts opts = {
        .max_attempts = 6, .retry_wait_ms = 10, .backoff = LEAT_BACKOFF_EXPONENTIAL, .retry_wait_max_ms = 50
    };
    leat_flow *flow = flow_of(&script_class, &s, opts);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_USER);
    static const int64_t wait[] = { 10, 20, 40, 50, 50 };
    for (int i = 0; i < 5; i++)
        assert_int_equal(s.at_ms[i + 1] - s.at_ms[i], wait[i]);
}

static void row_08_option_jitter_stays_between_half_and_all(void **state)
{
    struct script s = { .name = "a", .fails = 99 };
    leat_node_opts opts = {
        .max_attempts = 8, .retry_wait_ms = 100, .backoff = LEAT_BACKOFF_JITTER, .retry_wait_max_ms = 400
    };
    leat_flow *flow = flow_of(&script_class, &s, opts);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_USER);
    for (int i = 0; i < 7; i++) {
        int64_t full = i == 0 ? 100 : i == 1 ? 200 : 400, wait = s.at_ms[i + 1] - s.at_ms[i];
        assert_true(wait >= full / 2 && wait <= full);
    }
}

static leat_err limited_child(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_task_fail(t, LEAT_LIMITED, "slow down");
}

/* The error of an awaited task is the attempt's own, with its story. */
static leat_err awaiting_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res;
    leat_future *f = leat_task_start(t, limited_child, NULL);
    return leat_await(t, f, exec_res);
}

static void row_08_an_awaited_error_is_the_cause(void **state)
{
    static const leat_node_class cls = { "Awaits", NULL, awaiting_exec, script_fallback, script_post };
    struct script s = { .name = "a" };
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.cause.code, LEAT_LIMITED);
    assert_string_equal(s.cause.text, "slow down");
    assert_int_equal(s.cause.attempt, 1);
    assert_string_equal(s.cause.node, "Awaits");
}

static leat_err other_body(leat_task *t, void *arg, const void **result)
{
    (void)result;
    *(int64_t *)arg = leat_task_now_ns(t) / 1000000;
    return LEAT_OK;
}

/* One worker: if the wait held it, the other task could not run before the last attempt. */
static void row_09_the_wait_holds_no_worker(void **state)
{
    struct script s = { .name = "a", .fails = 1 };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 1000 });
    leat_handle *run = NULL, *other = NULL;
    int64_t other_ms = -1;
    assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &run), LEAT_OK);
    assert_int_equal(leat_task_submit(*state, other_body, &other_ms, &other), LEAT_OK);
    assert_int_equal(leat_handle_wait(other, -1, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_handle_wait(run, -1, NULL, NULL), LEAT_OK);
    assert_int_equal(s.at_ms[1] - s.at_ms[0], 1000);
    assert_true(other_ms <= s.at_ms[1]);
    leat_handle_free(run);
    leat_handle_free(other);
    leat_flow_free(flow);
}

static void row_10_the_fallback_gets_the_last_error_and_post_runs(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .fails = 99, .code = LEAT_REPLY };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_string_equal(trace.text, "a.prep a.exec a.exec a.fallback a.post");
    assert_int_equal(s.cause.code, LEAT_REPLY);
    assert_string_equal(s.cause.text, "failure 1 of a");
    assert_string_equal(s.exec_res, "a-fallback");
}

static void row_11_without_fallback_the_run_fails_and_post_is_not_called(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .fails = 99 };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USER);
    assert_string_equal(trace.text, "a.prep a.exec a.exec");
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", attempt 2 of 2: failure 1 of a");
    assert_string_equal(error.node, "Script");
    assert_int_equal(error.attempt, 1);
}

static void row_12_an_error_of_the_fallback_propagates_as_it_is(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .fails = 99, .fallback_code = LEAT_DENIED };
    leat_error error;
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_DENIED);
    assert_string_equal(trace.text, "a.prep a.exec a.exec a.fallback");
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", fallback: fallback of a broke");
}

static void row_13_a_negative_number_of_attempts_is_refused(void **state)
{
    struct script s = { .name = "a" };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = -1 });
    assert_int_equal(leat_flow_check(flow, &error), LEAT_USAGE);
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USAGE);
    assert_int_equal(s.calls, 0);
    assert_string_equal(error.text, "flow \"flow\": node \"Script\": max_attempts is negative");
    assert_string_equal(error.node, "Script");
}

static void row_14_a_cancel_is_never_retried_and_has_no_fallback(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .fails = 99, .code = LEAT_CANCELED };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 5 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_CANCELED);
    assert_string_equal(trace.text, "a.prep a.exec");
}

static void row_14_a_cancel_from_outside_ends_the_wait_between_attempts(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_make(1, false); /* real time: an hour's wait that a cancel must cut short */
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .fails = 99 };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 5, .retry_wait_ms = 3600000 });
    leat_handle *run = NULL;
    assert_int_equal(leat_flow_submit(rt, flow, NULL, NULL, &run), LEAT_OK);
    leat_handle_cancel(run);
    assert_int_equal(leat_handle_wait(run, -1, NULL, NULL), LEAT_CANCELED);
    leat_handle_free(run);
    leat_flow_free(flow);
    leat_runtime_free(rt);
    assert_null(strstr(trace.text, "fallback"));
    assert_null(strstr(trace.text, "post"));
    assert_true(s.calls <= 1);
}

static leat_err same_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    (void)exec_res;
    assert_ptr_equal(prep_res, s->name);
    s->calls++;
    return s->calls < 3 ? LEAT_USER : LEAT_OK;
}

static void row_15_each_attempt_gets_the_same_prep_result(void **state)
{
    static const leat_node_class cls = { .name = "Same", .prep = script_prep, .exec = same_exec };
    struct script s = { .name = "a" };
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.calls, 3);
}

static leat_err endless_child(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_sleep_ms(t, INT64_C(1) << 40);
    if (err == LEAT_CANCELED) *(int *)arg += 1;
    return err;
}

static leat_err starts_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    assert_int_equal(s->calls, (int)leat_task_attempt(t)); /* those of the attempts before have ended */
    leat_task_start(t, endless_child, &s->calls);
    LEAT_TRY(leat_sleep_ms(t, 1)); /* it has begun */
    return leat_task_attempt(t) < 2 ? LEAT_USER : LEAT_OK;
}

static void what_a_failed_attempt_started_ends_before_the_next(void **state)
{
    static const leat_node_class cls = { .name = "Starts", .exec = starts_exec };
    struct script s = { .name = "a" };
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .max_attempts = 3 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.calls, 3);
}

static bool only_net(const leat_error *error)
{
    return error->code == LEAT_NET;
}

static void row_16_option_which_errors_to_try_again(void **state)
{
    struct script net = { .name = "a", .fails = 1, .code = LEAT_NET }, user = { .name = "b", .fails = 1 };
    leat_node_opts opts = { .max_attempts = 3, .retry_if = only_net };
    assert_int_equal(run_free(*state, flow_of(&script_class, &net, opts), NULL, NULL), LEAT_OK);
    assert_int_equal(net.calls, 2);
    assert_int_equal(run_free(*state, flow_of(&script_class, &user, opts), NULL, NULL), LEAT_USER);
    assert_int_equal(user.calls, 1);
}

static void row_16_wrong_calls_are_not_tried_again(void **state)
{
    struct script s = { .name = "a", .fails = 1, .code = LEAT_USAGE };
    assert_int_equal(run_free(*state, flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 3 }), NULL, NULL),
                     LEAT_USAGE);
    assert_int_equal(s.calls, 1);
}

static void row_16_option_a_deadline_per_attempt_is_tried_again(void **state)
{
    struct script s = { .name = "a", .exec_ms = 500 };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 3, .attempt_deadline_ms = 20 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_TIMEOUT);
    assert_int_equal(s.calls, 3);
    assert_int_equal(s.at_ms[2] - s.at_ms[0], 40);
    assert_string_equal(error.text,
                        "flow \"flow\", node \"Script\", attempt 3 of 3: the attempt's deadline of 20 ms passed");
}

static leat_err late_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    (void)prep_res;
    s->calls++;
    (void)!leat_sleep_ms(t, 500); /* does not care for the deadline */
    *exec_res = "late";
    return LEAT_OK;
}

static void row_16_an_exec_that_returns_ok_late_counts_as_ok(void **state)
{
    static const leat_node_class cls = { .name = "Late", .exec = late_exec, .post = script_post };
    struct script s = { .name = "a" };
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .max_attempts = 3, .attempt_deadline_ms = 20 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(s.calls, 1);
    assert_string_equal(s.exec_res, "late");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_01_prep_exec_post_and_the_action_of_post, each_test),
        cmocka_unit_test_setup(row_01_all_three_are_optional, each_test),
        cmocka_unit_test_setup(row_01_a_missing_phase_gives_null, each_test),
        cmocka_unit_test_setup(row_02_exec_sees_only_what_prep_gives, each_test),
        cmocka_unit_test_setup(row_03_an_error_in_prep_is_not_retried, each_test),
        cmocka_unit_test_setup(row_03_an_error_in_post_is_not_retried, each_test),
        cmocka_unit_test_setup(row_04_a_flow_that_runs_alone_warns_of_its_links, each_test),
        cmocka_unit_test_setup(row_05_two_runs_are_alike_and_self_outlives_them, each_test),
        cmocka_unit_test_setup(row_06_max_attempts_counts_attempts, each_test),
        cmocka_unit_test_setup(row_07_the_attempt_is_zero_based_and_seen_by_fallback_and_post, each_test),
        cmocka_unit_test_setup(row_08_the_wait_is_constant_and_only_between_attempts, each_test),
        cmocka_unit_test_setup(row_08_option_exponential_up_to_its_cap, each_test),
        cmocka_unit_test_setup(row_08_option_jitter_stays_between_half_and_all, each_test),
        cmocka_unit_test_setup(row_08_an_awaited_error_is_the_cause, each_test),
        cmocka_unit_test_setup(row_09_the_wait_holds_no_worker, each_test),
        cmocka_unit_test_setup(row_10_the_fallback_gets_the_last_error_and_post_runs, each_test),
        cmocka_unit_test_setup(row_11_without_fallback_the_run_fails_and_post_is_not_called, each_test),
        cmocka_unit_test_setup(row_12_an_error_of_the_fallback_propagates_as_it_is, each_test),
        cmocka_unit_test_setup(row_13_a_negative_number_of_attempts_is_refused, each_test),
        cmocka_unit_test_setup(row_14_a_cancel_is_never_retried_and_has_no_fallback, each_test),
        cmocka_unit_test_setup(row_14_a_cancel_from_outside_ends_the_wait_between_attempts, each_test),
        cmocka_unit_test_setup(row_15_each_attempt_gets_the_same_prep_result, each_test),
        cmocka_unit_test_setup(what_a_failed_attempt_started_ends_before_the_next, each_test),
        cmocka_unit_test_setup(row_16_option_which_errors_to_try_again, each_test),
        cmocka_unit_test_setup(row_16_wrong_calls_are_not_tried_again, each_test),
        cmocka_unit_test_setup(row_16_option_a_deadline_per_attempt_is_tried_again, each_test),
        cmocka_unit_test_setup(row_16_an_exec_that_returns_ok_late_counts_as_ok, each_test),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
