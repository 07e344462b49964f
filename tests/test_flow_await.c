/*
 * test_flow_await.c: rows 51 to 59 of the flow model: what waits, and what PocketFlow needs async classes for.
 *
 * row  what PocketFlow has                                   leat   test
 * 51   other names for async phases, wrong ones ignored      fix    row_51: one slot per phase, and each may await
 * 52   a plain function in an async slot is a type error     fix    row_52: it stands in the same slot
 * 53   run of an async node or flow raises, or half works    fix    row_53: one kind of node and of run
 * 54   run of an AsyncFlow skips its async prep and post     fix    row_54: they are called
 * 55   run of a parallel batch flow does nothing             fix    row_55: it runs all walks
 * 56   sync nodes in an async flow block all others          fix    row_56_*
 * 57   async batches go one after another                    keep   row_57
 * 58   None from an async batch's prep is a type error       fix    row_58: empty
 * 59   no async generators                                   option row_59: a source may await, of items and of param sets
 */
#include "support/flow.h"

/* ---- phases that wait and phases that do not ---- */

/* Which phases wait: bits of the node's `self`. */
enum { WAIT_PREP = 1, WAIT_EXEC = 2, WAIT_FALLBACK = 4, WAIT_POST = 8, WAIT_ALL = 15 };

static leat_err wait_if(leat_task *t, uintptr_t phase)
{
    return (uintptr_t)leat_task_self(t) & phase ? leat_sleep_ms(t, 1) : LEAT_OK;
}

static leat_err any_prep(leat_task *t, void *shared, const void **prep_res)
{
    LEAT_TRY(wait_if(t, WAIT_PREP));
    trace_add(shared, "prep");
    *prep_res = "p";
    return LEAT_OK;
}

static leat_err any_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    LEAT_TRY(wait_if(t, WAIT_EXEC));
    assert_string_equal(prep_res, "p");
    return LEAT_USER;
}

static leat_err any_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    LEAT_TRY(wait_if(t, WAIT_FALLBACK));
    assert_string_equal(prep_res, "p");
    assert_int_equal(cause->code, LEAT_USER);
    *exec_res = "f";
    return LEAT_OK;
}

static leat_err any_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)prep_res;
    LEAT_TRY(wait_if(t, WAIT_POST));
    trace_add(shared, "post:%s", (const char *)exec_res);
    *action = leat_task_printf(t, "%s", "after");
    return LEAT_OK;
}

static const leat_node_class any_class = { "Any", any_prep, any_exec, any_fallback, any_post };

static leat_flow *flow_of_any(uintptr_t waits)
{
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &any_class, &(leat_node_opts){ .self = (void *)waits });
    return flow;
}

static void row_51_every_phase_may_await(void **state)
{
    struct trace trace = { "" };
    assert_int_equal(run_free(*state, flow_of_any(WAIT_ALL), &trace, NULL), LEAT_OK);
    assert_string_equal(trace.text, "prep post:f");
}

static void row_52_a_phase_that_does_not_wait_stands_in_the_same_slot(void **state)
{
    for (uintptr_t waits = 0; waits < WAIT_ALL; waits++) {
        struct trace trace = { "" };
        assert_int_equal(run_free(*state, flow_of_any(waits), &trace, NULL), LEAT_OK);
        assert_string_equal(trace.text, "prep post:f");
    }
}

/* ---- one kind of run ---- */

static leat_err flow_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)prep_res;
    LEAT_TRY(leat_sleep_ms(t, 1));
    trace_add(shared, "flow-prep");
    return LEAT_OK;
}

static leat_err flow_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                          const char **action)
{
    (void)prep_res, (void)walks;
    LEAT_TRY(leat_sleep_ms(t, 1));
    trace_add(shared, "flow-post:%s", last_action);
    *action = last_action;
    return LEAT_OK;
}

/* From a thread that waits, from one that does not, in a task, and beside it: the same nodes, and the same happens. */
struct ways {
    leat_flow *flow;
    struct trace trace[2];
};

static leat_err two_ways(leat_task *t, void *arg, const void **result)
{
    struct ways *w = arg;
    (void)result;
    LEAT_TRY(leat_flow_call(t, w->flow, &w->trace[0], NULL));
    return leat_await(t, leat_flow_start(t, w->flow, &w->trace[1], NULL), NULL);
}

static void row_53_one_kind_of_node_and_of_run(void **state)
{
    struct trace run = { "" }, submit = { "" };
    struct ways w = { flow_of_any(WAIT_ALL), { { "" }, { "" } } };
    leat_handle *h = NULL;
    assert_int_equal(leat_flow_run(*state, w.flow, &run, NULL), LEAT_OK);
    assert_int_equal(leat_flow_submit(*state, w.flow, &submit, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    assert_int_equal(leat_task_run(*state, two_ways, &w, NULL), LEAT_OK);
    assert_string_equal(run.text, "prep post:f");
    assert_string_equal(submit.text, run.text);
    assert_string_equal(w.trace[0].text, run.text);
    assert_string_equal(w.trace[1].text, run.text);
    leat_flow_free(w.flow);
}

static void row_54_prep_and_post_of_a_flow_may_await_and_are_called(void **state)
{
    struct trace trace = { "" };
    leat_flow *flow = leat_flow_new(&(leat_flow_opts){ .prep = flow_prep, .post = flow_post });
    leat_flow_add(flow, &any_class, &(leat_node_opts){ .self = (void *)WAIT_ALL });
    struct outcome o = run_keep(*state, flow, &trace);
    assert_int_equal(o.err, LEAT_OK);
    assert_string_equal(o.action, "after");
    assert_string_equal(trace.text, "flow-prep prep post:f flow-post:after");
    leat_flow_free(flow);
}

/* ---- batches ---- */

#define COUNT 8

struct batch {
    size_t pulled;
    bool empty, source;
    int active, active_max, calls, posts; /* one worker: nobody else touches them between two awaits */
    size_t count;                         /* what post was told */
    struct trace ended;
    int64_t end_ms;
};

static leat_err batch_body(leat_task *t, struct batch *b, size_t i)
{
    if (++b->active > b->active_max) b->active_max = b->active;
    b->calls++;
    LEAT_TRY(leat_sleep_ms(t, 10 + (int64_t)(COUNT - i))); /* the first one ends last, if they are together */
    b->active--;
    trace_add(&b->ended, "%zu", i);
    b->end_ms = leat_task_now_ns(t) / 1000000;
    return LEAT_OK;
}

static leat_err item_next(leat_task *t, void *state, const void **item)
{
    struct batch *b = state;
    LEAT_TRY(leat_sleep_ms(t, 1));
    if (b->pulled < COUNT) *item = leat_task_printf(t, "%zu", b->pulled++);
    return LEAT_OK;
}

static leat_err item_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const char *const name[COUNT] = { "0", "1", "2", "3", "4", "5", "6", "7" };
    struct batch *b = shared;
    leat_items *items = leat_task_alloc(t, sizeof *items);
    LEAT_TRY(leat_sleep_ms(t, 1));
    if (b->empty) return LEAT_OK;
    *items = (leat_items){ .item = (const void *const *)name, .count = COUNT };
    if (b->source) *items = (leat_items){ .next = item_next, .state = b };
    *prep_res = items;
    return LEAT_OK;
}

static leat_err item_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = prep_res;
    return batch_body(t, leat_task_self(t), (size_t)(*(const char *)prep_res - '0'));
}

static leat_err item_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct batch *b = shared;
    const leat_results *r = exec_res;
    (void)t, (void)action;
    assert_true((prep_res == NULL) == b->empty);
    b->posts++;
    b->count = r->count;
    for (size_t i = 0; i < r->count; i++)
        assert_int_equal(*(const char *)r->value[i] - '0', i);
    return LEAT_OK;
}

static leat_err set_next(leat_task *t, void *state, const leat_param_set **set)
{
    const void *item = NULL;
    LEAT_TRY(item_next(t, state, &item));
    if (!item) return LEAT_OK;
    leat_param *param = leat_task_alloc(t, sizeof *param);
    leat_param_set *one = leat_task_alloc(t, sizeof *one);
    *param = (leat_param){ "i", item };
    *one = (leat_param_set){ param, 1 };
    *set = one;
    return LEAT_OK;
}

static leat_err set_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_param param[COUNT] = { { "i", "0" }, { "i", "1" }, { "i", "2" }, { "i", "3" },
                                             { "i", "4" }, { "i", "5" }, { "i", "6" }, { "i", "7" } };
    struct batch *b = shared;
    leat_param_sets *sets = leat_task_alloc(t, sizeof *sets);
    leat_param_set *set = leat_task_alloc(t, COUNT * sizeof *set);
    LEAT_TRY(leat_sleep_ms(t, 1));
    if (b->empty) return LEAT_OK;
    for (size_t i = 0; i < COUNT; i++)
        set[i] = (leat_param_set){ &param[i], 1 };
    *sets = (leat_param_sets){ .set = set, .count = COUNT };
    if (b->source) *sets = (leat_param_sets){ .next = set_next, .state = b };
    *prep_res = sets;
    return LEAT_OK;
}

static leat_err walk_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return batch_body(t, leat_task_self(t), (size_t)(*leat_task_param(t, "i") - '0'));
}

static leat_err set_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                         const char **action)
{
    struct batch *b = shared;
    (void)t, (void)prep_res, (void)last_action, (void)action;
    b->posts++;
    b->count = ((const leat_walks *)walks)->count;
    return LEAT_OK;
}

/* A batch node or a batch flow over the same numbers, by a run on one worker. */
static void run_batch(struct batch *b, bool flow_form, uint32_t in_flight)
{
    static const leat_node_class items = { .name = "Items", .prep = item_prep, .exec = item_exec, .post = item_post };
    static const leat_node_class walk = { .name = "Walk", .exec = walk_exec };
    leat_runtime *rt = runtime_make(1, true);
    leat_flow *flow;
    if (flow_form) {
        flow = leat_flow_new(
            &(leat_flow_opts){ .batch = true, .in_flight_max = in_flight, .prep = set_prep, .post = set_post });
        leat_flow_add(flow, &walk, &(leat_node_opts){ .self = b });
    } else {
        flow = leat_flow_new(NULL);
        leat_flow_add(flow, &items, &(leat_node_opts){ .batch = true, .in_flight_max = in_flight, .self = b });
    }
    assert_int_equal(run_free(rt, flow, b, NULL), LEAT_OK);
    leat_runtime_free(rt);
    assert_int_equal(b->posts, 1);
    assert_int_equal(b->active, 0);
}

static void row_55_a_parallel_batch_flow_runs_all_its_walks(void **state)
{
    struct batch b = { 0 };
    (void)state;
    run_batch(&b, true, COUNT);
    assert_int_equal(b.calls, COUNT);
    assert_int_equal(b.count, COUNT);
    assert_int_equal(b.active_max, COUNT);
    assert_string_equal(b.ended.text, "7 6 5 4 3 2 1 0");
}

static void row_57_batches_go_one_after_another_unless_they_are_told(void **state)
{
    (void)state;
    for (int flow_form = 0; flow_form < 2; flow_form++) {
        for (uint32_t in_flight = 0; in_flight < 2; in_flight++) {
            struct batch b = { 0 };
            run_batch(&b, flow_form, in_flight);
            assert_int_equal(b.active_max, 1);
            assert_string_equal(b.ended.text, "0 1 2 3 4 5 6 7");
        }
    }
}

static void row_58_nothing_from_an_awaiting_prep_is_empty(void **state)
{
    (void)state;
    for (int flow_form = 0; flow_form < 2; flow_form++) {
        for (uint32_t in_flight = 0; in_flight <= 4; in_flight += 2) {
            struct batch b = { .empty = true };
            run_batch(&b, flow_form, in_flight);
            assert_int_equal(b.calls, 0);
            assert_int_equal(b.count, 0);
        }
    }
}

static void row_59_a_source_may_await(void **state)
{
    (void)state;
    for (int flow_form = 0; flow_form < 2; flow_form++) {
        for (uint32_t in_flight = 1; in_flight <= COUNT; in_flight *= 2) {
            struct batch b = { .source = true };
            run_batch(&b, flow_form, in_flight);
            assert_int_equal(b.calls, COUNT);
            assert_int_equal(b.count, COUNT);
            assert_int_equal(b.active_max, in_flight);
        }
    }
}

/* ---- what blocks ---- */

static LEAT_ATOMIC(int) inside;

static leat_err eight_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const void *const item[8];
    static const leat_items items = { .item = item, .count = 8 };
    (void)t, (void)shared;
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err until_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    leat_add_acq_rel(&inside, 1);
    while (leat_load_acquire(&inside) < (int)(intptr_t)leat_task_self(t)) /* out only when so many are in here at once */
        ;
    return LEAT_OK;
}

static void run_until(leat_runtime *rt, intptr_t together, bool blocking)
{
    static const leat_node_class cls = { .name = "Until", .prep = eight_prep, .exec = until_exec };
    leat_flow *flow = leat_flow_new(NULL);
    leat_store_relaxed(&inside, 0);
    leat_node_opts opts = { .batch = true, .in_flight_max = 8, .blocking = blocking, .self = (void *)together };
    leat_flow_add(flow, &cls, &opts);
    assert_int_equal(run_free(rt, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&inside), 8);
}

static void row_56_what_does_not_wait_holds_up_its_own_worker_only(void **state)
{
    run_until(*state, 4, false);
}

/* Four workers could never bring eight together: helper threads do. */
static void row_56_blocking_phases_run_on_helper_threads(void **state)
{
    run_until(*state, 8, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_51_every_phase_may_await, each_test),
        cmocka_unit_test_setup(row_52_a_phase_that_does_not_wait_stands_in_the_same_slot, each_test),
        cmocka_unit_test_setup(row_53_one_kind_of_node_and_of_run, each_test),
        cmocka_unit_test_setup(row_54_prep_and_post_of_a_flow_may_await_and_are_called, each_test),
        cmocka_unit_test_setup(row_55_a_parallel_batch_flow_runs_all_its_walks, each_test),
        cmocka_unit_test_setup(row_56_what_does_not_wait_holds_up_its_own_worker_only, each_test),
        cmocka_unit_test_setup(row_56_blocking_phases_run_on_helper_threads, each_test),
        cmocka_unit_test_setup(row_57_batches_go_one_after_another_unless_they_are_told, each_test),
        cmocka_unit_test_setup(row_58_nothing_from_an_awaiting_prep_is_empty, each_test),
        cmocka_unit_test_setup(row_59_a_source_may_await, each_test),
    };
    return cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
