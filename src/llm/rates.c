/* rates.c: see rates.h. */
#include "rates.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "retry_after.h"

typedef enum unit { REQUESTS, TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, UNIT_COUNT } unit;
typedef enum field { LIMIT, REMAINING, RESET, FIELD_COUNT } field;
typedef enum period { UNSAID, MINUTE, DAY, PERIOD_COUNT } period;

typedef struct rate {
    double limit, remaining; /* < 0 = not said, or nonsense */
    int64_t reset_ms;        /* < 0 = not said */
} rate;

typedef struct rates {
    rate rate[UNIT_COUNT][PERIOD_COUNT];
    bool anthropic;
} rates;

static const char *const UNITS[UNIT_COUNT] = { "requests", "tokens", "input-tokens", "output-tokens" };
static const char *const FIELDS[FIELD_COUNT] = { "limit", "remaining", "reset" };
static const char *const PERIODS[PERIOD_COUNT] = { "", "-minute", "-day" };
static const double LIMIT_MAX = 1e12;
enum { DAYS_BELIEVED = 3, MINUTE_RESET_MAX_MS = 90000, WAIT_MAX_MS = 60000 };
static const double DAY_MS = 86400e3;

/* ---- lines ---- */

static bool skip_word(const char **at, const char *end, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(end - *at) < size || strncasecmp(*at, word, size) != 0) return false;
    *at += size;
    return true;
}

/* One of `count` words, the longest that fits; -1 = none. */
static int skip_one_of(const char **at, const char *end, const char *const *words, int count)
{
    int best = -1;
    const char *best_at = *at;
    for (int i = 0; i < count; i++) {
        const char *from = *at;
        if (!skip_word(&from, end, words[i]) || (best >= 0 && from <= best_at)) continue;
        best = i;
        best_at = from;
    }
    *at = best_at;
    return best;
}

/* A whole number of at most LIMIT_MAX; -1 = it is none. */
static double number_of(const char *at, const char *end)
{
    double value = 0;
    if (at == end) return -1;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9' || value > LIMIT_MAX) return -1;
        value = value * 10 + (*at - '0');
    }
    return value <= LIMIT_MAX ? value : -1;
}

static void value_take(rate *r, field what, const char *at, const char *end, int64_t wall_s)
{
    char date[40];
    size_t size = (size_t)(end - at);
    if (what == LIMIT) {
        r->limit = number_of(at, end);
    } else if (what == REMAINING) {
        r->remaining = number_of(at, end);
    } else if (size > 10 && size < sizeof date && memchr(at, 'T', size)) {
        memcpy(date, at, size);
        date[size] = 0;
        int64_t until_s = leat_i_rfc3339_s(date);
        r->reset_ms = until_s >= wall_s ? (until_s - wall_s) * 1000 : -1;
    } else {
        r->reset_ms = leat_i_retry_duration_ms(at, size);
    }
}

static void line_take(rates *r, const char *at, const char *end, int64_t wall_s)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    int what, of, per = UNSAID;
    if (!colon) return;
    if (skip_word(&at, colon, "x-ratelimit-")) {
        what = skip_one_of(&at, colon, FIELDS, FIELD_COUNT);
        if (what < 0 || !skip_word(&at, colon, "-")) return;
        of = skip_one_of(&at, colon, UNITS, UNIT_COUNT);
        per = skip_one_of(&at, colon, PERIODS, PERIOD_COUNT);
    } else if (skip_word(&at, colon, "anthropic-ratelimit-")) {
        r->anthropic = true;
        of = skip_one_of(&at, colon, UNITS, UNIT_COUNT);
        if (of < 0 || !skip_word(&at, colon, "-")) return;
        what = skip_one_of(&at, colon, FIELDS, FIELD_COUNT);
        per = MINUTE;
    } else {
        return;
    }
    if (what < 0 || of < 0 || at != colon) return;
    for (at = colon + 1; at < end && *at == ' ';)
        at++;
    value_take(&r->rate[of][per], (field)what, at, end, wall_s);
}

/* ---- what it means ---- */

static bool rate_is_sound(const rate *r)
{
    return r->limit > 0 && r->remaining <= r->limit;
}

/* Which period an unsaid one is. */
static period period_of(const rate *r, LEAT_ATOMIC(uint32_t) * days)
{
    double missing = r->limit - r->remaining;
    bool believed = leat_load_relaxed(days) >= DAYS_BELIEVED; /* Relaxed: a count of evidence that orders nothing. */
    if (r->remaining < 0 || missing <= 0 || r->reset_ms <= 0) return believed ? DAY : MINUTE;
    double period_ms = r->limit * (double)r->reset_ms / missing;
    if (r->reset_ms <= MINUTE_RESET_MAX_MS && (period_ms < 0.8 * DAY_MS || period_ms > 1.2 * DAY_MS)) {
        leat_store_relaxed(days, 0u);
        return MINUTE;
    }
    if (believed) return DAY;
    /* Not yet: a limit of a minute that is not known does less harm than one of a day that is none. */
    return leat_add_relaxed(days, 1u) + 1 >= DAYS_BELIEVED ? DAY : UNSAID;
}

static void told_take(leat_limiter_opts *told, unit of, period per, double limit)
{
    switch (of) {
    case REQUESTS:
        *(per == DAY ? &told->requests_per_day : &told->requests_per_min) = limit;
        break;
    case TOKENS:
        *(per == DAY ? &told->tokens_per_day : &told->tokens_per_min) = limit;
        break;
    case INPUT_TOKENS:
        if (per == MINUTE) told->input_tokens_per_min = limit;
        break;
    case OUTPUT_TOKENS:
        if (per == MINUTE) told->output_tokens_per_min = limit;
        break;
    case UNIT_COUNT:
        break;
    }
}

static void rates_tell(const rates *all, leat_i_rates_memory *memory, leat_limiter_opts *told, int64_t *wait_ms)
{
    for (int of = 0; of < UNIT_COUNT; of++) {
        for (int per = 0; per < PERIOD_COUNT; per++) {
            const rate *r = &all->rate[of][per];
            if (!rate_is_sound(r)) continue;
            period is = (period)per;
            if (is == UNSAID) is = period_of(r, of == REQUESTS ? &memory->request_days : &memory->token_days);
            if (is != UNSAID) told_take(told, (unit)of, is, r->limit);
            if (all->anthropic && r->remaining == 0 && r->reset_ms > *wait_ms)
                *wait_ms = r->reset_ms < WAIT_MAX_MS ? r->reset_ms : WAIT_MAX_MS;
        }
    }
}

void leat_i_rates_read(const char *lines, int64_t wall_s, leat_i_rates_memory *memory, leat_limiter_opts *told,
                       int64_t *wait_ms)
{
    rates all = { .anthropic = false };
    *told = (leat_limiter_opts){ 0 };
    *wait_ms = -1;
    if (!lines) return;
    for (int i = 0; i < UNIT_COUNT * PERIOD_COUNT; i++)
        all.rate[i / PERIOD_COUNT][i % PERIOD_COUNT] = (rate){ -1, -1, -1 };
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1)
        line_take(&all, lines, end, wall_s);
    rates_tell(&all, memory, told, wait_ms);
}
