/* test_lock.c: the small lock keeps threads apart, and none sleeps for ever. */
#include "support_base.h"

#include "base/lock.h"

#define THREAD_COUNT 4
#define ROUNDS       20000

struct shared {
    leat_i_lock lock;
    uint64_t count, inside, crowded; /* plain: ThreadSanitizer would tell of a lock that is none */
};

static void *add_under_the_lock(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        leat_i_lock_take(&s->lock);
        if (++s->inside != 1) s->crowded++;
        s->count++;
        /* Now and then long enough that the others must sleep. */
        if (i % 1000 == 0)
            for (int k = 0; k < 1000; k++)
                leat_i_os_relax();
        s->inside--;
        leat_i_lock_give(&s->lock);
    }
    return NULL;
}

static void one_at_a_time(void **state)
{
    struct shared s = { 0 };
    pthread_t thread[THREAD_COUNT];
    (void)state;
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(leat_i_os_thread_start(&thread[i], "lock", add_under_the_lock, &s), 0);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(s.crowded, 0);
    assert_int_equal(s.count, THREAD_COUNT * ROUNDS);
    assert_int_equal(leat_load_relaxed(&s.lock.word), 0);
}

static void a_held_lock_is_not_taken(void **state)
{
    leat_i_lock lock = { 0 };
    (void)state;
    assert_true(leat_i_lock_try(&lock));
    assert_false(leat_i_lock_try(&lock));
    leat_i_lock_give(&lock);
    assert_true(leat_i_lock_try(&lock));
    leat_i_lock_give(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_held_lock_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
