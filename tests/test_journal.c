/* test_journal.c: the output as a journal: resume, repair, refusal, lock; every flipped bit and every cut of 100 rows. */
#include "bulk_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "bulk/journal.h"
#include "bulk/source.h"

enum { ROWS = 100 };

static const char *in, *out;

static int fresh(void **state)
{
    (void)state;
    in = test_path(&test_group_dir, "in.jsonl");
    out = test_path(&test_group_dir, "out.jsonl");
    const char *names[] = { "out.jsonl", "out.jsonl.leat", "out.jsonl.leat.tmp", "out.jsonl.leat.rows" };
    for (size_t i = 0; i < 4; i++)
        unlink(test_path(&test_group_dir, names[i]));
    test_puts(in, "the input\n");
    return 0;
}

static leat_bulk_opts options(void)
{
    return (leat_bulk_opts){ .input = &in, .input_count = 1, .output = out };
}

/* Opens as a run does and closes again; `ids` gets the keys. */
static leat_err open_close(const leat_bulk_opts *o, leat_i_journal *j, leat_i_ids *ids, leat_error *error)
{
    leat_i_arena arena = { 0 };
    leat_i_settings now;
    memset(error, 0, sizeof *error);
    leat_err err = leat_i_settings_make(&now, o, &arena, error);
    if (!err) err = leat_i_journal_open(j, o, &now, ids, error);
    if (!err) err = leat_i_journal_close(j, error);
    leat_i_arena_fini(&arena);
    return err;
}

static leat_err reopen(const leat_bulk_opts *o, leat_i_journal *j, leat_error *error)
{
    leat_i_ids ids = { 0 };
    leat_err err = open_close(o, j, &ids, error);
    leat_i_ids_fini(&ids);
    return err;
}

static void fill(unsigned count)
{
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    for (unsigned i = 1; i <= count; i++) {
        char key[32];
        snprintf(key, sizeof key, "doc-%u", i);
        test_row_append(out, i, key,
                        i % 10 == 0   ? LEAT_CLASS_TIMEOUT
                        : i % 10 == 1 ? LEAT_CLASS_REJECTED
                                      : LEAT_CLASS_OK,
                        true);
    }
}

static bool is_done(const leat_i_ids *ids, unsigned n)
{
    char key[32];
    snprintf(key, sizeof key, "doc-%u", n);
    return leat_i_ids_flags(ids, key, strlen(key)) == LEAT_I_ID_DONE;
}

static void new_output_is_made_private(void **state)
{
    (void)state;
    fill(0);
    struct stat st;
    assert_int_equal(stat(out, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 0);
    assert_true(test_exists(test_path(&test_group_dir, "out.jsonl.leat")));
}

static void rows_are_found_again(void **state)
{
    (void)state;
    fill(ROWS);
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_i_ids ids = { 0 };
    leat_error error;
    assert_int_equal(open_close(&o, &j, &ids, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS);
    assert_int_equal(j.rows_failed, ROWS / 10 * 2);
    assert_true(j.regular && j.resumable);
    for (unsigned i = 1; i <= ROWS; i++)
        assert_true(is_done(&ids, i));
    assert_int_equal(leat_i_ids_count(&ids), ROWS);
    leat_i_ids_fini(&ids);
}

/* A kill can cut the file anywhere: whole rows stay, the torn one goes, and the next run appends behind whole rows. */
static void every_cut_is_repaired(void **state)
{
    (void)state;
    fill(ROWS);
    size_t size;
    char *data = test_read(out, &size);
    leat_bulk_opts o = options();
    const size_t near = LEAT_ASAN || LEAT_TSAN ? 7 : 1; /* bytes from cut to cut at both ends */
    for (size_t cut = 0; cut <= size; cut += cut + 500 < size && cut > 500 ? 61 : near) {
        test_write(out, data, cut);
        leat_i_journal j;
        leat_error error;
        assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
        size_t whole = cut, rows = 0;
        while (whole > 0 && data[whole - 1] != '\n')
            whole--;
        for (size_t i = 0; i < whole; i++)
            rows += data[i] == '\n';
        assert_int_equal(j.rows, rows);
        size_t left;
        char *now = test_read(out, &left);
        assert_int_equal(left, whole);
        assert_memory_equal(now, data, whole);
        free(now);
    }
    free(data);
}

/* One flipped bit anywhere: refused with the line's number, or (in the last LF) taken for a torn tail. Never a row less without a
 * word. Every bit of one row is swept in test_row.c; here one in 16 or so of a hundred rows, over the whole length. */
static void every_flipped_bit_is_refused_or_repaired(void **state)
{
    (void)state;
    fill(ROWS);
    size_t size;
    char *data = test_read(out, &size);
    int fd = open(out, O_RDWR);
    assert_true(fd >= 0);
    unsigned refused = 0;
    for (size_t bit = 0; bit < size * 8; bit += 1 + (bit * 7 + 3) % 31) {
        char flipped = (char)(data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        leat_i_scan scan;
        leat_i_ids ids = { 0 };
        leat_error error;
        leat_err err = leat_i_scan_run(&scan, fd, out, &(leat_i_scan_opts){ .extras = true }, &ids, &error);
        if (err == LEAT_MISMATCH) {
            unsigned long long line = 1, told = 0;
            for (size_t i = 0; i < bit / 8; i++)
                line += data[i] == '\n';
            assert_int_equal(sscanf(error.text, "line %llu of", &told), 1);
            assert_true(told == line || told == line + 1);
            refused++;
        } else {
            assert_int_equal(err, LEAT_OK);
            assert_int_equal(bit / 8, size - 1);
            assert_int_equal(scan.rows, ROWS - 1);
        }
        leat_i_scan_fini(&scan);
        leat_i_ids_fini(&ids);
        assert_int_equal(pwrite(fd, &data[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    assert_true(refused > 10000);
    close(fd);
    free(data);
}

static void forced_resume_asks_bad_rows_again(void **state)
{
    (void)state;
    fill(ROWS);
    size_t size;
    char *data = test_read(out, &size);
    data[size / 2] ^= 4;
    test_write(out, data, size);
    test_row_append(out, 1, "doc-1", LEAT_CLASS_OK, true); /* a second row of the same id */
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_i_ids ids = { 0 };
    leat_error error;
    assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
    o.force_resume = true;
    assert_int_equal(open_close(&o, &j, &ids, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 1);
    assert_int_equal(j.bad_rows, 2);
    assert_true(j.first_bad_line > 40 && j.first_bad_line < 60);
    assert_int_equal(leat_i_ids_count(&ids), ROWS - 1);
    leat_i_ids_fini(&ids);
    o.force_resume = false;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 1);
    free(data);
}

/* In a program without standard streams no file of ours takes their place, where progress or a stray printf would come into it. */
static void no_file_is_a_standard_stream(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        leat_bulk_opts o = options();
        leat_i_journal j;
        leat_i_source s;
        leat_error error;
        bool was_open[64] = { false };
        for (int fd = 0; fd < 64; fd++)
            was_open[fd] = fd > 2 ? fcntl(fd, F_GETFD) >= 0 : close(fd) > 0;
        bool good = leat_i_source_open(&s, in) == 0 && s.fd > 2 && reopen(&o, &j, &error) == LEAT_OK;
        leat_i_source_close(&s);
        for (int fd = 0; fd < 64; fd++)
            good = good && (fcntl(fd, F_GETFD) >= 0) == was_open[fd];
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_repeated_id_is_refused(void **state)
{
    (void)state;
    fill(3);
    test_row_append(out, 9, "doc-2", LEAT_CLASS_OK, true);
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
    assert_non_null(strstr(error.text, "line 4 of"));
    assert_non_null(strstr(error.text, "repeats the custom_id"));
}

static void failed_rows_can_be_asked_again(void **state)
{
    (void)state;
    fill(ROWS);
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_i_ids ids = { 0 };
    leat_error error;
    o.retry_failed = "timeout";
    assert_int_equal(open_close(&o, &j, &ids, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 10);
    assert_false(is_done(&ids, 10));
    assert_true(is_done(&ids, 11));
    leat_i_ids_fini(&ids);
    o.retry_failed = "";
    assert_int_equal(open_close(&o, &j, &ids, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 20);
    assert_int_equal(j.rows_failed, 0);
    assert_false(is_done(&ids, 11));
    leat_i_ids_fini(&ids);
    struct stat st;
    assert_int_equal(stat(out, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(test_exists(test_path(&test_group_dir, "out.jsonl.leat.rows")));
    /* What is appended after a rewrite goes to the end of the new file. */
    test_row_append(out, 1, "doc-1", LEAT_CLASS_OK, true);
    o.retry_failed = NULL;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 19);
}

/* Refused, and it stands there as before; no option helps. */
static void check_stranger(const char *path, const char *text, const char *why)
{
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    for (int forced = 0; forced < 3; forced++) {
        o.overwrite = forced == 1;
        o.force_resume = forced == 2;
        assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
        if (!strstr(error.text, why)) fail_msg("\"%s\" does not say \"%s\"", error.text, why);
        assert_true(j.foreign);
        size_t size;
        char *data = test_read(path, &size);
        assert_int_equal(size, strlen(text));
        assert_string_equal(data, text);
        free(data);
    }
}

static void strangers_are_refused(void **state)
{
    (void)state;
    const char *beside = test_path(&test_group_dir, "out.jsonl.leat");
    test_puts(out, "dear diary\n");
    check_stranger(out, "dear diary\n", "leat");
    test_puts(out, "dear diary without an end");
    check_stranger(out, "dear diary without an end", "leat");
    test_puts(out, "{\"id\":\"batch_req_0123\"}\n");
    check_stranger(out, "{\"id\":\"batch_req_0123\"}\n", "leat");
    unlink(out);
    test_puts(beside, "my notes");
    check_stranger(beside, "my notes", "out.jsonl.leat was not made by leat");
    assert_false(test_exists(out));
    unlink(beside);
    /* Behind rows too. */
    fill(3);
    test_append(out, "dear diary\n");
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    for (int forced = 0; forced < 2; forced++) {
        o.force_resume = forced;
        assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
        assert_non_null(strstr(error.text, "line 4 of"));
        assert_true(j.foreign);
    }
}

static void rows_without_settings_need_force(void **state)
{
    (void)state;
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    fill(3);
    unlink(test_path(&test_group_dir, "out.jsonl.leat"));
    assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
    assert_non_null(strstr(error.text, "is missing"));
    assert_false(j.foreign);
    o.force_resume = true;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, 3);
    o.force_resume = false;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    o.overwrite = true;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, 0);
}

/* Rows 1 to ROWS are from one model, then from another: the numbers follow when rows are taken out, and end with the last of them. */
static void rows_of_other_settings_are_counted(void **state)
{
    (void)state;
    leat_i_journal j;
    leat_error error;
    fill(ROWS);
    leat_bulk_opts o = options();
    o.url = "/v1/other";
    o.format = LEAT_BULK_BODY;
    o.force_resume = true;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    o.force_resume = false;
    test_row_append(out, 1, "new", LEAT_CLASS_TIMEOUT, true);
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_non_null(strstr(j.earlier, "100 rows of "));
    assert_non_null(strstr(j.earlier, "input format"));
    o.retry_failed = "";
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, ROWS - 20);
    assert_non_null(strstr(j.earlier, "80 rows of "));
    o.retry_failed = NULL;
    test_row_append(out, 1, "new", LEAT_CLASS_OK, true);
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_non_null(strstr(j.earlier, "80 rows of "));
    assert_int_equal(truncate(out, 0), 0);
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    test_row_append(out, 1, "new", LEAT_CLASS_OK, true);
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_string_equal(j.earlier, "");
    /* Without OUT.leat nobody knows. */
    unlink(test_path(&test_group_dir, "out.jsonl.leat"));
    o.force_resume = true;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    o.force_resume = false;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_non_null(strstr(j.earlier, "1 rows of "));
    assert_non_null(strstr(j.earlier, "not known"));
}

/* An output of another batch tool may be gone on with, when it is asked for. */
static void rows_in_the_form_of_others_can_be_forced(void **state)
{
    (void)state;
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    test_puts(out, "{\"id\": \"vllm-1\", \"custom_id\": \"a\", \"response\": {\"status_code\": 200}, \"error\": null}\n");
    assert_int_equal(reopen(&o, &j, &error), LEAT_MISMATCH);
    o.force_resume = true;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_int_equal(j.rows, 1);
}

static void an_empty_output_is_a_start(void **state)
{
    (void)state;
    fill(0);
    test_puts(in, "other\n");
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    test_puts(test_path(&test_group_dir, "out.jsonl.leat"), "");
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
}

static void a_second_user_is_refused(void **state)
{
    (void)state;
    leat_bulk_opts o = options();
    leat_i_arena arena = { 0 };
    leat_i_settings now;
    leat_i_ids ids = { 0 };
    leat_i_journal first, second;
    leat_error error;
    assert_int_equal(leat_i_settings_make(&now, &o, &arena, &error), LEAT_OK);
    assert_int_equal(leat_i_journal_open(&first, &o, &now, &ids, &error), LEAT_OK);
    assert_int_equal(leat_i_journal_open(&second, &o, &now, &ids, &error), LEAT_LOCKED);
    assert_non_null(strstr(error.text, "in use by another process"));
    assert_int_equal(leat_i_journal_close(&first, &error), LEAT_OK);
    assert_int_equal(leat_i_journal_open(&second, &o, &now, &ids, &error), LEAT_OK);
    assert_int_equal(leat_i_journal_close(&second, &error), LEAT_OK);
    leat_i_arena_fini(&arena);
    leat_i_ids_fini(&ids);
}

static void links_and_folders_are_no_outputs(void **state)
{
    (void)state;
    leat_bulk_opts o = options();
    leat_i_journal j;
    leat_error error;
    test_puts(test_path(&test_group_dir, "target"), "");
    assert_int_equal(symlink("target", out), 0);
    assert_int_equal(reopen(&o, &j, &error), LEAT_USAGE);
    o.output = test_group_dir.path;
    assert_int_equal(reopen(&o, &j, &error), LEAT_USAGE);
    o.output = test_path(&test_group_dir, "no/such/folder");
    assert_int_equal(reopen(&o, &j, &error), LEAT_IO);
    o.output = "/dev/null";
    assert_int_equal(reopen(&o, &j, &error), LEAT_OK);
    assert_false(j.regular || j.resumable);
}

/* Every call fails once while rows are taken out and the settings saved: the next run finds all rows, or all but those. */
static void every_failing_call_keeps_the_rows(void **state)
{
    (void)state;
    leat_i_journal j;
    leat_error error;
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t n = 1;; n++) {
            fresh(state);
            fill(ROWS);
            test_append(out, "{\"id\":\"batch_req_0123");
            leat_bulk_opts o = options();
            o.retry_failed = "";
            int64_t live = leat_i_mem_live_count();
            if (kind)
                leat_i_mem_fail_after(n, false);
            else
                test_fault_set(NULL, n, -EIO);
            uint64_t before = leat_i_mem_alloc_count();
            leat_err err = reopen(&o, &j, &error);
            bool past = kind ? leat_i_mem_alloc_count() - before < n : test_fault_count() < n;
            leat_i_mem_fail_after(0, false);
            test_fault_set(NULL, 0, 0);
            assert_int_equal(leat_i_mem_live_count(), live);
            o.retry_failed = NULL;
            leat_err again = reopen(&o, &j, &error);
            if (again) fail_msg("call %llu: then %s", (unsigned long long)n, error.text);
            if (j.rows != ROWS && j.rows != ROWS - 20)
                fail_msg("kind %d call %llu: %llu rows, err %d", kind, (unsigned long long)n, (unsigned long long)j.rows,
                         err);
            if (err == LEAT_OK) assert_int_equal(j.rows, ROWS - 20);
            if (past) break;
            assert_true(n < 500);
        }
    }
}

static void looking_changes_nothing(void **state)
{
    (void)state;
    fill(5);
    test_append(out, "{\"id\":");
    size_t size, after;
    char *data = test_read(out, &size);
    leat_bulk_opts o = options();
    leat_i_arena arena = { 0 };
    leat_i_settings now;
    leat_i_ids ids = { 0 };
    leat_i_journal j;
    leat_error error;
    assert_int_equal(leat_i_settings_make(&now, &o, &arena, &error), LEAT_OK);
    assert_int_equal(leat_i_journal_look(&j, &o, &now, &ids, &error), LEAT_OK);
    assert_int_equal(j.rows, 5);
    char *same = test_read(out, &after);
    assert_int_equal(after, size);
    assert_memory_equal(data, same, size);
    free(data);
    free(same);
    leat_i_arena_fini(&arena);
    leat_i_ids_fini(&ids);
}

int main(void)
{
#define JOURNAL_TEST(fn) cmocka_unit_test_setup(fn, fresh)
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(new_output_is_made_private),
        JOURNAL_TEST(rows_are_found_again),
        JOURNAL_TEST(every_cut_is_repaired),
        JOURNAL_TEST(every_flipped_bit_is_refused_or_repaired),
        JOURNAL_TEST(forced_resume_asks_bad_rows_again),
        JOURNAL_TEST(no_file_is_a_standard_stream),
        JOURNAL_TEST(a_repeated_id_is_refused),
        JOURNAL_TEST(failed_rows_can_be_asked_again),
        JOURNAL_TEST(strangers_are_refused),
        JOURNAL_TEST(rows_without_settings_need_force),
        JOURNAL_TEST(rows_of_other_settings_are_counted),
        JOURNAL_TEST(rows_in_the_form_of_others_can_be_forced),
        JOURNAL_TEST(an_empty_output_is_a_start),
        JOURNAL_TEST(a_second_user_is_refused),
        JOURNAL_TEST(links_and_folders_are_no_outputs),
        JOURNAL_TEST(every_failing_call_keeps_the_rows),
        JOURNAL_TEST(looking_changes_nothing),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, test_group_setup, test_group_teardown);
}
