/*
 * test_endpoint_bad.c: whole runs against an endpoint of which half of the answers are bad: nothing lost, swapped, invented, sent
 * twice without need, or curable and left uncured. The long form (LEAT_LONG=1) has 10,000 documents and 20 seeds.
 *
 * What a document meets is a function of the seed and its number: some bad answers of any kind, as many as can be cured, and then
 * a good one that names it; or, for a few, a refusal for good. The server counts what it answered; the test compares its counts
 * with the rows, which it reads without the help of leat.
 */
#include <jansson.h>
#include <stdlib.h>

#include "bulk_support.h"
#include "support/fault_server.h"
#include "support_sched.h"

#define SEND(text)                     \
    {                                  \
        .op = FAULT_SEND, .data = text \
    }
#define DO(what)           \
    {                      \
        .op = FAULT_##what \
    }
#define KEPT(status, headers, size, body)                                                           \
    {                                                                                               \
        SEND("HTTP/1.1 " status " X\r\n" headers "Content-Length: " size "\r\n\r\n" body), DO(KEEP) \
    }
#define CUT(headers, body)                                        \
    {                                                             \
        SEND("HTTP/1.1 200 X\r\n" headers "\r\n" body), DO(CLOSE) \
    }
#define SSE  "Content-Type: text/event-stream\r\n"
#define PART "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"[[doc-0]] is somebody else's\"}}]}\n\n"

typedef enum kind { THROTTLE, FAILURE, ONCE } kind;

/* The bad ones; those of kind ONCE are tried again one time only, so a document meets each of them once. */
static const struct {
    kind kind;
    fault_step step[3];
} bad[] = {
    { THROTTLE, KEPT("429", "retry-after-ms: 3\r\n", "0", "") },
    { THROTTLE, KEPT("429", "Retry-After: 1\r\n", "2", "{}") },
    { THROTTLE, KEPT("503", "", "4", "busy") },
    { THROTTLE, KEPT("529", "", "0", "") },
    { THROTTLE, KEPT("200", "", "22", "{\"error\":{\"code\":429}}") },
    { FAILURE, KEPT("500", "", "2", "{}") },
    { FAILURE, KEPT("502", "Content-Type: text/html\r\n", "6", "<html>") },
    { FAILURE, KEPT("408", "", "0", "") },
    { FAILURE, KEPT("200", "", "22", "{\"error\":{\"code\":500}}") },
    { FAILURE, { DO(RESET) } },
    { FAILURE, { DO(CLOSE) } },
    { FAILURE, CUT("Content-Length: 500\r\n", "{\"choices\":[{\"message\":{\"content\":\"[[doc-0]]") },
    { FAILURE, CUT("Transfer-Encoding: chunked\r\n", "5\r\n{\"cho\r\n") },
    { FAILURE, CUT("", "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"[[doc-0]]\"},\"finish_reason\":") },
    { FAILURE, CUT(SSE, PART) },
    { FAILURE, CUT(SSE, PART "event: error\ndata: {\"message\":\"oh\"}\n\n") },
    { ONCE, KEPT("200", "", "14", "{\"choices\":[]}") },
    { ONCE, KEPT("200", "", "26", "this is not JSON, is it? .") },
    { ONCE, KEPT("200", "", "27", "{\"a\":\"\xff\xff is no UTF-8 text\"}") },
    { ONCE, KEPT("200", "", "11", "{\"hello\":1}") },
};
enum { BAD_COUNT = sizeof bad / sizeof *bad, BAD_MAX = 10, FAILURES_MAX = 4 };

static const fault_step good[] = { DO(ECHO_MARK), DO(KEEP) }, good_stream[] = { DO(ECHO_STREAM), DO(KEEP) };
static const fault_step refusal[] = KEPT("400", "", "32", "{\"error\":{\"message\":\"too long\"}}");
static const fault_step filter[] = KEPT("400", "", "35", "{\"error\":{\"code\":\"content_filter\"}}");

typedef struct document {
    const fault_step *answer[BAD_MAX + 1]; /* the last one is for ever */
    uint32_t answers, given;               /* to be given; given so far */
    const char *cls;                       /* that its row must have */
} document;

typedef struct play {
    document *doc;
    uint32_t count, strangers; /* documents; requests that are nobody's */
    uint64_t bad, given;       /* answers in all */
} play;

static const fault_step *answer_choose(void *arg, const char *request, size_t size)
{
    play *p = arg;
    (void)size;
    const char *mark = strstr(request, "[[doc-");
    unsigned long number = mark ? strtoul(mark + 6, NULL, 10) : 0;
    if (number < 1 || number > p->count) {
        p->strangers++;
        return refusal;
    }
    document *d = &p->doc[number - 1];
    uint32_t at = d->given++;
    p->given++;
    p->bad += at + 1 < d->answers;
    return d->answer[at < d->answers ? at : d->answers - 1];
}

/* Bad with a chance of one half each time, as long as it can be cured. */
static void document_plan(document *d, uint64_t *random)
{
    bool met[BAD_COUNT] = { false };
    uint32_t failures = 0;
    *d = (document){ .cls = "ok" };
    while (d->answers < BAD_MAX && leat_i_rand_next(random) % 2) {
        size_t which = leat_i_rand_next(random) % BAD_COUNT;
        if (bad[which].kind != THROTTLE && failures == FAILURES_MAX) continue;
        if (bad[which].kind == ONCE && met[which]) continue;
        met[which] = true;
        failures += bad[which].kind != THROTTLE;
        d->answer[d->answers++] = bad[which].step;
    }
    uint64_t end = leat_i_rand_next(random) % 100;
    if (end < 2) d->cls = "rejected";
    if (end == 2) d->cls = "filtered";
    d->answer[d->answers++] = end < 2 ? refusal : end == 2 ? filter : end % 2 ? good : good_stream;
}

static void input_write(const char *path, uint32_t count)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (uint32_t i = 1; i <= count; i++)
        fprintf(f,
                "{\"custom_id\":\"doc-%u\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\","
                "\"messages\":[{\"role\":\"user\",\"content\":\"[[doc-%u]]\"}]}}\n",
                i, i);
    assert_int_equal(fclose(f), 0);
}

/* One row: of a document that has none yet, of the class that it must have, and with its own answer. Gives its attempts. */
static uint32_t row_check(const play *p, bool *seen, const char *line)
{
    json_t *row = json_loads(line, 0, NULL);
    if (!row) fail_msg("not JSON: %s", line);
    const char *key = json_string_value(json_object_get(row, "custom_id")), *cls, *content = NULL;
    int attempts = 0;
    unsigned long number = key && strncmp(key, "doc-", 4) == 0 ? strtoul(key + 4, NULL, 10) : 0;
    if (number < 1 || number > p->count) fail_msg("a row of nobody: %s", line);
    if (seen[number - 1]) fail_msg("a second row: %s", line);
    seen[number - 1] = true;
    assert_int_equal(json_unpack(row, "{s:{s:s, s:i}}", "leat", "class", &cls, "attempts", &attempts), 0);
    const document *d = &p->doc[number - 1];
    if (strcmp(cls, d->cls) != 0) fail_msg("%s, not %s, after %u answers: %s", cls, d->cls, d->given, line);
    if ((uint32_t)attempts != d->given) fail_msg("%d attempts, but %u requests came: %s", attempts, d->given, line);
    if (d->given != d->answers) fail_msg("%u requests, but %u would do: %s", d->given, d->answers, line);
    (void)json_unpack(row, "{s:{s:{s:[{s:{s:s}}]}}}", "response", "body", "choices", "message", "content", &content);
    char own[32];
    snprintf(own, sizeof own, "[[%s]]", key);
    if (strcmp(cls, "ok") == 0 && (!content || strcmp(content, own) != 0)) fail_msg("the answer of another: %s", line);
    json_decref(row);
    return (uint32_t)attempts;
}

static void rows_check(const play *p, const char *path)
{
    size_t size;
    uint64_t attempts = 0;
    uint32_t rows = 0;
    char *data = test_read(path, &size);
    bool *seen = calloc(p->count, sizeof *seen);
    for (char *line = data, *lf; line < data + size; line = lf + 1, rows++) {
        lf = strchr(line, '\n');
        if (!lf) fail_msg("the last row is torn: %s", line);
        *lf = '\0';
        attempts += row_check(p, seen, line);
    }
    assert_int_equal(rows, p->count);
    assert_int_equal(attempts, p->given);
    assert_int_equal(p->strangers, 0);
    free(seen);
    free(data);
}

static void seed_play(uint64_t seed, uint32_t count, const test_dir *dir)
{
    const char *input = test_path(dir, "in.jsonl"), *output = test_path(dir, "out.jsonl");
    play p = { .doc = calloc(count, sizeof *p.doc), .count = count };
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    leat_error error = { 0 };
    leat_bulk_summary summary;
    for (uint32_t i = 0; i < count; i++)
        document_plan(&p.doc[i], &random);
    input_write(input, count);
    fault_server *s = fault_server_new(&(fault_opts){ .choose = answer_choose, .choose_arg = &p });
    leat_runtime *rt = runtime_with(2, true);
    leat_llm *llm = NULL;
    leat_llm_opts client = { .base_url = fault_server_url(s), .stream = seed % 2 };
    assert_int_equal(leat_llm_new(&llm, rt, &client, &error), LEAT_OK);
    leat_bulk_opts opts = { .input = &input,
                            .input_count = 1,
                            .output = output,
                            .llm = llm,
                            .concurrency = 32,
                            .overwrite = true,
                            .progress = LEAT_BULK_PROGRESS_NONE };
    leat_err err = leat_bulk_run(rt, &opts, &summary, &error);
    if (err) fail_msg("seed %u: %s", (unsigned)seed, error.text);
    rows_check(&p, output);
    assert_int_equal(summary.requests, p.given);
    assert_true(p.bad * 10 > (p.given - p.bad) * 8); /* Half of the answers were bad indeed. */
    leat_llm_free(llm);
    leat_runtime_free(rt);
    fault_server_free(s);
    free(p.doc);
}

static void half_of_the_answers_are_bad(void **state)
{
    bool is_long = getenv("LEAT_LONG") != NULL;
    uint32_t count = is_long ? 10000 : ROUNDS(2000);
    test_dir dir;
    (void)state;
    test_dir_make(&dir);
    for (uint64_t seed = 1; seed <= (is_long ? 20 : 4); seed++)
        seed_play(seed, count, &dir);
    test_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(half_of_the_answers_are_bad) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
