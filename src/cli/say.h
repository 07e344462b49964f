/* say.h: what the program tells people: one clear sentence each, on standard error, with nothing that moves a cursor. */
#ifndef LEAT_I_CLI_SAY_H
#define LEAT_I_CLI_SAY_H

#include <stddef.h>

#include "leat/base.h"
#include "leat/bulk.h"

/* While a run is at work nobody waits long for standard error: where its reader stands still (a terminal that was stopped, a
 * connection that is gone, a pipe that nobody reads), what was to be said is dropped after a second. Until this call, and in the other
 * commands, words wait for their reader. `signals`, which the last words look at, is as leat_i_watch_count gives it. */
void leat_i_say_work_begins(const int *signals);
/* What this thread says now are the last words. They wait for their reader again, until one more signal comes. */
void leat_i_say_work_ends(void);
/* Writes these bytes to standard error, as patiently as the above says. */
void leat_i_say_raw(const char *data, size_t size);

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
