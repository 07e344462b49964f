/* summary.h: what came of a run, on standard error when it has ended. */
#ifndef LEAT_I_CLI_SUMMARY_H
#define LEAT_I_CLI_SUMMARY_H

#include "leat/bulk.h"

#include "../base/buf.h"

/* Appends the summary: lines for people, or one JSON object with an LF. */
void leat_i_summary_put(leat_i_buf *b, const leat_bulk_summary *s, const char *output, bool json, int exit_code);
/* The same to standard error, in the form that goes with the progress; nothing with none. */
void leat_i_summary_say(const leat_bulk_summary *s, const char *output, leat_bulk_progress progress, int exit_code);

#endif
