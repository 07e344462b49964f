/* ask.c: reading what is asked for: what the dialects share. */
#include "dialect.h"

#include <stdio.h>
#include <string.h>

#include "tokens.h"

/* What the chat form adds around each message, and before the answer. */
#define MESSAGE_TOKENS 4
#define ANSWER_TOKENS  3

bool leat_i_mock_text_add(leat_i_mock_request *r, leat_i_json string, leat_i_buf *all)
{
    size_t size = 0;
    const char *text = leat_i_json_text(string, &leat_i_mock_of(r)->scratch, &size);
    if (text && (!all->size || leat_i_buf_puts(all, "\n\n")) && leat_i_buf_append(all, text, size)) return true;
    leat_i_mock_fail_memory(r);
    return false;
}

bool leat_i_mock_text_end(leat_i_mock_request *r, leat_i_buf *all, const char **text, size_t *size)
{
    *text = leat_i_arena_strndup(&leat_i_mock_of(r)->scratch, all->data ? all->data : "", all->size);
    *size = all->size;
    leat_i_buf_fini(all);
    if (!*text) leat_i_mock_fail_memory(r);
    return *text != NULL;
}

static bool part_add(leat_i_mock_request *r, leat_i_json part, const char *param, leat_i_buf *all)
{
    if (part.type == LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, param, "invalid_type", "%s: each part must be an object.", param);
    leat_i_json value = leat_i_json_get(part, "text");
    return value.type != LEAT_I_JSON_STRING || leat_i_mock_text_add(r, value, all);
}

bool leat_i_mock_text_of(leat_i_mock_request *r, leat_i_json content, const char *param, const char **text, size_t *size)
{
    leat_i_buf all = { 0 };
    leat_i_json part;
    bool good = true;
    *size = 0;
    if (content.type == LEAT_I_JSON_STRING) {
        *text = leat_i_json_text(content, &leat_i_mock_of(r)->scratch, size);
        if (!*text) leat_i_mock_fail_memory(r);
        return *text != NULL;
    }
    if (content.type != LEAT_I_JSON_ARRAY && (content.type != LEAT_I_JSON_OBJECT || !r->dialect->one_is_list))
        return leat_i_mock_invalid(r, param, "invalid_type", "%s: must be a string or an array, but is %s.", param,
                                   leat_i_mock_json_kind(content));
    if (content.type == LEAT_I_JSON_OBJECT) good = part_add(r, content, param, &all);
    for (size_t at = 0; good && leat_i_json_next_element(content, &at, &part);)
        good = part_add(r, part, param, &all);
    if (good) return leat_i_mock_text_end(r, &all, text, size);
    leat_i_buf_fini(&all);
    return false;
}

void leat_i_mock_ask_begin(leat_i_mock_ask *ask)
{
    *ask = (leat_i_mock_ask){ .text = "", .prompt_tokens = ANSWER_TOKENS };
}

void leat_i_mock_ask_add(leat_i_mock_ask *ask, bool from_user, const char *text, size_t size)
{
    ask->prompt_tokens += MESSAGE_TOKENS + leat_i_mock_token_count(text, size);
    if (!from_user && ask->from_user) return;
    ask->text = text;
    ask->text_size = size;
    ask->from_user = from_user;
}

bool leat_i_mock_ask_take(leat_i_mock_request *r, leat_i_mock_ask *ask, bool from_user, leat_i_json content,
                          const char *param)
{
    const char *text;
    size_t size;
    if (!leat_i_mock_text_of(r, content, param, &text, &size)) return false;
    leat_i_mock_ask_add(ask, from_user, text, size);
    return true;
}

bool leat_i_mock_need_string(leat_i_mock_request *r, leat_i_json object, const char *key, leat_i_json *value)
{
    *value = leat_i_json_get(object, key);
    if (value->type == LEAT_I_JSON_STRING) return true;
    if (value->type == LEAT_I_JSON_NONE) return leat_i_mock_invalid(r, key, NULL, "%s: Field required", key);
    return leat_i_mock_invalid(r, key, NULL, "%s: Input should be a valid string, but is %s.", key,
                               leat_i_mock_json_kind(*value));
}

static bool message_take(leat_i_mock_request *r, leat_i_json message, const char *param, const char *content_key,
                         const char *const *roles, leat_i_mock_ask *ask)
{
    size_t known = 0;
    if (message.type != LEAT_I_JSON_OBJECT)
        return leat_i_mock_invalid(r, param, NULL, "%s: must be an object, but is %s.", param,
                                   leat_i_mock_json_kind(message));
    leat_i_json role = leat_i_json_get(message, "role");
    /* Without a role it is the user's, where the form allows that. */
    while (role.type != LEAT_I_JSON_NONE && roles[known] && !leat_i_json_str_eq(role, roles[known]))
        known++;
    if (!roles[known])
        return leat_i_mock_invalid(r, param, NULL, "%s: Unexpected role '%.*s'.", param,
                                   (int)(role.size < 40 ? role.size : 40), role.at);
    return leat_i_mock_ask_take(r, ask, known == 0, leat_i_json_get(message, content_key), param);
}

bool leat_i_mock_messages_take(leat_i_mock_request *r, leat_i_json messages, const char *param, const char *content_key,
                               const char *const *roles, leat_i_mock_ask *ask)
{
    leat_i_json message;
    size_t at = 0, count = 0;
    char where[64];
    if (messages.type == LEAT_I_JSON_OBJECT && r->dialect->one_is_list)
        return message_take(r, messages, param, content_key, roles, ask);
    if (messages.type != LEAT_I_JSON_ARRAY)
        return leat_i_mock_invalid(r, param, NULL,
                                   messages.type == LEAT_I_JSON_NONE ? "%s: Field required" : "%s: Must be an array", param);
    for (; leat_i_json_next_element(messages, &at, &message); count++) {
        snprintf(where, sizeof where, "%s.%zu", param, count);
        if (!message_take(r, message, where, content_key, roles, ask)) return false;
    }
    return count > 0 || leat_i_mock_invalid(r, param, NULL, "%s: at least one message is required", param);
}
