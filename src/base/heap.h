/*
 * heap.h: a 4-ary min-heap of timers; entries know their place, so that removing one is O(log n). No lock: one owner.
 */
#ifndef LEAT_I_HEAP_H
#define LEAT_I_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct leat_i_timer {
    int64_t when_ns;
    uint32_t place; /* 1-based position in the heap; 0 = not in it */
} leat_i_timer;

typedef struct leat_i_heap { /* zeroed memory is a valid empty heap */
    struct leat_i_heap_entry *entry;
    uint32_t count, room;
} leat_i_heap;

bool leat_i_heap_reserve(leat_i_heap *h, uint32_t room); /* so many fit without memory; false = memory is short */
/* The timer is in no heap; false = memory is short. */
bool leat_i_heap_add(leat_i_heap *h, leat_i_timer *timer, int64_t when_ns);
void leat_i_heap_remove(leat_i_heap *h, leat_i_timer *timer);      /* fine when it is not in */
leat_i_timer *leat_i_heap_first(const leat_i_heap *h);             /* NULL = empty */
int64_t leat_i_heap_first_ns(const leat_i_heap *h);                /* LEAT_I_NEVER_NS when empty */
leat_i_timer *leat_i_heap_pop_due(leat_i_heap *h, int64_t now_ns); /* removes and gives one that is due; NULL = none */
void leat_i_heap_fini(leat_i_heap *h);

#endif
