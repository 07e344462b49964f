/* json_write.c: appends JSON to a buffer: strings escaped, spans without their white space. */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"
#include "word.h"

#define BLOCK_BYTES      ((size_t)256) /* of input that is escaped with one look at the room */
#define ESCAPE_BYTES_MAX ((size_t)6)

/* The letter behind the backslash; 'u' = four digits; 0 = stands as it is. */
static char escape_letter(unsigned char c)
{
    if (c < 0x20) return "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu"[c];
    return c == '"' || c == '\\' ? (char)c : 0;
}

/* Writes the byte `c` below 0x80 as it must stand in a string. */
static char *write_ascii(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char letter = escape_letter(c);
    if (!letter) {
        *out++ = (char)c;
        return out;
    }
    *out++ = '\\';
    *out++ = letter;
    if (letter != 'u') return out;
    memcpy(out, (char[4]){ '0', '0', hex[c >> 4], hex[c & 15] }, 4);
    return out + 4;
}

/* Copies the characters beyond ASCII that begin before `stop`, or U+FFFD for the byte at `p` when none starts there. */
static char *write_wide(char *out, const unsigned char **at, const unsigned char *stop, const unsigned char *end)
{
    const unsigned char *p = *at, *from = p;
    while (p < stop && *p >= 0x80) {
        size_t n = leat_i_utf8_step(p, end);
        if (n == 0) break;
        p += n;
    }
    if (p == from) {
        memcpy(out, "\xef\xbf\xbd", 3);
        *at = p + 1;
        return out + 3;
    }
    memcpy(out, from, (size_t)(p - from));
    *at = p;
    return out + (p - from);
}

/*
 * Escapes at least the bytes p .. stop (a character that begins before `stop` may end behind it, up to `end`), and gives where
 * it stopped reading. `*out` has room for ESCAPE_BYTES_MAX times as much and 8 bytes over: words are copied before they are looked at.
 */
static const unsigned char *write_block(const unsigned char *p, const unsigned char *stop, const unsigned char *end,
                                        char **out)
{
    char *to = *out;
    while (p < stop) {
        if (end - p >= 8) {
            uint64_t word = leat_i_word_load(p), marks = leat_i_word_special(word);
            size_t plain = marks ? leat_i_word_before(marks) : 8;
            memcpy(to, &word, 8);
            to += plain;
            p += plain;
            if (!marks) continue;
        }
        if (*p < 0x80)
            to = write_ascii(to, *p++);
        else
            to = write_wide(to, &p, stop > p ? stop : p + 1, end);
    }
    *out = to;
    return p;
}

/* Escaped character by character: for a buffer so near its maximum that only the true size decides. */
static bool put_near_max(leat_i_buf *b, const unsigned char *p, const unsigned char *end)
{
    while (p < end) {
        char piece[ESCAPE_BYTES_MAX];
        char *to = *p < 0x80 ? write_ascii(piece, *p++) : write_wide(piece, &p, p + 1, end);
        if (!leat_i_buf_append(b, piece, (size_t)(to - piece))) return false;
    }
    return !b->failed;
}

/* A failing append leaves the text as it was before, like each append of a buffer. */
static bool put_undone(leat_i_buf *b, size_t size)
{
    b->size = size;
    if (b->data) b->data[size] = '\0';
    return false;
}

bool leat_i_json_put_escaped(leat_i_buf *b, const char *s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + size;
    size_t from = b->size;
    while (p < end) {
        size_t block = (size_t)(end - p) < BLOCK_BYTES ? (size_t)(end - p) : BLOCK_BYTES;
        size_t room = (block + 8) * ESCAPE_BYTES_MAX + 8;
        if (b->max && (b->size > b->max || b->max - b->size < room)) return put_near_max(b, p, end) || put_undone(b, from);
        char *to = leat_i_buf_grow(b, room);
        if (!to) return put_undone(b, from);
        p = write_block(p, p + block, end, &to);
        b->size = (size_t)(to - b->data);
        b->data[b->size] = '\0';
    }
    return !b->failed;
}

bool leat_i_json_put_string(leat_i_buf *b, const char *s, size_t size)
{
    size_t from = b->size;
    bool ok = leat_i_buf_append(b, "\"", 1) && leat_i_json_put_escaped(b, s, size) && leat_i_buf_append(b, "\"", 1);
    return ok || put_undone(b, from);
}

bool leat_i_json_put_double(leat_i_buf *b, double value)
{
    char text[48];
    if (!isfinite(value)) return leat_i_buf_puts(b, "null");
    snprintf(text, sizeof text, "%.4g", value);
    /* What is none of these is the locale's point. */
    size_t whole = strspn(text, "-0123456789"), point = strcspn(text + whole, "e0123456789");
    return leat_i_buf_printf(b, "%.*s%s%s", (int)whole, text, point ? "." : "", text + whole + point);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool leat_i_json_put_compact(leat_i_buf *b, leat_i_json value)
{
    const char *p = value.at, *end = p + value.size;
    size_t before = b->size;
    bool escaped;
    while (p < end) {
        const char *from = p;
        while (p < end && !is_space(*p))
            p = *p == '"' ? leat_i_json_skip_string(p + 1, end, &escaped) : p + 1;
        if (!leat_i_buf_append(b, from, (size_t)(p - from))) return put_undone(b, before);
        while (p < end && is_space(*p))
            p++;
    }
    return !b->failed;
}
