/*
 * trace.c: telling of each phase, visit and wait of an observed run: to the user's callback, the timeline and the profile.
 *
 * What is under way in a task is a chain of spans on its stack, the innermost in t->span. A suspension stops all of them, and
 * when the task goes on each has waited that much longer. The timeline gets the piece that each phase ran before, so that the
 * pieces on a worker's lane lie beside or in one another: those that go on together begin a nanosecond apart, the outer one
 * first, since a reader sorts them by their begin.
 *
 * A wait is told in the visit that the waiting task belongs to: in its own, or, in a task that a visit started, that visit's.
 */
#include "walk.h"

#include "../sched/stack_use.h"

const char *leat_phase_name(leat_phase phase)
{
#define PHASE_NAME(phase, name) name,
    static const char *const names[] = { LEAT_PHASE_MAP(PHASE_NAME) };
#undef PHASE_NAME
    return (size_t)phase < sizeof names / sizeof names[0] ? names[phase] : "unknown";
}

static leat_trace call_of(leat_task *t, const struct leat_i_visit *v, leat_phase phase, int64_t begin_ns, leat_err err)
{
    const leat_i_frame *f = v->frame;
    bool own = v->task == t; /* a task that the visit started sees it from beside: what changes in it is not to be read */
    return (leat_trace){
        .flow = f->flow->opts.name,
        .node = v->node ? v->node->name : NULL,
        .place = v->node ? v->node->index : 0,
        .phase = phase,
        .attempt = own ? v->attempt : 0,
        .is_item = own && v->item,
        .is_walk = v->node && f->flow->opts.batch,
        .item = own && v->item ? v->index : 0,
        .walk = v->node ? f->index : 0,
        .worker = leat_i_task_worker(t),
        .begin_ns = begin_ns,
        .end_ns = leat_task_now_ns(t),
        .code = err,
        .error = err == LEAT_OK ? NULL : leat_i_error_story(t, err),
    };
}

static void tell(const leat_i_run *run, const leat_trace *call)
{
    if (run->profile) leat_i_profile_note(run->profile, call);
    if (run->trace) run->trace(run->trace_arg, call);
}

/* ---- spans ---- */

/* The deepest use so far belongs to what is under way already. */
static void span_depth_note(leat_task *t, leat_i_span *span)
{
    uint32_t bytes = leat_i_stack_use_bytes(t);
    for (; span; span = span->outer) {
        if (span->stack_bytes < bytes) span->stack_bytes = bytes;
    }
}

void leat_i_trace_enter(leat_task *t, const struct leat_i_visit *v, leat_phase phase, leat_i_span *span)
{
    *span = (leat_i_span){ .outer = t->span, .visit = v, .phase = phase, .begin_ns = leat_task_now_ns(t) };
    span->since_ns = span->begin_ns;
    if (span->outer && span->since_ns <= span->outer->since_ns) span->since_ns = span->outer->since_ns + 1;
    if (phase == LEAT_PHASE_VISIT && v->frame->run->profile) {
        span_depth_note(t, span->outer);
        leat_i_stack_use_reset(t);
    }
    t->span = span;
}

leat_err leat_i_trace_leave(leat_task *t, leat_i_span *span, leat_err err)
{
    const leat_i_run *run = span->visit->frame->run;
    if (span->phase == LEAT_PHASE_VISIT && run->profile) span_depth_note(t, span);
    t->span = span->outer;
    leat_trace call = call_of(t, span->visit, span->phase, span->begin_ns, err);
    call.waited_ns = span->waited_ns;
    call.stack_bytes = span->stack_bytes;
    if (run->timeline) {
        if (span->phase != LEAT_PHASE_VISIT) leat_i_timeline_ran(run->timeline, t, &call, span->since_ns, call.end_ns, true);
        if (span->opened) leat_i_timeline_close(run->timeline, t, &call);
    }
    tell(run, &call);
    return err;
}

/* ---- the watcher ---- */

static void watched_wait(leat_task *t, leat_i_wait what, int64_t begin_ns, leat_err err)
{
    static const leat_phase phase[] = {
        [LEAT_I_WAIT_RETRY] = LEAT_PHASE_RETRY_WAIT,
        [LEAT_I_WAIT_LIMITER] = LEAT_PHASE_LIMITER_WAIT,
        [LEAT_I_WAIT_GATE] = LEAT_PHASE_GATE_WAIT,
        [LEAT_I_WAIT_SEMAPHORE] = LEAT_PHASE_SEMAPHORE_WAIT,
    };
    const struct leat_i_visit *v = t->visit;
    if (!v || !v->frame->run->observed) return;
    leat_trace call = call_of(t, v, phase[what], begin_ns, err);
    call.waited_ns = call.end_ns - call.begin_ns;
    if (v->frame->run->timeline) leat_i_timeline_waited(v->frame->run->timeline, t, &call);
    tell(v->frame->run, &call);
}

/* The piece that ran before the suspension, and the begin of what turns out to last longer; the outermost first. */
static void span_stopped(leat_task *t, leat_i_span *span, int64_t left_ns)
{
    leat_timeline *tl = span->visit->frame->run->timeline;
    if (span->outer) span_stopped(t, span->outer, left_ns);
    if (!tl) return;
    leat_trace call = call_of(t, span->visit, span->phase, span->begin_ns, LEAT_OK);
    if (span->phase != LEAT_PHASE_VISIT && span->since_ns < left_ns)
        leat_i_timeline_ran(tl, t, &call, span->since_ns, left_ns, false);
    if (!span->opened) leat_i_timeline_open(tl, t, &call);
    span->opened = true;
}

/* Gives the depth of the span, the outermost being 0. */
static int64_t span_resumed(leat_i_span *span, int64_t left_ns, int64_t back_ns)
{
    int64_t depth = span->outer ? span_resumed(span->outer, left_ns, back_ns) + 1 : 0;
    span->waited_ns += back_ns - left_ns;
    span->since_ns = back_ns + depth;
    return depth;
}

static void watched_resume(leat_task *t, int64_t left_ns)
{
    if (!t->span) return;
    int64_t back_ns = leat_task_now_ns(t);
    span_stopped(t, t->span, left_ns);
    span_resumed(t->span, left_ns, back_ns);
}

const leat_i_watcher leat_i_trace_watcher = { watched_wait, watched_resume };
