/*
 * slots.h: who may be at the endpoint: `count` turns, given first to documents that come back from a retry wait, then to new ones.
 *
 * A turn is taken before a document's first request and given back when its row was handed to write(2), or while it waits to try
 * again. Each side waits in the order of asking.
 */
#ifndef LEAT_I_BULK_SLOTS_H
#define LEAT_I_BULK_SLOTS_H

#include "../base/lock.h"
#include "../sched/sched.h"

typedef enum leat_i_slot_kind { LEAT_I_SLOT_RETRY, LEAT_I_SLOT_NEW, LEAT_I_SLOT_KIND_COUNT } leat_i_slot_kind;

typedef struct leat_i_slots {
    leat_i_lock lock;
    uint32_t free_count;
    struct leat_i_slot_wait *first[LEAT_I_SLOT_KIND_COUNT], *last[LEAT_I_SLOT_KIND_COUNT];
} leat_i_slots;

void leat_i_slots_init(leat_i_slots *s, uint32_t count);
/* Suspends until a turn is free. LEAT_CANCELED, LEAT_TIMEOUT: none is held then. */
leat_err leat_i_slots_take(leat_task *t, leat_i_slots *s, leat_i_slot_kind kind);
/* Gives a turn to whoever is next; true when nobody was waiting for it. */
bool leat_i_slots_give(leat_i_slots *s);
/* Whether a document that comes back from a retry wait is waiting for a turn. */
bool leat_i_slots_wanted(leat_i_slots *s);

#endif
