/* test_json_pick.c: values picked out while a text is checked are those that a walk finds afterwards. */
#include "support_base.h"

#include <stdio.h>

#include "base/json.h"
#include "base/os.h"

enum { CHOICES, FIRST, SECOND, MESSAGE, CONTENT, ERROR, PICK_COUNT };

static const leat_i_json_pick picks[PICK_COUNT] = {
    { -1, "choices" }, { CHOICES, "0" }, { CHOICES, "1" }, { FIRST, "message" }, { MESSAGE, "content" }, { -1, "error" },
};

static const char *const paths[PICK_COUNT] = {
    "choices", "choices.0", "choices.1", "choices.0.message", "choices.0.message.content", "error"
};

/* A value is the same when it is the same span, or when both are absent. */
static void check_same(const char *text)
{
    leat_i_json v[PICK_COUNT];
    size_t size = strlen(text), error_at = 0, error_at_plain = 0;
    leat_i_json plain = leat_i_json_parse(text, size, &error_at_plain);
    leat_i_json whole = leat_i_json_parse_pick(text, size, picks, PICK_COUNT, v, &error_at);
    assert_int_equal(whole.type, plain.type);
    assert_int_equal(error_at, error_at_plain);
    for (int i = 0; i < PICK_COUNT; i++) {
        leat_i_json want = leat_i_json_path(plain, paths[i]);
        if (v[i].type != want.type || v[i].at != want.at || v[i].size != want.size || v[i].escaped != want.escaped)
            fail_msg("%s of %s: '%.*s', not '%.*s'", paths[i], text, (int)v[i].size, v[i].at, (int)want.size, want.at);
    }
}

static void picks_what_a_walk_finds(void **state)
{
    (void)state;
    static const char *const text[] = {
        "{}",
        "{\"choices\":[]}",
        "{\"choices\":null,\"error\":{\"message\":\"content\"}}",
        " { \"choices\" : [ { \"message\" : { \"content\" : \"a \\\"b\\\" c\" } , \"x\":1 } , 7 , [8] ] , \"error\" : 0 } ",
        "{\"choices\":{\"0\":{\"message\":1}}}",
        "{\"choices\":[[{\"message\":2}],{\"message\":{\"content\":\"of the second\"}}]}",
        "{\"deep\":[[[[[[[[[[{\"choices\":[1,2]}]]]]]]]]]],\"choices\":[3]}",
        "{\"message\":{\"content\":\"not there\"},\"choices\":[{\"content\":\"nor there\"}]}",
        "[{\"choices\":[{\"message\":{\"content\":\"not in the outermost object\"}}]}]",
        "\"choices\"",
    };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        check_same(text[i]);
}

static void the_last_of_two_keys_wins(void **state)
{
    (void)state;
    check_same("{\"choices\":[{\"message\":{\"content\":\"old\"}}],\"choices\":[{\"message\":{\"content\":\"new\"}}]}");
    check_same("{\"choices\":[{\"message\":{\"content\":\"old\"}}],\"choices\":[]}");
    check_same("{\"choices\":[{\"message\":{\"content\":\"old\"},\"message\":null}]}");
    check_same("{\"error\":1,\"\\u0065rror\":2}");
}

static void a_wrong_text_gives_nothing(void **state)
{
    (void)state;
    check_same("{\"choices\":[{\"message\":{\"content\":\"a\"}}],}");
    check_same("{\"choices\":[{\"message\":{\"content\":\"a\"");
    check_same("");
}

static void knows_halves_and_white_space(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool lone, spaced;
    } texts[] = {
        { "{\"a\":\"plain text\"}", false, false },
        { "[\"\\ud83d\\ude00\",\"\\u00e9\",\"\\uD7FF\",\"\\ue000\"]", false, false },
        { "[\"\\ud83d\"]", true, false },
        { "[\"\\ude00\"]", true, false },
        { "[\"\\uDBFFx\\uDFFF\"]", true, false },
        { "[\"\\ud83d\\ud83d\\ude00\"]", true, false },
        { "[1, 2]", false, true },
        { "[1]\n", false, true },
        { " [1]", false, true },
        { "{\"a\":{\t}}", false, true },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        leat_i_json whole = leat_i_json_parse(texts[i].text, strlen(texts[i].text), NULL);
        assert_int_not_equal(whole.type, LEAT_I_JSON_NONE);
        if (whole.lone != texts[i].lone || whole.spaced != texts[i].spaced)
            fail_msg("%s: lone %d, spaced %d", texts[i].text, whole.lone, whole.spaced);
    }
}

/* Texts of random shape over the keys that matter, some of them broken. */
static size_t grow(char *out, uint64_t *seed, int depth)
{
    static const char *const key[] = { "choices", "message", "content", "error", "\\u0065rror", "other" };
    static const char *const leaf[] = { "1", "\"text\"", "\"\\n\\\"\"", "null", "true", "-2.5e3" };
    unsigned kind = (unsigned)(leat_i_rand_next(seed) % 4), count = (unsigned)(leat_i_rand_next(seed) % 4);
    if (depth == 0 || kind == 0) return (size_t)sprintf(out, "%s", leaf[leat_i_rand_next(seed) % 6]);
    size_t n = (size_t)sprintf(out, kind == 1 ? "[" : "{");
    for (unsigned i = 0; i < count; i++) {
        if (i) out[n++] = ',';
        if (kind != 1) n += (size_t)sprintf(out + n, "\"%s\":", key[leat_i_rand_next(seed) % 6]);
        n += grow(out + n, seed, depth - 1);
    }
    return n + (size_t)sprintf(out + n, kind == 1 ? "]" : "}");
}

static void picks_from_random_texts(void **state)
{
    (void)state;
    static char text[1 << 16];
    uint64_t seed = 20;
    for (int i = 0; i < 20000; i++) {
        size_t n = grow(text, &seed, 6);
        text[n] = '\0';
        if (leat_i_rand_next(&seed) % 8 == 0) text[leat_i_rand_next(&seed) % n] = ']';
        check_same(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_what_a_walk_finds),    cmocka_unit_test(the_last_of_two_keys_wins),
        cmocka_unit_test(a_wrong_text_gives_nothing), cmocka_unit_test(knows_halves_and_white_space),
        cmocka_unit_test(picks_from_random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
