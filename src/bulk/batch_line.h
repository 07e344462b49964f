/* batch_line.h: one line of OpenAI Batch input, a bare body, or a document with an id: its parts, or what is wrong with it. */
#ifndef LEAT_I_BULK_BATCH_LINE_H
#define LEAT_I_BULK_BATCH_LINE_H

#include "leat/base.h"

#include "../base/json.h"
#include "../base/mem.h"
#include "../llm/request.h"

enum { LEAT_I_KEY_BYTES_MAX = 1024, LEAT_I_URL_BYTES_MAX = 1024 };

typedef struct leat_i_batch_line {
    /* custom_id, or the id that the document carries; NUL-ended, in the arena; NULL = it has none that is usable. */
    const char *key;
    size_t key_bytes;
    const char *url;  /* NUL-ended, in the arena */
    const char *body; /* span of the line, byte for byte */
    size_t body_bytes;
    leat_i_request_facts facts; /* of the body */
    char why[160];              /* "" = the line is good; else what is wrong, without the line's number */
} leat_i_batch_line;

/* Takes a line apart. `out->key` is set where there is a usable one, also when something else is wrong. False = memory short. */
bool leat_i_batch_line_parse(const char *line, size_t size, leat_i_arena *arena, leat_i_batch_line *out);
/* The same for a line that is a request body: no key, no URL. */
void leat_i_body_line_parse(const char *line, size_t size, leat_i_batch_line *out);
/* The same for a line that is a document in JSON: its key is the field `id_field` (template.h), text or a number. No
 * URL, no body. False = memory short. */
bool leat_i_document_line_parse(const char *line, size_t size, const char *id_field, leat_i_arena *arena,
                                leat_i_batch_line *out);

#endif
