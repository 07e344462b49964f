/* test_os_time.c: clocks, saturating sums, random numbers, numbers from text, and futexes. */
#include "support_base.h"

#include <errno.h>
#include <locale.h>

#include "base/os.h"

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t last = leat_i_os_now_ns(), cpu = leat_i_os_thread_cpu_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now = leat_i_os_now_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(leat_i_os_thread_cpu_ns() > cpu);
    assert_true(leat_i_os_wall_ns() > INT64_C(1700000000) * LEAT_I_NS_PER_S); /* after 2023 */
}

static void sums_saturate(void **state)
{
    (void)state;
    assert_int_equal(leat_i_os_add_ns(2, 3), 5);
    assert_int_equal(leat_i_os_add_ns(LEAT_I_NEVER_NS, 1), LEAT_I_NEVER_NS);
    assert_int_equal(leat_i_os_add_ns(LEAT_I_NEVER_NS - 5, 6), LEAT_I_NEVER_NS);
    assert_int_equal(leat_i_os_add_ns(LEAT_I_NEVER_NS - 5, 5), LEAT_I_NEVER_NS);
    assert_int_equal(leat_i_os_add_ns(INT64_MIN, -1), INT64_MIN);
    assert_int_equal(leat_i_os_add_ns(LEAT_I_NEVER_NS, -1), LEAT_I_NEVER_NS - 1);
}

static void random_numbers_are_spread(void **state)
{
    unsigned char a[64], b[64];
    uint64_t seed = 1, same = 1;
    size_t bucket[10] = { 0 };
    (void)state;
    leat_i_os_random(a, sizeof a);
    leat_i_os_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    leat_i_os_random(NULL, 0);
    for (int i = 0; i < 100000; i++) {
        double u = leat_i_rand_unit(&seed);
        assert_true(u >= 0 && u < 1);
        bucket[(size_t)(u * 10)]++;
    }
    for (size_t i = 0; i < 10; i++)
        assert_in_range(bucket[i], 9500, 10500);
    uint64_t first = leat_i_rand_next(&same);
    same = 1;
    assert_true(leat_i_rand_next(&same) == first); /* the same seed, the same numbers */
}

static void numbers_do_not_know_the_locale(void **state)
{
    double d = 7;
    (void)state;
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, a comma is the point */
    assert_true(leat_i_os_strtod("1.5", &d) && d == 1.5);
    assert_true(leat_i_os_strtod("-2e3", &d) && d == -2000);
    assert_false(leat_i_os_strtod("1,5", &d));
    assert_false(leat_i_os_strtod("1.5x", &d));
    assert_false(leat_i_os_strtod("", &d));
    (void)setlocale(LC_ALL, "C");
}

static void a_futex_wait_ends_in_time(void **state)
{
    LEAT_ATOMIC(uint32_t) word = 5;
    (void)state;
    assert_int_equal(leat_i_os_futex_wait(&word, 4, LEAT_I_NEVER_NS), 0); /* differs: no wait at all */
    assert_int_equal(leat_i_os_futex_wait(&word, 5, -1), -ETIMEDOUT);
    assert_int_equal(leat_i_os_futex_wait(&word, 5, 0), -ETIMEDOUT);
    int64_t until = leat_i_os_now_ns() + 20 * LEAT_I_NS_PER_MS;
    while (leat_i_os_futex_wait(&word, 5, until) != -ETIMEDOUT)
        continue;
    assert_true(leat_i_os_now_ns() >= until);
}

struct turn {
    LEAT_ATOMIC(uint32_t) word;
    uint32_t rounds;
};

/* Takes the odd turns. */
static void *take_odd_turns(void *arg)
{
    struct turn *t = arg;
    for (uint32_t i = 1; i < t->rounds; i += 2) {
        uint32_t seen;
        /* acquire/release: what the other thread did in its turn is seen in ours. */
        while ((seen = leat_load_acquire(&t->word)) != i)
            assert_int_equal(leat_i_os_futex_wait(&t->word, seen, LEAT_I_NEVER_NS), 0);
        leat_store_release(&t->word, i + 1);
        leat_i_os_futex_wake(&t->word, 1);
    }
    return NULL;
}

static void a_futex_wakes_the_other_thread(void **state)
{
    struct turn t = { .rounds = 2000 };
    pthread_t thread;
    (void)state;
    assert_int_equal(leat_i_os_thread_start(&thread, "turns", take_odd_turns, &t), 0);
    for (uint32_t i = 0; i < t.rounds; i += 2) {
        uint32_t seen;
        while ((seen = leat_load_acquire(&t.word)) != i)
            assert_int_equal(leat_i_os_futex_wait(&t.word, seen, LEAT_I_NEVER_NS), 0);
        leat_store_release(&t.word, i + 1);
        leat_i_os_futex_wake(&t.word, 1);
    }
    pthread_join(thread, NULL);
    assert_int_equal(leat_load_acquire(&t.word), t.rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),         cmocka_unit_test(sums_saturate),
        cmocka_unit_test(random_numbers_are_spread), cmocka_unit_test(numbers_do_not_know_the_locale),
        cmocka_unit_test(a_futex_wait_ends_in_time), cmocka_unit_test(a_futex_wakes_the_other_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
