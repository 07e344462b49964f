/* test_mock_extract.c: the token counter and the model leat-extract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/os.h"
#include "mock/extract.h"
#include "mock/split.h"
#include "mock/tokens.h"

static const char licence[] =
    "Foundation Charter\n\n"
    "The foundation keeps a library of software. Each program in the library is free software, which means that every user "
    "of "
    "the library may study the software,\nchange the software and share it. We wrote this charter in a hurry.\n\n"
    "Some people e.g. Dr. J. Smith like tea. The weather was fine. Nobody knows why! Was it Tuesday? The library grows "
    "every "
    "year, and its software is used by many.\n\n"
    "License: other\nCopyright: 1999 nobody\n"
    " - first item of a list\n - second item\n";

static uint64_t tokens_of(const char *s)
{
    return leat_i_mock_token_count(s, strlen(s));
}

static void test_tokens(void **state)
{
    (void)state;
    assert_int_equal(tokens_of(""), 0);
    assert_int_equal(tokens_of("a"), 1);
    assert_int_equal(tokens_of("Hello, world!"), 4);
    assert_int_equal(tokens_of("abcdef"), 1);
    assert_int_equal(tokens_of("abcdefg"), 2);
    assert_int_equal(tokens_of("one\n\n\ntwo"), 3);
    assert_int_equal(tokens_of("------------------"), 3);
    assert_int_equal(tokens_of("   "), 1);
    assert_int_equal(tokens_of("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"), 2); /* three letters of two bytes, then one */
    uint64_t n = tokens_of(licence);
    assert_in_range(n, strlen(licence) / 6, strlen(licence) / 3);
}

static void test_sentences(void **state)
{
    (void)state;
    leat_i_arena arena = { 0 };
    leat_i_mock_split s;
    static const char *const expected[] = {
        "Foundation Charter",
        "The foundation keeps a library of software.",
        ("Each program in the library is free software, which means that every user of the library may study the software,\n"
         "change the software and share it."),
        "We wrote this charter in a hurry.",
        "Some people e.g. Dr. J. Smith like tea.",
        "The weather was fine.",
        "Nobody knows why!",
        "Was it Tuesday?",
        "The library grows every year, and its software is used by many.",
        "License: other",
        "Copyright: 1999 nobody",
        "- first item of a list",
        "- second item",
    };
    assert_true(leat_i_mock_split_text(&s, licence, strlen(licence), &arena));
    assert_int_equal(s.sentence_count, sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < s.sentence_count; i++) {
        assert_int_equal(s.sentence[i].end - s.sentence[i].start, strlen(expected[i]));
        assert_memory_equal(licence + s.sentence[i].start, expected[i], strlen(expected[i]));
    }
    static const char cjk[] = "\xe4\xbb\x8a\xe6\x97\xa5\xe3\x80\x82\xe6\x98\x8e\xe6\x97\xa5\xef\xbc\x81";
    assert_true(leat_i_mock_split_text(&s, cjk, strlen(cjk), &arena));
    assert_int_equal(s.sentence_count, 2);
    leat_i_arena_fini(&arena);
}

static void test_summary_takes_what_is_central(void **state)
{
    (void)state;
    leat_i_arena arena = { 0 };
    leat_i_mock_summary a, b;
    assert_true(leat_i_mock_extract(licence, strlen(licence), 45, &arena, &a));
    assert_non_null(strstr(a.text, "Each program in the library is free software"));
    assert_null(strstr(a.text, "tea"));
    assert_null(strchr(a.text, '\n'));
    assert_true(a.tokens <= 45);
    assert_int_equal(a.tokens, leat_i_mock_token_count(a.text, a.size));
    assert_int_equal(strlen(a.text), a.size);
    assert_false(a.cut);
    assert_true(leat_i_mock_extract(licence, strlen(licence), 45, &arena, &b)); /* the same again */
    assert_string_equal(a.text, b.text);
    assert_true(leat_i_mock_extract(licence, strlen(licence), 80, &arena, &b));
    const char *first = strstr(b.text, "The foundation keeps"), *second = strstr(b.text, "Each program");
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first < second); /* in their original order */
    leat_i_arena_fini(&arena);
}

static void test_summary_at_its_limits(void **state)
{
    (void)state;
    leat_i_arena arena = { 0 };
    leat_i_mock_summary s;
    assert_true(leat_i_mock_extract("", 0, 0, &arena, &s));
    assert_true(s.size > 0);
    assert_true(leat_i_mock_extract(" \n\t ...", 7, 0, &arena, &s));
    assert_true(s.size > 0);
    assert_true(leat_i_mock_extract("One two three four five.", 24, 1, &arena, &s));
    assert_string_equal(s.text, "One");
    assert_true(s.cut);
    assert_true(leat_i_mock_extract("One two three four five.", 24, 6, &arena, &s));
    assert_string_equal(s.text, "One two three four five.");
    assert_false(s.cut);
    assert_true(leat_i_mock_extract("a\0b", 3, 0, &arena, &s)); /* a NUL inside is white space */
    assert_string_equal(s.text, "a b");
    /* A sentence that stands a hundred times is told once. */
    leat_i_buf b = { 0 };
    for (int i = 0; i < 100; i++)
        leat_i_buf_puts(&b, "This notice shall be included everywhere.\n\n");
    assert_true(leat_i_mock_extract(b.data, b.size, 0, &arena, &s));
    assert_string_equal(s.text, "This notice shall be included everywhere.");
    /* One word without an end, larger than what is looked at. */
    leat_i_buf_clear(&b);
    for (int i = 0; i < 500000; i++)
        leat_i_buf_puts(&b, "\xe4\xbb\x8a");
    assert_true(leat_i_mock_extract(b.data, b.size, 0, &arena, &s));
    assert_true(leat_i_utf8_valid(s.text, s.size));
    assert_true(s.tokens <= LEAT_I_MOCK_SUMMARY_TOKENS);
    leat_i_buf_fini(&b);
    leat_i_arena_fini(&arena);
}

/* Text of any shape: the answer is never empty, within its budget, valid UTF-8, and made of the text's own letters. */
static void test_summary_of_random_text(void **state)
{
    (void)state;
    static const char *const piece[] = { "a",
                                         "The ",
                                         "word ",
                                         ". ",
                                         "! ",
                                         "\n",
                                         "\n\n",
                                         "- ",
                                         "1) ",
                                         "Name: ",
                                         ":",
                                         "\"",
                                         "GPL ",
                                         "\t",
                                         ")",
                                         "'",
                                         "?",
                                         "e.g. ",
                                         "...",
                                         "\xc3\xa4",
                                         "\r",
                                         "\x01",
                                         "x-y-z ",
                                         "\xe3\x80\x82",
                                         "\xe4\xbb\x8a",
                                         "\xf0\x9f\x90\x88",
                                         "#" };
    uint64_t seed = 42;
    leat_i_arena arena = { 0 };
    for (int round = 0; round < 3000; round++) {
        leat_i_buf b = { 0 };
        leat_i_mock_summary s;
        uint64_t count = leat_i_rand_next(&seed) % 400, budget = leat_i_rand_next(&seed) % 50;
        for (uint64_t i = 0; i < count; i++)
            leat_i_buf_puts(&b, piece[leat_i_rand_next(&seed) % (sizeof piece / sizeof piece[0])]);
        assert_true(leat_i_mock_extract(b.data ? b.data : "", b.size, budget, &arena, &s));
        assert_true(s.size > 0);
        assert_true(leat_i_utf8_valid(s.text, s.size));
        assert_true(s.tokens >= 1);
        assert_true(s.tokens <= (budget ? budget : LEAT_I_MOCK_SUMMARY_TOKENS));
        assert_int_equal(s.tokens, leat_i_mock_token_count(s.text, s.size));
        for (size_t i = 0; i < s.size; i++)
            assert_true((unsigned char)s.text[i] >= ' ');
        leat_i_buf_fini(&b);
        leat_i_arena_rewind(&arena, (leat_i_arena_mark){ 0 });
    }
    leat_i_arena_fini(&arena);
}

static void test_memory_may_be_short(void **state)
{
    (void)state;
    leat_i_buf b = { 0 };
    for (int i = 0; i < 200; i++)
        leat_i_buf_puts(&b, licence);
    for (uint64_t n = 1;; n++) {
        leat_i_arena arena = { 0 };
        leat_i_mock_summary s;
        leat_i_mem_fail_after(n, true);
        bool ok = leat_i_mock_extract(b.data, b.size, 0, &arena, &s);
        leat_i_mem_fail_after(0, false);
        leat_i_arena_fini(&arena);
        if (ok) {
            assert_true(n > 5);
            break;
        }
    }
    leat_i_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_summary_takes_what_is_central),
        cmocka_unit_test(test_summary_at_its_limits),
        cmocka_unit_test(test_summary_of_random_text),
        cmocka_unit_test(test_memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
