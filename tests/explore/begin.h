/* begin.h: how cases with a whole runtime begin: the way to parked workers is not part of the search; from there on all is. */
#ifndef EXPLORE_BEGIN_H
#define EXPLORE_BEGIN_H

#include "explore.h"

#include "sched/runtime.h"

static inline void runtime_says(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static inline leat_runtime *runtime_begin(uint32_t workers)
{
    leat_runtime *rt = NULL;
    leat_runtime_opts opts = { .worker_count = workers, .stack_bytes = 65536, .log = runtime_says };
    explore_quiet(true);
    EXPLORE_CHECK(leat_runtime_new(&rt, &opts) == LEAT_OK);
    explore_settle();
    return rt;
}

#endif
