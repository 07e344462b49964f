/* test_flow_list.c: the items of a batch node and the param sets of a batch flow, added one by one. */
#include "support/flow.h"

#include "base/mem.h"

struct store {
    size_t count;
    size_t seen;
    bool right; /* so far */
};

/* ---- items ---- */

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    for (size_t i = 0; i < s->count; i++)
        leat_items_add(t, prep_res, leat_task_printf(t, "item %zu", i));
    return LEAT_OK;
}

static leat_err items_exec(leat_task *t, const void *item, const void **exec_res)
{
    *exec_res = strcmp(item, leat_task_printf(t, "item %zu", leat_task_index(t))) == 0 ? item : "another index";
    return LEAT_OK;
}

static leat_err items_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    const leat_items *items = prep_res;
    const leat_results *r = exec_res;
    char text[32];
    (void)t, (void)action;
    s->right = s->count == 0 ? !items : items->count == s->count && !items->next;
    for (size_t i = 0; i < r->count; i++) {
        snprintf(text, sizeof text, "item %zu", i);
        s->right = s->right && strcmp(r->value[i], text) == 0 && items->item[i] == r->value[i];
    }
    s->seen = r->count;
    return LEAT_OK;
}

static const leat_node_class items_class = { "Items", items_prep, items_exec, NULL, items_post };

static leat_err run_items(leat_runtime *rt, struct store *s)
{
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &items_class, &(leat_node_opts){ .batch = true, .in_flight_max = 4 });
    return run_free(rt, flow, s, NULL);
}

static void items_are_added_one_by_one(void **state)
{
    static const size_t counts[] = { 0, 1, 7, 8, 9, 16, 17, 1000 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct store s = { .count = counts[i] };
        assert_int_equal(run_items(*state, &s), LEAT_OK);
        assert_int_equal(s.seen, counts[i]);
        assert_true(s.right);
    }
}

/* ---- param sets ---- */

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct store *s = shared;
    char key[8] = "name", value[32];
    s->right = true;
    for (size_t i = 0; i < s->count; i++) {
        snprintf(value, sizeof value, "walk %zu", i);
        leat_param_sets_add(t, prep_res, (leat_param[]){ { key, value }, { "same", NULL } }, 2);
    }
    memset(key, 'x', 4), memset(value, 'x', 6); /* they were copied */
    return LEAT_OK;
}

static leat_err sets_node_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    char text[32];
    (void)prep_res, (void)exec_res, (void)action;
    snprintf(text, sizeof text, "walk %zu", s->seen++);
    const char *name = leat_task_param(t, "name");
    s->right =
        s->right && name && strcmp(name, text) == 0 && !leat_task_param(t, "same") && leat_task_index(t) == s->seen - 1;
    return LEAT_OK;
}

static leat_err run_sets(leat_runtime *rt, struct store *s)
{
    static const leat_node_class node = { .name = "Node", .post = sets_node_post };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .batch = true, .prep = sets_prep });
    leat_flow_add(flow, &node, NULL);
    return run_free(rt, flow, s, NULL);
}

static void param_sets_are_added_one_by_one(void **state)
{
    static const size_t counts[] = { 0, 1, 8, 9, 300 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct store s = { .count = counts[i] };
        assert_int_equal(run_sets(*state, &s), LEAT_OK);
        assert_int_equal(s.seen, counts[i]);
        assert_true(s.right);
    }
}

/* ---- the index ---- */

struct grid {
    size_t cell[3][5]; /* how often a leaf was there */
};

static leat_err rows_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    for (int i = 0; i < 3; i++)
        leat_param_sets_add(t, prep_res, &(leat_param){ "row", leat_task_printf(t, "%d", i) }, 1);
    return LEAT_OK;
}

static leat_err columns_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    if (leat_task_index(t) != strtoul(leat_task_param(t, "row"), NULL, 10)) return LEAT_USER; /* the row's: no column yet */
    for (int i = 0; i < 5; i++)
        leat_param_sets_add(t, prep_res, &(leat_param){ "column", leat_task_printf(t, "%d", i) }, 1);
    return LEAT_OK;
}

static leat_err cell_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct grid *g = shared;
    size_t row = strtoul(leat_task_param(t, "row"), NULL, 10), column = strtoul(leat_task_param(t, "column"), NULL, 10);
    (void)prep_res, (void)exec_res, (void)action;
    if (leat_task_index(t) == column) g->cell[row][column]++;
    return leat_sleep_ms(t, (int64_t)(5 - column)); /* they end in another order than they began */
}

static void the_index_is_that_of_the_nearest_batch(void **state)
{
    static const leat_node_class cell = { .name = "Cell", .post = cell_post };
    struct grid g = { 0 };
    leat_flow *columns = leat_flow_new(&(leat_flow_opts){ .batch = true, .prep = columns_prep, .in_flight_max = 3 });
    leat_flow *plain = leat_flow_new(NULL),
              *rows = leat_flow_new(&(leat_flow_opts){ .batch = true, .prep = rows_prep, .in_flight_max = 2 });
    leat_flow_add(plain, &cell, NULL);
    leat_flow_add_flow(columns, plain);
    leat_flow_add_flow(rows, columns);
    assert_int_equal(run_free(*state, rows, &g, NULL), LEAT_OK);
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 5; column++)
            assert_int_equal(g.cell[row][column], 1);
}

/* ---- short of memory ---- */

static void memory_short(leat_runtime *rt, leat_err (*run)(leat_runtime *rt, struct store *s))
{
    leat_err err = LEAT_NOMEM;
    for (uint64_t n = 1; err != LEAT_OK; n++) {
        struct store s = { .count = 100 };
        leat_i_mem_fail_after(n, true);
        err = run(rt, &s);
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_NOMEM || (err == LEAT_OK && s.right && s.seen == 100));
        assert_true(n < 10000);
    }
}

static void memory_short_is_told_by_the_visit(void **state)
{
    memory_short(*state, run_items);
    memory_short(*state, run_sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_added_one_by_one),
        cmocka_unit_test(param_sets_are_added_one_by_one),
        cmocka_unit_test(the_index_is_that_of_the_nearest_batch),
        cmocka_unit_test(memory_short_is_told_by_the_visit),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
