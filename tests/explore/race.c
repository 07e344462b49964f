/*
 * race.c: plain accesses that do not happen before one another, and the heap of one execution.
 *
 * For each eight bytes it is kept when each thread has last read and written them, plainly and atomically, and which of the bytes. An
 * older access to other bytes of the eight is forgotten then: races may be missed, and none is invented. Memory of the heap is never
 * used again within one execution, so that who touches it after its end is seen.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_BYTES    ((size_t)256 << 20)
#define SCRATCH_BYTES ((size_t)512 << 20)
#define POISON_BYTES  4096u

enum { CELLS = 1 << 17 };

typedef struct cell {
    uintptr_t key;
    uint32_t execution;
    uint32_t threads; /* a bit for each that has been here: only of those `last` says something */
    struct {
        uint32_t clock;
        uint32_t caller;
        uint8_t mask;
    } last[THREADS_MAX][ACCESS_KINDS];
} cell;

static cell *cells;
static unsigned cell_count;
static uint32_t execution;
static char *heap, *scratch;
static size_t heap_used, scratch_used;
static unsigned char *freed;               /* one per eight bytes of the heap */
static unsigned char poison[POISON_BYTES]; /* what fresh memory holds: no two halves of a word are alike */

static void *region(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) abort();
    return p;
}

void explore_race_reset(void)
{
    if (!heap) {
        heap = region(HEAP_BYTES);
        scratch = region(SCRATCH_BYTES);
        freed = region(HEAP_BYTES / 8);
        cells = region(CELLS * sizeof *cells);
        for (unsigned i = 0; i < POISON_BYTES; i++)
            poison[i] = (unsigned char)(0xD8 + i % 8);
    }
    memset(freed, 0, heap_used / 8);
    heap_used = scratch_used = 0;
    cell_count = 0;
    execution++;
}

static cell *cell_of(uintptr_t address)
{
    uintptr_t key = address >> 3;
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 47);
    for (;; at = (at + 1) % CELLS) {
        cell *c = &cells[at];
        if (c->execution == execution && c->key != key) continue;
        if (c->execution != execution) {
            if (++cell_count > CELLS / 2) explore_fail(__FILE__, __LINE__, "too much memory is touched");
            c->threads = 0;
            c->execution = execution;
            c->key = key;
        }
        return c;
    }
}

static bool is_conflict(enum access one, enum access other)
{
    bool both_atomic = one >= ACCESS_ATOMIC_READ && other >= ACCESS_ATOMIC_READ;
    bool writes = one % 2 == 1 || other % 2 == 1;
    return writes && !both_atomic;
}

static uint32_t caller(void)
{
    return (uint32_t)((const char *)explore_caller - __executable_start);
}

static void access_eight(uintptr_t address, uint8_t mask, enum access kind)
{
    thread *me = explore_me;
    cell *c = cell_of(address);
    for (uint32_t left = c->threads & ~(1u << me->number); left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        for (enum access other = ACCESS_READ; other < ACCESS_KINDS; other++) {
            if (!(c->last[i][other].mask & mask) || c->last[i][other].clock <= me->now.clock[i]) continue;
            if (!is_conflict(kind, other)) continue;
            explore_trace("[%u] %#x races with %#x of thread %u at %#jx\n", me->number, caller(), c->last[i][other].caller,
                          i, (uintmax_t)address);
            explore_fail(__FILE__, __LINE__, "data race");
        }
    }
    if (!(c->threads >> me->number & 1)) memset(c->last[me->number], 0, sizeof c->last[me->number]);
    c->threads |= 1u << me->number;
    c->last[me->number][kind].clock = me->now.clock[me->number];
    c->last[me->number][kind].mask = mask;
    c->last[me->number][kind].caller = caller();
}

void explore_access(const void *p, size_t bytes, enum access kind)
{
    uintptr_t from = (uintptr_t)p, end = from + bytes, heap_at = from - (uintptr_t)heap;
    if (!explore_me || explore_is_tls(p)) return;
    if (kind == ACCESS_WRITE) explore_forget(p, bytes);
    if (heap_at < HEAP_BYTES && freed[heap_at / 8]) explore_fail(__FILE__, __LINE__, "use after free");
    if (explore_thread_count == 1) return; /* All that the others do comes after this. */
    for (uintptr_t at = from & ~(uintptr_t)7; at < end; at += 8) {
        unsigned low = at < from ? (unsigned)(from - at) : 0, high = end - at < 8 ? (unsigned)(end - at) : 8;
        access_eight(at, (uint8_t)(0xFFu >> (8 - high) & 0xFFu << low), kind);
    }
}

/* ---- the heap ---- */

void *explore_scratch(size_t bytes)
{
    void *p = scratch + scratch_used;
    scratch_used += (bytes + 15) & ~(size_t)15;
    if (scratch_used > SCRATCH_BYTES) explore_fail(__FILE__, __LINE__, "the execution is too long");
    return p;
}

/* The size stands in the eight bytes before a block. */
void *explore_alloc(size_t alignment, size_t bytes)
{
    if (alignment < 16) alignment = 16;
    size_t at = (heap_used + 8 + alignment - 1) & ~(alignment - 1);
    heap_used = at + ((bytes + 15) & ~(size_t)15);
    if (heap_used > HEAP_BYTES) explore_fail(__FILE__, __LINE__, "too much memory is taken");
    memcpy(heap + at - 8, &bytes, 8);
    memcpy(heap + at, poison, bytes < POISON_BYTES ? bytes : POISON_BYTES);
    return heap + at;
}

void explore_free(void *p)
{
    size_t bytes;
    if (!p) return;
    memcpy(&bytes, (char *)p - 8, 8);
    size_t checked = bytes < POISON_BYTES ? bytes : POISON_BYTES;
    explore_access(p, checked, ACCESS_WRITE); /* whoever still reads it has a race with the end of it */
    memset(freed + ((char *)p - heap) / 8, 1, (bytes + 7) / 8);
}
