/* fail.c: sentences for failures. */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

leat_err leat_i_fail(leat_error *error, leat_err code, const char *fmt, ...)
{
    if (!error) return code;
    *error = (leat_error){ .code = code, .retry_after_ms = -1 };
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof error->text, fmt, args);
    va_end(args);
    return code;
}
