/* test_fault.c: what error bodies say, in the forms of many endpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "llm/fault.h"

static const struct {
    const char *body;
    leat_i_fault_kind kind;
    const char *message;
    int64_t retry_ms;
} rows[] = {
    { "{\"error\":{\"message\":\"Rate limit reached, try again in "
      "5.289s\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
      LEAT_I_FAULT_THROTTLED, "Rate limit reached, try again in 5.289s", 5289 },
    { "{\"error\":{\"message\":\"You exceeded your current "
      "quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
      LEAT_I_FAULT_QUOTA, "You exceeded your current quota", -1 },
    { "{\"error\":{\"message\":\"Incorrect API key\",\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}}",
      LEAT_I_FAULT_AUTH, "Incorrect API key", -1 },
    { "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded the call rate limit. Please retry after 20 "
      "seconds.\"}}",
      LEAT_I_FAULT_THROTTLED, "Requests have exceeded the call rate limit. Please retry after 20 seconds.", 20000 },
    { "{\"error\":{\"code\":\"BadRequest\",\"message\":\"filtered\",\"innererror\":{\"code\":"
      "\"ResponsibleAIPolicyViolation\"}}}",
      LEAT_I_FAULT_FILTERED, "filtered", -1 },
    { "{\"error\":{\"code\":\"content_filter\",\"type\":\"invalid_request_error\",\"message\":\"f\"}}",
      LEAT_I_FAULT_FILTERED, "f", -1 },
    { "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", LEAT_I_FAULT_THROTTLED,
      "Overloaded", -1 },
    { "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low "
      "to access\"}}",
      LEAT_I_FAULT_QUOTA, "Your credit balance is too low to access", -1 },
    { "{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"x\"},"
      "{\"retryDelay\":\"34s\"}]}}",
      LEAT_I_FAULT_THROTTLED, "quota", 34000 },
    { "{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"violations\":"
      "[{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}]}]}}",
      LEAT_I_FAULT_QUOTA, "quota", -1 },
    { "[{\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}]", LEAT_I_FAULT_THROTTLED,
      "overloaded", -1 },
    { "{\"error\":{\"message\":\"{\\\"error\\\":{\\\"code\\\":401,\\\"message\\\":\\\"inner\\\"}}\"}}", LEAT_I_FAULT_AUTH,
      "inner", -1 },
    { "{\"error\":{\"code\":429,\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"slow down\"}}}",
      LEAT_I_FAULT_THROTTLED, "slow down", -1 },
    { "{\"error\":\"model not loaded\"}", LEAT_I_FAULT_UNKNOWN, "model not loaded", -1 },
    { "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}", LEAT_I_FAULT_THROTTLED,
      "Loading model", -1 },
    { "{\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequestError\",\"code\":400}", LEAT_I_FAULT_REJECTED,
      "too long", -1 },
    { "{\"detail\":\"Not Found\"}", LEAT_I_FAULT_UNKNOWN, "Not Found", -1 },
    { "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\",\"type\":\"value_error\"}]}", LEAT_I_FAULT_UNKNOWN,
      "field required", -1 },
    { "{\"message\":\"Unauthorized\",\"code\":\"unauthorized\"}", LEAT_I_FAULT_AUTH, "Unauthorized", -1 },
    { "{\"success\":false,\"errors\":[{\"code\":500,\"message\":\"no\"}]}", LEAT_I_FAULT_SERVER, "no", -1 },
    { "\"just words\"", LEAT_I_FAULT_UNKNOWN, "just words", -1 },
    { "<html><head><TITLE>502 Bad\n Gateway</title></head><body>x</body></html>", LEAT_I_FAULT_UNKNOWN, "502 Bad Gateway",
      -1 },
    { "  <p>hello", LEAT_I_FAULT_UNKNOWN, "a web page instead of an answer", -1 },
    { "upstream connect error\r\n\x1b[31mreset", LEAT_I_FAULT_UNKNOWN, "upstream connect error [31mreset", -1 },
    { "", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "{}", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "[]", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "12", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "{\"error\":null}", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "{\"error\":{}}", LEAT_I_FAULT_UNKNOWN, "", -1 },
    { "\xff\xfe garbage", LEAT_I_FAULT_UNKNOWN, "", -1 },
};

static void bodies_are_read(void **state)
{
    leat_i_arena arena = { 0 };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        leat_i_fault f;
        leat_i_fault_read(&f, rows[r].body, strlen(rows[r].body), &arena);
        if (f.kind != rows[r].kind || strcmp(f.message, rows[r].message) != 0 || f.retry_after_ms != rows[r].retry_ms)
            fail_msg("row %zu: kind %d, \"%s\", %lld ms", r, (int)f.kind, f.message, (long long)f.retry_after_ms);
    }
    leat_i_arena_fini(&arena);
}

static void errors_inside_errors_end(void **state)
{
    static char body[1 << 16];
    leat_i_arena arena = { 0 };
    leat_i_fault f;
    size_t n = 0;
    (void)state;
    for (int i = 0; i < 400; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "[");
    for (int i = 0; i < 400; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "]");
    leat_i_fault_read(&f, body, n, &arena);
    assert_string_equal(f.message, "");
    leat_i_arena_fini(&arena);
}

static void a_line_never_ends_inside_a_character(void **state)
{
    char to[6];
    (void)state;
    leat_i_line_copy(to, sizeof to, "abc\xc3\xa9z", 6); /* Five bytes fit: abc and the whole é. */
    assert_string_equal(to, "abc\xc3\xa9");
    leat_i_line_copy(to, sizeof to, "abcd\xc3\xa9", 6);
    assert_string_equal(to, "abcd");
    leat_i_line_copy(to, sizeof to, "ab\xf0\x9f\x98\x80", 6);
    assert_string_equal(to, "ab");
    leat_i_line_copy(to, sizeof to, "\n a \t\n b", 8);
    assert_string_equal(to, "a b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_read),
        cmocka_unit_test(errors_inside_errors_end),
        cmocka_unit_test(a_line_never_ends_inside_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
