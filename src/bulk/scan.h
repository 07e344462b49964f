/*
 * scan.h: reads the rows of an output, first to last, when a run goes on.
 *
 * A row is done when its line is whole. What follows the last LF is the torn tail of a killed write: it is no row. A line in the
 * middle that is not a good row was not torn by a kill (a group is one write, and only the end of a file can be cut): somebody or
 * something changed it, and that is told, never passed over. What is no row at all is somebody's: it is never dropped or cut.
 */
#ifndef LEAT_I_BULK_SCAN_H
#define LEAT_I_BULK_SCAN_H

#include "leat/bulk.h"

#include "ids.h"
#include "row.h"

typedef struct leat_i_scan_opts {
    bool extras;                    /* rows must have a right sum */
    bool any_form;                  /* rows with or without a sum: the output's own settings are not known */
    bool drop_bad;                  /* damaged rows are dropped (and so asked again) instead of refused */
    uint32_t unmet;                 /* not 0: nothing is marked; a row is refused whose key has none of these flags */
    leat_i_ids *retried;            /* gets the keys of rows that retry_failed drops, marked DONE; NULL = nobody asks */
    const char *retry_failed;       /* failed rows are dropped: NULL = none, "" = all, else those of this class */
    struct leat_i_earlier *earlier; /* whose until_row becomes the number of kept rows up to there; may be NULL */
    size_t earlier_count;
    const int *stop_signal; /* ends the reading; NULL = nothing does */
} leat_i_scan_opts;

typedef struct leat_i_scan {
    int64_t bytes;         /* up to the end of the last whole line */
    int64_t torn_bytes;    /* behind it */
    uint64_t rows, failed; /* kept rows, and those of them that failed */
    bool foreign;          /* refused, since there is something that leat has not written: it is never dropped */
    uint64_t bad;          /* lines dropped because they are no good rows */
    uint64_t first_bad_line;
    const char *first_bad_why;
    struct leat_i_scan_range { /* lines to leave out, in order; heap */
        int64_t at, bytes;
    } * drop;
    size_t drop_count, drop_room;
} leat_i_scan;

/* Reads the rows of `fd` and marks the keys of those kept as DONE. LEAT_MISMATCH and a sentence that names the line for a bad one
 * (unless drop_bad); LEAT_IO, LEAT_NOMEM, LEAT_CANCELED. `path` is for sentences. fini is due in any case. */
leat_err leat_i_scan_run(leat_i_scan *s, int fd, const char *path, const leat_i_scan_opts *opts, leat_i_ids *ids,
                         leat_error *error);
void leat_i_scan_fini(leat_i_scan *s);

#endif
