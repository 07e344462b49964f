/*
 * template.h: request bodies made of a prompt template and a document.
 *
 * The template is cut into pieces once; a body is then the fixed head (model, system), each piece or the document's text in its
 * place, escaped straight into the body, and the fixed tail (extra members). No copy of the prompt is made. A template with fields
 * is for documents that are JSON objects; a string's characters go from one JSON to the other as they are.
 */
#ifndef LEAT_I_BULK_TEMPLATE_H
#define LEAT_I_BULK_TEMPLATE_H

#include "leat/bulk.h"

#include "../base/buf.h"
#include "../base/json.h"
#include "../base/mem.h"
#include "../llm/request.h"

typedef struct leat_i_template {
    leat_i_arena arena; /* owns all that the pieces point to */
    struct leat_i_template_piece {
        enum { LEAT_I_PIECE_LITERAL, LEAT_I_PIECE_TEXT, LEAT_I_PIECE_NAME, LEAT_I_PIECE_FIELD } kind;
        const char *escaped; /* LITERAL: already JSON-escaped; FIELD: where in the document, as "title" or "meta.title" */
        size_t bytes;
    } * piece;
    size_t piece_count;
    const char *head, *tail; /* of the body, around the prompt's characters */
    size_t head_bytes, tail_bytes;
    bool has_fields;
    leat_i_request_facts facts; /* of every body */
} leat_i_template;

typedef struct leat_i_template_opts {
    const char *text; /* with {{text}}, {{name}} and {{field.X}}; NULL = "{{text}}" */
    const char *url;  /* decides the form: messages, "prompt" (.../completions) or "input" (.../embeddings, .../responses) */
    const char *model;      /* NULL = extra_body must name one */
    const char *system;     /* NULL = none */
    const char *extra_body; /* JSON object, its members are added; NULL = none */
} leat_i_template_opts;

/* Zeroed memory becomes a template. LEAT_USAGE with a sentence in `why` (of why_bytes) when a placeholder or an option is not
 * usable; LEAT_NOMEM. After a failure fini is still due. */
leat_err leat_i_template_init(leat_i_template *tp, const leat_i_template_opts *opts, char *why, size_t why_bytes);
/* Appends the body for one document; text and name are UTF-8. LEAT_INPUT with a sentence in `why` when a field is not to be had. */
leat_err leat_i_template_put(const leat_i_template *tp, leat_i_buf *body, const char *text, size_t text_bytes,
                             const char *name, char *why, size_t why_bytes);
/* Whether requests of a format are made from a template. */
static inline bool leat_i_template_is_for(leat_bulk_format format)
{
    return format == LEAT_BULK_FILES || format == LEAT_BULK_LINES || format == LEAT_BULK_CSV;
}
/* The field of a document that a name means: the member of that name, else "a.b" = the member b of a. NONE when there is none. */
leat_i_json leat_i_template_field(leat_i_json object, const char *name);
/* The first field that the template asks for and `object` has not; NULL = it has all. */
const char *leat_i_template_lacks(const leat_i_template *tp, leat_i_json object);
/* Whether a template asks for fields of its documents. */
bool leat_i_template_wants_fields(const char *text);
void leat_i_template_fini(leat_i_template *tp);

#endif
