/*
 * source.h: the bytes of one input: a file, a pipe or standard input, unpacked when they are gzip (told by their first bytes).
 */
#ifndef LEAT_I_BULK_SOURCE_H
#define LEAT_I_BULK_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/atomics.h"

typedef struct leat_i_source { /* zeroed memory is a closed source */
    bool open;
    bool standard; /* standard input, which belongs to the program: it is read, never closed */
    int fd;
    /* NULL = the input never waits; else a wait for it ends, with -ECANCELED, once this is true. */
    const LEAT_ATOMIC(bool) * stop;
    bool end; /* the last read gave 0 */
    bool gzip;
    struct leat_i_gunzip *gz; /* NULL unless gzip */
    unsigned char first[8];   /* bytes read ahead to tell gzip from text */
    size_t first_bytes, first_at;
    uint64_t bytes; /* taken from the input so far, packed as they are there */
    int64_t size;   /* of a regular file, when it was opened; else 0 */
} leat_i_source;

/* `path` "-" is standard input. 0 or -errno. Waits for the first bytes of a pipe, as long as it takes. */
int leat_i_source_open(leat_i_source *s, const char *path);
/* The same, but any wait for a pipe, in later reads too, ends with -ECANCELED once `*stop` is true. */
int leat_i_source_open_until(leat_i_source *s, const char *path, const LEAT_ATOMIC(bool) * stop);
/* Bytes given (at most `size`), 0 at the end, -errno; -EBADMSG when compressed data is damaged, -ENODATA when it ends early,
 * -EPIPE when the file has become shorter since it was opened, -ECANCELED after a stop. May wait for a pipe. */
ssize_t leat_i_source_read(leat_i_source *s, void *buf, size_t size);
void leat_i_source_close(leat_i_source *s); /* fine when closed */

/* Why an input could not be read, in words; `text` is room for them. */
const char *leat_i_source_why(int rc, char *text, size_t size);

#endif
