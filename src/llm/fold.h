/*
 * fold.h: a stream of events, folded into the one answer that the endpoint would have sent without streaming.
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
#define LEAT_I_MORE_MAX         64 /* members of one object that have no name here */

typedef enum leat_i_fold_form { LEAT_I_FOLD_UNKNOWN, LEAT_I_FOLD_STREAM, LEAT_I_FOLD_PLAIN } leat_i_fold_form;

struct leat_i_fold;

/* How the events of one form become one answer. `state` is made, zeroed, with the first event. */
typedef struct leat_i_fold_way {
    size_t state_bytes;
    bool has_marker; /* "[DONE]" ends a stream */
    bool in_array;   /* an array of events is a stream, too, that came at once */
    bool needs_end;  /* a finish reason may come early, so the answer is whole only when the body has ended too */
    /* An event that is a JSON object and no error; `type` is its name or "". Tells whether it carried output. Sets `done` at the
     * end of the stream, `is_content` where it carried something else that counts, `failed` when memory is short. */
    bool (*event)(struct leat_i_fold *f, const char *type, leat_i_json chunk);
    bool (*is_complete)(const struct leat_i_fold *f);
    bool (*put)(const struct leat_i_fold *f, leat_i_buf *out); /* `state` may be NULL still */
    void (*fini)(struct leat_i_fold *f);
} leat_i_fold_way;

extern const leat_i_fold_way leat_i_fold_chat; /* chat completions, and the older ones */

typedef struct leat_i_fold {
    const leat_i_fold_way *way;
    void *state;
    leat_i_fold_form form;
    leat_i_sse sse;
    leat_i_buf plain; /* PLAIN: the body; else the start of an event that was broken, or of what may be no stream */
    leat_i_buf error; /* JSON of an error event */
    int64_t first_ns; /* when the first output came; 0 = none yet */
    bool done;        /* the terminal marker came */
    bool broken;      /* an event was not JSON, or not of a known form */
    bool garbled;     /* beside broken: it was no UTF-8 text at all */
    bool failed;      /* memory was short, or a limit was passed */
    bool crowded;     /* beside failed: more choices, calls of tools, parts or blocks than there can be */
    bool is_content;  /* the piece that is being read carried content */
    bool is_early;    /* a finish reason came with the first output, or output after one: it says nothing of the end */
    /* Called with each piece of the first choice's text, escaped as it came; NULL = nobody listens. */
    void (*heard)(void *arg, const char *escaped, size_t size);
    void *heard_arg;
} leat_i_fold;

void leat_i_fold_init(leat_i_fold *f, const leat_i_fold_way *way, size_t max);
void leat_i_fold_fini(leat_i_fold *f);

bool leat_i_fold_push(void *fold, const char *data, size_t size, leat_i_http_piece *piece);
void leat_i_fold_end(leat_i_fold *f); /* the body is over */
/* Takes a body that is an array of events for a stream, in the forms that have such. False = it is none. */
bool leat_i_fold_array(leat_i_fold *f, const char *body, size_t size);

/* Whether the answer is whole: the terminal marker, or a finish reason in each choice. */
bool leat_i_fold_is_complete(const leat_i_fold *f);
bool leat_i_fold_has_output(const leat_i_fold *f);
/* Whether a complete answer may go on all the same, until the body ends. */
bool leat_i_fold_needs_end(const leat_i_fold *f);

/* Appends the completion (STREAM) or the body (PLAIN). False = memory is short. */
bool leat_i_fold_put(const leat_i_fold *f, leat_i_buf *out);

/* For the ways: one more of the elements at `array`, of `size` bytes each, zeroed; NULL, with `failed` set, when there are `max`, or
 * memory is short. */
void *leat_i_fold_grow(leat_i_fold *f, void *array, size_t *count, size_t max, size_t size);
/* The first value that is there wins: id, model and the like stand in every chunk. */
void leat_i_fold_first(leat_i_fold *f, leat_i_buf *to, leat_i_json value);
/* The last one wins: usage may come with every chunk, and then it counts from the start. */
void leat_i_fold_last(leat_i_fold *f, leat_i_buf *to, leat_i_json value);
/* Appends a piece of text as it is escaped; tells whether there was any. *has (optional): there was a string. */
bool leat_i_fold_text(leat_i_fold *f, leat_i_buf *to, bool *has, leat_i_json piece);
void leat_i_fold_hear(leat_i_fold *f, leat_i_json piece);  /* a piece of text for who listens */
bool leat_i_fold_error(leat_i_fold *f, leat_i_json value); /* an error that came as an event; false */
/* A JSON value, and an escaped text, behind `name`. */
bool leat_i_fold_put_value(leat_i_buf *out, const char *name, const leat_i_buf *value, const char *otherwise);
bool leat_i_fold_put_text(leat_i_buf *out, const char *name, const leat_i_buf *text, bool is_there);

/* fold_more.c: members that are not known by name. Zeroed = none. */
typedef struct leat_i_more {
    struct leat_i_more_member *member;
    size_t count;
} leat_i_more;
typedef struct leat_i_more_member {
    leat_i_buf name;       /* JSON */
    leat_i_buf value;      /* STRING: escaped; ARRAY: its elements; NULL: a value as it stands */
    leat_i_json_type type; /* NONE = new */
    leat_i_more inner;     /* OBJECT */
} leat_i_more_member;
typedef enum leat_i_more_way {
    LEAT_I_MORE_LAST,   /* the last value of each member counts */
    LEAT_I_MORE_LISTS,  /* lists are joined */
    LEAT_I_MORE_PIECES, /* texts too: they come in pieces */
} leat_i_more_way;
/* The members of `object` but those in `known`; `depth` is 0. Tells whether there was any content in them. */
bool leat_i_more_take(leat_i_fold *f, leat_i_more *m, leat_i_json object, const char *const *known, leat_i_more_way way,
                      int depth);
bool leat_i_more_put(leat_i_buf *out, const leat_i_more *m); /* each behind a comma */
void leat_i_more_fini(leat_i_more *m);

#endif
