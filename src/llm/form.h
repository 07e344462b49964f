/*
 * form.h: the forms that answers have on the wire, each with how it is judged and how its streams are folded.
 *
 * A form belongs to a kind of request, not to a provider: OpenAI, Azure and all who are compatible with them share one.
 */
#ifndef LEAT_I_FORM_H
#define LEAT_I_FORM_H

#include "answer.h"
#include "fold.h"

#define LEAT_I_FORM_PICKS_MAX 32

typedef struct leat_i_form {
    const leat_i_json_pick *pick; /* what is looked at, picked out in the pass that checks the JSON */
    size_t pick_count;            /* at most LEAT_I_FORM_PICKS_MAX */
    /* Judges an answer that is a JSON object, and fills in its text, usage and fault. */
    leat_i_case (*judge)(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *picked,
                         leat_i_arena *scratch);
    const leat_i_fold_way *fold; /* of its streams */
} leat_i_form;

extern const leat_i_form leat_i_form_openai;    /* chat and legacy completions, embeddings, and all else of OpenAI's */
extern const leat_i_form leat_i_form_responses; /* OpenAI's responses: the same, but for its streams */

extern const leat_i_form leat_i_form_messages; /* Anthropic's */
extern const leat_i_form leat_i_form_generate; /* Gemini's: candidates */
extern const leat_i_form leat_i_form_embed;    /* Gemini's: embeddings */

leat_i_case leat_i_response_judge(leat_i_answer *a, leat_i_json root);
extern const leat_i_fold_way leat_i_fold_responses, leat_i_fold_generate;

/* For the forms: a value that holds something. */
bool leat_i_json_is_filled(leat_i_json v);
/* Whether any of an answer's parts (or blocks) is more than an empty text or a thought. */
bool leat_i_json_parts_hold(leat_i_json parts);
/* A count of tokens, whole or not (7.0); false for what cannot be one, and then `*tokens` stays. */
bool leat_i_tokens_read(leat_i_json number, uint64_t *tokens);

/* Whether `value` speaks of an error inside a 200: then a->fault says which, and *what is its case. */
bool leat_i_answer_is_fault(leat_i_answer *a, leat_i_json value, leat_i_arena *scratch, leat_i_case *what);

/* A list of embeddings, in any order: each entry has one as `member`, and there are as many as there were inputs. */
leat_i_case leat_i_answer_embeddings(leat_i_answer *a, leat_i_json data, const char *member, size_t inputs,
                                     leat_i_arena *scratch);

#endif
