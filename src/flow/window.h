/*
 * window.h: items of a batch that run in parallel, at most so many at once, in the memory of the window.
 */
#ifndef LEAT_I_WINDOW_H
#define LEAT_I_WINDOW_H

#include "../base/lock.h"
#include "walk.h"

/* ---- memory of items that is kept until the post of the batch has returned ---- */

typedef struct leat_i_kept leat_i_kept;

/* Waits for the end of what was started since the mark, canceling it, and keeps its results. */
void leat_i_kept_join(leat_task *t, leat_future *mark);
/* The same at the end of a visit that lies on the stack: tasks that it started see it, and may not outlive it. */
static inline void leat_i_visit_join(leat_task *t, leat_future *mark)
{
    leat_error *error = t->error;
    if (LEAT_UNLIKELY(t->children != mark)) leat_i_kept_join(t, mark);
    t->error = error;
}

/* Takes the task's arena and ended children over to the list; false when memory is short. */
bool leat_i_kept_take(leat_i_kept **list, leat_task *t);
void leat_i_kept_free(leat_i_kept *list);

/* ---- the window ---- */

typedef struct leat_i_window leat_i_window;

typedef struct leat_i_runner { /* lives on the runner's stack */
    leat_task *task;
    leat_i_window *window;
    struct leat_i_runner *next, *prev; /* of window->runners */
    bool owes;                         /* it is to start another one */
    bool fills;                        /* paced: it has not had its first permit since it took its item */
} leat_i_runner;

struct leat_i_window {
    /* Set by the owner, then constant. */
    leat_task *owner;
    struct leat_i_visit *visit; /* the owner's: of the batch node, or of the batch flow */
    void *batch;                /* what `work` and `pull` need */
    uint32_t max;               /* items started and not ended */
    bool keep;                  /* what items make is kept until the owner frees `kept` */
    bool paced;                 /* `work` waits for permits and calls leat_i_runner_feed when it has one */
    size_t count;               /* array: items in all */
    /* Calls the user's source; one caller at a time. NULL = an array, whose items `work` knows. */
    leat_err (*pull)(leat_task *t, leat_i_window *w, const void **item);
    /* Does one item, in the task `t`. An error ends the batch; its story is t->error. */
    leat_err (*work)(leat_task *t, leat_i_runner *me, size_t index, const void *item);

    leat_i_waiter *waiter;     /* the owner's */
    LEAT_ATOMIC(bool) stopped; /* no item starts any more */
    /* On lines of their own: each taking writes `next`, and what stands above is read all the time. */
    _Alignas(LEAT_CACHE_LINE_BYTES) LEAT_ATOMIC(size_t) next; /* index of the next item; source: written under `lock` */
    _Alignas(LEAT_CACHE_LINE_BYTES) leat_i_lock lock;         /* guards what follows */
    uint32_t live;                                            /* runners not yet gone */
    uint32_t places;                                          /* of the window, taken by runners */
    bool pulling;                                             /* source: somebody is asking for the next item */
    bool missed;            /* source: a runner left since somebody was; the one who is starts another */
    bool drained;           /* source: it has ended */
    bool filling;           /* paced: a runner `fills`, or is about to */
    leat_i_runner *runners; /* those who may be canceled */
    leat_i_kept *kept;
    leat_err fatal;              /* the error that ended the batch; LEAT_OK = none */
    leat_error story;            /* of `fatal` */
    size_t each_next;            /* each in order: whose turn it is */
    leat_i_waiter **each_waiter; /* ring of `max` places: who waits for its turn; NULL = not in order */
};

/* Starts another runner if `me` is to and there is a place. */
void leat_i_runner_feed(leat_i_runner *me);

/* Runs all items and waits for the end of all; on error too, nothing runs any more when it returns. */
leat_err leat_i_window_run(leat_i_window *w);

/* Each in order: waits for the turn of `index`; hands it on. LEAT_CANCELED when the batch has ended before. */
leat_err leat_i_window_turn_wait(leat_i_window *w, leat_task *t, size_t index);
void leat_i_window_turn_done(leat_i_window *w);

#endif
