/*
 * test_flow_run.c: how runs begin and end: handles, flows called and started by nodes, deadlines, budgets, and who frees what.
 */
#include "support/flow.h"

#include "base/mem.h"

/* ---- from outside ---- */

static void a_handle_gives_the_last_action(void **state)
{
    struct script s = { .name = "a", .action = "done", .exec_ms = 5 };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    leat_handle *h = NULL;
    const void *action = NULL;
    assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, &action, NULL), LEAT_OK);
    assert_string_equal(action, "done");
    leat_handle_free(h);
    leat_flow_free(flow);
}

static void a_handle_gives_the_story_of_a_failure(void **state)
{
    struct script s = { .name = "a", .fails = 9 };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    leat_handle *h = NULL;
    leat_error from_handle, from_opts;
    const char *action = "untouched";
    leat_run_opts opts = { .error = &from_opts, .last_action = &action };
    assert_int_equal(leat_flow_submit(*state, flow, NULL, &opts, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, NULL, &from_handle), LEAT_USER);
    assert_string_equal(from_handle.text, "flow \"flow\", node \"Script\", attempt 1 of 1: failure 0 of a");
    assert_string_equal(from_opts.text, from_handle.text);
    assert_string_equal(action, "untouched");
    leat_handle_free(h);
    leat_flow_free(flow);
}

static leat_err action_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res, (void)exec_res;
    *action = leat_task_printf(t, "made-%s", "here"); /* memory of the visit */
    return LEAT_OK;
}

static void an_action_made_in_a_visit_outlives_the_run(void **state)
{
    static const leat_node_class cls = { .name = "Action", .post = action_post };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    struct outcome one = run_keep(*state, flow, NULL), two = run_keep(*state, flow, NULL);
    assert_string_equal(one.action, "made-here");
    assert_ptr_equal(one.action, two.action); /* kept once, however often it runs */
    leat_flow_free(flow);
}

static void wrong_calls_are_told(void **state)
{
    leat_error error;
    leat_handle *h = (leat_handle *)state;
    leat_run_opts opts = { .error = &error };
    struct script s = { .name = "a" };
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    assert_int_equal(leat_flow_run(*state, NULL, NULL, &opts), LEAT_NOMEM); /* a builder that was short of memory */
    assert_string_equal(error.text, "memory was short while the flow was built");
    assert_int_equal(leat_flow_run(NULL, flow, NULL, &opts), LEAT_USAGE);
    assert_string_equal(error.text, "a flow cannot run without a runtime");
    assert_int_equal(leat_flow_submit(*state, NULL, NULL, &opts, &h), LEAT_NOMEM);
    assert_null(h);
    assert_int_equal(leat_flow_submit(*state, flow, NULL, &opts, NULL), LEAT_USAGE);
    leat_flow_free(flow);
    leat_flow_free(NULL);
}

struct nested {
    leat_flow *flow;
    void *shared;
    leat_run_opts opts;
    leat_err err;
    leat_error error;
    const char *action;
};

static leat_err run_body(leat_task *t, void *arg, const void **result)
{
    struct nested *n = arg;
    (void)result;
    n->err = leat_flow_run(leat_task_runtime(t), n->flow, NULL, &(leat_run_opts){ .error = &n->error });
    return LEAT_OK;
}

static void a_run_from_inside_a_task_is_refused(void **state)
{
    struct script s = { .name = "a" };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
    assert_int_equal(leat_task_run(*state, run_body, &n, NULL), LEAT_OK);
    assert_int_equal(n.err, LEAT_USAGE);
    assert_non_null(strstr(n.error.text, "leat_flow_call"));
    leat_flow_free(n.flow);
}

static void a_run_canceled_before_it_began_gives_everything_back(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_make(1, true);
    struct script s = { .name = "a" };
    int64_t live = leat_i_mem_live_count();
    for (int i = 0; i < 100; i++) {
        leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
        leat_handle *h = NULL;
        assert_int_equal(leat_flow_submit(rt, flow, NULL, NULL, &h), LEAT_OK);
        leat_handle_free(h); /* cancels and joins */
        leat_flow_free(flow);
    }
    assert_string_equal(log_text, "");                 /* no flow was still counted as running */
    assert_true(leat_i_mem_live_count() <= live + 64); /* tasks and stacks that the pool keeps */
    leat_runtime_free(rt);
}

/* ---- flows called and started by nodes ---- */

static leat_err call_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct nested *n = leat_task_self(t);
    (void)prep_res;
    n->opts.error = &n->error;
    n->opts.last_action = &n->action;
    n->err = leat_flow_call(t, n->flow, n->shared, &n->opts);
    *exec_res = n->err == LEAT_OK ? n->action : NULL;
    return n->err;
}

static leat_err result_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)shared, (void)prep_res;
    *action = exec_res;
    return LEAT_OK;
}

static const leat_node_class call_class = { .name = "Call", .exec = call_exec, .post = result_post };

static void a_flow_called_by_a_node_gives_its_action(void **state)
{
    struct script s = { .name = "in", .action = "inner-action" };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
    leat_flow *outer = leat_flow_new(NULL);
    leat_flow_add(outer, &call_class, &(leat_node_opts){ .self = &n });
    struct outcome o = run_keep(*state, outer, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "inner-action");
    leat_flow_free(outer);
    leat_flow_free(n.flow);
}

static void the_story_of_a_called_flow_comes_up(void **state)
{
    struct script s = { .name = "in", .fails = 9 };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
    leat_error error;
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "outer" });
    leat_flow_add(outer, &call_class, &(leat_node_opts){ .self = &n, .max_attempts = 2 });
    assert_int_equal(run_free(*state, outer, NULL, &error), LEAT_USER);
    assert_int_equal(s.calls, 2); /* the call is an attempt like any other */
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", attempt 1 of 1: failure 1 of in");
    assert_string_equal(n.error.text, error.text);
    leat_flow_free(n.flow);
}

static leat_err call_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct nested *n = leat_task_self(t);
    int *inside = shared;
    (void)prep_res;
    *inside += 1;
    LEAT_TRY(leat_flow_call(t, n->flow, n->shared, NULL)); /* the gate is let go meanwhile, and held again after */
    *inside += 1;
    return LEAT_OK;
}

static leat_err add_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    *(int *)shared += 10;
    return LEAT_OK;
}

/* A gate of the same `shared` that was not let go would wait for itself for ever. */
static void a_phase_that_holds_the_gate_may_call_a_flow_on_the_same_store(void **state)
{
    static const leat_node_class cls = { .name = "CallInPrep", .prep = call_prep, .post = add_post };
    static const leat_node_class add = { .name = "Add", .post = add_post };
    for (int same = 0; same < 2; same++) {
        int store = 0, other = 0;
        struct nested n = { .flow = leat_flow_new(NULL), .shared = same ? &store : &other };
        leat_flow_add(n.flow, &add, NULL);
        leat_flow *outer = leat_flow_new(NULL);
        leat_flow_add(outer, &cls, &(leat_node_opts){ .self = &n });
        assert_int_equal(run_free(*state, outer, &store, NULL), LEAT_OK);
        assert_int_equal(store, same ? 22 : 12);
        assert_int_equal(other, same ? 0 : 10);
        leat_flow_free(n.flow);
    }
}

static leat_err start_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct nested *n = leat_task_self(t);
    leat_future *f[4];
    (void)prep_res;
    for (int i = 0; i < 4; i++)
        f[i] = leat_flow_start(t, n->flow, n->shared, &n->opts);
    LEAT_TRY(leat_await_all(t, f, 4));
    for (int i = 0; i < 4; i++)
        LEAT_TRY(leat_await(t, f[i], exec_res));
    return LEAT_OK;
}

static const leat_node_class start_class = { .name = "Start", .exec = start_exec, .post = result_post };

static void flows_started_by_a_node_run_beside_it(void **state)
{
    struct script s = { .name = "in", .exec_ms = 10, .action = "z" };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
    leat_flow *outer = leat_flow_new(NULL);
    leat_flow_add(outer, &start_class, &(leat_node_opts){ .self = &n });
    struct outcome o = run_keep(*state, outer, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "z");
    assert_int_equal(s.calls, 4);
    assert_int_equal(s.at_ms[3], s.at_ms[0]); /* at the same time */
    leat_flow_free(outer);
    leat_flow_free(n.flow);
}

static void a_budget_of_one_does_not_deadlock_on_nesting(void **state)
{
    static const leat_node_class *const ways[] = { &call_class, &start_class };
    for (size_t way = 0; way < 2; way++) {
        struct script s = { .name = "in", .exec_ms = 10 };
        struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
        leat_flow *outer = leat_flow_new(NULL);
        leat_flow_add(outer, ways[way], &(leat_node_opts){ .self = &n });
        assert_int_equal(leat_flow_run(*state, outer, NULL, &(leat_run_opts){ .in_flight_max = 1 }), LEAT_OK);
        if (way == 1) assert_int_equal(s.at_ms[3] - s.at_ms[0], 30); /* one at a time, all the same */
        leat_flow_free(outer);
        leat_flow_free(n.flow);
    }
}

static leat_err bad_start_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    leat_flow *empty = leat_flow_new(NULL);
    leat_future *none = leat_flow_start(t, NULL, NULL, NULL), *bad = leat_flow_start(t, empty, NULL, NULL);
    assert_int_equal(leat_await(t, none, NULL), LEAT_NOMEM);
    assert_int_equal(leat_await(t, bad, NULL), LEAT_USAGE);
    assert_string_equal(leat_future_error(bad)->text, "flow \"flow\" has no start: no node was added");
    leat_error error;
    assert_int_equal(leat_flow_call(t, empty, NULL, &(leat_run_opts){ .error = &error }), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"flow\" has no start: no node was added");
    leat_flow_free(empty);
    return LEAT_OK;
}

static void a_flow_that_cannot_start_gives_a_failed_future(void **state)
{
    static const leat_node_class cls = { .name = "BadStart", .exec = bad_start_exec };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
}

static leat_err recurse_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct nested *n = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    return leat_flow_call(t, n->flow, NULL, NULL);
}

static void a_flow_that_calls_itself_for_ever_is_stopped(void **state)
{
    static const leat_node_class cls = { .name = "Recurse", .exec = recurse_exec };
    struct nested n = { .flow = leat_flow_new(NULL) };
    leat_error error;
    leat_flow_add(n.flow, &cls, &(leat_node_opts){ .self = &n });
    assert_int_equal(leat_flow_run(*state, n.flow, NULL, &(leat_run_opts){ .error = &error }), LEAT_USAGE);
    assert_non_null(strstr(error.text, "flows call flows more than 16 deep on one stack"));
    leat_flow_free(n.flow);
}

/* ---- deadlines ---- */

static void the_deadline_of_a_node_is_a_cancel_inside_and_a_timeout_outside(void **state)
{
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a", .exec_ms = 1000 };
    leat_error error;
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 3, .deadline_ms = 100 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_TIMEOUT);
    assert_string_equal(trace.text, "a.prep a.exec"); /* no further attempt, no fallback, no post */
    assert_string_equal(error.text, "flow \"flow\", node \"Script\", visit: the node's deadline of 100 ms passed");
    assert_string_equal(error.node, "Script");
}

static leat_err careless_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res;
    (void)!leat_sleep_ms(t, 1000); /* the deadline cuts it short, and exec does not care */
    *exec_res = "done all the same";
    return LEAT_OK;
}

static void what_was_canceled_gets_no_post(void **state)
{
    static const leat_node_class cls = { .name = "Careless", .exec = careless_exec, .post = script_post };
    struct trace trace = { "" };
    struct script s = { .trace = &trace, .name = "a" };
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .deadline_ms = 20 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_TIMEOUT);
    assert_string_equal(trace.text, "");
}

static leat_err traced_flow_post(leat_task *t, void *shared, const void *prep_res, const void *walks,
                                 const char *last_action, const char **action)
{
    (void)t, (void)prep_res, (void)walks, (void)last_action, (void)action;
    trace_add(shared, "flow-post");
    return LEAT_OK;
}

static void a_flow_that_was_canceled_gets_no_post(void **state)
{
    static const leat_node_class cls = { .name = "Careless", .exec = careless_exec };
    struct trace trace = { "" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .post = traced_flow_post });
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(leat_flow_run(*state, flow, &trace, &(leat_run_opts){ .deadline_ms = 20 }), LEAT_TIMEOUT);
    assert_string_equal(trace.text, "");
    leat_flow_free(flow);
}

static void the_deadline_of_a_node_covers_its_waits(void **state)
{
    struct script s = { .name = "a", .fails = 99 };
    leat_flow *flow =
        flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 99, .retry_wait_ms = 30, .deadline_ms = 100 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_TIMEOUT);
    assert_int_equal(s.calls, 4); /* at 0, 30, 60 and 90 ms */
}

static void the_deadline_of_a_run_is_a_timeout_outside(void **state)
{
    struct script s = { .name = "a", .exec_ms = 40 };
    leat_error error;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .deadline_ms = 41, .error = &error }), LEAT_OK);
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .deadline_ms = 39, .error = &error }),
                     LEAT_TIMEOUT);
    assert_string_equal(error.text, "the run's deadline of 39 ms passed");
    assert_string_equal(error.node, "Script"); /* where it was */
    leat_flow_free(flow);
}

static void a_loop_that_never_waits_ends_at_the_deadline_of_its_run(void **state)
{
    (void)state;
    static const leat_node_class nothing = { .name = "Nothing" };
    leat_runtime *rt = runtime_make(1, false); /* real time, since virtual time stands still while something runs */
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *node = leat_flow_add(flow, &nothing, NULL);
    leat_flow_link(node, NULL, node);
    assert_int_equal(leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .deadline_ms = 20 }), LEAT_TIMEOUT);
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

/* An attempt's deadline around a called flow ends it; inside, its own nodes do not try again. */
static void the_deadline_of_an_attempt_reaches_into_a_called_flow(void **state)
{
    struct script s = { .name = "in", .exec_ms = 1000 };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 5 }) };
    leat_flow *outer = leat_flow_new(NULL);
    leat_flow_add(outer, &call_class, &(leat_node_opts){ .self = &n, .max_attempts = 2, .attempt_deadline_ms = 50 });
    assert_int_equal(run_free(*state, outer, NULL, NULL), LEAT_TIMEOUT);
    assert_int_equal(s.calls, 2); /* once per attempt of the outer node */
    leat_flow_free(n.flow);
}

static leat_err sleepy_child(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 1000);
}

static leat_err await_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    (void)prep_res;
    s->calls++;
    leat_future *f = leat_task_start(t, sleepy_child, NULL);
    (void)!leat_sleep_ms(t, 49); /* the child's timer is older than that of the await */
    return leat_await(t, f, exec_res);
}

/* The awaited task is stopped by the same deadline, and says so as a cancel: that is still a timeout of the attempt. */
static void the_deadline_of_an_attempt_is_tried_again_when_an_awaited_task_meets_it_first(void **state)
{
    static const leat_node_class cls = { .name = "Await", .exec = await_exec };
    struct script s = { .name = "a" };
    leat_error error;
    leat_flow *flow = flow_of(&cls, &s, (leat_node_opts){ .max_attempts = 3, .attempt_deadline_ms = 50 });
    assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_TIMEOUT);
    assert_int_equal(s.calls, 3);
    assert_non_null(strstr(error.text, "the attempt's deadline of 50 ms passed"));
}

static void a_called_flow_has_a_deadline_of_its_own(void **state)
{
    struct script s = { .name = "in", .exec_ms = 1000 };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }), .opts = { .deadline_ms = 30 } };
    leat_error error;
    leat_flow *outer = leat_flow_new(NULL);
    leat_flow_add(outer, &call_class, &(leat_node_opts){ .self = &n, .max_attempts = 2 });
    assert_int_equal(run_free(*state, outer, NULL, &error), LEAT_TIMEOUT);
    assert_int_equal(s.calls, 2); /* a timeout of the call is tried again */
    leat_flow_free(n.flow);
}

/* ---- the trace ---- */

static void trace_call(void *arg, const leat_trace *call)
{
    char item[32] = "";
    if (call->phase > LEAT_PHASE_EACH) return; /* visits and waits are test_flow_trace.c's */
    if (call->is_item) snprintf(item, sizeof item, "[%zu]", call->item);
    trace_add(arg, "%s.%s.%s%s", call->flow, call->node ? call->node : "-", leat_phase_name(call->phase), item);
    if (call->phase == LEAT_PHASE_EXEC) trace_add(arg, "#%u", call->attempt);
    if (call->code != LEAT_OK) trace_add(arg, "(%s: %s)", leat_err_name(call->code), call->error->text);
    trace_add(arg, "%dms", (int)((call->end_ns - call->begin_ns) / 1000000));
}

static void a_trace_tells_of_each_phase_and_each_attempt(void **state)
{
    struct trace trace = { "" };
    struct script s = { .name = "a", .fails = 2, .exec_ms = 7 };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 3 });
    leat_run_opts opts = { .trace = trace_call, .trace_arg = &trace };
    assert_int_equal(leat_flow_run(*state, flow, NULL, &opts), LEAT_OK);
    assert_string_equal(trace.text,
                        "flow.Script.prep 0ms flow.Script.exec #0 (USER: failure 0 of a) 7ms "
                        "flow.Script.exec #1 (USER: failure 1 of a) 7ms flow.Script.fallback 0ms flow.Script.post 0ms");
    leat_flow_free(flow);
}

static leat_err two_items_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const void *const item[] = { "x", "y" };
    static const leat_items items = { .item = item, .count = 2 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static void a_trace_tells_of_items_and_of_called_flows(void **state)
{
    static const leat_node_class cls = { .name = "Two", .prep = two_items_prep, .exec = call_exec };
    struct trace trace = { "" };
    struct script s = { .name = "a" };
    struct nested n = { .flow = flow_of(&script_class, &s, (leat_node_opts){ 0 }) };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "out" });
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .self = &n });
    leat_run_opts opts = { .trace = trace_call, .trace_arg = &trace };
    assert_int_equal(leat_flow_run(*state, flow, NULL, &opts), LEAT_OK);
    assert_string_equal(trace.text,
                        "out.Two.prep 0ms "
                        "flow.Script.prep 0ms flow.Script.exec #0 0ms flow.Script.post 0ms out.Two.exec[0] #0 0ms "
                        "flow.Script.prep 0ms flow.Script.exec #0 0ms flow.Script.post 0ms out.Two.exec[1] #0 0ms");
    leat_flow_free(flow);
    leat_flow_free(n.flow);
}

/* ---- who frees what ---- */

static leat_err free_flow_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct nested *n = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    leat_flow_free(n->flow);
    return leat_sleep_ms(t, 1);
}

static void a_flow_freed_while_it_runs_is_kept_with_a_warning(void **state)
{
    static const leat_node_class cls = { .name = "FreesItself", .exec = free_flow_exec };
    struct script warm = { .name = "warm", .exec_ms = 1 }; /* what the pool keeps, it has after this */
    assert_int_equal(run_free(*state, flow_of(&script_class, &warm, (leat_node_opts){ 0 }), NULL, NULL), LEAT_OK);
    int64_t live = leat_i_mem_live_count();
    struct nested n = { .flow = leat_flow_new(NULL) };
    leat_flow_add(n.flow, &cls, &(leat_node_opts){ .self = &n });
    assert_int_equal(leat_flow_run(*state, n.flow, NULL, NULL), LEAT_OK); /* and gone when the run has ended */
    assert_non_null(strstr(log_text, "a flow was freed while a run of it is under way"));
    assert_true(leat_i_mem_live_count() <= live);
}

static leat_err edit_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct nested *n = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    assert_null(leat_flow_add(n->flow, &script_class, NULL));
    return LEAT_OK;
}

static void a_flow_edited_while_it_runs_is_refused_from_then_on(void **state)
{
    static const leat_node_class cls = { .name = "EditsItself", .exec = edit_exec };
    struct nested n = { .flow = leat_flow_new(NULL) };
    leat_error error;
    leat_flow_add(n.flow, &cls, &(leat_node_opts){ .self = &n });
    assert_int_equal(leat_flow_run(*state, n.flow, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_flow_run(*state, n.flow, NULL, &(leat_run_opts){ .error = &error }), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"flow\": node \"Script\" was added or linked while a run was under way");
    leat_flow_free(n.flow);
}

static void between_runs_a_flow_may_grow(void **state)
{
    struct script a = { .name = "a" }, b = { .name = "b" };
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(flow, &script_class, &(leat_node_opts){ .self = &a });
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    leat_node *second = leat_flow_add(flow, &script_class, &(leat_node_opts){ .self = &b });
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_USAGE); /* not yet reachable, and checked again */
    leat_flow_link(first, NULL, second);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(b.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_handle_gives_the_last_action, each_test),
        cmocka_unit_test_setup(a_handle_gives_the_story_of_a_failure, each_test),
        cmocka_unit_test_setup(an_action_made_in_a_visit_outlives_the_run, each_test),
        cmocka_unit_test_setup(wrong_calls_are_told, each_test),
        cmocka_unit_test_setup(a_run_from_inside_a_task_is_refused, each_test),
        cmocka_unit_test_setup(a_run_canceled_before_it_began_gives_everything_back, each_test),
        cmocka_unit_test_setup(a_flow_called_by_a_node_gives_its_action, each_test),
        cmocka_unit_test_setup(the_story_of_a_called_flow_comes_up, each_test),
        cmocka_unit_test_setup(a_phase_that_holds_the_gate_may_call_a_flow_on_the_same_store, each_test),
        cmocka_unit_test_setup(flows_started_by_a_node_run_beside_it, each_test),
        cmocka_unit_test_setup(a_budget_of_one_does_not_deadlock_on_nesting, each_test),
        cmocka_unit_test_setup(a_flow_that_cannot_start_gives_a_failed_future, each_test),
        cmocka_unit_test_setup(a_flow_that_calls_itself_for_ever_is_stopped, each_test),
        cmocka_unit_test_setup(the_deadline_of_a_node_is_a_cancel_inside_and_a_timeout_outside, each_test),
        cmocka_unit_test_setup(what_was_canceled_gets_no_post, each_test),
        cmocka_unit_test_setup(a_flow_that_was_canceled_gets_no_post, each_test),
        cmocka_unit_test_setup(the_deadline_of_a_node_covers_its_waits, each_test),
        cmocka_unit_test_setup(the_deadline_of_a_run_is_a_timeout_outside, each_test),
        cmocka_unit_test_setup(a_loop_that_never_waits_ends_at_the_deadline_of_its_run, each_test),
        cmocka_unit_test_setup(the_deadline_of_an_attempt_reaches_into_a_called_flow, each_test),
        cmocka_unit_test_setup(the_deadline_of_an_attempt_is_tried_again_when_an_awaited_task_meets_it_first, each_test),
        cmocka_unit_test_setup(a_called_flow_has_a_deadline_of_its_own, each_test),
        cmocka_unit_test_setup(a_trace_tells_of_each_phase_and_each_attempt, each_test),
        cmocka_unit_test_setup(a_trace_tells_of_items_and_of_called_flows, each_test),
        cmocka_unit_test_setup(a_flow_freed_while_it_runs_is_kept_with_a_warning, each_test),
        cmocka_unit_test_setup(a_flow_edited_while_it_runs_is_refused_from_then_on, each_test),
        cmocka_unit_test_setup(between_runs_a_flow_may_grow, each_test),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
