/*
 * gemini.c: chat requests as contents, and requests for embeddings.
 *
 * The model stands in the path, and so does whether a stream is wanted. System messages stand apart; what tools gave back names the
 * function, not the call.
 */
#include <string.h>

#include "translate.h"

static const leat_i_member members[] = {
    { "model", LEAT_I_FATE_MADE, NULL },
    { "messages", LEAT_I_FATE_MADE, NULL },
    { "max_tokens", LEAT_I_FATE_MADE, NULL },
    { "max_completion_tokens", LEAT_I_FATE_MADE, NULL },
    { "stream", LEAT_I_FATE_MADE, NULL },
    { "stream_options", LEAT_I_FATE_MADE, NULL },
    { "stop", LEAT_I_FATE_MADE, NULL },
    { "tools", LEAT_I_FATE_MADE, NULL },
    { "tool_choice", LEAT_I_FATE_MADE, NULL },
    { "response_format", LEAT_I_FATE_MADE, NULL },
    { "generationConfig", LEAT_I_FATE_MADE, NULL },
    { "user", LEAT_I_FATE_MADE, NULL }, /* It names who asks, and changes no answer. */
    { "temperature", LEAT_I_FATE_NAMED, "temperature" },
    { "top_p", LEAT_I_FATE_NAMED, "topP" },
    { "top_k", LEAT_I_FATE_NAMED, "topK" },
    { "n", LEAT_I_FATE_NAMED, "candidateCount" },
    { "seed", LEAT_I_FATE_NAMED, "seed" },
    { "presence_penalty", LEAT_I_FATE_NAMED, "presencePenalty" },
    { "frequency_penalty", LEAT_I_FATE_NAMED, "frequencyPenalty" },
    { "logprobs", LEAT_I_FATE_NAMED, "responseLogprobs" },
    { "top_logprobs", LEAT_I_FATE_NAMED, "logprobs" },
    { "logit_bias", LEAT_I_FATE_REFUSED, NULL },
    { "parallel_tool_calls", LEAT_I_FATE_REFUSED, NULL },
    { "reasoning_effort", LEAT_I_FATE_REFUSED, NULL },
    { "modalities", LEAT_I_FATE_REFUSED, NULL },
    { "audio", LEAT_I_FATE_REFUSED, NULL },
    { "prediction", LEAT_I_FATE_REFUSED, NULL },
    { "functions", LEAT_I_FATE_REFUSED, NULL },
    { "function_call", LEAT_I_FATE_REFUSED, NULL },
    { "store", LEAT_I_FATE_REFUSED, NULL },
    { "metadata", LEAT_I_FATE_REFUSED, NULL },
    { "service_tier", LEAT_I_FATE_REFUSED, NULL },
    { "verbosity", LEAT_I_FATE_REFUSED, NULL },
    { "web_search_options", LEAT_I_FATE_REFUSED, NULL },
    { NULL, LEAT_I_FATE_MADE, NULL },
};

/* ---- contents ---- */

static leat_err put_image(leat_i_buf *b, leat_i_json part, leat_i_making *m)
{
    leat_i_image image;
    LEAT_TRY(leat_i_image_read(&image, part, m));
    if (image.url) return leat_i_making_refuse(m, "Gemini takes images as data URLs, and none by an address");
    leat_i_buf_puts(b, "{\"inlineData\":{\"mimeType\":");
    leat_i_json_put_string(b, image.media, strlen(image.media));
    leat_i_put_name(b, "data", image.data);
    leat_i_buf_puts(b, "}}");
    return LEAT_OK;
}

static leat_err put_sound(leat_i_buf *b, leat_i_json sound, leat_i_making *m)
{
    leat_i_json data = leat_i_json_get(sound, "data"), format = leat_i_json_get(sound, "format");
    if (data.type != LEAT_I_JSON_STRING || format.type != LEAT_I_JSON_STRING)
        return leat_i_making_refuse(m, "a message's sound has no data, or no format");
    leat_i_buf_puts(b, "{\"inlineData\":{\"mimeType\":\"audio/");
    leat_i_buf_append(b, format.at + 1, format.size - 1); /* With its closing quote. */
    leat_i_put_value(b, ",\"data\":", data, "}}");
    return LEAT_OK;
}

/* A part of content. What OpenAI's form does not know is taken for one of Gemini's own. */
static leat_err put_part(leat_i_buf *b, leat_i_json part, leat_i_making *m)
{
    leat_i_json type = leat_i_json_get(part, "type"), text = leat_i_json_get(part, "text");
    if (leat_i_json_str_eq(type, "image_url")) return put_image(b, part, m);
    if (leat_i_json_str_eq(type, "input_audio")) return put_sound(b, leat_i_json_get(part, "input_audio"), m);
    if (leat_i_json_str_eq(type, "text")) {
        if (text.type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "a part of a message is a text without one");
        leat_i_put_value(b, "{\"text\":", text, "}");
        return LEAT_OK;
    }
    if (part.type != LEAT_I_JSON_OBJECT || type.type != LEAT_I_JSON_NONE)
        return leat_i_making_refuse(m, "a part of a message is of a kind that has no counterpart in Gemini's form");
    leat_i_json_put_compact(b, part);
    return LEAT_OK;
}

static leat_err put_content(leat_i_buf *b, leat_i_json content, bool *first, leat_i_making *m)
{
    if (content.type == LEAT_I_JSON_STRING) {
        leat_i_put_value(b, *first ? "{\"text\":" : ",{\"text\":", content, "}");
        *first = false;
    }
    return leat_i_put_parts(b, content, first, put_part, m);
}

static leat_err put_calls(leat_i_buf *b, leat_i_json calls, bool *first, leat_i_making *m)
{
    leat_i_json call;
    for (size_t at = 0; leat_i_json_next_element(calls, &at, &call); *first = false) {
        leat_i_json function = leat_i_json_get(call, "function"), name = leat_i_json_get(function, "name");
        leat_i_json signature = leat_i_json_path(call, "extra_content.google.thought_signature");
        if (name.type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "a tool's call has no function with a name");
        leat_i_put_value(b, *first ? "{\"functionCall\":{\"name\":" : ",{\"functionCall\":{\"name\":", name, ",\"args\":");
        LEAT_TRY(leat_i_put_arguments(b, leat_i_json_get(function, "arguments"), m));
        leat_i_buf_puts(b, "}");
        if (signature.type == LEAT_I_JSON_STRING) leat_i_put_value(b, ",\"thoughtSignature\":", signature, "");
        leat_i_buf_puts(b, "}");
    }
    return LEAT_OK;
}

/* The name of the function that `calls` call as `id`. */
static leat_i_json name_among(leat_i_json calls, leat_i_json id)
{
    leat_i_json call, name = { .type = LEAT_I_JSON_NONE };
    for (size_t at = 0; leat_i_json_next_element(calls, &at, &call);) {
        leat_i_json other = leat_i_json_get(call, "id");
        if (other.type == LEAT_I_JSON_STRING && other.size == id.size && memcmp(other.at, id.at, id.size) == 0)
            name = leat_i_json_path(call, "function.name");
    }
    return name;
}

/* The messages so far: all up to messages[end], and the calls of the last one that has some. */
typedef struct history {
    leat_i_json messages, calls;
    size_t end;
} history;

/* The name of the function that was called as `id`. Ids may come again ("call_0"): the latest call is meant, and nearly always it
 * is one of the last calls. */
static leat_i_json call_name(const history *h, leat_i_json id)
{
    leat_i_json message, name = name_among(h->calls, id);
    if (name.type != LEAT_I_JSON_NONE) return name;
    for (size_t at = 0; leat_i_json_next_element(h->messages, &at, &message) && at < h->end;) {
        leat_i_json found = name_among(leat_i_json_get(message, "tool_calls"), id);
        if (found.type != LEAT_I_JSON_NONE) name = found;
    }
    return name;
}

/* What a tool gave back must be an object there. */
static leat_err put_result(leat_i_buf *b, const history *h, const leat_i_message *message, leat_i_making *m)
{
    leat_i_json name = call_name(h, message->call_id), given = message->content, object = { 0 };
    if (message->call_id.type != LEAT_I_JSON_STRING || name.type != LEAT_I_JSON_STRING)
        return leat_i_making_refuse(m, "a tool's message answers no call of the messages before it");
    if (given.type == LEAT_I_JSON_STRING && given.size > 2 && given.at[1] == '{') {
        size_t size;
        const char *text = leat_i_json_text(given, m->arena, &size);
        if (!text) return LEAT_NOMEM;
        object = leat_i_json_parse(text, size, NULL);
    }
    leat_i_put_value(b, "{\"functionResponse\":{\"name\":", name, ",\"response\":");
    if (object.type == LEAT_I_JSON_OBJECT)
        leat_i_json_put_compact(b, object);
    else if (given.type != LEAT_I_JSON_NONE)
        leat_i_put_value(b, "{\"result\":", given, "}");
    else
        leat_i_buf_puts(b, "{}");
    leat_i_buf_puts(b, "}}");
    return LEAT_OK;
}

static leat_err put_contents(leat_i_buf *b, leat_i_json messages, leat_i_making *m)
{
    leat_i_json value;
    leat_i_message message;
    history h = { .messages = messages };
    bool first = true, first_part = true, in_results = false;
    leat_i_buf_puts(b, "\"contents\":[");
    while (leat_i_json_next_element(messages, &h.end, &value)) {
        LEAT_TRY(leat_i_message_read(&message, value, m));
        if (message.role == LEAT_I_ROLE_SYSTEM) continue;
        bool is_result = message.role == LEAT_I_ROLE_TOOL, is_model = message.role == LEAT_I_ROLE_ASSISTANT;
        if (in_results && is_result) {
            leat_i_buf_puts(b, ",");
        } else {
            if (!first) leat_i_buf_puts(b, "]},");
            leat_i_buf_puts(b, is_model ? "{\"role\":\"model\",\"parts\":[" : "{\"role\":\"user\",\"parts\":[");
            first_part = true;
        }
        if (is_result) LEAT_TRY(put_result(b, &h, &message, m));
        /* Beside calls an empty text says nothing. */
        if (!is_result && (leat_i_json_is_filled(message.content) || !message.calls.type))
            LEAT_TRY(put_content(b, message.content, &first_part, m));
        LEAT_TRY(put_calls(b, message.calls, &first_part, m));
        if (message.calls.type != LEAT_I_JSON_NONE) h.calls = message.calls;
        in_results = is_result;
        first = false;
    }
    leat_i_buf_puts(b, first ? "]" : "]}]");
    return LEAT_OK;
}

/* ---- the rest ---- */

static leat_err put_format(leat_i_buf *b, leat_i_json format, leat_i_making *m)
{
    leat_i_json type = leat_i_json_get(format, "type"), schema = leat_i_json_path(format, "json_schema.schema");
    bool is_schema = leat_i_json_str_eq(type, "json_schema");
    if (type.type == LEAT_I_JSON_NONE || leat_i_json_str_eq(type, "text")) return LEAT_OK;
    if (!leat_i_json_str_eq(type, "json_object") && !(is_schema && schema.type == LEAT_I_JSON_OBJECT))
        return leat_i_making_refuse(m, "this \"response_format\" has no counterpart in Gemini's form");
    leat_i_put_name(b, "responseMimeType", "application/json");
    if (is_schema) leat_i_put_value(b, ",\"responseJsonSchema\":", schema, "");
    return LEAT_OK;
}

static leat_err put_config(leat_i_buf *b, leat_i_json body, leat_i_making *m)
{
    static const char *const keys[] = { "max_completion_tokens", "max_tokens", "stop", "response_format",
                                        "generationConfig" };
    static const leat_i_member none[] = { { NULL, LEAT_I_FATE_MADE, NULL } };
    leat_i_json v[5];
    leat_i_buf config = { 0 }; /* Each member behind a comma. */
    leat_i_json_get_many(body, keys, v, 5);
    leat_i_json limit = v[0].type == LEAT_I_JSON_NUMBER ? v[0] : v[1];
    if (limit.type == LEAT_I_JSON_NUMBER) leat_i_put_value(&config, ",\"maxOutputTokens\":", limit, "");
    if (v[2].type == LEAT_I_JSON_STRING) leat_i_put_value(&config, ",\"stopSequences\":[", v[2], "]");
    if (v[2].type == LEAT_I_JSON_ARRAY) leat_i_put_value(&config, ",\"stopSequences\":", v[2], "");
    leat_err err = put_format(&config, v[3], m);
    if (!err) err = leat_i_put_members(&config, body, members, m);
    leat_i_put_rest(&config, v[4], none);
    if (!err && config.size && leat_i_buf_puts(b, ",\"generationConfig\":{")) {
        leat_i_buf_append(b, config.data + 1, config.size - 1);
        leat_i_buf_puts(b, "}");
    }
    if (!err && config.failed) err = LEAT_NOMEM;
    leat_i_buf_fini(&config);
    return err;
}

static leat_err put_tools(leat_i_buf *b, leat_i_json tools, leat_i_making *m)
{
    static const char *const keys[] = { "name", "description", "parameters" };
    leat_i_json tool, v[3];
    bool first = true, any = false;
    if (tools.type != LEAT_I_JSON_ARRAY || tools.size == 2) return LEAT_OK;
    leat_i_buf_puts(b, ",\"tools\":[");
    for (size_t at = 0; leat_i_json_next_element(tools, &at, &tool);) { /* Functions share one tool. */
        leat_i_json function = leat_i_json_get(tool, "function");
        if (function.type != LEAT_I_JSON_OBJECT) continue;
        leat_i_json_get_many(function, keys, v, 3);
        if (v[0].type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "a tool's function has no name");
        leat_i_put_value(b, any ? ",{\"name\":" : "{\"functionDeclarations\":[{\"name\":", v[0], "");
        if (v[1].type == LEAT_I_JSON_STRING) leat_i_put_value(b, ",\"description\":", v[1], "");
        if (v[2].type == LEAT_I_JSON_OBJECT) leat_i_put_value(b, ",\"parametersJsonSchema\":", v[2], "");
        leat_i_buf_puts(b, "}");
        any = true;
    }
    if (any) leat_i_buf_puts(b, "]}");
    first = !any;
    for (size_t at = 0; leat_i_json_next_element(tools, &at, &tool);) { /* Gemini's own. */
        if (leat_i_json_get(tool, "function").type == LEAT_I_JSON_OBJECT) continue;
        leat_i_put_value(b, first ? "" : ",", tool, "");
        first = false;
    }
    leat_i_buf_puts(b, "]");
    return LEAT_OK;
}

static leat_err put_choice(leat_i_buf *b, leat_i_json choice, leat_i_making *m)
{
    static const char *const names[][2] = { { "auto", "AUTO" }, { "none", "NONE" }, { "required", "ANY" } };
    leat_i_json name = leat_i_json_path(choice, "function.name");
    const char *mode = name.type == LEAT_I_JSON_STRING ? "ANY" : NULL;
    for (size_t i = 0; i < 3; i++)
        if (leat_i_json_str_eq(choice, names[i][0])) mode = names[i][1];
    if (!mode && choice.type != LEAT_I_JSON_NONE && choice.type != LEAT_I_JSON_NULL)
        return leat_i_making_refuse(m, "this \"tool_choice\" has no counterpart in Gemini's form");
    if (!mode) return LEAT_OK;
    leat_i_buf_puts(b, ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"");
    leat_i_buf_puts(b, mode);
    if (name.type == LEAT_I_JSON_STRING)
        leat_i_put_value(b, "\",\"allowedFunctionNames\":[", name, "]}}");
    else
        leat_i_buf_puts(b, "\"}}");
    return LEAT_OK;
}

static leat_err put_chat(leat_i_buf *b, leat_i_json body, leat_i_making *m)
{
    leat_i_json messages = leat_i_json_get(body, "messages");
    if (messages.type != LEAT_I_JSON_ARRAY) return leat_i_making_refuse(m, "the request has no messages");
    leat_i_buf_puts(b, "{");
    LEAT_TRY(put_contents(b, messages, m));
    LEAT_TRY(leat_i_put_system(b, messages, ",\"systemInstruction\":{\"parts\":[", "]}", put_content, m));
    LEAT_TRY(put_config(b, body, m));
    LEAT_TRY(put_tools(b, leat_i_json_get(body, "tools"), m));
    LEAT_TRY(put_choice(b, leat_i_json_get(body, "tool_choice"), m));
    leat_i_put_rest(b, body, members);
    leat_i_buf_puts(b, "}");
    return LEAT_OK;
}

static leat_err put_embedding(leat_i_buf *b, leat_i_json input, leat_i_json dimensions, const char *model, leat_i_making *m)
{
    if (input.type != LEAT_I_JSON_STRING) return leat_i_making_refuse(m, "Gemini makes embeddings of texts, not of tokens");
    leat_i_buf_puts(b, "{\"model\":\"models/");
    leat_i_buf_puts(b, model);
    leat_i_put_value(b, "\",\"content\":{\"parts\":[{\"text\":", input, "}]}");
    if (dimensions.type == LEAT_I_JSON_NUMBER) leat_i_put_value(b, ",\"outputDimensionality\":", dimensions, "");
    leat_i_buf_puts(b, "}");
    return LEAT_OK;
}

static leat_err put_embeddings(leat_i_buf *b, leat_i_json body, const char *model, leat_i_making *m)
{
    leat_i_json input = leat_i_json_get(body, "input"), dimensions = leat_i_json_get(body, "dimensions"), one;
    bool first = true;
    if (leat_i_json_str_eq(leat_i_json_get(body, "encoding_format"), "base64"))
        return leat_i_making_refuse(m, "Gemini gives embeddings as numbers, not in base64");
    leat_i_buf_puts(b, "{\"requests\":[");
    if (input.type != LEAT_I_JSON_ARRAY) LEAT_TRY(put_embedding(b, input, dimensions, model, m));
    for (size_t at = 0; leat_i_json_next_element(input, &at, &one); first = false) {
        if (!first) leat_i_buf_puts(b, ",");
        LEAT_TRY(put_embedding(b, one, dimensions, model, m));
    }
    leat_i_buf_puts(b, "]}");
    return LEAT_OK;
}

/* ---- paths ---- */

/* A request in Gemini's own form; a stream is a matter of its path. */
static leat_err make_own(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *verb = strstr(asked->path, ":generateContent"), *own = strstr(asked->path, ":streamGenerateContent");
    bool embeds = strstr(asked->path, ":embedContent") || strstr(asked->path, ":batchEmbedContents");
    wire->form = embeds ? &leat_i_form_embed : &leat_i_form_generate;
    wire->path = asked->path;
    wire->body = asked->body;
    wire->body_bytes = asked->body_bytes;
    wire->stream = own || (verb && asked->stream);
    if (!own && !wire->stream) return LEAT_OK;
    const char *from = own ? own : verb;
    wire->path = leat_i_making_printf(m, "%.*s:streamGenerateContent?alt=sse", (int)(from - asked->path), asked->path);
    return wire->path ? LEAT_OK : LEAT_NOMEM;
}

static leat_err model_read(const char **model, leat_i_json body, leat_i_making *m)
{
    leat_i_json name = leat_i_json_get(body, "model");
    size_t size = 0;
    const char *text = name.type == LEAT_I_JSON_STRING ? leat_i_json_text(name, m->arena, &size) : "";
    if (!text) return LEAT_NOMEM;
    if (strncmp(text, "models/", 7) == 0) text += 7, size -= 7;
    *model = text;
    if (strlen(text) == size && leat_i_model_fits_path(text)) return LEAT_OK;
    return leat_i_making_refuse(m, "Gemini takes the request's \"model\" into the path, and this one cannot stand there");
}

static leat_err gemini_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *tail = leat_i_asked_tail(asked), *model = NULL;
    bool embeds = leat_i_path_ends(tail, "/embeddings");
    leat_i_buf b = { 0 };
    if (strchr(tail, ':')) return make_own(wire, asked, m);
    if (!embeds && !leat_i_path_ends(tail, "/chat/completions"))
        return leat_i_making_refuse(
            m, "Gemini has no %.60s: it takes /v1/chat/completions, /v1/embeddings, and its own paths", tail);
    leat_i_json body = leat_i_json_parse(asked->body, asked->body_bytes, NULL);
    LEAT_TRY(model_read(&model, body, m));
    wire->form = embeds ? &leat_i_form_embed : &leat_i_form_generate;
    wire->stream = !embeds && (asked->stream || asked->streams_itself);
    wire->path = leat_i_making_printf(m, "%s/models/%s:%s", asked->base_path[0] ? "" : "/v1beta", model,
                                      embeds         ? "batchEmbedContents"
                                      : wire->stream ? "streamGenerateContent?alt=sse"
                                                     : "generateContent");
    if (!wire->path) return LEAT_NOMEM;
    leat_err err = embeds ? put_embeddings(&b, body, model, m) : put_chat(&b, body, m);
    leat_err taken = leat_i_wire_take(wire, &b, m);
    return err ? err : taken;
}

const leat_i_provider leat_i_gemini = {
    .name = "gemini",
    .tongue = "gemini",
    .host = { "generativelanguage.googleapis.com" },
    .base_url = "https://generativelanguage.googleapis.com",
    .key_env = { "GEMINI_API_KEY", "GOOGLE_API_KEY" },
    .key_header = "x-goog-api-key: %s",
    .make = gemini_make,
};
