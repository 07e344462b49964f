/*
 * test_flow_batch.c: rows 40 to 50 of the flow model: batch nodes and batch flows, one after another and in parallel.
 *
 * row  what PocketFlow has                                leat     test
 * 40   exec per item in order; post gets all in order     keep     row_40_*
 * 41   retry, wait and fallback are per item              keep     row_41_*
 * 42   an item that fails ends the batch                  keep+opt row_42_*
 * 43   None or empty: no exec, post gets an empty list    keep     row_43
 * 44   any iterable; a generator is used up in post       option   row_44_* (an array, or a source)
 * 45   walks one after another; post gets None            keep     row_45 (post reads what became of each walk)
 * 46   a batch flow in a flow goes on by "default"        keep     row_46
 * 47   None or empty: nothing runs, post is called        keep     row_47
 * 48   the first failing walk ends the batch              keep+opt row_48_*
 * 49   a param set that is no mapping is a type error     n/a      param sets are typed in C
 * 50   the start may be a node, a flow, a batch flow      keep     row_50
 */
#include "support/flow.h"

/* ---- a batch node over the numbers 0, 1, 2, ... ---- */

struct numbers {
    size_t count;
    bool source;       /* by next() instead of an array */
    const void **item; /* the array */
    size_t pulled;     /* state of the source */
    long fails[4];     /* items that fail always; -1 ends the list */
    long fails_twice;  /* an item that fails in its first two attempts; -1 = none */
    int64_t exec_ms;   /* item i sleeps (count - i) * exec_ms: the first ends last */
    bool null_prep;    /* prep gives NULL */
    LEAT_ATOMIC(int) calls, fallbacks, active, active_max, canceled;
    size_t post_count, post_failed, post_calls;
    char text[512]; /* what post found */
};

static leat_err numbers_next(leat_task *t, void *state, const void **item)
{
    struct numbers *n = state;
    if (n->pulled >= n->count) return LEAT_OK;
    size_t *own = leat_task_alloc(t, sizeof *own);
    if (!own) return LEAT_NOMEM;
    *own = n->pulled++;
    *item = own;
    return LEAT_OK;
}

static leat_err numbers_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct numbers *n = leat_task_self(t);
    leat_items *items = leat_task_alloc(t, sizeof *items);
    (void)shared;
    if (n->null_prep) return LEAT_OK;
    *prep_res = items;
    if (n->source) {
        items->next = numbers_next;
        items->state = n;
        return LEAT_OK;
    }
    size_t *value = leat_task_alloc(t, n->count * sizeof *value);
    const void **item = leat_task_alloc(t, n->count * sizeof *item);
    for (size_t i = 0; i < n->count; i++) {
        value[i] = i;
        item[i] = &value[i];
    }
    items->item = item;
    items->count = n->count;
    return LEAT_OK;
}

static bool number_fails(const struct numbers *n, leat_task *t, size_t i)
{
    for (size_t k = 0; k < 4 && n->fails[k] >= 0; k++)
        if ((size_t)n->fails[k] == i) return true;
    return n->fails_twice == (long)i && leat_task_attempt(t) < 2;
}

static leat_err numbers_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct numbers *n = leat_task_self(t);
    size_t i = *(const size_t *)prep_res;
    leat_err err = LEAT_OK;
    leat_add_relaxed(&n->calls, 1);
    int active = leat_add_relaxed(&n->active, 1) + 1, max = leat_load_relaxed(&n->active_max);
    while (active > max && !leat_cas_relaxed(&n->active_max, &max, active))
        ;
    if (n->exec_ms > 0) err = leat_sleep_ms(t, (int64_t)(n->count - i) * n->exec_ms);
    leat_sub_relaxed(&n->active, 1);
    if (err == LEAT_CANCELED) leat_add_relaxed(&n->canceled, 1);
    if (err != LEAT_OK) return err;
    if (number_fails(n, t, i)) return leat_task_fail(t, LEAT_USER, "number %zu is bad", i);
    *exec_res = leat_task_printf(t, "%zu", i * i);
    return LEAT_OK;
}

static leat_err numbers_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    struct numbers *n = leat_task_self(t);
    leat_add_relaxed(&n->fallbacks, 1);
    *exec_res = leat_task_printf(t, "(%zu after %u: %s)", *(const size_t *)prep_res, cause->attempt + 1, cause->text);
    return LEAT_OK;
}

static leat_err numbers_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct numbers *n = leat_task_self(t);
    const leat_results *r = exec_res;
    (void)shared, (void)action;
    n->post_calls++;
    n->post_count = r->count;
    n->post_failed = r->failed;
    assert_true((prep_res == NULL) == n->null_prep);
    for (size_t i = 0; i < r->count && r->value; i++) {
        const char *value = r->value[i];
        if (r->error && r->error[i]) value = r->error[i]->text;
        snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), i ? " %s" : "%s", value);
        assert_true((r->value[i] != NULL) != (r->error && r->error[i]));
    }
    return LEAT_OK;
}

static const leat_node_class numbers_class = { "Numbers", numbers_prep, numbers_exec, NULL, numbers_post };
static const leat_node_class numbers_fallback_class = { "Numbers", numbers_prep, numbers_exec, numbers_fallback,
                                                        numbers_post };

static struct numbers numbers_make(size_t count)
{
    return (struct numbers){ .count = count, .fails = { -1 }, .fails_twice = -1 };
}

static leat_err run_numbers(leat_runtime *rt, const leat_node_class *cls, struct numbers *n, leat_node_opts opts,
                            leat_error *error)
{
    leat_flow *flow = leat_flow_new(NULL);
    opts.batch = true;
    opts.self = n;
    leat_flow_add(flow, cls, &opts);
    return run_free(rt, flow, NULL, error);
}

/* All ways of getting at the items: array and source, one after another and many at once. */
#define EACH_WAY(way)      for (int way = 0; way < 4; way++)
#define WAY_SOURCE(way)    ((way)&1)
#define WAY_IN_FLIGHT(way) ((way)&2 ? 3u : 0u)

static void row_40_exec_per_item_and_results_in_input_order(void **state)
{
    EACH_WAY(way)
    {
        struct numbers n = numbers_make(6);
        n.source = WAY_SOURCE(way);
        n.exec_ms = 1;
        leat_node_opts opts = { .in_flight_max = WAY_IN_FLIGHT(way) };
        assert_int_equal(run_numbers(*state, &numbers_class, &n, opts, NULL), LEAT_OK);
        assert_string_equal(n.text, "0 1 4 9 16 25");
        assert_int_equal(n.calls, 6);
        assert_int_equal(n.post_count, 6);
        assert_int_equal(n.post_failed, 0);
        assert_int_equal(n.active_max, opts.in_flight_max ? 3 : 1);
    }
}

static void row_41_retry_is_per_item(void **state)
{
    EACH_WAY(way)
    {
        struct numbers n = numbers_make(4);
        n.source = WAY_SOURCE(way);
        n.fails_twice = 1;
        n.fails[0] = 2;
        n.fails[1] = -1;
        leat_node_opts opts = { .max_attempts = 3, .retry_wait_ms = 10, .in_flight_max = WAY_IN_FLIGHT(way) };
        assert_int_equal(run_numbers(*state, &numbers_fallback_class, &n, opts, NULL), LEAT_OK);
        assert_string_equal(n.text, "0 1 (2 after 3: number 2 is bad) 9");
        assert_int_equal(n.calls, 1 + 3 + 3 + 1);
        assert_int_equal(n.fallbacks, 1);
        assert_int_equal(n.post_failed, 0);
    }
}

static void row_42_an_item_that_fails_ends_the_batch(void **state)
{
    struct numbers n = numbers_make(6);
    leat_error error;
    n.fails[0] = 2;
    n.fails[1] = -1;
    assert_int_equal(run_numbers(*state, &numbers_class, &n, (leat_node_opts){ 0 }, &error), LEAT_USER);
    assert_int_equal(n.calls, 3);
    assert_int_equal(n.post_calls, 0);
    assert_string_equal(error.text, "flow \"flow\", node \"Numbers\", item 2, attempt 1 of 1: number 2 is bad");
}

static void row_42_option_wait_all_runs_all_and_gives_the_lowest_error(void **state)
{
    EACH_WAY(way)
    {
        struct numbers n = numbers_make(6);
        leat_error error;
        n.source = WAY_SOURCE(way);
        n.exec_ms = 1; /* in parallel item 4 fails before item 1 */
        n.fails[0] = 4;
        n.fails[1] = 1;
        n.fails[2] = -1;
        leat_node_opts opts = { .policy = LEAT_BATCH_WAIT_ALL, .in_flight_max = WAY_IN_FLIGHT(way) };
        assert_int_equal(run_numbers(*state, &numbers_class, &n, opts, &error), LEAT_USER);
        assert_int_equal(n.calls, 6);
        assert_int_equal(n.post_calls, 0);
        assert_string_equal(error.text, "flow \"flow\", node \"Numbers\", item 1, attempt 1 of 1: number 1 is bad");
    }
}

static void row_42_option_collect_calls_post_with_the_errors(void **state)
{
    EACH_WAY(way)
    {
        struct numbers n = numbers_make(5);
        n.source = WAY_SOURCE(way);
        n.fails[0] = 0;
        n.fails[1] = 3;
        n.fails[2] = -1;
        leat_node_opts opts = { .policy = LEAT_BATCH_COLLECT, .in_flight_max = WAY_IN_FLIGHT(way) };
        assert_int_equal(run_numbers(*state, &numbers_class, &n, opts, NULL), LEAT_OK);
        assert_string_equal(n.text, "number 0 is bad 1 4 number 3 is bad 16");
        assert_int_equal(n.post_failed, 2);
    }
}

static void row_43_nothing_to_do_and_post_gets_an_empty_list(void **state)
{
    EACH_WAY(way)
    {
        for (int null = 0; null < 2; null++) {
            struct numbers n = numbers_make(0);
            n.source = WAY_SOURCE(way);
            n.null_prep = null;
            leat_node_opts opts = { .in_flight_max = WAY_IN_FLIGHT(way) };
            assert_int_equal(run_numbers(*state, &numbers_class, &n, opts, NULL), LEAT_OK);
            assert_int_equal(n.calls, 0);
            assert_int_equal(n.post_calls, 1);
            assert_int_equal(n.post_count, 0);
        }
    }
}

static leat_err slow_next(leat_task *t, void *state, const void **item)
{
    struct numbers *n = state;
    assert_int_equal(leat_add_relaxed(&n->active, 1), 0); /* one caller at a time */
    leat_err err = leat_sleep_ms(t, 2);
    leat_sub_relaxed(&n->active, 1);
    return err == LEAT_OK ? numbers_next(t, state, item) : err;
}

static leat_err slow_prep(leat_task *t, void *shared, const void **prep_res)
{
    static leat_items items = { .next = slow_next };
    (void)shared;
    items.state = leat_task_self(t);
    *prep_res = &items;
    return LEAT_OK;
}

static leat_err slow_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    *exec_res = leat_task_printf(t, "%zu", *(const size_t *)prep_res);
    return leat_sleep_ms(t, 7);
}

static void row_44_option_a_source_may_wait_and_has_one_caller_at_a_time(void **state)
{
    static const leat_node_class cls = { "Slow", slow_prep, slow_exec, NULL, numbers_post };
    for (uint32_t in_flight = 1; in_flight <= 8; in_flight *= 2) {
        struct numbers n = numbers_make(9);
        assert_int_equal(run_numbers(*state, &cls, &n, (leat_node_opts){ .in_flight_max = in_flight }, NULL), LEAT_OK);
        assert_string_equal(n.text, "0 1 2 3 4 5 6 7 8");
    }
}

static leat_err bad_next(leat_task *t, void *state, const void **item)
{
    struct numbers *n = state;
    if (n->pulled == 3) return leat_task_fail(t, LEAT_IO, "line 4 cannot be read");
    return numbers_next(t, state, item);
}

static leat_err bad_prep(leat_task *t, void *shared, const void **prep_res)
{
    static leat_items items = { .next = bad_next };
    (void)shared;
    items.state = leat_task_self(t);
    *prep_res = &items;
    return LEAT_OK;
}

static void row_44_a_source_that_fails_ends_the_batch(void **state)
{
    static const leat_node_class cls = { "Bad", bad_prep, numbers_exec, NULL, numbers_post };
    for (uint32_t in_flight = 0; in_flight <= 4; in_flight += 4) {
        struct numbers n = numbers_make(9);
        leat_error error;
        leat_node_opts opts = { .in_flight_max = in_flight, .policy = LEAT_BATCH_COLLECT };
        assert_int_equal(run_numbers(*state, &cls, &n, opts, &error), LEAT_IO);
        assert_non_null(strstr(error.text, "next: line 4 cannot be read"));
        assert_int_equal(n.post_calls, 0);
        assert_int_equal(n.calls, 3);
    }
}

/* ---- each ---- */

static leat_err numbers_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                             const leat_error *error)
{
    struct trace *trace = shared;
    (void)t;
    assert_int_equal(*(const size_t *)item, index);
    assert_true((value != NULL) != (error != NULL));
    trace_add(trace, "%zu:%s", index, value ? (const char *)value : error->text);
    return index == 77 ? leat_task_fail(t, LEAT_IO, "each broke") : LEAT_OK;
}

static void option_each_takes_the_results_and_post_gets_counts(void **state)
{
    EACH_WAY(way)
    {
        for (int ordered = 0; ordered < 2; ordered++) {
            struct trace trace = { "" };
            struct numbers n = numbers_make(6);
            n.source = WAY_SOURCE(way);
            n.exec_ms = 1;
            n.fails[0] = 2;
            n.fails[1] = -1;
            leat_flow *flow = leat_flow_new(NULL);
            leat_node_opts opts = { .batch = true,
                                    .self = &n,
                                    .each = numbers_each,
                                    .each_in_order = ordered,
                                    .in_flight_max = WAY_IN_FLIGHT(way) * 2,
                                    .policy = LEAT_BATCH_COLLECT };
            leat_flow_add(flow, &numbers_class, &opts);
            assert_int_equal(run_free(*state, flow, &trace, NULL), LEAT_OK);
            if (ordered || way < 2)
                assert_string_equal(trace.text, "0:0 1:1 2:number 2 is bad 3:9 4:16 5:25");
            else
                assert_string_equal(trace.text, "5:25 4:16 3:9 2:number 2 is bad 1:1 0:0");
            assert_int_equal(n.post_count, 6);
            assert_int_equal(n.post_failed, 1);
            assert_string_equal(n.text, ""); /* no values are kept */
        }
    }
}

static void an_error_of_each_ends_the_batch(void **state)
{
    EACH_WAY(way)
    {
        struct trace trace = { "" };
        struct numbers n = numbers_make(200);
        leat_error error;
        n.source = WAY_SOURCE(way);
        leat_flow *flow = leat_flow_new(NULL);
        leat_node_opts opts = { .batch = true,
                                .self = &n,
                                .each = numbers_each,
                                .each_in_order = true,
                                .in_flight_max = WAY_IN_FLIGHT(way),
                                .policy = LEAT_BATCH_COLLECT };
        leat_flow_add(flow, &numbers_class, &opts);
        assert_int_equal(run_free(*state, flow, &trace, &error), LEAT_IO);
        assert_string_equal(error.text, "flow \"flow\", node \"Numbers\", item 77, each: each broke");
        assert_int_equal(n.post_calls, 0);
        assert_null(strstr(trace.text, " 78:"));
    }
}

/* ---- batch flows ---- */

static const leat_param params[4][1] = { { { "n", "0" } }, { { "n", "1" } }, { { "n", "2" } }, { { "n", "3" } } };
static const leat_param_set sets_four[] = { { params[0], 1 }, { params[1], 1 }, { params[2], 1 }, { params[3], 1 } };

struct sets_store {
    struct trace trace;
    size_t count, pulled;
    bool source, null_prep;
    char fails; /* the walk with this n fails */
    size_t post_calls, failed;
};

static leat_err sets_next(leat_task *t, void *state, const leat_param_set **set)
{
    struct sets_store *s = state;
    (void)t;
    *set = s->pulled < s->count ? &sets_four[s->pulled++] : NULL;
    return LEAT_OK;
}

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct sets_store *s = shared;
    leat_param_sets *sets = leat_task_alloc(t, sizeof *sets);
    if (s->null_prep) return LEAT_OK;
    *sets = s->source ? (leat_param_sets){ .next = sets_next, .state = s }
                      : (leat_param_sets){ .set = sets_four, .count = s->count };
    *prep_res = sets;
    return LEAT_OK;
}

static leat_err sets_post(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                          const char **action)
{
    struct sets_store *s = shared;
    const leat_walks *w = walks;
    (void)t, (void)action;
    assert_null(last_action);
    assert_true((prep_res == NULL) == s->null_prep);
    assert_true(w->walk == NULL || !s->source);
    s->post_calls++;
    s->failed = w->failed;
    trace_add(&s->trace, "post(%zu)", w->count);
    for (size_t i = 0; i < w->count && w->walk; i++)
        trace_add(&s->trace, "%s", w->walk[i].code == LEAT_OK ? w->walk[i].last_action : w->walk[i].error->text);
    return LEAT_OK;
}

static leat_err walk_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res;
    *exec_res = leat_task_param(t, "n");
    return leat_sleep_ms(t, 1);
}

static leat_err walk_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct sets_store *s = shared;
    (void)prep_res;
    trace_add(&s->trace, "%s", (const char *)exec_res);
    if (*(const char *)exec_res == s->fails) return leat_task_fail(t, LEAT_USER, "walk %s broke", (const char *)exec_res);
    *action = leat_task_printf(t, "done-%s", (const char *)exec_res);
    return LEAT_OK;
}

static const leat_node_class walk_class = { .name = "Walk", .exec = walk_exec, .post = walk_post };

static leat_flow *flow_of_sets(leat_flow_opts opts)
{
    opts.batch = true;
    opts.prep = sets_prep;
    opts.post = sets_post;
    opts.name = "all";
    leat_flow *flow = leat_flow_new(&opts);
    leat_flow_add(flow, &walk_class, NULL);
    return flow;
}

static void row_45_post_reads_what_became_of_each_walk(void **state)
{
    EACH_WAY(way)
    {
        struct sets_store s = { .count = 4, .source = WAY_SOURCE(way) };
        leat_flow *flow = flow_of_sets((leat_flow_opts){ .in_flight_max = WAY_IN_FLIGHT(way) });
        assert_int_equal(run_free(*state, flow, &s, NULL), LEAT_OK);
        assert_non_null(strstr(s.trace.text, s.source ? "post(4)" : "post(4) done-0 done-1 done-2 done-3"));
        if (way < 2) assert_memory_equal(s.trace.text, "0 1 2 3 post", 12);
    }
}

static void row_46_a_batch_flow_in_a_flow_goes_on_by_default(void **state)
{
    struct sets_store s = { .count = 2 };
    struct script after = { .trace = &s.trace, .name = "after" };
    leat_flow *outer = leat_flow_new(NULL);
    leat_node *batch = leat_flow_add_flow(outer, flow_of_sets((leat_flow_opts){ 0 }));
    leat_flow_link(batch, NULL, leat_flow_add(outer, &script_class, &(leat_node_opts){ .self = &after }));
    assert_int_equal(run_free(*state, outer, &s, NULL), LEAT_OK);
    assert_string_equal(s.trace.text, "0 1 post(2) done-0 done-1 after.prep after.exec after.post");
}

static void row_47_no_param_sets_and_post_is_called(void **state)
{
    EACH_WAY(way)
    {
        for (int null = 0; null < 2; null++) {
            struct sets_store s = { .source = WAY_SOURCE(way), .null_prep = null };
            leat_flow *flow = flow_of_sets((leat_flow_opts){ .in_flight_max = WAY_IN_FLIGHT(way) });
            assert_int_equal(run_free(*state, flow, &s, NULL), LEAT_OK);
            assert_string_equal(s.trace.text, "post(0)");
        }
    }
}

static void row_48_the_first_failing_walk_ends_the_batch(void **state)
{
    struct sets_store s = { .count = 4, .fails = '1' };
    leat_error error;
    assert_int_equal(run_free(*state, flow_of_sets((leat_flow_opts){ 0 }), &s, &error), LEAT_USER);
    assert_string_equal(s.trace.text, "0 1"); /* earlier effects stay; no post */
    assert_string_equal(error.text, "flow \"all\", walk 1, node \"Walk\", post: walk 1 broke");
}

static void row_48_option_collect_and_wait_all(void **state)
{
    EACH_WAY(way)
    {
        struct sets_store s = { .count = 3, .fails = '1', .source = WAY_SOURCE(way) };
        leat_error error;
        leat_flow_opts opts = { .in_flight_max = WAY_IN_FLIGHT(way), .policy = LEAT_BATCH_COLLECT };
        assert_int_equal(run_free(*state, flow_of_sets(opts), &s, NULL), LEAT_OK);
        assert_int_equal(s.failed, 1);
        if (!s.source)
            assert_non_null(strstr(s.trace.text, "done-0 flow \"all\", walk 1, node \"Walk\", post: walk 1 broke done-2"));
        struct sets_store again = { .count = 3, .fails = '1', .source = WAY_SOURCE(way) };
        opts.policy = LEAT_BATCH_WAIT_ALL;
        assert_int_equal(run_free(*state, flow_of_sets(opts), &again, &error), LEAT_USER);
        assert_int_equal(again.post_calls, 0);
        assert_int_equal(strlen(again.trace.text), 5); /* all three walked */
        assert_non_null(strstr(error.text, "walk 1 broke"));
    }
}

static void row_48_option_walks_are_retried_one_by_one(void **state)
{
    EACH_WAY(way)
    {
        struct sets_store s = { .count = 3, .fails = '1', .source = WAY_SOURCE(way) };
        leat_flow_opts opts = { .in_flight_max = WAY_IN_FLIGHT(way), .policy = LEAT_BATCH_COLLECT, .max_attempts = 3 };
        assert_int_equal(run_free(*state, flow_of_sets(opts), &s, NULL), LEAT_OK);
        assert_int_equal(s.failed, 1);
        if (way < 2) assert_memory_equal(s.trace.text, "0 1 1 1 2", 9);
    }
}

static void row_50_the_start_may_be_a_flow_or_another_batch_flow(void **state)
{
    struct sets_store s = { .count = 2 };
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .batch = true, .prep = sets_prep, .post = sets_post });
    leat_flow *middle = leat_flow_new(NULL);
    leat_flow_add_flow(middle, flow_of_sets((leat_flow_opts){ 0 }));
    leat_flow_add_flow(outer, middle);
    /* The batch in it gives no action, so the walks around it have none. */
    assert_int_equal(leat_flow_check(outer, NULL), LEAT_OK);
    leat_flow_free(outer);
    outer = leat_flow_new(&(leat_flow_opts){ .batch = true, .prep = sets_prep });
    leat_flow_add_flow(outer, flow_of_sets((leat_flow_opts){ 0 }));
    assert_int_equal(run_free(*state, outer, &s, NULL), LEAT_OK);
    assert_string_equal(s.trace.text, "0 1 post(2) done-0 done-1 0 1 post(2) done-0 done-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(row_40_exec_per_item_and_results_in_input_order, each_test),
        cmocka_unit_test_setup(row_41_retry_is_per_item, each_test),
        cmocka_unit_test_setup(row_42_an_item_that_fails_ends_the_batch, each_test),
        cmocka_unit_test_setup(row_42_option_wait_all_runs_all_and_gives_the_lowest_error, each_test),
        cmocka_unit_test_setup(row_42_option_collect_calls_post_with_the_errors, each_test),
        cmocka_unit_test_setup(row_43_nothing_to_do_and_post_gets_an_empty_list, each_test),
        cmocka_unit_test_setup(row_44_option_a_source_may_wait_and_has_one_caller_at_a_time, each_test),
        cmocka_unit_test_setup(row_44_a_source_that_fails_ends_the_batch, each_test),
        cmocka_unit_test_setup(option_each_takes_the_results_and_post_gets_counts, each_test),
        cmocka_unit_test_setup(an_error_of_each_ends_the_batch, each_test),
        cmocka_unit_test_setup(row_45_post_reads_what_became_of_each_walk, each_test),
        cmocka_unit_test_setup(row_46_a_batch_flow_in_a_flow_goes_on_by_default, each_test),
        cmocka_unit_test_setup(row_47_no_param_sets_and_post_is_called, each_test),
        cmocka_unit_test_setup(row_48_the_first_failing_walk_ends_the_batch, each_test),
        cmocka_unit_test_setup(row_48_option_collect_and_wait_all, each_test),
        cmocka_unit_test_setup(row_48_option_walks_are_retried_one_by_one, each_test),
        cmocka_unit_test_setup(row_50_the_start_may_be_a_flow_or_another_batch_flow, each_test),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
