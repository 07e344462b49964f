/*
 * call.c: one call: attempts, each under a grant of the limiter, until an answer is good or a budget is spent.
 *
 * A grant is held from before the request until its outcome is known, and given back before any wait. What an attempt left in the
 * task's memory is given back before the next one.
 */
#include "setup.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../net/url.h"
#include "policy.h"
#include "rates.h"
#include "reading.h"
#include "request.h"
#include "retry_after.h"
#include "spent.h"
#include "turn.h"

typedef struct call {
    leat_task *t;
    leat_llm *llm;
    leat_llm_reply *reply;
    leat_i_http_request request;
    leat_i_asked asked;          /* the request as the caller made it; what depends on the place is filled in for each */
    leat_i_wire one, *wire;      /* as it goes out: by wire_index of the places; path NULL = not made yet */
    const leat_i_wire *out;      /* the one of this attempt */
    uint32_t place_index;        /* where the request goes */
    const leat_i_llm_turn *turn; /* NULL = none */
    double max_tokens;
    size_t inputs; /* of a request for embeddings; 0 = unknown, or another request */
    leat_i_policy policy;
    leat_i_arena_mark mark; /* of the task's memory, behind what the limiter keeps there */
    int64_t wait_ms;        /* before the next attempt */
    bool again;             /* there is a next attempt */
    leat_err failed;        /* the last attempt that another one follows, and why; LEAT_OK = there was none */
    char why[192];
    /* Of the attempts before this one, as far as they said: their answers are thrown away, and cost what they cost. */
    leat_i_spent spent;
} call;

/* ---- one attempt ---- */

static leat_err attempt_perform(call *c, leat_i_http_reply *h)
{
    LEAT_TRY(leat_i_http_perform(c->t, &c->request, h));
    c->reply->http_status = h->status;
    if (h->request_id) c->reply->request_id = h->request_id;
    return LEAT_OK;
}

/* The exchange of a request that asks for a stream. A function of its own: its frame is large, and most calls do without. */
__attribute__((noinline)) static leat_err attempt_stream(call *c, leat_i_reading *rd, leat_i_http_reply *h)
{
    leat_i_fold fold;
    int64_t start_ns = leat_i_os_now_ns();
    leat_i_fold_init(&fold, c->out->form->fold, c->llm->body_bytes_max);
    if (c->turn && c->turn->heard) fold.heard = c->turn->heard, fold.heard_arg = c->turn->arg;
    c->request.on_data = leat_i_fold_push;
    c->request.on_data_arg = &fold;
    leat_err err = attempt_perform(c, h);
    if (!err && h->status >= 200 && h->status < 300)
        err = leat_i_read_stream(rd, h, &fold);
    else if (!err)
        err = leat_i_read_reply(rd, h);
    if (fold.first_ns) c->reply->ttft_ms = (fold.first_ns - start_ns) / LEAT_I_NS_PER_MS;
    leat_i_fold_fini(&fold);
    return err;
}

static leat_err attempt_exchange(call *c, leat_i_reading *rd, leat_i_http_reply *h)
{
    if (c->request.accept_stream) return attempt_stream(c, rd, h);
    LEAT_TRY(attempt_perform(c, h));
    return leat_i_read_reply(rd, h);
}

static void attempt_clear(leat_llm_reply *r)
{
    r->cls = LEAT_CLASS_OK;
    r->http_status = 0;
    r->body = NULL;
    r->text = r->request_id = "";
    r->body_bytes = r->text_bytes = 0;
    r->tokens_in = r->tokens_out = r->tokens_cached = r->tokens_reasoning = 0;
    r->cost = 0;
    r->ttft_ms = -1;
    r->estimated = false;
    r->is_fatal = r->is_unreached = false;
}

/* Tells the limiter what the attempt has shown about the endpoint. */
static void attempt_report(call *c, const leat_i_reading *rd, const leat_grant *grant)
{
    leat_llm_reply *r = c->reply;
    leat_llm *llm = c->llm;
    leat_limiter_report report = {
        .verdict = leat_i_verdict_of(rd->what, r->http_status, rd->overloaded),
        .retry_after_ms = rd->retry_after_ms < llm->throttle_max_ms ? rd->retry_after_ms : llm->throttle_max_ms,
        .first_token_ms = r->ttft_ms,
    };
    leat_limiter_tell(c->t, llm->limiter, *grant, &report);
}

/* Once: a run that is slower than it was told to be has a reason that people want to know. */
static void limits_tell(const call *c, uint32_t place_index, const leat_limiter_opts *told, const leat_limiter_stats *before)
{
    leat_limiter_stats now;
    leat_limiter_read(c->llm->limiter, &now);
    bool requests = before->requests_per_min > now.requests_per_min, tokens = before->tokens_per_min > now.tokens_per_min;
    if (!requests && !tokens) return;
    if (leat_exchange_acquire(&c->llm->place[place_index].limits_told, true))
        return; /* Acquire pairs with itself: one tells. */
    leat_i_runtime_log(c->llm->rt, LEAT_LOG_WARNING, "the endpoint allows %.0f %s a minute, which is less than was set",
                       requests ? told->requests_per_min : told->tokens_per_min, requests ? "requests" : "tokens");
}

/* What the headers say about limits, for the limiter; and a wait, where they know of one and nothing else does. */
static void attempt_learn(call *c, leat_i_reading *rd, const leat_i_http_reply *h, const leat_grant *grant)
{
    leat_llm *llm = c->llm;
    leat_limiter_opts told;
    leat_limiter_stats before;
    int64_t wait_ms, date_s = h->date ? leat_i_http_date_s(h->date) : -1;
    if (!llm->limiter || !h->limits || llm->ignore_limits) return;
    if (date_s < 0) date_s = leat_i_os_wall_ns() / LEAT_I_NS_PER_S;
    leat_i_rates_read(h->limits, date_s, &llm->place[grant->endpoint_index].rates, &told, &wait_ms);
    if (h->status == 429 && rd->retry_after_ms < 0) rd->retry_after_ms = wait_ms;
    leat_limiter_read(llm->limiter, &before);
    if (leat_limiter_learn(c->t, llm->limiter, grant->endpoint_index, &told))
        limits_tell(c, grant->endpoint_index, &told, &before);
}

/* Whether what an attempt was to use is given back. An endpoint that is overloaded has let the request in, as far as its own counters
 * go; one that refuses for the rate has not. */
static bool is_refunded(const leat_i_reading *rd, const leat_llm_reply *r)
{
    bool overloaded = leat_i_verdict_of(rd->what, r->http_status, rd->overloaded) == LEAT_VERDICT_OVERLOADED;
    return leat_i_case_rule_of(rd->what)->refund && !rd->late && !overloaded;
}

/* Tells the limiter and the estimate what became of the grant. */
static void attempt_settle(call *c, const leat_i_reading *rd, const leat_grant *grant)
{
    leat_llm_reply *r = c->reply;
    leat_llm *llm = c->llm;
    leat_cost used = { .input = (double)r->tokens_in, .output = (double)r->tokens_out };
    if (llm->place[grant->endpoint_index].provider->cached_are_free) used.input -= (double)r->tokens_cached;
    if (rd->has_usage) leat_i_estimate_learn(&llm->estimate, c->request.body_bytes, used);
    if (!rd->has_usage && leat_i_class_is_good(r->cls)) {
        leat_cost guess = leat_i_estimate_guess(&llm->estimate, c->request.body_bytes, c->max_tokens);
        used = (leat_cost){ .input = guess.input, .output = (double)r->text_bytes / 4 };
        r->tokens_in = (uint64_t)(used.input + 0.5);
        r->tokens_out = (uint64_t)(used.output + 0.5);
        r->estimated = true;
    }
    bool refunded = is_refunded(rd, r), known = rd->has_usage || r->estimated;
    leat_i_estimate_close(&llm->estimate, !refunded && !known, leat_task_now_ns(c->t));
    if (!llm->limiter) return;
    attempt_report(c, rd, grant);
    /* Who does not say what it used is taken to have used what such a request does, as far as is known by now. */
    if (!known) used = leat_i_estimate_guess(&llm->estimate, c->request.body_bytes, c->max_tokens);
    if (refunded)
        leat_limiter_refund(llm->limiter, *grant);
    else
        leat_limiter_settle(llm->limiter, *grant, used);
}

static int opinion_of(const char *should_retry)
{
    if (!should_retry) return -1;
    return strcasecmp(should_retry, "true") == 0 ? 1 : strcasecmp(should_retry, "false") == 0 ? 0 : -1;
}

/* An endpoint may echo the key: it stays here. `*text` is in the task's memory, and its own. */
static bool text_redact(const call *c, const char **text, size_t *size, bool pieces)
{
    size_t was = *size;
    *size = leat_i_secrets_redact(&c->llm->secrets, (char *)(uintptr_t)*text, was, pieces);
    return *size != was;
}

/* The caller hears of each attempt, and may have it otherwise; what it hears and shows is as clean as what is in the row. */
static void attempt_tell(call *c, const leat_i_case_rule *rule, const leat_i_http_reply *h, bool billed,
                         const leat_i_policy *before)
{
    const char *message = c->reply->message;
    size_t size = strlen(message);
    (void)text_redact(c, &message, &size, true);
    leat_i_llm_attempt a = {
        .number = c->reply->attempts,
        .endpoint_index = c->place_index,
        .start_ns = leat_task_now_ns(c->t) - h->end_ns,
        .http_status = h->status,
        .cls = rule->cls,
        .sent = h->sent,
        .throttled = rule->cls == LEAT_CLASS_THROTTLED,
        .billed = billed,
        .fatal = c->reply->is_fatal,
        .unreached = c->reply->is_unreached,
        .message = message,
        .tokens_in = c->reply->tokens_in,
        .tokens_out = c->reply->tokens_out,
        .cost = c->reply->cost,
        .again = c->again,
        .wait_ms = c->wait_ms,
    };
    bool nothing_went_out = h->end == LEAT_I_HTTP_CANCELED && !h->sent;
    if (!c->turn || !c->turn->ended || nothing_went_out) return;
    c->turn->ended(c->t, c->turn->arg, &a);
    c->again = a.again;
    c->wait_ms = a.wait_ms;
    if (a.uncharged) c->policy = *before;
}

/* With several endpoints: that one denies its key, or is not there, is nobody's end while there are others. The limiter has been
 * told already, and leaves it alone before long. */
static bool others_remain(const call *c, leat_verdict verdict, bool unreached)
{
    leat_limiter_stats stats;
    if (c->llm->place_count < 2 || (verdict != LEAT_VERDICT_DENIED && !unreached)) return false;
    leat_limiter_read(c->llm->limiter, &stats);
    return (verdict == LEAT_VERDICT_DENIED ? stats.endpoints_denied : stats.endpoints_out) < stats.endpoint_count;
}

static void attempt_count(call *c, const leat_i_reading *rd, const leat_i_http_reply *h)
{
    leat_llm_reply *r = c->reply;
    const leat_i_case_rule *rule = leat_i_case_rule_of(rd->what);
    leat_verdict verdict = leat_i_verdict_of(rd->what, h->status, rd->overloaded);
    leat_i_outcome outcome = {
        .what = rd->what,
        .retry_after_ms = rd->retry_after_ms,
        .attempt_ms = h->end_ns / LEAT_I_NS_PER_MS,
        .should_retry = opinion_of(h->should_retry),
        .overloaded = verdict == LEAT_VERDICT_OVERLOADED,
        .others = c->llm->place_count > 1,
    };
    bool elsewhere = others_remain(c, verdict, rule->unreached);
    r->is_fatal = rule->fatal && !elsewhere;
    r->is_unreached = rule->unreached && !elsewhere;
    if (rule->cls == LEAT_CLASS_THROTTLED) r->throttles++;
    bool billed = (rule->billed || rd->late) && h->sent;
    if (billed) r->possibly_billed++;
    /* A kept connection that was dead is seldom the only one. */
    c->request.fresh = rule->retry == LEAT_I_RETRY_FREE;
    leat_i_policy before = c->policy;
    c->again = leat_i_policy_next(&c->policy, &outcome, &c->wait_ms) || elsewhere;
    if (c->turn && c->turn->is_final && c->turn->is_final(c->turn->arg)) c->again = false;
    attempt_tell(c, rule, h, billed, &before);
}

/* Nothing is sent: the sentence is the reply. */
static leat_err call_refuse(call *c, const char *why)
{
    attempt_clear(c->reply);
    c->reply->cls = LEAT_CLASS_INPUT;
    snprintf(c->reply->message, sizeof c->reply->message, "%s", why);
    return LEAT_INPUT;
}

/* Points the request at a place, in that one's form, which is made once a call. */
static leat_err request_aim(call *c, uint32_t place_index)
{
    const leat_i_llm_place *place = &c->llm->place[place_index];
    leat_i_wire *wire = &c->wire[place->wire_index];
    if (!wire->path) {
        leat_i_making m = { .arena = &c->t->arena };
        c->asked.base_path = place->base_path;
        c->asked.has_query = place->has_query;
        leat_err err = place->provider->make(wire, &c->asked, &m);
        if (err) wire->path = NULL;
        if (err == LEAT_INPUT) return call_refuse(c, m.why);
        LEAT_TRY(err);
    }
    c->out = wire;
    c->place_index = place_index;
    c->request.origin = place->origin;
    c->request.path = wire->path;
    c->request.body = wire->body;
    c->request.body_bytes = wire->body_bytes;
    c->request.accept_stream = wire->stream;
    return LEAT_OK;
}

/* One attempt. LEAT_OK = the reply tells what came of it, and c->again whether another one follows. */
static leat_err attempt(call *c)
{
    leat_llm *llm = c->llm;
    leat_grant grant = { 0 };
    leat_i_http_reply h;
    leat_i_reading rd = {
        .arena = &c->t->arena,
        .reply = c->reply,
        .body_bytes_max = llm->body_bytes_max,
        .skip_text = c->turn && c->turn->skip_text,
        .retry_after_ms = -1,
    };
    attempt_clear(c->reply);
    if (llm->limiter) {
        leat_cost guess = leat_i_estimate_guess(&llm->estimate, c->request.body_bytes, c->max_tokens);
        LEAT_TRY(leat_limiter_acquire(c->t, llm->limiter, guess, &grant));
    }
    leat_i_estimate_open(&llm->estimate);
    leat_err err = request_aim(c, grant.endpoint_index);
    if (!err && c->turn && c->turn->sent) err = c->turn->sent(c->turn->arg);
    if (err) {
        leat_i_estimate_close(&llm->estimate, false, leat_task_now_ns(c->t));
        if (llm->limiter) leat_limiter_refund(llm->limiter, grant);
        return err;
    }
    rd.to = (leat_i_answer_to){ .path = c->request.path, .inputs = c->inputs, .form = c->out->form };
    c->reply->attempts++;
    c->mark = leat_i_arena_save(&c->t->arena);
    err = attempt_exchange(c, &rd, &h);
    if (err) {
        leat_i_estimate_close(&llm->estimate, true, leat_task_now_ns(c->t));
        if (llm->limiter) leat_limiter_settle(llm->limiter, grant, grant.charged);
        return err;
    }
    attempt_learn(c, &rd, &h, &grant);
    attempt_settle(c, &rd, &grant);
    attempt_count(c, &rd, &h);
    if (h.end == LEAT_I_HTTP_CANCELED) {
        c->again = false;
        err = leat_i_task_check(c->t);
        return err ? err : LEAT_CANCELED;
    }
    return LEAT_OK;
}

/* ---- the call ---- */

static void call_redact(call *c)
{
    leat_llm_reply *r = c->reply;
    bool failed = !leat_i_class_is_good(r->cls);
    size_t id_size = strlen(r->request_id);
    if (id_size) (void)text_redact(c, &r->request_id, &id_size, failed);
    if (r->text_bytes) (void)text_redact(c, &r->text, &r->text_bytes, failed);
    /* A key of digits may have stood there as a number: then what is left is no JSON any more. */
    if (r->body && text_redact(c, &r->body, &r->body_bytes, failed) &&
        !leat_i_json_parse(r->body, r->body_bytes, NULL).type) {
        r->body = NULL;
        r->body_bytes = 0;
    }
}

static leat_err call_take_turn(call *c)
{
    return c->turn && c->turn->take ? c->turn->take(c->t, c->turn->arg) : LEAT_OK;
}

/* What a deadline or a cancel has ended was on its way because of this. */
static void failure_tell(call *c, leat_err err)
{
    (void)leat_task_fail(c->t, err, "%s", leat_err_sentence(err));
    if (c->t->error) leat_i_error_add(c->t->error, c->failed, c->why);
}

static leat_err call_attempts(call *c)
{
    for (;;) {
        LEAT_TRY(call_take_turn(c));
        LEAT_TRY(attempt(c));
        if (!c->again) return LEAT_OK;
        leat_i_spent_add(&c->spent, c->reply);
        c->failed = leat_i_err_of_class(c->reply);
        snprintf(c->why, sizeof c->why, "%s", c->reply->message);
        attempt_clear(c->reply);
        leat_i_arena_rewind(&c->t->arena, c->mark);
        if (c->wait_ms <= 0) continue;
        if (c->turn && c->turn->give) c->turn->give(c->turn->arg);
        LEAT_TRY(leat_sleep_ms(c->t, c->wait_ms));
    }
}

static bool body_may_say(const char *body, size_t size, const char *what)
{
    return memmem(body, size, what, strlen(what)) != NULL;
}

/* The requests as they go out, one for all places that take the same. */
static leat_err wires_init(call *c)
{
    uint32_t count = c->llm->place_count;
    c->wire = &c->one;
    if (count < 2) return LEAT_OK;
    c->wire = leat_i_arena_alloc(&c->t->arena, count * sizeof *c->wire);
    if (!c->wire) return LEAT_NOMEM;
    memset(c->wire, 0, count * sizeof *c->wire);
    return LEAT_OK;
}

/* Reads from the body what the attempts must know; most bodies say nothing of it, and are not parsed. */
static leat_err call_prepare(call *c, const char *path, const char *body, size_t size)
{
    leat_llm *llm = c->llm;
    leat_i_request_facts facts = { .is_object = true };
    bool stream = llm->stream || (c->turn && c->turn->heard);
    if (path && (!leat_i_url_path_ok(path))) return call_refuse(c, "the request's URL path is not usable");
    if (path && leat_i_query_has_key(path)) return call_refuse(c, "a key does not belong into a URL");
    if (c->turn && c->turn->facts)
        facts = *c->turn->facts;
    else if (stream || body_may_say(body, size, "\"stream\"") || (llm->limiter && body_may_say(body, size, "_tokens\"")))
        facts = leat_i_request_look(body, size);
    if (!facts.is_object) return call_refuse(c, "the request's body is not a JSON object");
    c->max_tokens = facts.max_tokens;
    if (path && leat_i_path_ends(path, "/embeddings")) c->inputs = leat_i_request_inputs(body, size);
    c->asked =
        (leat_i_asked){ .path = path, .body = body, .body_bytes = size, .stream = stream, .streams_itself = facts.stream };
    LEAT_TRY(wires_init(c));
    return request_aim(c, 0);
}

static leat_err call_perform(leat_task *t, leat_llm *llm, const char *path, const char *body, size_t body_bytes,
                             const leat_i_llm_turn *turn, leat_llm_reply *reply)
{
    int64_t start_ns = leat_task_now_ns(t);
    call c = { .t = t, .llm = llm, .reply = reply, .turn = turn };
    memset(reply, 0, sizeof *reply);
    attempt_clear(reply);
    c.policy.failures_max = llm->attempts_max;
    c.policy.throttle_max_ms = llm->throttle_max_ms;
    c.policy.random = leat_add_relaxed(&llm->random, UINT64_C(0x9e3779b97f4a7c15)); /* relaxed: only to differ. */
    leat_err err = call_take_turn(&c);
    if (!err) err = call_prepare(&c, path, body, body_bytes);
    if (!err) err = call_attempts(&c);
    bool refused = err == LEAT_INPUT && reply->cls == LEAT_CLASS_INPUT;
    if (err && !refused) {
        attempt_clear(reply);
        reply->cls = LEAT_CLASS_CANCELED;
        snprintf(reply->message, sizeof reply->message, "%s", leat_err_sentence(err));
        if (c.failed) failure_tell(&c, err);
    }
    reply->ms = (leat_task_now_ns(t) - start_ns) / LEAT_I_NS_PER_MS;
    leat_i_spent_put(&c.spent, reply);
    if (!err) call_redact(&c);
    return refused ? LEAT_OK : err;
}

leat_err leat_i_llm_call_in_turn(leat_task *t, leat_llm *llm, const char *path, const char *body, size_t body_bytes,
                                 const leat_i_llm_turn *turn, leat_llm_reply *reply)
{
    leat_i_llm_hold(llm);
    leat_err err = call_perform(t, llm, path, body, body_bytes, turn, reply);
    leat_i_llm_leave(llm);
    return err;
}

leat_err leat_llm_call(leat_task *t, leat_llm *llm, const char *path, const char *body, size_t body_bytes,
                       leat_llm_reply *reply)
{
    LEAT_TRY(leat_i_ask_check(t, llm, body, reply, __func__));
    return leat_i_llm_call_in_turn(t, llm, path, body, body_bytes, NULL, reply);
}

leat_limiter *leat_i_llm_limiter(const leat_llm *llm)
{
    return llm->limiter;
}

const char *leat_i_llm_provider(const leat_llm *llm)
{
    return llm->place[0].provider->name;
}

const char *leat_i_llm_tongue(const leat_llm *llm)
{
    return llm->place[0].provider->tongue;
}

uint32_t leat_i_llm_endpoint_count(const leat_llm *llm)
{
    return llm->place_count;
}

const char *leat_i_llm_key_words(const leat_llm *llm)
{
    return llm->place_count == 1 ? llm->place[0].key_words : "";
}

const char *leat_i_llm_endpoint_name(const leat_llm *llm, uint32_t index)
{
    return llm->place[index].name;
}
