/*
 * stack.c: taking stacks and giving them back.
 *
 * A slab is one reservation that holds an array of heads, and behind it their stacks side by side, each with its guard below; slabs grow
 * with their number. worker.c shifts tops by a little inside their page, so that the first frames of many stacks do not fall on the same
 * few cache sets.
 *
 * What the first suspension of a crowd costs is work of the kernel, and what workers wait there for each other: each change of the
 * process's mappings locks all of them, and to guard a stack takes the same lock for reading. So slabs are large, and a batch is guarded
 * by one call where the kernel has one.
 *
 * Lists: a worker takes and gives at its own LIFO. It has one whole batch beside it, and moves batches to and from the common lists as
 * they are, without a look at the stacks in them, each of which would be a cache miss under the mutex: first from the spare ones, whose
 * pages are there, then from the cold ones, at last from the newest slab. The worker that takes a batch of a slab guards its stacks,
 * outside the mutex as long as the guards are lightweight. Memory is never unmapped before the end, since a late leat_i_unpark may still
 * come; only pages go back, when a worker has been idle for a while (idle.c).
 */
#include "runtime.h"

#include "../base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK_REGISTER(low, end) VALGRIND_STACK_REGISTER((low), (end))
#define STACK_DEREGISTER(id)     VALGRIND_STACK_DEREGISTER(id)
#else
#define STACK_REGISTER(low, end) ((void)(low), (void)(end), 0u)
#define STACK_DEREGISTER(id)     ((void)(id))
#endif

#if LEAT_ASAN
#include <sanitizer/asan_interface.h>
#define STACK_UNPOISON(low, bytes) __asan_unpoison_memory_region((low), (bytes))
#else
#define STACK_UNPOISON(low, bytes) ((void)0)
#endif

#define SLAB_STACKS_MAX 8192u      /* a multiple of the batch, as all counts of slabs */
#define SLAB_BYTES_MAX  (1u << 30) /* unless a batch alone has more */
#define CANARY_BYTES    64u
#define GUARD_BYTES \
    65536u /* a function may reach so far below its caller and still be caught; it costs addresses, no memory */
#define CANARY_BYTE     0xC5
#define MAP_COUNT_USUAL 65530u

struct leat_i_slab {
    struct leat_i_slab *next;
    char *memory;
    size_t bytes;
    uint32_t count;
    uint32_t made; /* stacks that were handed out, the first ones; guarded by the pool's mutex */
    leat_i_waiter *head;
    char *stacks;
    unsigned valgrind_id[]; /* one for each stack that was handed out */
};

static uint32_t map_count_max(void)
{
    char text[32] = "";
    int fd = leat_i_os_open("/proc/sys/vm/max_map_count", 0, 0);
    if (fd < 0) return MAP_COUNT_USUAL;
    ssize_t n = leat_i_os_read(fd, text, sizeof text - 1);
    leat_i_os_close(fd);
    unsigned long count = n > 0 ? strtoul(text, NULL, 10) : 0;
    return count > 0 && count < UINT32_MAX ? (uint32_t)count : MAP_COUNT_USUAL;
}

/* Tries a lightweight guard on a page of its own, since only the kernel can tell whether it has them; an emulator may take the
 * advice and ignore it. */
static bool guard_light_works(size_t page_bytes)
{
    void *page = leat_i_os_reserve(page_bytes);
    if (!page) return false;
    bool works = leat_i_os_guard_install(page, page_bytes) == 0 && leat_i_os_guard_holds(page);
    leat_i_os_release(page, page_bytes);
    return works;
}

int leat_i_stack_pool_init(leat_i_stack_pool *p, uint32_t stack_bytes)
{
    *p = (leat_i_stack_pool){ 0 };
    size_t page = leat_i_os_page_bytes();
    p->stack_bytes = (uint32_t)((stack_bytes + page - 1) / page * page);
    p->guard_bytes = (uint32_t)((GUARD_BYTES + page - 1) / page * page);
    p->stride_bytes = p->stack_bytes + p->guard_bytes;
    p->guard = guard_light_works(page) ? LEAT_I_GUARD_LIGHT : LEAT_I_GUARD_MPROTECT;
    p->mprotect_left = map_count_max() / 4 / 2; /* a quarter of the mappings, and a guard costs two */
    return -pthread_mutex_init(&p->mutex, NULL);
}

const char *leat_i_stack_pool_guard_name(const leat_i_stack_pool *p)
{
    static const char *const name[] = { "lightweight guards", "mprotect", "canaries" };
    return name[p->guard];
}

void leat_i_stack_pool_fini(leat_i_stack_pool *p)
{
    while (p->slab) {
        struct leat_i_slab *slab = p->slab;
        p->slab = slab->next;
        for (uint32_t i = 0; i < slab->made; i++)
            STACK_DEREGISTER(slab->valgrind_id[i]);
        STACK_UNPOISON(slab->memory, slab->bytes);
        leat_i_os_release(slab->memory, slab->bytes);
        leat_i_free(slab);
    }
    if (p->stack_bytes) pthread_mutex_destroy(&p->mutex);
}

void leat_i_stack_put_canary(leat_i_waiter *s)
{
    memset(s->low - CANARY_BYTES, CANARY_BYTE, CANARY_BYTES);
}

bool leat_i_stack_canary_holds(const leat_i_waiter *s)
{
    for (uint32_t i = 1; i <= CANARY_BYTES; i++)
        if ((unsigned char)s->low[-(ptrdiff_t)i] != CANARY_BYTE) return false;
    return true;
}

/* Guards one stack as well as the pool still can without lightweight guards; the step down is for good. Under the mutex. */
static void stack_guard(leat_i_stack_pool *p, leat_i_waiter *s)
{
    if (p->guard == LEAT_I_GUARD_MPROTECT) {
        if (p->mprotect_left > 0 && leat_i_os_guard_mprotect(s->low - p->guard_bytes, p->guard_bytes) == 0)
            p->mprotect_left--;
        else
            p->guard = LEAT_I_GUARD_CANARY;
    }
    s->guard = (uint8_t)p->guard;
    if (s->guard == LEAT_I_GUARD_CANARY) leat_i_stack_put_canary(s);
}

/* Guards what is left of a batch without lightweight guards; gives the kind that is in force since then, `before` if it is no other. */
static leat_i_guard batch_guard_rest(leat_i_stack_pool *p, leat_i_waiter *s, leat_i_guard *before)
{
    pthread_mutex_lock(&p->mutex);
    *before = p->guard;
    if (p->guard == LEAT_I_GUARD_LIGHT) p->guard = LEAT_I_GUARD_MPROTECT;
    for (; s; s = s->link)
        stack_guard(p, s);
    leat_i_guard after = p->guard;
    pthread_mutex_unlock(&p->mutex);
    return after;
}

/* How many stacks the next slab has: twice as many as the last one. */
static uint32_t slab_count(const leat_i_stack_pool *p)
{
    uint32_t count = p->slab ? p->slab->count * 2 : LEAT_I_STACK_BATCH;
    while (count > LEAT_I_STACK_BATCH && (count > SLAB_STACKS_MAX || (size_t)count * p->stride_bytes > SLAB_BYTES_MAX))
        count /= 2;
    return count;
}

static struct leat_i_slab *slab_new(const leat_i_stack_pool *p, uint32_t count)
{
    size_t page = leat_i_os_page_bytes();
    size_t heads_bytes = (count * sizeof(leat_i_waiter) + page - 1) / page * page;
    size_t bytes = heads_bytes + (size_t)p->stride_bytes * count;
    struct leat_i_slab *slab = leat_i_alloc_zeroed(sizeof *slab + count * sizeof slab->valgrind_id[0]);
    char *memory = slab ? leat_i_os_reserve(bytes) : NULL;
    if (!memory) {
        leat_i_free(slab);
        return NULL;
    }
    slab->memory = memory;
    slab->bytes = bytes;
    slab->count = count;
    slab->head = (leat_i_waiter *)memory;
    slab->stacks = memory + heads_bytes;
    return slab;
}

/* Makes a slab; when there is no room for a large one, one of a batch. Under the mutex. */
static bool pool_grow(leat_i_stack_pool *p)
{
    uint32_t count = slab_count(p);
    struct leat_i_slab *slab = slab_new(p, count);
    if (!slab && count > LEAT_I_STACK_BATCH) slab = slab_new(p, LEAT_I_STACK_BATCH);
    if (!slab) return false;
    slab->next = p->slab;
    p->slab = slab;
    return true;
}

/* A batch of stacks that were never handed out; not guarded yet. NULL when memory is short. Under the mutex. */
static leat_i_waiter *batch_make(leat_i_stack_pool *p)
{
    if (!(p->slab && p->slab->made < p->slab->count) && !pool_grow(p)) return NULL;
    struct leat_i_slab *slab = p->slab;
    leat_i_waiter *batch = &slab->head[slab->made];
    memset(batch, 0, LEAT_I_STACK_BATCH * sizeof *batch);
    for (uint32_t n = 0; n < LEAT_I_STACK_BATCH; n++, slab->made++) {
        leat_i_waiter *s = &slab->head[slab->made];
        s->low = slab->stacks + (size_t)slab->made * p->stride_bytes + p->guard_bytes;
        s->clean = true;
        s->link = n + 1 < LEAT_I_STACK_BATCH ? s + 1 : NULL;
        slab->valgrind_id[slab->made] = STACK_REGISTER(s->low, s->low + p->stack_bytes);
    }
    return batch;
}

/* Under the mutex. */
static void batch_push(leat_i_waiter **list, leat_i_waiter *batch)
{
    batch->batch = *list;
    *list = batch;
}

/* NULL = there is none. Under the mutex. */
static leat_i_waiter *batch_pop(leat_i_waiter **list)
{
    leat_i_waiter *batch = *list;
    if (!batch) return NULL;
    *list = batch->batch;
    batch->batch = NULL;
    return batch;
}

/* Said once for each step down. Outside the mutex: the log is the user's code. */
static void guard_log(leat_runtime *rt, leat_i_guard guard)
{
    if (guard == LEAT_I_GUARD_MPROTECT)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING,
                           "the kernel gives no more lightweight guards: further stacks are guarded by mprotect");
    else
        leat_i_runtime_log(
            rt, LEAT_LOG_WARNING,
            "no more guard pages are to be had (leat takes a quarter of vm.max_map_count): an overflow of further "
            "stacks is noticed only when they are given back, by a canary");
}

/* Guards a batch that is in no list. Lightweight guards are made by many workers at once, and need no mutex. */
static void batch_guard(leat_i_worker *w, leat_i_waiter *s, bool light)
{
    leat_i_stack_pool *p = &w->rt->stacks;
    if (light) {
        uint32_t done =
            leat_i_os_guard_install_many(s->low - p->guard_bytes, p->guard_bytes, p->stride_bytes, LEAT_I_STACK_BATCH);
        for (; done > 0; done--, s = s->link)
            s->guard = LEAT_I_GUARD_LIGHT;
    }
    if (LEAT_LIKELY(!s)) return;
    leat_i_guard before, after = batch_guard_rest(p, s, &before);
    if (after != before) guard_log(w->rt, after);
}

/* A batch for the cache of `w`, which has none; false = memory is short. */
static bool cache_fill(leat_i_worker *w)
{
    leat_i_stack_pool *p = &w->rt->stacks;
    bool made = false;
    pthread_mutex_lock(&p->mutex);
    bool light = p->guard == LEAT_I_GUARD_LIGHT;
    leat_i_waiter *batch = batch_pop(&p->spare);
    if (!batch) batch = batch_pop(&p->cold);
    if (!batch) made = (batch = batch_make(p)) != NULL;
    pthread_mutex_unlock(&p->mutex);
    if (!batch) return false;
    if (made) batch_guard(w, batch, light);
    w->stacks.list = batch;
    w->stacks.count = LEAT_I_STACK_BATCH;
    return true;
}

bool leat_i_stack_fill(leat_i_worker *w)
{
    leat_i_stack_cache *c = &w->stacks;
    if (!c->list && c->full) {
        c->list = c->full;
        c->count = LEAT_I_STACK_BATCH;
        c->full = NULL;
    }
    return (c->list || cache_fill(w)) && leat_i_heap_reserve(&w->timers, c->taken + 1);
}

leat_i_waiter *leat_i_stack_take(leat_i_worker *w)
{
    leat_i_stack_cache *c = &w->stacks;
    if (!c->list && !leat_i_stack_fill(w)) return NULL;
    /* A wait with a limit must not fail for want of memory, so there is room for it before there is a wait. */
    uint32_t taken = leat_load_relaxed(&c->taken) + 1; /* relaxed, as all of it: others take it as a hint */
    if (!leat_i_heap_reserve(&w->timers, taken)) return NULL;
    leat_store_relaxed(&c->taken, taken);
    leat_i_waiter *s = c->list;
    c->list = s->link;
    c->count--;
    s->link = NULL;
    s->home = w;
    s->clean = false;
    return s;
}

/* Puts the whole batch in hand aside, and the one that was there on the common list. */
static void cache_spill(leat_i_worker *w)
{
    leat_i_stack_cache *c = &w->stacks;
    leat_i_stack_pool *p = &w->rt->stacks;
    leat_i_waiter *full = c->full;
    c->full = c->list;
    c->list = NULL;
    c->count = 0;
    if (!full) return;
    pthread_mutex_lock(&p->mutex);
    batch_push(&p->spare, full);
    pthread_mutex_unlock(&p->mutex);
}

void leat_i_stack_give(leat_i_worker *w, leat_i_waiter *s)
{
    if (s->guard == LEAT_I_GUARD_CANARY && !leat_i_stack_canary_holds(s))
        LEAT_BUG("stack overflow: a task ran past the end of its stack (raise stack_bytes)");
    leat_i_stack_cache *c = &w->stacks;
    if (c->count == LEAT_I_STACK_BATCH) cache_spill(w);
    s->task = NULL;
    s->link = c->list;
    c->list = s;
    c->count++;
    leat_store_relaxed(&c->taken, leat_load_relaxed(&c->taken) - 1); /* relaxed: as above */
    c->used = true;
}

static void list_discard(const leat_i_stack_pool *p, leat_i_waiter *s)
{
    for (; s; s = s->link) {
        if (s->clean) continue;
        leat_i_os_discard(s->low, p->stack_bytes);
        s->clean = true;
    }
}

bool leat_i_stack_trim(leat_i_worker *w)
{
    leat_i_stack_pool *p = &w->rt->stacks;
    list_discard(p, w->stacks.full);
    w->stacks.used = false;
    /* The spare ones a batch at a time, and outside the mutex: it takes a while, and others may want stacks. */
    pthread_mutex_lock(&p->mutex);
    leat_i_waiter *batch = batch_pop(&p->spare);
    pthread_mutex_unlock(&p->mutex);
    if (!batch) return false;
    list_discard(p, batch);
    pthread_mutex_lock(&p->mutex);
    batch_push(&p->cold, batch);
    pthread_mutex_unlock(&p->mutex);
    return true;
}

void leat_i_stack_pool_each(leat_i_stack_pool *p, void (*fn)(leat_i_waiter *s))
{
    pthread_mutex_lock(&p->mutex);
    for (struct leat_i_slab *slab = p->slab; slab; slab = slab->next)
        for (uint32_t i = 0; i < slab->made; i++)
            fn(&slab->head[i]);
    pthread_mutex_unlock(&p->mutex);
}
