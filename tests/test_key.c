/* test_key.c: keys from files and variables; request bodies. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "llm/key.h"
#include "llm/request.h"

static char *file_with(const char *text, mode_t mode)
{
    char *path = strdup("/tmp/leat_test_key_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static void files_are_judged(void **state)
{
    static char huge[LEAT_I_KEY_BYTES_MAX + 2];
    memset(huge, 'k', sizeof huge - 1);
    const struct {
        const char *text;
        mode_t mode;
        leat_err err;
        const char *key;
    } rows[] = {
        { "sk-abc\n", 0600, LEAT_OK, "sk-abc" },
        { " sk-abc \r\n", 0400, LEAT_OK, "sk-abc" },
        { "sk-abc", 0640, LEAT_DENIED, NULL },
        { "sk-abc", 0604, LEAT_DENIED, NULL },
        { "", 0600, LEAT_DENIED, NULL },
        { "\n", 0600, LEAT_DENIED, NULL },
        { "sk\r\nX-Evil: 1", 0600, LEAT_USAGE, NULL },
        { "sk abc", 0600, LEAT_USAGE, NULL },
        { huge, 0600, LEAT_DENIED, NULL },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char *key = (char *)1, *path = file_with(rows[r].text, rows[r].mode);
        leat_error error = { 0 };
        assert_int_equal(leat_i_key_read(&key, path, "UNUSED", &error), rows[r].err);
        if (rows[r].key)
            assert_string_equal(key, rows[r].key);
        else
            assert_null(key);
        if (rows[r].err) {
            assert_non_null(error.text[0] ? error.text : NULL);
            assert_null(strstr(error.text, "sk-abc"));
        }
        leat_i_key_free(key);
        unlink(path);
        free(path);
    }
    char *key;
    leat_error error;
    assert_int_equal(leat_i_key_read(&key, "/nonexistent/key", "UNUSED", &error), LEAT_DENIED);
    assert_int_equal(leat_i_key_read(&key, "/tmp", "UNUSED", &error), LEAT_DENIED);
}

static void variables_are_read(void **state)
{
    char *key;
    leat_error error;
    (void)state;
    setenv("LEAT_TEST_KEY", "sk-from-env\n", 1);
    assert_int_equal(leat_i_key_read(&key, NULL, "LEAT_TEST_KEY", &error), LEAT_OK);
    assert_string_equal(key, "sk-from-env");
    leat_i_key_free(key);
    setenv("LEAT_TEST_KEY", "", 1);
    assert_int_equal(leat_i_key_read(&key, NULL, "LEAT_TEST_KEY", &error), LEAT_OK);
    assert_null(key);
    unsetenv("LEAT_TEST_KEY");
    assert_int_equal(leat_i_key_read(&key, NULL, "LEAT_TEST_KEY", &error), LEAT_OK);
    assert_null(key);
}

static void bodies_are_built(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "{}", "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { "{\"model\":\"m\"}", "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { "{\"stream\":false,\"a\":[1, 2]}", "{\"a\":[1, 2],\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { "{\"stream_options\":{\"x\":1,\"include_usage\":false},\"a\":1}",
          "{\"a\":1,\"stream\":true,\"stream_options\":{\"x\":1,\"include_usage\":true}}" },
    };
    leat_i_arena arena = { 0 };
    size_t size;
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_string_equal(leat_i_request_for_stream(&arena, rows[r].from, strlen(rows[r].from), true, &size), rows[r].to);
        assert_int_equal(size, strlen(rows[r].to));
    }
    assert_string_equal(leat_i_request_of_prompt(&arena, "m", NULL, "a \"b\"\n", "", &size),
                        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a \\\"b\\\"\\n\"}]}");
    assert_string_equal(leat_i_request_of_prompt(&arena, "m", "s", "\xff", "", &size),
                        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
                        "\"content\":\"\xef\xbf\xbd\"}]}");
    static const char limits[] = "{\"max_tokens\":10,\"max_completion_tokens\":50.5,\"stream\":true}";
    static const struct {
        const char *body;
        size_t inputs;
    } inputs[] = { { "{\"input\":\"a\"}", 1 },
                   { "{\"input\":[\"a\",\"b\"]}", 2 },
                   { "{\"input\":[1,2,3]}", 1 },
                   { "{\"input\":[[1,2],[3]]}", 2 },
                   { "{\"input\":[]}", 0 },
                   { "{\"x\":1}", 0 },
                   { "nonsense", 0 } };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        assert_int_equal(leat_i_request_inputs(inputs[i].body, strlen(inputs[i].body)), inputs[i].inputs);
    leat_i_request_facts facts = leat_i_request_look(limits, sizeof limits - 1);
    assert_true(facts.is_object && facts.stream && facts.max_tokens == 50.5);
    facts = leat_i_request_look("[]", 2);
    assert_false(facts.is_object);
    leat_i_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_judged),
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(bodies_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
