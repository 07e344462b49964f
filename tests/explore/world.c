/* world.c: see world.h. It stands in one file with worker.c, whose static functions it calls. */
#include "world.h"

#include "sched/worker.c"

leat_runtime world;
leat_i_worker world_worker[WORLD_WORKERS];

void world_begin(uint32_t worker_count)
{
    memset(&world, 0, sizeof world);
    memset(world_worker, 0, sizeof world_worker);
    world.worker = world_worker;
    world.worker_count = worker_count;
    world.searching_max = worker_count / 2;
    world.spin_ns = 10000;
    for (uint32_t i = 0; i < worker_count; i++) {
        leat_i_worker *w = &world_worker[i];
        w->rt = &world;
        w->index = i;
        leat_store_relaxed(&w->next_ns, LEAT_I_NEVER_NS);
        EXPLORE_CHECK(leat_i_deque_init(&w->deque));
    }
}

void world_be(leat_i_worker *w)
{
    worker_of_thread = w;
}

static bool world_round(leat_i_worker *w)
{
    worker_tick(w);
    if (w->stolen) {
        leat_i_worker_found(w);
        leat_i_fork_run_stolen(w);
        return true;
    }
    leat_i_job *job = worker_pop_fresh(w);
    if (!job) return false;
    leat_i_worker_found(w);
    job->run(job, NULL);
    return true;
}

void world_loop(void *worker)
{
    leat_i_worker *w = worker;
    world_be(w);
    for (;;) {
        if (world_round(w)) continue;
        worker_poll(w);
        if (!leat_i_deque_is_empty(&w->deque)) continue;
        leat_i_detached_flush(w);
        if (leat_i_worker_search(w)) continue;
        if (leat_load_acquire(&world.stop)) break;
        leat_i_worker_sleep(w);
        worker_begin_woken(w, NULL);
    }
    leat_i_worker_found(w);
}

void world_publish(leat_i_worker *w, leat_i_job *job)
{
    EXPLORE_CHECK(leat_i_deque_push_owner(&w->deque, job));
    leat_i_runtime_wake_one(&world);
}

void world_poll(leat_i_worker *w)
{
    worker_poll(w);
}

void world_stop(void)
{
    leat_store_seq_cst(&world.stop, 1);
    for (uint32_t i = 0; i < world.worker_count; i++)
        leat_i_worker_wake(&world_worker[i]);
}
