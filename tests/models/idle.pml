/*
 * idle.pml: how workers look for work, park and are woken, step for step as src/sched/idle.c and the loop of worker.c do it. The models
 * beside it include this file; scripts/check_models runs them.
 *
 * Every access to a shared word is a step of its own, and all steps are sequentially consistent: the model shows that the protocol is
 * right where the fences are, not that the orders between them suffice (docs/runtime.md has those).
 * Time is left out: a search may end at any moment, and a worker that is parked has no timer to wake it.
 *
 * Who includes it defines N, the number of workers, and run_fresh, run_stolen and run_inbox: what a worker does with what it has found.
 */
#define NONE   0
#define INBOX  1
#define SEARCH 2
#ifndef SEARCHERS_MAX
#define SEARCHERS_MAX (N / 2)
#endif

#define BIT(w)     (1 << (w))

byte inject;       /* tasks on the injection list */
byte deque[N];     /* tasks on a worker's deque */
byte inbox[N];     /* stacks that others have woken */
byte idle;         /* the bits of parked workers */
byte searching;
byte wake[N];
bool stop;
bool odd_theft;    /* changes whenever a task is stolen */
#ifdef WITH_FORKS
bool region;    /* worker 0 shows a region of forks */
byte shared;    /* forks that it shares */
bool attention; /* somebody has asked it for more */
#define HAS_SHARED(w) ((w) == 0 && region && shared > 0)
#else
#define HAS_SHARED(w) false
#endif

/* Clears the idle bit of `w`; `won`: it was set, and who has called must signal. */
inline claim(w, won)
{
    atomic {
        won = (idle & BIT(w)) != 0;
        idle = idle & ~BIT(w)
    }
}

inline signal(w, why)
{
    assert(wake[w] == NONE);
    wake[w] = why
}

inline first_bit()
{
    v = 0;
    do
    :: v < N && !(bits & BIT(v)) -> v++
    :: else -> break
    od
}

/* leat_i_runtime_wake_one. The bits are read once. */
inline wake_one()
{
    if
    :: searching > 0
    :: else ->
        atomic { bits = idle; first_bit() }
        do
        :: v == N -> break
        :: else ->
            claim(v, won);
            if
            :: won ->
#ifndef WAKE_UNCOUNTED
                searching++;
#endif
                signal(v, SEARCH);
                break
            :: else -> atomic { bits = bits & ~BIT(v); first_bit() }
            fi
        od;
        atomic { bits = 0; v = 0; won = false }
    fi
}

/* leat_i_worker_wake, after a push to its inbox. */
inline wake_home(w)
{
    claim(w, won);
    if
    :: won -> signal(w, INBOX)
    :: else
    fi;
    won = false
}

/* leat_i_runtime_inject of one task. */
inline inject_one()
{
    atomic {
        won = inject == 0;
        inject++
    }
    if
    :: won -> won = false; wake_one()
    :: else
    fi
}

/* runtime_has_work: one load after the other. */
inline has_work(sees)
{
    atomic { sees = inject > 0; v = 0 }
    do
    :: atomic { !sees && v < N -> sees = deque[v] > 0 || HAS_SHARED(v); v++ }
    :: atomic { sees || v == N -> v = 0; break }
    od
}

inline ask_forks()
{
#ifdef WITH_FORKS
    attention = attention || region
#else
    skip
#endif
}

/* leat_i_worker_found */
inline found()
{
    if
    :: is_searching ->
        atomic {
            is_searching = false;
            assert(searching > 0);
            searching--;
            won = searching == 0
        }
#ifndef FOUND_DOES_NOT_LOOK
        if
        :: won ->
            won = false;
            has_work(sees);
            if
            :: sees -> sees = false; wake_one()
#ifndef FOUND_DOES_NOT_ASK
            :: !sees && idle != 0 -> ask_forks()
#endif
            :: else
            fi
        :: else
        fi
#else
        won = false
#endif
    :: else
    fi
}

/* worker_steal: one victim after the other, its forks first. What was stolen from a deque goes onto the own one in a step of its own. */
inline steal()
{
    u = (id + 1) % N;
    do
    :: sees || u == id -> break
    :: else ->
#ifdef WITH_FORKS
        if
        :: atomic { u == 0 && region && shared > 0 -> shared--; stolen = true; sees = true }
            attention = attention || (shared == 0 && idle != 0)
        :: atomic { u == 0 && region && shared == 0 -> attention = true }
        :: else
        fi;
#endif
        if
        :: atomic { !sees && deque[u] > 0 -> deque[u]--; sees = true; odd_theft = !odd_theft }
            deque[id]++
        :: else
        fi;
        u = (u + 1) % N
    od;
    u = 0
}

/* worker_sees_work */
inline sees_work()
{
#ifdef WITH_INBOX
    sees = inbox[id] > 0;
    if
    :: !sees -> sees = inject > 0
    :: else
    fi;
#else
    sees = inject > 0;
#endif
    steal()
}

/* leat_i_worker_search: `sees` at its end; it may give up whenever it likes. */
inline search()
{
    sees_work();
    if
    :: !sees && !is_searching ->
        if
        :: searching < SEARCHERS_MAX -> atomic { searching++; is_searching = true }
        :: else
        fi
    :: else
    fi;
    do
    :: !sees && is_searching && !stop -> sees_work()
    :: atomic { !sees && is_searching -> is_searching = false; assert(searching > 0); searching--; break }
    :: sees || !is_searching -> break
    od
}

/* leat_i_worker_sleep */
inline sleep()
{
#ifdef BIT_AFTER_THE_LOOK
    has_work(sees);
    idle = idle | BIT(id);
#else
    idle = idle | BIT(id);
#ifdef NO_LAST_LOOK
    sees = false;
#else
    has_work(sees);
#endif
#endif
    if
    :: !sees && inbox[id] == 0 && !stop ->
#ifndef SLEEPER_DOES_NOT_ASK
        ask_forks();
#endif
        wake[id] != NONE /* parked */
    :: else
    fi;
    claim(id, won);
    if
    :: won -> won = false
    :: else ->
        wake[id] != NONE;
        atomic {
            is_searching = is_searching || wake[id] == SEARCH;
            wake[id] = NONE
        }
    fi;
#ifndef LOOKER_IS_NO_SEARCHER
    if
    :: sees && !is_searching -> searching++; is_searching = true
    :: else
    fi;
#endif
    sees = false
}

/* worker_poll: the inbox is looked at in the round; the injection list is taken whole, one push after the other. */
inline poll()
{
    if
    :: deque[id] == 0 && inject > 0 ->
        atomic { count = inject; inject = 0; many = count > 1 }
        do
        :: count > 0 -> deque[id]++; count--
        :: else -> break
        od;
        if
#ifndef MANY_TELLS_NOBODY
        :: many -> many = false; wake_one()
#endif
        :: else -> many = false
        fi
    :: else
    fi
}

/* worker_loop */
inline loop()
{
    do
    :: stolen -> found(); stolen = false; run_stolen()
    :: !stolen && inbox[id] > 0 -> atomic { count = inbox[id]; inbox[id] = 0 } found(); run_inbox(); count = 0
    :: else ->
        atomic {
            if
            :: deque[id] > 0 -> deque[id]--; fresh = true
            :: else
            fi
        }
        if
        :: fresh -> fresh = false; found(); run_fresh()
        :: else ->
            poll();
            if
            :: deque[id] > 0 || inbox[id] > 0
            :: else ->
                sees = false;
                search();
                if
                :: sees -> sees = false
                :: !sees && stop -> break
                :: else -> sleep()
                fi
            fi
        fi
    od;
    found()
}
