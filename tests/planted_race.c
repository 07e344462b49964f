/*
 * planted_race.c: a data race between two tasks on two workers, on purpose. ThreadSanitizer must report it, or else it does not see
 * through the fibers; without it the program succeeds.
 */
#include "leat/task.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Relaxed, both: they put the two one behind the other in time, and order nothing. (At the very same time ThreadSanitizer may miss a race,
 * since both write down their access where the other one looks.) */
static _Atomic int here, done;
static volatile long raced;

static leat_err races(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    LEAT_TRY(leat_sleep_ms(t, 1));
    int before = atomic_fetch_add_explicit(&here, 1, memory_order_relaxed);
    while (atomic_load_explicit(&here, memory_order_relaxed) < 2 ||
           atomic_load_explicit(&done, memory_order_relaxed) < before)
        ;
    raced++;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
    return leat_sleep_ms(t, 1);
}

/* Keeps its worker until the other has begun to race, so that the two cannot share one. */
static leat_err both(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *other = leat_task_start(t, races, arg);
    while (atomic_load_explicit(&here, memory_order_relaxed) < 1)
        ;
    LEAT_TRY(races(t, arg, result));
    return leat_await(t, other, NULL);
}

int main(void)
{
    const char *asked = getenv("LEAT_WORKERS");
    leat_runtime *rt;
    if (leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = asked ? (uint32_t)atoi(asked) : 2 }) != LEAT_OK)
        return 1;
    leat_err err = leat_task_run(rt, both, NULL, NULL);
    leat_runtime_free(rt);
    printf("planted race: %s, %ld\n", leat_err_name(err), raced);
    return err != LEAT_OK;
}
