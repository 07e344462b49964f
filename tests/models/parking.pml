/*
 * parking.pml: no worker sleeps for ever while there is work.
 *
 * Work keeps its worker until as many have begun as there are workers, so each piece needs a worker of its own: a wake-up that is lost
 * leaves the model standing, or one region turning for ever. Then `stop` is set, and all must end.
 *
 *     -DFROM_OUTSIDE  tasks are submitted one by one
 *     -DFROM_A_TASK   a task pushes the others onto its worker's deque
 *     -DFROM_A_LIST   three tasks lie on the injection list, so that a worker may steal two at once
 *     -DFROM_A_REGION a task has forks, which are shared when somebody asks, and taken back now and then
 *     -DAND_A_STACK   a stack of worker 0 is woken meanwhile
 */
#ifndef N
#define N 3
#endif
#ifndef TAKEN_BACK_MAX
#define TAKEN_BACK_MAX 1
#endif

byte begun, resumed, pushed, taken_back;
bool root_waits;

inline begin_and_wait()
{
    begun++;
    begun >= N
}

/* The owner goes on until all others run what it has forked; it always has more, and what it does alone is left out. */
inline run_region()
{
    begun++;
    region = true;
    do
    :: begun >= N -> break
    :: begun < N && attention ->
        attention = false;
        shared = 1;
        wake_one()
    :: atomic { begun < N && shared > 0 && taken_back < TAKEN_BACK_MAX -> shared--; taken_back++ }
    od;
    region = false;
    shared = 0
}

inline run_fresh()
{
    if
    :: root_waits ->
        root_waits = false;
        do
        :: pushed < N - 1 -> deque[id]++; pushed++; wake_one()
        :: else -> break
        od;
        begin_and_wait()
    :: else -> begin_and_wait()
    fi
}

inline run_stolen()
{
    begin_and_wait()
}

inline run_inbox()
{
    resumed = resumed + count
}

#ifdef FROM_A_REGION
#define WITH_FORKS
#endif
#ifdef AND_A_STACK
#define WITH_INBOX
#endif
#ifdef TWO_STACKS
#define STACKS 2
#else
#define STACKS 1
#endif
#include "idle.pml"

proctype worker(byte id)
{
    byte u, v, count, bits;
    bool won, sees, is_searching, stolen, fresh, many;
#ifdef FROM_A_REGION
    if
    :: id == 0 -> run_region()
    :: else
    fi;
#endif
    loop()
}

/* Who finds the inbox empty wakes for all who follow. */
proctype waker()
{
    bool won, first;
    d_step { first = inbox[0] == 0; inbox[0]++ }
    if
    :: first -> wake_home(0)
    :: else
    fi
}

init {
    byte v, bits, at;
    bool won;
    atomic {
#ifdef FROM_A_TASK
        deque[0] = 1;
        root_waits = true;
#endif
#ifdef FROM_A_LIST
        inject = 3;
#endif
#ifdef FROM_A_REGION
        attention = true;
#endif
        do
        :: at < N -> run worker(at); at++
        :: else -> at = 0; break
        od;
#ifdef AND_A_STACK
        run waker();
#ifdef TWO_STACKS
        run waker()
#endif
#else
        resumed = STACKS
#endif
    }
#ifdef FROM_OUTSIDE
    do
    :: at < N -> inject_one(); at++
    :: else -> at = 0; break
    od;
#endif
    begun >= N && resumed == STACKS;
    stop = true;
    do
    :: at < N -> wake_home(at); at++
    :: else -> at = 0; break
    od
}

/* Two thieves could take one task from each other's deques for ever, each before the other runs it: no chance leads there. */
ltl all_begin { (<> (begun >= N && resumed == STACKS)) || ([]<> odd_theft && []<> !odd_theft) }
