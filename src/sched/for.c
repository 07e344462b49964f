/*
 * for.c: the parallel loop.
 *
 * Lazy binary splitting. A range runs in blocks, timed so that each takes some BLOCK_NS; before each block the far half is given
 * away if the own deque is empty, that is, if a thief has been (or nothing was given yet). So a loop that nobody helps is split
 * log2(count) times, and a hungry worker waits for one block at most. At the end halves are given away down to a small part of a block,
 * so that all workers end together, and no further: what is smaller costs more to give than to run.
 *
 * How many indices make a block is learned by each range for itself, from a small part of what the loop's last range has learned.
 * Blocks end at multiples of powers of two: then vectors, lines and pages of what lies in an array are not cut.
 *
 * Source: Tzannes, Caragea, Barua, Vishkin, "Lazy binary-splitting" (PPoPP 2010); the timed blocks are ours, so that no grain
 * must be given.
 *
 * The loop's state stands on the caller's stack. `pending` counts the ranges that were given away and have not ended. A range's end
 * frees the range, then takes itself off `pending` as its last touch of the state; who brings it to 0 wakes the caller. The caller
 * takes back what nobody stole (its own ranges are at the bottom of its deque: nothing else is pushed there meanwhile), and never
 * runs anything else on top of its waiting frame.
 */
#include "leat/fork.h"
#include "runtime.h"

#include "../base/check.h"

#define BLOCK_NS 20000
#define PACE_MAX ((size_t)1 << 30)

enum {
    GUESS_PARTS = 256,      /* a range begins with this part of a block, since its items may cost more than those before */
    GROWTH = 16,            /* and a block is so many times the last one at most */
    GIVE_PARTS = 8,         /* what takes less than this part of a block is not given away */
    MIDDLE_PARTS = 64,      /* for its begin the far half may be longer by this part of what is halved, */
    MIDDLE_STEP_MAX = 4096, /* and begins at a multiple of so many indices at most */
};

struct for_state {
    leat_task *owner;
    leat_i_waiter *stack;
    leat_range_fn fn;
    void *arg;
    int64_t limit_ns; /* nearest deadline of the owner */
    LEAT_ATOMIC(size_t) pending;
    LEAT_ATOMIC(size_t) pace;  /* how many indices take a BLOCK_NS, as was learned last */
    LEAT_ATOMIC(uint32_t) cut; /* not all indices were covered */
};

struct for_range {
    leat_task task;
    struct for_state *state;
    size_t begin, end;
};

static leat_err range_body(leat_task *t, void *arg, const void **result);
static void range_ended(leat_task *t, leat_err err, const void *result, const leat_error *error);

/* Gives begin .. end - 1 to whoever comes; false = memory is short. */
static bool range_give(struct for_state *state, leat_i_worker *w, size_t begin, size_t end)
{
    struct for_range *range = leat_i_alloc(sizeof *range);
    if (!range) return false;
    leat_i_task_init(&range->task, w->rt, range_body, range);
    range->task.ended = range_ended;
    range->task.name = state->owner->name;
    range->state = state;
    range->begin = begin;
    range->end = end;
    leat_add_relaxed(&state->pending, 1); /* relaxed: we are pending ourselves, or are the owner */
    if (!leat_i_deque_push_owner(&w->deque, &range->task.job)) {
        leat_sub_relaxed(&state->pending, 1);
        leat_i_free(range);
        return false;
    }
    leat_i_runtime_wake_one(w->rt);
    return true;
}

static bool for_is_stopped(struct for_state *state, leat_runtime *rt)
{
    if (!leat_load_relaxed(state->owner->stop) && !leat_load_relaxed(&rt->canceling)) {
        if (state->limit_ns == LEAT_I_NEVER_NS || leat_i_runtime_now_ns(rt) < state->limit_ns) return false;
    }
    leat_store_relaxed(&state->cut, 1); /* relaxed: `pending` or the owner's own thread orders it */
    return true;
}

/* How many indices take a BLOCK_NS if `count` of them took so long. */
static size_t pace_of(size_t count, int64_t took_ns)
{
    if (took_ns < 1) took_ns = 1;
    double pace = (double)count * BLOCK_NS / (double)took_ns;
    return pace < 1 ? 1 : pace > PACE_MAX ? PACE_MAX : (size_t)pace;
}

/* The largest power of two that is not above `n`, which is not 0. */
static size_t power_of_two(size_t n)
{
    return (size_t)1 << (63 - __builtin_clzll(n));
}

/* Where the half begins that is given away: not amid a line or a page of what both work on, as far as the indices tell. */
static size_t range_middle(size_t begin, size_t end)
{
    size_t middle = begin + (end - begin) / 2, part = (end - begin) / MIDDLE_PARTS;
    return part ? middle & ~(power_of_two(part < MIDDLE_STEP_MAX ? part : MIDDLE_STEP_MAX) - 1) : middle;
}

static void range_run(struct for_state *state, leat_i_worker *w, size_t begin, size_t end)
{
    leat_runtime *rt = w->rt;
    size_t pace = leat_load_relaxed(&state->pace); /* relaxed, as the store: a guess */
    size_t block = power_of_two(pace / GUESS_PARTS + 1);
    int64_t from_ns = leat_i_os_now_ns();
    while (begin < end && !for_is_stopped(state, rt)) {
        if (rt->worker_count > 1 && end - begin > pace / GIVE_PARTS + 1 && leat_i_deque_is_empty(&w->deque)) {
            size_t middle = range_middle(begin, end);
            if (range_give(state, w, middle, end)) end = middle;
        }
        size_t count = block - (begin & (block - 1)); /* to the next multiple of a block */
        if (count > end - begin) count = end - begin;
        state->fn(state->arg, begin, begin + count);
        begin += count;
        int64_t to_ns = leat_i_os_now_ns();
        pace = pace_of(count, to_ns - from_ns);
        size_t next = power_of_two(pace / block > GROWTH ? block * GROWTH : pace);
        if (next != block) leat_store_relaxed(&state->pace, pace); /* seldom: all read this line */
        block = next;
        from_ns = to_ns;
    }
}

static leat_err range_body(leat_task *t, void *arg, const void **result)
{
    struct for_range *range = arg;
    (void)result;
    range_run(range->state, t->waiter->home, range->begin, range->end);
    return LEAT_OK;
}

static void range_leave(struct for_range *range)
{
    struct for_state *state = range->state;
    leat_i_waiter *stack = state->stack;
    leat_i_free(range);
    /* release: what the range did is seen by the owner, who reads 0; the updates between are of the release sequence. */
    if (leat_sub_release(&state->pending, 1) == 1) leat_i_unpark(stack);
}

static void range_ended(leat_task *t, leat_err err, const void *result, const leat_error *error)
{
    (void)err, (void)result, (void)error;
    range_leave((struct for_range *)t->arg);
}

/* Takes back what was given away and not stolen. */
static struct for_range *range_take_back(struct for_state *state, leat_i_worker *w)
{
    leat_i_job *job = leat_i_deque_pop_owner(&w->deque);
    if (!job) return NULL;
    const leat_task *task = leat_i_task_of_job(job);
    if (task && task->fn == range_body && ((struct for_range *)task->arg)->state == state) return task->arg;
    bool pushed = leat_i_deque_push_owner(&w->deque, job);
    LEAT_ASSERT(pushed); /* Its place was free a moment ago. */
    (void)pushed;
    return NULL;
}

leat_err leat_for(leat_task *t, size_t count, leat_range_fn fn, void *arg)
{
    if (!fn) return LEAT_USAGE;
    LEAT_I_TASK_TRY(t);
    LEAT_TRY(leat_i_task_check(t));
    leat_i_worker *w = t->waiter->home;
    struct for_state state = { .owner = t, .stack = t->waiter, .fn = fn, .arg = arg };
    state.limit_ns = t->deadline_ns < t->attempt_deadline_ns ? t->deadline_ns : t->attempt_deadline_ns;
    struct for_range *range;
    w->plain = true;
    range_run(&state, w, 0, count);
    while (leat_load_relaxed(&state.pending) && (range = range_take_back(&state, w))) {
        range_run(&state, w, range->begin, range->end);
        range_leave(range);
    }
    w->plain = false;
    while (leat_load_acquire(&state.pending)) /* acquire: pairs with range_leave */
        leat_i_park_shielded(t);
    if (!leat_load_relaxed(&state.cut)) return LEAT_OK;
    leat_err err = leat_i_task_check(t);
    return err != LEAT_OK ? err : LEAT_CANCELED;
}
