/*
 * reader.h: takes the inputs apart into pieces: lines, or paths of files. Streaming: it holds one buffer and no more.
 *
 * Two calls, so that the caller decides where blocking may happen: `take` gives the next piece out of what has been read, and
 * at most looks into folders; when it says MORE, `fill` reads on (or opens the next input). One caller at a time.
 *
 * Lines end with LF or CRLF, the last one with the end of its file too; a byte order mark is skipped; blank lines count but give
 * no piece. A line longer than the limit gives a piece without text, and the reader goes on behind its end. A row of a table may
 * have line ends inside quotes; it has the number of its first line.
 */
#ifndef LEAT_I_BULK_READER_H
#define LEAT_I_BULK_READER_H

#include "leat/bulk.h"

#include "csv.h"
#include "source.h"
#include "tree.h"

typedef struct leat_i_piece {
    uint64_t number;    /* 1-based, over all inputs: line or file */
    uint64_t file_line; /* 1-based, in its input; 0 for files */
    const char *path;   /* the input's path, or the file's; valid until the next take */
    const char *text;   /* the line without its end, in the reader's buffer until the next take; NULL = none */
    size_t bytes;
    bool is_head;  /* the first row of a table: no document */
    char why[160]; /* "" = good; else what is wrong with it (too long, unreadable) */
} leat_i_piece;

typedef enum leat_i_take { LEAT_I_TAKE_PIECE, LEAT_I_TAKE_MORE, LEAT_I_TAKE_END } leat_i_take;

typedef struct leat_i_reader {
    const char *const *input; /* borrowed */
    size_t input_count, input_at;
    bool files;     /* pieces are paths */
    bool may_block; /* an input is a pipe or a terminal: fill through leat_blocking */
    size_t line_bytes_max;
    const LEAT_ATOMIC(bool) * stop; /* ends a wait for input; NULL = nothing does */
    uint64_t number, file_line;
    uint64_t bytes_total; /* of all inputs as they lie on the disk; 0 = not known (pipes, folders) */
    uint64_t bytes_done;  /* of the inputs before the current one */

    leat_i_source source;
    char *buf;
    uint64_t unpacked;                /* bytes that the current source gave */
    size_t room, start, end, scanned; /* buf[start..end) is unread, of that `scanned` bytes hold no LF */
    bool at_start;                    /* nothing of this source was taken: a byte order mark may come */
    bool dropping;                    /* inside a line that is too long */

    bool table;           /* lines are rows of a table */
    bool head_given;      /* of the current one */
    char separator;       /* of its columns */
    leat_i_csv_scan scan; /* how far its next row has been searched for its end */
    uint64_t inside;      /* line ends inside the row, as far as it was dropped */

    leat_i_tree tree;
    bool in_tree;
} leat_i_reader;

/* Looks at the inputs. LEAT_INPUT with a sentence when one is missing or cannot be read; LEAT_USAGE, LEAT_NOMEM. */
leat_err leat_i_reader_init(leat_i_reader *r, const leat_bulk_opts *opts, leat_error *error);
leat_i_take leat_i_reader_take(leat_i_reader *r, leat_i_piece *piece);
/* Reads on. LEAT_INPUT (unreadable or damaged input), LEAT_IO, LEAT_NOMEM, with a sentence. */
leat_err leat_i_reader_fill(leat_i_reader *r, leat_error *error);
/* Of the pieces given so far, as they lie on the disk (packed: about). */
uint64_t leat_i_reader_bytes(const leat_i_reader *r);
void leat_i_reader_fini(leat_i_reader *r);

#endif
