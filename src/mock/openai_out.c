/*
 * openai_out.c: answers in OpenAI's forms: chat completions, their stream (role, one content delta a token, finish reason, usage if
 * asked for, [DONE]), errors, and the headers of the limits.
 */
#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "stream.h"

#define FINGERPRINT "fp_leat_0_1"

const char *leat_i_mock_finish_name(leat_i_mock_finish finish)
{
    static const char *const name[LEAT_I_MOCK_FINISH_COUNT] = { "stop", "length", "content_filter" };
    return name[finish];
}

void leat_i_mock_openai_usage_put(leat_i_buf *b, const leat_i_mock_reply *reply)
{
    leat_i_buf_printf(b,
                      "\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,\"total_tokens\":%llu,"
                      "\"prompt_tokens_details\":{\"cached_tokens\":0},"
                      "\"completion_tokens_details\":{\"reasoning_tokens\":0}}",
                      (unsigned long long)reply->prompt_tokens, (unsigned long long)reply->tokens,
                      (unsigned long long)(reply->prompt_tokens + reply->tokens));
}

static long long created_s(void)
{
    return (long long)(leat_i_os_wall_ns() / LEAT_I_NS_PER_S);
}

void leat_i_mock_openai_put(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    leat_i_buf *b = &r->out;
    leat_i_buf_printf(b,
                      "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":\"%s\","
                      "\"choices\":[",
                      (unsigned long long)leat_i_mock_id(r), created_s(), LEAT_I_MOCK_MODEL);
    if (!reply->no_choice) {
        leat_i_buf_puts(b, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
        leat_i_json_put_string(b, reply->text, reply->size);
        leat_i_buf_printf(b, ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"%s\"}",
                          leat_i_mock_finish_name(reply->finish));
    }
    leat_i_buf_puts(b, "],");
    if (!reply->no_usage) {
        leat_i_mock_openai_usage_put(b, reply);
        leat_i_buf_puts(b, ",");
    }
    leat_i_buf_puts(b, "\"system_fingerprint\":\"" FINGERPRINT "\"}");
}

/* A chunk with one choice: its delta and the finish reason, as JSON. */
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
    leat_i_buf_printf(b, ",\"logprobs\":null,\"finish_reason\":%s%s%s}]%s\n\n", finish ? "\"" : "", finish ? finish : "null",
                      finish ? "\"" : "", tail);
    leat_i_mock_event_end(r);
}

/* The end of a chunk that tells the usage so far. */
static const char *usage_tail(char *to, size_t room, const leat_i_mock_reply *reply, uint64_t tokens)
{
    snprintf(to, room, ",\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,\"total_tokens\":%llu}}",
             (unsigned long long)reply->prompt_tokens, (unsigned long long)tokens,
             (unsigned long long)(reply->prompt_tokens + tokens));
    return to;
}

/* The chunk without choices, which tells the usage. */
static void no_choice_put(leat_i_mock_request *r, const char *head, const leat_i_mock_reply *reply)
{
    leat_i_buf_puts(&r->out, head);
    leat_i_buf_puts(&r->out, "\"choices\":[],");
    leat_i_mock_openai_usage_put(&r->out, reply);
    leat_i_buf_puts(&r->out, "}\n\n");
    leat_i_mock_event_end(r);
}

void leat_i_mock_openai_stream(leat_i_mock_request *r, const leat_i_mock_reply *reply)
{
    const char *tail = reply->usage ? ",\"usage\":null}" : "}";
    const char *text;
    char each[128];
    size_t at = 0, size;
    leat_i_buf head = { 0 };
    leat_i_buf_printf(&head,
                      "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion.chunk\",\"created\":%lld,"
                      "\"model\":\"%s\",\"system_fingerprint\":\"%s\",",
                      (unsigned long long)leat_i_mock_id(r), created_s(), LEAT_I_MOCK_MODEL, FINGERPRINT);
    if (head.failed) {
        r->out.failed = true;
        leat_i_buf_fini(&head);
        return;
    }
    if (!reply->no_choice) chunk_put(r, head.data, NULL, 0, NULL, tail);
    leat_i_mock_tokens_begin(r);
    for (uint64_t n = 1; (text = leat_i_mock_token_next(reply, &at, &size)) != NULL; n++) {
        if (reply->usage_each) tail = usage_tail(each, sizeof each, reply, n);
        chunk_put(r, head.data, text, size, NULL, tail);
    }
    leat_i_mock_tokens_end(r);
    if (!reply->no_choice) chunk_put(r, head.data, NULL, 0, leat_i_mock_finish_name(reply->finish), tail);
    if (reply->no_choice || (reply->usage && !reply->no_usage)) no_choice_put(r, head.data, reply);
    leat_i_mock_events_final(r);
    leat_i_buf_puts(&r->out, "data: [DONE]\n\n");
    leat_i_mock_event_end(r);
    leat_i_buf_fini(&head);
}

static void put_nullable(leat_i_buf *b, const char *s)
{
    if (s)
        leat_i_json_put_string(b, s, strlen(s));
    else
        leat_i_buf_puts(b, "null");
}

void leat_i_mock_openai_fail(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    leat_i_buf_puts(&r->out, "{\"error\":{\"message\":");
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_puts(&r->out, ",\"type\":");
    put_nullable(&r->out, f->type);
    leat_i_buf_puts(&r->out, ",\"param\":");
    put_nullable(&r->out, f->param);
    leat_i_buf_puts(&r->out, ",\"code\":");
    put_nullable(&r->out, f->code);
    leat_i_buf_puts(&r->out, "}}");
}

void leat_i_mock_openai_add_limits(struct MHD_Response *response, const leat_i_mock_request *r)
{
    leat_i_mock_add_x_ratelimit(response, r, leat_i_mock_put_duration);
}

void leat_i_mock_openai_add_retry(struct MHD_Response *response, const leat_i_mock_request *r)
{
    leat_i_mock_add_retry(response, r, true);
}

const leat_i_mock_dialect leat_i_mock_openai = {
    .name = "openai",
    .id_header = "x-request-id",
    .take = leat_i_mock_openai_take,
    .put = leat_i_mock_openai_put,
    .stream = leat_i_mock_openai_stream,
    .embed = &leat_i_mock_embed_openai,
    .fail = leat_i_mock_openai_fail,
    .add_limits = leat_i_mock_openai_add_limits,
    .add_retry = leat_i_mock_openai_add_retry,
    .tells_time = true,
};
