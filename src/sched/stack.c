/*
 * stack.c: taking stacks and giving them back.
 *
 * A slab is one reservation that holds STACKS_PER_SLAB stacks side by side, each with its guard below, and an array of their
 * heads. The stride is one page more than the stack, and worker.c shifts tops by a little inside their page, so that the first
 * frames of many stacks do not fall on the same few cache sets.
 *
 * Lists: a worker takes and gives at its own LIFO, and moves a batch to or from the common lists when its own is empty or has
 * CACHE_MAX: first from the spare ones, whose pages are there, then from the cold ones. Memory is never unmapped before the end,
 * since a late leat_i_unpark may still come; only pages go back, when a worker has been idle for a while (idle.c).
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

#define STACKS_PER_SLAB 64u
#define CACHE_MAX       256u
#define CACHE_BATCH     128u
#define CACHE_KEEP      64u
#define CANARY_BYTES    64u
#define GUARD_BYTES \
    65536u /* a function may reach so far below its caller and still be caught; it costs addresses, no memory */
#define CANARY_BYTE     0xC5
#define MAP_COUNT_USUAL 65530u

struct leat_i_slab {
    struct leat_i_slab *next;
    char *memory;
    size_t bytes;
    leat_i_waiter *head; /* STACKS_PER_SLAB of them */
    unsigned valgrind_id[STACKS_PER_SLAB];
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
        for (uint32_t i = 0; i < STACKS_PER_SLAB; i++)
            STACK_DEREGISTER(slab->valgrind_id[i]);
        STACK_UNPOISON(slab->memory, slab->bytes);
        leat_i_os_release(slab->memory, slab->bytes);
        leat_i_free(slab->head);
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

/* Guards one stack as well as the pool still can; each step down is for good. */
static void stack_guard(leat_i_stack_pool *p, leat_i_waiter *s)
{
    char *guard = s->low - p->guard_bytes;
    if (p->guard == LEAT_I_GUARD_LIGHT && leat_i_os_guard_install(guard, p->guard_bytes) != 0)
        p->guard = LEAT_I_GUARD_MPROTECT;
    if (p->guard == LEAT_I_GUARD_MPROTECT) {
        if (p->mprotect_left > 0 && leat_i_os_guard_mprotect(guard, p->guard_bytes) == 0)
            p->mprotect_left--;
        else
            p->guard = LEAT_I_GUARD_CANARY;
    }
    s->guard = p->guard;
    if (s->guard == LEAT_I_GUARD_CANARY) leat_i_stack_put_canary(s);
}

/* Makes a slab and puts its stacks on the cold list. Under the mutex. */
static bool pool_grow(leat_i_stack_pool *p)
{
    struct leat_i_slab *slab = leat_i_alloc_zeroed(sizeof *slab);
    leat_i_waiter *head = leat_i_alloc_aligned(64, STACKS_PER_SLAB * sizeof *head);
    size_t bytes = (size_t)p->stride_bytes * STACKS_PER_SLAB;
    char *memory = slab && head ? leat_i_os_reserve(bytes) : NULL;
    if (!memory) {
        leat_i_free(head);
        leat_i_free(slab);
        return false;
    }
    memset(head, 0, STACKS_PER_SLAB * sizeof *head);
    slab->memory = memory;
    slab->bytes = bytes;
    slab->head = head;
    for (uint32_t i = STACKS_PER_SLAB; i-- > 0;) {
        leat_i_waiter *s = &head[i];
        s->low = memory + (size_t)i * p->stride_bytes + p->guard_bytes;
        s->clean = true;
        stack_guard(p, s);
        slab->valgrind_id[i] = STACK_REGISTER(s->low, s->low + p->stack_bytes);
        s->link = p->cold;
        p->cold = s;
    }
    slab->next = p->slab;
    p->slab = slab;
    return true;
}

/* Moves up to CACHE_BATCH stacks from one list to another; gives how many. */
static uint32_t list_move(leat_i_waiter **from, leat_i_waiter **to)
{
    uint32_t moved = 0;
    for (; moved < CACHE_BATCH && *from; moved++) {
        leat_i_waiter *s = *from;
        *from = s->link;
        s->link = *to;
        *to = s;
    }
    return moved;
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

bool leat_i_stack_fill(leat_i_worker *w)
{
    leat_i_stack_cache *c = &w->stacks;
    leat_i_stack_pool *p = &w->rt->stacks;
    pthread_mutex_lock(&p->mutex);
    leat_i_guard before = p->guard;
    if (p->spare)
        c->count += list_move(&p->spare, &c->list);
    else if (p->cold || pool_grow(p))
        c->count += list_move(&p->cold, &c->list);
    leat_i_guard guard = p->guard;
    pthread_mutex_unlock(&p->mutex);
    if (LEAT_UNLIKELY(guard != before)) guard_log(w->rt, guard);
    return c->list && leat_i_heap_reserve(&w->timers, c->taken + 1);
}

leat_i_waiter *leat_i_stack_take(leat_i_worker *w)
{
    leat_i_stack_cache *c = &w->stacks;
    if (!c->list && !leat_i_stack_fill(w)) return NULL;
    /* A wait with a limit must not fail for want of memory, so there is room for it before there is a wait. */
    if (!leat_i_heap_reserve(&w->timers, c->taken + 1)) return NULL;
    c->taken++;
    leat_i_waiter *s = c->list;
    c->list = s->link;
    c->count--;
    s->link = NULL;
    s->home = w;
    s->clean = false;
    return s;
}

void leat_i_stack_give(leat_i_worker *w, leat_i_waiter *s)
{
    if (s->guard == LEAT_I_GUARD_CANARY && !leat_i_stack_canary_holds(s))
        LEAT_BUG("stack overflow: a task ran past the end of its stack (raise stack_bytes)");
    leat_i_stack_cache *c = &w->stacks;
    s->task = NULL;
    s->link = c->list;
    c->list = s;
    c->taken--;
    c->used = true;
    if (++c->count <= CACHE_MAX) return;
    leat_i_stack_pool *p = &w->rt->stacks;
    pthread_mutex_lock(&p->mutex);
    c->count -= list_move(&c->list, &p->spare);
    pthread_mutex_unlock(&p->mutex);
}

static void list_discard(const leat_i_stack_pool *p, leat_i_waiter *s, uint32_t keep)
{
    for (; s; s = s->link) {
        if (s->clean) continue;
        if (keep > 0) {
            keep--;
            continue;
        }
        leat_i_os_discard(s->low, p->stack_bytes);
        s->clean = true;
    }
}

bool leat_i_stack_trim(leat_i_worker *w)
{
    leat_i_stack_pool *p = &w->rt->stacks;
    list_discard(p, w->stacks.list, CACHE_KEEP);
    w->stacks.used = false;
    /* The spare ones a batch at a time, and outside the mutex: it takes a while, and others may want stacks. */
    leat_i_waiter *batch = NULL;
    pthread_mutex_lock(&p->mutex);
    list_move(&p->spare, &batch);
    pthread_mutex_unlock(&p->mutex);
    if (!batch) return false;
    list_discard(p, batch, 0);
    pthread_mutex_lock(&p->mutex);
    list_move(&batch, &p->cold);
    pthread_mutex_unlock(&p->mutex);
    return true;
}

void leat_i_stack_pool_each(leat_i_stack_pool *p, void (*fn)(leat_i_waiter *s))
{
    pthread_mutex_lock(&p->mutex);
    for (struct leat_i_slab *slab = p->slab; slab; slab = slab->next)
        for (uint32_t i = 0; i < STACKS_PER_SLAB; i++)
            fn(&slab->head[i]);
    pthread_mutex_unlock(&p->mutex);
}
