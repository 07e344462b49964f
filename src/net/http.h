/*
 * http.h: one HTTP exchange over the loop, for the llm room. The only room that knows curl stands behind it.
 */
#ifndef LEAT_I_HTTP_H
#define LEAT_I_HTTP_H

#include "../sched/sched.h"

/* How an exchange ended, as the network saw it. What the status and the body mean is llm's business. */
typedef enum leat_i_http_end {
    LEAT_I_HTTP_REPLY,         /* a whole reply was read */
    LEAT_I_HTTP_STOPPED,       /* on_data asked to stop: enough was read */
    LEAT_I_HTTP_CUT,           /* the reply broke off: short body, bad framing, reset in the middle */
    LEAT_I_HTTP_RESET_REUSED,  /* a kept connection died before the first reply byte, within 1 s of sending */
    LEAT_I_HTTP_RESET,         /* connection lost after the request went out, no reply byte */
    LEAT_I_HTTP_REFUSED,       /* HTTP/2: the endpoint says that it has not looked at the request */
    LEAT_I_HTTP_CALM,          /* HTTP/2: ENHANCE_YOUR_CALM */
    LEAT_I_HTTP_CONNECT,       /* no connection: refused, unreachable */
    LEAT_I_HTTP_DNS,           /* name not resolved (for now) */
    LEAT_I_HTTP_DNS_UNKNOWN,   /* no such name */
    LEAT_I_HTTP_TLS,           /* handshake failed */
    LEAT_I_HTTP_TLS_NONE,      /* the other side does not speak TLS */
    LEAT_I_HTTP_TLS_UNTRUSTED, /* certificate refused */
    LEAT_I_HTTP_TLS_UNKNOWN,   /* the other side wants a certificate of ours, or another, or ours cannot be read */
    LEAT_I_HTTP_TIMEOUT_CONNECT,
    LEAT_I_HTTP_TIMEOUT_FIRST_BYTE,
    LEAT_I_HTTP_TIMEOUT_IDLE,
    LEAT_I_HTTP_TIMEOUT_TOTAL,
    LEAT_I_HTTP_TOO_LARGE, /* body or headers over their limit */
    LEAT_I_HTTP_ENCODING,  /* body's compression is broken */
    LEAT_I_HTTP_LOCAL,     /* this machine: descriptors, memory, ports */
    LEAT_I_HTTP_CANCELED,  /* the task was stopped; nothing is under way any more */
} leat_i_http_end;

/* The settings that many requests share: one connection pool per (origin, settings). Owned by its user; immutable. */
typedef struct leat_i_http_origin_opts {
    const char *base_url;       /* scheme://host[:port][/path]; copied */
    const char *const *headers; /* "Name: value" lines for every request (the key's too); copied, wiped when freed */
    size_t header_count;
    const char *cacert;          /* NULL = the system's */
    const char *cert, *cert_key; /* of this client, PEM; NULL = none; cert_key NULL = it stands in `cert` too */
    bool http2;                  /* over TLS, where the endpoint agrees to it; else HTTP/1.1 */
    int64_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
    size_t body_bytes_max;
    int64_t address_ms;  /* how long a looked-up address is believed; 0 = 300 000; negative = for one request */
    size_t buffer_bytes; /* receive buffer of each connection beyond the first 1,024, which have 16 KiB; 0 = 16 KiB too */
} leat_i_http_origin_opts;

typedef struct leat_i_http_origin leat_i_http_origin;
leat_err leat_i_http_origin_new(leat_i_http_origin **out, leat_runtime *rt, const leat_i_http_origin_opts *opts);
void leat_i_http_origin_free(leat_i_http_origin *o);

/* What a piece of a body was worth, as who reads it says. */
typedef enum leat_i_http_piece {
    LEAT_I_HTTP_NOTHING, /* blank lines, comments: the idle timer runs on */
    LEAT_I_HTTP_CONTENT,
    LEAT_I_HTTP_WHOLE, /* the answer is whole; what may follow is worth a short wait only */
} leat_i_http_piece;

typedef struct leat_i_http_request {
    const leat_i_http_origin *origin;
    const char *path; /* joined with the origin's URL, a common leading segment once */
    const char *body; /* borrowed until perform returns */
    size_t body_bytes;
    bool fresh;         /* over a new connection: those that are kept may be dead */
    bool accept_stream; /* asks for text/event-stream, uncompressed */
    /* Called on the loop's thread for each piece of a 2xx body; NULL = collected into reply.body only. False = stop reading, the
     * exchange ends with STOPPED. Must be quick. */
    bool (*on_data)(void *arg, const char *data, size_t size, leat_i_http_piece *piece);
    void *on_data_arg;
} leat_i_http_request;

typedef struct leat_i_http_reply {
    leat_i_http_end end;
    int status;  /* 0 = no status line was read */
    bool reused; /* over a kept connection */
    bool sent;   /* the request, or a part of it, may have reached the endpoint */
    char *body;  /* in the task's arena, NUL-ended; "" when none (or taken by on_data) */
    size_t body_bytes;
    char *retry_after; /* header values, in the arena; NULL = absent */
    char *retry_after_ms;
    char *date;
    char *request_id; /* x-request-id, request-id */
    char *content_type;
    char *limits;                  /* the lines "name: value\n" of headers about rate limits */
    char *should_retry;            /* x-should-retry */
    int64_t first_byte_ns, end_ns; /* since the start of perform */
    char message[160];             /* a sentence for people, without URL query or headers */
} leat_i_http_reply;

/* Whether libcurl's HTTP/2 loses no request: the versions before 8.7 do, at GOAWAY and when connections are reused. */
bool leat_i_http2_is_sound(void);

/* Performs one POST (GET when body is NULL). Suspends; on cancel it aborts the exchange and waits for the loop to let go.
 * Never follows redirects, never sends twice by itself. The answer is always in *reply; LEAT_NOMEM when it could not start. */
leat_err leat_i_http_perform(leat_task *t, const leat_i_http_request *request, leat_i_http_reply *reply);

#endif
