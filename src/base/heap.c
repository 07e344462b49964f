/* heap.c: the 4-ary timer heap of heap.h. The key stands in the entry, so that sifting touches no timer but those it moves. */
#include "heap.h"

#include "check.h"
#include "mem.h"
#include "os.h"

#define HEAP_ARITY      4u
#define HEAP_ROOM_FIRST 16u

struct leat_i_heap_entry {
    int64_t when_ns;
    leat_i_timer *timer;
};

static void heap_put(leat_i_heap *h, uint32_t index, struct leat_i_heap_entry e)
{
    h->entry[index] = e;
    e.timer->place = index + 1;
}

static void heap_sift_up(leat_i_heap *h, uint32_t index, struct leat_i_heap_entry e)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / HEAP_ARITY;
        if (h->entry[parent].when_ns <= e.when_ns) break;
        heap_put(h, index, h->entry[parent]);
        index = parent;
    }
    heap_put(h, index, e);
}

static void heap_sift_down(leat_i_heap *h, uint32_t index, struct leat_i_heap_entry e)
{
    for (;;) {
        uint32_t child = index * HEAP_ARITY + 1, best = child;
        if (child >= h->count) break;
        uint32_t last = child + HEAP_ARITY <= h->count ? child + HEAP_ARITY : h->count;
        for (uint32_t i = child + 1; i < last; i++)
            if (h->entry[i].when_ns < h->entry[best].when_ns) best = i;
        if (h->entry[best].when_ns >= e.when_ns) break;
        heap_put(h, index, h->entry[best]);
        index = best;
    }
    heap_put(h, index, e);
}

bool leat_i_heap_reserve(leat_i_heap *h, uint32_t room)
{
    if (LEAT_LIKELY(room <= h->room)) return true;
    uint32_t doubled = h->room ? h->room * 2 : HEAP_ROOM_FIRST;
    if (room < doubled) room = doubled;
    struct leat_i_heap_entry *entry = leat_i_realloc(h->entry, room * sizeof *entry);
    if (!entry) return false;
    h->entry = entry;
    h->room = room;
    return true;
}

bool leat_i_heap_add(leat_i_heap *h, leat_i_timer *timer, int64_t when_ns)
{
    LEAT_ASSERT(timer->place == 0);
    if (!leat_i_heap_reserve(h, h->count + 1)) return false;
    timer->when_ns = when_ns;
    h->count++;
    heap_sift_up(h, h->count - 1, (struct leat_i_heap_entry){ when_ns, timer });
    return true;
}

void leat_i_heap_remove(leat_i_heap *h, leat_i_timer *timer)
{
    if (timer->place == 0) return;
    uint32_t index = timer->place - 1;
    LEAT_ASSERT(index < h->count);
    LEAT_ASSERT(h->entry[index].timer == timer);
    timer->place = 0;
    struct leat_i_heap_entry last = h->entry[--h->count];
    if (index == h->count) return;
    if (index > 0 && h->entry[(index - 1) / HEAP_ARITY].when_ns > last.when_ns)
        heap_sift_up(h, index, last);
    else
        heap_sift_down(h, index, last);
}

leat_i_timer *leat_i_heap_first(const leat_i_heap *h)
{
    return h->count ? h->entry[0].timer : NULL;
}

int64_t leat_i_heap_first_ns(const leat_i_heap *h)
{
    return h->count ? h->entry[0].when_ns : LEAT_I_NEVER_NS;
}

leat_i_timer *leat_i_heap_pop_due(leat_i_heap *h, int64_t now_ns)
{
    if (h->count == 0 || h->entry[0].when_ns > now_ns) return NULL;
    leat_i_timer *timer = h->entry[0].timer;
    leat_i_heap_remove(h, timer);
    return timer;
}

void leat_i_heap_fini(leat_i_heap *h)
{
    leat_i_free(h->entry);
    *h = (leat_i_heap){ 0 };
}
