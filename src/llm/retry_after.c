/* retry_after.c: see retry_after.h. Numbers are read by hand: the C library's readers follow the locale. */
#include "retry_after.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool cursor_digit(const cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static void cursor_skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* A decimal number times `scale`, rounded up to a whole; saturates. False = no digit here. */
static bool cursor_number(cursor *c, int64_t scale, int64_t *value)
{
    int64_t whole = 0, part = 0, unit = scale;
    bool rest = false;
    if (!cursor_digit(c)) return false;
    for (; cursor_digit(c); c->at++)
        if (whole < LEAT_I_RETRY_MS_MAX) whole = whole * 10 + (*c->at - '0');
    if (c->at < c->end && *c->at == '.') {
        for (c->at++; cursor_digit(c); c->at++) {
            int64_t digit = *c->at - '0';
            part += digit * unit / 10;
            rest |= digit != 0 && (unit < 10 || digit * unit % 10 != 0);
            unit /= 10;
        }
    }
    if (whole > LEAT_I_RETRY_MS_MAX / scale)
        *value = LEAT_I_RETRY_MS_MAX;
    else
        *value = whole * scale + part + (rest ? 1 : 0);
    return true;
}

static int64_t wait_ms(int64_t ms)
{
    if (ms <= 0) return -1;
    return ms > LEAT_I_RETRY_MS_MAX ? LEAT_I_RETRY_MS_MAX : ms;
}

/* ---- durations ---- */

static const struct {
    const char *name;
    int64_t ms;
} units[] = { { "milliseconds", 1 }, { "millisecond", 1 }, { "seconds", 1000 },  { "second", 1000 },  { "secs", 1000 },
              { "minutes", 60000 },  { "minute", 60000 },  { "hours", 3600000 }, { "hour", 3600000 }, { "ms", 1 },
              { "sec", 1000 },       { "min", 60000 },     { "h", 3600000 },     { "m", 60000 },      { "s", 1000 } };

static int64_t cursor_unit(cursor *c)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t size = strlen(units[i].name);
        if ((size_t)(c->end - c->at) < size || strncasecmp(c->at, units[i].name, size) != 0) continue;
        char after = (size_t)(c->end - c->at) > size ? c->at[size] : '\0';
        if ((after | 0x20) >= 'a' && (after | 0x20) <= 'z') continue; /* A longer word. */
        c->at += size;
        return units[i].ms;
    }
    return 0;
}

/* "1m30.5s" and the like, from the cursor on; the first number without a unit counts as seconds and ends it. -1 = none. */
static int64_t cursor_duration(cursor *c)
{
    int64_t sum_ms = -1;
    while (cursor_digit(c)) {
        cursor number = *c;
        int64_t value;
        (void)cursor_number(c, 1, &value);
        cursor_skip_blanks(c);
        int64_t unit_ms = cursor_unit(c);
        bool bare = unit_ms == 0;
        (void)cursor_number(&number, bare ? 1000 : unit_ms, &value);
        sum_ms = (sum_ms < 0 ? 0 : sum_ms) + value;
        if (sum_ms > LEAT_I_RETRY_MS_MAX) sum_ms = LEAT_I_RETRY_MS_MAX;
        if (bare) break;
    }
    return sum_ms;
}

int64_t leat_i_retry_duration_ms(const char *text, size_t size)
{
    cursor c = { text, text + size };
    cursor_skip_blanks(&c);
    int64_t ms = cursor_duration(&c);
    cursor_skip_blanks(&c);
    return c.at == c.end ? wait_ms(ms) : -1;
}

int64_t leat_i_retry_hint_ms(const char *message)
{
    static const char *const words[] = { "try again in ", "retry after ",     "retry in ",
                                         "retry-after: ", "try again after ", "wait " };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strcasestr(message, words[i]);
        if (!at) continue;
        at += strlen(words[i]);
        cursor c = { at, at + strlen(at) };
        cursor_skip_blanks(&c);
        int64_t ms = wait_ms(cursor_duration(&c));
        if (ms > 0) return ms;
    }
    return -1;
}

/* ---- dates ---- */

static bool cursor_word(cursor *c, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(c->end - c->at) < size || strncasecmp(c->at, word, size) != 0) return false;
    c->at += size;
    return true;
}

static bool cursor_int(cursor *c, int digits_max, int *value)
{
    *value = 0;
    if (!cursor_digit(c)) return false;
    for (int i = 0; i < digits_max && cursor_digit(c); i++)
        *value = *value * 10 + (*c->at++ - '0');
    return true;
}

static bool cursor_month(cursor *c, int *month)
{
    static const char *const names[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    for (*month = 1; *month <= 12; (*month)++)
        if (cursor_word(c, names[*month - 1])) return true;
    return false;
}

static bool cursor_time(cursor *c, int *h, int *m, int *s)
{
    return cursor_int(c, 2, h) && cursor_word(c, ":") && cursor_int(c, 2, m) && cursor_word(c, ":") && cursor_int(c, 2, s) &&
           *h < 24 && *m < 60 && *s <= 60;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 12 : month; /* March starts the year: leap days end it. */
    return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + day - 1 - 719468;
}

/* After "Sun" (or "Sunday") and its comma: "06 Nov 1994 08:49:37 GMT", "06-Nov-94 08:49:37 GMT". */
static bool date_day_first(cursor *c, int *year, int *month, int *day, int *h, int *m, int *s)
{
    cursor_skip_blanks(c);
    if (!cursor_int(c, 2, day)) return false;
    bool dashes = cursor_word(c, "-");
    cursor_skip_blanks(c);
    if (!cursor_month(c, month)) return false;
    if (dashes && !cursor_word(c, "-")) return false;
    cursor_skip_blanks(c);
    if (!cursor_int(c, 4, year)) return false;
    if (*year < 100) *year += *year < 70 ? 2000 : 1900;
    cursor_skip_blanks(c);
    return cursor_time(c, h, m, s);
}

int64_t leat_i_http_date_s(const char *text)
{
    cursor c = { text, text + strlen(text) };
    int year = 0, month = 0, day = 0, h = 0, m = 0, s = 0;
    bool ok;
    cursor_skip_blanks(&c);
    while (c.at < c.end && (*c.at | 0x20) >= 'a' && (*c.at | 0x20) <= 'z')
        c.at++; /* The name of the day tells nothing. */
    if (cursor_word(&c, ",")) {
        ok = date_day_first(&c, &year, &month, &day, &h, &m, &s);
        cursor_skip_blanks(&c);
        ok = ok && (cursor_word(&c, "GMT") || cursor_word(&c, "UTC") || cursor_word(&c, "+0000"));
    } else { /* "Sun Nov  6 08:49:37 1994" */
        cursor_skip_blanks(&c);
        ok = cursor_month(&c, &month);
        cursor_skip_blanks(&c);
        ok = ok && cursor_int(&c, 2, &day);
        cursor_skip_blanks(&c);
        ok = ok && cursor_time(&c, &h, &m, &s);
        cursor_skip_blanks(&c);
        ok = ok && cursor_int(&c, 4, &year);
    }
    if (!ok || day < 1 || day > 31 || year < 1970) return -1;
    return days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s;
}

int64_t leat_i_rfc3339_s(const char *text)
{
    cursor c = { text, text + strlen(text) };
    int year, month, day, h, m, s, zone_h = 0, zone_m = 0;
    bool ok = cursor_int(&c, 4, &year) && cursor_word(&c, "-") && cursor_int(&c, 2, &month) && cursor_word(&c, "-") &&
              cursor_int(&c, 2, &day) && cursor_word(&c, "T") && cursor_time(&c, &h, &m, &s);
    if (ok && cursor_word(&c, "."))
        while (cursor_digit(&c))
            c.at++;
    int sign = 0;
    if (ok && !cursor_word(&c, "Z")) {
        sign = cursor_word(&c, "+") ? 1 : cursor_word(&c, "-") ? -1 : 0;
        ok = sign != 0 && cursor_int(&c, 2, &zone_h) && cursor_word(&c, ":") && cursor_int(&c, 2, &zone_m);
    }
    if (!ok || c.at != c.end || month < 1 || month > 12 || day < 1 || day > 31 || year < 1970) return -1;
    return days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s - sign * (zone_h * 3600 + zone_m * 60);
}

int64_t leat_i_retry_after_ms(const char *retry_after_ms, const char *retry_after, const char *date, int64_t wall_ns)
{
    if (retry_after_ms) {
        cursor c = { retry_after_ms, retry_after_ms + strlen(retry_after_ms) };
        int64_t ms;
        if (cursor_number(&c, 1, &ms) && c.at == c.end && wait_ms(ms) > 0) return wait_ms(ms);
    }
    if (!retry_after) return -1;
    int64_t ms = leat_i_retry_duration_ms(retry_after, strlen(retry_after));
    if (ms > 0) return ms;
    int64_t until_s = leat_i_http_date_s(retry_after);
    if (until_s < 0) return -1;
    int64_t now_s = date ? leat_i_http_date_s(date) : -1;
    int64_t now_ms = now_s >= 0 ? now_s * 1000 : wall_ns / 1000000;
    return wait_ms(until_s * 1000 - now_ms);
}
