/*
 * translate.h: what the translations of chat requests into other forms have in common.
 *
 * Values are copied as they stand wherever both sides mean the same by them, so texts are never unescaped and escaped again. The
 * puts ignore a buffer that has failed; who began it looks at `failed` once, at the end.
 */
#ifndef LEAT_I_TRANSLATE_H
#define LEAT_I_TRANSLATE_H

#include "provider.h"

/* What becomes of a member of the request. */
typedef enum leat_i_fate {
    LEAT_I_FATE_MADE,    /* it is translated elsewhere, or says nothing to this provider */
    LEAT_I_FATE_NAMED,   /* the same value under another name */
    LEAT_I_FATE_REFUSED, /* there is no counterpart: only the value that means nothing passes */
} leat_i_fate;

typedef struct leat_i_member {
    const char *name;
    leat_i_fate fate;
    const char *as; /* NAMED: its name there */
} leat_i_member;

/* Appends the members of `body` that have another name there, each behind a comma, as the table says, which ends with one without
 * a name. LEAT_INPUT for what is refused. */
leat_err leat_i_put_members(leat_i_buf *b, leat_i_json body, const leat_i_member *table, leat_i_making *m);
/* Those that are not in the table: they are the provider's own. */
void leat_i_put_rest(leat_i_buf *b, leat_i_json body, const leat_i_member *table);

typedef enum leat_i_role { LEAT_I_ROLE_SYSTEM, LEAT_I_ROLE_USER, LEAT_I_ROLE_ASSISTANT, LEAT_I_ROLE_TOOL } leat_i_role;

typedef struct leat_i_message {
    leat_i_role role;
    leat_i_json content; /* a string, an array of parts, or NONE */
    leat_i_json calls;   /* an array of calls of tools, or NONE */
    leat_i_json call_id; /* TOOL: which call it answers */
} leat_i_message;

/* Takes a message apart. LEAT_INPUT for what is none, or is of a kind that is long gone. */
leat_err leat_i_message_read(leat_i_message *message, leat_i_json value, leat_i_making *m);

typedef leat_err leat_i_put_part(leat_i_buf *b, leat_i_json part, leat_i_making *m);
/* Appends each of `parts`, which may be none or no array, behind those that stand there already: `*first` tells. */
leat_err leat_i_put_parts(leat_i_buf *b, leat_i_json parts, bool *first, leat_i_put_part *put, leat_i_making *m);

/* Appends the parts of a message's content in the provider's form, behind those that stand there already: `*first` tells. */
typedef leat_err leat_i_put_content(leat_i_buf *b, leat_i_json content, bool *first, leat_i_making *m);
/* What all system messages say, wherever they stand, between `begin` and `end`; nothing where there is none. */
leat_err leat_i_put_system(leat_i_buf *b, leat_i_json messages, const char *begin, const char *end, leat_i_put_content *put,
                           leat_i_making *m);

/* The arguments of a call: a JSON object in a string. LEAT_INPUT when it holds something else. */
leat_err leat_i_put_arguments(leat_i_buf *b, leat_i_json string, leat_i_making *m);

/* A part's image: `media` and `data` for one in a data URL, both in the arena, else `url`. LEAT_INPUT, LEAT_NOMEM. */
typedef struct leat_i_image {
    const char *media, *data, *url;
} leat_i_image;
leat_err leat_i_image_read(leat_i_image *image, leat_i_json part, leat_i_making *m);

void leat_i_put_value(leat_i_buf *b, const char *before, leat_i_json value, const char *after); /* the value as it stands */
void leat_i_put_name(leat_i_buf *b, const char *name, const char *value); /* `,"name":"value"`, escaped */

/* Gives what was built to the wire, from the arena: LEAT_OK, or LEAT_NOMEM. Ends the buffer in any case. */
leat_err leat_i_wire_take(leat_i_wire *wire, leat_i_buf *b, leat_i_making *m);

#endif
