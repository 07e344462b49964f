/* test_gate.c: one at a time, nobody starves, those who wait go in the order of coming, and it is let go at each suspension. */
#include "support_sched.h"

#define GATE_TASKS 32

struct world {
    leat_i_gate *gate;
    /* Plain on purpose: the gate alone must keep them whole, and ThreadSanitizer checks that it does. */
    uint64_t count;
    bool inside;
    uint32_t rounds;
    int order[GATE_TASKS], order_count;
};

static leat_err counts_inside(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    for (uint32_t i = 0; i < w->rounds; i++) {
        leat_i_gate_enter(t, w->gate);
        CHECK(!w->inside);
        w->inside = true;
        w->count++;
        w->inside = false;
        if (i % 3 == 0) {
            LEAT_TRY(leat_sleep_ms(t, i % 2)); /* let go here, taken again before it returns */
            CHECK(t->gate_held);
            CHECK(!w->inside);
            w->count++;
        }
        leat_i_gate_leave(t);
    }
    return LEAT_OK;
}

static leat_err many_count(leat_task *t, void *arg, const void **result)
{
    leat_future *f[GATE_TASKS];
    (void)result;
    for (int i = 0; i < GATE_TASKS; i++)
        f[i] = leat_task_start(t, counts_inside, arg);
    return leat_await_all(t, f, GATE_TASKS);
}

static void nobody_meets_anybody_inside(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { .gate = leat_i_gate_new(), .rounds = ROUNDS(300) };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, many_count, &w, NULL), LEAT_OK);
        assert_int_equal(w.count, GATE_TASKS * (w.rounds + (w.rounds + 2) / 3));
        leat_i_gate_free(w.gate);
        leat_runtime_free(rt);
    }
}

struct comer {
    struct world *world;
    int index;
};

static leat_err comes(leat_task *t, void *arg, const void **result)
{
    struct comer *c = arg;
    struct world *w = c->world;
    (void)result;
    LEAT_TRY(leat_sleep_ms(t, c->index + 1)); /* They come in the order of their index. */
    leat_i_gate_enter(t, w->gate);
    w->order[w->order_count++] = c->index;
    LEAT_TRY(leat_sleep_ms(t, 0)); /* The next one gets in, and we queue up behind all others. */
    leat_i_gate_leave(t);
    return LEAT_OK;
}

static leat_err holds_while_all_come(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    struct comer *comer = leat_task_alloc(t, GATE_TASKS * sizeof *comer);
    leat_future *f[GATE_TASKS];
    (void)result;
    leat_task *holder = t;
    leat_i_gate_enter(holder, w->gate);
    for (int i = 0; i < GATE_TASKS; i++) {
        comer[i] = (struct comer){ w, i };
        f[i] = leat_task_start(t, comes, &comer[i]);
    }
    t->gate_held = false; /* Keeps the gate over the next sleep, as no task can: so that all come while it is held. */
    LEAT_TRY(leat_sleep_ms(t, 1000));
    t->gate_held = true;
    CHECK(w->order_count == 0);
    leat_i_gate_leave(t);
    return leat_await_all(t, f, GATE_TASKS);
}

static void who_waits_is_served_in_the_order_of_coming(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world w = { .gate = leat_i_gate_new() };
        leat_runtime *rt = runtime_with(count, true);
        assert_int_equal(leat_task_run(rt, holds_while_all_come, &w, NULL), LEAT_OK);
        for (int i = 0; i < GATE_TASKS; i++)
            assert_int_equal(w.order[i], i);
        leat_i_gate_free(w.gate);
        leat_runtime_free(rt);
    }
}

/* The gate is let go while the one that was woken is on its way: whoever runs may take it first, but only this once. */
struct overtaking {
    leat_i_gate *gate;
    char order[16];
    bool came;
};

static leat_err waits_for_the_gate(leat_task *t, void *arg, const void **result)
{
    struct overtaking *o = arg;
    (void)result;
    o->came = true;
    leat_i_gate_enter(t, o->gate);
    strcat(o->order, "W");
    leat_i_gate_leave(t);
    return LEAT_OK;
}

/* Suspends with the gate held, as no task can. */
static leat_err holds_over_a_sleep(leat_task *t)
{
    t->gate_held = false;
    leat_err err = leat_sleep_ms(t, 1);
    t->gate_held = true;
    return err;
}

static leat_err overtakes(leat_task *t, void *arg, const void **result)
{
    struct overtaking *o = arg;
    (void)result;
    leat_i_gate_enter(t, o->gate);
    leat_future *f = leat_task_start(t, waits_for_the_gate, arg);
    LEAT_TRY(holds_over_a_sleep(t));
    CHECK(o->came);
    leat_i_gate_leave(t); /* wakes it, and it has no worker to run on */
    leat_i_gate_enter(t, o->gate);
    strcat(o->order, "1");
    LEAT_TRY(holds_over_a_sleep(t)); /* it finds the gate held, and is the next from now on */
    leat_i_gate_leave(t);
    leat_i_gate_enter(t, o->gate);
    strcat(o->order, "2");
    leat_i_gate_leave(t);
    return leat_await(t, f, NULL);
}

static void who_was_woken_is_overtaken_once(void **state)
{
    (void)state;
    struct overtaking o = { .gate = leat_i_gate_new() };
    leat_runtime *rt = runtime_with(1, true);
    assert_int_equal(leat_task_run(rt, overtakes, &o, NULL), LEAT_OK);
    assert_string_equal(o.order, "1W2");
    leat_i_gate_free(o.gate);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_meets_anybody_inside),
        cmocka_unit_test(who_waits_is_served_in_the_order_of_coming),
        cmocka_unit_test(who_was_woken_is_overtaken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
