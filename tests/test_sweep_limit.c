/* test_sweep_limit.c: memory and system fail at every place in the life of a limiter: no grant may be lost or stay open. */
#include "support/sweep.h"

#include "leat/limiter.h"

#define TASKS 40

static leat_err asks(leat_task *t, void *arg, const void **result)
{
    leat_limiter *l = arg;
    (void)result;
    for (int i = 0; i < 3; i++) {
        leat_grant grant;
        LEAT_TRY(leat_limiter_acquire(t, l, (leat_cost){ .input = 10, .output = 5 }, &grant));
        leat_err err = leat_sleep_ms(t, 1);
        if (i == 0)
            leat_limiter_settle(l, grant, (leat_cost){ .input = 20 });
        else if (i == 1)
            leat_limiter_refund(l, grant);
        LEAT_TRY(err); /* the third is forgotten: the end of the task settles it */
    }
    return LEAT_OK;
}

static leat_err all_ask(leat_task *t, void *arg, const void **result)
{
    leat_future *f[TASKS];
    (void)result;
    for (int i = 0; i < TASKS; i++)
        f[i] = leat_task_start(t, asks, arg);
    return leat_await_all(t, f, TASKS);
}

static leat_err limiter_use(leat_runtime *rt, leat_limiter *l)
{
    leat_limiter_stats stats;
    leat_err err = leat_task_run(rt, all_ask, l, NULL);
    leat_limiter_read(l, &stats);
    if (stats.in_flight != 0 || stats.waiting != 0) return LEAT_USER;
    if (stats.granted != stats.settled + stats.refunded) return LEAT_USER;
    if (err == LEAT_OK && stats.granted != 3 * TASKS) return LEAT_USER;
    return err;
}

static leat_err scenario(void *arg)
{
    leat_runtime *rt = NULL;
    leat_limiter *l = NULL;
    leat_limiter_opts opts = { .requests_per_min = 6000, .tokens_per_min = 100000, .in_flight_max = 8 };
    (void)arg;
    leat_err err = leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2, .virtual_clock = true });
    if (err != LEAT_OK) return err;
    err = leat_limiter_new(&l, &opts);
    if (err == LEAT_OK) err = limiter_use(rt, l);
    leat_limiter_free(l);
    leat_runtime_free(rt);
    return err;
}

static void a_limiter_that_forty_tasks_ask(void **state)
{
    (void)state;
    sweep_run(&(sweep){ .name = "limiter", .fn = scenario, .may = SWEEP_NOMEM });
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_limiter_that_forty_tasks_ask) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
