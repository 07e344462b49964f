/*
 * json.h: a strict span scanner and a writer for the hot path.
 *
 * Strict as RFC 8259: no comments, no trailing commas, no NaN, no leading zeros, no raw control characters in strings, valid
 * UTF-8 only, depth at most LEAT_I_JSON_DEPTH_MAX. Values are spans of the input: numbers stay text, strings stay escaped until
 * asked for. Nothing is allocated. Duplicate keys: the last one wins in leat_i_json_get.
 */
#ifndef LEAT_I_JSON_H
#define LEAT_I_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "mem.h"

#define LEAT_I_JSON_DEPTH_MAX 512

typedef enum leat_i_json_type {
    LEAT_I_JSON_NONE, /* absent, or the input was not JSON */
    LEAT_I_JSON_NULL,
    LEAT_I_JSON_FALSE,
    LEAT_I_JSON_TRUE,
    LEAT_I_JSON_NUMBER,
    LEAT_I_JSON_STRING, /* the span includes the quotes */
    LEAT_I_JSON_ARRAY,
    LEAT_I_JSON_OBJECT,
} leat_i_json_type;

typedef struct leat_i_json {
    leat_i_json_type type;
    bool escaped;   /* STRING: holds at least one backslash */
    bool lone;      /* of a whole text: a \\ud800..\\udfff without its other half stands in it */
    bool spaced;    /* of a whole text: white space stands in it outside strings */
    const char *at; /* first byte of the value */
    size_t size;    /* bytes of the value */
} leat_i_json;

/* Checks `size` bytes as one JSON text (white space around it allowed) and gives its value. On failure the type is NONE and
 * `*error_at` (optional) the offset of the first byte that is wrong. The only function that checks: the others take checked spans. */
leat_i_json leat_i_json_parse(const char *text, size_t size, size_t *error_at);

/*
 * A value to be picked out while the text is checked, so that it need not be searched again: a member by its key, or an element
 * by its index ("0"), of the value that the earlier pick `parent` is, or of the whole text (-1). Keys given twice: the last wins.
 */
typedef struct leat_i_json_pick {
    int parent;
    const char *name;
} leat_i_json_pick;

/* leat_i_json_parse, and values[i] = the value of pick[i]; NONE where it is absent. At most 127 picks, 8 levels deep. */
leat_i_json leat_i_json_parse_pick(const char *text, size_t size, const leat_i_json_pick *pick, size_t count,
                                   leat_i_json *values, size_t *error_at);

/* Walks an object's members or an array's elements, in order: start with *at = 0; false at the end. */
bool leat_i_json_next_member(leat_i_json object, size_t *at, leat_i_json *key, leat_i_json *value);
bool leat_i_json_next_element(leat_i_json array, size_t *at, leat_i_json *value);

/* In a checked string, from behind the opening quote to behind the closing one; *escaped: there was a backslash on the way. */
const char *leat_i_json_skip_string(const char *p, const char *end, bool *escaped);

/* Member of an object by its unescaped key (the last one wins); NONE when absent or not an object. */
leat_i_json leat_i_json_get(leat_i_json object, const char *key);
/* Many members in one pass: keys[i] -> values[i]. */
void leat_i_json_get_many(leat_i_json object, const char *const *keys, leat_i_json *values, size_t count);
/* leat_i_json_get along "choices.0.message.content": object keys and array indices. */
leat_i_json leat_i_json_path(leat_i_json value, const char *path);

bool leat_i_json_str_eq(leat_i_json string, const char *s);            /* unescaped text equals s */
bool leat_i_json_is_any(leat_i_json string, const char *const *words); /* one of `words`, which NULL ends */
/* Unescaped text, NUL-ended, in the arena; *size its bytes (may hold NUL from \u0000). A lone surrogate becomes U+FFFD.
 * NULL when memory is short or it is not a string. */
const char *leat_i_json_text(leat_i_json string, leat_i_arena *arena, size_t *size);
bool leat_i_json_u64(leat_i_json number, uint64_t *value);  /* false when not a whole number that fits */
bool leat_i_json_double(leat_i_json number, double *value); /* locale-free */

/* Writer: appends to a buffer; false = buffer failed. */
bool leat_i_json_put_string(leat_i_buf *b, const char *s, size_t size);  /* with quotes; invalid UTF-8 becomes U+FFFD */
bool leat_i_json_put_escaped(leat_i_buf *b, const char *s, size_t size); /* without quotes */
bool leat_i_json_put_double(leat_i_buf *b, double value); /* four digits of it; null for what is no number; locale-free */
bool leat_i_json_put_compact(leat_i_buf *b, leat_i_json value); /* copies the span without white space outside strings */

/* Tells whether `size` bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool leat_i_utf8_valid(const char *s, size_t size);

#endif
