/*
 * memory.c: what C11 allows atomic operations to see.
 *
 * Each atomic object has its stores in modification order, which need not be the order of execution: a store may be put before those
 * that its thread need not respect yet. Each thread has a view: the oldest store of each object that it may still see (coherence and
 * happens-before), and how much of each thread happens before it. A store with release carries its thread's view, a load with
 * acquire takes it over; an update (read-modify-write) stands right behind what it has read, and passes on the view of that: a release
 * sequence (of updates only, as since C17's successor: fewer executions synchronize, so what holds here holds in C11). Fences move
 * views between what relaxed operations left behind. Sequentially consistent ones share one more view, `total`: a fence and it come to
 * respect all that the other does; loads and updates of one object respect what it says of that object.
 *
 * What is left out: a load never sees a store that is executed later (load buffering), so values out of thin air are not there
 * either, and nor are cycles through two plain relaxed loads and the stores after them. Consume counts as acquire.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

enum { PLACE_STEP = 256, GRANULES = 1 << 14, STALE_MAX = 8 };

typedef struct message { /* one store */
    uint64_t value;
    uint32_t place;
    bool update; /* it stands right behind the one before */
    view_copy *view;
} message;

typedef struct location {
    uintptr_t address;
    unsigned bytes;
    unsigned count, room;
    message *message; /* in modification order */
    uint32_t next;    /* in the same eight bytes; 0 = none */
    bool gone;
} location;

static location locations[LOCATIONS_MAX];
static uint32_t location_count; /* the first is unused */
static uint32_t total[LOCATIONS_MAX];
static struct {
    uintptr_t key;
    uint32_t first, execution;
} granules[GRANULES];
static uint32_t execution;

static bool is_acquire(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool is_release(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void view_clear(view *v)
{
    memset(v->at, 0, location_count * sizeof v->at[0]);
    memset(v->clock, 0, sizeof v->clock);
}

void explore_memory_reset(void)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        view_clear(&explore_thread[i].now);
        view_clear(&explore_thread[i].acquire);
        view_clear(&explore_thread[i].release);
    }
    memset(total, 0, location_count * sizeof total[0]);
    location_count = 1;
    execution++;
}

/* ---- views ---- */

static void view_join(view *to, const view *from)
{
    for (uint32_t i = 1; i < location_count; i++)
        if (from->at[i] > to->at[i]) to->at[i] = from->at[i];
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (from->clock[i] > to->clock[i]) to->clock[i] = from->clock[i];
}

static void view_take(view *to, const view_copy *from)
{
    for (uint32_t i = 1; i < from->locations; i++)
        if (from->at[i] > to->at[i]) to->at[i] = from->at[i];
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (from->clock[i] > to->clock[i]) to->clock[i] = from->clock[i];
}

static view_copy *view_copy_of(const view *v)
{
    view_copy *copy = explore_scratch(sizeof *copy + location_count * sizeof copy->at[0]);
    copy->locations = location_count;
    memcpy(copy->at, v->at, location_count * sizeof copy->at[0]);
    memcpy(copy->clock, v->clock, sizeof copy->clock);
    return copy;
}

/* What has been given away belongs to an epoch that is over. */
static void epoch_next(thread *t)
{
    t->now.clock[t->number]++;
    t->acquire.clock[t->number] = t->now.clock[t->number];
}

view_copy *explore_view_give(thread *t)
{
    view_copy *copy = view_copy_of(&t->now);
    epoch_next(t);
    return copy;
}

void explore_view_take(thread *t, const view_copy *v)
{
    if (!v) return;
    view_take(&t->now, v);
    view_take(&t->acquire, v);
}

void explore_view_inherit(thread *child, thread *parent)
{
    if (parent) explore_view_take(child, explore_view_give(parent));
    epoch_next(child);
}

/* ---- objects ---- */

static uint32_t *granule_of(uintptr_t address, bool make)
{
    uintptr_t key = address >> 3;
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 50);
    for (;; at = (at + 1) % GRANULES) {
        if (granules[at].execution != execution) {
            if (!make) return NULL;
            granules[at].execution = execution;
            granules[at].key = key;
            granules[at].first = 0;
        } else if (granules[at].key != key) {
            continue;
        }
        return &granules[at].first;
    }
}

static message *message_insert(location *l, unsigned before)
{
    if (l->count == l->room) {
        unsigned room = l->room ? l->room * 2 : 8;
        message *grown = explore_scratch(room * sizeof *grown);
        if (l->count > 0) memcpy(grown, l->message, l->count * sizeof *grown);
        l->message = grown;
        l->room = room;
    }
    memmove(l->message + before + 1, l->message + before, (l->count - before) * sizeof *l->message);
    l->count++;
    message *m = &l->message[before];
    uint32_t older = before > 0 ? m[-1].place : 0;
    *m = (message){ .place = before + 1 == l->count ? older + PLACE_STEP : older + (m[1].place - older) / 2 };
    return m;
}

static uint64_t memory_read(const void *p, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, p, bytes);
    return value;
}

static location *find(const void *p, unsigned bytes)
{
    uintptr_t address = (uintptr_t)p;
    uint32_t *first = granule_of(address, true);
    for (uint32_t i = *first; i; i = locations[i].next)
        if (locations[i].address == address && locations[i].bytes == bytes) return &locations[i];
    if (location_count == LOCATIONS_MAX) explore_fail(__FILE__, __LINE__, "too many atomic objects");
    location *l = &locations[location_count++];
    *l = (location){ .address = address, .bytes = bytes, .next = *first };
    *first = (uint32_t)(l - locations);
    message_insert(l, 0)->value = memory_read(p, bytes);
    return l;
}

void explore_forget(const void *p, size_t bytes)
{
    if (location_count == 1) return;
    uintptr_t from = (uintptr_t)p, end = from + bytes;
    for (uintptr_t at = from & ~(uintptr_t)7; at < end; at += 8) {
        uint32_t *link = granule_of(at, false);
        while (link && *link) {
            location *l = &locations[*link];
            if (l->address < end && l->address + l->bytes > from)
                *link = l->next;
            else
                link = &l->next;
        }
    }
}

uint64_t explore_newest(void *p, unsigned bytes)
{
    location *l = find(p, bytes);
    return l->message[l->count - 1].value;
}

/* ---- operations ---- */

/* One line of a replay; addr2line tells what stands at the address. */
#define STEP(...)                                                                                                     \
    (explore_trace("[%u] %#jx ", explore_me->number, (uintmax_t)((const char *)explore_caller - __executable_start)), \
     explore_trace(__VA_ARGS__))

static uint32_t index_of(const location *l)
{
    return (uint32_t)(l - locations);
}

/* The oldest place that the thread may see. */
static uint32_t floor_of(const location *l, int order)
{
    uint32_t i = index_of(l), at = explore_me->now.at[i];
    return order == __ATOMIC_SEQ_CST && total[i] > at ? total[i] : at;
}

static bool is_attachable(const location *l, unsigned i)
{
    return i + 1 == l->count || (!l->message[i + 1].update && l->message[i + 1].place - l->message[i].place > 1);
}

static void seen(location *l, const message *m, int order)
{
    thread *t = explore_me;
    uint32_t i = index_of(l);
    if (m->place > t->now.at[i]) t->now.at[i] = m->place;
    if (m->place > t->acquire.at[i]) t->acquire.at[i] = m->place;
    if (!m->view) return;
    view_take(&t->acquire, m->view);
    if (is_acquire(order)) view_take(&t->now, m->view);
}

/* `m` is the thread's own, just made: its view, and what follows for the thread. */
static void stored(location *l, message *m, int order)
{
    thread *t = explore_me;
    uint32_t i = index_of(l);
    t->now.at[i] = t->acquire.at[i] = m->place;
    if (order == __ATOMIC_SEQ_CST && m->place > total[i]) total[i] = m->place;
    view_copy *older = m->view;
    const view *given = is_release(order) ? &t->now : t->release.clock[t->number] ? &t->release : NULL;
    if (given) {
        m->view = view_copy_of(given);
        if (older) { /* an update goes on with the release sequence */
            for (uint32_t k = 1; k < older->locations; k++)
                if (older->at[k] > m->view->at[k]) m->view->at[k] = older->at[k];
            for (unsigned k = 0; k < THREADS_MAX; k++)
                if (older->clock[k] > m->view->clock[k]) m->view->clock[k] = older->clock[k];
        }
        if (is_release(order)) epoch_next(t);
    }
    if (m == &l->message[l->count - 1]) memcpy((void *)l->address, &m->value, l->bytes);
}

/* Which of the stores that the thread may see it does see; with `attach`, only those behind which an update can stand. */
static unsigned choose_message(const location *l, int order, bool attach)
{
    unsigned list[STALE_MAX], n = 0;
    uint32_t least = floor_of(l, order);
    for (unsigned i = l->count; i-- > 0 && l->message[i].place >= least && n < STALE_MAX;)
        if (!attach || is_attachable(l, i)) list[n++] = i;
    return list[explore_choose(n, CHOICE_STALE)];
}

uint64_t explore_load(void *p, unsigned bytes, int order)
{
    explore_point();
    explore_access(p, bytes, ACCESS_ATOMIC_READ);
    location *l = find(p, bytes);
    message m = l->message[choose_message(l, order, false)];
    seen(l, &m, order);
    STEP("load   %#jx order %d: %#jx%s\n", (uintmax_t)l->address, order, (uintmax_t)m.value,
         m.place == l->message[l->count - 1].place ? "" : " (stale)");
    return m.value;
}

void explore_store(void *p, unsigned bytes, uint64_t value, int order)
{
    explore_point();
    explore_access(p, bytes, ACCESS_ATOMIC_WRITE);
    location *l = find(p, bytes);
    unsigned list[STALE_MAX] = { l->count }, n = 1;
    uint32_t least = floor_of(l, order);
    for (unsigned i = l->count; --i > 0 && l->message[i - 1].place >= least && n < STALE_MAX;)
        if (is_attachable(l, i - 1)) list[n++] = i;
    message *m = message_insert(l, list[explore_choose(n, CHOICE_STALE)]);
    m->value = value;
    stored(l, m, order);
    STEP("store  %#jx order %d: %#jx%s\n", (uintmax_t)l->address, order, (uintmax_t)value,
         m == &l->message[l->count - 1] ? "" : " (before newer ones)");
}

static uint64_t mask_of(unsigned bytes)
{
    return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (bytes * 8)) - 1;
}

static uint64_t updated(enum update what, uint64_t old, uint64_t value)
{
    switch (what) {
    case UPDATE_EXCHANGE:
        return value;
    case UPDATE_ADD:
        return old + value;
    case UPDATE_SUB:
        return old - value;
    case UPDATE_AND:
        return old & value;
    case UPDATE_OR:
        return old | value;
    case UPDATE_XOR:
        return old ^ value;
    }
    return value;
}

/* Behind the message at `at`; gives what was read there. */
static uint64_t update_behind(location *l, unsigned at, uint64_t value, int order)
{
    message old = l->message[at];
    seen(l, &old, order);
    message *m = message_insert(l, at + 1);
    m->value = value;
    m->update = true;
    m->view = old.view;
    stored(l, m, order);
    STEP("update %#jx order %d: %#jx -> %#jx\n", (uintmax_t)l->address, order, (uintmax_t)old.value, (uintmax_t)value);
    return old.value;
}

uint64_t explore_update(void *p, unsigned bytes, enum update what, uint64_t value, int order)
{
    explore_point();
    explore_access(p, bytes, ACCESS_ATOMIC_WRITE);
    location *l = find(p, bytes);
    unsigned at = choose_message(l, order, true);
    return update_behind(l, at, updated(what, l->message[at].value, value) & mask_of(bytes), order);
}

uint64_t explore_cas(void *p, unsigned bytes, uint64_t expected, uint64_t value, int order, int fail_order, bool weak,
                     bool *done)
{
    explore_point();
    explore_access(p, bytes, ACCESS_ATOMIC_WRITE);
    location *l = find(p, bytes);
    uint32_t least = floor_of(l, order), least_failed = floor_of(l, fail_order);
    unsigned list[STALE_MAX], n = 0;
    for (unsigned i = l->count; i-- > 0 && n < STALE_MAX;) {
        bool equal = l->message[i].value == expected;
        if (l->message[i].place >= (equal ? least : least_failed) && (!equal || is_attachable(l, i))) list[n++] = i;
    }
    unsigned at = list[explore_choose(n, CHOICE_STALE)];
    message m = l->message[at];
    *done = m.value == expected && !(weak && explore_choose(2, CHOICE_STALE));
    if (*done) return update_behind(l, at, value, order);
    seen(l, &m, fail_order);
    STEP("cas    %#jx fails: %#jx\n", (uintmax_t)l->address, (uintmax_t)m.value);
    return m.value;
}

void explore_fence(int order)
{
    thread *t = explore_me;
    explore_point();
    STEP("fence  order %d\n", order);
    if (is_acquire(order)) view_join(&t->now, &t->acquire);
    if (order == __ATOMIC_SEQ_CST) {
        for (uint32_t i = 1; i < location_count; i++) {
            if (t->now.at[i] > total[i]) total[i] = t->now.at[i];
            t->now.at[i] = total[i];
            if (t->acquire.at[i] < total[i]) t->acquire.at[i] = total[i];
        }
    }
    if (is_release(order)) {
        memcpy(t->release.at, t->now.at, location_count * sizeof t->now.at[0]);
        memcpy(t->release.clock, t->now.clock, sizeof t->now.clock);
        epoch_next(t);
    }
}
