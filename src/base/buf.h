/* buf.h: a growable byte buffer with a stated maximum. Zeroed memory with `max` set is a valid empty buffer. */
#ifndef LEAT_I_BUF_H
#define LEAT_I_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct leat_i_buf {
    char *data;  /* NULL while empty; always has room for, and ends with, a NUL after `size` once not NULL */
    size_t size; /* bytes in use */
    size_t room; /* bytes allocated */
    size_t max;  /* bytes that `size` never passes; 0 = no limit */
    bool failed; /* sticky: memory was short or max was passed; data stays as it was before the failing append */
} leat_i_buf;

bool leat_i_buf_append(leat_i_buf *b, const void *data, size_t size); /* false = failed, now or earlier */
bool leat_i_buf_puts(leat_i_buf *b, const char *s);
bool leat_i_buf_printf(leat_i_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool leat_i_buf_put_u64(leat_i_buf *b, unsigned long long v);
/* Room for `size` more bytes at the end, to be filled and then added to `size`; NULL = failed. */
char *leat_i_buf_grow(leat_i_buf *b, size_t size);
void leat_i_buf_clear(leat_i_buf *b); /* keeps the memory; failed is reset */
char *leat_i_buf_take(leat_i_buf *b); /* a copy for the user, who gives it to free(); NULL = failed. Empties as fini does */
void leat_i_buf_fini(leat_i_buf *b);  /* frees; leaves it empty, max kept */

#endif
