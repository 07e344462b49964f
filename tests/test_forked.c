/*
 * test_forked.c: a child of fork, made while the pool is busy, by a thread outside or by a task itself. Every call into what it has
 * inherited answers at once; the parent goes on. (test_runtime.c has the rest: handles, and a runtime of the child's own.)
 */
#include "support_sched.h"

#include "leat/io.h"
#include "leat/llm.h"
#include "leat/mock.h"

#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(cond)                        \
    do {                                    \
        if (!(cond)) return __LINE__ % 256; \
    } while (0)

static int status_of(pid_t pid)
{
    int status = -1;
    if (pid <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status); /* the line that did not hold */
}

static leat_err does_nothing(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

/* ---- busy with everything ---- */

static leat_err helper_waits(void *arg)
{
    while (!leat_load_acquire((LEAT_ATOMIC(uint32_t) *)arg))
        leat_i_os_futex_wait(arg, 0, LEAT_I_NEVER_NS);
    return LEAT_OK;
}

static leat_err blocks(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_blocking(t, helper_waits, arg);
}

static leat_err waits_for_a_byte(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fd_wait(t, *(int *)arg, LEAT_FD_READABLE);
}

static leat_err keeps_busy(leat_task *t, void *arg, const void **result)
{
    (void)result;
    while (!leat_load_acquire((LEAT_ATOMIC(uint32_t) *)arg))
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

/* ---- forked outside ---- */

static void calls_back(void *arg)
{
    (void)arg;
    _exit(254); /* It must not. */
}

static int child_outside(leat_runtime *rt, leat_handle *h, leat_llm *llm)
{
    leat_handle *none = h;
    int args[4] = { 0 };
    leat_llm *other = llm;
    leat_llm_opts mock = { .base_url = "mock:" };
    EXPECT(leat_task_run(rt, does_nothing, NULL, NULL) == LEAT_USAGE);
    EXPECT(leat_task_submit(rt, does_nothing, NULL, &none) == LEAT_USAGE && !none);
    EXPECT(leat_task_submit(rt, does_nothing, NULL, NULL) == LEAT_USAGE);
    EXPECT(leat_task_submit_batch(rt, does_nothing, args, sizeof args[0], 4, &none) == LEAT_USAGE && !none);
    EXPECT(leat_handle_wait(h, -1, NULL, NULL) == LEAT_USAGE);
    EXPECT(leat_handle_wait(h, 0, NULL, NULL) == LEAT_USAGE);
    EXPECT(leat_handle_on_done(h, calls_back, NULL) == LEAT_USAGE);
    EXPECT(leat_handle_fd(h) == -1);
    EXPECT(!leat_handle_is_done(h));
    EXPECT(leat_llm_new(&other, rt, &mock, NULL) == LEAT_USAGE && !other);
    leat_llm_free(llm);
    leat_handle_cancel(h);
    leat_handle_free(h);
    leat_runtime_free(rt);
    return 0;
}

static void outside_every_call_answers_at_once(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(4, false);
    LEAT_ATOMIC(uint32_t) go = 0;
    int pipes[2];
    leat_handle *busy[6];
    leat_llm *llm;
    leat_llm_opts opts = { .base_url = "mock:" };
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
    for (int i = 0; i < 6; i++) {
        leat_task_fn fn = i < 2 ? keeps_busy : i < 4 ? blocks : waits_for_a_byte;
        assert_int_equal(leat_task_submit(rt, fn, i < 4 ? (void *)&go : pipes, &busy[i]), LEAT_OK);
    }
    for (int i = 0; i < ROUNDS(30); i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(child_outside(rt, busy[i % 6], llm));
        assert_int_equal(status_of(pid), 0);
    }
    leat_store_release(&go, 1);
    leat_i_os_futex_wake(&go, INT32_MAX);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(leat_handle_wait(busy[i], -1, NULL, NULL), LEAT_OK);
        leat_handle_free(busy[i]);
    }
    leat_llm_free(llm);
    leat_runtime_free(rt);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- forked by a task ---- */

static void nothing_of(void *arg, size_t begin, size_t end)
{
    (void)arg, (void)begin, (void)end;
    _exit(253);
}

static leat_err never(void *arg)
{
    (void)arg;
    _exit(252);
}

static int child_of_task(leat_task *t, leat_llm *llm)
{
    const char *reply = NULL;
    leat_future *f = leat_task_start(t, does_nothing, NULL);
    EXPECT(leat_future_is_done(f));
    EXPECT(leat_await(t, f, NULL) == LEAT_USAGE);
    EXPECT(leat_sleep_ms(t, 1) == LEAT_USAGE);
    EXPECT(leat_sleep_ms(t, 0) == LEAT_USAGE);
    EXPECT(leat_blocking(t, never, NULL) == LEAT_USAGE);
    EXPECT(leat_fd_wait(t, STDIN_FILENO, LEAT_FD_READABLE) == LEAT_USAGE);
    EXPECT(leat_for(t, 1000, nothing_of, NULL) == LEAT_USAGE);
    EXPECT(leat_llm_ask(t, llm, "Hello", &reply) == LEAT_USAGE && !reply);
    EXPECT(leat_task_run(leat_task_runtime(t), does_nothing, NULL, NULL) == LEAT_USAGE);
    EXPECT(strcmp(leat_task_printf(t, "%d", 42), "42") == 0); /* for the arguments of an exec */
    EXPECT(leat_task_alloc(t, 100) != NULL);
    leat_runtime_free(leat_task_runtime(t));
    return 0;
}

static leat_err forks(leat_task *t, void *arg, const void **result)
{
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, 0));
    pid_t pid = fork();
    if (pid == 0) _exit(child_of_task(t, arg));
    CHECK(status_of(pid) == 0);
    return leat_sleep_ms(t, 0); /* The parent's task goes on. */
}

static void hears_nothing(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text; /* Each refusal is a sentence in the log. */
}

static void a_child_of_a_task_cannot_wait_and_is_told_so(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        leat_runtime *rt;
        leat_llm *llm;
        leat_llm_opts opts = { .base_url = "mock:" };
        leat_runtime_opts rt_opts = { .worker_count = count, .log = hears_nothing };
        assert_int_equal(leat_runtime_new(&rt, &rt_opts), LEAT_OK);
        assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
        for (int i = 0; i < 5; i++)
            assert_int_equal(leat_task_run(rt, forks, llm, NULL), LEAT_OK);
        leat_llm_free(llm);
        leat_runtime_free(rt);
    }
}

/* ---- the embedded endpoint ---- */

static leat_err asks(leat_task *t, void *arg, const void **result)
{
    const char *reply = NULL;
    leat_llm_opts opts = { .base_url = leat_mock_url(arg), .model = "leat-extract", .max_attempts = 1 };
    leat_llm *llm;
    (void)result;
    LEAT_TRY(leat_llm_new(&llm, leat_task_runtime(t), &opts, NULL));
    leat_err err = leat_llm_ask(t, llm, "Hello.", &reply);
    CHECK(err || strcmp(reply, "Hello.") == 0);
    leat_llm_free(llm);
    return err;
}

/* A request is open meanwhile: its connection, too, is one that the child has inherited. */
static void a_child_cannot_stop_its_parents_endpoint(void **state)
{
    leat_runtime *rt;
    leat_mock *m;
    (void)state;
    assert_int_equal(leat_mock_new(&m, &(leat_mock_opts){ .latency_ms = 300 }, NULL), LEAT_OK); /* before any runtime */
    assert_int_equal(leat_runtime_new(&rt, NULL), LEAT_OK);
    for (uint64_t i = 1; i <= 3; i++) {
        leat_handle *h;
        leat_mock_stats stats = { 0 };
        assert_int_equal(leat_task_submit(rt, asks, m, &h), LEAT_OK);
        while (stats.requests < i && !leat_handle_is_done(h))
            leat_mock_read(m, &stats);
        pid_t pid = fork();
        if (pid == 0) {
            leat_mock_free(m);
            leat_mock_read(m, &stats);
            _exit(stats.requests == i ? 0 : 1);
        }
        assert_int_equal(status_of(pid), 0);
        assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
        leat_handle_free(h);
    }
    leat_runtime_free(rt);
    leat_mock_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_every_call_answers_at_once),
        cmocka_unit_test(a_child_of_a_task_cannot_wait_and_is_told_so),
        cmocka_unit_test(a_child_cannot_stop_its_parents_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
