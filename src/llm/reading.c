/* reading.c: see reading.h. */
#include "reading.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "form.h"
#include "retry_after.h"

/* ---- messages ---- */

static const char *case_sentence(leat_i_case what)
{
    switch (what) {
    case LEAT_I_CASE_FILTERED_ANSWER:
        return "the content filter stopped the reply";
    case LEAT_I_CASE_FILTERED_REQUEST:
        return "the content filter refused the request";
    case LEAT_I_CASE_EMPTY:
        return "the reply holds no content";
    case LEAT_I_CASE_TRUNCATED:
        return "the reply ended before it was complete";
    case LEAT_I_CASE_PAGE:
        return "the reply is a web page";
    case LEAT_I_CASE_NOT_JSON:
        return "the reply is not JSON";
    case LEAT_I_CASE_MALFORMED:
        return "the reply is JSON of an unknown form";
    case LEAT_I_CASE_MISFIT:
        return "the reply does not fit the request";
    case LEAT_I_CASE_ENCODING:
        return "the reply is not text in UTF-8";
    case LEAT_I_CASE_SERVER_LATE:
        return "the endpoint gave up in the middle of the reply";
    case LEAT_I_CASE_REDIRECT:
        return "the endpoint redirects; redirects are never followed (is the base URL right?)";
    case LEAT_I_CASE_DNS_UNKNOWN:
        return "no such host (is the base URL right?)";
    default:
        return "";
    }
}

/* "HTTP 429: what the endpoint says", or what we say. */
static void reply_message(leat_llm_reply *r, leat_i_case what, const char *theirs)
{
    const char *ours = case_sentence(what);
    r->message[0] = '\0';
    if (leat_i_class_is_good(r->cls)) return;
    char status[24] = "";
    if (r->http_status >= 300) snprintf(status, sizeof status, "HTTP %d", r->http_status);
    const char *parts[] = { status, ours, theirs };
    size_t used = 0;
    for (size_t i = 0; i < 3 && used < sizeof r->message; i++) {
        if (!*parts[i]) continue;
        int n = snprintf(r->message + used, sizeof r->message - used, "%s%s", used ? ": " : "", parts[i]);
        if (n > 0) used += (size_t)n;
    }
    if (!r->message[0]) snprintf(r->message, sizeof r->message, "%s", leat_class_name(r->cls));
}

/* ---- reading what came ---- */

/* How long the body asks us to wait; < 0 = it does not. */
static int64_t fault_wait_ms(const leat_i_fault *fault)
{
    int64_t now_ms = leat_i_os_wall_ns() / LEAT_I_NS_PER_MS;
    if (fault->retry_after_ms >= 0 || fault->retry_at_ms <= now_ms) return fault->retry_after_ms;
    int64_t wait_ms = fault->retry_at_ms - now_ms;
    return wait_ms < LEAT_I_RETRY_MS_MAX ? wait_ms : LEAT_I_RETRY_MS_MAX;
}

/* A 2xx body: judged, its text and usage taken, then squeezed. `may_lack_finish` as in leat_i_answer_read. */
static leat_err read_answer(leat_i_reading *rd, char *body, size_t size, bool may_lack_finish)
{
    leat_llm_reply *r = rd->reply;
    leat_i_answer a;
    leat_i_answer_to to = rd->to;
    to.may_lack_finish = may_lack_finish;
    leat_i_answer_read(&a, &to, body, size, rd->arena);
    rd->what = a.what;
    rd->retry_after_ms = fault_wait_ms(&a.fault);
    rd->overloaded = a.fault.overloaded;
    rd->has_usage = a.has_usage;
    r->cls = leat_i_case_rule_of(a.what)->cls;
    /* Without usage the tokens are guessed from the text. */
    if (!rd->skip_text || !a.has_usage) r->text = leat_i_answer_text(a.text, rd->arena, &r->text_bytes);
    if (!r->text) return LEAT_NOMEM;
    if (a.has_usage) {
        r->tokens_in = a.tokens_in;
        r->tokens_out = a.tokens_out;
        r->tokens_cached = a.tokens_cached;
        r->tokens_reasoning = a.tokens_reasoning;
    }
    r->cost = a.cost;
    bool usable = a.what != LEAT_I_CASE_PAGE && a.what != LEAT_I_CASE_NOT_JSON && a.what != LEAT_I_CASE_ENCODING &&
                  (a.what != LEAT_I_CASE_TRUNCATED || leat_i_json_parse(body, size, NULL).type);
    if (usable) {
        r->body = body;
        r->body_bytes = a.compact ? size : leat_i_json_squeeze(body, size);
    }
    reply_message(r, a.what, a.fault.message);
    return LEAT_OK;
}

/* A reply outside 2xx: what it says about itself. */
static void read_refusal(leat_i_reading *rd, leat_i_http_reply *h)
{
    leat_llm_reply *r = rd->reply;
    leat_i_fault fault;
    leat_i_fault_read(&fault, h->body, h->body_bytes, rd->arena);
    rd->what = leat_i_case_of_status(h->status, fault.kind);
    rd->retry_after_ms = leat_i_retry_after_ms(h->retry_after_ms, h->retry_after, h->date, leat_i_os_wall_ns());
    if (rd->retry_after_ms < 0) rd->retry_after_ms = fault_wait_ms(&fault);
    rd->overloaded = fault.overloaded;
    r->cls = leat_i_case_rule_of(rd->what)->cls;
    if (fault.is_json) {
        r->body = h->body;
        r->body_bytes = leat_i_json_squeeze(h->body, h->body_bytes);
    }
    reply_message(r, rd->what, fault.message);
}

/* A byte order mark has no business in JSON, but some put one there, and it says nothing. */
static void skip_mark(leat_i_http_reply *h)
{
    if (h->body_bytes < 3 || memcmp(h->body, "\xef\xbb\xbf", 3) != 0) return;
    h->body += 3;
    h->body_bytes -= 3;
}

static leat_err read_collected(leat_i_reading *rd, leat_i_http_reply *h)
{
    skip_mark(h);
    if (h->end == LEAT_I_HTTP_REPLY && h->status >= 200 && h->status < 300)
        return read_answer(rd, h->body, h->body_bytes, false);
    if (h->end == LEAT_I_HTTP_REPLY) {
        read_refusal(rd, h);
        return LEAT_OK;
    }
    rd->what = leat_i_case_of_end(h->end, h->sent);
    /* A refusal whose body broke off is still that refusal. */
    if (h->status >= 300 && (h->end == LEAT_I_HTTP_CUT || h->end == LEAT_I_HTTP_ENCODING)) {
        read_refusal(rd, h);
        return LEAT_OK;
    }
    rd->reply->cls = leat_i_case_rule_of(rd->what)->cls;
    reply_message(rd->reply, rd->what, h->message);
    return LEAT_OK;
}

/* What a stream says when it did not end well. */
static bool fold_case(const leat_i_fold *f, const leat_i_http_reply *h, leat_i_reading *rd, leat_i_fault *fault)
{
    if (f->error.size) {
        leat_i_json error = leat_i_json_parse(f->error.data, f->error.size, NULL);
        (void)leat_i_fault_in(fault, error, rd->arena);
        rd->late = leat_i_fold_has_output(f);
        rd->what = leat_i_case_of_fault(fault->kind, rd->late);
        rd->retry_after_ms = fault_wait_ms(fault);
        rd->overloaded = fault->overloaded;
    } else if (f->broken) {
        rd->what = f->garbled ? LEAT_I_CASE_ENCODING : LEAT_I_CASE_NOT_JSON;
        if (!f->garbled && f->plain.data)
            leat_i_line_copy(fault->message, sizeof fault->message, f->plain.data, f->plain.size);
    } else if (f->failed) {
        rd->what = f->crowded || h->end == LEAT_I_HTTP_TOO_LARGE ? LEAT_I_CASE_TOO_LARGE : LEAT_I_CASE_LOCAL;
    } else if (leat_i_fold_is_complete(f) && (!leat_i_fold_needs_end(f) || h->end == LEAT_I_HTTP_REPLY)) {
        return false; /* However the connection ended otherwise: the answer is whole. */
    } else if (h->end == LEAT_I_HTTP_REPLY || h->end == LEAT_I_HTTP_STOPPED) {
        rd->what = LEAT_I_CASE_TRUNCATED;
    } else {
        rd->what = leat_i_case_of_end(h->end, h->sent);
    }
    return true;
}

leat_err leat_i_read_stream(leat_i_reading *rd, leat_i_http_reply *h, leat_i_fold *f)
{
    leat_llm_reply *r = rd->reply;
    leat_i_fault fault = { .retry_after_ms = -1 };
    leat_i_buf b = { 0 };
    if (f->form == LEAT_I_FOLD_PLAIN && f->plain.size) (void)leat_i_fold_array(f, f->plain.data, f->plain.size);
    leat_i_fold_end(f);
    if (f->form == LEAT_I_FOLD_STREAM && fold_case(f, h, rd, &fault)) {
        r->cls = leat_i_case_rule_of(rd->what)->cls;
        reply_message(r, rd->what, fault.message[0] ? fault.message : h->message);
        return LEAT_OK;
    }
    bool ok = leat_i_fold_put(f, &b);
    char *body = ok ? leat_i_arena_strndup(rd->arena, b.data, b.size) : NULL;
    size_t size = b.size;
    leat_i_buf_fini(&b);
    if (!body) return LEAT_NOMEM;
    if (f->form == LEAT_I_FOLD_STREAM) {
        leat_err err = read_answer(rd, body, size, f->done);
        rd->late = leat_i_fold_has_output(f) && leat_i_case_rule_of(rd->what)->refund;
        return err;
    }
    h->body = body;
    h->body_bytes = size;
    return read_collected(rd, h);
}

static bool is_event_stream(const leat_i_http_reply *h)
{
    return h->content_type && strncasecmp(h->content_type, "text/event-stream", 17) == 0;
}

/* A stream that nobody asked for: folded after the fact. */
__attribute__((noinline)) static leat_err read_unasked_stream(leat_i_reading *rd, leat_i_http_reply *h)
{
    leat_i_fold fold;
    leat_i_http_piece piece;
    leat_i_fold_init(&fold, rd->to.form->fold, rd->body_bytes_max);
    (void)leat_i_fold_push(&fold, h->body, h->body_bytes, &piece);
    leat_err err = leat_i_read_stream(rd, h, &fold);
    leat_i_fold_fini(&fold);
    return err;
}

leat_err leat_i_read_reply(leat_i_reading *rd, leat_i_http_reply *h)
{
    bool good = h->status >= 200 && h->status < 300 && h->end == LEAT_I_HTTP_REPLY;
    bool in_array = good && rd->to.form && rd->to.form->fold->in_array && h->body_bytes && *h->body == '[';
    return (good && is_event_stream(h)) || in_array ? read_unasked_stream(rd, h) : read_collected(rd, h);
}
