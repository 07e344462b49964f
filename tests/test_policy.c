/* test_policy.c: the two budgets, the waits, and the table of cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "llm/fault.h"
#include "llm/policy.h"

static leat_i_policy fresh(uint64_t seed)
{
    return (leat_i_policy){ .failures_max = 5, .throttle_max_ms = 600000, .random = seed };
}

static leat_i_outcome of(leat_i_case what)
{
    return (leat_i_outcome){ .what = what, .retry_after_ms = -1, .attempt_ms = 10, .should_retry = -1 };
}

/* How many attempts a request gets that always meets `what`. */
static unsigned attempts_of(leat_i_case what)
{
    leat_i_policy p = fresh(1);
    leat_i_outcome o = of(what);
    unsigned attempts = 1;
    int64_t wait_ms;
    while (leat_i_policy_next(&p, &o, &wait_ms) && attempts < 1000)
        attempts++;
    return attempts;
}

static void each_case_has_its_attempts(void **state)
{
    (void)state;
    for (leat_i_case what = 0; what < LEAT_I_CASE_COUNT; what++) {
        const leat_i_case_rule *rule = leat_i_case_rule_of(what);
        unsigned attempts = attempts_of(what);
        switch (rule->retry) {
        case LEAT_I_RETRY_NO:
            assert_int_equal(attempts, 1);
            break;
        case LEAT_I_RETRY_ONCE:
            assert_int_equal(attempts, 2);
            break;
        case LEAT_I_RETRY_FREE:
            assert_int_equal(attempts, 6); /* The free one, and then the five of the budget. */
            break;
        case LEAT_I_RETRY_YES:
            if (rule->budget == LEAT_I_BUDGET_FAILURE)
                assert_int_equal(attempts, 5);
            else
                assert_true(attempts > 10);
            break;
        }
        /* What is fatal is not tried again; what is given back was not billed. One case is given back since most likely nobody read it,
         * and told all the same, since nobody knows. */
        if (rule->fatal) assert_int_equal(rule->retry, LEAT_I_RETRY_NO);
        if (rule->refund && what != LEAT_I_CASE_RESET_REUSED) assert_false(rule->billed);
    }
}

static void failures_and_throttles_are_charged_apart(void **state)
{
    leat_i_policy p = fresh(3);
    leat_i_outcome throttled = of(LEAT_I_CASE_THROTTLED), server = of(LEAT_I_CASE_SERVER);
    int64_t wait_ms;
    (void)state;
    for (int i = 0; i < 20; i++) {
        throttled.retry_after_ms = 1000;
        assert_true(leat_i_policy_next(&p, &throttled, &wait_ms));
        if (i < 4) assert_true(leat_i_policy_next(&p, &server, &wait_ms));
    }
    assert_int_equal(p.failures, 4);
    assert_int_equal(p.throttles, 20);
    assert_false(leat_i_policy_next(&p, &server, &wait_ms));
}

static void throttles_end_by_time(void **state)
{
    (void)state;
    leat_i_outcome o = of(LEAT_I_CASE_THROTTLED);
    for (uint64_t seed = 0; seed < 100; seed++) {
        leat_i_policy p = fresh(seed);
        int64_t wait_ms, sum_ms = 0;
        while (leat_i_policy_next(&p, &o, &wait_ms))
            sum_ms += wait_ms + o.attempt_ms;
        assert_true(sum_ms <= p.throttle_max_ms);
        assert_true(sum_ms > p.throttle_max_ms / 2);
    }
    leat_i_policy p = fresh(1);
    int64_t wait_ms;
    o.retry_after_ms = 600001; /* Longer than anybody would wait. */
    assert_false(leat_i_policy_next(&p, &o, &wait_ms));
    p = fresh(1);
    o = of(LEAT_I_CASE_SERVER);
    o.retry_after_ms = 600001;
    assert_false(leat_i_policy_next(&p, &o, &wait_ms));
}

static void what_is_asked_is_a_floor(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        leat_i_policy p = fresh(seed * 7919);
        leat_i_outcome o = of(LEAT_I_CASE_THROTTLED);
        int64_t wait_ms;
        o.retry_after_ms = 10000;
        assert_true(leat_i_policy_next(&p, &o, &wait_ms));
        if (wait_ms < least) least = wait_ms;
        if (wait_ms > most) most = wait_ms;
        p = fresh(seed);
        o = of(LEAT_I_CASE_SERVER);
        o.retry_after_ms = 10000;
        assert_true(leat_i_policy_next(&p, &o, &wait_ms));
        assert_true(wait_ms >= 10000 && wait_ms < 13000);
    }
    assert_true(least >= 10000 && least < 10200); /* Spread from the floor on, to a quarter above. */
    assert_true(most > 12000 && most <= 12600);
}

static void backoff_grows_and_is_spread(void **state)
{
    static const int64_t bound[] = { 500, 1000, 2000, 4000 };
    int64_t most[4] = { 0 }, least[4] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        leat_i_policy p = fresh(seed * 104729);
        leat_i_outcome o = of(LEAT_I_CASE_SERVER);
        for (int i = 0; i < 4; i++) {
            int64_t wait_ms;
            assert_true(leat_i_policy_next(&p, &o, &wait_ms));
            assert_true(wait_ms >= 1 && wait_ms <= bound[i]);
            if (wait_ms > most[i]) most[i] = wait_ms;
            if (wait_ms < least[i]) least[i] = wait_ms;
        }
    }
    for (int i = 0; i < 4; i++)
        assert_true(most[i] > bound[i] * 9 / 10 && least[i] < bound[i] / 10);
}

/* The end of an overload is not slept through; a limit may be full for a minute. */
static void overloads_are_no_minutes_matter(void **state)
{
    (void)state;
    int64_t most[2] = { 0, 0 };
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (int overloaded = 0; overloaded < 2; overloaded++) {
            leat_i_policy p = fresh(seed * 104729);
            leat_i_outcome o = of(LEAT_I_CASE_THROTTLED);
            o.overloaded = overloaded;
            for (int64_t wait_ms; leat_i_policy_next(&p, &o, &wait_ms);)
                if (wait_ms > most[overloaded]) most[overloaded] = wait_ms;
        }
    }
    assert_in_range(most[0], LEAT_I_THROTTLE_BACKOFF_MAX_MS * 9 / 10, LEAT_I_THROTTLE_BACKOFF_MAX_MS);
    assert_in_range(most[1], LEAT_I_BACKOFF_MAX_MS * 9 / 10, LEAT_I_BACKOFF_MAX_MS);
}

static void the_free_retry_is_at_once(void **state)
{
    leat_i_policy p = fresh(1);
    leat_i_outcome o = of(LEAT_I_CASE_RESET_REUSED);
    int64_t wait_ms = 1;
    (void)state;
    assert_true(leat_i_policy_next(&p, &o, &wait_ms));
    assert_int_equal(wait_ms, 0);
    assert_int_equal(p.failures, 0);
    assert_true(leat_i_policy_next(&p, &o, &wait_ms));
    assert_int_equal(p.failures, 1);
}

static void the_endpoints_opinion_counts(void **state)
{
    leat_i_policy p = fresh(1);
    leat_i_outcome o = of(LEAT_I_CASE_THROTTLED);
    int64_t wait_ms;
    (void)state;
    o.should_retry = 0;
    assert_false(leat_i_policy_next(&p, &o, &wait_ms));
    p = fresh(1);
    o = of(LEAT_I_CASE_REJECTED);
    o.should_retry = 1;
    assert_true(leat_i_policy_next(&p, &o, &wait_ms));
    p = fresh(1);
    o = of(LEAT_I_CASE_AUTH); /* Not where it would only make things worse. */
    o.should_retry = 1;
    assert_false(leat_i_policy_next(&p, &o, &wait_ms));
}

/* A page is asked for once more where it came from, and as often as a failure where there are other places to ask. */
static void another_endpoint_has_no_login_page(void **state)
{
    (void)state;
    for (int others = 0; others < 2; others++) {
        leat_i_policy p = fresh(1);
        leat_i_outcome o = of(LEAT_I_CASE_PAGE);
        int64_t wait_ms;
        uint32_t attempts = 1;
        o.others = others;
        while (leat_i_policy_next(&p, &o, &wait_ms))
            attempts++;
        assert_int_equal(attempts, others ? p.failures_max : 2);
    }
}

static void statuses_have_their_case(void **state)
{
    static const struct {
        int status;
        leat_i_fault_kind kind;
        leat_i_case what;
    } rows[] = {
        { 101, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_TRUNCATED }, { 301, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_REDIRECT },
        { 400, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_REJECTED },  { 400, LEAT_I_FAULT_FILTERED, LEAT_I_CASE_FILTERED_REQUEST },
        { 400, LEAT_I_FAULT_QUOTA, LEAT_I_CASE_QUOTA },       { 401, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_AUTH },
        { 402, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_QUOTA },     { 403, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_AUTH },
        { 404, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_REJECTED },  { 408, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_NOT_NOW },
        { 409, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_NOT_NOW },   { 413, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_REJECTED },
        { 425, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_NOT_NOW },   { 429, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_THROTTLED },
        { 429, LEAT_I_FAULT_QUOTA, LEAT_I_CASE_QUOTA },       { 498, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_THROTTLED },
        { 500, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_SERVER },    { 500, LEAT_I_FAULT_THROTTLED, LEAT_I_CASE_THROTTLED },
        { 502, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_GATEWAY },   { 503, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_THROTTLED },
        { 504, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_GATEWAY },   { 524, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_GATEWAY },
        { 529, LEAT_I_FAULT_UNKNOWN, LEAT_I_CASE_THROTTLED },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        assert_int_equal(leat_i_case_of_status(rows[r].status, rows[r].kind), rows[r].what);
    assert_string_equal(leat_class_name(LEAT_CLASS_NOT_JSON), "not-json");
    assert_string_equal(leat_class_name((leat_class)1000), "unknown");
}

static void outcomes_speak_of_the_endpoint(void **state)
{
    static const struct {
        leat_i_case what;
        int status;
        bool overloaded;
        leat_verdict verdict;
    } rows[] = {
        { LEAT_I_CASE_OK, 200, false, LEAT_VERDICT_GOOD },
        { LEAT_I_CASE_REJECTED, 400, false, LEAT_VERDICT_GOOD },
        { LEAT_I_CASE_NOT_JSON, 200, false, LEAT_VERDICT_GOOD },
        { LEAT_I_CASE_PAGE, 200, false, LEAT_VERDICT_FAILED },
        { LEAT_I_CASE_THROTTLED, 429, false, LEAT_VERDICT_LIMITED },
        { LEAT_I_CASE_THROTTLED, 429, true, LEAT_VERDICT_LIMITED },
        { LEAT_I_CASE_THROTTLED, 503, false, LEAT_VERDICT_OVERLOADED },
        { LEAT_I_CASE_THROTTLED, 529, true, LEAT_VERDICT_OVERLOADED },
        { LEAT_I_CASE_THROTTLED, 500, true, LEAT_VERDICT_OVERLOADED },
        { LEAT_I_CASE_THROTTLED, 200, false, LEAT_VERDICT_LIMITED },
        { LEAT_I_CASE_THROTTLED_LATE, 200, true, LEAT_VERDICT_OVERLOADED },
        { LEAT_I_CASE_QUOTA, 429, false, LEAT_VERDICT_DENIED },
        { LEAT_I_CASE_AUTH, 401, false, LEAT_VERDICT_DENIED },
        { LEAT_I_CASE_GATEWAY, 502, false, LEAT_VERDICT_FAILED },
        { LEAT_I_CASE_NOT_NOW, 409, false, LEAT_VERDICT_NONE },
        { LEAT_I_CASE_RESET, 0, false, LEAT_VERDICT_LOST },
        { LEAT_I_CASE_RESET_REUSED, 0, false, LEAT_VERDICT_NONE },
        { LEAT_I_CASE_TIMEOUT, 0, false, LEAT_VERDICT_LOST },
        { LEAT_I_CASE_CONNECT, 0, false, LEAT_VERDICT_LOST },
        { LEAT_I_CASE_DNS_UNKNOWN, 0, false, LEAT_VERDICT_DENIED },
        { LEAT_I_CASE_TLS_UNTRUSTED, 0, false, LEAT_VERDICT_DENIED },
        { LEAT_I_CASE_CANCELED, 0, false, LEAT_VERDICT_NONE },
        { LEAT_I_CASE_LOCAL, 0, false, LEAT_VERDICT_NONE },
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        assert_int_equal(leat_i_verdict_of(rows[r].what, rows[r].status, rows[r].overloaded), rows[r].verdict);
    for (leat_i_case what = 0; what < LEAT_I_CASE_COUNT; what++) /* What is fatal is never taken for good. */
        if (leat_i_case_rule_of(what)->fatal) assert_int_equal(leat_i_verdict_of(what, 0, false), LEAT_VERDICT_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_has_its_attempts),   cmocka_unit_test(failures_and_throttles_are_charged_apart),
        cmocka_unit_test(throttles_end_by_time),        cmocka_unit_test(what_is_asked_is_a_floor),
        cmocka_unit_test(backoff_grows_and_is_spread),  cmocka_unit_test(overloads_are_no_minutes_matter),
        cmocka_unit_test(the_free_retry_is_at_once),    cmocka_unit_test(outcomes_speak_of_the_endpoint),
        cmocka_unit_test(the_endpoints_opinion_counts), cmocka_unit_test(another_endpoint_has_no_login_page),
        cmocka_unit_test(statuses_have_their_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
