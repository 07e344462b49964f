/* test_task_pool.c: how memory for tasks is asked for, in a pool whose workers do not run: the test takes and gives for them. */
#include "support_sched.h"

#include "sched/runtime.h"

enum { FIRST = 128, MOST = 1024, TASKS = 2 * FIRST + 3 * MOST };

struct pool {
    leat_runtime rt;
    leat_i_worker worker;
    leat_task *task[TASKS];
    uint32_t count;
};

static struct pool *pool_begin(void)
{
    struct pool *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->rt.worker = &p->worker;
    p->rt.worker_count = 1;
    p->worker.rt = &p->rt;
    return p;
}

static void pool_end(struct pool *p)
{
    while (p->count > 0)
        leat_i_task_dealloc(&p->worker, p->task[--p->count]);
    leat_i_task_pool_fini(&p->rt);
    free(p);
}

static void take(struct pool *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        leat_task *task = leat_i_task_alloc(&p->worker);
        assert_non_null(task);
        leat_i_task_init(task, &p->rt, NULL, NULL);
        p->task[p->count++] = task;
    }
}

/* Takes as many tasks as are said to be in the next block. */
static void take_block(struct pool *p, uint32_t count)
{
    uint64_t blocks = leat_i_mem_alloc_count();
    take(p, 1);
    assert_int_equal(leat_i_mem_alloc_count(), blocks + 1);
    take(p, count - 1);
    assert_int_equal(leat_i_mem_alloc_count(), blocks + 1);
}

static void blocks_grow_with_their_number(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    struct pool *p = pool_begin();
    for (uint32_t count = FIRST; count <= MOST; count *= 2)
        take_block(p, count);
    take_block(p, MOST); /* They become no larger. */
    pool_end(p);
    assert_int_equal(leat_i_mem_live_count(), live);
}

static void after_a_rest_blocks_are_small_again(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    struct pool *p = pool_begin();
    take_block(p, FIRST);
    take_block(p, 2 * FIRST);
    assert_false(leat_i_task_trim(&p->worker));
    take_block(p, FIRST);
    take_block(p, 2 * FIRST);
    pool_end(p);
    assert_int_equal(leat_i_mem_live_count(), live);
}

static void without_memory_for_a_large_block_there_is_a_small_one(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    struct pool *p = pool_begin();
    take_block(p, FIRST);
    leat_i_mem_fail_after(1, false);
    take(p, FIRST);
    take_block(p, 2 * FIRST);
    leat_i_mem_fail_after(1, true);
    assert_null(leat_i_task_alloc(&p->worker));
    leat_i_mem_fail_after(0, false);
    take(p, 1);
    pool_end(p);
    assert_int_equal(leat_i_mem_live_count(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_grow_with_their_number),
        cmocka_unit_test(after_a_rest_blocks_are_small_again),
        cmocka_unit_test(without_memory_for_a_large_block_there_is_a_small_one),
    };
    if (LEAT_ASAN) return 0; /* Each task is a block there. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
