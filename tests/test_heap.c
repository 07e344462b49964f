/* test_heap.c: the timer heap against a plain list, through random adds, removals and pops. */
#include "support_base.h"

#include "base/heap.h"
#include "base/mem.h"
#include "base/os.h"

#define TIMERS 300

static int64_t least_of(const leat_i_timer *timer, const bool *in)
{
    int64_t least = LEAT_I_NEVER_NS;
    for (size_t i = 0; i < TIMERS; i++)
        if (in[i] && timer[i].when_ns < least) least = timer[i].when_ns;
    return least;
}

static void agrees_with_a_list(void **state)
{
    static leat_i_timer timer[TIMERS];
    static bool in[TIMERS];
    leat_i_heap h = { 0 };
    uint64_t seed = 11;
    uint32_t count = 0;
    (void)state;
    for (int step = 0; step < 60000; step++) {
        size_t i = leat_i_rand_next(&seed) % TIMERS;
        switch (leat_i_rand_next(&seed) % 3) {
        case 0:
            if (in[i]) break;
            assert_true(leat_i_heap_add(&h, &timer[i], (int64_t)(leat_i_rand_next(&seed) % 500) - 100));
            in[i] = true;
            count++;
            break;
        case 1:
            leat_i_heap_remove(&h, &timer[i]);
            assert_int_equal(timer[i].place, 0);
            count -= in[i];
            in[i] = false;
            break;
        default: {
            int64_t now = (int64_t)(leat_i_rand_next(&seed) % 400), least = least_of(timer, in);
            leat_i_timer *due = leat_i_heap_pop_due(&h, now);
            assert_int_equal(due != NULL, least <= now && count > 0);
            if (!due) break;
            assert_int_equal(due->when_ns, least);
            assert_true(in[due - timer]);
            in[due - timer] = false;
            count--;
        }
        }
        assert_int_equal(h.count, count);
        assert_int_equal(leat_i_heap_first_ns(&h), least_of(timer, in));
        assert_int_equal(leat_i_heap_first(&h) != NULL, count > 0);
    }
    leat_i_heap_fini(&h);
    leat_i_heap_fini(&h);
}

static void comes_out_in_order(void **state)
{
    enum { COUNT = 5000 };
    static leat_i_timer timer[COUNT];
    leat_i_heap h = { 0 };
    uint64_t seed = 3;
    int64_t last = INT64_MIN;
    size_t out = 0;
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_true(leat_i_heap_add(&h, &timer[i], (int64_t)leat_i_rand_next(&seed) / 2));
    for (leat_i_timer *t; (t = leat_i_heap_pop_due(&h, INT64_MAX)); out++) {
        assert_true(t->when_ns >= last);
        last = t->when_ns;
    }
    assert_int_equal(out, COUNT);
    assert_int_equal(leat_i_heap_first_ns(&h), LEAT_I_NEVER_NS);
    assert_null(leat_i_heap_first(&h));
    leat_i_heap_fini(&h);
}

static void short_memory_leaves_the_timer_out(void **state)
{
    leat_i_heap h = { 0 };
    leat_i_timer timer[20] = { 0 };
    (void)state;
    leat_i_mem_fail_after(1, false);
    assert_false(leat_i_heap_add(&h, &timer[0], 5));
    assert_int_equal(timer[0].place, 0);
    for (size_t i = 0; i < 16; i++)
        assert_true(leat_i_heap_add(&h, &timer[i], (int64_t)i));
    leat_i_mem_fail_after(1, false);
    assert_false(leat_i_heap_add(&h, &timer[16], -1));
    assert_int_equal(timer[16].place, 0);
    assert_int_equal(h.count, 16);
    assert_ptr_equal(leat_i_heap_first(&h), &timer[0]);
    leat_i_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(comes_out_in_order),
        cmocka_unit_test(short_memory_leaves_the_timer_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
