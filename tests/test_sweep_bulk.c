/*
 * test_sweep_bulk.c: memory and system fail at every place in a whole job, from the first look at its input to the close of its
 * output. After each such run the same command goes on, and then every document must have exactly one good row.
 */
#include "bulk_support.h"
#include "support/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leat/bulk.h"
#include "leat/mock.h"

#define DOCUMENTS 12

typedef struct job {
    test_dir dir;
    const char *input, *output, *settings;
    char url[64];      /* of the endpoint, a process of its own: what fails there is in test_sweep_llm */
    const char *retry; /* leat_bulk_opts.retry_failed */
    leat_bulk_format format;
    leat_bulk_summary summary;
    leat_error error;
} job;

static leat_bulk_opts opts_of(job *j, leat_llm *llm)
{
    bool built = j->format != LEAT_BULK_BATCH, table = j->format == LEAT_BULK_CSV;
    return (leat_bulk_opts){
        .input = &j->input,
        .input_count = 1,
        .output = j->output,
        .format = j->format,
        .template_text = table   ? "Sum up {{field.text}}"
                         : built ? "Sum up {{text}}"
                                 : NULL,
        .id_field = table ? "id" : NULL,
        .model = built ? "leat-extract" : NULL,
        .llm = llm,
        .concurrency = 4,
        .sync = LEAT_BULK_SYNC_ROW,
        .retry_failed = j->retry,
        .progress = LEAT_BULK_PROGRESS_NONE,
    };
}

static leat_err job_with(job *j, leat_runtime *rt, leat_llm *llm)
{
    leat_bulk_opts opts = opts_of(j, llm);
    leat_bulk_check check;
    leat_err err = leat_bulk_run(rt, &opts, &j->summary, &j->error);
    if (err == LEAT_OK) err = leat_bulk_check_input(rt, &opts, &check, NULL, NULL, &j->error);
    if (err == LEAT_OK && check.documents != DOCUMENTS) err = LEAT_USER;
    if (err == LEAT_MISMATCH)
        print_message("%s\n", j->error.text); /* nothing was changed, so nothing may be said to differ */
    if (err != LEAT_OK && (j->error.code != err || !j->error.text[0])) err = LEAT_USER; /* a failure has its sentence */
    return err;
}

static leat_err scenario(void *arg)
{
    job *j = arg;
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    memset(&j->error, 0, sizeof j->error);
    leat_err err = leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2 });
    if (err != LEAT_OK) return err;
    leat_llm_opts opts = { .base_url = j->url, .max_attempts = 1 };
    err = leat_llm_new(&llm, rt, &opts, NULL);
    if (err == LEAT_OK) err = job_with(j, rt, llm);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err;
}

/* The same command once more: whatever happened, each document has one good row now. */
static void finish(void *arg)
{
    job *j = arg;
    j->retry = "";
    leat_err err = scenario(j);
    j->retry = NULL;
    if (err != LEAT_OK) fail_msg("the next run ended with %s: %s", leat_err_name(err), j->error.text);
    char *rows = test_read(j->output, NULL);
    int count = 0;
    for (char *line = rows, *lf; (lf = strchr(line, '\n')); line = lf + 1, count++) {
        *lf = '\0';
        if (!strstr(line, "\"class\":\"ok\"")) fail_msg("no good row: %s", line);
    }
    for (int i = 1; i <= DOCUMENTS; i++) {
        char key[64];
        snprintf(key, sizeof key, j->format == LEAT_BULK_LINES ? "in.txt:%d\"" : "\"custom_id\":\"doc-%d\"", i);
        size_t size = 0;
        char *whole = test_read(j->output, &size), *first = strstr(whole, key);
        if (!first || strstr(first + 1, key)) fail_msg("not exactly one row for %s", key);
        free(whole);
    }
    free(rows);
    assert_int_equal(count, DOCUMENTS);
    unlink(j->output);
    unlink(j->settings);
}

static void input_make(job *j)
{
    if (j->format == LEAT_BULK_CSV) test_append(j->input, "id,text\n");
    for (int i = 1; i <= DOCUMENTS; i++) {
        char line[512];
        if (j->format == LEAT_BULK_CSV)
            snprintf(line, sizeof line, "doc-%d,\"This is \"\"row\"\"\n%d of the test.\"\n", i, i);
        else if (j->format == LEAT_BULK_LINES)
            snprintf(line, sizeof line, "This is line %d of the test.\n", i);
        else
            snprintf(line, sizeof line,
                     "{\"custom_id\":\"doc-%d\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":"
                     "\"leat-extract\",\"messages\":[{\"role\":\"user\",\"content\":\"This is word%d.\"}]}}\n",
                     i, i);
        test_append(j->input, line);
    }
}

/* Forked while there is one thread; it ends when its pipe is closed. */
static pid_t endpoint_start(job *j, int *leash)
{
    int out[2], in[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(in), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        leat_mock *mock = NULL;
        char byte;
        close(out[0]);
        close(in[1]);
        if (leat_mock_new(&mock, NULL, NULL) != LEAT_OK) _exit(1);
        dprintf(out[1], "%s", leat_mock_url(mock));
        close(out[1]);
        ssize_t n = read(in[0], &byte, 1);
        leat_mock_free(mock);
        _exit(n != 0);
    }
    close(out[1]);
    close(in[0]);
    ssize_t n, size = 0;
    while ((n = read(out[0], j->url + size, sizeof j->url - 1 - (size_t)size)) > 0)
        size += n;
    close(out[0]);
    assert_true(size > 0);
    *leash = in[1];
    return pid;
}

static void sweep_job(const char *name, leat_bulk_format format)
{
    job j = { .format = format };
    /* INPUT: the input could not be read. NET, STOPPED: no document was answered. */
    uint32_t may = SWEEP_NOMEM | SWEEP_MAY(LEAT_IO) | SWEEP_MAY(LEAT_INPUT) | SWEEP_MAY(LEAT_NET) | SWEEP_MAY(LEAT_STOPPED);
    test_dir_make(&j.dir);
    j.input = test_path(&j.dir, format == LEAT_BULK_LINES ? "in.txt" : "in.jsonl");
    j.output = test_path(&j.dir, "out.jsonl");
    j.settings = test_path(&j.dir, "out.jsonl.leat");
    input_make(&j);
    int leash, status = -1;
    pid_t endpoint = endpoint_start(&j, &leash);
    sweep_run(&(sweep){ .name = name, .fn = scenario, .arg = &j, .may = may, .after = finish, .every_up_to = 40 });
    close(leash);
    assert_int_equal(waitpid(endpoint, &status, 0), endpoint);
    assert_int_equal(status, 0);
    test_dir_remove(&j.dir);
}

static void a_job_of_batch_lines(void **state)
{
    (void)state;
    sweep_job("batch", LEAT_BULK_BATCH);
}

static void a_job_of_plain_lines(void **state)
{
    (void)state;
    sweep_job("lines", LEAT_BULK_LINES);
}

static void a_job_of_a_table(void **state)
{
    (void)state;
    sweep_job("table", LEAT_BULK_CSV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_of_batch_lines),
        cmocka_unit_test(a_job_of_plain_lines),
        cmocka_unit_test(a_job_of_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
