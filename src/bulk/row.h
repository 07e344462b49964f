/*
 * row.h: one line of output: written here, and read here when a run goes on.
 *
 * A row in full, on one line, ended by LF:
 *
 *   {"id":"batch_req_<16 hex>","custom_id":"...","response":{"status_code":200,"request_id":"...","body":{...}},"error":null,
 *    "leat":{"line":1,"attempts":1,"throttles":0,"class":"ok","ms":12,"ttft_ms":null,"tokens_in":9,"tokens_out":5,
 *    "tokens_cached":0,"tokens_reasoning":0,"estimated":false,"possibly_billed":0,"sum":"<16 hex>"}}
 *
 * `id` is the XXH3-64 of the key, seeded with that of the document's text (its line, or what its file holds): so a row tells whether
 * a document is still the one that it was made from. Where the text is not known (too long, unreadable) there is no seed. Where a
 * reply with a body was read, `response` is filled and `error` is null, whatever the status; else `response` is null and `error`
 * is {"code":class,"message":sentence}. `sum` is the XXH3-64 of all bytes of the line up to, and without, `,"sum":`.
 */
#ifndef LEAT_I_BULK_ROW_H
#define LEAT_I_BULK_ROW_H

#include "leat/bulk.h"

#include "../base/buf.h"
#include "../base/mem.h"

uint64_t leat_i_row_text_hash(const char *text, size_t size); /* never 0, which stands for a text that is not known */
/* Appends the row of `doc`, LF included, with the `leat` object if `extras`. False = the buffer failed. */
bool leat_i_row_put(leat_i_buf *b, const leat_doc *doc, uint64_t text_hash, bool extras);
/* Whether a row with this check (leat_i_row_facts) can have been made from this key and text. True too where one of them is not
 * known. Another text passes with a chance of 2^-32. */
bool leat_i_row_fits(uint32_t check, const char *key, size_t key_bytes, uint64_t text_hash);

/* Whether these bytes are how a row of leat's begins, as far as they go: what does not begin so was made by somebody else. */
bool leat_i_row_begins(const char *line, size_t size);
enum { LEAT_I_ROW_BEGIN_BYTES = 48 }; /* that are looked at */

typedef enum leat_i_row_state {
    LEAT_I_ROW_GOOD,
    LEAT_I_ROW_FOREIGN, /* not a row of leat's */
    LEAT_I_ROW_DAMAGED, /* a row whose bytes do not give its sum */
    LEAT_I_ROW_NOMEM,
} leat_i_row_state;

typedef struct leat_i_row_facts {
    const char *key; /* in the arena, NUL-ended */
    size_t key_bytes;
    uint32_t check; /* of key and text: 32 bits of the row's id; 0 = not leat's, nothing is known */
    bool failed;
    char cls[24]; /* name of the class, or the error's code */
} leat_i_row_facts;

/* Reads a line of output, without its LF. With `extras` only rows with a right sum are good; without, any row of the form of
 * OpenAI's or vLLM's batch output is. */
leat_i_row_state leat_i_row_read(const char *line, size_t size, bool extras, leat_i_arena *arena, leat_i_row_facts *facts);

#endif
