/* test_crowd.c: many tasks that yield: how many of them have a stack at once, who gets his turn, and when a worker is crowded. */
#include "support_sched.h"

#include "sched/runtime.h"

#define CROWD 2000

struct crowd {
    uint32_t yields; /* of each */
    uint32_t begun, now, most;
    uint64_t turns;
};

static leat_err yields_some_times(leat_task *t, void *arg, const void **result)
{
    struct crowd *c = arg;
    (void)result;
    c->begun++;
    if (++c->now > c->most) c->most = c->now;
    for (uint32_t i = 0; i < c->yields; i++) {
        c->turns++;
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    c->now--;
    return LEAT_OK;
}

static leat_err starts_a_crowd(leat_task *t, void *arg, const void **result)
{
    leat_future **f = leat_task_alloc(t, CROWD * sizeof(leat_future *));
    (void)result;
    for (int i = 0; i < CROWD; i++)
        f[i] = leat_task_start(t, yields_some_times, arg);
    return leat_await_all(t, f, CROWD);
}

/* On one worker, so that the order is the same each time. */
static struct crowd crowd_run(uint32_t yields, bool virtual_clock)
{
    struct crowd c = { .yields = yields };
    leat_runtime *rt = runtime_with(1, virtual_clock);
    assert_int_equal(leat_task_run(rt, starts_a_crowd, &c, NULL), LEAT_OK);
    assert_int_equal(c.begun, CROWD);
    leat_runtime_free(rt);
    return c;
}

/* A crowd of tasks that yield is begun as it ends, and not all at once: it would need a stack each. */
static void it_is_begun_as_it_ends(void **state)
{
    (void)state;
    struct crowd c = crowd_run(4, true);
    assert_true(c.most <= CROWD / 10);
}

/* Each one yields so often that many could begin meanwhile; but each turn of all brings one more at most, once there are enough. */
static void it_grows_by_one_a_turn(void **state)
{
    (void)state;
    struct crowd c = crowd_run(200, true);
    assert_in_range(c.most, 100, 400);
}

static void by_the_real_clock_it_grows_no_faster(void **state)
{
    (void)state;
    struct crowd c = crowd_run(200, false);
    assert_true(c.most <= 400);
}

/* ---- tasks that are not suspended ---- */

enum { PLAIN = 3200, LOUD = 200 };

struct mixed {
    bool done;
    uint32_t loud_begun, plain_ended;
    uint64_t turns;
};

static leat_err yields_until_done(leat_task *t, void *arg, const void **result)
{
    struct mixed *m = arg;
    (void)result;
    m->loud_begun++;
    while (!m->done) {
        m->turns++;
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    return LEAT_OK;
}

static leat_err is_plain(leat_task *t, void *arg, const void **result)
{
    struct mixed *m = arg;
    (void)t, (void)result;
    m->done = ++m->plain_ended == PLAIN;
    return LEAT_OK;
}

static leat_err mixes(leat_task *t, void *arg, const void **result)
{
    struct mixed *m = arg;
    leat_future *f[LOUD];
    (void)result;
    for (int i = 0; i < LOUD; i++)
        f[i] = leat_task_start(t, yields_until_done, m);
    while (m->loud_begun < LOUD)
        LEAT_TRY(leat_sleep_ms(t, 0));
    m->turns = 0;
    for (int i = 0; i < PLAIN; i++)
        (void)leat_task_start(t, is_plain, m);
    return leat_await_all(t, f, LOUD);
}

/* They need no stack each, so a crowd does not keep them waiting: it has a turn for each sixteen of them. */
static void what_is_not_suspended_need_not_wait(void **state)
{
    (void)state;
    for (int virtual_clock = 0; virtual_clock < 2; virtual_clock++) {
        struct mixed m = { 0 };
        leat_runtime *rt = runtime_with(1, virtual_clock != 0);
        assert_int_equal(leat_task_run(rt, mixes, &m, NULL), LEAT_OK);
        assert_int_equal(m.plain_ended, PLAIN);
        assert_true(m.turns <= PLAIN / 16 * LOUD * 2);
        leat_runtime_free(rt);
    }
}

/* ---- when to hand work over ---- */

struct holder {
    uint32_t sleepers; /* that it has on its worker */
    LEAT_ATOMIC(uint32_t) asleep, free;
    LEAT_ATOMIC(bool) held;
    bool done;
};

static leat_err is_taken(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_OK;
}

static leat_err sleeps(leat_task *t, void *arg, const void **result)
{
    struct holder *h = arg;
    (void)result;
    leat_add_relaxed(&h->asleep, 1);
    return leat_sleep_ms(t, 1000);
}

static leat_err holds_a_worker(leat_task *t, void *arg, const void **result)
{
    struct holder *h = arg;
    (void)result;
    for (uint32_t i = 0; i < h->sleepers; i++)
        CHECK(leat_task_start(t, sleeps, h));
    while (leat_load_relaxed(&h->asleep) < h->sleepers)
        LEAT_TRY(leat_sleep_ms(t, 0));
    leat_store_release(&h->held, true);
    while (!leat_load_relaxed(&h->free))
        leat_i_os_relax();
    return LEAT_OK;
}

static leat_err yields_until(leat_task *t, void *arg, const void **result)
{
    struct holder *h = arg;
    (void)result;
    while (!h->done)
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static leat_err looks_whether_it_is_crowded(leat_task *t, void *arg, const void **result)
{
    struct holder *h = arg;
    (void)result;
    leat_future *holder = leat_task_start(t, holds_a_worker, h);
    while (!leat_load_acquire(&h->held)) /* on the other worker: this one is busy */
        leat_i_os_relax();
    leat_future *other = leat_task_start(t, yields_until, h);
    LEAT_TRY(leat_sleep_ms(t, 0));
    CHECK(!leat_i_task_is_crowded(t)); /* nobody is hungry */
    leat_add_seq_cst(&t->rt->searching, 1);
    /* The other task waits, and only this worker can go on with it; but it is not the one that holds more. */
    CHECK(leat_i_task_is_crowded(t) == (h->sleepers == 0));
    leat_future *free = leat_task_start(t, is_taken, NULL);
    CHECK(!leat_i_task_is_crowded(t)); /* who is hungry may take that one */
    leat_sub_seq_cst(&t->rt->searching, 1);
    h->done = true;
    leat_store_relaxed(&h->free, 1);
    LEAT_TRY(leat_await(t, free, NULL));
    LEAT_TRY(leat_await(t, other, NULL));
    return leat_await(t, holder, NULL);
}

static void it_is_crowded_where_nothing_can_be_taken_from_the_one_that_holds_more(void **state)
{
    (void)state;
    for (uint32_t sleepers = 0; sleepers <= 8; sleepers += 8) {
        struct holder h = { .sleepers = sleepers };
        leat_runtime *rt = runtime_with(2, true);
        assert_int_equal(leat_task_run(rt, looks_whether_it_is_crowded, &h, NULL), LEAT_OK);
        leat_runtime_free(rt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_begun_as_it_ends),
        cmocka_unit_test(it_grows_by_one_a_turn),
        cmocka_unit_test(by_the_real_clock_it_grows_no_faster),
        cmocka_unit_test(what_is_not_suspended_need_not_wait),
        cmocka_unit_test(it_is_crowded_where_nothing_can_be_taken_from_the_one_that_holds_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
