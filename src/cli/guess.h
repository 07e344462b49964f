/* guess.h: which format the input is in, when nobody said: only what is clear is guessed, and the reason is given. */
#ifndef LEAT_I_CLI_GUESS_H
#define LEAT_I_CLI_GUESS_H

#include "run_args.h"

/* Sets args->format and says so on standard error. Gives an exit code: LEAT_I_EXIT_OK, or USAGE when it is not clear, INPUT when
 * an input cannot be looked at; the sentence was printed then. */
int leat_i_guess_format(leat_i_run_args *args);

#endif
