/*
 * leat/mock.h: an OpenAI-compatible endpoint on 127.0.0.1, in this process: for tests, demos and measurements.
 * Under their own paths it speaks the forms of Azure, Anthropic, Gemini and Ollama, too.
 *
 * Its model, leat-extract, answers with an extractive summary of the user's text. It is no LLM, and it says so; but it is real
 * output from real documents over a real socket, without network or key.
 *
 * Source: the answers have the form of OpenAI's API; the model is our own; docs/mock.md.
 */
#ifndef LEAT_MOCK_H
#define LEAT_MOCK_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_mock leat_mock;

/* Every field may be 0 = the default. */
typedef struct leat_mock_opts {
    uint16_t port;            /* 0 = any free one */
    double requests_per_min;  /* true sliding window of 60 s per key; over it: 429 with the headers; 0 = none */
    double tokens_per_min;    /* prompt + max_tokens (or the reply) at admission; 0 = none */
    double input_per_min;     /* the same for the tokens of the prompt alone; 0 = none */
    double output_per_min;    /* and for max_tokens, or the reply; 0 = none */
    uint32_t in_flight_max;   /* over it: 503; 0 = none */
    double latency_ms;        /* median delay of an answer */
    double latency_sigma;     /* of a log-normal distribution around it; 0 = constant */
    double first_token_ms;    /* median time from the head of a stream to its first token; 0 = none */
    double first_token_sigma; /* of a log-normal distribution around it; 0 = constant */
    double tokens_per_s;      /* rate of a reply's tokens after the first; its median where it has a sigma; 0 = at once */
    double tokens_sigma;      /* each reply has a rate of its own, log-normal around the median; 0 = all the same */
    double error_rate;        /* 0..1: share answered with error_status */
    int error_status;         /* 0 = 500 */
    double cut_rate;          /* 0..1: share whose connection is cut in the middle of the answer */
    double retry_after_s;     /* in the Retry-After of its 429; 0 = computed from the window */
    uint64_t seed;            /* of latency and faults; the same seed gives the same sequence */
    const char *key;          /* when set, other keys get 401 */
    const char *log_path;     /* JSONL of every request: time, id, decision, status, tokens, ms; NULL = none */
    const char *script;       /* JSON lines: faults and limits by request, key and time; NULL = none */
    uint32_t connections_max; /* 0 = 20 000, or what the descriptor limit leaves; more wait to be accepted */
    size_t body_bytes_max;    /* of a request; over it: 413; 0 = 32 MiB */
} leat_mock_opts;

/* Requests of /health and /stats are not counted. */
typedef struct leat_mock_stats {
    uint64_t requests;       /* that arrived whole */
    uint64_t answered;       /* sent with status 200, to the last byte */
    uint64_t refused_429;    /* over the limits, or an ordered error_status of 429 */
    uint64_t refused_503;    /* over in_flight_max */
    uint64_t errors;         /* every other status of 400 and above: not valid, ordered, or our own */
    uint64_t cut;            /* the connection was ended, as ordered, before the answer or in its middle */
    uint64_t window_max;     /* most requests accepted in any window of 60 s, over all keys; exact to a microsecond */
    uint64_t log_lost;       /* lines of the log that could not be written */
    uint32_t in_flight_peak; /* accepted requests open at once, at most */
    uint32_t in_flight;      /* and now */
    uint32_t connections;    /* open now */
} leat_mock_stats;

/**
 * Starts the endpoint on 127.0.0.1, on threads of its own.
 *
 * Threads: any.
 * Owns:    `*out` belongs to the caller, who frees it with leat_mock_free. `opts` is copied; NULL = all defaults.
 * Errors:  LEAT_IO when the port is taken or descriptors are short; LEAT_USAGE for values out of range; LEAT_NOMEM.
 */
LEAT_API LEAT_MUST_USE leat_err leat_mock_new(leat_mock **out, const leat_mock_opts *opts, leat_error *error);

/**
 * Gives the base URL, for example "http://127.0.0.1:41234/v1".
 *
 * Threads: any.
 * Owns:    lives until leat_mock_free.
 * Errors:  never NULL.
 */
LEAT_API const char *leat_mock_url(const leat_mock *m);

/**
 * Reads the counters.
 *
 * Threads: any.
 * Owns:    `*stats` is overwritten.
 */
LEAT_API void leat_mock_read(leat_mock *m, leat_mock_stats *stats);

/**
 * Stops the endpoint: open requests are cut. NULL is fine. In a child of fork() it does nothing: the endpoint is the parent's.
 *
 * Threads: any but the endpoint's own.
 * Owns:    `m` and its URL are gone.
 */
LEAT_API void leat_mock_free(leat_mock *m);

#ifdef __cplusplus
}
#endif
#endif
