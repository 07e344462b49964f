/*
 * provider.h: who is asked, and in which tongue: how a provider is recognised, what its requests carry, and how a request that was
 * made in OpenAI's form becomes one of its own.
 *
 * A request whose URL path is the provider's own goes out as it is. One for /chat/completions or /embeddings is translated where
 * the provider has another form; what has no counterpart there is refused with a sentence, never left out in silence, since an
 * answer to another question looks like any other. How an answer is read is a matter of its form (form.h).
 */
#ifndef LEAT_I_PROVIDER_H
#define LEAT_I_PROVIDER_H

#include "leat/base.h"

#include "../base/mem.h"
#include "form.h"

/* A request as its caller made it. */
typedef struct leat_i_asked {
    const char *path; /* NULL = a chat completion */
    const char *body; /* JSON object */
    size_t body_bytes;
    bool stream;           /* the client wants a stream */
    bool streams_itself;   /* the body asks for one already */
    const char *base_path; /* of the endpoint's base URL: "" or "/v1" */
    bool has_query;        /* the base URL has a query, which goes behind the path */
} leat_i_asked;

/* The same as it goes out; what it points to is borrowed from leat_i_asked or lives in the arena. */
typedef struct leat_i_wire {
    const char *path;
    const char *body;
    size_t body_bytes;
    const leat_i_form *form; /* of its answer */
    bool stream;             /* the answer comes as a stream */
} leat_i_wire;

/* Where a translation says what it refuses, and which memory it takes. */
typedef struct leat_i_making {
    leat_i_arena *arena;
    char why[160];
} leat_i_making;

typedef struct leat_i_provider {
    const char *name;
    const char *tongue;     /* the form of its answers, and so of rows; those with the same one can share a run */
    const char *host[3];    /* the ends of its hosts' names; none = it is not recognised by its URL */
    const char *base_url;   /* NULL = it must be given */
    const char *base_env;   /* a variable that may name another; NULL = none */
    const char *key_env[2]; /* variables that hold the key, the first that is set counts; [1] may be NULL */
    const char *key_header; /* with %s */
    const char *own_header; /* for every request that the user gives none of this name; NULL = none */
    bool cached_are_free;   /* cached tokens do not count against its limits */
    /* LEAT_INPUT with a sentence in m->why for what cannot be asked there; LEAT_NOMEM. */
    leat_err (*make)(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m);
} leat_i_provider;

extern const leat_i_provider leat_i_openai, leat_i_azure, leat_i_anthropic, leat_i_gemini;
extern const leat_i_provider leat_i_compatible[]; /* ended by one without a name */

/* The one of this name; NULL = there is none. */
const leat_i_provider *leat_i_provider_named(const char *name);
/* The one that a base URL points to, by its host; OpenAI's form where it is unknown. */
const leat_i_provider *leat_i_provider_of(const char *host, const char *path);
/* Where a client asks: `given`, else what the provider's variable says, else the provider's own; NULL = it must be given. A provider
 * of NULL is one that is not named, so OpenAI. */
const char *leat_i_provider_url(const leat_i_provider *p, const char *given);
/* The one that a client for `base_url` (NULL as above) would take, where it is not named. */
const leat_i_provider *leat_i_provider_guess(const char *base_url);
const char *leat_i_provider_tongue(const char *name); /* NULL for NULL, and where there is none of this name */
/* The i-th name, for lists of them; NULL behind the last. */
const char *leat_i_provider_name(size_t i);

/* OpenAI's own way, which the compatible ones share. */
leat_err leat_i_openai_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m);

/* Text in the arena; NULL when memory is short. */
const char *leat_i_making_printf(leat_i_making *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* LEAT_INPUT, with the sentence. */
leat_err leat_i_making_refuse(leat_i_making *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The path of asked->path behind a leading version ("/v1"): "/chat/completions". */
const char *leat_i_asked_tail(const leat_i_asked *asked);
/* Whether a model's name can stand in a URL path. */
bool leat_i_model_fits_path(const char *model);
/* Whether the query of a URL or path holds a key: it would stand in the logs of all who pass it on. */
bool leat_i_query_has_key(const char *url);

#endif
