/* support_runtime.h: one runtime of two workers for all tests of a file: the set-up and tear-down of its group. */
#ifndef LEAT_TEST_SUPPORT_RUNTIME_H
#define LEAT_TEST_SUPPORT_RUNTIME_H

#include "support_sched.h"

static leat_runtime *rt;

static inline int runtime_start(void **state)
{
    (void)state;
    rt = runtime_with(2, false);
    return 0;
}

static inline int runtime_start_virtual(void **state)
{
    (void)state;
    rt = runtime_with(2, true);
    return 0;
}

static inline int runtime_stop(void **state)
{
    (void)state;
    leat_runtime_free(rt);
    return 0;
}

#endif
