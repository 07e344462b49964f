/*
 * view.c: what a callback may ask about the visit that it serves.
 *
 * A task that a visit started sees the visit of its parent, which ends after it.
 */
#include "walk.h"

#include <string.h>

static const char *params_find(const leat_param *param, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (param[i].key && strcmp(param[i].key, key) == 0) return param[i].value;
    }
    return NULL;
}

const char *leat_task_param(const leat_task *t, const char *key)
{
    leat_i_task_require(t, __func__);
    if (!t->visit || !key) return NULL;
    for (const leat_i_frame *f = t->visit->frame; f; f = f->outer) {
        const char *value = params_find(f->item, f->item_count, key);
        if (!value) value = params_find(f->over, f->over_count, key);
        if (!value) value = params_find(f->flow->opts.params, f->flow->opts.param_count, key);
        if (value) return value;
    }
    return NULL;
}

uint32_t leat_task_attempt(const leat_task *t)
{
    leat_i_task_require(t, __func__);
    return t->visit ? t->visit->attempt : 0;
}

void *leat_task_self(const leat_task *t)
{
    leat_i_task_require(t, __func__);
    const struct leat_i_visit *v = t->visit;
    if (!v) return NULL;
    return v->node ? v->node->opts.self : v->frame->flow->opts.self;
}

size_t leat_task_index(const leat_task *t)
{
    leat_i_task_require(t, __func__);
    const struct leat_i_visit *v = t->visit;
    if (!v) return 0;
    if (v->item) return v->index;
    /* In a flow's own prep and post none of its walks runs: the flow around it tells. */
    for (const leat_i_frame *f = v->node ? v->frame : v->frame->outer; f; f = f->outer) {
        if (f->flow->opts.batch) return f->index;
    }
    return 0;
}

void *leat_task_walk(const leat_task *t)
{
    leat_i_task_require(t, __func__);
    const struct leat_i_visit *v = t->visit;
    return v && v->task == t && !v->item ? v->frame->store : NULL;
}
