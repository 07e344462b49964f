/*
 * chat.c: what a chat is, whatever its form: an extractive summary of the last user message. Any model name is taken, so that a
 * client's real settings work unchanged; the answer names the model that answered, as endpoints do.
 */
#include "play.h"

static bool summary_make(leat_i_mock_request *r, const leat_i_mock_ask *ask, leat_i_mock_summary *s)
{
    if (leat_i_mock_extract(ask->text, ask->text_size, ask->tokens_max, &leat_i_mock_of(r)->scratch, s)) return true;
    leat_i_mock_fail_memory(r);
    return false;
}

static void reply_put(leat_i_mock_request *r, const leat_i_mock_ask *ask, const leat_i_mock_summary *s)
{
    leat_i_mock_reply reply = { .text = s->text,
                                .size = s->size,
                                .prompt_tokens = ask->prompt_tokens,
                                .tokens = s->tokens,
                                .finish = s->cut ? LEAT_I_MOCK_LENGTH : LEAT_I_MOCK_STOP,
                                .tokens_max = ask->tokens_max,
                                .usage = ask->usage };
    if (r->order) leat_i_mock_play_reply(r, &reply);
    r->tokens_reply = reply.tokens;
    r->status = 200;
    r->streaming = ask->stream;
    if (ask->stream)
        r->dialect->stream(r, &reply);
    else
        r->dialect->put(r, &reply);
    if (r->out.failed) leat_i_mock_fail_memory(r);
}

void leat_i_mock_chat(leat_i_mock_request *r, leat_i_json body)
{
    const leat_mock *m = leat_i_mock_of(r);
    leat_i_mock_ask ask;
    leat_i_mock_summary s = { 0 };
    leat_i_mock_ask_begin(&ask);
    if (!r->dialect->take(r, body, &ask)) return;
    /* Charged is what the request may cost: its max_tokens, else the answer itself, which then must be known first. */
    bool early = (m->limits.tokens || m->limits.output || m->script.has_limits) && !ask.tokens_max;
    if (early && !summary_make(r, &ask, &s)) return;
    uint64_t tokens = ask.prompt_tokens + (ask.tokens_max ? ask.tokens_max : s.tokens);
    r->tokens_in = ask.prompt_tokens;
    if (!leat_i_mock_admit(r, tokens, r->start_ns)) return;
    if (!early && !summary_make(r, &ask, &s)) return;
    if (!ask.tokens_max) r->tokens = ask.prompt_tokens + s.tokens;
    reply_put(r, &ask, &s);
}
