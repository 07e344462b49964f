/*
 * fault.h: what an error body says, whoever wrote it: OpenAI, Azure, Anthropic, Gemini, OpenRouter, vLLM, FastAPI, a proxy. Pure.
 */
#ifndef LEAT_I_FAULT_H
#define LEAT_I_FAULT_H

#include "../base/json.h"

typedef enum leat_i_fault_kind {
    LEAT_I_FAULT_UNKNOWN, /* an error that names no cause we know */
    LEAT_I_FAULT_FILTERED,
    LEAT_I_FAULT_QUOTA,
    LEAT_I_FAULT_AUTH,
    LEAT_I_FAULT_THROTTLED,
    LEAT_I_FAULT_SERVER,
    LEAT_I_FAULT_REJECTED,
} leat_i_fault_kind;

typedef struct leat_i_fault {
    leat_i_fault_kind kind;
    bool overloaded;        /* throttled for what goes on at once, or since it is not ready; else for a rate */
    bool is_json;           /* the body was JSON; else HTML or text */
    int64_t retry_after_ms; /* a hint in the body; < 0 = none */
    int64_t retry_at_ms;    /* another: when to come back, since 1970; 0 = none */
    char message[160];      /* one line, control characters taken out; "" = none */
} leat_i_fault;

/* Reads any body of an error reply. `scratch` is given back as it was. */
void leat_i_fault_read(leat_i_fault *fault, const char *body, size_t size, leat_i_arena *scratch);

/* The same from a parsed value, for errors inside a 200 or a stream. False when the value does not speak of an error. */
bool leat_i_fault_in(leat_i_fault *fault, leat_i_json value, leat_i_arena *scratch);

/* Copies text as one line that fits: control characters and runs of blanks become one blank; never ends inside a character. */
void leat_i_line_copy(char *to, size_t to_bytes, const char *from, size_t size);

#endif
