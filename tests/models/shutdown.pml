/*
 * shutdown.pml: a thread submits tasks, then waits for each, lets it go early, or forgets it, and frees the runtime: everything ends.
 *
 * A task that has begun parks until it is canceled, or ends by itself. Steps as in src/sched: handle.c (`done`, `watched`, `busy`), park.c
 * (the token; `parked` and `canceled`), runtime.c (`roots`, `canceling`, `stop`); workers as in idle.pml. A task has a stack of its own here.
 *
 * What must hold: a task ends once, before its handle is given back and before the runtime is gone; nobody is woken by what is
 * gone; at the end all processes have ended.
 */
#ifndef N
#define N 2
#endif
#ifndef TASKS
#define TASKS 2
#endif

#define EMPTY    0
#define PARKED   1
#define NOTIFIED 2

#define FRESH 0
#define LEFT  1 /* its stack is parked, or on its way to its home */
#define ENDED 2

typedef task {
    byte phase, token, home, busy;
    bool queued, in_inbox; /* which of those counted in `inject`, a deque, an inbox it is */
    bool canceled, parked, done, watched, free_waits, gone;
};
task task_of[TASKS];
byte roots;
bool canceling, runtime_gone;
byte asleep; /* on which word the thread outside sleeps */
byte joined; /* workers that have ended */

inline run_stolen()
{
    skip
}

#define T task_of[t]

/* The words that the thread outside may sleep on: of each task two, and `roots`. */
#define STATE_OF(k) (1 + (k))
#define BUSY_OF(k)  (1 + TASKS + (k))
#define ROOTS       (1 + 2 * TASKS)

/* A futex: it sleeps only if the word is still as it was seen, and until somebody wakes this very word. */
inline sleep_on(word, unchanged)
{
    atomic {
        if
        :: unchanged -> asleep = word
        :: else
        fi
    }
    asleep == 0
}

inline wake_word(word)
{
    atomic {
        if
        :: asleep == word -> asleep = 0
        :: else
        fi
    }
}

/* By a worker or from outside: `inbox` counts, `in_inbox` tells who. */
/*@ park.c: leat_i_unpark 22d053dc */
inline unpark(k)
{
    atomic { /*@ exchange_acq_rel token */
        was_parked = task_of[k].token == PARKED;
        task_of[k].token = NOTIFIED
    }
    if
    :: was_parked ->
        /*@ load_relaxed inbox: what the CAS expects */ /*@ cas_weak_release inbox */
        atomic { was_parked = inbox[task_of[k].home] == 0; task_of[k].in_inbox = true; inbox[task_of[k].home]++ }
        if
        :: was_parked ->
            was_parked = false;
            wake_home(task_of[k].home) /*@ call leat_i_worker_wake */
        :: else /* who found the inbox empty wakes for all who follow */
        fi
    :: else
    fi
}

/*@ handle.c: handle_ended ebbef8ff */
inline end_task()
{
    atomic { /*@ or_seq_cst state */
        assert(!T.done && !T.gone && !runtime_gone);
        T.phase = ENDED;
        T.done = true
    }
    if
    :: T.watched -> wake_word(STATE_OF(t)) /*@ call leat_i_os_futex_wake */
    :: else
    fi;
    /*@ load_seq_cst fd: no descriptors */
    /*@ call handle_leave: in line */
    /*@ handle.c: handle_leave c3d76e55 */
    /*@ call leat_i_runtime_root_ended: in line */
    /*@ runtime.c: leat_i_runtime_root_ended d06deb6f */
#ifdef ENDED_LOOKS_FIRST
    seen = canceling;
    atomic { roots--; won = roots == 0 }
#else
    atomic { roots--; won = roots == 0 } /*@ sub_seq_cst roots */
    seen = canceling; /*@ load_seq_cst canceling */
#endif
    if
    :: won && seen -> wake_word(ROOTS) /*@ call leat_i_os_futex_wake */
    :: else
    fi;
    /*@ handle.c: handle_leave */
    atomic { /*@ sub_acq_rel busy */
        won = false;
        seen = false;
        assert(!T.gone);
        T.busy--;
        seen = T.free_waits
    }
    if
#ifndef LEAVER_WAKES_NOBODY
    :: seen -> seen = false; wake_word(BUSY_OF(t)) /*@ call leat_i_os_futex_wake */ /* Gone by now, maybe: then it wakes nobody. */
#endif
    :: else -> seen = false
    fi
}

/* Again and again: until the stack is left, or the task has ended. It comes in where a stack goes on. */
/*@ park.c: leat_i_park 5716d340 */
inline go_on()
{
    if
    :: T.phase == LEFT -> T.token = EMPTY; T.parked = false
    :: else
    fi;
    do
    :: T.canceled || canceling -> end_task(); break /*@ call task_has_stop */
    :: else ->
        if
        :: atomic { T.token == NOTIFIED -> T.token = EMPTY } /*@ call token_consume */
        :: else ->
            T.parked = true; /*@ store_seq_cst parked */
            if
#ifndef PARK_DOES_NOT_LOOK
            :: T.canceled -> T.parked = false /*@ load_seq_cst stop */
#endif
            :: else ->
                /*@ call stack_park: in line */
                /*@ store_relaxed parked: in line */
                /*@ call task_has_stop: the first of the next round */
                /*@ park.c: stack_park 0a5baf8d */
                atomic { /*@ cas_acq_rel token */ /*@ exchange_acquire token: where it goes on */
                    T.home = id;
                    if
                    :: T.token == EMPTY -> T.token = PARKED; T.phase = LEFT; seen = true
                    :: else -> T.token = EMPTY; T.parked = false
                    fi
                }
                if
                :: seen -> seen = false; break
                :: else
                fi
            fi
        fi
    od
}

inline run_fresh()
{
    atomic {
        do
        :: !T.queued -> t++
        :: else -> break
        od;
        T.queued = false;
        assert(T.phase == FRESH)
    }
    if
    :: T.canceled || canceling -> end_task() /* It does not begin. */
    :: else ->
        if
        :: skip -> end_task() /* by itself */
        :: skip -> go_on()
        fi
    fi;
    t = 0
}

inline run_inbox()
{
    do
    :: count == 0 -> break
    :: else ->
        atomic {
            do
            :: !T.in_inbox || T.home != id -> t++
            :: else -> break
            od;
            T.in_inbox = false;
            count--
        }
        go_on();
        t = 0
    od
}

#define WITH_INBOX
#include "idle.pml"

proctype worker(byte id)
{
    byte u, v, count, bits, t;
    bool won, sees, is_searching, stolen, fresh, many, seen;
    loop();
    assert(!runtime_gone);
    joined++
}

/*@ handle.c: handle_watch a8270e40 */
inline wait_for()
{
    do
    :: T.done -> break /*@ call leat_handle_is_done */
    :: else ->
        atomic { T.watched = true; seen = T.done } /*@ or_acquire state */
        if
        :: seen -> seen = false; break
        :: else -> sleep_on(STATE_OF(t), !T.done) /*@ call leat_i_os_futex_wait */
        /*@ call leat_handle_is_done: no limit of time */
        fi
    od
}

/*@ park.c: leat_i_cancel 1c3c8b1e */
inline cancel()
{
    T.canceled = true; /*@ store_seq_cst canceled */
#ifndef CANCEL_DOES_NOT_LOOK
    if
    :: T.parked -> unpark(t) /*@ load_seq_cst parked */ /*@ call leat_i_unpark */
    :: else
    fi
#else
    skip
#endif
}

/* From outside the pool. */
/*@ handle.c: leat_handle_free 19f0c4b8 */
inline give_back()
{
    if
    :: T.done /*@ call leat_handle_is_done */
    :: else -> cancel() /*@ call leat_i_cancel */
    fi;
    /*@ call handle_drop: not inside a task */
    do
    :: T.busy == 0 -> break /*@ load_acquire busy */
    :: else ->
        atomic { T.free_waits = true; seen = T.busy == 0 } /*@ or_acquire busy */
        if
        :: seen -> seen = false; break
        :: else -> sleep_on(BUSY_OF(t), T.busy > 0) /*@ call leat_i_os_futex_wait */
        /*@ load_acquire busy: the first of the next round */
        fi
    od;
    T.gone = true
}

/*@ runtime.c: runtime_end_roots 59e15dd9 */
inline free_runtime()
{
    if
    :: roots > 0 -> /*@ load_acquire roots */ /*@ load_acquire detached: all tasks have handles */
        canceling = true; /*@ store_seq_cst canceling */
#ifndef END_UNPARKS_NOBODY
        do
        :: t < TASKS -> unpark(t); t++ /*@ call leat_i_stack_pool_each */
        :: else -> t = 0; break
        od;
#endif
        do
        /*@ call runtime_wait_zero: in line */ /*@ call runtime_wait_zero: no tasks without handles */
        /*@ runtime.c: runtime_wait_zero 125cb772 */
        :: roots == 0 -> break
        :: atomic { roots > 0 -> bits = roots } /*@ load_seq_cst word */
            sleep_on(ROOTS, roots == bits) /*@ call leat_i_os_futex_wait */
        od;
        bits = 0
    :: else
    fi;
    /*@ runtime.c: runtime_join aa0890fa */
    stop = true; /*@ store_seq_cst stop */
    do
#ifndef STOP_WAKES_NOBODY
    :: t < N -> wake_home(t); t++ /*@ call leat_i_worker_wake */
    :: else -> t = 0; break
#else
    :: break
#endif
    od;
    joined == N;
    runtime_gone = true
}

init {
    byte v, bits, t;
    bool won, was_parked, seen;
    atomic {
        do
        :: t < N -> run worker(t); t++
        :: else -> t = 0; break
        od
    }
    do
    :: t < TASKS ->
        atomic { roots++; T.busy = 1; T.queued = true }
        inject_one();
        t++
    :: else -> t = 0; break
    od;
    do
    :: t < TASKS ->
        if
        :: skip -> give_back()
        :: cancel(); wait_for(); give_back()
        :: skip /* forgotten */
        fi;
        t++
    :: else -> t = 0; break
    od;
    free_runtime()
}

ltl all_ends { (<> runtime_gone) || ([]<> odd_theft && []<> !odd_theft) }
