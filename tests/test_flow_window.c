/*
 * test_flow_window.c: windows of parallel batches at their edges, and gates that runs share.
 */
#include "support/flow.h"

#include <sched.h>

static LEAT_ATOMIC(int) active, active_max, done;

static void enter(void)
{
    int now = leat_add_relaxed(&active, 1) + 1, max = leat_load_relaxed(&active_max);
    while (now > max && !leat_cas_relaxed(&active_max, &max, now))
        ;
}

static leat_err sleeping_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    enter();
    leat_err err = leat_sleep_ms(t, 10);
    leat_sub_relaxed(&active, 1);
    leat_add_relaxed(&done, 1);
    *exec_res = prep_res;
    return err;
}

/* ---- a source with a pause: the window empties, and must fill again ---- */

#define BURST 40

struct bursts {
    size_t given;
    int max_before; /* most in flight before the pause */
};

static leat_err bursts_next(leat_task *t, void *state, const void **item)
{
    struct bursts *b = state;
    if (b->given == BURST) {
        LEAT_TRY(leat_sleep_ms(t, 100)); /* all items end meanwhile, and their tasks with them */
        assert_int_equal(leat_load_relaxed(&active), 0);
        b->max_before = leat_load_relaxed(&active_max);
        leat_store_relaxed(&active_max, 0);
    }
    if (b->given < 2 * BURST) {
        b->given++;
        *item = "item";
    }
    return LEAT_OK;
}

static leat_err bursts_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    *items = (leat_items){ .next = bursts_next, .state = shared };
    *prep_res = items;
    return LEAT_OK;
}

static void a_window_fills_again_after_a_pause_of_its_source(void **state)
{
    static const leat_node_class cls = { .name = "Bursts", .prep = bursts_prep, .exec = sleeping_exec };
    for (uint32_t in_flight = 2; in_flight <= 8; in_flight += 3) {
        struct bursts b = { 0, 0 };
        leat_store_relaxed(&active_max, 0);
        leat_store_relaxed(&done, 0);
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight });
        assert_int_equal(run_free(*state, flow, &b, NULL), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&done), 2 * BURST);
        assert_int_equal(b.max_before, in_flight);
        assert_int_equal(leat_load_relaxed(&active_max), in_flight);
    }
}

/* ---- a source whose items never wait: who finds it taken leaves, and must be replaced ---- */

#define QUICK_COUNT 50000

static leat_err quick_next(leat_task *t, void *state, const void **item)
{
    size_t *given = state;
    (void)t;
    if (*given < QUICK_COUNT) *item = (const void *)++*given;
    return LEAT_OK;
}

static leat_err quick_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    *items = (leat_items){ .next = quick_next, .state = shared };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err quick_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t, (void)exec_res;
    if ((size_t)prep_res < QUICK_COUNT - 1) return LEAT_OK;
    leat_add_acq_rel(&done, 1);
    while (leat_load_acquire(&done) < 2) /* the last two get out only together */
        ;
    return LEAT_OK;
}

static void a_window_keeps_its_width_when_runners_meet_at_the_source(void **state)
{
    static const leat_node_class cls = { .name = "Quick", .prep = quick_prep, .exec = quick_exec };
    size_t given = 0;
    leat_store_relaxed(&done, 0);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = 2 });
    assert_int_equal(run_free(*state, flow, &given, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&done), 2);
}

/* ---- a batch whose items never wait must let others go on ---- */

struct neighbor {
    int turns, seen; /* of the task beside the batch; the most that an item has seen */
    bool over;
};

static leat_err takes_turns(leat_task *t, void *arg, const void **result)
{
    struct neighbor *n = arg;
    (void)result;
    while (!n->over) {
        n->turns++;
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    return LEAT_OK;
}

static leat_err watching_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct neighbor *n = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    n->seen = n->turns;
    return LEAT_OK;
}

static leat_err hundred_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    *items = (leat_items){ .item = leat_task_alloc(t, 100 * sizeof(void *)), .count = 100 };
    (void)shared;
    *prep_res = items;
    return LEAT_OK;
}

static leat_err beside_a_batch(leat_task *t, void *arg, const void **result)
{
    struct neighbor *n = arg;
    static const leat_node_class cls = { .name = "Watching", .prep = hundred_prep, .exec = watching_exec };
    (void)result;
    leat_future *f = leat_task_start(t, takes_turns, n);
    for (uint32_t in_flight = 1; in_flight <= 4; in_flight += 3) {
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight, .self = n });
        LEAT_TRY(leat_sleep_ms(t, 0)); /* the neighbor has begun */
        int before = n->turns;
        LEAT_TRY(leat_flow_call(t, flow, NULL, NULL));
        assert_true(n->seen >= before + 50 / (int)in_flight); /* the runners take turns, too */
        leat_flow_free(flow);
    }
    n->over = true;
    return leat_await(t, f, NULL);
}

static void a_batch_that_never_waits_lets_others_go_on(void **state)
{
    struct neighbor n = { 0 };
    leat_runtime *rt = runtime_make(1, true);
    (void)state;
    assert_int_equal(leat_task_run(rt, beside_a_batch, &n, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

/* ---- an item that has waited makes room for the next one at once ---- */

struct order {
    uint32_t length;
    char text[256]; /* b for each begin, e for each end */
};

static leat_err ordered_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct order *o = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    o->text[o->length++] = 'b';
    LEAT_TRY(leat_sleep_ms(t, 10));
    o->text[o->length++] = 'e';
    return LEAT_OK;
}

/* The answers of four items come at the same time. Each one's place begins to wait for the next before another answer is worked on. */
static void who_has_waited_begins_the_next_item_before_others_go_on(void **state)
{
    static const leat_node_class cls = { .name = "Ordered", .prep = hundred_prep, .exec = ordered_exec };
    struct order o = { 0 };
    leat_runtime *rt = runtime_make(1, true);
    (void)state;
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = 4, .self = &o });
    assert_int_equal(leat_flow_run(rt, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(o.length, 200);
    assert_memory_equal(o.text, "bbbb", 4);
    for (uint32_t i = 4; i < 196; i++)
        assert_int_equal(o.text[i], i % 2 ? 'b' : 'e');
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

/* ---- a batch inside an item of a batch, all in parallel ---- */

static leat_err ten_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const char *const names[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };
    static const leat_items items = { .item = (const void *const *)names, .count = 10 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err join_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)shared, (void)prep_res;
    const char *text = "";
    for (size_t i = 0; i < r->count; i++)
        text = leat_task_printf(t, "%s%s", text, (const char *)r->value[i]);
    *action = text;
    return LEAT_OK;
}

static const leat_node_class ten_class = { .name = "Ten", .prep = ten_prep, .exec = sleeping_exec, .post = join_post };

/* The item is a flow of its own, and its last action the value. */
static leat_err nested_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const char *action = NULL;
    (void)prep_res;
    LEAT_TRY(leat_flow_call(t, leat_task_self(t), NULL, &(leat_run_opts){ .last_action = &action }));
    assert_string_equal(action, "0123456789");
    *exec_res = action + 9;
    return LEAT_OK;
}

static void batches_nest_in_items(void **state)
{
    static const leat_node_class outer_class = { .name = "Outer", .prep = ten_prep, .exec = nested_exec, .post = join_post };
    leat_flow *inner = leat_flow_new(NULL), *outer = leat_flow_new(NULL);
    leat_flow_add(inner, &ten_class, &(leat_node_opts){ .batch = true, .in_flight_max = 4 });
    leat_flow_add(outer, &outer_class, &(leat_node_opts){ .batch = true, .in_flight_max = 4, .self = inner });
    leat_store_relaxed(&active_max, 0);
    struct outcome o = run_keep(*state, outer, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "9999999999");
    assert_int_equal(leat_load_relaxed(&active_max), 16);
    leat_flow_free(outer);
    leat_flow_free(inner);
}

/* ---- runs on the same store share a gate ---- */

struct shared_store {
    int inside;
    long value;
};

static leat_err gated_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct shared_store *s = shared;
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    assert_int_equal(s->inside++, 0);
    sched_yield();
    s->value++;
    s->inside--;
    return LEAT_OK;
}

struct call {
    leat_flow *flow;
    void *shared;
};

static leat_err call_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    const struct call *c = leat_task_self(t);
    (void)prep_res;
    LEAT_TRY(leat_flow_call(t, c->flow, c->shared, NULL));
    return leat_await(t, leat_flow_start(t, c->flow, c->shared, NULL), exec_res);
}

static void runs_on_the_same_store_share_a_gate(void **state)
{
    static const leat_node_class gated = { .name = "Gated", .post = gated_post };
    static const leat_node_class caller = { .name = "Caller", .prep = ten_prep, .exec = call_exec, .post = gated_post };
    struct shared_store store = { 0, 0 };
    struct call c = { leat_flow_new(NULL), &store };
    leat_flow_add(c.flow, &gated, NULL);
    leat_flow *outer = leat_flow_new(NULL);
    leat_node *first = leat_flow_add(outer, &caller, &(leat_node_opts){ .batch = true, .in_flight_max = 10, .self = &c });
    leat_flow_link(first, NULL, leat_flow_add(outer, &gated, NULL));
    for (int round = 0; round < 50; round++)
        assert_int_equal(leat_flow_run(*state, outer, &store, NULL), LEAT_OK);
    assert_int_equal(store.value, 50 * (20 + 2));
    leat_flow_free(outer);
    leat_flow_free(c.flow);
}

/* ---- caps at their limits ---- */

static void the_largest_cap_is_taken_as_it_is(void **state)
{
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &ten_class, &(leat_node_opts){ .batch = true, .in_flight_max = 1048576 });
    leat_store_relaxed(&active_max, 0);
    struct outcome o = run_keep(*state, flow, NULL);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "0123456789");
    assert_int_equal(leat_load_relaxed(&active_max), 10);
    leat_flow_free(flow);
}

static leat_err no_array_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_items items = { .count = 3 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err no_sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param_sets sets = { .count = 3 };
    (void)t, (void)shared;
    *prep_res = &sets;
    return LEAT_OK;
}

static void a_count_without_an_array_is_refused(void **state)
{
    static const leat_node_class cls = { .name = "NoArray", .prep = no_array_prep };
    leat_error error;
    for (uint32_t in_flight = 0; in_flight <= 4; in_flight += 4) {
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight });
        assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USAGE);
        assert_non_null(strstr(error.text, "prep gave 3 items and no array"));
        flow = leat_flow_new(&(leat_flow_opts){ .batch = true, .in_flight_max = in_flight, .prep = no_sets_prep });
        leat_flow_add(flow, &ten_class, &(leat_node_opts){ .batch = true });
        assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USAGE);
        assert_non_null(strstr(error.text, "prep gave 3 param sets and no array"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_window_fills_again_after_a_pause_of_its_source, each_test),
        cmocka_unit_test_setup(a_window_keeps_its_width_when_runners_meet_at_the_source, each_test),
        cmocka_unit_test_setup(a_batch_that_never_waits_lets_others_go_on, each_test),
        cmocka_unit_test_setup(who_has_waited_begins_the_next_item_before_others_go_on, each_test),
        cmocka_unit_test_setup(batches_nest_in_items, each_test),
        cmocka_unit_test_setup(runs_on_the_same_store_share_a_gate, each_test),
        cmocka_unit_test_setup(the_largest_cap_is_taken_as_it_is, each_test),
        cmocka_unit_test_setup(a_count_without_an_array_is_refused, each_test),
    };
    return cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
