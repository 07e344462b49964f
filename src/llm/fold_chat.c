/*
 * fold_chat.c: chat completions and legacy completions, chunk by chunk.
 *
 * Each chunk has choices with a delta; id, model and the like stand in every one; usage comes in the last, in each, or never. What
 * is not known by name is kept all the same: fold_more.c.
 */
#include "fold.h"

#include "../base/mem.h"

typedef struct fold_tool { /* one call of a tool; of a legacy function call, id and type stay empty */
    uint64_t index;
    leat_i_buf id, type, name, arguments;
    bool is_function;
    leat_i_more more;
} fold_tool;

typedef struct choice {
    uint64_t index;
    leat_i_buf role, content, refusal, finish; /* role and finish are JSON values, the others escaped text */
    bool has_content, has_refusal, is_function;
    leat_i_more more, message; /* of the choice, and of its message */
    fold_tool *tool;
    size_t tool_count;
} choice;

typedef struct chat {
    leat_i_buf id, created, model, fingerprint, usage; /* JSON values, "" = not seen */
    choice *choice;                                    /* in order of appearance */
    size_t choice_count;
    leat_i_more more;
    bool is_text; /* legacy completions: text instead of messages */
} chat;

static void choice_fini(choice *c)
{
    for (size_t i = 0; i < c->tool_count; i++) {
        leat_i_buf_fini(&c->tool[i].id), leat_i_buf_fini(&c->tool[i].type);
        leat_i_buf_fini(&c->tool[i].name), leat_i_buf_fini(&c->tool[i].arguments);
        leat_i_more_fini(&c->tool[i].more);
    }
    leat_i_free(c->tool);
    leat_i_buf_fini(&c->role), leat_i_buf_fini(&c->content);
    leat_i_buf_fini(&c->refusal), leat_i_buf_fini(&c->finish);
    leat_i_more_fini(&c->more), leat_i_more_fini(&c->message);
}

static void chat_fini(leat_i_fold *f)
{
    chat *s = f->state;
    leat_i_buf_fini(&s->id), leat_i_buf_fini(&s->created), leat_i_buf_fini(&s->model);
    leat_i_buf_fini(&s->fingerprint), leat_i_buf_fini(&s->usage);
    leat_i_more_fini(&s->more);
    for (size_t i = 0; i < s->choice_count; i++)
        choice_fini(&s->choice[i]);
    leat_i_free(s->choice);
}

/* ---- reading ---- */

/* A piece of a choice's content; tells whether there was any. */
static bool fold_content(leat_i_fold *f, choice *c, leat_i_json piece)
{
    bool any = leat_i_fold_text(f, &c->content, &c->has_content, piece);
    if (any && c->index == 0) leat_i_fold_hear(f, piece);
    return any;
}

static choice *fold_choice(leat_i_fold *f, uint64_t index)
{
    chat *s = f->state;
    for (size_t i = 0; i < s->choice_count; i++)
        if (s->choice[i].index == index) return &s->choice[i];
    choice *grown = leat_i_fold_grow(f, &s->choice, &s->choice_count, LEAT_I_FOLD_CHOICES_MAX, sizeof *grown);
    if (grown) grown->index = index;
    return grown;
}

static fold_tool *choice_tool(leat_i_fold *f, choice *c, uint64_t index)
{
    for (size_t i = 0; i < c->tool_count; i++)
        if (c->tool[i].index == index) return &c->tool[i];
    fold_tool *grown = leat_i_fold_grow(f, &c->tool, &c->tool_count, LEAT_I_FOLD_TOOLS_MAX, sizeof *grown);
    if (grown) grown->index = index;
    return grown;
}

static bool fold_function(leat_i_fold *f, fold_tool *tool, leat_i_json function)
{
    static const char *const keys[] = { "name", "arguments" };
    leat_i_json v[2];
    leat_i_json_get_many(function, keys, v, 2);
    bool name = leat_i_fold_text(f, &tool->name, NULL, v[0]);
    return leat_i_fold_text(f, &tool->arguments, NULL, v[1]) || name;
}

static bool fold_tools(leat_i_fold *f, choice *c, leat_i_json calls)
{
    static const char *const keys[] = { "index", "id", "type", "function", NULL };
    leat_i_json call, v[4];
    bool content = false;
    uint64_t order = 0;
    for (size_t at = 0; leat_i_json_next_element(calls, &at, &call); order++) {
        uint64_t index = order;
        leat_i_json_get_many(call, keys, v, 4);
        (void)leat_i_json_u64(v[0], &index);
        fold_tool *tool = choice_tool(f, c, index);
        if (!tool) return content;
        leat_i_fold_first(f, &tool->id, v[1]);
        leat_i_fold_first(f, &tool->type, v[2]);
        tool->is_function |= v[3].type == LEAT_I_JSON_OBJECT;
        content |= fold_function(f, tool, v[3]);
        content |= leat_i_more_take(f, &tool->more, call, keys, LEAT_I_MORE_PIECES, 0);
    }
    return content;
}

static bool fold_delta(leat_i_fold *f, choice *c, leat_i_json delta)
{
    static const char *const keys[] = { "role", "content", "refusal", "tool_calls", "function_call", NULL };
    leat_i_json v[5];
    leat_i_json_get_many(delta, keys, v, 5);
    leat_i_fold_first(f, &c->role, v[0]);
    bool content = fold_content(f, c, v[1]);
    content |= leat_i_fold_text(f, &c->refusal, &c->has_refusal, v[2]);
    content |= fold_tools(f, c, v[3]);
    content |= leat_i_more_take(f, &c->message, delta, keys, LEAT_I_MORE_PIECES, 0);
    if (v[4].type == LEAT_I_JSON_OBJECT) {
        fold_tool *tool = choice_tool(f, c, 0);
        c->is_function = true;
        if (tool) content |= fold_function(f, tool, v[4]);
    }
    return content;
}

/* One entry of a chunk's choices; tells whether it carried output. */
static bool fold_entry(leat_i_fold *f, leat_i_json entry)
{
    static const char *const keys[] = { "index", "delta", "text", "finish_reason", "message", NULL };
    leat_i_json v[5];
    uint64_t index = 0;
    leat_i_json_get_many(entry, keys, v, 5);
    (void)leat_i_json_u64(v[0], &index);
    choice *c = fold_choice(f, index);
    if (!c) return false;
    bool output = false;
    if (v[2].type == LEAT_I_JSON_STRING) {
        ((chat *)f->state)->is_text = true;
        output = fold_content(f, c, v[2]);
    } else {
        output = fold_delta(f, c, v[1].type == LEAT_I_JSON_OBJECT ? v[1] : v[4]);
    }
    leat_i_fold_last(f, &c->finish, v[3]);
    (void)leat_i_more_take(f, &c->more, entry, keys, LEAT_I_MORE_LISTS, 0);
    return output;
}

static bool chat_event(leat_i_fold *f, const char *type, leat_i_json chunk)
{
    /* The last is padding, against those who look at the lengths of packets. */
    static const char *const keys[] = { "choices", "usage",  "id",          "created", "model", "system_fingerprint",
                                        "x_groq",  "object", "obfuscation", "error",   NULL };
    chat *s = f->state;
    leat_i_json v[7], entry;
    bool output = false;
    (void)type;
    leat_i_json_get_many(chunk, keys, v, 7);
    leat_i_fold_first(f, &s->id, v[2]);
    leat_i_fold_first(f, &s->created, v[3]);
    leat_i_fold_first(f, &s->model, v[4]);
    leat_i_fold_first(f, &s->fingerprint, v[5]);
    for (size_t at = 0; leat_i_json_next_element(v[0], &at, &entry);)
        output |= fold_entry(f, entry);
    /* Groq says it in a place of its own, where usage was not asked for. */
    if (v[1].type != LEAT_I_JSON_OBJECT && v[6].type == LEAT_I_JSON_OBJECT) v[1] = leat_i_json_get(v[6], "usage");
    leat_i_fold_last(f, &s->usage, v[1]);
    if (v[1].type == LEAT_I_JSON_OBJECT) f->is_content = true;
    (void)leat_i_more_take(f, &s->more, chunk, keys, LEAT_I_MORE_LAST, 0);
    return output;
}

static bool chat_is_complete(const leat_i_fold *f)
{
    const chat *s = f->state;
    for (size_t i = 0; i < s->choice_count; i++)
        if (!s->choice[i].finish.size) return false;
    return s->choice_count > 0;
}

/* ---- writing ---- */

static bool put_function(leat_i_buf *out, const fold_tool *tool)
{
    return leat_i_buf_puts(out, "{\"name\":") && leat_i_fold_put_text(out, "", &tool->name, true) &&
           leat_i_fold_put_text(out, ",\"arguments\":", &tool->arguments, true) && leat_i_buf_puts(out, "}");
}

static bool put_tools(leat_i_buf *out, const choice *c)
{
    if (!c->tool_count) return true;
    if (c->is_function) return leat_i_buf_puts(out, ",\"function_call\":") && put_function(out, &c->tool[0]);
    bool ok = leat_i_buf_puts(out, ",\"tool_calls\":[");
    for (size_t i = 0; ok && i < c->tool_count; i++) {
        const fold_tool *tool = &c->tool[i];
        const char *type = tool->is_function || !tool->more.count ? "\"function\"" : NULL;
        ok = leat_i_buf_puts(out, i ? ",{" : "{") && leat_i_fold_put_value(out, "\"id\":", &tool->id, "null") &&
             leat_i_fold_put_value(out, ",\"type\":", &tool->type, type);
        if (ok && type) ok = leat_i_buf_puts(out, ",\"function\":") && put_function(out, tool);
        ok = ok && leat_i_more_put(out, &tool->more) && leat_i_buf_puts(out, "}");
    }
    return ok && leat_i_buf_puts(out, "]");
}

static bool put_message(leat_i_buf *out, const choice *c)
{
    bool ok = leat_i_buf_puts(out, "\"message\":{") && leat_i_fold_put_value(out, "\"role\":", &c->role, "\"assistant\"");
    ok = ok && (c->has_content || leat_i_buf_puts(out, ",\"content\":null"));
    ok = ok && leat_i_fold_put_text(out, ",\"content\":", &c->content, c->has_content);
    ok = ok && leat_i_more_put(out, &c->message);
    ok = ok && leat_i_fold_put_text(out, ",\"refusal\":", &c->refusal, c->has_refusal);
    return ok && put_tools(out, c) && leat_i_buf_puts(out, "}");
}

static bool put_choice(leat_i_buf *out, const chat *s, const choice *c)
{
    bool ok = leat_i_buf_puts(out, "{\"index\":") && leat_i_buf_put_u64(out, c->index) && leat_i_buf_puts(out, ",");
    if (s->is_text)
        ok = ok && leat_i_fold_put_text(out, "\"text\":", &c->content, true);
    else
        ok = ok && put_message(out, c);
    return ok && leat_i_more_put(out, &c->more) && leat_i_fold_put_value(out, ",\"finish_reason\":", &c->finish, "null") &&
           leat_i_buf_puts(out, "}");
}

static bool chat_put(const leat_i_fold *f, leat_i_buf *out)
{
    static const chat nothing;
    const chat *s = f->state ? f->state : &nothing;
    bool ok = leat_i_fold_put_value(out, "{\"id\":", &s->id, "null") &&
              leat_i_buf_puts(out, s->is_text ? ",\"object\":\"text_completion\"" : ",\"object\":\"chat.completion\"") &&
              leat_i_fold_put_value(out, ",\"created\":", &s->created, NULL) &&
              leat_i_fold_put_value(out, ",\"model\":", &s->model, NULL) && leat_i_buf_puts(out, ",\"choices\":[");
    for (size_t i = 0; ok && i < s->choice_count; i++)
        ok = (!i || leat_i_buf_puts(out, ",")) && put_choice(out, s, &s->choice[i]);
    return ok && leat_i_buf_puts(out, "]") && leat_i_fold_put_value(out, ",\"usage\":", &s->usage, NULL) &&
           leat_i_fold_put_value(out, ",\"system_fingerprint\":", &s->fingerprint, NULL) && leat_i_more_put(out, &s->more) &&
           leat_i_buf_puts(out, "}");
}

const leat_i_fold_way leat_i_fold_chat = {
    .state_bytes = sizeof(chat),
    .has_marker = true,
    .event = chat_event,
    .is_complete = chat_is_complete,
    .put = chat_put,
    .fini = chat_fini,
};
