/* ollama.c: Ollama's POST /api/chat: a line of JSON a token, unless "stream" is false; no headers of limits. */
#include <string.h>

#include "dialect.h"
#include "stream.h"

static const char *const roles[] = { "user", "system", "assistant", "tool", NULL };
static const char *const done_reason[LEAT_I_MOCK_FINISH_COUNT] = { "stop", "length", "stop" };

static bool ollama_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json model, options = leat_i_json_get(body, "options");
    ask->stream = true;
    return leat_i_mock_need_string(r, body, "model", &model) &&
           leat_i_mock_take_bool(r, leat_i_json_get(body, "stream"), "stream", &ask->stream) &&
           leat_i_mock_take_u64(r, leat_i_json_get(options, "num_predict"), "num_predict", 1, UINT32_MAX,
                                &ask->tokens_max) &&
           leat_i_mock_messages_take(r, leat_i_json_get(body, "messages"), "messages", "content", roles, ask);
}

static void line_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, const char *text, size_t size, bool done)
{
    leat_i_buf *b = &r->out;
    char when[32];
    leat_i_mock_put_rfc3339(when, sizeof when, leat_i_os_wall_ns());
    leat_i_buf_printf(b, "{\"model\":\"%s\",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":",
                      LEAT_I_MOCK_MODEL, when);
    leat_i_json_put_string(b, text, size);
    leat_i_buf_puts(b, "}");
    if (done)
        leat_i_buf_printf(b,
                          ",\"done_reason\":\"%s\",\"done\":true,\"total_duration\":%lld,\"load_duration\":0,"
                          "\"prompt_eval_count\":%llu,\"prompt_eval_duration\":0,\"eval_count\":%llu,\"eval_duration\":0}",
                          done_reason[reply->finish], (long long)(leat_i_os_now_ns() - r->start_ns),
                          (unsigned long long)reply->prompt_tokens, (unsigned long long)reply->tokens);
    else
        leat_i_buf_puts(b, ",\"done\":false}");
}

static void ollama_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    line_put(r, reply, reply->text, reply->size, true);
}

static void ollama_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *text;
    size_t at = 0, size;
    r->content_type = "application/x-ndjson";
    leat_i_mock_tokens_begin(r);
    while ((text = leat_i_mock_token_next(reply, &at, &size)) != NULL) {
        line_put(r, reply, text, size, false);
        leat_i_buf_puts(&r->out, "\n");
        leat_i_mock_event_end(r);
    }
    leat_i_mock_tokens_end(r);
    leat_i_mock_events_final(r);
    line_put(r, reply, "", 0, true);
    leat_i_buf_puts(&r->out, "\n");
    leat_i_mock_event_end(r);
}

static void ollama_fail(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    leat_i_buf_puts(&r->out, "{\"error\":");
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_puts(&r->out, "}");
}

const leat_i_mock_dialect leat_i_mock_ollama = {
    .name = "ollama",
    .id_header = "x-request-id",
    .take = ollama_take,
    .put = ollama_put,
    .stream = ollama_stream,
    .fail = ollama_fail,
};
