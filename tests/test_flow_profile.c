/* test_flow_profile.c: the table per node: what is counted, how deep stacks were, and how it grows. */
#include "support/flow.h"

#include "base/mem.h"

static leat_err two_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    leat_items_add(t, prep_res, "x");
    leat_items_add(t, prep_res, "y");
    return LEAT_OK;
}

static leat_node_profile row_named(const leat_profile *profile, const char *node)
{
    leat_node_profile row;
    for (size_t i = 0; leat_profile_read(profile, i, &row) == LEAT_OK; i++) {
        if (strcmp(row.node, node) == 0) return row;
    }
    fail_msg("no row of %s", node);
    return row;
}

static void a_profile_counts_per_node(void **state)
{
    struct script s = { .name = "a", .fails = 2, .exec_ms = 7 };
    leat_profile *profile = NULL;
    assert_int_equal(leat_profile_new(&profile), LEAT_OK);
    for (int i = 0; i < 3; i++) { /* built anew each time: the same row */
        leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 3 });
        assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .profile = profile }), LEAT_OK);
        leat_flow_free(flow);
    }
    assert_int_equal(leat_profile_count(profile), 1);
    leat_node_profile row = row_named(profile, "Script");
    assert_string_equal(row.flow, "flow");
    assert_int_equal(row.visits, 3);
    assert_int_equal(row.failed_visits, 0);
    assert_int_equal(row.attempts, 4);
    assert_int_equal(row.failed_attempts, 2);
    assert_int_equal(row.fallbacks, 1);
    assert_int_equal(row.busy_ns, 0);
    assert_int_equal(row.waited_ns, 4 * 7000000);
    assert_int_equal(row.retry_wait_ns, 3000000);
    assert_int_equal(row.longest_ns, 17000000);
    assert_int_equal(leat_profile_read(profile, 1, &row), LEAT_USAGE);
    leat_profile_free(profile);
}

static leat_err odd_exec(leat_task *t, const void *item, const void **value)
{
    (void)value;
    return strcmp(item, "y") == 0 ? leat_task_fail(t, LEAT_USER, "odd") : LEAT_OK;
}

static void a_profile_counts_items_and_failures(void **state)
{
    static const leat_node_class cls = { .name = "Odd", .prep = two_prep, .exec = odd_exec };
    for (uint32_t width = 1; width <= 2; width++) {
        leat_profile *profile = NULL;
        assert_int_equal(leat_profile_new(&profile), LEAT_OK);
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = width });
        assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .profile = profile }), LEAT_USER);
        leat_node_profile row = row_named(profile, "Odd");
        assert_int_equal(row.visits, 1);
        assert_int_equal(row.failed_visits, 1);
        assert_int_equal(row.items, 2);
        assert_int_equal(row.failed_items, 1);
        char *text = leat_profile_text(profile);
        assert_non_null(strstr(
            text, "\nflow                 Odd                          1       1         2       1         2       1"));
        free(text);
        leat_flow_free(flow);
        leat_profile_free(profile);
    }
}

enum { DEEP_BYTES = 24000 };

__attribute__((noinline)) static int use_stack(volatile char *from)
{
    volatile char room[DEEP_BYTES];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = (char)(i | 1);
    return room[5] + from[0];
}

static leat_err deep_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    volatile char seed = 1;
    (void)prep_res, (void)exec_res;
    return use_stack(&seed) == 0 ? leat_task_fail(t, LEAT_USER, "never") : LEAT_OK;
}

/* The stack is the same for both, and used by both in turn: each is told its own depth. */
static void a_profile_knows_the_deepest_stack_of_each_node(void **state)
{
    static const leat_node_class deep = { .name = "Deep", .exec = deep_exec }, flat = { .name = "Flat", .exec = spin_exec };
    leat_profile *profile = NULL;
    assert_int_equal(leat_profile_new(&profile), LEAT_OK);
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .max_steps = 0 });
    leat_node *a = leat_flow_add(flow, &flat, NULL), *b = leat_flow_add(flow, &deep, NULL),
              *c = leat_flow_add(flow, &flat, NULL);
    leat_flow_link(leat_flow_link(a, NULL, b), NULL, c);
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK); /* leaves its traces on the stack */
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .profile = profile }), LEAT_OK);
    assert_int_equal(leat_profile_count(profile), 3); /* two nodes of one class are two rows */
    leat_node_profile d = row_named(profile, "Deep"), f = row_named(profile, "Flat"), last;
    assert_int_equal(leat_profile_read(profile, 2, &last), LEAT_OK);
    assert_int_equal(last.place, 2);
    if (d.stack_bytes != 0) { /* 0: under Valgrind */
        if (!LEAT_ASAN) assert_in_range(d.stack_bytes, DEEP_BYTES, DEEP_BYTES + 16384);
        assert_in_range(f.stack_bytes, 256, DEEP_BYTES - 4096);
        assert_in_range(last.stack_bytes, 256, DEEP_BYTES - 4096);
    }
    leat_flow_free(flow);
    leat_profile_free(profile);
}

static void a_profile_short_of_memory_counts_less_and_harms_nothing(void **state)
{
    struct script s = { .name = "a" };
    leat_profile *profile = NULL;
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, NULL), LEAT_OK);
    for (uint64_t n = 1; n < 40; n++) {
        int64_t live = leat_i_mem_live_count();
        assert_int_equal(leat_profile_new(&profile), LEAT_OK);
        leat_i_mem_fail_after(n, false);
        leat_err err = leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .profile = profile });
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_OK || err == LEAT_NOMEM);
        leat_profile_free(profile);
        assert_true(leat_i_mem_live_count() <= live);
    }
    leat_i_mem_fail_after(1, false);
    assert_int_equal(leat_profile_new(&profile), LEAT_NOMEM);
    leat_i_mem_fail_after(0, false);
    assert_null(leat_profile_text(NULL));
    assert_int_equal(leat_profile_count(NULL), 0);
    leat_profile_free(NULL);
    leat_flow_free(flow);
}

/* Many nodes, so that the table grows; and flows started by a node inherit it. */
static void a_profile_holds_many_nodes(void **state)
{
    static leat_node_class cls[200];
    static char name[200][8];
    leat_profile *profile = NULL;
    assert_int_equal(leat_profile_new(&profile), LEAT_OK);
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" }), *outer = leat_flow_new(NULL);
    leat_node *last = NULL;
    for (int i = 0; i < 200; i++) {
        snprintf(name[i], sizeof name[i], "n%d", i % 100); /* names twice: told apart by their place */
        cls[i] = (leat_node_class){ .name = name[i] };
        leat_node *node = leat_flow_add(inner, &cls[i], NULL);
        if (last) leat_flow_link(last, NULL, node);
        last = node;
    }
    static const leat_node_class call = { .name = "Call", .exec = inner_exec };
    leat_flow_add(outer, &call, &(leat_node_opts){ .self = inner });
    assert_int_equal(leat_flow_run(*state, outer, NULL, &(leat_run_opts){ .profile = profile }), LEAT_OK);
    assert_int_equal(leat_profile_count(profile), 201);
    leat_node_profile row;
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(leat_profile_read(profile, i, &row), LEAT_OK);
        assert_string_equal(row.node, name[i]);
        assert_string_equal(row.flow, "inner");
        assert_int_equal(row.place, i);
        assert_int_equal(row.visits, 1);
    }
    leat_flow_free(outer);
    leat_flow_free(inner);
    leat_profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_counts_per_node),
        cmocka_unit_test(a_profile_counts_items_and_failures),
        cmocka_unit_test(a_profile_knows_the_deepest_stack_of_each_node),
        cmocka_unit_test(a_profile_short_of_memory_counts_less_and_harms_nothing),
        cmocka_unit_test(a_profile_holds_many_nodes),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
