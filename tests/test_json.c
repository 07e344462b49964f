/* test_json.c: what the scanner accepts and refuses, where it says that a text is wrong, and how accepted spans are walked. */
#include "support_base.h"

#include "base/json.h"
#include "base/os.h"

#define S(literal) literal, sizeof literal - 1

static const struct {
    const char *text;
    size_t size;
    leat_i_json_type type;
} accepted[] = {
    { S("null"), LEAT_I_JSON_NULL },
    { S("true"), LEAT_I_JSON_TRUE },
    { S("false"), LEAT_I_JSON_FALSE },
    { S(" \t\r\nnull \t\r\n"), LEAT_I_JSON_NULL },
    { S("0"), LEAT_I_JSON_NUMBER },
    { S("-0"), LEAT_I_JSON_NUMBER },
    { S("10"), LEAT_I_JSON_NUMBER },
    { S("-1.5"), LEAT_I_JSON_NUMBER },
    { S("0.0"), LEAT_I_JSON_NUMBER },
    { S("0e0"), LEAT_I_JSON_NUMBER },
    { S("1E400"), LEAT_I_JSON_NUMBER },
    { S("1e-400"), LEAT_I_JSON_NUMBER },
    { S("1e+05"), LEAT_I_JSON_NUMBER },
    { S("123456789012345678901234567890"), LEAT_I_JSON_NUMBER },
    { S("\"\""), LEAT_I_JSON_STRING },
    { S("\"plain text, longer than a word of eight\""), LEAT_I_JSON_STRING },
    { S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABcd\""), LEAT_I_JSON_STRING },
    { S("\"\\ud83d\\ude00 \\ud800 \\udc00\""), LEAT_I_JSON_STRING },
    { S("\"\x7f\""), LEAT_I_JSON_STRING },
    { S("\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\""), LEAT_I_JSON_STRING },
    { S("\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\""), LEAT_I_JSON_STRING },
    { S("[]"), LEAT_I_JSON_ARRAY },
    { S("[ ]"), LEAT_I_JSON_ARRAY },
    { S("[1]"), LEAT_I_JSON_ARRAY },
    { S("[null, 1, \"a\", {}, [[]]]"), LEAT_I_JSON_ARRAY },
    { S("{}"), LEAT_I_JSON_OBJECT },
    { S("{ }"), LEAT_I_JSON_OBJECT },
    { S("{\"\":0}"), LEAT_I_JSON_OBJECT },
    { S("{\"a\":1,\"a\":2}"), LEAT_I_JSON_OBJECT },
    { S("{ \"a\" : [ { \"b\" : { } } ] , \"c\" : null }"), LEAT_I_JSON_OBJECT },
    { S("[{}, [], {\"a\":[]}, [{\"b\":{}}]]"), LEAT_I_JSON_ARRAY },
};

static void accepts_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        size_t error_at = 12345;
        struct exact copy = exact_copy(accepted[i].text, accepted[i].size);
        leat_i_json value = leat_i_json_parse(copy.data, copy.size, &error_at);
        if (value.type != accepted[i].type) fail_msg("%s: type %d, at %zu", accepted[i].text, (int)value.type, error_at);
        assert_int_equal(error_at, 12345);
        assert_true(value.at >= copy.data && value.at + value.size <= copy.data + copy.size);
        exact_free(copy);
    }
}

static const struct {
    const char *text;
    size_t size;
    size_t error_at;
} refused[] = {
    { S(""), 0 },
    { S("  "), 2 },
    { S("nul"), 0 },
    { S("nulL"), 0 },
    { S("True"), 0 },
    { S("nullx"), 4 },
    { S("null null"), 5 },
    { S("NaN"), 0 },
    { S("Infinity"), 0 },
    { S("-Infinity"), 1 },
    { S("+1"), 0 },
    { S("-"), 1 },
    { S("01"), 1 },
    { S("-01"), 2 },
    { S(".5"), 0 },
    { S("1."), 2 },
    { S("1.e5"), 2 },
    { S("1e"), 2 },
    { S("1e+"), 3 },
    { S("1e5.5"), 3 },
    { S("0x10"), 1 },
    { S("1 2"), 2 },
    { S("1_000"), 1 },
    { S("'a'"), 0 },
    { S("a"), 0 },
    { S("\""), 1 },
    { S("\"abc"), 4 },
    { S("\"abcdefghijklmnopqrstuvwxyz"), 27 },
    { S("\"a\nb\""), 2 },
    { S("\"a\tb\""), 2 },
    { S("\"a\0b\""), 2 },
    { S("\"\x1f\""), 1 },
    { S("\"\\\""), 3 },
    { S("\"\\"), 1 },
    { S("\"\\x41\""), 1 },
    { S("\"\\a\""), 1 },
    { S("\"\\\0\""), 1 },
    { S("\"\\u12\""), 1 },
    { S("\"\\u12g4\""), 1 },
    { S("\"\\U0041\""), 1 },
    { S("\"\\u 041\""), 1 },
    { S("\"\\u004"), 1 },
    { S("\"\x80\""), 1 },             /* a continuation byte alone */
    { S("\"\xbf\""), 1 },             /* the last of them */
    { S("\"\xc3\""), 1 },             /* cut short */
    { S("\"ab\xc3"), 3 },             /* cut short by the end */
    { S("\"\xc0\x80\""), 1 },         /* overlong NUL */
    { S("\"\xc1\xbf\""), 1 },         /* overlong DEL */
    { S("\"\xe0\x9f\xbf\""), 1 },     /* overlong, three bytes */
    { S("\"\xe2\x82\""), 1 },         /* cut short, three bytes */
    { S("\"\xed\xa0\x80\""), 1 },     /* a surrogate */
    { S("\"\xed\xbf\xbf\""), 1 },     /* the last surrogate */
    { S("\"\xf0\x8f\xbf\xbf\""), 1 }, /* overlong, four bytes */
    { S("\"\xf0\x9f\x98\""), 1 },     /* cut short, four bytes */
    { S("\"\xf4\x90\x80\x80\""), 1 }, /* over U+10FFFF */
    { S("\"\xf5\x80\x80\x80\""), 1 },
    { S("\"\xfe\""), 1 },
    { S("\"\xff\""), 1 },
    { S("\"abc\xc3\xa9\xff\""), 6 },
    { S("\xef\xbb\xbf{}"), 0 }, /* a byte order mark is no white space */
    { S("\xc2\xa0{}"), 0 },     /* nor is a no-break space */
    { S("\f{}"), 0 },
    { S("["), 1 },
    { S("]"), 0 },
    { S("[1"), 2 },
    { S("[1,"), 3 },
    { S("[1,]"), 3 },
    { S("[,1]"), 1 },
    { S("[1,,2]"), 3 },
    { S("[1 2]"), 3 },
    { S("[1}"), 2 },
    { S("[]]"), 2 },
    { S("[1:2]"), 2 },
    { S("[//c\n]"), 1 },
    { S("[/**/]"), 1 },
    { S("{"), 1 },
    { S("}"), 0 },
    { S("{]"), 1 },
    { S("{1:2}"), 1 },
    { S("{\"a\"}"), 4 },
    { S("{\"a\":}"), 5 },
    { S("{\"a\":1"), 6 },
    { S("{\"a\":1,"), 7 },
    { S("{\"a\":1,}"), 7 },
    { S("{\"a\":1 \"b\":2}"), 7 },
    { S("{\"a\" 1}"), 5 },
    { S("{\"a\"::1}"), 5 },
    { S("{,\"a\":1}"), 1 },
    { S("{a:1}"), 1 },
    { S("{'a':1}"), 1 },
    { S("{\"a\":1}}"), 7 },
    { S("{\"a\":[1}"), 7 },
    { S("{\"a\nb\":1}"), 3 },
    { S("{\"\xff\":1}"), 2 },
    { S("{} {}"), 3 },
    { S("{}\0"), 2 },
    { S("[\"\",\n\"\n\"]"), 6 },
};

static void refuses_everything_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        size_t error_at = 12345;
        struct exact copy = exact_copy(refused[i].text, refused[i].size);
        leat_i_json value = leat_i_json_parse(copy.data, copy.size, &error_at);
        if (value.type != LEAT_I_JSON_NONE || error_at != refused[i].error_at)
            fail_msg("%zu: %s: type %d, wrong at %zu, not %zu", i, refused[i].text, (int)value.type, error_at,
                     refused[i].error_at);
        assert_int_equal(leat_i_json_parse(copy.data, copy.size, NULL).type, LEAT_I_JSON_NONE);
        exact_free(copy);
    }
}

/* `depth` containers around nothing, kinds alternating, closed again. */
static size_t nested(char *out, size_t depth)
{
    char *p = out;
    for (size_t i = 0; i < depth; i++) {
        bool object = i % 3 == 1;
        *p++ = object ? '{' : '[';
        if (object && i + 1 < depth) p = (char *)memcpy(p, "\"a\":", 4) + 4;
    }
    for (size_t i = depth; i-- > 0;)
        *p++ = i % 3 == 1 ? '}' : ']';
    return (size_t)(p - out);
}

static void depth_has_a_limit(void **state)
{
    static char text[LEAT_I_JSON_DEPTH_MAX * 8];
    (void)state;
    for (size_t depth = 1; depth <= LEAT_I_JSON_DEPTH_MAX + 2; depth++) {
        size_t size = nested(text, depth), error_at = 0;
        leat_i_json value = leat_i_json_parse(text, size, &error_at);
        assert_int_equal(value.type != LEAT_I_JSON_NONE, depth <= LEAT_I_JSON_DEPTH_MAX);
        if (value.type) assert_int_equal(value.size, size);
    }
    /* A million openings end at the limit, not on the stack. */
    size_t many = 1000000, error_at = 0;
    char *deep = malloc(many);
    assert_non_null(deep);
    memset(deep, '[', many);
    assert_int_equal(leat_i_json_parse(deep, many, &error_at).type, LEAT_I_JSON_NONE);
    assert_int_equal(error_at, LEAT_I_JSON_DEPTH_MAX);
    free(deep);
}

static leat_i_json parsed(const char *text)
{
    leat_i_json value = leat_i_json_parse(text, strlen(text), NULL);
    assert_int_not_equal(value.type, LEAT_I_JSON_NONE);
    return value;
}

static void assert_span(leat_i_json value, const char *text)
{
    assert_int_equal(value.size, strlen(text));
    assert_memory_equal(value.at, text, value.size);
}

static void walks_members_and_elements(void **state)
{
    leat_i_json object = parsed(" { \"a\" : 1 , \"b\\n\":[ 2, \"]\" , {\"}\":\"\\\"\"} ],\"c\":null}"), key, value;
    static const char *const keys[] = { "\"a\"", "\"b\\n\"", "\"c\"" };
    static const char *const values[] = { "1", "[ 2, \"]\" , {\"}\":\"\\\"\"} ]", "null" };
    size_t at = 0, count = 0;
    (void)state;
    while (leat_i_json_next_member(object, &at, &key, &value)) {
        assert_true(count < 3);
        assert_span(key, keys[count]);
        assert_int_equal(key.escaped, count == 1);
        assert_span(value, values[count++]);
    }
    assert_int_equal(count, 3);

    static const char *const elements[] = { "2", "\"]\"", "{\"}\":\"\\\"\"}" };
    leat_i_json array = leat_i_json_get(object, "b\n");
    assert_int_equal(array.type, LEAT_I_JSON_ARRAY);
    for (at = count = 0; leat_i_json_next_element(array, &at, &value);) {
        assert_true(count < 3);
        assert_span(value, elements[count++]);
    }
    assert_int_equal(count, 3);

    at = 0;
    assert_false(leat_i_json_next_member(parsed("{ }"), &at, &key, &value));
    assert_false(leat_i_json_next_element(parsed("[ ]"), &at, &value));
    assert_false(leat_i_json_next_member(array, &at, &key, &value));
    assert_false(leat_i_json_next_element(object, &at, &value));
}

static void gets_by_key(void **state)
{
    leat_i_json object =
        parsed("{\"a\":1,\"\":2,\"\\u0061b\":3,\"a\":4,\"long key with \\\"quotes\\\"\":5,\"z\\u0000\":6,\"\\\"\":7}");
    (void)state;
    assert_span(leat_i_json_get(object, "a"), "4"); /* the last one wins */
    assert_span(leat_i_json_get(object, ""), "2");
    assert_span(leat_i_json_get(object, "ab"), "3");
    assert_span(leat_i_json_get(object, "long key with \"quotes\""), "5");
    assert_span(leat_i_json_get(object, "\""), "7");
    assert_int_equal(leat_i_json_get(object, "z").type, LEAT_I_JSON_NONE); /* a NUL more is another key */
    assert_int_equal(leat_i_json_get(object, "b").type, LEAT_I_JSON_NONE);
    assert_int_equal(leat_i_json_get(parsed("[1]"), "a").type, LEAT_I_JSON_NONE);
    assert_int_equal(leat_i_json_get((leat_i_json){ 0 }, "a").type, LEAT_I_JSON_NONE);

    static const char *const keys[] = { "a", "nothing", "ab", "", "\"" };
    leat_i_json values[5];
    leat_i_json_get_many(object, keys, values, 5);
    assert_span(values[0], "4");
    assert_int_equal(values[1].type, LEAT_I_JSON_NONE);
    assert_span(values[2], "3");
    assert_span(values[3], "2");
    assert_span(values[4], "7");
    leat_i_json_get_many(parsed("3"), keys, values, 5);
    assert_int_equal(values[0].type, LEAT_I_JSON_NONE);
}

static void follows_paths(void **state)
{
    leat_i_json answer =
        parsed("{\"choices\":[{\"message\":{\"content\":\"one\"}}, {\"message\":{\"content\":null,\"0\":7}}],\"n\":3}");
    (void)state;
    assert_span(leat_i_json_path(answer, "choices.0.message.content"), "\"one\"");
    assert_span(leat_i_json_path(answer, "choices.1.message.content"), "null");
    assert_span(leat_i_json_path(answer, "choices.1.message.0"), "7");
    assert_span(leat_i_json_path(answer, "n"), "3");
    assert_int_equal(leat_i_json_path(answer, "").type, LEAT_I_JSON_OBJECT);
    static const char *const nowhere[] = { "choices.2",
                                           "choices.x",
                                           "choices.-1",
                                           "choices.0.nothing.content",
                                           "n.0",

                                           "choices.99999999999999999999999999",
                                           "choices.0x0",
                                           "nothing" };
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
        if (leat_i_json_path(answer, nowhere[i]).type != LEAT_I_JSON_NONE) fail_msg("%s leads somewhere", nowhere[i]);
}

static void assert_text(const char *json, const char *text, size_t size)
{
    leat_i_arena arena = { 0 };
    size_t got = 12345;
    const char *s = leat_i_json_text(parsed(json), &arena, &got);
    assert_non_null(s);
    assert_int_equal(got, size);
    assert_memory_equal(s, text, size + 1);
    assert_string_equal(leat_i_json_text(parsed(json), &arena, NULL), text);
    leat_i_arena_fini(&arena);
}

static void unescapes_text(void **state)
{
    (void)state;
    assert_text("\"\"", S(""));
    assert_text("\"plain\"", S("plain"));
    assert_text("\"a longer text, more than a word of it, without escapes\"",
                S("a longer text, more than a word of it, without escapes"));
    assert_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", S("\"\\/\b\f\n\r\t"));
    assert_text("\"a longer text\\nmore than a word\\tof it with escapes\\\\\"",
                S("a longer text\nmore than a word\tof it with escapes\\"));
    assert_text("\"\\u0041\\u00e9\\u20AC\\uffff\"", S("A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf"));
    assert_text("\"nul\\u0000inside\"", S("nul\0inside"));
    assert_text("\"\\ud83d\\ude00\"", S("\xf0\x9f\x98\x80"));
    assert_text("\"\\udbff\\udfff\"", S("\xf4\x8f\xbf\xbf"));
    /* Lone halves are no characters. */
    assert_text("\"\\ud83d\"", S("\xef\xbf\xbd"));
    assert_text("\"\\ud83dx\"", S("\xef\xbf\xbdx"));
    assert_text("\"\\ude00\\ud83d\"", S("\xef\xbf\xbd\xef\xbf\xbd"));
    assert_text("\"\\ud83d\\ud83d\\ude00\"", S("\xef\xbf\xbd\xf0\x9f\x98\x80"));
    assert_text("\"\\ud83d\\n\"", S("\xef\xbf\xbd\n"));
    assert_text("\"\\ud83d\\u0041\"", S("\xef\xbf\xbd"
                                        "A"));
    leat_i_arena arena = { 0 };
    assert_null(leat_i_json_text(parsed("1"), &arena, NULL));
    assert_null(leat_i_json_text((leat_i_json){ 0 }, &arena, NULL));
    leat_i_mem_fail_after(1, false);
    assert_null(leat_i_json_text(parsed("\"a\""), &arena, NULL));
    leat_i_mem_fail_after(0, false);
    leat_i_arena_fini(&arena);

    assert_true(leat_i_json_str_eq(parsed("\"a\\u0062\\n\""), "ab\n"));
    assert_false(leat_i_json_str_eq(parsed("\"a\\u0062\\n\""), "ab"));
    assert_false(leat_i_json_str_eq(parsed("\"a\\u0062\""), "ab\n"));
    assert_true(leat_i_json_str_eq(parsed("\"\""), ""));
    assert_false(leat_i_json_str_eq(parsed("1"), "1"));
}

static void reads_numbers(void **state)
{
    uint64_t u = 7;
    double d = 7;
    (void)state;
    assert_true(leat_i_json_u64(parsed("0"), &u) && u == 0);
    assert_true(leat_i_json_u64(parsed("18446744073709551615"), &u) && u == UINT64_MAX);
    u = 7;
    static const char *const no_u64[] = { "18446744073709551616",    "-1",    "-0",  "1.0", "1e2",
                                          "99999999999999999999999", "\"1\"", "null" };
    for (size_t i = 0; i < sizeof no_u64 / sizeof no_u64[0]; i++)
        if (leat_i_json_u64(parsed(no_u64[i]), &u)) fail_msg("%s became %llu", no_u64[i], (unsigned long long)u);
    assert_int_equal(u, 7);
    assert_false(leat_i_json_u64((leat_i_json){ 0 }, &u));

    assert_true(leat_i_json_double(parsed("-12.5e-1"), &d) && d == -1.25);
    assert_true(leat_i_json_double(parsed("[0.1]"), &d) == false);
    leat_i_json element;
    size_t at = 0;
    assert_true(leat_i_json_next_element(parsed("[0.125,2]"), &at, &element));
    assert_true(leat_i_json_double(element, &d) && d == 0.125); /* what follows the span is not read */
    assert_true(leat_i_json_double(parsed("1e400"), &d) && d > 1e308);
    assert_false(leat_i_json_double(parsed("\"1\""), &d));

    char digits[600];
    memset(digits, '1', sizeof digits);
    assert_true(leat_i_json_double(leat_i_json_parse(digits, 511, NULL), &d));
    assert_false(leat_i_json_double(leat_i_json_parse(digits, 512, NULL), &d));
}

/* A string of many escapes far from its end must not cost a search of the rest for each: 4 MB in well under a second. */
static void skipping_is_linear(void **state)
{
    size_t size = 4u << 20;
    char *text = malloc(size + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "[\"", 2);
    for (size_t i = 2; i + 64 < size; i += 40)
        memcpy(text + i, "\\n", 2);
    memcpy(text + size - 4, "\",1]", 5);
    leat_i_json array = leat_i_json_parse(text, size, NULL), value;
    assert_int_equal(array.type, LEAT_I_JSON_ARRAY);
    int64_t from = leat_i_os_thread_cpu_ns();
    assert_span(leat_i_json_path(array, "1"), "1");
    size_t at = 0;
    assert_true(leat_i_json_next_element(array, &at, &value));
    assert_int_equal(value.size, size - 4);
    assert_true(value.escaped);
    assert_true(leat_i_os_thread_cpu_ns() - from < 2 * LEAT_I_NS_PER_S);
    free(text);
}

static void knows_utf8(void **state)
{
    (void)state;
    assert_true(leat_i_utf8_valid("", 0));
    assert_true(leat_i_utf8_valid(S("plain ASCII of more than eight bytes")));
    assert_true(leat_i_utf8_valid(S("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 and some more text \0 with a NUL")));
    assert_false(leat_i_utf8_valid(S("\xc3")));
    assert_false(leat_i_utf8_valid(S("some text of a length, then \xff")));
    assert_false(leat_i_utf8_valid(S("\xed\xa0\x80")));
    assert_false(leat_i_utf8_valid(S("abcdefg\xc3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_json),       cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(depth_has_a_limit),  cmocka_unit_test(walks_members_and_elements),
        cmocka_unit_test(gets_by_key),        cmocka_unit_test(follows_paths),
        cmocka_unit_test(unescapes_text),     cmocka_unit_test(reads_numbers),
        cmocka_unit_test(skipping_is_linear), cmocka_unit_test(knows_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
