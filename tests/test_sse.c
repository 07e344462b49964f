/* test_sse.c: the reader of server-sent events: every form of line end, split at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llm/sse.h"

typedef struct heard {
    char text[2048]; /* "type|data;" of each event */
    size_t size;
    unsigned stop_after; /* events; 0 = never */
    unsigned count;
} heard;

static bool hear(void *arg, const char *type, const char *data, size_t size)
{
    heard *h = arg;
    assert_int_equal(strlen(data), size);
    h->size += (size_t)snprintf(h->text + h->size, sizeof h->text - h->size, "%s|%s;", type, data);
    return ++h->count != h->stop_after;
}

/* Feeds `text` in pieces of `piece` bytes and gives what was heard. */
static heard feed(const char *text, size_t size, size_t piece, unsigned stop_after, bool *end_ok)
{
    heard h = { .stop_after = stop_after };
    leat_i_sse s;
    leat_i_sse_init(&s, 1 << 16, hear, &h);
    bool ok = true;
    for (size_t at = 0; ok && at < size; at += piece)
        ok = leat_i_sse_push(&s, text + at, size - at < piece ? size - at : piece);
    ok = ok && leat_i_sse_end(&s);
    if (end_ok) *end_ok = ok;
    leat_i_sse_fini(&s);
    return h;
}

static void forms_are_read_at_any_split(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { "data: a\n\ndata: b\n\n", "|a;|b;" },
        { "data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;" },
        { "data: a\r\rdata: b\r\r", "|a;|b;" },
        { "data:a\n\n", "|a;" },
        { "data:  a\n\n", "| a;" },
        { "data: a\ndata: b\n\n", "|a\nb;" },
        { "data: a\r\ndata:\r\ndata: c\r\n\r\n", "|a\n\nc;" },
        { "data\n\n", "|;" },
        { ": comment\n\ndata: a\n\n: another\n", "|a;" },
        { "event: error\ndata: x\n\ndata: y\n\n", "error|x;|y;" },
        { "event: lost\n\ndata: y\n\n", "|y;" },
        { "id: 7\nretry: 10\nunknown: z\ndata: a\n\n", "|a;" },
        { "\xef\xbb\xbf"
          "data: a\n\n",
          "|a;" },
        { "\xef\xbb"
          "data: a\n\ndata: b\n\n",
          "|b;" },
        { "\n\n\r\n\rdata: a\n\n\n\n", "|a;" },
        { "data: caf\xc3\xa9 \xf0\x9f\x98\x80\n\n", "|caf\xc3\xa9 \xf0\x9f\x98\x80;" },
        { "data: [DONE]", "|[DONE];" },
        { "data: [DONE]\n", "|[DONE];" },
        { "", "" },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        size_t size = strlen(rows[r].text);
        for (size_t piece = 1; piece <= size + 1; piece++) {
            heard h = feed(rows[r].text, size, piece, 0, NULL);
            if (strcmp(h.text, rows[r].expected) != 0)
                fail_msg("row %zu in pieces of %zu: \"%s\", not \"%s\"", r, piece, h.text, rows[r].expected);
        }
    }
}

static void a_stop_ends_the_reading(void **state)
{
    static const char text[] = "data: a\n\ndata: [DONE]\n\ndata: never\n\n";
    bool ok;
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        heard h = feed(text, sizeof text - 1, piece, 2, &ok);
        assert_string_equal(h.text, "|a;|[DONE];");
        assert_false(ok);
    }
}

static void a_limit_is_a_limit(void **state)
{
    heard h = { 0 };
    leat_i_sse s;
    char line[64];
    (void)state;
    memset(line, 'x', sizeof line);
    for (size_t max = 20; max <= 21; max++) { /* "data: " and 15 bytes are 21: one past 20, and just at 21. */
        h = (heard){ 0 };
        leat_i_sse_init(&s, max, hear, &h);
        assert_true(leat_i_sse_push(&s, "data: ", 6));
        bool ok = leat_i_sse_push(&s, line, 15) && leat_i_sse_push(&s, "\n\n", 2);
        assert_int_equal(ok, max == 21);
        assert_int_equal(leat_i_sse_failed(&s), max == 20);
        assert_int_equal(h.count, max == 21);
        leat_i_sse_fini(&s);
    }
    for (size_t max = 20; max <= 21; max++) { /* The same line in one piece. */
        leat_i_sse_init(&s, max, hear, &h);
        assert_int_equal(leat_i_sse_push(&s, "data: xxxxxxxxxxxxxxx\n\n", 23), max == 21);
        assert_int_equal(leat_i_sse_failed(&s), max == 20);
        leat_i_sse_fini(&s);
    }
    leat_i_sse_init(&s, 20, hear, &h); /* An event of many lines, each short. */
    bool ok = true;
    for (int i = 0; i < 20 && ok; i++)
        ok = leat_i_sse_push(&s, "data: abc\n", 10);
    assert_false(ok);
    assert_true(leat_i_sse_failed(&s));
    leat_i_sse_fini(&s);
}

static void a_long_type_is_cut(void **state)
{
    (void)state;
    heard h = feed("event: 0123456789012345678901234567890123456789\ndata: a\n\n", 56, 7, 0, NULL);
    assert_string_equal(h.text, "0123456789012345678901234567890|a;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read_at_any_split),
        cmocka_unit_test(a_stop_ends_the_reading),
        cmocka_unit_test(a_limit_is_a_limit),
        cmocka_unit_test(a_long_type_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
