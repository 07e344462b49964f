/*
 * error.c: the story of a failure: one sentence that names the flow, the node, the attempt and the cause.
 *
 * The first place that a failure passes writes itself before the cause. Places further out (the node that called the flow, the
 * flow around it) are added to its story, for the sentence is short and the root of the matter counts most; a place that was the
 * last one already is not added again. What led to the failure stands in the story too (base/err.h).
 */
#include "walk.h"

#include "../base/err.h"

#include <stdio.h>
#include <string.h>

#define ERROR_PLACED "flow \"" /* how a sentence begins that knows its place */

const leat_error *leat_i_error_story(leat_task *t, leat_err err)
{
    if (!t->error || t->error->code != err) leat_task_fail(t, err, "%s", leat_err_sentence(err));
    return t->error ? t->error : leat_i_error_of(err); /* no memory for a story: the code is still right */
}

const leat_error *leat_i_error_copy(leat_task *t, const leat_error *from)
{
    leat_error *copy = leat_i_arena_alloc(&t->arena, sizeof *copy);
    if (!copy) return leat_i_error_of(from->code);
    *copy = *from;
    return copy;
}

void leat_i_error_set(leat_task *t, const leat_error *from)
{
    leat_error *copy = leat_i_arena_alloc(&t->arena, sizeof *copy);
    if (copy) *copy = *from;
    t->error = copy;
}

/* Where a visit is: 'flow "f", walk 3, node "n"'. The node's part is missing in a flow's own prep and post. */
static void place_write(char *place, size_t size, const struct leat_i_visit *v)
{
    char walk[40] = "";
    const leat_flow_opts *opts = &v->frame->flow->opts;
    if (v->node && opts->batch) snprintf(walk, sizeof walk, ", walk %zu", v->frame->index);
    if (v->node)
        snprintf(place, size, ERROR_PLACED "%.32s\"%s, node \"%.32s\"", opts->name, walk, v->node->name);
    else
        snprintf(place, size, ERROR_PLACED "%.32s\"", opts->name);
}

static bool text_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The last place that the failure has passed, its own sentence being the first. */
static const char *place_last(const leat_error *error)
{
    const char *last = error->text, *text;
    leat_err code;
    for (size_t i = 0; (text = leat_error_cause(error, i, &code)); i++) {
        if (code == LEAT_OK) last = text;
    }
    return last;
}

leat_err leat_i_error_place(leat_task *t, const struct leat_i_visit *v, leat_err err, const char *where)
{
    char place[160], item[40] = "", cause[sizeof t->error->text];
    leat_i_error_story(t, err);
    leat_error *error = t->error;
    if (!error) return err;
    place_write(place, sizeof place, v);
    if (v->item) snprintf(item, sizeof item, ", item %zu", v->index);
    if (text_begins(error->text, ERROR_PLACED)) {
        if (text_begins(place_last(error), place)) return err;
        snprintf(cause, sizeof cause, "%s%s%s%s", place, item, where ? ", " : "", where ? where : "");
        leat_i_error_add(error, LEAT_OK, cause);
        return err;
    }
    memcpy(cause, error->text, sizeof cause);
    error->attempt = v->attempt;
    snprintf(error->node, sizeof error->node, "%s", v->node ? v->node->name : "");
    int size =
        snprintf(error->text, sizeof error->text, "%s%s%s%s: %s", place, item, where ? ", " : "", where ? where : "", cause);
    if (size >= (int)sizeof error->text)
        leat_i_error_add(error, err, cause); /* the whole of it, since the sentence is cut */
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

void leat_i_error_because_of(leat_task *t, leat_err err, const leat_error *cause)
{
    leat_i_error_story(t, err);
    /* A fallback that passed the attempt's failure on has it as its own. */
    if (t->error && t->error != cause && strcmp(t->error->text, cause->text) != 0) leat_i_error_because(t->error, cause);
}
