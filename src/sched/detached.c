/*
 * detached.c: tasks that were submitted without a handle.
 *
 * A thread that submits many of them must not pay for a task each: what it leaves is a slot with the function and its argument. The
 * task itself is made by the worker that begins it, in the frame that runs it, which stays where it is when the task suspends.
 *
 * Slots lie in blocks. A thread has one open block and fills its slots in order; when it is full the thread forgets it. A block is a
 * job, too: it is put on the injection list when the first of its slots is filled, and what is filled from then on is found by whoever
 * has the block. So a thread that submits faster than the pool begins pays for one atomic operation a task, on a word of its own block.
 * Who takes the block takes its first task, puts the block with the rest into its deque, where others may steal it, and then runs the
 * task. So nothing waits behind a task that takes long or suspends.
 *
 * `listed` counts the slots that were filled and not taken off. The thread adds 1 for each, and who finds 0 there lists the block. Who has
 * the block reads how many there are, takes so many tasks from it, one after the other, and only then takes that number off: if there
 * are more by then, these are next, and else the block is nobody's, until it is listed again. CLOSED says that the thread has forgotten
 * it: who takes the number to 0 then frees it. So a block outlives neither its slots nor its thread. It is of one runtime while it is
 * listed, and of none else.
 *
 * A thread that fills a block within a millisecond gets one of twice the size next time, up to BLOCK_BYTES_MAX: when more is submitted
 * than is done, each page of what piles up is new, and asking the kernel for many at once is several times cheaper than touching one
 * after the other. Who submits at leisure holds no more than BLOCK_BYTES.
 *
 * rt->detached, which leat_runtime_free waits for, counts a block that is listed as one task, and the others from the moment when they
 * are seen by who has the block. That is soon enough: the last task that it knows of is begun after it has looked for more. Ends are told in
 * batches.
 */
#include "runtime.h"

#include "../base/check.h"

#define BLOCK_BYTES     4096u
#define BLOCK_BYTES_MAX 16384u
#define BLOCK_SOON_NS   (1 * LEAT_I_NS_PER_MS)
#define BLOCK_CLOSED    0x80000000u /* in `listed`, beside the count */
#define ENDED_MAX       64u

struct slot {
    leat_task_fn fn;
    void *arg;
};

struct block {
    leat_i_job job; /* its first member; it and the next three are used by who has the block */
    uint32_t next;  /* slot to be begun */
    uint32_t end;   /* of those that are known */
    uint32_t known; /* how many of them `listed` still counts */
    _Alignas(64) LEAT_ATOMIC(uint32_t) listed;
    struct slot slot[];
};

struct block_place {
    struct block *block; /* the open one; NULL = none */
    leat_runtime *rt;    /* for which it is, while it is listed */
    uint32_t used, room; /* slots */
    uint32_t bytes;      /* of the next one; 0 = of the smallest */
    int64_t opened_ns;
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

/* The thread takes no more slots from it: who has it frees it, or we do when nobody has. */
static void block_close(void *block)
{
    struct block *b = block;
    block_place()->block = NULL;
    /* Pairs with block_more. release: who has it frees it after this; acquire: who had it is done with it. */
    if (leat_or_acq_rel(&b->listed, BLOCK_CLOSED) == 0) leat_i_free(b);
}

static void key_make(void)
{
    key_made = pthread_key_create(&key, block_close) == 0;
}

/* Opens a block for this thread; false = memory is short. */
static bool block_open(struct block_place *place)
{
    pthread_once(&key_once, key_make);
    uint32_t bytes = place->bytes ? place->bytes : BLOCK_BYTES;
    struct block *block = key_made ? leat_i_alloc_aligned(64, bytes) : NULL;
    if (!block) return false;
    if (bytes > BLOCK_BYTES) leat_i_os_populate(block, bytes);
    if (pthread_setspecific(key, block) != 0) {
        leat_i_free(block);
        return false;
    }
    block->job.run = leat_i_detached_run_block;
    block->next = block->end = 0;
    leat_store_relaxed(&block->listed, 0); /* relaxed: the injection publishes it */
    place->block = block;
    place->used = 0;
    place->room = (uint32_t)((bytes - offsetof(struct block, slot)) / sizeof block->slot[0]);
    place->opened_ns = leat_i_os_now_ns();
    return true;
}

/* The open block, if it may take tasks for `rt`, or a new one; false = memory is short. */
static __attribute__((noinline)) bool block_for(struct block_place *place, leat_runtime *rt)
{
    if (place->block &&
        leat_load_relaxed(&place->block->listed)) { /* relaxed: once it is 0 it stays so, and who lists it acquires */
        pthread_setspecific(key, NULL);
        block_close(place->block);
    }
    if (!place->block && !block_open(place)) return false;
    place->rt = rt;
    return true;
}

/* The thread has filled its block. */
static void block_forget(struct block_place *place)
{
    place->block = NULL;
    uint32_t bytes = place->bytes ? place->bytes : BLOCK_BYTES;
    if (leat_i_os_now_ns() - place->opened_ns > BLOCK_SOON_NS)
        place->bytes = BLOCK_BYTES;
    else if (bytes < BLOCK_BYTES_MAX)
        place->bytes = bytes * 2;
    pthread_setspecific(key, NULL); /* cannot fail: it has been set before */
}

void leat_i_detached_close(void)
{
    struct block *block = block_place()->block;
    if (!block) return;
    pthread_setspecific(key, NULL);
    block_close(block);
}

void leat_i_detached_flush(leat_i_worker *w)
{
    uint32_t ended = w->detached.ended;
    w->detached.ended = 0;
    leat_runtime *rt = w->rt;
    /* seq_cst, both: partners of the store and the load in runtime_end_roots. */
    if (ended && leat_sub_seq_cst(&rt->detached, ended) == ended && leat_load_seq_cst(&rt->canceling))
        leat_i_os_futex_wake(&rt->detached, INT32_MAX);
}

void leat_i_detached_ended(leat_task *task, leat_err err, const void *result, const leat_error *error)
{
    (void)result, (void)error;
    leat_i_worker *w = task->waiter->home;
    leat_i_arena_fini(&task->arena);
    if (LEAT_UNLIKELY(err == LEAT_CANCELED && leat_load_relaxed(&w->rt->canceling))) w->detached.canceled++;
    if (++w->detached.ended >= ENDED_MAX) leat_i_detached_flush(w);
}

LEAT_WAKE_PATH static void detached_begin(leat_i_waiter *s, leat_task_fn fn, void *arg)
{
    leat_task task;
    leat_i_task_init(&task, s->home->rt, fn, arg);
    task.root = &task;
    task.ended = leat_i_detached_ended;
    task.skip_canceled = true;
    leat_i_task_execute(&task, s);
}

/* Takes note of the tasks that are there; the first of them was counted when the block was listed. */
static void block_look(leat_i_worker *w, struct block *block)
{
    block->known = leat_load_acquire(&block->listed) & ~BLOCK_CLOSED; /* acquire: pairs with the add of who filled them */
    block->end = block->next + block->known;
    if (block->known == 1) return;
    leat_add_relaxed(&w->rt->detached, block->known - 1); /* relaxed: their ends come after it */
    /* Several at once: more may follow soon. */
    w->spin_skip = 0;
}

/* Those that were known have been taken: are there more? If not, the block is somebody else's from here on. */
static bool block_more(leat_runtime *rt, struct block *block)
{
    uint32_t known = block->known;
    /* release: who lists it again, or frees it, comes after us; acquire: pairs with the add of who filled the next ones. */
    uint32_t listed = leat_sub_acq_rel(&block->listed, known);
    uint32_t more = (listed & ~BLOCK_CLOSED) - known;
    if (more == 0) {
        if (listed & BLOCK_CLOSED) leat_i_free(block);
        return false;
    }
    block->known = more;
    block->end += more;
    leat_add_relaxed(&rt->detached, more); /* relaxed: the last task that was counted has not begun */
    return true;
}

LEAT_WAKE_PATH void leat_i_detached_run_block(leat_i_job *job, leat_i_waiter *s)
{
    struct block *block = (struct block *)job;
    leat_i_worker *w = s->home;
    if (block->next == block->end) block_look(w, block);
    struct slot slot = block->slot[block->next++];
    if (block->next < block->end || block_more(w->rt, block)) {
        if (!leat_i_deque_push_owner(&w->deque, job)) leat_i_runtime_inject(w->rt, job, job);
        leat_i_runtime_wake_one(w->rt); /* Who took his last look while the block was in no deque has not seen it. */
    }
    detached_begin(s, slot.fn, slot.arg);
}

LEAT_WAKE_PATH leat_err leat_i_detached_submit(leat_runtime *rt, leat_task_fn fn, void *arg)
{
    struct block_place *place = block_place();
    if (LEAT_UNLIKELY(!place->block || place->rt != rt) && !block_for(place, rt)) return LEAT_NOMEM;
    struct block *block = place->block;
    block->slot[place->used] = (struct slot){ fn, arg };
    uint32_t more = 1;
    if (++place->used == place->room) {
        more |= BLOCK_CLOSED;
        block_forget(place);
    }
    /* release: the slot is whole for who has the block; acquire: who had it has let it go. */
    if (leat_add_acq_rel(&block->listed, more) != 0) return LEAT_OK;
    leat_add_relaxed(&rt->detached, 1); /* relaxed: comes before the release of the injection, which its end has acquired */
    leat_i_runtime_inject(rt, &block->job, &block->job);
    return LEAT_OK;
}
