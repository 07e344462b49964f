/* test_json_write.c: what the writer makes of text, at the buffer's maximum too, and how it takes white space out of spans. */
#include "support_base.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include "base/json.h"
#include "base/os.h"

#define S(literal) literal, sizeof literal - 1
#define FFFD       "\xef\xbf\xbd"

static const struct {
    const char *text;
    size_t size;
    const char *json;
} written[] = {
    { S(""), "\"\"" },
    { S("plain"), "\"plain\"" },
    { S("exactly8"), "\"exactly8\"" },
    { S("a text of more than one word of eight bytes"), "\"a text of more than one word of eight bytes\"" },
    { S("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
    { S("\0\1\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
    { S("1234567\"90123456\n"), "\"1234567\\\"90123456\\n\"" },
    { S("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
    { S("\xff"), "\"" FFFD "\"" },
    { S("a\x80z"), "\"a" FFFD "z\"" },
    { S("\xc3"), "\"" FFFD "\"" },
    { S("\xc3\xc3\xa9"), "\"" FFFD "\xc3\xa9\"" },
    { S("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"" },
    { S("\xf0\x9f\x98"), "\"" FFFD FFFD FFFD "\"" },
    { S("\xc3\xa9\xff\xc3\xa9\""), "\"\xc3\xa9" FFFD "\xc3\xa9\\\"\"" },
    { S("1234567\xc3\xa9"), "\"1234567\xc3\xa9\"" },
};

static void writes_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        leat_i_buf b = { 0 };
        struct exact copy = exact_copy(written[i].text, written[i].size);
        assert_true(leat_i_json_put_string(&b, copy.data, copy.size));
        assert_string_equal(b.data, written[i].json);
        assert_int_equal(b.size, strlen(written[i].json));
        leat_i_buf_clear(&b);
        assert_true(leat_i_json_put_escaped(&b, copy.data, copy.size));
        if (copy.size) assert_memory_equal(b.data, written[i].json + 1, b.size);
        assert_int_equal(b.size, strlen(written[i].json) - 2);
        exact_free(copy);
        leat_i_buf_fini(&b);
    }
}

/* Random bytes of which many are special: text that is parsed back must be the text that was written. */
static size_t random_text(char *out, size_t room, uint64_t *seed)
{
    static const char *const pieces[] = {
        "a", "plain text ", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\t", " ", "\x7f"
    };
    size_t size = 0, count = leat_i_rand_next(seed) % 200;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[leat_i_rand_next(seed) % (sizeof pieces / sizeof pieces[0])];
        if (size + strlen(piece) >= room) break;
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}

static void what_is_written_reads_back(void **state)
{
    uint64_t seed = 42;
    char text[4096];
    leat_i_buf b = { 0 };
    leat_i_arena arena = { 0 };
    (void)state;
    for (int round = 0; round < 5000; round++) {
        size_t size = random_text(text, sizeof text, &seed), got = 0;
        leat_i_buf_clear(&b);
        assert_true(leat_i_json_put_string(&b, text, size));
        struct exact copy = exact_copy(b.data, b.size);
        leat_i_json value = leat_i_json_parse(copy.data, copy.size, NULL);
        assert_int_equal(value.type, LEAT_I_JSON_STRING);
        const char *back = leat_i_json_text(value, &arena, &got);
        assert_int_equal(got, size);
        assert_memory_equal(back, text, size);
        exact_free(copy);
        leat_i_arena_rewind(&arena, (leat_i_arena_mark){ 0 });
    }
    leat_i_arena_fini(&arena);
    leat_i_buf_fini(&b);
}

/* Any bytes at all: what comes out is valid JSON, and one U+FFFD for each byte that belongs to no character. */
static void bytes_that_are_no_text_become_replacements(void **state)
{
    uint64_t seed = 7;
    char text[300];
    leat_i_buf b = { 0 };
    (void)state;
    for (int round = 0; round < 5000; round++) {
        size_t size = leat_i_rand_next(&seed) % sizeof text;
        for (size_t i = 0; i < size; i++)
            text[i] = (char)(leat_i_rand_next(&seed) >> (round % 2 ? 56 : 57)); /* odd rounds: half of it beyond ASCII */
        leat_i_buf_clear(&b);
        struct exact copy = exact_copy(text, size);
        assert_true(leat_i_json_put_string(&b, copy.data, size));
        exact_free(copy);
        assert_int_equal(leat_i_json_parse(b.data, b.size, NULL).type, LEAT_I_JSON_STRING);
        if (leat_i_utf8_valid(text, size)) assert_null(strstr(b.data, FFFD));
    }
    leat_i_buf_fini(&b);
}

static void assert_double(double value, const char *text)
{
    leat_i_buf b = { 0 };
    assert_true(leat_i_json_put_double(&b, value));
    assert_string_equal(b.data, text);
    leat_i_buf_fini(&b);
}

static void numbers_are_json_under_every_locale(void **state)
{
    static const char *const locales[] = { "C", "de_DE.UTF-8", "ps_AF" }; /* where they are installed */
    (void)state;
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        (void)setlocale(LC_ALL, locales[i]);
        assert_double(0, "0");
        assert_double(-1.5, "-1.5");
        assert_double(0.123456, "0.1235");
        assert_double(12345678, "1.235e+07");
        assert_double(2e-9, "2e-09");
        assert_double(DBL_MAX, "1.798e+308");
        assert_double(INFINITY, "null");
        assert_double(NAN, "null");
    }
    (void)setlocale(LC_ALL, "C");
}

static void the_maximum_is_exact(void **state)
{
    static const char text[] = "a \"text\" with\nescapes and caf\xc3\xa9, \x01 \xff, of some length";
    leat_i_buf full = { 0 };
    (void)state;
    assert_true(leat_i_json_put_string(&full, text, sizeof text - 1));
    for (size_t max = 1; max <= full.size + 2; max++) {
        leat_i_buf b = { .max = max };
        bool fits = max >= full.size;
        assert_int_equal(leat_i_json_put_string(&b, text, sizeof text - 1), fits);
        assert_int_equal(b.failed, !fits);
        assert_int_equal(b.size, fits ? full.size : 0); /* a failing append leaves nothing behind */
        if (fits) assert_string_equal(b.data, full.data);
        leat_i_buf_fini(&b);
    }
    leat_i_buf_fini(&full);
}

static void short_memory_leaves_the_text_as_it_was(void **state)
{
    char text[3000];
    (void)state;
    memset(text, '\n', sizeof text);
    for (uint64_t n = 1; n < 12; n++) {
        leat_i_buf b = { 0 };
        assert_true(leat_i_buf_puts(&b, "before"));
        leat_i_mem_fail_after(n, false);
        bool ok = leat_i_json_put_string(&b, text, sizeof text);
        leat_i_mem_fail_after(0, false);
        assert_int_equal(ok, !b.failed);
        assert_int_equal(b.size, ok ? 6 + 2 + 2 * sizeof text : 6);
        if (!ok) assert_string_equal(b.data, "before");
        leat_i_buf_fini(&b);
        if (ok) return;
    }
    fail_msg("it never succeeded");
}

static void assert_compact(const char *json, const char *compact)
{
    leat_i_buf b = { 0 };
    struct exact copy = exact_copy(json, strlen(json));
    leat_i_json value = leat_i_json_parse(copy.data, copy.size, NULL);
    assert_int_not_equal(value.type, LEAT_I_JSON_NONE);
    assert_true(leat_i_json_put_compact(&b, value));
    assert_string_equal(b.data, compact);
    leat_i_buf_fini(&b);
    exact_free(copy);
}

static void takes_white_space_out(void **state)
{
    (void)state;
    assert_compact("1", "1");
    assert_compact(" \n{ \"a b\" :\t[ 1 , 2 ] , \"c\\\" d\" : \" e \\\\\" }\r\n ",
                   "{\"a b\":[1,2],\"c\\\" d\":\" e \\\\\"}");
    assert_compact("[ ]", "[]");
    assert_compact("\" kept as it is, in a string longer than a word, with a \\\" in it \"",
                   "\" kept as it is, in a string longer than a word, with a \\\" in it \"");
    leat_i_buf small = { .max = 3 };
    assert_true(leat_i_buf_puts(&small, "x"));
    assert_false(leat_i_json_put_compact(&small, leat_i_json_parse("[ 1, 2 ]", 8, NULL)));
    assert_string_equal(small.data, "x");
    leat_i_buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_strings),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(bytes_that_are_no_text_become_replacements),
        cmocka_unit_test(numbers_are_json_under_every_locale),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(short_memory_leaves_the_text_as_it_was),
        cmocka_unit_test(takes_white_space_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
