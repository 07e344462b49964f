/*
 * detached.c: tasks that were submitted without a handle.
 *
 * A thread that submits many of them must not pay for a task each: what it leaves is a slot with the function and its argument. The
 * task itself is made by the worker that begins it, in the frame that runs it, which stays where it is when the task suspends.
 *
 * Slots lie in blocks. A thread has one open block and takes its slots in order, with no lock and no atomic operation; when it is used
 * up the thread forgets it. A slot is given back by the worker that has read it. Each block counts the slots that have not been given
 * back (`held`, those not used yet included), and who takes the count to 0 frees it: the worker that gives the last slot back, or the
 * thread, which gives back what it has not used when it ends. So a block outlives neither its slots nor its thread, and belongs to no
 * runtime. Workers count what they give back and tell the block when they come to another one, or have nothing to do.
 *
 * A thread that uses a block up within a millisecond gets one of twice the size next time, up to BLOCK_BYTES_MAX: when more is submitted
 * than is done, each page of what piles up is new, and asking the kernel for many at once is several times cheaper than touching one
 * after the other. Who submits at leisure holds no more than BLOCK_BYTES.
 *
 * In the same way rt->detached, which leat_runtime_free waits for, is told of ends in batches.
 */
#include "runtime.h"

#include "../base/check.h"

#define BLOCK_BYTES     4096u
#define BLOCK_BYTES_MAX 65536u
#define BLOCK_SOON_NS   (1 * LEAT_I_NS_PER_MS)
#define ENDED_MAX       64u

struct detached {
    leat_i_job job; /* its first member */
    leat_task_fn fn;
    void *arg;
    leat_i_detached_block *block;
};

struct leat_i_detached_block {
    LEAT_ATOMIC(uint32_t) held;
    uint32_t used; /* by the thread whose block it is */
    uint32_t room; /* slots */
    int64_t opened_ns;
    struct detached slot[];
};

struct block_place {
    leat_i_detached_block *block; /* the open one; NULL = none */
    uint32_t bytes;               /* of the next one; 0 = of the smallest */
};

static _Thread_local struct block_place block_of_thread __attribute__((tls_model("initial-exec")));
/* Opaque to the compiler, as leat_i_worker_current is. */
LEAT_WAKE_PATH static __attribute__((noinline)) struct block_place *block_place(void)
{
    struct block_place *place = &block_of_thread;
    __asm__ volatile("" : "+r"(place));
    return place;
}

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

static void block_give(leat_i_detached_block *block, uint32_t count)
{
    /* acq_rel: all have read their slots before the last one frees them. */
    if (leat_sub_acq_rel(&block->held, count) == count) leat_i_free(block);
}

static void block_close(void *block)
{
    leat_i_detached_block *b = block;
    block_place()->block = NULL;
    if (b->used < b->room) block_give(b, b->room - b->used);
}

static void key_make(void)
{
    key_made = pthread_key_create(&key, block_close) == 0;
}

/* Opens a block for this thread; NULL = memory is short. */
static leat_i_detached_block *block_open(void)
{
    pthread_once(&key_once, key_make);
    struct block_place *place = block_place();
    uint32_t bytes = place->bytes ? place->bytes : BLOCK_BYTES;
    leat_i_detached_block *block = key_made ? leat_i_alloc(bytes) : NULL;
    if (!block) return NULL;
    if (bytes > BLOCK_BYTES) leat_i_os_populate(block, bytes);
    if (pthread_setspecific(key, block) != 0) {
        leat_i_free(block);
        return NULL;
    }
    block->used = 0;
    block->room = (uint32_t)((bytes - sizeof *block) / sizeof block->slot[0]);
    block->opened_ns = leat_i_os_now_ns();
    leat_store_relaxed(&block->held, block->room); /* relaxed: the injection publishes it */
    place->block = block;
    return block;
}

/* The thread has used its block up: it belongs to the slots now. */
static void block_forget(const leat_i_detached_block *block)
{
    struct block_place *place = block_place();
    place->block = NULL;
    uint32_t bytes = place->bytes ? place->bytes : BLOCK_BYTES;
    if (leat_i_os_now_ns() - block->opened_ns > BLOCK_SOON_NS)
        place->bytes = BLOCK_BYTES;
    else if (bytes < BLOCK_BYTES_MAX)
        place->bytes = bytes * 2;
    pthread_setspecific(key, NULL); /* cannot fail: it has been set before */
}

void leat_i_detached_close(void)
{
    leat_i_detached_block *block = block_place()->block;
    if (!block) return;
    pthread_setspecific(key, NULL);
    block_close(block);
}

void leat_i_detached_flush(leat_i_worker *w)
{
    leat_i_detached_tally *tally = &w->detached;
    if (tally->block) block_give(tally->block, tally->given);
    tally->block = NULL;
    tally->given = 0;
    uint32_t ended = tally->ended;
    tally->ended = 0;
    leat_runtime *rt = w->rt;
    /* seq_cst, both: partners of the store and the load in runtime_end_roots. */
    if (ended && leat_sub_seq_cst(&rt->detached, ended) == ended && leat_load_seq_cst(&rt->canceling))
        leat_i_os_futex_wake(&rt->detached, INT32_MAX);
}

static void slot_give(leat_i_worker *w, leat_i_detached_block *block)
{
    leat_i_detached_tally *tally = &w->detached;
    if (tally->block != block) {
        if (tally->block) block_give(tally->block, tally->given);
        tally->block = block;
        tally->given = 0;
    }
    tally->given++;
}

/* The worker's last touch of the task. */
static void detached_ended(leat_task *task, leat_err err, const void *result, const leat_error *error)
{
    (void)result, (void)error;
    leat_i_worker *w = task->waiter->home;
    leat_i_arena_fini(&task->arena);
    if (LEAT_UNLIKELY(err == LEAT_CANCELED && leat_load_relaxed(&w->rt->canceling))) w->detached.canceled++;
    if (++w->detached.ended >= ENDED_MAX) leat_i_detached_flush(w);
}

LEAT_WAKE_PATH static void detached_run(leat_i_job *job, leat_i_waiter *s)
{
    const struct detached *d = (const struct detached *)job;
    leat_i_worker *w = s->home;
    leat_task task;
    leat_i_task_init(&task, w->rt, d->fn, d->arg);
    task.root = &task;
    task.ended = detached_ended;
    task.skip_canceled = true;
    slot_give(w, d->block);
    leat_i_task_execute(&task, s);
}

LEAT_WAKE_PATH leat_err leat_i_detached_submit(leat_runtime *rt, leat_task_fn fn, void *arg)
{
    leat_i_detached_block *block = block_place()->block;
    if (LEAT_UNLIKELY(!block)) block = block_open();
    if (!block) return LEAT_NOMEM;
    struct detached *d = &block->slot[block->used++];
    *d = (struct detached){ .job.run = detached_run, .fn = fn, .arg = arg, .block = block };
    if (block->used == block->room) block_forget(block);
    leat_add_relaxed(&rt->detached, 1); /* relaxed: comes before the release of the injection, which its end has acquired */
    leat_i_runtime_inject(rt, &d->job, &d->job);
    return LEAT_OK;
}
