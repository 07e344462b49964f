/* run_args.h: what 'leat run' and 'leat check' are told: the fields behind their option tables. */
#ifndef LEAT_I_CLI_RUN_ARGS_H
#define LEAT_I_CLI_RUN_ARGS_H

#include "leat/bulk.h"

#include "../base/mem.h"
#include "option.h"

enum { LEAT_I_FORMAT_GUESS = -1, LEAT_I_CONCURRENCY_DEFAULT = 64 };

typedef struct leat_i_run_args {
    /* Input. */
    leat_i_list input;                               /* -i, then the words */
    int format;                                      /* leat_bulk_format, or LEAT_I_FORMAT_GUESS */
    const char *template_text, *system, *extra_body; /* as given: text, or a file's name */
    const char *model, *url, *id_field;
    uint64_t line_bytes_max;
    /* Output. */
    const char *output;
    bool resume, force_resume, overwrite, no_extras;
    const char *retry_failed; /* NULL = not given, "" = all */
    int sync;
    /* Endpoint. */
    const char *base_url, *provider, *key_env, *key_file, *cacert, *cert, *cert_key;
    int http2;
    uint64_t body_bytes_max;
    bool allow_http, stream;
    leat_i_list header, endpoint;
    /* Limits. */
    double requests_per_min, requests_per_day, tokens_per_min, input_tokens_per_min, output_tokens_per_min;
    leat_i_list limit;
    bool adaptive;
    uint64_t concurrency_min;
    int limits; /* 0 = auto, 1 = manual */
    uint64_t concurrency;
    /* Attempts and time. */
    uint64_t max_attempts, max_retries;
    int64_t throttle_time_ms, outage_time_ms, request_timeout_ms, connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms;
    uint64_t errors_max, tokens_max;
    double cost_max, price_in, price_out;
    int progress;
    const char *trace;

    leat_i_arena arena; /* texts read from files */
    leat_i_parsed parsed;
} leat_i_run_args;

extern const leat_i_option leat_i_run_options[];

/* Parses, checks what excludes what, and reads the files that options name. Gives an exit code: LEAT_I_EXIT_OK to go on
 * (args->parsed.help tells that only help is wanted); else the sentence was printed. fini is due in any case. */
int leat_i_run_args_init(leat_i_run_args *args, const leat_i_command *command, int argc, char **argv);
void leat_i_run_args_fini(leat_i_run_args *args);

/* The fields of `opts` that both commands share; the rest is left as it is. */
void leat_i_run_args_bulk(const leat_i_run_args *args, leat_bulk_opts *opts);
/* Whether the endpoint is the embedded one. */
bool leat_i_run_args_mock(const leat_i_run_args *args);
/* Bodies are built here, and nobody has named a model for them. */
bool leat_i_run_args_want_model(const leat_i_run_args *args);
/* LEAT_I_EXIT_OK when `name` (NULL is fine) is that of a variable in the environment. */
int leat_i_key_env_check(const leat_i_run_args *args, const char *name);
/* LEAT_I_EXIT_OK when `given` (NULL is fine) is a provider's name; `option` stands before it in the sentence. */
int leat_i_provider_check(const leat_i_run_args *args, const char *option, const char *given);

#endif
