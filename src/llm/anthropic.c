/*
 * anthropic.c: chat requests as messages.
 *
 * System messages stand apart, wherever they were; what tools gave back is a user's message, one for all that follow each other;
 * max_tokens is a must.
 */
#include <string.h>

#include "request.h"
#include "translate.h"

#define TOKENS_DEFAULT "4096" /* where the request names no max_tokens: what each of their models can do */

static const leat_i_member members[] = {
    { "messages", LEAT_I_FATE_MADE, NULL },
    { "max_tokens", LEAT_I_FATE_MADE, NULL },
    { "max_completion_tokens", LEAT_I_FATE_MADE, NULL },
    { "stream", LEAT_I_FATE_MADE, NULL },
    { "stream_options", LEAT_I_FATE_MADE, NULL },
    { "stop", LEAT_I_FATE_MADE, NULL },
    { "tools", LEAT_I_FATE_MADE, NULL },
    { "tool_choice", LEAT_I_FATE_MADE, NULL },
    { "parallel_tool_calls", LEAT_I_FATE_MADE, NULL },
    { "response_format", LEAT_I_FATE_MADE, NULL },
    { "user", LEAT_I_FATE_MADE, NULL },
    { "model", LEAT_I_FATE_NAMED, "model" },
    { "temperature", LEAT_I_FATE_NAMED, "temperature" },
    { "top_p", LEAT_I_FATE_NAMED, "top_p" },
    { "n", LEAT_I_FATE_REFUSED, NULL },
    { "seed", LEAT_I_FATE_REFUSED, NULL },
    { "logprobs", LEAT_I_FATE_REFUSED, NULL },
    { "top_logprobs", LEAT_I_FATE_REFUSED, NULL },
    { "logit_bias", LEAT_I_FATE_REFUSED, NULL },
    { "presence_penalty", LEAT_I_FATE_REFUSED, NULL },
    { "frequency_penalty", LEAT_I_FATE_REFUSED, NULL },
    { "reasoning_effort", LEAT_I_FATE_REFUSED, NULL },
    { "modalities", LEAT_I_FATE_REFUSED, NULL },
    { "audio", LEAT_I_FATE_REFUSED, NULL },
    { "prediction", LEAT_I_FATE_REFUSED, NULL },
    { "functions", LEAT_I_FATE_REFUSED, NULL },
    { "function_call", LEAT_I_FATE_REFUSED, NULL },
    { "store", LEAT_I_FATE_REFUSED, NULL },
    { "verbosity", LEAT_I_FATE_REFUSED, NULL },
    { "web_search_options", LEAT_I_FATE_REFUSED, NULL },
    { NULL, LEAT_I_FATE_MADE, NULL },
};

/* ---- messages ---- */

static leat_err put_image(leat_i_buf *b, leat_i_json part, leat_i_making *m)
{
    leat_i_image image;
    LEAT_TRY(leat_i_image_read(&image, part, m));
    leat_i_buf_puts(b, "{\"type\":\"image\",\"source\":{\"type\":");
    leat_i_buf_puts(b, image.url ? "\"url\"" : "\"base64\"");
    if (image.url) leat_i_put_name(b, "url", image.url);
    if (image.data) leat_i_put_name(b, "media_type", image.media), leat_i_put_name(b, "data", image.data);
    leat_i_buf_puts(b, "}}");
    return LEAT_OK;
}

/* A block of content. What OpenAI's form does not know is taken for one of Anthropic's own. */
static leat_err put_part(leat_i_buf *b, leat_i_json part, leat_i_making *m)
{
    static const char *const strange[] = { "input_audio", "file", NULL };
    leat_i_json type = leat_i_json_get(part, "type"), refusal = leat_i_json_get(part, "refusal");
    if (leat_i_json_str_eq(type, "image_url")) return put_image(b, part, m);
    if (part.type != LEAT_I_JSON_OBJECT || leat_i_json_is_any(type, strange))
        return leat_i_making_refuse(m, "a message holds sound or a file, which has no counterpart in Anthropic's form");
    if (leat_i_json_str_eq(type, "refusal") && refusal.type == LEAT_I_JSON_STRING) {
        leat_i_put_value(b, "{\"type\":\"text\",\"text\":", refusal, "}");
    } else {
        leat_i_json_put_compact(b, part);
    }
    return LEAT_OK;
}

/* The blocks of a content, behind those that stand there already; no text gives no block, since an empty one is refused. */
static leat_err put_blocks(leat_i_buf *b, leat_i_json content, bool *first, leat_i_making *m)
{
    if (content.type == LEAT_I_JSON_STRING && content.size > 2) {
        leat_i_put_value(b, *first ? "{\"type\":\"text\",\"text\":" : ",{\"type\":\"text\",\"text\":", content, "}");
        *first = false;
    }
    return leat_i_put_parts(b, content, first, put_part, m);
}

static leat_err put_calls(leat_i_buf *b, leat_i_json calls, bool *first, leat_i_making *m)
{
    leat_i_json call;
    for (size_t at = 0; leat_i_json_next_element(calls, &at, &call); *first = false) {
        leat_i_json id = leat_i_json_get(call, "id"), function = leat_i_json_get(call, "function");
        leat_i_json name = leat_i_json_get(function, "name");
        if (id.type != LEAT_I_JSON_STRING || name.type != LEAT_I_JSON_STRING)
            return leat_i_making_refuse(m, "a tool's call has no id, or no function with a name");
        leat_i_put_value(b, *first ? "{\"type\":\"tool_use\",\"id\":" : ",{\"type\":\"tool_use\",\"id\":", id, ",\"name\":");
        leat_i_json_put_compact(b, name);
        leat_i_buf_puts(b, ",\"input\":");
        LEAT_TRY(leat_i_put_arguments(b, leat_i_json_get(function, "arguments"), m));
        leat_i_buf_puts(b, "}");
    }
    return LEAT_OK;
}

static leat_err put_result(leat_i_buf *b, const leat_i_message *message, leat_i_making *m)
{
    bool first = true;
    if (message->call_id.type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "a tool's message has no tool_call_id");
    leat_i_put_value(b, "{\"type\":\"tool_result\",\"tool_use_id\":", message->call_id, "");
    if (message->content.type == LEAT_I_JSON_STRING) {
        leat_i_put_value(b, ",\"content\":", message->content, "");
    } else if (message->content.type == LEAT_I_JSON_ARRAY) {
        leat_i_buf_puts(b, ",\"content\":[");
        LEAT_TRY(put_blocks(b, message->content, &first, m));
        leat_i_buf_puts(b, "]");
    }
    leat_i_buf_puts(b, "}");
    return LEAT_OK;
}

static leat_err put_turn(leat_i_buf *b, const leat_i_message *message, leat_i_making *m)
{
    bool first = true;
    leat_i_buf_puts(b, message->role == LEAT_I_ROLE_ASSISTANT ? "{\"role\":\"assistant\",\"content\":"
                                                              : "{\"role\":\"user\",\"content\":");
    if (message->content.type == LEAT_I_JSON_STRING && !message->calls.type) {
        leat_i_json_put_compact(b, message->content);
    } else {
        leat_i_buf_puts(b, "[");
        LEAT_TRY(put_blocks(b, message->content, &first, m));
        LEAT_TRY(put_calls(b, message->calls, &first, m));
        leat_i_buf_puts(b, "]");
    }
    leat_i_buf_puts(b, "}");
    return LEAT_OK;
}

static leat_err put_messages(leat_i_buf *b, leat_i_json messages, leat_i_making *m)
{
    leat_i_json value;
    leat_i_message message;
    bool first = true, in_results = false;
    leat_i_buf_puts(b, ",\"messages\":[");
    for (size_t at = 0; leat_i_json_next_element(messages, &at, &value);) {
        LEAT_TRY(leat_i_message_read(&message, value, m));
        if (message.role == LEAT_I_ROLE_SYSTEM) continue;
        bool is_result = message.role == LEAT_I_ROLE_TOOL;
        if (in_results && !is_result) leat_i_buf_puts(b, "]}");
        if (!first) leat_i_buf_puts(b, ",");
        if (is_result && !in_results) leat_i_buf_puts(b, "{\"role\":\"user\",\"content\":[");
        LEAT_TRY(is_result ? put_result(b, &message, m) : put_turn(b, &message, m));
        in_results = is_result;
        first = false;
    }
    leat_i_buf_puts(b, in_results ? "]}]" : "]");
    return LEAT_OK;
}

/* ---- the rest ---- */

static leat_err put_tools(leat_i_buf *b, leat_i_json tools, leat_i_making *m)
{
    leat_i_json tool;
    bool first = true;
    if (tools.type != LEAT_I_JSON_ARRAY || tools.size == 2) return LEAT_OK;
    leat_i_buf_puts(b, ",\"tools\":[");
    for (size_t at = 0; leat_i_json_next_element(tools, &at, &tool); first = false) {
        static const char *const keys[] = { "name", "description", "parameters" };
        leat_i_json function = leat_i_json_get(tool, "function"), v[3];
        if (!first) leat_i_buf_puts(b, ",");
        if (function.type != LEAT_I_JSON_OBJECT) { /* One of Anthropic's own. */
            leat_i_json_put_compact(b, tool);
            continue;
        }
        leat_i_json_get_many(function, keys, v, 3);
        if (v[0].type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "a tool's function has no name");
        leat_i_put_value(b, "{\"name\":", v[0], "");
        if (v[1].type == LEAT_I_JSON_STRING) leat_i_put_value(b, ",\"description\":", v[1], "");
        leat_i_buf_puts(b, ",\"input_schema\":");
        if (v[2].type == LEAT_I_JSON_OBJECT)
            leat_i_json_put_compact(b, v[2]);
        else
            leat_i_buf_puts(b, "{\"type\":\"object\"}");
        leat_i_buf_puts(b, "}");
    }
    leat_i_buf_puts(b, "]");
    return LEAT_OK;
}

static leat_err put_choice(leat_i_buf *b, leat_i_json choice, leat_i_json parallel, leat_i_making *m)
{
    bool alone = parallel.type == LEAT_I_JSON_FALSE;
    leat_i_json name = leat_i_json_path(choice, "function.name");
    const char *type = NULL;
    if (leat_i_json_str_eq(choice, "none"))
        type = "none";
    else if (leat_i_json_str_eq(choice, "required"))
        type = "any";
    else if (name.type == LEAT_I_JSON_STRING)
        type = "tool";
    else if (leat_i_json_str_eq(choice, "auto") || alone)
        type = "auto";
    else if (choice.type != LEAT_I_JSON_NONE && choice.type != LEAT_I_JSON_NULL)
        return leat_i_making_refuse(m, "this \"tool_choice\" has no counterpart in Anthropic's form");
    if (!type) return LEAT_OK;
    leat_i_buf_printf(b, ",\"tool_choice\":{\"type\":\"%s\"", type);
    if (name.type == LEAT_I_JSON_STRING) leat_i_put_value(b, ",\"name\":", name, "");
    leat_i_buf_puts(b, alone && strcmp(type, "none") != 0 ? ",\"disable_parallel_tool_use\":true}" : "}");
    return LEAT_OK;
}

static leat_err put_body(leat_i_buf *b, leat_i_json body, bool stream, leat_i_making *m)
{
    static const char *const keys[] = { "messages",    "max_completion_tokens", "max_tokens",      "stop", "tools",
                                        "tool_choice", "parallel_tool_calls",   "response_format", "user", "metadata" };
    leat_i_json v[10];
    leat_i_json_get_many(body, keys, v, 10);
    leat_i_json limit = v[1].type == LEAT_I_JSON_NUMBER ? v[1] : v[2];
    if (v[7].type == LEAT_I_JSON_OBJECT && !leat_i_json_str_eq(leat_i_json_get(v[7], "type"), "text"))
        return leat_i_making_refuse(m,
                                    "\"response_format\" has no counterpart here: ask for JSON in the prompt, or by a tool");
    leat_i_buf_puts(b, "{\"max_tokens\":");
    if (limit.type == LEAT_I_JSON_NUMBER)
        leat_i_json_put_compact(b, limit);
    else
        leat_i_buf_puts(b, TOKENS_DEFAULT);
    LEAT_TRY(leat_i_put_members(b, body, members, m));
    leat_i_put_rest(b, body, members);
    LEAT_TRY(leat_i_put_system(b, v[0], ",\"system\":[", "]", put_blocks, m));
    LEAT_TRY(put_messages(b, v[0], m));
    if (v[3].type == LEAT_I_JSON_STRING)
        leat_i_put_value(b, ",\"stop_sequences\":[", v[3], "]");
    else if (v[3].type == LEAT_I_JSON_ARRAY)
        leat_i_put_value(b, ",\"stop_sequences\":", v[3], "");
    LEAT_TRY(put_tools(b, v[4], m));
    LEAT_TRY(put_choice(b, v[5], v[6], m));
    if (v[8].type == LEAT_I_JSON_STRING && !v[9].type) leat_i_put_value(b, ",\"metadata\":{\"user_id\":", v[8], "}");
    leat_i_buf_puts(b, stream ? ",\"stream\":true}" : "}");
    return LEAT_OK;
}

static leat_err make_own(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    bool stream = asked->stream && leat_i_path_ends(asked->path, "/messages");
    wire->path = asked->path;
    wire->body = asked->body;
    wire->body_bytes = asked->body_bytes;
    wire->stream = stream || asked->streams_itself;
    if (!stream) return LEAT_OK;
    wire->body = leat_i_request_for_stream(m->arena, asked->body, asked->body_bytes, false, &wire->body_bytes);
    return wire->body ? LEAT_OK : LEAT_NOMEM;
}

static leat_err anthropic_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *tail = leat_i_asked_tail(asked);
    leat_i_buf b = { 0 };
    wire->form = &leat_i_form_messages;
    if (strncmp(tail, "/messages", 9) == 0) return make_own(wire, asked, m);
    if (!leat_i_path_ends(tail, "/chat/completions"))
        return leat_i_making_refuse(m, "Anthropic has no %.60s: it takes /v1/chat/completions, and /v1/messages as its own",
                                    tail);
    leat_i_json body = leat_i_json_parse(asked->body, asked->body_bytes, NULL);
    if (leat_i_json_get(body, "messages").type != LEAT_I_JSON_ARRAY)
        return leat_i_making_refuse(m, "the request has no messages");
    wire->path = "/v1/messages";
    wire->stream = asked->stream || asked->streams_itself;
    leat_err err = put_body(&b, body, wire->stream, m);
    leat_err taken = leat_i_wire_take(wire, &b, m);
    return err ? err : taken;
}

const leat_i_provider leat_i_anthropic = {
    .name = "anthropic",
    .tongue = "anthropic",
    .host = { "api.anthropic.com" },
    .base_url = "https://api.anthropic.com",
    .key_env = { "ANTHROPIC_API_KEY" },
    .key_header = "x-api-key: %s",
    .own_header = "anthropic-version: 2023-06-01",
    .cached_are_free = true,
    .make = anthropic_make,
};
