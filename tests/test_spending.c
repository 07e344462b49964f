/* test_spending.c: what a run may spend: which attempt may still begin, and what counts as spent. */
#include "bulk_support.h"

#include <math.h>
#include <string.h>

#include "bulk/spending.h"

enum { SPENDER_COUNT = 32 };

typedef struct spend {
    leat_i_spending s;
    leat_i_spender who[SPENDER_COUNT];
    leat_error why;
} spend;

static void spend_open(spend *x, const leat_bulk_opts *o)
{
    memset(x, 0, sizeof *x);
    assert_int_equal(leat_i_spending_init(&x->s, o, &x->why), LEAT_OK);
}

static bool spend_begin(spend *x, int i)
{
    return leat_i_spending_begin(&x->s, &x->who[i], &x->why);
}

static bool spend_end(spend *x, int i, uint64_t in, uint64_t out, double cost)
{
    leat_i_llm_attempt a = { .tokens_in = in, .tokens_out = out, .cost = cost };
    return leat_i_spending_end(&x->s, &x->who[i], &a, &x->why);
}

/* How many may begin beside those in flight. */
static int spend_room(spend *x)
{
    int count = 0;
    while (count < SPENDER_COUNT && spend_begin(x, count))
        count++;
    for (int i = 0; i < count; i++)
        assert_true(leat_i_spending_end(&x->s, &x->who[i], NULL, &x->why));
    return count;
}

static void those_in_flight_count_as_the_mean(void **state)
{
    spend x;
    (void)state;
    spend_open(&x, &(leat_bulk_opts){ .tokens_max = 1000 });
    assert_true(spend_begin(&x, 0));
    assert_true(spend_end(&x, 0, 60, 40, 0));
    assert_int_equal(spend_room(&x), 9); /* 100 are spent: ten of 100 are 1000, and eleven are beyond */
    assert_int_equal(x.why.code, LEAT_STOPPED);
    assert_string_equal(x.why.text, "no more than 1000 tokens are to be spent: 100 are, 9 requests have not told yet, and "
                                    "one uses about 100");
    assert_true(spend_begin(&x, 0));
    assert_true(spend_end(&x, 0, 200, 100, 0)); /* the mean is 200 now, and 400 are spent */
    assert_int_equal(spend_room(&x), 3);
    leat_i_spending_fini(&x.s);
}

static void what_was_lost_counts_as_the_mean(void **state)
{
    spend x;
    (void)state;
    spend_open(&x, &(leat_bulk_opts){ .tokens_max = 1000 });
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 60, 40, 0));
    for (int i = 0; i < 4; i++) {
        leat_i_llm_attempt lost = { .sent = true, .billed = i < 3 }; /* the last one was refused, and is free */
        assert_true(spend_begin(&x, 0));
        assert_true(leat_i_spending_end(&x.s, &x.who[0], &lost, &x.why));
    }
    assert_int_equal(spend_room(&x), 6);
    leat_i_spending_fini(&x.s);
}

static void a_maximum_below_one_request_lets_one_go(void **state)
{
    spend x;
    (void)state;
    spend_open(&x, &(leat_bulk_opts){ .tokens_max = 1 });
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 60, 40, 0));
    assert_int_equal(spend_room(&x), 0);
    leat_i_spending_fini(&x.s);
}

static void the_cost_is_the_endpoints_or_by_the_prices(void **state)
{
    spend x;
    (void)state;
    spend_open(&x, &(leat_bulk_opts){ .cost_max = 10, .price_in = 1e6, .price_out = 2e6 });
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 1, 1, 0)); /* 1 and 2 */
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 100, 100, 1));
    assert_true(fabs(leat_i_spending_priced(&x.s) - 3) < 1e-9);
    assert_int_equal(spend_room(&x), 3); /* 4 are spent, the mean is 2 */
    assert_int_equal(x.why.code, LEAT_STOPPED);
    assert_non_null(strstr(x.why.text, "the cost is to be no more than 10: it is 4, 3 requests"));
    leat_i_spending_fini(&x.s);
    spend_open(&x, &(leat_bulk_opts){ .price_out = 1 }); /* counted without a maximum, too */
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 5, 1000000, 0));
    assert_true(fabs(leat_i_spending_priced(&x.s) - 1) < 1e-9);
    leat_i_spending_fini(&x.s);
}

static void a_cost_that_nobody_names_stops(void **state)
{
    spend x;
    (void)state;
    spend_open(&x, &(leat_bulk_opts){ .cost_max = 10 });
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 5, 5, 0.5));
    assert_true(spend_begin(&x, 0) && spend_end(&x, 0, 0, 0, 0)); /* a refusal has none */
    assert_true(spend_begin(&x, 0));
    assert_false(spend_end(&x, 0, 5, 5, 0));
    assert_non_null(strstr(x.why.text, "--price-in"));
    leat_i_spending_fini(&x.s);
}

static void amounts_are_checked(void **state)
{
    const leat_bulk_opts bad[] = {
        { .cost_max = -1 }, { .cost_max = NAN }, { .cost_max = INFINITY }, { .price_in = -1 }, { .price_out = NAN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        leat_i_spending s;
        leat_error why;
        assert_int_equal(leat_i_spending_init(&s, &bad[i], &why), LEAT_USAGE);
        leat_i_spending_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_in_flight_count_as_the_mean),
        cmocka_unit_test(what_was_lost_counts_as_the_mean),
        cmocka_unit_test(a_maximum_below_one_request_lets_one_go),
        cmocka_unit_test(the_cost_is_the_endpoints_or_by_the_prices),
        cmocka_unit_test(a_cost_that_nobody_names_stops),
        cmocka_unit_test(amounts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
