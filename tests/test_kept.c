/* test_kept.c: what a task finds as it left it after a wait, and what belongs to the thread instead, as docs/runtime.md tells it. */
#include "support_sched.h"

#include "sched/fiber.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>

/* ---- the thread and its thread-locals ---- */

static _Thread_local int of_thread;

__attribute__((noinline)) static int *address_of_thread_local(void)
{
    int *p = &of_thread;
    __asm__ volatile("" : "+r"(p));
    return p;
}

static leat_err finds_its_thread_again(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    int *address = address_of_thread_local();
    pthread_t thread = pthread_self();
    for (int i = 0; i < 20; i++) {
        LEAT_TRY(leat_sleep_ms(t, i % 2));
        CHECK(address_of_thread_local() == address);
        CHECK(pthread_equal(pthread_self(), thread));
    }
    return LEAT_OK;
}

static leat_err many_find_it(leat_task *t, void *arg, const void **result)
{
    leat_future *f[100];
    (void)result;
    for (int i = 0; i < 100; i++)
        f[i] = leat_task_start(t, finds_its_thread_again, arg);
    return leat_await_all(t, f, 100);
}

static void a_task_goes_on_on_its_thread(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, many_find_it, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

/* ---- two tasks on one thread ---- */

static leat_err leaves_7_and_rounds_up(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    *address_of_thread_local() = 7;
    CHECK(fesetround(FE_UPWARD) == 0);
    return LEAT_OK;
}

static leat_err meets_another(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    *address_of_thread_local() = 1;
    CHECK(fesetround(FE_DOWNWARD) == 0);
    leat_future *f = leat_task_start(t, leaves_7_and_rounds_up, NULL);
    LEAT_TRY(leat_await(t, f, NULL)); /* It ran meanwhile: there is one worker. */
    CHECK(*address_of_thread_local() == 7);
    CHECK(fegetround() == (LEAT_FIBER_UCONTEXT ? FE_DOWNWARD : FE_UPWARD));
    CHECK(fesetround(FE_TONEAREST) == 0);
    return LEAT_OK;
}

static void values_and_the_rounding_mode_are_the_threads(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, meets_another, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

/* ---- signals ---- */

static leat_err has_all_signals_blocked(leat_task *t, void *arg, const void **result)
{
    static const int asked[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGPIPE, SIGWINCH };
    (void)arg, (void)result;
    for (int again = 0; again < 2; again++) {
        sigset_t set;
        CHECK(pthread_sigmask(SIG_SETMASK, NULL, &set) == 0);
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
            CHECK(sigismember(&set, asked[i]) == 1);
        CHECK(sigismember(&set, SIGSEGV) == 0);
        CHECK(sigismember(&set, SIGBUS) == 0);
        LEAT_TRY(leat_sleep_ms(t, 1));
    }
    return LEAT_OK;
}

static void signals_are_the_programs_business(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, true);
    assert_int_equal(leat_task_run(rt, has_all_signals_blocked, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_goes_on_on_its_thread),
        cmocka_unit_test(values_and_the_rounding_mode_are_the_threads),
        cmocka_unit_test(signals_are_the_programs_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
