/*
 * support/sweep.h: a scenario is run again and again, and each time another allocation, or another call of the system, fails.
 *
 * Four passes: the n-th allocation fails; it and all that follow do; the same two with the calls of base/os.h that can fail. n goes
 * from 1 until the scenario ends before it is reached (long scenarios: every n at first, then in growing steps; LEAT_LONG=1 takes
 * every one). Each time it must end, within a minute or so, with one of the errors it may have, every block of memory, every
 * descriptor and every thread must be gone, and the process must live.
 */
#ifndef LEAT_TEST_SWEEP_H
#define LEAT_TEST_SWEEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leat/base.h"

typedef struct sweep {
    const char *name;
    leat_err (*fn)(void *arg); /* makes and frees all that it needs */
    void *arg;
    uint32_t may;             /* errors it may end with, as SWEEP_MAY(code); LEAT_OK always is */
    void (*after)(void *arg); /* when nothing fails any more, after each round; NULL = none */
    uint64_t every_up_to;     /* n goes in steps of one so far; 0 = 120 */
} sweep;

#define SWEEP_MAY(code) (UINT32_C(1) << (code))
#define SWEEP_NOMEM     SWEEP_MAY(LEAT_NOMEM)

/* Fails the test when a round breaks a promise, and says which. */
void sweep_run(const sweep *s);

/* While a scenario looks at what came of it, nothing fails: returns whether something still would. */
void sweep_calm(void);

#endif
