/* request.h: request bodies: made from a prompt, or the caller's own with what a stream needs. */
#ifndef LEAT_I_REQUEST_H
#define LEAT_I_REQUEST_H

#include "leat/base.h"

#include "../base/json.h"

/* A chat completion of one user message, and a system message before it unless NULL; `extra` is appended as it is: "" or what
 * leat_i_request_put_extra made. NULL when memory is short. */
const char *leat_i_request_of_prompt(leat_i_arena *arena, const char *model, const char *system, const char *prompt,
                                     const char *extra, size_t *size);

/* Checks the members of `extra_body`, a JSON object from the user (NULL = none), and appends each behind a comma. *names_model: it
 * has a "model"; NULL = it may not. LEAT_USAGE with the reason in `why`; whether memory was short the buffer tells. */
leat_err leat_i_request_put_extra(leat_i_buf *b, const char *extra_body, bool *names_model, char *why, size_t why_bytes);

/* What a body asks for. */
typedef struct leat_i_request_facts {
    bool is_object;
    bool stream;       /* "stream": true */
    double max_tokens; /* of the reply; 0 = not said */
} leat_i_request_facts;
leat_i_request_facts leat_i_request_look(const char *body, size_t size);
/* The same from the members "stream", "max_tokens", "max_completion_tokens" and "max_output_tokens" of an object. */
leat_i_request_facts leat_i_request_facts_of(const leat_i_json *picked);

/* How many embeddings a body asks for: its "input" is a text, texts, tokens, or lists of tokens. 0 = it does not say. */
size_t leat_i_request_inputs(const char *body, size_t size);

/* The same body with "stream": true, and with `usage` asked for; NULL when memory is short. `body` is a JSON object. */
const char *leat_i_request_for_stream(leat_i_arena *arena, const char *body, size_t size, bool usage, size_t *new_size);

#endif
