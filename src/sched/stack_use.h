/*
 * stack_use.h: how deep the stack of the running task has been used, by looking at what is not zero.
 *
 * Fresh stacks are zeros. reset: zeros what lies below the caller's frame, as far down as it was used; bytes: from the top of the
 * stack down to the lowest byte that is not zero. What lies below is looked through each time, some 1 us with 64 KiB.
 */
#ifndef LEAT_I_STACK_USE_H
#define LEAT_I_STACK_USE_H

#include "sched.h"

void leat_i_stack_use_reset(leat_task *t);
uint32_t leat_i_stack_use_bytes(const leat_task *t); /* 0 = cannot be told (Valgrind) */

#endif
