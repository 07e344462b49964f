/*
 * fiber.c: making contexts and switching between them, with the sanitizers told of every step.
 *
 * Who calls guarantees that a fiber is only gone on with by the thread that has left it, after it has left it: a stack belongs to
 * one worker from the moment it is taken to the moment it is given back (stack.h). So thread-locals, errno's address included,
 * may be kept in registers over a switch, and nothing here must publish anything.
 *
 * ThreadSanitizer must hear of a switch immediately before it happens, from a function that it does not instrument, or else its
 * shadow call stack gets the wrong frames. AddressSanitizer is told before (with a place for the fake stack that it must keep, or
 * NULL when the fiber is left for good) and after, on the other side.
 */
#include "fiber.h"

#include "../base/check.h"

#include <stdint.h>

#if LEAT_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if LEAT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__clang__)
#if __has_attribute(disable_sanitizer_instrumentation)
#define FIBER_PLAIN __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define FIBER_PLAIN __attribute__((noinline, no_sanitize("address", "thread")))
#endif
#else
#define FIBER_PLAIN __attribute__((noinline, no_sanitize_address, no_sanitize_thread))
#endif

#if LEAT_FIBER_UCONTEXT

/* makecontext passes ints only, so the address comes in halves. */
static void fiber_entry(unsigned int high, unsigned int low)
{
    leat_i_fiber *f = (leat_i_fiber *)(uintptr_t)(((uint64_t)high << 32) | low);
    f->entry(f->arg);
    LEAT_BUG("a fiber's entry returned");
}

static void fiber_prepare(leat_i_fiber *f, char *low, size_t bytes, void (*entry)(void *arg), void *arg)
{
    f->entry = entry;
    f->arg = arg;
    if (getcontext(&f->context) != 0) LEAT_BUG("getcontext failed");
    f->context.uc_stack.ss_sp = low;
    f->context.uc_stack.ss_size = bytes;
    f->context.uc_link = NULL;
    uint64_t at = (uintptr_t)f;
    makecontext(&f->context, (void (*)(void))fiber_entry, 2, (unsigned int)(at >> 32), (unsigned int)at);
}

#define FIBER_SWAP(from, to) (void)swapcontext(&(from)->context, &(to)->context)

#else

void leat_i_switch(void **save_sp, void *load_sp);
void leat_i_switch_entry(void);

/* Lays out what leat_i_switch pops: the argument and the function in callee-saved registers, the entry as return address. */
static void fiber_prepare(leat_i_fiber *f, char *low, size_t bytes, void (*entry)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;
#if defined(__x86_64__)
    void **sp = (void **)top - 9; /* r15 r14 r13 r12 rbx rbp rip, and two words: the entry finds sp at a multiple of 16 */
    sp[0] = sp[1] = NULL;
    sp[2] = (void *)(uintptr_t)entry;
    sp[3] = arg;
    sp[4] = sp[5] = NULL;
    sp[6] = (void *)(uintptr_t)leat_i_switch_entry;
    sp[7] = sp[8] = NULL;
#else
    void **sp = (void **)top - 20; /* x19 - x30, d8 - d15 */
    for (int i = 0; i < 20; i++)
        sp[i] = NULL;
    sp[0] = arg;
    sp[1] = (void *)(uintptr_t)entry;
    sp[11] = (void *)(uintptr_t)leat_i_switch_entry;
#endif
    f->sp = sp;
}

#define FIBER_SWAP(from, to) leat_i_switch(&(from)->sp, (to)->sp)

#endif

void leat_i_fiber_make(leat_i_fiber *f, void *low, size_t bytes, void (*entry)(void *arg), void *arg)
{
    LEAT_ASSERT(bytes >= 1024);
#if LEAT_ASAN
    __asan_unpoison_memory_region(low, bytes); /* The last fiber here was left in the middle of its frames. */
#endif
    fiber_prepare(f, low, bytes, entry, arg);
#if LEAT_ASAN
    f->fake_stack = NULL;
    f->low = low;
    f->bytes = bytes;
#endif
#if LEAT_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
}

void leat_i_fiber_adopt_thread(leat_i_fiber *f)
{
    (void)f;
#if LEAT_ASAN
    f->fake_stack = NULL;
    f->low = NULL; /* learned by leat_i_fiber_begin */
    f->bytes = 0;
#endif
#if LEAT_TSAN
    f->tsan = __tsan_get_current_fiber();
#endif
}

FIBER_PLAIN void leat_i_fiber_begin(leat_i_fiber *thread)
{
    (void)thread;
#if LEAT_ASAN
    const void *low = NULL;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(NULL, &low, &bytes);
    if (!thread->low) { /* The first switch on this thread came from its own stack. */
        thread->low = low;
        thread->bytes = bytes;
    }
#endif
}

#if !LEAT_FIBER_INLINE
FIBER_PLAIN void leat_i_fiber_switch(leat_i_fiber *from, leat_i_fiber *to, bool last)
{
    (void)last;
#if LEAT_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->low, to->bytes);
#endif
#if LEAT_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    FIBER_SWAP(from, to);
#if LEAT_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}
#endif

void leat_i_fiber_fini(leat_i_fiber *f)
{
    (void)f;
#if LEAT_TSAN
    __tsan_destroy_fiber(f->tsan);
    f->tsan = NULL;
#endif
}
