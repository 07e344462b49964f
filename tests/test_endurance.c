/*
 * test_endurance.c: waking and parking, starting and stopping, very many times. A watchdog ends the test when nothing has gone on for a
 * minute: a wake-up that was lost. LEAT_LONG=1 makes it 100,000,000 pairs of a park and the unpark that ends it (else 1,000,000), and
 * 10,000 pools that are freed with work in flight (else 300).
 */
#include "support_sched.h"

#include <pthread.h>
#include <sched.h>

#define STUCK_NS (60 * LEAT_I_NS_PER_S)

/* ---- the watchdog ---- */

struct watchdog {
    pthread_t thread;
    LEAT_ATOMIC(uint64_t) steps; /* whatever goes on */
    LEAT_ATOMIC(uint32_t) over;
};

static void *watches(void *arg)
{
    struct watchdog *d = arg;
    uint64_t seen = 0;
    int64_t since_ns = leat_i_os_now_ns();
    while (!leat_load_acquire(&d->over)) {
        leat_i_os_futex_wait(&d->over, 0, leat_i_os_now_ns() + LEAT_I_NS_PER_S);
        uint64_t steps = leat_load_relaxed(&d->steps);
        int64_t now_ns = leat_i_os_now_ns();
        if (steps != seen) since_ns = now_ns;
        seen = steps;
        CHECK(now_ns - since_ns < STUCK_NS);
    }
    return NULL;
}

static void watchdog_start(struct watchdog *d)
{
    memset(d, 0, sizeof *d);
    assert_int_equal(pthread_create(&d->thread, NULL, watches, d), 0);
}

static void watchdog_end(struct watchdog *d)
{
    leat_store_release(&d->over, 1);
    leat_i_os_futex_wake(&d->over, 1);
    pthread_join(d->thread, NULL);
}

/* ---- parks and unparks ---- */

enum { COUPLES = 32, STEP = 1024 };

/* Two tasks, each of which waits for its turn; nothing but the other's unpark wakes it. */
struct couple {
    _Alignas(64) LEAT_ATOMIC(uint32_t) turn;
    LEAT_ATOMIC(leat_i_waiter *) waiter[2];
    uint32_t turns;
    struct watchdog *dog;
};

struct half {
    struct couple *couple;
    uint32_t me;
};

static leat_err takes_turns(leat_task *t, void *arg, const void **result)
{
    struct half *h = arg;
    struct couple *c = h->couple;
    (void)result;
    leat_store_seq_cst(&c->waiter[h->me], leat_i_task_waiter(t));
    for (uint32_t i = h->me; i < c->turns; i += 2) {
        while (leat_load_acquire(&c->turn) != i)
            LEAT_TRY(leat_i_park(t, LEAT_I_NEVER_NS));
        leat_store_seq_cst(&c->turn, i + 1);
        leat_i_waiter *other = leat_load_seq_cst(&c->waiter[!h->me]);
        if (other) leat_i_unpark(other);
        if (i % STEP == 0) leat_add_relaxed(&c->dog->steps, 1);
    }
    return LEAT_OK;
}

static leat_err couples_take_turns(leat_task *t, void *arg, const void **result)
{
    struct couple *couple = arg;
    struct half half[2 * COUPLES];
    leat_future *f[2 * COUPLES];
    (void)result;
    for (uint32_t i = 0; i < 2 * COUPLES; i++) {
        half[i] = (struct half){ &couple[i % COUPLES], i / COUPLES };
        f[i] = leat_task_start(t, takes_turns, &half[i]);
    }
    return leat_await_all(t, f, 2 * COUPLES);
}

static void a_great_many_parks_are_ended_by_their_unparks(void **state)
{
    (void)state;
    uint32_t pairs = getenv("LEAT_LONG") ? 100000000 : ROUNDS(1000000);
    struct watchdog dog;
    struct couple *couple = leat_i_alloc_aligned(64, COUPLES * sizeof *couple);
    assert_non_null(couple);
    watchdog_start(&dog);
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        memset(couple, 0, COUPLES * sizeof *couple);
        for (int i = 0; i < COUPLES; i++) {
            couple[i].turns = pairs / 4 / COUPLES;
            couple[i].dog = &dog;
        }
        assert_int_equal(leat_task_run(rt, couples_take_turns, couple, NULL), LEAT_OK);
        for (int i = 0; i < COUPLES; i++)
            assert_int_equal(leat_load_relaxed(&couple[i].turn), couple[i].turns);
        leat_runtime_free(rt);
    }
    watchdog_end(&dog);
    leat_i_free(couple);
}

/* ---- starts and stops ---- */

struct work {
    LEAT_ATOMIC(uint32_t) begun, ended;
};

static leat_err sleeps_for_ever(leat_task *t, void *arg, const void **result)
{
    struct work *work = arg;
    (void)result;
    leat_add_relaxed(&work->begun, 1);
    leat_err err = leat_sleep_ms(t, INT64_MAX);
    leat_add_relaxed(&work->ended, 1);
    return err;
}

static leat_err is_in_flight(leat_task *t, void *arg, const void **result)
{
    struct work *work = arg;
    (void)result;
    leat_add_relaxed(&work->begun, 1);
    leat_future *f = leat_task_start(t, sleeps_for_ever, work);
    leat_err err = leat_sleep_ms(t, 0);
    if (err == LEAT_OK) err = leat_await(t, f, NULL);
    leat_add_relaxed(&work->ended, 1);
    return err;
}

static void hears_nothing(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text; /* That tasks were canceled is what this is about. */
}

/* Everything that had begun has ended when leat_runtime_free is back, and all memory is. */
static void pools_are_freed_with_work_in_flight(void **state)
{
    (void)state;
    int cycles = getenv("LEAT_LONG") ? 10000 : ROUNDS(300);
    int64_t live = leat_i_mem_live_count();
    struct watchdog dog;
    watchdog_start(&dog);
    for (int i = 0; i < cycles; i++) {
        struct work work = { 0 };
        leat_runtime *rt;
        leat_runtime_opts opts = { .worker_count = 1 + (uint32_t)i % 8, .virtual_clock = i % 16 > 7, .log = hears_nothing };
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        leat_handle *h[3];
        for (int k = 0; k < 3; k++)
            assert_int_equal(leat_task_submit(rt, is_in_flight, &work, &h[k]), LEAT_OK);
        for (int k = 0; k < 5; k++)
            assert_int_equal(leat_task_submit(rt, is_in_flight, &work, NULL), LEAT_OK);
        while (leat_load_relaxed(&work.begun) < (uint32_t)(i % 3)) /* stopped at once, or when some have begun */
            sched_yield();
        for (int k = 0; k < 3; k++)
            leat_handle_free(h[k]);
        leat_runtime_free(rt);
        assert_int_equal(leat_load_relaxed(&work.begun), leat_load_relaxed(&work.ended));
        leat_add_relaxed(&dog.steps, 1);
    }
    watchdog_end(&dog);
    assert_int_equal(leat_i_mem_live_count(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_great_many_parks_are_ended_by_their_unparks),
        cmocka_unit_test(pools_are_freed_with_work_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
