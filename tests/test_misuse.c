/*
 * test_misuse.c: what must not be done is caught, in all builds: a task used where it does not run, futures of others, flows that
 * are changed or freed while they run, waiting for oneself. Each call answers an error, or, where it cannot, ends the process
 * with one sentence.
 */
#include "support/dies.h"
#include "support/flow.h"

#include <pthread.h>

#include "leat/fork.h"
#include "leat/io.h"

#define SAYS_WHERE(call) call " was called with a task that does not run here"

/* ---- a task where it does not run ---- */

static leat_err any_task(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

static leat_err any_blocking(void *arg)
{
    (void)arg;
    return LEAT_OK;
}

static void any_range(void *arg, size_t begin, size_t end)
{
    (void)arg, (void)begin, (void)end;
}

static void any_fork(leat_fork *f, void *arg)
{
    (void)f, (void)arg;
}

/* Every call that suspends or starts something refuses `t`. */
static void check_refused(leat_task *t)
{
    static leat_future *none[1];
    leat_semaphore *semaphore = NULL;
    leat_limiter *limiter = NULL;
    leat_grant grant;
    leat_flow *flow = leat_flow_new(NULL);
    CHECK(leat_semaphore_new(&semaphore, 1) == LEAT_OK);
    CHECK(leat_limiter_new(&limiter, NULL) == LEAT_OK);
    CHECK(leat_sleep_ms(t, 1) == LEAT_USAGE);
    CHECK(leat_sleep_ms(t, 0) == LEAT_USAGE);
    CHECK(leat_await(t, none[0], NULL) == LEAT_USAGE);
    CHECK(leat_await_all(t, none, 1) == LEAT_USAGE);
    CHECK(leat_await_any(t, none, 1, NULL) == LEAT_USAGE);
    CHECK(leat_task_within(t, 1, any_task, NULL, NULL) == LEAT_USAGE);
    CHECK(leat_blocking(t, any_blocking, NULL) == LEAT_USAGE);
    CHECK(leat_for(t, 1, any_range, NULL) == LEAT_USAGE);
    CHECK(leat_fork_run(t, any_fork, NULL) == LEAT_USAGE);
    CHECK(leat_fd_wait(t, 0, LEAT_FD_READABLE) == LEAT_USAGE);
    CHECK(leat_semaphore_acquire(t, semaphore) == LEAT_USAGE);
    CHECK(leat_limiter_acquire(t, limiter, (leat_cost){ 0 }, &grant) == LEAT_USAGE);
    CHECK(leat_flow_call(t, flow, NULL, NULL) == LEAT_USAGE);
    leat_future *f = leat_task_start(t, any_task, NULL), *g = leat_flow_start(t, flow, NULL, NULL);
    CHECK(leat_future_is_done(f) && leat_future_error(f)->code == LEAT_USAGE);
    CHECK(leat_future_is_done(g) && leat_future_error(g)->code == LEAT_USAGE);
    leat_flow_free(flow);
    leat_limiter_free(limiter);
    leat_semaphore_free(semaphore);
}

static leat_task *kept;
static LEAT_ATOMIC(uint32_t) is_kept, is_used;

/* Gives its task away, and lives until it has been used by somebody else. */
static leat_err lends_itself(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    kept = t;
    leat_store_release(&is_kept, 1u);
    while (!leat_load_acquire(&is_used))
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static void *uses_kept(void *arg)
{
    (void)arg;
    while (!leat_load_acquire(&is_kept))
        sched_yield();
    check_refused(kept);
    leat_store_release(&is_used, 1u);
    return NULL;
}

static void a_task_on_a_thread_outside_the_pool_is_refused(void **state)
{
    pthread_t thread;
    (void)state;
    leat_runtime *rt = runtime_make(2, false);
    leat_store_relaxed(&is_kept, 0u);
    leat_store_relaxed(&is_used, 0u);
    assert_int_equal(pthread_create(&thread, NULL, uses_kept, NULL), 0);
    assert_int_equal(leat_task_run(rt, lends_itself, NULL, NULL), LEAT_OK);
    pthread_join(thread, NULL);
    leat_runtime_free(rt);
}

static leat_err uses_parent(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    check_refused(arg);
    return LEAT_OK;
}

static leat_err starts_user_of_itself(leat_task *t, void *arg, const void **result)
{
    (void)arg;
    return leat_await(t, leat_task_start(t, uses_parent, t), result);
}

static void the_task_of_another_callback_is_refused(void **state)
{
    assert_int_equal(leat_task_run(*state, starts_user_of_itself, NULL, NULL), LEAT_OK);
    assert_non_null(strstr(log_text, SAYS_WHERE("leat_sleep_ms")));
}

static leat_err keep_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    kept = t;
    return LEAT_OK;
}

static leat_err uses_kept_task(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    /* Its memory may serve again, even as `t`, when the pool hands it out anew: then it is a task that runs here. */
    if (t != kept) check_refused(kept);
    return LEAT_OK;
}

static void a_task_that_has_ended_is_refused(void **state)
{
    static const leat_node_class cls = { .name = "Keep", .exec = keep_exec };
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, NULL);
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    check_refused(kept); /* here, outside the pool, it certainly does not run */
    assert_int_equal(leat_task_run(*state, uses_kept_task, NULL, NULL), LEAT_OK);
}

static void range_uses(void *arg, size_t begin, size_t end)
{
    (void)begin, (void)end;
    check_refused(arg);
}

static void fork_uses(leat_fork *f, void *arg)
{
    (void)f;
    check_refused(arg);
}

static void forks_users(leat_fork *f, void *arg)
{
    for (int i = 0; i < 4; i++)
        leat_fork_spawn(f, fork_uses, arg);
    check_refused(arg);
    for (int i = 0; i < 4; i++)
        leat_fork_sync(f);
}

/* The callbacks of loops and forks get no task, and may run on any worker: also on that of the task that waits for them. */
static leat_err lends_itself_to_callbacks(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (int i = 0; i < 20; i++) {
        LEAT_TRY(leat_for(t, 8, range_uses, t));
        LEAT_TRY(leat_sleep_ms(t, 0)); /* After the loop it is a task as before. */
        LEAT_TRY(leat_fork_run(t, forks_users, t));
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    return LEAT_OK;
}

static leat_err lends_many(leat_task *t, void *arg, const void **result)
{
    leat_future *f[8];
    (void)arg, (void)result;
    for (int i = 0; i < 8; i++)
        f[i] = leat_task_start(t, lends_itself_to_callbacks, NULL);
    return leat_await_all(t, f, 8); /* None of them is refused for what another one of its worker does. */
}

static void hears_nothing(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text; /* Each refusal is a sentence, from several workers at once. */
}

static void a_task_is_refused_in_callbacks_of_loops_and_forks(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 4; count *= 2) {
        leat_runtime *rt;
        leat_runtime_opts opts = { .worker_count = count, .log = hears_nothing };
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        assert_int_equal(leat_task_run(rt, lends_many, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

static leat_err misused_by_helper(void *arg)
{
    leat_task *t = arg;
    CHECK(leat_sleep_ms(t, 1) == LEAT_USAGE);
    CHECK(leat_await(t, leat_task_start(t, any_task, NULL), NULL) == LEAT_USAGE);
    CHECK(strcmp(leat_task_printf(t, "%d", 7), "7") ==
          0); /* its own task stands still meanwhile: memory and words are fine */
    return leat_task_fail(t, LEAT_USER, "told by the helper");
}

static leat_err blocks_with_itself(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_blocking(t, misused_by_helper, t);
}

static void a_blocking_call_may_not_suspend_but_may_speak(void **state)
{
    leat_error error;
    assert_int_equal(leat_task_run(*state, blocks_with_itself, NULL, &error), LEAT_USER);
    assert_string_equal(error.text, "told by the helper");
    assert_non_null(strstr(log_text, SAYS_WHERE("leat_sleep_ms")));
}

/* ---- calls that have no error to answer ---- */

static void does_alloc(void)
{
    leat_task_alloc(kept, 8);
}

static void does_printf(void)
{
    leat_task_printf(kept, "x");
}

static void does_fail(void)
{
    leat_task_fail(kept, LEAT_USER, "x");
}

static void does_self(void)
{
    leat_task_self(kept);
}

static void does_param(void)
{
    leat_task_param(kept, "x");
}

static void does_attempt(void)
{
    leat_task_attempt(kept);
}

static void does_add(void)
{
    const void *list = NULL;
    leat_items_add(kept, &list, "x");
}

static void what_cannot_answer_an_error_ends_the_process_with_a_sentence(void **state)
{
    static const struct {
        void (*fn)(void);
        const char *sentence;
    } cases[] = {
        { does_alloc, SAYS_WHERE("leat: leat_task_alloc") }, { does_printf, SAYS_WHERE("leat: leat_task_printf") },
        { does_fail, SAYS_WHERE("leat: leat_task_fail") },   { does_self, SAYS_WHERE("leat: leat_task_self") },
        { does_param, SAYS_WHERE("leat: leat_task_param") }, { does_attempt, SAYS_WHERE("leat: leat_task_attempt") },
        { does_add, SAYS_WHERE("leat: leat_items_add") },
    };
    (void)state;
    kept = (leat_task *)(uintptr_t)64; /* never looked into */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        dies_by(cases[i].fn, cases[i].sentence);
}

/* ---- futures ---- */

static leat_err naps(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 10);
}

static leat_err awaits_foreign(leat_task *t, void *arg, const void **result)
{
    leat_future *f = arg;
    (void)result;
    CHECK(leat_await(t, f, NULL) == LEAT_USAGE);
    CHECK(leat_await_all(t, &f, 1) == LEAT_USAGE);
    CHECK(leat_await_any(t, &f, 1, NULL) == LEAT_USAGE);
    leat_future_cancel(f); /* without effect */
    return LEAT_OK;
}

static leat_err shares_a_future(leat_task *t, void *arg, const void **result)
{
    leat_future *f = leat_task_start(t, naps, NULL), *g = leat_task_start(t, awaits_foreign, f);
    (void)arg, (void)result;
    CHECK(leat_await(t, g, NULL) == LEAT_OK);
    CHECK(leat_await(t, NULL, NULL) == LEAT_USAGE);
    CHECK(leat_await(t, leat_task_start(t, NULL, NULL), NULL) == LEAT_USAGE);
    return leat_await(t, f, NULL); /* it went on */
}

static leat_err runs_itself(leat_task *t, void *arg, const void **result)
{
    leat_error error = { 0 };
    leat_runtime *second;
    (void)t, (void)result;
    CHECK(leat_task_run(arg, naps, NULL, &error) == LEAT_USAGE);
    CHECK(strstr(error.text, "leat_task_run would hold a worker") != NULL);
    CHECK(leat_runtime_new(&second, NULL) == LEAT_USAGE && !second);
    return LEAT_OK;
}

static void a_run_that_cannot_begin_says_why(void **state)
{
    leat_error error = { 0 };
    assert_int_equal(leat_task_run(*state, runs_itself, *state, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(NULL, naps, NULL, &error), LEAT_USAGE);
    assert_string_equal(error.text, "a task needs a runtime and a function");
    assert_int_equal(leat_task_run(*state, NULL, NULL, &error), LEAT_USAGE);
}

static void the_future_of_another_task_is_refused(void **state)
{
    assert_int_equal(leat_task_run(*state, shares_a_future, NULL, NULL), LEAT_OK);
    assert_non_null(strstr(log_text, "leat_await was called with a future of another task"));
    assert_non_null(strstr(log_text, "leat_future_cancel was called with a future of another task"));
    assert_non_null(strstr(log_text, "leat_task_start was called without a function"));
}

/* ---- waiting for oneself ---- */

struct self {
    leat_handle *handle;
    leat_runtime *rt;
    LEAT_ATOMIC(uint32_t) ready, done;
    leat_err waited, ran;
};

static leat_err wait_for_self(void *arg)
{
    struct self *s = arg;
    while (!leat_load_acquire(&s->ready))
        sched_yield();
    s->waited = leat_handle_wait(s->handle, -1, NULL, NULL);
    s->ran = leat_task_run(s->rt, any_task, NULL, NULL); /* another run is fine: this thread is no worker */
    leat_runtime_free(s->rt);                            /* refused */
    leat_handle_free(s->handle);                         /* from inside: when the run has ended */
    leat_store_release(&s->done, 1u);
    return LEAT_OK;
}

static leat_err waits_on_a_helper(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    (void)!leat_blocking(t, wait_for_self, leat_task_self(t));
    return LEAT_OK;
}

static leat_err waits_on_its_worker(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct self *s = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    while (!leat_load_acquire(&s->ready))
        LEAT_TRY(leat_sleep_ms(t, 0));
    s->waited = leat_handle_wait(s->handle, -1, NULL, NULL);
    s->ran = leat_flow_run(s->rt, NULL, NULL, NULL);
    leat_runtime_free(s->rt);
    leat_handle_free(s->handle);
    leat_store_release(&s->done, 1u);
    return LEAT_OK;
}

static void a_run_cannot_wait_for_itself(void **state)
{
    static const leat_node_class helper = { .name = "Helper", .exec = waits_on_a_helper },
                                 worker = { .name = "Worker", .exec = waits_on_its_worker };
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct self s = { .rt = runtime_make(2, false), .waited = LEAT_OK };
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, way ? &worker : &helper, &(leat_node_opts){ .self = &s });
        assert_int_equal(leat_flow_submit(s.rt, flow, NULL, NULL, &s.handle), LEAT_OK);
        leat_store_release(&s.ready, 1u);
        while (!leat_load_acquire(&s.done))
            sched_yield();
        leat_runtime_free(s.rt); /* waits for the run, which has given its own handle away */
        assert_int_equal(s.waited, LEAT_USAGE);
        assert_int_equal(s.ran, way ? LEAT_NOMEM : LEAT_OK);
        leat_flow_free(flow);
    }
}

/* ---- flows ---- */

static leat_err start_self_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    leat_future *f = leat_flow_start(t, leat_task_self(t), NULL, NULL);
    leat_err err = leat_await(t, f, NULL);
    if (err == LEAT_USAGE) return leat_task_fail(t, err, "%s", leat_future_error(f)->text);
    return err;
}

static leat_err call_self_in_task(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_flow_call(t, arg, NULL, NULL);
}

static leat_err task_self_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    return leat_await(t, leat_task_start(t, call_self_in_task, leat_task_self(t)), NULL);
}

static void a_flow_that_starts_itself_for_ever_is_stopped(void **state)
{
    static const leat_node_class ways[] = { { .name = "StartSelf", .exec = start_self_exec },
                                            { .name = "TaskSelf", .exec = task_self_exec } };
    for (size_t way = 0; way < 2; way++) {
        leat_error error;
        leat_flow *flow = leat_flow_new(NULL);
        leat_flow_add(flow, &ways[way], &(leat_node_opts){ .self = flow });
        assert_int_equal(run_free(*state, flow, NULL, &error), LEAT_USAGE);
        assert_non_null(strstr(error.text, "flows start flows more than 1024 deep: does one start itself?"));
    }
}

struct meddler {
    leat_flow *flow;
    leat_node *node;
    LEAT_ATOMIC(uint32_t) running, done;
};

static leat_err until_done_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct meddler *m = leat_task_self(t);
    (void)prep_res, (void)exec_res;
    leat_store_release(&m->running, 1u);
    while (!leat_load_acquire(&m->done))
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static const leat_node_class until_done = { .name = "UntilDone", .exec = until_done_exec };

static leat_handle *meddler_start(leat_runtime *rt, struct meddler *m)
{
    leat_handle *h = NULL;
    m->flow = leat_flow_new(NULL);
    m->node = leat_flow_add(m->flow, &until_done, &(leat_node_opts){ .self = m });
    assert_int_equal(leat_flow_submit(rt, m->flow, NULL, NULL, &h), LEAT_OK);
    while (!leat_load_acquire(&m->running))
        sched_yield();
    return h;
}

static void a_flow_edited_from_another_thread_while_it_runs_refuses(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_make(2, false);
    for (int way = 0; way < 5; way++) {
        struct meddler m = { .flow = NULL };
        leat_error error = { .text = "" };
        leat_handle *h = meddler_start(rt, &m);
        leat_flow *inner = leat_flow_new(NULL), *placed = leat_flow_new(NULL), *other = leat_flow_new(NULL);
        leat_flow_add_flow(other, placed);
        if (way == 0) assert_null(leat_flow_add(m.flow, &script_class, NULL));
        if (way == 1) assert_null(leat_flow_link(m.node, "x", m.node));
        if (way == 2) assert_null(leat_flow_add_flow(m.flow, inner));
        if (way == 3) assert_null(leat_flow_add_flow(m.flow, placed));
        if (way == 4) assert_null(leat_flow_add_flow(m.flow, NULL));
        if (way != 2) leat_flow_free(inner); /* else it was moved in all the same */
        leat_store_release(&m.done, 1u);
        assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK); /* the run itself saw nothing of it */
        assert_int_equal(leat_flow_run(rt, m.flow, NULL, &(leat_run_opts){ .error = &error }), LEAT_USAGE);
        assert_non_null(strstr(error.text, "was added or linked while a run was under way"));
        leat_handle_free(h);
        leat_flow_free(m.flow);
        leat_flow_free(other);
    }
    leat_runtime_free(rt);
}

static void a_flow_freed_from_another_thread_while_it_runs_stays_until_its_end(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_make(2, false);
    struct meddler m = { .flow = NULL };
    leat_error error = { .text = "" };
    leat_handle *h = meddler_start(rt, &m), *second = NULL;
    leat_flow_free(m.flow);
    assert_non_null(strstr(log_text, "a flow was freed while a run of it is under way"));
    assert_int_equal(leat_flow_submit(rt, m.flow, NULL, &(leat_run_opts){ .error = &error }, &second), LEAT_USAGE);
    assert_string_equal(error.text, "the flow was freed");
    leat_store_release(&m.done, 1u);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_runtime_free(rt);
}

static void an_inner_flow_belongs_to_one_flow(void **state)
{
    leat_error error = { .text = "" };
    leat_flow *one = leat_flow_new(&(leat_flow_opts){ .name = "one" }),
              *two = leat_flow_new(&(leat_flow_opts){ .name = "two" }),
              *inner = leat_flow_new(&(leat_flow_opts){ .name = "inner" });
    struct script s = { .name = "a" };
    leat_flow_add(inner, &script_class, &(leat_node_opts){ .self = &s });
    assert_non_null(leat_flow_add_flow(one, inner));
    assert_null(leat_flow_add_flow(two, inner));
    assert_int_equal(leat_flow_run(*state, two, NULL, &(leat_run_opts){ .error = &error }), LEAT_USAGE);
    assert_string_equal(error.text, "flow \"two\": the inner flow \"inner\" is already part of a flow");
    assert_int_equal(leat_flow_run(*state, one, NULL, NULL), LEAT_OK); /* unharmed */
    leat_flow_free(inner);                                             /* belongs to `one`: nothing happens */
    leat_flow_free(one);
    leat_flow_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_task_on_a_thread_outside_the_pool_is_refused, each_test),
        cmocka_unit_test_setup(the_task_of_another_callback_is_refused, each_test),
        cmocka_unit_test_setup(a_task_is_refused_in_callbacks_of_loops_and_forks, each_test),
        cmocka_unit_test_setup(a_task_that_has_ended_is_refused, each_test),
        cmocka_unit_test_setup(a_blocking_call_may_not_suspend_but_may_speak, each_test),
        cmocka_unit_test_setup(what_cannot_answer_an_error_ends_the_process_with_a_sentence, each_test),
        cmocka_unit_test_setup(the_future_of_another_task_is_refused, each_test),
        cmocka_unit_test_setup(a_run_that_cannot_begin_says_why, each_test),
        cmocka_unit_test_setup(a_run_cannot_wait_for_itself, each_test),
        cmocka_unit_test_setup(a_flow_that_starts_itself_for_ever_is_stopped, each_test),
        cmocka_unit_test_setup(a_flow_edited_from_another_thread_while_it_runs_refuses, each_test),
        cmocka_unit_test_setup(a_flow_freed_from_another_thread_while_it_runs_stays_until_its_end, each_test),
        cmocka_unit_test_setup(an_inner_flow_belongs_to_one_flow, each_test),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
