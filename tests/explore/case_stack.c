/*
 * case_stack.c: stacks, and memory for tasks, go from a worker that has too many to one that has none, by way of the common lists, while
 * a third gives pages back: each stack and each task is in one place at a time.
 */
#include "world.h"

/* A worker keeps two batches: the last to be given moves one of them to the common list. */
enum { KEPT = 2 * LEAT_I_STACK_BATCH, MANY = KEPT + 1 };

static leat_i_waiter *taken[MANY], *last;
static unsigned found;
enum { COUNTED = 99 }; /* no kind of guard */

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
        EXPLORE_CHECK(s->guard != COUNTED); /* in two lists, if it was counted before */
        s->guard = COUNTED;
        found++;
    }
}

static void count_batches(leat_i_waiter *batch)
{
    for (; batch; batch = batch->batch)
        count_list(batch);
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
    while (!(world_worker[0].stacks.full && world_worker[0].stacks.count == LEAT_I_STACK_BATCH))
        leat_i_stack_give(&world_worker[0], taken[given++]);
    last = taken[given];
    explore_quiet(false);
    explore_start(gives, NULL);
    explore_start(takes, NULL);
    explore_start(trims, NULL);
    explore_join_all();
    found = 0;
    for (int i = 0; i < 3; i++) {
        count_list(world_worker[i].stacks.list);
        count_list(world_worker[i].stacks.full);
    }
    count_batches(world.stacks.spare);
    count_batches(world.stacks.cold);
    leat_i_stack_pool_each(&world.stacks, count_stack);
    EXPLORE_CHECK(found + MANY - given - 1 == 0); /* all others are still taken; none is lost */
}

const explore_case explore_stack_lists = { "stack_lists", stack_lists, { 2, 1, 2, 500 }, { 4, 1, 4, 20000 }, false };

/* ---- memory for tasks ---- */

enum { BLOCK_TASKS = 128, TASKS_KEPT = BLOCK_TASKS }; /* two batches, and as many tasks as a block has */

static leat_task *task[TASKS_KEPT + 1];

/* A task is written whole by who has it, so that a second one is a race. */
static leat_task *task_get(leat_i_worker *w)
{
    leat_task *t = leat_i_task_alloc(w);
    EXPLORE_CHECK(t);
    leat_i_task_init(t, &world, NULL, NULL);
    return t;
}

static void gives_tasks(void *unused)
{
    (void)unused;
    leat_i_task_dealloc(&world_worker[0], task[TASKS_KEPT]);
    leat_i_task_dealloc(&world_worker[0], task_get(&world_worker[0]));
}

static void takes_tasks(void *unused)
{
    (void)unused;
    leat_task *t[2] = { task_get(&world_worker[1]), task_get(&world_worker[1]) };
    EXPLORE_CHECK(t[0] != t[1]);
    leat_i_task_dealloc(&world_worker[1], t[0]);
    leat_i_task_dealloc(NULL, t[1]); /* as a thread that is no worker */
}

static void trims_tasks(void *unused)
{
    (void)unused;
    while (leat_i_task_trim(&world_worker[2]))
        continue;
}

static void task_lists(void)
{
    explore_quiet(true);
    world_begin(3);
    for (int i = 0; i <= TASKS_KEPT; i++)
        task[i] = task_get(&world_worker[0]);
    for (int i = 0; i < TASKS_KEPT; i++)
        leat_i_task_dealloc(&world_worker[0], task[i]);
    explore_quiet(false);
    explore_start(gives_tasks, NULL);
    explore_start(takes_tasks, NULL);
    explore_start(trims_tasks, NULL);
    explore_join_all();
    leat_i_task_pool_fini(&world); /* The model reports what is freed twice, and what stays. */
}

/* ---- the end of a block ---- */

static void gives_last(void *t)
{
    leat_i_task_init(t, &world, NULL, NULL);
    leat_i_task_dealloc(NULL, t);
}

/* Two threads end the last tasks of a block, of which the later one frees it. */
static void task_block(void)
{
    explore_quiet(true);
    world_begin(1);
    for (int i = 0; i < BLOCK_TASKS; i++)
        task[i] = task_get(&world_worker[0]);
    EXPLORE_CHECK(!world_worker[0].tasks.block);
    for (int i = 2; i < BLOCK_TASKS; i++)
        leat_i_task_dealloc(NULL, task[i]);
    explore_quiet(false);
    explore_start(gives_last, task[0]); /* the first two: the model looks at the beginning of what is freed only */
    explore_start(gives_last, task[1]);
    explore_join_all();
}

const explore_case explore_task_block = { "task_block", task_block, { 3, 2, 3, 1000 }, { 4, 3, 4, 5000 }, false };
const explore_case explore_task_lists = { "task_lists", task_lists, { 2, 1, 2, 500 }, { 3, 1, 3, 5000 }, false };
