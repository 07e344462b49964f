/* check.c: how leat's own mistakes end. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

void leat_i_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "leat: bug at %s:%d: %s\n", file, line, what);
    abort();
}
