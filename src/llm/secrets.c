/*
 * secrets.c: see secrets.h.
 *
 * The search looks at every stride-th window of four bytes only, and compares where a bit says that some form holds such a one:
 * so a good answer, in which there is nothing to find, costs next to nothing. Windows of the same hash are chained, so that it
 * costs little, too, where a thousand endpoints have a key each.
 */
#include "secrets.h"

#include <string.h>
#include <strings.h>

#include "../base/buf.h"
#include "../base/mem.h"

#define WINDOW_BYTES 4

static unsigned window_hash(const char *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof four);
    return four * UINT32_C(2654435761) >> 17; /* 15 bits */
}

/* So much of a form tells it. */
static size_t least_of(const char *form, bool pieces)
{
    size_t size = strlen(form);
    return pieces && size > LEAT_I_SECRET_PIECE_BYTES ? LEAT_I_SECRET_PIECE_BYTES : size;
}

/* The array with place for one more, elsewhere maybe; NULL when memory is short: the old one stays. */
static void *room_for_one(void *array, size_t count, size_t *room, size_t size)
{
    size_t more = *room ? 2 * *room : 64;
    if (count < *room) return array;
    void *grown = leat_i_realloc(array, more * size);
    if (grown) *room = more;
    return grown;
}

static bool window_add(leat_i_secrets *s, size_t form, size_t at)
{
    unsigned hash = window_hash(s->form[form] + at);
    uint32_t *last = &s->last[hash % LEAT_I_SECRET_CHAINS];
    leat_i_secret_window *grown = room_for_one(s->window, s->window_count, &s->window_room, sizeof *grown);
    if (!grown) return false;
    s->window = grown;
    s->window[s->window_count++] = (leat_i_secret_window){ .form = (uint32_t)form, .at = (uint32_t)at, .before = *last };
    *last = (uint32_t)s->window_count;
    s->seen[hash / 64] |= UINT64_C(1) << hash % 64;
    return true;
}

static leat_err form_add(leat_i_secrets *s, const char *text)
{
    size_t size = strlen(text), stride = least_of(text, true) - WINDOW_BYTES + 1;
    if (size < LEAT_I_SECRET_BYTES_MIN) return LEAT_OK;
    char **grown = room_for_one(s->form, s->form_count, &s->form_room, sizeof *grown);
    if (!grown) return LEAT_NOMEM;
    s->form = grown;
    char *copy = leat_i_strdup(text);
    if (!copy) return LEAT_NOMEM;
    s->form[s->form_count++] = copy;
    for (size_t i = 0; i < size; i++)
        s->holds[(unsigned char)copy[i]] = true;
    for (size_t i = 0; i + WINDOW_BYTES <= size; i++)
        if (!window_add(s, s->form_count - 1, i)) return LEAT_NOMEM;
    if (!s->stride || stride < s->stride) s->stride = stride;
    return LEAT_OK;
}

/* What base64 of any text that holds `value` at a place of remainder `shift` (modulo 3) has in its middle for sure. */
static bool base64_put(leat_i_buf *b, const char *value, size_t shift, const char *last_two)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t size = strlen(value);
    bool ok = true;
    for (size_t at = (3 - shift) % 3; ok && at + 3 <= size; at += 3) {
        const unsigned char *v = (const unsigned char *)value + at;
        unsigned bits = (unsigned)v[0] << 16 | (unsigned)v[1] << 8 | v[2];
        for (int i = 18; ok && i >= 0; i -= 6) {
            unsigned six = bits >> i & 63;
            ok = leat_i_buf_append(b, six < 62 ? &letters[six] : &last_two[six - 62], 1);
        }
    }
    return ok;
}

static leat_err forms_add_base64(leat_i_secrets *s, const char *value)
{
    leat_err err = LEAT_OK;
    for (size_t shift = 0; shift < 3 && !err; shift++) {
        leat_i_buf plain = { 0 }, url = { 0 };
        bool ok = base64_put(&plain, value, shift, "+/") && base64_put(&url, value, shift, "-_");
        if (!ok) err = LEAT_NOMEM;
        if (!err && plain.size) err = form_add(s, plain.data);
        if (!err && plain.size && strcmp(plain.data, url.data) != 0) err = form_add(s, url.data);
        if (plain.data) explicit_bzero(plain.data, plain.size);
        if (url.data) explicit_bzero(url.data, url.size);
        leat_i_buf_fini(&plain), leat_i_buf_fini(&url);
    }
    return err;
}

leat_err leat_i_secrets_add(leat_i_secrets *s, const char *value)
{
    if (strlen(value) < LEAT_I_SECRET_BYTES_MIN) return LEAT_OK;
    for (size_t i = 0; i < s->form_count; i++)
        if (strcmp(s->form[i], value) == 0) return LEAT_OK;
    leat_err err = form_add(s, value);
    return err ? err : forms_add_base64(s, value);
}

leat_err leat_i_secrets_add_header(leat_i_secrets *s, const char *line)
{
    static const char *const words[] = { "auth", "key", "token", "secret", "cookie" };
    const char *colon = strchr(line, ':');
    if (!colon) return LEAT_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strcasestr(line, words[i]);
        if (!at || at > colon) continue;
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        /* The scheme in front ("Bearer") is none of the secret. */
        const char *blank = strchr(value, ' ');
        return leat_i_secrets_add(s, blank && blank[1] ? blank + 1 : value);
    }
    return LEAT_OK;
}

void leat_i_secrets_fini(leat_i_secrets *s)
{
    for (size_t i = 0; i < s->form_count; i++) {
        explicit_bzero(s->form[i], strlen(s->form[i]));
        leat_i_free(s->form[i]);
    }
    leat_i_free(s->form);
    leat_i_free(s->window);
    explicit_bzero(s, sizeof *s);
}

/* ---- the search ---- */

typedef struct span {
    size_t from, to;
} span;

/* A text out of which secrets are cut, in place, from its start on. */
typedef struct cutting {
    char *text;
    size_t kept;  /* of it so far, at its new place */
    size_t floor; /* text[floor..] is not moved yet */
} cutting;

static void cut_keep(cutting *c, size_t to)
{
    memmove(c->text + c->kept, c->text + c->floor, to - c->floor);
    c->kept += to - c->floor;
}

static void cut_out(cutting *c, span secret)
{
    cut_keep(c, secret.from);
    memcpy(c->text + c->kept, "***", 3);
    c->kept += 3;
    c->floor = secret.to;
}

/* Gives the new size. */
static size_t cut_end(cutting *c, size_t size)
{
    cut_keep(c, size);
    c->text[c->kept] = '\0';
    return c->kept;
}

/* The run around the window at text[at] in which `form` goes on from `place` in both directions; not before `floor`. */
static span run_at(const char *text, size_t size, size_t floor, size_t at, const char *form, const char *place)
{
    size_t left = 0, right = WINDOW_BYTES;
    while (place - left > form && at - left > floor && text[at - left - 1] == place[-(ptrdiff_t)left - 1])
        left++;
    while (place[right] && at + right < size && text[at + right] == place[right])
        right++;
    return (span){ at - left, at + right };
}

/* The longest secret, or piece of one, over text[at]; empty when there is none. */
static span secret_at(const leat_i_secrets *s, const char *text, size_t size, size_t floor, size_t at, bool pieces)
{
    span found = { 0, 0 };
    const leat_i_secret_window *w;
    for (uint32_t next = s->last[window_hash(text + at) % LEAT_I_SECRET_CHAINS]; next; next = w->before) {
        w = &s->window[next - 1];
        const char *form = s->form[w->form];
        if (memcmp(form + w->at, text + at, WINDOW_BYTES) != 0) continue;
        span one = run_at(text, size, floor, at, form, form + w->at);
        if (one.to - one.from >= least_of(form, pieces) && one.to - one.from > found.to - found.from) found = one;
    }
    return found;
}

static size_t redact_plain(const leat_i_secrets *s, char *text, size_t size, bool pieces)
{
    cutting c = { .text = text };
    for (size_t at = 0; at + WINDOW_BYTES <= size; at += s->stride) {
        if (!(s->seen[window_hash(text + at) / 64] >> window_hash(text + at) % 64 & 1)) continue;
        span found = secret_at(s, text, size, c.floor, at, pieces);
        if (found.to == found.from) continue;
        cut_out(&c, found);
        at = found.to - s->stride; /* The next look is right behind it. */
    }
    return cut_end(&c, size);
}

/* ---- the same where characters are escaped, as JSON ("\\u002d", "\\/") and URLs ("%2D") do with any of them ---- */

#define SLASHES_MAX 4

typedef struct unit {
    char c;
    size_t size; /* 1 = the character itself */
} unit;

static unit unit_hex(const char *two, size_t size)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *high = *two ? strchr(digits, two[0]) : NULL, *low = high && two[1] ? strchr(digits, two[1]) : NULL;
    int c = low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : 0;
    return (unit){ .c = (char)c, .size = c > ' ' && c < 0x7f ? size : 0 };
}

/* JSON within JSON doubles the backslashes. */
static unit unit_at(const char *text, size_t size, size_t at)
{
    const char *p = text + at;
    size_t left = size - at, slashes = 0;
    unit u = { .size = 0 };
    while (slashes < SLASHES_MAX && slashes < left && p[slashes] == '\\')
        slashes++;
    if (*p == '%' && left >= 3)
        u = unit_hex(p + 1, 3);
    else if (slashes && left >= slashes + 5 && memcmp(p + slashes, "u00", 3) == 0)
        u = unit_hex(p + slashes + 3, slashes + 5);
    else if (slashes && left > slashes && (p[slashes] == '/' || p[slashes] == '"'))
        u = (unit){ p[slashes], slashes + 1 };
    return u.size ? u : (unit){ *p, 1 };
}

static unit unit_before(const char *text, size_t floor, size_t at)
{
    for (size_t size = SLASHES_MAX + 5; size > 1; size--) {
        unit u = at - floor >= size ? unit_at(text, at, at - size) : (unit){ .size = 0 };
        if (u.size == size) return u;
    }
    return (unit){ text[at - 1], 1 };
}

/* The span around the character at text[at] in which `form`, from its place on in both directions, goes on; *count: how far. */
static span units_around(const char *text, size_t size, size_t floor, size_t at, const char *form, const char *place,
                         size_t *count)
{
    const char *left = place, *right = place;
    span run = { at, at };
    for (; *right && run.to < size; right++) {
        unit u = unit_at(text, size, run.to);
        if (u.c != *right) break;
        run.to += u.size;
    }
    for (; left > form && run.from > floor; left--) {
        unit u = unit_before(text, floor, run.from);
        if (u.c != left[-1]) break;
        run.from -= u.size;
    }
    *count = (size_t)(right - left);
    return run;
}

/* The secret, or piece of one, that the escaped character at text[at] is a part of; empty when there is none. */
static span escaped_at(const leat_i_secrets *s, const char *text, size_t size, size_t floor, size_t at, bool pieces)
{
    span found = { 0, 0 };
    char c = unit_at(text, size, at).c;
    for (size_t i = 0; i < s->form_count && s->holds[(unsigned char)c]; i++) {
        const char *form = s->form[i];
        size_t least = least_of(form, pieces), count;
        for (const char *place = form; (place = strchr(place, c)); place++) {
            span one = units_around(text, size, floor, at, form, place, &count);
            if (count >= least && one.to - one.from > found.to - found.from) found = one;
        }
    }
    /* Before it no half of an escape may stay. */
    while (found.to && found.from > floor && text[found.from - 1] == '\\')
        found.from--;
    return found;
}

static const char *escape_next(const char *at, const char *end)
{
    const char *slash = memchr(at, '\\', (size_t)(end - at));
    const char *percent = memchr(at, '%', (size_t)((slash ? slash : end) - at));
    return percent ? percent : slash;
}

static size_t redact_escaped(const leat_i_secrets *s, char *text, size_t size, bool pieces)
{
    cutting c = { .text = text };
    for (const char *at = text; (at = escape_next(at, text + size));) {
        unit u = unit_at(text, size, (size_t)(at - text));
        span found = u.size > 1 ? escaped_at(s, text, size, c.floor, (size_t)(at - text), pieces) : (span){ 0, 0 };
        at += u.size;
        if (found.to == found.from) continue;
        cut_out(&c, found);
        at = text + c.floor;
    }
    return cut_end(&c, size);
}

size_t leat_i_secrets_redact(const leat_i_secrets *s, char *text, size_t size, bool pieces)
{
    return s->form_count ? redact_plain(s, text, redact_escaped(s, text, size, pieces), pieces) : size;
}
