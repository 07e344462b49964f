/* setup.h: private to llm: the client's inside, and how its making fails. */
#ifndef LEAT_I_SETUP_H
#define LEAT_I_SETUP_H

#include "leat/llm.h"

#include "../base/err.h"
#include "../base/mem.h"
#include "../limit/estimate.h"
#include "../net/http.h"
#include "key.h"
#include "provider.h"
#include "rates.h"
#include "secrets.h"

typedef struct leat_i_llm_place { /* an endpoint; its index is that of the limiter's */
    leat_i_http_origin *origin;
    char name[128];     /* scheme, host and port, for people */
    char key_words[96]; /* what to say when it wants another key; "" = a header of the user's own holds it */
    const leat_i_provider *provider;
    char *base_path;     /* of the base URL: "" or "/v1" */
    bool has_query;      /* the base URL has one */
    uint32_t wire_index; /* the first place that takes requests in the same form, at the same paths */
    leat_i_rates_memory rates;
    LEAT_ATOMIC(bool) limits_told; /* the user has heard that it allows less than was set */
} leat_i_llm_place;

struct leat_llm {
    leat_runtime *rt;            /* not touched by leat_llm_free where no call is under way: it may be gone */
    uint32_t forks;              /* those that this process came from, when it was made */
    LEAT_ATOMIC(uint32_t) users; /* who made it, until leat_llm_free, and its calls under way: the last to leave frees */
    leat_i_llm_place *place;
    uint32_t place_count;
    leat_limiter *limiter;
    char *model, *system;
    char *extra; /* members for the bodies of leat_llm_ask, each behind a comma; "" = none */
    leat_i_secrets secrets;
    leat_i_estimate estimate;
    uint32_t attempts_max;
    int64_t throttle_max_ms;
    size_t body_bytes_max;
    bool stream;
    bool ignore_limits;
    LEAT_ATOMIC(uint64_t) random; /* seeds the calls; any thread */
};

/* Whether `call` may begin: LEAT_USAGE, and why, with a task that does not run here, without a client, or without `text` or a place for
 * the answer. Before anything of the task is touched. */
leat_err leat_i_ask_check(leat_task *t, const leat_llm *llm, const void *text, const void *answer, const char *call);

/* A call holds the client meanwhile; whoever leaves last frees it. */
void leat_i_llm_hold(leat_llm *llm);
void leat_i_llm_leave(leat_llm *llm);

/* The body of a prompt, in the task's arena. */
leat_err leat_i_ask_body(leat_task *t, const leat_llm *llm, const char *prompt, const char **body, size_t *size);

leat_err leat_i_err_of_class(const leat_llm_reply *r); /* as leat_llm_ask answers; LEAT_OK for a good one */

/* What leat_llm_ask makes of a reply: LEAT_OK for one that is good, else the error of its class, told to the task. */
leat_err leat_i_ask_err(leat_task *t, const leat_llm_reply *r);

#endif
