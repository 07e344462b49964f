/* switch.c: a context switch alone, there and back, on one thread: ours, Boost's fcontext, glibc's ucontext. */
#include <ucontext.h>

#include "peer.h"
#include "sched/fiber.h"

enum { SWITCHES = 20000000, SLOW_SWITCHES = 1000000, STACK_BYTES = 65536 };

static _Alignas(64) char stack[STACK_BYTES];

static void print_ns(int64_t begin_ns, int count)
{
    printf("{\"ns\":%.3f}\n", (double)(peer_now_ns() - begin_ns) / count);
}

/* ---- ours ---- */

static leat_i_fiber here, there;

static void comes_back(void *arg)
{
    (void)arg;
    leat_i_fiber_begin(&here);
    for (;;)
        leat_i_fiber_switch(&there, &here, false);
}

static int measure_leat(void)
{
    leat_i_fiber_adopt_thread(&here);
    leat_i_fiber_make(&there, stack, STACK_BYTES, comes_back, NULL);
    leat_i_fiber_switch(&here, &there, false);
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < SWITCHES / 2; i++)
        leat_i_fiber_switch(&here, &there, false);
    print_ns(begin_ns, SWITCHES);
    return 0;
}

/* ---- Boost.Context's C symbols ---- */

#ifdef PEER_FCONTEXT
typedef void *fcontext;
typedef struct transfer {
    fcontext from;
    void *data;
} transfer;
extern transfer jump_fcontext(fcontext to, void *data);
extern fcontext make_fcontext(void *top, size_t size, void (*fn)(transfer t));

static void jumps_back(transfer t)
{
    for (;;)
        t = jump_fcontext(t.from, NULL);
}

static int measure_fcontext(void)
{
    transfer t = { make_fcontext(stack + STACK_BYTES, STACK_BYTES, jumps_back), NULL };
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < SWITCHES / 2; i++)
        t = jump_fcontext(t.from, NULL);
    print_ns(begin_ns, SWITCHES);
    return 0;
}
#else
static int measure_fcontext(void)
{
    return PEER_NO_MEASURE;
}
#endif

/* ---- ucontext ---- */

static ucontext_t caller, callee;

static void swaps_back(void)
{
    for (;;)
        swapcontext(&callee, &caller);
}

static int measure_ucontext(void)
{
    getcontext(&callee);
    callee.uc_stack.ss_sp = stack;
    callee.uc_stack.ss_size = STACK_BYTES;
    makecontext(&callee, swaps_back, 0);
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < SLOW_SWITCHES / 2; i++)
        swapcontext(&caller, &callee);
    print_ns(begin_ns, SLOW_SWITCHES);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "leat") == 0) return measure_leat();
    if (strcmp(name, "fcontext") == 0) return measure_fcontext();
    if (strcmp(name, "ucontext") == 0) return measure_ucontext();
    return PEER_NO_MEASURE;
}
