/*
 * test_flow_handle.c: runs seen from threads outside the pool: waiting with a time limit, polling, a callback, a descriptor in
 * somebody else's event loop, many threads at once, and letting go early.
 */
#include "support/flow.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RUN_COUNT = 20 };

/* Runs until it is let go. */
struct held {
    LEAT_ATOMIC(uint32_t) begun, go, active;
    const char *action;
};

static leat_err held_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct held *h = leat_task_self(t);
    leat_err err = LEAT_OK;
    (void)prep_res;
    leat_add_acq_rel(&h->active, 1u);
    leat_store_release(&h->begun, 1u);
    while (err == LEAT_OK && !leat_load_acquire(&h->go))
        err = leat_sleep_ms(t, 1);
    leat_sub_acq_rel(&h->active, 1u);
    *exec_res = h->action;
    return err;
}

static leat_err held_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)t, (void)shared, (void)prep_res;
    *action = exec_res;
    return LEAT_OK;
}

static const leat_node_class held_class = { .name = "Held", .exec = held_exec, .post = held_post };

static leat_flow *held_flow(struct held *h)
{
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &held_class, &(leat_node_opts){ .self = h });
    return flow;
}

static void wait_begun(struct held *h)
{
    while (!leat_load_acquire(&h->begun))
        sched_yield();
}

static void waiting_ends_by_its_limit_and_the_run_goes_on(void **state)
{
    struct held held = { .action = "done" };
    leat_flow *flow = held_flow(&held);
    leat_handle *h = NULL;
    const void *action = NULL;
    assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &h), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, 0, &action, NULL), LEAT_TIMEOUT); /* a poll */
    assert_int_equal(leat_handle_wait(h, 5, &action, NULL), LEAT_TIMEOUT);
    assert_null(action);
    leat_store_release(&held.go, 1u);
    assert_int_equal(leat_handle_wait(h, -1, &action, NULL), LEAT_OK);
    assert_int_equal(leat_handle_wait(h, 0, &action, NULL), LEAT_OK); /* and again */
    assert_string_equal(action, "done");
    leat_handle_free(h);
    leat_flow_free(flow);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN);
}

static void a_descriptor_tells_the_end_to_poll(void **state)
{
    struct held held = { .action = "done" };
    leat_flow *flow = held_flow(&held);
    leat_handle *h = NULL;
    assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &h), LEAT_OK);
    int fd = leat_handle_fd(h);
    assert_true(fd >= 0);
    assert_false(is_readable(fd, 5));
    leat_store_release(&held.go, 1u);
    assert_true(is_readable(fd, 60000));
    assert_true(is_readable(fd, 0)); /* and stays so */
    assert_int_equal(leat_handle_wait(h, 0, NULL, NULL), LEAT_OK);
    leat_handle_free(h);
    leat_flow_free(flow);
}

/* Somebody else's loop on epoll: runs end in any order, each told once by its own descriptor. */
static void descriptors_stand_in_an_event_loop(void **state)
{
    static struct script s[RUN_COUNT];
    leat_handle *h[RUN_COUNT];
    leat_flow *flow[RUN_COUNT];
    int loop = epoll_create1(0);
    assert_true(loop >= 0);
    for (uint32_t i = 0; i < RUN_COUNT; i++) {
        s[i] = (struct script){ .name = "a", .exec_ms = (i * 7) % 5, .fails = i % 3 == 0, .action = "done" };
        flow[i] = flow_of(&script_class, &s[i], (leat_node_opts){ 0 });
        assert_int_equal(leat_flow_submit(*state, flow[i], NULL, NULL, &h[i]), LEAT_OK);
        struct epoll_event want = { .events = EPOLLIN, .data.u32 = i };
        assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, leat_handle_fd(h[i]), &want), 0);
    }
    for (int ended = 0; ended < RUN_COUNT; ended++) {
        struct epoll_event got;
        assert_int_equal(epoll_wait(loop, &got, 1, 60000), 1);
        uint32_t i = got.data.u32;
        assert_non_null(h[i]);
        assert_int_equal(leat_handle_wait(h[i], 0, NULL, NULL), i % 3 == 0 ? LEAT_USER : LEAT_OK);
        assert_int_equal(epoll_ctl(loop, EPOLL_CTL_DEL, leat_handle_fd(h[i]), NULL), 0);
        leat_handle_free(h[i]);
        h[i] = NULL;
        leat_flow_free(flow[i]);
    }
    close(loop);
}

static void count_done(void *arg)
{
    leat_add_acq_rel((LEAT_ATOMIC(uint32_t) *)arg, 1u);
}

static void a_callback_comes_once_for_each_run(void **state)
{
    LEAT_ATOMIC(uint32_t) count = 0;
    struct held held = { .action = "done" };
    leat_flow *flow = held_flow(&held);
    leat_handle *h[RUN_COUNT];
    for (int i = 0; i < RUN_COUNT; i++) {
        assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &h[i]), LEAT_OK);
        if (i % 2) assert_int_equal(leat_handle_on_done(h[i], count_done, &count), LEAT_OK);
    }
    assert_int_equal(leat_load_acquire(&count), 0);
    leat_store_release(&held.go, 1u);
    for (int i = 0; i < RUN_COUNT; i++) {
        assert_int_equal(leat_handle_wait(h[i], -1, NULL, NULL), LEAT_OK);
        if (i % 2 == 0) assert_int_equal(leat_handle_on_done(h[i], count_done, &count), LEAT_OK); /* after the end */
        leat_handle_free(h[i]); /* waits for the callback, too */
        assert_true(leat_load_acquire(&count) > (uint32_t)i);
    }
    assert_int_equal(leat_load_acquire(&count), RUN_COUNT);
    leat_flow_free(flow);
}

static void letting_go_early_cancels_and_joins(void **state)
{
    for (int way = 0; way < 4; way++) {
        LEAT_ATOMIC(uint32_t) count = 0;
        struct held held = { .action = "never" };
        leat_flow *flow = held_flow(&held);
        leat_handle *h = NULL;
        assert_int_equal(leat_flow_submit(*state, flow, NULL, NULL, &h), LEAT_OK);
        if (way > 0) wait_begun(&held);
        if (way == 2) assert_true(leat_handle_fd(h) >= 0);
        if (way == 3) assert_int_equal(leat_handle_on_done(h, count_done, &count), LEAT_OK);
        leat_handle_free(h);
        assert_int_equal(leat_load_acquire(&held.active), 0); /* exec has returned */
        assert_int_equal(leat_load_acquire(&count), way == 3);
        leat_flow_free(flow);
        assert_string_equal(log_text, ""); /* no run of it was left */
    }
}

struct runner {
    leat_runtime *rt;
    leat_flow *flow;
    LEAT_ATOMIC(uint32_t) good;
};

static void *runs_many(void *arg)
{
    struct runner *r = arg;
    for (int i = 0; i < 25; i++) {
        const char *action = NULL;
        leat_err err = leat_flow_run(r->rt, r->flow, NULL, &(leat_run_opts){ .last_action = &action });
        if (err == LEAT_OK && action && strcmp(action, "done") == 0) leat_add_relaxed(&r->good, 1u);
    }
    return NULL;
}

static void many_threads_run_one_flow_at_once(void **state)
{
    struct held held = { .action = "done", .go = 1 };
    struct runner r = { .rt = *state, .flow = held_flow(&held) };
    pthread_t thread[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, runs_many, &r), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(leat_load_relaxed(&r.good), 200);
    leat_flow_free(r.flow);
}

static int setup_real(void **state)
{
    *state = runtime_make(2, false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waiting_ends_by_its_limit_and_the_run_goes_on, each_test),
        cmocka_unit_test_setup(a_descriptor_tells_the_end_to_poll, each_test),
        cmocka_unit_test_setup(descriptors_stand_in_an_event_loop, each_test),
        cmocka_unit_test_setup(a_callback_comes_once_for_each_run, each_test),
        cmocka_unit_test_setup(letting_go_early_cancels_and_joins, each_test),
        cmocka_unit_test_setup(many_threads_run_one_flow_at_once, each_test),
    };
    return cmocka_run_group_tests(tests, setup_real, teardown);
}
