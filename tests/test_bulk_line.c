/* test_bulk_line.c: lines of OpenAI Batch input: what is taken, byte for byte, and what is wrong with the others. */
#include "bulk_support.h"

#include <stdio.h>
#include <string.h>

#include "bulk/batch_line.h"
#include "base/clean.h"

#define GOOD_URL "\"method\":\"POST\",\"url\":\"/v1/chat/completions\""

static void body_passes_byte_for_byte(void **state)
{
    (void)state;
    const char *body = "{ \"model\" : \"m\",\"messages\":[ ],\"x\":1.50e+3 , \"u\":\"\\u00e9\\ud83d\\ude00\" }";
    char line[512];
    int n = snprintf(line, sizeof line, " {\"custom_id\":\"a\\u00e9\\n\", " GOOD_URL " ,\"body\": %s, \"more\":1} ", body);
    leat_i_arena arena = { 0 };
    leat_i_batch_line out;
    assert_true(leat_i_batch_line_parse(line, (size_t)n, &arena, &out));
    assert_string_equal(out.why, "");
    assert_string_equal(out.key, "a\xc3\xa9\n");
    assert_string_equal(out.url, "/v1/chat/completions");
    assert_int_equal(out.body_bytes, strlen(body));
    assert_memory_equal(out.body, body, out.body_bytes);
    leat_i_arena_fini(&arena);
}

static const struct {
    const char *line, *key, *why; /* key NULL = none usable; why is part of the sentence */
} wrong[] = {
    { "{\"custom_id\":\"a\"", NULL, "not valid JSON" },
    { "hello", NULL, "not valid JSON (byte 1)" },
    { "[1]", NULL, "not a JSON object" },
    { "\"\xff\"", NULL, "not valid UTF-8" },
    { "{" GOOD_URL ",\"body\":{}}", NULL, "custom_id is missing" },
    { "{\"custom_id\":7," GOOD_URL ",\"body\":{}}", NULL, "custom_id is not a string" },
    { "{\"custom_id\":\"\"," GOOD_URL ",\"body\":{}}", NULL, "custom_id is empty" },
    { "{\"custom_id\":\"a\\u0000b\"," GOOD_URL ",\"body\":{}}", NULL, "NUL" },
    { "{\"custom_id\":\"a\\ud800b\"," GOOD_URL ",\"body\":{}}", NULL, "surrogate" },
    { "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}", "a", "" }, /* there is no other method */
    { "{\"custom_id\":\"a\",\"method\":\"GET\",\"url\":\"/v1/x\",\"body\":{}}", "a", "method is not \"POST\"" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"body\":{}}", "a", "url is missing" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":1,\"body\":{}}", "a", "url is not a string" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"http://other/v1\",\"body\":{}}", "a", "url is not a path" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"//other/v1\",\"body\":{}}", "a", "url is not a path" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/x\\r\\nHost: y\",\"body\":{}}", "a", "url is not a path" },
    { "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/../admin\",\"body\":{}}", "a", "url is not a path" },
    { "{\"custom_id\":\"a\"," GOOD_URL "}", "a", "body is missing" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":\"x\"}", "a", "body is not an object" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{\"stream\":true}}", "a", "stream" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{\"str\\u0065am\":true}}", "a", "stream" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{\"m\":\"\\ud83d\"}}", "a", "surrogate" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{\"m\":\"\\ude00\\ud83d\"}}", "a", "surrogate" },
    { "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{\"m\":\"\\ud83d\\ud83d\\ude00\"}}", "a", "surrogate" },
};

static void each_defect_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        leat_i_arena arena = { 0 };
        leat_i_batch_line out;
        assert_true(leat_i_batch_line_parse(wrong[i].line, strlen(wrong[i].line), &arena, &out));
        if (wrong[i].why[0] ? !strstr(out.why, wrong[i].why) : out.why[0] != 0)
            fail_msg("%s: got \"%s\", not \"%s\"", wrong[i].line, out.why, wrong[i].why);
        if (wrong[i].key)
            assert_string_equal(out.key, wrong[i].key);
        else
            assert_null(out.key);
        leat_i_arena_fini(&arena);
    }
}

static void key_has_a_longest_form(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        char line[2048], key[LEAT_I_KEY_BYTES_MAX + 2];
        memset(key, 'k', sizeof key);
        key[LEAT_I_KEY_BYTES_MAX + over] = 0;
        int n = snprintf(line, sizeof line, "{\"custom_id\":\"%s\"," GOOD_URL ",\"body\":{}}", key);
        leat_i_arena arena = { 0 };
        leat_i_batch_line out;
        assert_true(leat_i_batch_line_parse(line, (size_t)n, &arena, &out));
        assert_int_equal(out.why[0] != 0, over);
        leat_i_arena_fini(&arena);
    }
}

static const struct {
    const char *field, *line, *key, *why;
} documents[] = {
    { "id", "{\"text\":\"x\",\"id\":\"a\\u00e9\"}", "a\xc3\xa9", "" },
    { "id", "{\"id\":7}", "7", "" },
    { "id", "{\"id\":-1.50e3}", "-1.50e3", "" },
    { "meta.id", "{\"meta\":{\"id\":\"m\"},\"id\":\"other\"}", "m", "" },
    { "id", "{\"other\":{\"id\":\"m\"}}", NULL, "the id field \"id\" is missing" },
    { "id", "{\"id\":null}", NULL, "the id field \"id\" is missing" },
    { "id", "{\"id\":true}", NULL, "the id field \"id\" is neither text nor a number" },
    { "id", "{\"id\":[7]}", NULL, "is neither text nor a number" },
    { "id", "{\"id\":\"\"}", NULL, "the id field \"id\" is empty" },
    { "id", "{\"id\":\"a\\u0000b\"}", NULL, "NUL" },
    { "id", "{\"id\":\"a\\ud800b\"}", NULL, "surrogate" },
    { "id", "plain text", NULL, "not valid JSON (byte 1)" },
    { "id", "[{\"id\":7}]", NULL, "not a JSON object" },
};

static void a_document_carries_its_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        leat_i_arena arena = { 0 };
        leat_i_batch_line out;
        const char *line = documents[i].line;
        assert_true(leat_i_document_line_parse(line, strlen(line), documents[i].field, &arena, &out));
        if (documents[i].why[0] ? !strstr(out.why, documents[i].why) : out.why[0] != 0)
            fail_msg("%s: got \"%s\", not \"%s\"", line, out.why, documents[i].why);
        if (documents[i].key) {
            assert_string_equal(out.key, documents[i].key);
            assert_int_equal(out.key_bytes, strlen(documents[i].key));
        } else {
            assert_null(out.key);
        }
        leat_i_arena_fini(&arena);
    }
}

static void the_id_of_a_document_has_a_longest_form(void **state)
{
    (void)state;
    for (int text = 0; text < 2; text++) {
        for (int over = 0; over < 2; over++) {
            char line[2048], id[LEAT_I_KEY_BYTES_MAX + 2];
            memset(id, '7', sizeof id);
            id[LEAT_I_KEY_BYTES_MAX + over] = 0;
            int n = snprintf(line, sizeof line, text ? "{\"id\":\"%s\"}" : "{\"id\":%s}", id);
            leat_i_arena arena = { 0 };
            leat_i_batch_line out;
            assert_true(leat_i_document_line_parse(line, (size_t)n, "id", &arena, &out));
            assert_int_equal(out.why[0] != 0, over);
            assert_int_equal(out.key == NULL, over);
            leat_i_arena_fini(&arena);
        }
    }
}

static void escaped_backslashes_are_no_surrogates(void **state)
{
    (void)state;
    leat_i_batch_line out;
    const char *line = "{\"a\":\"\\\\ud800 \\\\\\\\ud800 \\ud83d\\ude00\",\"stream\":false}";
    leat_i_body_line_parse(line, strlen(line), &out);
    assert_string_equal(out.why, "");
    assert_int_equal(out.body_bytes, strlen(line));
    leat_i_body_line_parse("[]", 2, &out);
    assert_string_equal(out.why, "not a JSON object");
}

static void memory_may_be_short_at_any_allocation(void **state)
{
    (void)state;
    const char *line = "{\"custom_id\":\"a\"," GOOD_URL ",\"body\":{}}";
    for (uint64_t n = 1;; n++) {
        leat_i_arena arena = { 0 };
        leat_i_batch_line out;
        leat_i_mem_fail_after(n, false);
        bool ok = leat_i_batch_line_parse(line, strlen(line), &arena, &out);
        leat_i_mem_fail_after(0, false);
        leat_i_arena_fini(&arena);
        if (ok) {
            assert_true(n > 1);
            break;
        }
    }
}

static void text_for_terminals_has_no_control_characters(void **state)
{
    (void)state;
    leat_i_buf b = { 0 };
    leat_i_clean_put(&b, "a\x1b[31m\r\n\x7f\xc2\x9b\xff\xc3\xa9z", 100);
    assert_string_equal(b.data, "a\\x1b[31m\\x0d\\x0a\\x7f\\x9b\\xff\xc3\xa9z");
    leat_i_buf_clear(&b);
    leat_i_clean_put(&b, "\xc3\xa9\xc3\xa9", 3);
    assert_string_equal(b.data, "\xc3\xa9\\xc3");
    leat_i_buf_fini(&b);
}

/* Valid names stay as they are, and two names never become one. */
static void names_become_utf8(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "na\xc3\xafve", "na\xc3\xafve" },
        { "a\xff\"b\n", "a\\xff\"b\n" },
        { "a\xfe\"b\n", "a\\xfe\"b\n" },
        { "a\\xff\"b\n", "a\\x5cxff\"b\n" },
        { "a\\x5cxff", "a\\x5cx5cxff" },
        { "a\\b\\xyz", "a\\b\\xyz" },
        { "\xc3", "\\xc3" },
        { "", "" },
    };
    leat_i_arena arena = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = 0;
        const char *clean = leat_i_clean_name(names[i][0], strlen(names[i][0]), &arena, &size);
        assert_string_equal(clean, names[i][1]);
        assert_int_equal(size, strlen(names[i][1]));
        if (strcmp(names[i][0], names[i][1]) == 0 && !strstr(names[i][0], "\\x")) assert_ptr_equal(clean, names[i][0]);
    }
    leat_i_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_passes_byte_for_byte),
        cmocka_unit_test(each_defect_is_named),
        cmocka_unit_test(key_has_a_longest_form),
        cmocka_unit_test(a_document_carries_its_id),
        cmocka_unit_test(the_id_of_a_document_has_a_longest_form),
        cmocka_unit_test(escaped_backslashes_are_no_surrogates),
        cmocka_unit_test(memory_may_be_short_at_any_allocation),
        cmocka_unit_test(text_for_terminals_has_no_control_characters),
        cmocka_unit_test(names_become_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
