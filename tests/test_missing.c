/*
 * test_missing.c: calls without what they need, and things that are freed while somebody uses them: an error and a sentence, or, where
 * there is no error to answer, the end of the process with a sentence. Never a crash that tells nothing.
 */
#include "support/dies.h"
#include "support/flow.h"

#include <sched.h>
#include <unistd.h>

#include "base/mem.h"

#define SAYS(call, what) CHECK(strstr(log_text, call " was called without " what))

/* ---- what a task's calls need ---- */

static leat_err lacks_futures(leat_task *t, void *arg, const void **result)
{
    leat_future *none[2] = { NULL, NULL };
    (void)arg, (void)result;
    CHECK(leat_await(t, NULL, NULL) == LEAT_USAGE);
    SAYS("leat_await", "a future");
    CHECK(leat_await_all(t, none, 2) == LEAT_USAGE);
    SAYS("leat_await_all", "a future");
    CHECK(leat_await_any(t, none, 2, NULL) == LEAT_USAGE);
    SAYS("leat_await_any", "a future");
    log_reset();
    CHECK(leat_await_all(t, NULL, 2) == LEAT_USAGE);
    SAYS("leat_await_all", "futures");
    CHECK(leat_await_any(t, NULL, 2, NULL) == LEAT_USAGE);
    SAYS("leat_await_any", "futures");
    CHECK(leat_await_all(t, NULL, 0) == LEAT_OK);
    return LEAT_OK;
}

static leat_err lacks_things(leat_task *t, void *arg, const void **result)
{
    leat_limiter *l = arg;
    leat_grant grant = { 0 };
    (void)result;
    CHECK(leat_semaphore_acquire(t, NULL) == LEAT_USAGE);
    SAYS("leat_semaphore_acquire", "a semaphore");
    CHECK(leat_fd_read_line(t, STDIN_FILENO, NULL) == LEAT_USAGE);
    SAYS("leat_fd_read_line", "a place for the line");
    leat_limiter_tell(t, l, grant, NULL);
    CHECK(!leat_limiter_learn(t, l, 0, NULL));
    leat_limiter_read(l, NULL);
    return LEAT_OK;
}

static void calls_without_what_they_need_answer(void **state)
{
    leat_limiter *l = NULL;
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(*state, lacks_futures, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(*state, lacks_things, l, NULL), LEAT_OK);
    leat_limiter_free(l);
}

static void no_error_is_a_text_too(void **state)
{
    char text[32] = "";
    (void)state;
    assert_int_equal(leat_error_format(NULL, text, sizeof text), strlen("OK: success"));
    assert_string_equal(text, "OK: success");
    assert_null(leat_error_cause(NULL, 0, NULL));
}

static void what_only_tells_tells_nothing(void **state)
{
    leat_mock_stats stats = { .requests = 7 };
    (void)state;
    assert_int_equal(leat_runtime_worker_count(NULL), 0);
    assert_string_equal(leat_mock_url(NULL), "");
    leat_mock_read(NULL, &stats);
    assert_int_equal(stats.requests, 0);
    leat_mock_read(NULL, NULL);
}

/* ---- a client ---- */

static leat_err any_piece(leat_task *t, void *arg, const char *piece)
{
    (void)t, (void)arg, (void)piece;
    return LEAT_OK;
}

static bool failed_with(leat_task *t, leat_future *f, const char *text)
{
    return leat_await(t, f, NULL) == LEAT_USAGE && !strcmp(leat_future_error(f)->text, text);
}

static leat_err lacks_client(leat_task *t, void *arg, const void **result)
{
    const char *reply;
    leat_llm_reply whole;
    leat_llm *llm = arg;
    CHECK(leat_llm_ask(t, NULL, "x", &reply) == LEAT_USAGE);
    CHECK(leat_llm_ask(t, llm, NULL, &reply) == LEAT_USAGE);
    CHECK(leat_llm_ask(t, llm, "x", NULL) == LEAT_USAGE);
    CHECK(leat_llm_askf(t, llm, NULL, "x") == LEAT_USAGE);
    CHECK(leat_llm_stream(t, NULL, "x", any_piece, NULL, NULL) == LEAT_USAGE);
    CHECK(leat_llm_stream(t, llm, NULL, any_piece, NULL, NULL) == LEAT_USAGE);
    CHECK(leat_llm_stream(t, llm, "x", NULL, NULL, NULL) == LEAT_USAGE);
    CHECK(leat_llm_call(t, NULL, NULL, "{}", 2, &whole) == LEAT_USAGE);
    CHECK(leat_llm_call(t, llm, NULL, NULL, 2, &whole) == LEAT_USAGE);
    CHECK(leat_llm_call(t, llm, NULL, "{}", 2, NULL) == LEAT_USAGE);
    CHECK(failed_with(t, leat_llm_start(t, NULL, "x"), "leat_llm_ask was called without a client"));
    CHECK(failed_with(t, leat_llm_start(t, llm, NULL), "leat_llm_ask was called without a text to send"));
    return leat_llm_askf(t, NULL, result, "x"); /* as where a node's `self` was forgotten */
}

static void a_call_without_a_client_says_so(void **state)
{
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    assert_int_equal(leat_llm_new(NULL, *state, NULL, &error), LEAT_USAGE);
    assert_non_null(strstr(error.text, "place for the client"));
    assert_int_equal(leat_llm_new(&llm, NULL, NULL, &error), LEAT_USAGE);
    assert_non_null(strstr(error.text, "runtime"));
    assert_null(llm);
    leat_llm_opts opts = { .base_url = "mock:", .header_count = 1 };
    assert_int_equal(leat_llm_new(&llm, *state, &opts, &error), LEAT_USAGE);
    assert_non_null(strstr(error.text, "headers is NULL"));
    assert_int_equal(leat_llm_new(&llm, *state, &(leat_llm_opts){ .base_url = "mock:" }, &error), LEAT_OK);
    assert_int_equal(leat_task_run(*state, lacks_client, llm, &error), LEAT_USAGE);
    assert_string_equal(error.text, "leat_llm_askf was called without a client");
    leat_llm_free(llm);
}

/* Outside the pool, a task that has ended. */
static void a_client_refuses_a_task_that_does_not_run(void **state)
{
    const char *reply;
    const void *value;
    leat_llm *llm = NULL;
    leat_llm_reply whole;
    leat_doc doc = { 0 };
    leat_task *gone = (leat_task *)(uintptr_t)64; /* never looked into */
    assert_int_equal(leat_llm_new(&llm, *state, &(leat_llm_opts){ .base_url = "mock:" }, NULL), LEAT_OK);
    assert_int_equal(leat_llm_ask(gone, llm, "x", &reply), LEAT_USAGE);
    assert_int_equal(leat_llm_askf(gone, llm, &value, "x"), LEAT_USAGE);
    assert_int_equal(leat_llm_stream(gone, llm, "x", any_piece, NULL, NULL), LEAT_USAGE);
    assert_int_equal(leat_llm_call(gone, llm, NULL, "{}", 2, &whole), LEAT_USAGE);
    assert_int_equal(leat_doc_ask(gone, llm, &doc), LEAT_USAGE);
    assert_int_equal(leat_future_error(leat_llm_start(gone, llm, "x"))->code, LEAT_USAGE);
    assert_int_equal(leat_fd_read_line(gone, 0, &reply), LEAT_USAGE);
    leat_llm_free(llm);
    leat_limiter *l = NULL;
    leat_grant grant = { 0 };
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    leat_limiter_tell(gone, l, grant, &(leat_limiter_report){ .verdict = LEAT_VERDICT_GOOD });
    assert_false(leat_limiter_learn(gone, l, 0, &(leat_limiter_opts){ .requests_per_min = 1 }));
    leat_limiter_pause(gone, l, 0, 1000);
    leat_limiter_free(l);
}

/* ---- freed while it is used ---- */

struct asked {
    leat_llm *llm;
    leat_mock *mock;
    leat_handle *handle;
};

static leat_err asks(leat_task *t, void *arg, const void **result)
{
    struct asked *a = arg;
    (void)result;
    const char *reply;
    return leat_llm_ask(t, a->llm, "The mill stands by the river.", &reply);
}

static void a_client_that_is_freed_while_it_is_used_stays_until_the_call_has_ended(void **state)
{
    struct asked a = { 0 };
    leat_mock_stats stats = { 0 };
    (void)state;
    log_reset();
    leat_runtime *rt = runtime_make(1, false);
    /* The answer takes an hour: only the cancel ends the call. */
    assert_int_equal(leat_mock_new(&a.mock, &(leat_mock_opts){ .latency_ms = 3600e3 }, NULL), LEAT_OK);
    leat_llm_opts opts = { .base_url = leat_mock_url(a.mock), .model = "m" };
    assert_int_equal(leat_llm_new(&a.llm, rt, &opts, NULL), LEAT_OK);
    assert_int_equal(leat_task_submit(rt, asks, &a, &a.handle), LEAT_OK);
    while (!stats.requests)
        sched_yield(), leat_mock_read(a.mock, &stats);
    leat_llm_free(a.llm);
    assert_non_null(strstr(log_text, "a client was freed while 1 of its calls are under way"));
    leat_handle_cancel(a.handle);
    assert_int_equal(leat_handle_wait(a.handle, -1, NULL, NULL), LEAT_CANCELED);
    leat_handle_free(a.handle);
    leat_runtime_free(rt);
    leat_mock_free(a.mock);
}

static leat_err asks_once(leat_task *t, void *arg, const void **result)
{
    return leat_llm_askf(t, arg, result, "The mill stands by the river.");
}

static void a_client_may_be_freed_after_its_runtime(void **state)
{
    leat_llm *used = NULL, *unused = NULL, *gone = NULL;
    (void)state;
    int64_t live = leat_i_mem_live_count();
    leat_runtime *rt = runtime_make(2, false);
    leat_llm_opts opts = { .base_url = "mock:" };
    assert_int_equal(leat_llm_new(&used, rt, &opts, NULL), LEAT_OK);
    assert_int_equal(leat_llm_new(&gone, rt, &opts, NULL), LEAT_OK);
    assert_int_equal(leat_llm_new(&unused, rt, &opts, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(rt, asks_once, used, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(rt, asks_once, gone, NULL), LEAT_OK);
    leat_llm_free(gone);
    leat_runtime_free(rt);
    leat_llm_free(unused);
    leat_llm_free(used);
    assert_int_equal(leat_i_mem_live_count(), live);
}

/* ---- what ends the process ---- */

/* The only worker has nothing else to do meanwhile: it has had what was submitted before, up to where that waits. */
static leat_err lets_others_go(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 1);
}

static void start_and_leave(leat_task_fn fn, void *arg)
{
    leat_handle *h;
    leat_runtime *rt = runtime_make(1, false);
    CHECK(leat_task_submit(rt, fn, arg, &h) == LEAT_OK);
    CHECK(leat_task_run(rt, lets_others_go, NULL, NULL) == LEAT_OK);
}

static leat_err acquires(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_semaphore_acquire(t, arg);
}

static void frees_semaphore(void)
{
    leat_semaphore *s;
    CHECK(leat_semaphore_new(&s, 0) == LEAT_OK);
    start_and_leave(acquires, s);
    leat_semaphore_free(s);
}

static leat_err acquires_twice(leat_task *t, void *arg, const void **result)
{
    leat_grant grant;
    (void)result;
    LEAT_TRY(leat_limiter_acquire(t, arg, (leat_cost){ 0 }, &grant));
    return leat_limiter_acquire(t, arg, (leat_cost){ 0 }, &grant);
}

static void frees_limiter(void)
{
    leat_limiter *l;
    CHECK(leat_limiter_new(&l, &(leat_limiter_opts){ .in_flight_max = 1 }) == LEAT_OK);
    start_and_leave(acquires_twice, l);
    leat_limiter_free(l);
}

static void releases_nothing(void)
{
    leat_semaphore_release(NULL);
}

static void asks_no_future(void)
{
    (void)leat_future_is_done(NULL);
}

static void reads_no_future(void)
{
    (void)leat_future_error(NULL);
}

static void cancels_no_future(void)
{
    leat_future_cancel(NULL);
}

static void asks_no_task(void)
{
    (void)leat_task_is_canceled(NULL);
}

static void asks_no_index(void)
{
    (void)leat_task_index(NULL);
}

static leat_err adds(leat_task *t, void *arg, const void **result)
{
    const void *list = NULL;
    (void)result;
    switch (*(int *)arg) {
    case 0:
        leat_items_add(t, NULL, "x");
        break;
    case 1:
        leat_param_sets_add(t, &list, NULL, 1);
        break;
    default:
        leat_param_sets_add(t, &list, &(leat_param){ NULL, "x" }, 1);
    }
    return LEAT_OK;
}

static void adds_case(int which)
{
    (void)!leat_task_run(runtime_make(1, false), adds, &which, NULL);
}

static void adds_to_nothing(void)
{
    adds_case(0);
}

static void adds_no_params(void)
{
    adds_case(1);
}

static void adds_without_key(void)
{
    adds_case(2);
}

static void what_cannot_answer_ends_the_process_with_a_sentence(void **state)
{
    static const struct {
        void (*fn)(void);
        const char *sentence;
    } cases[] = {
        { frees_semaphore, "leat_semaphore_free was called while a task waits on the semaphore" },
        { frees_limiter, "leat_limiter_free was called while a task waits on the limiter" },
        { releases_nothing, "leat_semaphore_release was called without a semaphore" },
        { asks_no_future, "leat_future_is_done was called without a future" },
        { reads_no_future, "leat_future_error was called without a future" },
        { cancels_no_future, "leat_future_cancel was called without a future" },
        { asks_no_task, "leat_task_is_canceled was called with a task that does not run here" },
        { asks_no_index, "leat_task_index was called with a task that does not run here" },
        { adds_to_nothing, "leat_items_add was called without the prep's result" },
        { adds_no_params, "leat_param_sets_add was called without params" },
        { adds_without_key, "leat_param_sets_add was called with a param that has no key" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        dies_by(cases[i].fn, cases[i].sentence);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(calls_without_what_they_need_answer, each_test),
        cmocka_unit_test_setup(no_error_is_a_text_too, each_test),
        cmocka_unit_test_setup(what_only_tells_tells_nothing, each_test),
        cmocka_unit_test_setup(a_call_without_a_client_says_so, each_test),
        cmocka_unit_test_setup(a_client_refuses_a_task_that_does_not_run, each_test),
        cmocka_unit_test_setup(a_client_that_is_freed_while_it_is_used_stays_until_the_call_has_ended, each_test),
    };
    /* Beside no other runtime, whose threads would count what they allocate; and emulators cannot make threads in a child of fork whose
     * parent has some. */
    static const struct CMUnitTest alone[] = {
        cmocka_unit_test_setup(what_cannot_answer_ends_the_process_with_a_sentence, each_test),
        cmocka_unit_test_setup(a_client_may_be_freed_after_its_runtime, each_test),
    };
    int failed = cmocka_run_group_tests(alone, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, setup_four_workers, teardown);
}
