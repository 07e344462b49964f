/* completions.c: OpenAI's older POST /v1/completions, as local servers have it still: a prompt instead of messages. */
#include <stdio.h>

#include "dialect.h"
#include "stream.h"

#define TOKENS_DEFAULT 16 /* where the request names no max_tokens. Source: OpenAI's API reference, completions. */

enum { KEY_MODEL, KEY_PROMPT, KEY_MAX, KEY_STREAM, KEY_STREAM_OPTIONS, KEY_N, KEY_COUNT };

static const char *const keys[KEY_COUNT] = { "model", "prompt", "max_tokens", "stream", "stream_options", "n" };

/* A text, or a list of one. Tokens as numbers say nothing to this model. */
static bool prompt_take(leat_i_mock_request *r, leat_i_json prompt, leat_i_mock_ask *ask)
{
    leat_i_json one = leat_i_json_path(prompt, "0");
    if (prompt.type == LEAT_I_JSON_NONE)
        return leat_i_mock_invalid(r, "prompt", "missing_required_parameter", "Missing required parameter: 'prompt'.");
    if (prompt.type == LEAT_I_JSON_ARRAY && leat_i_json_path(prompt, "1").type == LEAT_I_JSON_NONE) prompt = one;
    if (prompt.type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, "prompt", "invalid_type",
                                   "Invalid type for 'prompt': " LEAT_I_MOCK_MODEL " takes one text, or a list of one.");
    return leat_i_mock_ask_take(r, ask, true, prompt, "prompt");
}

static bool completions_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    ask->tokens_max = TOKENS_DEFAULT;
    return leat_i_mock_openai_model_take(r, value[KEY_MODEL]) && prompt_take(r, value[KEY_PROMPT], ask) &&
           leat_i_mock_openai_stream_take(r, value[KEY_STREAM], value[KEY_STREAM_OPTIONS], ask) &&
           leat_i_mock_take_u64(r, value[KEY_MAX], "max_tokens", 1, UINT32_MAX, &ask->tokens_max) &&
           leat_i_mock_one_choice(r, value[KEY_N]);
}

/* An answer, or a chunk of one: text and finish reason, then usage or none. */
static void answer_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, const char *text, size_t size, bool last)
{
    leat_i_buf *b = &r->out;
    leat_i_buf_printf(b,
                      "{\"id\":\"cmpl-%016llx\",\"object\":\"text_completion\",\"created\":%lld,\"model\":\"%s\","
                      "\"choices\":[",
                      (unsigned long long)leat_i_mock_id(r), (long long)(leat_i_os_wall_ns() / LEAT_I_NS_PER_S),
                      LEAT_I_MOCK_MODEL);
    if (text && !reply->no_choice) {
        leat_i_buf_puts(b, "{\"text\":");
        leat_i_json_put_string(b, text, size);
        leat_i_buf_puts(b, ",\"index\":0,\"logprobs\":null,\"finish_reason\":");
        leat_i_buf_printf(b, last ? "\"%s\"}" : "null}", leat_i_mock_finish_name(reply->finish));
    }
    leat_i_buf_puts(b, "]");
}

static void usage_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    if (!reply->no_usage) {
        leat_i_buf_puts(&r->out, ",");
        leat_i_mock_openai_usage_put(&r->out, reply);
    }
    leat_i_buf_puts(&r->out, "}");
}

static void completions_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    answer_put(r, reply, reply->text, reply->size, true);
    usage_put(r, reply);
}

static void chunk_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, const char *text, size_t size, bool last)
{
    leat_i_buf_puts(&r->out, "data: ");
    answer_put(r, reply, text, size, last);
    leat_i_buf_puts(&r->out, reply->usage ? ",\"usage\":null}\n\n" : "}\n\n");
    leat_i_mock_event_end(r);
}

static void completions_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *text;
    size_t at = 0, size;
    leat_i_mock_tokens_begin(r);
    while ((text = leat_i_mock_token_next(reply, &at, &size)) != NULL)
        chunk_put(r, reply, text, size, false);
    leat_i_mock_tokens_end(r);
    if (!reply->no_choice) chunk_put(r, reply, "", 0, true);
    if (reply->no_choice || (reply->usage && !reply->no_usage)) {
        leat_i_buf_puts(&r->out, "data: ");
        answer_put(r, reply, NULL, 0, true);
        usage_put(r, reply);
        leat_i_buf_puts(&r->out, "\n\n");
        leat_i_mock_event_end(r);
    }
    leat_i_mock_events_final(r);
    leat_i_buf_puts(&r->out, "data: [DONE]\n\n");
    leat_i_mock_event_end(r);
}

const leat_i_mock_dialect leat_i_mock_completions = {
    .name = "openai",
    .id_header = "x-request-id",
    .take = completions_take,
    .put = completions_put,
    .stream = completions_stream,
    .fail = leat_i_mock_openai_fail,
    .add_limits = leat_i_mock_openai_add_limits,
    .add_retry = leat_i_mock_openai_add_retry,
    .tells_time = true,
};
