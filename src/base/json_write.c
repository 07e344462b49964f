/* json_write.c: appends JSON to a buffer: strings escaped, spans without their white space. */
#include "json.h"

#include <string.h>

#include "utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* One byte that must not stand in a string as it is. */
static bool put_escape(leat_i_buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = memchr(from, c, sizeof from - 1);
    if (found) return leat_i_buf_append(b, (char[2]){ '\\', to[found - from] }, 2);
    return leat_i_buf_append(b, (char[6]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

/* Bytes from `p` on that can be copied as they are. */
static size_t plain_run(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *from = p;
    for (;;) {
        uint64_t word;
        while (end - p >= 8 && (memcpy(&word, p, 8), leat_i_word_special(word) == 0))
            p += 8;
        if (p >= end || *p < 0x20 || *p == '"' || *p == '\\') break;
        size_t n = leat_i_utf8_step(p, end);
        if (n == 0) break;
        p += n;
    }
    return (size_t)(p - from);
}

bool leat_i_json_put_escaped(leat_i_buf *b, const char *s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + size;
    while (p < end) {
        size_t run = plain_run(p, end);
        if (run && !leat_i_buf_append(b, p, run)) return false;
        p += run;
        if (p >= end) break;
        bool ok = *p < 0x80 ? put_escape(b, *p) : leat_i_buf_append(b, replacement, 3);
        if (!ok) return false;
        p++;
    }
    return !b->failed;
}

bool leat_i_json_put_string(leat_i_buf *b, const char *s, size_t size)
{
    return leat_i_buf_append(b, "\"", 1) && leat_i_json_put_escaped(b, s, size) && leat_i_buf_append(b, "\"", 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Bytes of the string at `p`, quotes included. */
static size_t string_bytes(const char *p, const char *end)
{
    const char *q = p + 1;
    for (;;) {
        const char *quote = memchr(q, '"', (size_t)(end - q));
        const char *slash = memchr(q, '\\', (size_t)(quote - q));
        if (!slash) return (size_t)(quote + 1 - p);
        q = slash + 2;
    }
}

bool leat_i_json_put_compact(leat_i_buf *b, leat_i_json value)
{
    const char *p = value.at, *end = p + value.size;
    while (p < end) {
        const char *from = p;
        while (p < end && !is_space(*p))
            p += *p == '"' ? string_bytes(p, end) : 1;
        if (!leat_i_buf_append(b, from, (size_t)(p - from))) return false;
        while (p < end && is_space(*p))
            p++;
    }
    return !b->failed;
}
