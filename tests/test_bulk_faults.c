/* test_bulk_faults.c: runs in which a system call fails, a disk is full, a pipe is closed, no thread is to be had, or memory is
 * short. */
#include "bulk_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "bulk/run.h"
#include "bulk_job.h"

/* The n-th write, fsync, ftruncate ... of a run fails, for every n: it says so, keeps whole rows, and the next run goes on. */
static void every_failing_call_is_told_and_survived(void **state)
{
    job *j = *state;
    static const char *const calls[] = { "write", "fsync", "rename", "ftruncate", "open", "fstat", "lock", "pread" };
    job_batch_input(j, 12);
    j->opts.concurrency = 3;
    j->opts.sync = LEAT_BULK_SYNC_ROW;
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        for (uint64_t n = 1;; n++) {
            unlink(j->output);
            test_fault_set(calls[c], n, strcmp(calls[c], "write") == 0 ? -ENOSPC : -EIO);
            leat_err err = job_run(j);
            bool past = test_fault_count() < n;
            test_fault_set(NULL, 0, 0);
            if (err) {
                assert_true(err == LEAT_IO || err == LEAT_INPUT || err == LEAT_MISMATCH);
                assert_true(j->summary.exit_code == 8 || j->summary.exit_code == 3);
                assert_true(strlen(j->error.text) > 10);
                job_finish(j, 12);
            } else {
                rows r = job_rows(j);
                assert_int_equal(r.count, 12);
                rows_free(&r);
            }
            if (past) break;
            assert_true(n < 100);
        }
    }
}

/* The same where rows of an earlier run stand there: they stay until there is a new one, and OUT.leat is always that of the rows. */
static void starting_anew_survives_every_failing_call(void **state)
{
    job *j = *state;
    static const char *const calls[] = { "write", "fsync", "rename", "ftruncate", "open" };
    job_batch_input(j, 12);
    j->opts.concurrency = 3;
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        for (uint64_t n = 1;; n++) {
            unlink(j->output);
            assert_int_equal(job_run(j), LEAT_OK);
            j->opts.overwrite = j->opts.no_extras = true;
            test_fault_set(calls[c], n, strcmp(calls[c], "write") == 0 ? -ENOSPC : -EIO);
            leat_err err = job_run(j);
            bool past = test_fault_count() < n;
            test_fault_set(NULL, 0, 0);
            j->opts.overwrite = false;
            if (err) assert_true(j->summary.exit_code == 8 || j->summary.exit_code == 3);
            /* With or without the extras: one of the two is what stands there, and the other one is refused, but where nothing does. */
            rows r = job_rows(j);
            unsigned count = r.count;
            rows_free(&r);
            leat_err new_way = job_run(j);
            j->opts.no_extras = false;
            leat_err old_way = job_run(j);
            assert_true(new_way == LEAT_OK || old_way == LEAT_OK);
            assert_true(new_way == LEAT_MISMATCH || old_way == LEAT_MISMATCH || count == 0);
            if (past) break;
            assert_true(n < 100);
        }
    }
}

static void a_full_disk_is_one_clear_sentence(void **state)
{
    job *j = *state;
    job_batch_input(j, 50);
    j->opts.output = "/dev/full";
    assert_int_equal(job_run(j), LEAT_IO);
    assert_int_equal(j->summary.exit_code, 8);
    assert_string_equal(j->error.text,
                        "cannot write to the output /dev/full: No space left on device"); /* and nothing is kept */
    assert_false(j->summary.goes_on);
    j->opts.output = test_path(&j->dir, "no/such/out");
    assert_int_equal(job_run(j), LEAT_IO);
    assert_int_equal(j->summary.exit_code, 8);
}

/* The limit falls into the middle of a row: its beginning is written, and cut off again. The signal that comes with it kills
 * nobody. */
static void a_file_limit_ends_at_a_whole_row(void **state)
{
    job *j = *state;
    struct rlimit old, low;
    job_batch_input(j, 100);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 10001;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    leat_err err = job_run(j);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(err, LEAT_IO);
    assert_int_equal(j->summary.exit_code, 8);
    assert_non_null(strstr(j->error.text, "File too large"));
    assert_non_null(strstr(j->error.text, "the rows written so far are kept"));
    rows r = job_rows(j); /* fails on a torn row */
    assert_true(r.count > 5 && r.count < 100);
    assert_int_equal(j->summary.rows_ok, r.count); /* those in the group whose write came short, too */
    rows_free(&r);
    job_finish(j, 100);
}

/* A pipe whose reader goes away: the signal does not kill, the error is told. */
static void a_closed_pipe_is_told(void **state)
{
    job *j = *state;
    job_batch_input(j, 400);
    const char *path = test_path(&j->dir, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    j->opts.output = path;
    pid_t reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        char buf[100];
        int fd = open(path, O_RDONLY);                /* waits for the run to open the other end */
        _exit(read(fd, buf, sizeof buf) > 0 ? 0 : 1); /* takes a little, then goes */
    }
    assert_int_equal(job_run(j), LEAT_IO);
    assert_int_equal(j->summary.exit_code, 8);
    assert_non_null(strstr(j->error.text, "Broken pipe"));
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

typedef struct fed {
    job *j;
    leat_err err;
    leat_error error;
} fed;

static leat_err feed_without_helpers(leat_task *t, void *arg, const void **result)
{
    fed *f = arg;
    leat_i_feed feed;
    leat_i_ids ids = { 0 };
    struct leat_i_doc d = { .run = NULL };
    bool got = false;
    (void)result;
    LEAT_TRY(leat_i_feed_init(&feed, &f->j->opts, &ids, &f->error));
    leat_i_doc_clear(&d);
    test_fault_set("pthread_create", 1, -EAGAIN);
    f->err = leat_i_feed_next(t, &feed, &d, &got, &f->error);
    test_fault_set(NULL, 0, 0);
    leat_i_doc_clear(&d);
    leat_i_feed_fini(&feed);
    leat_i_ids_fini(&ids);
    return LEAT_OK;
}

/* A pipe is read on a helper thread. Where there is none, the reader has not run, and so could not say why. */
static void an_input_that_no_helper_reads_is_told(void **state)
{
    job *j = *state;
    fed f = { .j = j, .err = LEAT_OK };
    memset(&f.error, 'x', sizeof f.error - 1);
    j->input = test_path(&j->dir, "pipe");
    assert_int_equal(mkfifo(j->input, 0600), 0);
    assert_int_equal(leat_task_run(j->rt, feed_without_helpers, &f, NULL), LEAT_OK);
    assert_int_equal(f.err, LEAT_NOMEM);
    assert_int_equal(f.error.code, LEAT_NOMEM);
    assert_string_equal(f.error.text, "no helper thread could be started");
}

/* Any allocation may fail: the run says so or survives it, and the next one completes it. */
static void memory_may_be_short_at_any_allocation(void **state)
{
    job *j = *state;
    job_batch_input(j, 6);
    test_append(j->input, "bad\n");
    j->opts.concurrency = 2;
    uint64_t step = 1;
    for (uint64_t n = 1; n < 4000; n += step) {
        unlink(j->output);
        leat_i_mem_fail_after(n, false);
        uint64_t before = leat_i_mem_alloc_count();
        leat_err err = job_run(j);
        bool past = leat_i_mem_alloc_count() - before < n;
        leat_i_mem_fail_after(0, false);
        if (err && strlen(j->error.text) < 5)
            fail_msg("allocation %llu: %s without a sentence", (unsigned long long)n, leat_err_name(err));
        j->opts.retry_failed = "";
        assert_int_equal(job_run(j), LEAT_OK);
        j->opts.retry_failed = NULL;
        rows r = job_rows(j);
        assert_int_equal(r.count, 7);
        rows_free(&r);
        if (past) break;
        if (n > 150) step = 7;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(every_failing_call_is_told_and_survived),
        JOB_TEST(a_full_disk_is_one_clear_sentence),
        JOB_TEST(starting_anew_survives_every_failing_call),
        JOB_TEST(a_file_limit_ends_at_a_whole_row),
        JOB_TEST(a_closed_pipe_is_told),
        JOB_TEST(an_input_that_no_helper_reads_is_told),
        JOB_TEST(memory_may_be_short_at_any_allocation),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
