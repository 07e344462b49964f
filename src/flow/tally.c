/*
 * tally.c: what the failures of a batch add up to, and the memory of its items that waits for post.
 */
#include "window.h"

/* ---- failures ---- */

leat_err leat_i_tally_note(leat_i_tally *tally, leat_task *t, size_t index, leat_err err)
{
    tally->failed++;
    if (tally->policy == LEAT_BATCH_FAIL_FAST) return err;
    if (tally->policy == LEAT_BATCH_COLLECT) return LEAT_OK;
    if (tally->held != LEAT_OK && tally->held_index < index) return LEAT_OK;
    tally->held = err;
    tally->held_index = index;
    if (!tally->story) tally->story = leat_i_alloc(sizeof *tally->story);
    if (tally->story) *tally->story = *leat_i_error_story(t, err);
    return LEAT_OK;
}

leat_err leat_i_tally_end(leat_i_tally *tally, leat_task *t, leat_err err)
{
    if (err == LEAT_OK && tally->held != LEAT_OK && tally->story) leat_i_error_set(t, tally->story);
    leat_i_free(tally->story);
    tally->story = NULL;
    return err == LEAT_OK ? tally->held : err;
}

/* ---- kept memory ---- */

struct leat_i_kept { /* lies in the arena that it keeps */
    leat_i_kept *next;
    leat_i_arena arena;
    leat_future *children;
};

void leat_i_kept_join(leat_task *t, leat_future *mark)
{
    leat_future *f;
    for (f = t->children; f != mark; f = f->next) {
        if (!leat_future_is_done(f) && f->ops && f->ops->cancel) f->ops->cancel(f);
    }
    for (f = t->children; f != mark; f = f->next)
        (void)leat_i_await_shielded(t, f);
}

bool leat_i_kept_take(leat_i_kept **list, leat_task *t)
{
    if (!t->arena.chunk && !t->children) return true;
    leat_i_kept *kept = leat_i_arena_alloc(&t->arena, sizeof *kept);
    if (!kept) return false;
    kept->arena = t->arena;
    kept->children = t->children;
    kept->next = *list;
    t->arena = (leat_i_arena){ 0 };
    t->children = NULL;
    t->error = NULL;
    *list = kept;
    return true;
}

void leat_i_kept_free(leat_i_kept *list)
{
    while (list) {
        leat_i_kept kept = *list;
        leat_future *next;
        for (leat_future *f = kept.children; f; f = next) {
            next = f->next;
            if (f->ops && f->ops->free) f->ops->free(f);
        }
        leat_i_arena_fini(&kept.arena);
        list = kept.next;
    }
}
