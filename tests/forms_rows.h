/* forms_rows.h: answers and streams of each form, and what must be read from them. */
#ifndef FORMS_ROWS_H
#define FORMS_ROWS_H

#include "llm/form.h"

typedef struct form_row {
    const char *name;
    const leat_i_form *form;
    const char *path;
    const char *body;   /* an answer that came at once; NULL = only the stream */
    const char *stream; /* NULL = only the answer */
    const char *folded; /* what the stream becomes; NULL = not looked at */
    leat_i_case what;
    const char *text, *heard, *message; /* the stream's text as it is escaped; a part of what the fault says */
    uint64_t tokens[4];                 /* in, out, cached, reasoning; 0 in = no usage */
    int cost_thousandths;
    size_t inputs;
    bool is_error, is_partial, has_output; /* of the stream; it has output that is no text */
} form_row;

extern const form_row form_openai[], form_anthropic[], form_gemini[];
extern const size_t form_openai_count, form_anthropic_count, form_gemini_count;

#endif
