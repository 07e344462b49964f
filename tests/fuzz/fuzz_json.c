/*
 * fuzz_json.c: the JSON scanner. Whatever it accepts is UTF-8, agrees with jansson, and comes back the same from the writer.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/json.h"
#include "llm/answer.h"

static void check_value(leat_i_json v, const char *text, size_t size, leat_i_arena *arena)
{
    HOLDS(v.at >= text && v.size > 0 && v.at + v.size <= text + size);
    leat_i_json key, value;
    size_t at = 0, bytes = 0;
    switch (v.type) {
    case LEAT_I_JSON_OBJECT:
        while (leat_i_json_next_member(v, &at, &key, &value)) {
            check_value(key, text, size, arena);
            check_value(value, text, size, arena);
        }
        break;
    case LEAT_I_JSON_ARRAY:
        while (leat_i_json_next_element(v, &at, &value))
            check_value(value, text, size, arena);
        break;
    case LEAT_I_JSON_STRING: {
        const char *plain = leat_i_json_text(v, arena, &bytes);
        HOLDS(plain && plain[bytes] == 0 && leat_i_utf8_valid(plain, bytes));
        break;
    }
    default:
        break;
    }
}

/* Without white space the value is the same, whichever of the two ways it is taken out. */
static void check_compact(leat_i_json whole, const char *text, size_t size)
{
    leat_i_buf b = { 0 };
    HOLDS(leat_i_json_put_compact(&b, whole));
    HOLDS(leat_i_json_parse(b.data, b.size, NULL).type == whole.type);
    HOLDS(!leat_i_json_parse(b.data, b.size, NULL).spaced);
    if (!whole.spaced) HOLDS(b.size == whole.size && memcmp(b.data, whole.at, b.size) == 0);
    char *copy = malloc(size + 1);
    HOLDS(copy);
    memcpy(copy, text, size);
    copy[size] = 0;
    size_t squeezed = leat_i_json_squeeze(copy, size);
    HOLDS(squeezed == b.size && memcmp(copy, b.data, squeezed) == 0);
    free(copy);
    leat_i_buf_fini(&b);
}

static void check_picks(leat_i_json whole, const char *text, size_t size)
{
    static const leat_i_json_pick picks[] = { { -1, "a" }, { 0, "b" }, { 0, "0" }, { -1, "0" }, { 3, "a" } };
    static const char *const paths[] = { "a", "a.b", "a.0", "0", "0.a" };
    leat_i_json v[5];
    leat_i_json again = leat_i_json_parse_pick(text, size, picks, 5, v, NULL);
    HOLDS(again.type == whole.type && again.at == whole.at && again.size == whole.size && again.spaced == whole.spaced);
    for (int i = 0; i < 5; i++) {
        leat_i_json found = leat_i_json_path(whole, paths[i]);
        HOLDS(found.type == v[i].type && (!found.type || (found.at == v[i].at && found.size == v[i].size)));
    }
}

/* What jansson cannot hold, and the scanner keeps as a span. */
static bool excused(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_stack_overflow || code == json_error_null_byte_in_key ||
           (code == json_error_invalid_syntax && strstr(error->text, "invalid Unicode"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    leat_i_arena arena = { 0 };
    size_t error_at = 0;
    json_error_t error = { 0 };
    leat_i_json whole = leat_i_json_parse(text, size, &error_at);
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (whole.type == LEAT_I_JSON_NONE) {
        HOLDS(error_at <= size);
        /* Refused by us alone: what is nested too deep, and a NUL behind the end, which jansson takes for it. */
        HOLDS(!theirs || size > LEAT_I_JSON_DEPTH_MAX || memchr(text, 0, size));
    } else {
        HOLDS(leat_i_utf8_valid(text, size));
        HOLDS(theirs || excused(&error));
        check_value(whole, text, size, &arena);
        check_compact(whole, text, size);
        check_picks(whole, text, size);
    }
    leat_i_buf b = { 0 };
    leat_i_json quoted;
    HOLDS(leat_i_json_put_string(&b, text, size));
    quoted = leat_i_json_parse(b.data, b.size, NULL);
    HOLDS(quoted.type == LEAT_I_JSON_STRING);
    size_t bytes = 0;
    const char *back = leat_i_json_text(quoted, &arena, &bytes);
    HOLDS(back);
    if (leat_i_utf8_valid(text, size)) HOLDS(bytes == size && memcmp(back, text, size) == 0);
    leat_i_buf_fini(&b);
    json_decref(theirs);
    leat_i_arena_fini(&arena);
    return 0;
}
