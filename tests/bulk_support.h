/* bulk_support.h: a folder for one test, and small files in it. */
#ifndef BULK_SUPPORT_H
#define BULK_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "leat/bulk.h"

typedef struct test_dir {
    char path[64];
} test_dir;

void test_dir_make(test_dir *d);
void test_dir_remove(test_dir *d); /* with all that is in it */

/* One folder for all tests of a group: the two are its setup and teardown. */
extern test_dir test_group_dir;
int test_group_setup(void **state);
int test_group_teardown(void **state);

/* A path in the folder: kept until the program ends, for up to 64 paths at once in turn. */
const char *test_path(const test_dir *d, const char *name);
void test_write(const char *path, const void *data, size_t size);
void test_puts(const char *path, const char *text);
void test_append(const char *path, const char *text);
char *test_read(const char *path, size_t *size); /* NUL-ended; the caller frees it */
int test_exists(const char *path);

/* A row as a run writes it, for document `n` with custom_id `key`. */
void test_row_append(const char *path, uint64_t line, const char *key, leat_class cls, bool extras);

/* Before the first thread starts and the first test_fault_set. */
void test_fault_install(void);
/* Makes the n-th call of this name fail with `rc` (n = 1: the next; n = 0: none); name NULL = any call. Counts all calls. */
void test_fault_set(const char *call, uint64_t n, int rc);
uint64_t test_fault_count(void); /* calls of the name seen since the set */

#endif
