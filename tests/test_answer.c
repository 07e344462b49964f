/* test_answer.c: when a 200 is a success, what its text and usage are, and the squeezing of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "llm/answer.h"

#define CHAT "/v1/chat/completions"
#define CHOICE(m, f)                                                    \
    "{\"choices\":[{\"index\":0,\"message\":" m ",\"finish_reason\":" f \
    "}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}"

#define TWO(a, b) "{\"data\":[{\"index\":" a ",\"embedding\":[1]},{\"index\":" b ",\"embedding\":\"AAAA\"}]}"

static const struct row {
    const char *path, *body;
    leat_i_case what;
    const char *text;
} rows[] = {
    { CHAT, CHOICE("{\"role\":\"assistant\",\"content\":\"h\\u00e9 \\n\"}", "\"stop\""), LEAT_I_CASE_OK, "h\xc3\xa9 \n" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "\"eos\""), LEAT_I_CASE_OK, "x" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "\"length\""), LEAT_I_CASE_LENGTH, "x" },
    { CHAT, CHOICE("{\"content\":\"\"}", "\"length\""), LEAT_I_CASE_LENGTH, "" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "\"incomplete\""), LEAT_I_CASE_LENGTH, "x" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "\"content_filter\""), LEAT_I_CASE_FILTERED_ANSWER, "x" },
    { CHAT, CHOICE("{\"content\":null}", "\"SAFETY\""), LEAT_I_CASE_FILTERED_ANSWER, "" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "\"insufficient_system_resource\""), LEAT_I_CASE_SERVER_LATE, "x" },
    { CHAT, CHOICE("{\"content\":\"\"}", "\"stop\""), LEAT_I_CASE_EMPTY, "" },
    { CHAT, CHOICE("{\"content\":null}", "\"stop\""), LEAT_I_CASE_EMPTY, "" },
    { CHAT, CHOICE("{\"content\":[]}", "\"stop\""), LEAT_I_CASE_EMPTY, "" },
    { CHAT, CHOICE("{\"content\":[{\"type\":\"text\",\"text\":\"\"}]}", "\"stop\""), LEAT_I_CASE_EMPTY, "" },
    { CHAT, CHOICE("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"text\":\"hm\"}]}]}", "\"stop\""),
      LEAT_I_CASE_EMPTY, "" },
    { CHAT, CHOICE("{\"content\":\"\",\"images\":[{\"type\":\"image_url\"}]}", "\"stop\""), LEAT_I_CASE_OK, "" },
    { CHAT, CHOICE("{\"content\":\"\",\"images\":[]}", "\"stop\""), LEAT_I_CASE_EMPTY, "" },
    { "/v1/embeddings", CHOICE("{\"content\":\"x\"}", "\"stop\""), LEAT_I_CASE_MALFORMED, "" },
    { "/v1/embeddings", "{\"choices\":[]}", LEAT_I_CASE_MALFORMED, "" },
    { "/v1/responses", "{}", LEAT_I_CASE_MALFORMED, "" },
    { CHAT, CHOICE("{\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]}", "\"tool_calls\""), LEAT_I_CASE_OK, "" },
    { CHAT, CHOICE("{\"content\":null,\"refusal\":\"no\"}", "\"stop\""), LEAT_I_CASE_OK, "" },
    { CHAT, CHOICE("{\"content\":\"x\"}", "null"), LEAT_I_CASE_TRUNCATED, "x" },
    { CHAT, CHOICE("{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"x\"},{\"text\":\"b\"}]}", "\"stop\""),
      LEAT_I_CASE_OK, "ab" },
    { CHAT, CHOICE("\"text\"", "\"stop\""), LEAT_I_CASE_MALFORMED, "" },
    { CHAT, "{\"choices\":[1]}", LEAT_I_CASE_MALFORMED, "" },
    { CHAT, "{\"choices\":[]}", LEAT_I_CASE_EMPTY, "" },
    { CHAT, "{\"choices\":null}", LEAT_I_CASE_EMPTY, "" },
    { CHAT, "{\"choices\":[],\"error\":{\"code\":429,\"message\":\"m\"}}", LEAT_I_CASE_THROTTLED, "" },
    { CHAT, "{\"error\":{\"code\":429,\"message\":\"m\"}}", LEAT_I_CASE_THROTTLED, "" },
    { CHAT, "{\"error\":{\"code\":401,\"message\":\"m\"}}", LEAT_I_CASE_AUTH, "" },
    { CHAT, "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"m\"}}", LEAT_I_CASE_QUOTA, "" },
    { CHAT, "{\"error\":{\"code\":502,\"message\":\"m\"}}", LEAT_I_CASE_SERVER_IN_ANSWER, "" },
    { CHAT, "{\"error\":{\"code\":400,\"message\":\"m\"}}", LEAT_I_CASE_REJECTED, "" },
    { CHAT, "{\"error\":\"words\"}", LEAT_I_CASE_SERVER_IN_ANSWER, "" },
    { CHAT, "{\"detail\":\"words\"}", LEAT_I_CASE_SERVER_IN_ANSWER, "" },
    { CHAT, "{\"hello\":1}", LEAT_I_CASE_MALFORMED, "" },
    { CHAT, "[]", LEAT_I_CASE_MALFORMED, "" },
    { CHAT, "[{\"error\":{\"code\":503,\"message\":\"m\"}}]", LEAT_I_CASE_THROTTLED, "" },
    { CHAT, "7", LEAT_I_CASE_MALFORMED, "" },
    { CHAT, "<html><title>Log in</title>", LEAT_I_CASE_PAGE, "" },
    { CHAT, "hello", LEAT_I_CASE_NOT_JSON, "" },
    { CHAT, "{\"a\":NaN}", LEAT_I_CASE_NOT_JSON, "" },
    { CHAT, "{\"a\":\"\x01\"}", LEAT_I_CASE_NOT_JSON, "" },
    { CHAT, "{\"a\":\"\xff\xfe and so on and on\"}", LEAT_I_CASE_ENCODING, "" },
    { CHAT, "\xff\xfe{...............", LEAT_I_CASE_ENCODING, "" }, /* UTF-16 */
    { CHAT, "", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "  ", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "{\"choices\":[{\"mess", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "{\"a\":\"b\\", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "{\"a\":\"b\\u00", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "{\"a\":\"\xc3", LEAT_I_CASE_TRUNCATED, "" },
    { CHAT, "{\"a\":nul", LEAT_I_CASE_TRUNCATED, "" },
    { "/v1/completions", "{\"choices\":[{\"text\":\"old\",\"finish_reason\":\"stop\"}]}", LEAT_I_CASE_OK, "old" },
    { "/v1/embeddings", "{\"data\":[{\"embedding\":[0.5]}],\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}",
      LEAT_I_CASE_OK, "" },
    { "/v1/embeddings", "{\"data\":[]}", LEAT_I_CASE_EMPTY, "" },
    { "/v1/embeddings", "{\"data\":[{\"embedding\":[]}]}", LEAT_I_CASE_EMPTY, "" },
    { "/v1/embeddings", "{\"x\":1}", LEAT_I_CASE_MALFORMED, "" },
    { "/v1/responses?a=b",
      "{\"status\":\"completed\",\"error\":null,\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\","
      "\"text\":\"r\"}]}]}",
      LEAT_I_CASE_OK, "r" },
    { "/v1/responses", "{\"status\":\"incomplete\",\"output\":[]}", LEAT_I_CASE_LENGTH, "" },
    { "/v1/moderations", "{\"results\":[]}", LEAT_I_CASE_OK, "" },
    { "/v1/moderations", "{\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}", LEAT_I_CASE_SERVER_IN_ANSWER, "" },
};

static void answers_are_judged(void **state)
{
    leat_i_arena arena = { 0 };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        leat_i_answer a;
        size_t size = 0;
        leat_i_answer_read(&a, &(leat_i_answer_to){ .path = rows[r].path }, rows[r].body, strlen(rows[r].body), &arena);
        const char *text = leat_i_answer_text(a.text, &arena, &size);
        if (a.what != rows[r].what || strcmp(text, rows[r].text) != 0 || size != strlen(text))
            fail_msg("row %zu: %s, text \"%s\"", r, leat_i_case_rule_of(a.what)->name, text);
    }
    leat_i_arena_fini(&arena);
}

static void usage_is_read_in_both_forms(void **state)
{
    static const struct {
        const char *usage;
        bool has;
        uint64_t in, out;
    } table[] = {
        { "{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":99}", true, 7, 3 },
        { "{\"input_tokens\":7,\"output_tokens\":3}", true, 7, 3 },
        { "{\"prompt_tokens\":7,\"total_tokens\":9}", true, 7, 2 },
        { "{\"prompt_tokens\":7}", true, 7, 0 },
        { "{\"prompt_tokens\":-7}", false, 0, 0 },
        { "{\"prompt_tokens\":null}", false, 0, 0 },
        { "null", false, 0, 0 },
        { "\"many\"", false, 0, 0 },
    };
    leat_i_arena arena = { 0 };
    char body[256];
    (void)state;
    for (size_t r = 0; r < sizeof table / sizeof *table; r++) {
        leat_i_answer a;
        int n = snprintf(body, sizeof body, "{\"choices\":[],\"usage\":%s}", table[r].usage);
        leat_i_answer_read(&a, &(leat_i_answer_to){ .path = CHAT }, body, (size_t)n, &arena);
        assert_int_equal(a.has_usage, table[r].has);
        assert_int_equal(a.tokens_in, table[r].in);
        assert_int_equal(a.tokens_out, table[r].out);
    }
    leat_i_arena_fini(&arena);
}

/* Row 58: reordered is fine, for each says its place; too few or too many are not, nor a place named twice. */
static void embeddings_fit_their_inputs(void **state)
{
    static const struct {
        const char *body;
        leat_i_case what;
        size_t inputs;
    } table[] = {
        { TWO("1", "0"), LEAT_I_CASE_OK, 2 },        { TWO("1", "0"), LEAT_I_CASE_OK, 0 },
        { TWO("0", "1"), LEAT_I_CASE_MISFIT, 3 },    { TWO("0", "1"), LEAT_I_CASE_MISFIT, 1 },
        { TWO("0", "0"), LEAT_I_CASE_MISFIT, 2 },    { TWO("0", "2"), LEAT_I_CASE_MISFIT, 2 },
        { TWO("0", "null"), LEAT_I_CASE_MISFIT, 2 }, { TWO("null", "null"), LEAT_I_CASE_OK, 2 },
    };
    leat_i_arena arena = { 0 };
    (void)state;
    for (size_t r = 0; r < sizeof table / sizeof *table; r++) {
        leat_i_answer a;
        leat_i_answer_to to = { .path = "/v1/embeddings", .inputs = table[r].inputs };
        leat_i_answer_read(&a, &to, table[r].body, strlen(table[r].body), &arena);
        assert_int_equal(a.what, table[r].what);
        assert_true((a.fault.message[0] != '\0') == (a.what == LEAT_I_CASE_MISFIT));
    }
    leat_i_arena_fini(&arena);
}

static void an_end_marked_otherwise_is_enough(void **state)
{
    static const char body[] = CHOICE("{\"content\":\"x\"}", "null");
    leat_i_arena arena = { 0 };
    leat_i_answer a;
    (void)state;
    leat_i_answer_read(&a, &(leat_i_answer_to){ .path = CHAT, .may_lack_finish = true }, body, sizeof body - 1, &arena);
    assert_int_equal(a.what, LEAT_I_CASE_OK);
    leat_i_arena_fini(&arena);
}

static void json_is_squeezed(void **state)
{
    static const struct {
        const char *from, *to;
    } table[] = {
        { " { \"a b\" : [ 1 ,\t2 ] ,\r\n \"c\\\" d\" : \" \\\\\" } \n", "{\"a b\":[1,2],\"c\\\" d\":\" \\\\\"}" },
        { "{}", "{}" },
        { "\"  \"", "\"  \"" },
        { "[ \"\\\\\\\"  \" , \"\" , true ]", "[\"\\\\\\\"  \",\"\",true]" },
    };
    char text[128];
    (void)state;
    for (size_t r = 0; r < sizeof table / sizeof *table; r++) {
        strncpy(text, table[r].from, sizeof text - 1);
        size_t size = leat_i_json_squeeze(text, strlen(text));
        assert_string_equal(text, table[r].to);
        assert_int_equal(size, strlen(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(usage_is_read_in_both_forms),
        cmocka_unit_test(embeddings_fit_their_inputs),
        cmocka_unit_test(an_end_marked_otherwise_is_enough),
        cmocka_unit_test(json_is_squeezed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
