/* provider_rows.h: requests in OpenAI's form, and what each provider gets of them. */
#ifndef PROVIDER_ROWS_H
#define PROVIDER_ROWS_H

#include "base/mem.h"
#include "llm/provider.h"

typedef struct provider_row {
    const char *provider, *path, *body;
    const char *base_path; /* NULL = "" */
    bool has_query, stream;
    const char *why;                   /* a part of the sentence when it is refused; else what goes out: */
    const char *wire_path, *wire_body; /* body NULL = as it came */
    const leat_i_form *form;
    bool no_stream; /* it is asked for in one piece, though a stream was wanted */
} provider_row;

extern const provider_row provider_rows[];
extern const size_t provider_row_count;

#endif
