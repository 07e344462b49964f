/* text_file.h: reads a whole small text, such as a prompt template. */
#ifndef LEAT_I_CLI_TEXT_FILE_H
#define LEAT_I_CLI_TEXT_FILE_H

#include <stddef.h>

#include "../base/mem.h"

enum { LEAT_I_TEXT_FILE_BYTES_MAX = 16 * 1024 * 1024 };

/* The file's text, NUL-ended, without a byte order mark, in the arena. NULL: `why` is a sentence that names the file. */
const char *leat_i_text_file_read(const char *path, leat_i_arena *arena, char *why, size_t why_bytes);

#endif
