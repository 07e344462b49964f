/* test_descriptor.c: waiting for descriptors costs no worker, wakes everybody concerned, and ends cleanly when it is cut short. */
#include "support_sched.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "leat/io.h"

#define PIPE_COUNT 50

static void put(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

struct talk {
    int in, out; /* ends of a pipe */
    char heard[256];
};

static struct talk talk_open(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    return (struct talk){ .in = fd[0], .out = fd[1] };
}

static void talk_close(struct talk *k)
{
    close(k->in);
    if (k->out >= 0) close(k->out);
}

static leat_err listens(leat_task *t, void *arg, const void **result)
{
    struct talk *k = arg;
    const char *line;
    for (;;) {
        LEAT_TRY(leat_fd_read_line(t, k->in, &line));
        if (!line) return LEAT_OK;
        size_t at = strlen(k->heard);
        snprintf(k->heard + at, sizeof k->heard - at, "[%s]", line);
        *result = line;
    }
}

/* ---- lines ---- */

static leat_err speaks_and_listens(leat_task *t, void *arg, const void **result)
{
    struct talk *k = arg;
    leat_future *f = leat_task_start(t, listens, k);
    LEAT_TRY(leat_sleep_ms(t, 1)); /* the listener waits, and we have the only worker */
    put(k->out, "one\n\ntw");
    LEAT_TRY(leat_sleep_ms(t, 1));
    put(k->out, "o\nend");
    close(k->out);
    k->out = -1;
    return leat_await(t, f, result);
}

static void a_line_is_waited_for_without_a_worker(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct talk k = talk_open();
        leat_runtime *rt = runtime_with(count, count > 1);
        assert_int_equal(leat_task_run(rt, speaks_and_listens, &k, NULL), LEAT_OK);
        assert_string_equal(k.heard, "[one][][two][end]");
        leat_runtime_free(rt);
        talk_close(&k);
    }
}

static leat_err reads_once(leat_task *t, void *arg, const void **result)
{
    const char *line = "untouched";
    leat_err err = leat_fd_read_line(t, ((struct talk *)arg)->in, &line);
    (void)result;
    ((struct talk *)arg)->heard[0] = line[0]; /* 'u', or what the line begins with */
    return err;
}

/* A long line comes from a file: those are always ready. */
static leat_err line_of(size_t size)
{
    leat_runtime *rt = runtime_with(1, true);
    FILE *file = tmpfile();
    struct talk k = { .in = fileno(file) };
    for (size_t i = 0; i < size; i++)
        fputc('x', file);
    fputc('\n', file);
    rewind(file);
    leat_err err = leat_task_run(rt, reads_once, &k, NULL);
    assert_int_equal(k.heard[0], err == LEAT_OK ? 'x' : 'u');
    fclose(file);
    leat_runtime_free(rt);
    return err;
}

static void a_line_has_a_maximum(void **state)
{
    (void)state;
    assert_int_equal(line_of(LEAT_LINE_BYTES_MAX), LEAT_OK);
    assert_int_equal(line_of(LEAT_LINE_BYTES_MAX + 1), LEAT_INPUT);
}

/* ---- many ---- */

struct crowd {
    struct talk talk[PIPE_COUNT];
};

static leat_err hears_of_it(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fd_wait(t, *(int *)arg, LEAT_FD_READABLE);
}

static leat_err crowd_waits(leat_task *t, void *arg, const void **result)
{
    struct crowd *c = arg;
    leat_future *f[2 * PIPE_COUNT];
    (void)result;
    /* Two waits for each pipe: the second stands beside the first. */
    for (int i = 0; i < 2 * PIPE_COUNT; i++)
        f[i] = leat_task_start(t, hears_of_it, &c->talk[i / 2].in);
    LEAT_TRY(leat_sleep_ms(t, 1));
    for (int i = PIPE_COUNT; i-- > 0;) {
        put(c->talk[i].out, "x");
        LEAT_TRY(leat_await_all(t, f + 2 * i, 2));
    }
    return LEAT_OK;
}

static void many_wait_and_each_is_woken_by_its_own(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct crowd *c = calloc(1, sizeof *c);
        leat_runtime *rt = runtime_with(count, false);
        for (int i = 0; i < PIPE_COUNT; i++)
            c->talk[i] = talk_open();
        assert_int_equal(leat_task_run(rt, crowd_waits, c, NULL), LEAT_OK);
        leat_runtime_free(rt);
        for (int i = 0; i < PIPE_COUNT; i++)
            talk_close(&c->talk[i]);
        free(c);
    }
}

static leat_err fills_and_empties(leat_task *t, void *arg, const void **result)
{
    struct talk *k = arg;
    char block[4096] = { 0 };
    (void)result;
    LEAT_TRY(leat_fd_wait(t, k->out, LEAT_FD_WRITABLE));
    CHECK(fcntl(k->out, F_SETFL, O_NONBLOCK) == 0 && fcntl(k->in, F_SETFL, O_NONBLOCK) == 0);
    while (write(k->out, block, sizeof block) > 0)
        ;
    leat_future *f = leat_task_start(t, listens, k); /* reads "\0\0..." without end: canceled below */
    LEAT_TRY(leat_fd_wait(t, k->out, LEAT_FD_WRITABLE));
    leat_future_cancel(f);
    return LEAT_OK;
}

static void writable_is_waited_for_too(void **state)
{
    (void)state;
    struct talk k = talk_open();
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, fills_and_empties, &k, NULL), LEAT_OK);
    leat_runtime_free(rt);
    talk_close(&k);
}

/* ---- cut short ---- */

static leat_err waits_in_vain_then_not(leat_task *t, void *arg, const void **result)
{
    struct talk *k = arg;
    const char *line = NULL;
    for (int i = 0; i < ROUNDS(100); i++) {
        if (leat_task_within(t, 5, listens, k, result) != LEAT_TIMEOUT) return LEAT_USER;
        put(k->out, "now\n");
        LEAT_TRY(leat_fd_read_line(t, k->in, &line));
        if (strcmp(line, "now") != 0) return LEAT_USER;
    }
    return LEAT_OK;
}

static void a_deadline_ends_the_wait_and_the_next_one_is_whole(void **state)
{
    (void)state;
    struct talk k = talk_open();
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, waits_in_vain_then_not, &k, NULL), LEAT_OK);
    leat_runtime_free(rt);
    talk_close(&k);
}

/* A byte and a cancel race for each wait. */
static leat_err cancels_while_it_comes(leat_task *t, void *arg, const void **result)
{
    struct talk *k = arg;
    const char *line;
    (void)result;
    for (int i = 0; i < ROUNDS(2000); i++) {
        leat_future *f = leat_task_start(t, hears_of_it, &k->in);
        if (i % 2) LEAT_TRY(leat_sleep_ms(t, 0));
        put(k->out, "\n");
        leat_future_cancel(f);
        leat_err err = leat_await(t, f, NULL);
        if (err != LEAT_OK && err != LEAT_CANCELED) return err;
        LEAT_TRY(leat_fd_read_line(t, k->in, &line));
    }
    return LEAT_OK;
}

static void a_cancel_may_come_with_the_byte(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct talk k = talk_open();
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, cancels_while_it_comes, &k, NULL), LEAT_OK);
        leat_runtime_free(rt);
        talk_close(&k);
    }
}

static void freeing_the_handle_ends_the_wait(void **state)
{
    (void)state;
    struct talk k = talk_open();
    leat_handle *h;
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_submit(rt, listens, &k, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, 10, NULL, NULL), LEAT_TIMEOUT);
    leat_handle_free(h);
    leat_runtime_free(rt);
    talk_close(&k);
}

/* ---- what cannot be waited for ---- */

static void a_descriptor_that_is_not_open_is_refused(void **state)
{
    (void)state;
    int fds[] = { -1, 1000000 };
    leat_runtime *rt = runtime_with(1, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(leat_task_run(rt, hears_of_it, &fds[i], NULL), LEAT_USAGE);
    leat_runtime_free(rt);
}

static void memory_may_be_short(void **state)
{
    (void)state;
    struct talk k = talk_open();
    leat_runtime *rt = runtime_with(1, true);
    leat_err err = LEAT_NOMEM;
    put(k.out, "line\n");
    for (uint64_t n = 1; err != LEAT_OK; n++) {
        leat_i_mem_fail_after(n, true);
        err = leat_task_run(rt, reads_once, &k, NULL);
        leat_i_mem_fail_after(0, false);
        if (err == LEAT_NOMEM && k.heard[0] == 'u') put(k.out, "again\n"); /* what had been read is lost */
        assert_true(err == LEAT_NOMEM || err == LEAT_OK);
        assert_true(n < 100);
    }
    leat_runtime_free(rt);
    talk_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_waited_for_without_a_worker),
        cmocka_unit_test(a_line_has_a_maximum),
        cmocka_unit_test(many_wait_and_each_is_woken_by_its_own),
        cmocka_unit_test(writable_is_waited_for_too),
        cmocka_unit_test(a_deadline_ends_the_wait_and_the_next_one_is_whole),
        cmocka_unit_test(a_cancel_may_come_with_the_byte),
        cmocka_unit_test(freeing_the_handle_ends_the_wait),
        cmocka_unit_test(a_descriptor_that_is_not_open_is_refused),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
