/*
 * stack_use.c: the depth of a stack, measured by the zeros that are left at its low end.
 *
 * Nothing here may call a function between finding its own frame and touching what lies below it, or the callee's frame lies
 * there; FRAME_BYTES keep the distance for what the compiler itself puts below (the red zone), and bound how exact a depth is.
 * The sanitizers are told to look away: what lies below a frame is nobody's.
 */
#include "stack_use.h"

#include "runtime.h"

#define FRAME_BYTES 512u

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK_IS_WATCHED() RUNNING_ON_VALGRIND
#else
#define STACK_IS_WATCHED() 0
#endif

#if defined(__clang__)
#define STACK_UNCHECKED __attribute__((noinline, no_sanitize("address", "thread", "undefined")))
#else
#define STACK_UNCHECKED __attribute__((noinline, no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* The lowest word in use; `end` when there is none below it. */
STACK_UNCHECKED static volatile uint64_t *lowest_used(volatile uint64_t *low, volatile uint64_t *end)
{
    volatile uint64_t *p = low;
    while (p + 8 <= end && (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) == 0)
        p += 8;
    while (p < end && *p == 0)
        p++;
    return p;
}

STACK_UNCHECKED uint32_t leat_i_stack_use_bytes(const leat_task *t)
{
    const leat_i_waiter *s = t->waiter;
    if (STACK_IS_WATCHED()) return 0;
    char *top = s->low + s->home->rt->stacks.stack_bytes;
    uintptr_t frame = ((uintptr_t)__builtin_frame_address(0) - FRAME_BYTES) & ~(uintptr_t)63;
    if (frame <= (uintptr_t)s->low || frame > (uintptr_t)top) return 0; /* not on this stack */
    volatile uint64_t *lowest = lowest_used((volatile uint64_t *)(void *)s->low, (volatile uint64_t *)frame);
    return (uint32_t)((uintptr_t)top - (uintptr_t)lowest);
}

STACK_UNCHECKED void leat_i_stack_use_reset(leat_task *t)
{
    leat_i_waiter *s = t->waiter;
    if (STACK_IS_WATCHED()) return;
    uintptr_t frame = ((uintptr_t)__builtin_frame_address(0) - FRAME_BYTES) & ~(uintptr_t)63;
    if (frame <= (uintptr_t)s->low || frame > (uintptr_t)s->low + s->home->rt->stacks.stack_bytes) return;
    volatile uint64_t *end = (volatile uint64_t *)frame;
    for (volatile uint64_t *p = lowest_used((volatile uint64_t *)(void *)s->low, end); p < end; p++)
        *p = 0;
}
