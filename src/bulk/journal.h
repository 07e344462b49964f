/*
 * journal.h: the output as a journal: opened, locked, checked against its settings, read, repaired. Rows are then appended by the
 * writer.
 *
 * What stands on the disk at any moment, a kill at any call included:
 *   OUT            rows, each whole, but the last, which may be torn; or empty
 *   OUT.leat       the settings of those rows; older than them, or missing, only while OUT is empty
 *   OUT.saved      the rows of an OUT that was removed while they were written (lost.h); nobody's but the user's
 *   OUT.leat.tmp, OUT.leat.rows   left by a kill: worth nothing, removed by the next run that needs the name
 *
 * Opening, in this order: open, lock, is it still the file of that name, settings compared,
 * rows read, torn tail cut, [rows to ask again taken out: temporary file, fsync, rename, fsync of the folder], settings saved.
 * With --overwrite the rows that stand there, and OUT.leat, are left alone until the first new row is to be written: a run that gets none
 * (a wrong key, an endpoint that is not there) takes nothing away. Then: cut to nothing, fsync, settings saved.
 * Only then is anything asked. The lock belongs to the open file and goes with the process, however it ends.
 */
#ifndef LEAT_I_BULK_JOURNAL_H
#define LEAT_I_BULK_JOURNAL_H

#include "leat/bulk.h"

#include "../base/atomics.h"
#include "../base/buf.h"
#include "ids.h"
#include "scan.h"
#include "settings.h"

typedef struct leat_i_journal {
    const char *path;           /* borrowed */
    int fd;                     /* -1 = closed */
    bool standard;              /* standard output, which belongs to the program: it is not closed */
    bool regular;               /* a file: rows are appended at `bytes`, and a torn one can be cut */
    bool resumable;             /* a file of our own, with OUT.leat and lock */
    const int *stop_signal;     /* borrowed; ends what may take long; NULL = nothing does */
    leat_i_ids retried;         /* keys of the rows that were taken out to be asked again, marked DONE */
    bool created;               /* neither it nor OUT.leat was there before */
    bool foreign;               /* refused, since it holds what leat has not written */
    bool begins_anew;           /* rows of an earlier run still stand there, and go with the first new one */
    leat_i_buf anew;            /* OUT.leat for then */
    int folder_fd;              /* see lost.h; -1 = none */
    LEAT_ATOMIC(int64_t) bytes; /* of whole rows; written by who writes them */
    uint64_t rows, rows_failed, rows_dropped;
    int64_t torn_bytes;      /* cut off */
    uint64_t bad_rows;       /* dropped by force */
    uint64_t first_bad_line; /* of those */
    char earlier[512];       /* a sentence about rows from other settings; "" = there are none */
} leat_i_journal;

/* Opens the output for a run with these options and settings, and marks the keys of its rows as done. May block (a named pipe).
 * LEAT_LOCKED, LEAT_MISMATCH, LEAT_IO, LEAT_USAGE, LEAT_NOMEM with a sentence; nothing was lost then. */
leat_err leat_i_journal_open(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now, leat_i_ids *ids,
                             leat_error *error);
/* The same without lock, repair or any change: for looking. Rows stay 0 when there is no output yet. */
leat_err leat_i_journal_look(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now, leat_i_ids *ids,
                             leat_error *error);
/* Before the first row: takes away what --overwrite is to take away. 0 or -errno. */
int leat_i_journal_begin(leat_i_journal *j);
/* Takes an output away that this run has made, with OUT.leat, if it holds nothing. Before it is closed. */
void leat_i_journal_discard(leat_i_journal *j);
leat_err leat_i_journal_close(leat_i_journal *j, leat_error *error);

#endif
