/* clean.h: text for places that allow no surprises: keys in rows, and lines on a terminal. */
#ifndef LEAT_I_CLEAN_H
#define LEAT_I_CLEAN_H

#include "buf.h"
#include "mem.h"

/* The name of a file as text: `text` itself where that is valid UTF-8, else a copy in the arena with \xNN for each byte that is not.
 * Two names are never the same: what looks like \xNN already has \x5c for its backslash. NULL = memory is short. */
const char *leat_i_clean_name(const char *text, size_t bytes, leat_i_arena *arena, size_t *clean_bytes);
/* Appends text so that it cannot move a cursor, change a colour or begin a line: control characters (C0, DEL, C1) become \xNN, and
 * what is not UTF-8 too. At most `max` bytes of `text` are taken. */
void leat_i_clean_put(leat_i_buf *b, const char *text, size_t max);

#endif
