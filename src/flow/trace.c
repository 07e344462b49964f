/*
 * trace.c: telling the user of each phase, if the run's options ask for it.
 */
#include "walk.h"

void leat_i_trace_tell(leat_task *t, const struct leat_i_visit *v, leat_phase phase, int64_t begin_ns, leat_err err)
{
    const leat_i_frame *f = v->frame;
    const leat_trace call = {
        .flow = f->flow->opts.name,
        .node = v->node ? v->node->name : NULL,
        .phase = phase,
        .attempt = v->attempt,
        .is_item = v->item,
        .is_walk = v->node && f->flow->opts.batch,
        .item = v->item ? v->index : 0,
        .walk = f->index,
        .begin_ns = begin_ns,
        .end_ns = leat_task_now_ns(t),
        .code = err,
        .error = err == LEAT_OK ? NULL : leat_i_error_story(t, err),
    };
    f->run->trace(f->run->trace_arg, &call);
}
