/* script.c: reads scripts, and says which line counts for a request. */
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "../base/json.h"
#include "../base/os.h"

#define SECONDS_MAX 1e9
#define COUNT_MAX   ((uint64_t)1e15)

typedef struct reader {
    leat_i_mock_script *script;
    leat_i_arena arena; /* of the line at hand */
    size_t line;        /* from 1 */
    char *why;
    size_t why_bytes;
    leat_err err;
    leat_i_mock_order order;
} reader;

/* Says what is wrong with the line; always false, to end a check with. */
__attribute__((format(printf, 2, 3))) static bool wrong(reader *r, const char *fmt, ...)
{
    va_list args;
    int n = snprintf(r->why, r->why_bytes, "Line %zu of the script: ", r->line);
    va_start(args, fmt);
    if (n > 0 && (size_t)n < r->why_bytes) vsnprintf(r->why + n, r->why_bytes - (size_t)n, fmt, args);
    va_end(args);
    r->err = LEAT_USAGE;
    return false;
}

static bool no_memory(reader *r)
{
    snprintf(r->why, r->why_bytes, "Out of memory.");
    r->err = LEAT_NOMEM;
    return false;
}

static bool take_text(reader *r, leat_i_json value, const char *name, const char **text, size_t *size)
{
    if (value.type != LEAT_I_JSON_STRING) return wrong(r, "%s must be a string.", name);
    *text = leat_i_json_text(value, &r->arena, size);
    return *text || no_memory(r);
}

static bool take_number(reader *r, leat_i_json value, const char *name, double most, double *number)
{
    if (value.type != LEAT_I_JSON_NUMBER || !leat_i_json_double(value, number) || !(*number >= 0 && *number <= most))
        return wrong(r, "%s must be a number from 0 to %.15g.", name, most);
    return true;
}

static bool take_time(reader *r, leat_i_json value, const char *name, int64_t *ns)
{
    double seconds;
    if (!take_number(r, value, name, SECONDS_MAX, &seconds)) return false;
    *ns = (int64_t)(seconds * 1e9);
    return true;
}

static bool take_count(reader *r, leat_i_json value, const char *name, uint64_t *count)
{
    if (value.type != LEAT_I_JSON_NUMBER || !leat_i_json_u64(value, count) || *count == 0 || *count > COUNT_MAX)
        return wrong(r, "%s must be a whole number from 1.", name);
    return true;
}

/* A limit: a whole number, or null for none. Zero would mean nothing to some and no limit to others. */
static bool take_limit(reader *r, leat_i_json value, const char *name, bool *set, uint64_t *limit)
{
    *set = true;
    *limit = 0;
    if (value.type == LEAT_I_JSON_NULL) return true;
    if (value.type != LEAT_I_JSON_NUMBER || !leat_i_json_u64(value, limit) || *limit == 0 || *limit > COUNT_MAX)
        return wrong(r, "%s must be a whole number from 1, or null for no limit.", name);
    return true;
}

/* "request": 3, or [3, 7] for the third to the seventh. */
static bool take_requests(reader *r, leat_i_json value)
{
    leat_i_json element;
    size_t at = 0;
    if (value.type != LEAT_I_JSON_ARRAY) {
        bool good = take_count(r, value, "request", &r->order.first);
        r->order.last = r->order.first;
        return good;
    }
    if (!leat_i_json_next_element(value, &at, &element) || !take_count(r, element, "request", &r->order.first) ||
        !leat_i_json_next_element(value, &at, &element) || !take_count(r, element, "request", &r->order.last) ||
        leat_i_json_next_element(value, &at, &element) || r->order.first > r->order.last)
        return wrong(r, "request must be an ordinal from 1, or the first and the last of some: [3, 7].");
    return true;
}

static bool take_fault(reader *r, leat_i_json value)
{
    const char *name = "";
    size_t size = 0;
    if (!take_text(r, value, "fault", &name, &size)) return false;
    r->order.fault = leat_i_mock_fault_of(name);
    return r->order.fault != LEAT_I_MOCK_FAULT_NONE ||
           wrong(r, "there is no fault '%.40s' ('leat mock --list-faults' lists them).", name);
}

static bool take_key(reader *r, leat_i_json value)
{
    const char *key = "";
    size_t size = 0;
    if (!take_text(r, value, "key", &key, &size)) return false;
    r->order.has_key = true;
    r->order.key_hash = size ? XXH3_64bits(key, size) : 0;
    return true;
}

static bool take_status(reader *r, leat_i_json value)
{
    uint64_t status;
    if (!take_count(r, value, "status", &status)) return false;
    if (status < 400 || status > 599) return wrong(r, "status must be from 400 to 599.");
    r->order.status = (int)status;
    return true;
}

static bool take_rate(reader *r, leat_i_json value)
{
    return take_number(r, value, "rate", 1, &r->order.rate);
}

/* The header's text as it shall stand, or a number of seconds. */
static bool take_retry_after(reader *r, leat_i_json value)
{
    const char *text = NULL;
    size_t size = 0;
    if (value.type == LEAT_I_JSON_NUMBER) {
        text = value.at;
        size = value.size;
    } else if (!take_text(r, value, "retry_after", &text, &size)) {
        return false;
    }
    if (size == 0 || size >= sizeof r->order.retry_after)
        return wrong(r, "retry_after must have from 1 to %zu bytes.", sizeof r->order.retry_after - 1);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return wrong(r, "retry_after is the text of a header: printable ASCII alone.");
    snprintf(r->order.retry_after, sizeof r->order.retry_after, "%.*s", (int)size, text);
    return true;
}

static bool member_take(reader *r, const char *name, leat_i_json value)
{
    leat_i_mock_order *o = &r->order;
    if (strcmp(name, "fault") == 0) return take_fault(r, value);
    if (strcmp(name, "key") == 0) return take_key(r, value);
    if (strcmp(name, "from_s") == 0) return take_time(r, value, name, &o->from_ns);
    if (strcmp(name, "to_s") == 0) return take_time(r, value, name, &o->to_ns);
    if (strcmp(name, "request") == 0) return take_requests(r, value);
    if (strcmp(name, "every") == 0) return take_count(r, value, name, &o->every);
    if (strcmp(name, "times") == 0) return take_count(r, value, name, &o->times);
    if (strcmp(name, "rate") == 0) return take_rate(r, value);
    if (strcmp(name, "status") == 0) return take_status(r, value);
    if (strcmp(name, "seconds") == 0) return take_time(r, value, name, &o->after_ns);
    if (strcmp(name, "retry_after") == 0) return take_retry_after(r, value);
    if (strcmp(name, "rpm") == 0) return take_limit(r, value, name, &o->requests, &o->limits.requests);
    if (strcmp(name, "tpm") == 0) return take_limit(r, value, name, &o->tokens, &o->limits.tokens);
    if (strcmp(name, "itpm") == 0) return take_limit(r, value, name, &o->input, &o->limits.input);
    if (strcmp(name, "otpm") == 0) return take_limit(r, value, name, &o->output, &o->limits.output);
    if (strcmp(name, "in_flight") == 0) return take_limit(r, value, name, &o->open, &o->limits.in_flight);
    return wrong(r, "there is no member '%.40s'.", name);
}

static bool order_check(reader *r)
{
    const leat_i_mock_order *o = &r->order;
    bool limit = o->requests || o->tokens || o->input || o->output || o->open;
    bool chooses = o->first || o->every || o->times || o->rate < 1 || o->status || o->after_ns >= 0 || *o->retry_after;
    if (!o->fault && !limit) return wrong(r, "neither a fault nor a limit (rpm, tpm, itpm, otpm, in_flight).");
    if (o->fault && limit) return wrong(r, "a fault and a limit; give each a line of its own.");
    if (limit && chooses) return wrong(r, "a limit counts by key, from_s and to_s alone.");
    if (o->from_ns >= o->to_ns) return wrong(r, "from_s must be less than to_s.");
    return true;
}

static bool order_add(reader *r)
{
    leat_i_mock_script *s = r->script;
    if (s->count == LEAT_I_MOCK_ORDERS_MAX) return wrong(r, "a script has at most %d lines.", LEAT_I_MOCK_ORDERS_MAX);
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 8;
        leat_i_mock_order *grown = leat_i_realloc(s->order, room * sizeof *grown);
        if (!grown) return no_memory(r);
        s->order = grown;
        s->room = room;
    }
    s->order[s->count++] = r->order;
    s->has_limits = s->has_limits || !r->order.fault;
    s->has_parts = s->has_parts || r->order.input || r->order.output;
    return true;
}

static bool line_take(reader *r, const char *text, size_t size)
{
    leat_i_json key, value;
    size_t error_at = 0, at = 0, name_size;
    size_t blank = 0;
    while (blank < size && strchr(" \t\r", text[blank]))
        blank++;
    if (blank == size || text[blank] == '#') return true;
    leat_i_json line = leat_i_json_parse(text, size, &error_at);
    if (line.type != LEAT_I_JSON_OBJECT) return wrong(r, "not a JSON object (byte %zu).", error_at + 1);
    r->order = (leat_i_mock_order){ .to_ns = INT64_MAX, .rate = 1, .after_ns = -1 };
    while (leat_i_json_next_member(line, &at, &key, &value)) {
        const char *name = leat_i_json_text(key, &r->arena, &name_size);
        if (!name) return no_memory(r);
        if (!member_take(r, name, value)) return false;
    }
    return order_check(r) && order_add(r);
}

leat_err leat_i_mock_script_read(leat_i_mock_script *script, const char *text, uint64_t seed, char *why, size_t why_bytes)
{
    reader r = { .script = script, .why = why, .why_bytes = why_bytes };
    bool good = true;
    *script = (leat_i_mock_script){ .rand = seed ^ UINT64_C(0x5c4d3b2a19087f6e) };
    while (good && *text) {
        size_t size = strcspn(text, "\n");
        r.line++;
        good = line_take(&r, text, size);
        text += size + (text[size] == '\n');
        leat_i_arena_rewind(&r.arena, (leat_i_arena_mark){ 0 });
    }
    leat_i_arena_fini(&r.arena);
    return r.err;
}

void leat_i_mock_script_fini(leat_i_mock_script *script)
{
    leat_i_free(script->order);
    *script = (leat_i_mock_script){ 0 };
}

static bool order_looks_at(const leat_i_mock_order *o, uint64_t key_hash, int64_t at_ns)
{
    return (!o->has_key || o->key_hash == key_hash) && at_ns >= o->from_ns && at_ns < o->to_ns;
}

leat_i_mock_limits leat_i_mock_script_limits(const leat_i_mock_script *script, const leat_i_mock_limits *usual,
                                             uint64_t key_hash, int64_t at_ns)
{
    leat_i_mock_limits l = *usual;
    for (size_t i = 0; script->has_limits && i < script->count; i++) {
        const leat_i_mock_order *o = &script->order[i];
        if (o->fault || !order_looks_at(o, key_hash, at_ns)) continue;
        if (o->requests) l.requests = o->limits.requests;
        if (o->tokens) l.tokens = o->limits.tokens;
        if (o->input) l.input = o->limits.input;
        if (o->output) l.output = o->limits.output;
        /* What is said of one key counts that key's requests, beside the limit of all. */
        if (o->open && o->has_key)
            l.in_flight_of_key = o->limits.in_flight;
        else if (o->open)
            l.in_flight = o->limits.in_flight;
    }
    return l;
}

/* Whether the request that was just counted is one that gets the fault. Draws in any case, so that others do not shift. */
static bool order_hits(const leat_i_mock_order *o, uint64_t *rand)
{
    bool drawn = o->rate >= 1 || leat_i_rand_unit(rand) < o->rate;
    if (o->first && (o->seen < o->first || o->seen > o->last)) return false;
    if (o->every && o->seen % o->every != 0) return false;
    return drawn && (!o->times || o->played < o->times);
}

const leat_i_mock_order *leat_i_mock_script_fault(leat_i_mock_script *script, uint64_t key_hash, int64_t at_ns)
{
    leat_i_mock_order *found = NULL;
    for (size_t i = 0; i < script->count; i++) {
        leat_i_mock_order *o = &script->order[i];
        if (!o->fault || !order_looks_at(o, key_hash, at_ns)) continue;
        o->seen++;
        if (order_hits(o, &script->rand) && !found) found = o;
    }
    if (found) found->played++;
    return found;
}
