/* watch.h: Ctrl-C, SIGTERM and the end of the terminal, told to a run as a number that it polls. */
#ifndef LEAT_I_CLI_WATCH_H
#define LEAT_I_CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Blocks SIGINT, SIGTERM and, unless `always`, SIGHUP for this thread and all that it starts, and has SIGPIPE and SIGXFSZ ignored, so
 * that the failing call tells. First thing in a command, before any thread. What the caller of the program had ignored stays
 * ignored, unless `always`: a shell without job control starts what stands before '&' with SIGINT ignored, so that Ctrl-C for the
 * script spares it. That suits a run, as it does other tools; a server must end when it is told to. */
void leat_i_watch_block(bool always);

/* Starts to listen: the first signal says that what is in flight is finished, the second stops at once, a third ends the program.
 * 0 or -errno. */
int leat_i_watch_start(const char *command);
const int *leat_i_watch_count(void); /* signals so far; read atomically by the run */
void leat_i_watch_stop(void);        /* fine when not started */
int leat_i_watch_signal(void);       /* the first signal that came; 0 = none */

/* Waits in this thread for a signal, at most `duration_ms` (< 0 = for ever), and when `input_fd` >= 0 until nobody can write to it any
 * more (what comes until then is read and dropped). Gives the signal, 0 = time is up or the input has ended, or -errno. Not beside
 * start. */
int leat_i_watch_wait(int64_t duration_ms, int input_fd);

#endif
