/* text_file.h: reads a whole small text, such as a prompt template. */
#ifndef LEAT_I_CLI_TEXT_FILE_H
#define LEAT_I_CLI_TEXT_FILE_H

#include <stddef.h>

#include "leat/base.h"

#include "../base/mem.h"

enum { LEAT_I_TEXT_FILE_BYTES_MAX = 16 * 1024 * 1024 };

/* Gives the file's text, NUL-ended, without a byte order mark, in the arena. LEAT_INPUT or LEAT_NOMEM: `why` is a sentence that
 * names the file. */
leat_err leat_i_text_file_read(const char *path, leat_i_arena *arena, const char **text, char *why, size_t why_bytes);

#endif
