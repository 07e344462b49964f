/*
 * test_wall_clock.c: somebody sets the clock while the program runs. This program's own clock_gettime stands before the C library's: the
 * wall clock jumps by up to an hour, back and forth, from one reading to the next. Waits and the limiter must neither end early nor late,
 * and do not even look at it.
 */
#include "support_sched.h"

#include "leat/limiter.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static LEAT_ATOMIC(uint32_t) wall_reads;

int clock_gettime(clockid_t id, struct timespec *at)
{
    long rc = syscall(SYS_clock_gettime, id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += leat_add_relaxed(&wall_reads, 1) % 2 ? 3600 : -3600;
    return (int)rc;
}

static void the_jumping_clock_is_in_force(void **state)
{
    (void)state;
    int64_t first_ns = leat_i_os_wall_ns(), second_ns = leat_i_os_wall_ns();
    assert_true(llabs(second_ns - first_ns) > 7000 * LEAT_I_NS_PER_S);
}

static leat_err returns_at_once(void *arg)
{
    (void)arg;
    return LEAT_OK;
}

static leat_err waits_in_many_ways(leat_task *t, void *arg, const void **result)
{
    leat_limiter *l = arg;
    (void)result;
    int64_t begin_ns = leat_task_now_ns(t);
    LEAT_TRY(leat_sleep_ms(t, 30));
    CHECK(leat_task_now_ns(t) - begin_ns >= 30 * LEAT_I_NS_PER_MS);
    CHECK(leat_i_park(t, leat_task_now_ns(t) + 20 * LEAT_I_NS_PER_MS) == LEAT_TIMEOUT);
    LEAT_TRY(leat_blocking(t, returns_at_once, NULL));
    begin_ns = leat_task_now_ns(t);
    for (int i = 0; i < 5; i++) {
        leat_grant grant;
        LEAT_TRY(leat_limiter_acquire(t, l, (leat_cost){ .input = 1 }, &grant));
        leat_limiter_settle(l, grant, (leat_cost){ .input = 1 });
    }
    CHECK(leat_task_now_ns(t) - begin_ns >= 4 * 50 * LEAT_I_NS_PER_MS); /* 1,200 a minute: one each 50 ms */
    return LEAT_OK;
}

static void waits_and_the_limiter_do_not_look_at_it(void **state)
{
    (void)state;
    leat_limiter *l;
    leat_limiter_opts opts = { .requests_per_min = 1200 };
    assert_int_equal(leat_limiter_new(&l, &opts), LEAT_OK);
    leat_runtime *rt = runtime_with(2, false);
    leat_handle *h;
    uint32_t reads = leat_load_relaxed(&wall_reads);
    assert_int_equal(leat_task_submit(rt, waits_in_many_ways, l, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, 1, NULL, NULL), LEAT_TIMEOUT);
    assert_int_equal(leat_handle_wait(h, 60000, NULL, NULL), LEAT_OK); /* An hour would be too late. */
    leat_handle_free(h);
    assert_int_equal(leat_load_relaxed(&wall_reads), reads);
    leat_runtime_free(rt);
    leat_limiter_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_jumping_clock_is_in_force),
        cmocka_unit_test(waits_and_the_limiter_do_not_look_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
