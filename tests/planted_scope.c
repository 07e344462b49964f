/*
 * planted_scope.c: a task writes to a variable of another task's stack after its scope has ended, on purpose. AddressSanitizer must
 * report it as a use after scope, or else it does not see through the fibers; without it the program succeeds.
 */
#include "leat/task.h"

#include <stdio.h>

static leat_err writes_late(leat_task *t, void *arg, const void **result)
{
    int *volatile *where = arg;
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, 2));
    **where = 1; /* its scope has ended on the other stack, whose frame still stands */
    return LEAT_OK;
}

static leat_err lends(leat_task *t, void *arg, const void **result)
{
    int *volatile where;
    leat_future *f;
    (void)arg, (void)result;
    {
        int lent[16] = { 0 };
        where = &lent[3];
        f = leat_task_start(t, writes_late, (void *)&where);
        LEAT_TRY(leat_sleep_ms(t, 1));
    }
    return leat_await(t, f, NULL);
}

int main(void)
{
    leat_runtime *rt;
    if (leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2 }) != LEAT_OK) return 1;
    leat_err err = leat_task_run(rt, lends, NULL, NULL);
    leat_runtime_free(rt);
    printf("planted use after scope: %s\n", leat_err_name(err));
    return err != LEAT_OK;
}
