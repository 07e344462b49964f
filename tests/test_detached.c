/* test_detached.c: tasks that were submitted without a handle: each is called once, and nothing of them is left. */
#include "support_sched.h"

#include "base/mem.h"
#include "base/os.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define THREADS 4

struct crowd {
    leat_runtime *rt;
    LEAT_ATOMIC(uint32_t) * begun; /* times that each task has begun */
    LEAT_ATOMIC(uint32_t) ended;
    uint32_t count;
    sem_t all;
};

struct member {
    struct crowd *crowd;
    uint32_t index;
};

static void touches(void *arg, size_t begin, size_t end)
{
    leat_add_relaxed((LEAT_ATOMIC(size_t) *)arg, end - begin);
}

/* Ends at once, suspends, fails, or runs a loop whose parts lie among the other tasks of the deque. */
static leat_err member_body(leat_task *t, void *arg, const void **result)
{
    struct member *m = arg;
    struct crowd *crowd = m->crowd;
    LEAT_ATOMIC(size_t) covered = 0;
    CHECK(leat_task_alloc(t, 100));
    leat_add_relaxed(&crowd->begun[m->index], 1);
    if (m->index % 5 == 1) CHECK(leat_sleep_ms(t, m->index % 3) == LEAT_OK);
    if (m->index % 7 == 2) CHECK(leat_for(t, 1000, touches, (void *)&covered) == LEAT_OK && covered == 1000);
    *result = m;
    if (leat_add_acq_rel(&crowd->ended, 1) + 1 == crowd->count) sem_post(&crowd->all);
    return m->index % 11 == 3 ? leat_task_fail(t, LEAT_USER, "member %u", m->index) : LEAT_OK;
}

struct share {
    struct member *first;
    uint32_t count;
};

static void *submits_share(void *arg)
{
    const struct share *share = arg;
    for (uint32_t i = 0; i < share->count; i++)
        CHECK(leat_task_submit(share->first->crowd->rt, member_body, &share->first[i], NULL) == LEAT_OK);
    return NULL;
}

static void crowd_run(uint32_t worker_count, uint32_t count)
{
    struct crowd crowd = { .rt = runtime_with(worker_count, false), .count = count };
    struct member *member = calloc(count, sizeof *member);
    crowd.begun = calloc(count, sizeof *crowd.begun);
    assert_true(member && crowd.begun && sem_init(&crowd.all, 0, 0) == 0);
    for (uint32_t i = 0; i < count; i++)
        member[i] = (struct member){ &crowd, i };
    pthread_t thread[THREADS];
    struct share share[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        share[i] = (struct share){ &member[count / THREADS * i], count / THREADS };
        assert_int_equal(pthread_create(&thread[i], NULL, submits_share, &share[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    while (sem_wait(&crowd.all) != 0)
        ;
    leat_runtime_free(crowd.rt);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(leat_load_relaxed(&crowd.begun[i]), 1);
    sem_destroy(&crowd.all);
    free((void *)crowd.begun);
    free(member);
}

static void each_is_called_once_and_nothing_is_left(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    EACH_WORKER_COUNT(count)
    {
        crowd_run(count, ROUNDS(20000));
        assert_int_equal(leat_i_mem_live_count(), live);
    }
}

/* One thread submits to two runtimes by turns, one of which ends in between and is made anew, where the old one lay as a rule. */
static void a_thread_submits_to_several_runtimes_by_turns(void **state)
{
    (void)state;
    int64_t live = leat_i_mem_live_count();
    leat_runtime *rt[2] = { runtime_with(1, false), runtime_with(2, false) };
    LEAT_ATOMIC(uint32_t) begun[2000];
    struct crowd crowd = { .begun = begun, .count = 2000 };
    struct member member[2000];
    memset((void *)begun, 0, sizeof begun);
    assert_int_equal(sem_init(&crowd.all, 0, 0), 0);
    for (uint32_t i = 0; i < 2000; i++) {
        member[i] = (struct member){ &crowd, i };
        assert_int_equal(leat_task_submit(rt[i % 2], member_body, &member[i], NULL), LEAT_OK);
        if (i % 500 != 499) continue;
        while (leat_load_acquire(&crowd.ended) <= i)
            sched_yield();
        leat_runtime_free(rt[0]);
        rt[0] = runtime_with(1, false);
    }
    leat_runtime_free(rt[0]);
    leat_runtime_free(rt[1]);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(leat_load_relaxed(&begun[i]), 1);
    sem_destroy(&crowd.all);
    assert_int_equal(leat_i_mem_live_count(), live);
}

/* ---- the end of the runtime ---- */

struct log {
    LEAT_ATOMIC(uint32_t) warnings;
    char last[256];
};

static void logs(void *arg, leat_log_level level, const char *text)
{
    struct log *log = arg;
    if (level != LEAT_LOG_WARNING) return;
    leat_add_relaxed(&log->warnings, 1);
    snprintf(log->last, sizeof log->last, "%s", text);
}

struct waiting {
    LEAT_ATOMIC(uint32_t) waits;
    LEAT_ATOMIC(uint32_t) canceled;
    sem_t all_wait;
};

static leat_err waits_long(leat_task *t, void *arg, const void **result)
{
    struct waiting *w = arg;
    (void)result;
    if (leat_add_relaxed(&w->waits, 1) + 1 == 200) sem_post(&w->all_wait);
    leat_err err = leat_sleep_ms(t, 3600000);
    CHECK(err == LEAT_CANCELED);
    leat_add_relaxed(&w->canceled, 1);
    return err;
}

static void the_end_of_the_runtime_cancels_and_joins_them_and_says_so(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        struct log log = { 0 };
        struct waiting w = { 0 };
        leat_runtime *rt;
        leat_runtime_opts opts = { .worker_count = count, .log = logs, .log_arg = &log };
        assert_int_equal(sem_init(&w.all_wait, 0, 0), 0);
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        for (int i = 0; i < 200; i++)
            assert_int_equal(leat_task_submit(rt, waits_long, &w, NULL), LEAT_OK);
        while (sem_wait(&w.all_wait) != 0)
            ;
        leat_runtime_free(rt);
        assert_int_equal(leat_load_relaxed(&w.canceled), 200);
        assert_int_equal(leat_load_relaxed(&log.warnings), 1);
        assert_non_null(strstr(log.last, "200 tasks without a handle"));
        sem_destroy(&w.all_wait);
    }
}

static leat_err posts(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    sem_post(arg);
    return LEAT_OK;
}

/* The last task may be in its last steps when the runtime is freed, and has not been canceled for that. */
static void a_runtime_whose_tasks_have_done_their_work_ends_without_a_word(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct log log = { 0 };
        sem_t done;
        leat_runtime *rt;
        leat_runtime_opts opts = { .worker_count = 2, .log = logs, .log_arg = &log };
        assert_int_equal(sem_init(&done, 0, 0), 0);
        assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
        for (int i = 0; i < round % 5; i++)
            assert_int_equal(leat_task_submit(rt, posts, &done, NULL), LEAT_OK);
        for (int i = 0; i < round % 5; i++)
            while (sem_wait(&done) != 0)
                ;
        leat_runtime_free(rt);
        assert_int_equal(leat_load_relaxed(&log.warnings), 0);
        sem_destroy(&done);
    }
}

/* ---- errors ---- */

static leat_err submits_inside(leat_task *t, void *arg, const void **result)
{
    (void)result;
    CHECK(leat_task_submit(leat_task_runtime(t), posts, arg, NULL) == LEAT_USAGE);
    return LEAT_OK;
}

static void *submits_without_memory(void *arg)
{
    leat_i_mem_fail_after(1, true);
    leat_err err = leat_task_submit(arg, posts, NULL, NULL);
    leat_i_mem_fail_after(0, false);
    CHECK(err == LEAT_NOMEM);
    return NULL;
}

static void wrong_calls_and_short_memory_are_told(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    pthread_t thread;
    sem_t never;
    assert_int_equal(sem_init(&never, 0, 0), 0);
    assert_int_equal(leat_task_submit(NULL, posts, &never, NULL), LEAT_USAGE);
    assert_int_equal(leat_task_submit(rt, NULL, &never, NULL), LEAT_USAGE);
    assert_int_equal(leat_task_run(rt, submits_inside, &never, NULL), LEAT_OK);
    assert_int_equal(pthread_create(&thread, NULL, submits_without_memory, rt), 0);
    pthread_join(thread, NULL);
    leat_runtime_free(rt);
    assert_int_equal(sem_trywait(&never), -1);
    sem_destroy(&never);
}

/* ---- blocks of slots ---- */

#define LARGE_SLOTS 1016u /* of a block of 16 KiB; one of 8 KiB has 504, one of 4 KiB 248 */

static leat_err counts(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    leat_add_release((LEAT_ATOMIC(uint32_t) *)arg, 1u);
    return LEAT_OK;
}

/* Submits so many in a rush, waits until they have ended, and gives how often memory was asked for meanwhile. */
static uint64_t rush(leat_runtime *rt, uint32_t count)
{
    LEAT_ATOMIC(uint32_t) ended = 0;
    uint64_t before = leat_i_mem_alloc_count();
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(leat_task_submit(rt, counts, (void *)&ended, NULL), LEAT_OK);
    uint64_t asked = leat_i_mem_alloc_count() - before;
    while (leat_load_acquire(&ended) < count)
        sched_yield();
    return asked;
}

static void who_submits_in_a_rush_gets_larger_blocks_until_it_rests(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    /* With small blocks alone it would be 16 times. How fast a machine fills them is its own affair: one window in many is enough. */
    int windows = 0;
    while (rush(rt, 4 * LARGE_SLOTS) > 12)
        assert_true(++windows < 1000);
    /* The open block gets old; after it the blocks are small again, and have to grow anew: three at least. Large ones would be two. */
    int64_t from_ns = leat_i_os_now_ns();
    while (leat_i_os_now_ns() - from_ns < 2 * LEAT_I_NS_PER_MS)
        sched_yield();
    assert_true(rush(rt, 2 * LARGE_SLOTS) >= 3);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_called_once_and_nothing_is_left),
        cmocka_unit_test(a_thread_submits_to_several_runtimes_by_turns),
        cmocka_unit_test(the_end_of_the_runtime_cancels_and_joins_them_and_says_so),
        cmocka_unit_test(a_runtime_whose_tasks_have_done_their_work_ends_without_a_word),
        cmocka_unit_test(who_submits_in_a_rush_gets_larger_blocks_until_it_rests),
        cmocka_unit_test(wrong_calls_and_short_memory_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
