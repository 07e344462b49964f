/*
 * test_flow_graph.c: what is refused before a flow runs, in which words; and drawings.
 */
#include "support/flow.h"

#include "base/mem.h"

static const leat_node_class node_a = { .name = "A" }, node_b = { .name = "B" }, unnamed = { .name = NULL };

static void check_says(leat_flow *flow, leat_err code, const char *node, const char *text)
{
    leat_error error = { .text = "" };
    assert_int_equal(leat_flow_check(flow, &error), code);
    assert_string_equal(error.text, text);
    assert_string_equal(error.node, node);
    assert_int_equal(leat_flow_check(flow, NULL), code);
    leat_flow_free(flow);
}

static void a_node_that_cannot_be_reached_is_refused(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f" });
    leat_flow_add(flow, &node_a, NULL);
    leat_flow_add(flow, &node_b, NULL);
    check_says(flow, LEAT_USAGE, "B", "flow \"f\": node \"B\" cannot be reached from the start \"A\"");
}

static void a_fault_in_an_inner_flow_is_found(void **state)
{
    (void)state;
    leat_flow *outer = leat_flow_new(NULL), *inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" });
    leat_flow_add(outer, &node_a, NULL);
    leat_flow_add_flow(outer, inner);
    check_says(outer, LEAT_USAGE, "inner", "flow \"flow\": node \"inner\" cannot be reached from the start \"A\"");
    outer = leat_flow_new(NULL);
    inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" });
    leat_flow_add_flow(outer, inner);
    check_says(outer, LEAT_USAGE, "", "flow \"inner\" has no start: no node was added");
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        leat_node_opts opts;
        const char *why;
    } bad[] = {
        { { .max_attempts = -2 }, "max_attempts is negative" },
        { { .retry_wait_ms = -1 }, "a retry wait is negative" },
        { { .retry_wait_max_ms = -1 }, "a retry wait is negative" },
        { { .attempt_deadline_ms = -1 }, "a deadline is negative" },
        { { .deadline_ms = -1 }, "a deadline is negative" },
        { { .backoff = (leat_backoff)7 }, "backoff is none of the three" },
        { { .policy = (leat_batch_policy)7 }, "policy is none of the three" },
        { { .batch = true, .in_flight_max = 1048577 }, "in_flight_max is over 1048576" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f" });
        leat_flow_add(flow, &node_a, &bad[i].opts);
        snprintf(text, sizeof text, "flow \"f\": node \"A\": %s", bad[i].why);
        check_says(flow, LEAT_USAGE, "A", text);
    }
    leat_flow *most = leat_flow_new(NULL);
    leat_flow_add(most, &node_a, &(leat_node_opts){ .batch = true, .in_flight_max = 1048576 });
    assert_int_equal(leat_flow_check(most, NULL), LEAT_OK);
    leat_flow_free(most);
}

static void options_of_a_flow_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        leat_flow_opts opts;
        const char *text;
    } bad[] = {
        { { .name = "f", .max_attempts = -1 }, "flow \"f\": max_attempts is negative" },
        { { .name = "f", .retry_wait_ms = -1 }, "flow \"f\": retry_wait_ms is negative" },
        { { .name = "f", .policy = (leat_batch_policy)7 }, "flow \"f\": policy is none of the three" },
        { { .name = "f", .batch = true, .in_flight_max = 1048577 }, "flow \"f\": in_flight_max is over 1048576" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        leat_flow *flow = leat_flow_new(&bad[i].opts);
        leat_flow_add(flow, &node_a, NULL);
        check_says(flow, LEAT_USAGE, "", bad[i].text);
    }
}

static void strict_wants_a_link_for_default_where_it_is_certain_to_come(void **state)
{
    (void)state;
    enum { LAX, STRICT, STRICT_WITH_END };
    for (int form = LAX; form <= STRICT_WITH_END; form++) {
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f", .strict = form != LAX });
        leat_node *a = leat_flow_add(flow, &node_a, NULL); /* no post: always "default" */
        leat_flow_link(a, "x", leat_flow_add(flow, &node_b, NULL));
        if (form == STRICT_WITH_END) leat_flow_end(a, NULL);
        if (form == STRICT) {
            check_says(flow, LEAT_USAGE, "A", "flow \"f\": node \"A\" always gives \"default\", and no link serves it");
        } else {
            assert_int_equal(leat_flow_check(flow, NULL), LEAT_OK);
            leat_flow_free(flow);
        }
    }
}

static void a_flow_cannot_be_in_two_places(void **state)
{
    (void)state;
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "o" }),
              *inner = leat_flow_new(&(leat_flow_opts){ .name = "i" });
    leat_flow_add(inner, &node_a, NULL);
    assert_non_null(leat_flow_add_flow(outer, inner));
    assert_null(leat_flow_add_flow(outer, inner));
    check_says(outer, LEAT_USAGE, "", "flow \"o\": the inner flow \"i\" is already part of a flow");
}

static void a_flow_cannot_contain_itself(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f" });
    leat_flow_add(flow, &node_a, NULL);
    assert_null(leat_flow_add_flow(flow, flow));
    check_says(flow, LEAT_USAGE, "", "flow \"f\": the inner flow \"f\" would contain itself");
    leat_flow *top = leat_flow_new(&(leat_flow_opts){ .name = "top" }),
              *leaf = leat_flow_new(&(leat_flow_opts){ .name = "leaf" });
    leat_flow_add(leaf, &node_a, NULL);
    leat_flow_add_flow(top, leaf);
    assert_null(leat_flow_add_flow(leaf, top)); /* by way of an inner one */
    check_says(top, LEAT_USAGE, "", "flow \"leaf\": the inner flow \"top\" would contain itself");
}

static void a_link_into_another_flow_is_refused(void **state)
{
    (void)state;
    leat_flow *one = leat_flow_new(&(leat_flow_opts){ .name = "one" }), *two = leat_flow_new(NULL);
    leat_node *a = leat_flow_add(one, &node_a, NULL), *b = leat_flow_add(two, &node_b, NULL);
    assert_null(leat_flow_link(a, NULL, b));
    check_says(one, LEAT_USAGE, "", "flow \"one\": the link from node \"A\" to node \"B\" leads into another flow");
    leat_flow_free(two);
}

static void a_node_without_class_is_refused(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(NULL);
    assert_null(leat_flow_add(flow, NULL, NULL));
    check_says(flow, LEAT_USAGE, "", "flow \"flow\": a node was added without a class");
}

static void poisoned_builders_answer_null(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(NULL), *inner = leat_flow_new(NULL);
    leat_node *a = leat_flow_add(flow, &node_a, NULL);
    assert_null(leat_flow_add(NULL, &node_a, NULL));
    assert_null(leat_flow_add_flow(NULL, inner)); /* takes and frees it all the same */
    assert_null(leat_flow_link(NULL, NULL, a));
    assert_null(leat_flow_link(a, NULL, NULL));
    assert_int_equal(leat_flow_check(flow, NULL), LEAT_OK);
    assert_null(leat_flow_add_flow(flow, NULL));
    check_says(flow, LEAT_NOMEM, "", "flow \"flow\": memory was short while an inner flow was built");
    assert_int_equal(leat_flow_check(NULL, NULL), LEAT_NOMEM);
    assert_null(leat_flow_dot(NULL));
    assert_null(leat_flow_mermaid(NULL));
}

/* Building with the n-th allocation failing, for each n until it goes through: told by the check, and nothing is lost. */
static void each_allocation_of_the_building_may_fail(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    for (uint64_t n = 1;; n++) {
        leat_i_mem_fail_after(n, false);
        leat_param params[] = { { "a", "1" }, { "b", "2" } };
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .name = "f", .params = params, .param_count = 2 });
        leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "i" });
        leat_flow_add(inner, &node_a, NULL);
        leat_node *a = leat_flow_add(flow, &node_a, NULL);
        leat_node *i = leat_flow_add_flow(flow, inner);
        leat_flow_link(leat_flow_link(a, "x", i), NULL, a);
        leat_flow_end(a, "enough");
        leat_err err = leat_flow_check(flow, NULL);
        leat_i_mem_fail_after(0, false);
        leat_flow_free(flow);
        assert_int_equal(leat_i_mem_live_count(), live);
        if (err == LEAT_OK) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(err, LEAT_NOMEM);
    }
}

/* ---- drawings ---- */

static leat_flow *flow_to_draw(void)
{
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "say \"hi\"" });
    leat_flow *inner = leat_flow_new(&(leat_flow_opts){ .name = "all", .batch = true, .in_flight_max = 8 });
    leat_node *a = leat_flow_add(outer, &node_a, &(leat_node_opts){ .batch = true });
    leat_node *b = leat_flow_add(inner, &node_b, NULL);
    leat_node *c = leat_flow_add(inner, &unnamed, NULL);
    leat_flow_link(b, "odd \"name\"", c);
    leat_node *i = leat_flow_link(a, NULL, leat_flow_add_flow(outer, inner));
    leat_flow_link(i, "again", a);
    return outer;
}

static void a_flow_draws_itself_for_graphviz(void **state)
{
    (void)state;
    leat_flow *flow = flow_to_draw();
    char *text = leat_flow_dot(flow);
    assert_string_equal(text, "digraph \"say \\\"hi\\\"\" {\n"
                              "    compound=true;\n"
                              "    node [shape=box];\n"
                              "    n0_0 [label=\"A (batch of 1 at once)\", style=bold];\n"
                              "    subgraph cluster_1 {\n"
                              "        label=\"all (batch of 8 at once)\";\n"
                              "        n1_0 [label=\"B\", style=bold];\n"
                              "        n1_1 [label=\"unnamed\"];\n"
                              "    }\n"
                              "    n0_0 -> n1_0 [label=\"default\", lhead=cluster_1];\n"
                              "    n1_0 -> n0_0 [label=\"again\", ltail=cluster_1];\n"
                              "    n1_0 -> n1_1 [label=\"odd \\\"name\\\"\"];\n"
                              "}\n");
    free(text);
    leat_flow_free(flow);
}

static void a_flow_draws_itself_for_mermaid(void **state)
{
    (void)state;
    leat_flow *flow = flow_to_draw();
    char *text = leat_flow_mermaid(flow);
    assert_string_equal(text, "flowchart TD\n"
                              "    n0_0([\"A (batch of 1 at once)\"])\n"
                              "    subgraph f1[\"all (batch of 8 at once)\"]\n"
                              "        n1_0([\"B\"])\n"
                              "        n1_1[\"unnamed\"]\n"
                              "    end\n"
                              "    n0_0 -- \"default\" --> f1\n"
                              "    f1 -- \"again\" --> n0_0\n"
                              "    n1_0 -- \"odd #quot;name#quot;\" --> n1_1\n");
    free(text);
    leat_flow_free(flow);
}

static void ends_that_are_meant_are_drawn(void **state)
{
    (void)state;
    leat_flow *flow = flow_to_draw();
    leat_node *last = leat_flow_add_flow(flow, leat_flow_new(NULL));
    leat_flow_end(last, NULL); /* of a flow that is empty: nothing to begin at in dot */
    leat_flow *nodes = leat_flow_new(NULL);
    leat_flow_end(leat_flow_add(nodes, &node_a, NULL), "en\"ough");
    char *dot = leat_flow_dot(nodes), *mermaid = leat_flow_mermaid(nodes), *text = leat_flow_dot(flow);
    assert_non_null(strstr(dot, "    n0_0_end [shape=point];\n    n0_0 -> n0_0_end [label=\"en\\\"ough\"];\n"));
    assert_non_null(strstr(mermaid, "    n0_0 -- \"en#quot;ough\" --> n0_0_end(( ))\n"));
    assert_null(strstr(text, "_end"));
    free(dot), free(mermaid), free(text);
    leat_flow_free(nodes);
    leat_flow_free(flow);
}

/* As a picture shows them: quotes, backslashes, tags and names of characters stand for themselves, and all is UTF-8. */
static void names_are_drawn_as_they_are(void **state)
{
    static const leat_node_class odd = { .name = "<b>&amp;\n#\\" }, wide = { .name = "\xc3\xa4\xff" };
    (void)state;
    leat_flow *flow = leat_flow_new(NULL);
    leat_node *a = leat_flow_add(flow, &odd, NULL), *b = leat_flow_add(flow, &wide, NULL);
    leat_flow_link(a, "x\\", b);
    char *dot = leat_flow_dot(flow), *mermaid = leat_flow_mermaid(flow);
    assert_non_null(strstr(dot, "[label=\"<b>&amp;amp; #\\\\\""));
    assert_non_null(strstr(dot, "[label=\"x\\\\\"]"));
    assert_non_null(strstr(dot, "[label=\"\xc3\xa4\xef\xbf\xbd\"]"));
    assert_non_null(strstr(mermaid, "([\"#lt;b#gt;#amp;amp; #35;\\\"])"));
    assert_non_null(strstr(mermaid, "[\"\xc3\xa4\xef\xbf\xbd\"]"));
    free(dot);
    free(mermaid);
    leat_flow_free(flow);
}

static void a_link_from_a_flow_to_itself_names_no_box(void **state)
{
    (void)state;
    leat_flow *outer = leat_flow_new(NULL), *inner = leat_flow_new(NULL);
    leat_flow_add(inner, &node_a, NULL);
    leat_node *i = leat_flow_add_flow(outer, inner);
    leat_flow_link(i, "again", i);
    char *dot = leat_flow_dot(outer); /* an edge from inside a box to that box is none to Graphviz */
    assert_null(strstr(dot, "lhead"));
    assert_null(strstr(dot, "ltail"));
    free(dot);
    leat_flow_free(outer);
}

static void an_empty_flow_can_be_drawn(void **state)
{
    (void)state;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add_flow(flow, leat_flow_new(NULL));
    char *dot = leat_flow_dot(flow), *mermaid = leat_flow_mermaid(flow);
    assert_non_null(strstr(dot, "subgraph cluster_1 {"));
    assert_non_null(strstr(mermaid, "subgraph f1"));
    free(dot);
    free(mermaid);
    leat_flow_free(flow);
}

static void each_allocation_of_a_drawing_may_fail(void **state)
{
    (void)state;
    leat_flow *flow = flow_to_draw();
    int64_t live = leat_i_mem_live_count();
    char *text = NULL;
    for (uint64_t n = 1; !text; n++) {
        leat_i_mem_fail_after(n, false);
        text = leat_flow_dot(flow);
        leat_i_mem_fail_after(0, false);
        assert_int_equal(leat_i_mem_live_count(), live);
        if (text) assert_true(n > 1);
    }
    free(text);
    leat_flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_cannot_be_reached_is_refused),
        cmocka_unit_test(a_fault_in_an_inner_flow_is_found),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(options_of_a_flow_out_of_range_are_refused),
        cmocka_unit_test(strict_wants_a_link_for_default_where_it_is_certain_to_come),
        cmocka_unit_test(a_flow_cannot_be_in_two_places),
        cmocka_unit_test(a_flow_cannot_contain_itself),
        cmocka_unit_test(a_link_into_another_flow_is_refused),
        cmocka_unit_test(a_node_without_class_is_refused),
        cmocka_unit_test(poisoned_builders_answer_null),
        cmocka_unit_test(each_allocation_of_the_building_may_fail),
        cmocka_unit_test(a_flow_draws_itself_for_graphviz),
        cmocka_unit_test(a_flow_draws_itself_for_mermaid),
        cmocka_unit_test(ends_that_are_meant_are_drawn),
        cmocka_unit_test(names_are_drawn_as_they_are),
        cmocka_unit_test(a_link_from_a_flow_to_itself_names_no_box),
        cmocka_unit_test(an_empty_flow_can_be_drawn),
        cmocka_unit_test(each_allocation_of_a_drawing_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
