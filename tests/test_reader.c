/* test_reader.c: lines and files out of inputs of every shape. */
#include "bulk_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>
#include <zlib.h>

#include "base/mem.h"
#include "bulk/reader.h"

/* What a reader gives, as one text: "number/file_line:text|" a piece, "!why" in place of a text. */
static leat_err read_all(const leat_bulk_opts *opts, leat_i_buf *out, leat_error *error)
{
    leat_i_reader r;
    leat_err err = leat_i_reader_init(&r, opts, error);
    leat_i_piece p;
    leat_i_take take = LEAT_I_TAKE_MORE;
    while (!err && (take = leat_i_reader_take(&r, &p)) != LEAT_I_TAKE_END) {
        if (take == LEAT_I_TAKE_MORE) {
            err = leat_i_reader_fill(&r, error);
            continue;
        }
        leat_i_buf_printf(out, "%llu/%llu:", (unsigned long long)p.number, (unsigned long long)p.file_line);
        if (p.why[0])
            leat_i_buf_printf(out, "!%s", p.why);
        else if (p.text)
            leat_i_buf_append(out, p.text, p.bytes);
        else
            leat_i_buf_puts(out, p.path + (strncmp(p.path, test_group_dir.path, strlen(test_group_dir.path)) == 0
                                               ? strlen(test_group_dir.path)
                                               : 0));
        leat_i_buf_append(out, "|", 1);
    }
    leat_i_reader_fini(&r);
    return err;
}

static void check_lines(const char *data, size_t size, size_t max, const char *expected)
{
    const char *path = test_path(&test_group_dir, "in");
    test_write(path, data, size);
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES, .line_bytes_max = max };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data ? out.data : "", expected);
    leat_i_buf_fini(&out);
}

#define LINES(data, expected) check_lines(data, sizeof(data) - 1, 0, expected)

static void lines_end_in_every_way(void **state)
{
    (void)state;
    LINES("", "");
    LINES("\n\n  \t\n\r\n", "");
    LINES("a", "1/1:a|");
    LINES("a\nb\n", "1/1:a|2/2:b|");
    LINES("a\r\nb", "1/1:a|2/2:b|");
    LINES("\n a \n\nb\r", "2/2: a |4/4:b|");
    LINES("\xef\xbb\xbf"
          "a\n\xef\xbb\xbf"
          "b",
          "1/1:a|2/2:\xef\xbb\xbf"
          "b|");
    LINES("\xef\xbb\xbf\nb", "2/2:b|");
}

static void check_rows(const char *data, size_t max, const char *expected)
{
    const char *path = test_path(&test_group_dir, "in");
    test_write(path, data, strlen(data));
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_CSV, .line_bytes_max = max };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data ? out.data : "", expected);
    leat_i_buf_fini(&out);
}

/* A row has the number of its first line. */
static void rows_of_a_table_may_have_many_lines(void **state)
{
    (void)state;
    check_rows("id,t\r\n1,\"a\n\nb\"\r\n2,c\n", 0, "1/1:id,t|2/2:1,\"a\n\nb\"|5/5:2,c|");
    check_rows("\n\"i\nd\"\n\n1", 0, "2/2:\"i\nd\"|5/5:1|");
    check_rows("\xef\xbb\xbf\"i\nd\",t\n1,2", 0, "1/1:\"i\nd\",t|3/3:1,2|");
    check_rows("id\n\"open\n2\n", 0, "1/1:id|2/2:\"open\n2\n|");
    check_rows("id\n\"12\n45\n\"\n9", 5, "1/1:id|2/2:!longer than 5 bytes (line_bytes_max, or --max-line-bytes)|5/5:9|");
}

static void a_row_that_is_far_too_long_is_passed(void **state)
{
    (void)state;
    size_t size = 20 * 1000 * 1000;
    char *data = malloc(size + 20);
    memset(data, 'x', size);
    memcpy(data, "id\n\"", 4);
    for (size_t at = 1000; at < size; at += 1000)
        data[at] = '\n';
    strcpy(data + size, "\"\nnext\n");
    check_rows(data, 0, "1/1:id|2/2:!longer than 16777216 bytes (line_bytes_max, or --max-line-bytes)|20002/20002:next|");
    free(data);
}

static void long_lines_are_told_and_passed(void **state)
{
    (void)state;
    check_lines("12345\n123456\nab", 15, 5,
                "1/1:12345|2/2:!longer than 5 bytes (line_bytes_max, or --max-line-bytes)|3/3:ab|");
    check_lines("\xef\xbb\xbf"
                "12345\r\nab",
                12, 5, "1/1:12345|2/2:ab|");
    check_lines("123456", 6, 5, "1/1:!longer than 5 bytes (line_bytes_max, or --max-line-bytes)|");
}

/* Far larger than the limit and the buffer: the reader drops it as it comes, and keeps no such buffer. */
static void a_line_of_50_megabytes_is_passed(void **state)
{
    (void)state;
    size_t size = 50 * 1000 * 1000;
    char *data = malloc(size + 10);
    memset(data, 'x', size);
    memcpy(data + size, "\nnext\nlast", 10);
    check_lines(data, size + 10, 0,
                "1/1:!longer than 16777216 bytes (line_bytes_max, or --max-line-bytes)|2/2:next|3/3:last|");
    data[2] = '\n';
    check_lines(data, size, 0, "1/1:xx|2/2:!longer than 16777216 bytes (line_bytes_max, or --max-line-bytes)|");
    free(data);
}

/* Lines of many sizes over the borders of the buffer. */
static void buffer_borders_do_not_show(void **state)
{
    (void)state;
    leat_i_buf data = { 0 }, expected = { 0 };
    unsigned seed = 1;
    for (unsigned i = 1; i <= 400; i++) {
        seed = seed * 1103515245 + 12345;
        size_t size = 1 + (seed >> 8) % (i % 40 == 0 ? 600000 : 5000);
        char *at = leat_i_buf_grow(&data, size + 1);
        memset(at, 'a' + (int)(i % 26), size);
        at[size] = '\n';
        data.size += size + 1;
        leat_i_buf_printf(&expected, "%u/%u:", i, i);
        leat_i_buf_append(&expected, at, size);
        leat_i_buf_append(&expected, "|", 1);
    }
    check_lines(data.data, data.size, 0, expected.data);
    leat_i_buf_fini(&data);
    leat_i_buf_fini(&expected);
}

static void gzip_put(const char *path, const char *mode, const char *text)
{
    gzFile f = gzopen(path, mode);
    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(f), Z_OK);
}

static void gzip_is_told_by_its_bytes(void **state)
{
    (void)state;
    const char *path = test_path(&test_group_dir, "in.data");
    gzip_put(path, "wb", "one\ntw");
    gzip_put(path, "ab", "o\nthree");
    test_write(test_path(&test_group_dir, "zeros"), "\0\0\0", 3);
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data, "1/1:one|2/2:two|3/3:three|");
    leat_i_buf_fini(&out);
}

/* Every cut of a packed file is noticed: nothing is lost without a word. */
static void cut_gzip_is_an_error(void **state)
{
    (void)state;
    const char *path = test_path(&test_group_dir, "cut.gz");
    gzip_put(path, "wb", "one\ntwo\nthree\n");
    size_t size;
    char *data = test_read(path, &size);
    for (size_t cut = 3; cut <= size; cut++) {
        test_write(path, data, cut);
        leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
        leat_i_buf out = { 0 };
        leat_error error = { .code = LEAT_OK };
        assert_int_equal(read_all(&o, &out, &error), cut < size ? LEAT_INPUT : LEAT_OK);
        if (cut < size) assert_non_null(strstr(error.text, "its compressed data ends early"));
        leat_i_buf_fini(&out);
    }
    data[size / 2] ^= 0x55;
    test_write(path, data, size);
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_INPUT);
    leat_i_buf_fini(&out);
    free(data);
}

/* Somebody writes the input anew while it is read: what was there is not taken for all there is, nor half a line for a line. */
static void an_input_that_becomes_shorter_is_an_error(void **state)
{
    (void)state;
    enum { SIZE = 4 * 1024 * 1024, LEFT = SIZE / 2 + 7 };
    const char *path = test_path(&test_group_dir, "shorter");
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (int i = 0; i < SIZE; i++)
        text[i] = i % 16 == 15 ? '\n' : 'x';
    for (int cut = 1; cut >= 0; cut--) {
        test_write(path, text, SIZE);
        leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
        leat_i_reader r;
        leat_i_piece p;
        leat_error error;
        leat_i_take take = LEAT_I_TAKE_MORE;
        uint64_t lines = 0;
        leat_err err = leat_i_reader_init(&r, &o, &error);
        while (!err && (take = leat_i_reader_take(&r, &p)) != LEAT_I_TAKE_END) {
            if (take == LEAT_I_TAKE_MORE) err = leat_i_reader_fill(&r, &error);
            if (take == LEAT_I_TAKE_MORE) continue;
            assert_int_equal(p.bytes, 15);
            if (++lines == 1) assert_int_equal(truncate(path, cut ? LEFT : SIZE), 0);
        }
        assert_int_equal(err, cut ? LEAT_INPUT : LEAT_OK);
        assert_true(cut ? lines <= LEFT / 16 : lines == SIZE / 16);
        if (cut) assert_non_null(strstr(error.text, "it became shorter while it was read"));
        leat_i_reader_fini(&r);
    }
    free(text);
}

static void many_inputs_are_one_run(void **state)
{
    (void)state;
    const char *paths[] = { test_path(&test_group_dir, "a"), test_path(&test_group_dir, "b"),
                            test_path(&test_group_dir, "c") };
    test_puts(paths[0], "one\n\ntwo");
    test_puts(paths[1], "");
    test_puts(paths[2], "\xef\xbb\xbfthree\n");
    leat_bulk_opts o = { .input = paths, .input_count = 3, .format = LEAT_BULK_BATCH };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data, "1/1:one|3/3:two|4/1:three|");
    leat_i_buf_fini(&out);
    leat_i_reader r;
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_OK);
    assert_int_equal(r.bytes_total, 8 + 9);
    assert_false(r.may_block);
    leat_i_reader_fini(&r);
}

static void pipes_are_read_and_said_to_block(void **state)
{
    (void)state;
    const char *path = test_path(&test_group_dir, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR); /* keeps the pipe open on both sides, so nothing blocks here */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one\ntwo\n", 8), 8);
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
    leat_i_reader r;
    leat_i_piece p;
    leat_error error;
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_OK);
    assert_true(r.may_block);
    assert_int_equal(r.bytes_total, 0);
    assert_int_equal(leat_i_reader_take(&r, &p), LEAT_I_TAKE_MORE);
    assert_int_equal(leat_i_reader_fill(&r, &error), LEAT_OK);
    assert_int_equal(leat_i_reader_fill(&r, &error), LEAT_OK);
    assert_int_equal(leat_i_reader_take(&r, &p), LEAT_I_TAKE_PIECE);
    assert_int_equal(p.bytes, 3);
    leat_i_reader_fini(&r);
    close(fd);
}

static void files_come_sorted_folder_by_folder(void **state)
{
    (void)state;
    char cmd[512];
    snprintf(cmd, sizeof cmd,
             "cd %s && mkdir -p d/b/deep d/empty d/.git && touch d/c d/a d/b/2 d/b/10 d/b/deep/x d/.env d/.git/HEAD one && "
             "ln -s ../one d/link && ln -s b d/loop && ln -s nowhere d/broken && mkfifo d/fifo",
             test_group_dir.path);
    assert_int_equal(system(cmd), 0);
    const char *paths[] = { test_path(&test_group_dir, "one"), test_path(&test_group_dir, "d/"),
                            test_path(&test_group_dir, "d/.env") };
    leat_bulk_opts o = { .input = paths, .input_count = 3, .format = LEAT_BULK_FILES };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data,
                        "1/0:/one|2/0:/d/a|3/0:/d/b/10|4/0:/d/b/2|5/0:/d/b/deep/x|6/0:/d/c|7/0:/d/link|8/0:/d/.env|");
    leat_i_buf_fini(&out);
}

static void unreadable_folder_is_one_bad_piece(void **state)
{
    (void)state;
    char cmd[256];
    snprintf(cmd, sizeof cmd, "cd %s && mkdir -p t/bad && touch t/a t/bad/x t/z", test_group_dir.path);
    assert_int_equal(system(cmd), 0);
    const char *path = test_path(&test_group_dir, "t");
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_FILES };
    leat_i_buf out = { 0 };
    leat_error error;
    test_fault_set("opendir", 2, -EACCES);
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    test_fault_set(NULL, 0, 0);
    assert_string_equal(out.data, "1/0:/t/a|2/0:!cannot be read: Permission denied|3/0:/t/z|");
    leat_i_buf_fini(&out);
}

static void depth_of_folders_has_a_limit(void **state)
{
    (void)state;
    const char *root = test_path(&test_group_dir, "deep");
    char path[1024];
    snprintf(path, sizeof path, "%s", root);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < LEAT_I_TREE_DEPTH_MAX; i++) {
        strncat(path, "/d", sizeof path - strlen(path) - 1);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    leat_bulk_opts o = { .input = &root, .input_count = 1, .format = LEAT_BULK_FILES };
    leat_i_buf out = { 0 };
    leat_error error;
    assert_int_equal(read_all(&o, &out, &error), LEAT_OK);
    assert_string_equal(out.data, "1/0:!cannot be read: Too many levels of symbolic links|");
    leat_i_buf_fini(&out);
}

static void bad_inputs_are_refused_by_name(void **state)
{
    (void)state;
    const char *path = test_path(&test_group_dir, "missing");
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
    leat_i_reader r;
    leat_error error;
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_INPUT);
    assert_non_null(strstr(error.text, "missing: No such file"));
    path = test_group_dir.path;
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_INPUT);
    assert_non_null(strstr(error.text, "is a folder"));
    const char *twice[] = { "-", "-" };
    o = (leat_bulk_opts){ .input = twice, .input_count = 2, .format = LEAT_BULK_LINES };
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_USAGE);
    o.input_count = 0;
    assert_int_equal(leat_i_reader_init(&r, &o, &error), LEAT_USAGE);
}

/* Any call and any allocation may fail: the run is told, nothing leaks, no piece is invented. */
static void every_failure_is_told(void **state)
{
    (void)state;
    const char *path = test_path(&test_group_dir, "sweep.gz");
    gzip_put(path, "wb", "one\ntwo\n");
    leat_bulk_opts o = { .input = &path, .input_count = 1, .format = LEAT_BULK_LINES };
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t n = 1;; n++) {
            leat_i_buf out = { 0 };
            leat_error error;
            int64_t live = leat_i_mem_live_count();
            if (kind)
                test_fault_set(NULL, n, -EIO);
            else
                leat_i_mem_fail_after(n, false);
            leat_err err = read_all(&o, &out, &error);
            leat_i_mem_fail_after(0, false);
            bool past = kind ? test_fault_count() < n : err == LEAT_OK;
            test_fault_set(NULL, 0, 0);
            if (!err && !out.failed && past) assert_string_equal(out.data, "1/1:one|2/2:two|");
            leat_i_buf_fini(&out);
            assert_int_equal(leat_i_mem_live_count(), live);
            if (past && !err) break;
            assert_true(err == LEAT_INPUT || err == LEAT_NOMEM || err == LEAT_OK);
            assert_true(n < 200);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_in_every_way),
        cmocka_unit_test(rows_of_a_table_may_have_many_lines),
        cmocka_unit_test(a_row_that_is_far_too_long_is_passed),
        cmocka_unit_test(long_lines_are_told_and_passed),
        cmocka_unit_test(a_line_of_50_megabytes_is_passed),
        cmocka_unit_test(buffer_borders_do_not_show),
        cmocka_unit_test(gzip_is_told_by_its_bytes),
        cmocka_unit_test(cut_gzip_is_an_error),
        cmocka_unit_test(an_input_that_becomes_shorter_is_an_error),
        cmocka_unit_test(many_inputs_are_one_run),
        cmocka_unit_test(pipes_are_read_and_said_to_block),
        cmocka_unit_test(files_come_sorted_folder_by_folder),
        cmocka_unit_test(unreadable_folder_is_one_bad_piece),
        cmocka_unit_test(depth_of_folders_has_a_limit),
        cmocka_unit_test(bad_inputs_are_refused_by_name),
        cmocka_unit_test(every_failure_is_told),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, test_group_setup, test_group_teardown);
}
