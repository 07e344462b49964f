/*
 * sites.c: see model.h. So each order in the sources can be taken away by itself, without another build: scripts/check_explored does so.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

enum { SITES_MAX = 4096, WEAKENED_MAX = 64, SEQ_CST = 1, ACQUIRE = 2, RELEASE = 4 };

static struct {
    uintptr_t address;
    unsigned without; /* SEQ_CST, ACQUIRE, RELEASE */
} weakened[WEAKENED_MAX];
static unsigned weakened_count;
static uintptr_t seen[SITES_MAX];

static void note(uintptr_t address)
{
    size_t at = (size_t)(address * UINT64_C(0x9E3779B97F4A7C15) >> 52) % SITES_MAX;
    while (seen[at] && seen[at] != address)
        at = (at + 1) % SITES_MAX;
    seen[at] = address;
}

static int without(int order, unsigned what)
{
    bool acquire = order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE && !(what & ACQUIRE);
    bool release = (order == __ATOMIC_RELEASE || order >= __ATOMIC_ACQ_REL) && !(what & RELEASE);
    if (order == __ATOMIC_SEQ_CST && acquire && release && !(what & SEQ_CST)) return order;
    return acquire && release ? __ATOMIC_ACQ_REL
           : acquire          ? __ATOMIC_ACQUIRE
           : release          ? __ATOMIC_RELEASE
                              : __ATOMIC_RELAXED;
}

int explore_order(const void *caller, int order)
{
    explore_caller = caller;
    uintptr_t address = (uintptr_t)((const char *)caller - __executable_start);
    note(address);
    for (unsigned i = 0; i < weakened_count; i++)
        if (weakened[i].address == address) return without(order, weakened[i].without);
    return order;
}

/* "1a2b:s,3c4d:ar": address, and letters for what goes. */
bool explore_sites_weaken(const char *list)
{
    while (*list) {
        char *end;
        uintptr_t address = strtoull(list, &end, 16);
        if (*end++ != ':' || weakened_count == WEAKENED_MAX) return false;
        weakened[weakened_count].address = address;
        for (; *end && *end != ','; end++)
            weakened[weakened_count].without |= *end == 's' ? SEQ_CST : *end == 'a' ? ACQUIRE : *end == 'r' ? RELEASE : 0u;
        weakened_count++;
        list = end + (*end == ',');
    }
    return true;
}

void explore_sites_print(void)
{
    for (unsigned i = 0; i < SITES_MAX; i++)
        if (seen[i]) printf("site %jx\n", (uintmax_t)seen[i]);
}
