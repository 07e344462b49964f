/* fuzz_retry_after.c: how long an endpoint asks us to wait. Whatever it writes, the answer is "nothing" or within bounds. */
#include "fuzz.h"

#include "llm/retry_after.h"

static void check_ms(int64_t ms)
{
    HOLDS(ms == -1 || (ms >= 1 && ms <= LEAT_I_RETRY_MS_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, size };
    int64_t wall_ns = (int64_t)fuzz_byte(&in) * INT64_C(10000000) * INT64_C(1000000000); /* 1970 to 2050 */
    char *a = fuzz_text(&in), *b = fuzz_text(&in), *date = fuzz_text(&in);
    check_ms(leat_i_retry_after_ms(a, b, date, wall_ns));
    check_ms(leat_i_retry_after_ms(NULL, a, NULL, wall_ns));
    check_ms(leat_i_retry_after_ms(NULL, a, b, wall_ns));
    check_ms(leat_i_retry_after_ms(a, NULL, NULL, wall_ns));
    check_ms(leat_i_retry_hint_ms(a));
    HOLDS(leat_i_http_date_s(a) >= -1);
    char *rest = fuzz_rest(&in);
    check_ms(leat_i_retry_duration_ms(rest, in.size));
    check_ms(leat_i_retry_duration_ms(a, strlen(a)));
    free(rest);
    free(date);
    free(b);
    free(a);
    return 0;
}
