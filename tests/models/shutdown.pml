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

/* leat_i_unpark, by a worker or from outside: `inbox` counts, `in_inbox` tells who. */
inline unpark(k)
{
    atomic {
        was_parked = task_of[k].token == PARKED;
        task_of[k].token = NOTIFIED
    }
    if
    :: was_parked ->
        was_parked = false;
        atomic { task_of[k].in_inbox = true; inbox[task_of[k].home]++ }
        wake_home(task_of[k].home)
    :: else
    fi
}

/* handle_ended, handle_leave */
inline end_task()
{
    atomic {
        assert(!T.done && !T.gone && !runtime_gone);
        T.phase = ENDED;
        T.done = true
    }
    if
    :: T.watched -> wake_word(STATE_OF(t))
    :: else
    fi;
#ifdef ENDED_LOOKS_FIRST
    seen = canceling;
    atomic { roots--; won = roots == 0 }
#else
    atomic { roots--; won = roots == 0 }
    seen = canceling;
#endif
    if
    :: won && seen -> wake_word(ROOTS)
    :: else
    fi;
    atomic {
        won = false;
        seen = false;
        assert(!T.gone);
        T.busy--;
        seen = T.free_waits
    }
    if
#ifndef LEAVER_WAKES_NOBODY
    :: seen -> seen = false; wake_word(BUSY_OF(t)) /* Gone by now, maybe: then it wakes nobody. */
#endif
    :: else -> seen = false
    fi
}

/* leat_i_park, again and again: until the stack is left, or the task has ended. */
inline go_on()
{
    if
    :: T.phase == LEFT -> T.token = EMPTY; T.parked = false
    :: else
    fi;
    do
    :: T.canceled || canceling -> end_task(); break
    :: else ->
        if
        :: atomic { T.token == NOTIFIED -> T.token = EMPTY }
        :: else ->
            T.parked = true;
            if
#ifndef PARK_DOES_NOT_LOOK
            :: T.canceled -> T.parked = false
#endif
            :: else ->
                atomic {
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

/* leat_handle_wait */
inline wait_for()
{
    do
    :: T.done -> break
    :: else ->
        atomic { T.watched = true; seen = T.done }
        if
        :: seen -> seen = false; break
        :: else -> sleep_on(STATE_OF(t), !T.done)
        fi
    od
}

/* leat_i_task_cancel */
inline cancel()
{
    T.canceled = true;
#ifndef CANCEL_DOES_NOT_LOOK
    if
    :: T.parked -> unpark(t)
    :: else
    fi
#else
    skip
#endif
}

/* leat_handle_free from outside the pool */
inline give_back()
{
    if
    :: T.done
    :: else -> cancel()
    fi;
    do
    :: T.busy == 0 -> break
    :: else ->
        atomic { T.free_waits = true; seen = T.busy == 0 }
        if
        :: seen -> seen = false; break
        :: else -> sleep_on(BUSY_OF(t), T.busy > 0)
        fi
    od;
    T.gone = true
}

/* leat_runtime_free */
inline free_runtime()
{
    if
    :: roots > 0 ->
        canceling = true;
#ifndef END_UNPARKS_NOBODY
        do
        :: t < TASKS -> unpark(t); t++
        :: else -> t = 0; break
        od;
#endif
        do
        :: roots == 0 -> break
        :: atomic { roots > 0 -> bits = roots }
            sleep_on(ROOTS, roots == bits)
        od;
        bits = 0
    :: else
    fi;
    stop = true;
    do
#ifndef STOP_WAKES_NOBODY
    :: t < N -> wake_home(t); t++
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
