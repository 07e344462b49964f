/* translate.c: see translate.h. */
#include "translate.h"

#include <string.h>

/* What says no more than its absence: null, false, 0, nothing in it, and the one answer that comes anyway. */
static bool value_is_neutral(leat_i_json key, leat_i_json v)
{
    double number = 1;
    switch (v.type) {
    case LEAT_I_JSON_NUMBER:
        return leat_i_json_double(v, &number) && (number == 0 || (number == 1 && leat_i_json_str_eq(key, "n")));
    case LEAT_I_JSON_STRING:
    case LEAT_I_JSON_ARRAY:
    case LEAT_I_JSON_OBJECT:
        return v.size == 2;
    case LEAT_I_JSON_TRUE:
        return leat_i_json_str_eq(key, "parallel_tool_calls");
    default:
        return true;
    }
}

void leat_i_put_value(leat_i_buf *b, const char *before, leat_i_json value, const char *after)
{
    leat_i_buf_puts(b, before);
    leat_i_json_put_compact(b, value);
    leat_i_buf_puts(b, after);
}

static const leat_i_member *member_of(const leat_i_member *table, leat_i_json key)
{
    for (; table->name; table++)
        if (leat_i_json_str_eq(key, table->name)) return table;
    return NULL;
}

static void put_member(leat_i_buf *b, leat_i_json key, const char *as, leat_i_json value)
{
    leat_i_buf_puts(b, ",");
    if (as)
        leat_i_json_put_string(b, as, strlen(as));
    else
        leat_i_json_put_compact(b, key);
    leat_i_buf_puts(b, ":");
    leat_i_json_put_compact(b, value);
}

leat_err leat_i_put_members(leat_i_buf *b, leat_i_json body, const leat_i_member *table, leat_i_making *m)
{
    leat_i_json key, value;
    for (size_t at = 0; leat_i_json_next_member(body, &at, &key, &value);) {
        const leat_i_member *member = member_of(table, key);
        if (!member || member->fate == LEAT_I_FATE_MADE) continue;
        if (member->fate == LEAT_I_FATE_NAMED) {
            if (value.type != LEAT_I_JSON_NULL) put_member(b, key, member->as, value);
        } else if (!value_is_neutral(key, value)) {
            return leat_i_making_refuse(m,
                                        "this provider has no counterpart of \"%s\": take it out, or write the request in "
                                        "the provider's own form",
                                        member->name);
        }
    }
    return LEAT_OK;
}

void leat_i_put_rest(leat_i_buf *b, leat_i_json body, const leat_i_member *table)
{
    leat_i_json key, value;
    for (size_t at = 0; leat_i_json_next_member(body, &at, &key, &value);)
        if (!member_of(table, key)) put_member(b, key, NULL, value);
}

leat_err leat_i_message_read(leat_i_message *message, leat_i_json value, leat_i_making *m)
{
    static const struct {
        const char *name;
        leat_i_role role;
    } roles[] = { { "user", LEAT_I_ROLE_USER },
                  { "assistant", LEAT_I_ROLE_ASSISTANT },
                  { "system", LEAT_I_ROLE_SYSTEM },
                  { "developer", LEAT_I_ROLE_SYSTEM },
                  { "tool", LEAT_I_ROLE_TOOL } };
    static const char *const keys[] = { "role", "content", "tool_calls", "tool_call_id", "function_call" };
    leat_i_json v[5];
    size_t i = 0;
    leat_i_json_get_many(value, keys, v, 5);
    while (i < sizeof roles / sizeof *roles && !leat_i_json_str_eq(v[0], roles[i].name))
        i++;
    if (i == sizeof roles / sizeof *roles)
        return leat_i_making_refuse(m, "a message has no role that is known: system, developer, user, assistant or tool");
    if (leat_i_json_is_filled(v[4]))
        return leat_i_making_refuse(m, "\"function_call\" is the older form: write it as \"tool_calls\"");
    *message = (leat_i_message){ .role = roles[i].role, .call_id = v[3] };
    if (v[1].type == LEAT_I_JSON_STRING || v[1].type == LEAT_I_JSON_ARRAY)
        message->content = v[1];
    else if (v[1].type != LEAT_I_JSON_NONE && v[1].type != LEAT_I_JSON_NULL)
        return leat_i_making_refuse(m, "a message's content is neither a text nor a list of parts");
    if (v[2].type == LEAT_I_JSON_ARRAY && v[2].size > 2) message->calls = v[2];
    if (message->calls.type && message->role != LEAT_I_ROLE_ASSISTANT)
        return leat_i_making_refuse(m, "\"tool_calls\" stand in a message that is not the assistant's");
    return LEAT_OK;
}

leat_err leat_i_put_parts(leat_i_buf *b, leat_i_json parts, bool *first, leat_i_put_part *put, leat_i_making *m)
{
    leat_i_json part;
    for (size_t at = 0; leat_i_json_next_element(parts, &at, &part); *first = false) {
        if (!*first) leat_i_buf_puts(b, ",");
        LEAT_TRY(put(b, part, m));
    }
    return LEAT_OK;
}

leat_err leat_i_put_system(leat_i_buf *b, leat_i_json messages, const char *begin, const char *end, leat_i_put_content *put,
                           leat_i_making *m)
{
    leat_i_json value;
    leat_i_message message;
    bool first = true;
    for (size_t at = 0; leat_i_json_next_element(messages, &at, &value);) {
        LEAT_TRY(leat_i_message_read(&message, value, m));
        if (message.role != LEAT_I_ROLE_SYSTEM || !leat_i_json_is_filled(message.content)) continue;
        if (first) leat_i_buf_puts(b, begin);
        LEAT_TRY(put(b, message.content, &first, m));
    }
    if (!first) leat_i_buf_puts(b, end);
    return LEAT_OK;
}

leat_err leat_i_put_arguments(leat_i_buf *b, leat_i_json string, leat_i_making *m)
{
    size_t size = 0;
    if (string.type != LEAT_I_JSON_STRING || string.size == 2) {
        leat_i_buf_puts(b, "{}");
        return LEAT_OK;
    }
    const char *text = leat_i_json_text(string, m->arena, &size);
    if (!text) return LEAT_NOMEM;
    leat_i_json arguments = leat_i_json_parse(text, size, NULL);
    if (arguments.type != LEAT_I_JSON_OBJECT)
        return leat_i_making_refuse(m, "the arguments of a tool's call are not a JSON object");
    leat_i_json_put_compact(b, arguments);
    return LEAT_OK;
}

leat_err leat_i_image_read(leat_i_image *image, leat_i_json part, leat_i_making *m)
{
    leat_i_json given = leat_i_json_get(part, "image_url");
    leat_i_json url = given.type == LEAT_I_JSON_OBJECT ? leat_i_json_get(given, "url") : given;
    size_t size;
    *image = (leat_i_image){ .media = NULL };
    if (url.type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "an image has no URL");
    const char *text = leat_i_json_text(url, m->arena, &size);
    if (!text) return LEAT_NOMEM;
    if (strncmp(text, "data:", 5) != 0) {
        image->url = text;
        return LEAT_OK;
    }
    size_t media = strcspn(text + 5, ";,");
    const char *base64 = strstr(text, ";base64,");
    if (!media || !base64) return leat_i_making_refuse(m, "an image's data URL is not of the form data:TYPE;base64,DATA");
    image->media = leat_i_arena_strndup(m->arena, text + 5, media);
    image->data = base64 + strlen(";base64,");
    return image->media ? LEAT_OK : LEAT_NOMEM;
}

void leat_i_put_name(leat_i_buf *b, const char *name, const char *value)
{
    leat_i_buf_puts(b, ",\"");
    leat_i_buf_puts(b, name);
    leat_i_buf_puts(b, "\":");
    leat_i_json_put_string(b, value, strlen(value));
}

leat_err leat_i_wire_take(leat_i_wire *wire, leat_i_buf *b, leat_i_making *m)
{
    wire->body = b->failed ? NULL : leat_i_arena_strndup(m->arena, b->data ? b->data : "", b->size);
    wire->body_bytes = b->size;
    leat_i_buf_fini(b);
    return wire->body ? LEAT_OK : LEAT_NOMEM;
}
