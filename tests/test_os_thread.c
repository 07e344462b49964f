/* test_os_thread.c: threads, how many the machine gives, and memory mapping. */
#include "support_base.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

struct seen {
    bool all_blocked;
};

static void *look_around(void *arg)
{
    struct seen *seen = arg;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    seen->all_blocked = sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) && sigismember(&set, SIGCHLD);
    return arg;
}

static void threads_take_no_signals(void **state)
{
    struct seen seen = { 0 };
    pthread_t thread;
    void *result = NULL;
    sigset_t set;
    (void)state;
    assert_int_equal(leat_i_os_thread_start(&thread, "leat-test", look_around, &seen), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seen);
    assert_true(seen.all_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    assert_false(sigismember(&set, SIGINT)); /* ours is as it was */
}

static int refuse_threads(const char *call)
{
    return strcmp(call, "pthread_create") == 0 ? -EAGAIN : 0;
}

static void a_thread_that_cannot_start_is_told(void **state)
{
    pthread_t thread;
    (void)state;
    leat_i_os_fault = refuse_threads;
    assert_int_equal(leat_i_os_thread_start(&thread, "leat-test", look_around, NULL), -EAGAIN);
    leat_i_os_fault = NULL;
}

static void counts_no_more_cpus_than_it_may_use(void **state)
{
    cpu_set_t old, one;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof old, &old), 0);
    uint32_t count = leat_i_os_cpu_count();
    assert_in_range(count, 1, CPU_COUNT(&old));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &old)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        break;
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(leat_i_os_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof old, &old), 0);
    assert_int_equal(leat_i_os_cpu_count(), count);
    leat_i_os_relax();
}

/* Writes to `p` in a child; true when that ended it. */
static bool touching_ends_the_process(char *p)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
        signal(SIGBUS, SIG_DFL);
        *(volatile char *)p = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

static void guards_guard(void **state)
{
    size_t page = leat_i_os_page_bytes();
    (void)state;
    assert_true(page >= 4096 && (page & (page - 1)) == 0);
    char *p = leat_i_os_reserve(4 * page);
    assert_non_null(p);
    memset(p, 1, 4 * page);
    assert_int_equal(leat_i_os_guard_mprotect(p, page), 0);
    assert_true(leat_i_os_guard_holds(p));
    assert_true(touching_ends_the_process(p));
    assert_false(leat_i_os_guard_holds(p + page));
    assert_false(touching_ends_the_process(p + page));
    int rc = leat_i_os_guard_install(p + page, page);
    assert_true(rc == 0 || rc == -EINVAL); /* kernels before 6.13 have none */
    assert_int_equal(touching_ends_the_process(p + page), leat_i_os_guard_holds(p + page));
    assert_true(rc != -EINVAL || !leat_i_os_guard_holds(p + page));
    assert_int_equal(p[2 * page], 1);
    leat_i_os_discard(p + 2 * page, 2 * page);
    assert_int_equal(p[2 * page], 0);
    p[3 * page] = 7; /* the range stays */
    leat_i_os_release(p, 4 * page);
    leat_i_os_release(NULL, 0);
    assert_null(leat_i_os_reserve(SIZE_MAX / 2));
}

/* ---- many guards at once ---- */

enum { GUARDS = 150 }; /* more than one call takes */

static int at_once_calls, guards_asked, guards_allowed;

static int counts_calls(const char *call)
{
    at_once_calls += strcmp(call, "process_madvise") == 0;
    return strcmp(call, "guard") == 0 && guards_asked++ >= guards_allowed ? -ENOMEM : 0;
}

static int refuses_many(const char *call)
{
    return strcmp(call, "process_madvise") == 0 ? -EPERM : counts_calls(call);
}

/* How many of the ranges are guarded; they must be the first ones, and nothing between them. */
static uint32_t guarded(const char *p, size_t page)
{
    uint32_t count = 0;
    while (count < GUARDS && leat_i_os_guard_holds(p + 2 * page * count))
        count++;
    for (uint32_t i = count; i < GUARDS; i++)
        assert_false(leat_i_os_guard_holds(p + 2 * page * i));
    for (uint32_t i = 0; i < GUARDS; i++)
        assert_false(leat_i_os_guard_holds(p + 2 * page * i + page));
    return count;
}

static uint32_t guards_made(leat_i_os_fault_fn fault, int allowed)
{
    size_t page = leat_i_os_page_bytes();
    char *p = leat_i_os_reserve(2 * page * GUARDS);
    assert_non_null(p);
    guards_asked = at_once_calls = 0;
    guards_allowed = allowed;
    leat_i_os_fault = fault;
    uint32_t told = leat_i_os_guard_install_many(p, page, 2 * page, GUARDS);
    leat_i_os_fault = NULL;
    assert_int_equal(told, guarded(p, page));
    leat_i_os_release(p, 2 * page * GUARDS);
    return told;
}

static bool has_light_guards(void)
{
    size_t page = leat_i_os_page_bytes();
    char *p = leat_i_os_reserve(page);
    assert_non_null(p);
    bool has = leat_i_os_guard_install(p, page) == 0 && leat_i_os_guard_holds(p);
    leat_i_os_release(p, page);
    return has;
}

static void many_guards_are_made_at_once(void **state)
{
    (void)state;
    if (!has_light_guards()) skip();
    assert_int_equal(guards_made(NULL, 0), GUARDS);
    static const int allowed[] = { 0, 1, 2, 63, 64, 65, 100, GUARDS - 1, GUARDS };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        assert_int_equal(guards_made(counts_calls, allowed[i]), allowed[i]);
    assert_int_equal(at_once_calls, 3);
    assert_int_equal(leat_i_os_guard_install_many(NULL, 4096, 8192, 0), 0);
}

/* An older kernel, a filter that lets only known calls through. */
static void without_the_call_for_many_each_guard_is_made_by_itself(void **state)
{
    (void)state;
    if (!has_light_guards()) skip();
    for (int allowed = GUARDS - 1; allowed <= GUARDS; allowed++)
        assert_int_equal(guards_made(refuses_many, allowed), allowed);
}

/* In a child, since such a filter stays. Tells the number of guards, 255 = there are no filters. */
static int guards_made_in_a_filter(void)
{
    struct sock_filter rule[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof rule / sizeof rule[0], rule };
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        bool set = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
        _exit(set ? guards_made(NULL, 0) : 255);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_filter_of_calls_keeps_no_guard_from_being_made(void **state)
{
    (void)state;
    if (!has_light_guards()) skip();
    int made = guards_made_in_a_filter();
    if (made == 255) skip();
    assert_int_equal(made, GUARDS);
}

static void guards_that_fail_midway_end_the_row(void **state)
{
    (void)state;
    if (!has_light_guards()) skip();
    size_t page = leat_i_os_page_bytes();
    char *p = leat_i_os_reserve(2 * page * GUARDS);
    assert_non_null(p);
    leat_i_os_release(p + 2 * page * 90, page); /* no memory is there to be guarded */
    assert_int_equal(leat_i_os_guard_install_many(p, page, 2 * page, GUARDS), 90);
    for (uint32_t i = 0; i < GUARDS; i++)
        if (i != 90) assert_int_equal(leat_i_os_guard_holds(p + 2 * page * i), i < 90);
    leat_i_os_release(p, 2 * page * 90);
    leat_i_os_release(p + 2 * page * 90 + page, 2 * page * (GUARDS - 90) - page);
}

static int refuse_memory(const char *call)
{
    return strcmp(call, "mmap") == 0 || strcmp(call, "mprotect") == 0 || strcmp(call, "guard") == 0 ? -ENOMEM : 0;
}

static void refused_memory_is_told(void **state)
{
    (void)state;
    leat_i_os_fault = refuse_memory;
    assert_null(leat_i_os_reserve(4096));
    assert_int_equal(leat_i_os_guard_mprotect(NULL, 0), -ENOMEM);
    assert_int_equal(leat_i_os_guard_install(NULL, 0), -ENOMEM);
    leat_i_os_fault = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_take_no_signals),
        cmocka_unit_test(a_thread_that_cannot_start_is_told),
        cmocka_unit_test(counts_no_more_cpus_than_it_may_use),
        cmocka_unit_test(guards_guard),
        cmocka_unit_test(many_guards_are_made_at_once),
        cmocka_unit_test(without_the_call_for_many_each_guard_is_made_by_itself),
        cmocka_unit_test(a_filter_of_calls_keeps_no_guard_from_being_made),
        cmocka_unit_test(guards_that_fail_midway_end_the_row),
        cmocka_unit_test(refused_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
