/* limit_args.h: from the options of limits to the limiter's settings. */
#ifndef LEAT_I_CLI_LIMIT_ARGS_H
#define LEAT_I_CLI_LIMIT_ARGS_H

#include "run_args.h"

/* Fills what the options say. Gives an exit code; when it is not 0 the sentence was printed. */
int leat_i_limit_args(const leat_i_run_args *args, leat_limiter_opts *opts);

/* Adds one limit, given as NAME=N/PERIOD; a field that is set already is refused. */
int leat_i_limit_take(const char *command, const char *given, leat_limiter_opts *opts);

/* Fills the limits of `opts` that are not set from `defaults`. */
void leat_i_limit_defaults(leat_limiter_opts *opts, const leat_limiter_opts *defaults);

#endif
