/*
 * earlier.h: rows that were made with other settings than the run's: kept up to date in OUT.leat, and told.
 *
 * A forced run leaves them in the output. That they are there, and which they are, is never forgotten: the numbers follow when rows are
 * taken out. A kill between the rewrite of the rows and that of OUT.leat can leave a number that is too high: then some rows too many
 * are told of, never too few.
 */
#ifndef LEAT_I_BULK_EARLIER_H
#define LEAT_I_BULK_EARLIER_H

#include "settings.h"

/* After the rows were read (`rows` are kept): gives `now` what is to be said of them. `old` are the settings found beside them, with
 * numbers that are right again; NULL = none were found. LEAT_NOMEM. */
leat_err leat_i_earlier_take(leat_i_settings *now, const leat_i_settings *old, uint64_t rows, leat_i_arena *arena);
/* A sentence about rows that were not made with these settings; "" = there are none. */
void leat_i_earlier_say(const leat_i_settings *now, const char *path, char *out, size_t size);

#endif
