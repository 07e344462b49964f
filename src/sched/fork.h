/*
 * fork.h: private to sched: the stacks of forks behind leat/fork.h, and how idle workers take from them. Contract: fork.c.
 */
#ifndef LEAT_I_FORK_H
#define LEAT_I_FORK_H

#include "leat/fork.h"
#include "sched.h"

typedef struct leat_i_worker leat_i_worker;
typedef struct leat_i_fork leat_i_fork;

bool leat_i_fork_has_shared(const leat_i_worker *victim); /* any thread; a hint unless a fence orders it */
/* Asks whoever forks on `victim` to share, the next time it forks or joins. Any thread. */
void leat_i_fork_ask(const leat_i_worker *victim);
/* Takes the oldest fork of `victim` for `w`, which must run it next; false = there is none, or memory is short. */
bool leat_i_fork_steal(leat_i_worker *w, const leat_i_worker *victim);
void leat_i_fork_run_stolen(leat_i_worker *w);
void leat_i_fork_fini(leat_i_worker *w);

#endif
