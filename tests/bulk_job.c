/* bulk_job.c: see bulk_job.h. */
#include "bulk_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void job_endpoint(job *j, const leat_mock_opts *mock, const leat_llm_opts *llm)
{
    leat_llm_free(j->llm);
    leat_mock_free(j->mock);
    j->mock = NULL;
    j->llm = NULL;
    assert_int_equal(leat_mock_new(&j->mock, mock, &j->error), LEAT_OK);
    leat_llm_opts o = { 0 };
    if (llm) o = *llm;
    o.base_url = leat_mock_url(j->mock);
    assert_int_equal(leat_llm_new(&j->llm, j->rt, &o, &j->error), LEAT_OK);
    j->opts.llm = j->llm;
}

int job_setup(void **state)
{
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    test_dir_make(&j->dir);
    j->input = test_path(&j->dir, "in.jsonl");
    j->output = test_path(&j->dir, "out.jsonl");
    test_puts(j->input, "");
    assert_int_equal(leat_runtime_new(&j->rt, NULL), LEAT_OK);
    j->opts = (leat_bulk_opts){
        .input = &j->input, .input_count = 1, .output = j->output, .concurrency = 16, .progress = LEAT_BULK_PROGRESS_NONE
    };
    job_endpoint(j, NULL, NULL);
    *state = j;
    return 0;
}

int job_teardown(void **state)
{
    job *j = *state;
    leat_llm_free(j->llm);
    leat_mock_free(j->mock);
    leat_runtime_free(j->rt);
    test_dir_remove(&j->dir);
    free(j);
    return 0;
}

void job_batch_line(const job *j, const char *key, const char *text)
{
    char line[1024];
    snprintf(
        line, sizeof line,
        "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"leat-extract\","
        "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}}\n",
        key, text);
    test_append(j->input, line);
}

void job_batch_input(const job *j, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        char key[32], text[64];
        snprintf(key, sizeof key, "doc-%u", i);
        snprintf(text, sizeof text, "This is word%u of the test.", i);
        job_batch_line(j, key, text);
    }
}

leat_err job_run(job *j)
{
    memset(&j->error, 0, sizeof j->error);
    return leat_bulk_run(j->rt, &j->opts, &j->summary, &j->error);
}

rows job_rows(const job *j)
{
    size_t size;
    rows r = { .by_key = json_object() };
    if (!test_exists(j->output)) return r; /* a run that has written nothing leaves no output */
    char *data = test_read(j->output, &size);
    for (char *line = data, *lf; line < data + size; line = lf + 1) {
        lf = strchr(line, '\n');
        if (!lf) fail_msg("the last row is torn: %s", line);
        *lf = 0;
        json_error_t e;
        json_t *row = json_loads(line, 0, &e);
        if (!row) fail_msg("not JSON: %s: %s", e.text, line);
        const char *key = json_string_value(json_object_get(row, "custom_id"));
        assert_non_null(key);
        if (json_object_get(r.by_key, key)) fail_msg("two rows for %s", key);
        json_object_set_new(r.by_key, key, row);
        r.count++;
    }
    free(data);
    return r;
}

json_t *rows_find(const rows *r, const char *key)
{
    json_t *row = json_object_get(r->by_key, key);
    if (!row) fail_msg("no row for %s", key);
    return row;
}

void rows_check_error(const rows *r, const char *key, const char *code, const char *message)
{
    json_t *row = rows_find(r, key), *error = json_object_get(row, "error");
    assert_true(json_is_null(json_object_get(row, "response")));
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_string_equal(json_string_value(json_object_get(error, "message")), message);
}

void rows_free(rows *r)
{
    json_decref(r->by_key);
}

void job_finish(job *j, unsigned count)
{
    assert_int_equal(job_run(j), LEAT_OK);
    rows r = job_rows(j);
    assert_int_equal(r.count, count);
    rows_free(&r);
}
