/*
 * explore.h: what a case of the explorer says and asks.
 *
 * A case is a function that starts modelled threads and calls the shipped sources. All of them run on one thread of the system; each
 * atomic operation, futex, mutex and pause is a place where another may go on instead, and each atomic load a place where an older
 * value may be seen, if C11 allows it. The function is run again and again until all such choices within a bound were tried, and
 * then with random ones. What fails prints the choices, which replay it.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most deviations of one execution from "nobody is interrupted, and the newest value is read". */
typedef struct explore_bound {
    unsigned switches; /* threads that are left although they could go on */
    unsigned stale;    /* loads of older values, stores that come earlier in the modification order, weak CAS that fail */
    unsigned both;     /* in all */
    unsigned random;   /* executions with random choices, without a bound */
} explore_bound;

typedef struct explore_case {
    const char *name;
    void (*run)(void); /* on thread 0; ends when all is checked */
    explore_bound quick, full;
    bool fails; /* a case about the explorer itself: some execution must fail */
} explore_case;

extern const explore_case *const explore_cases[];

/* Starts a thread of the model; it may run from here on. Gives its number. */
unsigned explore_start(void (*fn)(void *arg), void *arg);
void explore_join(unsigned thread);
void explore_join_all(void); /* all that thread 0 has started */
/* Lets the others run, without any choice, until each of them waits or has ended. For the way to where a case begins. */
void explore_settle(void);
/* Choices from here on are part of the search, or not. They are at first. */
void explore_quiet(bool quiet);
/* Ends the execution as a good one, whatever the other threads do; does not return. */
void explore_finish(void) __attribute__((noreturn));
/* A value below `n` that the search tries all of. */
unsigned explore_any(unsigned n);

void explore_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define EXPLORE_CHECK(cond) ((cond) ? (void)0 : explore_fail(__FILE__, __LINE__, #cond))

/* How many descriptors are open, entries of epoll sets counted too. */
unsigned explore_descriptors(void);

/* A word on which threads of a case wait for one another outside of what is tested: it orders the threads, not their memory, and so
 * hides nothing. */
typedef struct explore_flag {
    uint32_t value;
} explore_flag;
void explore_flag_add(explore_flag *flag, uint32_t n);
void explore_flag_await(explore_flag *flag, uint32_t least);
uint32_t explore_flag_get(const explore_flag *flag);
/* What an atomic object holds at the end of its modification order, as the kernel would read it; it orders nothing. */
uint64_t explore_newest(void *p, unsigned bytes);

#endif
