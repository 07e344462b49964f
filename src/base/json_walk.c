/* json_walk.c: looks into spans that leat_i_json_parse has accepted. Nothing is checked again; skipping is a search for ends. */
#include "json.h"

#include <string.h>

#include "os.h"
#include "utf8.h"
#include "word.h"

#define STRING_SHORT_BYTES 32
#define NUMBER_BYTES_MAX   511 /* of one that is asked for as a double; longer ones stay text */

const char *leat_i_json_skip_string(const char *p, const char *end, bool *escaped)
{
    const char *quote = NULL, *far = p + STRING_SHORT_BYTES;
    *escaped = false;
    while (p < end) {
        uint64_t marks = 0;
        for (; end - p >= 8 && p < far; p += 8) {
            marks = leat_i_word_quote(leat_i_word_load(p));
            if (marks) break;
        }
        if (marks) {
            p += leat_i_word_before(marks);
        } else if (p >= far) {
            /* A long run: memchr is faster then. Where the next quote is stays known, or many escapes would cost a search each. */
            if (!quote || quote < p) quote = memchr(p, '"', (size_t)(end - p));
            if (!quote) return end;
            const char *slash = memchr(p, '\\', (size_t)(quote - p));
            p = slash ? slash : quote;
        }
        if (*p == '"') return p + 1;
        if (*p == '\\') {
            *escaped = true;
            p++;
            far = p + STRING_SHORT_BYTES;
        }
        p++;
    }
    return end;
}

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
        p++;
    return p;
}

static const char *skip_container(const char *p, const char *end)
{
    unsigned depth = 0;
    bool escaped;
    while (p < end) {
        char c = *p++;
        if (c == '"')
            p = leat_i_json_skip_string(p, end, &escaped);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return p;
    }
    return end;
}

static const char *skip_plain(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
        p++;
    return p;
}

static leat_i_json_type type_of(char c)
{
    switch (c) {
    case '{':
        return LEAT_I_JSON_OBJECT;
    case '[':
        return LEAT_I_JSON_ARRAY;
    case '"':
        return LEAT_I_JSON_STRING;
    case 't':
        return LEAT_I_JSON_TRUE;
    case 'f':
        return LEAT_I_JSON_FALSE;
    case 'n':
        return LEAT_I_JSON_NULL;
    default:
        return LEAT_I_JSON_NUMBER;
    }
}

/* The value at `p`; gives where it ends. */
static const char *value_at(const char *p, const char *end, leat_i_json *value)
{
    const char *after;
    *value = (leat_i_json){ .type = type_of(*p), .at = p };
    if (value->type == LEAT_I_JSON_STRING)
        after = leat_i_json_skip_string(p + 1, end, &value->escaped);
    else if (value->type == LEAT_I_JSON_OBJECT || value->type == LEAT_I_JSON_ARRAY)
        after = skip_container(p, end);
    else
        after = skip_plain(p, end);
    value->size = (size_t)(after - p);
    return after;
}

/* To the next item of a container: NULL at its end. */
static const char *item_at(leat_i_json container, size_t at)
{
    const char *p = skip_space(container.at + (at ? at : 1));
    if (*p == ',') p = skip_space(p + 1);
    return *p == '}' || *p == ']' ? NULL : p;
}

bool leat_i_json_next_member(leat_i_json object, size_t *at, leat_i_json *key, leat_i_json *value)
{
    if (object.type != LEAT_I_JSON_OBJECT) return false;
    const char *end = object.at + object.size, *p = item_at(object, *at);
    if (!p) return false;
    p = skip_space(value_at(p, end, key));
    p = value_at(skip_space(p + 1), end, value);
    *at = (size_t)(p - object.at);
    return true;
}

bool leat_i_json_next_element(leat_i_json array, size_t *at, leat_i_json *value)
{
    if (array.type != LEAT_I_JSON_ARRAY) return false;
    const char *p = item_at(array, *at);
    if (!p) return false;
    p = value_at(p, array.at + array.size, value);
    *at = (size_t)(p - array.at);
    return true;
}

static uint32_t hex_value(const char *s)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* \uXXXX at `p` (behind the backslash), with its second half where it has one. */
static const char *unescape_unicode(const char *p, const char *end, uint32_t *cp)
{
    *cp = hex_value(p + 1);
    p += 5;
    if (*cp < 0xd800 || *cp > 0xdfff) return p;
    bool pair = *cp < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u';
    uint32_t low = pair ? hex_value(p + 2) : 0;
    if (low < 0xdc00 || low > 0xdfff) {
        *cp = 0xfffd; /* a lone surrogate is no character */
        return p;
    }
    *cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
    return p + 6;
}

/* One escape, at the byte behind the backslash; up to 4 bytes to `out`. */
static const char *unescape(const char *p, const char *end, char *out, size_t *size)
{
    static const char to[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'
    };
    if (*p == 'u') {
        uint32_t cp;
        p = unescape_unicode(p, end, &cp);
        *size = leat_i_utf8_put(out, cp);
        return p;
    }
    out[0] = to[(unsigned char)*p];
    *size = 1;
    return p + 1;
}

/* Whether the unescaped text of `string` is the `size` bytes at `s`. */
static bool text_is(leat_i_json string, const char *s, size_t size)
{
    const char *p = string.at + 1, *end = string.at + string.size - 1;
    if (!string.escaped) return (size_t)(end - p) == size && memcmp(p, s, size) == 0;
    while (p < end) {
        char out[4] = { *p };
        size_t n = 1;
        if (*p == '\\')
            p = unescape(p + 1, end, out, &n);
        else
            p++;
        if (n > size || memcmp(out, s, n) != 0) return false;
        s += n;
        size -= n;
    }
    return size == 0;
}

bool leat_i_json_str_eq(leat_i_json string, const char *s)
{
    return string.type == LEAT_I_JSON_STRING && text_is(string, s, strlen(s));
}

bool leat_i_json_is_any(leat_i_json string, const char *const *words)
{
    for (; *words; words++)
        if (leat_i_json_str_eq(string, *words)) return true;
    return false;
}

/* Words are written before they are looked at: what is over is written again, and never lies behind the place of `end`. */
static char *copy_unescaped(char *out, const char *p, const char *end)
{
    size_t n;
    while (p < end) {
        while (end - p >= 8) {
            uint64_t word = leat_i_word_load(p), marks = leat_i_word_quote(word);
            n = marks ? leat_i_word_before(marks) : 8;
            memcpy(out, &word, 8);
            out += n;
            p += n;
            if (marks) break;
        }
        if (p < end && *p == '\\') {
            p = unescape(p + 1, end, out, &n);
            out += n;
        } else if (p < end) {
            *out++ = *p++;
        }
    }
    return out;
}

const char *leat_i_json_text(leat_i_json string, leat_i_arena *arena, size_t *size)
{
    if (string.type != LEAT_I_JSON_STRING) return NULL;
    const char *p = string.at + 1, *end = string.at + string.size - 1;
    /* Unescaping never makes text longer: the shortest escape that gives 4 bytes has 12. */
    char *text = leat_i_arena_alloc(arena, string.size), *out = text;
    if (!text) return NULL;
    if (!string.escaped) {
        memcpy(out, p, (size_t)(end - p));
        out += end - p;
    } else {
        out = copy_unescaped(out, p, end);
    }
    *out = '\0';
    if (size) *size = (size_t)(out - text);
    return text;
}

bool leat_i_json_u64(leat_i_json number, uint64_t *value)
{
    uint64_t v = 0;
    if (number.type != LEAT_I_JSON_NUMBER) return false;
    for (size_t i = 0; i < number.size; i++) {
        unsigned digit = (unsigned char)number.at[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v)) return false;
    }
    *value = v;
    return true;
}

bool leat_i_json_double(leat_i_json number, double *value)
{
    char text[NUMBER_BYTES_MAX + 1];
    if (number.type != LEAT_I_JSON_NUMBER || number.size > NUMBER_BYTES_MAX) return false;
    memcpy(text, number.at, number.size);
    text[number.size] = '\0';
    return leat_i_os_strtod(text, value);
}

void leat_i_json_get_many(leat_i_json object, const char *const *keys, leat_i_json *values, size_t count)
{
    leat_i_json key, value;
    memset(values, 0, count * sizeof *values);
    for (size_t at = 0; leat_i_json_next_member(object, &at, &key, &value);) {
        for (size_t i = 0; i < count; i++) {
            /* Most keys differ in their first byte: that is looked at before the length is counted. */
            if (key.escaped || key.at[1] == keys[i][0] || key.size == 2)
                if (text_is(key, keys[i], strlen(keys[i]))) values[i] = value;
        }
    }
}

/* As get, for a key that is not NUL-ended. */
static leat_i_json member_of(leat_i_json object, const char *name, size_t size)
{
    leat_i_json key, value, found = { 0 };
    for (size_t at = 0; leat_i_json_next_member(object, &at, &key, &value);)
        if (text_is(key, name, size)) found = value;
    return found;
}

leat_i_json leat_i_json_get(leat_i_json object, const char *key)
{
    return member_of(object, key, strlen(key));
}

/* The element whose index stands as `size` digits at `digits`; NONE when they are no number or there is none. */
static leat_i_json element_of(leat_i_json array, const char *digits, size_t size)
{
    leat_i_json value;
    size_t index = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned char)digits[i] - '0';
        if (digit > 9 || index > array.size) return (leat_i_json){ 0 };
        index = index * 10 + digit;
    }
    for (size_t at = 0; size && leat_i_json_next_element(array, &at, &value); index--)
        if (index == 0) return value;
    return (leat_i_json){ 0 };
}

leat_i_json leat_i_json_path(leat_i_json value, const char *path)
{
    while (*path && value.type != LEAT_I_JSON_NONE) {
        size_t n = strcspn(path, ".");
        value = value.type == LEAT_I_JSON_ARRAY ? element_of(value, path, n) : member_of(value, path, n);
        path += path[n] ? n + 1 : n;
    }
    return value;
}
