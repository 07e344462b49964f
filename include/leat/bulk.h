/*
 * leat/bulk.h: a whole job: many documents from an input through a flow (or one LLM call) to an output that is the journal.
 *
 * One row per input, appended whole. Any complete row is done; a document in flight at a stop has no row and is asked again:
 * at least once towards the endpoint, exactly once in the file.
 *
 * Source: input and output as in OpenAI's Batch API; that the output is the journal is our own; docs/guarantees.md.
 */
#ifndef LEAT_BULK_H
#define LEAT_BULK_H

#include "flow.h"
#include "llm.h"
#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum leat_bulk_format {
    LEAT_BULK_BATCH, /* OpenAI Batch JSONL; the key of a row is custom_id */
    LEAT_BULK_BODY,  /* a request body a line; keys line-<n> */
    LEAT_BULK_FILES, /* files, and folders with all below them but names that start with a dot; the key is the path as given */
    LEAT_BULK_LINES, /* a document a line; keys <file>:<n>, or the member `id_field` */
    LEAT_BULK_CSV,   /* a document a row of a table: a JSON object whose members are the columns; keys as for LINES */
} leat_bulk_format;

typedef enum leat_bulk_sync {
    LEAT_BULK_SYNC_NONE, /* the system writes when it likes, but for the end; a kill of the process loses nothing, a power cut may */
    LEAT_BULK_SYNC_GROUP, /* fsync after each group of rows, at least once a second */
    LEAT_BULK_SYNC_ROW,   /* a document counts as done, and gives its slot back, after the fsync of its row */
} leat_bulk_sync;

typedef enum leat_bulk_progress {
    LEAT_BULK_PROGRESS_AUTO, /* bar on a terminal, plain lines elsewhere */
    LEAT_BULK_PROGRESS_BAR,
    LEAT_BULK_PROGRESS_PLAIN,
    LEAT_BULK_PROGRESS_JSON,
    LEAT_BULK_PROGRESS_NONE,
} leat_bulk_progress;

/* One document on its way. Plain data; what it points to lives until its row is written. */
typedef struct leat_doc {
    uint64_t line;    /* 1-based line or file number of the input */
    const char *key;  /* custom_id of its row */
    const char *path; /* where the document comes from: the input's path, or the file's own */
    const char *text; /* the document (FILES, LINES, CSV), or the raw line; NUL-ended */
    size_t text_bytes;
    const char *url;  /* URL path of the request */
    const char *body; /* request body */
    size_t body_bytes;
    leat_llm_reply reply;     /* what becomes the row; filled by the flow's node that calls the endpoint */
    struct leat_i_doc *inner; /* the run's own; NULL in a document that belongs to no run */
} leat_doc;

/* Every field may be 0 = the default, `input` and `output` excepted. */
typedef struct leat_bulk_opts {
    const char *const *input; /* paths, input_count of them; "-" = standard input */
    size_t input_count;
    const char *output; /* path; "-" = standard output, without resume */
    leat_bulk_format format;
    const char *template_text; /* FILES, LINES, CSV: prompt with {{text}}, {{name}} and {{field.X}} */
    const char *id_field;      /* LINES, CSV: documents are JSON, and this member ("a.b" = b of a) is the key; NULL = none */
    const char *url;           /* URL path for formats without their own; NULL = "/v1/chat/completions" */
    leat_llm *llm;             /* the endpoint; borrowed */
    const char *model;         /* for formats that build the body; part of the settings' hash */
    const char *system;
    const char *extra_body; /* JSON object whose members are added to built bodies; NULL = none */
    leat_flow *flow;        /* walked once per document with `shared` = leat_doc *; NULL = one node that calls `llm` */
    uint32_t concurrency;   /* requests in flight; 0 = 64; the window is twice that */
    size_t line_bytes_max;  /* 0 = 16 MiB */
    leat_bulk_sync sync;
    bool overwrite;           /* start anew on an output that exists, if leat has made it */
    bool force_resume;        /* go on although input or settings changed; what is no row is refused all the same */
    const char *retry_failed; /* NULL = no; "" = ask all failed rows again; else only those of this class */
    leat_bulk_progress progress;
    uint64_t errors_max;        /* stop after that many failed rows; 0 = no limit */
    uint64_t tokens_max;        /* stop before the attempts of this call have used more, in and out; 0 = no limit */
    double cost_max;            /* the same of the cost, in the unit of the prices; 0 = no limit */
    double price_in, price_out; /* per million tokens, where the endpoint names no cost; 0 = none */
    const int *stop_signal;     /* how often the user asked to stop (1 = drain, 2 = at once); polled; NULL = never */
    int64_t outage_ms; /* how long an endpoint that went away, or answers nothing but errors, is waited for; 0 = 60,000 */
    leat_timeline *timeline; /* gets each document, its attempts and waits; borrowed; NULL = none */
    bool no_extras;          /* rows without the `leat` object; such an output cannot detect flipped rows */
    const char *provider; /* of leat_bulk_check_input, which has no client: whom requests are checked for; NULL = OpenAI */
    const char
        *base_url; /* of leat_bulk_check_input: where they would go; NULL = to a base URL without a path and a query */
} leat_bulk_opts;

/* What one of several endpoints did in a run. */
typedef struct leat_bulk_endpoint {
    char url[128];      /* scheme, host and port */
    uint64_t requests;  /* that went out */
    uint64_t good;      /* attempts that were answered well */
    uint64_t failed;    /* attempts that were not, those included that found nobody */
    uint64_t throttles; /* answers that said "later" */
    bool is_out;        /* at the end: it denies its key, is not there, or answers nothing but errors */
} leat_bulk_endpoint;

enum { LEAT_BULK_ENDPOINT_COUNT_MAX = 64 };

typedef struct leat_bulk_summary {
    uint64_t rows_done_before;     /* found complete in the output */
    uint64_t rows_failed_before;   /* of these, failed: retry_failed asks them again */
    uint64_t rows_ok, rows_failed; /* written by this run */
    uint64_t requests, throttles, possibly_billed;
    uint64_t tokens_in, tokens_out;
    uint64_t tokens_cached, tokens_reasoning; /* parts of the two above */
    double cost;                              /* what the endpoint named in its replies, else by the prices; 0 = nothing */
    const char *provider;                     /* its name, of the first endpoint; NULL = no client */
    uint64_t class_count[64];                 /* rows by leat_class */
    char first_failed[512];                   /* why the first failed row of this run is one; "" = none is */
    leat_bulk_endpoint endpoint[LEAT_BULK_ENDPOINT_COUNT_MAX]; /* the first ones, in the order in which they were given */
    uint32_t endpoint_count;                                   /* of these; 0 when there is one endpoint */
    int64_t ms;
    double limit_used; /* share of the request limit used, 0..1; < 0 = no limit */
    bool goes_on;      /* stopped with documents left, and the same call goes on from here */
    bool
        may_force; /* refused with LEAT_MISMATCH, and `overwrite` or `force_resume` would go: false for what leat has not made */
    int exit_code; /* what the program should exit with (docs/cli.md) */
} leat_bulk_summary;

/**
 * Runs a whole job and blocks this thread until it has ended, was stopped, or failed.
 *
 * Threads: any thread outside the pool.
 * Owns:    `opts` is borrowed during the call; `*summary` is always filled; `*error` is written on failure only.
 * Errors:  LEAT_OK when every document has a row, failed ones too; LEAT_MISMATCH, LEAT_LOCKED, LEAT_INPUT (also for an input
 *          without a document), LEAT_IO, LEAT_DENIED (key, quota, trust, unknown host), LEAT_NET (the endpoint is not there,
 *          or not any more: docs/endpoints.md), LEAT_STOPPED (errors_max, tokens_max, cost_max, a cost_max with neither
 *          prices nor an endpoint that names the cost, or the first 20 documents, or 1,000 in a row, all failed), LEAT_CANCELED
 *          (stop_signal), LEAT_USAGE, LEAT_NOMEM. What was written stays, and the same call goes on from there.
 */
LEAT_API LEAT_MUST_USE leat_err leat_bulk_run(leat_runtime *rt, const leat_bulk_opts *opts, leat_bulk_summary *summary,
                                              leat_error *error);

typedef struct leat_bulk_check {
    uint64_t documents, bad_lines, duplicate_ids;
    uint64_t doubtful;    /* good lines whose body is not what their URL path takes: a run sends them all the same */
    uint64_t rows_done;   /* in the output, when one was given and exists */
    uint64_t rows_failed; /* of these */
    uint64_t bytes;
    double tokens_in_estimate;
} leat_bulk_check;

/**
 * Reads the input as a run would, without asking anything, and reports each bad or doubtful line through `bad` (may be NULL;
 * called on a worker, one call at a time).
 *
 * Threads: any thread outside the pool.
 * Owns:    `opts` is borrowed during the call; `*check` is always filled; `*error` (optional) is written on failure only.
 * Shape:   `bad` gets `arg`, the 1-based line (or file) and a sentence, which it may keep only during the call.
 * Errors:  LEAT_OK also when lines are bad (see the counts); LEAT_IO, LEAT_USAGE, LEAT_MISMATCH, LEAT_NOMEM.
 */
LEAT_API LEAT_MUST_USE leat_err leat_bulk_check_input(leat_runtime *rt, const leat_bulk_opts *opts, leat_bulk_check *check,
                                                      void (*bad)(void *arg, uint64_t line, const char *why), void *arg,
                                                      leat_error *error);

/**
 * Sends the document's request and fills `doc->reply`: what the default flow's node does, for flows of your own. Asked again,
 * the last reply becomes the row, and attempts, tokens and time are added up in it.
 *
 * Suspends: yes, as leat_llm_call.
 * Threads:  from the task `t` only.
 * Owns:     what `doc->reply` points to lives until the document's row is written.
 * Errors:   as leat_llm_call; LEAT_CANCELED also when tokens_max or cost_max lets no request begin any more: then the document gets
 *           no row, and is asked again when the run goes on. What a flow asks by other calls counts towards neither.
 */
LEAT_API LEAT_MUST_USE leat_err leat_doc_ask(leat_task *t, leat_llm *llm, leat_doc *doc);

/**
 * Makes JSON of your own the `response.body` of the document's row, in place of the reply's: for flows that work on the answer.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     `body` is copied, without the white space outside strings.
 * Shape:    `body` is JSON of `body_bytes`, in UTF-8.
 * Errors:   LEAT_USAGE when it is not JSON, or the document belongs to no run; LEAT_NOMEM.
 */
LEAT_API LEAT_MUST_USE leat_err leat_doc_answer(leat_task *t, leat_doc *doc, const char *body, size_t body_bytes);

#ifdef __cplusplus
}
#endif
#endif
