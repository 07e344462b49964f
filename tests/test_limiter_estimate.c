/* test_limiter_estimate.c: guesses get right, stay on the safe side, and are not led astray by nonsense. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limit/estimate.h"

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
    leat_i_estimate e;
    leat_i_estimate_init(&e);
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
        cmocka_unit_test(test_nonsense_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
