/* request.c: see request.h. */
#include "request.h"

#include <stdio.h>
#include <string.h>

static const char *arena_take(leat_i_arena *arena, leat_i_buf *b, bool ok, size_t *size)
{
    const char *text = ok ? leat_i_arena_strndup(arena, b->data, b->size) : NULL;
    *size = b->size;
    leat_i_buf_fini(b);
    return text;
}

static bool put_message(leat_i_buf *b, const char *role, const char *content)
{
    return leat_i_buf_printf(b, "{\"role\":\"%s\",\"content\":", role) &&
           leat_i_json_put_string(b, content, strlen(content)) && leat_i_buf_puts(b, "}");
}

const char *leat_i_request_of_prompt(leat_i_arena *arena, const char *model, const char *system, const char *prompt,
                                     const char *extra, size_t *size)
{
    leat_i_buf b = { 0 };
    bool ok = leat_i_buf_puts(&b, "{\"model\":") && leat_i_json_put_string(&b, model, strlen(model)) &&
              leat_i_buf_puts(&b, ",\"messages\":[");
    if (system) ok = ok && put_message(&b, "system", system) && leat_i_buf_puts(&b, ",");
    ok = ok && put_message(&b, "user", prompt) && leat_i_buf_puts(&b, "]") && leat_i_buf_puts(&b, extra) &&
         leat_i_buf_puts(&b, "}");
    return arena_take(arena, &b, ok, size);
}

/* Members that are made from other options, or would make another kind of reply. */
static bool member_is_set(leat_i_json key)
{
    static const char *const ours[] = { "messages", "prompt", "input", "stream", NULL };
    return leat_i_json_is_any(key, ours);
}

leat_err leat_i_request_put_extra(leat_i_buf *b, const char *extra_body, bool *names_model, char *why, size_t why_bytes)
{
    if (names_model) *names_model = false;
    if (!extra_body) return LEAT_OK;
    leat_i_json extra = leat_i_json_parse(extra_body, strlen(extra_body), NULL), key, value;
    if (extra.type != LEAT_I_JSON_OBJECT) {
        snprintf(why, why_bytes, "the extra body is not a JSON object");
        return LEAT_USAGE;
    }
    for (size_t at = 0; leat_i_json_next_member(extra, &at, &key, &value);) {
        bool is_model = leat_i_json_str_eq(key, "model");
        if (member_is_set(key) || (is_model && !names_model)) {
            snprintf(why, why_bytes, "the extra body may not set %.*s: it is set already",
                     (int)(key.size < 60 ? key.size : 60), key.at);
            return LEAT_USAGE;
        }
        if (is_model) *names_model = true;
        leat_i_buf_append(b, ",", 1);
        leat_i_json_put_compact(b, key);
        leat_i_buf_append(b, ":", 1);
        leat_i_json_put_compact(b, value);
    }
    return LEAT_OK;
}

leat_i_request_facts leat_i_request_facts_of(const leat_i_json *picked)
{
    leat_i_request_facts facts = { .is_object = true, .stream = picked[0].type == LEAT_I_JSON_TRUE };
    for (int i = 1; i < 4; i++) {
        double tokens = 0;
        if (picked[i].type == LEAT_I_JSON_NUMBER && leat_i_json_double(picked[i], &tokens) && tokens > facts.max_tokens)
            facts.max_tokens = tokens;
    }
    return facts;
}

leat_i_request_facts leat_i_request_look(const char *body, size_t size)
{
    static const leat_i_json_pick picks[] = {
        { -1, "stream" }, { -1, "max_tokens" }, { -1, "max_completion_tokens" }, { -1, "max_output_tokens" }
    };
    leat_i_json v[4], root = leat_i_json_parse_pick(body, size, picks, 4, v, NULL);
    return root.type == LEAT_I_JSON_OBJECT ? leat_i_request_facts_of(v) : (leat_i_request_facts){ 0 };
}

size_t leat_i_request_inputs(const char *body, size_t size)
{
    static const leat_i_json_pick picks[] = { { -1, "input" } };
    leat_i_json input, first;
    size_t at = 0, count = 1;
    (void)leat_i_json_parse_pick(body, size, picks, 1, &input, NULL);
    if (input.type == LEAT_I_JSON_STRING) return 1;
    if (!leat_i_json_next_element(input, &at, &first)) return 0;
    if (first.type == LEAT_I_JSON_NUMBER) return 1;
    while (leat_i_json_next_element(input, &at, &first))
        count++;
    return count;
}

/* Copies the members of an object but those named; *first tells whether a comma is due before the next. */
static bool put_members(leat_i_buf *b, leat_i_json object, const char *const *without, bool *first)
{
    leat_i_json key, value;
    bool ok = true;
    for (size_t at = 0; ok && leat_i_json_next_member(object, &at, &key, &value);) {
        if (leat_i_json_is_any(key, without)) continue;
        ok = (*first || leat_i_buf_puts(b, ",")) && leat_i_buf_append(b, key.at, key.size) && leat_i_buf_puts(b, ":") &&
             leat_i_buf_append(b, value.at, value.size);
        *first = false;
    }
    return ok;
}

const char *leat_i_request_for_stream(leat_i_arena *arena, const char *body, size_t size, bool usage, size_t *new_size)
{
    static const char *const ours[] = { "stream", "stream_options", NULL }, *const asked[] = { "include_usage", NULL };
    static const char *const ours_alone[] = { "stream", NULL };
    leat_i_buf b = { 0 };
    leat_i_json root = leat_i_json_parse(body, size, NULL), options = leat_i_json_get(root, "stream_options");
    bool first = true;
    bool ok = leat_i_buf_puts(&b, "{") && put_members(&b, root, usage ? ours : ours_alone, &first) &&
              leat_i_buf_puts(&b, first ? "\"stream\":true" : ",\"stream\":true");
    if (usage) {
        first = true;
        ok = ok && leat_i_buf_puts(&b, ",\"stream_options\":{") && put_members(&b, options, asked, &first) &&
             leat_i_buf_puts(&b, first ? "\"include_usage\":true}" : ",\"include_usage\":true}");
    }
    ok = ok && leat_i_buf_puts(&b, "}");
    return arena_take(arena, &b, ok, new_size);
}
