/* peek.h: the beginning of an input, for who wants to know what it is before a run reads it. */
#ifndef LEAT_I_BULK_PEEK_H
#define LEAT_I_BULK_PEEK_H

#include <stddef.h>
#include <sys/types.h>

/* Reads up to `size` bytes from the start of a file, unpacked when it is gzip. Bytes read, or -errno (-EBADMSG: damaged, -ENODATA:
 * it ends early). Not for pipes: what they give can be read only once. */
ssize_t leat_i_input_peek(const char *path, char *buf, size_t size);

#endif
