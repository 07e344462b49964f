/*
 * case_wake.c: the injection list, and parking: whoever publishes work is sure that somebody will look at it.
 *
 * What must not be lost is parallelism, too: where two tasks wait for each other to have begun, a wake that is missing is a deadlock
 * although all that there is to do is in somebody's hands.
 */
#include "world.h"

static leat_i_job job[4];
static uint32_t ran[4];
static explore_flag begun;
static uint32_t meeting; /* jobs that wait for each other */

static void job_run(leat_i_job *j, leat_i_waiter *s)
{
    (void)s;
    EXPLORE_CHECK(ran[j - job]++ == 0);
    explore_flag_add(&begun, 1);
}

/* Goes on only when all of the meeting have begun. */
static void job_meet(leat_i_job *j, leat_i_waiter *s)
{
    job_run(j, s);
    explore_flag_await(&begun, meeting);
}

static void begin(uint32_t workers, void (*run)(leat_i_job *j, leat_i_waiter *s), uint32_t together)
{
    world_begin(workers);
    memset(ran, 0, sizeof ran);
    begun = (explore_flag){ 0 };
    meeting = together;
    for (size_t i = 0; i < 4; i++)
        job[i] = (leat_i_job){ .run = run };
}

static void inject(void *arg)
{
    leat_i_job *j = arg;
    leat_i_runtime_inject(&world, j, j);
}

static void end(uint32_t count)
{
    explore_flag_await(&begun, count);
    world_stop();
    explore_join_all();
    for (uint32_t i = 0; i < count; i++)
        EXPLORE_CHECK(ran[i] == 1);
}

/* Two producers, this thread being one, and two who take all; nobody sleeps. */
static void take_all(void *worker)
{
    leat_i_worker *w = worker;
    leat_i_job *j;
    world_be(w);
    for (int i = 0; i < 2; i++) {
        world_poll(w);
        while ((j = leat_i_deque_pop_owner(&w->deque)))
            j->run(j, NULL);
    }
}

static void inject_take(void)
{
    begin(2, job_run, 0);
    explore_start(inject, &job[0]);
    explore_start(take_all, &world_worker[0]);
    explore_start(take_all, &world_worker[1]);
    leat_i_runtime_inject(&world, &job[1], &job[1]);
    leat_i_runtime_inject(&world, &job[2], &job[2]);
    explore_join_all();
    take_all(&world_worker[0]);
    for (int i = 0; i < 3; i++)
        EXPLORE_CHECK(ran[i] == 1);
}

/* One task, and workers that are about to park. */
static void wake_submit(void)
{
    begin(2, job_run, 0);
    explore_start(world_loop, &world_worker[0]);
    explore_start(world_loop, &world_worker[1]);
    inject(&job[0]);
    end(1);
}

/* Two submitters, whose tasks need both workers. */
static void wake_both(void)
{
    begin(2, job_meet, 2);
    explore_start(world_loop, &world_worker[0]);
    explore_start(world_loop, &world_worker[1]);
    explore_start(inject, &job[0]);
    inject(&job[1]);
    end(2);
}

/* The same when both are parked: the first to be woken finds one task, and the other may come while it is counted as a searcher. */
static void wake_parked(void)
{
    begin(2, job_meet, 2);
    explore_start(world_loop, &world_worker[0]);
    explore_start(world_loop, &world_worker[1]);
    explore_quiet(true);
    explore_settle();
    explore_quiet(false);
    explore_start(inject, &job[0]);
    inject(&job[1]);
    end(2);
}

/* A worker starts two tasks and waits for both: two others must come, whatever they were about to do. */
static void starter(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[0];
    world_be(w);
    world_publish(w, &job[0]);
    world_publish(w, &job[1]);
    explore_flag_await(&begun, 2);
    world_loop(w);
}

static void wake_two(void)
{
    begin(3, job_meet, 2);
    explore_start(starter, NULL);
    explore_start(world_loop, &world_worker[1]);
    explore_start(world_loop, &world_worker[2]);
    end(2);
}

/* Three tasks that wait for each other lie in the deque of the last worker, which takes one. The first may steal two, one after the
 * other. The third has looked before they were there and is about to park: its last look is at the thief's deque first. */
static void run_one(void *worker)
{
    leat_i_worker *w = worker;
    leat_i_job *j;
    world_be(w);
    while (!(j = leat_i_deque_pop_owner(&w->deque)))
        if (!leat_i_worker_search(w)) leat_i_worker_sleep(w);
    leat_i_worker_found(w);
    j->run(j, NULL);
}

static void park_run_one(void *worker)
{
    world_be(worker);
    leat_i_worker_sleep(worker);
    run_one(worker);
}

static void wake_stolen(void)
{
    begin(3, job_meet, 3);
    world.spin_ns = 0;
    for (size_t i = 0; i < 3; i++)
        EXPLORE_CHECK(leat_i_deque_push_owner(&world_worker[2].deque, &job[i]));
    explore_start(run_one, &world_worker[0]);
    explore_start(park_run_one, &world_worker[1]);
    explore_start(run_one, &world_worker[2]);
    explore_join_all();
    for (size_t i = 0; i < 3; i++)
        EXPLORE_CHECK(ran[i] == 1);
}

static leat_i_waiter *parked_at(leat_i_worker *w)
{
    leat_i_waiter *s = leat_i_alloc_zeroed(sizeof *s);
    s->home = w;
    leat_store_relaxed(&s->token, 1u); /* parked, as stack_park in park.c leaves it */
    return s;
}

/* A stack that others wake: its home worker may be about to park. */
static leat_i_waiter *waiter;

static void home(void *unused)
{
    (void)unused;
    leat_i_worker *w = &world_worker[0];
    world_be(w);
    while (!w->ready.first) {
        world_poll(w);
        if (w->ready.first || leat_i_worker_search(w)) continue;
        leat_i_worker_sleep(w);
    }
    EXPLORE_CHECK(w->ready.first == waiter && w->ready.count == 1);
    explore_flag_add(&begun, 1);
}

static void unpark(void *unused)
{
    (void)unused;
    leat_i_unpark(waiter);
}

static void wake_home(void)
{
    begin(2, job_run, 0);
    waiter = parked_at(&world_worker[0]);
    explore_start(home, NULL);
    explore_start(unpark, NULL);
    explore_start(unpark, NULL);
    explore_flag_await(&begun, 1);
    explore_join_all();
    EXPLORE_CHECK(world_worker[0].ready.count == 1 && !leat_load_relaxed(&world_worker[0].inbox));
}

/* Two wake a stack of the same home each: who finds its inbox empty wakes for the other too. */
static void unpark_one(void *s)
{
    leat_i_unpark(s);
}

static void home_of_two(void *worker)
{
    leat_i_worker *w = worker;
    world_be(w);
    while (w->ready.count < 2) {
        world_poll(w);
        if (w->ready.count == 2 || leat_i_worker_search(w)) continue;
        leat_i_worker_sleep(w);
    }
}

static void wake_inbox(void)
{
    begin(2, job_run, 0);
    leat_i_waiter *s[2] = { parked_at(&world_worker[0]), parked_at(&world_worker[0]) };
    explore_start(home_of_two, &world_worker[0]);
    explore_start(unpark_one, s[0]);
    explore_start(unpark_one, s[1]);
    explore_join_all();
    EXPLORE_CHECK(world_worker[0].ready.count == 2 && !leat_load_relaxed(&world_worker[0].inbox));
}

/* Two homes and one who wakes stacks of both, one of them twice, and holds the wakes back meanwhile. */
static leat_i_waiter *parked[3];

static void home_of(void *worker)
{
    leat_i_worker *w = worker;
    uint32_t expected = w == &world_worker[0] ? 2 : 1;
    world_be(w);
    while (w->ready.count < expected) {
        world_poll(w);
        if (w->ready.count == expected || leat_i_worker_search(w)) continue;
        leat_i_worker_sleep(w);
    }
}

static void unpark_all(void *unused)
{
    (void)unused;
    leat_i_held_wakes held;
    leat_i_wakes_hold(&held);
    for (int i = 0; i < 3; i++)
        leat_i_unpark(parked[i]);
    leat_i_wakes_release(&held);
}

static void wake_held(void)
{
    begin(2, job_run, 0);
    for (int i = 0; i < 3; i++)
        parked[i] = parked_at(&world_worker[i % 2]);
    explore_start(home_of, &world_worker[0]);
    explore_start(home_of, &world_worker[1]);
    explore_start(unpark_all, NULL);
    explore_join_all();
    EXPLORE_CHECK(world_worker[0].ready.count == 2 && world_worker[1].ready.count == 1);
}

const explore_case explore_inject_take = { "inject_take", inject_take, { 2, 2, 2, 10000 }, { 3, 2, 3, 500000 }, false };
const explore_case explore_wake_submit = { "wake_submit", wake_submit, { 2, 2, 2, 10000 }, { 3, 2, 3, 500000 }, false };
const explore_case explore_wake_both = { "wake_both", wake_both, { 2, 1, 2, 10000 }, { 2, 2, 2, 200000 }, false };
const explore_case explore_wake_parked = { "wake_parked", wake_parked, { 2, 1, 2, 10000 }, { 3, 2, 3, 200000 }, false };
const explore_case explore_wake_two = { "wake_two", wake_two, { 1, 1, 1, 10000 }, { 1, 1, 1, 200000 }, false };
const explore_case explore_wake_stolen = { "wake_stolen", wake_stolen, { 2, 1, 2, 10000 }, { 3, 0, 3, 200000 }, false };
const explore_case explore_wake_home = { "wake_home", wake_home, { 3, 2, 3, 10000 }, { 4, 3, 4, 50000 }, false };
const explore_case explore_wake_inbox = { "wake_inbox", wake_inbox, { 3, 2, 3, 10000 }, { 4, 3, 4, 50000 }, false };
const explore_case explore_wake_held = { "wake_held", wake_held, { 2, 1, 2, 10000 }, { 4, 2, 4, 500000 }, false };
