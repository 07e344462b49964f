/* ceiling.c: see ceiling.h. */
#include "ceiling.h"

static const double CUT = 1 - LEAT_I_CEILING_CUT_TO;
static const double BACK_NS = 60e9;      /* until the refused rate is reached again */
static const double FORGET = 8;          /* times the refused rate: whatever refused it is over */
static const double PER_MIN_LEAST = 0.5; /* so that there is always a next try */

void leat_i_ceiling_cut(leat_i_ceiling *c, double per_min, int64_t from_ns)
{
    c->refused_per_min = per_min > PER_MIN_LEAST ? per_min : PER_MIN_LEAST;
    c->cut_ns = from_ns;
}

void leat_i_ceiling_climb(leat_i_ceiling *c, int64_t now_ns)
{
    if (c->cut_ns > now_ns) c->cut_ns = now_ns;
}

double leat_i_ceiling_per_min(leat_i_ceiling *c, double limit_per_min, int64_t now_ns)
{
    if (c->refused_per_min == 0) return limit_per_min;
    double x = now_ns > c->cut_ns ? (double)(now_ns - c->cut_ns) / BACK_NS - 1 : -1;
    double climbed = 1 + CUT * x * x * x;
    double per_min = c->refused_per_min * climbed;
    if (limit_per_min > 0 ? per_min < limit_per_min : climbed < FORGET) return per_min;
    c->refused_per_min = 0;
    return limit_per_min;
}
