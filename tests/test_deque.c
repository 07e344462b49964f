/* test_deque.c: every item is taken exactly once, by the owner or by a thief, in every mix. */
#include "support_sched.h"

#include "sched/deque.h"

#include <pthread.h>

struct world {
    leat_i_deque deque;
    leat_i_job *item;
    LEAT_ATOMIC(uint32_t) * taken; /* times that each item was taken */
    LEAT_ATOMIC(uint32_t) stop;
    size_t count;
};

static void world_init(struct world *w, size_t count)
{
    memset(w, 0, sizeof *w);
    w->count = count;
    w->item = calloc(count, sizeof *w->item);
    w->taken = calloc(count, sizeof *w->taken);
    assert_true(leat_i_deque_init(&w->deque));
}

static void world_fini(struct world *w)
{
    leat_i_deque_fini(&w->deque);
    free(w->item);
    free((void *)w->taken);
}

static void take(struct world *w, leat_i_job *task)
{
    CHECK(task >= w->item && task < w->item + w->count);
    leat_add_relaxed(&w->taken[task - w->item], 1);
}

static void the_owner_pops_the_newest_and_a_thief_steals_the_oldest(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 10);
    for (size_t i = 0; i < 10; i++)
        assert_true(leat_i_deque_push_owner(&w.deque, &w.item[i]));
    assert_ptr_equal(leat_i_deque_pop_owner(&w.deque), &w.item[9]);
    assert_ptr_equal(leat_i_deque_steal_thief(&w.deque), &w.item[0]);
    assert_ptr_equal(leat_i_deque_steal_thief(&w.deque), &w.item[1]);
    assert_ptr_equal(leat_i_deque_pop_owner(&w.deque), &w.item[8]);
    world_fini(&w);
}

static void an_empty_deque_stays_empty_however_often_it_is_asked(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    for (int round = 0; round < 1000; round++) {
        assert_true(leat_i_deque_is_empty(&w.deque));
        assert_null(leat_i_deque_pop_owner(&w.deque));
        assert_null(leat_i_deque_steal_thief(&w.deque));
        assert_true(leat_i_deque_push_owner(&w.deque, &w.item[0]));
        assert_false(leat_i_deque_is_empty(&w.deque));
        leat_i_job *task = round % 2 ? leat_i_deque_pop_owner(&w.deque) : leat_i_deque_steal_thief(&w.deque);
        assert_ptr_equal(task, &w.item[0]);
    }
    world_fini(&w);
}

static void it_grows_and_keeps_all(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 10000);
    for (size_t i = 0; i < w.count; i++) {
        assert_true(leat_i_deque_push_owner(&w.deque, &w.item[i]));
        if (i % 3 == 0) take(&w, leat_i_deque_steal_thief(&w.deque)); /* So that the indices wrap in the array. */
    }
    leat_i_job *task;
    while ((task = leat_i_deque_pop_owner(&w.deque)))
        take(&w, task);
    for (size_t i = 0; i < w.count; i++)
        assert_int_equal(leat_load_relaxed(&w.taken[i]), 1);
    world_fini(&w);
}

static void a_push_without_memory_fails_and_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 10000);
    size_t pushed = 0;
    leat_i_mem_fail_after(1, true);
    while (pushed < w.count && leat_i_deque_push_owner(&w.deque, &w.item[pushed]))
        pushed++;
    leat_i_mem_fail_after(0, false);
    assert_in_range(pushed, 1, w.count - 1);
    assert_true(leat_i_deque_push_owner(&w.deque, &w.item[pushed]));
    for (size_t i = pushed + 1; i-- > 0;)
        assert_ptr_equal(leat_i_deque_pop_owner(&w.deque), &w.item[i]);
    world_fini(&w);
}

static void *thief_main(void *arg)
{
    struct world *w = arg;
    for (;;) {
        uint32_t stop = leat_load_acquire(&w->stop); /* Read before the steal: what comes after it is the owner's. */
        leat_i_job *task = leat_i_deque_steal_thief(&w->deque);
        if (task)
            take(w, task);
        else if (stop)
            return NULL;
    }
}

static void owner_works(struct world *w, uint64_t seed)
{
    for (size_t i = 0; i < w->count;) {
        uint64_t burst = leat_i_rand_next(&seed) % 64;
        for (uint64_t k = 0; k < burst && i < w->count; k++)
            CHECK(leat_i_deque_push_owner(&w->deque, &w->item[i++]));
        /* Down to the last item, and past it, where owner and thief meet. */
        for (uint64_t k = leat_i_rand_next(&seed) % 80; k > 0; k--) {
            leat_i_job *task = leat_i_deque_pop_owner(&w->deque);
            if (!task) break;
            take(w, task);
        }
    }
}

static void each_item_is_taken_exactly_once_under_thieves(void **state)
{
    (void)state;
    for (int thieves = 1; thieves <= 4; thieves++) {
        struct world w;
        pthread_t thread[4];
        world_init(&w, ROUNDS(400000));
        for (int i = 0; i < thieves; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, thief_main, &w), 0);
        owner_works(&w, 42 + (uint64_t)thieves);
        leat_i_job *task;
        while ((task = leat_i_deque_pop_owner(&w.deque)))
            take(&w, task);
        leat_store_release(&w.stop, 1);
        for (int i = 0; i < thieves; i++)
            pthread_join(thread[i], NULL);
        for (size_t i = 0; i < w.count; i++)
            assert_int_equal(leat_load_relaxed(&w.taken[i]), 1);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_pops_the_newest_and_a_thief_steals_the_oldest),
        cmocka_unit_test(an_empty_deque_stays_empty_however_often_it_is_asked),
        cmocka_unit_test(it_grows_and_keeps_all),
        cmocka_unit_test(a_push_without_memory_fails_and_loses_nothing),
        cmocka_unit_test(each_item_is_taken_exactly_once_under_thieves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
