/*
 * case_stack.c: stacks go from a worker that has too many to one that has none, by way of the common lists, while a third gives pages
 * back: each stack is in one place at a time.
 */
#include "world.h"

enum { KEPT = 256, MANY = KEPT + 1 }; /* a worker keeps so many: the last to be given moves a batch to the common list */

static leat_i_waiter *taken[MANY], *last;
static unsigned found;

static void gives(void *unused)
{
    (void)unused;
    leat_i_stack_give(&world_worker[0], last);
    leat_i_waiter *s = leat_i_stack_take(&world_worker[0]);
    EXPLORE_CHECK(s && s->home == &world_worker[0]);
    leat_i_stack_give(&world_worker[0], s);
}

static void takes(void *unused)
{
    (void)unused;
    leat_i_waiter *s[2] = { leat_i_stack_take(&world_worker[1]), leat_i_stack_take(&world_worker[1]) };
    EXPLORE_CHECK(s[0] && s[1] && s[0] != s[1] && s[0]->home == &world_worker[1]);
    leat_i_stack_give(&world_worker[1], s[0]);
    leat_i_stack_give(&world_worker[1], s[1]);
}

static void trims(void *unused)
{
    (void)unused;
    while (leat_i_stack_trim(&world_worker[2]))
        continue;
}

static void count_list(leat_i_waiter *s)
{
    for (; s; s = s->link) {
        EXPLORE_CHECK(!s->task); /* in two lists, if it was counted before */
        s->task = (leat_task *)&taken;
        found++;
    }
}

static void count_stack(leat_i_waiter *s)
{
    (void)s;
    found--;
}

static void stack_lists(void)
{
    explore_quiet(true);
    world_begin(3);
    EXPLORE_CHECK(leat_i_stack_pool_init(&world.stacks, 16384) == 0);
    for (int i = 0; i < MANY; i++)
        taken[i] = leat_i_stack_take(&world_worker[0]);
    unsigned given = 0;
    while (world_worker[0].stacks.count < KEPT)
        leat_i_stack_give(&world_worker[0], taken[given++]);
    last = taken[given];
    explore_quiet(false);
    explore_start(gives, NULL);
    explore_start(takes, NULL);
    explore_start(trims, NULL);
    explore_join_all();
    found = 0;
    for (int i = 0; i < 3; i++)
        count_list(world_worker[i].stacks.list);
    count_list(world.stacks.spare);
    count_list(world.stacks.cold);
    leat_i_stack_pool_each(&world.stacks, count_stack);
    EXPLORE_CHECK(found + MANY - given - 1 == 0); /* all others are still taken; none is lost */
}

const explore_case explore_stack_lists = { "stack_lists", stack_lists, { 2, 1, 2, 500 }, { 4, 1, 4, 20000 }, false };
