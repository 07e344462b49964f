/* adapt.c: see adapt.h. */
#include "adapt.h"

static const double ROOM_FIRST = 8;
static const double ROOM_MAX = 1e6;
static const double LOSS_SHARE = 0.5, SLOW_SHARE = 0.9;
static const double SLOW_TIMES = 2.5, SLOW_LEAST_MS = 50; /* beyond that the endpoint is queueing */
static const double MEAN_WEIGHT = 0.125, BASE_RISE = 1.001;

static double between(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

void leat_i_adapt_set(leat_i_adapt *a, bool on, uint32_t min, uint32_t max)
{
    a->min = min > 0 ? min : 1;
    a->max = max;
    if (on && !a->is_on) a->room = ROOM_FIRST;
    a->is_on = on;
    a->room = between(a->room, a->min, max > 0 ? max : ROOM_MAX);
}

uint32_t leat_i_adapt_max(const leat_i_adapt *a)
{
    return a->is_on ? (uint32_t)a->room : a->max;
}

static void room_cut(leat_i_adapt *a, double share, uint64_t granted)
{
    a->room = between(a->room * share, a->min, ROOM_MAX);
    a->cut_number = granted;
}

void leat_i_adapt_loss(leat_i_adapt *a, uint64_t number, uint64_t granted)
{
    if (!a->is_on || number <= a->cut_number) return;
    a->had_loss = true;
    room_cut(a, LOSS_SHARE, granted);
}

/* True when first tokens have become slow. */
static bool first_token_is_slow(leat_i_adapt *a, uint64_t number, uint64_t granted, double ms)
{
    if (a->first_token_base_ms == 0) {
        a->first_token_ms = a->first_token_base_ms = ms + 1;
        return false;
    }
    a->first_token_ms += MEAN_WEIGHT * (ms - a->first_token_ms);
    if (number > a->round_number) {
        a->round_number = granted;
        a->first_token_base_ms *= BASE_RISE; /* What was quick an hour ago is no measure for ever. */
    }
    if (ms + 1 < a->first_token_base_ms) a->first_token_base_ms = ms + 1;
    return a->first_token_ms > SLOW_TIMES * a->first_token_base_ms + SLOW_LEAST_MS;
}

void leat_i_adapt_good(leat_i_adapt *a, uint64_t number, uint64_t granted, uint32_t in_flight, int64_t first_token_ms)
{
    if (!a->is_on) return;
    if (first_token_ms >= 0 && first_token_is_slow(a, number, granted, (double)first_token_ms)) {
        a->had_loss = true;
        if (number > a->cut_number) room_cut(a, SLOW_SHARE, granted);
        return;
    }
    if (in_flight < a->room / 2) return; /* Nobody knows whether more would be borne. */
    a->room = between(a->room + (a->had_loss ? 1 / a->room : 1), a->min, a->max > 0 ? a->max : ROOM_MAX);
}
