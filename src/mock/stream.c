/* stream.c: the events of a streamed answer: role, one content delta a token, finish reason, usage if asked for, [DONE]. */
#include "stream.h"

#include "../base/json.h"
#include "answer.h"
#include "tokens.h"

/* Events before those of the tokens: the role. */
#define EVENTS_BEFORE 1

static void event_end(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "\n\n");
    uint32_t end = (uint32_t)r->out.size;
    leat_i_buf_append(&r->events, &end, sizeof end);
    r->event_count++;
}

/* A chunk with one choice: its delta, as JSON, and the finish reason, as JSON. */
static void chunk_put(leat_i_mock_request *r, const char *head, const char *text, size_t size, const char *finish,
                      const char *tail)
{
    leat_i_buf *b = &r->out;
    leat_i_buf_puts(b, head);
    leat_i_buf_puts(b, "\"choices\":[{\"index\":0,\"delta\":");
    if (r->event_count == 0) {
        leat_i_buf_puts(b, "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
    } else if (text) {
        leat_i_buf_puts(b, "{\"content\":");
        leat_i_json_put_string(b, text, size);
        leat_i_buf_puts(b, "}");
    } else {
        leat_i_buf_puts(b, "{}");
    }
    leat_i_buf_puts(b, ",\"logprobs\":null,\"finish_reason\":");
    leat_i_buf_puts(b, finish);
    leat_i_buf_puts(b, "}]");
    leat_i_buf_puts(b, tail);
    event_end(r);
}

static char *head_make(leat_i_mock_request *r)
{
    leat_i_buf b = { 0 };
    leat_i_buf_printf(&b,
                      "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion.chunk\",\"created\":%lld,"
                      "\"model\":\"%s\",\"system_fingerprint\":\"%s\",",
                      (unsigned long long)leat_i_mock_id(r), (long long)(leat_i_os_wall_ns() / LEAT_I_NS_PER_S),
                      LEAT_I_MOCK_MODEL, LEAT_I_MOCK_FINGERPRINT);
    char *head = b.failed ? NULL : leat_i_arena_strndup(&leat_i_mock_of(r)->scratch, b.data, b.size);
    leat_i_buf_fini(&b);
    return head;
}

bool leat_i_mock_stream_put(leat_i_mock_request *r, const leat_i_mock_summary *s, bool usage, uint64_t prompt_tokens)
{
    const char *tail = usage ? ",\"usage\":null}" : "}";
    const char *head = head_make(r);
    if (!head) return false;
    r->status = 200;
    r->streaming = true;
    r->event_count = 0;
    chunk_put(r, head, NULL, 0, "null", tail);
    for (size_t at = 0; at < s->size;) {
        size_t end = leat_i_mock_token_end(s->text, s->size, at);
        chunk_put(r, head, s->text + at, end - at, "null", tail);
        at = end;
    }
    chunk_put(r, head, NULL, 0, s->cut ? "\"length\"" : "\"stop\"", tail);
    if (usage) {
        leat_i_buf_puts(&r->out, head);
        leat_i_buf_printf(&r->out,
                          "\"choices\":[],\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,"
                          "\"total_tokens\":%llu,\"prompt_tokens_details\":{\"cached_tokens\":0},"
                          "\"completion_tokens_details\":{\"reasoning_tokens\":0}}}",
                          (unsigned long long)prompt_tokens, (unsigned long long)s->tokens,
                          (unsigned long long)(prompt_tokens + s->tokens));
        event_end(r);
    }
    leat_i_buf_puts(&r->out, "data: [DONE]");
    event_end(r);
    return !r->out.failed && !r->events.failed;
}

int64_t leat_i_mock_stream_due_ns(const leat_i_mock_request *r, uint32_t index)
{
    double rate = leat_i_mock_of(r)->opts.tokens_per_s;
    uint64_t tokens = index > EVENTS_BEFORE ? index - EVENTS_BEFORE : 0;
    if (tokens >= r->tokens_reply) tokens = r->tokens_reply ? r->tokens_reply - 1 : 0;
    return rate > 0 ? (int64_t)((double)tokens / rate * 1e9) : 0;
}
