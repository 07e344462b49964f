/* test_mock_script.c: scripts of the endpoint: what they say for which request, and what is wrong with them. Times are given. */
#include "support_base.h"

#include <xxhash.h>

#include "base/os.h"
#include "mock/script.h"

#define SECOND LEAT_I_NS_PER_S

static leat_i_mock_script script_of(const char *text)
{
    leat_i_mock_script s;
    char why[192] = "";
    if (leat_i_mock_script_read(&s, text, 7, why, sizeof why) != LEAT_OK) fail_msg("%s", why);
    return s;
}

static uint64_t hash(const char *key)
{
    return XXH3_64bits(key, strlen(key));
}

/* The faults that `count` requests of a key get at a time: a letter each, '.' for none. */
static const char *played(leat_i_mock_script *s, const char *key, int64_t at_ns, int count)
{
    static char text[256];
    memset(text, 0, sizeof text);
    for (int i = 0; i < count; i++) {
        const leat_i_mock_order *o = leat_i_mock_script_fault(s, key ? hash(key) : 0, at_ns);
        text[i] = o ? leat_i_mock_fault_name(o->fault)[0] : '.';
    }
    return text;
}

static void test_which_requests(void **state)
{
    (void)state;
    leat_i_mock_script s = script_of("# the second, and the fourth to the fifth\n"
                                     "{\"fault\":\"cut\",\"request\":2}\r\n"
                                     "\n"
                                     "{\"fault\":\"status\",\"request\":[4,5],\"status\":429,\"retry_after\":\"soon\"}\n"
                                     "{\"fault\":\"slow\",\"every\":4,\"times\":2,\"seconds\":0.5}");
    assert_int_equal(s.count, 3);
    /* The line before takes the fourth; the eighth and the twelfth are slow, and then it has played twice. */
    assert_string_equal(played(&s, NULL, 0, 20), ".c.ss..s...s........");
    assert_int_equal(s.order[1].status, 429);
    assert_string_equal(s.order[1].retry_after, "soon");
    assert_int_equal(s.order[2].after_ns, SECOND / 2);
    leat_i_mock_script_fini(&s);
}

static void test_keys_and_times(void **state)
{
    (void)state;
    leat_i_mock_script s = script_of("{\"fault\":\"cut\",\"key\":\"sk-a\",\"request\":[2,3]}\n"
                                     "{\"fault\":\"slow\",\"key\":\"\",\"from_s\":10,\"to_s\":20.5}\n");
    assert_string_equal(played(&s, "sk-b", 0, 5), ".....");
    assert_string_equal(played(&s, "sk-a", 0, 5), ".cc.."); /* its own ordinals */
    assert_string_equal(played(&s, NULL, 10 * SECOND - 1, 1), ".");
    assert_string_equal(played(&s, NULL, 10 * SECOND, 1), "s");
    assert_string_equal(played(&s, NULL, 20 * SECOND + SECOND / 2 - 1, 1), "s");
    assert_string_equal(played(&s, NULL, 20 * SECOND + SECOND / 2, 1), ".");
    leat_i_mock_script_fini(&s);
}

static void test_shares_follow_the_seed(void **state)
{
    (void)state;
    char first[256], second[256];
    int cuts = 0;
    for (int run = 0; run < 2; run++) {
        /* A second line that draws, too, does not shift the first's. */
        leat_i_mock_script s = script_of("{\"fault\":\"cut\",\"rate\":0.25}\n{\"fault\":\"slow\",\"rate\":0}");
        snprintf(run ? second : first, sizeof first, "%s", played(&s, NULL, 0, 200));
        leat_i_mock_script_fini(&s);
    }
    assert_string_equal(first, second);
    for (int i = 0; i < 200; i++)
        cuts += first[i] == 'c';
    assert_in_range(cuts, 25, 80);
    assert_null(strchr(first, 's'));
}

static void test_limits(void **state)
{
    (void)state;
    static const leat_i_mock_limits usual = { .requests = 100, .in_flight = 9 };
    leat_i_mock_script s = script_of("{\"rpm\":10,\"tpm\":500,\"itpm\":400,\"otpm\":300,\"from_s\":30}\n"
                                     "{\"tpm\":null,\"from_s\":40,\"to_s\":50}\n"
                                     "{\"key\":\"sk-a\",\"rpm\":1,\"in_flight\":2}\n"
                                     "{\"in_flight\":3,\"from_s\":60}");
    leat_i_mock_limits l = leat_i_mock_script_limits(&s, &usual, hash("sk-b"), 30 * SECOND - 1);
    assert_int_equal(l.requests, 100);
    assert_int_equal(l.tokens, 0);
    assert_int_equal(l.in_flight, 9);
    assert_int_equal(l.in_flight_of_key, 0);
    l = leat_i_mock_script_limits(&s, &usual, hash("sk-b"), 30 * SECOND);
    assert_int_equal(l.requests, 10);
    assert_int_equal(l.tokens, 500);
    assert_int_equal(l.input, 400);
    assert_int_equal(l.output, 300);
    l = leat_i_mock_script_limits(&s, &usual, hash("sk-b"), 45 * SECOND);
    assert_int_equal(l.tokens, 0);
    l = leat_i_mock_script_limits(&s, &usual, hash("sk-a"), 60 * SECOND);
    assert_int_equal(l.requests, 1); /* the last line that says so */
    assert_int_equal(l.tokens, 500);
    assert_int_equal(l.in_flight, 3);
    assert_int_equal(l.in_flight_of_key, 2);
    leat_i_mock_script_fini(&s);
}

static const struct {
    const char *text, *says;
} wrong[] = {
    { "{\"fault\":\"cut\"}\n[]", "Line 2 of the script: not a JSON object" },
    { "{\"fault\":\"cut\"", "Line 1 of the script: not a JSON object (byte 15)" },
    { "{\"fault\":\"ct\"}", "there is no fault 'ct'" },
    { "{\"fault\":1}", "fault must be a string" },
    { "{\"falt\":\"cut\"}", "there is no member 'falt'" },
    { "{\"from_s\":1}", "neither a fault nor a limit" },
    { "{\"fault\":\"cut\",\"rpm\":1}", "a fault and a limit" },
    { "{\"rpm\":1,\"request\":1}", "by key, from_s and to_s alone" },
    { "{\"rpm\":1,\"rate\":0.5}", "by key, from_s and to_s alone" },
    { "{\"rpm\":0}", "rpm must be a whole number from 1, or null" },
    { "{\"tpm\":1.5}", "tpm must be a whole number from 1, or null" },
    { "{\"in_flight\":\"1\"}", "in_flight must be a whole number from 1, or null" },
    { "{\"rpm\":1,\"from_s\":-1}", "from_s must be a number from 0" },
    { "{\"rpm\":1,\"from_s\":5,\"to_s\":5}", "from_s must be less than to_s" },
    { "{\"rpm\":1,\"key\":7}", "key must be a string" },
    { "{\"fault\":\"cut\",\"request\":0}", "request must be a whole number from 1" },
    { "{\"fault\":\"cut\",\"request\":[1]}", "request must be an ordinal from 1, or the first and the last" },
    { "{\"fault\":\"cut\",\"request\":[3,2]}", "request must be an ordinal from 1, or the first and the last" },
    { "{\"fault\":\"cut\",\"request\":[1,2,3]}", "request must be an ordinal from 1, or the first and the last" },
    { "{\"fault\":\"cut\",\"every\":0}", "every must be a whole number from 1" },
    { "{\"fault\":\"cut\",\"rate\":1.1}", "rate must be a number from 0 to 1" },
    { "{\"fault\":\"status\",\"status\":200}", "status must be from 400 to 599" },
    { "{\"fault\":\"status\",\"retry_after\":\"a\\nb\"}", "printable ASCII alone" },
    { "{\"fault\":\"status\",\"retry_after\":\"\"}", "retry_after must have from 1 to 47 bytes" },
};

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    char why[192];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        leat_i_mock_script s;
        why[0] = '\0';
        assert_int_equal(leat_i_mock_script_read(&s, wrong[i].text, 0, why, sizeof why), LEAT_USAGE);
        if (!strstr(why, wrong[i].says)) fail_msg("%s: %s", wrong[i].text, why);
        leat_i_mock_script_fini(&s);
    }
}

static void test_the_longest_script(void **state)
{
    (void)state;
    static char text[(LEAT_I_MOCK_ORDERS_MAX + 1) * 16];
    leat_i_mock_script s;
    char why[192] = "";
    for (int i = 0; i < LEAT_I_MOCK_ORDERS_MAX; i++)
        memcpy(text + strlen(text), "{\"rpm\":1}\n", 11);
    assert_int_equal(leat_i_mock_script_read(&s, text, 0, why, sizeof why), LEAT_OK);
    leat_i_mock_script_fini(&s);
    memcpy(text + strlen(text), "{\"rpm\":1}\n", 11);
    assert_int_equal(leat_i_mock_script_read(&s, text, 0, why, sizeof why), LEAT_USAGE);
    assert_non_null(strstr(why, "at most 1000 lines"));
    leat_i_mock_script_fini(&s);
}

static void test_memory_may_be_short(void **state)
{
    (void)state;
    leat_err err = LEAT_NOMEM;
    for (uint64_t n = 1; err != LEAT_OK; n++) {
        leat_i_mock_script s;
        char why[192] = "";
        leat_i_mem_fail_after(n, false);
        err = leat_i_mock_script_read(&s, "{\"fault\":\"cut\",\"key\":\"k\"}\n{\"rpm\":1}", 0, why, sizeof why);
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_OK ? n > 1 : err == LEAT_NOMEM && strcmp(why, "Out of memory.") == 0);
        leat_i_mock_script_fini(&s);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_which_requests, no_leak),
        cmocka_unit_test_teardown(test_keys_and_times, no_leak),
        cmocka_unit_test_teardown(test_shares_follow_the_seed, no_leak),
        cmocka_unit_test_teardown(test_limits, no_leak),
        cmocka_unit_test_teardown(test_what_is_wrong_is_named, no_leak),
        cmocka_unit_test_teardown(test_the_longest_script, no_leak),
        cmocka_unit_test_teardown(test_memory_may_be_short, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
