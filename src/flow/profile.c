/*
 * profile.c: a row per node of what runs did, added up.
 *
 * Rows are found by the names of flow and node and the place of the node, in a hash table with open addressing that holds
 * their indices. One lock guards all: an entry is some tens of nanoseconds, beside the microseconds of the stack's measuring.
 */
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/lock.h"

#define SLOTS_FIRST 64u /* a power of two */
#define SHOWN_BYTES 20  /* of a name in the text */

struct leat_profile {
    leat_i_lock lock; /* guards all below */
    leat_node_profile *row;
    size_t count, room;
    uint32_t *slot; /* index of a row plus one; 0 = free. At most half of them are taken */
    size_t slot_count;
};

leat_err leat_profile_new(leat_profile **out)
{
    if (!out) return LEAT_USAGE;
    *out = leat_i_alloc_zeroed(sizeof **out);
    return *out ? LEAT_OK : LEAT_NOMEM;
}

void leat_profile_free(leat_profile *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) {
        leat_i_free((char *)(uintptr_t)p->row[i].flow);
        leat_i_free((char *)(uintptr_t)p->row[i].node);
    }
    leat_i_free(p->row);
    leat_i_free(p->slot);
    leat_i_free(p);
}

/* ---- finding a row; the lock is held ---- */

static uint64_t hash_text(uint64_t h, const char *text) /* FNV-1a */
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static size_t slot_first(const leat_profile *p, const char *flow, const char *node, uint32_t place)
{
    uint64_t h = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), flow), node) + place;
    return (size_t)((h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (p->slot_count - 1);
}

static bool table_grow(leat_profile *p)
{
    size_t count = p->slot_count ? 2 * p->slot_count : SLOTS_FIRST;
    uint32_t *slot = leat_i_alloc_zeroed(count * sizeof *slot);
    leat_node_profile *row = slot ? leat_i_realloc(p->row, count / 2 * sizeof *row) : NULL;
    if (!row) {
        leat_i_free(slot);
        return false;
    }
    leat_i_free(p->slot);
    p->row = row;
    p->room = count / 2;
    p->slot = slot;
    p->slot_count = count;
    for (size_t i = 0; i < p->count; i++) {
        size_t at = slot_first(p, row[i].flow, row[i].node, row[i].place);
        while (slot[at])
            at = (at + 1) & (count - 1);
        slot[at] = (uint32_t)i + 1;
    }
    return true;
}

static leat_node_profile *row_add(leat_profile *p, size_t at, const leat_trace *call)
{
    leat_node_profile *row = &p->row[p->count];
    *row = (leat_node_profile){ .flow = leat_i_strdup(call->flow), .node = leat_i_strdup(call->node), .place = call->place };
    if (!row->flow || !row->node) {
        leat_i_free((char *)(uintptr_t)row->flow);
        leat_i_free((char *)(uintptr_t)row->node);
        return NULL;
    }
    p->slot[at] = (uint32_t)++p->count;
    return row;
}

/* NULL when memory is short: then this is not counted. */
static leat_node_profile *row_of(leat_profile *p, const leat_trace *call)
{
    if (p->count == p->room && !table_grow(p)) return NULL;
    size_t at = slot_first(p, call->flow, call->node, call->place);
    for (; p->slot[at]; at = (at + 1) & (p->slot_count - 1)) {
        leat_node_profile *row = &p->row[p->slot[at] - 1];
        if (row->place == call->place && strcmp(row->node, call->node) == 0 && strcmp(row->flow, call->flow) == 0)
            return row;
    }
    return row_add(p, at, call);
}

/* ---- counting ---- */

static void visit_add(leat_node_profile *row, const leat_trace *call, int64_t ns)
{
    bool failed = call->code != LEAT_OK;
    if (call->is_item) {
        row->items++;
        row->failed_items += failed;
    } else {
        row->visits++;
        row->failed_visits += failed;
    }
    if (ns > row->longest_ns) row->longest_ns = ns;
    if (call->stack_bytes > row->stack_bytes) row->stack_bytes = call->stack_bytes;
}

static void call_add(leat_node_profile *row, const leat_trace *call)
{
    int64_t ns = call->end_ns - call->begin_ns;
    switch (call->phase) {
    case LEAT_PHASE_VISIT:
        visit_add(row, call, ns);
        return;
    case LEAT_PHASE_RETRY_WAIT:
        row->retry_wait_ns += ns;
        return;
    case LEAT_PHASE_LIMITER_WAIT:
        row->limiter_wait_ns += ns;
        return;
    case LEAT_PHASE_GATE_WAIT:
        row->gate_wait_ns += ns;
        return;
    case LEAT_PHASE_SEMAPHORE_WAIT:
        return;
    case LEAT_PHASE_EXEC:
        row->attempts++;
        row->failed_attempts += call->code != LEAT_OK;
        break;
    case LEAT_PHASE_FALLBACK:
        row->fallbacks++;
        break;
    default:
        break;
    }
    row->busy_ns += ns - call->waited_ns;
    row->waited_ns += call->waited_ns;
}

void leat_i_profile_note(leat_profile *p, const leat_trace *call)
{
    if (!call->node) return;
    leat_i_lock_take(&p->lock);
    leat_node_profile *row = row_of(p, call);
    if (row) call_add(row, call);
    leat_i_lock_give(&p->lock);
}

/* ---- reading ---- */

size_t leat_profile_count(const leat_profile *profile)
{
    leat_profile *p = (leat_profile *)(uintptr_t)profile;
    if (!p) return 0;
    leat_i_lock_take(&p->lock);
    size_t count = p->count;
    leat_i_lock_give(&p->lock);
    return count;
}

leat_err leat_profile_read(const leat_profile *profile, size_t index, leat_node_profile *row)
{
    leat_profile *p = (leat_profile *)(uintptr_t)profile;
    if (!p || !row) return LEAT_USAGE;
    leat_i_lock_take(&p->lock);
    bool is = index < p->count;
    if (is) *row = p->row[index];
    leat_i_lock_give(&p->lock);
    return is ? LEAT_OK : LEAT_USAGE;
}

static int row_compare(const void *a, const void *b)
{
    const leat_node_profile *x = a, *y = b;
    return x->busy_ns == y->busy_ns ? 0 : x->busy_ns < y->busy_ns ? 1 : -1;
}

/* A time with the unit that fits: "12.3 ms". */
static const char *time_text(char text[16], int64_t ns)
{
    static const char *const unit[] = { "ns", "us", "ms", "s" };
    double value = (double)ns;
    size_t i = 0;
    for (; i < 3 && value >= 1000; i++)
        value /= 1000;
    snprintf(text, 16, i == 0 ? "%.0f %s" : "%.1f %s", value, unit[i]);
    return text;
}

static void row_print(leat_i_buf *b, const leat_node_profile *r)
{
    char busy[16], waited[16], longest[16];
    leat_i_buf_printf(b, "%-*.*s %-*.*s", SHOWN_BYTES, SHOWN_BYTES, r->flow, SHOWN_BYTES, SHOWN_BYTES, r->node);
    leat_i_buf_printf(b, " %9llu %7llu %9llu %7llu %9llu %7llu", (unsigned long long)r->visits,
                      (unsigned long long)r->failed_visits, (unsigned long long)r->items,
                      (unsigned long long)r->failed_items, (unsigned long long)r->attempts,
                      (unsigned long long)r->failed_attempts);
    leat_i_buf_printf(b, " %9s %9s %9s %8u\n", time_text(busy, r->busy_ns),
                      time_text(waited, r->waited_ns + r->retry_wait_ns), time_text(longest, r->longest_ns), r->stack_bytes);
}

/* A copy of all rows; NULL when memory is short. */
static leat_node_profile *rows_copy(leat_profile *p, size_t *count)
{
    leat_i_lock_take(&p->lock);
    *count = p->count;
    leat_node_profile *rows = leat_i_alloc(p->count * sizeof *rows + 1);
    if (rows && p->count) memcpy(rows, p->row, p->count * sizeof *rows);
    leat_i_lock_give(&p->lock);
    return rows;
}

char *leat_profile_text(const leat_profile *profile)
{
    leat_i_buf b = { 0 };
    size_t count = 0;
    if (!profile) return NULL;
    leat_node_profile *rows = rows_copy((leat_profile *)(uintptr_t)profile, &count);
    if (!rows) return NULL;
    qsort(rows, count, sizeof *rows, row_compare);
    leat_i_buf_printf(&b, "%-*s %-*s %9s %7s %9s %7s %9s %7s %9s %9s %9s %8s\n", SHOWN_BYTES, "flow", SHOWN_BYTES, "node",
                      "visits", "failed", "items", "failed", "attempts", "failed", "busy", "waited", "longest", "stack B");
    for (size_t i = 0; i < count; i++)
        row_print(&b, &rows[i]);
    leat_i_free(rows);
    return leat_i_buf_take(&b);
}
