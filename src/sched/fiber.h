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

/*
 * Leaves `from` and goes on with `to`. With `last`, `from` is never gone on with. Two forms: inline, in products on x86-64; and called,
 * where a sanitizer must hear of it, where there is no other, and where a test asks for it (LEAT_FIBER_CALLED).
 */
#ifndef LEAT_FIBER_CALLED
#define LEAT_FIBER_CALLED 0
#endif
#if !LEAT_FIBER_CALLED && !LEAT_FIBER_UCONTEXT && defined(__x86_64__) && !LEAT_ASAN && !LEAT_TSAN
#define LEAT_FIBER_INLINE 1
/* The registers beyond the general ones that no call keeps. */
#ifdef __AVX512F__
#define LEAT_I_FIBER_VECTORS                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
        "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",     \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#else
#define LEAT_I_FIBER_VECTORS                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
        "xmm14", "xmm15",
#endif
/*
 * In the caller's own code, and by a jump. A processor predicts returns by counting calls; a call that ends with a jump to another stack
 * is never returned from, and from then on each return of the callers is predicted wrongly: 5 ns for each of them. What lies below the
 * stack pointer may be the compiler's, so it is stepped over.
 */
static inline void leat_i_fiber_switch(leat_i_fiber *from, leat_i_fiber *to, bool last)
{
    void **save_sp = &from->sp;
    void *load_sp = to->sp;
    (void)last;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "leaq 1f(%%rip), %%rcx\n\t"
                     "jmp leat_i_switch_from\n"
                     "1:\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : "+D"(save_sp), "+S"(load_sp)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", LEAT_I_FIBER_VECTORS "memory", "cc");
}
#else
#define LEAT_FIBER_INLINE 0
void leat_i_fiber_switch(leat_i_fiber *from, leat_i_fiber *to, bool last);
#endif
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
