/*
 * answer.h: what a 200 says: whether its body is a complete answer, its text, and its usage. Pure.
 *
 * What is looked at is a matter of the answer's form (form.h); that a body is no JSON at all is one of all.
 */
#ifndef LEAT_I_ANSWER_H
#define LEAT_I_ANSWER_H

#include "../base/json.h"
#include "cases.h"
#include "fault.h"

typedef struct leat_i_answer {
    leat_i_case what;
    leat_i_json text;   /* a string or an array of parts; NONE = no text */
    leat_i_fault fault; /* what an error inside the 200 says; its message may be "" */
    bool has_usage;
    bool compact;                             /* no white space outside strings: there is nothing to squeeze */
    uint64_t tokens_in, tokens_out;           /* all of them: cached ones and those of reasoning too */
    uint64_t tokens_cached, tokens_reasoning; /* parts of the two above */
    double cost;                              /* as the endpoint names it; 0 = it does not */
} leat_i_answer;

/* What was asked for, as far as it decides what an answer to it is. */
typedef struct leat_i_answer_to {
    const char *path;
    bool may_lack_finish;           /* a stream whose end was marked otherwise */
    size_t inputs;                  /* of embeddings: how many the request holds; 0 = unknown */
    const struct leat_i_form *form; /* NULL = OpenAI's */
} leat_i_answer_to;

/* `scratch` is given back as it was. */
void leat_i_answer_read(leat_i_answer *a, const leat_i_answer_to *to, const char *body, size_t size, leat_i_arena *scratch);

/* Whether a request's URL path, its query apart, ends so: the end tells the form of request and answer. */
bool leat_i_path_ends(const char *path, const char *end);

/* The text behind a.text, but for what are thoughts in it, NUL-ended, in the arena; "" when there is none; NULL when memory is
 * short. */
const char *leat_i_answer_text(leat_i_json text, leat_i_arena *arena, size_t *size);

/* Takes the white space outside strings out of a checked JSON text, in place; gives the new size. Spans into it die. */
size_t leat_i_json_squeeze(char *text, size_t size);

#endif
