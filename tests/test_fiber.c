/* test_fiber.c: the context switch alone, on this thread; the same in the assembly and in the ucontext build. */
#include "support_sched.h"

#include "sched/fiber.h"

#include <execinfo.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, end) ((void)(low), (void)(end))
#endif

_Static_assert(!LEAT_FIBER_INLINE || (!LEAT_ASAN && !LEAT_TSAN), "a sanitizer hears of each switch");
#if defined(__x86_64__) && !LEAT_FIBER_UCONTEXT && !LEAT_FIBER_CALLED && !LEAT_ASAN && !LEAT_TSAN
_Static_assert(LEAT_FIBER_INLINE, "the product's form is what is tested here; the other one in test_fiber_called.c");
#endif

#define FIBER_BYTES ((size_t)256 * 1024)

struct world {
    leat_i_fiber thread, fiber, other;
    char *memory, *other_memory;
    int steps;
    char text[64];
    uintptr_t frame;
};

static int world_set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->memory = leat_i_os_reserve(FIBER_BYTES);
    w->other_memory = leat_i_os_reserve(FIBER_BYTES);
    (void)VALGRIND_STACK_REGISTER(w->memory, w->memory + FIBER_BYTES);
    (void)VALGRIND_STACK_REGISTER(w->other_memory, w->other_memory + FIBER_BYTES);
    leat_i_fiber_adopt_thread(&w->thread);
    *state = w;
    return w->memory && w->other_memory ? 0 : -1;
}

static int world_tear_down(void **state)
{
    struct world *w = *state;
    leat_i_os_release(w->memory, FIBER_BYTES);
    leat_i_os_release(w->other_memory, FIBER_BYTES);
    free(w);
    return 0;
}

static void counts_for_ever(void *arg)
{
    struct world *w = arg;
    leat_i_fiber_begin(&w->thread);
    /* Kept in registers or on this stack, over the switches. */
    uint64_t a = 1, b = 2;
    double x = 0.5;
    for (;;) {
        w->steps++;
        a += 1;
        b += 2;
        x += 0.5;
        leat_i_fiber_switch(&w->fiber, &w->thread, false);
        CHECK(b == 2 * a);
        CHECK(x == (double)a / 2);
    }
}

static void a_fiber_goes_on_where_it_was_left(void **state)
{
    struct world *w = *state;
    leat_i_fiber_make(&w->fiber, w->memory, FIBER_BYTES, counts_for_ever, w);
    double y = 1.5;
    for (int i = 1; i <= 10000; i++) {
        leat_i_fiber_switch(&w->thread, &w->fiber, false);
        assert_int_equal(w->steps, i);
        y += 1.0;
    }
    assert_true(y == 10001.5);
    leat_i_fiber_fini(&w->fiber);
}

static void leaves_for_good(void *arg)
{
    struct world *w = arg;
    leat_i_fiber_begin(&w->thread);
    w->steps++;
    leat_i_fiber_switch(&w->fiber, &w->thread, true);
    abort();
}

static void a_stack_is_used_again_and_again(void **state)
{
    struct world *w = *state;
    for (int i = 1; i <= 1000; i++) {
        leat_i_fiber_make(&w->fiber, w->memory, FIBER_BYTES, leaves_for_good, w);
        leat_i_fiber_switch(&w->thread, &w->fiber, false);
        leat_i_fiber_fini(&w->fiber);
        assert_int_equal(w->steps, i);
    }
}

static void looks_around(void *arg)
{
    struct world *w = arg;
    leat_i_fiber_begin(&w->thread);
    w->frame = (uintptr_t)__builtin_frame_address(0);
    /* Floating-point formatting keeps vectors on the stack: a wrong alignment faults. */
    snprintf(w->text, sizeof w->text, "%.3f %Lg", 3.14159, 2.5L);
    void *address[64];
    w->steps = backtrace(address, 64);
    leat_i_fiber_switch(&w->fiber, &w->thread, true);
}

static void a_fresh_stack_is_aligned_and_unwinders_end_there(void **state)
{
    struct world *w = *state;
    for (size_t odd = 0; odd < 16; odd++) {
        leat_i_fiber_make(&w->fiber, w->memory, FIBER_BYTES - odd, looks_around, w);
        leat_i_fiber_switch(&w->thread, &w->fiber, false);
        leat_i_fiber_fini(&w->fiber);
        assert_string_equal(w->text, "3.142 2.5");
        assert_int_equal(w->frame % 16, 0);
        assert_in_range(w->frame, (uintptr_t)w->memory, (uintptr_t)w->memory + FIBER_BYTES);
        assert_in_range(w->steps, 1, 8);
    }
}

static void passes_to_the_other(void *arg)
{
    struct world *w = arg;
    leat_i_fiber_begin(&w->thread);
    for (;;) {
        CHECK(w->steps++ % 2 == 0);
        leat_i_fiber_switch(&w->fiber, &w->other, false);
    }
}

static void passes_on_or_home(void *arg)
{
    struct world *w = arg;
    leat_i_fiber_begin(&w->thread);
    for (;;) {
        CHECK(w->steps++ % 2 == 1);
        leat_i_fiber_switch(&w->other, w->steps < 2000 ? &w->fiber : &w->thread, false);
    }
}

static void two_fibers_switch_to_each_other(void **state)
{
    struct world *w = *state;
    leat_i_fiber_make(&w->fiber, w->memory, FIBER_BYTES, passes_to_the_other, w);
    leat_i_fiber_make(&w->other, w->other_memory, FIBER_BYTES, passes_on_or_home, w);
    leat_i_fiber_switch(&w->thread, &w->fiber, false);
    assert_int_equal(w->steps, 2000);
    leat_i_fiber_fini(&w->fiber);
    leat_i_fiber_fini(&w->other);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_fiber_goes_on_where_it_was_left),
        WORLD_TEST(a_stack_is_used_again_and_again),
        WORLD_TEST(a_fresh_stack_is_aligned_and_unwinders_end_there),
        WORLD_TEST(two_fibers_switch_to_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
