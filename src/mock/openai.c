/* openai.c: what a chat completion asks for, checked as OpenAI checks it. */
#include "dialect.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MODEL, KEY_MESSAGES, KEY_MAX, KEY_MAX_COMPLETION, KEY_STREAM, KEY_STREAM_OPTIONS, KEY_N, KEY_COUNT };

static const char *const keys[KEY_COUNT] = {
    "model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "n",
};

/* A part of a message: text counts, pictures and the like are taken and say nothing to this model. */
static bool part_take(leat_i_mock_request *r, leat_i_json part, const char *param, leat_i_buf *text)
{
    static const char *const others[] = { "image_url", "input_audio", "file", "refusal", NULL };
    leat_i_json type = leat_i_json_get(part, "type");
    if (part.type != LEAT_I_JSON_OBJECT)
        return leat_i_mock_invalid(r, param, "invalid_type",
                                   "Invalid type for '%s': expected an object, but got %s instead.", param,
                                   leat_i_mock_json_kind(part));
    if (type.type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, param, "missing_required_parameter", "Missing required parameter: '%s.type'.", param);
    if (leat_i_json_is_any(type, others)) return true;
    if (!leat_i_json_str_eq(type, "text"))
        return leat_i_mock_invalid(r, param, "invalid_value",
                                   "Invalid value for '%s.type'. Supported values are: 'text', 'image_url', 'input_audio', "
                                   "'file' and 'refusal'.",
                                   param);
    leat_i_json value = leat_i_json_get(part, "text");
    if (value.type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, param, "missing_required_parameter", "Missing required parameter: '%s.text'.", param);
    return leat_i_mock_text_add(r, value, text);
}

static bool parts_take(leat_i_mock_request *r, leat_i_json parts, size_t index, const char **text, size_t *text_size)
{
    leat_i_buf all = { 0 };
    leat_i_json part;
    char param[64];
    bool ok = true;
    size_t at = 0, n = 0;
    for (; ok && leat_i_json_next_element(parts, &at, &part); n++) {
        snprintf(param, sizeof param, "messages[%zu].content[%zu]", index, n);
        ok = part_take(r, part, param, &all);
    }
    if (ok) return leat_i_mock_text_end(r, &all, text, text_size);
    leat_i_buf_fini(&all);
    return false;
}

static bool role_is_known(leat_i_json role)
{
    static const char *const roles[] = { "user", "system", "assistant", "developer", "tool", "function", NULL };
    return leat_i_json_is_any(role, roles);
}

/* Takes content that is a string, a list of parts, or (of an assistant that called a tool) nothing. */
static bool content_take(leat_i_mock_request *r, leat_i_json content, leat_i_json role, size_t index, const char **text,
                         size_t *size)
{
    char param[48];
    snprintf(param, sizeof param, "messages[%zu].content", index);
    *text = "";
    *size = 0;
    if (content.type == LEAT_I_JSON_STRING) {
        *text = leat_i_json_text(content, &leat_i_mock_of(r)->scratch, size);
        if (!*text) leat_i_mock_fail_memory(r);
        return *text != NULL;
    }
    if (content.type == LEAT_I_JSON_ARRAY) return parts_take(r, content, index, text, size);
    bool none = content.type == LEAT_I_JSON_NONE || content.type == LEAT_I_JSON_NULL;
    if (none && leat_i_json_str_eq(role, "assistant")) return true;
    if (content.type == LEAT_I_JSON_NONE)
        return leat_i_mock_invalid(r, param, "missing_required_parameter", "Missing required parameter: '%s'.", param);
    return leat_i_mock_invalid(r, param, "invalid_type",
                               "Invalid type for '%s': expected one of a string or array of objects, but got %s instead.",
                               param, leat_i_mock_json_kind(content));
}

static bool message_take(leat_i_mock_request *r, leat_i_json message, size_t index, leat_i_mock_ask *ask)
{
    static const char *const member[] = { "role", "content" };
    leat_i_json value[2];
    char param[48];
    const char *text;
    size_t size;
    snprintf(param, sizeof param, "messages[%zu]", index);
    if (message.type != LEAT_I_JSON_OBJECT)
        return leat_i_mock_invalid(r, param, "invalid_type",
                                   "Invalid type for '%s': expected an object, but got %s instead.", param,
                                   leat_i_mock_json_kind(message));
    leat_i_json_get_many(message, member, value, 2);
    snprintf(param, sizeof param, "messages[%zu].role", index);
    if (value[0].type == LEAT_I_JSON_NONE)
        return leat_i_mock_invalid(r, param, "missing_required_parameter", "Missing required parameter: '%s'.", param);
    if (value[0].type != LEAT_I_JSON_STRING || !role_is_known(value[0]))
        return leat_i_mock_invalid(r, param, "invalid_value",
                                   "Invalid value: '%.*s'. Supported values are: 'system', 'assistant', 'user', 'function', "
                                   "'tool', and 'developer'.",
                                   (int)(value[0].size < 40 ? value[0].size : 40), value[0].at);
    if (!content_take(r, value[1], value[0], index, &text, &size)) return false;
    leat_i_mock_ask_add(ask, leat_i_json_str_eq(value[0], "user"), text, size);
    return true;
}

static bool messages_take(leat_i_mock_request *r, leat_i_json messages, leat_i_mock_ask *ask)
{
    leat_i_json message;
    size_t at = 0, count = 0;
    if (messages.type == LEAT_I_JSON_NONE || messages.type == LEAT_I_JSON_NULL)
        return leat_i_mock_invalid(r, "messages", "missing_required_parameter", "Missing required parameter: 'messages'.");
    if (messages.type != LEAT_I_JSON_ARRAY)
        return leat_i_mock_invalid(r, "messages", "invalid_type",
                                   "Invalid type for 'messages': expected an array of objects, but got %s instead.",
                                   leat_i_mock_json_kind(messages));
    for (; leat_i_json_next_element(messages, &at, &message); count++)
        if (!message_take(r, message, count, ask)) return false;
    if (count == 0)
        return leat_i_mock_invalid(r, "messages", "empty_array",
                                   "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
                                   "empty array instead.");
    return true;
}

bool leat_i_mock_openai_stream_take(leat_i_mock_request *r, leat_i_json stream, leat_i_json options, leat_i_mock_ask *ask)
{
    if (!leat_i_mock_take_bool(r, stream, "stream", &ask->stream)) return false;
    if (options.type == LEAT_I_JSON_NONE || options.type == LEAT_I_JSON_NULL) return true;
    if (!ask->stream)
        return leat_i_mock_invalid(r, "stream_options", NULL,
                                   "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    if (options.type != LEAT_I_JSON_OBJECT)
        return leat_i_mock_invalid(r, "stream_options", "invalid_type",
                                   "Invalid type for 'stream_options': expected an object, but got %s instead.",
                                   leat_i_mock_json_kind(options));
    return leat_i_mock_take_bool(r, leat_i_json_get(options, "include_usage"), "stream_options.include_usage", &ask->usage);
}

bool leat_i_mock_openai_model_take(leat_i_mock_request *r, leat_i_json model)
{
    bool none = model.type == LEAT_I_JSON_NONE || model.type == LEAT_I_JSON_NULL;
    if (none && r->names_model) return true; /* The deployment, in Azure's path. */
    if (none) return leat_i_mock_invalid(r, NULL, NULL, "you must provide a model parameter");
    return model.type == LEAT_I_JSON_STRING ||
           leat_i_mock_invalid(r, "model", "invalid_type",
                               "Invalid type for 'model': expected a string, but got %s instead.",
                               leat_i_mock_json_kind(model));
}

bool leat_i_mock_one_choice(leat_i_mock_request *r, leat_i_json n)
{
    uint64_t one = 1;
    if (!leat_i_mock_take_u64(r, n, "n", 1, UINT32_MAX, &one)) return false;
    return one == 1 || leat_i_mock_invalid(r, "n", "invalid_value",
                                           "Invalid 'n': " LEAT_I_MOCK_MODEL
                                           " always says the same, so only one choice can be asked for.");
}

bool leat_i_mock_openai_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    return leat_i_mock_openai_model_take(r, value[KEY_MODEL]) && messages_take(r, value[KEY_MESSAGES], ask) &&
           leat_i_mock_openai_stream_take(r, value[KEY_STREAM], value[KEY_STREAM_OPTIONS], ask) &&
           leat_i_mock_take_u64(r, value[KEY_MAX], "max_tokens", 1, UINT32_MAX, &ask->tokens_max) &&
           leat_i_mock_take_u64(r, value[KEY_MAX_COMPLETION], "max_completion_tokens", 1, UINT32_MAX, &ask->tokens_max) &&
           leat_i_mock_one_choice(r, value[KEY_N]);
}
