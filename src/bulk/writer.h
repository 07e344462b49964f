/*
 * writer.h: appends rows to the output, in groups: one write(2) for all rows that are ready together.
 *
 * A row joins the open group. If nobody is writing, its task becomes the leader: it lets the other ready tasks run once, so that
 * their rows join too, closes the group, writes it, wakes its members, and hands the lead to a member of the next group.
 * So at most one write is under way, a row is never split over two, and a group of many costs what one row costs.
 *
 * The first failure is final: what was written whole is kept, a torn row is cut off, every later row is refused.
 */
#ifndef LEAT_I_BULK_WRITER_H
#define LEAT_I_BULK_WRITER_H

#include "journal.h"

#include "../base/lock.h"
#include "../sched/sched.h"

typedef struct leat_i_write_group {
    leat_i_buf rows;
    struct leat_i_write_wait *first, *last;
} leat_i_write_group;

typedef struct leat_i_writer {
    leat_i_journal *journal; /* borrowed */
    leat_bulk_sync sync;
    leat_i_lock lock;
    leat_i_write_group group[2]; /* one is open, the other is written or empty; the open one is guarded by the lock */
    unsigned open;               /* guarded by the lock */
    bool leading;                /* somebody leads; guarded by the lock */
    leat_error error;            /* of the first failure; code LEAT_OK = none; guarded by the lock */
    LEAT_ATOMIC(bool) dirty;     /* rows were written since the last fsync (not with ROW) */
} leat_i_writer;

void leat_i_writer_init(leat_i_writer *w, leat_i_journal *journal, leat_bulk_sync sync);
/* Appends a row, LF included. Suspends until it was handed to write(2) (and fsynced, for LEAT_BULK_SYNC_ROW), whatever happens:
 * a cancel does not take a row back. LEAT_IO, LEAT_NOMEM or, when a pipe was given up, LEAT_CANCELED with the story in `*error`:
 * the row is not in the output then. */
leat_err leat_i_writer_put(leat_task *t, leat_i_writer *w, const char *row, size_t bytes, leat_error *error);
/* fsync of what was written since the last one; nothing when that is nothing. For GROUP: now and then. At the end in any case: who
 * is told that all is well has it on the disk; and it tells of a failure that met no row (all of the last group were whole). */
leat_err leat_i_writer_sync(leat_task *t, leat_i_writer *w, leat_error *error);
void leat_i_writer_fini(leat_i_writer *w);

#endif
