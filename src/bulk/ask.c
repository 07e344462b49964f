/*
 * ask.c: leat_doc_ask: one request for a document, in its run's turn, with a reply that lives until the row is written.
 *
 * A document may be asked more than once, by several nodes of its flow: the last reply becomes the row, and what all of them cost
 * is added up in it.
 */
#include "run.h"

#include <string.h>

#include "../base/err.h"
#include "../base/json.h"
#include "../llm/spent.h"
#include "spans.h"

enum { LONG_WAIT_MS = 60000 };

static leat_err turn_take(leat_task *t, void *arg)
{
    struct leat_i_doc *d = arg;
    if (!d->answered) {
        /* Sequentially consistent: in line first, then a look for a stop; see leat_i_carrier in run.h. */
        leat_store_seq_cst(&d->carrier->waiting, true);
        if (leat_i_run_stopping(d->run)) return LEAT_CANCELED;
    }
    if (!d->has_slot) LEAT_TRY(leat_i_slots_take(t, &d->run->slots, LEAT_I_SLOT_RETRY));
    d->has_slot = true;
    leat_i_spans_took(t, d);
    /* With the turn in hand: so one of those who wait here can always go and try. */
    LEAT_TRY(leat_i_outage_pass(t, d->run, d));
    return leat_i_spending_wait(t, &d->run->spending, &d->spender);
}

/* At the endpoint: from here on a drain waits for it. What may be spent is looked at only now, since whoever stands in line for the
 * limiter would be given up by the stop, and had counted as in flight in vain. */
static leat_err turn_sent(void *arg)
{
    struct leat_i_doc *d = arg;
    leat_error why;
    if (!leat_i_spending_begin(&d->run->spending, &d->spender, &why)) {
        leat_i_run_stop(d->run, LEAT_I_STOP_DRAIN, &why);
        return LEAT_CANCELED;
    }
    leat_store_relaxed(&d->carrier->waiting, false); /* relaxed: read too late it costs one request, and no row */
    (void)leat_add_relaxed(&d->run->count.in_flight, 1u);
    d->at_endpoint = true;
    return LEAT_OK;
}

static void turn_back(struct leat_i_doc *d)
{
    if (d->at_endpoint) (void)leat_sub_relaxed(&d->run->count.in_flight, 1u);
    d->at_endpoint = false;
}

/* `a` is NULL for one that was not heard of. */
static void turn_spent(struct leat_i_doc *d, const leat_i_llm_attempt *a)
{
    leat_error why;
    if (!leat_i_spending_end(&d->run->spending, &d->spender, a, &why)) leat_i_run_stop(d->run, LEAT_I_STOP_DRAIN, &why);
}

/* Once: who has asked for an hour in the night is the reason why so little was done in the morning. */
static void long_wait_tell(leat_i_run *run, const leat_i_llm_attempt *a)
{
    if (!a->throttled || a->again || a->wait_ms < LONG_WAIT_MS) return;
    if (leat_exchange_acquire(&run->long_wait_told, true)) return; /* Acquire pairs with itself: one tells. */
    leat_i_runtime_log(
        run->rt, LEAT_LOG_WARNING,
        "the endpoint asks to wait for %lld s, longer than a document is put off: those that are told so get error "
        "rows (class throttled), the others wait, and one asks now and then",
        (long long)(a->wait_ms / 1000));
}

/* Counted attempt by attempt: a document that is canceled later has been asked all the same. */
static void turn_ended(leat_task *t, void *arg, leat_i_llm_attempt *a)
{
    struct leat_i_doc *d = arg;
    leat_i_counters *c = &d->run->count;
    turn_back(d);
    turn_spent(d, a);
    if (a->sent) (void)leat_add_relaxed(&c->requests, 1);
    if (a->sent && a->number > 1) (void)leat_add_relaxed(&c->retries, 1);
    if (a->throttled) (void)leat_add_relaxed(&c->throttles, 1);
    if (a->billed) (void)leat_add_relaxed(&c->possibly_billed, 1);
    if (a->http_status > 0) (void)leat_add_relaxed(&c->reached, 1);
    /* Relaxed: for the ticker. */
    if (a->throttled && a->again && a->wait_ms > 0)
        leat_store_relaxed(&d->run->told_to_wait_ns, leat_task_now_ns(t) + a->wait_ms * LEAT_I_NS_PER_MS);
    long_wait_tell(d->run, a);
    leat_i_spans_attempt(t, d->run, a);
    leat_i_places_tell(d->run, d->llm, a);
    leat_i_stop_insist(d->run, a, leat_task_now_ns(t));
    leat_i_outage_tell(d->run, d, a, leat_task_now_ns(t));
}

static void turn_give(void *arg)
{
    struct leat_i_doc *d = arg;
    leat_i_outage_leave(d->run, d, leat_task_now_ns(d->task));
    leat_i_spans_gave(d);
    if (!d->answered) {
        leat_store_seq_cst(&d->carrier->waiting, true); /* as in turn_take */
        if (leat_i_run_stopping(d->run)) leat_i_task_cancel(d->task);
    }
    if (!d->has_slot) return;
    d->has_slot = false;
    if (!leat_i_slots_give(&d->run->slots)) return;
    /* Nobody was waiting for the turn, so another carrier may use it: the window is twice the concurrency.
     * Release: pairs with the acquire in the root's loop. */
    leat_store_release(&d->run->more_carriers, true);
    leat_i_unpark(d->run->root);
}

/* What a document has cost so far. */
typedef struct costs {
    uint32_t attempts, throttles, possibly_billed;
    bool estimated;
    int64_t ms;
    leat_i_spent spent;
} costs;

static costs costs_of(const leat_llm_reply *r)
{
    costs c = { r->attempts, r->throttles, r->possibly_billed, r->estimated, r->ms, { 0 } };
    leat_i_spent_add(&c.spent, r);
    return c;
}

static void costs_add(leat_llm_reply *r, const costs *c)
{
    r->attempts += c->attempts;
    r->throttles += c->throttles;
    r->possibly_billed += c->possibly_billed;
    r->estimated = r->estimated || c->estimated;
    r->ms += c->ms;
    leat_i_spent_put(&c->spent, r);
}

/* Of a call that was canceled too: what it has spent before is spent. */
static void costs_count(leat_i_counters *c, const leat_llm_reply *r)
{
    (void)leat_add_relaxed(&c->tokens_in, r->tokens_in);
    (void)leat_add_relaxed(&c->tokens_out, r->tokens_out);
    (void)leat_add_relaxed(&c->tokens_cached, r->tokens_cached);
    (void)leat_add_relaxed(&c->tokens_reasoning, r->tokens_reasoning);
    if (r->cost > 0 && r->cost < 1e9) (void)leat_add_relaxed(&c->cost_millionths, (uint64_t)(r->cost * 1e6 + 0.5));
}

static bool text_keep(leat_i_arena *arena, const char **text, size_t bytes)
{
    if (!*text) return true;
    *text = leat_i_arena_strndup(arena, *text, bytes);
    return *text != NULL;
}

/* The reply's texts belong to the node's visit, which ends before the row is written. */
static leat_err reply_keep(struct leat_i_doc *d, leat_llm_reply *r)
{
    bool moved = r->body && leat_i_arena_move(&d->arena, &d->task->arena, r->body);
    if (!moved && !text_keep(&d->arena, &r->body, r->body_bytes)) return LEAT_NOMEM;
    if (!text_keep(&d->arena, &r->request_id, r->request_id ? strlen(r->request_id) : 0)) return LEAT_NOMEM;
    return text_keep(&d->arena, &r->text, r->text_bytes) ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_doc_ask(leat_task *t, leat_llm *llm, leat_doc *doc)
{
    LEAT_I_TASK_TRY(t);
    if (!doc || !llm)
        return leat_task_fail(t, LEAT_USAGE, "leat_doc_ask was called without a %s", doc ? "client" : "document");
    struct leat_i_doc *d = doc->inner;
    if (!d || !d->run) return leat_llm_call(t, llm, doc->url, doc->body, doc->body_bytes, &doc->reply);
    leat_i_llm_turn turn = {
        .take = turn_take,
        .sent = turn_sent,
        .ended = turn_ended,
        .give = turn_give,
        .arg = d,
        .skip_text = !d->run->opts->flow,
    };
    if (d->facts.is_object && !d->run->opts->flow) turn.facts = &d->facts;
    d->task = t;
    d->llm = llm;
    costs before = costs_of(&doc->reply);
    leat_err err = leat_i_llm_call_in_turn(t, llm, doc->url, doc->body, doc->body_bytes, &turn, &doc->reply);
    leat_store_relaxed(&d->carrier->waiting, false); /* as in turn_sent */
    turn_back(d);
    turn_spent(d, NULL);
    leat_i_outage_leave(d->run, d, leat_task_now_ns(t));
    costs_count(&d->run->count, &doc->reply);
    if (!err) {
        d->answered = true;
        err = reply_keep(d, &doc->reply);
    }
    if (err) doc->reply = (leat_llm_reply){ .ttft_ms = -1 };
    costs_add(&doc->reply, &before);
    return err;
}

leat_err leat_doc_answer(leat_task *t, leat_doc *doc, const char *body, size_t body_bytes)
{
    struct leat_i_doc *d = doc->inner;
    if (!d) return leat_task_fail(t, LEAT_USAGE, "the document belongs to no run");
    leat_i_json value = leat_i_json_parse(body, body_bytes, NULL);
    if (value.type == LEAT_I_JSON_NONE) return leat_task_fail(t, LEAT_USAGE, "the answer of %.60s is not JSON", doc->key);
    leat_i_buf b = { 0 };
    const char *copy = NULL;
    size_t bytes = 0;
    if (leat_i_json_put_compact(&b, value)) {
        bytes = b.size;
        copy = leat_i_arena_strndup(&d->arena, b.data, bytes);
    }
    leat_i_buf_fini(&b);
    if (!copy) return leat_task_fail(t, LEAT_NOMEM, "out of memory");
    doc->reply.body = copy;
    doc->reply.body_bytes = bytes;
    return LEAT_OK;
}
