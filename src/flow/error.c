/*
 * error.c: the story of a failure: one sentence that names the flow, the node, the attempt and the cause.
 *
 * The first place that a failure passes writes itself before the cause; places further out leave the sentence alone, since
 * leat_error.text is short and the root of the matter counts most.
 */
#include "walk.h"

#include <stdio.h>
#include <string.h>

#define ERROR_PLACED "flow \"" /* how a sentence begins that knows its place */

/* What is told when there is no memory for a story. */
static const leat_error error_nomem = { .code = LEAT_NOMEM, .retry_after_ms = -1, .text = "out of memory" };

const leat_error *leat_i_error_story(leat_task *t, leat_err err)
{
    if (!t->error || t->error->code != err) leat_task_fail(t, err, "%s", leat_err_sentence(err));
    return t->error ? t->error : &error_nomem;
}

const leat_error *leat_i_error_copy(leat_task *t, const leat_error *from)
{
    leat_error *copy = leat_i_arena_alloc(&t->arena, sizeof *copy);
    if (!copy) return &error_nomem;
    *copy = *from;
    return copy;
}

void leat_i_error_set(leat_task *t, const leat_error *from)
{
    const leat_error *copy = leat_i_error_copy(t, from);
    t->error = copy == &error_nomem ? NULL : (leat_error *)copy;
}

/* Cutting the sentence to fit is meant. */
__attribute__((format(printf, 2, 3))) static void error_write(leat_error *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof error->text, fmt, args);
    va_end(args);
}

leat_err leat_i_error_place(leat_task *t, const struct leat_i_visit *v, leat_err err, const char *where)
{
    leat_i_error_story(t, err);
    leat_error *error = t->error;
    if (!error || strncmp(error->text, ERROR_PLACED, strlen(ERROR_PLACED)) == 0) return err;
    char cause[sizeof error->text], walk[40] = "", item[40] = "";
    memcpy(cause, error->text, sizeof cause);
    if (v->node && v->frame->flow->opts.batch) snprintf(walk, sizeof walk, ", walk %zu", v->frame->index);
    if (v->item) snprintf(item, sizeof item, ", item %zu", v->index);
    error->attempt = v->attempt;
    const char *flow = v->frame->flow->opts.name;
    if (v->node) {
        snprintf(error->node, sizeof error->node, "%s", v->node->name);
        error_write(error, ERROR_PLACED "%.32s\"%s, node \"%.32s\"%s, %s: %s", flow, walk, error->node, item, where, cause);
    } else {
        error->node[0] = '\0';
        error_write(error, ERROR_PLACED "%.32s\", %s: %s", flow, where, cause);
    }
    return err;
}

leat_err leat_i_error_place_attempt(leat_task *t, const struct leat_i_visit *v, leat_err err)
{
    char where[48];
    int32_t max = v->node->opts.max_attempts;
    if (v->fallback) return leat_i_error_place(t, v, err, "fallback");
    snprintf(where, sizeof where, "attempt %u of %d", v->attempt + 1, max > 0 ? max : 1);
    return leat_i_error_place(t, v, err, where);
}
