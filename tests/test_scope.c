/* test_scope.c: leat_task_scope: what a scope makes goes at its end, what was there before stays, and its failure keeps its story. */
#include "support_sched.h"

#include "leat/flow.h"
#include "leat/limiter.h"

/* ---- what goes ---- */

static leat_err answers(leat_task *t, void *arg, const void **result)
{
    *result = leat_task_printf(t, "%d", *(int *)arg);
    return LEAT_OK;
}

/* One turn of a long loop: a bit of all that takes memory. */
static leat_err turn(leat_task *t, void *arg, const void **result)
{
    const void *text;
    (void)result;
    CHECK(leat_task_alloc(t, 100000) && leat_task_alloc(t, 10));
    leat_future *f = leat_task_start(t, answers, arg);
    LEAT_TRY(leat_await(t, f, &text));
    CHECK(atoi(text) == *(int *)arg);
    if (*(int *)arg % 2) return leat_task_fail(t, LEAT_USER, "turn %d", *(int *)arg);
    return LEAT_OK;
}

static leat_err loops(leat_task *t, void *arg, const void **result)
{
    leat_error error = { 0 };
    const char *before = leat_task_printf(t, "it stays");
    int64_t live = 0;
    char text[32];
    (void)arg, (void)result;
    for (int i = 0; i < ROUNDS(10000); i++) {
        leat_err err = leat_task_scope(t, turn, &i, &error);
        CHECK(err == (i % 2 ? LEAT_USER : LEAT_OK));
        snprintf(text, sizeof text, "turn %d", i);
        CHECK(err == LEAT_OK || !strcmp(error.text, text));
        if (i == 10) live = leat_i_mem_live_count();
    }
    CHECK(leat_i_mem_live_count() == live);
    CHECK(!strcmp(before, "it stays"));
    return LEAT_OK;
}

static void a_long_loop_needs_the_memory_of_one_turn(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, true); /* one worker: tasks that have ended wait for nobody to take them back */
    assert_int_equal(leat_task_run(rt, loops, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

struct left {
    leat_semaphore *semaphore;
    LEAT_ATOMIC(int) ended;
};

static leat_err waits_for_ever(leat_task *t, void *arg, const void **result)
{
    struct left *l = arg;
    (void)result;
    leat_err err = leat_semaphore_acquire(t, l->semaphore);
    leat_add_relaxed(&l->ended, 1);
    return err;
}

static leat_err leaves_a_child(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_task_start(t, waits_for_ever, arg);
    return leat_sleep_ms(t, 1); /* it has begun by now */
}

static leat_err ends_children(leat_task *t, void *arg, const void **result)
{
    struct left *l = arg;
    (void)result;
    leat_future *before = leat_task_start(t, waits_for_ever, arg);
    CHECK(leat_task_scope(t, leaves_a_child, arg, NULL) == LEAT_OK);
    CHECK(leat_load_relaxed(&l->ended) == 1);
    CHECK(!leat_future_is_done(before)); /* not of the scope */
    leat_semaphore_release(l->semaphore);
    return leat_await(t, before, NULL);
}

static void what_a_scope_has_started_has_ended_before_it_ends(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct left l = { 0 };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_semaphore_new(&l.semaphore, 0), LEAT_OK);
        assert_int_equal(leat_task_run(rt, ends_children, &l, NULL), LEAT_OK);
        leat_semaphore_free(l.semaphore);
        leat_runtime_free(rt);
    }
}

static leat_err forgets_a_grant(leat_task *t, void *arg, const void **result)
{
    leat_grant grant;
    (void)result;
    return leat_limiter_acquire(t, arg, (leat_cost){ 0 }, &grant);
}

static leat_err forgets_grants(leat_task *t, void *arg, const void **result)
{
    (void)result;
    for (int i = 0; i < 3; i++) /* one may be in flight: the second would wait for ever */
        LEAT_TRY(leat_task_scope(t, forgets_a_grant, arg, NULL));
    return LEAT_OK;
}

static void a_forgotten_grant_is_settled_at_the_end_of_its_scope(void **state)
{
    leat_limiter *l = NULL;
    leat_limiter_stats stats;
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_limiter_new(&l, &(leat_limiter_opts){ .in_flight_max = 1 }), LEAT_OK);
    assert_int_equal(leat_task_run(rt, forgets_grants, l, NULL), LEAT_OK);
    leat_limiter_read(l, &stats);
    assert_int_equal(stats.settled, 3);
    leat_limiter_free(l);
    leat_runtime_free(rt);
}

/* ---- failures ---- */

static leat_err fails(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_task_alloc(t, 5000); /* the story lies behind it */
    return leat_task_fail(t, LEAT_NET, "the mill does not answer");
}

static leat_err fails_without_words(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_IO;
}

static leat_err runs_short(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    CHECK(!leat_task_alloc(t, SIZE_MAX));
    return LEAT_OK;
}

static leat_err scope_in_scope(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    LEAT_TRY(leat_task_scope(t, fails, NULL, NULL));
    return LEAT_OK;
}

static leat_err passes_failures_on(leat_task *t, void *arg, const void **result)
{
    leat_error error = { 0 };
    (void)arg, (void)result;
    CHECK(leat_task_scope(t, fails_without_words, NULL, &error) == LEAT_IO);
    CHECK(!strcmp(error.text, leat_err_sentence(LEAT_IO)));
    CHECK(leat_task_scope(t, runs_short, NULL, &error) == LEAT_NOMEM); /* and this task goes on */
    CHECK(error.code == LEAT_NOMEM);
    (void)leat_task_fail(t, LEAT_USER, "before");
    CHECK(leat_task_scope(t, fails, NULL, &error) == LEAT_NET);
    CHECK(leat_task_fail_because(t, LEAT_USER, NULL, "after") == LEAT_USER); /* the last one is its own: "before" */
    CHECK(leat_task_scope(t, NULL, NULL, NULL) == LEAT_USAGE);
    return leat_task_scope(t, scope_in_scope, NULL, NULL);
}

static void the_story_of_a_scope_that_fails_is_kept(void **state)
{
    leat_error error = { 0 };
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, passes_failures_on, NULL, &error), LEAT_NET);
    assert_string_equal(error.text, "the mill does not answer");
    assert_int_equal(leat_task_scope((leat_task *)(uintptr_t)64, fails, NULL, NULL), LEAT_USAGE);
    leat_runtime_free(rt);
}

static leat_err recalls(leat_task *t, void *arg, const void **result)
{
    leat_error error = { 0 };
    (void)arg, (void)result;
    (void)leat_task_fail(t, LEAT_USER, "before");
    CHECK(leat_task_scope(t, fails, NULL, &error) == LEAT_NET);
    return leat_task_fail_because(t, LEAT_USER, NULL, "after");
}

static void a_story_that_was_handed_out_is_not_the_tasks_own(void **state)
{
    leat_error error = { 0 };
    leat_err code;
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, recalls, NULL, &error), LEAT_USER);
    assert_string_equal(error.text, "after");
    assert_string_equal(leat_error_cause(&error, 0, &code), "before");
    leat_runtime_free(rt);
}

static leat_err sleeps(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 1000);
}

static leat_err serves(leat_task *t, void *arg, const void **result)
{
    leat_err err;
    leat_error error;
    (void)result;
    while ((err = leat_task_scope(t, sleeps, NULL, &error)) != LEAT_CANCELED)
        leat_add_relaxed((LEAT_ATOMIC(int) *)arg, 1);
    return err;
}

static leat_err cancels_a_server(leat_task *t, void *arg, const void **result)
{
    LEAT_ATOMIC(int) turns = 0;
    (void)arg, (void)result;
    leat_future *f = leat_task_start(t, serves, (void *)&turns);
    LEAT_TRY(leat_sleep_ms(t, 10500));
    leat_future_cancel(f);
    CHECK(leat_await(t, f, NULL) == LEAT_CANCELED);
    CHECK(leat_load_relaxed(&turns) == 10);
    return LEAT_OK;
}

static void a_cancel_ends_a_loop_of_scopes(void **state)
{
    (void)state;
    run_virtual(cancels_a_server);
}

/* ---- in a flow ---- */

static leat_err scoped_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res;
    if (leat_task_attempt(t) == 0) LEAT_TRY(leat_task_scope(t, fails, NULL, NULL));
    *exec_res = leat_task_printf(t, "it is there");
    for (int i = 0; i < 10; i++)
        LEAT_TRY(leat_task_scope(t, turn, &(int){ 2 * i }, NULL));
    return LEAT_OK;
}

static leat_err scoped_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)prep_res, (void)action;
    snprintf(shared, 32, "%s", (const char *)exec_res);
    return LEAT_OK;
}

static void a_visit_may_have_scopes(void **state)
{
    static const leat_node_class cls = { .name = "Scoped", .exec = scoped_exec, .post = scoped_post };
    char shared[32] = "";
    (void)state;
    leat_runtime *rt = runtime_with(2, true);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .max_attempts = 2 });
    assert_int_equal(leat_flow_run(rt, flow, shared, NULL), LEAT_OK);
    assert_string_equal(shared, "it is there");
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_loop_needs_the_memory_of_one_turn),
        cmocka_unit_test(what_a_scope_has_started_has_ended_before_it_ends),
        cmocka_unit_test(a_forgotten_grant_is_settled_at_the_end_of_its_scope),
        cmocka_unit_test(the_story_of_a_scope_that_fails_is_kept),
        cmocka_unit_test(a_story_that_was_handed_out_is_not_the_tasks_own),
        cmocka_unit_test(a_cancel_ends_a_loop_of_scopes),
        cmocka_unit_test(a_visit_may_have_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
