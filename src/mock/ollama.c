/*
 * ollama.c: Ollama's POST /api/chat and /api/generate: a line of JSON a token, unless "stream" is false; and /api/embed. No headers
 * of limits.
 */
#include <string.h>

#include "dialect.h"
#include "embed.h"
#include "stream.h"

static const char *const roles[] = { "user", "system", "assistant", "tool", NULL };
static const char *const done_reason[LEAT_I_MOCK_FINISH_COUNT] = { "stop", "length", "stop" };

/* What both have; -1 and -2 mean no limit. */
static bool settings_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json model, most = leat_i_json_path(body, "options.num_predict");
    ask->stream = true;
    if (most.type == LEAT_I_JSON_NUMBER && *most.at == '-') most.type = LEAT_I_JSON_NONE;
    return leat_i_mock_need_string(r, body, "model", &model) &&
           leat_i_mock_take_bool(r, leat_i_json_get(body, "stream"), "stream", &ask->stream) &&
           leat_i_mock_take_u64(r, most, "num_predict", 1, UINT32_MAX, &ask->tokens_max);
}

static bool chat_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    return settings_take(r, body, ask) &&
           leat_i_mock_messages_take(r, leat_i_json_get(body, "messages"), "messages", "content", roles, ask);
}

static bool generate_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_ask *ask)
{
    leat_i_json prompt, system = leat_i_json_get(body, "system");
    if (!settings_take(r, body, ask)) return false;
    if (system.type == LEAT_I_JSON_STRING && !leat_i_mock_ask_take(r, ask, false, system, "system")) return false;
    return leat_i_mock_need_string(r, body, "prompt", &prompt) && leat_i_mock_ask_take(r, ask, true, prompt, "prompt");
}

static void line_put(leat_i_mock_request *r, const leat_i_mock_reply *reply, const char *text, size_t size, bool done)
{
    leat_i_buf *b = &r->out;
    bool is_chat = r->dialect == &leat_i_mock_ollama;
    char when[32];
    leat_i_mock_put_rfc3339(when, sizeof when, leat_i_os_wall_ns());
    leat_i_buf_printf(b, "{\"model\":\"%s\",\"created_at\":\"%s\",%s", LEAT_I_MOCK_MODEL, when,
                      is_chat ? "\"message\":{\"role\":\"assistant\",\"content\":" : "\"response\":");
    leat_i_json_put_string(b, text, size);
    if (is_chat) leat_i_buf_puts(b, "}");
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

/* ---- embeddings ---- */

static bool input_add(leat_i_mock_request *r, leat_i_json input, leat_i_mock_embed_ask *ask)
{
    const char *text;
    size_t size;
    if (input.type != LEAT_I_JSON_STRING) return leat_i_mock_invalid(r, "input", NULL, "invalid input type");
    return leat_i_mock_text_of(r, input, "input", &text, &size) && leat_i_mock_embed_add(r, ask, text, size);
}

static bool embed_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_embed_ask *ask)
{
    leat_i_json model, input = leat_i_json_get(body, "input"), one;
    size_t count = 0;
    if (!leat_i_mock_need_string(r, body, "model", &model) ||
        !leat_i_mock_take_u64(r, leat_i_json_get(body, "dimensions"), "dimensions", 1, LEAT_I_MOCK_EMBED_DIMENSIONS_MAX,
                              &ask->dimensions))
        return false;
    if (input.type != LEAT_I_JSON_ARRAY) return leat_i_mock_embed_room(r, ask, 1) && input_add(r, input, ask);
    for (size_t at = 0; leat_i_json_next_element(input, &at, &one);)
        count++;
    if (count == 0 || count > LEAT_I_MOCK_EMBED_INPUTS_MAX)
        return leat_i_mock_invalid(r, "input", NULL, "input: from 1 to %d texts are taken", LEAT_I_MOCK_EMBED_INPUTS_MAX);
    if (!leat_i_mock_embed_room(r, ask, count)) return false;
    for (size_t at = 0; leat_i_json_next_element(input, &at, &one);)
        if (!input_add(r, one, ask)) return false;
    return true;
}

static void embed_begin(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "{\"model\":\"" LEAT_I_MOCK_EMBED_MODEL "\",\"embeddings\":[");
}

/* A vector stands alone in the list. */
static void entry_begin(leat_i_mock_request *r, size_t index)
{
    (void)r, (void)index;
}

static void entry_end(leat_i_mock_request *r)
{
    (void)r;
}

static void embed_end(leat_i_mock_request *r, const leat_i_mock_embed_ask *ask)
{
    leat_i_buf_printf(&r->out, "],\"total_duration\":%lld,\"load_duration\":0,\"prompt_eval_count\":%llu}",
                      (long long)(leat_i_os_now_ns() - r->start_ns), (unsigned long long)ask->tokens);
}

const leat_i_mock_embed_form leat_i_mock_embed_ollama = { embed_take, embed_begin, entry_begin, entry_end, embed_end };

const leat_i_mock_dialect leat_i_mock_ollama = {
    .name = "ollama",
    .id_header = "x-request-id",
    .take = chat_take,
    .put = ollama_put,
    .stream = ollama_stream,
    .embed = &leat_i_mock_embed_ollama,
    .fail = ollama_fail,
};

const leat_i_mock_dialect leat_i_mock_generate = {
    .name = "ollama",
    .id_header = "x-request-id",
    .take = generate_take,
    .put = ollama_put,
    .stream = ollama_stream,
    .fail = ollama_fail,
};
