/* buf.c: a growable byte buffer with a stated maximum; see buf.h. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

#define BUF_FIRST_BYTES ((size_t)256)

static bool buf_reserve(leat_i_buf *b, size_t more)
{
    if (b->failed) return false;
    if (more > SIZE_MAX / 4 || b->size > SIZE_MAX / 4 || (b->max && b->size + more > b->max)) {
        b->failed = true;
        return false;
    }
    size_t need = b->size + more + 1;
    if (need <= b->room) return true;
    size_t room = b->room ? b->room : BUF_FIRST_BYTES;
    while (room < need)
        room *= 2;
    if (b->max && room - 1 > b->max) room = b->max + 1;
    char *data = leat_i_realloc(b->data, room);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

bool leat_i_buf_append(leat_i_buf *b, const void *data, size_t size)
{
    if (!buf_reserve(b, size)) return false;
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
    return true;
}

bool leat_i_buf_puts(leat_i_buf *b, const char *s)
{
    return leat_i_buf_append(b, s, strlen(s));
}

bool leat_i_buf_printf(leat_i_buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    bool ok = n >= 0 && buf_reserve(b, (size_t)n);
    if (ok) {
        vsnprintf(b->data + b->size, (size_t)n + 1, fmt, args);
        b->size += (size_t)n;
    } else {
        b->failed = true;
    }
    va_end(args);
    return ok;
}

bool leat_i_buf_put_u64(leat_i_buf *b, unsigned long long v)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return leat_i_buf_append(b, digits + at, sizeof digits - at);
}

char *leat_i_buf_grow(leat_i_buf *b, size_t size)
{
    return buf_reserve(b, size) ? b->data + b->size : NULL;
}

void leat_i_buf_clear(leat_i_buf *b)
{
    b->size = 0;
    b->failed = false;
    if (b->data) b->data[0] = '\0';
}

void leat_i_buf_fini(leat_i_buf *b)
{
    size_t max = b->max;
    leat_i_free(b->data);
    *b = (leat_i_buf){ .max = max };
}

char *leat_i_buf_take(leat_i_buf *b)
{
    char *text = b->failed ? NULL : leat_i_text_out(b->data, b->size);
    leat_i_buf_fini(b);
    return text;
}
