/* test_stack.c: many stacks at once, their guards, and their pages when nobody needs them. */
#include "support_sched.h"

#include "sched/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define MANY ROUNDS(5000)

struct world {
    char *low[5000];
    LEAT_ATOMIC(uint32_t) parked;
};

static leat_err parks_with_pages(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    char *low = leat_i_task_waiter(t)->low;
    low[0] = 1; /* The lowest byte is the task's own, too. */
    w->low[leat_add_relaxed(&w->parked, 1)] = low;
    leat_err err;
    while ((err = leat_i_park(t, LEAT_I_NEVER_NS)) == LEAT_OK) {
        /* Woken without cause: by the late cancel of a task that had this stack before. */
    }
    return err;
}

static leat_err parks_many(leat_task *t, void *arg, const void **result)
{
    struct world *w = arg;
    (void)result;
    leat_store_relaxed(&w->parked, 0);
    for (int i = 0; i < MANY; i++)
        if (!leat_i_task_start(t, parks_with_pages, w, NULL)) return LEAT_NOMEM;
    while (leat_load_relaxed(&w->parked) < MANY)
        LEAT_TRY(leat_sleep_ms(t, 1));
    return LEAT_OK; /* Its end cancels and joins them. */
}

static int by_address(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void no_two_tasks_share_a_stack(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct world *w = calloc(1, sizeof *w);
        leat_runtime *rt = runtime_with(count, false);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(leat_task_run(rt, parks_many, w, NULL), LEAT_OK);
            qsort(w->low, MANY, sizeof w->low[0], by_address);
            for (int i = 1; i < MANY; i++)
                assert_true(w->low[i] - w->low[i - 1] >= 65536);
        }
        leat_runtime_free(rt);
        free(w);
    }
}

static uint32_t resident(const struct world *w)
{
    uint32_t count = 0;
    for (int i = 0; i < MANY; i++) {
        unsigned char in = 0;
        uintptr_t page = (uintptr_t)w->low[i] & ~(uintptr_t)(leat_i_os_page_bytes() - 1);
        if (mincore((void *)page, 1, &in) == 0 && (in & 1)) count++;
    }
    return count;
}

static void pages_of_idle_stacks_go_back(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, parks_many, w, NULL), LEAT_OK);
    int64_t until_ns = leat_i_os_now_ns() + 60 * LEAT_I_NS_PER_S;
    const uint32_t kept = 2 * (64 + 1); /* a few for each of two workers, and what its loop stands on */
    while (resident(w) > kept && leat_i_os_now_ns() < until_ns)
        usleep(20000);
    assert_in_range(resident(w), 0, kept);
    assert_int_equal(leat_task_run(rt, parks_many, w, NULL), LEAT_OK); /* And they serve again. */
    leat_runtime_free(rt);
    free(w);
}

static LEAT_ATOMIC(int) guards_allowed;

static int few_guards(const char *call)
{
    if (strcmp(call, "guard") == 0) return -EINVAL;
    if (strcmp(call, "mprotect") == 0) return leat_sub_relaxed(&guards_allowed, 1) > 0 ? 0 : -ENOMEM;
    return 0;
}

static void without_guards_to_be_had_stacks_still_are(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    leat_store_relaxed(&guards_allowed, 100);
    leat_i_os_fault = few_guards;
    leat_runtime *rt = runtime_with(2, false);
    assert_int_equal(leat_task_run(rt, parks_many, w, NULL), LEAT_OK);
    leat_runtime_free(rt);
    leat_i_os_fault = NULL;
    free(w);
}

/* ---- slabs ---- */

struct pool {
    leat_runtime rt;
    leat_i_worker worker[2];
};

static int slabs_asked, slab_refused; /* the one that is refused, counted from 1; 0 = none */
static bool all_refused;

static int counts_slabs(const char *call)
{
    if (strcmp(call, "mmap") != 0) return 0;
    return ++slabs_asked == slab_refused || all_refused ? -ENOMEM : 0;
}

/* A pool whose workers do not run: the test takes stacks for them. */
static struct pool *pool_begin(int refused)
{
    struct pool *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->worker[0].rt = p->worker[1].rt = &p->rt;
    assert_int_equal(leat_i_stack_pool_init(&p->rt.stacks, 16384), 0);
    slabs_asked = 0;
    slab_refused = refused;
    leat_i_os_fault = counts_slabs;
    return p;
}

static void pool_end(struct pool *p)
{
    leat_i_os_fault = NULL;
    for (int i = 0; i < 2; i++)
        leat_i_heap_fini(&p->worker[i].timers);
    leat_i_stack_pool_fini(&p->rt.stacks);
    free(p);
}

static void take(leat_i_worker *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(leat_i_stack_take(w));
}

/* Takes as many stacks as are said to be in the next slab. */
static void take_slab(leat_i_worker *w, uint32_t stacks)
{
    int asked = slabs_asked;
    take(w, 1);
    assert_int_equal(slabs_asked, asked + 1);
    take(w, stacks - 1);
    assert_int_equal(slabs_asked, asked + 1);
}

static void slabs_grow_with_their_number(void **state)
{
    (void)state;
    if (LEAT_ASAN || LEAT_TSAN || emulator()) skip(); /* too many stacks for them */
    struct pool *p = pool_begin(0);
    int which = 0;
    for (uint32_t stacks = LEAT_I_STACK_BATCH; stacks <= 8192; stacks *= 2)
        take_slab(&p->worker[which++ % 2], stacks);
    take_slab(&p->worker[0], 8192); /* They become no larger. */
    take_slab(&p->worker[1], 8192);
    pool_end(p);
}

static void without_memory_for_a_large_slab_there_is_a_small_one(void **state)
{
    (void)state;
    struct pool *p = pool_begin(3);
    take_slab(&p->worker[0], 64);
    take_slab(&p->worker[1], 128);
    take(&p->worker[0], 64); /* One of 256 is refused. */
    assert_int_equal(slabs_asked, 4);
    take_slab(&p->worker[0], 128);
    all_refused = true;
    assert_null(leat_i_stack_take(&p->worker[0]));
    assert_null(leat_i_stack_take(&p->worker[1]));
    all_refused = false;
    take(&p->worker[1], 1);
    pool_end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_tasks_share_a_stack),
        cmocka_unit_test(pages_of_idle_stacks_go_back),
        cmocka_unit_test(without_guards_to_be_had_stacks_still_are),
        cmocka_unit_test(slabs_grow_with_their_number),
        cmocka_unit_test(without_memory_for_a_large_slab_there_is_a_small_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
