/*
 * ids.h: the set of all ids of a run, 16 bytes each and at most 26 with the free places: what makes "exactly once" cheap.
 *
 * An id is the XXH3-128 of a key. 93 bits of it are compared (a hundred million keys collide with a chance of 5 * 10^-13); the
 * others give way to three flags, and to 32 bits that tell what text the key's row was made from. One caller at a time; zeroed
 * memory is a valid empty set.
 */
#ifndef LEAT_I_BULK_IDS_H
#define LEAT_I_BULK_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEAT_I_ID_DONE = 1, /* a complete row with this key stands in the output */
    LEAT_I_ID_SEEN = 2, /* this run's reader has met the key in the input */
    LEAT_I_ID_MET = 4,  /* the pass that compares rows with the input, before a run goes on, has met it there */
    LEAT_I_ID_SHARD_COUNT = 64,
};

typedef struct leat_i_ids {
    struct leat_i_ids_shard {
        struct leat_i_id {
            uint64_t low, high; /* low: 29 bits of the key, 32 of the check, 3 flags; no flag = a free place */
        } * place;
        uint32_t count, room;
    } shard[LEAT_I_ID_SHARD_COUNT];
} leat_i_ids;

/* Sets `flags` on the key, which is added when it is new, and gives the flags that it had. False = memory is short; nothing
 * has changed then. */
bool leat_i_ids_mark(leat_i_ids *ids, const char *key, size_t key_bytes, uint32_t flags, uint32_t *before);
/* The flags of the key; 0 = not in the set. */
uint32_t leat_i_ids_flags(const leat_i_ids *ids, const char *key, size_t key_bytes);
/* Keeps 32 bits beside a key that is in the set, and gives them back (0 = none were kept, or it is not in the set). */
void leat_i_ids_set_check(leat_i_ids *ids, const char *key, size_t key_bytes, uint32_t check);
uint32_t leat_i_ids_check(const leat_i_ids *ids, const char *key, size_t key_bytes);
uint64_t leat_i_ids_count(const leat_i_ids *ids);
uint64_t leat_i_ids_bytes(const leat_i_ids *ids); /* memory of the places */
void leat_i_ids_fini(leat_i_ids *ids);

#endif
