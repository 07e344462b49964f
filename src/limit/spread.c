/* spread.c: see spread.h. */
#include "spread.h"

#include "../base/os.h"

static int64_t time_of(const leat_i_spread *s, int64_t units)
{
    double ns = (double)units * s->ns_per_unit;
    return ns < (double)LEAT_I_SPREAD_MOST_NS ? (int64_t)ns : LEAT_I_SPREAD_MOST_NS;
}

static void slot_move(leat_i_spread *s, int64_t ns)
{
    int64_t latest_ns = s->last_ns + LEAT_I_SPREAD_MOST_NS, earliest_ns = s->last_ns - LEAT_I_SPREAD_MOST_NS;
    s->slot_ns += ns;
    if (s->slot_ns > latest_ns) s->slot_ns = latest_ns;
    if (s->slot_ns < earliest_ns) s->slot_ns = earliest_ns; /* Less than any slack: sums stay within bounds. */
}

void leat_i_spread_set(leat_i_spread *s, int64_t max, int64_t now_ns)
{
    double before = s->ns_per_unit;
    s->ns_per_unit = max > 0 ? 60.0 * (double)LEAT_I_NS_PER_S / (double)max : 0;
    if (before == 0) s->slot_ns = INT64_MIN;
    if (before == 0 || s->ns_per_unit == before || s->slot_ns <= now_ns) return;
    double owed_ns = (double)(s->slot_ns - now_ns) * (s->ns_per_unit / before);
    s->slot_ns = now_ns;
    slot_move(s, owed_ns < (double)LEAT_I_SPREAD_MOST_NS ? (int64_t)owed_ns : LEAT_I_SPREAD_MOST_NS);
}

void leat_i_spread_take(leat_i_spread *s, int64_t units, int64_t now_ns)
{
    if (s->ns_per_unit == 0) return;
    int64_t from_ns = s->slot_ns == INT64_MIN ? now_ns : now_ns - LEAT_I_SPREAD_SLACK_NS;
    if (s->slot_ns < from_ns) s->slot_ns = from_ns;
    s->last_ns = now_ns;
    slot_move(s, time_of(s, units));
}

void leat_i_spread_adjust(leat_i_spread *s, int64_t units, int64_t used)
{
    if (s->ns_per_unit > 0 && s->slot_ns != INT64_MIN) slot_move(s, time_of(s, used) - time_of(s, units));
}
