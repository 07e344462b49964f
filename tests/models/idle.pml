/*
 * idle.pml: how workers look for work, park and are woken, step for step as src/sched/idle.c and the loop of worker.c do it. The models
 * beside it include this file; scripts/check_models runs them.
 *
 * Every access to a shared word is a step of its own, and all steps are sequentially consistent: the model shows that the protocol is
 * right where the fences are, not that the orders between them suffice (docs/runtime.md has those).
 * Time is left out: a search may end at any moment, and a worker that is parked has no timer to wake it.
 *
 * What begins with an at sign ties the model to the sources: `FILE: FUNCTION SUM` says which function follows, and stands for its text as it
 * was when somebody last looked; then come its steps, each beside the statement that stands for it, or with a colon and why none does.
 * scripts/check_models compares them.
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
/*@ idle.c: idle_claim 202b0d4d */
/*@ load_relaxed idle: a hint; the bit is cleared or not in one step here */
/*@ add_seq_cst stirred: no virtual clock */
inline claim(w, won)
{
    atomic { /*@ and_seq_cst idle */
        won = (idle & BIT(w)) != 0;
        idle = idle & ~BIT(w)
    }
}

/*@ idle.c: worker_signal 5e97335c */
inline signal(w, why)
{
    assert(wake[w] == NONE);
    wake[w] = why /*@ store_release wake */ /*@ call leat_i_os_futex_wake: who waits looks at the word */
}

inline first_bit()
{
    v = 0;
    do
    :: v < N && !(bits & BIT(v)) -> v++
    :: else -> break
    od
}

/* The bits are read once. */
/*@ idle.c: leat_i_runtime_wake_one 778f7e6b */
/*@ fence_seq_cst: all steps are in order */
inline wake_one()
{
    if
    :: searching > 0 /*@ load_relaxed searching */
    :: else ->
        atomic { bits = idle; first_bit() } /*@ load_relaxed idle */
        do
        :: v == N -> break
        :: else ->
            claim(v, won); /*@ call idle_claim */
            if
            :: won ->
#ifndef WAKE_UNCOUNTED
                searching++; /*@ add_seq_cst searching */
#endif
                signal(v, SEARCH); /*@ call worker_signal */
                break
            :: else -> atomic { bits = bits & ~BIT(v); first_bit() }
            fi
        od;
        atomic { bits = 0; v = 0; won = false }
    fi
}

/* After a push to its inbox. */
/*@ idle.c: leat_i_worker_wake f2b25f6e */
/*@ fence_seq_cst: all steps are in order */
inline wake_home(w)
{
    claim(w, won); /*@ call idle_claim */
    if
    :: won -> signal(w, INBOX) /*@ call worker_signal */
    :: else
    fi;
    won = false
}

/* Of one task. */
/*@ idle.c: leat_i_runtime_inject 1b1f02b1 */
/*@ load_relaxed inject: what the CAS expects */
inline inject_one()
{
    atomic { /*@ cas_weak_release inject */
        won = inject == 0;
        inject++
    }
    if
    :: won -> won = false; wake_one() /*@ call leat_i_runtime_wake_one */
    :: else
    fi
}

/* One load after the other; the bits come first, since those that are parked are passed over. */
/*@ idle.c: runtime_has_work b116ccd7 */
inline has_work(sees)
{
    sees = inject > 0; /*@ load_relaxed inject */
    atomic { bits = idle; v = 0 } /*@ call runtime_awake */
    do
    /*@ call leat_i_deque_is_empty */
    /*@ call leat_i_fork_has_shared */
    :: atomic { !sees && v < N -> sees = !(bits & BIT(v)) && (deque[v] > 0 || HAS_SHARED(v)); v++ }
    :: atomic { sees || v == N -> v = 0; bits = 0; break }
    od
}

/*@ idle.c: runtime_ask_forks 7eb85993 */
inline ask_forks()
{
#ifdef WITH_FORKS
    if
    :: idle & BIT(0) /*@ call runtime_awake */
    :: else -> attention = attention || region /*@ call leat_i_fork_ask */
    fi
#else
    skip
#endif
}

/*@ idle.c: runtime_awake 8c0ab918 */
/*@ load_relaxed idle: in line above, and in found_only */

/*@ idle.c: runtime_pass_on 87814880 */
inline pass_on()
{
    has_work(sees); /*@ call runtime_has_work */
    if
    :: sees -> sees = false; wake_one() /*@ call leat_i_runtime_wake_one */
#ifndef FOUND_DOES_NOT_ASK
    :: !sees && idle != 0 -> ask_forks() /*@ call leat_i_runtime_is_parked */ /*@ call runtime_ask_forks */
#endif
    :: else
    fi
}

/*@ idle.c: search_leave ffac3bb5 */
inline leave()
{
    atomic { /*@ sub_seq_cst searching */
        is_searching = false;
        assert(searching > 0);
        searching--;
        won = searching == 0
    }
}

/*@ idle.c: leat_i_worker_found 0f4adb66 */
inline found()
{
    if
    :: is_searching ->
        leave() /*@ call search_leave */ /*@ fence_seq_cst: all steps are in order */
#ifndef FOUND_DOES_NOT_LOOK
        if
        :: won -> won = false; pass_on() /*@ call runtime_pass_on */
        :: else
        fi
#else
        won = false
#endif
    :: else
    fi
}

/* The injection list, then the bits. */
/*@ idle.c: leat_i_worker_found_only 046d9949 */
inline found_only()
{
    leave() /*@ call search_leave */ /*@ fence_seq_cst: all steps are in order */
#ifdef FOUND_ONLY_DOES_NOT_LOOK
    won = false
#else
    if
    :: won ->
        won = inject > 0; /*@ load_relaxed inject */
        won = won || (idle | BIT(id)) != BIT(N) - 1; /*@ call runtime_awake */
        if
        :: won -> won = false; pass_on() /*@ call runtime_pass_on */
        :: else
        fi
    :: else
    fi
#endif
}

/* Half of what was there when it looked, one after the other; each goes onto the own deque in a step of its own. No model has so many
 * that the limit counts. */
/*@ idle.c: worker_steal_tasks cd09b7b0 */
inline steal_tasks()
{
    count = (deque[u] + 1) / 2; /*@ call leat_i_deque_count */
    do
    :: atomic { count > 0 && deque[u] > 0 -> /*@ call leat_i_deque_steal_thief */
            deque[u]--;
            count--;
            many = sees;
            sees = true;
            odd_theft = !odd_theft
        }
        deque[id]++ /*@ call leat_i_deque_push_owner */ /*@ call leat_i_runtime_inject: there is memory */
    :: atomic { count == 0 || deque[u] == 0 -> count = 0; break }
    od;
    if
#ifndef THIEF_TELLS_NOBODY
    :: many -> many = false; wake_one() /*@ call leat_i_runtime_wake_one */
#endif
    :: else -> many = false
    fi
}

/* One victim after the other, its forks first. */
/*@ idle.c: worker_steal 38a38e90 */
inline steal()
{
    u = (id + 1) % N;
    do
    :: sees || u == id -> break
    :: else ->
#ifdef WITH_FORKS
        if /*@ call leat_i_fork_steal */
        :: atomic { u == 0 && region && shared > 0 -> shared--; stolen = true; sees = true }
            attention = attention || (shared == 0 && idle != 0)
        :: atomic { u == 0 && region && shared == 0 -> attention = true }
        :: else
        fi;
#endif
        if /*@ call worker_steal_tasks */
        :: !sees -> steal_tasks()
        :: else
        fi;
        u = (u + 1) % N
    od;
    u = 0
}

/*@ idle.c: worker_sees_work 4813d921 */
inline sees_work()
{
#ifdef WITH_INBOX
    sees = inbox[id] > 0; /*@ load_relaxed inbox */
    if
    :: !sees -> sees = inject > 0 /*@ load_relaxed inject */
    :: else
    fi;
#else
    sees = inject > 0;
#endif
    steal() /*@ call worker_steal */
}

/*@ idle.c: worker_spin 5e099fa5 */
/*@ load_relaxed stop */
/*@ call worker_sees_work: both in line below */

/* `sees` at its end; it may do without, or give up whenever it likes. */
/*@ idle.c: leat_i_worker_search 38258682 */
inline search()
{
    sees_work(); /*@ call worker_sees_work */
    if
    :: !sees && !is_searching ->
        if
        /*@ load_relaxed searching */
        /*@ add_seq_cst searching */
        :: searching < SEARCHERS_MAX -> atomic { searching++; is_searching = true }
        :: skip
        fi
    :: else
    fi;
    do
    :: !sees && is_searching && !stop -> sees_work() /*@ call worker_spin */
    /*@ sub_seq_cst searching */
    :: atomic { !sees && is_searching -> is_searching = false; assert(searching > 0); searching--; break }
    :: sees || !is_searching -> break
    od
}

/*@ idle.c: leat_i_worker_sleep 5124cffb */
/*@ load_relaxed wake: an assertion */
/*@ store_relaxed next_ns: no timers */
inline sleep()
{
#ifdef BIT_AFTER_THE_LOOK
    has_work(sees);
    idle = idle | BIT(id);
#else
    idle = idle | BIT(id); /*@ or_seq_cst idle */ /*@ fence_seq_cst: all steps are in order */
#ifdef NO_LAST_LOOK
    sees = false;
#else
    has_work(sees); /*@ call runtime_has_work */
#endif
#endif
    if
    :: !sees && inbox[id] == 0 && !stop -> /*@ load_relaxed inbox */ /*@ load_relaxed stop */
#ifndef SLEEPER_DOES_NOT_ASK
        ask_forks(); /*@ call runtime_ask_forks */
#endif
        wake[id] != NONE /*@ call worker_park */
    :: else
    fi;
    claim(id, won); /*@ call idle_claim */
    if
    :: won -> won = false
    :: else ->
        wake[id] != NONE; /*@ call worker_take_signal */ /*@ add_seq_cst stirred: no virtual clock */
        atomic {
            is_searching = is_searching || wake[id] == SEARCH;
            wake[id] = NONE
        }
    fi;
#ifndef LOOKER_IS_NO_SEARCHER
    if
    :: sees && !is_searching -> searching++; is_searching = true /*@ add_seq_cst searching */
    :: else
    fi;
#endif
    sees = false
}

/* One push after the other. */
/*@ worker.c: worker_keep 9599cf48 */
inline keep()
{
    many = count > 1;
    do
    :: count > 0 -> deque[id]++; count-- /*@ call leat_i_deque_push_owner */ /*@ call leat_i_runtime_inject: there is memory */
    :: else -> break
    od;
    if
#ifndef MANY_TELLS_NOBODY
    :: many -> many = false; wake_one() /*@ call leat_i_runtime_wake_one */
#endif
    :: else -> many = false
    fi
}

/*@ worker.c: worker_take_inject f94c9f09 */
/*@ load_relaxed inject: a hint */
/*@ exchange_acquire inject */
#define TAKE_INJECT() atomic { count = inject; inject = 0 }

/* The inbox is looked at in the round. */
/*@ worker.c: worker_poll_inject d8c8ebff */
inline poll()
{
    if
    :: deque[id] == 0 && inject > 0 ->
        TAKE_INJECT() /*@ call worker_take_inject */
        keep() /*@ call worker_keep */
    :: else
    fi
}

/*@ worker.c: worker_begin_woken 51884564 */
inline begin_woken()
{
    if
    :: is_searching ->
        TAKE_INJECT() /*@ call worker_take_inject */
        if
        :: count == 1 -> count = 0; found_only(); run_fresh() /*@ call leat_i_worker_found_only */
        :: else -> keep() /*@ call worker_keep */
        fi
    :: else
    fi
}

/* worker_round stands in it. */
/*@ worker.c: worker_loop 76ead821 */
/*@ call worker_round: in line */
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
            poll(); /*@ call worker_poll */
            if
            :: deque[id] > 0 || inbox[id] > 0 /*@ call leat_i_deque_is_empty */
            :: else ->
                sees = false;
                search(); /*@ call leat_i_worker_search */
                if
                :: sees -> sees = false
                :: !sees && stop -> break /*@ load_acquire stop */
                :: else -> sleep(); begin_woken() /*@ call leat_i_worker_sleep */ /*@ call worker_begin_woken */
                fi
            fi
        fi
    od;
    found() /*@ call leat_i_worker_found */
}
