/* play.c: the fault that a script ordered for a request: what is said, when it goes out, and where it ends. */
#include "play.h"

#include <string.h>

#define LOOP_TOKENS 1000

int64_t leat_i_mock_play_ns(const leat_i_mock_request *r, int64_t usual_s)
{
    return r->order->after_ns >= 0 ? r->order->after_ns : usual_s * LEAT_I_NS_PER_S;
}

static void text_set(leat_i_mock_reply *reply, const char *text, uint64_t tokens)
{
    reply->text = text;
    reply->size = strlen(text);
    reply->tokens = tokens;
}

/* The same token again and again. */
static void loop_set(leat_i_mock_request *r, leat_i_mock_reply *reply)
{
    uint64_t count = reply->tokens_max && reply->tokens_max < LOOP_TOKENS ? reply->tokens_max : LOOP_TOKENS;
    char *text = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, count * 3 + 1);
    if (!text) return;
    for (uint64_t i = 0; i < count; i++)
        memcpy(text + i * 3, " so", 3);
    text[count * 3] = '\0';
    text_set(reply, text, count);
    reply->finish = LEAT_I_MOCK_LENGTH;
}

static void mark_set(leat_i_mock_request *r, leat_i_mock_reply *reply)
{
    char *text = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, reply->size + 4);
    if (!text) return;
    memcpy(text, LEAT_I_MOCK_BAD_MARK, 3);
    memcpy(text + 3, reply->text, reply->size);
    text[reply->size + 3] = '\0';
    reply->text = text;
    reply->size += 3;
}

void leat_i_mock_play_reply(leat_i_mock_request *r, leat_i_mock_reply *reply)
{
    switch (r->order->fault) {
    case LEAT_I_MOCK_FAULT_NO_CHOICE:
        reply->no_choice = true;
        text_set(reply, "", 0);
        break;
    case LEAT_I_MOCK_FAULT_EMPTY:
        text_set(reply, "", 0);
        break;
    case LEAT_I_MOCK_FAULT_FILTERED:
        text_set(reply, "", 0);
        reply->finish = LEAT_I_MOCK_FILTERED;
        break;
    case LEAT_I_MOCK_FAULT_LENGTH:
        reply->finish = LEAT_I_MOCK_LENGTH;
        break;
    case LEAT_I_MOCK_FAULT_LOOP:
        loop_set(r, reply);
        break;
    case LEAT_I_MOCK_FAULT_NO_USAGE:
        reply->no_usage = true;
        break;
    case LEAT_I_MOCK_FAULT_USAGE_UNASKED:
        reply->usage = true;
        break;
    case LEAT_I_MOCK_FAULT_USAGE_EACH:
        reply->usage_each = true;
        break;
    case LEAT_I_MOCK_FAULT_BAD_UTF8:
        mark_set(r, reply);
        break;
    default:
        break;
    }
}

/* The middle of what goes out. */
static size_t middle(const leat_i_mock_request *r)
{
    return r->out.size / 2;
}

static void cut(leat_i_mock_request *r, bool by_reset)
{
    r->decision = "cut";
    r->cut_at = middle(r);
    r->cut_resets = by_reset;
}

static void hold(leat_i_mock_request *r, size_t at)
{
    r->hold_at = at;
    r->hold_ns = leat_i_mock_play_ns(r, 60);
}

static int64_t dribble(leat_i_mock_request *r)
{
    int64_t all_ns = leat_i_mock_play_ns(r, 2), size = (int64_t)r->out.size + 1;
    r->dribble_ns = all_ns / size > 0 ? all_ns / size : 1;
    return 0;
}

/* What is left of a stream's time goes before its head. */
static int64_t buffer(leat_i_mock_request *r)
{
    int64_t last_ns = r->first_token_ns;
    if (r->tokens_per_s > 0) last_ns += (int64_t)((double)r->tokens_reply / r->tokens_per_s * 1e9);
    r->first_token_ns = 0;
    r->tokens_per_s = 0;
    return r->streaming ? last_ns : 0;
}

static int64_t no_answer(leat_i_mock_request *r, leat_i_mock_wire wire, int64_t delay_ns)
{
    r->decision = "cut";
    r->status = 0;
    r->wire = wire;
    return delay_ns;
}

int64_t leat_i_mock_play(leat_i_mock_request *r)
{
    if (r->out.size == 0) return 0; /* memory was short: there is no answer to play with */
    if (leat_i_mock_play_status(r) || leat_i_mock_play_bytes(r) || leat_i_mock_play_wire(r)) return 0;
    switch (r->order->fault) {
    case LEAT_I_MOCK_FAULT_RATE_NONSENSE:
        r->headers = "x-ratelimit-remaining-requests: -1\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-limit-tokens: 0\n"
                     "x-ratelimit-reset-tokens: 6h0m0s";
        r->limits_known = false;
        return 0;
    case LEAT_I_MOCK_FAULT_SLOW:
        return leat_i_mock_play_ns(r, 10);
    case LEAT_I_MOCK_FAULT_HANG:
        return no_answer(r, LEAT_I_MOCK_WIRE_CLOSE, leat_i_mock_play_ns(r, 60));
    case LEAT_I_MOCK_FAULT_CLOSE:
        return no_answer(r, LEAT_I_MOCK_WIRE_CLOSE, 0);
    case LEAT_I_MOCK_FAULT_RESET:
        return no_answer(r, LEAT_I_MOCK_WIRE_RESET, 0);
    case LEAT_I_MOCK_FAULT_BUFFERED:
        return buffer(r);
    case LEAT_I_MOCK_FAULT_KEEPALIVE:
        r->comments_ns = leat_i_mock_play_ns(r, 10);
        return 0;
    case LEAT_I_MOCK_FAULT_SILENT:
        cut(r, false);
        hold(r, middle(r));
        return 0;
    case LEAT_I_MOCK_FAULT_OPEN_END:
        hold(r, r->out.size);
        return 0;
    case LEAT_I_MOCK_FAULT_DRIBBLE:
        return dribble(r);
    case LEAT_I_MOCK_FAULT_FLOOD:
        r->floods = true;
        return 0;
    case LEAT_I_MOCK_FAULT_CUT:
        cut(r, false);
        return 0;
    case LEAT_I_MOCK_FAULT_CUT_RESET:
        cut(r, true);
        return 0;
    default:
        return 0; /* it was played when the answer was made */
    }
}
