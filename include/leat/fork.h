/*
 * leat/fork.h: parallel loops for C code that does not wait.
 *
 * The callbacks here are plain: they get no task, so they can call nothing that suspends.
 *
 * Source: Tzannes, Caragea, Barua, Vishkin, "Lazy binary-splitting" (PPoPP 2010); the timed blocks are our own, so that no grain is
 * needed.
 */
#ifndef LEAT_FORK_H
#define LEAT_FORK_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Works on the indices begin .. end - 1. Runs on any worker, in parallel with other ranges of the same loop. */
typedef void (*leat_range_fn)(void *arg, size_t begin, size_t end);

/**
 * Calls `fn` on ranges that together cover 0 .. count - 1, each index exactly once, on all workers that are free.
 *
 * Suspends: yes, until every range is done; a cancel stops handing out ranges, those begun are waited for.
 * Threads:  from the task `t` only.
 * Owns:     `arg` is borrowed during the call.
 * Shape:    `fn` gets `arg` and a range; ranges do not overlap.
 * Units:    no grain is needed: a range is split in half when a worker is hungry, else run in blocks timed to some 20 us.
 * Errors:   LEAT_CANCELED or LEAT_TIMEOUT when not all indices were covered; LEAT_USAGE without `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_for(leat_task *t, size_t count, leat_range_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
