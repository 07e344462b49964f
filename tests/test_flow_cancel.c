/*
 * test_flow_cancel.c: runs that are canceled, freed or run out of time at any moment. Whatever happens, nothing outlives the run:
 * when leat_handle_wait or leat_handle_free has returned, every callback that had started has returned, none starts any more, and all
 * memory is back.
 *
 * Flows are made up at random of all that suspends: waits, yields, children awaited and left behind, called and started flows,
 * blocking calls, retries, batches in windows with and without `each`, sources, deadlines of attempts, nodes and runs. The seed is
 * printed when something does not hold; LEAT_SEED=n repeats it, LEAT_LONG=1 does more.
 */
#include "support/flow.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"

/* ---- callbacks are counted in and out ---- */

static struct {
    LEAT_ATOMIC(int64_t) active; /* callbacks that have started and not returned */
    LEAT_ATOMIC(uint64_t) calls;
    LEAT_ATOMIC(uint32_t) over; /* the run has ended: nobody may start */
    LEAT_ATOMIC(uint32_t) late; /* who did */
    LEAT_ATOMIC(uint64_t) random;
} life;

static uint32_t any(uint32_t below)
{
    uint64_t state = leat_add_relaxed(&life.random, UINT64_C(0x9e3779b97f4a7c15));
    return (uint32_t)(leat_i_rand_next(&state) % below);
}

static void enter(void)
{
    if (leat_load_acquire(&life.over)) leat_add_relaxed(&life.late, 1u);
    leat_add_acq_rel(&life.active, 1);
    leat_add_relaxed(&life.calls, 1u);
}

static leat_err leave(leat_err err)
{
    leat_sub_acq_rel(&life.active, 1);
    return err;
}

static void spin(uint32_t rounds)
{
    for (volatile uint32_t i = 0; i < rounds; i++) {
    }
}

static leat_flow *leaf; /* what is called and started; made once per round */

static leat_err blocks(void *arg)
{
    (void)arg;
    enter();
    spin(any(5000));
    return leave(any(8) ? LEAT_OK : LEAT_USER);
}

static leat_err something(leat_task *t, uint32_t depth);

static leat_err child(leat_task *t, void *arg, const void **result)
{
    (void)result;
    enter();
    return leave(something(t, (uint32_t)(uintptr_t)arg));
}

static leat_err gathers(leat_task *t, uint32_t depth)
{
    leat_future *f[4];
    size_t index;
    for (size_t i = 0; i < 4; i++)
        f[i] = leat_task_start(t, child, (void *)(uintptr_t)(depth + 1));
    switch (any(4)) {
    case 0:
        return leat_await_all(t, f, 4);
    case 1:
        return leat_await_any(t, f, 4, &index);
    case 2:
        leat_future_cancel(f[1]);
        return leat_await(t, f[1], NULL);
    default:
        return LEAT_OK; /* left behind */
    }
}

/* One of the things that a callback may do. */
static leat_err something(leat_task *t, uint32_t depth)
{
    switch (any(depth < 3 ? 10 : 5)) {
    case 0:
        spin(any(3000));
        return LEAT_OK;
    case 1:
        return leat_sleep_ms(t, 0);
    case 2:
        return leat_sleep_ms(t, any(3));
    case 3:
        return any(4) ? LEAT_OK : leat_task_fail(t, LEAT_USER, "by chance");
    case 4:
        (void)!leat_sleep_ms(t, any(2)); /* careless */
        return leat_task_printf(t, "%u", depth) ? LEAT_OK : LEAT_USER;
    case 5:
    case 6:
        return gathers(t, depth);
    case 7:
        return leat_blocking(t, blocks, NULL);
    case 8:
        return leat_flow_call(t, leaf, NULL, NULL);
    default: {
        leat_future *f = leat_flow_start(t, leaf, NULL, &(leat_run_opts){ .deadline_ms = any(3) });
        leat_err err = any(2) ? leat_await(t, f, NULL) : LEAT_OK;
        return err == LEAT_TIMEOUT ? LEAT_OK : err;
    }
    }
}

static leat_err any_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared, (void)prep_res;
    enter();
    return leave(any(4) ? LEAT_OK : something(t, 2));
}

static leat_err any_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)prep_res, (void)exec_res;
    enter();
    return leave(something(t, leat_task_self(t) ? 3 : 0));
}

static leat_err any_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    (void)t, (void)prep_res, (void)exec_res;
    enter();
    return leave(any(3) ? LEAT_OK : cause->code);
}

static leat_err any_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    (void)shared, (void)prep_res, (void)exec_res;
    enter();
    *action = any(3) ? NULL : "again";
    return leave(any(4) ? LEAT_OK : something(t, 2));
}

static leat_err any_next(leat_task *t, void *state, const void **item)
{
    (void)state;
    enter();
    *item = any(12) ? "item" : NULL;
    return leave(any(3) ? LEAT_OK : leat_sleep_ms(t, any(2)));
}

static leat_err list_prep(leat_task *t, void *shared, const void **prep_res)
{
    static const leat_items source = { .next = any_next };
    (void)shared;
    enter();
    for (uint32_t i = any(12); i > 0; i--)
        leat_items_add(t, prep_res, "item");
    if (any(2)) *prep_res = &source;
    return leave(LEAT_OK);
}

static leat_err any_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                         const leat_error *error)
{
    (void)shared, (void)index, (void)item, (void)value, (void)error;
    enter();
    return leave(any(4) ? LEAT_OK : leat_sleep_ms(t, any(2)));
}

static leat_err sets_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    enter();
    for (uint32_t i = any(6); i > 0; i--)
        leat_param_sets_add(t, prep_res, &(leat_param){ "key", "value" }, 1);
    return leave(LEAT_OK);
}

static const leat_node_class plain_class = { "Plain", any_prep, any_exec, any_fallback, any_post },
                             batch_class = { "Batch", list_prep, any_exec, NULL, any_post };

static leat_node *add_any(leat_flow *flow, bool is_leaf)
{
    leat_node_opts opts = {
        .max_attempts = (int32_t)any(4),
        .retry_wait_ms = any(2),
        .attempt_deadline_ms = any(4) ? 0 : 1,
        .deadline_ms = any(6) ? 0 : 1 + any(3),
        .blocking = is_leaf && any(4) == 0,
        .self = is_leaf ? &life : NULL,
    };
    if (is_leaf || any(2)) {
        static const leat_node_class leaf_class = { .name = "Leaf", .prep = any_prep, .exec = any_exec };
        static const leat_node_class still_class = { .name = "Still", .prep = any_prep };
        if (opts.blocking) return leat_flow_add(flow, &still_class, NULL);
        return leat_flow_add(flow, is_leaf ? &leaf_class : &plain_class, &opts);
    }
    opts.batch = true;
    opts.in_flight_max = any(6);
    opts.policy = (leat_batch_policy)any(3);
    if (any(2)) opts.each = any_each;
    opts.each_in_order = any(2);
    return leat_flow_add(flow, &batch_class, &opts);
}

static leat_flow *flow_any(uint32_t levels)
{
    leat_flow_opts opts = { .max_steps = 12, .max_attempts = (int32_t)any(3), .walk_bytes = any(2) * 64 };
    if (any(3) == 0) {
        opts.batch = true;
        opts.prep = sets_prep;
        opts.in_flight_max = any(5);
        opts.policy = (leat_batch_policy)any(3);
    }
    opts.concurrent_shared = any(4) == 0;
    leat_flow *flow = leat_flow_new(&opts);
    leat_node *first = add_any(flow, levels == 0), *node = first;
    for (uint32_t i = any(3); i > 0; i--) {
        leat_node *next = levels > 0 && any(2) ? leat_flow_add_flow(flow, flow_any(levels - 1)) : add_any(flow, levels == 0);
        node = leat_flow_link(node, NULL, next);
    }
    if (levels > 0) leat_flow_link(node, "again", first);
    return flow;
}

/* ---- one run, ended somehow ---- */

static void *cancels(void *arg)
{
    spin(any(20000));
    leat_handle_cancel(arg);
    return NULL;
}

static void wait_by_descriptor(leat_handle *h)
{
    struct pollfd p = { .fd = leat_handle_fd(h), .events = POLLIN };
    if (p.fd >= 0) assert_int_equal(poll(&p, 1, 60000), 1);
}

/* Until so many callbacks have been called, or the run has ended: a moment of the run, and not of the clock. */
static void wait_calls(leat_handle *h, uint32_t count)
{
    uint64_t until = leat_load_relaxed(&life.calls) + count;
    while (leat_load_relaxed(&life.calls) < until && !leat_handle_is_done(h))
        sched_yield();
}

static void run_once(leat_runtime *rt, const leat_run_opts *opts)
{
    pthread_t thread;
    leat_handle *h = NULL;
    leat_flow *flow = flow_any(2);
    leaf = flow_any(0);
    leat_store_release(&life.over, 0u);
    leat_err err = leat_flow_submit(rt, flow, &life, opts, &h);
    assert_int_equal(err, LEAT_OK);
    bool other = any(3) == 0;
    if (other) assert_int_equal(pthread_create(&thread, NULL, cancels, h), 0);
    if (any(4)) wait_calls(h, any(2) ? any(4) : any(60));
    spin(any(2000));
    switch (any(4)) {
    case 0:
        break;
    case 1:
        leat_handle_cancel(h);
        wait_by_descriptor(h);
        (void)!leat_handle_wait(h, -1, NULL, NULL);
        break;
    case 2:
        if (leat_handle_wait(h, any(3), NULL, NULL) == LEAT_TIMEOUT) leat_handle_cancel(h);
        break;
    default:
        leat_handle_cancel(h);
    }
    if (other) pthread_join(thread, NULL);
    leat_handle_free(h);
    leat_store_release(&life.over, 1u);
    assert_int_equal(leat_load_acquire(&life.active), 0);
    leat_flow_free(flow);
    leat_flow_free(leaf);
}

/* Many at once warn that "again" leads nowhere; log_take keeps what one writer says. */
static void log_nothing(void *arg, leat_log_level level, const char *text)
{
    (void)arg, (void)level, (void)text;
}

static uint32_t rounds(void)
{
    uint32_t count = LEAT_ASAN || LEAT_TSAN ? 200 : 400;
    return getenv("LEAT_LONG") ? count * 50 : count;
}

static void stress(uint32_t workers, bool virtual_clock)
{
    uint64_t seed;
    const char *given = getenv("LEAT_SEED");
    leat_i_os_random(&seed, sizeof seed);
    if (given) seed = strtoull(given, NULL, 10);
    leat_store_relaxed(&life.random, seed);
    leat_store_relaxed(&life.late, 0u);
    print_message("seed %llu, %u workers\n", (unsigned long long)seed, workers);
    int64_t live = leat_i_mem_live_count();
    int null = open("/dev/null", O_WRONLY);
    leat_timeline *timeline = NULL;
    leat_profile *profile = NULL;
    assert_int_equal(leat_timeline_new(&timeline, null, 0), LEAT_OK);
    assert_int_equal(leat_profile_new(&profile), LEAT_OK);
    leat_runtime *rt = NULL;
    leat_runtime_opts runtime_opts = { .worker_count = workers, .virtual_clock = virtual_clock, .log = log_nothing };
    assert_int_equal(leat_runtime_new(&rt, &runtime_opts), LEAT_OK);
    for (uint32_t i = 0; i < rounds(); i++) {
        leat_run_opts opts = { .in_flight_max = any(3) ? 0 : 1 + any(3), .deadline_ms = any(3) ? 0 : 1 + any(5) };
        if (any(4) == 0) opts.timeline = timeline;
        if (any(4) == 0) opts.profile = profile;
        run_once(rt, &opts);
        assert_int_equal(leat_load_relaxed(&life.late), 0);
    }
    leat_runtime_free(rt);
    leat_timeline_free(timeline);
    leat_profile_free(profile);
    close(null);
    assert_int_equal(leat_load_acquire(&life.active), 0);
    assert_int_equal(leat_i_mem_live_count(), live);
    assert_true(leat_load_relaxed(&life.calls) > 0);
}

static void nothing_outlives_a_run_on_one_worker(void **state)
{
    (void)state;
    stress(1, false);
}

static void nothing_outlives_a_run_on_four_workers(void **state)
{
    (void)state;
    stress(4, false);
}

static void nothing_outlives_a_run_in_virtual_time(void **state)
{
    (void)state;
    stress(2, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outlives_a_run_on_one_worker),
        cmocka_unit_test(nothing_outlives_a_run_on_four_workers),
        cmocka_unit_test(nothing_outlives_a_run_in_virtual_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
