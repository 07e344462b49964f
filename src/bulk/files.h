/* files.h: small whole files that must not be lost, half written, or written through somebody's link. */
#ifndef LEAT_I_BULK_FILES_H
#define LEAT_I_BULK_FILES_H

#include <stddef.h>

#include "../base/buf.h"

/* What a run keeps beside an output OUT: its settings, and two files that are there only while they are written. */
#define LEAT_I_SETTINGS_END ".leat"
#define LEAT_I_TMP_END      ".tmp" /* behind the name of the file that is replaced */
#define LEAT_I_ROWS_END     ".leat.rows"
#define LEAT_I_OUTPUT_ENDS  LEAT_I_SETTINGS_END, LEAT_I_SETTINGS_END LEAT_I_TMP_END, LEAT_I_ROWS_END

/* Makes a file of our own, mode 0600, for reading and writing at its end. What stands under the name (left by a run that was
 * killed, or a link) is removed first. The descriptor, or -errno. */
int leat_i_file_create(const char *path);
/* Replaces `path` by these bytes so that at any moment, a power cut included, it is the old file or the new one whole.
 * 0 or -errno. Uses `path`.tmp. */
int leat_i_file_replace(const char *path, const void *data, size_t size);
/* Reads a regular file whole, following no link. 0 or -errno; -EFBIG past b->max. */
int leat_i_file_read(const char *path, leat_i_buf *b);
/* Makes the rename of `from`, already written and closed or still open, to `to` lasting. 0 or -errno. */
int leat_i_file_rename_durable(const char *from, const char *to);

#endif
