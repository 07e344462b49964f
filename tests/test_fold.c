/* test_fold.c: streams folded into completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "llm/fold.h"

#define CHUNK(rest) "data: {\"id\":\"c1\",\"created\":5,\"model\":\"m\"," rest "}\n\n"
#define DELTA(d, f) CHUNK("\"choices\":[{\"index\":0,\"delta\":" d ",\"finish_reason\":" f "}]")
#define HEAD        "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"m\",\"choices\":["
#define DONE        "data: [DONE]\n\n"

static const struct row {
    const char *stream, *json;
    bool complete, done, broken, error, output;
} rows[] = {
    { DELTA("{\"role\":\"assistant\",\"content\":\"\"}", "null") DELTA("{\"content\":\"a\\n\"}", "null")
          DELTA("{\"content\":\"\\u00e9\"}", "null") DELTA("{}", "\"stop\"")
              CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":1, \"completion_tokens\":2}") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\\n\\u00e9\"},\"finish_reason\":\"stop\"}],"
           "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
      .complete = true, .done = true, .output = true },
    /* No marker, but a finish reason: complete. Usage on every chunk: the last counts. */
    { CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1}")
          CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
                "tokens\":2}"),
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\"},\"finish_reason\":\"stop\"}],"
           "\"usage\":{\"prompt_tokens\":2}}",
      .complete = true, .output = true },
    /* A marker without a finish reason. */
    { DELTA("{\"content\":\"a\"}", "null") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}", .complete = true,
      .done = true, .output = true },
    { DELTA("{\"content\":\"a\"}", "null"),
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}", .output = true },
    /* The rest of an event that was cut does no harm to the verdict: not complete. */
    { DELTA("{\"content\":\"a\"}", "null") "data: {\"choices\":[{\"ind",
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}", .output = true },
    { DELTA("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"type\":\"function\","
            "\"function\":"
            "{\"name\":\"f\",\"arguments\":\"\"}}]}",
            "null") DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}", "null")
          DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}},{\"index\":1,\"id\":\"t2\",\"function\":"
                "{\"name\":\"g\",\"arguments\":\"{}\"}}]}",
                "\"tool_calls\"") DONE,
      HEAD
      "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":"
      "\"function\","
      "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"t2\",\"type\":\"function\",\"function\":"
      "{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"reasoning_content\":\"hm\"}", "null") DELTA("{\"content\":\"a\",\"refusal\":\"no\"}", "\"stop\"") DONE,
      HEAD
      "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"hm\",\"refusal\":\"no\"},"
      "\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    /* What has no name here is not lost: pieces are joined, what is said again counts once, and padding is left out. */
    { CHUNK("\"object\":\"chat.completion.chunk\",\"obfuscation\":\"x1\",\"service_tier\":\"flex\",\"choices\":[{\"index\":"
            "0,\"delta\":"
            "{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"h\"},\"logprobs\":{\"content\":[{\"token\":\"a\","
            "\"logprob\":-1}],"
            "\"refusal\":null},\"content_filter_results\":{\"hate\":{\"severity\":\"safe\"}}}]")
          CHUNK("\"obfuscation\":\"x2\",\"service_tier\":\"default\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\","
                "\"reasoning\":"
                "\"m\"},\"logprobs\":{\"content\":[{\"token\":\"b\",\"logprob\":-2}],\"refusal\":null},\"finish_reason\":"
                "\"stop\","
                "\"content_filter_results\":{\"hate\":{\"severity\":\"low\"}}}]") DONE,
      HEAD
      "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\",\"reasoning\":\"hm\"},\"logprobs\":{\"content\":["
      "{\"token\":\"a\",\"logprob\":-1},{\"token\":\"b\",\"logprob\":-2}]},\"content_filter_results\":{\"hate\":{"
      "\"severity\":"
      "\"low\"}},\"finish_reason\":\"stop\"}],\"service_tier\":\"default\"}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"audio\":{\"id\":\"a1\",\"data\":\"AA\",\"transcript\":\"wo\"},\"images\":[{\"n\":1}]}", "null") DELTA(
          "{\"audio\":{\"id\":\"a1\",\"data\":\"BB\",\"transcript\":\"rd\"},\"images\":[{\"n\":2}],\"annotations\":[]}",
          "null") DELTA("{\"audio\":{\"expires_at\":7}}", "\"stop\"") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"audio\":{\"id\":\"a1\",\"data\":\"AABB\","
           "\"transcript\":"
           "\"word\",\"expires_at\":7},\"images\":[{\"n\":1},{\"n\":2}],\"annotations\":[]},\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"\"}}]}",
            "null") DELTA("{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"x\"}}]}", "null")
          DELTA("{\"tool_calls\":[{\"index\":1,\"id\":\"u\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"},\"extra_"
                "content\":"
                "{\"signature\":\"s\"}}]}",
                "\"tool_calls\"") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":"
           "\"custom\",\"custom\":"
           "{\"name\":\"f\",\"input\":\"x\"}},{\"id\":\"u\",\"type\":\"function\",\"function\":{\"name\":\"g\","
           "\"arguments\":\"{}\"},"
           "\"extra_content\":{\"signature\":\"s\"}}]},\"finish_reason\":\"tool_calls\"}]}",
      .complete = true, .done = true, .output = true },
    /* Too many of them, and objects in objects in objects. */
    { DELTA("{\"v\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":\"1\"}}}}}}", "null")
          DELTA("{\"v\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":\"2\"}}}}},\"content\":\"x\"}", "\"stop\"") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\",\"v\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":"
           "\"2\"}}}}}},"
           "\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"v\":\"a\"}", "null") DELTA("{\"v\":[1]}", "null") DELTA("{\"v\":{\"b\":1}}", "null")
          DELTA("{\"v\":2}", "\"stop\"") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"v\":2},\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"function_call\":{\"name\":\"f\",\"arguments\":\"1\"}}", "\"function_call\"") DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\","
           "\"arguments\":\"1\"}},"
           "\"finish_reason\":\"function_call\"}]}",
      .complete = true, .done = true, .output = true },
    { CHUNK("\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"},"
            "{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]") DONE,
      HEAD "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\"},\"finish_reason\":\"stop\"},"
           "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    { CHUNK("\"choices\":[{\"index\":0,\"text\":\"old \",\"finish_reason\":null}]")
          CHUNK("\"choices\":[{\"index\":0,\"text\":\"way\",\"finish_reason\":\"stop\"}]") DONE,
      "{\"id\":\"c1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":["
      "{\"index\":0,\"text\":\"old way\",\"finish_reason\":\"stop\"}]}",
      .complete = true, .done = true, .output = true },
    { DELTA("{\"content\":\"a\"}", "null") "data: {\"error\":{\"code\":429,\"message\":\"m\"}}\n\n" DONE, NULL,
      .error = true, .output = true },
    { "event: error\ndata: out of \"memory\"\n\n" DONE, NULL, .error = true },
    { "event: error\ndata: {\"message\":\"m\"}\n\n" DONE, NULL, .error = true },
    { CHUNK("\"error\":{},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]") CHUNK("\"error\":\"\",\"choices\":[]")
          DONE,
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}", .complete = true,
      .done = true, .output = true },
    { CHUNK("\"error\":500") DONE, NULL, .error = true },
    { DELTA("{\"content\":\"a\"}", "null") "data: [DONE] \n\n",
      HEAD "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}", .complete = true,
      .done = true, .output = true },
    { ": ping\n\n: ping\n\n", "{\"id\":null,\"object\":\"chat.completion\",\"choices\":[]}", .complete = false },
    { "data: {\"a\":NaN}\n\n" DONE, NULL, .broken = true },
    { "data: 7\n\n" DONE, NULL, .broken = true },
    { "data: [7]\n\n" DONE, NULL, .broken = true },
    { "data: []\n\ndata:  [DONE]\n\n", "{\"id\":null,\"object\":\"chat.completion\",\"choices\":[]}", .complete = true,
      .done = true },
    { "an answer in words", NULL, .broken = true },
    { "two lines\nof words: these", NULL, .broken = true },
    { "dat", "{\"id\":null,\"object\":\"chat.completion\",\"choices\":[]}", .complete = false }, /* cut early */
    /* No stream at all: kept as it is. */
    { " \n {\"choices\":[]}", " \n {\"choices\":[]}", .complete = false },
    { "<html>", "<html>", .complete = false },
};

static void check_row(const struct row *row, size_t number, size_t piece)
{
    leat_i_fold f;
    leat_i_buf out = { 0 };
    bool go_on = true;
    leat_i_http_piece content;
    size_t size = strlen(row->stream);
    leat_i_fold_init(&f, &leat_i_fold_chat, 1 << 20);
    for (size_t at = 0; go_on && at < size; at += piece)
        go_on = leat_i_fold_push(&f, row->stream + at, size - at < piece ? size - at : piece, &content);
    leat_i_fold_end(&f);
    bool ok = leat_i_fold_is_complete(&f) == row->complete && f.done == row->done && f.broken == row->broken &&
              (f.error.size > 0) == row->error && leat_i_fold_has_output(&f) == row->output && !f.failed;
    if (!ok)
        fail_msg("row %zu in pieces of %zu: complete %d done %d broken %d error %s output %d failed %d", number, piece,
                 leat_i_fold_is_complete(&f), f.done, f.broken, f.error.data ? f.error.data : "-",
                 leat_i_fold_has_output(&f), f.failed);
    assert_true(leat_i_fold_put(&f, &out));
    /* Leading blanks may come in a piece of their own, before it is known what follows. */
    const char *json = row->json;
    if (json && f.form == LEAT_I_FOLD_PLAIN) json += strspn(json, " \n");
    if (json && strcmp(out.data + (f.form == LEAT_I_FOLD_PLAIN ? strspn(out.data, " \n") : 0), json) != 0)
        fail_msg("row %zu in pieces of %zu: %s", number, piece, out.data);
    leat_i_buf_fini(&out);
    leat_i_fold_fini(&f);
}

static void streams_are_folded(void **state)
{
    (void)state;
    int64_t before = leat_i_mem_live_count();
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        size_t size = strlen(rows[r].stream);
        for (size_t piece = 1; piece <= size; piece += piece < 20 ? 1 : 37)
            check_row(&rows[r], r, piece);
        check_row(&rows[r], r, size);
    }
    assert_int_equal(leat_i_mem_live_count(), before);
}

static void only_content_counts_as_content(void **state)
{
    static const struct {
        const char *piece;
        leat_i_http_piece content;
    } pieces[] = {
        { ": keep-alive\n\n", LEAT_I_HTTP_NOTHING },
        { "\n\n", LEAT_I_HTTP_NOTHING },
        { DELTA("{\"role\":\"assistant\",\"content\":\"\"}", "null"), LEAT_I_HTTP_NOTHING },
        { DELTA("{}", "null"), LEAT_I_HTTP_NOTHING },
        { DELTA("{\"content\":\"a\"}", "null"), LEAT_I_HTTP_CONTENT },
        { ": keep-alive\n\n", LEAT_I_HTTP_NOTHING },
        { DELTA("{}", "\"stop\""), LEAT_I_HTTP_WHOLE },
        { CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":1}"), LEAT_I_HTTP_WHOLE },
        { DELTA("{\"content\":\"b\"}", "null"), LEAT_I_HTTP_CONTENT }, /* It goes on: that reason was none. */
        { DELTA("{}", "\"stop\""), LEAT_I_HTTP_CONTENT },
    };
    leat_i_fold f;
    (void)state;
    leat_i_fold_init(&f, &leat_i_fold_chat, 1 << 20);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        leat_i_http_piece content = LEAT_I_HTTP_CONTENT + 7;
        assert_true(leat_i_fold_push(&f, pieces[i].piece, strlen(pieces[i].piece), &content));
        assert_int_equal(content, pieces[i].content);
        assert_int_equal(leat_i_fold_has_output(&f), i >= 4);
    }
    leat_i_fold_fini(&f);
}

static void memory_is_bounded(void **state)
{
    leat_i_fold f;
    char delta[512];
    bool go_on = true;
    leat_i_http_piece content;
    int pushed = 0;
    (void)state;
    int n = snprintf(delta, sizeof delta, DELTA("{\"content\":\"%0200d\"}", "null"), 1);
    leat_i_fold_init(&f, &leat_i_fold_chat, 1000);
    for (; go_on && pushed < 1000; pushed++)
        go_on = leat_i_fold_push(&f, delta, (size_t)n, &content);
    leat_i_fold_fini(&f);
}

static void there_cannot_be_more_than_so_many(void **state)
{
    static const struct {
        const char *events;
        int max;
    } many[] = {
        { DELTA("{\"tool_calls\":[{\"index\":%d}]}", "null"), LEAT_I_FOLD_TOOLS_MAX },
        { CHUNK("\"choices\":[{\"index\":%d,\"delta\":{\"content\":\"a\"}}]"), LEAT_I_FOLD_CHOICES_MAX },
        { DELTA("{\"m%d\":1}", "null"), LEAT_I_MORE_MAX },
    };
    (void)state;
    for (size_t m = 0; m < sizeof many / sizeof *many; m++) {
        leat_i_fold f;
        leat_i_http_piece content;
        char event[512];
        leat_i_fold_init(&f, &leat_i_fold_chat, 1000);
        for (int i = 0; i <= many[m].max; i++) {
            int n = snprintf(event, sizeof event, many[m].events, i);
            assert_int_equal(leat_i_fold_push(&f, event, (size_t)n, &content), i < many[m].max);
            assert_int_equal(f.crowded, i == many[m].max);
        }
        assert_true(f.failed);
        leat_i_fold_fini(&f);
    }
}

/* Each allocation fails in turn: no crash, nothing lost, and the failure is told. */
static void short_memory_is_told(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200 * sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i / 200];
        int64_t before = leat_i_mem_live_count();
        leat_i_fold f;
        leat_i_buf out = { 0 };
        leat_i_http_piece content;
        if (!row->done || !row->json) continue;
        leat_i_fold_init(&f, &leat_i_fold_chat, 1 << 20);
        leat_i_mem_fail_after(i % 200 + 1, false);
        bool pushed = leat_i_fold_push(&f, row->stream, strlen(row->stream), &content);
        bool put = leat_i_fold_put(&f, &out);
        bool failed_somewhere = f.failed || leat_i_sse_failed(&f.sse) || !put;
        bool whole = put && f.done && strcmp(out.data, row->json) == 0;
        leat_i_mem_fail_after(0, false);
        assert_false(pushed); /* [DONE] or a failure stops it. */
        assert_true(whole || failed_somewhere);
        leat_i_buf_fini(&out);
        leat_i_fold_fini(&f);
        assert_int_equal(leat_i_mem_live_count(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_folded),   cmocka_unit_test(only_content_counts_as_content),
        cmocka_unit_test(memory_is_bounded),    cmocka_unit_test(there_cannot_be_more_than_so_many),
        cmocka_unit_test(short_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
