/* test_runtime.c: making and ending runtimes, under every failure, in a forked child, and with tasks left behind. */
#include "support_sched.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static leat_err does_nothing(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

static leat_err sleeps_for_ever(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_err err = leat_sleep_ms(t, INT64_MAX);
    leat_add_relaxed((LEAT_ATOMIC(uint32_t) *)arg, 1);
    return err;
}

static void keep_line(void *arg, leat_log_level level, const char *text)
{
    (void)level;
    snprintf(arg, 256, "%s", text);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    char said[256];
    const leat_runtime_opts wrong[] = {
        { .worker_count = 257, .log = keep_line, .log_arg = said },
        { .stack_bytes = 4096, .log = keep_line, .log_arg = said },
        { .stack_bytes = 1u << 30, .log = keep_line, .log_arg = said },
        { .blocking_max = 1u << 20, .log = keep_line, .log_arg = said },
    };
    static const char *const sentence[] = {
        "worker_count is 257, and may be 0 (the default) or from 1 to 256",
        "stack_bytes is 4096, and may be 0 (the default) or from 16384 to 67108864",
        "stack_bytes is 1073741824, ",
        "blocking_max is 1048576, ",
    };
    assert_int_equal(leat_runtime_new(NULL, NULL), LEAT_USAGE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        leat_runtime *rt = (leat_runtime *)state;
        assert_int_equal(leat_runtime_new(&rt, &wrong[i]), LEAT_USAGE);
        assert_null(rt);
        assert_non_null(strstr(said, sentence[i]));
    }
    leat_runtime_free(NULL);
}

static void defaults_and_limits_work(void **state)
{
    (void)state;
    static const leat_runtime_opts right[] = { { 0 },
                                               { .worker_count = 256 },
                                               { .worker_count = 1, .stack_bytes = 65536 + 1 } };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        leat_runtime *rt;
        assert_int_equal(leat_runtime_new(&rt, i ? &right[i] : NULL), LEAT_OK);
        uint32_t count = right[i].worker_count ? right[i].worker_count : leat_i_os_cpu_count();
        assert_int_equal(leat_runtime_worker_count(rt), count);
        assert_int_equal(leat_task_run(rt, does_nothing, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

static void a_thousand_starts_and_stops_leave_nothing_behind(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    for (int i = 0; i < ROUNDS(1000); i++) {
        leat_runtime *rt = runtime_with(1 + (uint32_t)i % 4, i % 2);
        if (i % 3) assert_int_equal(leat_task_run(rt, does_nothing, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
    assert_int_equal(leat_i_mem_live_count(), live);
}

struct begun_ended {
    LEAT_ATOMIC(uint32_t) begun, ended;
};

static leat_err begins_and_sleeps(leat_task *t, void *arg, const void **result)
{
    struct begun_ended *b = arg;
    leat_add_relaxed(&b->begun, 1);
    return sleeps_for_ever(t, (void *)&b->ended, result);
}

/* Of a task that the end of its runtime has canceled. */
static void handle_outlives(leat_handle *h)
{
    leat_error error = { 0 };
    struct pollfd poll_for = { .fd = leat_handle_fd(h), .events = POLLIN };
    assert_true(leat_handle_is_done(h));
    assert_int_equal(leat_handle_wait(h, -1, NULL, &error), LEAT_CANCELED);
    assert_int_equal(error.code, LEAT_CANCELED);
    assert_int_equal(poll(&poll_for, 1, 0), 1);
    leat_handle_cancel(h);
    leat_handle_free(h);
}

static void a_runtime_ends_what_still_runs(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct begun_ended b = { 0 };
        leat_handle *h[20];
        leat_runtime *rt = runtime_with(count, false);
        for (int i = 0; i < 20; i++)
            assert_int_equal(leat_task_submit(rt, begins_and_sleeps, &b, &h[i]), LEAT_OK);
        while (leat_load_relaxed(&b.begun) < 10)
            sched_yield();
        leat_runtime_free(rt);
        for (int i = 0; i < 20; i++)
            handle_outlives(h[i]);
        assert_in_range(leat_load_relaxed(&b.ended), 10, 20);
        assert_int_equal(leat_load_relaxed(&b.ended), leat_load_relaxed(&b.begun));
    }
}

/* ---- every allocation in turn ---- */

static leat_err uses_much(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    enum { COUNT = 600 }; /* some blocks of tasks */
    leat_future *f[COUNT];
    for (int i = 0; i < COUNT; i++)
        f[i] = leat_task_start(t, does_nothing, NULL);
    LEAT_TRY(leat_await_all(t, f, COUNT));
    LEAT_TRY(leat_sleep_ms(t, 1));
    return leat_task_alloc(t, 1000) ? LEAT_OK : LEAT_NOMEM;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    uint64_t n = 1, ok = 0;
    for (; ok < 3; n++) { /* Until nothing failed a few times: the workers' own allocations vary a little. */
        leat_runtime *rt = NULL;
        leat_runtime_opts opts = { .worker_count = 2, .virtual_clock = true };
        uint64_t before = leat_i_mem_alloc_count();
        leat_i_mem_fail_after(n, false);
        leat_err err = leat_runtime_new(&rt, &opts);
        assert_true(err == LEAT_NOMEM ? rt == NULL : err == LEAT_OK);
        if (rt) {
            err = leat_task_run(rt, uses_much, NULL, NULL);
            assert_true(err == LEAT_OK || err == LEAT_NOMEM);
        }
        bool reached = leat_i_mem_alloc_count() - before >= n;
        leat_i_mem_fail_after(0, false);
        leat_runtime_free(rt);
        assert_int_equal(leat_i_mem_live_count(), live);
        if (!reached) ok++;
    }
    assert_true(n > 15); /* about 20, as the workers fall out */
}

static LEAT_ATOMIC(int) calls_allowed;
static const char *failing_call;

static int fails_after(const char *call)
{
    if (strcmp(call, failing_call) != 0) return 0;
    return leat_sub_relaxed(&calls_allowed, 1) > 0 ? 0 : -12;
}

static void threads_that_do_not_start_are_out_of_memory(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    failing_call = "pthread_create";
    leat_i_os_fault = fails_after;
    for (int allowed = 0; allowed < 4; allowed++) {
        leat_runtime *rt;
        leat_runtime_opts opts = { .worker_count = 4 };
        leat_store_relaxed(&calls_allowed, allowed);
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_NOMEM);
        assert_null(rt);
    }
    leat_i_os_fault = NULL;
    assert_int_equal(leat_i_mem_live_count(), live);
}

/* Stacks run out while tasks want to wait: they wait where they are, and all goes on when one is free. The first must not be awake again
 * before the last stack is taken, however slow the machine. */
enum { LONG_SLEEP_MS = LEAT_TSAN || LEAT_ASAN ? 800 : 100 };

static leat_err sleeps_long(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, LONG_SLEEP_MS);
}

static leat_err many_sleep(leat_task *t, void *arg, const void **result)
{
    leat_future *f[500];
    (void)arg, (void)result;
    for (int i = 0; i < 500; i++)
        f[i] = leat_task_start(t, sleeps_long, NULL);
    return leat_await_all(t, f, 500);
}

static void tasks_make_do_with_the_stacks_there_are(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        failing_call = "mmap";
        leat_store_relaxed(&calls_allowed, 1 + (int)count); /* one to try the guard, one for the first slab of each worker */
        leat_i_os_fault = fails_after;
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, many_sleep, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
        leat_i_os_fault = NULL;
        assert_true(leat_load_relaxed(&calls_allowed) < 0);
    }
}

/* ---- fork ---- */

static int child_of_fork(leat_runtime *rt, leat_handle *h)
{
    leat_handle *none;
    leat_error error = { 0 };
    if (leat_task_run(rt, does_nothing, NULL, &error) != LEAT_USAGE || !strstr(error.text, "was forked from")) return 1;
    if (leat_task_submit(rt, does_nothing, NULL, &none) != LEAT_USAGE || none) return 2;
    if (leat_handle_wait(h, -1, NULL, NULL) != LEAT_USAGE) return 3;
    if (leat_handle_fd(h) != -1) return 4;
    leat_handle_cancel(h);
    leat_handle_free(h);
    leat_runtime_free(rt);
    return 0;
}

static void in_a_forked_child_a_runtime_is_dead_and_says_so(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(4, false);
    LEAT_ATOMIC(uint32_t) ended = 0;
    leat_handle *busy[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(leat_task_submit(rt, i % 2 ? many_sleep : sleeps_for_ever, (void *)&ended, &busy[i]), LEAT_OK);
    /* Valgrind looks for leaks wherever a process ends, and in a child through all stacks that it has inherited: that takes a minute. */
    int children = RUNNING_ON_VALGRIND ? 1 : 10;
    for (int i = 0; i < children; i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(child_of_fork(rt, busy[0]));
        int status = -1;
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_int_equal(leat_task_run(rt, does_nothing, NULL, NULL), LEAT_OK); /* The parent's goes on. */
    for (int i = 0; i < 8; i++)
        leat_handle_free(busy[i]);
    leat_runtime_free(rt);
}

static void a_forked_child_may_make_its_own(void **state)
{
    (void)state;
    if (LEAT_TSAN || emulator()) skip(); /* Both refuse threads after a fork with threads. */
    leat_runtime *old = runtime_with(2, false);
    pid_t pid = fork();
    if (pid == 0) {
        leat_runtime *rt;
        if (leat_runtime_new(&rt, NULL) != LEAT_OK) _exit(1);
        if (leat_task_run(rt, many_sleep, NULL, NULL) != LEAT_OK) _exit(2);
        leat_runtime_free(rt);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    leat_runtime_free(old);
}

/* ---- the log, and the rooms ---- */

struct log {
    int count[3];
    char last[600];
};

static void logs(void *arg, leat_log_level level, const char *text)
{
    struct log *log = arg;
    log->count[level]++;
    snprintf(log->last, sizeof log->last, "%s", text);
}

static void the_log_gets_every_level_and_long_lines_cut(void **state)
{
    (void)state;
    struct log log = { 0 };
    leat_runtime *rt;
    leat_runtime_opts opts = { .worker_count = 1, .log = logs, .log_arg = &log };
    assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
    assert_int_equal(log.count[LEAT_LOG_DEBUG], 1);
    assert_non_null(strstr(log.last, "guarded by"));
    leat_i_runtime_log(rt, LEAT_LOG_INFO, "%1000d", 7);
    assert_int_equal(log.count[LEAT_LOG_INFO], 1);
    assert_int_equal(strlen(log.last), 511);
    leat_i_runtime_log(rt, LEAT_LOG_WARNING, "row %d", 7);
    assert_int_equal(log.count[LEAT_LOG_WARNING], 1);
    assert_string_equal(log.last, "row 7");
    leat_runtime_free(rt);
}

static LEAT_ATOMIC(int) rooms_made;
static int room_freed[2], rooms_freed;

static void *room_make(leat_runtime *rt)
{
    (void)rt;
    sched_yield();
    leat_add_relaxed(&rooms_made, 1);
    return &room_freed[0];
}

static void *room_make_not(leat_runtime *rt)
{
    (void)rt;
    return NULL;
}

static void *room_make_other(leat_runtime *rt)
{
    (void)rt;
    return &room_freed[1];
}

static void room_free(void *object)
{
    *(int *)object = ++rooms_freed;
}

static void *asks_for_room(void *rt)
{
    return leat_i_runtime_room(rt, LEAT_I_ROOM_NET, room_make, room_free);
}

static void a_room_is_made_once_and_freed_newest_first(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    pthread_t thread[4];
    assert_null(leat_i_runtime_room(rt, LEAT_I_ROOM_MOCK, room_make_not, room_free));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, asks_for_room, rt), 0);
    for (int i = 0; i < 4; i++) {
        void *object;
        pthread_join(thread[i], &object);
        assert_ptr_equal(object, &room_freed[0]);
    }
    assert_ptr_equal(leat_i_runtime_room(rt, LEAT_I_ROOM_MOCK, room_make_other, room_free), &room_freed[1]);
    assert_int_equal(leat_load_relaxed(&rooms_made), 1);
    leat_runtime_free(rt);
    assert_int_equal(room_freed[1], 1);
    assert_int_equal(room_freed[0], 2);
}

/* ---- idle means idle ---- */

static void an_idle_pool_uses_no_time(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(4, false);
    LEAT_ATOMIC(uint32_t) ended = 0;
    leat_handle *h;
    assert_int_equal(leat_task_submit(rt, sleeps_for_ever, (void *)&ended, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, 50, NULL, NULL), LEAT_TIMEOUT); /* all have parked by now */
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(leat_handle_wait(h, 300, NULL, NULL), LEAT_TIMEOUT);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    int64_t used_ns = (to.tv_sec - from.tv_sec) * LEAT_I_NS_PER_S + to.tv_nsec - from.tv_nsec;
    /* One worker that spins would use 300 ms; the sanitizers' own threads use a little. */
    assert_in_range(used_ns, 0, 30 * LEAT_I_NS_PER_MS);
    leat_handle_free(h);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(defaults_and_limits_work),
        cmocka_unit_test(a_thousand_starts_and_stops_leave_nothing_behind),
        cmocka_unit_test(a_runtime_ends_what_still_runs),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(threads_that_do_not_start_are_out_of_memory),
        cmocka_unit_test(tasks_make_do_with_the_stacks_there_are),
        cmocka_unit_test(in_a_forked_child_a_runtime_is_dead_and_says_so),
        cmocka_unit_test(a_forked_child_may_make_its_own),
        cmocka_unit_test(the_log_gets_every_level_and_long_lines_cut),
        cmocka_unit_test(a_room_is_made_once_and_freed_newest_first),
        cmocka_unit_test(an_idle_pool_uses_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
