/* test_rates.c: what headers say about limits: each dialect, nonsense, and whether a minute or a day is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "llm/rates.h"
#include "llm/retry_after.h"

static leat_limiter_opts told;
static int64_t wait_ms;

/* 2026-11-21T12:00:00Z */
#define NOON INT64_C(1795262400)

static void read_lines(leat_i_rates_memory *memory, const char *lines)
{
    leat_i_rates_read(lines, NOON, memory, &told, &wait_ms);
}

static void read_once(const char *lines)
{
    leat_i_rates_memory memory = { 0 };
    read_lines(&memory, lines);
}

static void nothing_told(void)
{
    static const leat_limiter_opts none;
    assert_memory_equal(&told, &none, sizeof none);
    assert_true(wait_ms < 0);
}

static void openai_says_its_limits(void **state)
{
    (void)state;
    read_once("x-ratelimit-limit-requests: 10000\nX-RateLimit-Limit-Tokens: 2000000\n"
              "x-ratelimit-remaining-requests: 9999\nx-ratelimit-remaining-tokens: 1999900\n"
              "x-ratelimit-reset-requests: 6ms\nx-ratelimit-reset-tokens: 3ms\n");
    assert_true(told.requests_per_min == 10000 && told.tokens_per_min == 2000000);
    assert_true(told.requests_per_day == 0 && told.input_tokens_per_min == 0);
    assert_true(wait_ms < 0);
    /* Full in six minutes is no wait, also when nothing is left. */
    read_once("x-ratelimit-limit-requests: 100\nx-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1m0s\n");
    assert_true(told.requests_per_min == 100 && wait_ms < 0);
    read_once("x-ratelimit-limit-tokens-minute: 60000\nx-ratelimit-limit-requests-day: 14400\n"
              "x-ratelimit-limit-tokens-day: 1000000\n");
    assert_true(told.tokens_per_min == 60000 && told.requests_per_day == 14400 && told.tokens_per_day == 1000000);
}

static void anthropic_says_its_limits(void **state)
{
    (void)state;
    read_once("anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 49\n"
              "anthropic-ratelimit-requests-reset: 2026-11-21T12:00:01Z\n"
              "anthropic-ratelimit-input-tokens-limit: 40000\nanthropic-ratelimit-output-tokens-limit: 8000\n"
              "anthropic-ratelimit-tokens-limit: 48000\n");
    assert_true(told.requests_per_min == 50 && told.input_tokens_per_min == 40000 && told.output_tokens_per_min == 8000);
    assert_true(told.tokens_per_min == 48000 && wait_ms < 0);
    /* What is used up says when it is there again; the later counts. */
    read_once("anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 0\n"
              "anthropic-ratelimit-requests-reset: 2026-11-21T12:00:07Z\n"
              "anthropic-ratelimit-input-tokens-limit: 40000\nanthropic-ratelimit-input-tokens-remaining: 0\n"
              "anthropic-ratelimit-input-tokens-reset: 2026-11-21T12:00:21.5+00:00\n");
    assert_int_equal(wait_ms, 21000);
    read_once("anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 0\n"
              "anthropic-ratelimit-requests-reset: 2026-11-22T12:00:07Z\n");
    assert_int_equal(wait_ms, 60000); /* Nobody waits a day for the limit of a minute. */
}

static void nonsense_is_not_heard(void **state)
{
    static const char *const lines[] = {
        NULL,
        "",
        "x-ratelimit-limit-requests: 0\n",
        "x-ratelimit-limit-requests: -1\nx-ratelimit-remaining-requests: -1\n",
        "x-ratelimit-limit-requests: many\n",
        "x-ratelimit-limit-requests: 1e9\n",
        "x-ratelimit-limit-requests: 99999999999999999999\n",
        "x-ratelimit-limit-requests:\n",
        "x-ratelimit-limit-requests: 10\nx-ratelimit-remaining-requests: 11\n",
        "x-ratelimit-limit: 10\n",
        "x-ratelimit-limit-requests-hour: 10\n",
        "x-ratelimit-limit-requestsx: 10\n",
        "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 10s\n",
        "anthropic-ratelimit-words-limit: 10\n",
        "anthropic-ratelimit-requests: 10\n",
        "no colon\n",
        "x-ratelimit-limit-requests: 10", /* a line without its end */
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        read_once(lines[i]);
        nothing_told();
    }
}

/* Groq's requests are those of a day, and only the reset tells. */
static void a_day_is_believed_after_three_replies(void **state)
{
    leat_i_rates_memory memory = { 0 };
    char lines[200];
    (void)state;
    for (int used = 1; used <= 40; used++) {
        snprintf(lines, sizeof lines,
                 "x-ratelimit-limit-requests: 14400\nx-ratelimit-remaining-requests: %d\nx-ratelimit-reset-requests: %ds\n",
                 14400 - used, 6 * used);
        read_lines(&memory, lines);
        assert_true(told.requests_per_min == 0);
        assert_true(told.requests_per_day == (used < 3 ? 0 : 14400));
    }
    read_lines(&memory, "x-ratelimit-limit-requests: 14400\n"); /* Believed for good. */
    assert_true(told.requests_per_day == 14400 && told.requests_per_min == 0);
}

/* A gateway whose reset is the rest of a fixed minute passes by what looks like a day, and never is one. */
static void a_fixed_minute_is_never_a_day(void **state)
{
    (void)state;
    for (int limit = 1; limit <= 3000; limit += limit < 100 ? 1 : 7) {
        leat_i_rates_memory memory = { 0 };
        char lines[200];
        for (int used = 1; used <= limit && used < 200; used++) {
            int reset_s = 60 - used % 60;
            snprintf(lines, sizeof lines,
                     "x-ratelimit-limit-requests: %d\nx-ratelimit-remaining-requests: %d\n"
                     "x-ratelimit-reset-requests: %ds\n",
                     limit, limit - used, reset_s);
            read_lines(&memory, lines);
            assert_true(told.requests_per_day == 0);
        }
    }
}

static void dates_are_read(void **state)
{
    (void)state;
    assert_int_equal(leat_i_rfc3339_s("2026-11-21T12:00:00Z"), NOON);
    assert_int_equal(leat_i_rfc3339_s("2026-11-21T12:00:00.123456Z"), NOON);
    assert_int_equal(leat_i_rfc3339_s("2026-11-21T14:30:00+02:30"), NOON);
    assert_int_equal(leat_i_rfc3339_s("2026-11-21t07:00:00-05:00"), NOON);
    assert_int_equal(leat_i_rfc3339_s("1970-01-01T00:00:00Z"), 0);
    static const char *const wrong[] = { "",
                                         "2026-11-21",
                                         "2026-11-21T12:00:00",
                                         "2026-13-21T12:00:00Z",
                                         "12:00",
                                         "2026-11-21T12:00:00Zx",
                                         "2026-11-21T25:00:00Z",
                                         "1969-01-01T00:00:00Z" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(leat_i_rfc3339_s(wrong[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_says_its_limits),        cmocka_unit_test(anthropic_says_its_limits),
        cmocka_unit_test(nonsense_is_not_heard),         cmocka_unit_test(a_day_is_believed_after_three_replies),
        cmocka_unit_test(a_fixed_minute_is_never_a_day), cmocka_unit_test(dates_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
