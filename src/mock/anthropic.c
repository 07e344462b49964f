/* anthropic.c: Anthropic's messages: POST /v1/messages, in one piece or as its named events. */
#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "stream.h"

enum { KEY_MODEL, KEY_MESSAGES, KEY_MAX, KEY_SYSTEM, KEY_STREAM, KEY_COUNT };

static const char *const keys[KEY_COUNT] = { "model", "messages", "max_tokens", "system", "stream" };
static const char *const roles[] = { "user", "assistant", NULL };
static const char *const stop_reason[LEAT_I_MOCK_FINISH_COUNT] = { "end_turn", "max_tokens", "refusal" };

static bool version_check(leat_i_mock_request *r)
{
    const char *version = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "anthropic-version");
    return (version && *version) || leat_i_mock_invalid(r, NULL, NULL, "anthropic-version: header is required");
}

static bool messages_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    if (!leat_i_mock_need_string(r, body, "model", &value[KEY_MODEL])) return false;
    if (value[KEY_MAX].type == LEAT_I_JSON_NONE)
        return leat_i_mock_invalid(r, "max_tokens", NULL, "max_tokens: Field required");
    if (!leat_i_mock_take_u64(r, value[KEY_MAX], "max_tokens", 1, UINT32_MAX, &ask->tokens_max) ||
        !leat_i_mock_take_bool(r, value[KEY_STREAM], "stream", &ask->stream))
        return false;
    if (value[KEY_SYSTEM].type != LEAT_I_JSON_NONE && !leat_i_mock_ask_take(r, ask, false, value[KEY_SYSTEM], "system"))
        return false;
    return leat_i_mock_messages_take(r, value[KEY_MESSAGES], "messages", "content", roles, ask);
}

/* The message, up to its content; in a stream it begins without any, and with the one token that is on its way. */
static void message_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, bool whole)
{
    leat_i_buf *b = &r->out;
    leat_i_buf_printf(b,
                      "{\"id\":\"msg_%016llx\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"content\":[",
                      (unsigned long long)leat_i_mock_id(r), LEAT_I_MOCK_MODEL);
    if (whole) {
        if (!reply->no_choice) {
            leat_i_buf_puts(b, "{\"type\":\"text\",\"text\":");
            leat_i_json_put_string(b, reply->text, reply->size);
            leat_i_buf_puts(b, "}");
        }
        leat_i_buf_printf(b, "],\"stop_reason\":\"%s\"", stop_reason[reply->finish]);
    } else {
        leat_i_buf_puts(b, "],\"stop_reason\":null");
    }
    leat_i_buf_printf(b,
                      ",\"stop_sequence\":null,\"usage\":{\"input_tokens\":%llu,\"cache_creation_input_tokens\":0,"
                      "\"cache_read_input_tokens\":0,\"output_tokens\":%llu}}",
                      (unsigned long long)reply->prompt_tokens, whole ? (unsigned long long)reply->tokens : 1ULL);
}

static void anthropic_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    message_put(r, reply, true);
}

static void event_put(leat_i_mock_request *r, const char *type, const char *members)
{
    leat_i_buf_printf(&r->out, "event: %s\ndata: {\"type\":\"%s\"%s}\n\n", type, type, members);
    leat_i_mock_event_end(r);
}

static void anthropic_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *text;
    size_t at = 0, size;
    leat_i_buf *b = &r->out;
    char members[160];
    leat_i_buf_puts(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    message_put(r, reply, false);
    leat_i_buf_puts(b, "}\n\n");
    leat_i_mock_event_end(r);
    event_put(r, "content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    event_put(r, "ping", "");
    leat_i_mock_tokens_begin(r);
    while ((text = leat_i_mock_token_next(reply, &at, &size)) != NULL) {
        leat_i_buf_puts(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                           "\"delta\":{\"type\":\"text_delta\",\"text\":");
        leat_i_json_put_string(b, text, size);
        leat_i_buf_puts(b, "}}\n\n");
        leat_i_mock_event_end(r);
    }
    leat_i_mock_tokens_end(r);
    event_put(r, "content_block_stop", ",\"index\":0");
    snprintf(members, sizeof members,
             ",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%llu}",
             stop_reason[reply->finish], (unsigned long long)reply->tokens);
    event_put(r, "message_delta", members);
    leat_i_mock_events_final(r);
    event_put(r, "message_stop", "");
}

static const char *error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 402:
        return "billing_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 504:
        return "timeout_error";
    case 503:
    case 529:
        return "overloaded_error";
    default:
        return status < 500 ? "invalid_request_error" : "api_error";
    }
}

static void anthropic_fail(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    if (leat_i_mock_decided(r, "overloaded")) r->status = 529;
    leat_i_buf_printf(&r->out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", error_type(f->status));
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_printf(&r->out, "},\"request_id\":\"req_%016llx\"}", (unsigned long long)leat_i_mock_id(r));
}

static void add_limit(struct MHD_Response *response, const leat_i_mock_request *r, const char *what, uint64_t limit,
                      uint64_t left, int64_t reset_ns)
{
    char name[64], text[32];
    snprintf(name, sizeof name, "anthropic-ratelimit-%s-limit", what);
    leat_i_mock_add_u64(response, name, limit);
    snprintf(name, sizeof name, "anthropic-ratelimit-%s-remaining", what);
    leat_i_mock_add_u64(response, name, left);
    snprintf(name, sizeof name, "anthropic-ratelimit-%s-reset", what);
    const leat_mock *m = leat_i_mock_of(r);
    leat_i_mock_put_rfc3339(text, sizeof text, m->start_wall_ns + (r->start_ns - m->start_ns) + reset_ns);
    (void)MHD_add_response_header(response, name, text);
}

static void add_limits(struct MHD_Response *response, const leat_i_mock_request *r)
{
    const leat_i_mock_limits *l = &r->limits;
    const leat_i_mock_state *s = &r->limit_state;
    if (l->requests) add_limit(response, r, "requests", l->requests, s->requests_left, s->requests_reset_ns);
    /* What is left of tokens is told in whole thousands, to the nearest. */
    const leat_i_mock_state *in = &r->input_state, *out = &r->output_state;
    if (l->input)
        add_limit(response, r, "input-tokens", l->input, (in->tokens_left + 500) / 1000 * 1000, in->tokens_reset_ns);
    if (l->output)
        add_limit(response, r, "output-tokens", l->output, (out->tokens_left + 500) / 1000 * 1000, out->tokens_reset_ns);
    if (l->tokens) add_limit(response, r, "tokens", l->tokens, (s->tokens_left + 500) / 1000 * 1000, s->tokens_reset_ns);
}

static void add_retry(struct MHD_Response *response, const leat_i_mock_request *r)
{
    if (r->status != 529) leat_i_mock_add_retry(response, r, false);
}

const leat_i_mock_dialect leat_i_mock_anthropic = {
    .name = "anthropic",
    .key_header = "x-api-key",
    .id_header = "request-id",
    .check = version_check,
    .take = messages_take,
    .put = anthropic_put,
    .stream = anthropic_stream,
    .fail = anthropic_fail,
    .add_limits = add_limits,
    .add_retry = add_retry,
};
