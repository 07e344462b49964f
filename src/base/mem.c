/* mem.c: the heap behind one door, with a failure that tests can order and, in test builds, a count of live blocks. */
#include "mem.h"

#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "check.h"

#if LEAT_TSAN
LEAT_ATOMIC(uint32_t) leat_i_fence_word;
#endif

/* Countdown to the ordered failure; 0 = none ordered. Relaxed: the tests that order one wait for nobody. */
static LEAT_ATOMIC(int64_t) mem_fail_in;
static LEAT_ATOMIC(bool) mem_fail_persistent;
static LEAT_ATOMIC(uint64_t) mem_allocs;
static LEAT_ATOMIC(int64_t) mem_live;

static bool mem_must_fail(void)
{
    if (LEAT_LIKELY(leat_load_relaxed(&mem_fail_in) == 0)) return false;
    int64_t left = leat_sub_relaxed(&mem_fail_in, 1);
    if (left > 1) return false;
    if (left == 1) {
        if (leat_load_relaxed(&mem_fail_persistent)) leat_store_relaxed(&mem_fail_in, 1);
        return true;
    }
    leat_store_relaxed(&mem_fail_in, leat_load_relaxed(&mem_fail_persistent) ? 1 : 0);
    return leat_load_relaxed(&mem_fail_persistent);
}

static void *mem_count(void *p)
{
#ifdef LEAT_CHECKS
    leat_add_relaxed(&mem_allocs, 1);
    if (p) leat_add_relaxed(&mem_live, 1);
#endif
    return p;
}

LEAT_WAKE_PATH void *leat_i_alloc(size_t size)
{
    if (LEAT_UNLIKELY(mem_must_fail())) return mem_count(NULL);
    return mem_count(malloc(size ? size : 1));
}

void *leat_i_alloc_zeroed(size_t size)
{
    if (LEAT_UNLIKELY(mem_must_fail())) return mem_count(NULL);
    return mem_count(calloc(1, size ? size : 1));
}

void *leat_i_realloc(void *p, size_t size)
{
    if (!p) return leat_i_alloc(size);
    if (LEAT_UNLIKELY(mem_must_fail())) {
        mem_count(NULL);
        return NULL;
    }
#ifdef LEAT_CHECKS
    leat_add_relaxed(&mem_allocs, 1);
#endif
    return realloc(p, size ? size : 1);
}

void *leat_i_alloc_aligned(size_t alignment, size_t size)
{
    void *p = NULL;
    if (LEAT_UNLIKELY(mem_must_fail())) return mem_count(NULL);
    if (posix_memalign(&p, alignment, size ? size : 1) != 0) p = NULL;
    return mem_count(p);
}

void leat_i_free(void *p)
{
#ifdef LEAT_CHECKS
    if (p) leat_sub_relaxed(&mem_live, 1);
#endif
    free(p);
}

char *leat_i_strdup(const char *s)
{
    if (!s) return NULL;
    size_t size = strlen(s) + 1;
    char *copy = leat_i_alloc(size);
    return copy ? memcpy(copy, s, size) : NULL;
}

char *leat_i_text_out(const char *s, size_t size)
{
#ifdef LEAT_CHECKS
    leat_add_relaxed(&mem_allocs, 1); /* an allocation, but no block of ours: the caller frees it with free() */
#endif
    char *copy = mem_must_fail() ? NULL : malloc(size + 1);
    if (!copy) return NULL;
    if (size > 0) memcpy(copy, s, size);
    copy[size] = '\0';
    return copy;
}

void leat_i_mem_fail_after(uint64_t n, bool persistent)
{
    leat_store_relaxed(&mem_fail_persistent, persistent);
    leat_store_relaxed(&mem_fail_in, (int64_t)n);
}

uint64_t leat_i_mem_alloc_count(void)
{
    return leat_load_relaxed(&mem_allocs);
}

int64_t leat_i_mem_live_count(void)
{
    return leat_load_relaxed(&mem_live);
}
