/*
 * carrier.c: takes a document, walks the flow with it, hands its row to the writer, and takes the next.
 *
 * A carrier is one task for many documents: its stack stays warm, and taking the next document wakes nobody. It holds a turn from
 * the document's first request to its row, so that a kill repeats at most as many answers as there are turns.
 */
#include "run.h"

#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../llm/cases.h"
#include "spans.h"

static void turn_drop(leat_i_run *run, struct leat_i_doc *d)
{
    if (d->has_slot) (void)leat_i_slots_give(&run->slots);
    d->has_slot = false;
}

static void stop_for(leat_i_run *run, leat_i_stop how, leat_err code, const char *text)
{
    leat_error why;
    (void)leat_i_fail(&why, code, "%s", text);
    leat_i_run_stop(run, how, &why);
}

/* Gets a turn and a document. False = there is nothing left to do. Not inlined: its frame is not to lie below the walk's. */
__attribute__((noinline)) static bool document_take(leat_task *t, leat_i_run *run, struct leat_i_doc *d)
{
    leat_error error;
    bool got = false;
    /* Documents that come back from a retry wait are older than any new one. */
    if (d->has_slot && leat_i_slots_wanted(&run->slots)) turn_drop(run, d);
    if (leat_i_run_stopping(run)) return false;
    if (!d->has_slot && leat_i_slots_take(t, &run->slots, LEAT_I_SLOT_NEW)) return false;
    d->has_slot = true;
    if (leat_i_run_stopping(run)) return false;
    leat_err err = leat_i_feed_next(t, &run->feed, d, &got, &error);
    if (err && err != LEAT_CANCELED) leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &error);
    /* Relaxed: a hint that spares the root a carrier without work. */
    if (!got) leat_store_relaxed(&run->input_ended, true);
    return got && !err;
}

/* ---- the row ---- */

static void row_count(leat_i_run *run, const leat_llm_reply *r)
{
    leat_i_counters *c = &run->count;
    bool good = leat_i_class_is_good(r->cls), asked = r->cls != LEAT_CLASS_INPUT && r->cls != LEAT_CLASS_DUPLICATE;
    (void)leat_add_relaxed(&c->by_class[r->cls & 63], 1);
    (void)leat_add_relaxed(good ? &c->ok : &c->failed, 1);
    if (good && leat_load_relaxed(&c->failed_in_a_row) > 0) leat_store_relaxed(&c->failed_in_a_row, 0u);
    if (good) return;
    if (asked) (void)leat_add_relaxed(&c->asked_failed, 1);
    /* Acquire pairs with itself: one writes, and the summary is read when all have ended. */
    if (!leat_exchange_acquire(&run->first_failed_told, true))
        snprintf(run->summary->first_failed, sizeof run->summary->first_failed, "%s", r->message);
    leat_i_stop_rules(run, r);
}

/* Hands a row over. False = the run stops, since rows cannot be written any more. */
static bool row_write(leat_task *t, leat_i_run *run, const leat_i_buf *row, const leat_llm_reply *reply)
{
    leat_error error;
    leat_err err = leat_i_writer_put(t, &run->writer, row->data, row->size, &error);
    if (err)
        leat_i_run_stop(run, LEAT_I_STOP_NOW, &error);
    else
        row_count(run, reply);
    return !err;
}

void leat_i_carrier_write_held(leat_task *t, leat_i_run *run, leat_i_held_row *row)
{
    bool written = true;
    while (row) {
        leat_i_held_row *next = row->next;
        if (written) written = row_write(t, run, &row->row, &row->reply);
        leat_i_held_row_free(row);
        row = next;
    }
}

static void row_put(leat_task *t, leat_i_run *run, struct leat_i_doc *d)
{
    leat_i_buf row = { 0 };
    const leat_llm_reply *reply = &d->doc.reply;
    bool ok = leat_i_row_put(&row, &d->doc, d->text_hash, !run->opts->no_extras);
    if (ok && leat_i_held_wants(run, reply))
        ok = leat_i_held_add(run, &row, reply) == LEAT_OK;
    else if (ok && row_write(t, run, &row, reply) && leat_i_class_is_good(reply->cls))
        leat_i_carrier_write_held(t, run, leat_i_held_take(run));
    leat_i_buf_fini(&row);
    if (!ok) stop_for(run, LEAT_I_STOP_NOW, LEAT_NOMEM, "out of memory while writing a row");
}

/* ---- the walk ---- */

/* Gives a document whose flow failed, without a reply that says why, the flow's error. */
static void reply_from_error(leat_llm_reply *r, leat_err err, const leat_error *error)
{
    r->cls = LEAT_CLASS_USER;
    r->body = NULL;
    r->body_bytes = 0;
    snprintf(r->message, sizeof r->message, "%s", error->text[0] ? error->text : leat_err_sentence(err));
}

/* A key that is refused: which one it was is half of the way to a better one. */
static void stop_for_key(leat_i_run *run, leat_i_stop how, const leat_llm_reply *r)
{
    leat_error why;
    const char *words = run->opts->llm && r->cls == LEAT_CLASS_AUTH ? leat_i_llm_key_words(run->opts->llm) : "";
    (void)leat_i_fail(&why, LEAT_DENIED, "%s%s%s", words, words[0] ? ": " : "", r->message);
    leat_i_run_stop(run, how, &why);
}

/* Reasons that concern all documents alike. True = the run stops, and this document gets no row: it is asked again. */
static bool walk_stops_run(leat_task *t, leat_i_run *run, leat_err err, const leat_error *error, const leat_llm_reply *r)
{
    /* What is in flight is paid for: it may end. While the endpoint was never reached there is nothing of the kind. */
    leat_i_stop how = leat_load_relaxed(&run->count.reached) > 0 ? LEAT_I_STOP_DRAIN : LEAT_I_STOP_NOW;
    if (err == LEAT_NOMEM) {
        stop_for(run, LEAT_I_STOP_NOW, LEAT_NOMEM, "out of memory");
    } else if (!err && r->is_fatal && !leat_i_held_wants(run, r)) {
        stop_for_key(run, how, r);
    } else if (err == LEAT_DENIED) {
        stop_for(run, how, LEAT_DENIED, error->text[0] ? error->text : leat_err_sentence(err));
    } else if (!err && r->cls == LEAT_CLASS_REDIRECT && !leat_i_ever_good(run)) {
        stop_for(run, how, LEAT_DENIED, r->message);
    } else if (!err && r->cls == LEAT_CLASS_LOCAL) {
        stop_for(run, how, LEAT_IO, r->message);
    } else if (err != LEAT_CANCELED && leat_i_stop_unreached(run, r)) {
        return true;
    } else {
        /* After a cancel only an answer that is whole and good counts; a drain ends who was still in line. */
        leat_i_stop stop = leat_i_run_stopping(run);
        if (err == LEAT_CANCELED && stop) return true;
        return (leat_task_is_canceled(t) || stop == LEAT_I_STOP_NOW) && (err || !leat_i_class_is_good(r->cls));
    }
    return true;
}

static bool document_walk(leat_task *t, leat_i_run *run, struct leat_i_doc *d)
{
    leat_error error = { .code = LEAT_OK };
    d->doc.reply = (leat_llm_reply){ .ttft_ms = -1 };
    leat_err err =
        leat_flow_call(t, run->flow, &d->doc, &(leat_run_opts){ .error = &error, .timeline = run->opts->timeline });
    if (walk_stops_run(t, run, err, &error, &d->doc.reply)) return false;
    if (err) reply_from_error(&d->doc.reply, err, &error);
    return true;
}

static void document_carry(leat_task *t, leat_i_run *run, struct leat_i_doc *d)
{
    leat_error error;
    int64_t begin_ns = leat_task_now_ns(t);
    leat_err err = leat_i_doc_prepare(t, &run->feed, d);
    if (!err && d->is_done) {
        if (leat_i_doc_verify(&run->feed, d, &error)) leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &error);
    } else if (!err && (!d->to_ask || document_walk(t, run, d))) {
        row_put(t, run, d);
        leat_i_spans_document(t, run, d, begin_ns);
    } else if (err && err != LEAT_CANCELED) { /* that is a stop while it waited for the document, which is asked again */
        stop_for(run, LEAT_I_STOP_NOW, err, "out of memory while reading a document");
    }
    leat_i_doc_clear(d);
}

leat_err leat_i_carrier_task(leat_task *t, void *arg, const void **result)
{
    leat_i_carrier *self = arg;
    leat_i_run *run = self->run;
    struct leat_i_doc d = { .run = run, .carrier = self };
    (void)result;
    leat_i_doc_clear(&d);
    while (document_take(t, run, &d))
        document_carry(t, run, &d);
    leat_i_doc_clear(&d);
    turn_drop(run, &d);
    leat_i_waiter *root = run->root;
    /* Release: what this carrier did is seen by the root's acquire; the run may be gone after it, the waiter is not. */
    if (leat_sub_acq_rel(&run->carriers, 1u) == 1) leat_i_unpark(root);
    return LEAT_OK;
}
