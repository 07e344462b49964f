/*
 * fork.c: fork and join for plain functions: a stack of slots per region, of which the older part is shared with thieves.
 *
 * A region is one leat_fork_run, or one stolen fork that is being run. It has a stack of slots (leat_i_fork), which the worker keeps
 * for the next region. Slots from the oldest to the newest:
 *
 *     base .. tail    taken by thieves; joined one day
 *     tail .. split   shared: a thief takes the one at `tail`
 *     split .. head   private to the worker that runs the region; head is in a register of the running function, or in f->head
 *
 * `shared` holds both numbers in one word. Who changes what:
 *     tail + 1            a thief, by CAS on the whole word: the slot at the old tail is his
 *     split up            the owner, by an add (leat_fork_publish): only while somebody is hungry, so forks cost no fence as a rule
 *     split down          the owner, by CAS (fork_take_back): slots at and above the new split are his again
 *     both anew           the owner, by a store, only while tail == split, when no thief's CAS can succeed
 * A thief reads a slot only after his CAS, so a word that has come back to an old value (ABA) gives him the slot that is there now.
 * Publication: the owner's add or store releases the slots' contents; a thief's load of `shared` acquires them.
 *
 * `all_stolen`: every slot below head was taken. Found when a join sees tail == split; then `attention` stays set, so that the next fork
 * begins a new shared part above. LIFO makes it so: a slot is taken only when all older ones are, so when the newest one is gone, all are.
 * Else split <= head.
 *
 * `attention` is the only word of the fast path that others write: 1 = a thief found nothing to take, or all_stolen, or the stack is
 * full. A store of 1 that the owner's store of 0 overwrites is not lost for somebody who parks: he has set his idle bit, fenced, and
 * looked at `shared` before; the owner stores 0, publishes, fences, and looks at the idle bits (leat_i_runtime_wake_one).
 *
 * The state of a slot that was taken:
 *     0 -> region | THIEF (CAS by the thief, once he has one: who helps finds the forks of that very work there) -> DONE
 *     0 or region | THIEF -> waiter | WAITS (CAS by the owner, once, before it parks) -> DONE
 * DONE is stored once, by the thief's exchange: his last touch of the slot. It releases the result, and whoever finds a waiter there
 * wakes it.
 *
 * A join whose fork was taken helps the thief (it takes from his region what he has shared: that is part of what is waited for), to a
 * depth of HELP_DEPTH_MAX, and else parks the whole stack. While it is parked the worker shows no region to thieves: all of its forks
 * are taken. So a join never runs anything on top of its frame that it does not wait for.
 */
#include "fork.h"
#include "runtime.h"

#include "../base/check.h"

#include <string.h>

enum { FORK_SLOTS = 8192, HELP_DEPTH_MAX = 16, HELP_TRIES = 64 };

#define STATE_DONE  ((uintptr_t)1)
#define STATE_WAITS ((uintptr_t)2)
#define STATE_THIEF ((uintptr_t)4)

/* A fork for which there was no slot has been run; its result waits here. */
typedef struct fork_full {
    leat_fork_slot slot;
    struct fork_full *older;
} fork_full;

struct leat_i_fork {
    leat_fork f; /* first: what the inline tier sees */
    leat_i_worker *worker;
    leat_i_fork *next;     /* in the worker's free list */
    fork_full *full;       /* newest first; the next to be joined */
    leat_fork_slot joined; /* the last of them that was, for its result */
    uint32_t help_depth;
    bool all_stolen;
    bool has_parked;
    _Alignas(64) LEAT_ATOMIC(uint64_t) shared; /* split << 32 | tail */
    _Alignas(64) leat_fork_slot base[FORK_SLOTS];
};

_Static_assert(sizeof(leat_fork_slot) == 64, "a slot is a cache line");

static uint64_t shared_pack(uint32_t tail, uint32_t split)
{
    return (uint64_t)split << 32 | tail;
}

static uint32_t shared_tail(uint64_t shared)
{
    return (uint32_t)shared;
}

static uint32_t shared_split(uint64_t shared)
{
    return (uint32_t)(shared >> 32);
}

static uint32_t slot_index(const leat_i_fork *k, const leat_fork_slot *slot)
{
    return (uint32_t)(slot - k->base);
}

static leat_i_fork *fork_of(leat_fork *f)
{
    return (leat_i_fork *)(void *)f;
}

/* ---- regions ---- */

static leat_i_fork *fork_take(leat_i_worker *w)
{
    leat_i_fork *k = w->free_forks;
    if (k)
        w->free_forks = k->next;
    else if (!(k = leat_i_alloc_aligned(64, sizeof *k)))
        return NULL;
    k->worker = w;
    k->full = NULL;
    k->help_depth = 0;
    k->all_stolen = k->has_parked = false;
    k->f.split = k->f.head = k->f.floor = k->base;
    k->f.end = k->base + FORK_SLOTS;
    /* Alone there is nobody to share with; else the first fork is shared, and wakes somebody. */
    leat_word_store_relaxed(&k->f.attention, w->rt->worker_count > 1);
    leat_store_relaxed(&k->shared, 0); /* relaxed: a thief that kept the address finds it empty, before as after */
    return k;
}

static void fork_give(leat_i_fork *k)
{
    k->next = k->worker->free_forks;
    k->worker->free_forks = k;
}

void leat_i_fork_fini(leat_i_worker *w)
{
    while (w->free_forks) {
        leat_i_fork *k = w->free_forks;
        w->free_forks = k->next;
        leat_i_free(k);
    }
}

leat_err leat_fork_enter(leat_task *t, leat_fork **out)
{
    *out = NULL;
    LEAT_I_TASK_TRY(t);
    leat_i_worker *w = t->waiter->home;
    LEAT_TRY(leat_i_task_check(t));
    LEAT_ASSERT(!leat_load_relaxed(&w->fork)); /* who is in a region may not use its task */
    leat_i_fork *k = fork_take(w);
    if (!k) return LEAT_NOMEM;
    w->plain = true;
    leat_store_release(&w->fork, k); /* release: pairs with the acquire of whoever looks for work */
    *out = &k->f;
    return LEAT_OK;
}

void leat_fork_leave(leat_task *t, leat_fork *f)
{
    leat_i_fork *k = fork_of(f);
    LEAT_ASSERT(leat_load_relaxed(&k->worker->fork) == k && !k->full);
    if (k->has_parked) t->suspended = true;
    leat_store_relaxed(&k->worker->fork, NULL); /* relaxed: who finds it late sees that nothing is shared */
    k->worker->plain = false;
    fork_give(k);
}

/* ---- sharing ---- */

static void attention_clear(leat_i_fork *k)
{
    if (!k->full) leat_word_store_relaxed(&k->f.attention, 0); /* relaxed: see the contract */
}

/* Slots from split to `split` are shared too, and somebody is woken who may take them. */
static void fork_share(leat_i_fork *k, uint32_t split)
{
    uint32_t old = slot_index(k, k->f.split);
    attention_clear(k);
    k->f.split = k->base + split;
    leat_add_release(&k->shared, (uint64_t)(split - old) << 32); /* release: the slots are whole for who acquires it */
    leat_i_runtime_wake_one(k->worker->rt);
}

void leat_fork_publish(leat_fork *f, leat_fork_slot *top)
{
    leat_i_fork *k = fork_of(f);
    uint32_t head = slot_index(k, top);
    if (!k->all_stolen) {
        fork_share(k, (slot_index(k, f->split) + head + 1) / 2);
        return;
    }
    k->all_stolen = false;
    attention_clear(k);
    f->split = top;
    leat_store_release(&k->shared, shared_pack(head - 1, head)); /* release: as in fork_share */
    leat_i_runtime_wake_one(k->worker->rt);
}

/* Makes the upper half of what is shared private again; false = all of it was taken. */
static bool fork_take_back(leat_i_fork *k)
{
    uint64_t seen = leat_load_relaxed(&k->shared); /* relaxed: the CAS decides */
    for (;;) {
        uint32_t tail = shared_tail(seen), split = shared_split(seen);
        if (tail == split) return false;
        uint32_t middle = tail + (split - tail) / 2;
        /* relaxed: who takes what is still shared acquires it from its share, whose release sequence this goes on; what is private
         * from now on nobody has, and slots that were taken are used again only when their `state` says so. */
        if (!leat_cas_relaxed(&k->shared, &seen, shared_pack(tail, middle))) continue;
        k->f.split = k->base + middle;
        return true;
    }
}

/* ---- thieves ---- */

static leat_i_fork *fork_of_worker(const leat_i_worker *w)
{
    return leat_load_acquire(&((leat_i_worker *)(uintptr_t)w)->fork); /* acquire: pairs with leat_fork_enter */
}

bool leat_i_fork_has_shared(const leat_i_worker *victim)
{
    leat_i_fork *k = fork_of_worker(victim);
    if (!k) return false;
    uint64_t seen = leat_load_relaxed(&k->shared);
    return shared_tail(seen) < shared_split(seen);
}

static void fork_ask(leat_i_fork *k)
{
    if (!leat_word_load_relaxed(&k->f.attention)) leat_word_store_relaxed(&k->f.attention, 1);
}

void leat_i_fork_ask(const leat_i_worker *victim)
{
    leat_i_fork *k = fork_of_worker(victim);
    if (k) fork_ask(k);
}

/* Says who runs what was taken, for those who help. release: the region is whole for who acquires it. */
static void slot_hint(leat_fork_slot *slot, leat_i_fork *mine)
{
    uintptr_t state = 0;
    (void)leat_word_cas_release(&slot->state, &state, (uintptr_t)mine | STATE_THIEF);
}

/* The oldest shared fork of the region. */
static leat_fork_slot *fork_rob(leat_i_fork *k)
{
    uint64_t seen = leat_load_relaxed(&k->shared); /* relaxed: the CAS decides */
    while (shared_tail(seen) < shared_split(seen)) {
        /* acquire: pairs with the release of a share; the slot is read after it. */
        if (!leat_cas_acquire(&k->shared, &seen, seen + 1)) continue;
        /* Those who are parked asked once, and that was answered with what is gone now. */
        if (shared_tail(seen) + 1 == shared_split(seen) && leat_i_runtime_is_parked(k->worker->rt)) fork_ask(k);
        return &k->base[shared_tail(seen)];
    }
    fork_ask(k);
    return NULL;
}

/* What the thief does last: the slot is the owner's again. */
static void slot_done(leat_fork_slot *slot)
{
    /* release: publishes the result; acquire: pairs with the CAS that put the waiter in. */
    uintptr_t state = leat_word_exchange_acq_rel(&slot->state, STATE_DONE);
    if (state & STATE_WAITS) leat_i_unpark((leat_i_waiter *)(state & ~STATE_WAITS));
}

bool leat_i_fork_steal(leat_i_worker *w, const leat_i_worker *victim)
{
    LEAT_ASSERT(!w->stolen);
    leat_i_fork *from = fork_of_worker(victim);
    if (!from) return false;
    if (!w->free_forks) { /* Whoever takes a fork must be able to run it. */
        leat_i_fork *k = fork_take(w);
        if (!k) return false;
        fork_give(k);
    }
    w->stolen = fork_rob(from);
    return w->stolen != NULL;
}

void leat_i_fork_run_stolen(leat_i_worker *w)
{
    leat_fork_slot *slot = w->stolen;
    leat_i_fork *k = fork_take(w);
    LEAT_ASSERT(k && !leat_load_relaxed(&w->fork));
    w->stolen = NULL;
    leat_store_release(&w->fork, k); /* release: as in leat_fork_enter */
    slot_hint(slot, k);
    slot->run(&k->f, k->base, slot);
    leat_store_relaxed(&w->fork, NULL);
    fork_give(k);
    slot_done(slot);
}

/* ---- joining ---- */

/* Takes part in what `slot` is waited for; false = there was nothing to take. */
static bool join_help(leat_i_fork *k, leat_fork_slot *slot, uintptr_t state)
{
    if (!(state & STATE_THIEF) || k->help_depth == HELP_DEPTH_MAX) return false;
    leat_fork_slot *part = fork_rob((leat_i_fork *)(state & ~STATE_THIEF));
    if (!part) return false;
    slot_hint(part, k);
    k->help_depth++;
    part->run(&k->f, slot + 1, part);
    k->help_depth--;
    slot_done(part);
    return true;
}

static void join_park(leat_i_fork *k, leat_fork_slot *slot, uintptr_t state)
{
    leat_i_worker *w = k->worker;
    uintptr_t waits = (uintptr_t)w->running | STATE_WAITS;
    while (!(state & STATE_DONE)) {
        /* release: publishes the stack's home; pairs with slot_done. */
        if (!leat_word_cas_acq_rel(&slot->state, &state, waits)) continue;
        bool plain = w->plain; /* of this stack's task, if it has one */
        k->has_parked = true;
        w->plain = false;
        leat_store_relaxed(&w->fork, NULL); /* relaxed: who finds it late sees that nothing is shared */
        while (leat_word_load_acquire(&slot->state) != STATE_DONE)
            leat_i_stack_park(w);
        w->plain = plain;
        leat_store_relaxed(&w->fork, k); /* relaxed: the fence behind the share of this slot has published the region */
        return;
    }
}

/* Waits for a fork that was taken. All of this region's are: see the contract. */
static void join_wait(leat_i_fork *k, leat_fork_slot *slot)
{
    uintptr_t state = 0;
    for (int tries = 0; tries < HELP_TRIES; tries++) {
        state = leat_word_load_acquire(&slot->state); /* acquire: pairs with slot_done */
        if (state & STATE_DONE) break;
        if (join_help(k, slot, state)) tries = 0;
        leat_i_os_relax();
    }
    join_park(k, slot, state);
    k->all_stolen = true; /* What was helped with may have had a shared part of its own; all of that is joined. */
    leat_word_store_relaxed(&k->f.attention, 1);
}

/* ---- without a slot ---- */

void leat_fork_full(leat_fork *f, leat_fork_slot *head, const leat_fork_slot *slot)
{
    leat_i_fork *k = fork_of(f);
    fork_full *full = leat_i_alloc(sizeof *full);
    if (!full) LEAT_BUG("out of memory, with more than 8192 forks that are not joined");
    full->slot = *slot;
    slot->run(f, head, &full->slot);
    full->older = k->full;
    k->full = full;
    leat_word_store_relaxed(&f->attention, 1); /* its join must come here, too */
}

static leat_fork_slot *join_full(leat_i_fork *k)
{
    fork_full *full = k->full;
    if (LEAT_UNLIKELY(!full)) LEAT_BUG("a fork was joined that was never forked");
    k->full = full->older;
    k->joined = full->slot;
    leat_i_free(full);
    return &k->joined;
}

leat_fork_slot *leat_fork_join(leat_fork *f, leat_fork_slot *slot)
{
    leat_i_fork *k = fork_of(f);
    if (LEAT_UNLIKELY(!slot)) LEAT_BUG("leat_fork_sync without a fork that is not joined yet");
    if (LEAT_UNLIKELY(slot >= f->end)) return join_full(k);
    if (slot >= f->split) {
        /* Private; somebody is hungry. The newest is run here, the older ones are halved. */
        if (slot > f->split && !k->all_stolen) fork_share(k, (slot_index(k, f->split) + slot_index(k, slot) + 1) / 2);
        return NULL;
    }
    if (!k->all_stolen && fork_take_back(k)) return NULL;
    join_wait(k, slot);
    return slot;
}

/* ---- the tier without macros ---- */

void leat_fork_call(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot)
{
    struct leat_i_fork_call in;
    memcpy(&in, slot->data, sizeof in);
    leat_i_fork_run(f, head, in.fn, in.arg);
}

leat_err leat_fork_run(leat_task *t, leat_fork_fn fn, void *arg)
{
    leat_fork *f;
    if (!fn) return LEAT_USAGE;
    LEAT_TRY(leat_fork_enter(t, &f));
    leat_i_fork_run(f, f->head, fn, arg);
    leat_fork_leave(t, f);
    return LEAT_OK;
}
