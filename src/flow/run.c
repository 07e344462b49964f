/*
 * run.c: how a run begins and ends: from a thread outside the pool, in a task, and as a child of a task.
 *
 * A run has one gate, one optional budget, one optional deadline. A run that a task of another run starts looks outwards for a
 * run with the same `shared` and uses its gate; budgets add up: an attempt needs a permit of each run around it that has one.
 *
 * An attempt that starts a run gives its own permits back first, since the attempts of that run need them (nesting would
 * deadlock): for good when the run goes on beside it, else until the run has ended.
 */
#include "walk.h"

#include <string.h>

#include "../base/err.h"

/* Runs on top of one another on one stack; what is left of it belongs to the user's own code. */
#define RUN_CALL_DEPTH_MAX 16
/* Runs that started one another; each has a stack of its own, and what starts itself without end would take them all. */
#define RUN_DEPTH_MAX 1024
#define RUNS_TOO_DEEP "flows start flows more than %d deep: does one start itself?"

/* What a task that is to run a flow must know. */
struct start {
    leat_flow *flow;
    void *shared;
    leat_run_opts opts;
    leat_i_run *outer;
};

/* ---- the run itself, in its task ---- */

static leat_err run_gate(leat_i_run *run, const leat_flow *flow)
{
    for (const leat_i_run *r = run->outer; r; r = r->outer) {
        if (r->shared != run->shared) continue;
        run->gate = r->gate;
        return LEAT_OK;
    }
    if (flow->opts.concurrent_shared) return LEAT_OK;
    run->gate = leat_i_gate_new();
    run->owns_gate = run->gate != NULL;
    return run->gate ? LEAT_OK : LEAT_NOMEM;
}

static leat_err run_init(leat_i_run *run, const leat_flow *flow, void *shared, const leat_run_opts *opts, leat_i_run *outer)
{
    *run = (leat_i_run){ .outer = outer, .shared = shared, .call_depth = 1, .depth = outer ? outer->depth + 1 : 1 };
    run->budgeted = opts->in_flight_max > 0 || (outer && outer->budgeted);
    run->trace = opts->trace || !outer ? opts->trace : outer->trace;
    run->trace_arg = opts->trace || !outer ? opts->trace_arg : outer->trace_arg;
    run->timeline = opts->timeline || !outer ? opts->timeline : outer->timeline;
    run->profile = opts->profile || !outer ? opts->profile : outer->profile;
    run->observed = run->trace || run->timeline || run->profile;
    LEAT_TRY(run_gate(run, flow));
    return opts->in_flight_max > 0 ? leat_semaphore_new(&run->budget, opts->in_flight_max) : LEAT_OK;
}

static void run_fini(leat_i_run *run)
{
    leat_semaphore_free(run->budget);
    if (run->owns_gate) leat_i_gate_free(run->gate);
}

/* Walks the flow under the run; the caller has checked the flow and counted the run. */
static leat_err run_walk(leat_task *t, leat_i_run *run, const struct start *s, const char **action)
{
    leat_i_frame base;
    memset(&base, 0, sizeof base);
    base.flow = s->flow;
    base.run = run;
    base.gate = s->flow->opts.concurrent_shared ? NULL : run->gate;
    base.over = s->opts.params;
    base.over_count = s->opts.params ? s->opts.param_count : 0;
    base.entered = leat_i_mark_take(t);
    const leat_i_watcher *watcher = t->watcher;
    if (run->observed) t->watcher = &leat_i_trace_watcher;
    leat_i_deadline d = leat_i_deadline_set(t, s->opts.deadline_ms);
    leat_err err = leat_i_walk_run(t, &base, action);
    t->watcher = watcher;
    return leat_i_deadline_end(t, &d, err, "run's");
}

/* A whole run in `t`. On failure t->error tells; the action lies in the memory of the visit around it. */
static leat_err run_whole(leat_task *t, const struct start *s, uint32_t call_depth, const char **action)
{
    leat_i_run run;
    *action = NULL;
    leat_err err = run_init(&run, s->flow, s->shared, &s->opts, s->outer);
    if (err == LEAT_OK) {
        run.call_depth = call_depth;
        err = run_walk(t, &run, s, action);
    }
    run_fini(&run);
    if (err == LEAT_OK && *action) {
        *action = leat_i_arena_strndup(&t->arena, *action, strlen(*action));
        if (!*action) err = LEAT_NOMEM;
    }
    const leat_error *story = err == LEAT_OK ? NULL : leat_i_error_story(t, err);
    if (s->opts.error && story) *s->opts.error = *story;
    if (s->opts.last_action && !story) *s->opts.last_action = *action;
    return err;
}

/* Checks the flow and counts the run; on failure *error (optional) tells. */
static leat_err run_begin(leat_flow *flow, leat_runtime *rt, leat_error *error)
{
    LEAT_TRY(leat_i_flow_check_run(flow, rt, error));
    return leat_i_flow_run_begin(flow, rt) ? LEAT_OK : leat_i_fail(error, LEAT_USAGE, "the flow was freed");
}

/* ---- from a thread outside the pool ---- */

static leat_err submit_main(leat_task *t, void *arg, const void **result)
{
    struct start s = *(struct start *)arg;
    const char *action = NULL;
    leat_i_free(arg);
    leat_err err = run_whole(t, &s, 1, &action);
    if (err == LEAT_OK) *result = action;
    leat_i_flow_run_end(s.flow);
    return err;
}

leat_err leat_flow_submit(leat_runtime *rt, leat_flow *flow, void *shared, const leat_run_opts *opts, leat_handle **out)
{
    static const leat_run_opts none;
    leat_error *error = opts ? opts->error : NULL;
    if (!out) return leat_i_fail(error, LEAT_USAGE, "leat_flow_submit was called without a place for the handle");
    *out = NULL;
    if (!rt) return leat_i_fail(error, LEAT_USAGE, "a flow cannot run without a runtime");
    LEAT_TRY(run_begin(flow, rt, error));
    struct start *s = leat_i_alloc(sizeof *s);
    if (!s) {
        leat_i_flow_run_end(flow);
        return leat_i_fail(error, LEAT_NOMEM, "%s", leat_err_sentence(LEAT_NOMEM));
    }
    *s = (struct start){ .flow = flow, .shared = shared, .opts = opts ? *opts : none };
    leat_err err = leat_i_task_submit(rt, submit_main, s, false, out); /* always called: it gives back */
    if (err == LEAT_OK) return LEAT_OK;
    leat_i_free(s);
    leat_i_flow_run_end(flow);
    return leat_i_fail(error, err, "%s",
                       err == LEAT_USAGE ? "a flow is run from a task with leat_flow_call, and not in a forked process"
                                         : leat_err_sentence(err));
}

leat_err leat_flow_run(leat_runtime *rt, leat_flow *flow, void *shared, const leat_run_opts *opts)
{
    leat_run_opts inner = opts ? *opts : (leat_run_opts){ 0 };
    leat_handle *handle = NULL;
    const void *action = NULL;
    inner.last_action = NULL; /* the handle's result ends with the handle: what goes out is kept by the flow */
    leat_err err = leat_flow_submit(rt, flow, shared, &inner, &handle);
    if (err != LEAT_OK) return err;
    err = leat_handle_wait(handle, -1, &action, NULL);
    if (err == LEAT_OK && opts && opts->last_action) {
        *opts->last_action = action ? leat_i_flow_keep_name(flow, action) : NULL;
        if (action && !*opts->last_action) err = leat_i_fail(opts->error, LEAT_NOMEM, "%s", leat_err_sentence(LEAT_NOMEM));
    }
    leat_handle_free(handle);
    return err;
}

/* ---- inside a task ---- */

static leat_err call_refused(leat_task *t, const leat_run_opts *opts, const leat_error *error)
{
    leat_i_error_set(t, error);
    if (opts && opts->error) *opts->error = *error;
    return error->code;
}

/* These two are no part of leat_flow_call, whose frame lies on a stack for as long as the run waits: an error is large. */
__attribute__((noinline, format(printf, 3, 0))) static leat_err too_deep(leat_task *t, const leat_run_opts *opts,
                                                                         const char *how, int max)
{
    leat_error error;
    (void)leat_i_fail(&error, LEAT_USAGE, how, max);
    return call_refused(t, opts, &error);
}

__attribute__((noinline)) static leat_err call_begin(leat_task *t, leat_flow *flow, const leat_run_opts *opts)
{
    leat_error error;
    leat_err err = run_begin(flow, t->rt, &error);
    return err == LEAT_OK ? err : call_refused(t, opts, &error);
}

leat_err leat_flow_call(leat_task *t, leat_flow *flow, void *shared, const leat_run_opts *opts)
{
    LEAT_I_TASK_TRY(t);
    struct leat_i_visit *v = t->visit;
    struct start s = { .flow = flow, .shared = shared, .opts = opts ? *opts : (leat_run_opts){ 0 } };
    const char *action;
    s.outer = v ? v->frame->run : NULL;
    uint32_t depth = v && v->task == t ? s.outer->call_depth + 1 : 1;
    if (depth > RUN_CALL_DEPTH_MAX)
        return too_deep(t, opts, "flows call flows more than %d deep on one stack", RUN_CALL_DEPTH_MAX);
    if (s.outer && s.outer->depth >= RUN_DEPTH_MAX) return too_deep(t, opts, RUNS_TOO_DEEP, RUN_DEPTH_MAX);
    LEAT_TRY(call_begin(t, flow, opts));
    /* A phase that holds the gate lets it go while it waits, as always. */
    leat_i_gate *gate = t->gate_held ? t->gate : NULL;
    bool permit = v && leat_i_permit_give(v);
    leat_i_gate_give(t);
    leat_err err = run_whole(t, &s, depth, &action);
    leat_i_flow_run_end(flow);
    leat_error *story = t->error;
    if (permit && v->task == t) {
        leat_err stop = leat_i_permit_take(t, v);
        if (err == LEAT_OK) err = stop;
    }
    if (gate) leat_i_gate_enter(t, gate);
    t->error = story;
    return err;
}

/* ---- as a child of a task ---- */

static leat_err start_main(leat_task *t, void *arg, const void **result)
{
    struct start *s = arg;
    const char *action = NULL;
    if (s->outer && s->outer->depth >= RUN_DEPTH_MAX) return too_deep(t, &s->opts, RUNS_TOO_DEEP, RUN_DEPTH_MAX);
    LEAT_TRY(call_begin(t, s->flow, &s->opts));
    leat_err err = run_whole(t, s, 1, &action);
    leat_i_flow_run_end(s->flow);
    if (err == LEAT_OK) *result = action;
    return err;
}

static leat_err start_nomem(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_NOMEM;
}

leat_future *leat_flow_start(leat_task *t, leat_flow *flow, void *shared, const leat_run_opts *opts)
{
    if (LEAT_UNLIKELY(!leat_i_task_is_here(t))) return leat_i_future_misused(__func__);
    struct leat_i_visit *v = t->visit;
    struct start *s = leat_task_alloc(t, sizeof *s);
    if (!s) return leat_task_start(t, start_nomem, NULL);
    s->flow = flow;
    s->shared = shared;
    if (opts) s->opts = *opts;
    s->outer = v ? v->frame->run : NULL;
    if (v) leat_i_permit_give(v);
    return leat_task_start(t, start_main, s);
}
