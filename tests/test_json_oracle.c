/*
 * test_json_oracle.c: the scanner against jansson, on generated texts and on mutations of them, from a fixed seed.
 *
 * Both must accept and refuse the same texts, and see the same values in them, but for what jansson cannot hold, which the
 * scanner accepts since it keeps numbers and strings as spans: whole numbers beyond 64 bits, reals beyond a double, lone
 * surrogates in \u escapes, and nesting between the two limits.
 */
#include "support_base.h"

#include <jansson.h>

#include "base/json.h"
#include "base/os.h"

#define ROUNDS 4000

static const char *const atoms[] = {
    "null",
    "true",
    "false",
    "0",
    "-1",
    "12.5",
    "1e3",
    "-0.0",
    "1E-2",
    "9007199254740993",
    "\"\"",
    "\"a\"",
    "\"caf\xc3\xa9\"",
    "\"\\u20ac\\n\\\"\"",
    "\"\\ud83d\\ude00\"",
    "\"a text that is longer than a word of eight bytes\"",
    "\"\xf0\x9f\x98\x80 \\\\ \xe2\x82\xac\"",
    "\"\\/\\b\\f\\r\\t\"",
};
static const char *const spaces[] = { "", "", "", " ", "\n", "\t ", "\r\n" };

#define PICK(list, seed) ((list)[leat_i_rand_next(seed) % (sizeof(list) / sizeof((list)[0]))])

static void make_value(leat_i_buf *b, uint64_t *seed, unsigned depth)
{
    leat_i_buf_puts(b, PICK(spaces, seed));
    unsigned kind = depth ? (unsigned)(leat_i_rand_next(seed) % 4) : 3;
    if (kind >= 2) {
        leat_i_buf_puts(b, PICK(atoms, seed));
    } else {
        size_t count = leat_i_rand_next(seed) % 5;
        leat_i_buf_puts(b, kind ? "{" : "[");
        for (size_t i = 0; i < count; i++) {
            if (i) leat_i_buf_puts(b, ",");
            if (kind)
                leat_i_buf_printf(b, "%s\"k%u\"%s:", PICK(spaces, seed), (unsigned)(leat_i_rand_next(seed) % 6),
                                  PICK(spaces, seed));
            make_value(b, seed, depth - 1);
        }
        leat_i_buf_puts(b, PICK(spaces, seed));
        leat_i_buf_puts(b, kind ? "}" : "]");
    }
    leat_i_buf_puts(b, PICK(spaces, seed));
}

/* Changes, drops, doubles or inserts a few bytes. */
static void mutate(leat_i_buf *b, uint64_t *seed)
{
    static const char inserted[] = "{}[]\",:\\0123456789eE+-.truefalsn \n\x01\x80\xc3\xa9\xff\xed\xa0u/";
    size_t times = 1 + leat_i_rand_next(seed) % 3;
    for (size_t i = 0; i < times && b->size; i++) {
        size_t at = leat_i_rand_next(seed) % b->size;
        char c = inserted[leat_i_rand_next(seed) % (sizeof inserted - 1)];
        switch (leat_i_rand_next(seed) % 4) {
        case 0:
            b->data[at] = c;
            break;
        case 1:
            memmove(b->data + at, b->data + at + 1, b->size - at);
            b->size--;
            break;
        case 2:
            b->size = at;
            b->data[at] = '\0';
            break;
        default:
            assert_non_null(leat_i_buf_grow(b, 1));
            memmove(b->data + at + 1, b->data + at, b->size - at + 1);
            b->data[at] = c;
            b->size++;
        }
    }
}

static void assert_same(leat_i_json ours, json_t *theirs, leat_i_arena *arena);

static void assert_same_object(leat_i_json ours, json_t *theirs, leat_i_arena *arena)
{
    leat_i_json key, value;
    size_t at = 0;
    const char *name;
    json_t *member;
    while (leat_i_json_next_member(ours, &at, &key, &value))
        assert_non_null(json_object_get(theirs, leat_i_json_text(key, arena, NULL)));
    json_object_foreach(theirs, name, member) assert_same(leat_i_json_get(ours, name), member, arena);
}

static void assert_same_array(leat_i_json ours, json_t *theirs, leat_i_arena *arena)
{
    leat_i_json value;
    size_t at = 0, count = 0;
    while (leat_i_json_next_element(ours, &at, &value))
        assert_same(value, json_array_get(theirs, count++), arena);
    assert_int_equal(count, json_array_size(theirs));
}

static void assert_same_number(leat_i_json ours, json_t *theirs)
{
    double real;
    uint64_t whole;
    assert_int_equal(ours.type, LEAT_I_JSON_NUMBER);
    assert_true(leat_i_json_double(ours, &real));
    assert_true(real == json_number_value(theirs));
    if (json_is_integer(theirs) && json_integer_value(theirs) > 0)
        assert_true(leat_i_json_u64(ours, &whole) && whole == (uint64_t)json_integer_value(theirs));
}

static void assert_same(leat_i_json ours, json_t *theirs, leat_i_arena *arena)
{
    size_t size;
    assert_non_null(theirs);
    switch (json_typeof(theirs)) {
    case JSON_OBJECT:
        assert_int_equal(ours.type, LEAT_I_JSON_OBJECT);
        assert_same_object(ours, theirs, arena);
        break;
    case JSON_ARRAY:
        assert_int_equal(ours.type, LEAT_I_JSON_ARRAY);
        assert_same_array(ours, theirs, arena);
        break;
    case JSON_STRING:
        assert_int_equal(ours.type, LEAT_I_JSON_STRING);
        const char *text = leat_i_json_text(ours, arena, &size);
        assert_int_equal(size, json_string_length(theirs));
        assert_memory_equal(text, json_string_value(theirs), size);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        assert_same_number(ours, theirs);
        break;
    default:
        assert_int_equal(ours.type, json_is_null(theirs)   ? LEAT_I_JSON_NULL
                                    : json_is_true(theirs) ? LEAT_I_JSON_TRUE
                                                           : LEAT_I_JSON_FALSE);
    }
}

/* What jansson refuses and the scanner may accept; told by jansson's own words. */
static bool excused(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        return true;
    case json_error_invalid_syntax:
        return strstr(error->text, "invalid Unicode") != NULL;
    default:
        return false;
    }
}

/* One text, both ways. Answers whether both accepted it. */
static bool compare(const char *text, size_t size, leat_i_arena *arena)
{
    json_error_t error = { 0 };
    struct exact copy = exact_copy(text, size);
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    leat_i_json ours = leat_i_json_parse(copy.data, copy.size, NULL);
    bool both = theirs && ours.type;
    if (both)
        assert_same(ours, theirs, arena);
    else if (theirs || (ours.type && !excused(&error)))
        fail_msg("jansson %s, the scanner %s: %.*s (%s)", theirs ? "accepts" : "refuses", ours.type ? "accepts" : "refuses",
                 (int)size, text, error.text);
    json_decref(theirs);
    exact_free(copy);
    leat_i_arena_rewind(arena, (leat_i_arena_mark){ 0 });
    return both;
}

static void agrees_on_generated_texts(void **state)
{
    uint64_t seed = 20240501;
    leat_i_buf b = { 0 };
    leat_i_arena arena = { 0 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        leat_i_buf_clear(&b);
        make_value(&b, &seed, 5);
        assert_false(b.failed);
        assert_true(compare(b.data, b.size, &arena));
    }
    leat_i_arena_fini(&arena);
    leat_i_buf_fini(&b);
}

static void agrees_on_mutated_texts(void **state)
{
    uint64_t seed = 99;
    leat_i_buf b = { 0 };
    leat_i_arena arena = { 0 };
    int accepted = 0, rounds = getenv("LEAT_LONG") ? 100 * ROUNDS : 5 * ROUNDS;
    (void)state;
    for (int round = 0; round < rounds; round++) {
        leat_i_buf_clear(&b);
        make_value(&b, &seed, 3);
        mutate(&b, &seed);
        accepted += compare(b.data, b.size, &arena);
    }
    /* The mutations must break some texts and not all, or this says nothing. */
    assert_true(accepted > rounds / 20);
    assert_true(accepted < rounds * 19 / 20);
    leat_i_arena_fini(&arena);
    leat_i_buf_fini(&b);
}

/* The compact form of a text has the same values, and jansson reads what the writer wrote. */
static void compact_texts_mean_the_same(void **state)
{
    uint64_t seed = 5;
    leat_i_buf b = { 0 }, compact = { 0 };
    (void)state;
    for (int round = 0; round < ROUNDS / 4; round++) {
        leat_i_buf_clear(&b);
        leat_i_buf_clear(&compact);
        make_value(&b, &seed, 5);
        assert_true(leat_i_json_put_compact(&compact, leat_i_json_parse(b.data, b.size, NULL)));
        json_t *one = json_loadb(b.data, b.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_t *two = json_loadb(compact.data, compact.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_equal(one, two));
        json_decref(one);
        json_decref(two);
    }
    leat_i_buf_fini(&b);
    leat_i_buf_fini(&compact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_on_generated_texts),
        cmocka_unit_test(agrees_on_mutated_texts),
        cmocka_unit_test(compact_texts_mean_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
