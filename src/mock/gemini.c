/*
 * gemini.c: Gemini's generateContent and streamGenerateContent. A stream is server-sent events with ?alt=sse, else one JSON
 * array that comes bit by bit; its errors stand in an array, too. There are no headers of limits: a refusal tells in its body
 * when to come again.
 */
#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "stream.h"

static const char *const roles[] = { "user", "model", "function", NULL };
static const char *const finish_reason[LEAT_I_MOCK_FINISH_COUNT] = { "STOP", "MAX_TOKENS", "SAFETY" };

static bool by_events(const leat_i_mock_request *r)
{
    const char *alt = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "alt");
    return alt && strcmp(alt, "sse") == 0;
}

static leat_i_json either(leat_i_json object, const char *key, const char *other)
{
    leat_i_json value = leat_i_json_get(object, key);
    return value.type == LEAT_I_JSON_NONE ? leat_i_json_get(object, other) : value;
}

static bool gemini_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json system = either(body, "systemInstruction", "system_instruction");
    leat_i_json config = either(body, "generationConfig", "generation_config");
    ask->stream = r->route == LEAT_I_MOCK_ROUTE_CHAT_STREAM;
    if (system.type != LEAT_I_JSON_NONE &&
        !leat_i_mock_ask_take(r, ask, false, leat_i_json_get(system, "parts"), "systemInstruction"))
        return false;
    if (!leat_i_mock_take_u64(r, either(config, "maxOutputTokens", "max_output_tokens"), "generationConfig.maxOutputTokens",
                              1, UINT32_MAX, &ask->tokens_max))
        return false;
    return leat_i_mock_messages_take(r, leat_i_json_get(body, "contents"), "contents", "parts", roles, ask);
}

/* One answer, or one part of a stream; without a text it has no content; the last part has the finish reason. */
static void part_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, const char *text, size_t size, bool last,
                     uint64_t tokens)
{
    leat_i_buf *b = &r->out;
    leat_i_buf_puts(b, reply->no_choice ? "{\"candidates\":[" : "{\"candidates\":[{");
    if (text && !reply->no_choice) {
        leat_i_buf_puts(b, "\"content\":{\"parts\":[{\"text\":");
        leat_i_json_put_string(b, text, size);
        leat_i_buf_puts(b, "}],\"role\":\"model\"},");
    }
    if (last && !reply->no_choice) leat_i_buf_printf(b, "\"finishReason\":\"%s\",", finish_reason[reply->finish]);
    leat_i_buf_printf(b,
                      "%s],\"usageMetadata\":{\"promptTokenCount\":%llu,\"candidatesTokenCount\":%llu,"
                      "\"totalTokenCount\":%llu},\"modelVersion\":\"%s\",\"responseId\":\"%016llx\"}",
                      reply->no_choice ? "" : "\"index\":0}", (unsigned long long)reply->prompt_tokens,
                      (unsigned long long)tokens, (unsigned long long)(reply->prompt_tokens + tokens), LEAT_I_MOCK_MODEL,
                      (unsigned long long)leat_i_mock_id(r));
}

static void gemini_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    /* What was held back for safety has no content at all. */
    bool held_back = reply->finish == LEAT_I_MOCK_FILTERED && reply->size == 0;
    part_put(r, reply, held_back ? NULL : reply->text, reply->size, true, reply->tokens);
}

static void gemini_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *text;
    size_t at = 0, size;
    uint64_t tokens = 0;
    bool events = by_events(r);
    if (!events) r->content_type = "application/json; charset=UTF-8";
    leat_i_mock_tokens_begin(r);
    while ((text = leat_i_mock_token_next(reply, &at, &size)) != NULL) {
        leat_i_buf_puts(&r->out, events ? "data: " : tokens ? ",\n" : "[");
        part_put(r, reply, text, size, false, ++tokens);
        if (events) leat_i_buf_puts(&r->out, "\r\n\r\n");
        leat_i_mock_event_end(r);
    }
    leat_i_mock_tokens_end(r);
    leat_i_mock_events_final(r); /* there is no end but the finish reason */
    leat_i_buf_puts(&r->out, events ? "data: " : tokens ? ",\n" : "[");
    bool held_back = reply->finish == LEAT_I_MOCK_FILTERED;
    part_put(r, reply, held_back ? NULL : "", 0, true, tokens);
    leat_i_buf_puts(&r->out, events ? "\r\n\r\n" : "]");
    leat_i_mock_event_end(r);
}

static const char *status_name(int status)
{
    switch (status) {
    case 401:
        return "UNAUTHENTICATED";
    case 403:
        return "PERMISSION_DENIED";
    case 404:
        return "NOT_FOUND";
    case 409:
        return "ABORTED";
    case 429:
        return "RESOURCE_EXHAUSTED";
    case 499:
        return "CANCELLED";
    case 503:
        return "UNAVAILABLE";
    case 504:
        return "DEADLINE_EXCEEDED";
    default:
        return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
    }
}

static void details_put(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    leat_i_buf *b = &r->out;
    if (r->order && r->order->fault == LEAT_I_MOCK_FAULT_QUOTA_DAY) {
        leat_i_buf_puts(b, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{"
                           "\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel\",\"quotaValue\":\"200\"}]},"
                           "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34s\"}]");
    } else if (f->status == 429 && r->retry_ns >= 0) {
        int64_t ms = (r->retry_ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS;
        leat_i_buf_printf(b,
                          ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
                          "\"retryDelay\":\"%lld.%03llds\"}]",
                          (long long)(ms / 1000), (long long)(ms % 1000));
    } else if (f->code && strcmp(f->code, "invalid_api_key") == 0) {
        leat_i_buf_puts(b, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
                           "\"reason\":\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}]");
    }
}

static void gemini_fail(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    bool in_array = r->route == LEAT_I_MOCK_ROUTE_CHAT_STREAM && !by_events(r);
    /* A key that is not known is an invalid argument here, and none at all a lack of permission. */
    if (leat_i_mock_decided(r, "unauthorized")) r->status = f->code ? 400 : 403;
    if (in_array) leat_i_buf_puts(&r->out, "[");
    leat_i_buf_printf(&r->out, "{\"error\":{\"code\":%d,\"message\":", r->status);
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_printf(&r->out, ",\"status\":\"%s\"", status_name(r->status));
    details_put(r, f);
    leat_i_buf_puts(&r->out, in_array ? "}}]" : "}}");
}

const leat_i_mock_dialect leat_i_mock_gemini = {
    .name = "gemini",
    .key_header = "x-goog-api-key",
    .id_header = "x-request-id",
    .take = gemini_take,
    .put = gemini_put,
    .stream = gemini_stream,
    .embed = &leat_i_mock_embed_gemini,
    .one_is_list = true,
    .fail = gemini_fail,
};
