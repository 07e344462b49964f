/* support/check.h: a check for code inside tasks: cmocka's own assertions jump to another stack, which must not be done from a fiber. */
#ifndef LEAT_TEST_CHECK_H
#define LEAT_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond)                                                                   \
    do {                                                                              \
        if (!(cond)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

#endif
