/* test_bulk_stop.c: how runs end before their input: signals, refusals, rules, a dead endpoint. */
#include "bulk_support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/buf.h"
#include "base/os.h"
#include "bulk_job.h"

static void a_wrong_key_stops_the_run(void **state)
{
    job *j = *state;
    job_batch_input(j, 200);
    job_endpoint(j, &(leat_mock_opts){ .key = "secret-of-the-endpoint" }, NULL);
    assert_int_equal(job_run(j), LEAT_DENIED);
    assert_int_equal(j->summary.exit_code, 5);
    assert_true(strlen(j->error.text) > 0);
    leat_mock_stats m;
    leat_mock_read(j->mock, &m);
    assert_true(m.requests > 0 && j->summary.requests >= m.requests); /* those given up had been asked, too */
    rows r = job_rows(j);
    assert_int_equal(r.count, 0); /* who was refused because of the key is asked again, not written down */
    rows_free(&r);
    job_endpoint(j, NULL, NULL);
    job_finish(j, 200);
}

static void job_client(job *j, const leat_llm_opts *o)
{
    leat_llm_free(j->llm);
    j->llm = NULL;
    assert_int_equal(leat_llm_new(&j->llm, j->rt, o, &j->error), LEAT_OK);
    j->opts.llm = j->llm;
}

/* No row is made of documents that nobody was there for: the same call goes on once the endpoint is there. */
static void an_endpoint_that_is_down_stops_the_run(void **state)
{
    job *j = *state;
    job_batch_input(j, 200);
    job_client(j, &(leat_llm_opts){ .base_url = "http://127.0.0.1:9/v1", .max_attempts = 1 });
    assert_int_equal(job_run(j), LEAT_NET);
    assert_int_equal(j->summary.exit_code, 5);
    assert_non_null(strstr(j->error.text, "not reached: nobody listens at http://127.0.0.1:9 "));
    assert_int_equal(j->summary.rows_failed, 0);
    assert_true(j->summary.requests == 0 && j->summary.goes_on);
    job_endpoint(j, NULL, NULL);
    job_finish(j, 200);
    assert_int_equal(j->summary.exit_code, 0);
}

static void a_plain_port_is_told_from_a_tls_one(void **state)
{
    job *j = *state;
    char url[64];
    job_batch_input(j, 3);
    snprintf(url, sizeof url, "https%s", leat_mock_url(j->mock) + strlen("http"));
    job_client(j, &(leat_llm_opts){ .base_url = url });
    j->opts.concurrency = 1;
    assert_int_equal(job_run(j), LEAT_DENIED);
    assert_int_equal(j->summary.exit_code, 5);
    assert_non_null(strstr(j->error.text, "speaks no TLS: is it an http:// endpoint?"));
    assert_int_equal(j->summary.rows_failed, 0);
    assert_int_equal(j->summary.requests, 0); /* none was sent */
    job_endpoint(j, NULL, NULL);
    job_finish(j, 3);
}

typedef struct late {
    leat_limiter *limiter; /* tells that attempts have been made */
    uint16_t port;
    leat_mock *mock;
    leat_err err;
    LEAT_ATOMIC(bool) quit;
} late;

static void *late_thread(void *arg)
{
    late *l = arg;
    leat_limiter_stats s = { 0 };
    while (s.granted < 20 && !leat_load_relaxed(&l->quit)) {
        leat_limiter_read(l->limiter, &s);
        usleep(500);
    }
    l->err = leat_mock_new(&l->mock, &(leat_mock_opts){ .port = l->port }, NULL);
    return NULL;
}

/* A server that is still starting is waited for, and costs no document a row. */
static void an_endpoint_that_comes_late_is_waited_for(void **state)
{
    job *j = *state;
    late l = { .port = 0 };
    char url[64];
    pthread_t thread;
    job_batch_input(j, 100);
    snprintf(url, sizeof url, "%s", leat_mock_url(j->mock));
    l.port = (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10);
    leat_mock_free(j->mock);
    j->mock = NULL;
    assert_int_equal(leat_limiter_new(&l.limiter, &(leat_limiter_opts){ 0 }), LEAT_OK);
    job_client(j, &(leat_llm_opts){ .base_url = url, .limiter = l.limiter, .max_attempts = 2 });
    assert_int_equal(pthread_create(&thread, NULL, late_thread, &l), 0);
    leat_err err = job_run(j);
    leat_store_relaxed(&l.quit, true);
    pthread_join(thread, NULL);
    assert_int_equal(l.err, LEAT_OK);
    assert_int_equal(err, LEAT_OK);
    assert_int_equal(j->summary.rows_ok, 100);
    leat_limiter_stats s;
    leat_limiter_read(l.limiter, &s);
    assert_true(s.granted >= 116 && j->summary.requests >= 100 && j->summary.requests < s.granted);
    leat_mock_free(l.mock);
    job_endpoint(j, NULL, NULL);
    leat_limiter_free(l.limiter);
}

static void *closer_thread(void *arg)
{
    job *j = arg;
    leat_mock_stats s = { 0 };
    while (s.answered < 100) {
        leat_mock_read(j->mock, &s);
        usleep(500);
    }
    leat_mock_free(j->mock);
    return NULL;
}

/* A hundred thousand documents must not become a hundred thousand error rows overnight. */
static void an_endpoint_that_goes_away_stops_the_run(void **state)
{
    job *j = *state;
    pthread_t thread;
    job_batch_input(j, 2000);
    job_endpoint(j, &(leat_mock_opts){ .latency_ms = 50 }, &(leat_llm_opts){ .max_attempts = 1 });
    j->opts.outage_ms = 600;
    assert_int_equal(pthread_create(&thread, NULL, closer_thread, j), 0);
    leat_err err = job_run(j);
    pthread_join(thread, NULL);
    j->mock = NULL;
    assert_int_equal(err, LEAT_NET);
    assert_int_equal(j->summary.exit_code, 5);
    assert_non_null(strstr(j->error.text, "the endpoint went away and was not back within 0.6 s: nobody listens at "));
    assert_true(j->summary.rows_ok >= 80 && j->summary.goes_on);
    assert_int_equal(j->summary.class_count[LEAT_CLASS_CONNECT], 0);
    assert_true(j->summary.rows_failed <= 16); /* those cut in their answer */
    job_endpoint(j, NULL, NULL);
    j->opts.retry_failed = "";
    job_finish(j, 2000);
    assert_int_equal(j->summary.exit_code, 0);
}

/* Who is there and answers nothing is another matter: its documents get their rows, for they may be the reason. */
static void a_short_input_without_an_answer_says_so(void **state)
{
    job *j = *state;
    job_batch_input(j, 3);
    job_endpoint(j, &(leat_mock_opts){ .latency_ms = 60000 },
                 &(leat_llm_opts){ .max_attempts = 1, .first_byte_timeout_ms = 50 });
    assert_int_equal(job_run(j), LEAT_NET);
    assert_int_equal(j->summary.exit_code, 5);
    assert_non_null(strstr(j->error.text, "has not answered once"));
    assert_int_equal(j->summary.rows_failed, 3);
    assert_false(j->summary.goes_on);
}

static void the_first_20_failures_stop_the_run(void **state)
{
    job *j = *state;
    for (int i = 0; i < 300; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "{\"custom_id\":\"d%d\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}\n", i);
        test_append(j->input, line);
    }
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_int_equal(j->summary.exit_code, 4);
    assert_non_null(strstr(j->error.text, "the first 20 documents all failed"));
    assert_true(j->summary.rows_failed >= 20 && j->summary.rows_failed <= 20 + 16);
    /* One good row shows that the settings are right: from then on failures are the documents' own. */
    j->opts.overwrite = true;
    job_batch_line(j, "good", "words");
    char *all = test_read(j->input, NULL), *good = strstr(all, "{\"custom_id\":\"good\"");
    test_puts(j->input, good);
    *good = 0;
    test_append(j->input, all);
    free(all);
    j->opts.concurrency = 1;
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_failed, 300);
    assert_int_equal(j->summary.exit_code, 1);
}

/* Refusals that begin in the middle: what has changed concerns all that follow. */
static void a_thousand_failures_in_a_row_stop_the_run(void **state)
{
    job *j = *state;
    leat_i_buf lines = { 0 };
    job_batch_line(j, "good", "words");
    for (int i = 0; i < 1500; i++)
        assert_true(leat_i_buf_printf(&lines, "{\"custom_id\":\"d%d\",\"url\":\"/v1/chat/completions\",\"body\":{}}\n", i));
    test_append(j->input, lines.data);
    job_batch_line(j, "last", "words");
    leat_i_buf_fini(&lines);
    j->opts.concurrency = 1;
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_int_equal(j->summary.exit_code, 4);
    assert_non_null(strstr(j->error.text, "the last 1000 documents all failed; the last one: HTTP 400"));
    assert_int_equal(j->summary.rows_failed, 1000);
    job_finish(j, 1502); /* it goes on behind them */
}

static void too_many_errors_stop_the_run(void **state)
{
    job *j = *state;
    job_batch_input(j, 10);
    for (int i = 0; i < 50; i++)
        test_append(j->input, "bad\n");
    job_batch_line(j, "last", "words");
    j->opts.errors_max = 10;
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_int_equal(j->summary.exit_code, 4);
    assert_true(j->summary.rows_failed >= 10 && j->summary.rows_failed < 10 + 16);
    j->opts.errors_max = 0;
    job_finish(j, 61);
}

/* All use the same here, so the maximum is met to the token; the first goes alone, since nothing is known before it. */
static void what_may_be_spent_stops_the_run(void **state)
{
    job *j = *state;
    leat_mock_stats m;
    for (int i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof key, "d%d", i);
        job_batch_line(j, key, "The same words for all.");
    }
    job_endpoint(j, &(leat_mock_opts){ .latency_ms = 20 }, NULL);
    j->opts.tokens_max = 1;
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_int_equal(j->summary.exit_code, 4);
    assert_true(j->summary.goes_on);
    leat_mock_read(j->mock, &m);
    assert_true(m.requests == 1 && j->summary.requests == 1 && j->summary.rows_ok == 1);
    uint64_t each = j->summary.tokens_in + j->summary.tokens_out;
    j->opts.tokens_max = 20 * each + each / 2;
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_non_null(strstr(j->error.text, "tokens are to be spent"));
    /* One that was in line at the stop may have begun all the same, and then is given up: it has no row. */
    assert_true(j->summary.requests <= 20 && j->summary.rows_ok > 1 && j->summary.rows_failed == 0);
    assert_int_equal(j->summary.tokens_in + j->summary.tokens_out, each * j->summary.rows_ok);
    leat_mock_read(j->mock, &m);
    assert_true(m.requests <= 21);
    j->opts.tokens_max = 0;
    job_finish(j, 60);
}

/* Who waits for the limiter has spent nothing: the run goes to its maximum however many stand in line. */
static void who_stands_in_line_counts_for_nothing(void **state)
{
    job *j = *state;
    leat_limiter *limiter;
    for (int i = 0; i < 40; i++) {
        char key[32];
        snprintf(key, sizeof key, "d%d", i);
        job_batch_line(j, key, "The same words for all.");
    }
    assert_int_equal(leat_limiter_new(&limiter, &(leat_limiter_opts){ .in_flight_max = 1 }), LEAT_OK);
    job_endpoint(j, NULL, &(leat_llm_opts){ .limiter = limiter });
    j->opts.tokens_max = 1;
    assert_int_equal(job_run(j), LEAT_STOPPED);
    j->opts.tokens_max = 12 * (j->summary.tokens_in + j->summary.tokens_out);
    assert_int_equal(job_run(j), LEAT_STOPPED);
    assert_int_equal(j->summary.rows_ok, 12);
    assert_int_equal(j->summary.requests, 12);
    j->opts.tokens_max = 0;
    job_finish(j, 40);
    job_endpoint(j, NULL, NULL);
    leat_limiter_free(limiter);
}

/* ---- signals ---- */

typedef struct stopper {
    job *j;
    LEAT_ATOMIC(int) count;
    int to;
    uint64_t after_bytes; /* of output */
    LEAT_ATOMIC(bool) quit;
} stopper;

static void *stopper_thread(void *arg)
{
    stopper *s = arg;
    while (!leat_load_relaxed(&s->quit)) {
        struct stat st;
        if (leat_i_os_stat(s->j->output, &st) == 0 && (uint64_t)st.st_size >= s->after_bytes) {
            leat_store_relaxed(&s->count, s->to);
            break;
        }
        usleep(500);
    }
    return NULL;
}

static leat_err run_stopped(job *j, int to, uint64_t after_bytes)
{
    stopper s = { .j = j, .to = to, .after_bytes = after_bytes };
    pthread_t thread;
    j->opts.stop_signal = (const int *)&s.count;
    assert_int_equal(pthread_create(&thread, NULL, stopper_thread, &s), 0);
    leat_err err = job_run(j);
    leat_store_relaxed(&s.quit, true);
    pthread_join(thread, NULL);
    j->opts.stop_signal = NULL;
    return err;
}

static void the_first_signal_drains(void **state)
{
    job *j = *state;
    job_batch_input(j, 2000);
    job_endpoint(j, &(leat_mock_opts){ .latency_ms = 20 }, NULL);
    assert_int_equal(run_stopped(j, 1, 20000), LEAT_CANCELED);
    assert_int_equal(j->summary.exit_code, 130);
    assert_true(j->summary.rows_ok > 16 && j->summary.rows_ok < 2000);
    assert_int_equal(j->summary.requests, j->summary.rows_ok); /* all that was asked has its row */
    uint64_t first = j->summary.rows_ok;
    job_finish(j, 2000);
    assert_int_equal(j->summary.requests, 2000 - first);
}

static void the_second_signal_stops_at_once(void **state)
{
    job *j = *state;
    job_batch_input(j, 200);
    job_endpoint(j, &(leat_mock_opts){ .latency_ms = 60000 }, NULL); /* a drain would take a minute */
    assert_int_equal(run_stopped(j, 2, 0), LEAT_CANCELED);
    assert_int_equal(j->summary.exit_code, 130);
    assert_int_equal(j->summary.rows_ok + j->summary.rows_failed, 0);
    assert_true(j->summary.ms < 30000);
    job_endpoint(j, NULL, NULL);
    job_finish(j, 200);
}

static void a_second_run_on_one_output_is_refused(void **state)
{
    job *j = *state;
    job_batch_input(j, 5);
    int fd = open(j->output, O_RDWR | O_CREAT, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_int_equal(job_run(j), LEAT_LOCKED);
    assert_int_equal(j->summary.exit_code, 8);
    assert_non_null(strstr(j->error.text, "in use by another process"));
    close(fd);
    job_finish(j, 5);
}

/* ---- trouble at the endpoint that is survived ---- */

static void errors_and_cuts_are_retried_to_the_end(void **state)
{
    job *j = *state;
    job_batch_input(j, 400);
    leat_llm_opts o = { .max_attempts = 12 };
    job_endpoint(j, &(leat_mock_opts){ .error_rate = 0.15, .cut_rate = 0.1, .seed = 7 }, &o);
    j->opts.concurrency = 64;
    job_finish(j, 400);
    assert_int_equal(j->summary.rows_ok, 400);
    assert_true(j->summary.requests > 400);
}

static void *refusals_thread(void *arg)
{
    stopper *s = arg;
    leat_mock_stats m = { 0 };
    for (int i = 0; i < 40000 && m.refused_429 < s->after_bytes && !leat_load_relaxed(&s->quit); i++) {
        leat_mock_read(s->j->mock, &m);
        usleep(500);
    }
    leat_store_relaxed(&s->count, 2);
    return NULL;
}

/* One turn, and documents that are told to wait half a minute: they give it back, and the next one uses it. So as many are asked
 * as the window holds, and one more is not. */
static void who_waits_to_try_again_holds_no_turn(void **state)
{
    job *j = *state;
    job_batch_input(j, 10);
    job_endpoint(j, &(leat_mock_opts){ .requests_per_min = 1, .retry_after_s = 30 }, NULL);
    j->opts.concurrency = 3;
    stopper s = { .j = j, .after_bytes = 6 };
    pthread_t thread;
    j->opts.stop_signal = (const int *)&s.count;
    assert_int_equal(pthread_create(&thread, NULL, refusals_thread, &s), 0);
    assert_int_equal(job_run(j), LEAT_CANCELED);
    leat_store_relaxed(&s.quit, true);
    pthread_join(thread, NULL);
    leat_mock_stats m;
    leat_mock_read(j->mock, &m);
    assert_int_equal(m.refused_429, 6);
    assert_int_equal(j->summary.rows_ok, 1);
}

/* A drain finishes what is at the endpoint; who is in line for it, for half a minute or for his turn at the limiter, is asked
 * again by the next run instead. */
static void a_drain_does_not_wait_for_who_is_in_line(void **state)
{
    job *j = *state;
    job_batch_input(j, 10);
    job_endpoint(j, &(leat_mock_opts){ .requests_per_min = 1, .retry_after_s = 30 }, NULL);
    j->opts.concurrency = 3;
    assert_int_equal(run_stopped(j, 1, 100), LEAT_CANCELED);
    assert_int_equal(j->summary.rows_ok, 1);
    assert_int_equal(j->summary.rows_failed, 0);
    assert_true(j->summary.ms < 20000);
    leat_limiter *limiter;
    assert_int_equal(leat_limiter_new(&limiter, &(leat_limiter_opts){ .requests_per_min = 1 }), LEAT_OK);
    job_endpoint(j, NULL, &(leat_llm_opts){ .limiter = limiter });
    assert_int_equal(run_stopped(j, 1, 900), LEAT_CANCELED); /* a second row has come; the next is a minute away */
    assert_int_equal(j->summary.rows_ok, 1);
    assert_true(j->summary.ms < 40000);
    job_endpoint(j, NULL, NULL);
    leat_limiter_free(limiter);
    job_finish(j, 10);
}

/* Input that stays silent: a pipe whose writer lives on. */
static void a_stop_ends_the_wait_for_input(void **state)
{
    job *j = *state;
    job_batch_input(j, 2);
    size_t size;
    char *lines = test_read(j->input, &size);
    const char *pipe = test_path(&j->dir, "pipe"), *none = test_path(&j->dir, "none");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, size), size);
    free(lines);
    j->opts.input = &pipe;
    assert_int_equal(run_stopped(j, 1, 400), LEAT_CANCELED);
    assert_int_equal(j->summary.rows_ok, 2);
    assert_int_equal(j->summary.exit_code, 130);
    close(fd);
    assert_int_equal(mkfifo(none, 0600), 0); /* and one that nobody ever opens, to read from and to write to */
    j->opts.input = &none;
    j->opts.overwrite = true;
    assert_int_equal(run_stopped(j, 1, 0), LEAT_CANCELED);
    j->opts.overwrite = false;
    j->opts.input = &j->input;
    j->opts.output = none;
    assert_int_equal(run_stopped(j, 1, 0), LEAT_CANCELED);
    assert_int_equal(j->summary.exit_code, 130);
}

/* An output of many gigabytes takes minutes to read: whoever asks to stop meanwhile need not wait for its end. */
static void a_stop_ends_the_reading_of_an_output(void **state)
{
    job *j = *state;
    int asked = 1;
    job_batch_input(j, 12);
    job_finish(j, 12);
    j->opts.stop_signal = &asked;
    assert_int_equal(job_run(j), LEAT_CANCELED);
    assert_non_null(strstr(j->error.text, "stopped while the rows of "));
    assert_int_equal(j->summary.exit_code, 130);
    assert_int_equal(j->summary.rows_done_before, 0); /* not one was looked at */
    j->opts.stop_signal = NULL;
    job_finish(j, 12);
    assert_int_equal(j->summary.requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(a_wrong_key_stops_the_run),
        JOB_TEST(an_endpoint_that_is_down_stops_the_run),
        JOB_TEST(a_plain_port_is_told_from_a_tls_one),
        JOB_TEST(an_endpoint_that_comes_late_is_waited_for),
        JOB_TEST(an_endpoint_that_goes_away_stops_the_run),
        JOB_TEST(a_short_input_without_an_answer_says_so),
        JOB_TEST(the_first_20_failures_stop_the_run),
        JOB_TEST(a_thousand_failures_in_a_row_stop_the_run),
        JOB_TEST(too_many_errors_stop_the_run),
        JOB_TEST(what_may_be_spent_stops_the_run),
        JOB_TEST(who_stands_in_line_counts_for_nothing),
        JOB_TEST(the_first_signal_drains),
        JOB_TEST(the_second_signal_stops_at_once),
        JOB_TEST(a_second_run_on_one_output_is_refused),
        JOB_TEST(errors_and_cuts_are_retried_to_the_end),
        JOB_TEST(who_waits_to_try_again_holds_no_turn),
        JOB_TEST(a_drain_does_not_wait_for_who_is_in_line),
        JOB_TEST(a_stop_ends_the_wait_for_input),
        JOB_TEST(a_stop_ends_the_reading_of_an_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
