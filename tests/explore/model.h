/* model.h: what the files of the explorer offer each other. */
#ifndef EXPLORE_MODEL_H
#define EXPLORE_MODEL_H

#include "explore.h"

#include "base/os.h"
#include "sched/fiber.h"

enum {
    THREADS_MAX = 8,
    KEYS_MAX = 2,
    LOCATIONS_MAX = 2048,
    STACK_BYTES = 256 * 1024,
    STEPS_MAX = 200000 /* of one execution: more is a livelock */
};

/*
 * What a thread has to respect. at: for each location the oldest store that it may still see, by its place in the modification order.
 * clock: for each thread how much of it happened before.
 */
typedef struct view {
    uint32_t at[LOCATIONS_MAX];
    uint32_t clock[THREADS_MAX];
} view;

/* A view that travels with a store or a mutex, as long as it was when it was made. */
typedef struct view_copy {
    uint32_t locations;
    uint32_t clock[THREADS_MAX];
    uint32_t at[];
} view_copy;

enum thread_state {
    THREAD_NONE,
    THREAD_READY,
    THREAD_FUTEX,
    THREAD_MUTEX,
    THREAD_COND,
    THREAD_JOIN,
    THREAD_FLAG,
    THREAD_POLL,
    THREAD_SETTLE,
    THREAD_ENDED
};

typedef struct thread {
    enum thread_state state;
    unsigned number;
    bool yielded; /* it has paused, and others go first */
    bool timed_out;
    void (*fn)(void *arg);
    void *arg;
    const void *waits_for;
    uint32_t waits_value;
    int64_t until_ns;
    view now;     /* what the thread has to respect */
    view acquire; /* now, and what its relaxed loads have seen: an acquire fence makes it so */
    view release; /* what it had seen at its last release fence */
    leat_i_fiber fiber;
    int error; /* its errno */
    void *value[KEYS_MAX];
    char *stack;
    unsigned char tls[512];
} thread;

/* threads.c */
extern thread *explore_me;
extern thread explore_thread[THREADS_MAX];
extern unsigned explore_thread_count;
extern int64_t explore_now_ns;
bool explore_execute(const explore_case *c); /* one execution; false = it has failed */
void explore_point(void);                    /* another thread may go on here */
void explore_block(enum thread_state state, const void *object, uint32_t value, int64_t until_ns);
void explore_ready(thread *t);
void explore_yield(void);
bool explore_is_tls(const void *p);
void explore_threads_init(void);

/* choice.c */
enum choice { CHOICE_FREE, CHOICE_SWITCH, CHOICE_STALE };
unsigned explore_choose(unsigned n, enum choice kind); /* 0 .. n - 1; 0 is what happens by itself */
bool explore_may(enum choice kind);                    /* whether the bound still allows one of the kind */
int explore_search(const explore_case *c, const explore_bound *bound);
int explore_replay(const explore_case *c, const char *choices);
extern bool explore_tracing;
extern const void *explore_caller; /* who has called the model */
extern const char __executable_start[];
void explore_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* memory.c: values of up to 64 bits, orders as in <stdatomic.h>. */
void explore_memory_reset(void);
uint64_t explore_load(void *p, unsigned bytes, int order);
void explore_store(void *p, unsigned bytes, uint64_t value, int order);
enum update { UPDATE_EXCHANGE, UPDATE_ADD, UPDATE_SUB, UPDATE_AND, UPDATE_OR, UPDATE_XOR };
uint64_t explore_update(void *p, unsigned bytes, enum update what, uint64_t value, int order);
/* Gives what was read; it is a success when that is `expected`, and *done says so. */
uint64_t explore_cas(void *p, unsigned bytes, uint64_t expected, uint64_t value, int order, int fail_order, bool weak,
                     bool *done);
void explore_fence(int order);
void explore_forget(const void *p, size_t bytes); /* plain stores make atomic objects anew */
view_copy *explore_view_give(thread *t);          /* release: what `t` has done happens before who takes it */
void explore_view_take(thread *t, const view_copy *v);
void explore_view_inherit(thread *child, thread *parent);

/* race.c: plain accesses, and the heap of one execution. */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC_READ, ACCESS_ATOMIC_WRITE, ACCESS_KINDS };
void explore_race_reset(void);
void explore_access(const void *p, size_t bytes, enum access kind);
void *explore_alloc(size_t alignment, size_t bytes);
void explore_free(void *p);
void *explore_scratch(size_t bytes); /* the model's own, until the end of the execution */

/*
 * sites.c: where an atomic operation stands, by the address that its call returns to, counted from __executable_start. A site may be made
 * weaker than its source says: without its place in the order of all that is sequentially consistent, its acquire or its release.
 */
int explore_order(const void *caller, int order); /* what is left of it; `caller` is who calls the model now */
bool explore_sites_weaken(const char *list);
void explore_sites_print(void); /* those that came up */

/* doors.c */
void explore_doors_reset(void);
void explore_keys_end(thread *t); /* at the end of a thread, on it */

/* descriptors.c */
void explore_descriptors_reset(void);

#endif
