/*
 * mailbox.h: a worker's own way to hand exchanges to the loop: one producer (the worker's thread), one consumer (the loop's).
 *
 * Behind it stands Concurrency Kit's single-producer ring. That ring is correct on both architectures, but its copies are plain
 * and its fences are inline assembly, which ThreadSanitizer does not see: so each hand-over is announced to it here. The ring is
 * bounded on purpose: a worker that fills it lets others run and tries again, and the loop catches up meanwhile.
 */
#ifndef LEAT_I_MAILBOX_H
#define LEAT_I_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_I_MAILBOX_ROOM 1023u /* pointers; the ring keeps one of its places free */

typedef struct leat_i_mailbox leat_i_mailbox;

leat_i_mailbox *leat_i_mailbox_new(void); /* NULL when memory is short */
void leat_i_mailbox_free(leat_i_mailbox *box);

bool leat_i_mailbox_put_owner(leat_i_mailbox *box, void *item); /* false = full */
void *leat_i_mailbox_take_loop(leat_i_mailbox *box);            /* NULL = empty */
bool leat_i_mailbox_is_empty(leat_i_mailbox *box);

/* The list of a loop's mailboxes: set before the box is published, read by the loop. */
leat_i_mailbox *leat_i_mailbox_next(const leat_i_mailbox *box);
void leat_i_mailbox_set_next(leat_i_mailbox *box, leat_i_mailbox *next);

#endif
