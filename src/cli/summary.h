/* summary.h: what came of a run, on standard error when it has ended. */
#ifndef LEAT_I_CLI_SUMMARY_H
#define LEAT_I_CLI_SUMMARY_H

#include "leat/bulk.h"

#include "../base/buf.h"

/* Appends the summary: lines for people, or one JSON object with an LF. `output`: NULL = none was named; `error`: why it was not a
 * success, for the object; "" = it was. */
void leat_i_summary_put(leat_i_buf *b, const leat_bulk_summary *s, const char *output, bool json, int exit_code,
                        const char *error);
/* The same to standard error. */
void leat_i_summary_say(const leat_bulk_summary *s, const char *output, bool json, int exit_code, const char *error);
/* What came of a check, and of a command line that names no command: a JSON object each, with an LF, to standard error. */
void leat_i_summary_say_check(const leat_bulk_check *c, int exit_code, const char *error);
void leat_i_summary_say_end(int exit_code, const char *error);

#endif
