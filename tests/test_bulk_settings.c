/* test_bulk_settings.c: OUT.leat: what is compared, what may grow, and how the file is written. */
#include "bulk_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bulk/files.h"
#include "bulk/settings.h"

/* Saves what `before` says, then compares it with what `after` says. */
static leat_err compare(const leat_bulk_opts *before, const leat_bulk_opts *after, leat_error *error)
{
    const char *file = test_path(&test_group_dir, "settings");
    leat_i_arena arena = { 0 };
    leat_i_settings s, loaded, now;
    bool found = false;
    memset(error, 0, sizeof *error);
    if (before) {
        assert_int_equal(leat_i_settings_make(&s, before, &arena, error), LEAT_OK);
        assert_int_equal(leat_i_settings_save(&s, file, error), LEAT_OK);
    }
    assert_int_equal(leat_i_settings_load(&loaded, file, &arena, &found, error), LEAT_OK);
    assert_true(found);
    assert_int_equal(leat_i_settings_make(&now, after, &arena, error), LEAT_OK);
    leat_err err = leat_i_settings_compare(&loaded, &now, error);
    leat_i_arena_fini(&arena);
    return err;
}

static void check_differs(const leat_bulk_opts *before, const leat_bulk_opts *after, const char *part)
{
    leat_error error;
    assert_int_equal(compare(before, after, &error), LEAT_MISMATCH);
    if (!strstr(error.text, part)) fail_msg("\"%s\" does not say \"%s\"", error.text, part);
}

static void each_setting_that_makes_rows_counts(void **state)
{
    (void)state;
    const char *in = test_path(&test_group_dir, "in");
    test_puts(in, "one\n");
    leat_error error;
    leat_bulk_opts o = {
        .input = &in, .input_count = 1, .format = LEAT_BULK_LINES, .model = "m", .template_text = "{{text}}!"
    };
    leat_bulk_opts p = o;
    p.concurrency = 7;
    p.line_bytes_max = 100;
    assert_int_equal(compare(&o, &p, &error), LEAT_OK);
    p = o, p.model = "n";
    check_differs(&o, &p, "the model differs from the earlier run: it was m, now it is n");
    p = o, p.model = NULL;
    check_differs(&o, &p, "now it is not set");
    p = o, p.id_field = "id";
    check_differs(&o, &p, "the id field differs from the earlier run: it was not set, now it is id");
    check_differs(&p, &o, "it was id, now it is not set");
    assert_int_equal(compare(&p, &p, &error), LEAT_OK);
    p = o, p.template_text = "{{text}}?";
    check_differs(&o, &p, "the template differs");
    p = o, p.system = "";
    check_differs(&o, &p, "the system message differs");
    p = o, p.extra_body = "{}";
    check_differs(&o, &p, "the extra body differs");
    p = o, p.url = "/v1/embeddings";
    check_differs(&o, &p, "URL path");
    p = o, p.format = LEAT_BULK_BODY;
    check_differs(&o, &p, "input format");
    p = o, p.no_extras = true;
    check_differs(&o, &p, "form of the rows");
    /* A batch line has its own model and URL: those of the options do not count. */
    o.format = p.format = LEAT_BULK_BATCH;
    p = o, p.model = "n", p.url = "/v1/x", p.system = "s";
    assert_int_equal(compare(&o, &p, &error), LEAT_OK);
}

/* What the inputs hold is compared with the rows; their names count where documents are called after them. */
static void a_folder_that_is_missing_is_named(void **state)
{
    (void)state;
    const char *in[] = { "fd", "other", "third" }, *slashed[] = { "other", "fd//" };
    leat_error error;
    leat_bulk_opts o = { .input = in, .input_count = 2, .format = LEAT_BULK_FILES, .model = "m" }, p = o;
    p.input = slashed;
    assert_int_equal(compare(&o, &p, &error), LEAT_OK);
    assert_int_equal(compare(&p, &o, &error), LEAT_OK);
    p = o, p.input = in + 1;
    check_differs(&o, &p, "the earlier run had the input fd, which is missing now");
    p.input_count = 0;
    check_differs(&o, &p, "which is missing now");
    o.format = p.format = LEAT_BULK_LINES;
    assert_int_equal(compare(&o, &p, &error), LEAT_OK);
}

static void a_damaged_file_is_refused(void **state)
{
    (void)state;
    const char *in = test_path(&test_group_dir, "in2"), *file = test_path(&test_group_dir, "damaged");
    test_puts(in, "one\n");
    leat_bulk_opts o = { .input = &in, .input_count = 1, .format = LEAT_BULK_LINES, .model = "m" };
    leat_i_arena arena = { 0 };
    leat_i_settings s;
    leat_error error;
    bool found;
    assert_int_equal(leat_i_settings_load(&s, file, &arena, &found, &error), LEAT_OK);
    assert_false(found);
    assert_int_equal(leat_i_settings_make(&s, &o, &arena, &error), LEAT_OK);
    assert_int_equal(leat_i_settings_save(&s, file, &error), LEAT_OK);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    size_t size;
    char *data = test_read(file, &size);
    for (size_t cut = 0; cut + 1 < size; cut++) {
        test_write(file, data, cut);
        assert_int_equal(leat_i_settings_load(&s, file, &arena, &found, &error), LEAT_MISMATCH);
    }
    test_puts(file, "{\"leat\":99}");
    assert_int_equal(leat_i_settings_load(&s, file, &arena, &found, &error), LEAT_MISMATCH);
    assert_non_null(strstr(error.text, "another version"));
    unlink(file);
    assert_int_equal(symlink("in2", file), 0);
    assert_int_equal(leat_i_settings_load(&s, file, &arena, &found, &error), LEAT_MISMATCH);
    assert_non_null(strstr(error.text, "symbolic link"));
    free(data);
    leat_i_arena_fini(&arena);
}

/* At every call that fails the old file stays whole, or the new one stands there whole. */
static void a_file_is_replaced_whole_or_not(void **state)
{
    (void)state;
    const char *file = test_path(&test_group_dir, "whole"), *tmp = test_path(&test_group_dir, "whole.tmp");
    for (uint64_t n = 1;; n++) {
        test_puts(file, "old");
        test_fault_set(NULL, n, -ENOSPC);
        int rc = leat_i_file_replace(file, "new one", 7);
        bool past = test_fault_count() < n;
        test_fault_set(NULL, 0, 0);
        char *data = test_read(file, NULL);
        assert_true(strcmp(data, "old") == 0 || strcmp(data, "new one") == 0);
        if (rc == 0) assert_string_equal(data, "new one");
        free(data);
        if (past) break;
        if (rc != 0) assert_int_equal(rc, -ENOSPC); /* a failing close of the folder, after its fsync, harms nothing */
        assert_true(n < 50);
    }
    assert_false(test_exists(tmp));
    /* A link under the temporary name is not written through. */
    test_puts(test_path(&test_group_dir, "victim"), "mine");
    assert_int_equal(symlink("victim", tmp), 0);
    assert_int_equal(leat_i_file_replace(file, "x", 1), 0);
    char *data = test_read(test_path(&test_group_dir, "victim"), NULL);
    assert_string_equal(data, "mine");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting_that_makes_rows_counts),
        cmocka_unit_test(a_folder_that_is_missing_is_named),
        cmocka_unit_test(a_damaged_file_is_refused),
        cmocka_unit_test(a_file_is_replaced_whole_or_not),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, test_group_setup, test_group_teardown);
}
