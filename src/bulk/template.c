/*
 * template.c: cuts a prompt template into pieces and builds bodies from them.
 *
 * A placeholder is `{{`, a name of [a-z0-9_.] with blanks allowed around it, `}}`; the name of a field may have any characters but
 * braces and line ends, as columns of tables have. Other braces are text, so that JSON and code samples can stand in a prompt. A
 * name that is not known is refused at the start: a typing error would cost a whole run.
 */
#include "template.h"

#include <stdio.h>
#include <string.h>

#include "../base/json.h"

enum { TEMPLATE_PIECES_MAX = 256 };
static const char FIELD[] = "field.";

typedef struct placeholder {
    const char *at, *end; /* with the braces */
    const char *name;
    size_t name_bytes;
} placeholder;

static bool name_has(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* Where the name ends that begins here; blanks behind it are not a part of it. */
static const char *name_end(const char *name)
{
    const char *end = name;
    if (strncmp(name, FIELD, strlen(FIELD)) != 0) {
        while (name_has(*end))
            end++;
        return end;
    }
    end += strcspn(name, "{}\r\n");
    while (end[-1] == ' ' || end[-1] == '\t')
        end--;
    return end;
}

/* Finds the next placeholder from `p` on. */
static bool placeholder_next(const char *p, placeholder *out)
{
    for (; (p = strstr(p, "{{")) != NULL; p++) {
        const char *name = p + 2 + strspn(p + 2, " \t");
        const char *end = name_end(name);
        const char *close = end + strspn(end, " \t");
        if (end == name || close[0] != '}' || close[1] != '}') continue;
        *out = (placeholder){ .at = p, .end = close + 2, .name = name, .name_bytes = (size_t)(end - name) };
        return true;
    }
    return false;
}

static bool placeholder_is(const placeholder *ph, const char *name)
{
    return ph->name_bytes == strlen(name) && memcmp(ph->name, name, ph->name_bytes) == 0;
}

static bool placeholder_is_field(const placeholder *ph)
{
    return ph->name_bytes > strlen(FIELD) && memcmp(ph->name, FIELD, strlen(FIELD)) == 0;
}

bool leat_i_template_wants_fields(const char *text)
{
    for (placeholder ph; placeholder_next(text, &ph); text = ph.end)
        if (placeholder_is_field(&ph)) return true;
    return false;
}

static const char *arena_take(leat_i_arena *arena, leat_i_buf *b, size_t *bytes)
{
    const char *copy = b->failed ? NULL : leat_i_arena_strndup(arena, b->data ? b->data : "", b->size);
    *bytes = b->size;
    leat_i_buf_clear(b);
    return copy;
}

static leat_err piece_literal(leat_i_template *tp, leat_i_buf *b, const char *text, size_t bytes)
{
    if (bytes == 0) return LEAT_OK;
    leat_i_json_put_escaped(b, text, bytes);
    struct leat_i_template_piece *p = &tp->piece[tp->piece_count++];
    p->kind = LEAT_I_PIECE_LITERAL;
    p->escaped = arena_take(&tp->arena, b, &p->bytes);
    return p->escaped ? LEAT_OK : LEAT_NOMEM;
}

static leat_err piece_placeholder(leat_i_template *tp, const placeholder *ph, char *why, size_t why_bytes)
{
    struct leat_i_template_piece *p = &tp->piece[tp->piece_count];
    if (placeholder_is(ph, "text")) {
        p->kind = LEAT_I_PIECE_TEXT;
    } else if (placeholder_is(ph, "name")) {
        p->kind = LEAT_I_PIECE_NAME;
    } else if (placeholder_is_field(ph)) {
        p->kind = LEAT_I_PIECE_FIELD;
        p->bytes = ph->name_bytes - strlen(FIELD);
        p->escaped = leat_i_arena_strndup(&tp->arena, ph->name + strlen(FIELD), p->bytes);
        if (!p->escaped) return LEAT_NOMEM;
        tp->has_fields = true;
    } else {
        snprintf(
            why, why_bytes,
            "the template asks for {{%.*s}}, which is not known: use {{text}}, {{name}}, or {{field.X}} for the member X "
            "of documents in JSON",
            (int)(ph->name_bytes < 40 ? ph->name_bytes : 40), ph->name);
        return LEAT_USAGE;
    }
    tp->piece_count++;
    return LEAT_OK;
}

static leat_err template_cut(leat_i_template *tp, leat_i_buf *b, const char *text, char *why, size_t why_bytes)
{
    tp->piece = leat_i_arena_alloc(&tp->arena, (size_t)TEMPLATE_PIECES_MAX * sizeof *tp->piece);
    if (!tp->piece) return LEAT_NOMEM;
    const char *at = text;
    placeholder ph;
    while (placeholder_next(at, &ph)) {
        if (tp->piece_count + 3 > TEMPLATE_PIECES_MAX) {
            snprintf(why, why_bytes, "the template has more than %d placeholders", TEMPLATE_PIECES_MAX / 2 - 1);
            return LEAT_USAGE;
        }
        LEAT_TRY(piece_literal(tp, b, at, (size_t)(ph.at - at)));
        LEAT_TRY(piece_placeholder(tp, &ph, why, why_bytes));
        at = ph.end;
    }
    if (at == text) {
        snprintf(why, why_bytes,
                 strstr(text, "{{") ? "the template has no {{text}}: what begins with '{{' in it is not closed"
                                    : "the template has no {{text}}: every document would be asked the same");
        return LEAT_USAGE;
    }
    return piece_literal(tp, b, at, strlen(at));
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && memcmp(s + n - m, end, m) == 0;
}

/* What stands between the model and the prompt's characters, and what closes it. */
static leat_err form_put(const leat_i_template_opts *o, leat_i_buf *head, const char **close, char *why, size_t why_bytes)
{
    const char *url = o->url ? o->url : "/v1/chat/completions";
    if (ends_with(url, "/chat/completions")) {
        leat_i_buf_puts(head, "\"messages\":[");
        if (o->system) {
            leat_i_buf_puts(head, "{\"role\":\"system\",\"content\":");
            leat_i_json_put_string(head, o->system, strlen(o->system));
            leat_i_buf_puts(head, "},");
        }
        leat_i_buf_puts(head, "{\"role\":\"user\",\"content\":\"");
        *close = "\"}]";
        return LEAT_OK;
    }
    bool prompt = ends_with(url, "/completions");
    if (!prompt && !ends_with(url, "/embeddings") && !ends_with(url, "/responses")) {
        snprintf(why, why_bytes, "bodies for %.80s cannot be built from a template: give them ready made (JSONL)", url);
        return LEAT_USAGE;
    }
    if (o->system) {
        snprintf(why, why_bytes, "a system message needs a URL path that ends in /chat/completions");
        return LEAT_USAGE;
    }
    leat_i_buf_puts(head, prompt ? "\"prompt\":\"" : "\"input\":\"");
    *close = "\"";
    return LEAT_OK;
}

static leat_err frame_build(leat_i_template *tp, const leat_i_template_opts *o, leat_i_buf *b, char *why, size_t why_bytes)
{
    const char *close = "";
    bool model = false;
    leat_i_buf_append(b, "{", 1);
    if (o->model) {
        leat_i_buf_puts(b, "\"model\":");
        leat_i_json_put_string(b, o->model, strlen(o->model));
        leat_i_buf_append(b, ",", 1);
    }
    LEAT_TRY(form_put(o, b, &close, why, why_bytes));
    if (!(tp->head = arena_take(&tp->arena, b, &tp->head_bytes))) return LEAT_NOMEM;
    leat_i_buf_puts(b, close);
    const char *extra = o->extra_body;
    tp->facts = extra ? leat_i_request_look(extra, strlen(extra)) : (leat_i_request_facts){ .is_object = true };
    LEAT_TRY(leat_i_request_put_extra(b, extra, o->model ? NULL : &model, why, why_bytes));
    if (!o->model && !model) {
        snprintf(why, why_bytes, "documents need a model (model, or --model)");
        return LEAT_USAGE;
    }
    leat_i_buf_append(b, "}", 1);
    tp->tail = arena_take(&tp->arena, b, &tp->tail_bytes);
    return tp->tail ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_i_template_init(leat_i_template *tp, const leat_i_template_opts *opts, char *why, size_t why_bytes)
{
    memset(tp, 0, sizeof *tp);
    leat_i_buf b = { 0 };
    leat_err err = template_cut(tp, &b, opts->text ? opts->text : "{{text}}", why, why_bytes);
    if (!err) err = frame_build(tp, opts, &b, why, why_bytes);
    leat_i_buf_fini(&b);
    return err;
}

static leat_err document_parse(const char *text, size_t text_bytes, leat_i_json *object, char *why, size_t why_bytes)
{
    size_t at = 0;
    *object = leat_i_json_parse(text, text_bytes, &at);
    if (object->type == LEAT_I_JSON_OBJECT && !object->lone) return LEAT_OK;
    if (object->type == LEAT_I_JSON_NONE)
        snprintf(why, why_bytes, "the template asks for fields, and this is not valid JSON (byte %zu)", at + 1);
    else
        snprintf(why, why_bytes, "%s",
                 object->lone ? "holds half of a surrogate pair (\\ud800 to \\udfff alone)"
                              : "the template asks for fields, and this is not a JSON object");
    return LEAT_INPUT;
}

leat_i_json leat_i_template_field(leat_i_json object, const char *name)
{
    leat_i_json whole = strchr(name, '.') ? leat_i_json_get(object, name) : (leat_i_json){ .type = LEAT_I_JSON_NONE };
    return whole.type != LEAT_I_JSON_NONE ? whole : leat_i_json_path(object, name);
}

const char *leat_i_template_lacks(const leat_i_template *tp, leat_i_json object)
{
    for (size_t i = 0; i < tp->piece_count; i++) {
        const struct leat_i_template_piece *p = &tp->piece[i];
        if (p->kind == LEAT_I_PIECE_FIELD && leat_i_template_field(object, p->escaped).type == LEAT_I_JSON_NONE)
            return p->escaped;
    }
    return NULL;
}

/* Text as it is, whatever else as the JSON that stands there. What is null is as good as absent. */
static leat_err field_put(leat_i_buf *body, const struct leat_i_template_piece *p, leat_i_json object, char *why,
                          size_t why_bytes)
{
    leat_i_json v = leat_i_template_field(object, p->escaped);
    if (v.type == LEAT_I_JSON_NONE || v.type == LEAT_I_JSON_NULL) {
        snprintf(why, why_bytes, "has no field \"%.60s\", which the template asks for", p->escaped);
        return LEAT_INPUT;
    }
    if (v.type == LEAT_I_JSON_STRING)
        leat_i_buf_append(body, v.at + 1, v.size - 2);
    else
        leat_i_json_put_escaped(body, v.at, v.size);
    return LEAT_OK;
}

leat_err leat_i_template_put(const leat_i_template *tp, leat_i_buf *body, const char *text, size_t text_bytes,
                             const char *name, char *why, size_t why_bytes)
{
    leat_i_json object = { 0 };
    if (tp->has_fields) LEAT_TRY(document_parse(text, text_bytes, &object, why, why_bytes));
    leat_i_buf_append(body, tp->head, tp->head_bytes);
    for (size_t i = 0; i < tp->piece_count; i++) {
        const struct leat_i_template_piece *p = &tp->piece[i];
        if (p->kind == LEAT_I_PIECE_TEXT)
            leat_i_json_put_escaped(body, text, text_bytes);
        else if (p->kind == LEAT_I_PIECE_NAME)
            leat_i_json_put_escaped(body, name, strlen(name));
        else if (p->kind == LEAT_I_PIECE_FIELD)
            LEAT_TRY(field_put(body, p, object, why, why_bytes));
        else
            leat_i_buf_append(body, p->escaped, p->bytes);
    }
    return leat_i_buf_append(body, tp->tail, tp->tail_bytes) ? LEAT_OK : LEAT_NOMEM;
}

void leat_i_template_fini(leat_i_template *tp)
{
    leat_i_arena_fini(&tp->arena);
    memset(tp, 0, sizeof *tp);
}
