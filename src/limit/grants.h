/*
 * grants.h: what each open grant took, found by its id. One caller at a time.
 *
 * An id is a place and the number of times that the place was used, so an id that was settled is never taken for another grant:
 * settling twice, or after the task's end has settled it, does nothing. Places lie in blocks that double and never move.
 */
#ifndef LEAT_I_GRANTS_H
#define LEAT_I_GRANTS_H

#include "budget.h"

enum { LEAT_I_GRANTS_BLOCK_FIRST = 64, LEAT_I_GRANTS_BLOCKS = 24 };

typedef struct leat_i_grant_place {
    uint32_t use;       /* odd = open */
    uint32_t member;    /* of the limiter: whose budget was charged */
    uint32_t next_free; /* while free: 1-based index of the next free place; 0 = none. While open: its own */
    leat_i_taken taken;
    void *owner; /* whom to tell when it is closed */
} leat_i_grant_place;

typedef struct leat_i_grants { /* zeroed memory is an empty table */
    leat_i_grant_place *block[LEAT_I_GRANTS_BLOCKS];
    uint32_t block_count;
    uint32_t free; /* 1-based index of a free place; 0 = none */
    uint32_t open_count;
} leat_i_grants;

/* Opens a place and gives its id; NULL = memory is short. */
leat_i_grant_place *leat_i_grants_open(leat_i_grants *g, void *owner, uint64_t *id);
/* The place of an open grant; NULL when it was closed, or never was. */
leat_i_grant_place *leat_i_grants_find(leat_i_grants *g, uint64_t id);
/* Closes an open place; answers its owner. */
void *leat_i_grants_close(leat_i_grants *g, leat_i_grant_place *place);
void leat_i_grants_fini(leat_i_grants *g);

#endif
