/*
 * mark.c: what a visit made goes when it ends; what must outlive it is carried over.
 */
#include "walk.h"

#include <string.h>

void leat_i_mark_rewind_slow(leat_task *t, const leat_i_mark *mark)
{
    /* Children first: they may use memory that the visit gave them. */
    if (t->children != mark->children) leat_i_task_end_children(t, mark->children);
    t->error = NULL; /* joining may have noted one */
    t->nomem = false;
    leat_i_arena_rewind(&t->arena, mark->arena);
}

/* Takes `size` bytes over the rewind by way of the heap: their old place may be where their new one is. */
static void *carry(leat_task *t, const leat_i_mark *mark, const void *from, size_t size)
{
    void *copy = leat_i_alloc(size), *kept = NULL;
    if (copy) memcpy(copy, from, size);
    leat_i_mark_rewind_slow(t, mark);
    if (copy && (kept = leat_i_arena_alloc(&t->arena, size))) memcpy(kept, copy, size);
    leat_i_free(copy);
    return kept;
}

const char *leat_i_carry_text(leat_task *t, const leat_i_mark *mark, const char *text, leat_err *err)
{
    if (!text) {
        leat_i_mark_rewind(t, mark);
        return NULL;
    }
    const char *kept = carry(t, mark, text, strlen(text) + 1);
    if (!kept) *err = LEAT_NOMEM;
    return kept;
}

const char *leat_i_pass_text(leat_task *t, const leat_i_mark *mark, const char *text, leat_err *err)
{
    if (!leat_i_mark_is_new(t, mark)) return text;
    return leat_i_carry_text(t, mark, text, err);
}

void leat_i_carry_error(leat_task *t, const leat_i_mark *mark, leat_err err)
{
    const leat_error *story = leat_i_error_story(t, err);
    t->error = carry(t, mark, story, sizeof *story);
}
