/* asked.h: how often the user has asked a run to stop: 1 = drain, 2 = at once. */
#ifndef LEAT_I_BULK_ASKED_H
#define LEAT_I_BULK_ASKED_H

#include "../base/atomics.h"

/* Written by the program's signal thread; an atomic read of what is a plain int to the caller. NULL = nobody can ask. */
static inline int leat_i_asked_to_stop(const int *stop_signal)
{
    return stop_signal ? leat_load_relaxed((const LEAT_ATOMIC(int) *)stop_signal) : 0;
}

#endif
