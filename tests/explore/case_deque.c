/*
 * case_deque.c: the deque. Every item that was pushed is taken once, by its owner or by a thief, and what was written before the push is
 * seen by who takes it. In deque_grow the array starts with room for two items, as deque_grow in the sources would have made it.
 */
#include "explore.h"

#include "sched/deque.c"

enum { ITEMS = 6 };

static leat_i_deque deque;
static leat_task item[ITEMS];
static uint32_t taken[ITEMS];
static unsigned pushed; /* the owner's */

static void take(leat_task *task)
{
    size_t i = (size_t)(task - item);
    EXPLORE_CHECK(i < ITEMS && &item[i] == task);
    EXPLORE_CHECK(task->deadline_ns == (int64_t)i + 1); /* plain: a race if the push did not publish it */
    EXPLORE_CHECK(taken[i]++ == 0);
}

static void push(void)
{
    unsigned i = pushed++;
    item[i].deadline_ns = i + 1;
    EXPLORE_CHECK(leat_i_deque_push_owner(&deque, &item[i].job));
}

static void pop(void)
{
    leat_task *task = (leat_task *)leat_i_deque_pop_owner(&deque);
    if (task) take(task);
}

static void thief(void *arg)
{
    for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
        leat_task *task = (leat_task *)leat_i_deque_steal_thief(&deque);
        if (task) take(task);
    }
}

static void begin(int64_t room)
{
    pushed = 0;
    for (unsigned i = 0; i < ITEMS; i++)
        taken[i] = 0;
    EXPLORE_CHECK(leat_i_deque_init(&deque));
    if (room == 0) return;
    leat_i_deque_fini(&deque);
    leat_store_relaxed(&deque.array, array_new(room, NULL));
}

static void end(void)
{
    explore_join_all();
    for (unsigned i = 0; i < pushed; i++)
        pop();
    EXPLORE_CHECK(!leat_i_deque_pop_owner(&deque));
    for (unsigned i = 0; i < pushed; i++)
        EXPLORE_CHECK(taken[i] == 1);
    leat_i_deque_fini(&deque);
}

/* Down to the last item and past it, where the owner and two thieves meet. */
static void deque_take(void)
{
    begin(0);
    explore_start(thief, (void *)1);
    explore_start(thief, (void *)1);
    push();
    push();
    pop();
    pop();
    push();
    end();
}

/* The array grows while thieves read it, and slots are used again. */
static void deque_grows(void)
{
    begin(2);
    explore_start(thief, (void *)2);
    explore_start(thief, (void *)1);
    push();
    push();
    push();
    pop();
    push();
    push();
    end();
}

const explore_case explore_deque_take = { "deque_take", deque_take, { 3, 2, 3, 20000 }, { 4, 3, 4, 50000 }, false };
const explore_case explore_deque_grow = { "deque_grow", deque_grows, { 2, 2, 3, 20000 }, { 3, 2, 4, 50000 }, false };
