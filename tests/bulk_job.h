/* bulk_job.h: a run with all that it needs, against the embedded endpoint; and the rows that came of it. */
#ifndef BULK_JOB_H
#define BULK_JOB_H

#include "bulk_support.h"

#include <jansson.h>

#include "leat/mock.h"

typedef struct job {
    test_dir dir;
    const char *input, *output; /* in `dir` */
    leat_runtime *rt;
    leat_mock *mock;
    leat_llm *llm;
    leat_bulk_opts opts; /* one input, one output, batch lines, no progress */
    leat_bulk_summary summary;
    leat_error error;
} job;

int job_setup(void **state); /* *state = job *; an endpoint without limits or faults */
int job_teardown(void **state);
#define JOB_TEST(fn) cmocka_unit_test_setup_teardown(fn, job_setup, job_teardown)

/* Another endpoint, or other options of the client, for this job; NULL = the defaults. */
void job_endpoint(job *j, const leat_mock_opts *mock, const leat_llm_opts *llm);
void job_batch_line(const job *j, const char *key, const char *text);
void job_batch_input(const job *j, unsigned count); /* doc-1 .. doc-<count>, whose texts hold word<n> */
leat_err job_run(job *j);

typedef struct rows {
    size_t count;
    json_t *by_key; /* object: custom_id -> row */
} rows;

rows job_rows(const job *j); /* fails the test on a line that is no row, and on a key that comes twice */
json_t *rows_find(const rows *r, const char *key);
void rows_check_error(const rows *r, const char *key, const char *code, const char *message);
void rows_free(rows *r);

/* Whatever stopped it: with the cause gone, the same command goes on and ends with every document's row, each once. */
void job_finish(job *j, unsigned count);

#endif
