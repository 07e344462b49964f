/* test_mock_window.c: the exact windows of the mock's limits, against a model that remembers everything. Times are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/os.h"
#include "mock/window.h"

#define SECOND LEAT_I_NS_PER_S

typedef struct model {
    int64_t time_ns[20000];
    uint64_t tokens[20000];
    uint32_t count;
} model;

/* What the model has in the window that ends at now: later than 60 s ago. */
static void model_sum(const model *m, int64_t now_ns, uint64_t *requests, uint64_t *tokens)
{
    *requests = *tokens = 0;
    for (uint32_t i = m->count; i-- > 0 && m->time_ns[i] > now_ns - 60 * SECOND;) {
        ++*requests;
        *tokens += m->tokens[i];
    }
}

static void test_edges(void **state)
{
    (void)state;
    leat_i_mock_window w = { 0 };
    const leat_i_mock_limits l = { .requests = 2, .tokens = 100 };
    leat_i_mock_state s;
    assert_int_equal(leat_i_mock_window_judge(&w, &l, 0, 101), LEAT_I_MOCK_NEVER);
    assert_int_equal(leat_i_mock_window_judge(&w, &l, 0, 100), LEAT_I_MOCK_ADMIT);
    assert_true(leat_i_mock_window_add(&w, 0, 60));
    assert_int_equal(leat_i_mock_window_judge(&w, &l, SECOND, 41), LEAT_I_MOCK_OVER_TOKENS);
    leat_i_mock_window_state(&w, &l, SECOND, 41, &s);
    assert_int_equal(s.wait_ns, 59 * SECOND);
    assert_int_equal(s.requests_left, 1);
    assert_int_equal(s.tokens_left, 40);
    assert_int_equal(s.requests_reset_ns, 59 * SECOND);
    assert_int_equal(leat_i_mock_window_judge(&w, &l, SECOND, 40), LEAT_I_MOCK_ADMIT);
    assert_true(leat_i_mock_window_add(&w, SECOND, 40));
    assert_int_equal(leat_i_mock_window_judge(&w, &l, 60 * SECOND - 1, 1), LEAT_I_MOCK_OVER_REQUESTS);
    leat_i_mock_window_state(&w, &l, 60 * SECOND - 1, 0, &s);
    assert_int_equal(s.wait_ns, 1);
    assert_int_equal(leat_i_mock_window_judge(&w, &l, 60 * SECOND, 60), LEAT_I_MOCK_ADMIT); /* at t + 60 s it is out */
    assert_int_equal(leat_i_mock_window_judge(&w, &l, 60 * SECOND, 61), LEAT_I_MOCK_OVER_TOKENS);
    leat_i_mock_window_state(&w, &l, 60 * SECOND, 61, &s);
    assert_int_equal(s.wait_ns, SECOND);
    leat_i_mock_window_state(&w, &l, 61 * SECOND - 1, 0, &s);
    assert_int_equal(s.requests_used, 1);
    leat_i_mock_window_state(&w, &l, 61 * SECOND, 0, &s);
    assert_int_equal(s.requests_used + s.tokens_used, 0);
    leat_i_mock_window_fini(&w);
}

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        static model m;
        uint64_t rand = seed;
        m.count = 0;
        leat_i_mock_window w = { 0 };
        const leat_i_mock_limits l = { .requests = seed % 3 ? 50 + leat_i_rand_next(&rand) % 300 : 0,
                                       .tokens = seed % 4 ? 1000 + leat_i_rand_next(&rand) % 100000 : 0 };
        int64_t now_ns = 0;
        for (int i = 0; i < 20000; i++) {
            uint64_t requests, used, tokens = leat_i_rand_next(&rand) % 900;
            leat_i_mock_state s;
            now_ns += (int64_t)(leat_i_rand_next(&rand) % (2 * (uint64_t)SECOND));
            model_sum(&m, now_ns, &requests, &used);
            leat_i_mock_verdict verdict = leat_i_mock_window_judge(&w, &l, now_ns, tokens);
            bool fits = (!l.requests || requests < l.requests) && (!l.tokens || used + tokens <= l.tokens);
            assert_int_equal(verdict == LEAT_I_MOCK_ADMIT, fits);
            leat_i_mock_window_state(&w, &l, now_ns, tokens, &s);
            assert_int_equal(s.wait_ns == 0, fits);
            if (l.requests) assert_int_equal(s.requests_left, l.requests - requests);
            if (l.tokens) assert_int_equal(s.tokens_left, l.tokens - used);
            if (!fits) {
                /* The wait that is told is exact: then it is admitted, a nanosecond earlier it was not. */
                leat_i_mock_window copy = w;
                copy.entry = malloc(w.room * sizeof *w.entry);
                memcpy(copy.entry, w.entry, w.room * sizeof *w.entry);
                assert_int_not_equal(leat_i_mock_window_judge(&copy, &l, now_ns + s.wait_ns - 1, tokens), LEAT_I_MOCK_ADMIT);
                assert_int_equal(leat_i_mock_window_judge(&copy, &l, now_ns + s.wait_ns, tokens), LEAT_I_MOCK_ADMIT);
                free(copy.entry);
                continue;
            }
            assert_true(leat_i_mock_window_add(&w, now_ns, tokens));
            m.time_ns[m.count] = now_ns;
            m.tokens[m.count++] = tokens;
        }
        leat_i_mock_window_fini(&w);
    }
}

static void test_peak(void **state)
{
    (void)state;
    static model m;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        leat_i_mock_peak p = { 0 };
        uint64_t rand = seed, most = 0, requests, tokens;
        int64_t now_ns = (int64_t)(leat_i_rand_next(&rand) % (1u << 30)) * 1000;
        m.count = 0;
        for (int i = 0; i < 20000; i++) {
            /* Bursts, idle hours (past the 71 minutes of its clock), and whole microseconds. */
            uint64_t kind = leat_i_rand_next(&rand) % 1000;
            uint64_t step_us = kind == 0    ? UINT64_C(4294967296) + leat_i_rand_next(&rand) % 1000
                               : kind < 100 ? leat_i_rand_next(&rand) % 3000000
                                            : leat_i_rand_next(&rand) % 30000;
            now_ns += (int64_t)step_us * 1000;
            m.time_ns[m.count++] = now_ns;
            assert_true(leat_i_mock_peak_add(&p, now_ns));
            model_sum(&m, now_ns, &requests, &tokens);
            if (requests > most) most = requests;
            assert_int_equal(p.peak, most);
        }
        leat_i_mock_peak_fini(&p);
    }
}

static void test_memory_may_be_short(void **state)
{
    (void)state;
    leat_i_mock_window w = { 0 };
    leat_i_mock_peak p = { 0 };
    leat_i_mem_fail_after(1, true);
    assert_false(leat_i_mock_window_add(&w, 1, 1));
    assert_false(leat_i_mock_peak_add(&p, 1));
    leat_i_mem_fail_after(0, false);
    assert_int_equal(w.count, 0);
    assert_true(leat_i_mock_window_add(&w, 1, 1));
    assert_true(leat_i_mock_peak_add(&p, 1));
    for (int i = 0; i < 63; i++)
        assert_true(leat_i_mock_window_add(&w, 2, 1));
    leat_i_mem_fail_after(1, true);
    assert_false(leat_i_mock_window_add(&w, 2, 1)); /* it must grow now */
    leat_i_mem_fail_after(0, false);
    assert_int_equal(w.count, 64);
    assert_int_equal(w.tokens, 64);
    leat_i_mock_window_fini(&w);
    leat_i_mock_peak_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
