/*
 * walk.c: walking through a flow, and through the flows in it, in one task and without recursion.
 *
 * Each flow under way has a frame, in the task's arena (the outermost one where the caller has it). The walker is in one of
 * these states of the frame on top:
 *
 *     ENTER  the flow's prep; then a plain flow BEGINs, a batch flow asks for its NEXT set, or has a window do all walks (POST)
 *     NEXT   a param set of a batch that goes one after another -> BEGIN, or none is left -> POST
 *     BEGIN  the walk's store, the start node -> WALK
 *     WALK   visits nodes until the walk ends or fails (ENDED), or the next node is a flow: a frame more, ENTER
 *     ENDED  a failed walk may BEGIN again; else plain -> POST or LEAVE, batch -> NEXT or LEAVE
 *     POST   the flow's post -> LEAVE
 *     LEAVE  one frame less; the flow around goes on by the action (WALK), or its walk has failed (ENDED)
 *     OUT    the frame of the caller has been left
 *
 * Memory goes in steps: what a visit made goes before the next visit, what a walk made when it has ENDED, what the flow's prep
 * made at LEAVE; action and story are carried over each time.
 */
#include "window.h"

#include <stdio.h>
#include <string.h>

enum state { STATE_ENTER, STATE_NEXT, STATE_BEGIN, STATE_WALK, STATE_ENDED, STATE_POST, STATE_LEAVE, STATE_OUT };

struct walker {
    leat_task *t;
    struct leat_i_visit visit; /* visit.frame is the frame on top */
    leat_i_frame *base;
    leat_err err;       /* ENDED, LEAVE: how */
    const char *action; /* ENDED, LEAVE: the action it gave */
};

/* From here on callbacks are those of the flow on top itself. */
static leat_i_frame *walker_at_flow(struct walker *w)
{
    leat_i_frame *f = w->visit.frame;
    w->visit.node = NULL;
    w->visit.attempt = 0;
    w->t->name = f->flow->opts.name;
    w->t->error = NULL;
    return f;
}

static enum state walker_fail(struct walker *w, leat_err err, const char *where, enum state next)
{
    w->err = leat_i_error_place(w->t, &w->visit, err, where);
    w->action = NULL;
    return next;
}

static leat_err flow_prep(struct walker *w, leat_i_frame *f)
{
    leat_task *t = w->t;
    leat_i_gate_take(t, f);
    LEAT_TRY(leat_i_stop_check(t));
    /* What prep starts runs beside the walk, and sees the visit that it was started in: the walker's own goes on meanwhile. */
    struct leat_i_visit *own = leat_task_alloc(t, sizeof *own);
    if (!own) return LEAT_NOMEM;
    *own = (struct leat_i_visit){ .task = t, .frame = f };
    t->visit = own;
    leat_i_span span;
    leat_i_trace_begin(t, own, LEAT_PHASE_PREP, &span);
    leat_err err = leat_i_phase_err(t, f->flow->opts.prep(t, f->run->shared, &f->prep_res));
    err = leat_i_trace_end(t, own, &span, err);
    t->visit = &w->visit;
    return err;
}

/* A batch whose walks go one after another needs places for what becomes of them, if it knows how many there are. */
static leat_err batch_begin(leat_task *t, leat_i_frame *f, const leat_param_sets *sets)
{
    f->index = 0;
    f->tally = (leat_i_tally){ .policy = f->flow->opts.policy };
    if (!sets || sets->next || sets->count == 0) return LEAT_OK;
    if (!sets->set) {
        leat_task_fail(t, LEAT_USAGE, "prep gave %zu param sets and no array", sets->count);
        return LEAT_USAGE;
    }
    if (sets->count > SIZE_MAX / sizeof *f->result) return LEAT_NOMEM;
    f->result = leat_i_alloc_zeroed(sets->count * sizeof *f->result);
    f->walks.walk = f->result;
    return f->result ? LEAT_OK : LEAT_NOMEM;
}

static enum state walker_enter(struct walker *w)
{
    leat_i_frame *f = walker_at_flow(w);
    const leat_flow_opts *opts = &f->flow->opts;
    leat_err err = opts->prep ? flow_prep(w, f) : LEAT_OK;
    if (err != LEAT_OK) return walker_fail(w, err, "prep", STATE_LEAVE);
    f->attempt = 0;
    if (!opts->batch) return STATE_BEGIN;
    err = batch_begin(w->t, f, f->prep_res);
    if (err != LEAT_OK) return walker_fail(w, err, "prep", STATE_LEAVE);
    if (opts->in_flight_max <= 1) return STATE_NEXT;
    leat_i_gate_give(w->t);
    err = leat_i_walks_window(w->t, &w->visit, f, f->prep_res);
    return err == LEAT_OK ? STATE_POST : walker_fail(w, err, "batch", STATE_LEAVE);
}

static leat_err set_next(leat_task *t, leat_i_frame *f, const leat_param_sets *sets, const leat_param_set **set)
{
    *set = NULL;
    if (!sets) return LEAT_OK;
    if (sets->next) {
        leat_i_gate_give(t);
        return leat_i_phase_err(t, sets->next(t, sets->state, set));
    }
    if (f->index < sets->count) *set = &sets->set[f->index];
    return LEAT_OK;
}

static enum state walker_next(struct walker *w)
{
    leat_i_frame *f = walker_at_flow(w);
    const leat_param_set *set = NULL;
    f->pulled = leat_i_mark_take(w->t);
    leat_err err = leat_i_stop_check(w->t);
    if (err == LEAT_OK) err = set_next(w->t, f, f->prep_res, &set);
    if (err != LEAT_OK) {
        err = leat_i_error_place(w->t, &w->visit, err, "next");
        return walker_fail(w, leat_i_tally_end(&f->tally, w->t, err), "next", STATE_LEAVE);
    }
    if (!set) {
        f->item_count = 0;
        f->walks.count = f->index;
        f->walks.failed = f->tally.failed;
        err = leat_i_tally_end(&f->tally, w->t, LEAT_OK);
        return err == LEAT_OK ? STATE_POST : walker_fail(w, err, "batch", STATE_LEAVE);
    }
    f->item = set->param;
    f->item_count = set->param ? set->count : 0;
    f->attempt = 0;
    return STATE_BEGIN;
}

static enum state walker_begin(struct walker *w)
{
    leat_i_frame *f = w->visit.frame;
    f->begun = leat_i_mark_take(w->t);
    f->steps = 0;
    f->node = f->flow->start;
    f->store = NULL;
    w->action = NULL;
    if (f->flow->opts.walk_bytes == 0) return STATE_WALK;
    f->store = leat_task_alloc(w->t, f->flow->opts.walk_bytes);
    return f->store ? STATE_WALK : walker_fail(w, LEAT_NOMEM, "start of a walk", STATE_ENDED);
}

/* The next node is a flow: a frame for it. */
static enum state walker_push(struct walker *w, leat_flow *inner)
{
    leat_task *t = w->t;
    leat_i_frame *outer = w->visit.frame;
    leat_i_mark mark = leat_i_mark_take(t);
    leat_i_frame *f = leat_i_arena_alloc(&t->arena, sizeof *f);
    if (!f) return walker_fail(w, LEAT_NOMEM, "visit", STATE_ENDED);
    memset(f, 0, sizeof *f);
    f->outer = outer;
    f->flow = inner;
    f->run = outer->run;
    f->gate = inner->opts.concurrent_shared ? NULL : outer->gate;
    f->entered = mark;
    w->visit.frame = f;
    return STATE_ENTER;
}

/* Tells whether a flow around `f` goes on by the action that ends the walk of `f`: then that is a way out, not a dead end. */
static bool walker_leads_out(const leat_i_frame *f, const char *action)
{
    while (f->outer && f->outer->node->inner == f->flow && !f->flow->opts.batch && !f->flow->opts.post) {
        f = f->outer;
        if (f->node->links) return leat_i_node_next(f->node, action) != NULL;
    }
    return false;
}

/* No link serves the action: that ends the walk, silently where it is meant to or the node has no links at all. */
static enum state walker_unserved(struct walker *w, const leat_i_frame *f, const char *action)
{
    const leat_node *node = f->node;
    char known[128] = "", given[48] = "no action";
    size_t at = 0;
    w->action = action;
    if (LEAT_LIKELY(!node->links) || leat_i_node_ends(node, action) || walker_leads_out(f, action)) return STATE_ENDED;
    for (const leat_i_link *l = node->links; l && at < sizeof known; l = l->next)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s\"%s\"", at ? ", " : "", l->action);
    if (action) snprintf(given, sizeof given, "action \"%.32s\"", action);
    if (!f->flow->opts.strict) {
        leat_i_runtime_log(w->t->rt, LEAT_LOG_WARNING,
                           "flow \"%s\": node \"%s\" gave %s, which no link serves (known: %s); the walk ends",
                           f->flow->opts.name, node->name, given, known);
        return STATE_ENDED;
    }
    w->visit.node = node;
    leat_task_fail(w->t, LEAT_USAGE, "it gave %s, which no link serves (known: %s)", given, known);
    return walker_fail(w, LEAT_USAGE, "strict", STATE_ENDED);
}

/* From the node of `f` on by the action, which may lie above `mark`. */
static inline enum state walker_advance(struct walker *w, leat_i_frame *f, const char *action, const leat_i_mark *mark)
{
    leat_node *next = leat_i_node_next(f->node, action);
    if (LEAT_UNLIKELY(!next)) return walker_unserved(w, f, action);
    leat_i_mark_rewind(w->t, mark);
    f->node = next;
    return STATE_WALK;
}

static enum state walker_walk(struct walker *w)
{
    leat_task *t = w->t;
    leat_i_frame *f = w->visit.frame;
    const uint32_t steps_max = f->flow->opts.max_steps;
    enum state state = STATE_WALK;
    while (state == STATE_WALK) {
        w->visit.node = f->node;
        leat_err err = leat_i_stop_check(t);
        if (LEAT_UNLIKELY(err != LEAT_OK)) return walker_fail(w, err, "visit", STATE_ENDED);
        if (steps_max > 0 && f->steps++ >= steps_max) {
            leat_task_fail(t, LEAT_USAGE, "the walk took more than max_steps (%u) steps", steps_max);
            return walker_fail(w, LEAT_USAGE, "visit", STATE_ENDED);
        }
        if (f->node->inner) return walker_push(w, f->node->inner);
        leat_i_mark mark = leat_i_mark_take(t);
        const char *action = NULL;
        err = leat_i_visit_node(t, &w->visit, &action);
        if (LEAT_UNLIKELY(err != LEAT_OK)) {
            w->err = err;
            return STATE_ENDED;
        }
        state = walker_advance(w, f, action, &mark);
    }
    return state;
}

/* A failed walk: once more, if the flow's options and the failure allow it. */
static bool walk_again(struct walker *w, leat_i_frame *f)
{
    leat_task *t = w->t;
    const leat_flow_opts *opts = &f->flow->opts;
    const leat_node_opts retry = { .retry_wait_ms = opts->retry_wait_ms };
    leat_err stop = leat_i_stop_check(t);
    if (stop != LEAT_OK) {
        w->err = stop; /* what stops the task counts, not what came of it in a node */
        return false;
    }
    uint32_t max = opts->max_attempts > 0 ? (uint32_t)opts->max_attempts : 1;
    if (f->attempt + 1 >= max || !leat_i_retry_wanted(&retry, leat_i_error_story(t, w->err))) return false;
    leat_i_carry_error(t, &f->begun, w->err);
    f->attempt++;
    leat_i_gate_give(t);
    stop = leat_i_retry_wait(t, &retry, f->attempt, leat_i_error_story(t, w->err));
    if (stop == LEAT_OK) {
        leat_i_mark_rewind(t, &f->begun);
        w->err = LEAT_OK;
        return true;
    }
    walker_at_flow(w);
    walker_fail(w, stop, "wait before another walk", STATE_ENDED);
    return false;
}

/* A walk of a batch has ended: its action or story goes below the next walk's mark where somebody will read it. */
static enum state walk_of_batch_ended(struct walker *w, leat_i_frame *f)
{
    leat_task *t = w->t;
    leat_err err = w->err;
    if (err != LEAT_OK)
        leat_i_carry_error(t, &f->pulled, err);
    else
        w->action = leat_i_carry_text(t, &f->pulled, f->result ? w->action : NULL, &err);
    err = leat_i_walk_note(t, &f->tally, f->result, f->index, err, w->action);
    w->err = LEAT_OK;
    if (err != LEAT_OK) {
        w->visit.node = NULL;
        return walker_fail(w, leat_i_tally_end(&f->tally, t, err), "batch", STATE_LEAVE);
    }
    if (!f->result) leat_i_mark_rewind(t, &f->pulled);
    t->error = NULL;
    f->index++;
    return STATE_NEXT;
}

static enum state walker_ended(struct walker *w)
{
    leat_i_frame *f = w->visit.frame;
    leat_task *t = w->t;
    if (w->err != LEAT_OK && walk_again(w, f)) return STATE_BEGIN;
    if (w->err != LEAT_OK) w->action = NULL;
    if (!f->single && f->flow->opts.batch) return walk_of_batch_ended(w, f);
    if (w->err != LEAT_OK)
        leat_i_carry_error(t, &f->begun, w->err);
    else
        w->action = leat_i_pass_text(t, &f->begun, w->action, &w->err);
    if (f->single) return STATE_OUT;
    return w->err == LEAT_OK ? STATE_POST : STATE_LEAVE;
}

static enum state walker_post(struct walker *w)
{
    leat_task *t = w->t;
    leat_i_frame *f = walker_at_flow(w);
    const leat_flow_opts *opts = &f->flow->opts;
    const char *last = opts->batch ? NULL : w->action, *action = NULL;
    if (!opts->post) {
        w->action = last;
        return STATE_LEAVE;
    }
    leat_i_gate_take(t, f);
    leat_err err = leat_i_stop_check(t);
    if (err == LEAT_OK) {
        leat_i_span span;
        leat_i_trace_begin(t, &w->visit, LEAT_PHASE_POST, &span);
        err = leat_i_phase_err(t, opts->post(t, f->run->shared, f->prep_res, opts->batch ? &f->walks : NULL, last, &action));
        leat_i_trace_end(t, &w->visit, &span, err);
    }
    if (err != LEAT_OK) return walker_fail(w, err, "post", STATE_LEAVE);
    w->action = action;
    return STATE_LEAVE;
}

static enum state walker_leave(struct walker *w)
{
    leat_i_frame *f = w->visit.frame, *outer = f->outer;
    leat_i_mark entered = f->entered;
    leat_i_kept *kept = f->kept;
    leat_walk_result *result = f->result;
    bool out = f == w->base;
    if (w->err != LEAT_OK)
        leat_i_carry_error(w->t, &entered, w->err); /* the frame is gone now, unless it is the caller's */
    else if (kept)
        w->action = leat_i_carry_text(w->t, &entered, w->action, &w->err);
    else
        w->action = leat_i_pass_text(w->t, &entered, w->action, &w->err);
    leat_i_kept_free(kept);
    leat_i_free(result);
    if (out) return STATE_OUT;
    w->visit.frame = outer;
    w->visit.node = outer->node;
    if (LEAT_LIKELY(w->err == LEAT_OK)) return walker_advance(w, outer, w->action, &entered);
    leat_i_error_place(w->t, &w->visit, w->err, NULL);
    return STATE_ENDED;
}

static enum state walker_turn(struct walker *w, enum state state)
{
    switch (state) {
    case STATE_ENTER:
        return walker_enter(w);
    case STATE_NEXT:
        return walker_next(w);
    case STATE_BEGIN:
        return walker_begin(w);
    case STATE_WALK:
        return walker_walk(w);
    case STATE_ENDED:
        return walker_ended(w);
    case STATE_POST:
        return walker_post(w);
    case STATE_LEAVE:
        return walker_leave(w);
    case STATE_OUT:
        break;
    }
    return STATE_OUT;
}

leat_err leat_i_walk_run(leat_task *t, leat_i_frame *base, const char **action)
{
    struct walker w = { .t = t, .base = base, .visit = { .task = t, .frame = base } };
    struct leat_i_visit *around = t->visit;
    const char *name = t->name;
    enum state state = base->single ? STATE_BEGIN : STATE_ENTER;
    t->visit = &w.visit;
    while (state != STATE_OUT)
        state = walker_turn(&w, state);
    leat_i_gate_give(t);
    t->visit = around;
    t->name = name;
    if (action) *action = w.err == LEAT_OK ? w.action : NULL;
    return w.err;
}
