/*
 * secrets.h: how keys stay out of everything that is written.
 *
 * An endpoint may echo what it was sent: in an error ("incorrect API key: ..."), in a dump of the headers, in base64. What is
 * known as a secret is looked for in all that comes back: the whole of it everywhere, and in the words of failures any piece of
 * LEAT_I_SECRET_PIECE_BYTES too, for messages are cut and keys abbreviated. Each is searched in clear, as it stands in base64 of
 * either alphabet, and, in both forms, with any of its characters escaped as JSON or URLs do it. Whoever hides it better than that
 * has it already, and no file of ours would be where it is told.
 */
#ifndef LEAT_I_SECRETS_H
#define LEAT_I_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/base.h"

#define LEAT_I_SECRET_BYTES_MIN   6 /* shorter ones ("none", "x") are no secrets, and stand in ordinary words */
#define LEAT_I_SECRET_PIECE_BYTES 8
#define LEAT_I_SECRET_CHAINS      4096

typedef struct leat_i_secret_window { /* four neighbouring bytes of a form */
    uint32_t form, at;
    uint32_t before; /* the one of the same chain that was added before, + 1; 0 = none */
} leat_i_secret_window;

typedef struct leat_i_secrets { /* zeroed = none; heap, wiped when freed */
    char **form;                /* what is searched: seven or less for each secret */
    leat_i_secret_window *window;
    size_t form_count, form_room, window_count, window_room;
    size_t stride;                       /* of the search: no match is so short that it falls between two looks */
    uint64_t seen[512];                  /* a bit for each hash of a window */
    uint32_t last[LEAT_I_SECRET_CHAINS]; /* by fewer bits of the hash: a chain of windows, + 1 */
    bool holds[UINT8_MAX + 1];           /* whether the byte stands in any form */
} leat_i_secrets;

/* Copied; short ones are left out. LEAT_NOMEM. */
leat_err leat_i_secrets_add(leat_i_secrets *s, const char *value);
/* Adds the value of a header line whose name speaks of a key, a token, a secret or authorization. */
leat_err leat_i_secrets_add_header(leat_i_secrets *s, const char *line);
void leat_i_secrets_fini(leat_i_secrets *s);

/* Replaces each secret in `text`, with `pieces` each piece of one too, by "***", in place; gives the new size, which tells whether
 * there was any. `text` is NUL-ended. */
size_t leat_i_secrets_redact(const leat_i_secrets *s, char *text, size_t size, bool pieces);

#endif
