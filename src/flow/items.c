/*
 * items.c: the exec of a batch node: one item after another in the node's own task, or many in a window.
 *
 * Without `each`, what the items make is kept until post has returned, since their values may point into it. With `each`, the
 * memory of an item ends when each has returned, and only the counts are kept.
 */
#include "window.h"

#include <string.h>

/* State of one batch; on the stack of the visit. */
struct items {
    struct leat_i_visit *visit; /* of the node, in the owner's task */
    const leat_items *in;
    size_t room; /* places of value and error */
    const void **value;
    const leat_error **error; /* NULL until the first failure */
    leat_i_tally tally;
    leat_i_window window;
};

/* ---- results: one writer at a time per index; the arrays change under the window's lock ---- */

/* A new one comes from the kernel as pages of zeros that nobody has touched: a batch of a million items begins at once. */
static void *array_grow(void *old, size_t room, size_t more)
{
    if (more > SIZE_MAX / sizeof(void *)) return NULL;
    if (!old) return leat_i_alloc_zeroed(more * sizeof(void *));
    char *grown = leat_i_realloc(old, more * sizeof(void *));
    if (grown) memset(grown + room * sizeof(void *), 0, (more - room) * sizeof(void *));
    return grown;
}

static bool results_reserve(struct items *b, size_t count)
{
    if (count <= b->room) return true;
    size_t more = b->in->next && count < 2 * b->room ? 2 * b->room : count;
    if (b->in->next && more < 16) more = 16;
    const void **value = array_grow(b->value, b->room, more);
    if (!value) return false;
    b->value = value;
    if (b->error) {
        const leat_error **error = array_grow(b->error, b->room, more);
        if (!error) return false;
        b->error = error;
    }
    b->room = more;
    return true;
}

/* Puts down what became of an item that went well, or was counted as a failure whose story is t->error. */
static leat_err results_put(struct items *b, leat_task *t, size_t index, const void *value, leat_err err)
{
    if (!results_reserve(b, index + 1)) return LEAT_NOMEM;
    b->value[index] = value;
    if (err == LEAT_OK) return LEAT_OK;
    if (!b->error && !(b->error = array_grow(NULL, 0, b->room))) return LEAT_NOMEM;
    b->error[index] = leat_i_error_copy(t, leat_i_error_story(t, err));
    return LEAT_OK;
}

/* ---- one item, in any task ---- */

static leat_err each_call(leat_task *t, struct items *b, const struct leat_i_visit *v, const void *item, const void *value,
                          leat_err item_err)
{
    const leat_node_opts *opts = &v->node->opts;
    const leat_error *story = item_err == LEAT_OK ? NULL : leat_i_error_story(t, item_err);
    bool ordered = opts->each_in_order && b->window.each_waiter;
    if (ordered) LEAT_TRY(leat_i_window_turn_wait(&b->window, t, v->index));
    leat_i_gate_take(t, v->frame);
    t->error = NULL;
    t->nomem = false;
    leat_err err = leat_i_stop_check(t);
    if (err == LEAT_OK) {
        leat_i_span span;
        if (item_err != LEAT_OK) value = NULL;
        leat_i_trace_begin(t, v, LEAT_PHASE_EACH, &span);
        err = leat_i_phase_err(t, opts->each(t, v->frame->run->shared, v->index, item, value, story));
        leat_i_trace_end(t, v, &span, err);
    }
    if (err != LEAT_OK) leat_i_error_place(t, v, err, "each");
    leat_i_gate_give(t);
    if (ordered && err == LEAT_OK) leat_i_window_turn_done(&b->window);
    return err;
}

/* Attempts and fallback; *value is NULL and t->error tells when it failed. */
static leat_err item_exec(leat_task *t, struct leat_i_visit *v, const void *item, const void **value)
{
    leat_i_span span;
    *value = NULL;
    leat_i_trace_begin(t, v, LEAT_PHASE_VISIT, &span);
    leat_err err = LEAT_LIKELY(v->node->cls->exec != NULL) ? leat_i_attempts(t, v, item, value) : leat_i_stop_check(t);
    return leat_i_trace_end(t, v, &span, err);
}

/* After a failure: LEAT_OK when the batch goes on, else the error by which it ends, its place told. */
static leat_err item_failed(leat_task *t, struct items *b, const struct leat_i_visit *v, leat_err err)
{
    leat_err stop = leat_i_stop_check(t); /* of the whole batch: then it is no failure of the item */
    if (stop != LEAT_OK) return leat_i_error_place_attempt(t, v, stop);
    if (b->tally.policy != LEAT_BATCH_COLLECT) leat_i_error_place_attempt(t, v, err);
    return leat_i_tally_note(&b->tally, t, v->index, err);
}

/* ---- one after another ---- */

static leat_err item_next(leat_task *t, const leat_items *in, size_t index, const void **item, bool *end)
{
    if (in->next) {
        leat_err err = leat_i_phase_err(t, in->next(t, in->state, item));
        *end = err != LEAT_OK || !*item;
        return err;
    }
    *end = index >= in->count;
    if (!*end) *item = in->item[index];
    return LEAT_OK;
}

static leat_err item_sequential(leat_task *t, struct items *b, struct leat_i_visit *v, const void *item)
{
    const void *value;
    leat_err err = item_exec(t, v, item, &value);
    if (LEAT_UNLIKELY(err != LEAT_OK)) LEAT_TRY(item_failed(t, b, v, err));
    if (v->node->opts.each) return each_call(t, b, v, item, value, err);
    if (LEAT_LIKELY(err == LEAT_OK && v->index < b->room)) {
        b->value[v->index] = value;
        return LEAT_OK;
    }
    return results_put(b, t, v->index, value, err);
}

/* Gives the number of items done. */
static leat_err items_sequential(leat_task *t, struct items *b, struct leat_i_visit *v, size_t *count)
{
    bool end = false, each = v->node->opts.each != NULL;
    for (size_t index = 0;; index++) {
        leat_i_mark mark = leat_i_mark_take(t);
        const void *item = NULL;
        v->index = *count = index;
        t->error = NULL;
        leat_err err = item_next(t, b->in, index, &item, &end);
        if (err != LEAT_OK) return leat_i_error_place(t, v, err, "next");
        if (end) return LEAT_OK;
        LEAT_TRY(leat_i_stop_check(t));
        LEAT_TRY(item_sequential(t, b, v, item));
        if (each)
            leat_i_mark_rewind(t, &mark);
        else if (LEAT_UNLIKELY(t->children != mark.children))
            leat_i_kept_join(t, mark.children);
        leat_i_task_breathe(t);
    }
}

/* ---- in a window ---- */

static leat_err window_pull(leat_task *t, leat_i_window *w, const void **item)
{
    const struct items *b = w->batch;
    return b->in->next(t, b->in->state, item);
}

static leat_err window_put(leat_task *t, struct items *b, struct leat_i_visit *v, const void *value, leat_err err)
{
    if (LEAT_LIKELY(err == LEAT_OK && !b->in->next)) {
        b->value[v->index] = value; /* reserved before the start, and nobody else's place */
        return LEAT_OK;
    }
    leat_i_lock_take(&b->window.lock);
    err = results_put(b, t, v->index, value, err);
    leat_i_lock_give(&b->window.lock);
    return err;
}

static leat_err window_failed(leat_task *t, struct items *b, const struct leat_i_visit *v, leat_err err)
{
    leat_i_lock_take(&b->window.lock);
    err = item_failed(t, b, v, err);
    leat_i_lock_give(&b->window.lock);
    return err;
}

static leat_err window_work(leat_task *t, leat_i_runner *me, size_t index, const void *item)
{
    leat_i_window *w = me->window;
    struct items *b = w->batch;
    const struct leat_i_visit *around = b->visit;
    struct leat_i_visit v = {
        .task = t, .frame = around->frame, .node = around->node, .item = true, .index = index, .runner = me
    };
    leat_future *mark = t->children;
    const void *value;
    t->visit = &v;
    t->name = v.node->name;
    if (!w->pull) item = b->in->item[index];
    leat_err err = item_exec(t, &v, item, &value), end = LEAT_OK;
    if (LEAT_UNLIKELY(err != LEAT_OK)) end = window_failed(t, b, &v, err);
    if (end == LEAT_OK) end = w->keep ? window_put(t, b, &v, value, err) : each_call(t, b, &v, item, value, err);
    leat_i_visit_join(t, mark);
    return end;
}

static leat_err items_window(leat_task *t, struct items *b, struct leat_i_visit *v, size_t *count)
{
    leat_i_window *w = &b->window;
    const leat_node_opts *opts = &v->node->opts;
    w->owner = t;
    w->visit = v;
    w->batch = b;
    w->max = opts->in_flight_max;
    w->keep = !opts->each;
    w->paced = v->frame->run->budgeted;
    w->work = window_work;
    w->pull = b->in->next ? window_pull : NULL;
    w->count = b->in->count;
    if (!w->pull && w->max > w->count) w->max = w->count ? (uint32_t)w->count : 1;
    if (opts->each && opts->each_in_order) {
        w->each_waiter = leat_i_alloc_zeroed(w->max * sizeof(leat_i_waiter *));
        if (!w->each_waiter) return LEAT_NOMEM;
    }
    leat_err err = leat_i_window_run(w);
    *count = w->pull ? leat_load_relaxed(&w->next) : w->count; /* relaxed: the runners are gone, seen under the lock */
    leat_i_free(w->each_waiter);
    return err;
}

/* ---- the batch ---- */

static leat_err items_all(leat_task *t, struct items *b, struct leat_i_visit *v, size_t *count)
{
    const leat_node_opts *opts = &v->node->opts;
    bool array = !b->in->next;
    if (array && b->in->count > 0 && !b->in->item) {
        leat_task_fail(t, LEAT_USAGE, "prep gave %zu items and no array", b->in->count);
        return leat_i_error_place(t, v, LEAT_USAGE, "prep");
    }
    if (array && !opts->each && !results_reserve(b, b->in->count)) return LEAT_NOMEM;
    leat_i_gate_give(t);
    leat_err err = opts->in_flight_max > 1 ? items_window(t, b, v, count) : items_sequential(t, b, v, count);
    return leat_i_tally_end(&b->tally, t, err);
}

/* post, and its action copied when it may lie in memory that ends now. */
static leat_err items_post(leat_task *t, struct items *b, struct leat_i_visit *v, const leat_items *items, size_t count,
                           const char **action)
{
    bool kept = v->node->opts.each == NULL;
    leat_results results = { count, b->tally.failed, kept ? b->value : NULL, kept ? b->error : NULL };
    if (!v->node->cls->post) return LEAT_OK;
    v->item = false;
    LEAT_TRY(leat_i_post_call(t, v, items, &results, action));
    if (!*action || !b->window.kept) return LEAT_OK;
    *action = leat_i_arena_strndup(&t->arena, *action, strlen(*action));
    return *action ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_i_visit_items(leat_task *t, struct leat_i_visit *v, const leat_items *items, const char **action)
{
    static const leat_items empty;
    struct items b;
    size_t count = 0;
    memset(&b, 0, sizeof b);
    b.visit = v;
    b.in = items ? items : &empty;
    b.tally.policy = v->node->opts.policy;
    v->item = true;
    leat_err err = items_all(t, &b, v, &count);
    if (err == LEAT_OK) err = items_post(t, &b, v, items, count, action);
    v->item = false;
    leat_i_kept_free(b.window.kept);
    leat_i_free(b.value);
    leat_i_free(b.error);
    return err == LEAT_OK ? LEAT_OK : leat_i_error_place(t, v, err, "batch");
}
