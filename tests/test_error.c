/* test_error.c: the story of a failure: how it is kept, cut, walked and printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static leat_error error_of(leat_err code, const char *text)
{
    leat_error error = { .code = code, .retry_after_ms = -1 };
    snprintf(error.text, sizeof error.text, "%s", text);
    return error;
}

static void an_error_without_a_story_is_its_sentence(void **state)
{
    char text[64];
    leat_error error = error_of(LEAT_NET, "cut");
    (void)state;
    assert_null(leat_error_cause(&error, 0, NULL));
    assert_int_equal(leat_error_format(&error, text, sizeof text), 8);
    assert_string_equal(text, "NET: cut");
}

static void a_story_is_walked_from_the_nearest_on(void **state)
{
    char text[256];
    leat_err code;
    leat_error root = error_of(LEAT_NET, "cut"), middle = error_of(LEAT_REPLY, "half a page"),
               top = error_of(LEAT_USER, "no page");
    (void)state;
    leat_i_error_because(&middle, &root);
    leat_i_error_add(&middle, LEAT_OK, "a place");
    leat_i_error_because(&top, &middle);
    leat_error copy = top; /* owns nothing */
    memset(&top, 0xff, sizeof top);
    assert_string_equal(leat_error_cause(&copy, 0, &code), "half a page");
    assert_int_equal(code, LEAT_REPLY);
    assert_string_equal(leat_error_cause(&copy, 1, &code), "cut");
    assert_int_equal(code, LEAT_NET);
    assert_string_equal(leat_error_cause(&copy, 2, &code), "a place");
    assert_int_equal(code, LEAT_OK);
    assert_null(leat_error_cause(&copy, 3, &code));
    size_t size = leat_error_format(&copy, text, sizeof text);
    assert_string_equal(text, "USER: no page\n  because (REPLY): half a page\n  because (NET): cut\n  in a place");
    assert_int_equal(size, strlen(text));
    /* As snprintf: how much there would be, whatever the room. */
    char small[24];
    for (size_t room = 1; room <= sizeof small; room++) {
        memset(small, 'x', sizeof small);
        assert_int_equal(leat_error_format(&copy, small, room), size);
        assert_int_equal(strlen(small), room - 1);
        assert_memory_equal(small, text, room - 1);
    }
    assert_int_equal(leat_error_format(&copy, NULL, 0), size);
}

/* Entries of all sizes until nothing fits: never past the end, the nearest stay whole, and what is cut ends with a NUL. */
static void a_long_story_is_cut(void **state)
{
    char words[256];
    (void)state;
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    for (size_t size = 0; size < sizeof words; size++) {
        struct {
            leat_error error;
            char guard[16];
        } box;
        memset(&box, 0, sizeof box);
        memset(box.guard, 'g', sizeof box.guard);
        for (int i = 0; i < 500; i++)
            leat_i_error_add(&box.error, LEAT_STOPPED, words + sizeof words - 1 - size);
        size_t count = 0;
        const char *text;
        leat_err code;
        while ((text = leat_error_cause(&box.error, count, &code))) {
            assert_true(text + strlen(text) < box.error.story + sizeof box.error.story - 1);
            assert_int_equal(code, LEAT_STOPPED);
            if (count == 0) assert_int_equal(strlen(text), size < 160 ? size : 160);
            count++;
        }
        assert_true(count >= 2);
        for (size_t i = 0; i < sizeof box.guard; i++)
            assert_int_equal(box.guard[i], 'g');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_without_a_story_is_its_sentence),
        cmocka_unit_test(a_story_is_walked_from_the_nearest_on),
        cmocka_unit_test(a_long_story_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
