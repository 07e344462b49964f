/* bulk_support.c: see bulk_support.h. */
#include "bulk_support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/os.h"

void test_dir_make(test_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/leat-test-XXXXXX");
    assert_non_null(mkdtemp(d->path));
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void test_dir_remove(test_dir *d)
{
    if (d->path[0]) (void)nftw(d->path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    d->path[0] = 0;
}

test_dir test_group_dir;

int test_group_setup(void **state)
{
    (void)state;
    test_dir_make(&test_group_dir);
    return 0;
}

int test_group_teardown(void **state)
{
    (void)state;
    test_dir_remove(&test_group_dir);
    return 0;
}

const char *test_path(const test_dir *d, const char *name)
{
    static char paths[64][256];
    static unsigned at;
    char *path = paths[at++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", d->path, name);
    return path;
}

static void file_put(const char *path, const char *mode, const void *data, size_t size)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    if (size) assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

void test_write(const char *path, const void *data, size_t size)
{
    file_put(path, "w", data, size);
}

void test_puts(const char *path, const char *text)
{
    file_put(path, "w", text, strlen(text));
}

void test_append(const char *path, const char *text)
{
    file_put(path, "a", text, strlen(text));
}

char *test_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    assert_true(n >= 0);
    rewind(f);
    char *data = malloc((size_t)n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)n, f), (size_t)n);
    data[n] = 0;
    fclose(f);
    if (size) *size = (size_t)n;
    return data;
}

int test_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* Set for good before there are threads; after that only the words below change, which any thread may read. */
static LEAT_ATOMIC(const char *) fault_call;
static LEAT_ATOMIC(uint64_t) fault_at, fault_seen;
static LEAT_ATOMIC(int) fault_rc;

static int fault_ask(const char *call)
{
    const char *wanted = leat_load_relaxed(&fault_call);
    if (wanted && strcmp(call, wanted) != 0) return 0;
    uint64_t n = leat_add_relaxed(&fault_seen, 1) + 1;
    return n == leat_load_relaxed(&fault_at) ? leat_load_relaxed(&fault_rc) : 0;
}

void test_fault_install(void)
{
    leat_i_os_fault = fault_ask;
}

void test_fault_set(const char *call, uint64_t n, int rc)
{
    leat_store_relaxed(&fault_call, call);
    leat_store_relaxed(&fault_at, n);
    leat_store_relaxed(&fault_rc, rc);
    leat_store_relaxed(&fault_seen, 0);
}

uint64_t test_fault_count(void)
{
    return leat_load_relaxed(&fault_seen);
}
