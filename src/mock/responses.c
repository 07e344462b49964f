/* responses.c: OpenAI's responses: POST /v1/responses, in one piece or as its typed events. */
#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "stream.h"

enum { KEY_MODEL, KEY_INPUT, KEY_INSTRUCTIONS, KEY_MAX, KEY_STREAM, KEY_COUNT };

static const char *const keys[KEY_COUNT] = { "model", "input", "instructions", "max_output_tokens", "stream" };

/* An item of the input: messages are read; calls of tools, their output and the like are taken and say nothing to this model. */
static bool item_take(leat_i_mock_request *r, leat_i_json item, size_t index, leat_i_mock_ask *ask)
{
    char param[48];
    snprintf(param, sizeof param, "input[%zu]", index);
    if (item.type != LEAT_I_JSON_OBJECT)
        return leat_i_mock_invalid(r, param, "invalid_type",
                                   "Invalid type for '%s': expected an input item, but got %s instead.", param,
                                   leat_i_mock_json_kind(item));
    leat_i_json type = leat_i_json_get(item, "type"), role = leat_i_json_get(item, "role");
    if (type.type == LEAT_I_JSON_STRING && !leat_i_json_str_eq(type, "message")) return true;
    if (role.type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, param, "missing_required_parameter", "Missing required parameter: '%s.role'.", param);
    return leat_i_mock_ask_take(r, ask, leat_i_json_str_eq(role, "user"), leat_i_json_get(item, "content"), param);
}

static bool input_take(leat_i_mock_request *r, leat_i_json input, leat_i_mock_ask *ask)
{
    size_t at = 0;
    leat_i_json item;
    if (input.type == LEAT_I_JSON_STRING) return leat_i_mock_ask_take(r, ask, true, input, "input");
    if (input.type != LEAT_I_JSON_ARRAY)
        return leat_i_mock_invalid(r, "input", "missing_required_parameter",
                                   "Missing required parameter: 'input', a string or an array of items.");
    for (size_t i = 0; leat_i_json_next_element(input, &at, &item); i++)
        if (!item_take(r, item, i, ask)) return false;
    return true;
}

bool leat_i_mock_responses_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    if (value[KEY_MODEL].type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, "model", "missing_required_parameter", "Missing required parameter: 'model'.");
    if (value[KEY_INSTRUCTIONS].type == LEAT_I_JSON_STRING &&
        !leat_i_mock_ask_take(r, ask, false, value[KEY_INSTRUCTIONS], "instructions"))
        return false;
    return leat_i_mock_take_u64(r, value[KEY_MAX], "max_output_tokens", 1, UINT32_MAX, &ask->tokens_max) &&
           leat_i_mock_take_bool(r, value[KEY_STREAM], "stream", &ask->stream) && input_take(r, value[KEY_INPUT], ask);
}

static const char *incomplete_reason(const leat_i_mock_reply *reply)
{
    static const char *const reason[LEAT_I_MOCK_FINISH_COUNT] = { NULL, "max_output_tokens", "content_filter" };
    return reason[reply->finish];
}

static void part_put(leat_i_buf *b, const char *text, size_t size)
{
    leat_i_buf_puts(b, "{\"type\":\"output_text\",\"text\":");
    leat_i_json_put_string(b, text, size);
    leat_i_buf_puts(b, ",\"annotations\":[],\"logprobs\":[]}");
}

/* The message; without a reply as it is before its first token. */
static void item_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    leat_i_buf_printf(&r->out,
                      "{\"type\":\"message\",\"id\":\"msg_%016llx\",\"status\":\"%s\",\"role\":\"assistant\",\"content\":[",
                      (unsigned long long)leat_i_mock_id(r),
                      !reply                     ? "in_progress"
                      : incomplete_reason(reply) ? "incomplete"
                                                 : "completed");
    if (reply) part_put(&r->out, reply->text, reply->size);
    leat_i_buf_puts(&r->out, "]}");
}

/* The response; `done` = with its output and usage. */
static void response_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, bool done)
{
    leat_i_buf *b = &r->out;
    const char *reason = done ? incomplete_reason(reply) : NULL;
    leat_i_buf_printf(
        b,
        "{\"id\":\"resp_%016llx\",\"object\":\"response\",\"created_at\":%lld,\"status\":\"%s\",\"error\":null,"
        "\"incomplete_details\":",
        (unsigned long long)leat_i_mock_id(r), (long long)(leat_i_os_wall_ns() / LEAT_I_NS_PER_S),
        !done    ? "in_progress"
        : reason ? "incomplete"
                 : "completed");
    if (reason)
        leat_i_buf_printf(b, "{\"reason\":\"%s\"}", reason);
    else
        leat_i_buf_puts(b, "null");
    leat_i_buf_puts(b, ",\"model\":\"" LEAT_I_MOCK_MODEL "\",\"output\":[");
    if (done && !reply->no_choice) item_put(r, reply);
    leat_i_buf_puts(b, "],\"usage\":");
    if (done)
        leat_i_buf_printf(b,
                          "{\"input_tokens\":%llu,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%llu,"
                          "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":%llu}",
                          (unsigned long long)reply->prompt_tokens, (unsigned long long)reply->tokens,
                          (unsigned long long)(reply->prompt_tokens + reply->tokens));
    else
        leat_i_buf_puts(b, "null");
    leat_i_buf_puts(b, "}");
}

void leat_i_mock_responses_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    response_put(r, reply, true);
}

/* The head of an event, up to its own members. */
static void event_begin(leat_i_mock_request *r, const char *type)
{
    leat_i_buf_printf(&r->out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", type, type, r->event_count);
}

/* Where in the output it belongs. */
static void place_put(leat_i_mock_request *r)
{
    leat_i_buf_printf(&r->out, ",\"item_id\":\"msg_%016llx\",\"output_index\":0,\"content_index\":0",
                      (unsigned long long)leat_i_mock_id(r));
}

static void event_close(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "}\n\n");
    leat_i_mock_event_end(r);
}

static void response_event(leat_i_mock_request *r, const char *type, const leat_i_mock_reply *reply, bool done)
{
    event_begin(r, type);
    leat_i_buf_puts(&r->out, ",\"response\":");
    response_put(r, reply, done);
    event_close(r);
}

static void item_event(leat_i_mock_request *r, const char *type, const leat_i_mock_reply *reply)
{
    event_begin(r, type);
    leat_i_buf_puts(&r->out, ",\"output_index\":0,\"item\":");
    item_put(r, reply);
    event_close(r);
}

/* An event whose one member is a text or a part that holds it. */
static void text_event(leat_i_mock_request *r, const char *type, const char *member, bool in_part, const char *text,
                       size_t size)
{
    event_begin(r, type);
    place_put(r);
    leat_i_buf_printf(&r->out, ",\"%s\":", member);
    if (in_part)
        part_put(&r->out, text, size);
    else
        leat_i_json_put_string(&r->out, text, size);
    event_close(r);
}

void leat_i_mock_responses_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *text;
    size_t at = 0, size;
    response_event(r, "response.created", reply, false);
    response_event(r, "response.in_progress", reply, false);
    item_event(r, "response.output_item.added", NULL);
    text_event(r, "response.content_part.added", "part", true, "", 0);
    leat_i_mock_tokens_begin(r);
    while ((text = leat_i_mock_token_next(reply, &at, &size)) != NULL)
        text_event(r, "response.output_text.delta", "delta", false, text, size);
    leat_i_mock_tokens_end(r);
    text_event(r, "response.output_text.done", "text", false, reply->text, reply->size);
    text_event(r, "response.content_part.done", "part", true, reply->text, reply->size);
    item_event(r, "response.output_item.done", reply);
    leat_i_mock_events_final(r);
    response_event(r, incomplete_reason(reply) ? "response.incomplete" : "response.completed", reply, true);
}

const leat_i_mock_dialect leat_i_mock_responses = {
    .name = "responses",
    .id_header = "x-request-id",
    .take = leat_i_mock_responses_take,
    .put = leat_i_mock_responses_put,
    .stream = leat_i_mock_responses_stream,
    .fail = leat_i_mock_openai_fail,
    .add_limits = leat_i_mock_openai_add_limits,
    .add_retry = leat_i_mock_openai_add_retry,
    .tells_time = true,
};
