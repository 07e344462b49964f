/*
 * fold.h: a stream of chunks, folded into the one completion that the endpoint would have sent without streaming.
 *
 * Pieces arrive on the loop's thread (leat_i_fold_push has the shape of on_data); the result is taken by the task afterwards.
 * Strings stay as they are escaped on the wire: pieces of a string, joined, are the string. A body that is no stream after all is
 * kept as it is.
 */
#ifndef LEAT_I_FOLD_H
#define LEAT_I_FOLD_H

#include "../base/json.h"
#include "../net/http.h"
#include "sse.h"

#define LEAT_I_FOLD_CHOICES_MAX 128
#define LEAT_I_FOLD_TOOLS_MAX   128

typedef enum leat_i_fold_form { LEAT_I_FOLD_UNKNOWN, LEAT_I_FOLD_STREAM, LEAT_I_FOLD_PLAIN } leat_i_fold_form;

struct leat_i_fold_choice;

typedef struct leat_i_fold {
    leat_i_fold_form form;
    leat_i_sse sse;
    leat_i_buf plain;                                  /* PLAIN: the body; else the start of an event that was broken */
    leat_i_buf id, created, model, fingerprint, usage; /* JSON values, "" = not seen */
    leat_i_buf error;                                  /* JSON of an error event */
    struct leat_i_fold_choice *choice;                 /* in order of appearance */
    size_t choice_count;
    size_t max;
    int64_t first_ns; /* when the first output came; 0 = none yet */
    bool is_text;     /* legacy completions: text instead of messages */
    bool done;        /* the terminal marker came */
    bool broken;      /* an event was not JSON, or not of a known form */
    bool garbled;     /* beside broken: it was no UTF-8 text at all */
    bool failed;      /* memory was short, or a limit was passed */
    bool is_content;  /* the piece that is being read carried content */
    /* Called with each piece of the first choice's text, escaped as it came; NULL = nobody listens. */
    void (*heard)(void *arg, const char *escaped, size_t size);
    void *heard_arg;
} leat_i_fold;

void leat_i_fold_init(leat_i_fold *f, size_t max);
void leat_i_fold_fini(leat_i_fold *f);

bool leat_i_fold_push(void *fold, const char *data, size_t size, leat_i_http_piece *piece);
void leat_i_fold_end(leat_i_fold *f); /* the body is over */

/* Whether the answer is whole: the terminal marker, or a finish reason in each choice. */
bool leat_i_fold_is_complete(const leat_i_fold *f);
bool leat_i_fold_has_output(const leat_i_fold *f);

/* Appends the completion (STREAM) or the body (PLAIN). False = memory is short. */
bool leat_i_fold_put(leat_i_fold *f, leat_i_buf *out);

#endif
