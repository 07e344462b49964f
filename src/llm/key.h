/*
 * key.h: where the key comes from.
 */
#ifndef LEAT_I_KEY_H
#define LEAT_I_KEY_H

#include <stddef.h>

#include "leat/base.h"

#define LEAT_I_KEY_BYTES_MAX 16384

/* Reads the key from `file`, else from the variable `env`. *key = NULL when there is none; heap, wipe with leat_i_key_free.
 * LEAT_DENIED for a file that others can read or that cannot be read, LEAT_USAGE for a key that cannot stand in a header. */
leat_err leat_i_key_read(char **key, const char *file, const char *env, leat_error *error);
/* Whether a file that holds a key, which somebody else will read, is there, and closed to others; else LEAT_DENIED. */
leat_err leat_i_key_file_check(const char *file, leat_error *error);
void leat_i_key_free(char *key);

#endif
