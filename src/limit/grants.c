/* grants.c: see grants.h. Block k holds 64 << k places; index i (0-based) lies in the block of the highest bit of i / 64 + 1. */
#include "grants.h"

#include "../base/check.h"
#include "../base/mem.h"

static uint32_t block_of(uint32_t index)
{
    return 31u - (uint32_t)__builtin_clz(index / LEAT_I_GRANTS_BLOCK_FIRST + 1);
}

static uint32_t block_first(uint32_t block)
{
    return LEAT_I_GRANTS_BLOCK_FIRST * ((1u << block) - 1);
}

static leat_i_grant_place *place_at(const leat_i_grants *g, uint32_t index)
{
    uint32_t block = block_of(index);
    return &g->block[block][index - block_first(block)];
}

static uint64_t id_of(uint32_t index, uint32_t use)
{
    return (uint64_t)use << 32 | (index + 1);
}

static bool grants_grow(leat_i_grants *g)
{
    if (g->block_count == LEAT_I_GRANTS_BLOCKS) return false;
    uint32_t block = g->block_count, count = LEAT_I_GRANTS_BLOCK_FIRST << block;
    leat_i_grant_place *place = leat_i_alloc_zeroed(count * sizeof *place);
    if (!place) return false;
    uint32_t first = block_first(block);
    for (uint32_t i = 0; i < count; i++)
        place[i].next_free = i + 1 < count ? first + i + 2 : 0;
    g->block[block] = place;
    g->block_count++;
    g->free = first + 1;
    return true;
}

leat_i_grant_place *leat_i_grants_open(leat_i_grants *g, void *owner, uint64_t *id)
{
    if (g->free == 0 && !grants_grow(g)) return NULL;
    uint32_t index = g->free - 1;
    leat_i_grant_place *place = place_at(g, index);
    g->free = place->next_free;
    g->open_count++;
    place->next_free = index + 1;
    place->owner = owner;
    place->use++;
    LEAT_ASSERT(place->use % 2 == 1);
    *id = id_of(index, place->use);
    return place;
}

leat_i_grant_place *leat_i_grants_find(leat_i_grants *g, uint64_t id)
{
    uint32_t index = (uint32_t)id - 1;
    if ((uint32_t)id == 0 || index >= block_first(g->block_count)) return NULL;
    leat_i_grant_place *place = place_at(g, index);
    return place->use == (uint32_t)(id >> 32) && place->use % 2 == 1 ? place : NULL;
}

void *leat_i_grants_close(leat_i_grants *g, leat_i_grant_place *place)
{
    LEAT_ASSERT(place->use % 2 == 1);
    uint32_t own = place->next_free;
    place->use++;
    place->next_free = g->free;
    g->free = own;
    g->open_count--;
    return place->owner;
}

void leat_i_grants_fini(leat_i_grants *g)
{
    for (uint32_t i = 0; i < g->block_count; i++)
        leat_i_free(g->block[i]);
    *g = (leat_i_grants){ 0 };
}
