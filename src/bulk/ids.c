/*
 * ids.c: the set of ids: open addressing with linear probing, in shards that grow one by one.
 *
 * Memory is the point. A table that doubles needs 3 times its old size while it grows and stands half empty after; here 64
 * shards grow by a third each, on their own, so that the copy adds 1/64 and the load stays between 0.63 and 0.85. Shards over
 * 64 KiB are mapped, not allocated: what one gives back goes to the system at once and leaves no hole in the heap.
 */
#include "ids.h"

#include <string.h>
#include <xxhash.h>

#include "../base/mem.h"
#include "../base/os.h"

enum {
    IDS_FLAG_MASK = 7,
    IDS_CHECK_SHIFT = 3,
    IDS_ROOM_MIN = 32,
    IDS_MAPPED_BYTES_MIN = 64 * 1024,
};

#define IDS_KEY_MASK (~(uint64_t)0 << (32 + IDS_CHECK_SHIFT))

static struct leat_i_id id_of(const char *key, size_t key_bytes)
{
    XXH128_hash_t h = XXH3_128bits(key, key_bytes);
    return (struct leat_i_id){ .low = h.low64 & IDS_KEY_MASK, .high = h.high64 };
}

static size_t shard_index(struct leat_i_id id)
{
    return (size_t)(id.high >> 58);
}

/* The place where the search for `id` starts: the hash below the shard's bits, scaled to the room. */
static uint32_t place_first(struct leat_i_id id, uint32_t room)
{
    return (uint32_t)((((id.high << 6) >> 32) * (uint64_t)room) >> 32);
}

/* Gives the place that holds `id`, or the free one where it would go. There is always a free one. */
static struct leat_i_id *place_find(const struct leat_i_ids_shard *s, struct leat_i_id id)
{
    uint32_t i = place_first(id, s->room);
    for (;;) {
        struct leat_i_id *p = &s->place[i];
        if ((p->low & IDS_FLAG_MASK) == 0) return p;
        if (p->high == id.high && (p->low & IDS_KEY_MASK) == id.low) return p;
        if (++i == s->room) i = 0;
    }
}

static struct leat_i_id *places_new(uint32_t room)
{
    size_t bytes = (size_t)room * sizeof(struct leat_i_id);
    return bytes < IDS_MAPPED_BYTES_MIN ? leat_i_alloc_zeroed(bytes) : leat_i_os_reserve(bytes);
}

static void places_free(struct leat_i_id *place, uint32_t room)
{
    size_t bytes = (size_t)room * sizeof(struct leat_i_id);
    if (bytes < IDS_MAPPED_BYTES_MIN)
        leat_i_free(place);
    else
        leat_i_os_release(place, bytes);
}

static bool shard_grow(struct leat_i_ids_shard *s)
{
    uint64_t room = s->room < IDS_ROOM_MIN ? IDS_ROOM_MIN : (uint64_t)s->room + s->room / 3 + 1;
    if (room > UINT32_MAX) return false;
    struct leat_i_ids_shard bigger = { .count = s->count, .room = (uint32_t)room };
    bigger.place = places_new(bigger.room);
    if (!bigger.place) return false;
    for (uint32_t i = 0; i < s->room; i++) {
        struct leat_i_id id = s->place[i];
        if ((id.low & IDS_FLAG_MASK) == 0) continue;
        struct leat_i_id bare = { .low = id.low & IDS_KEY_MASK, .high = id.high };
        *place_find(&bigger, bare) = id;
    }
    if (s->place) places_free(s->place, s->room);
    *s = bigger;
    return true;
}

bool leat_i_ids_mark(leat_i_ids *ids, const char *key, size_t key_bytes, uint32_t flags, uint32_t *before)
{
    struct leat_i_id id = id_of(key, key_bytes);
    struct leat_i_ids_shard *s = &ids->shard[shard_index(id)];
    if ((uint64_t)(s->count + 1) * 20 > (uint64_t)s->room * 17 && !shard_grow(s)) return false;
    struct leat_i_id *p = place_find(s, id);
    *before = (uint32_t)(p->low & IDS_FLAG_MASK);
    if (*before == 0 && flags != 0) {
        *p = id;
        s->count++;
    }
    p->low |= flags & IDS_FLAG_MASK;
    return true;
}

static struct leat_i_id *id_find(const leat_i_ids *ids, const char *key, size_t key_bytes)
{
    struct leat_i_id id = id_of(key, key_bytes);
    const struct leat_i_ids_shard *s = &ids->shard[shard_index(id)];
    struct leat_i_id *p = s->room ? place_find(s, id) : NULL;
    return p && (p->low & IDS_FLAG_MASK) ? p : NULL;
}

uint32_t leat_i_ids_flags(const leat_i_ids *ids, const char *key, size_t key_bytes)
{
    const struct leat_i_id *p = id_find(ids, key, key_bytes);
    return p ? (uint32_t)(p->low & IDS_FLAG_MASK) : 0;
}

void leat_i_ids_set_check(leat_i_ids *ids, const char *key, size_t key_bytes, uint32_t check)
{
    struct leat_i_id *p = id_find(ids, key, key_bytes);
    if (p) p->low = (p->low & (IDS_KEY_MASK | IDS_FLAG_MASK)) | (uint64_t)check << IDS_CHECK_SHIFT;
}

uint32_t leat_i_ids_check(const leat_i_ids *ids, const char *key, size_t key_bytes)
{
    const struct leat_i_id *p = id_find(ids, key, key_bytes);
    return p ? (uint32_t)(p->low >> IDS_CHECK_SHIFT) : 0;
}

uint64_t leat_i_ids_count(const leat_i_ids *ids)
{
    uint64_t n = 0;
    for (size_t i = 0; i < LEAT_I_ID_SHARD_COUNT; i++)
        n += ids->shard[i].count;
    return n;
}

uint64_t leat_i_ids_bytes(const leat_i_ids *ids)
{
    uint64_t n = 0;
    for (size_t i = 0; i < LEAT_I_ID_SHARD_COUNT; i++)
        n += (uint64_t)ids->shard[i].room * sizeof(struct leat_i_id);
    return n;
}

void leat_i_ids_fini(leat_i_ids *ids)
{
    for (size_t i = 0; i < LEAT_I_ID_SHARD_COUNT; i++)
        if (ids->shard[i].place) places_free(ids->shard[i].place, ids->shard[i].room);
    memset(ids, 0, sizeof *ids);
}
