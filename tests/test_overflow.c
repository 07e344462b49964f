/*
 * test_overflow.c: a task that runs past its stack ends the program with a sentence that names the node, under each kind of guard.
 * The overflow itself happens in this program run again with an argument.
 */
#include "support_death.h"

#include "sched/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- the program that goes wrong ---- */

__attribute__((noinline)) static int goes_deeper(volatile int *above)
{
    volatile int here[64];
    here[0] = *above + 1;
    if (here[0] == 100000000) return 0; /* far past the end of any stack */
    return here[0] + goes_deeper(here) + here[1];
}

static leat_err overflows(leat_task *t, void *arg, const void **result)
{
    volatile int zero = 0;
    (void)result;
    if (arg) {
        t->name = arg;
        LEAT_TRY(leat_sleep_ms(t, 1)); /* So that it is on a stack that it has left before. */
    }
    return goes_deeper(&zero) ? LEAT_OK : LEAT_USER;
}

/* A frame larger than what is left: the compiler is told to touch each page of it, as it is for users (leat's package says so). */
__attribute__((noinline)) static int has_a_large_frame(void)
{
    volatile char large[1000000];
    __asm__ volatile("" : : "r"(large) : "memory"); /* clang would make it as small as what is used of it */
    large[0] = 1;
    return large[0];
}

static leat_err steps_over(leat_task *t, void *arg, const void **result)
{
    (void)result;
    t->name = arg;
    return has_a_large_frame() ? LEAT_OK : LEAT_USER;
}

/* Without that: it reaches below the stack, and not further than the guard. */
static leat_err reaches_far_below(leat_task *t, void *arg, const void **result)
{
    (void)result;
    t->name = arg;
    char *low = leat_i_task_waiter(t)->low;
    __asm__ volatile("" : "+r"(low));
    low[-60000] = 1;
    return LEAT_OK;
}

static leat_err writes_below(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    char *low = leat_i_task_waiter(t)->low;
    __asm__ volatile("" : "+r"(low));
    low[-1] = 1;
    return LEAT_OK;
}

static leat_err reads_null(leat_task *t, void *arg, const void **result)
{
    volatile int *null = NULL;
    (void)t, (void)arg, (void)result;
    return *null ? LEAT_OK : LEAT_USER;
}

static leat_err parks_once(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_sleep_ms(t, 1);
}

static int no_light_guard(const char *call)
{
    return strcmp(call, "guard") == 0 ? -EINVAL : 0;
}

static int no_guard(const char *call)
{
    return strcmp(call, "guard") == 0 || strcmp(call, "mprotect") == 0 ? -EINVAL : 0;
}

static void other_handler(int number)
{
    static const char text[] = "the program's own handler was called\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    signal(number, SIG_DFL);
}

static int go_wrong(const char *how)
{
    struct rlimit none = { 0, 0 };
    char name[] = "Summarize";
    leat_task_fn fn = overflows;
    void *arg = name;
    setrlimit(RLIMIT_CORE, &none);
    if (strcmp(how, "mprotect") == 0) leat_i_os_fault = no_light_guard;
    if (strcmp(how, "canary") == 0) leat_i_os_fault = no_guard;
    if (strcmp(how, "canary") == 0) fn = writes_below;
    if (strcmp(how, "unnamed") == 0) arg = NULL;
    if (strcmp(how, "large") == 0) fn = steps_over;
    if (strcmp(how, "far") == 0) fn = reaches_far_below;
    if (strcmp(how, "null") == 0) fn = reads_null;
    if (strcmp(how, "chained") == 0) signal(SIGSEGV, other_handler);
    leat_runtime *rt = runtime_with(2, false);
    if (strcmp(how, "sent") == 0) {
        int rc = kill(getpid(), SIGSEGV);
        (void)sleep(20); /* Any thread may get it, while this one goes on. */
        return rc;
    }
    (void)!leat_task_run(rt, fn, arg, NULL);
    for (int i = 0; i < 4; i++) /* So that the loop's stack, which was written below, is given back. */
        (void)!leat_task_run(rt, parks_once, NULL, NULL);
    leat_runtime_free(rt);
    return 0;
}

/* ---- the tests ---- */

static void assert_died_saying(const char *how, const char *what)
{
    struct death *d = calloc(1, sizeof *d);
    die(d, how);
    if (!strstr(d->text, what)) fail_msg("%s: expected '%s' in: %.500s", how, what, d->text);
    assert_false(WIFEXITED(d->status) && WEXITSTATUS(d->status) == 0);
    if (!LEAT_ASAN && !LEAT_TSAN) assert_true(WIFSIGNALED(d->status)); /* Sanitizers report, and exit. */
    free(d);
}

#define STACK_TEXT \
    (LEAT_ASAN || LEAT_TSAN ? "(stack of 262144 bytes; raise stack_bytes)" : "(stack of 65536 bytes; raise stack_bytes)")

static void an_overflow_names_the_node_and_the_remedy(void **state)
{
    (void)state;
    assert_died_saying("light", "leat: stack overflow in node \"Summarize\" ");
    assert_died_saying("light", STACK_TEXT);
    assert_died_saying("unnamed", "leat: stack overflow in a task (stack of ");
}

static void a_frame_larger_than_the_stack_is_caught_too(void **state)
{
    (void)state;
    assert_died_saying("large", "leat: stack overflow in node \"Summarize\" ");
    assert_died_saying("far", "leat: stack overflow in node \"Summarize\" ");
}

static void with_guards_by_mprotect_too(void **state)
{
    (void)state;
    assert_died_saying("mprotect", "leat: stack overflow in node \"Summarize\" ");
}

static void without_guards_a_canary_tells_at_last(void **state)
{
    (void)state;
    if (LEAT_ASAN || LEAT_TSAN) skip(); /* Writing below a stack is an error of its own there. */
    assert_died_saying("canary", "stack overflow");
}

static void other_faults_and_other_handlers_are_left_alone(void **state)
{
    (void)state;
    struct death *d = calloc(1, sizeof *d);
    die(d, "null");
    assert_null(strstr(d->text, "stack overflow in"));
    assert_false(WIFEXITED(d->status) && WEXITSTATUS(d->status) == 0);
    free(d);
    assert_died_saying("chained", "leat: stack overflow in node \"Summarize\" ");
    assert_died_saying("chained", "the program's own handler was called");
}

/* By another process or by this one: nothing faults again when the handler returns. */
static void a_signal_that_was_sent_ends_the_program(void **state)
{
    (void)state;
    struct death *d = calloc(1, sizeof *d);
    die(d, "sent");
    assert_null(strstr(d->text, "stack overflow in"));
    assert_false(WIFEXITED(d->status) && WEXITSTATUS(d->status) == 0);
    free(d);
}

static void the_handler_goes_with_the_last_runtime(void **state)
{
    (void)state;
    struct sigaction before, during, after;
    sigaction(SIGSEGV, NULL, &before);
    leat_runtime *one = runtime_with(1, false), *two = runtime_with(1, false);
    leat_runtime_free(one);
    sigaction(SIGSEGV, NULL, &during);
    leat_runtime_free(two);
    sigaction(SIGSEGV, NULL, &after);
    assert_true((void *)during.sa_sigaction != (void *)before.sa_sigaction);
    assert_ptr_equal((void *)after.sa_sigaction, (void *)before.sa_sigaction);
}

static void over_ours(int number)
{
    (void)number;
}

/* With a handler over ours, which may hand on to ours, another runtime must not put ours on top again. */
static void a_handler_over_ours_stays_on_top(void **state)
{
    (void)state;
    struct sigaction before, now;
    sigaction(SIGSEGV, NULL, &before);
    leat_runtime_free(runtime_with(1, false));
    leat_runtime *rt = runtime_with(1, false);
    sigaction(SIGSEGV, NULL, &now);
    struct sigaction ours = now, over = { .sa_handler = over_ours };
    sigaction(SIGSEGV, &over, NULL);
    leat_runtime_free(rt);
    rt = runtime_with(1, false);
    sigaction(SIGSEGV, NULL, &now);
    assert_ptr_equal((void *)now.sa_handler, (void *)over_ours);
    sigaction(SIGSEGV, &ours, NULL); /* The other one leaves again, as it came. */
    leat_runtime_free(rt);
    sigaction(SIGSEGV, NULL, &now);
    assert_ptr_equal((void *)now.sa_sigaction, (void *)before.sa_sigaction);
}

int main(int argc, char **argv)
{
    if (argc > 1) return go_wrong(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_names_the_node_and_the_remedy),
        cmocka_unit_test(a_frame_larger_than_the_stack_is_caught_too),
        cmocka_unit_test(with_guards_by_mprotect_too),
        cmocka_unit_test(without_guards_a_canary_tells_at_last),
        cmocka_unit_test(other_faults_and_other_handlers_are_left_alone),
        cmocka_unit_test(a_signal_that_was_sent_ends_the_program),
        cmocka_unit_test(the_handler_goes_with_the_last_runtime),
        cmocka_unit_test(a_handler_over_ours_stays_on_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
