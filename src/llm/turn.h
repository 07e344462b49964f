/*
 * turn.h: what a call tells its caller on the way: for the bulk room a turn that is held while a call is at the endpoint, and given
 * back while it waits to try again; for live.c the text as it comes. And the limiter behind a client.
 *
 * So a run with 64 turns has at most 64 requests and answers on the way, and who waits for a retry stands in nobody's way.
 */
#ifndef LEAT_I_LLM_TURN_H
#define LEAT_I_LLM_TURN_H

#include "leat/llm.h"

#include "request.h"

/* How an attempt ended, and what the call means to do about it. */
typedef struct leat_i_llm_attempt {
    uint32_t number;         /* from 1 */
    uint32_t endpoint_index; /* which of the client's it went to */
    int64_t start_ns;
    int http_status; /* 0 = no reply was read */
    leat_class cls;
    bool sent; /* the request, or a part of it, may have reached the endpoint */
    bool throttled, billed, fatal, unreached;
    const char *message; /* what came of it, "" when it was good */
    bool again;          /* another one follows, after wait_ms: may be changed */
    int64_t wait_ms;
    uint64_t tokens_in, tokens_out; /* what it used, as far as it was told or could be guessed */
    double cost;                    /* as the endpoint names it; 0 = it does not */
    bool uncharged;                 /* set by who hears of it: the attempt counts towards no budget */
} leat_i_llm_attempt;

typedef struct leat_i_llm_turn {
    /* Each may be NULL = nobody asks. */
    /* Before each attempt, before the limiter is asked; may suspend. Fine to be called while the turn is held. An error ends the
     * call with that error. */
    leat_err (*take)(leat_task *t, void *arg);
    /* The limiter has let it through, and the request goes out; or does not, and the call ends with this error. */
    leat_err (*sent)(void *arg);
    /* Each attempt that may have reached the endpoint, one that was canceled too. */
    void (*ended)(leat_task *t, void *arg, leat_i_llm_attempt *attempt);
    /* Before the call waits to try again. */
    void (*give)(void *arg);
    void *arg;                         /* of these, and of the two at the end */
    const leat_i_request_facts *facts; /* what the body asks for, where the caller has read it; NULL = the call looks */
    bool skip_text;                    /* the caller reads the body only: reply.text may stay "" */
    /* On the loop's thread, with each piece of text, as in leat_i_fold; NULL = nobody listens. Asks for a stream. */
    void (*heard)(void *arg, const char *escaped, size_t size);
    bool (*is_final)(void *arg); /* after an attempt: no other may follow; NULL = one may */
} leat_i_llm_turn;

/* As leat_llm_call, in turn; `turn` may be NULL, and `path` too: the endpoint's own of chat completions. The turn is still held when
 * it returns with LEAT_OK, whatever the reply's class. */
leat_err leat_i_llm_call_in_turn(leat_task *t, leat_llm *llm, const char *path, const char *body, size_t body_bytes,
                                 const leat_i_llm_turn *turn, leat_llm_reply *reply);

leat_limiter *leat_i_llm_limiter(const leat_llm *llm); /* NULL = none */
const char *leat_i_llm_provider(const leat_llm *llm);  /* the name of its first endpoint's provider */
const char *leat_i_llm_tongue(const leat_llm *llm);    /* the form that its replies have: a provider's name */
uint32_t leat_i_llm_endpoint_count(const leat_llm *llm);
/* Of a refused key, where it came from; "" = many, or not ours to know. */
const char *leat_i_llm_key_words(const leat_llm *llm);
const char *leat_i_llm_endpoint_name(const leat_llm *llm, uint32_t index); /* its scheme, host and port */

#endif
