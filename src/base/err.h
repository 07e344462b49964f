/* err.h: how a failure gets its sentence, and its story (leat_error.story). */
#ifndef LEAT_I_ERR_H
#define LEAT_I_ERR_H

#include "leat/base.h"

/* Fills `error`, which may be NULL, with a sentence of its own, and gives `code` back. */
leat_err leat_i_fail(leat_error *error, leat_err code, const char *fmt, ...) LEAT_PRINTF(3, 4);

/* Adds an entry at the end; LEAT_OK = a place that the failure passed. What does not fit is cut. */
void leat_i_error_add(leat_error *error, leat_err code, const char *text);
/* Adds `cause` and its own story. `cause` is not `error`. */
void leat_i_error_because(leat_error *error, const leat_error *cause);

#endif
