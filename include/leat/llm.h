/*
 * leat/llm.h: calls to LLM endpoints: request, reply, stream, retry classes.
 *
 * HTTP 200 is not success: a body that parses, choices, and a finish reason are. Every answer falls into one class; the class
 * decides whether it is tried again and which budget that is charged to (failures are counted, throttles are bounded in time).
 *
 * Source: the classes are our own, made from what OpenAI-compatible endpoints were seen to answer; docs/endpoints.md.
 */
#ifndef LEAT_LLM_H
#define LEAT_LLM_H

#include "limiter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_llm leat_llm; /* an endpoint with its settings; shared by any number of tasks */

/* The one list of classes: name in rows and messages, and what it means. */
#define LEAT_CLASS_MAP(X)                                              \
    X(OK, "ok", "complete reply")                                      \
    X(LENGTH, "length", "reply cut by max_tokens; counts as good")     \
    X(FILTERED, "filtered", "the content filter refused")              \
    X(EMPTY, "empty", "reply without content")                         \
    X(TRUNCATED, "truncated", "reply cut before its end")              \
    X(NOT_JSON, "not-json", "reply is not JSON")                       \
    X(MALFORMED, "malformed", "reply is JSON of an unknown form")      \
    X(TOO_LARGE, "too-large", "reply larger than allowed")             \
    X(ENCODING, "encoding", "reply in broken UTF-8 or compression")    \
    X(THROTTLED, "throttled", "429, 498, 503, 529: too much at once")  \
    X(SERVER, "server", "5xx, or an error event")                      \
    X(TIMEOUT, "timeout", "one of the four timers ran out")            \
    X(RESET, "reset", "connection lost after the request was sent")    \
    X(CONNECT, "connect", "no connection")                             \
    X(DNS, "dns", "name not resolved")                                 \
    X(TLS, "tls", "certificate or handshake refused")                  \
    X(REDIRECT, "redirect", "redirect; never followed")                \
    X(AUTH, "auth", "401 or 403")                                      \
    X(QUOTA, "quota", "quota or billing exhausted")                    \
    X(REJECTED, "rejected", "the endpoint refuses this request (4xx)") \
    X(INPUT, "input", "the input is not usable")                       \
    X(DUPLICATE, "duplicate_id", "a row before has this id")           \
    X(CANCELED, "canceled", "stopped before it was done")              \
    X(LOCAL, "local", "this machine ran out of memory or descriptors") \
    X(USER, "user", "a node of the flow failed")

typedef enum leat_class {
#define LEAT_CLASS_ENUM(code, name, meaning) LEAT_CLASS_##code,
    LEAT_CLASS_MAP(LEAT_CLASS_ENUM)
#undef LEAT_CLASS_ENUM
} leat_class;

/**
 * Gives the name of a class as in the list above, for example "truncated"; "unknown" outside the list.
 *
 * Threads: any.
 * Owns:    a constant of the library; nobody frees it.
 * Errors:  never NULL.
 */
LEAT_API const char *leat_class_name(leat_class cls);

/* Whether requests go over HTTP/2, many on one connection, where TLS and the endpoint allow it. */
typedef enum leat_http2 {
    LEAT_HTTP2_OFF, /* HTTP/1.1 */
    LEAT_HTTP2_ON, /* with a libcurl that loses no request by it (8.7 and later); with an older one a warning, and HTTP/1.1 */
    LEAT_HTTP2_FORCE, /* with any libcurl */
} leat_http2;

/* One of several endpoints that do the same work: other machines, or other keys. Fields of 0 are those of leat_llm_opts. */
typedef struct leat_llm_endpoint {
    const char *base_url, *key_env, *key_file;
    const char *provider;
} leat_llm_endpoint;

/* Every field may be 0 = the default. Durations in ms. */
typedef struct leat_llm_opts {
    const char *base_url; /* NULL = OPENAI_BASE_URL, else the provider's own; "mock:" starts the embedded endpoint */
    const char *key_env;  /* NAME of the environment variable that holds the key; NULL = the provider's: "OPENAI_API_KEY" */
    const char *key_file; /* a file that others cannot read, instead of the environment */
    const char *model;    /* for leat_llm_ask; NULL = "leat-extract" with mock:, else required by leat_llm_ask */
    const char *system;   /* system message of leat_llm_ask; NULL = none */
    /* JSON object whose members are added to the requests of leat_llm_ask and its like: {"max_tokens":200,"temperature":0}. */
    const char *extra_body;
    const leat_llm_endpoint *endpoints; /* several: each attempt goes to the one that has room; NULL = the one above */
    size_t endpoint_count;
    leat_limiter *limiter;         /* borrowed; NULL = none; several endpoints need one made for as many */
    int32_t max_attempts;          /* failures in all; 0 = 5 */
    int64_t throttle_time_ms;      /* time spent on throttles before giving up; 0 = 600 000 */
    int64_t connect_timeout_ms;    /* 0 = 10 000 */
    int64_t first_byte_timeout_ms; /* 0 = 120 000 */
    int64_t idle_timeout_ms;       /* between two pieces of content; 0 = 60 000 */
    int64_t request_timeout_ms;    /* the whole exchange; 0 = 600 000 */
    size_t body_bytes_max;         /* of a reply; 0 = 16 MiB */
    bool ignore_limits;            /* the limiter learns nothing from the headers of replies */
    bool stream;                   /* ask for a stream (SSE); the reply is the same, and ttft_ms is known */
    bool allow_http;               /* plain http to hosts other than loopback */
    const char *cacert;            /* file of trusted certificates (PEM); NULL = the system's */
    const char *cert;     /* file of this client's own certificate (PEM), for endpoints that ask for one; NULL = none */
    const char *cert_key; /* file of its key, which others cannot read; NULL = it stands in `cert`, then that */
    leat_http2 http2;
    const char *const *headers; /* "Name: value" lines to add, header_count of them; copied */
    size_t header_count;
    /* Whose requests, keys and answers they are: "openai", "azure", "anthropic", "gemini", "compatible" or one of those that are
     * (docs/endpoints.md); NULL = the base URL's host tells. Requests are made in OpenAI's form for all of them. */
    const char *provider;
} leat_llm_opts;

/* What came of one call. Text is borrowed from the task's memory and NUL-ended. */
typedef struct leat_llm_reply {
    leat_class cls;
    int http_status;  /* of the last attempt; 0 = no reply was read */
    const char *body; /* the reply's JSON, in its provider's form, without white space outside strings; NULL = none usable */
    size_t body_bytes;
    const char *text; /* what the model wrote, thoughts apart: choices[0].message.content; "" when there is none */
    size_t text_bytes;
    const char *request_id;         /* x-request-id; "" = none */
    uint32_t attempts;              /* requests sent */
    uint32_t throttles;             /* of those, refused as too much at once */
    uint32_t possibly_billed;       /* attempts whose reply was lost after the request was sent */
    int64_t ms;                     /* of the whole call, waits included */
    int64_t ttft_ms;                /* to the first non-empty content of the last attempt; < 0 = unknown */
    uint64_t tokens_in, tokens_out; /* all that were read and written, in attempts whose answer was thrown away too */
    bool estimated;                 /* the tokens are an estimate: the endpoint did not say */
    bool is_fatal;     /* no other request can do better (key, quota, trust, unknown host, no TLS there): stop the run */
    bool is_unreached; /* no connection came about (connect, name, TLS): the request was not sent */
    char message[192]; /* one sentence when the class is not OK or LENGTH; the key never stands in it */
    uint64_t tokens_cached, tokens_reasoning; /* parts of tokens_in and of tokens_out; 0 where the endpoint does not say */
    double cost; /* of all attempts, as the endpoint itself names it (OpenRouter does); 0 = it does not */
} leat_llm_reply;

/**
 * Makes a client for one endpoint.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*out` belongs to the caller, who frees it with leat_llm_free; `opts` is copied.
 * Errors:  LEAT_USAGE for a URL that is not usable or plain http to another host without allow_http, and in a forked child;
 *          LEAT_DENIED when the key is missing (none is needed on loopback) or its file is open to others; LEAT_NOMEM. `*error`
 *          (optional) tells.
 */
LEAT_API LEAT_MUST_USE leat_err leat_llm_new(leat_llm **out, leat_runtime *rt, const leat_llm_opts *opts, leat_error *error);

/**
 * Frees a client that no task uses any more. NULL is fine. One that a call still uses is kept until that has ended, with a warning.
 *
 * Threads: any thread outside the pool; before leat_runtime_free as a rule, and after it nothing is lost either.
 * Owns:    `llm` is gone, and its copy of the key is wiped. In a forked child nothing happens.
 */
LEAT_API void leat_llm_free(leat_llm *llm);

/**
 * Sends one prompt as a user message and waits for the reply's text, trying again as the classes say.
 *
 * Suspends: yes, until the reply, an error, or the nearest deadline (call, attempt, run).
 * Threads:  call from the task `t` only; other tasks may use the same `llm` at once.
 * Owns:     `prompt` is borrowed during the call; `*reply` belongs to `t` until its visit ends.
 * Shape:    `prompt` and `*reply` are NUL-ended UTF-8; `*reply` is never NULL on success.
 * Errors:   LEAT_TIMEOUT, LEAT_LIMITED, LEAT_NET, LEAT_HTTP (see leat_error.http_status), LEAT_REPLY, LEAT_DENIED,
 *           LEAT_CANCELED, LEAT_NOMEM; where a deadline or a cancel ended it between two attempts, leat_error_cause tells what the last
 *           one had failed of; LEAT_USAGE, and a sentence, without a client, a prompt or a place for the reply. On error
 *           `*reply` is untouched.
 * Source:   the seed's call_llm_async.
 */
LEAT_API LEAT_MUST_USE leat_err leat_llm_ask(leat_task *t, leat_llm *llm, const char *prompt, const char **reply);

/**
 * As leat_llm_ask, with a prompt that is formatted like printf's. `*reply` (const char *) has the type of an exec's result, so that
 * an exec can be one line:
 *
 *     return leat_llm_askf(t, leat_task_self(t), exec_res, "Sum up: %s", text);
 *
 * Suspends: yes, as leat_llm_ask.
 * Threads:  as leat_llm_ask.
 * Owns:     `*reply` belongs to `t` until its visit ends.
 * Errors:   as leat_llm_ask.
 */
LEAT_API LEAT_MUST_USE leat_err leat_llm_askf(leat_task *t, leat_llm *llm, const void **reply, const char *fmt, ...)
    LEAT_PRINTF(4, 5);

/**
 * Starts leat_llm_ask as a child of `t`; await the future for the text (const char *).
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     as leat_task_start; `prompt` is copied.
 * Errors:   never NULL.
 */
LEAT_API leat_future *leat_llm_start(leat_task *t, leat_llm *llm, const char *prompt);

/**
 * As leat_llm_ask, and hands the text over piece by piece while it arrives: for people who wait for it.
 *
 * Once a piece has come no further attempt is made, since it cannot be taken back: a reply that breaks off then ends the call.
 * To stop in the middle, let `on_piece` return an error, or cancel the task.
 *
 * Suspends: yes, as leat_llm_ask.
 * Threads:  as leat_llm_ask; `on_piece` is called in the task `t`, and may suspend.
 * Owns:     `prompt` and `arg` are borrowed during the call, a piece during its call; `*reply` (optional) is the whole text and
 *           belongs to `t` until its visit ends.
 * Shape:    `on_piece` gets one or more tokens of text at once, never none; all pieces joined are the reply. An endpoint that does
 *           not stream gives one piece. A key that the endpoint echoes is redacted in `*reply`, not in the pieces: it may stand
 *           across two of them.
 * Errors:   as leat_llm_ask, and what `on_piece` returned.
 * Source:   PocketFlow's cookbook: streaming, with an interrupt by the user.
 */
LEAT_API LEAT_MUST_USE leat_err leat_llm_stream(leat_task *t, leat_llm *llm, const char *prompt,
                                                leat_err (*on_piece)(leat_task *t, void *arg, const char *piece), void *arg,
                                                const char **reply);

/**
 * Posts a request body of the caller's own to `path` (for example "/v1/chat/completions", which is also what NULL stands for), trying
 * again as the classes say.
 *
 * Suspends: yes.
 * Threads:  as leat_llm_ask.
 * Owns:     `path` and `body` are borrowed during the call; what `*reply` points to belongs to `t` until its visit ends.
 * Shape:    `body` is JSON, body_bytes long, sent byte for byte (with `stream` set, the stream fields are added).
 * Errors:   LEAT_OK whenever `*reply` was filled, whatever its class; LEAT_CANCELED, LEAT_TIMEOUT when `t` was stopped;
 *           LEAT_NOMEM; LEAT_USAGE without a client, a body or a reply.
 */
LEAT_API LEAT_MUST_USE leat_err leat_llm_call(leat_task *t, leat_llm *llm, const char *path, const char *body,
                                              size_t body_bytes, leat_llm_reply *reply);

#ifdef __cplusplus
}
#endif
#endif
