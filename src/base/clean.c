/* clean.c: see clean.h. */
#include "clean.h"

#include <ctype.h>
#include <string.h>

#include "json.h"

/* Bytes of the UTF-8 character at `p`, or 0 when there is none within `left`. */
static size_t char_bytes(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return n <= left && leat_i_utf8_valid(p, n) ? n : 0;
}

static bool is_escape(const char *p, size_t left)
{
    return left >= 4 && p[0] == '\\' && p[1] == 'x' && isxdigit((unsigned char)p[2]) && isxdigit((unsigned char)p[3]);
}

const char *leat_i_clean_name(const char *text, size_t bytes, leat_i_arena *arena, size_t *clean_bytes)
{
    leat_i_buf b = { 0 };
    *clean_bytes = bytes;
    if (leat_i_utf8_valid(text, bytes) && !memmem(text, bytes, "\\x", 2)) return text;
    for (size_t i = 0; i < bytes;) {
        size_t n = char_bytes(text + i, bytes - i);
        if (n == 0 || is_escape(text + i, bytes - i))
            leat_i_buf_printf(&b, "\\x%02x", (unsigned char)text[i]);
        else
            leat_i_buf_append(&b, text + i, n);
        i += n ? n : 1;
    }
    const char *clean = b.failed ? NULL : leat_i_arena_strndup(arena, b.data ? b.data : "", b.size);
    *clean_bytes = b.size;
    leat_i_buf_fini(&b);
    return clean;
}

void leat_i_clean_put(leat_i_buf *b, const char *text, size_t max)
{
    size_t size = strnlen(text, max);
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = char_bytes(text + i, size - i);
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (n == 0 || c < 0x20 || c == 0x7f || c1) {
            leat_i_buf_printf(b, "\\x%02x", c1 ? (unsigned char)text[i + 1] : c);
            i += n ? n : 1;
        } else {
            leat_i_buf_append(b, text + i, n);
            i += n;
        }
    }
}
