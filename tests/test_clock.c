/* test_clock.c: the virtual clock: exact, in order, the same each time, and still while anything outside is awaited. */
#include "support_sched.h"

#include <pthread.h>
#include <time.h>

#define SLEEPERS 50

struct world {
    pthread_mutex_t mutex;
    int order[SLEEPERS], count;
    int64_t woke_ns[SLEEPERS];
};

struct sleeper {
    struct world *world;
    int index;
    int64_t ms;
};

static leat_err sleeps(leat_task *t, void *arg, const void **result)
{
    struct sleeper *s = arg;
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, s->ms));
    pthread_mutex_lock(&s->world->mutex);
    s->world->woke_ns[s->world->count] = leat_task_now_ns(t);
    s->world->order[s->world->count++] = s->index;
    pthread_mutex_unlock(&s->world->mutex);
    return LEAT_OK;
}

static leat_err all_sleep(leat_task *t, void *arg, const void **result)
{
    struct sleeper *s = leat_task_alloc(t, SLEEPERS * sizeof *s);
    leat_future *f[SLEEPERS];
    uint64_t seed = 7;
    (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    for (int i = 0; i < SLEEPERS; i++) {
        s[i] = (struct sleeper){ arg, i, 1 + (int64_t)(leat_i_rand_next(&seed) % 1000000) };
        f[i] = leat_task_start(t, sleeps, &s[i]);
    }
    LEAT_TRY(leat_await_all(t, f, SLEEPERS));
    struct world *w = arg;
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK(w->woke_ns[i] == from_ns + s[w->order[i]].ms * LEAT_I_NS_PER_MS); /* at its time, to the ns */
        CHECK(i == 0 || w->woke_ns[i] >= w->woke_ns[i - 1]);
    }
    return LEAT_OK;
}

static void sleepers_wake_in_order_and_to_the_nanosecond(void **state)
{
    (void)state;
    struct world first = { .count = 0 };
    EACH_WORKER_COUNT(count)
    {
        for (int again = 0; again < 20; again++) {
            struct world w = { .mutex = PTHREAD_MUTEX_INITIALIZER };
            leat_runtime *rt = runtime_with(count, true);
            assert_int_equal(leat_task_run(rt, all_sleep, &w, NULL), LEAT_OK);
            assert_int_equal(w.count, SLEEPERS);
            if (first.count == 0) first = w;
            assert_memory_equal(w.order, first.order, sizeof w.order); /* the same each time */
            leat_runtime_free(rt);
        }
    }
}

/* Two workers' tasks meet at each tick: nobody may be a tick ahead. */
#define TICKS   300
#define TICKERS 8

struct ticks {
    LEAT_ATOMIC(int) here[TICKS];
};

static leat_err ticks(leat_task *t, void *arg, const void **result)
{
    struct ticks *k = arg;
    (void)result;
    int64_t from_ns = leat_task_now_ns(t);
    for (int i = 0; i < TICKS; i++) {
        LEAT_TRY(leat_sleep_ms(t, 1000));
        CHECK(leat_task_now_ns(t) == from_ns + (i + 1) * LEAT_I_NS_PER_S);
        if (i > 0) CHECK(leat_load_acquire(&k->here[i - 1]) == TICKERS); /* All others have been at the tick before. */
        leat_add_acq_rel(&k->here[i], 1);
    }
    return LEAT_OK;
}

static leat_err all_tick(leat_task *t, void *arg, const void **result)
{
    leat_future *f[TICKERS];
    (void)result;
    for (int i = 0; i < TICKERS; i++)
        f[i] = leat_task_start(t, ticks, arg);
    return leat_await_all(t, f, TICKERS);
}

static void time_waits_for_the_slowest_worker(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct ticks k = { { 0 } };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, all_tick, &k, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

/* Something outside: the clock stands while it is awaited, and the wake that it brings is seen before time goes on. */
struct outside {
    leat_runtime *rt;
    leat_future future;
    pthread_t thread;
};

static void *completes_after_a_while(void *arg)
{
    struct outside *o = arg;
    leat_runtime *rt = o->rt;
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    leat_i_future_complete(&o->future, LEAT_OK, NULL, NULL);
    leat_i_runtime_external_end(rt);
    return NULL;
}

static leat_err awaits_outside(leat_task *t, void *arg, const void **result)
{
    struct outside *o = arg;
    (void)result;
    for (int i = 0; i < 20; i++) {
        int64_t from_ns = leat_task_now_ns(t);
        leat_i_future_init(&o->future, NULL);
        leat_i_runtime_external_begin(o->rt);
        CHECK(pthread_create(&o->thread, NULL, completes_after_a_while, o) == 0);
        t->attempt_deadline_ns = from_ns + 1; /* The slightest step of the clock would be seen. */
        CHECK(leat_await(t, &o->future, NULL) == LEAT_OK);
        t->attempt_deadline_ns = LEAT_I_NEVER_NS;
        CHECK(leat_task_now_ns(t) == from_ns);
        pthread_join(o->thread, NULL);
        CHECK(leat_sleep_ms(t, 5) == LEAT_OK); /* and it goes on afterwards */
        CHECK(leat_task_now_ns(t) == from_ns + 5 * LEAT_I_NS_PER_MS);
    }
    return LEAT_OK;
}

static void it_stands_still_for_what_is_outside(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct outside o = { .rt = runtime_with(count, true) };
        assert_int_equal(leat_task_run(o.rt, awaits_outside, &o, NULL), LEAT_OK);
        leat_runtime_free(o.rt);
    }
}

/* The real clock: never early, and soon. */
static leat_err sleeps_really(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (int ms = 1; ms <= 20; ms += 3) {
        int64_t from_ns = leat_i_os_now_ns();
        LEAT_TRY(leat_sleep_ms(t, ms));
        CHECK(leat_i_os_now_ns() - from_ns >= ms * LEAT_I_NS_PER_MS);
    }
    return LEAT_OK;
}

static void real_sleeps_are_never_short(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        assert_int_equal(leat_task_run(rt, sleeps_really, NULL, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleepers_wake_in_order_and_to_the_nanosecond),
        cmocka_unit_test(time_waits_for_the_slowest_worker),
        cmocka_unit_test(it_stands_still_for_what_is_outside),
        cmocka_unit_test(real_sleeps_are_never_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
