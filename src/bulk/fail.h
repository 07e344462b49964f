/* fail.h: fills a leat_error with a sentence and gives its code back. */
#ifndef LEAT_I_BULK_FAIL_H
#define LEAT_I_BULK_FAIL_H

#include "leat/base.h"

leat_err leat_i_fail(leat_error *error, leat_err code, const char *fmt, ...) LEAT_PRINTF(3, 4); /* error may be NULL */

#endif
