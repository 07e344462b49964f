/*
 * test_astray.c: code that leaves a callback by another way than its end. A thread of leat that is ended, and a child of fork that goes
 * on as if it were the parent, end the process with a sentence; exit() works.
 */
#include "support_death.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- the program that goes wrong ---- */

static leat_err exits_thread(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    LEAT_TRY(leat_sleep_ms(t, 0));
    pthread_exit(NULL);
}

static leat_err helper_exits_thread(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

static leat_err has_its_helper_exit(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_blocking(t, helper_exits_thread, NULL);
}

static leat_err exits(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    exit(7);
}

static leat_runtime *kept;

static void frees_the_runtime(void)
{
    leat_runtime_free(kept); /* Refused: the task in which exit was called has not ended. */
    fprintf(stderr, "the program's own end\n");
}

static int go_wrong(const char *how)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    kept = runtime_with(2, false);
    atexit(frees_the_runtime);
    leat_task_fn fn = strcmp(how, "task") == 0 ? exits_thread : strcmp(how, "helper") == 0 ? has_its_helper_exit : exits;
    (void)!leat_task_run(kept, fn, NULL, NULL);
    return 0;
}

static void a_thread_of_the_pool_that_is_ended_ends_the_process_with_a_sentence(void **state)
{
    (void)state;
    if (LEAT_TSAN) skip(); /* It does not know of pthread_exit on a fiber. */
    struct death *d = calloc(1, sizeof *d);
    die(d, "task");
    assert_non_null(strstr(d->text, "leat: the thread of a worker was ended by pthread_exit or pthread_cancel"));
    assert_true(WIFSIGNALED(d->status) && WTERMSIG(d->status) == SIGABRT);
    free(d);
}

static void a_helper_thread_that_is_ended_too(void **state)
{
    (void)state;
    struct death *d = calloc(1, sizeof *d);
    die(d, "helper");
    assert_non_null(strstr(d->text, "leat: a helper thread was ended by pthread_exit or pthread_cancel"));
    assert_true(WIFSIGNALED(d->status) && WTERMSIG(d->status) == SIGABRT);
    free(d);
}

static void exit_in_a_task_ends_the_program_as_anywhere(void **state)
{
    (void)state;
    struct death *d = calloc(1, sizeof *d);
    die(d, "exit");
    assert_non_null(strstr(d->text, "leat_runtime_free was called inside a task; the runtime stays"));
    assert_non_null(strstr(d->text, "the program's own end"));
    assert_true(WIFEXITED(d->status) && WEXITSTATUS(d->status) == 7);
    free(d);
}

/* ---- a child of fork that does not end where it was forked ---- */

static pid_t parent;

/* True in a child, whose words then go to *fd. */
static bool is_child(int *fd)
{
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        return true;
    }
    close(pipes[1]);
    *fd = pipes[0];
    char text[512];
    int status = -1;
    text_read(pipes[0], text, sizeof text);
    close(pipes[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(text, "leat: a child of fork has left the callback in which it was forked"));
    return false;
}

static leat_err runs_in_the_parent(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    CHECK(getpid() == parent); /* In a child it would end by exit code, and not by the signal that is expected. */
    return leat_sleep_ms(t, 0);
}

/* What is queued, and what waits, goes on in the parent alone. */
static leat_err forks_and_returns(leat_task *t, void *arg, const void **result)
{
    leat_future *f[4];
    int fd;
    (void)arg, (void)result;
    for (int i = 0; i < 4; i++)
        f[i] = leat_task_start(t, runs_in_the_parent, NULL);
    LEAT_TRY(leat_sleep_ms(t, 0));
    if (is_child(&fd)) return LEAT_OK;
    return leat_await_all(t, f, 4);
}

/* Its visit ends before its child does, so the child of fork would have to wait. */
static leat_err forks_over_a_child(leat_task *t, void *arg, const void **result)
{
    int fd;
    leat_task_start(t, runs_in_the_parent, NULL);
    (void)arg, (void)result;
    (void)is_child(&fd);
    return LEAT_OK;
}

static leat_err helper_forks(void *arg)
{
    int fd;
    (void)arg;
    (void)is_child(&fd);
    return LEAT_OK;
}

static leat_err has_its_helper_fork(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_blocking(t, helper_forks, NULL);
}

static void range_forks(void *arg, size_t begin, size_t end)
{
    int fd;
    (void)arg;
    for (; begin < end; begin++)
        if (is_child(&fd)) return;
}

static leat_err forks_in_a_loop(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_for(t, 4, range_forks, NULL);
}

static void forked_forks(leat_fork *f, void *arg)
{
    int fd;
    (void)f, (void)arg;
    (void)is_child(&fd);
}

static void forks_and_joins(leat_fork *f, void *arg)
{
    leat_fork_spawn(f, forked_forks, arg);
    leat_fork_spawn(f, forked_forks, arg);
    leat_fork_sync(f);
    leat_fork_sync(f);
}

static leat_err forks_in_a_region(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fork_run(t, forks_and_joins, arg);
}

static void a_child_of_fork_that_returns_is_ended(void **state)
{
    static const leat_task_fn ways[] = { forks_and_returns, forks_over_a_child, has_its_helper_fork, forks_in_a_loop,
                                         forks_in_a_region };
    (void)state;
    parent = getpid();
    for (uint32_t count = 1; count <= 2; count++) {
        leat_runtime *rt = runtime_with(count, false);
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
            assert_int_equal(leat_task_run(rt, ways[way], NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

static void says_so(void *arg)
{
    *(bool *)arg = true;
}

/* The parent's handle must not hear of an end that only the child has had: its descriptor is one that both have. */
static void the_parents_handle_hears_nothing(void **state)
{
    (void)state;
    parent = getpid();
    leat_runtime *rt = runtime_with(1, false);
    leat_handle *h;
    bool said = false;
    assert_int_equal(leat_task_submit(rt, forks_and_returns, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_on_done(h, says_so, &said), LEAT_OK);
    assert_true(leat_handle_fd(h) >= 0);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_runtime_free(rt);
    assert_true(said);
}

int main(int argc, char **argv)
{
    if (argc > 1) return go_wrong(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_of_the_pool_that_is_ended_ends_the_process_with_a_sentence),
        cmocka_unit_test(a_helper_thread_that_is_ended_too),
        cmocka_unit_test(exit_in_a_task_ends_the_program_as_anywhere),
        cmocka_unit_test(a_child_of_fork_that_returns_is_ended),
        cmocka_unit_test(the_parents_handle_hears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
