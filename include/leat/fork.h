/*
 * leat/fork.h: parallel work of C code that does not wait: loops over ranges, and functions that fork and join.
 *
 * The callbacks here are plain: they get no task, so they can call nothing that suspends; the task of who waits for them is refused
 * in them, as it is wherever it does not run. What is forked is joined newest first, by
 * the function that forked it; most of it is never stolen, and then a fork and its join cost little more than the call.
 *
 * Two tiers. leat_fork_spawn takes a function pointer. LEAT_FORK_1 and its like define a function whose forks the compiler sees: about
 * half the price, arguments and results by value.
 *
 * Source: loops after Tzannes, Caragea, Barua, Vishkin, "Lazy binary-splitting" (PPoPP 2010), with timed blocks of our own, so that no
 * grain is needed; forks after van Dijk, van de Pol, "Lace: non-blocking split deque for work-stealing" (Euro-Par 2014 workshops), and
 * Wagner, Calder, "Leapfrogging" (PPoPP 1993).
 */
#ifndef LEAT_FORK_H
#define LEAT_FORK_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Works on the indices begin .. end - 1. Runs on any worker, in parallel with other ranges of the same loop. */
typedef void (*leat_range_fn)(void *arg, size_t begin, size_t end);

/**
 * Calls `fn` on ranges that together cover 0 .. count - 1, each index exactly once, on all workers that are free.
 *
 * Suspends: yes, until every range is done; a cancel stops handing out ranges, those begun are waited for.
 * Threads:  from the task `t` only.
 * Owns:     `arg` is borrowed during the call.
 * Shape:    `fn` gets `arg` and a range; ranges do not overlap.
 * Units:    no grain is needed: a range is split in half when a worker is hungry, else run in blocks timed to some 20 us.
 * Errors:   LEAT_CANCELED or LEAT_TIMEOUT when not all indices were covered; LEAT_USAGE without `fn`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_for(leat_task *t, size_t count, leat_range_fn fn, void *arg);

/* ---- fork and join ---- */

typedef struct leat_fork leat_fork; /* what a worker has forked and not joined yet; handed down from call to call */

/* Work that may be forked. What it has forked itself and not joined is joined when it returns. */
typedef void (*leat_fork_fn)(leat_fork *f, void *arg);

/**
 * Calls `fn(f, arg)`, which may fork, and so may all that it forks.
 *
 * Suspends: yes, inside joins, while another worker has not finished what it took; the gate of a prep or post stays closed.
 * Threads:  from the task `t` only, and not from within what is forked.
 * Owns:     `arg` is borrowed during the call.
 * Shape:    `fn` gets what to fork with, and `arg`; it runs on this worker, what it forks on any.
 * Errors:   LEAT_CANCELED or LEAT_TIMEOUT when `t` was stopped before; LEAT_NOMEM; LEAT_USAGE without `fn`, or when nested. `fn` was
 *           not called then. What has begun is not stopped by a cancel.
 */
LEAT_API LEAT_MUST_USE leat_err leat_fork_run(leat_task *t, leat_fork_fn fn, void *arg);

/**
 * Forks: `fn(f, arg)` may run on another worker from now on; if none comes, it runs here, at its join.
 *
 * Suspends: no.
 * Threads:  from the function that was given `f`, on its thread.
 * Owns:     `arg` is borrowed until the join.
 * Shape:    `fn` gets the leat_fork of the worker that runs it, and `arg`. It may be called directly, too, as `fn(f, arg)`, if it joins all
 *           that it forks.
 */
LEAT_INLINE void leat_fork_spawn(leat_fork *f, leat_fork_fn fn, void *arg);

/**
 * Joins the newest fork of this function that is not joined yet: it has returned when this returns.
 *
 * Suspends: as leat_fork_run.
 * Threads:  from the function that was given `f`, on its thread.
 * Errors:   without a fork that is not joined yet it ends the program with a sentence.
 */
LEAT_INLINE void leat_fork_sync(leat_fork *f);

/*
 * The inline tier.
 *
 *     LEAT_FORK_1(long, fib, int, n)
 *     {
 *         if (n < 2) return n;
 *         LEAT_SPAWN(fib, n - 1);
 *         long b = LEAT_CALL(fib, n - 2);
 *         return b + LEAT_SYNC(fib);
 *     }
 *
 * defines `leat_err fib_run(leat_task *t, long *result, int n)`, to be called from a task as leat_fork_run is. Inside such functions
 * LEAT_SPAWN forks, LEAT_SYNC(name) joins the newest fork and gives its result (so `name` must be what was forked last), LEAT_CALL
 * calls. Each function joins all that it forks before it returns, and forks and joins in statements of their own: C does not say which
 * of two LEAT_SYNC in one expression comes first. LEAT_FORK_1 to LEAT_FORK_4 take the result's type, the name, and
 * pairs of type and parameter; LEAT_FORK_VOID_1 to LEAT_FORK_VOID_4 are without result. Parameters together, and the result, are at
 * most LEAT_FORK_BYTES_MAX bytes.
 */

/* ---- what a fork is made of; it may change ---- */

#define LEAT_FORK_BYTES_MAX 48

typedef struct leat_fork_slot leat_fork_slot;

struct leat_fork_slot {
    void (*run)(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot); /* reads `data`, calls, leaves the result there */
    uintptr_t state; /* see src/sched/fork.c; 0 = nobody has taken it */
    char data[LEAT_FORK_BYTES_MAX];
};

struct leat_fork {
    leat_fork_slot *split; /* slots below may be taken by others; those from here on are this worker's alone */
    leat_fork_slot *end;   /* what is forked from here on runs at once */
    leat_fork_slot *head;  /* next free slot, of the tier without macros; */
    leat_fork_slot *floor; /* and where it was when the running function began */
    uint32_t attention;    /* somebody is hungry, or the shared part is empty: atomic, written by any worker */
};

/**
 * Begins what leat_fork_run begins, for the functions that the macros define; leat_fork_leave ends it.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     `*out` belongs to the runtime; it is good until leat_fork_leave.
 * Errors:   as leat_fork_run.
 */
LEAT_API LEAT_MUST_USE leat_err leat_fork_enter(leat_task *t, leat_fork **out);

/**
 * Ends what leat_fork_enter began; all forks are joined.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 */
LEAT_API void leat_fork_leave(leat_task *t, leat_fork *f);

/**
 * Gives slots below `top` to others, after a fork that found `attention` set.
 *
 * Suspends: no.
 * Threads:  the one that `f` runs on.
 */
LEAT_API void leat_fork_publish(leat_fork *f, leat_fork_slot *top);

/**
 * Joins `slot`, when it may have been taken or `attention` is set.
 *
 * Suspends: as leat_fork_run.
 * Threads:  the one that `f` runs on.
 * Owns:     the slot that holds the result is good until the next fork; NULL = nobody took it: the caller runs it. A `slot` of NULL
 *           (there is none to join) ends the program with a sentence.
 * Errors:   none.
 */
LEAT_API leat_fork_slot *leat_fork_join(leat_fork *f, leat_fork_slot *slot);

/**
 * Runs the fork in `slot`, which leat_fork_spawn has made, with `head` as the first free slot.
 *
 * Suspends: as leat_fork_run.
 * Threads:  the one that `f` runs on.
 */
LEAT_API void leat_fork_call(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot);

/**
 * Runs a fork for which there is no slot, at once; its result waits for leat_fork_join.
 *
 * Suspends: as leat_fork_run.
 * Threads:  the one that `f` runs on.
 * Owns:     `slot` is copied.
 */
LEAT_API void leat_fork_full(leat_fork *f, leat_fork_slot *head, const leat_fork_slot *slot);

/* True = `f` wants to be looked at. Relaxed: a hint, seen now or at the next fork. */
#define LEAT_I_FORK_ATTENTION(f) __builtin_expect(__atomic_load_n(&(f)->attention, __ATOMIC_RELAXED) != 0, 0)

static inline void leat_i_fork_fill(leat_fork_slot *slot, void (*run)(leat_fork *, leat_fork_slot *, leat_fork_slot *),
                                    const void *in, size_t bytes)
{
    slot->run = run;
    slot->state = 0;
    __builtin_memcpy(slot->data, in, bytes);
}

static inline void leat_i_fork_push(leat_fork *f, leat_fork_slot *head,
                                    void (*run)(leat_fork *, leat_fork_slot *, leat_fork_slot *), const void *in,
                                    size_t bytes)
{
    if (__builtin_expect(head >= f->end, 0)) {
        leat_fork_slot slot;
        leat_i_fork_fill(&slot, run, in, bytes);
        leat_fork_full(f, head, &slot);
        return;
    }
    leat_i_fork_fill(head, run, in, bytes);
    if (LEAT_I_FORK_ATTENTION(f)) leat_fork_publish(f, head + 1);
}

#ifdef __cplusplus
#define LEAT_I_NULL nullptr /* NULL draws a warning where C++ is compiled strictly */
#else
#define LEAT_I_NULL NULL
#endif

/* NULL = nobody has taken it: the caller runs it. */
static inline leat_fork_slot *leat_i_fork_pop(leat_fork *f, leat_fork_slot *slot)
{
    if (__builtin_expect(slot >= f->split, 1) && !LEAT_I_FORK_ATTENTION(f)) return LEAT_I_NULL;
    return leat_fork_join(f, slot);
}

/* ---- the tier without macros ---- */

struct leat_i_fork_call {
    leat_fork_fn fn;
    void *arg;
};

static inline void leat_i_fork_run(leat_fork *f, leat_fork_slot *head, leat_fork_fn fn, void *arg)
{
    leat_fork_slot *floor = f->floor;
    f->head = f->floor = head;
    fn(f, arg);
    while (__builtin_expect(f->head != head, 0))
        leat_fork_sync(f);
    f->floor = floor;
}

LEAT_INLINE void leat_fork_spawn(leat_fork *f, leat_fork_fn fn, void *arg)
{
    struct leat_i_fork_call in = { fn, arg };
    leat_fork_slot *head = f->head;
    leat_i_fork_push(f, head, leat_fork_call, &in, sizeof in);
    f->head = head + 1;
}

LEAT_INLINE void leat_fork_sync(leat_fork *f)
{
    leat_fork_slot *slot = f->head - 1;
    if (__builtin_expect(f->head == f->floor, 0)) slot = leat_fork_join(f, LEAT_I_NULL); /* does not come back */
    if (!leat_i_fork_pop(f, slot)) {
        struct leat_i_fork_call in;
        __builtin_memcpy(&in, slot->data, sizeof in);
        leat_i_fork_run(f, slot, in.fn, in.arg);
    }
    f->head = slot;
}

/* ---- how the inline tier is done ---- */

#define LEAT_I_FORK_LIST(...) __VA_ARGS__
#define LEAT_I_FORK_BODY      leat_fork *leat_f __attribute__((unused)), leat_fork_slot *leat_head __attribute__((unused))
#define LEAT_I_FORK_FN        static inline __attribute__((unused))

/* `fields` declares the parameters, `params` lists them with their types, `names` without, `in_names` as fields of `in`; `give` is
 * `return`, or nothing where there is no result. */
#define LEAT_I_FORK(type, give, name, fields, params, names, in_names)                                      \
    struct leat_##name##_in {                                                                               \
        fields                                                                                              \
    };                                                                                                      \
    typedef char leat_##name##_fits[sizeof(struct leat_##name##_in) <= LEAT_FORK_BYTES_MAX ? 1 : -1];       \
    static type leat_##name##_body(LEAT_I_FORK_BODY, params);                                               \
    LEAT_I_FORK_FN type leat_##name##_apply(leat_fork *f, leat_fork_slot *head, const leat_fork_slot *slot) \
    {                                                                                                       \
        struct leat_##name##_in in;                                                                         \
        __builtin_memcpy(&in, slot->data, sizeof in);                                                       \
        give leat_##name##_body(f, head, in_names);                                                         \
    }                                                                                                       \
    static void leat_##name##_stolen(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot);             \
    LEAT_I_FORK_FN void leat_##name##_spawn(leat_fork *leat_f, leat_fork_slot *leat_head, params)           \
    {                                                                                                       \
        struct leat_##name##_in leat_in = { names };                                                        \
        leat_i_fork_push(leat_f, leat_head, leat_##name##_stolen, &leat_in, sizeof leat_in);                \
    }

#define LEAT_I_FORK_TYPED(type, name, fields, params, names, in_names)                                                 \
    typedef char leat_##name##_result_fits[sizeof(type) <= LEAT_FORK_BYTES_MAX ? 1 : -1];                              \
    LEAT_I_FORK(type, return, name, LEAT_I_FORK_LIST(fields), LEAT_I_FORK_LIST(params), LEAT_I_FORK_LIST(names),       \
                LEAT_I_FORK_LIST(in_names))                                                                            \
    static __attribute__((unused)) void leat_##name##_stolen(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot) \
    {                                                                                                                  \
        type out = leat_##name##_apply(f, head, slot);                                                                 \
        __builtin_memcpy(slot->data, &out, sizeof out);                                                                \
    }                                                                                                                  \
    LEAT_I_FORK_FN type leat_##name##_sync(leat_fork *f, leat_fork_slot *slot)                                         \
    {                                                                                                                  \
        const leat_fork_slot *taken = leat_i_fork_pop(f, slot);                                                        \
        if (__builtin_expect(!taken, 1)) return leat_##name##_apply(f, slot, slot);                                    \
        type out;                                                                                                      \
        __builtin_memcpy(&out, taken->data, sizeof out);                                                               \
        return out;                                                                                                    \
    }                                                                                                                  \
    __attribute__((always_inline)) LEAT_I_FORK_FN type leat_##name##_join(leat_fork *f, leat_fork_slot **leat_top)     \
    {                                                                                                                  \
        return leat_##name##_sync(f, --*leat_top);                                                                     \
    }                                                                                                                  \
    LEAT_I_FORK_FN LEAT_MUST_USE leat_err name##_run(leat_task *leat_t, type *leat_result, params)                     \
    {                                                                                                                  \
        leat_fork *leat_f;                                                                                             \
        LEAT_TRY(leat_fork_enter(leat_t, &leat_f));                                                                    \
        type leat_out = leat_##name##_body(leat_f, leat_f->head, names);                                               \
        leat_fork_leave(leat_t, leat_f);                                                                               \
        if (leat_result) *leat_result = leat_out;                                                                      \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    static type leat_##name##_body(LEAT_I_FORK_BODY, params)

#define LEAT_I_FORK_VOID(name, fields, params, names, in_names)                                                        \
    LEAT_I_FORK(void, , name, LEAT_I_FORK_LIST(fields), LEAT_I_FORK_LIST(params), LEAT_I_FORK_LIST(names),             \
                LEAT_I_FORK_LIST(in_names))                                                                            \
    static __attribute__((unused)) void leat_##name##_stolen(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot) \
    {                                                                                                                  \
        leat_##name##_apply(f, head, slot);                                                                            \
    }                                                                                                                  \
    LEAT_I_FORK_FN void leat_##name##_sync(leat_fork *f, leat_fork_slot *slot)                                         \
    {                                                                                                                  \
        if (__builtin_expect(!leat_i_fork_pop(f, slot), 1)) leat_##name##_apply(f, slot, slot);                        \
    }                                                                                                                  \
    __attribute__((always_inline)) LEAT_I_FORK_FN void leat_##name##_join(leat_fork *f, leat_fork_slot **leat_top)     \
    {                                                                                                                  \
        leat_##name##_sync(f, --*leat_top);                                                                            \
    }                                                                                                                  \
    LEAT_I_FORK_FN LEAT_MUST_USE leat_err name##_run(leat_task *leat_t, params)                                        \
    {                                                                                                                  \
        leat_fork *leat_f;                                                                                             \
        LEAT_TRY(leat_fork_enter(leat_t, &leat_f));                                                                    \
        leat_##name##_body(leat_f, leat_f->head, names);                                                               \
        leat_fork_leave(leat_t, leat_f);                                                                               \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    static void leat_##name##_body(LEAT_I_FORK_BODY, params)

#define LEAT_SPAWN(name, ...) (leat_##name##_spawn(leat_f, leat_head, __VA_ARGS__), (void)leat_head++)
#define LEAT_SYNC(name)       leat_##name##_join(leat_f, &leat_head)
#define LEAT_CALL(name, ...)  leat_##name##_body(leat_f, leat_head, __VA_ARGS__)

/* clang-format off */
#define LEAT_FORK_1(type, name, t1, p1) \
    LEAT_I_FORK_TYPED(type, name, LEAT_I_FORK_LIST(t1 p1;), LEAT_I_FORK_LIST(t1 p1), \
        LEAT_I_FORK_LIST(p1), LEAT_I_FORK_LIST(in.p1))
#define LEAT_FORK_2(type, name, t1, p1, t2, p2) \
    LEAT_I_FORK_TYPED(type, name, LEAT_I_FORK_LIST(t1 p1; t2 p2;), LEAT_I_FORK_LIST(t1 p1, t2 p2), \
        LEAT_I_FORK_LIST(p1, p2), LEAT_I_FORK_LIST(in.p1, in.p2))
#define LEAT_FORK_3(type, name, t1, p1, t2, p2, t3, p3) \
    LEAT_I_FORK_TYPED(type, name, LEAT_I_FORK_LIST(t1 p1; t2 p2; t3 p3;), \
        LEAT_I_FORK_LIST(t1 p1, t2 p2, t3 p3), LEAT_I_FORK_LIST(p1, p2, p3), LEAT_I_FORK_LIST(in.p1, in.p2, in.p3))
#define LEAT_FORK_4(type, name, t1, p1, t2, p2, t3, p3, t4, p4) \
    LEAT_I_FORK_TYPED(type, name, LEAT_I_FORK_LIST(t1 p1; t2 p2; t3 p3; t4 p4;), \
        LEAT_I_FORK_LIST(t1 p1, t2 p2, t3 p3, t4 p4), LEAT_I_FORK_LIST(p1, p2, p3, p4), \
        LEAT_I_FORK_LIST(in.p1, in.p2, in.p3, in.p4))
#define LEAT_FORK_VOID_1(name, t1, p1) \
    LEAT_I_FORK_VOID(name, LEAT_I_FORK_LIST(t1 p1;), LEAT_I_FORK_LIST(t1 p1), LEAT_I_FORK_LIST(p1), \
        LEAT_I_FORK_LIST(in.p1))
#define LEAT_FORK_VOID_2(name, t1, p1, t2, p2) \
    LEAT_I_FORK_VOID(name, LEAT_I_FORK_LIST(t1 p1; t2 p2;), LEAT_I_FORK_LIST(t1 p1, t2 p2), \
        LEAT_I_FORK_LIST(p1, p2), LEAT_I_FORK_LIST(in.p1, in.p2))
#define LEAT_FORK_VOID_3(name, t1, p1, t2, p2, t3, p3) \
    LEAT_I_FORK_VOID(name, LEAT_I_FORK_LIST(t1 p1; t2 p2; t3 p3;), \
        LEAT_I_FORK_LIST(t1 p1, t2 p2, t3 p3), LEAT_I_FORK_LIST(p1, p2, p3), LEAT_I_FORK_LIST(in.p1, in.p2, in.p3))
#define LEAT_FORK_VOID_4(name, t1, p1, t2, p2, t3, p3, t4, p4) \
    LEAT_I_FORK_VOID(name, LEAT_I_FORK_LIST(t1 p1; t2 p2; t3 p3; t4 p4;), \
        LEAT_I_FORK_LIST(t1 p1, t2 p2, t3 p3, t4 p4), LEAT_I_FORK_LIST(p1, p2, p3, p4), \
        LEAT_I_FORK_LIST(in.p1, in.p2, in.p3, in.p4))
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
