/* test_retry_after.c: how long an endpoint asks us to wait, in all forms, the absurd ones too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "llm/retry_after.h"

#define MAX LEAT_I_RETRY_MS_MAX

static void headers_are_read(void **state)
{
    static const char now[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    static const struct {
        const char *ms, *after, *date;
        int64_t expected;
    } rows[] = {
        { NULL, NULL, NULL, -1 },
        { NULL, "1", NULL, 1000 },
        { NULL, "0.5", NULL, 500 },
        { NULL, "1.0005", NULL, 1001 },
        { NULL, "0.0001", NULL, 1 },
        { NULL, "0.00000000001", NULL, 1 },
        { NULL, " 20 ", NULL, 20000 },
        { NULL, "0", NULL, -1 },
        { NULL, "-1", NULL, -1 },
        { NULL, "", NULL, -1 },
        { NULL, "soon", NULL, -1 },
        { NULL, "1e3", NULL, -1 },
        { NULL, "12abc", NULL, -1 },
        { NULL, "NaN", NULL, -1 },
        { NULL, "99999999999999999999999999", NULL, MAX },
        { NULL, "31536000", NULL, MAX },
        { NULL, "5s", NULL, 5000 },
        { "250", "7", NULL, 250 },
        { "12.3", NULL, NULL, 13 },
        { "0", "7", NULL, 7000 },
        { "-1", "7", NULL, 7000 },
        { "x", "7", NULL, 7000 },
        { "99999999999999999999", "7", NULL, MAX },
        { NULL, "Sun, 06 Nov 1994 08:49:47 GMT", now, 10000 },
        { NULL, "Sunday, 06-Nov-94 08:49:47 GMT", now, 10000 },
        { NULL, "Sun Nov  6 08:49:47 1994", now, 10000 },
        { NULL, "Sun, 06 Nov 1994 08:49:27 GMT", now, -1 },
        { NULL, "Sun, 06 Nov 1994 08:49:37 GMT", now, -1 },
        { NULL, "Mon, 06 Nov 2094 08:49:37 GMT", now, MAX },
        { NULL, "Sun, 32 Nov 1994 08:49:47 GMT", now, -1 },
        { NULL, "Sun, 06 Nov 1994 25:49:47 GMT", now, -1 },
        { NULL, "Sun, 06 Nov 1994 08:49:47", now, -1 },
        { NULL, "Sun, 06 Nov", now, -1 },
        /* Without a usable date of the reply, the machine's own clock counts: here one minute after 1970. */
        { NULL, "Thu, 01 Jan 1970 00:01:05 GMT", NULL, 5000 },
        { NULL, "Thu, 01 Jan 1970 00:01:05 GMT", "garbage", 5000 },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int64_t ms = leat_i_retry_after_ms(rows[r].ms, rows[r].after, rows[r].date, INT64_C(60000000000));
        if (ms != rows[r].expected) fail_msg("row %zu: %lld ms, not %lld", r, (long long)ms, (long long)rows[r].expected);
    }
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t expected;
    } rows[] = {
        { "34s", 34000 }, { "12ms", 12 },          { "1m30.5s", 90500 }, { "6m0s", 360000 }, { "1h", 3600000 },
        { "0s", -1 },     { "2 minutes", 120000 }, { "s", -1 },          { "1x", -1 },       { "1.5.5", -1 },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int64_t ms = leat_i_retry_duration_ms(rows[r].text, strlen(rows[r].text));
        if (ms != rows[r].expected) fail_msg("\"%s\": %lld ms", rows[r].text, (long long)ms);
    }
    assert_int_equal(leat_i_retry_duration_ms("34s and more", 3), 34000); /* No further than its size. */
}

static void hints_in_words_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t expected;
    } rows[] = {
        { "Rate limit reached. Please try again in 5.289s. Visit the page.", 5289 },
        { "Please try again in 12ms.", 12 },
        { "Please retry after 20 seconds", 20000 },
        { "Try Again In 1m30s", 90000 },
        { "retry in 3", 3000 },
        { "try again in a moment", -1 },
        { "try again later", -1 },
        { "", -1 },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int64_t ms = leat_i_retry_hint_ms(rows[r].text);
        if (ms != rows[r].expected) fail_msg("\"%s\": %lld ms", rows[r].text, (long long)ms);
    }
}

/* Against the C library's calendar, a day in each week from 1970 to 2105. */
static void dates_agree_with_the_calendar(void **state)
{
    (void)state;
    for (int64_t s = 12345; s < INT64_C(4260000000); s += 7 * 86400 + 3601) {
        char text[64];
        time_t at = (time_t)s;
        struct tm tm;
        gmtime_r(&at, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_int_equal(leat_i_http_date_s(text), s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(hints_in_words_are_read),
        cmocka_unit_test(dates_agree_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
