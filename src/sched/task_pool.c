/*
 * task_pool.c: memory for the tasks that tasks start.
 *
 * While a task is in the pool its job's `link` leads to the next one, and the `root` of the first of a batch to the next batch.
 *
 * Tasks are cut from blocks, since a crowd of them asked one by one of malloc grows a thread's heap by one call of the kernel for each
 * page. Each block of a worker has twice as many as its last one, until the worker has been idle: what makes room for a block locks all
 * mappings of the process, and stacks that others begin meanwhile wait for that. A worker takes and gives at its own LIFO, which is filled from its open block when it is empty. It has one whole batch beside
 * it, and moves batches to and from a common list as they are: so what one worker starts and another ends comes back.
 *
 * Each block counts its tasks that are not given back to it (`held`, those included that were never handed out), and who takes the count
 * to 0 frees it. Tasks are given back to their blocks when a worker has been idle for a while (idle.c), and at the end.
 */
#include "runtime.h"

#include "../base/check.h"

#define BATCH_TASKS 64u
/* AddressSanitizer sees a use after the end only if the memory really goes back. */
#define BLOCK_TASKS     (LEAT_ASAN ? 1u : 128u)
#define BLOCK_TASKS_MAX (LEAT_ASAN ? 1u : 1024u)

struct pooled {
    leat_task task; /* its first member */
    leat_i_task_block *block;
};

struct leat_i_task_block {
    LEAT_ATOMIC(uint32_t) held;
    uint32_t room; /* tasks */
    _Alignas(64) struct pooled pooled[];
};

static void block_give(leat_i_task_block *block, uint32_t count)
{
    /* acq_rel: all have done with their tasks before the last one frees them. */
    if (leat_sub_acq_rel(&block->held, count) == count) leat_i_free(block);
}

static void task_give(leat_task *task)
{
    block_give(((struct pooled *)task)->block, 1);
}

static void list_give(leat_task *task)
{
    while (task) {
        leat_task *next = (leat_task *)task->job.link;
        task_give(task);
        task = next;
    }
}

static leat_i_task_block *block_new(uint32_t room)
{
    leat_i_task_block *block = leat_i_alloc_aligned(64, sizeof *block + room * sizeof block->pooled[0]);
    if (!block) return NULL;
    block->room = room;
    leat_store_relaxed(&block->held, room); /* relaxed: whoever gives a task back has got it from here */
    return block;
}

/* The next task of the open block, or of a new one. */
static leat_task *block_take(leat_i_task_cache *c)
{
    if (!c->block) {
        uint32_t room = c->block_room ? c->block_room : BLOCK_TASKS;
        c->block = block_new(room);
        if (!c->block && room > BLOCK_TASKS) c->block = block_new(room = BLOCK_TASKS);
        if (!c->block) return NULL;
        c->block_used = 0;
        c->block_room = room < BLOCK_TASKS_MAX ? room * 2 : room;
    }
    leat_i_task_block *block = c->block;
    struct pooled *p = &block->pooled[c->block_used++];
    p->block = block;
    if (c->block_used == block->room) c->block = NULL; /* it belongs to its tasks now */
    return &p->task;
}

/* A whole batch of the common list; NULL when there is none. */
static leat_task *pool_pop(leat_i_task_pool *pool)
{
    if (!leat_load_relaxed(&pool->spare)) return NULL; /* relaxed: a hint */
    leat_i_lock_take(&pool->lock);
    leat_task *batch = leat_load_relaxed(&pool->spare);
    if (batch) leat_store_relaxed(&pool->spare, batch->root);
    leat_i_lock_give(&pool->lock);
    return batch;
}

static void pool_push(leat_i_task_pool *pool, leat_task *batch)
{
    leat_i_lock_take(&pool->lock);
    batch->root = leat_load_relaxed(&pool->spare);
    leat_store_relaxed(&pool->spare, batch);
    leat_i_lock_give(&pool->lock);
}

/* The LIFO is empty: takes a batch, if there is any. */
static void cache_fill(leat_i_worker *w)
{
    leat_i_task_cache *c = &w->tasks;
    c->list = c->full;
    c->full = NULL;
    if (!c->list) c->list = pool_pop(&w->rt->tasks);
    c->count = c->list ? BATCH_TASKS : 0;
}

leat_task *leat_i_task_alloc(leat_i_worker *w)
{
    leat_i_task_cache *c = &w->tasks;
    if (!c->list) cache_fill(w);
    leat_task *task = c->list;
    if (!task) return block_take(c);
    c->list = (leat_task *)task->job.link;
    c->count--;
    if (c->list) leat_i_task_prefetch(c->list);
    return task;
}

void leat_i_task_dealloc(leat_i_worker *w, leat_task *task)
{
    if (LEAT_ASAN || !w) {
        task_give(task);
        return;
    }
    leat_i_task_cache *c = &w->tasks;
    if (c->count == BATCH_TASKS) {
        if (c->full) pool_push(&w->rt->tasks, c->full);
        c->full = c->list;
        c->list = NULL;
        c->count = 0;
    }
    task->job.link = (leat_i_job *)c->list;
    c->list = task;
    c->count++;
    c->used = true;
}

bool leat_i_task_trim(leat_i_worker *w)
{
    leat_i_task_cache *c = &w->tasks;
    c->used = false;
    c->block_room = 0;
    list_give(c->full);
    c->full = NULL;
    leat_task *batch = pool_pop(&w->rt->tasks);
    list_give(batch);
    return batch != NULL;
}

void leat_i_task_pool_fini(leat_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        leat_i_task_cache *c = &rt->worker[i].tasks;
        list_give(c->list);
        list_give(c->full);
        if (c->block) block_give(c->block, c->block->room - c->block_used);
        *c = (leat_i_task_cache){ 0 };
    }
    leat_task *batch;
    while ((batch = pool_pop(&rt->tasks)))
        list_give(batch);
}
