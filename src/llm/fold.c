/* fold.c: see fold.h. */
#include "fold.h"

#include <string.h>

#include "../base/mem.h"
#include "../base/os.h"
#include "form.h"

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

void *leat_i_fold_grow(leat_i_fold *f, void *array, size_t *count, size_t max, size_t size)
{
    void **at = array;
    char *grown = *count < max ? leat_i_realloc(*at, (*count + 1) * size) : NULL;
    if (!grown) {
        f->failed = true;
        f->crowded |= *count == max;
        return NULL;
    }
    *at = grown;
    return memset(grown + size * (*count)++, 0, size);
}

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

static bool event_is_marker(const char *data, size_t size)
{
    static const char marker[] = "[DONE]";
    while (size && (*data == ' ' || *data == '\t'))
        data++, size--;
    while (size && (data[size - 1] == ' ' || data[size - 1] == '\t'))
        size--;
    return size == strlen(marker) && memcmp(data, marker, size) == 0;
}

static bool fold_break(leat_i_fold *f, const char *data, size_t size)
{
    f->broken = true;
    f->garbled = !leat_i_utf8_valid(data, size) || memchr(data, 0, size);
    if (size > EXCERPT_BYTES) size = EXCERPT_BYTES;
    while (size && ((unsigned char)data[size] & 0xc0) == 0x80)
        size--; /* Not inside a character. */
    leat_i_buf_clear(&f->plain);
    (void)leat_i_buf_append(&f->plain, data, size); /* For the message. */
    return false;
}

/* Not one line was one of a stream: it is a text, or bytes, that began as `plain` does. A few letters may be a stream cut early. */
static void fold_strange(leat_i_fold *f)
{
    const char *text = f->plain.data ? f->plain.data : "";
    bool cut = f->plain.size >= EXCERPT_BYTES;
    size_t size = cut ? EXCERPT_BYTES : f->plain.size;
    for (int i = 0; cut && i < 3 && !leat_i_utf8_valid(text, size); i++)
        size--; /* Perhaps it is cut inside a character. */
    f->plain.size = size;
    f->broken = size >= sizeof "event:" - 1;
    f->garbled = !leat_i_utf8_valid(text, size) || memchr(text, 0, size);
}

static bool fold_object(leat_i_fold *f, const char *type, leat_i_json chunk)
{
    bool is_error = strcmp(type, "error") == 0;
    leat_i_json error = leat_i_json_get(chunk, "error");
    /* An empty one is a member that some put into every chunk. */
    bool says = leat_i_json_is_filled(error) || error.type == LEAT_I_JSON_NUMBER || error.type == LEAT_I_JSON_TRUE;
    if (says || is_error) return leat_i_fold_error(f, chunk);
    if (!f->state && !(f->state = leat_i_alloc_zeroed(f->way->state_bytes))) {
        f->failed = true;
        return false;
    }
    bool was_complete = leat_i_fold_is_complete(f), had_output = f->first_ns != 0;
    bool output = f->way->event(f, type, chunk);
    f->is_early |= output && (was_complete || (!had_output && leat_i_fold_is_complete(f)));
    if (output && !f->first_ns) f->first_ns = leat_i_os_now_ns();
    f->is_content |= output || leat_i_fold_is_complete(f);
    return !f->failed && !f->done && !f->error.size;
}

/* An event. Google's come in an array at times, the errors above all. */
static bool fold_value(leat_i_fold *f, const char *type, leat_i_json value)
{
    leat_i_json one;
    bool go_on = true;
    if (value.type == LEAT_I_JSON_OBJECT) return fold_object(f, type, value);
    if (value.type != LEAT_I_JSON_ARRAY) return fold_break(f, value.at, value.size);
    for (size_t at = 0; go_on && leat_i_json_next_element(value, &at, &one);)
        go_on = one.type == LEAT_I_JSON_OBJECT ? fold_object(f, type, one) : fold_break(f, value.at, value.size);
    return go_on;
}

static bool fold_event(void *arg, const char *type, const char *data, size_t size)
{
    leat_i_fold *f = arg;
    if (event_is_marker(data, size)) {
        if (!f->way->has_marker) return true; /* A gateway's, behind a form that ends otherwise. */
        f->done = true;
        return false;
    }
    if (strspn(data, " \t") == size) return true;
    leat_i_json chunk = leat_i_json_parse(data, size, NULL);
    if (chunk.type != LEAT_I_JSON_OBJECT && strcmp(type, "error") == 0) return fold_error_words(f, data, size);
    return chunk.type == LEAT_I_JSON_NONE ? fold_break(f, data, size) : fold_value(f, type, chunk);
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

/* Keeps the first bytes of what has shown no line of a stream so far: the same ones, however it is cut into pieces. */
static void fold_excerpt(leat_i_fold *f, const char *data, size_t size)
{
    while (!f->plain.size && size && *data && strchr(" \t\r\n", *data))
        data++, size--;
    size_t room = f->plain.size < EXCERPT_BYTES ? EXCERPT_BYTES - f->plain.size : 0;
    (void)leat_i_buf_append(&f->plain, data, size < room ? size : room);
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
    if (!f->sse.has_field) fold_excerpt(f, data, size);
    if (leat_i_sse_failed(&f->sse)) f->failed = true;
    if (f->is_content)
        *piece = leat_i_fold_is_complete(f) && !leat_i_fold_needs_end(f) ? LEAT_I_HTTP_WHOLE : LEAT_I_HTTP_CONTENT;
    return go_on;
}

bool leat_i_fold_array(leat_i_fold *f, const char *body, size_t size)
{
    leat_i_json array = f->way->in_array ? leat_i_json_parse(body, size, NULL) : (leat_i_json){ 0 };
    leat_i_json first = leat_i_json_path(array, "0");
    if (first.type != LEAT_I_JSON_OBJECT || leat_i_json_get(first, "error").type != LEAT_I_JSON_NONE) return false;
    f->form = LEAT_I_FOLD_STREAM;
    f->sse.has_field = true;
    (void)fold_value(f, "", array);
    return true;
}

void leat_i_fold_end(leat_i_fold *f)
{
    if (f->form != LEAT_I_FOLD_STREAM || f->done || f->broken || f->failed || f->error.size) return;
    bool was_complete = leat_i_fold_is_complete(f);
    (void)leat_i_sse_end(&f->sse);
    if (!f->sse.has_field) {
        fold_strange(f);
        return;
    }
    /* Half an event behind a complete answer, or at the place where the stream was cut, is nobody's fault here. */
    if (f->broken) f->broken = false, f->done = f->done && was_complete;
}

bool leat_i_fold_is_complete(const leat_i_fold *f)
{
    return f->done || (f->state && f->way->is_complete(f));
}

bool leat_i_fold_needs_end(const leat_i_fold *f)
{
    return !f->done && (f->way->needs_end || f->is_early);
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
