/* sse.c: see sse.h. */
#include "sse.h"

#include <string.h>

#define BOM "\xef\xbb\xbf"

void leat_i_sse_init(leat_i_sse *s, size_t max, leat_i_sse_fn fn, void *arg)
{
    *s = (leat_i_sse){ .fn = fn, .arg = arg, .line.max = max, .data.max = max };
}

void leat_i_sse_fini(leat_i_sse *s)
{
    leat_i_buf_fini(&s->line);
    leat_i_buf_fini(&s->data);
}

bool leat_i_sse_failed(const leat_i_sse *s)
{
    return s->line.failed || s->data.failed;
}

static bool sse_dispatch(leat_i_sse *s)
{
    bool go_on = true;
    if (s->has_data) go_on = s->fn(s->arg, s->type, s->data.data ? s->data.data : "", s->data.size);
    leat_i_buf_clear(&s->data);
    s->has_data = false;
    s->type[0] = '\0';
    if (!go_on) s->stopped = true;
    return go_on;
}

static bool sse_data(leat_i_sse *s, const char *value, size_t size)
{
    bool ok = !s->has_data || leat_i_buf_append(&s->data, "\n", 1);
    s->has_data = true;
    return ok && leat_i_buf_append(&s->data, value, size);
}

/* One whole line, without its end. False = stop. */
static bool sse_line(leat_i_sse *s, const char *line, size_t size)
{
    if (size == 0) return sse_dispatch(s);
    static const char *const fields[] = { "data", "event", "id", "retry" };
    const char *colon = memchr(line, ':', size);
    size_t name = colon ? (size_t)(colon - line) : size;
    const char *value = colon ? colon + 1 : line + size;
    size_t value_size = size - (size_t)(value - line);
    if (value_size && *value == ' ') value++, value_size--;
    if (name == 0) s->has_field = true;
    for (size_t i = 0; i < 4 && !s->has_field; i++)
        s->has_field = strlen(fields[i]) == name && memcmp(line, fields[i], name) == 0;
    if (name == 4 && memcmp(line, "data", 4) == 0) return sse_data(s, value, value_size);
    if (name == 5 && memcmp(line, "event", 5) == 0) {
        if (value_size > sizeof s->type - 1) value_size = sizeof s->type - 1;
        memcpy(s->type, value, value_size);
        s->type[value_size] = '\0';
    }
    return true;
}

/* Takes the mark at the very start away, which may come byte by byte; what only began like one is given back as text. */
static bool sse_start(leat_i_sse *s, const char **piece, size_t *size)
{
    while (s->bom_bytes < 3 && *size) {
        if (**piece != BOM[s->bom_bytes]) {
            unsigned matched = s->bom_bytes;
            s->bom_bytes = 3;
            return leat_i_buf_append(&s->line, BOM, matched);
        }
        s->bom_bytes++, (*piece)++, (*size)--;
    }
    return true;
}

static const char *line_end(const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));
    return cr ? cr : lf;
}

bool leat_i_sse_push(leat_i_sse *s, const char *piece, size_t size)
{
    if (s->stopped || leat_i_sse_failed(s) || !sse_start(s, &piece, &size)) return false;
    const char *end = piece + size;
    while (piece < end) {
        if (s->after_cr && *piece == '\n') piece++; /* The rest of a CRLF. */
        s->after_cr = false;
        if (piece == end) break;
        const char *stop = line_end(piece, end);
        if (!stop) return leat_i_buf_append(&s->line, piece, (size_t)(end - piece));
        bool ok;
        if (s->line.size) {
            if (!leat_i_buf_append(&s->line, piece, (size_t)(stop - piece))) return false;
            ok = sse_line(s, s->line.data, s->line.size);
            leat_i_buf_clear(&s->line);
        } else {
            /* A line that came whole is too large just when one that came in pieces would be. */
            if (s->line.max && (size_t)(stop - piece) > s->line.max) s->line.failed = true;
            ok = !s->line.failed && sse_line(s, piece, (size_t)(stop - piece));
        }
        if (!ok) return false;
        s->after_cr = *stop == '\r';
        piece = stop + 1;
    }
    return true;
}

bool leat_i_sse_end(leat_i_sse *s)
{
    if (s->stopped || leat_i_sse_failed(s)) return false;
    if (s->line.size) {
        bool ok = sse_line(s, s->line.data, s->line.size);
        leat_i_buf_clear(&s->line);
        if (!ok) return false;
    }
    return sse_dispatch(s);
}
