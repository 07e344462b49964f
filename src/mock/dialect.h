/*
 * dialect.h: how the API of one provider looks on the wire. A dialect is chosen by the request's path; all else (limits, delays,
 * faults, the model) is the same for all of them.
 */
#ifndef LEAT_I_MOCK_DIALECT_H
#define LEAT_I_MOCK_DIALECT_H

#include "answer.h"
#include "extract.h"

/* What a request asks for, whatever its form. */
typedef struct leat_i_mock_ask {
    const char *text; /* what is summarised: of the last user message, else of the last message; in the arena */
    size_t text_size;
    bool from_user;
    uint64_t prompt_tokens, tokens_max; /* tokens_max 0 = it does not say */
    bool stream, usage;                 /* usage: in a stream, too, where that must be asked for */
} leat_i_mock_ask;

typedef enum leat_i_mock_finish {
    LEAT_I_MOCK_STOP,
    LEAT_I_MOCK_LENGTH,
    LEAT_I_MOCK_FILTERED,
    LEAT_I_MOCK_FINISH_COUNT,
} leat_i_mock_finish;

/* What is answered. */
typedef struct leat_i_mock_reply {
    const char *text;
    size_t size;
    uint64_t prompt_tokens, tokens, tokens_max; /* tokens_max 0 = it was not asked for */
    leat_i_mock_finish finish;
    bool usage; /* in a stream, too, where that must be asked for */
    /* As faults: the list of choices is empty; nothing is told of usage; each chunk of a stream tells it. */
    bool no_choice, no_usage, usage_each;
} leat_i_mock_reply;

/* Stands in a text where bytes that are no UTF-8 shall come: the character U+E000, which no summary makes. */
#define LEAT_I_MOCK_BAD_MARK "\xee\x80\x80"

typedef struct leat_i_mock_failure {
    int status;
    const char *type, *param, *code; /* as OpenAI calls them; each may be NULL */
    const char *message;
} leat_i_mock_failure;

typedef struct leat_i_mock_embed_form leat_i_mock_embed_form; /* embed.h */
extern const leat_i_mock_embed_form leat_i_mock_embed_openai, leat_i_mock_embed_gemini, leat_i_mock_embed_ollama;

struct leat_i_mock_dialect {
    const char *name;
    const char *key_header; /* looked at before Authorization; NULL = none */
    const char *id_header;
    /* Checks headers and query before the body is looked at; NULL = nothing to check. False = the answer says what is wrong. */
    bool (*check)(leat_i_mock_request *r);
    /* Reads the body. False = the answer says what is wrong. */
    bool (*take)(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask);
    /* Put the answer into r->out, in one piece or as events; r->out.failed tells that memory was short. */
    void (*put)(leat_i_mock_request *r, const leat_i_mock_reply *reply);
    void (*stream)(leat_i_mock_request *r, const leat_i_mock_reply *reply);
    const leat_i_mock_embed_form *embed; /* NULL = it makes no embeddings */
    /* Puts the body of an error answer; may set another status than f->status, where the provider has one of its own. */
    void (*fail)(leat_i_mock_request *r, const leat_i_mock_failure *f);
    bool one_is_list; /* a list of one may stand without its brackets */
    bool tells_time;  /* how long it took, in openai-processing-ms */
    /* Adds the headers of the limits, and when to come again; each may be NULL = the provider has none. */
    void (*add_limits)(struct MHD_Response *response, const leat_i_mock_request *r);
    void (*add_retry)(struct MHD_Response *response, const leat_i_mock_request *r);
};

extern const leat_i_mock_dialect leat_i_mock_openai, leat_i_mock_responses, leat_i_mock_azure, leat_i_mock_anthropic,
    leat_i_mock_gemini, leat_i_mock_ollama, leat_i_mock_generate, leat_i_mock_completions, leat_i_mock_azure_responses;

/* openai.c, openai_out.c, responses.c: what others have in common with it. */
bool leat_i_mock_openai_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask);
void leat_i_mock_openai_put(leat_i_mock_request *r, const leat_i_mock_reply *reply);
void leat_i_mock_openai_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply);
void leat_i_mock_openai_fail(leat_i_mock_request *r, const leat_i_mock_failure *f);
bool leat_i_mock_openai_model_take(leat_i_mock_request *r, leat_i_json model);
bool leat_i_mock_openai_stream_take(leat_i_mock_request *r, leat_i_json stream, leat_i_json options, leat_i_mock_ask *ask);
bool leat_i_mock_one_choice(leat_i_mock_request *r, leat_i_json n);
void leat_i_mock_openai_usage_put(leat_i_buf *b, const leat_i_mock_reply *reply);
const char *leat_i_mock_finish_name(leat_i_mock_finish finish);
void leat_i_mock_openai_add_limits(struct MHD_Response *response, const leat_i_mock_request *r);
void leat_i_mock_openai_add_retry(struct MHD_Response *response, const leat_i_mock_request *r);
bool leat_i_mock_responses_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask);
void leat_i_mock_responses_put(leat_i_mock_request *r, const leat_i_mock_reply *reply);
void leat_i_mock_responses_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply);

/* ask.c: what the dialects' readers share. */

/* Appends a part's text, with a blank line before it if it is not the first; and makes of all of them a text that lasts, which frees
 * `all`. False = memory is short, and the request was failed for it. */
bool leat_i_mock_text_add(leat_i_mock_request *r, leat_i_json string, leat_i_buf *all);
bool leat_i_mock_text_end(leat_i_mock_request *r, leat_i_buf *all, const char **text, size_t *size);
/* The text of a content: a string, or an array of parts, whose texts are joined; what is no text says nothing to this model. False =
 * it is neither, or memory is short: the answer says so. */
bool leat_i_mock_text_of(leat_i_mock_request *r, leat_i_json content, const char *param, const char **text, size_t *size);
void leat_i_mock_ask_begin(leat_i_mock_ask *ask);
/* Adds a message; take: with the text of a content, as above. */
void leat_i_mock_ask_add(leat_i_mock_ask *ask, bool from_user, const char *text, size_t size);
bool leat_i_mock_ask_take(leat_i_mock_request *r, leat_i_mock_ask *ask, bool from_user, leat_i_json content,
                          const char *param);
/* The member `key` of `object`: a string. False = it is missing, or no string: the answer says so. */
bool leat_i_mock_need_string(leat_i_mock_request *r, leat_i_json object, const char *key, leat_i_json *value);
/* Walks an array of messages {"role", `content_key`}: `roles` are those that are taken, NULL-ended, the first is the user's. */
bool leat_i_mock_messages_take(leat_i_mock_request *r, leat_i_json messages, const char *param, const char *content_key,
                               const char *const *roles, leat_i_mock_ask *ask);

/* send.c */
const char *leat_i_mock_content_type(const leat_i_mock_request *r);

/* headers.c */
/* Adds lines "Name: value", parted by line breaks. */
void leat_i_mock_add_lines(struct MHD_Response *response, const char *lines);
void leat_i_mock_add_u64(struct MHD_Response *response, const char *name, uint64_t value);
/* Retry-After (whole seconds, rounded up) and, if `in_ms`, retry-after-ms (exact). */
void leat_i_mock_add_retry(struct MHD_Response *response, const leat_i_mock_request *r, bool in_ms);
/* The headers x-ratelimit-{limit,remaining,reset}-{requests,tokens}; `put_reset` writes a time in the dialect's form. */
void leat_i_mock_add_x_ratelimit(struct MHD_Response *response, const leat_i_mock_request *r,
                                 void (*put_reset)(char *text, size_t room, int64_t ns));
/* "12ms", "1.5s", "6m0s": the durations of OpenAI's reset headers, rounded up to a millisecond. */
void leat_i_mock_put_duration(char *text, size_t room, int64_t ns);
/* "2026-11-21T17:00:01Z", of a time since 1970, rounded up to a second. */
void leat_i_mock_put_rfc3339(char *text, size_t room, int64_t wall_ns);

#endif
