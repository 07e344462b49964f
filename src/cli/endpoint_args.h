/* endpoint_args.h: from --endpoint URL[,NAME=VALUE...] and the options of limits to the client's endpoints and the limiter's
 * limits. */
#ifndef LEAT_I_CLI_ENDPOINT_ARGS_H
#define LEAT_I_CLI_ENDPOINT_ARGS_H

#include "run_args.h"

typedef struct leat_i_endpoint_args {
    leat_llm_endpoint *endpoint; /* NULL without --endpoint: then the one of the other options */
    leat_limiter_opts *limits;   /* of each, in the same order */
    size_t count;                /* at least 1 */
    const char *base_url;        /* that the first is asked at; NULL = its provider has none of its own */
    const char *provider;        /* of the first */
    bool provider_is_guessed;    /* by the URL: nobody has named it */
} leat_i_endpoint_args;

/* Reads the options; what they become lives in the arena of `args`. Gives an exit code; when it is not 0 the sentence was
 * printed. */
int leat_i_endpoint_args_read(leat_i_run_args *args, leat_i_endpoint_args *e);

#endif
