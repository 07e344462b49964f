/*
 * key.h: where the key comes from, and how it stays out of everything that is written.
 */
#ifndef LEAT_I_KEY_H
#define LEAT_I_KEY_H

#include <stddef.h>

#include "leat/base.h"

#define LEAT_I_KEY_BYTES_MAX    16384
#define LEAT_I_SECRETS_MAX      9
#define LEAT_I_SECRET_BYTES_MIN 6 /* shorter ones ("none", "x") are no secrets, and stand in ordinary words */

typedef struct leat_i_secrets { /* the key, and header values that look like one; heap, wiped when freed */
    char *value[LEAT_I_SECRETS_MAX];
    size_t count;
} leat_i_secrets;

/* Reads the key from `file`, else from the variable `env`. *key = NULL when there is none; heap, wipe with leat_i_key_free.
 * LEAT_DENIED for a file that others can read or that cannot be read, LEAT_USAGE for a key that cannot stand in a header. */
leat_err leat_i_key_read(char **key, const char *file, const char *env, leat_error *error);
void leat_i_key_free(char *key);

leat_err leat_i_secrets_add(leat_i_secrets *s,
                            const char *value); /* copied; short ones and those past the maximum are left out */
/* Adds the value of a header line whose name speaks of a key, a token, a secret or authorization. */
leat_err leat_i_secrets_add_header(leat_i_secrets *s, const char *line);
void leat_i_secrets_fini(leat_i_secrets *s);

/* Replaces each secret in `text` by "***", in place; gives the new size. `text` is NUL-ended. */
size_t leat_i_secrets_redact(const leat_i_secrets *s, char *text, size_t size);

#endif
