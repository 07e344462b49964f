/* json_walk.c: looks into spans that leat_i_json_parse has accepted. Nothing is checked again; skipping is a search for ends. */
#include "json.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "utf8.h"

#define NUMBER_BYTES_MAX 511

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
        p++;
    return p;
}

/* From behind the opening quote to behind the closing one. */
static const char *skip_string(const char *p, const char *end, bool *escaped)
{
    *escaped = false;
    for (;;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        const char *slash = memchr(p, '\\', (size_t)(quote - p));
        if (!slash) return quote + 1;
        *escaped = true;
        p = slash + 2;
    }
}

static const char *skip_container(const char *p, const char *end)
{
    unsigned depth = 0;
    bool escaped;
    for (;;) {
        char c = *p++;
        if (c == '"')
            p = skip_string(p, end, &escaped);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return p;
    }
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
        after = skip_string(p + 1, end, &value->escaped);
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

void leat_i_json_get_many(leat_i_json object, const char *const *keys, leat_i_json *values, size_t count)
{
    leat_i_json key, value;
    memset(values, 0, count * sizeof *values);
    for (size_t at = 0; leat_i_json_next_member(object, &at, &key, &value);)
        for (size_t i = 0; i < count; i++)
            if (leat_i_json_str_eq(key, keys[i])) values[i] = value;
}

leat_i_json leat_i_json_get(leat_i_json object, const char *key)
{
    leat_i_json value;
    leat_i_json_get_many(object, &key, &value, 1);
    return value;
}

static leat_i_json element_at(leat_i_json array, size_t index)
{
    leat_i_json value;
    for (size_t at = 0; leat_i_json_next_element(array, &at, &value); index--)
        if (index == 0) return value;
    return (leat_i_json){ 0 };
}

leat_i_json leat_i_json_path(leat_i_json value, const char *path)
{
    while (*path && value.type != LEAT_I_JSON_NONE) {
        char step[64];
        size_t n = strcspn(path, ".");
        if (LEAT_NEVER(n >= sizeof step)) return (leat_i_json){ 0 };
        memcpy(step, path, n);
        step[n] = '\0';
        value = value.type == LEAT_I_JSON_ARRAY ? element_at(value, strtoul(step, NULL, 10)) : leat_i_json_get(value, step);
        path += path[n] ? n + 1 : n;
    }
    return value;
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
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*p == 'u') {
        uint32_t cp;
        p = unescape_unicode(p, end, &cp);
        *size = leat_i_utf8_put(out, cp);
        return p;
    }
    out[0] = to[strchr(from, *p) - from];
    *size = 1;
    return p + 1;
}

bool leat_i_json_str_eq(leat_i_json string, const char *s)
{
    if (string.type != LEAT_I_JSON_STRING) return false;
    const char *p = string.at + 1, *end = string.at + string.size - 1;
    size_t left = strlen(s);
    if (!string.escaped) return (size_t)(end - p) == left && memcmp(p, s, left) == 0;
    while (p < end) {
        char out[4] = { *p };
        size_t n = 1;
        if (*p == '\\')
            p = unescape(p + 1, end, out, &n);
        else
            p++;
        if (n > left || memcmp(out, s, n) != 0) return false;
        s += n;
        left -= n;
    }
    return left == 0;
}

const char *leat_i_json_text(leat_i_json string, leat_i_arena *arena, size_t *size)
{
    if (string.type != LEAT_I_JSON_STRING) return NULL;
    const char *p = string.at + 1, *end = string.at + string.size - 1;
    /* Unescaping never makes text longer: the shortest escape that gives 4 bytes has 12. */
    char *text = leat_i_arena_alloc(arena, string.size), *out = text;
    if (!text) return NULL;
    while (p < end) {
        const char *slash = string.escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        size_t run = (size_t)((slash ? slash : end) - p), n;
        memcpy(out, p, run);
        out += run;
        p += run;
        if (!slash) break;
        p = unescape(slash + 1, end, out, &n);
        out += n;
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

static locale_t number_locale;
static pthread_once_t number_once = PTHREAD_ONCE_INIT;

static void number_locale_make(void)
{
    number_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool leat_i_json_double(leat_i_json number, double *value)
{
    char text[NUMBER_BYTES_MAX + 1];
    if (number.type != LEAT_I_JSON_NUMBER || number.size > NUMBER_BYTES_MAX) return false;
    memcpy(text, number.at, number.size);
    text[number.size] = '\0';
    pthread_once(&number_once, number_locale_make);
    if (!number_locale) return false;
    *value = strtod_l(text, NULL, number_locale);
    return true;
}
