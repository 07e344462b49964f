/*
 * walks.c: the walks of a batch flow in a window: each a task's, with a frame of its own beside that of the batch flow.
 */
#include "window.h"

#include <string.h>

struct walks { /* on the stack of the walker of the batch flow */
    leat_i_frame *frame;
    const leat_param_sets *sets;
    leat_i_window window;
};

leat_err leat_i_walk_note(leat_task *t, leat_i_tally *tally, leat_walk_result *result, size_t index, leat_err err,
                          const char *action)
{
    if (err != LEAT_OK) {
        leat_err stop = leat_i_stop_check(t); /* of the whole batch: then it is no failure of the walk */
        if (stop != LEAT_OK) return stop;
        LEAT_TRY(leat_i_tally_note(tally, t, index, err));
    }
    if (!result) return LEAT_OK;
    result[index].code = err;
    result[index].last_action = action;
    result[index].error = err == LEAT_OK ? NULL : leat_i_error_story(t, err);
    return LEAT_OK;
}

static leat_err walks_pull(leat_task *t, leat_i_window *w, const void **item)
{
    const struct walks *b = w->batch;
    const leat_param_set *set = NULL;
    leat_err err = b->sets->next(t, b->sets->state, &set);
    *item = set;
    return err;
}

static leat_err walks_note(leat_task *t, struct walks *b, size_t index, leat_err err, const char *action)
{
    if (LEAT_LIKELY(err == LEAT_OK)) return leat_i_walk_note(t, &b->frame->tally, b->frame->result, index, err, action);
    leat_i_lock_take(&b->window.lock);
    err = leat_i_walk_note(t, &b->frame->tally, b->frame->result, index, err, action);
    leat_i_lock_give(&b->window.lock);
    return err;
}

static leat_err walks_work(leat_task *t, leat_i_runner *me, size_t index, const void *item)
{
    const leat_i_window *w = me->window;
    struct walks *b = w->batch;
    const leat_param_set *set = w->pull ? item : &b->sets->set[index];
    const char *action = NULL;
    leat_i_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.outer = b->frame->outer;
    frame.flow = b->frame->flow;
    frame.run = b->frame->run;
    frame.gate = b->frame->gate;
    frame.over = b->frame->over;
    frame.over_count = b->frame->over_count;
    frame.item = set->param;
    frame.item_count = set->param ? set->count : 0;
    frame.single = true;
    frame.index = index;
    t->visit = NULL;
    leat_err err = leat_i_walk_run(t, &frame, &action);
    return walks_note(t, b, index, err, action);
}

leat_err leat_i_walks_window(leat_task *t, struct leat_i_visit *v, leat_i_frame *f, const leat_param_sets *sets)
{
    struct walks b;
    leat_i_window *w = &b.window;
    if (!sets) return LEAT_OK;
    memset(&b, 0, sizeof b);
    b.frame = f;
    b.sets = sets;
    w->owner = t;
    w->visit = v;
    w->batch = &b;
    w->max = f->flow->opts.in_flight_max;
    w->keep = f->result != NULL;
    w->count = sets->count;
    w->pull = sets->next ? walks_pull : NULL;
    if (!w->pull && w->max > w->count) w->max = w->count ? (uint32_t)w->count : 1;
    w->work = walks_work;
    leat_err err = leat_i_tally_end(&f->tally, t, leat_i_window_run(w));
    f->walks.count = w->pull ? leat_load_relaxed(&w->next) : sets->count; /* relaxed: the runners are gone */
    f->walks.failed = f->tally.failed;
    f->kept = w->kept;
    return err;
}
