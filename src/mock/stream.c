/* stream.c: the events of a streamed answer: what comes before the first token goes out at once, then each token at its time. */
#include "stream.h"

#include <string.h>

#include "tokens.h"

void leat_i_mock_event_end(leat_i_mock_request *r)
{
    uint32_t end = (uint32_t)r->out.size;
    if (!leat_i_buf_append(&r->events, &end, sizeof end)) r->out.failed = true;
    r->event_count++;
}

void leat_i_mock_tokens_begin(leat_i_mock_request *r)
{
    r->events_before = r->event_count;
}

void leat_i_mock_tokens_end(leat_i_mock_request *r)
{
    r->events_tokens = r->event_count;
}

void leat_i_mock_events_final(leat_i_mock_request *r)
{
    r->events_final = r->event_count;
}

const char *leat_i_mock_token_next(const leat_i_mock_reply *reply, size_t *at, size_t *size)
{
    if (*at >= reply->size) return NULL;
    const char *text = reply->text + *at;
    size_t end = leat_i_mock_token_end(reply->text, reply->size, *at);
    *size = end - *at;
    *at = end;
    return text;
}

size_t leat_i_mock_event_at(const leat_i_mock_request *r, uint32_t index)
{
    uint32_t end;
    memcpy(&end, r->events.data + index * sizeof end, sizeof end);
    return end;
}

void leat_i_mock_events_rewrite(leat_i_mock_request *r, leat_i_mock_event_put put, void *arg)
{
    leat_i_buf from = r->out, ends = r->events;
    uint32_t count = r->streaming ? r->event_count : 1;
    size_t at = 0;
    r->out = (leat_i_buf){ 0 };
    r->events = (leat_i_buf){ 0 };
    r->event_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = (uint32_t)from.size;
        if (r->streaming) memcpy(&end, ends.data + i * sizeof end, sizeof end);
        put(&r->out, from.data + at, end - at, i, count, arg);
        leat_i_mock_event_end(r);
        at = end;
    }
    leat_i_buf_fini(&from);
    leat_i_buf_fini(&ends);
    if (r->out.failed) leat_i_mock_fail_memory(r);
}

int64_t leat_i_mock_event_due_ns(const leat_i_mock_request *r, uint32_t index)
{
    if (index < r->events_before) return 0;
    uint64_t tokens = index - r->events_before;
    if (tokens >= r->tokens_reply) tokens = r->tokens_reply ? r->tokens_reply - 1 : 0;
    return r->first_token_ns + (r->tokens_per_s > 0 ? (int64_t)((double)tokens / r->tokens_per_s * 1e9) : 0);
}
