/*
 * case_clock.c: the virtual clock jumps when all wait, and not before: not while a task runs, and not while anything outside is awaited.
 *
 * clock_look, clock_woken, clock_starve and clock_fed drive the parking of two workers and what a helper thread does; the others have a whole runtime.
 */
#include "begin.h"

#include "world.h"

#define SLEEP_NS (5 * LEAT_I_NS_PER_MS)

static leat_i_waiter *waiter;
static leat_i_timer timer;
static explore_flag over;

static bool time_stands(void)
{
    return leat_i_runtime_now_ns(&world) == LEAT_I_NS_PER_S;
}

static void helper(void *unused)
{
    (void)unused;
    EXPLORE_CHECK(time_stands());
    leat_i_unpark(waiter);
    leat_i_runtime_external_end(&world);
}

/* Begins to wait for the helper, and has a bit to do when that has ended; then nobody has anything to do until the timer. */
static void waits_outside(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[0];
    world_be(w);
    leat_i_runtime_external_begin(&world);
    leat_store_relaxed(&waiter->token, 1u); /* parked, as stack_park in park.c leaves it */
    explore_start(helper, NULL);
    while (!w->ready.first) {
        world_poll(w);
        if (!w->ready.first) leat_i_worker_sleep(w);
    }
    EXPLORE_CHECK(time_stands());
    for (;;)
        leat_i_worker_sleep(w);
}

static void waits_for_time(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[1];
    world_be(w);
    EXPLORE_CHECK(leat_i_heap_reserve(&w->timers, 1) && leat_i_heap_add(&w->timers, &timer, LEAT_I_NS_PER_S + SLEEP_NS));
    while (time_stands())
        leat_i_worker_sleep(w);
    explore_flag_add(&over, 1);
}

static void clock_begin(void)
{
    world_begin(2);
    world.virtual_clock = true;
    world.searching_max = 0;
    leat_store_relaxed(&world.virtual_ns, LEAT_I_NS_PER_S);
    pthread_mutex_init(&world.clock_mutex, NULL);
    timer = (leat_i_timer){ 0 };
    over = (explore_flag){ 0 };
    waiter = leat_i_alloc_zeroed(sizeof *waiter);
    waiter->home = &world_worker[0];
}

static void clock_look(void)
{
    clock_begin();
    explore_start(waits_for_time, NULL);
    explore_start(waits_outside, NULL);
    explore_flag_await(&over, 1);
    explore_finish();
}

/* ---- a worker wakes another during a look, and parks before its own bit is read ---- */

static explore_flag looked;

/* Computes until the look of the helper is over: the time stands until then. */
static void is_woken(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[0];
    world_be(w);
    while (!w->ready.first) {
        world_poll(w);
        if (!w->ready.first) leat_i_worker_sleep(w);
    }
    explore_flag_await(&looked, 1);
    EXPLORE_CHECK(time_stands());
    for (;;)
        leat_i_worker_sleep(w);
}

static void wakes_and_parks(void *unused)
{
    (void)unused;
    world_be(&world_worker[1]);
    leat_i_unpark(waiter);
    waits_for_time(NULL);
}

static void looks(void *unused)
{
    (void)unused;
    leat_i_runtime_external_end(&world);
    explore_flag_add(&looked, 1);
}

static void clock_woken(void)
{
    clock_begin();
    looked = (explore_flag){ 0 };
    leat_store_relaxed(&waiter->token, 1u); /* parked, as stack_park in park.c leaves it */
    leat_i_runtime_external_begin(&world);
    explore_start(is_woken, NULL);
    explore_start(wakes_and_parks, NULL);
    explore_start(looks, NULL);
    explore_flag_await(&over, 1);
    explore_finish();
}

/* ---- a worker without memory for a stack, whose timer comes first ---- */

static leat_i_timer later;

static explore_flag running;

static leat_i_worker *starving(void)
{
    leat_i_worker *w = &world_worker[0];
    world_be(w);
    EXPLORE_CHECK(leat_i_heap_reserve(&w->timers, 1) && leat_i_heap_add(&w->timers, &timer, LEAT_I_NS_PER_S + SLEEP_NS));
    return w;
}

static void starves(void *unused)
{
    (void)unused;
    leat_i_worker *w = starving();
    while (time_stands())
        leat_i_worker_starve(w);
    EXPLORE_CHECK(leat_i_runtime_now_ns(&world) == LEAT_I_NS_PER_S + SLEEP_NS);
    leat_i_heap_remove(&w->timers, &timer);
    for (;;)
        leat_i_worker_sleep(w);
}

/* Has memory after a while, and runs: whoever looks from then on must not see it starved. */
static void runs_again(void *unused)
{
    (void)unused;
    leat_i_worker_starve(starving());
    EXPLORE_CHECK(time_stands());
    explore_flag_add(&running, 1);
    explore_flag_await(&looked, 1);
    EXPLORE_CHECK(explore_newest(&world.virtual_ns, sizeof world.virtual_ns) == LEAT_I_NS_PER_S);
}

static void looks_once(void *unused)
{
    (void)unused;
    explore_flag_await(&running, 1);
    while (!(leat_load_relaxed(&world.idle[0]) & 2)) /* until the other worker parks */
        leat_i_os_relax();
    leat_i_clock_evaluate(&world);
    explore_flag_add(&looked, 1);
}

static void waits_longer(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[1];
    int64_t until_ns = LEAT_I_NS_PER_S + 2 * SLEEP_NS;
    world_be(w);
    EXPLORE_CHECK(leat_i_heap_reserve(&w->timers, 1) && leat_i_heap_add(&w->timers, &later, until_ns));
    while (leat_i_runtime_now_ns(&world) < until_ns)
        leat_i_worker_sleep(w);
    explore_flag_add(&over, 1);
}

static void clock_starve(void)
{
    clock_begin();
    later = (leat_i_timer){ 0 };
    explore_start(starves, NULL);
    explore_start(waits_longer, NULL);
    explore_flag_await(&over, 1);
    explore_finish();
}

static void parks_then(void *unused)
{
    explore_flag_await(&running, 1);
    waits_longer(unused);
}

static void clock_fed(void)
{
    clock_begin();
    later = (leat_i_timer){ 0 };
    running = looked = (explore_flag){ 0 };
    unsigned runner = explore_start(runs_again, NULL);
    explore_start(parks_then, NULL);
    explore_start(looks_once, NULL);
    explore_join(runner);
    explore_finish();
}

/* ---- with a whole runtime ---- */

static leat_runtime *rt;

static leat_err sleeps(leat_task *t, void *arg, const void **result)
{
    (void)result;
    int64_t begin_ns = leat_task_now_ns(t), ms = (int64_t)(uintptr_t)arg;
    leat_err err = leat_sleep_ms(t, ms);
    EXPLORE_CHECK(leat_task_now_ns(t) == begin_ns + ms * LEAT_I_NS_PER_MS);
    return err;
}

static leat_err sleeps_in_turn(leat_task *t, void *arg, const void **result)
{
    (void)arg;
    leat_future *f = leat_task_start(t, sleeps, (void *)3);
    leat_err err = sleeps(t, (void *)5, result);
    EXPLORE_CHECK(err == LEAT_OK);
    return leat_await(t, f, NULL);
}

static leat_err sees_no_jump(void *arg)
{
    EXPLORE_CHECK(leat_i_runtime_now_ns(rt) == *(const int64_t *)arg);
    return LEAT_OK;
}

/* While a helper thread works, time stands still for those who sleep. */
static leat_err blocks_beside_sleeper(leat_task *t, void *arg, const void **result)
{
    int64_t now_ns = leat_task_now_ns(t);
    (void)arg, (void)result;
    leat_future *f = leat_task_start(t, sleeps, (void *)3);
    leat_err err = leat_blocking(t, sees_no_jump, &now_ns);
    EXPLORE_CHECK(err == LEAT_OK);
    return leat_await(t, f, NULL);
}

static void clock_run(leat_task_fn fn)
{
    leat_runtime_opts opts = { .worker_count = 2, .stack_bytes = 65536, .virtual_clock = true };
    explore_quiet(true);
    EXPLORE_CHECK(leat_runtime_new(&rt, &opts) == LEAT_OK);
    explore_settle();
    EXPLORE_CHECK(leat_task_run(rt, fn, NULL, NULL) == LEAT_OK);
    explore_finish();
}

static void clock_jump(void)
{
    clock_run(sleeps_in_turn);
}

static void clock_external(void)
{
    clock_run(blocks_beside_sleeper);
}

const explore_case explore_clock_look = { "clock_look", clock_look, { 2, 1, 2, 5000 }, { 3, 1, 3, 200000 }, false };
const explore_case explore_clock_woken = { "clock_woken", clock_woken, { 2, 1, 2, 5000 }, { 3, 1, 3, 200000 }, false };
const explore_case explore_clock_starve = { "clock_starve", clock_starve, { 2, 1, 2, 5000 }, { 3, 1, 3, 100000 }, false };
const explore_case explore_clock_fed = { "clock_fed", clock_fed, { 1, 1, 2, 2000 }, { 2, 1, 2, 20000 }, false };
const explore_case explore_clock_jump = { "clock_jump", clock_jump, { 2, 1, 2, 2000 }, { 3, 2, 3, 50000 }, false };
const explore_case explore_clock_external = {
    "clock_external", clock_external, { 1, 1, 1, 2000 }, { 2, 1, 2, 50000 }, false
};
