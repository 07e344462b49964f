/* test_gate.c: one at a time, in the order of coming, and let go at each suspension. */
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

static void the_gate_is_first_come_first_served(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_meets_anybody_inside),
        cmocka_unit_test(the_gate_is_first_come_first_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
