/* say.h: what the program tells people: one clear sentence each, on standard error, with nothing that moves a cursor. */
#ifndef LEAT_I_CLI_SAY_H
#define LEAT_I_CLI_SAY_H

#include "leat/base.h"
#include "leat/bulk.h"

/* How notes go out from here on: as JSON lines, as plain lines, or (errors excepted) not at all. */
void leat_i_say_mode(leat_bulk_progress mode);
/* The same before the command line is parsed: JSON when it asks for that, so that programs get JSON of a wrong line, too. */
void leat_i_say_mode_guess(int argc, char **argv);
bool leat_i_say_is_json(void);
/* The last error that was said; "" = none. For the end of the program, when nobody says anything any more. */
const char *leat_i_say_last_error(void);
/* "leat run: sentence". The command's name stands before it; control characters become \xNN. */
void leat_i_say_error(const char *command, const char *fmt, ...) LEAT_PRINTF(2, 3);
/* The same for what is worth knowing and no error; silent with --progress none. */
void leat_i_say_note(const char *command, const char *fmt, ...) LEAT_PRINTF(2, 3);
/* What the library warns of; the `log` of leat_runtime_opts, `arg` is the command's name. */
void leat_i_say_log(void *arg, leat_log_level level, const char *text);

#endif
