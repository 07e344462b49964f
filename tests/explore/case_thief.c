/*
 * case_thief.c: what a thief of forks shows to others before it has shared anything itself, and a join that comes too late to park.
 *
 * fork.c is part of this file, so that its steps can be set between those of others: the owner of a region, who has shared one fork, a
 * thief that has taken it and stands in it, and a third worker. No worker searches here, so there is no fence but those of the steps.
 */
#include "world.h"

#include "sched/fork.c"

static leat_i_worker *const owner = &world_worker[0], *const thief = &world_worker[1], *const third = &world_worker[2];
static leat_i_fork *region; /* the owner's */
static uint32_t value;      /* plain: a race when the join does not publish what the thief has done */
static explore_flag begun, go, ended;

static void work(leat_fork *f, void *arg)
{
    (void)f;
    ++*(uint32_t *)arg;
    explore_flag_add(&begun, 1);
    explore_flag_await(&go, 1);
}

static void steals(void *unused)
{
    (void)unused;
    world_be(thief);
    EXPLORE_CHECK(leat_i_fork_steal(thief, owner));
    leat_i_fork_run_stolen(thief);
    explore_flag_add(&ended, 1);
}

/* This thread is the owner from here on; one fork is shared, and somebody comes for it. */
static void begin(void)
{
    value = 0;
    begun = go = ended = (explore_flag){ 0 };
    world_begin(3);
    world_be(owner);
    region = fork_take(owner);
    leat_store_release(&owner->fork, region); /* release: as in leat_fork_enter */
    leat_fork_spawn(&region->f, work, &value);
    explore_start(steals, NULL);
}

static void end(void)
{
    explore_join_all();
    leat_fork_sync(&region->f);
    EXPLORE_CHECK(value == 1);
    fork_give(region);
    for (uint32_t i = 0; i < world.worker_count; i++)
        leat_i_fork_fini(&world_worker[i]);
}

/* Comes upon the thief's region without having been woken by it. */
static void looks(void *unused)
{
    (void)unused;
    world_be(third);
    explore_flag_await(&begun, 1);
    EXPLORE_CHECK(!leat_i_fork_has_shared(thief));
    explore_flag_add(&go, 1);
}

static void thief_third(void)
{
    begin();
    explore_start(looks, NULL);
    end();
}

/* Who helps learns of the thief's region by the hint alone. */
static void thief_hint(void)
{
    begin();
    explore_flag_await(&begun, 1);
    uintptr_t state = leat_word_load_acquire(&region->base[0].state); /* acquire: as in join_wait */
    if (state & STATE_THIEF) EXPLORE_CHECK(!fork_rob((leat_i_fork *)(state & ~STATE_THIEF)));
    explore_flag_add(&go, 1);
    end();
}

/* The thief ends between the last look of a join, which saw nothing, and its CAS. */
static void thief_ended(void)
{
    begin();
    explore_flag_add(&go, 1);
    explore_flag_await(&ended, 1);
    join_park(region, &region->base[0], 0);
    EXPLORE_CHECK(value == 1);
    end();
}

const explore_case explore_thief_third = { "thief_third", thief_third, { 2, 2, 2, 1000 }, { 3, 3, 4, 20000 }, false };
const explore_case explore_thief_hint = { "thief_hint", thief_hint, { 2, 2, 2, 1000 }, { 3, 3, 4, 20000 }, false };
const explore_case explore_thief_ended = { "thief_ended", thief_ended, { 2, 2, 2, 1000 }, { 3, 3, 4, 20000 }, false };
