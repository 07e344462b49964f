/* test_park.c: the token of a waiter, wakes from everywhere, yields and sleeps. */
#include "support_sched.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static leat_err parks_after_unparks(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    leat_i_waiter *w = leat_i_task_waiter(t);
    leat_i_unpark(w);
    leat_i_unpark(w);
    leat_i_unpark(w);
    int64_t until_ns = leat_task_now_ns(t) + LEAT_I_NS_PER_S;
    CHECK(leat_i_park(t, until_ns) == LEAT_OK);      /* One token, however many unparks. */
    CHECK(leat_task_now_ns(t) < until_ns);           /* It did not wait. */
    CHECK(leat_i_park(t, until_ns) == LEAT_TIMEOUT); /* It is used up. */
    CHECK(leat_task_now_ns(t) == until_ns);
    leat_i_unpark(w);
    leat_i_park_shielded(t);
    return LEAT_OK;
}

static void an_unpark_before_the_park_is_kept_once(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, parks_after_unparks, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

/* A thread outside and a task hand a number to and fro; neither may miss a wake. */
struct ball {
    LEAT_ATOMIC(uint32_t) number; /* even: the thread's turn */
    LEAT_ATOMIC(leat_i_waiter *) waiter;
    uint32_t rounds;
    bool shielded;
};

static leat_err catches(leat_task *t, void *arg, const void **result)
{
    struct ball *b = arg;
    (void)result;
    leat_store_release(&b->waiter, leat_i_task_waiter(t));
    for (uint32_t i = 1; i < 2 * b->rounds; i += 2) {
        while (leat_load_acquire(&b->number) != i) {
            if (b->shielded)
                leat_i_park_shielded(t);
            else
                LEAT_TRY(leat_i_park(t, LEAT_I_NEVER_NS));
        }
        leat_store_release(&b->number, i + 1);
    }
    return LEAT_OK;
}

static void no_wake_from_outside_is_lost(void **state)
{
    (void)state;
    for (int shielded = 0; shielded < 2; shielded++) {
        EACH_WORKER_COUNT(count)
        {
            struct ball b = { .rounds = ROUNDS(5000), .shielded = shielded };
            leat_handle *h;
            leat_i_waiter *w;
            leat_runtime *rt = runtime_with(count, false);
            assert_int_equal(leat_task_submit(rt, catches, &b, &h), LEAT_OK);
            while (!(w = leat_load_acquire(&b.waiter)))
                sched_yield();
            for (uint32_t i = 0; i < 2 * b.rounds; i += 2) {
                while (leat_load_acquire(&b.number) != i)
                    sched_yield();
                leat_store_release(&b.number, i + 1);
                leat_i_unpark(w);
            }
            assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
            leat_handle_free(h);
            leat_runtime_free(rt);
        }
    }
}

/* Two tasks wake each other, on whatever workers they are. */
struct pair {
    LEAT_ATOMIC(uint32_t) turn;
    LEAT_ATOMIC(leat_i_waiter *) waiter[2];
    uint32_t rounds;
};

static leat_err pair_side(leat_task *t, struct pair *p, uint32_t me)
{
    leat_store_seq_cst(&p->waiter[me], leat_i_task_waiter(t));
    for (uint32_t i = me; i < p->rounds; i += 2) {
        while (leat_load_acquire(&p->turn) != i)
            LEAT_TRY(leat_i_park(t, LEAT_I_NEVER_NS));
        leat_store_seq_cst(&p->turn, i + 1);
        leat_i_waiter *other = leat_load_seq_cst(&p->waiter[!me]);
        if (other) leat_i_unpark(other);
    }
    return LEAT_OK;
}

static leat_err pair_left(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return pair_side(t, arg, 0);
}

static leat_err pair_right(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return pair_side(t, arg, 1);
}

static leat_err pair_both(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *f[2] = { leat_task_start(t, pair_left, arg), leat_task_start(t, pair_right, arg) };
    return leat_await_all(t, f, 2);
}

static void two_tasks_wake_each_other(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct pair p = { .rounds = ROUNDS(20000) };
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, pair_both, &p, NULL), LEAT_OK);
        assert_int_equal(leat_load_relaxed(&p.turn), p.rounds);
        leat_runtime_free(rt);
    }
}

/* Threads unpark stacks at random, also those whose tasks have ended: nobody may be disturbed by it. */
#define STORM_TASKS 64

struct storm {
    LEAT_ATOMIC(leat_i_waiter *) waiter[STORM_TASKS];
    LEAT_ATOMIC(uint32_t) stop;
    uint32_t rounds;
};

struct storm_one {
    struct storm *storm;
    int index;
};

static leat_err storm_task(leat_task *t, void *arg, const void **result)
{
    struct storm_one *one = arg;
    (void)result;
    leat_store_release(&one->storm->waiter[one->index], leat_i_task_waiter(t));
    for (uint32_t i = 0; i < one->storm->rounds; i++) {
        int64_t until_ns = leat_task_now_ns(t) + LEAT_I_NS_PER_MS / 10;
        leat_err err;
        while ((err = leat_i_park(t, until_ns)) == LEAT_OK)
            ;
        CHECK(err == LEAT_TIMEOUT);
        CHECK(leat_task_now_ns(t) >= until_ns);
    }
    return LEAT_OK;
}

static leat_err storm_all(leat_task *t, void *arg, const void **result)
{
    struct storm_one *one = leat_task_alloc(t, STORM_TASKS * sizeof *one);
    leat_future *f[STORM_TASKS];
    (void)result;
    for (int again = 0; again < 2; again++) { /* The second time on stacks that the first has left. */
        for (int i = 0; i < STORM_TASKS; i++) {
            one[i] = (struct storm_one){ arg, i };
            f[i] = leat_task_start(t, storm_task, &one[i]);
        }
        LEAT_TRY(leat_await_all(t, f, STORM_TASKS));
    }
    return LEAT_OK;
}

static void *storm_thread(void *arg)
{
    struct storm *s = arg;
    uint64_t seed = (uintptr_t)&seed;
    while (!leat_load_relaxed(&s->stop)) {
        leat_i_held_wakes held;
        bool hold = leat_i_rand_next(&seed) % 2;
        if (hold) leat_i_wakes_hold(&held);
        for (uint64_t i = leat_i_rand_next(&seed) % 8; i > 0; i--) {
            leat_i_waiter *w = leat_load_acquire(&s->waiter[leat_i_rand_next(&seed) % STORM_TASKS]);
            if (w) leat_i_unpark(w);
        }
        if (hold) leat_i_wakes_release(&held);
        if (leat_i_rand_next(&seed) % 8 == 0) sched_yield();
    }
    return NULL;
}

struct held {
    LEAT_ATOMIC(leat_i_waiter *) waiter;
    LEAT_ATOMIC(uint32_t) go;
};

static leat_err waits_for_go(leat_task *t, void *arg, const void **result)
{
    struct held *h = arg;
    (void)result;
    leat_store_release(&h->waiter, leat_i_task_waiter(t));
    while (!leat_load_acquire(&h->go))
        LEAT_TRY(leat_i_park(t, LEAT_I_NEVER_NS));
    return LEAT_OK;
}

/* No timer is there to help: a wake that is held and never given would hang. */
static void held_wakes_are_given_at_the_release(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        for (int round = 0; round < ROUNDS(300); round++) {
            struct held h[LEAT_I_HELD_WAKES + 4];
            leat_handle *handle[LEAT_I_HELD_WAKES + 4];
            leat_i_held_wakes held;
            memset(h, 0, sizeof h);
            for (size_t i = 0; i < LEAT_I_HELD_WAKES + 4; i++)
                assert_int_equal(leat_task_submit(rt, waits_for_go, &h[i], &handle[i]), LEAT_OK);
            for (size_t i = 0; i < LEAT_I_HELD_WAKES + 4; i++)
                while (!leat_load_acquire(&h[i].waiter))
                    sched_yield();
            leat_i_wakes_hold(&held);
            for (size_t i = 0; i < LEAT_I_HELD_WAKES + 4; i++) {
                leat_store_release(&h[i].go, 1u);
                leat_i_unpark(leat_load_acquire(&h[i].waiter));
            }
            leat_i_wakes_release(&held);
            for (size_t i = 0; i < LEAT_I_HELD_WAKES + 4; i++) {
                assert_int_equal(leat_handle_wait(handle[i], -1, NULL, NULL), LEAT_OK);
                leat_handle_free(handle[i]);
            }
        }
        leat_runtime_free(rt);
    }
}

static void unparks_may_come_at_any_time_and_too_late(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct storm s = { .rounds = ROUNDS(100) };
        pthread_t thread[2];
        leat_runtime *rt = runtime_with(count, false);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, storm_thread, &s), 0);
        leat_err err = leat_task_run(rt, storm_all, &s, NULL);
        leat_store_relaxed(&s.stop, 1);
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
        assert_int_equal(err, LEAT_OK);
        leat_runtime_free(rt);
    }
}

static leat_err keeps_errno(leat_task *t, void *arg, const void **result)
{
    int mine = *(int *)arg;
    (void)result;
    for (int i = 0; i < 100; i++) {
        errno = mine;
        LEAT_TRY(leat_sleep_ms(t, i % 3 == 0));
        CHECK(errno == mine);
    }
    return LEAT_OK;
}

static leat_err errno_of_two(leat_task *t, void *arg, const void **result)
{
    static int value[2] = { 11, 22 };
    (void)arg, (void)result;
    leat_future *f[2] = { leat_task_start(t, keeps_errno, &value[0]), leat_task_start(t, keeps_errno, &value[1]) };
    return leat_await_all(t, f, 2);
}

static void errno_is_kept_over_a_suspension(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, errno_of_two, NULL, NULL), LEAT_OK);
    leat_runtime_free(rt);
}

/* A task that yields for ever must not keep others out, whether they wait in the pool or come from outside. */
static leat_err yields_until(leat_task *t, void *arg, const void **result)
{
    (void)result;
    while (!leat_load_acquire((LEAT_ATOMIC(uint32_t) *)arg))
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static leat_err sets_it(leat_task *t, void *arg, const void **result)
{
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, 1));
    leat_store_release((LEAT_ATOMIC(uint32_t) *)arg, 1);
    return LEAT_OK;
}

static void a_yielding_task_starves_nobody(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    LEAT_ATOMIC(uint32_t) flag = 0;
    leat_handle *h[2];
    assert_int_equal(leat_task_submit(rt, yields_until, (void *)&flag, &h[0]), LEAT_OK);
    assert_int_equal(leat_handle_wait(h[0], 2, NULL, NULL), LEAT_TIMEOUT);
    assert_int_equal(leat_task_submit(rt, sets_it, (void *)&flag, &h[1]), LEAT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(leat_handle_wait(h[i], -1, NULL, NULL), LEAT_OK);
        leat_handle_free(h[i]);
    }
    leat_runtime_free(rt);
}

/* Endless new work must not bury the oldest: each child starts its successor before the first one has run. */
struct burial {
    bool oldest_ran;
    uint32_t started;
};

static leat_err is_the_oldest(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    ((struct burial *)arg)->oldest_ran = true;
    return LEAT_OK;
}

static leat_err starts_a_successor(leat_task *t, void *arg, const void **result)
{
    struct burial *b = arg;
    (void)result;
    CHECK(b->started++ < 100000);
    if (b->oldest_ran) return LEAT_OK;
    return leat_i_task_spawn(t, starts_a_successor, b, NULL) ? LEAT_OK : LEAT_NOMEM;
}

static leat_err buries(leat_task *t, void *arg, const void **result)
{
    (void)result;
    leat_future *oldest = leat_task_start(t, is_the_oldest, arg);
    if (!leat_i_task_spawn(t, starts_a_successor, arg, NULL)) return LEAT_NOMEM;
    return leat_await(t, oldest, NULL);
}

static void the_oldest_task_is_not_buried_by_newer_ones(void **state)
{
    (void)state;
    struct burial b = { 0 };
    leat_runtime *rt = runtime_with(1, false);
    assert_int_equal(leat_task_run(rt, buries, &b, NULL), LEAT_OK);
    assert_true(b.oldest_ran);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unpark_before_the_park_is_kept_once),
        cmocka_unit_test(no_wake_from_outside_is_lost),
        cmocka_unit_test(two_tasks_wake_each_other),
        cmocka_unit_test(held_wakes_are_given_at_the_release),
        cmocka_unit_test(unparks_may_come_at_any_time_and_too_late),
        cmocka_unit_test(errno_is_kept_over_a_suspension),
        cmocka_unit_test(a_yielding_task_starves_nobody),
        cmocka_unit_test(the_oldest_task_is_not_buried_by_newer_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
