/* test_file.c: a task reads whole files, and says what is wrong with those that cannot be read. */
#include "support_sched.h"

#include <unistd.h>

#include "base/mem.h"
#include "leat/io.h"

struct wanted {
    const char *path;
    char *text; /* free() it */
    size_t size;
};

static leat_err reads(leat_task *t, void *arg, const void **result)
{
    struct wanted *w = arg;
    const char *text = NULL;
    (void)result;
    LEAT_TRY(leat_file_read(t, w->path, &text, &w->size));
    CHECK(text[w->size] == '\0');
    w->text = malloc(w->size + 1);
    memcpy(w->text, text, w->size + 1);
    return LEAT_OK;
}

static void file_of(char *path, size_t size)
{
    strcpy(path, "/tmp/leat_test_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(write(fd, i % 7 ? "x" : "\0", 1), 1);
    close(fd);
}

static void files_come_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 65537 };
    leat_runtime *rt = runtime_with(1, true);
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char path[32];
        file_of(path, sizes[i]);
        struct wanted w = { .path = path };
        assert_int_equal(leat_task_run(rt, reads, &w, NULL), LEAT_OK);
        assert_int_equal(w.size, sizes[i]);
        for (size_t k = 0; k < w.size; k++)
            assert_int_equal(w.text[k], k % 7 ? 'x' : '\0');
        free(w.text);
        unlink(path);
    }
    leat_runtime_free(rt);
}

static void what_cannot_be_read_is_named(void **state)
{
    static const struct {
        const char *path, *text;
        leat_err err;
    } rows[] = {
        { "/nonexistent/file", "/nonexistent/file: No such file or directory", LEAT_IO },
        { "/", "/: Is a directory", LEAT_IO },
    };
    leat_runtime *rt = runtime_with(1, true);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wanted w = { .path = rows[i].path };
        leat_error error = { 0 };
        assert_int_equal(leat_task_run(rt, reads, &w, &error), rows[i].err);
        assert_string_equal(error.text, rows[i].text);
        assert_null(w.text);
    }
    leat_runtime_free(rt);
}

static void memory_may_be_short(void **state)
{
    leat_runtime *rt = runtime_with(1, true);
    leat_err err = LEAT_NOMEM;
    char path[32];
    (void)state;
    file_of(path, 200000);
    for (uint64_t n = 1; err != LEAT_OK; n++) {
        struct wanted w = { .path = path };
        leat_i_mem_fail_after(n, true);
        err = leat_task_run(rt, reads, &w, NULL);
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_NOMEM || (err == LEAT_OK && w.size == 200000));
        assert_true(n < 100);
        free(w.text);
    }
    unlink(path);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_whole),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
