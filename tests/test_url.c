/* test_url.c: base URLs and the joining of paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/url.h"

static void bases_are_judged(void **state)
{
    static const struct {
        const char *text;
        leat_err err;
        bool https, loopback;
    } rows[] = {
        { "https://api.openai.com/v1", LEAT_OK, true, false },
        { "HTTPS://h", LEAT_OK, true, false },
        { "http://127.0.0.1:8000/v1/", LEAT_OK, false, true },
        { "http://127.1", LEAT_OK, false, true },
        { "http://127.255.0.9", LEAT_OK, false, true },
        { "http://localhost:1", LEAT_OK, false, true },
        { "http://a.localhost", LEAT_OK, false, true },
        { "http://[::1]:8000", LEAT_OK, false, true },
        { "http://localhost.evil.example", LEAT_OK, false, false },
        { "http://127.0.0.1.evil.example", LEAT_OK, false, false },
        { "http://128.0.0.1", LEAT_OK, false, false },
        { "http://0.0.0.0", LEAT_OK, false, false },
        { "http://[::2]", LEAT_OK, false, false },
        { "http://user@127.0.0.1/", LEAT_USAGE, false, false },
        { "http://user:pass@h/", LEAT_USAGE, false, false },
        { "http://127.0.0.1@evil.example/", LEAT_USAGE, false, false },
        { "http://h/v1#x", LEAT_USAGE, false, false },
        { "ftp://h/", LEAT_USAGE, false, false },
        { "h/v1", LEAT_USAGE, false, false },
        { "", LEAT_USAGE, false, false },
        { "http://", LEAT_USAGE, false, false },
        { "http://h:99999/", LEAT_USAGE, false, false },
        { "http://h x/", LEAT_USAGE, false, false },
        { "http://%6cocalhost/", LEAT_USAGE, false, false },
        { "http://%333", LEAT_USAGE, false, false },
        { "https:///%333?x", LEAT_USAGE, false, false },
        { "http://h/a%20b?c=%20", LEAT_OK, false, false },
        { "http://%256cocalhost/", LEAT_USAGE, false, false },
        { "http://h%%/", LEAT_USAGE, false, false },
        { "file:///etc/passwd", LEAT_USAGE, false, false },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        leat_i_url u;
        char why[96] = "";
        leat_err err = leat_i_url_parse(&u, rows[r].text, why, sizeof why);
        if (err != rows[r].err) fail_msg("\"%s\": %s, %s", rows[r].text, leat_err_name(err), why);
        if (err) assert_true(why[0] != '\0');
        assert_int_equal(u.https, rows[r].https);
        assert_int_equal(u.loopback, rows[r].loopback);
        leat_i_url_fini(&u);
    }
}

static void paths_are_joined(void **state)
{
    static const struct {
        const char *base, *path, *expected;
    } rows[] = {
        { "http://h", "/v1/chat", "http://h/v1/chat" },
        { "http://h/", "/v1/chat", "http://h/v1/chat" },
        { "http://h:81/v1", "/v1/chat", "http://h:81/v1/chat" },
        { "http://h/v1/", "/v1/chat", "http://h/v1/chat" },
        { "http://h/openai/v1", "/v1/chat", "http://h/openai/v1/chat" },
        { "http://h/api/v1", "/api/v1/chat", "http://h/api/v1/chat" },
        { "http://h/v1", "/chat", "http://h/v1/chat" },
        { "http://h/v1", "/v1", "http://h/v1" },
        { "http://h/v1", "/v1beta/chat", "http://h/v1/v1beta/chat" },
        { "http://h/v1", "/v1?x=1", "http://h/v1?x=1" },
        { "http://h/v1", "chat", "http://h/v1/chat" },
        { "http://h", "//evil.example/x", "http://h//evil.example/x" },
        { "http://h", "@evil.example/x", "http://h/@evil.example/x" },
        { "http://h/d/m?api-version=2", "/chat", "http://h/d/m/chat?api-version=2" },
        { "http://h/d?api-version=2", "/chat?b=1", "http://h/d/chat?b=1" },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        leat_i_url u;
        char why[96];
        assert_int_equal(leat_i_url_parse(&u, rows[r].base, why, sizeof why), LEAT_OK);
        char *joined = leat_i_url_join(&u, rows[r].path);
        assert_string_equal(joined, rows[r].expected);
        leat_i_free(joined);
        leat_i_url_fini(&u);
    }
}

static void request_paths_are_judged(void **state)
{
    (void)state;
    assert_true(leat_i_url_path_ok("/v1/chat/completions?api-version=1&x=%20"));
    assert_false(leat_i_url_path_ok("v1"));
    assert_false(leat_i_url_path_ok(""));
    assert_false(leat_i_url_path_ok("/a b"));
    assert_false(leat_i_url_path_ok("/a\r\nX-Evil: 1"));
    assert_false(leat_i_url_path_ok("/a\x7f"));
    assert_false(leat_i_url_path_ok("/caf\xc3\xa9"));
    assert_false(leat_i_url_path_ok("/a#b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bases_are_judged),
        cmocka_unit_test(paths_are_joined),
        cmocka_unit_test(request_paths_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
