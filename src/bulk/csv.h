/*
 * csv.h: rows of a table: where one ends, and what it says as a JSON object whose members are the columns.
 *
 * As RFC 4180 has it, with LF or CRLF at the ends: a field that begins with a quote goes on to the next single one, and holds
 * separators, line ends and doubled quotes; in any other field a quote is text. The first row names the columns.
 */
#ifndef LEAT_I_BULK_CSV_H
#define LEAT_I_BULK_CSV_H

#include "leat/base.h"

#include "../base/buf.h"
#include "../base/mem.h"

enum { LEAT_I_CSV_COLUMNS_MAX = 4096 };

/* Where in a row a search for its end has come to; zeroed = at its beginning. */
typedef struct leat_i_csv_scan {
    enum { LEAT_I_CSV_BEGIN, LEAT_I_CSV_PLAIN, LEAT_I_CSV_QUOTED, LEAT_I_CSV_QUOTE } in;
} leat_i_csv_scan;

/* The LF that ends the row, in the next `size` bytes of it; NULL = it is not among them. */
const char *leat_i_csv_row_end(leat_i_csv_scan *scan, const char *text, size_t size, char separator);

/* Tab for a name that ends in .tsv (or .tsv.gz), else comma. */
char leat_i_csv_separator(const char *path);
/* Whether a name is that of a table: .csv, .tsv, and these with .gz. */
bool leat_i_csv_is_name(const char *path);

typedef struct leat_i_csv { /* zeroed = no header yet */
    leat_i_arena arena;     /* owns the names */
    char separator;
    const char **member; /* "name": of each column */
    size_t column_count; /* 0 = there is no header, or it was refused */
    leat_i_buf field;
    leat_i_buf object; /* of the row that was read last; of the header: one with empty fields */
} leat_i_csv;

/* Takes the names of the columns from the first row of the table `path`. LEAT_INPUT with a sentence in `why`; LEAT_NOMEM. */
leat_err leat_i_csv_head(leat_i_csv *c, const char *path, const char *text, size_t bytes, char *why, size_t why_bytes);
/* Reads a row, without its line end, into c->object; each field is a string. LEAT_INPUT with a sentence in `why`; LEAT_NOMEM. */
leat_err leat_i_csv_row(leat_i_csv *c, const char *text, size_t bytes, char *why, size_t why_bytes);
void leat_i_csv_fini(leat_i_csv *c);

#endif
