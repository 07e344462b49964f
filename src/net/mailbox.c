/* mailbox.c: see mailbox.h; the only file that includes ck_ring.h. */
#include "mailbox.h"

#include <string.h>

#include <ck_ring.h>

#include "../base/check.h"
#include "../base/mem.h"

/* This file is compiled without ThreadSanitizer (CMakeLists.txt), which would take the ring's plain copies for races; what it is
 * told instead is the meaning: everything before a put happens before everything after the take of that item. */
#ifdef LEAT_MAILBOX_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define HAND_OVER(addr) __tsan_release(addr)
#define TAKE_OVER(addr) __tsan_acquire(addr)
#else
#define HAND_OVER(addr) ((void)(addr))
#define TAKE_OVER(addr) ((void)(addr))
#endif

struct leat_i_mailbox {
    ck_ring_t ring;
    leat_i_mailbox *next;
    /* Where the consumer's copy lands: in memory, so that the ring's store fence orders it before the slot is freed. */
    void *taken;
    ck_ring_buffer_t slot[LEAT_I_MAILBOX_ROOM + 1];
};

leat_i_mailbox *leat_i_mailbox_new(void)
{
    leat_i_mailbox *box = leat_i_alloc_aligned(LEAT_CACHE_LINE_BYTES, sizeof *box);
    if (!box) return NULL;
    memset(box, 0, sizeof *box);
    ck_ring_init(&box->ring, LEAT_I_MAILBOX_ROOM + 1);
    return box;
}

void leat_i_mailbox_free(leat_i_mailbox *box)
{
    leat_i_free(box);
}

bool leat_i_mailbox_put_owner(leat_i_mailbox *box, void *item)
{
    LEAT_ASSERT(item != NULL);
    HAND_OVER(box);
    return ck_ring_enqueue_spsc(&box->ring, box->slot, item);
}

void *leat_i_mailbox_take_loop(leat_i_mailbox *box)
{
    if (!ck_ring_dequeue_spsc(&box->ring, box->slot, &box->taken)) return NULL;
    TAKE_OVER(box);
    return box->taken;
}

bool leat_i_mailbox_is_empty(leat_i_mailbox *box)
{
    return ck_ring_size(&box->ring) == 0;
}

leat_i_mailbox *leat_i_mailbox_next(const leat_i_mailbox *box)
{
    return box->next;
}

void leat_i_mailbox_set_next(leat_i_mailbox *box, leat_i_mailbox *next)
{
    box->next = next;
}
