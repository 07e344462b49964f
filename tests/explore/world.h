/*
 * world.h: a runtime of the model's own making, for cases that drive single units: workers without stacks and threads.
 *
 * world_loop does what worker_loop in worker.c does, in the same order and with the same functions, except that a job gets no stack and
 * cannot suspend, and that there are no ready stacks. So one execution has tens of steps and not hundreds, and can be explored further.
 * Cases with the whole loop begin with begin.h.
 */
#ifndef EXPLORE_WORLD_H
#define EXPLORE_WORLD_H

#include "explore.h"

#include "sched/runtime.h"

enum { WORLD_WORKERS = 3 };

extern leat_runtime world;
extern leat_i_worker world_worker[WORLD_WORKERS];

void world_begin(uint32_t worker_count);
void world_loop(void *worker);                         /* a thread of the model: until the world stops */
void world_be(leat_i_worker *w);                       /* this thread is that worker */
void world_publish(leat_i_worker *w, leat_i_job *job); /* as task_publish in task.c, with memory for it */
void world_poll(leat_i_worker *w);
void world_stop(void); /* as the end of a runtime: the workers end when they have nothing to do */

#endif
