/*
 * forked.c: a child of fork has none of the workers, so every runtime that it has inherited is dead: calls answer LEAT_USAGE and
 * nothing waits for threads that are not there. Where a task has forked, the child's thread is no worker any more: calls that take the
 * task answer LEAT_USAGE too, except those that give memory and text, which the child may need before it execs. What the runtime owns stays where it is; the child ends or execs soon.
 */
#include "runtime.h"

#include "../base/check.h"

static LEAT_ATOMIC(uint32_t) fork_count;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_in_child(void)
{
    leat_add_relaxed(&fork_count, 1); /* relaxed: the child has one thread */
    leat_i_worker_forget();
}

static void fork_register(void)
{
    pthread_atfork(NULL, NULL, fork_in_child);
}

uint32_t leat_i_fork_count(void)
{
    pthread_once(&fork_once, fork_register);
    return leat_load_relaxed(&fork_count); /* relaxed: changes only where there is one thread */
}

LEAT_WAKE_PATH uint32_t leat_i_forks_now(void)
{
    return leat_load_relaxed(&fork_count); /* relaxed: as above */
}

LEAT_WAKE_PATH bool leat_i_runtime_is_forked(const leat_runtime *rt)
{
    return rt->fork_count != leat_i_forks_now();
}
