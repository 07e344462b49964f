/*
 * visit.c: one pass over a node with a class: prep, the attempts of exec, post; straight calls in one task.
 */
#include "walk.h"

#include "../base/err.h"

leat_i_deadline leat_i_deadline_set(leat_task *t, int64_t ms)
{
    leat_i_deadline d = { ms, t->deadline_ns, LEAT_I_NEVER_NS };
    if (ms > 0 && ms < LEAT_I_NEVER_NS / LEAT_I_NS_PER_MS)
        d.own_ns = leat_i_os_add_ns(leat_task_now_ns(t), ms * LEAT_I_NS_PER_MS);
    if (d.own_ns < d.around_ns) t->deadline_ns = d.own_ns;
    return d;
}

leat_err leat_i_deadline_end(leat_task *t, const leat_i_deadline *d, leat_err err, const char *whose)
{
    t->deadline_ns = d->around_ns;
    if (err != LEAT_CANCELED || d->own_ns >= d->around_ns || leat_task_now_ns(t) < d->own_ns) return err;
    if (leat_i_task_check(t) == LEAT_CANCELED) return err; /* something around it ends too, and that counts */
    const leat_error *at = t->error;                       /* what was under way; it stays in the arena */
    leat_task_fail(t, LEAT_TIMEOUT, "the %s deadline of %lld ms passed", whose, (long long)d->ms);
    if (t->error && at) {
        __builtin_memcpy(t->error->node, at->node, sizeof at->node);
        t->error->attempt = at->attempt;
        leat_i_error_because(t->error, at);
    }
    return LEAT_TIMEOUT;
}

static leat_err prep_call(leat_task *t, struct leat_i_visit *v, const void **prep_res)
{
    leat_i_gate_take(t, v->frame);
    t->error = NULL;
    leat_err err = leat_i_stop_check(t);
    if (LEAT_LIKELY(err == LEAT_OK)) {
        leat_i_span span;
        leat_i_trace_begin(t, v, LEAT_PHASE_PREP, &span);
        err = leat_i_phase_err(t, v->node->cls->prep(t, v->frame->run->shared, prep_res));
        leat_i_trace_end(t, v, &span, err);
    }
    if (LEAT_LIKELY(err == LEAT_OK)) return LEAT_OK;
    return leat_i_error_place(t, v, err, "prep");
}

static leat_err exec_all(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void **exec_res)
{
    leat_i_gate_give(t);
    leat_err err = leat_i_attempts(t, v, prep_res, exec_res);
    return LEAT_LIKELY(err == LEAT_OK) ? LEAT_OK : leat_i_error_place_attempt(t, v, err);
}

leat_err leat_i_post_call(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void *exec_res,
                          const char **action)
{
    leat_i_gate_take(t, v->frame);
    t->error = NULL;
    leat_err err = leat_i_stop_check(t); /* what was canceled meanwhile gets no post */
    if (LEAT_LIKELY(err == LEAT_OK)) {
        leat_i_span span;
        leat_i_trace_begin(t, v, LEAT_PHASE_POST, &span);
        err = leat_i_phase_err(t, v->node->cls->post(t, v->frame->run->shared, prep_res, exec_res, action));
        leat_i_trace_end(t, v, &span, err);
    }
    if (LEAT_LIKELY(err == LEAT_OK)) return LEAT_OK;
    return leat_i_error_place(t, v, err, "post");
}

static leat_err visit_phases(leat_task *t, struct leat_i_visit *v, const char **action)
{
    const leat_node *node = v->node;
    const leat_node_class *cls = node->cls;
    const void *prep_res = NULL, *exec_res = NULL;
    v->attempt = 0;
    v->fallback = false;
    t->name = node->name;
    if (cls->prep) LEAT_TRY(prep_call(t, v, &prep_res));
    if (node->opts.batch) return leat_i_visit_items(t, v, prep_res, action);
    if (cls->exec) LEAT_TRY(exec_all(t, v, prep_res, &exec_res));
    if (cls->post) LEAT_TRY(leat_i_post_call(t, v, prep_res, exec_res, action));
    return LEAT_OK;
}

static leat_err visit_within(leat_task *t, struct leat_i_visit *v, const char **action)
{
    if (LEAT_LIKELY(v->node->opts.deadline_ms == 0)) return visit_phases(t, v, action);
    leat_i_deadline d = leat_i_deadline_set(t, v->node->opts.deadline_ms);
    leat_err err = leat_i_deadline_end(t, &d, visit_phases(t, v, action), "node's");
    return err == LEAT_TIMEOUT ? leat_i_error_place(t, v, err, "visit") : err;
}

leat_err leat_i_visit_node(leat_task *t, struct leat_i_visit *v, const char **action)
{
    leat_i_span span;
    leat_i_trace_begin(t, v, LEAT_PHASE_VISIT, &span);
    return leat_i_trace_end(t, v, &span, visit_within(t, v, action));
}
