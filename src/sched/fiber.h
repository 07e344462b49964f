/*
 * fiber.h: a context that can be left and gone on with, and what the sanitizers must be told about it.
 *
 * Two back ends behind one interface: own assembly (x86-64, aarch64), and ucontext where there is none or where the build asks
 * for it. Neither knows of tasks. A fiber is made on memory of its caller's, entered by the first switch to it, and dead after a
 * switch away with `last` (it may then be made anew).
 */
#ifndef LEAT_I_FIBER_H
#define LEAT_I_FIBER_H

#include "../base/atomics.h"

#include <stddef.h>

#if LEAT_FIBER_UCONTEXT || !(defined(__x86_64__) || defined(__aarch64__))
#undef LEAT_FIBER_UCONTEXT
#define LEAT_FIBER_UCONTEXT 1
#include <ucontext.h>
#else
#define LEAT_FIBER_UCONTEXT 0
#endif

typedef struct leat_i_fiber {
#if LEAT_FIBER_UCONTEXT
    ucontext_t context;
    void (*entry)(void *arg);
    void *arg;
#else
    void *sp;
#endif
#if LEAT_ASAN
    void *fake_stack; /* ASan's own, while this fiber is left */
    const void *low;
    size_t bytes;
#endif
#if LEAT_TSAN
    void *tsan;
#endif
} leat_i_fiber;

/* Makes `f` start as entry(arg) on the memory low .. low + bytes. `entry` calls leat_i_fiber_begin first and never returns. */
void leat_i_fiber_make(leat_i_fiber *f, void *low, size_t bytes, void (*entry)(void *arg), void *arg);
/* Makes `f` stand for the running thread and its own stack. */
void leat_i_fiber_adopt_thread(leat_i_fiber *f);
/* First call on a fresh fiber; `thread` is the fiber of the thread on which it runs. */
void leat_i_fiber_begin(leat_i_fiber *thread);
/* Leaves `from` and goes on with `to`. With `last`, `from` is never gone on with. */
void leat_i_fiber_switch(leat_i_fiber *from, leat_i_fiber *to, bool last);
/* What a task that waits has on its stack from the wait down to where it began: some 600 bytes, and the user's own frames. */
#define LEAT_I_FIBER_HOT_BYTES 768u
/* A hint: `f` is gone on with soon. */
static inline void leat_i_fiber_prefetch(const leat_i_fiber *f)
{
#if !LEAT_FIBER_UCONTEXT
    const char *sp = f->sp;
    for (size_t at = 0; at < LEAT_I_FIBER_HOT_BYTES; at += 64)
        __builtin_prefetch(sp + at);
#else
    (void)f;
#endif
}
/* Frees what the sanitizers keep for a fiber that is left for good; not called on the fiber itself. */
void leat_i_fiber_fini(leat_i_fiber *f);

#endif
