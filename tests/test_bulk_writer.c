/* test_bulk_writer.c: group commit and turns: rows whole and each once, few writes, failures told to all, first come first served. */
#include "bulk_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "bulk/slots.h"
#include "bulk/writer.h"

enum { TASKS = 64, ROWS_EACH = 50 };

static test_dir dir;

typedef struct fixture {
    leat_runtime *rt;
    leat_i_journal journal;
    leat_i_writer writer;
    LEAT_ATOMIC(uint32_t) next, good, bad;
    LEAT_ATOMIC(uint32_t) err; /* of the last that failed */
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    test_dir_make(&dir);
    assert_int_equal(leat_runtime_new(&f->rt, &(leat_runtime_opts){ .worker_count = 4 }), LEAT_OK);
    f->journal = (leat_i_journal){ .path = test_path(&dir, "out"), .regular = true, .resumable = true };
    f->journal.fd = open(f->journal.path, O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_true(f->journal.fd >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    leat_runtime_free(f->rt);
    close(f->journal.fd);
    test_dir_remove(&dir);
    free(f);
    return 0;
}

static leat_err put_rows(leat_task *t, void *arg, const void **result)
{
    fixture *f = arg;
    (void)result;
    uint32_t me = leat_add_relaxed(&f->next, 1);
    for (unsigned i = 0; i < ROWS_EACH; i++) {
        char row[400];
        int pad = (int)((me * 31 + i * 7) % 300);
        int n = snprintf(
            row, sizeof row, "%u.%u %.*s\n", me, i, pad,
            "........................................................................................................."
            "........................................................................................................."
            ".........................................................................................................");
        leat_error error;
        leat_err err = leat_i_writer_put(t, &f->writer, row, (size_t)n, &error);
        (void)leat_add_relaxed(err ? &f->bad : &f->good, 1);
        if (err) leat_store_relaxed(&f->err, (uint32_t)error.code);
    }
    return LEAT_OK;
}

static leat_err start_all(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *all[TASKS];
    leat_error error;
    for (int i = 0; i < TASKS; i++)
        all[i] = leat_task_start(t, put_rows, arg);
    LEAT_TRY(leat_await_all(t, all, TASKS));
    return leat_i_writer_sync(t, &((fixture *)arg)->writer, &error);
}

/* `expected` is what is told at the end. */
static void run_writers_to(fixture *f, leat_bulk_sync sync, leat_err expected)
{
    leat_i_writer_init(&f->writer, &f->journal, sync);
    leat_error error;
    assert_int_equal(leat_task_run(f->rt, start_all, f, &error), expected);
    leat_i_writer_fini(&f->writer);
}

static void run_writers(fixture *f, leat_bulk_sync sync)
{
    run_writers_to(f, sync, LEAT_OK);
}

/* Each row of the file is whole, comes once, and those of one task stand in their order. */
static unsigned check_rows(const fixture *f)
{
    size_t size;
    unsigned next[TASKS] = { 0 }, count = 0;
    char *data = test_read(f->journal.path, &size);
    assert_int_equal(size, f->journal.bytes);
    for (char *line = data, *lf; line < data + size; line = lf + 1) {
        unsigned task, i;
        lf = memchr(line, '\n', (size_t)(data + size - line));
        assert_non_null(lf);
        assert_int_equal(sscanf(line, "%u.%u ", &task, &i), 2);
        assert_true(task < TASKS);
        assert_int_equal(i, next[task]++);
        count++;
    }
    free(data);
    return count;
}

static void rows_are_whole(void **state)
{
    fixture *f = *state;
    run_writers(f, LEAT_BULK_SYNC_NONE);
    assert_int_equal(check_rows(f), TASKS * ROWS_EACH);
    assert_int_equal(leat_load_relaxed(&f->good), TASKS * ROWS_EACH);
}

/* On one worker the order of events is fixed: the leader lets all others come first, and writes for all of them. */
static void rows_that_are_ready_together_are_one_write(void **state)
{
    fixture *f = *state;
    leat_runtime_free(f->rt);
    assert_int_equal(leat_runtime_new(&f->rt, &(leat_runtime_opts){ .worker_count = 1 }), LEAT_OK);
    test_fault_set("write", 0, 0);
    run_writers(f, LEAT_BULK_SYNC_NONE);
    assert_int_equal(check_rows(f), TASKS * ROWS_EACH);
    assert_true(test_fault_count() <= 2 * ROWS_EACH);
    test_fault_set(NULL, 0, 0);
}

static void every_row_is_synced_before_it_counts(void **state)
{
    fixture *f = *state;
    test_fault_set("fsync", 0, 0);
    run_writers(f, LEAT_BULK_SYNC_ROW);
    assert_int_equal(check_rows(f), TASKS * ROWS_EACH);
    assert_true(test_fault_count() >= ROWS_EACH); /* one task's rows can never share an fsync */
    test_fault_set("fsync", 0, 0);
    run_writers(f, LEAT_BULK_SYNC_GROUP);
    assert_int_equal(test_fault_count(), 1); /* the one at the end: nobody waited for it before */
    test_fault_set(NULL, 0, 0);
}

/* Whatever was asked for on the way: who is told that all is well has it on the disk. */
static void the_end_brings_all_to_the_disk(void **state)
{
    fixture *f = *state;
    test_fault_set("fsync", 0, 0);
    run_writers(f, LEAT_BULK_SYNC_NONE);
    assert_int_equal(test_fault_count(), 1);
    test_fault_set("fsync", 1, -EIO); /* what the system could not write is told there, and nowhere else */
    run_writers_to(f, LEAT_BULK_SYNC_NONE, LEAT_IO);
    assert_int_equal(leat_load_relaxed(&f->bad), 0);
    test_fault_set("fsync", 1, -EINVAL); /* a file system that knows no fsync */
    run_writers(f, LEAT_BULK_SYNC_NONE);
    test_fault_set("fsync", 1, -EINVAL);
    run_writers_to(f, LEAT_BULK_SYNC_GROUP, LEAT_IO);
    test_fault_set(NULL, 0, 0);
}

static void a_failed_write_is_told_to_all_and_final(void **state)
{
    fixture *f = *state;
    test_fault_set("write", 20, -ENOSPC);
    run_writers_to(f, LEAT_BULK_SYNC_NONE, LEAT_IO);
    test_fault_set(NULL, 0, 0);
    unsigned kept = check_rows(f);
    assert_int_equal(leat_load_relaxed(&f->good), kept);
    assert_int_equal(leat_load_relaxed(&f->good) + leat_load_relaxed(&f->bad), TASKS * ROWS_EACH);
    assert_true(leat_load_relaxed(&f->bad) > 0);
    assert_int_equal(leat_load_relaxed(&f->err), LEAT_IO);
}

static void a_failed_fsync_is_final(void **state)
{
    fixture *f = *state;
    test_fault_set("fsync", 3, -EIO);
    run_writers_to(f, LEAT_BULK_SYNC_ROW, LEAT_IO);
    test_fault_set(NULL, 0, 0);
    assert_true(leat_load_relaxed(&f->bad) > 0);
    assert_int_equal(leat_load_relaxed(&f->good), check_rows(f)); /* the numbers are those of the file */
    assert_int_equal(leat_load_relaxed(&f->err), LEAT_IO);
}

/* A row that found no memory is missing in its task's sequence; the others are whole. */
static unsigned lines_count(const fixture *f)
{
    size_t size;
    unsigned count = 0;
    char *data = test_read(f->journal.path, &size);
    assert_int_equal(size, f->journal.bytes);
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\n';
    assert_true(size == 0 || data[size - 1] == '\n');
    free(data);
    return count;
}

static void short_memory_costs_single_rows_only(void **state)
{
    fixture *f = *state;
    leat_i_mem_fail_after(300, false);
    run_writers(f, LEAT_BULK_SYNC_NONE);
    leat_i_mem_fail_after(0, false);
    assert_int_equal(lines_count(f), leat_load_relaxed(&f->good));
}

/* A slow reader: nothing is lost, and the worker threads stay free for others meanwhile. */
static void *slow_reader(void *arg)
{
    char buf[1000];
    size_t total = 0;
    ssize_t n;
    while ((n = read(*(int *)arg, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            total += buf[i] == '\n';
        if (total % 16 == 0) usleep(100);
    }
    return (void *)(uintptr_t)total;
}

static void pipes_get_every_row(void **state)
{
    fixture *f = *state;
    int fds[2];
    pthread_t thread;
    void *total;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0); /* somebody who shares it may have done so */
    int file = f->journal.fd;
    f->journal.fd = fds[1];
    f->journal.regular = f->journal.resumable = false;
    assert_int_equal(pthread_create(&thread, NULL, slow_reader, &fds[0]), 0);
    run_writers(f, LEAT_BULK_SYNC_ROW);
    close(fds[1]);
    pthread_join(thread, &total);
    close(fds[0]);
    f->journal.fd = file;
    assert_int_equal((uintptr_t)total, TASKS * ROWS_EACH);
    assert_int_equal(leat_load_relaxed(&f->good), TASKS * ROWS_EACH);
}

/* ---- turns ---- */

typedef struct turns {
    leat_i_slots slots;
    LEAT_ATOMIC(uint32_t) held, most, order;
    uint32_t got[8];
} turns;

typedef struct turn_job {
    turns *turns;
    leat_i_slot_kind kind;
    unsigned index;
} turn_job;

static leat_err take_one(leat_task *t, void *arg, const void **result)
{
    turn_job *j = arg;
    (void)result;
    LEAT_TRY(leat_i_slots_take(t, &j->turns->slots, j->kind));
    j->turns->got[j->index] = leat_add_relaxed(&j->turns->order, 1) + 1;
    (void)leat_i_slots_give(&j->turns->slots);
    return LEAT_OK;
}

static leat_err who_comes_back_goes_first(leat_task *t, void *arg, const void **result)
{
    turns *s = arg;
    (void)result;
    turn_job jobs[6];
    leat_future *all[6];
    LEAT_TRY(leat_i_slots_take(t, &s->slots, LEAT_I_SLOT_NEW));
    for (unsigned i = 0; i < 6; i++) {
        jobs[i] = (turn_job){ s, i < 3 ? LEAT_I_SLOT_NEW : LEAT_I_SLOT_RETRY, i };
        all[i] = leat_task_start(t, take_one, &jobs[i]);
        LEAT_TRY(leat_sleep_ms(t, 1)); /* virtual: it is in the queue now */
    }
    if (!leat_i_slots_wanted(&s->slots)) return LEAT_USER;
    leat_future_cancel(all[1]);
    (void)leat_i_slots_give(&s->slots);
    for (unsigned i = 0; i < 6; i++) {
        leat_err err = leat_await(t, all[i], NULL);
        if (err != (i == 1 ? LEAT_CANCELED : LEAT_OK)) return LEAT_USER;
    }
    return leat_i_slots_wanted(&s->slots) ? LEAT_USER : LEAT_OK;
}

static void turns_go_to_retries_first_then_in_order(void **state)
{
    (void)state;
    leat_runtime *rt;
    turns s = { .held = 0 };
    leat_error error;
    assert_int_equal(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 1, .virtual_clock = true }), LEAT_OK);
    leat_i_slots_init(&s.slots, 1);
    assert_int_equal(leat_task_run(rt, who_comes_back_goes_first, &s, &error), LEAT_OK);
    const uint32_t expected[6] = { 4, 0, 5, 1, 2, 3 };
    for (int i = 0; i < 6; i++)
        assert_int_equal(s.got[i], expected[i]);
    assert_int_equal(s.slots.free_count, 1);
    leat_runtime_free(rt);
}

static leat_err take_many(leat_task *t, void *arg, const void **result)
{
    turns *s = arg;
    (void)result;
    for (int i = 0; i < 200; i++) {
        LEAT_TRY(leat_i_slots_take(t, &s->slots, i % 3 ? LEAT_I_SLOT_NEW : LEAT_I_SLOT_RETRY));
        uint32_t held = leat_add_relaxed(&s->held, 1) + 1;
        if (held > leat_load_relaxed(&s->most)) leat_store_relaxed(&s->most, held);
        leat_err err = i % 5 == 0 ? leat_sleep_ms(t, 0) : LEAT_OK;
        (void)leat_sub_relaxed(&s->held, 1);
        (void)leat_i_slots_give(&s->slots);
        if (err) return err;
    }
    return LEAT_OK;
}

static leat_err many_and_cancels(leat_task *t, void *arg, const void **result)
{
    leat_future *all[40];
    (void)result;
    for (int i = 0; i < 40; i++)
        all[i] = leat_task_start(t, take_many, arg);
    for (int i = 0; i < 40; i += 4)
        leat_future_cancel(all[i]);
    for (int i = 0; i < 40; i++) {
        leat_err err = leat_await(t, all[i], NULL);
        if (err && err != LEAT_CANCELED) return err;
    }
    return LEAT_OK;
}

/* However many come, wait and are canceled: never more turns than there are, and at the end all are back. */
static void turns_are_neither_lost_nor_invented(void **state)
{
    fixture *f = *state;
    leat_error error;
    for (int round = 0; round < 10; round++) {
        turns s = { .held = 0 };
        leat_i_slots_init(&s.slots, 3);
        assert_int_equal(leat_task_run(f->rt, many_and_cancels, &s, &error), LEAT_OK);
        assert_true(leat_load_relaxed(&s.most) <= 3);
        assert_int_equal(s.slots.free_count, 3);
    }
}

int main(void)
{
#define WRITER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        WRITER_TEST(rows_are_whole),
        WRITER_TEST(rows_that_are_ready_together_are_one_write),
        WRITER_TEST(every_row_is_synced_before_it_counts),
        WRITER_TEST(a_failed_write_is_told_to_all_and_final),
        WRITER_TEST(the_end_brings_all_to_the_disk),
        WRITER_TEST(a_failed_fsync_is_final),
        WRITER_TEST(short_memory_costs_single_rows_only),
        WRITER_TEST(pipes_get_every_row),
        cmocka_unit_test(turns_go_to_retries_first_then_in_order),
        WRITER_TEST(turns_are_neither_lost_nor_invented),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
