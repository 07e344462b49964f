/* test_limiter_estimate.c: guesses get right, stay on the safe side, and are not led astray by nonsense. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limit/estimate.h"

static double random_below(uint64_t *seed, double most)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return floor(most * (double)(*seed >> 11) / 9007199254740992.0);
}

static void test_before_the_first_reply(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    leat_cost guess = leat_i_estimate_guess(&e, 4000, 0);
    assert_true(guess.input == 1000 && guess.output == 512);
    /* What the request allows is all there is to go by, more or less. */
    assert_true(leat_i_estimate_guess(&e, 4000, 64).output == 64);
    assert_true(leat_i_estimate_guess(&e, 4000, 4096).output == 4096);
    assert_true(leat_i_estimate_guess(&e, 0, 0).input >= 1);
    assert_true(leat_i_estimate_guess(&e, 100, (double)NAN).output == 512);
    assert_true(leat_i_estimate_guess(&e, 100, -5).output == 512);
}

static void test_one_reply_is_believed(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    leat_i_estimate_learn(&e, 1000, (leat_cost){ 500, 40, 0 });
    leat_cost guess = leat_i_estimate_guess(&e, 1000, 0);
    assert_true(guess.input >= 500 && guess.input <= 700);
    assert_true(guess.output >= 40 && guess.output <= 60);
}

static void test_settles_on_a_steady_job_from_both_sides(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    for (int i = 0; i < 200; i++)
        leat_i_estimate_learn(&e, 2000, (leat_cost){ 600, 100, 0 });
    leat_cost guess = leat_i_estimate_guess(&e, 2000, 0);
    assert_true(guess.input >= 600 && guess.input <= 610);
    assert_true(guess.output >= 100 && guess.output <= 102);
    /* The job changes: long answers, then short ones. */
    for (int i = 0; i < 200; i++)
        leat_i_estimate_learn(&e, 2000, (leat_cost){ 600, 900, 0 });
    guess = leat_i_estimate_guess(&e, 2000, 0);
    assert_true(guess.output >= 899 && guess.output <= 910);
    assert_true(leat_i_estimate_guess(&e, 2000, 300).output == 300);
}

static void test_a_varied_job_is_guessed_above_its_mean(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    for (int i = 0; i < 1000; i++)
        leat_i_estimate_learn(&e, 1000, (leat_cost){ 250, i % 2 ? 50 : 150, 0 });
    leat_cost guess = leat_i_estimate_guess(&e, 1000, 0);
    assert_true(guess.output > 120 && guess.output < 180);
}

/* Of so many nobody knows what they used: what is guessed for all of them is enough nearly always, and not much more. */
static void check_the_sum(int open, int lost)
{
    int short_of = 0;
    double most = 0;
    uint64_t seed = 3;
    for (int trial = 0; trial < 300; trial++) {
        leat_i_estimate e = { 0 };
        double guessed = 0, used = 0;
        for (int i = 0; i < 500; i++)
            leat_i_estimate_learn(&e, 1000, (leat_cost){ 250, random_below(&seed, 200), 0 });
        for (int i = 0; i < open + lost; i++)
            leat_i_estimate_open(&e);
        for (int i = 0; i < lost; i++)
            leat_i_estimate_close(&e, true, i);
        for (int i = 0; i < open + lost; i++) {
            leat_cost guess = leat_i_estimate_guess(&e, 1000, 0);
            guessed += guess.input + guess.output;
            used += 250 + random_below(&seed, 200);
            leat_i_estimate_learn(&e, 1000, (leat_cost){ 250, random_below(&seed, 200), 0 });
        }
        short_of += guessed < used;
        most = fmax(most, guessed / used);
    }
    print_message("%d open, %d lost: too little in %d of 300, at most %.3f of what was used\n", open, lost, short_of, most);
    assert_true(short_of <= 6);
    assert_true(most < 1.01 + 2.5 * 4 * 50 / 350.0 / sqrt(open + lost));
}

static void test_the_margin_is_that_of_the_sum(void **state)
{
    (void)state;
    check_the_sum(40, 0);
    check_the_sum(0, 40);
    check_the_sum(200, 0);
    check_the_sum(50, 150);
    check_the_sum(1000, 1000);
}

static void test_what_was_lost_fades(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    for (int i = 0; i < 500; i++)
        leat_i_estimate_learn(&e, 1000, (leat_cost){ 250, i % 2 ? 0 : 200, 0 });
    double wide = leat_i_estimate_guess(&e, 1000, 0).output;
    for (int i = 0; i < 400; i++) {
        leat_i_estimate_open(&e);
        leat_i_estimate_close(&e, true, 1000);
    }
    double narrow = leat_i_estimate_guess(&e, 1000, 0).output;
    assert_true(wide > 190 && narrow < 130 && narrow > 110);
    leat_i_estimate_open(&e);
    leat_i_estimate_close(&e, false, INT64_C(300000000000));
    assert_true(leat_i_estimate_guess(&e, 1000, 0).output == wide);
}

/* Large bodies have fewer tokens a byte here: what all of them come to is right all the same. */
static void test_bodies_of_many_sizes(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    uint64_t seed = 5;
    double guessed = 0, used = 0;
    for (int i = 0; i < 4000; i++) {
        size_t bytes = 200 + (size_t)random_below(&seed, 4000);
        double input = 100 + (double)bytes / 5;
        leat_i_estimate_open(&e);
        if (i > 100) guessed += leat_i_estimate_guess(&e, bytes, 1).input;
        if (i > 100) used += input;
        leat_i_estimate_close(&e, true, 1);
        leat_i_estimate_learn(&e, bytes, (leat_cost){ input, 1, 0 });
    }
    assert_true(guessed > used * 0.99 && guessed < used * 1.05);
}

static void test_nonsense_is_ignored(void **state)
{
    (void)state;
    leat_i_estimate e = { 0 };
    leat_i_estimate_learn(&e, 0, (leat_cost){ 10, 10, 0 });
    leat_i_estimate_learn(&e, 100, (leat_cost){ 0, 10, 0 });
    leat_i_estimate_learn(&e, 100, (leat_cost){ -1, 10, 0 });
    leat_i_estimate_learn(&e, 100, (leat_cost){ 10, -1, 0 });
    leat_i_estimate_learn(&e, 100, (leat_cost){ (double)NAN, 10, 0 });
    leat_i_estimate_learn(&e, 100, (leat_cost){ 10, (double)INFINITY, 0 });
    assert_int_equal(e.learned_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_first_reply),
        cmocka_unit_test(test_one_reply_is_believed),
        cmocka_unit_test(test_settles_on_a_steady_job_from_both_sides),
        cmocka_unit_test(test_a_varied_job_is_guessed_above_its_mean),
        cmocka_unit_test(test_the_margin_is_that_of_the_sum),
        cmocka_unit_test(test_what_was_lost_fades),
        cmocka_unit_test(test_bodies_of_many_sizes),
        cmocka_unit_test(test_nonsense_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
