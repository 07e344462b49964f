/* fold.c: see fold.h. */
#include "fold.h"

#include <string.h>

#include "../base/mem.h"
#include "../base/os.h"

enum { EXCERPT_BYTES = 200 };

void leat_i_fold_fini(leat_i_fold *f)
{
    leat_i_sse_fini(&f->sse);
    leat_i_buf_fini(&f->plain), leat_i_buf_fini(&f->error);
    if (f->state) f->way->fini(f);
    leat_i_free(f->state);
    f->state = NULL;
}

/* ---- reading, for the ways ---- */

void leat_i_fold_first(leat_i_fold *f, leat_i_buf *to, leat_i_json value)
{
    if (to->size || value.type == LEAT_I_JSON_NONE || value.type == LEAT_I_JSON_NULL) return;
    if (value.type == LEAT_I_JSON_STRING && value.size == 2) return;
    if (!leat_i_json_put_compact(to, value)) f->failed = true;
}

void leat_i_fold_last(leat_i_fold *f, leat_i_buf *to, leat_i_json value)
{
    if (value.type == LEAT_I_JSON_NONE || value.type == LEAT_I_JSON_NULL) return;
    leat_i_buf_clear(to);
    if (!leat_i_json_put_compact(to, value)) f->failed = true;
}

bool leat_i_fold_text(leat_i_fold *f, leat_i_buf *to, bool *has, leat_i_json piece)
{
    if (piece.type != LEAT_I_JSON_STRING) return false;
    if (has) *has = true;
    if (piece.size <= 2) return false;
    if (!leat_i_buf_append(to, piece.at + 1, piece.size - 2)) f->failed = true;
    return true;
}

void leat_i_fold_hear(leat_i_fold *f, leat_i_json piece)
{
    if (f->heard) f->heard(f->heard_arg, piece.at + 1, piece.size - 2);
}

bool leat_i_fold_error(leat_i_fold *f, leat_i_json value)
{
    if (!leat_i_json_put_compact(&f->error, value)) f->failed = true;
    return false;
}

/* ---- events ---- */

/* An error event in words. */
static bool fold_error_words(leat_i_fold *f, const char *data, size_t size)
{
    if (!leat_i_buf_puts(&f->error, "{\"error\":") || !leat_i_json_put_string(&f->error, data, size) ||
        !leat_i_buf_puts(&f->error, "}"))
        f->failed = true;
    return false;
}

static bool event_is(const char *marker, const char *data, size_t size)
{
    while (size && strchr(" \t", data[size - 1]))
        size--;
    return marker && size == strlen(marker) && memcmp(data, marker, size) == 0;
}

static bool fold_break(leat_i_fold *f, const char *data, size_t size)
{
    f->broken = true;
    f->garbled = !leat_i_utf8_valid(data, size) || memchr(data, 0, size);
    if (size > EXCERPT_BYTES) size = EXCERPT_BYTES;
    while (size && ((unsigned char)data[size] & 0xc0) == 0x80)
        size--;                                     /* Not inside a character. */
    (void)leat_i_buf_append(&f->plain, data, size); /* For the message. */
    return false;
}

static bool fold_event(void *arg, const char *type, const char *data, size_t size)
{
    leat_i_fold *f = arg;
    if (event_is(f->way->marker, data, size)) {
        f->done = true;
        return false;
    }
    if (strspn(data, " \t") == size) return true;
    leat_i_json chunk = leat_i_json_parse(data, size, NULL);
    bool is_error = strcmp(type, "error") == 0;
    if (chunk.type != LEAT_I_JSON_OBJECT) return is_error ? fold_error_words(f, data, size) : fold_break(f, data, size);
    leat_i_json error = leat_i_json_get(chunk, "error");
    if ((error.type != LEAT_I_JSON_NONE && error.type != LEAT_I_JSON_NULL) || is_error) return leat_i_fold_error(f, chunk);
    if (!f->state && !(f->state = leat_i_alloc_zeroed(f->way->state_bytes))) {
        f->failed = true;
        return false;
    }
    bool output = f->way->event(f, type, chunk);
    if (output && !f->first_ns) f->first_ns = leat_i_os_now_ns();
    f->is_content |= output || leat_i_fold_is_complete(f);
    return !f->failed && !f->done && !f->error.size;
}

void leat_i_fold_init(leat_i_fold *f, const leat_i_fold_way *way, size_t max)
{
    *f = (leat_i_fold){ .way = way, .plain.max = max };
    leat_i_sse_init(&f->sse, max, fold_event, f);
}

/* Streams begin with a field's name, a colon or a byte order mark; JSON, HTML and the rest of the world with a bracket. */
static leat_i_fold_form form_of(const char *piece, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n", piece[i]) && piece[i]) continue;
        return piece[i] == '{' || piece[i] == '[' || piece[i] == '<' || piece[i] == '"' ? LEAT_I_FOLD_PLAIN
                                                                                        : LEAT_I_FOLD_STREAM;
    }
    return LEAT_I_FOLD_UNKNOWN;
}

bool leat_i_fold_push(void *fold, const char *data, size_t size, leat_i_http_piece *piece)
{
    leat_i_fold *f = fold;
    if (f->form == LEAT_I_FOLD_UNKNOWN) f->form = form_of(data, size);
    *piece = LEAT_I_HTTP_NOTHING;
    /* Blanks are a part of a stream's first line, if it becomes a stream. */
    if (f->form == LEAT_I_FOLD_UNKNOWN) return leat_i_sse_push(&f->sse, data, size);
    if (f->form == LEAT_I_FOLD_PLAIN) {
        *piece = LEAT_I_HTTP_CONTENT;
        if (!leat_i_buf_append(&f->plain, data, size)) f->failed = true;
        return !f->failed;
    }
    f->is_content = false;
    bool go_on = leat_i_sse_push(&f->sse, data, size);
    if (leat_i_sse_failed(&f->sse)) f->failed = true;
    if (f->is_content) *piece = leat_i_fold_is_complete(f) && !f->way->needs_end ? LEAT_I_HTTP_WHOLE : LEAT_I_HTTP_CONTENT;
    return go_on;
}

void leat_i_fold_end(leat_i_fold *f)
{
    if (f->form != LEAT_I_FOLD_STREAM || f->done || f->broken || f->failed || f->error.size) return;
    bool was_complete = leat_i_fold_is_complete(f);
    (void)leat_i_sse_end(&f->sse);
    /* Half an event behind a complete answer, or at the place where the stream was cut, is nobody's fault here. */
    if (f->broken) f->broken = false, f->done = f->done && was_complete;
}

bool leat_i_fold_is_complete(const leat_i_fold *f)
{
    return f->done || (f->state && f->way->is_complete(f));
}

bool leat_i_fold_has_output(const leat_i_fold *f)
{
    return f->first_ns != 0;
}

/* ---- writing ---- */

bool leat_i_fold_put_value(leat_i_buf *out, const char *name, const leat_i_buf *value, const char *otherwise)
{
    if (!value->size && !otherwise) return true;
    return leat_i_buf_puts(out, name) && leat_i_buf_puts(out, value->size ? value->data : otherwise);
}

bool leat_i_fold_put_text(leat_i_buf *out, const char *name, const leat_i_buf *text, bool is_there)
{
    if (!is_there) return true;
    return leat_i_buf_puts(out, name) && leat_i_buf_puts(out, "\"") && leat_i_buf_append(out, text->data, text->size) &&
           leat_i_buf_puts(out, "\"");
}

bool leat_i_fold_put(const leat_i_fold *f, leat_i_buf *out)
{
    if (f->form != LEAT_I_FOLD_STREAM) return leat_i_buf_append(out, f->plain.data ? f->plain.data : "", f->plain.size);
    return f->way->put(f, out);
}
