/*
 * test_flow_memory.c: what a run costs in memory, what happens when there is none, and runs that are canceled at any moment.
 */
#include "support/flow.h"

#include "base/mem.h"
#include "base/os.h"

#define ITEM_COUNT 20000

/* ---- the memory of a window ---- */

struct window_store {
    size_t next, seen;
    int64_t live_max;
};

static leat_err many_next(leat_task *t, void *state, const void **item)
{
    struct window_store *w = state;
    if (w->next < ITEM_COUNT) {
        w->next++;
        *item = leat_task_printf(t, "item %zu", w->next);
    }
    return LEAT_OK;
}

static leat_err many_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    *items = (leat_items){ .next = many_next, .state = shared };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err child_body(leat_task *t, void *arg, const void **result)
{
    *result = leat_task_printf(t, "child of %s", (const char *)arg);
    return LEAT_OK;
}

/* Makes memory of its own, a task, and every third waits. */
static leat_err many_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *item = prep_res;
    leat_future *f = leat_task_start(t, child_body, (void *)(uintptr_t)item);
    if (item[strlen(item) - 1] % 3 == 0) LEAT_TRY(leat_sleep_ms(t, 1));
    return leat_await(t, f, exec_res);
}

static leat_err many_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                          const leat_error *error)
{
    struct window_store *w = shared;
    char expected[64];
    (void)t;
    assert_null(error);
    snprintf(expected, sizeof expected, "item %zu", index + 1);
    assert_string_equal(item, expected);
    snprintf(expected, sizeof expected, "child of item %zu", index + 1);
    assert_string_equal(value, expected);
    w->seen++;
    int64_t live = leat_i_mem_live_count();
    if (live > w->live_max) w->live_max = live;
    return LEAT_OK;
}

static void a_batch_with_each_needs_the_memory_of_its_window(void **state)
{
    static const leat_node_class cls = { .name = "Many", .prep = many_prep, .exec = many_exec };
    (void)state;
    for (uint32_t in_flight = 1; in_flight <= 32; in_flight *= 32) {
        leat_runtime *rt = runtime_make(2, true);
        int64_t base = leat_i_mem_live_count();
        struct window_store w = { 0, 0, 0 };
        leat_flow *flow = leat_flow_new(NULL);
        leat_node_opts opts = { .batch = true, .in_flight_max = in_flight, .each = many_each, .each_in_order = true };
        leat_flow_add(flow, &cls, &opts);
        assert_int_equal(run_free(rt, flow, &w, NULL), LEAT_OK);
        assert_int_equal(w.seen, ITEM_COUNT);
        /* Per item in flight a task, a child and their memory; the pool keeps free tasks besides. */
        assert_true(w.live_max - base < 1500);
        leat_runtime_free(rt);
    }
}

/* Items of a source that never wait: one task takes one after another, and the memory of next() goes with each. */
static leat_err large_next(leat_task *t, void *state, const void **item)
{
    struct window_store *w = state;
    if (w->next < 3000) {
        w->next++;
        *item = leat_task_alloc(t, 20000);
    }
    return LEAT_OK;
}

static leat_err large_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    *items = (leat_items){ .next = large_next, .state = shared };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err live_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                          const leat_error *error)
{
    struct window_store *w = shared;
    (void)t, (void)index, (void)item, (void)value, (void)error;
    int64_t live = leat_i_mem_live_count();
    if (live > w->live_max) w->live_max = live;
    w->seen++;
    return LEAT_OK;
}

static void the_memory_of_a_source_goes_with_its_items(void **state)
{
    static const leat_node_class cls = { .name = "Large", .prep = large_prep };
    (void)state;
    for (uint32_t in_flight = 1; in_flight <= 2; in_flight++) {
        leat_runtime *rt = runtime_make(1, true);
        struct window_store w = { 0, 0, 0 };
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight, .each = live_each });
        int64_t base = leat_i_mem_live_count();
        assert_int_equal(run_free(rt, flow, &w, NULL), LEAT_OK);
        assert_int_equal(w.seen, 3000);
        assert_true(w.live_max - base < 100);
        leat_runtime_free(rt);
    }
}

/* ---- batches in batches under one budget: what waits for a permit must not be the product of the widths ---- */

#define TREE_WALKS  20
#define TREE_ITEMS  (LEAT_TSAN ? 50 : 200) /* a fiber costs a millisecond there */
#define TREE_BUDGET 4

struct tree {
    LEAT_ATOMIC(int) now, most;
    LEAT_ATOMIC(int64_t) done, live_max;
};

static leat_err tree_sets(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param_set set[TREE_WALKS];
    static const leat_param_sets sets = { .set = set, .count = TREE_WALKS };
    (void)t, (void)shared;
    *prep_res = &sets;
    return LEAT_OK;
}

static leat_err tree_items(leat_task *t, void *shared, const void **prep_res)
{
    static const void *const item[TREE_ITEMS];
    static const leat_items items = { .item = item, .count = TREE_ITEMS };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err tree_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct tree *tree = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    int now = leat_add_relaxed(&tree->now, 1) + 1, most = leat_load_relaxed(&tree->most);
    while (now > most && !leat_cas_relaxed(&tree->most, &most, now))
        ;
    int64_t live = leat_i_mem_live_count(), max = leat_load_relaxed(&tree->live_max);
    while (live > max && !leat_cas_relaxed(&tree->live_max, &max, live))
        ;
    leat_err err = leat_sleep_ms(t, 1);
    leat_sub_relaxed(&tree->now, 1);
    leat_add_relaxed(&tree->done, 1);
    return err;
}

static void a_budget_bounds_the_memory_of_a_whole_tree(void **state)
{
    static const leat_node_class cls = { .name = "Tree", .prep = tree_items, .exec = tree_exec };
    (void)state;
    for (uint32_t workers = 1; workers <= 4; workers *= 4) {
        struct tree tree = { 0 };
        leat_runtime *rt = runtime_make(workers, true);
        leat_flow *flow = leat_flow_new(&(leat_flow_opts){
            .batch = true, .in_flight_max = TREE_WALKS, .prep = tree_sets, .policy = LEAT_BATCH_WAIT_ALL });
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = TREE_ITEMS, .self = &tree });
        int64_t base = leat_i_mem_live_count();
        assert_int_equal(leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .in_flight_max = TREE_BUDGET }), LEAT_OK);
        assert_int_equal(tree.done, TREE_WALKS * TREE_ITEMS);
        assert_int_equal(tree.most, TREE_BUDGET);
        assert_true(tree.live_max - base < 10 * (TREE_WALKS + TREE_BUDGET) + 100);
        leat_flow_free(flow);
        leat_runtime_free(rt);
    }
}

static leat_err kept_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const char *const names[] = { "a0", "b1", "c2", "d3", "e4", "f5", "g6", "h7", "i8", "j9" };
    static const leat_items items = { .item = (const void *const *)names, .count = 10 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err kept_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    const leat_items *items = prep_res;
    (void)t, (void)shared;
    for (size_t i = 0; i < r->count; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "child of %s", (const char *)items->item[i]);
        assert_string_equal(r->value[i], expected);
    }
    *action = r->value[9]; /* memory of a child of an item: it must outlive all of them */
    return LEAT_OK;
}

static void results_of_awaited_tasks_live_until_post_has_returned(void **state)
{
    static const leat_node_class cls = { .name = "Kept", .prep = kept_prep, .exec = many_exec, .post = kept_post };
    (void)state;
    for (uint32_t in_flight = 0; in_flight <= 4; in_flight += 4) {
        leat_runtime *rt = runtime_make(2, true);
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight });
        struct outcome o = run_keep(rt, flow, NULL);
        assert_int_equal(o.err, LEAT_OK);
        assert_string_equal(o.action, "child of j9");
        leat_flow_free(flow);
        leat_runtime_free(rt);
    }
}

static leat_err leave_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    for (int i = 0; i < 3; i++)
        leat_task_start(t, child_body, (void *)(uintptr_t) "nobody"); /* nobody awaits them */
    return leat_task_attempt(t) < 2 ? LEAT_USER : LEAT_OK;
}

static void a_long_loop_needs_the_memory_of_one_visit(void **state)
{
    (void)state;
    static const leat_node_class cls = { .name = "Leaves", .exec = leave_exec };
    leat_runtime *rt = runtime_make(1, true);
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .max_steps = 5000 });
    leat_node *node = leat_flow_add(flow, &cls, &(leat_node_opts){ .max_attempts = 3 });
    leat_flow_link(node, NULL, node);
    int64_t base = leat_i_mem_live_count();
    assert_int_equal(leat_flow_run(rt, flow, NULL, NULL), LEAT_USAGE);
    assert_true(leat_i_mem_live_count() - base < 100);
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

static leat_err large_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_task_alloc(t, 100000) ? LEAT_OK : LEAT_NOMEM;
}

static void a_long_loop_of_large_pieces_needs_the_memory_of_one(void **state)
{
    (void)state;
    static const leat_node_class cls = { .name = "Large", .exec = large_exec };
    leat_runtime *rt = runtime_make(1, true);
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .max_steps = 5000 });
    leat_node *node = leat_flow_add(flow, &cls, NULL);
    leat_flow_link(node, NULL, node);
    leat_handle *h = NULL;
    int64_t base = leat_i_mem_live_count();
    assert_int_equal(leat_flow_submit(rt, flow, NULL, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_USAGE);
    assert_true(leat_i_mem_live_count() - base < 100); /* the handle keeps the memory of its task, and that is small */
    leat_handle_free(h);
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

/* ---- a flow with a bit of everything ---- */

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param p[3] = { { "n", "0" }, { "n", "1" }, { "n", "2" } };
    static const leat_param_set set[3] = { { &p[0], 1 }, { &p[1], 1 }, { &p[2], 1 } };
    static const leat_param_sets sets = { .set = set, .count = 3 };
    (void)shared;
    *prep_res = &sets;
    (void)leat_task_printf(t, "%s", "some memory");
    return LEAT_OK;
}

static leat_err sometimes_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *n = leat_task_param(t, "n");
    (void)prep_res;
    if (n && *n == '1' && leat_task_attempt(t) == 0) return leat_task_fail(t, LEAT_NET, "the first attempt of %s", n);
    leat_future *f = leat_task_start(t, child_body, (void *)(uintptr_t)(n ? n : "none"));
    return leat_await(t, f, exec_res);
}

static leat_err said_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res;
    *action = leat_task_printf(t, "%s", exec_res ? (const char *)exec_res : "nothing");
    return LEAT_OK;
}

static leat_err walks_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                           const char **action)
{
    const leat_walks *w = walks;
    (void)shared, (void)prep_res, (void)last_action;
    *action = leat_task_printf(t, "%s", w->failed == 0 && w->walk[2].last_action ? w->walk[2].last_action : "no walk");
    return LEAT_OK;
}

static leat_flow *flow_of_everything(uint32_t in_flight)
{
    static const leat_node_class batch = { .name = "Kept", .prep = kept_prep, .exec = many_exec };
    static const leat_node_class sometimes = { .name = "Sometimes", .exec = sometimes_exec, .post = said_post };
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "outer" });
    leat_flow_opts opts = { .name = "walks",
                            .batch = true,
                            .prep = sets_prep,
                            .post = walks_post,
                            .in_flight_max = in_flight,
                            .walk_bytes = 600,
                            .policy = LEAT_BATCH_COLLECT };
    leat_flow *walks = leat_flow_new(&opts);
    leat_node *first = leat_flow_add(walks, &batch, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight });
    leat_flow_link(first, NULL,
                   leat_flow_add(walks, &sometimes, &(leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 1 }));
    leat_flow_add_flow(outer, walks);
    return outer;
}

static void each_allocation_of_a_run_may_fail(void **state)
{
    (void)state;
    for (uint32_t in_flight = 0; in_flight <= 4; in_flight += 4) {
        leat_runtime *rt = runtime_make(1, true);
        leat_flow *flow = flow_of_everything(in_flight);
        struct outcome o = run_keep(rt, flow, NULL);
        assert_int_equal(o.err, LEAT_OK);
        assert_string_equal(o.action, "child of 2");
        int64_t live = leat_i_mem_live_count();
        uint64_t failed = 0, before;
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            before = leat_i_mem_alloc_count();
            leat_i_mem_fail_after(n, false);
            o = run_keep(rt, flow, NULL);
            leat_i_mem_fail_after(0, false);
            hit = leat_i_mem_alloc_count() - before >= n;
            /* Collected failures of walks and fallen-back runners are fine; a wrong answer, a leak or a hang are not. */
            if (o.err != LEAT_OK) assert_int_equal(o.err, LEAT_NOMEM);
            failed += o.err != LEAT_OK;
            assert_true(leat_i_mem_live_count() <= live + 40); /* free tasks that the pool keeps come and go */
        }
        assert_true(failed > 3);
        o = run_keep(rt, flow, NULL);
        assert_string_equal(o.action, "child of 2");
        leat_flow_free(flow);
        leat_runtime_free(rt);
    }
}

/* ---- canceled at any moment ---- */

static LEAT_ATOMIC(int) active;

static leat_err random_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    uint64_t seed = (uint64_t)(uintptr_t)prep_res + (uint64_t)leat_task_now_ns(t);
    uint64_t r = leat_i_rand_next(&seed);
    leat_err err = LEAT_OK;
    leat_add_relaxed(&active, 1);
    if (r % 4 == 0) err = leat_sleep_ms(t, 0);
    if (r % 4 == 1) err = leat_sleep_ms(t, (int64_t)(r >> 8) % 3);
    if (r % 4 == 2) err = leat_await(t, leat_task_start(t, child_body, (void *)(uintptr_t) "r"), exec_res);
    leat_sub_relaxed(&active, 1);
    if (err == LEAT_OK && (r >> 20) % 50 == 0) return LEAT_USER;
    return err;
}

static void runs_canceled_at_any_moment_leave_nothing_behind(void **state)
{
    (void)state;
    static const leat_node_class cls = { .name = "Random", .prep = kept_prep, .exec = random_exec };
    leat_runtime *rt = runtime_make(4, false);
    for (uint64_t round = 0; round < (LEAT_ASAN || LEAT_TSAN ? 100 : 300); round++) {
        uint64_t seed = round;
        leat_node_opts opts = { .batch = true,
                                .in_flight_max = 1 + (uint32_t)(leat_i_rand_next(&seed) % 12),
                                .policy = (leat_batch_policy)(round % 3),
                                .max_attempts = 2 };
        leat_flow_opts walks = { .batch = true,
                                 .prep = sets_prep,
                                 .in_flight_max = 1 + (uint32_t)(round % 3),
                                 .policy = (leat_batch_policy)(round / 3 % 3) };
        leat_flow *flow = leat_flow_new(&walks);
        leat_node *node = leat_flow_add(flow, &cls, &opts);
        leat_flow_link(node, NULL, leat_flow_add(flow, &cls, &opts));
        leat_handle *h = NULL;
        assert_int_equal(leat_flow_submit(rt, flow, NULL, &(leat_run_opts){ .in_flight_max = round % 2 ? 3 : 0 }, &h),
                         LEAT_OK);
        if (leat_i_rand_next(&seed) % 2 == 0) {
            int64_t until = leat_i_os_now_ns() + (int64_t)(leat_i_rand_next(&seed) % 400000);
            while (leat_i_os_now_ns() < until)
                ;
            leat_handle_cancel(h);
        }
        leat_err err = leat_handle_wait(h, -1, NULL, NULL);
        assert_true(err == LEAT_OK || err == LEAT_CANCELED || err == LEAT_USER);
        assert_int_equal(leat_load_relaxed(&active), 0);
        leat_handle_free(h);
        leat_flow_free(flow);
    }
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_batch_with_each_needs_the_memory_of_its_window, each_test),
        cmocka_unit_test_setup(the_memory_of_a_source_goes_with_its_items, each_test),
        cmocka_unit_test_setup(a_budget_bounds_the_memory_of_a_whole_tree, each_test),
        cmocka_unit_test_setup(results_of_awaited_tasks_live_until_post_has_returned, each_test),
        cmocka_unit_test_setup(a_long_loop_needs_the_memory_of_one_visit, each_test),
        cmocka_unit_test_setup(a_long_loop_of_large_pieces_needs_the_memory_of_one, each_test),
        cmocka_unit_test_setup(each_allocation_of_a_run_may_fail, each_test),
        cmocka_unit_test_setup(runs_canceled_at_any_moment_leave_nothing_behind, each_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
