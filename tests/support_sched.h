/* support_sched.h: what the tests of the scheduler share. */
#ifndef LEAT_TEST_SUPPORT_SCHED_H
#define LEAT_TEST_SUPPORT_SCHED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/fork.h"
#include "leat/task.h"
#include "sched/sched.h"
#include "support/check.h"

/* How to start a program that this machine cannot run by itself: set by ctest in a cross build, else NULL. */
static inline const char *emulator(void)
{
    return getenv("LEAT_EMULATOR");
}

/* LEAT_WORKERS=n in the environment: how many workers the tests below have; 0 = it is not there. */
static inline uint32_t workers_asked(void)
{
    const char *asked = getenv("LEAT_WORKERS");
    return asked ? (uint32_t)strtoul(asked, NULL, 10) : 0;
}

/* Runs the block after it for 1, 2, 4 and 8 workers, or for as many as were asked for. */
#define EACH_WORKER_COUNT(count)                                                                                   \
    for (uint32_t count = workers_asked() ? workers_asked() : 1; count <= (workers_asked() ? workers_asked() : 8); \
         count *= 2)

/* Sanitizer builds do a tenth of the rounds. */
#define ROUNDS(n) (LEAT_ASAN || LEAT_TSAN ? (n) / 10 : (n))

static inline leat_runtime *runtime_with(uint32_t worker_count, bool virtual_clock)
{
    leat_runtime *rt = NULL;
    leat_runtime_opts opts = { .worker_count = worker_count, .virtual_clock = virtual_clock };
    assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
    assert_non_null(rt);
    return rt;
}

/* On the virtual clock, with each number of workers. */
static inline void run_virtual(leat_task_fn fn)
{
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, fn, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

#endif
