/*
 * stack.h: pooled, guarded stacks. The head of a stack is the waiter that others wake (sched.h): it stands apart from the stack's
 * memory, and neither is given back before the runtime dies.
 */
#ifndef LEAT_I_STACK_H
#define LEAT_I_STACK_H

#include "fiber.h"
#include "sched.h"

typedef struct leat_i_worker leat_i_worker;

/* What guards the low end of a stack: a run past it faults, or is at least noticed when the stack goes back. */
typedef enum leat_i_guard { LEAT_I_GUARD_LIGHT, LEAT_I_GUARD_MPROTECT, LEAT_I_GUARD_CANARY } leat_i_guard;

/* One cache line: whoever wakes a stack, and whoever takes one, touches this line of it and no other. */
struct leat_i_waiter {
    _Alignas(64) LEAT_ATOMIC(uint32_t) token; /* park.c */
    uint8_t guard;                            /* leat_i_guard */
    bool clean;                               /* its pages were given back since the last use */
    leat_i_worker *home;                      /* written when it is taken; stable until it is given back */
    leat_i_waiter *link;                      /* it is in one list at most: ready, inbox, or pool */
    leat_i_timer timer;                       /* in the home worker's heap while parked with a limit */
    union {
        leat_task *task;      /* taken: what runs on it, for the overflow message; home worker only */
        leat_i_waiter *batch; /* the first of a batch in the pool: the first of the next one */
    };
    char *low; /* lowest usable byte; the guard lies below */
    leat_i_fiber fiber;
};

#define LEAT_I_STACK_BATCH 64u

/* Stacks come in slabs, each one reservation. Lists: a LIFO per worker (no lock), and two for all, of whole batches, under `mutex`. */
typedef struct leat_i_stack_pool {
    pthread_mutex_t mutex;
    struct leat_i_slab *slab; /* newest first, and only that one has stacks that were never handed out; guarded by mutex */
    leat_i_waiter *spare;     /* batches given back by workers that had too many; guarded by mutex */
    leat_i_waiter *cold;      /* batches whose pages were given back; guarded by mutex */
    uint32_t stack_bytes;     /* usable bytes of each */
    uint32_t guard_bytes;
    uint32_t stride_bytes;
    uint32_t mprotect_left; /* guards that may still be made by mprotect; guarded by mutex */
    leat_i_guard guard;     /* what new slabs get; guarded by mutex */
} leat_i_stack_pool;

typedef struct leat_i_stack_cache { /* of one worker */
    leat_i_waiter *list;
    leat_i_waiter *full; /* one more batch, whole; or NULL */
    uint32_t count;      /* in `list`: a batch at most */
    /* By the worker, and not given back: it has room for so many timers. Only the worker writes it; others compare it with their own. */
    LEAT_ATOMIC(uint32_t) taken;
    bool used; /* one was given back since the last trim */
} leat_i_stack_cache;

#define LEAT_I_STACK_BYTES_MIN 16384u

int leat_i_stack_pool_init(leat_i_stack_pool *p, uint32_t stack_bytes); /* 0 or -errno */
void leat_i_stack_pool_fini(leat_i_stack_pool *p);                      /* all workers have ended */
const char *leat_i_stack_pool_guard_name(const leat_i_stack_pool *p);
/* Makes sure that `w` has a stack at hand, and room for its timer; false = memory is short. */
bool leat_i_stack_fill(leat_i_worker *w);
/* Gives a stack for `w`, with room for its timer; its fiber is not made yet. NULL when memory is short. */
leat_i_waiter *leat_i_stack_take(leat_i_worker *w);
/* Takes back a stack of `w` that nobody runs on. */
void leat_i_stack_give(leat_i_worker *w, leat_i_waiter *s);
/* Gives pages of idle stacks back, those that `w` has beyond the first few, and of a batch of the spare ones; true = there may be
 * more to give. */
bool leat_i_stack_trim(leat_i_worker *w);
/* Calls fn for every stack there ever was. */
void leat_i_stack_pool_each(leat_i_stack_pool *p, void (*fn)(leat_i_waiter *s));

void leat_i_stack_put_canary(leat_i_waiter *s);
bool leat_i_stack_canary_holds(const leat_i_waiter *s);

#endif
