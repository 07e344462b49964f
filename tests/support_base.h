/* support_base.h: what tests of plain functions share. */
#ifndef LEAT_TESTS_SUPPORT_BASE_H
#define LEAT_TESTS_SUPPORT_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* A copy in a block of exactly its size, so that AddressSanitizer sees one byte read too far. */
struct exact {
    char *data;
    size_t size;
};

static inline struct exact exact_copy(const char *data, size_t size)
{
    struct exact copy = { malloc(size ? size : 1), size };
    assert_non_null(copy.data);
    memcpy(copy.data, data, size);
    return copy;
}

static inline void exact_free(struct exact copy)
{
    free(copy.data);
}

/* The teardown of tests that give back all they took. */
static inline int no_leak(void **state)
{
    (void)state;
#ifdef LEAT_CHECKS
    assert_int_equal(leat_i_mem_live_count(), 0);
#endif
    return 0;
}

#endif
