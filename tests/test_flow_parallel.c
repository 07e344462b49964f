/*
 * test_flow_parallel.c: rows 60 to 71 of the flow model: what runs in parallel.
 *
 * row  what PocketFlow has                                   leat   test
 * 60   results in input order whatever the finish order      keep   row_60
 * 61   no cap                                                fix    row_61
 * 62   a failure neither cancels nor awaits the others       fix    row_62_*
 * 63   what survives depends on what the caller does next    fix    row_63: nothing survives
 * 64   canceling the call cancels all items                  keep   row_64_*
 * 65   items share one count of attempts                     fix    row_65 many at once
 * 66   the flow form has no such fault                       keep   row_66
 * 67   all walks at once on one store, without a lock        keep   row_67: prep and post never overlap
 * 68   post and the next prep are not torn apart             fix    row_68_*
 * 69   read-modify-write between two awaits is atomic        keep   row_69
 * 70   nesting multiplies what is in flight                  fix    row_70: one budget for the whole tree
 * 71   items that compute do not run in parallel             fix    row_71_*
 */
#include "support/flow.h"

#include <sched.h>

/* ---- batches of n items with a body ---- */

static leat_err count_prep(leat_task *t, void *shared, const void **prep_res)
{
    leat_items *items = leat_task_alloc(t, sizeof *items);
    (void)shared;
    items->count = (size_t)leat_task_self(t);
    items->item = leat_task_alloc(t, items->count * sizeof *items->item);
    const void **item = (const void **)(uintptr_t)items->item;
    for (size_t i = 0; i < items->count; i++)
        item[i] = (const void *)(i + 1);
    *prep_res = items;
    return LEAT_OK;
}

static LEAT_ATOMIC(int) active, active_max, done, begun;

static void counters_reset(void)
{
    leat_store_relaxed(&active, 0);
    leat_store_relaxed(&active_max, 0);
    leat_store_relaxed(&done, 0);
    leat_store_relaxed(&begun, 0);
}

static void enter(void)
{
    int now = leat_add_relaxed(&active, 1) + 1, max = leat_load_relaxed(&active_max);
    leat_add_relaxed(&begun, 1);
    while (now > max && !leat_cas_relaxed(&active_max, &max, now))
        ;
}

static void leave(void)
{
    leat_sub_relaxed(&active, 1);
    leat_add_relaxed(&done, 1);
}

static leat_err sleeping_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    enter();
    leat_err err = leat_sleep_ms(t, 10);
    leave();
    *exec_res = prep_res;
    return err;
}

static leat_flow *flow_of_batch(const leat_node_class *cls, size_t count, leat_node_opts opts)
{
    leat_flow *flow = leat_flow_new(NULL);
    opts.batch = true;
    opts.self = (void *)count;
    leat_flow_add(flow, cls, &opts);
    return flow;
}

static leat_err time_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)prep_res, (void)action;
    for (size_t i = 0; i < r->count; i++)
        assert_int_equal((uintptr_t)r->value[i], i + 1);
    if (shared) *(int64_t *)shared = leat_task_now_ns(t);
    return LEAT_OK;
}

static leat_err backwards_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = prep_res;
    enter();
    leat_err err = leat_sleep_ms(t, 100 - (int64_t)(uintptr_t)prep_res);
    assert_int_equal(leat_load_relaxed(&done), 50 - (int)(uintptr_t)prep_res); /* the last one ends first */
    leave();
    return err;
}

static void row_60_results_are_in_input_order_whatever_the_order_of_ends(void **state)
{
    static const leat_node_class cls = { .name = "Back", .prep = count_prep, .exec = backwards_exec, .post = time_post };
    leat_runtime *rt = runtime_make(1, true); /* all begin in the same millisecond */
    (void)state;
    counters_reset();
    assert_int_equal(run_free(rt, flow_of_batch(&cls, 50, (leat_node_opts){ .in_flight_max = 50 }), NULL, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&done), 50);
    leat_runtime_free(rt);
}

static void row_61_a_cap_and_a_window(void **state)
{
    static const leat_node_class cls = { .name = "Sleeps", .prep = count_prep, .exec = sleeping_exec, .post = time_post };
    static const uint32_t caps[] = { 0, 1, 2, 7, 500, 1000 };
    for (size_t i = 0; i < 6; i++) {
        counters_reset();
        assert_int_equal(
            run_free(*state, flow_of_batch(&cls, 500, (leat_node_opts){ .in_flight_max = caps[i] }), NULL, NULL), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&done), 500);
        int cap = caps[i] < 1 ? 1 : caps[i] > 500 ? 500 : (int)caps[i];
        assert_int_equal(leat_load_relaxed(&active_max), cap);
    }
}

static leat_err fifth_fails_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    enter();
    bool fifth = (uintptr_t)prep_res == 5;
    leat_err err = leat_sleep_ms(t, fifth ? 5 : 1000000);
    leave();
    if (!fifth) assert_int_equal(err, LEAT_CANCELED);
    return fifth ? leat_task_fail(t, LEAT_USER, "the fifth fails") : err;
}

static leat_err never_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)shared, (void)prep_res, (void)exec_res, (void)action;
    fail_msg("post was called");
    return LEAT_OK;
}

static void row_62_fail_fast_cancels_and_joins_the_others(void **state)
{
    static const leat_node_class cls = { .name = "Fifth", .prep = count_prep, .exec = fifth_fails_exec, .post = never_post };
    leat_error error;
    counters_reset();
    leat_flow *flow = flow_of_batch(&cls, 100, (leat_node_opts){ .in_flight_max = 50 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .error = &error }), LEAT_USER);
    /* Nothing outlives the call: whoever began has ended. */
    assert_int_equal(leat_load_relaxed(&active), 0);
    assert_int_equal(leat_load_relaxed(&begun), leat_load_relaxed(&done));
    assert_int_equal(leat_load_relaxed(&begun), 50);
    assert_string_equal(error.text, "flow \"flow\", node \"Fifth\", item 4, attempt 1 of 1: the fifth fails");
    leat_flow_free(flow);
}

static leat_err idle_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_sleep_ms(t, 2000000); /* longer than the items of "Fifth" sleep */
}

static void row_63_nothing_goes_on_whatever_the_caller_does_next(void **state)
{
    static const leat_node_class fifth = { .name = "Fifth", .prep = count_prep, .exec = fifth_fails_exec };
    static const leat_node_class idle = { .name = "Idle", .exec = idle_exec };
    counters_reset();
    assert_int_equal(run_free(*state, flow_of_batch(&fifth, 100, (leat_node_opts){ .in_flight_max = 50 }), NULL, NULL),
                     LEAT_USER);
    assert_int_equal(leat_load_relaxed(&active), 0);
    int begun_then = leat_load_relaxed(&begun), done_then = leat_load_relaxed(&done);
    leat_flow *flow = leat_flow_new(NULL); /* the caller stays, and the pool runs on */
    leat_flow_add(flow, &idle, NULL);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&begun), begun_then);
    assert_int_equal(leat_load_relaxed(&done), done_then);
}

static leat_err two_fail_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    uintptr_t i = (uintptr_t)prep_res;
    *exec_res = prep_res;
    enter();
    leat_err err = leat_sleep_ms(t, i == 3 ? 50 : 1); /* the lower one fails later */
    leave();
    if (err == LEAT_OK && (i == 3 || i == 60)) return leat_task_fail(t, LEAT_USER, "%zu fails", (size_t)i);
    return err;
}

static void row_62_option_wait_all(void **state)
{
    static const leat_node_class cls = { .name = "Two", .prep = count_prep, .exec = two_fail_exec, .post = never_post };
    leat_error error;
    counters_reset();
    leat_node_opts opts = { .in_flight_max = 50, .policy = LEAT_BATCH_WAIT_ALL };
    assert_int_equal(run_free(*state, flow_of_batch(&cls, 100, opts), NULL, &error), LEAT_USER);
    assert_int_equal(leat_load_relaxed(&done), 100);
    assert_non_null(strstr(error.text, "3 fails"));
}

static leat_err collect_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const leat_results *r = exec_res;
    (void)t, (void)prep_res, (void)action;
    *(size_t *)shared = r->failed;
    for (size_t i = 0; i < r->count; i++) {
        bool bad = i == 2 || i == 59;
        assert_true(bad == (r->error[i] != NULL));
        assert_true(bad == (r->value[i] == NULL));
        if (bad) assert_string_equal(r->error[i]->node, "Two");
    }
    return LEAT_OK;
}

static void row_62_option_collect(void **state)
{
    static const leat_node_class cls = { .name = "Two", .prep = count_prep, .exec = two_fail_exec, .post = collect_post };
    size_t failed = 0;
    counters_reset();
    leat_node_opts opts = { .in_flight_max = 50, .policy = LEAT_BATCH_COLLECT };
    assert_int_equal(run_free(*state, flow_of_batch(&cls, 100, opts), &failed, NULL), LEAT_OK);
    assert_int_equal(failed, 2);
}

static leat_err endless_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    enter();
    leat_err err = leat_sleep_ms(t, INT64_C(1) << 40);
    leave();
    return err;
}

static leat_err endless_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)t, (void)prep_res, (void)cause, (void)exec_res;
    fail_msg("a cancel has no fallback");
    return LEAT_OK;
}

static const leat_node_class endless = { "Endless", count_prep, endless_exec, endless_fallback, never_post };

static void row_64_canceling_the_run_cancels_all_items(void **state)
{
    (void)state;
    for (int policy = LEAT_BATCH_FAIL_FAST; policy <= LEAT_BATCH_COLLECT; policy++) {
        leat_runtime *rt = runtime_make(2, false);
        leat_handle *h = NULL;
        leat_error error;
        counters_reset();
        leat_node_opts opts = { .in_flight_max = 20, .policy = (leat_batch_policy)policy, .max_attempts = 3 };
        leat_flow *flow = flow_of_batch(&endless, 40, opts);
        assert_int_equal(leat_flow_submit(rt, flow, NULL, NULL, &h), LEAT_OK);
        while (leat_load_relaxed(&begun) < 20)
            assert_int_equal(leat_handle_wait(h, 1, NULL, NULL), LEAT_TIMEOUT);
        leat_handle_cancel(h);
        assert_int_equal(leat_handle_wait(h, -1, NULL, &error), LEAT_CANCELED);
        assert_int_equal(leat_load_relaxed(&begun), 20);
        assert_int_equal(leat_load_relaxed(&active), 0);
        leat_handle_free(h);
        leat_flow_free(flow);
        leat_runtime_free(rt);
    }
}

static void row_64_the_deadline_of_a_run_cancels_all_items(void **state)
{
    leat_error error;
    counters_reset();
    leat_flow *flow = flow_of_batch(&endless, 40, (leat_node_opts){ .in_flight_max = 20, .policy = LEAT_BATCH_COLLECT });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .deadline_ms = 50, .error = &error }),
                     LEAT_TIMEOUT);
    assert_non_null(strstr(error.text, "the run's deadline of 50 ms passed"));
    assert_int_equal(leat_load_relaxed(&active), 0);
    leat_flow_free(flow);
}

static leat_err attempts_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    uint32_t attempt = leat_task_attempt(t);
    enter();
    leat_err err = leat_sleep_ms(t, 1 + (int64_t)((uintptr_t)prep_res % 3));
    leave();
    if (err != LEAT_OK) return err;
    assert_int_equal(leat_task_attempt(t), attempt);
    *exec_res = prep_res;
    return attempt < 2 ? LEAT_USER : LEAT_OK;
}

static void row_65_each_item_has_its_own_attempts(void **state)
{
    static const leat_node_class cls = { .name = "Thrice", .prep = count_prep, .exec = attempts_exec, .post = time_post };
    counters_reset();
    leat_node_opts opts = { .in_flight_max = 100, .max_attempts = 3, .retry_wait_ms = 1 };
    assert_int_equal(run_free(*state, flow_of_batch(&cls, 300, opts), NULL, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&done), 900);
}

static leat_err third_time_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    uint32_t *next = leat_task_walk(t); /* the attempt that this walk comes to next */
    (void)prep_res, (void)exec_res;
    assert_int_equal(leat_task_attempt(t), (*next)++);
    LEAT_TRY(leat_sleep_ms(t, 1));
    return *next < 3 ? LEAT_USER : LEAT_OK;
}

static leat_err third_time_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res, (void)exec_res, (void)action;
    assert_int_equal(*(uint32_t *)leat_task_walk(t), 3);
    leat_add_relaxed(&done, 1);
    return LEAT_OK;
}

/* ---- the gate ---- */

struct counter {
    int inside; /* guarded by nothing but the gate: a data race if the gate fails, which ThreadSanitizer reports too */
    long value;
    const void *last_post; /* row 68: the walk that posted last */
};

static leat_err gated(struct counter *c)
{
    assert_int_equal(c->inside++, 0);
    long before = c->value;
    sched_yield(); /* lets others in, if the gate does */
    c->value = before + 1;
    c->inside--;
    return LEAT_OK;
}

static leat_err gated_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)prep_res;
    gated(shared);
    LEAT_TRY(leat_sleep_ms(t, 1)); /* let go here, taken again after */
    return gated(shared);
}

static leat_err quick_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t, (void)exec_res, (void)prep_res;
    return LEAT_OK;
}

static leat_err gated_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    return gated(shared);
}

static leat_err many_sets(leat_task *t, void *shared, const void **prep_res)
{
    leat_param_sets *sets = leat_task_alloc(t, sizeof *sets);
    (void)shared;
    sets->count = (size_t)leat_task_self(t);
    sets->set = leat_task_alloc(t, sets->count * sizeof *sets->set);
    *prep_res = sets;
    return LEAT_OK;
}

static leat_flow *flow_of_walks(size_t count, uint32_t in_flight)
{
    leat_flow_opts opts = {
        .batch = true, .in_flight_max = in_flight, .prep = many_sets, .walk_bytes = 16, .self = (void *)count
    };
    return leat_flow_new(&opts);
}

static void row_66_each_walk_has_its_own_attempts(void **state)
{
    static const leat_node_class cls = { .name = "Third", .exec = third_time_exec, .post = third_time_post };
    counters_reset();
    leat_flow *flow = flow_of_walks(300, 100);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .max_attempts = 3, .retry_wait_ms = 1 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&done), 300);
}

static void row_67_prep_and_post_never_overlap(void **state)
{
    static const leat_node_class cls = { .name = "Gated", .prep = gated_prep, .exec = quick_exec, .post = gated_post };
    struct counter c = { 0, 0, NULL };
    leat_flow *flow = flow_of_walks(400, 64);
    leat_node *first = leat_flow_add(flow, &cls, NULL);
    leat_flow_link(first, NULL, leat_flow_add(flow, &cls, NULL));
    assert_int_equal(run_free(*state, flow, &c, NULL), LEAT_OK);
    assert_int_equal(c.value, 400 * 2 * 3);
}

/* Reads, lets others try, and writes: no await in between, so nothing comes in between. */
static leat_err adding_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct counter *c = shared;
    long value = c->value;
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    sched_yield();
    c->value = value + 1;
    return LEAT_OK;
}

static void row_69_read_modify_write_between_two_awaits_is_atomic(void **state)
{
    static const leat_node_class cls = { .name = "Adding", .exec = quick_exec, .post = adding_post };
    struct counter c = { 0, 0, NULL };
    leat_flow *flow = flow_of_walks(2000, 64);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, &c, NULL), LEAT_OK);
    assert_int_equal(c.value, 2000);
}

static leat_err hand_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct counter *c = shared;
    (void)prep_res, (void)exec_res, (void)action;
    c->last_post = leat_task_walk(t);
    sched_yield();
    return LEAT_OK;
}

static leat_err take_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct counter *c = shared;
    (void)prep_res;
    assert_ptr_equal(c->last_post, leat_task_walk(t)); /* nobody came between this walk's post and prep */
    c->value++;
    return LEAT_OK;
}

static void row_68_nothing_comes_between_a_post_and_the_next_prep(void **state)
{
    static const leat_node_class hand = { .name = "Hand", .exec = quick_exec, .post = hand_post };
    static const leat_node_class take = { .name = "Take", .prep = take_prep, .exec = quick_exec };
    struct counter c = { 0, 0, NULL };
    leat_flow *flow = flow_of_walks(2000, 64);
    leat_node *first = leat_flow_add(flow, &hand, NULL);
    leat_flow_link(first, NULL, leat_flow_add(flow, &take, NULL));
    assert_int_equal(run_free(*state, flow, &c, NULL), LEAT_OK);
    assert_int_equal(c.value, 2000);
}

static leat_err free_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)exec_res, (void)action;
    enter();
    while (leat_load_acquire(&begun) < 2) /* gets out only when two are in post at once */
        ;
    leat_add_acq_rel((LEAT_ATOMIC(int) *)shared, 1);
    leave();
    return LEAT_OK;
}

static void option_concurrent_shared_switches_the_gate_off(void **state)
{
    static const leat_node_class cls = { .name = "Free", .post = free_post };
    LEAT_ATOMIC(int) met = 0;
    counters_reset();
    leat_flow_opts opts = {
        .batch = true, .in_flight_max = 2, .prep = many_sets, .self = (void *)2, .concurrent_shared = true
    };
    leat_flow *flow = leat_flow_new(&opts);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, (void *)&met, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&met), 2);
}

/* ---- nesting ---- */

static void row_70_one_budget_for_the_whole_tree(void **state)
{
    static const leat_node_class cls = { .name = "Sleeps", .prep = count_prep, .exec = sleeping_exec, .post = time_post };
    for (uint32_t budget = 1; budget <= 25; budget += 6) {
        counters_reset();
        leat_flow *flow = flow_of_walks(10, 10);
        leat_flow *inner = leat_flow_new(NULL);
        leat_flow_add(inner, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = 10, .self = (void *)10 });
        leat_flow_add_flow(flow, inner);
        assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .in_flight_max = budget }), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&done), 100);
        assert_int_equal(leat_load_relaxed(&active_max), budget);
        leat_flow_free(flow);
    }
}

static int64_t uneven_begin_ns;
static LEAT_ATOMIC(int) uneven_late;

static leat_err uneven_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    bool lasts = (intptr_t)prep_res == 3;
    LEAT_TRY(leat_sleep_ms(t, lasts ? 2000 : 10));
    if (!lasts && leat_task_now_ns(t) - uneven_begin_ns > 1000000000) leat_add_relaxed(&uneven_late, 1);
    return LEAT_OK;
}

static leat_err hundred_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    uneven_begin_ns = leat_task_now_ns(t);
    for (intptr_t i = 0; i < 100; i++)
        leat_items_add(t, prep_res, (void *)i);
    return LEAT_OK;
}

/* One item that lasts takes one place of the budget, and the others go on. */
static void a_slow_item_holds_one_place_of_a_budget(void **state)
{
    static const leat_node_class cls = { .name = "Uneven", .prep = hundred_prep, .exec = uneven_exec };
    leat_store_relaxed(&uneven_late, 0);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = 4 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .in_flight_max = 4 }), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&uneven_late), 0);
    leat_flow_free(flow);
}

static leat_err computing_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t, (void)prep_res;
    enter();
    while (leat_load_acquire(&begun) < 4) /* gets out only when four compute at the same time */
        ;
    leave();
    *exec_res = prep_res;
    return LEAT_OK;
}

static void row_71_items_that_compute_run_on_all_workers(void **state)
{
    static const leat_node_class cls = { .name = "Computes", .prep = count_prep, .exec = computing_exec, .post = time_post };
    counters_reset();
    assert_int_equal(run_free(*state, flow_of_batch(&cls, 5000, (leat_node_opts){ .in_flight_max = 16 }), NULL, NULL),
                     LEAT_OK);
    assert_int_equal(leat_load_relaxed(&done), 5000);
    assert_true(leat_load_relaxed(&active_max) >= 2 && leat_load_relaxed(&active_max) <= 4);
}

static leat_err enter_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)prep_res;
    enter();
    return gated(shared);
}

static leat_err until_two_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t, (void)prep_res, (void)exec_res;
    while (leat_load_acquire(&begun) < 2) /* gets out only when another walk is through the gate meanwhile */
        ;
    return LEAT_OK;
}

static void row_71_exec_runs_outside_the_gate(void **state)
{
    static const leat_node_class cls = { .name = "Both", .prep = enter_prep, .exec = until_two_exec, .post = gated_post };
    struct counter c = { 0, 0, NULL };
    counters_reset();
    leat_flow *flow = flow_of_walks(2, 2);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, &c, NULL), LEAT_OK);
    assert_int_equal(c.value, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_60_results_are_in_input_order_whatever_the_order_of_ends, each_test),
        cmocka_unit_test_setup(row_61_a_cap_and_a_window, each_test),
        cmocka_unit_test_setup(row_62_fail_fast_cancels_and_joins_the_others, each_test),
        cmocka_unit_test_setup(row_63_nothing_goes_on_whatever_the_caller_does_next, each_test),
        cmocka_unit_test_setup(row_62_option_wait_all, each_test),
        cmocka_unit_test_setup(row_62_option_collect, each_test),
        cmocka_unit_test_setup(row_64_canceling_the_run_cancels_all_items, each_test),
        cmocka_unit_test_setup(row_64_the_deadline_of_a_run_cancels_all_items, each_test),
        cmocka_unit_test_setup(row_65_each_item_has_its_own_attempts, each_test),
        cmocka_unit_test_setup(row_66_each_walk_has_its_own_attempts, each_test),
        cmocka_unit_test_setup(row_67_prep_and_post_never_overlap, each_test),
        cmocka_unit_test_setup(row_68_nothing_comes_between_a_post_and_the_next_prep, each_test),
        cmocka_unit_test_setup(row_69_read_modify_write_between_two_awaits_is_atomic, each_test),
        cmocka_unit_test_setup(option_concurrent_shared_switches_the_gate_off, each_test),
        cmocka_unit_test_setup(row_70_one_budget_for_the_whole_tree, each_test),
        cmocka_unit_test_setup(a_slow_item_holds_one_place_of_a_budget, each_test),
        cmocka_unit_test_setup(row_71_items_that_compute_run_on_all_workers, each_test),
        cmocka_unit_test_setup(row_71_exec_runs_outside_the_gate, each_test),
    };
    return cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
