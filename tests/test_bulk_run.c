/* test_bulk_run.c: whole runs against the embedded endpoint, over real sockets: rows, resume, bad input, formats, check. */
#include "bulk_support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bulk_job.h"

static void every_document_gets_its_row(void **state)
{
    job *j = *state;
    job_batch_input(j, 300);
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.exit_code, 0);
    assert_int_equal(j->summary.rows_ok, 300);
    assert_int_equal(j->summary.requests, 300);
    assert_int_equal(j->summary.class_count[LEAT_CLASS_OK], 300);
    assert_true(j->summary.tokens_in > 0 && j->summary.tokens_out > 0);
    rows r = job_rows(j);
    assert_int_equal(r.count, 300);
    for (unsigned i = 1; i <= 300; i++) {
        char key[32], text[32];
        snprintf(key, sizeof key, "doc-%u", i);
        json_t *row = rows_find(&r, key);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "leat"), "line")), i);
        json_t *response = json_object_get(row, "response");
        assert_int_equal(json_integer_value(json_object_get(response, "status_code")), 200);
        assert_true(json_string_length(json_object_get(response, "request_id")) > 0);
        json_t *choice = json_array_get(json_object_get(json_object_get(response, "body"), "choices"), 0);
        const char *content = json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
        snprintf(text, sizeof text, "word%u ", i);
        assert_non_null(strstr(content, text)); /* each answer under its own key */
    }
    rows_free(&r);
}

static void a_finished_run_does_nothing_more(void **state)
{
    job *j = *state;
    job_batch_input(j, 50);
    assert_int_equal(job_run(j), LEAT_OK);
    size_t size, after;
    char *before = test_read(j->output, &size);
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_done_before, 50);
    assert_int_equal(j->summary.rows_ok + j->summary.rows_failed, 0);
    assert_int_equal(j->summary.requests, 0);
    assert_int_equal(j->summary.exit_code, 0);
    char *same = test_read(j->output, &after);
    assert_int_equal(after, size);
    assert_memory_equal(before, same, size);
    free(before);
    free(same);
}

static void only_missing_documents_are_asked(void **state)
{
    job *j = *state;
    job_batch_input(j, 40);
    assert_int_equal(job_run(j), LEAT_OK);
    size_t size;
    char *data = test_read(j->output, &size);
    test_write(j->output, data, size / 2); /* as if it had been killed half way */
    free(data);
    assert_int_equal(job_run(j), LEAT_OK);
    assert_true(j->summary.rows_done_before > 10 && j->summary.rows_done_before < 30);
    assert_int_equal(j->summary.rows_done_before + j->summary.rows_ok, 40);
    rows r = job_rows(j);
    assert_int_equal(r.count, 40);
    rows_free(&r);
    /* Input that has grown is taken on. */
    job_batch_line(j, "new", "more words");
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_ok, 1);
}

static void bad_lines_become_error_rows(void **state)
{
    job *j = *state;
    job_batch_line(j, "good", "words");
    test_append(j->input, "not json\n\n");
    job_batch_line(j, "good", "again");
    test_append(j->input, "{\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}\n");
    job_batch_line(j, "line-1", "a name that is not its own");
    job_batch_line(j, "line-7", "its own name");
    test_append(j->input,
                "{\"custom_id\":\"s\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"stream\":true}}\n");
    test_append(j->input, "\"\xff\"\n");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(job_run(j), LEAT_OK);
        assert_int_equal(j->summary.exit_code, 1);
        assert_int_equal(j->summary.rows_ok + j->summary.rows_done_before, again ? 8 : 2);
        rows r = job_rows(j);
        assert_int_equal(r.count, 8);
        rows_check_error(&r, "line-2", "input", "line 2: not valid JSON (byte 1)");
        rows_check_error(&r, "line-4", "duplicate_id", "line 4: the id good was used before");
        rows_check_error(&r, "line-5", "input", "line 5: custom_id is missing");
        rows_check_error(&r, "line-6", "input", "line 6: the id line-1 is reserved for a line without an id");
        rows_check_error(&r, "s", "input", "line 8: body has \"stream\":true, which has no place in a batch");
        rows_check_error(&r, "line-9", "input", "line 9: not valid UTF-8");
        assert_true(json_is_null(json_object_get(rows_find(&r, "good"), "error")));
        assert_true(json_is_null(json_object_get(rows_find(&r, "line-7"), "error")));
        rows_free(&r);
    }
}

static void documents_of_every_format(void **state)
{
    job *j = *state;
    test_puts(j->input, "first document\n\nsecond \"document\"\n");
    j->opts.format = LEAT_BULK_LINES;
    j->opts.model = "leat-extract";
    j->opts.template_text = "Sum up {{name}}: {{text}}";
    assert_int_equal(job_run(j), LEAT_OK);
    rows r = job_rows(j);
    assert_int_equal(r.count, 2);
    char key[300];
    snprintf(key, sizeof key, "%s:1", j->input);
    (void)rows_find(&r, key);
    snprintf(key, sizeof key, "%s:3", j->input);
    (void)rows_find(&r, key);
    rows_free(&r);

    test_puts(j->input, "{\"model\":\"leat-extract\",\"messages\":[{\"role\":\"user\",\"content\":\"one\"}]}\n[]\n");
    j->opts.format = LEAT_BULK_BODY;
    j->opts.overwrite = true;
    assert_int_equal(job_run(j), LEAT_OK);
    r = job_rows(j);
    assert_int_equal(r.count, 2);
    assert_true(json_is_null(json_object_get(rows_find(&r, "line-1"), "error")));
    rows_check_error(&r, "line-2", "input", "line 2: not a JSON object");
    rows_free(&r);
}

static void files_are_documents(void **state)
{
    job *j = *state;
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && mkdir docs docs/sub && echo 'Alpha words here.' >docs/a && "
             "echo 'Beta words here.' | gzip >docs/sub/b.gz && : >docs/empty && printf 'a\\0b' >docs/nul && printf 'a\\377' "
             ">docs/latin",
             j->dir.path);
    assert_int_equal(system(command), 0);
    const char *docs = test_path(&j->dir, "docs");
    j->opts.input = &docs;
    j->opts.format = LEAT_BULK_FILES;
    j->opts.model = "leat-extract";
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_ok, 2);
    assert_int_equal(j->summary.rows_failed, 3);
    rows r = job_rows(j);
    char key[300], why[400];
    snprintf(key, sizeof key, "%s/a", docs);
    assert_true(json_is_null(json_object_get(rows_find(&r, key), "error")));
    snprintf(key, sizeof key, "%s/sub/b.gz", docs);
    assert_true(json_is_null(json_object_get(rows_find(&r, key), "error")));
    const char *bad[][2] = { { "empty", "empty" },
                             { "nul", "holds NUL bytes: it is not text" },
                             { "latin", "not valid UTF-8" } };
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s/%s", docs, bad[i][0]);
        snprintf(why, sizeof why, "file %s: %s", key, bad[i][1]);
        rows_check_error(&r, key, "input", why);
    }
    rows_free(&r);
    /* A file that has its row and is changed afterwards is noticed; one that is new is asked. */
    test_puts(test_path(&j->dir, "docs/c"), "Gamma.");
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_ok, 1);
    test_puts(test_path(&j->dir, "docs/a"), "Omega.");
    assert_int_equal(job_run(j), LEAT_MISMATCH);
    assert_non_null(strstr(j->error.text, "docs/a was changed"));
    assert_int_equal(j->summary.exit_code, 3);
}

/* Plain, packed and standard input, together: one run, one numbering; a message names the file and its line. */
static void many_inputs_are_one_run(void **state)
{
    job *j = *state;
    char command[512];
    const char *inputs[3] = { j->input, test_path(&j->dir, "more.jsonl.gz"), "-" };
    job_batch_input(j, 3);
    test_append(j->input, "bad\n");
    snprintf(command, sizeof command, "sed -e '/^bad/d' -e 's/doc-/gz-/' %s | gzip >%s; echo oops | gzip >>%s", j->input,
             inputs[1], inputs[1]);
    assert_int_equal(system(command), 0);
    test_puts(test_path(&j->dir, "std"), "");
    assert_non_null(freopen(test_path(&j->dir, "std"), "r", stdin));
    j->opts.input = inputs;
    j->opts.input_count = 3;
    assert_int_equal(job_run(j), LEAT_OK);
    rows r = job_rows(j);
    assert_int_equal(r.count, 8);
    char why[400];
    snprintf(why, sizeof why, "line 4 of %s: not valid JSON (byte 1)", inputs[0]);
    rows_check_error(&r, "line-4", "input", why);
    snprintf(why, sizeof why, "line 4 of %s: not valid JSON (byte 1)", inputs[1]);
    rows_check_error(&r, "line-8", "input", why);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(rows_find(&r, "gz-3"), "leat"), "line")), 7);
    rows_free(&r);
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_done_before, 8);
}

/* Whatever it is called, and whatever the options say. */
static void an_input_is_no_output(void **state)
{
    job *j = *state;
    job_batch_input(j, 2);
    const char *hard = test_path(&j->dir, "hard");
    assert_int_equal(link(j->input, hard), 0);
    char *before = test_read(j->input, NULL);
    j->opts.overwrite = true;
    for (int i = 0; i < 2; i++) {
        j->opts.output = i ? hard : j->input;
        assert_int_equal(job_run(j), LEAT_USAGE);
        assert_non_null(strstr(j->error.text, "is the same file"));
        char *after = test_read(j->input, NULL);
        assert_string_equal(after, before);
        free(after);
    }
    free(before);
}

static void input_without_documents_is_refused(void **state)
{
    job *j = *state;
    test_puts(j->input, "\n \n");
    assert_int_equal(job_run(j), LEAT_INPUT);
    assert_int_equal(j->summary.exit_code, 3);
    assert_non_null(strstr(j->error.text, "no documents"));
    j->opts.input_count = 0;
    assert_int_equal(job_run(j), LEAT_USAGE);
    assert_int_equal(j->summary.exit_code, 2);
}

static void settings_that_changed_are_refused(void **state)
{
    job *j = *state;
    test_puts(j->input, "a document\n");
    j->opts.format = LEAT_BULK_LINES;
    j->opts.model = "leat-extract";
    assert_int_equal(job_run(j), LEAT_OK);
    j->opts.system = "Be brief.";
    assert_int_equal(job_run(j), LEAT_MISMATCH);
    assert_int_equal(j->summary.exit_code, 3);
    j->opts.force_resume = true;
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_done_before, 1);
    j->opts.force_resume = false;
    j->opts.overwrite = true;
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_ok, 1);
}

static void rows_without_extras(void **state)
{
    job *j = *state;
    job_batch_input(j, 5);
    j->opts.no_extras = true;
    assert_int_equal(job_run(j), LEAT_OK);
    rows r = job_rows(j);
    assert_null(json_object_get(rows_find(&r, "doc-3"), "leat"));
    rows_free(&r);
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.rows_done_before, 5);
    j->opts.no_extras = false;
    assert_int_equal(job_run(j), LEAT_MISMATCH);
}

static void every_sync_mode_writes_the_same(void **state)
{
    job *j = *state;
    job_batch_input(j, 60);
    j->opts.overwrite = true;
    for (int sync = LEAT_BULK_SYNC_NONE; sync <= LEAT_BULK_SYNC_ROW; sync++) {
        j->opts.sync = (leat_bulk_sync)sync;
        assert_int_equal(job_run(j), LEAT_OK);
        rows r = job_rows(j);
        assert_int_equal(r.count, 60);
        rows_free(&r);
    }
}

typedef struct told {
    unsigned count;
    uint64_t line[8];
} told;

static void bad_tell(void *arg, uint64_t line, const char *why)
{
    told *k = arg;
    assert_true(strlen(why) > 0);
    if (k->count < 8) k->line[k->count] = line;
    k->count++;
}

static void check_reads_and_asks_nothing(void **state)
{
    job *j = *state;
    job_batch_input(j, 20);
    test_append(j->input, "oops\n");
    job_batch_line(j, "doc-3", "again");
    leat_bulk_check c;
    told k = { 0 };
    assert_int_equal(leat_bulk_check_input(j->rt, &j->opts, &c, bad_tell, &k, &j->error), LEAT_OK);
    assert_int_equal(c.documents, 22);
    assert_int_equal(c.bad_lines, 1);
    assert_int_equal(c.duplicate_ids, 1);
    assert_int_equal(c.rows_done, 0);
    assert_true(c.tokens_in_estimate > 20 * 10 && c.tokens_in_estimate < 20 * 200);
    assert_int_equal(k.count, 2);
    assert_int_equal(k.line[0], 21);
    assert_int_equal(k.line[1], 22);
    assert_false(test_exists(j->output));
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(leat_bulk_check_input(j->rt, &j->opts, &c, NULL, NULL, NULL), LEAT_OK);
    assert_int_equal(c.rows_done, 22);
    test_puts(j->input, "changed\n");
    assert_int_equal(leat_bulk_check_input(j->rt, &j->opts, &c, NULL, NULL, &j->error), LEAT_MISMATCH);
}

/* ---- a flow of one's own ---- */

static leat_err own_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    *prep_res = shared;
    return LEAT_OK;
}

static leat_err own_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    leat_doc *doc = (leat_doc *)(uintptr_t)prep_res;
    if (strcmp(doc->key, "doc-2") == 0) return leat_task_fail(t, LEAT_USER, "I do not like %s", doc->key);
    LEAT_TRY(leat_doc_ask(t, leat_task_self(t), doc));
    return leat_doc_ask(t, leat_task_self(t), doc); /* twice: the costs add up */
}

static leat_err own_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)prep_res, (void)exec_res, (void)action;
    leat_doc *doc = shared;
    const char *body = leat_task_printf(t, "{ \"key\": \"%s\", \"letters\": %zu }", doc->key, doc->reply.text_bytes);
    return leat_doc_answer(t, doc, body, strlen(body));
}

static void a_flow_of_ones_own_makes_the_rows(void **state)
{
    job *j = *state;
    static const leat_node_class own = { .name = "own", .prep = own_prep, .exec = own_exec, .post = own_post };
    job_batch_input(j, 4);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &own, &(leat_node_opts){ .self = j->llm });
    j->opts.flow = flow;
    assert_int_equal(job_run(j), LEAT_OK);
    assert_int_equal(j->summary.requests, 6);
    assert_int_equal(j->summary.exit_code, 1);
    rows r = job_rows(j);
    json_t *row = rows_find(&r, "doc-3");
    json_t *body = json_object_get(json_object_get(row, "response"), "body");
    assert_string_equal(json_string_value(json_object_get(body, "key")), "doc-3");
    assert_true(json_integer_value(json_object_get(body, "letters")) > 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "leat"), "attempts")), 2);
    json_t *error = json_object_get(rows_find(&r, "doc-2"), "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "user");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "I do not like doc-2"));
    rows_free(&r);
    leat_flow_free(flow);
    j->opts.flow = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(every_document_gets_its_row),       JOB_TEST(a_finished_run_does_nothing_more),
        JOB_TEST(only_missing_documents_are_asked),  JOB_TEST(bad_lines_become_error_rows),
        JOB_TEST(documents_of_every_format),         JOB_TEST(files_are_documents),
        JOB_TEST(many_inputs_are_one_run),           JOB_TEST(input_without_documents_is_refused),
        JOB_TEST(settings_that_changed_are_refused), JOB_TEST(rows_without_extras),
        JOB_TEST(every_sync_mode_writes_the_same),   JOB_TEST(check_reads_and_asks_nothing),
        JOB_TEST(a_flow_of_ones_own_makes_the_rows), JOB_TEST(an_input_is_no_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
