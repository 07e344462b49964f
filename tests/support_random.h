/* support_random.h: random numbers of a test, from a seed that repeats it: those of the product, and what tests like to ask. */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include "base/os.h"

/* 0 to end - 1. */
static inline int64_t random_below(uint64_t *seed, int64_t end)
{
    return (int64_t)(leat_i_rand_next(seed) % (uint64_t)end);
}

#endif
