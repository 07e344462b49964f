/* stubs.c: what the runtime calls and the model has no part in: signals of overflows, threads that are ended, children of fork, text for
 * the user. */
#include "explore.h"

#include "sched/runtime.h"

void leat_i_overflow_install(void)
{
}

void leat_i_overflow_remove(void)
{
}

void leat_i_overflow_thread_begin(leat_i_worker *w)
{
    (void)w;
}

void leat_i_overflow_thread_end(leat_i_worker *w)
{
    (void)w;
}

void leat_i_astray_watch(const char *sentence)
{
    (void)sentence;
}

void leat_i_astray_unwatch(void)
{
}

void leat_i_astray_mark(leat_i_worker *w)
{
    (void)w;
}

void leat_i_astray_child(void)
{
    explore_fail(__FILE__, __LINE__, "no case forks");
}

uint32_t leat_i_fork_count(void)
{
    return 0;
}

uint32_t leat_i_forks_now(void)
{
    return 0;
}

bool leat_i_runtime_is_forked(const leat_runtime *rt)
{
    (void)rt;
    return false;
}

const char *leat_i_errno_text(int errno_or_minus, char *buf, size_t size)
{
    (void)errno_or_minus, (void)buf, (void)size;
    explore_fail(__FILE__, __LINE__, "no case has a call of the system fail");
}

char *leat_i_text_out(const char *s, size_t size)
{
    (void)s, (void)size;
    explore_fail(__FILE__, __LINE__, "no case asks for text");
}
