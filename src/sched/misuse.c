/*
 * misuse.c: a task that is used where it does not run, and calls without what they need.
 *
 * What decides is the thread: a worker knows on which stack it stands and which task that stack runs; a helper thread knows whose
 * call it runs. `t` is compared with those and not touched, since it may be gone. A task that has ended and whose memory serves
 * the very task that runs here now cannot be told from it.
 */
#include "runtime.h"

#include "../base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define MISUSED                                                                                                         \
    "%s was called with a task that does not run here: a task is used inside the callback that it is given to, and on " \
    "the thread that runs it"

bool leat_i_task_is_here(const leat_task *t)
{
    const leat_i_worker *w = leat_i_worker_current();
    return w && w->running && w->running->task == t && t && !w->plain;
}

static void misuse_log(const char *call, const char *fmt)
{
    const leat_i_worker *w = leat_i_worker_current();
    const leat_task *helped = leat_i_blocking_task();
    leat_runtime *rt = w ? w->rt : helped ? helped->rt : NULL;
    char text[256];
    snprintf(text, sizeof text, fmt, call);
    if (rt)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING, "%s", text);
    else
        fprintf(stderr, "leat: %s\n", text);
}

leat_err leat_i_task_misused(const char *call)
{
    misuse_log(call, MISUSED);
    return LEAT_USAGE;
}

/* Read only, so one is enough for all. */
static leat_future misused = { .state = LEAT_I_FUTURE_DONE, .err = LEAT_USAGE };

leat_future *leat_i_future_misused(const char *call)
{
    misuse_log(call, MISUSED);
    return &misused;
}

leat_future *leat_i_future_empty(const char *call)
{
    misuse_log(call, "%s was called without a function");
    return &misused;
}

leat_err leat_i_missing(const char *call, const char *what)
{
    char fmt[96];
    snprintf(fmt, sizeof fmt, "%%s was called without %s", what);
    misuse_log(call, fmt);
    return LEAT_USAGE;
}

void leat_i_wrong(const char *call, const char *what)
{
    fprintf(stderr, "leat: %s was called %s\n", call, what);
    abort();
}

leat_err leat_i_future_foreign(const char *call)
{
    misuse_log(call, "%s was called with a future of another task: a future is awaited by the task that started it");
    return LEAT_USAGE;
}

void leat_i_task_require(const leat_task *t, const char *call)
{
    if (LEAT_LIKELY(leat_i_task_is_here(t)) || (t && leat_i_blocking_task() == t)) return;
    fprintf(stderr, "leat: " MISUSED "\n", call);
    abort();
}
