/*
 * window.c: a ring of entries by number (time shifted right), and the same summed by groups of 64, so that the search for the
 * moment when enough has left looks at some 200 sums at most.
 *
 * Numbers count from the time -WINDOW, so that they are never negative: number(t) = (t + WINDOW) >> SHIFT, and an entry counts
 * at `now` while number >= now >> SHIFT. A minute spans 7,160 entries, a day 5,030; with the 64 of a group that is less than the
 * ring, so two live entries never share a place, nor two live groups.
 */
#include "window.h"

#include <string.h>

#include "../base/check.h"

_Static_assert((LEAT_I_WINDOW_NS >> LEAT_I_WINDOW_ENTRY_SHIFT) + 2 < LEAT_I_WINDOW_ENTRIES - LEAT_I_WINDOW_GROUP_SIZE,
               "the ring must hold the window and a group");
_Static_assert((LEAT_I_DAY_NS >> LEAT_I_DAY_ENTRY_SHIFT) + 2 < LEAT_I_WINDOW_ENTRIES - LEAT_I_WINDOW_GROUP_SIZE,
               "the ring must hold the day and a group");

static int shift_of(const leat_i_window *w)
{
    return w->is_day ? LEAT_I_DAY_ENTRY_SHIFT : LEAT_I_WINDOW_ENTRY_SHIFT;
}

static int64_t number_of(const leat_i_window *w, int64_t ns)
{
    return (ns + (w->is_day ? LEAT_I_DAY_NS : LEAT_I_WINDOW_NS)) >> shift_of(w);
}

/* Where entry `number` lies, and its group. */
static size_t entry_place(int64_t number)
{
    return (uint64_t)number % LEAT_I_WINDOW_ENTRIES;
}

static size_t group_place(int64_t number)
{
    return (uint64_t)number / LEAT_I_WINDOW_GROUP_SIZE % LEAT_I_WINDOW_GROUPS;
}

static void charge_add(leat_i_charge *to, leat_i_charge c)
{
    to->input += c.input;
    to->output += c.output;
    to->requests += c.requests;
    to->bytes += c.bytes;
}

static leat_i_charge charge_negated(leat_i_charge c)
{
    return (leat_i_charge){ -c.input, -c.output, -c.requests, -c.bytes };
}

static bool charge_is_zero(const leat_i_charge *c)
{
    return (c->input | c->output | c->requests | c->bytes) == 0;
}

static void entry_change(leat_i_window *w, int64_t number, leat_i_charge delta)
{
    charge_add(&w->entry[entry_place(number)], delta);
    charge_add(&w->group[group_place(number)], delta);
    charge_add(&w->total, delta);
}

void leat_i_window_advance(leat_i_window *w, int64_t now_ns)
{
    int64_t oldest = now_ns >> shift_of(w);
    if (oldest <= w->oldest) return;
    if (oldest > w->newest && !charge_is_zero(&w->total)) {
        /* Time jumped over all of it. */
        memset(w->entry, 0, sizeof w->entry);
        memset(w->group, 0, sizeof w->group);
        w->total = (leat_i_charge){ 0 };
    }
    /* No charge lies before the first one after an empty log, so there is nothing to look at then. */
    for (int64_t n = w->oldest; n < oldest && !charge_is_zero(&w->total); n++) {
        if (charge_is_zero(&w->group[group_place(n)])) {
            n |= LEAT_I_WINDOW_GROUP_SIZE - 1; /* The last of this group. */
            continue;
        }
        entry_change(w, n, charge_negated(w->entry[entry_place(n)]));
    }
    w->oldest = oldest;
}

void leat_i_window_add(leat_i_window *w, int64_t now_ns, leat_i_charge c)
{
    int64_t number = number_of(w, now_ns);
    if (number < w->newest) number = w->newest;
    w->newest = number;
    LEAT_ASSERT(number >= w->oldest);
    LEAT_ASSERT(number - w->oldest < LEAT_I_WINDOW_ENTRIES - LEAT_I_WINDOW_GROUP_SIZE);
    entry_change(w, number, c);
}

void leat_i_window_adjust(leat_i_window *w, int64_t then_ns, leat_i_charge delta)
{
    int64_t number = number_of(w, then_ns);
    if (number < w->oldest || number > w->newest) return;
    entry_change(w, number, delta);
    LEAT_ASSERT(w->entry[entry_place(number)].input >= 0);
    LEAT_ASSERT(w->entry[entry_place(number)].output >= 0);
}

int64_t leat_i_window_gone_ns(const leat_i_window *w, leat_i_account account, int64_t amount)
{
    if (amount <= 0) return 0;
    int64_t number = w->oldest;
    while (number <= w->newest) {
        bool group_starts = number % LEAT_I_WINDOW_GROUP_SIZE == 0;
        int64_t group = leat_i_charge_of(&w->group[group_place(number)], account);
        if (group_starts && group < amount) {
            amount -= group;
            number += LEAT_I_WINDOW_GROUP_SIZE;
            continue;
        }
        amount -= leat_i_charge_of(&w->entry[entry_place(number)], account);
        if (amount <= 0) break;
        number++;
    }
    /* Entry n counts until now >> SHIFT is n + 1. */
    return (number + 1) << shift_of(w);
}
