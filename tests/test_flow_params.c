/*
 * test_flow_params.c: rows 33 to 39 of the flow model: params, and the walk's private store.
 *
 * row  what PocketFlow has                                  leat  test
 * 33   set_params stores the caller's own dict              keep  row_33: copied when the flow is made, immutable after
 * 34   a node's own params are overwritten                  n/a   a node has no params; what is fixed hangs off its options
 * 35   an inner flow's own params are lost in a nested flow fix   row_35: merged, the inner ones win
 * 36   the nodes of a walk share one dict                   fix   row_36: a view that nobody can write (const in the type)
 * 37   item params lie over the flow's own                  keep  row_37
 * 38   a nested batch inherits the outer item's params      keep  row_38
 * 39   params are unchanged after a run                     keep  row_39
 */
#include "support/flow.h"

/* Notes what a node sees of the keys a, b and c. */
static leat_err look_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    static const char *const keys[] = { "a", "b", "c" };
    char seen[64] = "";
    (void)prep_res, (void)exec_res, (void)action;
    for (size_t i = 0; i < 3; i++) {
        const char *value = leat_task_param(t, keys[i]);
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s", value ? value : "-");
    }
    trace_add(shared, "%s", seen);
    return LEAT_OK;
}

static const leat_node_class look = { .name = "Look", .post = look_post };

static leat_flow *flow_with(leat_flow_opts opts, const leat_param *params, size_t count)
{
    opts.params = params;
    opts.param_count = count;
    return leat_flow_new(&opts);
}

static void row_33_params_are_copied_and_immutable(void **state)
{
    struct trace trace = { "" };
    char key[] = "a", value[] = "1";
    leat_param param = { key, value };
    leat_flow *flow = flow_with((leat_flow_opts){ 0 }, &param, 1);
    leat_flow_add(flow, &look, NULL);
    key[0] = value[0] = 'x';
    assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "1--");
}

static void row_33_params_of_the_run_lie_over_those_of_the_flow(void **state)
{
    struct trace trace = { "" };
    leat_flow *flow = flow_with((leat_flow_opts){ 0 }, (leat_param[]){ { "a", "1" }, { "b", "2" } }, 2);
    leat_flow_add(flow, &look, NULL);
    leat_run_opts opts = { .params = (leat_param[]){ { "b", "8" }, { "c", "9" } }, .param_count = 2 };
    assert_int_equal(leat_flow_run(*state, flow, &trace, &opts), LEAT_OK);
    assert_string_equal(trace.text, "189");
    leat_flow_free(flow);
}

static void row_35_an_inner_flow_merges_its_params_over_those_around_it(void **state)
{
    struct trace trace = { "" };
    leat_flow *outer = flow_with((leat_flow_opts){ 0 }, (leat_param[]){ { "a", "1" }, { "b", "2" } }, 2);
    leat_flow *inner = flow_with((leat_flow_opts){ 0 }, (leat_param[]){ { "b", "3" }, { "c", "4" } }, 2);
    leat_flow_add(inner, &look, NULL);
    leat_node *first = leat_flow_add_flow(outer, inner);
    leat_flow_link(first, NULL, leat_flow_add(outer, &look, NULL));
    assert_int_equal(run_free(*state, outer, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "134 12-");
}

static leat_err see_prep(leat_task *t, void *shared, const void **prep_res)
{
    trace_add(shared, "prep:%s", leat_task_param(t, "a"));
    *prep_res = leat_task_param(t, "a");
    return LEAT_OK;
}

static leat_err child_body(leat_task *t, void *arg, const void **result)
{
    (void)arg;
    *result = leat_task_param(t, "a");
    return LEAT_OK;
}

/* A task that a node starts sees the params of the walk too. */
static leat_err see_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    assert_string_equal(prep_res, leat_task_param(t, "a"));
    return leat_await(t, leat_task_start(t, child_body, NULL), exec_res);
}

static leat_err see_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)action;
    trace_add(shared, "child:%s", (const char *)exec_res);
    assert_null(leat_task_param(t, NULL));
    assert_null(leat_task_param(t, "no such key"));
    return LEAT_OK;
}

static void row_36_every_phase_and_its_tasks_see_the_same_params(void **state)
{
    static const leat_node_class see = { "See", see_prep, see_exec, NULL, see_post };
    struct trace trace = { "" };
    leat_flow *flow = flow_with((leat_flow_opts){ 0 }, &(leat_param){ "a", "7" }, 1);
    leat_flow_add(flow, &see, NULL);
    assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "prep:7 child:7");
}

static const leat_param one[] = { { "a", "x" } }, two[] = { { "a", "y" }, { "c", "z" } };
static const leat_param_set some_sets[] = { { one, 1 }, { NULL, 0 }, { two, 2 } };

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_param_sets *sets = leat_task_alloc(t, sizeof *sets);
    (void)shared;
    sets->set = some_sets;
    sets->count = 3;
    *prep_res = sets;
    return LEAT_OK;
}

static void row_37_item_params_lie_over_the_flows_own(void **state)
{
    for (uint32_t in_flight = 0; in_flight <= 3; in_flight += 3) {
        struct trace trace = { "" };
        leat_flow_opts opts = { .batch = true, .prep = sets_prep, .in_flight_max = in_flight };
        leat_flow *flow = flow_with(opts, (leat_param[]){ { "a", "1" }, { "b", "2" } }, 2);
        leat_flow_add(flow, &look, NULL);
        leat_run_opts over = { .params = &(leat_param){ "b", "5" }, .param_count = 1 };
        assert_int_equal(leat_flow_run(*state, flow, &trace, &over), LEAT_OK);
        assert_non_null(strstr(trace.text, "x5-"));
        assert_non_null(strstr(trace.text, "15-")); /* an empty set gives the flow's own */
        assert_non_null(strstr(trace.text, "y5z"));
        if (in_flight == 0) assert_string_equal(trace.text, "x5- 15- y5z");
        leat_flow_free(flow);
    }
}

static const leat_param bees[][1] = { { { "b", "1" } }, { { "b", "2" } } };

/* The inner prep reads the outer item's params. */
static leat_err inner_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_param_sets *sets = leat_task_alloc(t, sizeof *sets);
    leat_param_set *set = leat_task_alloc(t, 2 * sizeof *set);
    const char *a = leat_task_param(t, "a");
    (void)shared;
    assert_non_null(a);
    for (size_t i = 0; i < 2; i++)
        set[i] = (leat_param_set){ bees[i], 1 };
    sets->set = set;
    sets->count = 2;
    *prep_res = sets;
    return LEAT_OK;
}

static void row_38_a_nested_batch_sees_the_params_of_both(void **state)
{
    for (int parallel = 0; parallel < 4; parallel++) {
        struct trace trace = { "" };
        leat_flow_opts outer_opts = { .batch = true, .prep = sets_prep, .in_flight_max = parallel & 1 ? 4 : 0 };
        leat_flow_opts inner_opts = { .batch = true, .prep = inner_prep, .in_flight_max = parallel & 2 ? 4 : 0 };
        leat_flow *outer = flow_with(outer_opts, &(leat_param){ "a", "d" }, 1), *inner = leat_flow_new(&inner_opts);
        leat_flow_add(inner, &look, NULL);
        leat_flow_add_flow(outer, inner);
        assert_int_equal(run_free(*state, outer, &trace, NULL), LEAT_OK);
        static const char *const seen[] = { "x1-", "x2-", "d1-", "d2-", "y1z", "y2z" };
        for (size_t i = 0; i < 6; i++)
            assert_non_null(strstr(trace.text, seen[i]));
        if (parallel == 0) assert_string_equal(trace.text, "x1- x2- d1- d2- y1z y2z");
    }
}

static void row_39_params_are_unchanged_after_a_run(void **state)
{
    struct trace trace = { "" };
    leat_flow *flow = flow_with((leat_flow_opts){ 0 }, &(leat_param){ "a", "1" }, 1);
    leat_flow_add(flow, &look, NULL);
    leat_run_opts over = { .params = &(leat_param){ "a", "2" }, .param_count = 1 };
    assert_int_equal(leat_flow_run(*state, flow, &trace, &over), LEAT_OK);
    assert_int_equal(leat_flow_run(*state, flow, &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "2-- 1--");
    leat_flow_free(flow);
}

/* ---- the walk's private store (rows 68, and DESIGN: what one node hands to the next in the same walk) ---- */

static leat_err store_write(leat_task *t, void *shared, const void **prep_res)
{
    char *store = leat_task_walk(t);
    (void)shared;
    for (int i = 0; i < 32; i++)
        assert_int_equal(store[i], 0); /* fresh in each walk */
    snprintf(store, 32, "%s", leat_task_param(t, "a"));
    *prep_res = store;
    return LEAT_OK;
}

static leat_err store_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    assert_ptr_equal(prep_res, leat_task_walk(t));
    *exec_res = prep_res;
    return leat_sleep_ms(t, 3); /* others run, and would overwrite one place in a common store */
}

static leat_err store_read(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res, (void)exec_res, (void)action;
    assert_string_equal(leat_task_walk(t), leat_task_param(t, "a"));
    trace_add(shared, "%s", (const char *)leat_task_walk(t));
    return LEAT_OK;
}

static void a_walk_has_a_private_store(void **state)
{
    static const leat_node_class writer = { .name = "Writer", .prep = store_write, .exec = store_exec };
    static const leat_node_class reader = { .name = "Reader", .post = store_read };
    for (uint32_t in_flight = 0; in_flight <= 3; in_flight += 3) {
        struct trace trace = { "" };
        leat_flow_opts opts = { .batch = true, .prep = sets_prep, .in_flight_max = in_flight, .walk_bytes = 32 };
        leat_flow *flow = flow_with(opts, &(leat_param){ "a", "own" }, 1);
        leat_node *first = leat_flow_add(flow, &writer, NULL);
        leat_flow_link(first, NULL, leat_flow_add(flow, &reader, NULL));
        assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
        assert_int_equal(strlen(trace.text), strlen("x own y"));
    }
}

static leat_err no_store_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res, (void)exec_res, (void)action;
    assert_null(leat_task_walk(t));
    return LEAT_OK;
}

static void without_walk_bytes_there_is_no_store(void **state)
{
    static const leat_node_class cls = { .name = "NoStore", .post = no_store_post };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
}

static leat_err plain_body(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    assert_null(leat_task_param(t, "a"));
    assert_null(leat_task_self(t));
    assert_null(leat_task_walk(t));
    assert_int_equal(leat_task_attempt(t), 0);
    return LEAT_OK;
}

static void a_task_outside_flows_has_none_of_it(void **state)
{
    assert_int_equal(leat_task_run(*state, plain_body, NULL, NULL), LEAT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_33_params_are_copied_and_immutable, each_test),
        cmocka_unit_test_setup(row_33_params_of_the_run_lie_over_those_of_the_flow, each_test),
        cmocka_unit_test_setup(row_35_an_inner_flow_merges_its_params_over_those_around_it, each_test),
        cmocka_unit_test_setup(row_36_every_phase_and_its_tasks_see_the_same_params, each_test),
        cmocka_unit_test_setup(row_37_item_params_lie_over_the_flows_own, each_test),
        cmocka_unit_test_setup(row_38_a_nested_batch_sees_the_params_of_both, each_test),
        cmocka_unit_test_setup(row_39_params_are_unchanged_after_a_run, each_test),
        cmocka_unit_test_setup(a_walk_has_a_private_store, each_test),
        cmocka_unit_test_setup(without_walk_bytes_there_is_no_store, each_test),
        cmocka_unit_test_setup(a_task_outside_flows_has_none_of_it, each_test),
    };
    return cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
