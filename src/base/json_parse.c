/*
 * json_parse.c: the one pass that checks a JSON text. It keeps no tree: what it accepted can be walked later without checks.
 *
 * No recursion: the kinds of the open containers are one bit each, so that depth costs no stack and hostile nesting ends at
 * LEAT_I_JSON_DEPTH_MAX.
 *
 * Picks. `open[d]` is the pick that the container open at depth d is, PICK_TEXT for the outermost one, PICK_NONE for all others;
 * `next` is the pick that the value to come is. So a text without picks costs one look a key, and only members of picked
 * containers are compared with names.
 * Source: RFC 8259, and RFC 3629 for UTF-8.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "word.h"

enum { PICK_DEPTH_MAX = 8, PICK_TEXT = -1, PICK_NONE = -2 };

struct scan {
    const char *at, *end;
    uint64_t is_object[LEAT_I_JSON_DEPTH_MAX / 64];
    unsigned depth;
    bool lone, spaced;
    int next;
    int open[PICK_DEPTH_MAX + 1];
    size_t index[PICK_DEPTH_MAX + 1]; /* of the running element, where the container is an array */
    const leat_i_json_pick *pick;
    leat_i_json *value;
    int count;
};

static void scan_space(struct scan *s)
{
    const char *from = s->at;
    if (from != s->end && *from > ' ') return;
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
    s->spaced |= s->at > from;
}

static bool hex4(const char *s, const char *end)
{
    if (end - s < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
}

static bool is_half(const char *digits, char low, char high)
{
    char first = (char)(digits[0] | 0x20), second = (char)(digits[1] | 0x20);
    return first == 'd' && second >= low && second <= high;
}

/* Behind "\\u": four digits, and four more after "\\u" where they are the first half of a pair. 0 = wrong. */
static size_t unicode_bytes(struct scan *s, const char *p)
{
    if (!hex4(p, s->end)) return 0;
    /* '0' | 0x20 to '9' | 0x20 are the digits themselves, so one comparison serves digits and letters. */
    if (is_half(p, 'c', 'f')) s->lone = true;
    if (!is_half(p, '8', '9') && !is_half(p, 'a', 'b')) return 4;
    if (s->end - p >= 10 && p[4] == '\\' && p[5] == 'u' && hex4(p + 6, s->end) && is_half(p + 6, 'c', 'f')) return 10;
    s->lone = true;
    return 4;
}

/* After a backslash: 0 = not an escape, else the bytes that follow the backslash. */
static size_t escape_bytes(struct scan *s, const char *p)
{
    static const bool simple[256] = {
        ['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true, ['f'] = true, ['n'] = true, ['r'] = true, ['t'] = true
    };
    if (p >= s->end) return 0;
    if (simple[(unsigned char)*p]) return 1;
    size_t n = *p == 'u' ? unicode_bytes(s, p + 1) : 0;
    return n ? n + 1 : 0;
}

/* Over plain ASCII, up to a byte that must be looked at or the end. */
static const char *skip_ascii(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t marks = leat_i_word_special(leat_i_word_load(p));
        if (marks) return p + leat_i_word_before(marks);
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* At the opening quote; ends after the closing one. On failure `at` is the first wrong byte. */
static bool scan_string(struct scan *s, bool *escaped)
{
    const char *p = s->at + 1, *end = s->end;
    *escaped = false;
    for (;;) {
        p = skip_ascii(p, end);
        s->at = p;
        if (p >= end) return false;
        unsigned char c = (unsigned char)*p;
        if (c == '"') {
            s->at = p + 1;
            return true;
        }
        if (c == '\\') {
            size_t n = escape_bytes(s, p + 1);
            if (n == 0) return false;
            *escaped = true;
            p += 1 + n;
        } else if (c >= 0x80) {
            p = (const char *)leat_i_utf8_run((const unsigned char *)p, (const unsigned char *)end);
            if (p == s->at) return false;
        } else if (c < 0x20) {
            return false;
        } else {
            p++; /* plain after all, on a machine where the word test cannot tell which byte it was */
        }
    }
}

static bool scan_digits(struct scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from;
}

static bool scan_number(struct scan *s)
{
    if (*s->at == '-') s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!scan_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!scan_digits(s)) return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-')) s->at++;
        if (!scan_digits(s)) return false;
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word, size_t size)
{
    if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0) return false;
    s->at += size;
    return true;
}

/* The pick that the container at the present depth is. */
static int pick_here(const struct scan *s)
{
    return s->depth <= PICK_DEPTH_MAX ? s->open[s->depth] : PICK_NONE;
}

/* The value of `pick` comes again: what was found below the earlier one does not count any more. */
static void pick_forget(struct scan *s, int pick)
{
    s->value[pick] = (leat_i_json){ 0 };
    for (int i = pick + 1; i < s->count; i++)
        if (s->pick[i].parent >= 0 && s->value[s->pick[i].parent].type == LEAT_I_JSON_NONE) s->value[i] = (leat_i_json){ 0 };
}

/* Which pick is the member with this key (quotes included)? */
static int pick_of_key(const struct scan *s, int parent, const char *key, size_t size, bool escaped)
{
    for (int i = 0; i < s->count; i++) {
        if (s->pick[i].parent != parent) continue;
        const char *name = s->pick[i].name;
        bool same = escaped
                        ? leat_i_json_str_eq(
                              (leat_i_json){ .type = LEAT_I_JSON_STRING, .escaped = true, .at = key, .size = size }, name)
                        : strncmp(name, key + 1, size - 2) == 0 && name[size - 2] == '\0';
        if (same) return i;
    }
    return PICK_NONE;
}

static void pick_key(struct scan *s, const char *key, bool escaped)
{
    int parent = pick_here(s);
    s->next = PICK_NONE;
    if (parent == PICK_NONE) return;
    s->next = pick_of_key(s, parent, key, (size_t)(s->at - key), escaped);
    if (s->next >= 0 && s->value[s->next].type != LEAT_I_JSON_NONE) pick_forget(s, s->next);
}

static void pick_element(struct scan *s, bool first)
{
    int parent = pick_here(s);
    s->next = PICK_NONE;
    if (parent == PICK_NONE) return;
    size_t index = first ? 0 : s->index[s->depth] + 1;
    s->index[s->depth] = index;
    for (int i = 0; i < s->count; i++) {
        const char *name = s->pick[i].name;
        if (s->pick[i].parent == parent && *name >= '0' && *name <= '9' && strtoul(name, NULL, 10) == index) s->next = i;
    }
}

/* The value that `next` stood for, in whole, or (with size 0) as far as its opening. */
static void pick_value(struct scan *s, const leat_i_json *value, const char *from, size_t size)
{
    if (s->next < 0) return;
    bool escaped = value->type == LEAT_I_JSON_STRING && value->escaped;
    s->value[s->next] = (leat_i_json){ .type = value->type, .escaped = escaped, .at = from, .size = size };
}

/* The container at the present depth has ended. */
static void pick_close(struct scan *s)
{
    int pick = pick_here(s);
    if (pick >= 0) s->value[pick].size = (size_t)(s->at - s->value[pick].at);
}

static bool scan_open(struct scan *s, bool object)
{
    if (s->depth == LEAT_I_JSON_DEPTH_MAX) return false;
    uint64_t bit = UINT64_C(1) << (s->depth % 64);
    if (object)
        s->is_object[s->depth / 64] |= bit;
    else
        s->is_object[s->depth / 64] &= ~bit;
    s->depth++;
    s->at++;
    if (s->depth <= PICK_DEPTH_MAX) s->open[s->depth] = s->next;
    return true;
}

static void scan_close(struct scan *s)
{
    s->at++;
    pick_close(s);
    s->depth--;
}

static bool scan_in_object(const struct scan *s)
{
    unsigned top = s->depth - 1;
    return s->is_object[top / 64] >> (top % 64) & 1;
}

/* `"key" :` */
static bool scan_key(struct scan *s)
{
    bool escaped;
    scan_space(s);
    const char *key = s->at;
    if (s->at >= s->end || *s->at != '"' || !scan_string(s, &escaped)) return false;
    pick_key(s, key, escaped);
    scan_space(s);
    if (s->at >= s->end || *s->at != ':') return false;
    s->at++;
    return true;
}

static bool scan_any(struct scan *s, leat_i_json *value, bool *opened)
{
    *opened = false;
    if (s->at >= s->end) return false;
    switch (*s->at) {
    case '{':
    case '[':
        *opened = true;
        value->type = *s->at == '{' ? LEAT_I_JSON_OBJECT : LEAT_I_JSON_ARRAY;
        return scan_open(s, *s->at == '{');
    case '"':
        value->type = LEAT_I_JSON_STRING;
        return scan_string(s, &value->escaped);
    case 't':
        value->type = LEAT_I_JSON_TRUE;
        return scan_word(s, "true", 4);
    case 'f':
        value->type = LEAT_I_JSON_FALSE;
        return scan_word(s, "false", 5);
    case 'n':
        value->type = LEAT_I_JSON_NULL;
        return scan_word(s, "null", 4);
    default:
        value->type = LEAT_I_JSON_NUMBER;
        return (*s->at == '-' || (*s->at >= '0' && *s->at <= '9')) && scan_number(s);
    }
}

/* A value up to its end, or a container up to and with its opening. */
static bool scan_value(struct scan *s, leat_i_json *value, bool *opened)
{
    scan_space(s);
    const char *from = s->at;
    if (!scan_any(s, value, opened)) return false;
    pick_value(s, value, from, *opened ? 0 : (size_t)(s->at - from));
    return true;
}

/* Behind an opening: true with *closed when the container is empty; else the first key is read where there is one. */
static bool scan_first(struct scan *s, bool *closed)
{
    bool object = scan_in_object(s);
    scan_space(s);
    *closed = s->at < s->end && *s->at == (object ? '}' : ']');
    if (*closed) {
        scan_close(s);
        return true;
    }
    if (object) return scan_key(s);
    pick_element(s, true);
    return true;
}

/* Behind a value: closes what closes, until a comma asks for the next value (*more) or the outermost one has ended. */
static bool scan_after(struct scan *s, bool *more)
{
    *more = false;
    while (s->depth > 0) {
        bool object = scan_in_object(s);
        scan_space(s);
        if (s->at >= s->end) return false;
        if (*s->at == ',') {
            s->at++;
            *more = true;
            if (object) return scan_key(s);
            pick_element(s, false);
            return true;
        }
        if (*s->at != (object ? '}' : ']')) return false;
        scan_close(s);
    }
    return true;
}

static bool scan_text(struct scan *s, leat_i_json *value)
{
    leat_i_json inner, *v = value;
    bool more = true;
    scan_space(s);
    value->at = s->at;
    while (more) {
        bool opened, closed = true;
        if (!scan_value(s, v, &opened)) return false;
        v = &inner;
        if (opened && !scan_first(s, &closed)) return false;
        more = !closed;
        if (closed && !scan_after(s, &more)) return false;
    }
    value->size = (size_t)(s->at - value->at);
    scan_space(s);
    return s->at == s->end;
}

leat_i_json leat_i_json_parse_pick(const char *text, size_t size, const leat_i_json_pick *pick, size_t count,
                                   leat_i_json *values, size_t *error_at)
{
    struct scan s;
    leat_i_json value = { 0 };
    s.at = text;
    s.end = text + size;
    s.depth = 0;
    s.lone = s.spaced = false;
    s.next = count ? PICK_TEXT : PICK_NONE;
    s.pick = pick;
    s.value = values;
    s.count = (int)count;
    if (count) memset(values, 0, count * sizeof *values);
    if (scan_text(&s, &value)) {
        value.lone = s.lone;
        value.spaced = s.spaced;
        return value;
    }
    if (error_at) *error_at = (size_t)(s.at - text);
    if (count) memset(values, 0, count * sizeof *values);
    return (leat_i_json){ 0 };
}

leat_i_json leat_i_json_parse(const char *text, size_t size, size_t *error_at)
{
    return leat_i_json_parse_pick(text, size, NULL, 0, NULL, error_at);
}

bool leat_i_utf8_valid(const char *s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + size;
    while (p < end) {
        if (end - p >= 8 && (leat_i_word_load(p) & LEAT_I_WORD_TOPS) == 0) {
            p += 8;
        } else if (*p < 0x80) {
            p++;
        } else {
            const unsigned char *from = p;
            p = leat_i_utf8_run(p, end);
            if (p == from) return false;
        }
    }
    return true;
}
