/* test_handle.c: a task seen from threads outside the pool. */
#include "support_sched.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

static char it[] = "it";

static leat_err quick(leat_task *t, void *arg, const void **result)
{
    *result = leat_task_printf(t, "got %s", (const char *)arg);
    return LEAT_OK;
}

static leat_err waits_for_flag(leat_task *t, void *arg, const void **result)
{
    while (!leat_load_acquire((LEAT_ATOMIC(uint32_t) *)arg))
        LEAT_TRY(leat_sleep_ms(t, 1));
    *result = arg;
    return LEAT_OK;
}

static leat_err fails(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    return leat_task_fail(t, LEAT_IO, "disk %d", 3);
}

static void waiting_polling_and_timing_out(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    LEAT_ATOMIC(uint32_t) flag = 0;
    leat_handle *h;
    const void *value = NULL;
    assert_int_equal(leat_task_submit(rt, waits_for_flag, (void *)&flag, &h), LEAT_OK);
    assert_false(leat_handle_is_done(h));
    assert_int_equal(leat_handle_wait(h, 0, &value, NULL), LEAT_TIMEOUT);
    assert_int_equal(leat_handle_wait(h, 3, &value, NULL), LEAT_TIMEOUT);
    assert_null(value);
    leat_store_release(&flag, 1);
    assert_int_equal(leat_handle_wait(h, INT64_MAX, &value, NULL), LEAT_OK);
    assert_ptr_equal(value, &flag);
    assert_int_equal(leat_handle_wait(h, 0, &value, NULL), LEAT_OK); /* again */
    leat_handle_free(h);
    leat_runtime_free(rt);
}

static void a_result_lives_until_the_handle_is_freed(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    leat_handle *h[50];
    const void *value[50];
    for (int i = 0; i < 50; i++) {
        assert_int_equal(leat_task_submit(rt, quick, it, &h[i]), LEAT_OK);
        assert_int_equal(leat_handle_wait(h[i], -1, &value[i], NULL), LEAT_OK);
    }
    for (int i = 0; i < 50; i++) {
        assert_string_equal(value[i], "got it");
        leat_handle_free(h[i]);
    }
    leat_handle_free(NULL);
    leat_runtime_free(rt);
}

static void a_failed_task_tells_its_story(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(1, false);
    leat_handle *h;
    const void *value = &h;
    leat_error error = { 0 };
    assert_int_equal(leat_task_submit(rt, fails, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, -1, &value, &error), LEAT_IO);
    assert_ptr_equal(value, &h);
    assert_int_equal(error.code, LEAT_IO);
    assert_string_equal(error.text, "disk 3");
    leat_handle_free(h);
    leat_runtime_free(rt);
}

static void freeing_cancels_and_joins(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        for (int i = 0; i < 200; i++) {
            LEAT_ATOMIC(uint32_t) flag = 0; /* on this frame: a task that outlived the free would read it */
            leat_handle *h;
            assert_int_equal(leat_task_submit(rt, waits_for_flag, (void *)&flag, &h), LEAT_OK);
            for (int k = 0; k < i; k++)
                leat_i_os_relax();
            leat_handle_free(h);
        }
        leat_runtime_free(rt);
    }
}

/* ---- the callback ---- */

struct call {
    LEAT_ATOMIC(uint32_t) count, on_worker;
    leat_handle *h;
    leat_runtime *rt;
};

static void on_done(void *arg)
{
    struct call *c = arg;
    leat_handle *h;
    if (leat_task_submit(c->rt, quick, it, &h) == LEAT_USAGE) leat_add_relaxed(&c->on_worker, 1);
    leat_add_acq_rel(&c->count, 1);
}

static void the_callback_comes_once_and_on_a_worker(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        uint32_t rounds = ROUNDS(2000);
        for (uint32_t i = 0; i < rounds; i++) {
            struct call c = { .rt = rt };
            assert_int_equal(leat_task_submit(rt, quick, it, &c.h), LEAT_OK);
            if (i % 3 == 0) assert_int_equal(leat_handle_wait(c.h, -1, NULL, NULL), LEAT_OK); /* set after the end */
            for (uint32_t k = 0; k < i % 200; k++)
                leat_i_os_relax();
            assert_int_equal(leat_handle_on_done(c.h, on_done, &c), LEAT_OK);
            assert_int_equal(leat_handle_on_done(c.h, on_done, &c), LEAT_USAGE);
            if (i % 2) /* Else the free waits for it. */
                while (!leat_load_acquire(&c.count))
                    sched_yield();
            else
                assert_int_equal(leat_handle_wait(c.h, -1, NULL, NULL), LEAT_OK);
            leat_handle_free(c.h);
            assert_int_equal(leat_load_acquire(&c.count), 1);
            assert_int_equal(leat_load_relaxed(&c.on_worker), 1);
        }
        leat_runtime_free(rt);
    }
}

static void frees_its_handle(void *arg)
{
    struct call *c = arg;
    leat_handle_free(c->h);
    leat_add_acq_rel(&c->count, 1);
}

static void the_callback_may_free_its_own_handle(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    for (int i = 0; i < 200; i++) {
        struct call c = { .rt = rt };
        assert_int_equal(leat_task_submit(rt, quick, it, &c.h), LEAT_OK);
        if (i % 2) assert_int_equal(leat_handle_wait(c.h, -1, NULL, NULL), LEAT_OK);
        assert_int_equal(leat_handle_on_done(c.h, frees_its_handle, &c), LEAT_OK);
        while (!leat_load_acquire(&c.count))
            sched_yield();
    }
    leat_runtime_free(rt);
}

/* ---- the descriptor ---- */

static void the_descriptor_becomes_readable_at_the_end(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        uint32_t rounds = ROUNDS(500);
        for (uint32_t i = 0; i < rounds; i++) {
            LEAT_ATOMIC(uint32_t) flag = i % 2;
            leat_handle *h;
            assert_int_equal(leat_task_submit(rt, waits_for_flag, (void *)&flag, &h), LEAT_OK);
            for (uint32_t k = 0; k < i % 150; k++)
                leat_i_os_relax();
            struct pollfd p = { .fd = leat_handle_fd(h), .events = POLLIN };
            assert_in_range(p.fd, 0, 1 << 20);
            assert_int_equal(leat_handle_fd(h), p.fd);
            if (!leat_load_relaxed(&flag)) assert_int_equal(poll(&p, 1, 0), 0);
            leat_store_release(&flag, 1);
            assert_int_equal(poll(&p, 1, 60000), 1);
            assert_int_equal(leat_handle_wait(h, 0, NULL, NULL), LEAT_OK); /* readable means ended */
            assert_int_equal(poll(&p, 1, 0), 1);                           /* and stays so */
            leat_handle_free(h);
        }
        leat_runtime_free(rt);
    }
}

static LEAT_ATOMIC(bool) no_descriptors;

static int no_eventfd(const char *call)
{
    return leat_load_relaxed(&no_descriptors) && strcmp(call, "eventfd") == 0 ? -EMFILE : 0;
}

static void without_a_descriptor_the_rest_still_works(void **state)
{
    (void)state;
    leat_i_os_fault = no_eventfd; /* Set while there are no threads that read it. */
    leat_runtime *rt = runtime_with(1, false);
    leat_handle *h;
    assert_int_equal(leat_task_submit(rt, quick, it, &h), LEAT_OK);
    leat_store_relaxed(&no_descriptors, true);
    assert_int_equal(leat_handle_fd(h), -1);
    leat_store_relaxed(&no_descriptors, false);
    assert_int_equal(leat_handle_wait(h, -1, NULL, NULL), LEAT_OK);
    assert_true(leat_handle_fd(h) >= 0);
    leat_handle_free(h);
    leat_runtime_free(rt);
    leat_i_os_fault = NULL;
}

/* Many threads submit and wait at once. */
static void *submits_many(void *arg)
{
    for (int i = 0; i < 300; i++) {
        leat_handle *h;
        const void *value = NULL;
        CHECK(leat_task_submit(arg, quick, it, &h) == LEAT_OK);
        if (i % 5 == 0) leat_handle_cancel(h);
        leat_err err = leat_handle_wait(h, -1, &value, NULL);
        CHECK(err == LEAT_OK ? strcmp(value, "got it") == 0 : err == LEAT_CANCELED && i % 5 == 0);
        leat_handle_free(h);
    }
    return NULL;
}

static void many_threads_submit_at_once(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(count)
    {
        leat_runtime *rt = runtime_with(count, false);
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, submits_many, rt), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
        leat_runtime_free(rt);
    }
}

static leat_err misuses(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    leat_handle *other = arg;
    CHECK(leat_handle_wait(other, 0, NULL, NULL) == LEAT_TIMEOUT); /* a poll is fine */
    CHECK(leat_handle_wait(other, 5, NULL, NULL) == LEAT_USAGE);   /* blocking a worker is not */
    return LEAT_OK;
}

static void wrong_calls_answer_usage(void **state)
{
    (void)state;
    leat_runtime *rt = runtime_with(2, false);
    LEAT_ATOMIC(uint32_t) flag = 0;
    leat_handle *h, *none = (leat_handle *)rt;
    assert_int_equal(leat_task_submit(NULL, quick, it, &none), LEAT_USAGE);
    assert_null(none);
    assert_int_equal(leat_task_submit(rt, NULL, it, &none), LEAT_USAGE);
    assert_int_equal(leat_handle_wait(NULL, 0, NULL, NULL), LEAT_USAGE);
    assert_int_equal(leat_handle_on_done(NULL, on_done, NULL), LEAT_USAGE);
    assert_int_equal(leat_handle_fd(NULL), -1);
    leat_handle_cancel(NULL);
    assert_int_equal(leat_task_submit(rt, waits_for_flag, (void *)&flag, &h), LEAT_OK);
    assert_int_equal(leat_task_run(rt, misuses, h, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_i_mem_fail_after(1, true);
    leat_err err = leat_task_submit(rt, quick, it, &h);
    leat_i_mem_fail_after(0, false);
    assert_int_equal(err, LEAT_NOMEM);
    assert_null(h);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_polling_and_timing_out),
        cmocka_unit_test(a_result_lives_until_the_handle_is_freed),
        cmocka_unit_test(a_failed_task_tells_its_story),
        cmocka_unit_test(freeing_cancels_and_joins),
        cmocka_unit_test(the_callback_comes_once_and_on_a_worker),
        cmocka_unit_test(the_callback_may_free_its_own_handle),
        cmocka_unit_test(the_descriptor_becomes_readable_at_the_end),
        cmocka_unit_test(without_a_descriptor_the_rest_still_works),
        cmocka_unit_test(many_threads_submit_at_once),
        cmocka_unit_test(wrong_calls_answer_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
