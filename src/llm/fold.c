/* fold.c: see fold.h. */
#include "fold.h"

#include <string.h>

#include "../base/mem.h"
#include "../base/os.h"

enum { EXCERPT_BYTES = 200 };

typedef struct fold_tool { /* one call of a tool; of a legacy function call, id and type stay empty */
    uint64_t index;
    leat_i_buf id, type, name, arguments;
} fold_tool;

struct leat_i_fold_choice {
    uint64_t index;
    leat_i_buf role, content, reasoning, refusal, finish; /* role and finish are JSON values, the others escaped text */
    bool has_content, has_reasoning, has_refusal, is_function;
    fold_tool *tool;
    size_t tool_count;
};

static void choice_fini(struct leat_i_fold_choice *c)
{
    for (size_t i = 0; i < c->tool_count; i++) {
        leat_i_buf_fini(&c->tool[i].id), leat_i_buf_fini(&c->tool[i].type);
        leat_i_buf_fini(&c->tool[i].name), leat_i_buf_fini(&c->tool[i].arguments);
    }
    leat_i_free(c->tool);
    leat_i_buf_fini(&c->role), leat_i_buf_fini(&c->content), leat_i_buf_fini(&c->reasoning);
    leat_i_buf_fini(&c->refusal), leat_i_buf_fini(&c->finish);
}

void leat_i_fold_fini(leat_i_fold *f)
{
    leat_i_sse_fini(&f->sse);
    leat_i_buf_fini(&f->plain), leat_i_buf_fini(&f->id), leat_i_buf_fini(&f->created), leat_i_buf_fini(&f->model);
    leat_i_buf_fini(&f->fingerprint), leat_i_buf_fini(&f->usage), leat_i_buf_fini(&f->error);
    for (size_t i = 0; i < f->choice_count; i++)
        choice_fini(&f->choice[i]);
    leat_i_free(f->choice);
    f->choice = NULL;
    f->choice_count = 0;
}

/* ---- reading ---- */

/* The first value that is there wins: id, model and the like stand in every chunk. */
static void fold_first(leat_i_fold *f, leat_i_buf *to, leat_i_json value)
{
    if (to->size || value.type == LEAT_I_JSON_NONE || value.type == LEAT_I_JSON_NULL) return;
    if (value.type == LEAT_I_JSON_STRING && value.size == 2) return;
    if (!leat_i_json_put_compact(to, value)) f->failed = true;
}

/* The last one wins: usage may come with every chunk, and then it counts from the start. */
static void fold_last(leat_i_fold *f, leat_i_buf *to, leat_i_json value)
{
    if (value.type == LEAT_I_JSON_NONE || value.type == LEAT_I_JSON_NULL) return;
    leat_i_buf_clear(to);
    if (!leat_i_json_put_compact(to, value)) f->failed = true;
}

/* Appends a piece of text; tells whether there was any. */
static bool fold_text(leat_i_fold *f, leat_i_buf *to, bool *has, leat_i_json piece)
{
    if (piece.type != LEAT_I_JSON_STRING) return false;
    if (has) *has = true;
    if (piece.size <= 2) return false;
    if (!leat_i_buf_append(to, piece.at + 1, piece.size - 2)) f->failed = true;
    return true;
}

/* A piece of a choice's content; tells whether there was any. */
static bool fold_content(leat_i_fold *f, struct leat_i_fold_choice *c, leat_i_json piece)
{
    bool any = fold_text(f, &c->content, &c->has_content, piece);
    if (any && f->heard && c->index == 0) f->heard(f->heard_arg, piece.at + 1, piece.size - 2);
    return any;
}

static struct leat_i_fold_choice *fold_choice(leat_i_fold *f, uint64_t index)
{
    for (size_t i = 0; i < f->choice_count; i++)
        if (f->choice[i].index == index) return &f->choice[i];
    if (f->choice_count == LEAT_I_FOLD_CHOICES_MAX) return NULL;
    struct leat_i_fold_choice *grown = leat_i_realloc(f->choice, (f->choice_count + 1) * sizeof *grown);
    if (!grown) return NULL;
    f->choice = grown;
    grown += f->choice_count++;
    *grown = (struct leat_i_fold_choice){ .index = index };
    return grown;
}

static fold_tool *choice_tool(struct leat_i_fold_choice *c, uint64_t index)
{
    for (size_t i = 0; i < c->tool_count; i++)
        if (c->tool[i].index == index) return &c->tool[i];
    if (c->tool_count == LEAT_I_FOLD_TOOLS_MAX) return NULL;
    fold_tool *grown = leat_i_realloc(c->tool, (c->tool_count + 1) * sizeof *grown);
    if (!grown) return NULL;
    c->tool = grown;
    grown += c->tool_count++;
    *grown = (fold_tool){ .index = index };
    return grown;
}

static bool fold_function(leat_i_fold *f, fold_tool *tool, leat_i_json function)
{
    static const char *const keys[] = { "name", "arguments" };
    leat_i_json v[2];
    leat_i_json_get_many(function, keys, v, 2);
    bool name = fold_text(f, &tool->name, NULL, v[0]);
    return fold_text(f, &tool->arguments, NULL, v[1]) || name;
}

static bool fold_tools(leat_i_fold *f, struct leat_i_fold_choice *c, leat_i_json calls)
{
    static const char *const keys[] = { "index", "id", "type", "function" };
    leat_i_json call, v[4];
    bool content = false;
    uint64_t order = 0;
    for (size_t at = 0; leat_i_json_next_element(calls, &at, &call); order++) {
        uint64_t index = order;
        leat_i_json_get_many(call, keys, v, 4);
        (void)leat_i_json_u64(v[0], &index);
        fold_tool *tool = choice_tool(c, index);
        if (!tool) {
            f->failed = true;
            return content;
        }
        fold_first(f, &tool->id, v[1]);
        fold_first(f, &tool->type, v[2]);
        content |= fold_function(f, tool, v[3]);
    }
    return content;
}

static bool fold_delta(leat_i_fold *f, struct leat_i_fold_choice *c, leat_i_json delta)
{
    static const char *const keys[] = { "role",    "content",    "reasoning_content", "reasoning",
                                        "refusal", "tool_calls", "function_call" };
    leat_i_json v[7];
    leat_i_json_get_many(delta, keys, v, 7);
    fold_first(f, &c->role, v[0]);
    bool content = fold_content(f, c, v[1]);
    content |= fold_text(f, &c->reasoning, &c->has_reasoning, v[2].type == LEAT_I_JSON_STRING ? v[2] : v[3]);
    content |= fold_text(f, &c->refusal, &c->has_refusal, v[4]);
    content |= fold_tools(f, c, v[5]);
    if (v[6].type == LEAT_I_JSON_OBJECT) {
        fold_tool *tool = choice_tool(c, 0);
        c->is_function = true;
        if (tool)
            content |= fold_function(f, tool, v[6]);
        else
            f->failed = true;
    }
    return content;
}

/* One entry of a chunk's choices; tells whether it carried output. */
static bool fold_entry(leat_i_fold *f, leat_i_json entry)
{
    static const char *const keys[] = { "index", "delta", "text", "finish_reason", "message" };
    leat_i_json v[5];
    uint64_t index = 0;
    leat_i_json_get_many(entry, keys, v, 5);
    (void)leat_i_json_u64(v[0], &index);
    struct leat_i_fold_choice *c = fold_choice(f, index);
    if (!c) {
        f->failed = true;
        return false;
    }
    bool output = false;
    if (v[2].type == LEAT_I_JSON_STRING) {
        f->is_text = true;
        output = fold_content(f, c, v[2]);
    } else {
        output = fold_delta(f, c, v[1].type == LEAT_I_JSON_OBJECT ? v[1] : v[4]);
    }
    fold_last(f, &c->finish, v[3]);
    return output;
}

static bool fold_error(leat_i_fold *f, leat_i_json value)
{
    if (!leat_i_json_put_compact(&f->error, value)) f->failed = true;
    return false;
}

/* An error event in words. */
static bool fold_error_words(leat_i_fold *f, const char *data, size_t size)
{
    if (!leat_i_buf_puts(&f->error, "{\"error\":") || !leat_i_json_put_string(&f->error, data, size) ||
        !leat_i_buf_puts(&f->error, "}"))
        f->failed = true;
    return false;
}

static bool event_is_end(const char *data, size_t size)
{
    while (size && strchr(" \t", data[size - 1]))
        size--;
    return size == 6 && memcmp(data, "[DONE]", 6) == 0;
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
    static const char *const keys[] = { "choices", "usage", "error", "id", "created", "model", "system_fingerprint" };
    leat_i_fold *f = arg;
    leat_i_json v[7], entry;
    bool output = false;
    if (event_is_end(data, size)) {
        f->done = true;
        return false;
    }
    if (strspn(data, " \t") == size) return true;
    leat_i_json chunk = leat_i_json_parse(data, size, NULL);
    bool is_error = strcmp(type, "error") == 0;
    if (chunk.type != LEAT_I_JSON_OBJECT) return is_error ? fold_error_words(f, data, size) : fold_break(f, data, size);
    leat_i_json_get_many(chunk, keys, v, 7);
    if ((v[2].type != LEAT_I_JSON_NONE && v[2].type != LEAT_I_JSON_NULL) || is_error) return fold_error(f, chunk);
    fold_first(f, &f->id, v[3]);
    fold_first(f, &f->created, v[4]);
    fold_first(f, &f->model, v[5]);
    fold_first(f, &f->fingerprint, v[6]);
    for (size_t at = 0; leat_i_json_next_element(v[0], &at, &entry);)
        output |= fold_entry(f, entry);
    fold_last(f, &f->usage, v[1]);
    if (output && !f->first_ns) f->first_ns = leat_i_os_now_ns();
    f->is_content |= output || v[1].type == LEAT_I_JSON_OBJECT || leat_i_fold_is_complete(f);
    return !f->failed;
}

void leat_i_fold_init(leat_i_fold *f, size_t max)
{
    *f = (leat_i_fold){ .max = max, .plain.max = max };
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
    if (f->form == LEAT_I_FOLD_UNKNOWN) return true;
    if (f->form == LEAT_I_FOLD_PLAIN) {
        *piece = LEAT_I_HTTP_CONTENT;
        if (!leat_i_buf_append(&f->plain, data, size)) f->failed = true;
        return !f->failed;
    }
    f->is_content = false;
    bool go_on = leat_i_sse_push(&f->sse, data, size);
    if (leat_i_sse_failed(&f->sse)) f->failed = true;
    if (f->is_content) *piece = leat_i_fold_is_complete(f) ? LEAT_I_HTTP_WHOLE : LEAT_I_HTTP_CONTENT;
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
    if (f->done) return true;
    for (size_t i = 0; i < f->choice_count; i++)
        if (!f->choice[i].finish.size) return false;
    return f->choice_count > 0;
}

bool leat_i_fold_has_output(const leat_i_fold *f)
{
    return f->first_ns != 0;
}

/* ---- writing ---- */

static bool put_value(leat_i_buf *out, const char *name, const leat_i_buf *value, const char *otherwise)
{
    if (!value->size && !otherwise) return true;
    return leat_i_buf_puts(out, name) && leat_i_buf_puts(out, value->size ? value->data : otherwise);
}

static bool put_text(leat_i_buf *out, const char *name, const leat_i_buf *text, bool is_there)
{
    if (!is_there) return true;
    return leat_i_buf_puts(out, name) && leat_i_buf_puts(out, "\"") && leat_i_buf_append(out, text->data, text->size) &&
           leat_i_buf_puts(out, "\"");
}

static bool put_function(leat_i_buf *out, const fold_tool *tool)
{
    return leat_i_buf_puts(out, "{\"name\":") && put_text(out, "", &tool->name, true) &&
           put_text(out, ",\"arguments\":", &tool->arguments, true) && leat_i_buf_puts(out, "}");
}

static bool put_tools(leat_i_buf *out, const struct leat_i_fold_choice *c)
{
    if (!c->tool_count) return true;
    if (c->is_function) return leat_i_buf_puts(out, ",\"function_call\":") && put_function(out, &c->tool[0]);
    bool ok = leat_i_buf_puts(out, ",\"tool_calls\":[");
    for (size_t i = 0; ok && i < c->tool_count; i++) {
        const fold_tool *tool = &c->tool[i];
        ok = leat_i_buf_puts(out, i ? ",{" : "{") && put_value(out, "\"id\":", &tool->id, "null") &&
             put_value(out, ",\"type\":", &tool->type, "\"function\"") && leat_i_buf_puts(out, ",\"function\":") &&
             put_function(out, tool) && leat_i_buf_puts(out, "}");
    }
    return ok && leat_i_buf_puts(out, "]");
}

static bool put_message(leat_i_buf *out, const struct leat_i_fold_choice *c)
{
    bool ok = leat_i_buf_puts(out, "\"message\":{") && put_value(out, "\"role\":", &c->role, "\"assistant\"");
    ok = ok && (c->has_content || leat_i_buf_puts(out, ",\"content\":null"));
    ok = ok && put_text(out, ",\"content\":", &c->content, c->has_content);
    ok = ok && put_text(out, ",\"reasoning_content\":", &c->reasoning, c->has_reasoning);
    ok = ok && put_text(out, ",\"refusal\":", &c->refusal, c->has_refusal);
    return ok && put_tools(out, c) && leat_i_buf_puts(out, "}");
}

static bool put_choice(leat_i_buf *out, const leat_i_fold *f, const struct leat_i_fold_choice *c)
{
    bool ok = leat_i_buf_puts(out, "{\"index\":") && leat_i_buf_put_u64(out, c->index) && leat_i_buf_puts(out, ",");
    if (f->is_text)
        ok = ok && put_text(out, "\"text\":", &c->content, true);
    else
        ok = ok && put_message(out, c);
    return ok && put_value(out, ",\"finish_reason\":", &c->finish, "null") && leat_i_buf_puts(out, "}");
}

bool leat_i_fold_put(leat_i_fold *f, leat_i_buf *out)
{
    if (f->form != LEAT_I_FOLD_STREAM) return leat_i_buf_append(out, f->plain.data ? f->plain.data : "", f->plain.size);
    bool ok = put_value(out, "{\"id\":", &f->id, "null") &&
              leat_i_buf_puts(out, f->is_text ? ",\"object\":\"text_completion\"" : ",\"object\":\"chat.completion\"") &&
              put_value(out, ",\"created\":", &f->created, NULL) && put_value(out, ",\"model\":", &f->model, NULL) &&
              leat_i_buf_puts(out, ",\"choices\":[");
    for (size_t i = 0; ok && i < f->choice_count; i++)
        ok = (!i || leat_i_buf_puts(out, ",")) && put_choice(out, f, &f->choice[i]);
    return ok && leat_i_buf_puts(out, "]") && put_value(out, ",\"usage\":", &f->usage, NULL) &&
           put_value(out, ",\"system_fingerprint\":", &f->fingerprint, NULL) && leat_i_buf_puts(out, "}");
}
