/*
 * walk.h: what a running flow keeps, and the functions that the files of this room share.
 *
 * A run has one leat_i_run. Each flow that is being walked has a frame; frames chain outwards through flows in flows, and from
 * a walk of a window to the batch flow that started it in another task. Everything of a visit lives in the task's arena above a
 * mark that was taken when it began, and goes when it ends; what must outlive it is carried over the rewind (leat_i_carry_*).
 *
 * Errors: a function that fails leaves the story in t->error (in the arena), or NULL there when the code says it all.
 */
#ifndef LEAT_I_WALK_H
#define LEAT_I_WALK_H

#include "graph.h"

#include "../base/mem.h"
#include "../sched/sched.h"

/* One leat_flow_run, submit, call or start. */
typedef struct leat_i_run {
    struct leat_i_run *outer; /* the run around it: the one whose visit started it; NULL = none */
    void *shared;
    leat_i_gate *gate; /* NULL = none; shared with an outer run when `shared` is */
    bool owns_gate;
    leat_semaphore *budget; /* of attempts being executed, set for this run; NULL = none of its own */
    bool budgeted;          /* it or a run around it has a budget */
    uint32_t call_depth;    /* runs on top of one another on one stack */
    uint32_t depth;         /* runs that started one another, this one included */
    bool observed;          /* one of the three below is set */
    void (*trace)(void *arg, const leat_trace *call); /* NULL = none; each is that of the run around it unless set here */
    void *trace_arg;
    leat_timeline *timeline;
    leat_profile *profile;
} leat_i_run;

/* What a task had at a moment; what came after goes with leat_i_mark_rewind. */
typedef struct leat_i_mark {
    leat_i_arena_mark arena;
    leat_future *children;
} leat_i_mark;

/* What the failures of a batch add up to. */
typedef struct leat_i_tally {
    leat_batch_policy policy;
    leat_err held; /* wait-all: code of the failure with the lowest index; LEAT_OK = none */
    size_t failed;
    size_t held_index;
    leat_error *story; /* of `held`, on the heap; NULL when memory was short */
} leat_i_tally;

typedef struct leat_i_frame {
    struct leat_i_frame *outer; /* the flow around it */
    leat_flow *flow;
    leat_i_run *run;
    leat_i_gate *gate;      /* NULL = switched off for this flow or one around it */
    const leat_param *item; /* this walk's param set */
    size_t item_count;
    const leat_param *over; /* those of leat_run_opts */
    size_t over_count;
    void *store;           /* the walk's private store */
    const leat_node *node; /* where the walk is */
    const void *prep_res;
    leat_i_mark entered; /* before the flow's prep */
    leat_i_mark pulled;  /* batch: before the param set of this walk was asked for */
    leat_i_mark begun;   /* before the walk */
    uint32_t steps;
    uint32_t attempt;         /* walks that failed before this one */
    bool single;              /* a walk of a window: ends with the walk, without post */
    size_t index;             /* batch: of the walk */
    leat_walks walks;         /* batch: what post gets */
    leat_walk_result *result; /* walks.walk while it is written; on the heap */
    leat_i_tally tally;       /* batch: what became of the walks */
    struct leat_i_kept *kept; /* batch in a window: what post may read of the walks' memory */
} leat_i_frame;

/* What leat_task_self and its like read: t->visit. */
struct leat_i_visit {
    leat_task *task; /* whose visit it is; a task that it started sees it too, and is another */
    leat_i_frame *frame;
    const leat_node *node; /* NULL in a flow's own prep and post */
    uint32_t attempt;
    bool item;     /* an item of a batch: it has no walk store, since items run in parallel */
    bool fallback; /* the fallback was called, for messages */
    size_t index;  /* of that item, for messages */
    /* The running attempt holds permits of the run's budgets; whoever exchanges it gives them back. */
    LEAT_ATOMIC(bool) permit;
    struct leat_i_runner *runner; /* in a window: of the item; NULL else */
};

/* ---- error.c ---- */

/* Why `t` should stop now, without reading the clock when no deadline is set. */
static inline leat_err leat_i_stop_check(leat_task *t)
{
    /* relaxed: leat_i_task_check looks again; a cancel that is seen one step later is no harm. */
    if (LEAT_LIKELY(!leat_load_relaxed(t->stop) && t->deadline_ns == LEAT_I_NEVER_NS &&
                    t->attempt_deadline_ns == LEAT_I_NEVER_NS))
        return LEAT_OK;
    return leat_i_task_check(t);
}

/* LEAT_NOMEM when memory ran short in a phase, whatever it returned. */
static inline leat_err leat_i_phase_err(leat_task *t, leat_err err)
{
    return LEAT_UNLIKELY(t->nomem) ? LEAT_NOMEM : err;
}

/* The story of the failure `err`: t->error if it tells of it, else one made from the code's sentence. Never NULL. */
const leat_error *leat_i_error_story(leat_task *t, leat_err err);
/* Puts the place (flow, node, `where`; NULL = no more to say) before the sentence of the failure and returns `err`. */
leat_err leat_i_error_place(leat_task *t, const struct leat_i_visit *v, leat_err err, const char *where);
/* The same for a failed attempt of a node or an item. */
leat_err leat_i_error_place_attempt(leat_task *t, const struct leat_i_visit *v, leat_err err);
/* Adds what the failure `err` came from to its story. */
void leat_i_error_because_of(leat_task *t, leat_err err, const leat_error *cause);
/* Makes a copy of `from` the task's story. */
void leat_i_error_set(leat_task *t, const leat_error *from);
/* A copy in the task's arena; a constant that says LEAT_NOMEM when memory is short. */
const leat_error *leat_i_error_copy(leat_task *t, const leat_error *from);

/* ---- trace.c ---- */

/* A call, a visit, or a part of one, that is under way in a task; on that task's stack. Written only when the run is observed. */
typedef struct leat_i_span {
    struct leat_i_span *outer; /* the one around it in the same task */
    const struct leat_i_visit *visit;
    leat_phase phase;
    bool opened; /* the timeline has been told of its begin: it was suspended */
    uint32_t stack_bytes;
    int64_t begin_ns;
    int64_t since_ns; /* it has been running since then */
    int64_t waited_ns;
} leat_i_span;

extern const leat_i_watcher leat_i_trace_watcher; /* of the tasks of an observed run */

void leat_i_trace_enter(leat_task *t, const struct leat_i_visit *v, leat_phase phase, leat_i_span *span);
leat_err leat_i_trace_leave(leat_task *t, leat_i_span *span, leat_err err);

/* Brackets a call of one of the user's functions, or a visit; end: gives `err` back. */
static inline void leat_i_trace_begin(leat_task *t, const struct leat_i_visit *v, leat_phase phase, leat_i_span *span)
{
    if (LEAT_UNLIKELY(v->frame->run->observed)) leat_i_trace_enter(t, v, phase, span);
}

static inline leat_err leat_i_trace_end(leat_task *t, const struct leat_i_visit *v, leat_i_span *span, leat_err err)
{
    return LEAT_LIKELY(!v->frame->run->observed) ? err : leat_i_trace_leave(t, span, err);
}

/* ---- timeline.c: of the task `t` ---- */

void leat_i_timeline_ran(leat_timeline *tl, leat_task *t, const leat_trace *call, int64_t from_ns, int64_t to_ns, bool last);
void leat_i_timeline_open(leat_timeline *tl, leat_task *t,
                          const leat_trace *call); /* a span that outlasts a suspension begins */
void leat_i_timeline_close(leat_timeline *tl, leat_task *t, const leat_trace *call); /* and ends */
void leat_i_timeline_waited(leat_timeline *tl, leat_task *t, const leat_trace *call);

/* ---- profile.c ---- */

void leat_i_profile_note(leat_profile *p, const leat_trace *call);

/* ---- mark.c ---- */

static inline leat_i_mark leat_i_mark_take(const leat_task *t)
{
    return (leat_i_mark){ { t->arena.chunk, t->arena.at }, t->children };
}

void leat_i_mark_rewind_slow(leat_task *t, const leat_i_mark *mark);

static inline bool leat_i_mark_is_new(const leat_task *t, const leat_i_mark *mark)
{
    return t->children != mark->children || t->arena.at != mark->arena.at || t->arena.chunk != mark->arena.chunk || t->nomem;
}

/* Ends the children and frees the memory that came after the mark; the story of an error goes with it. */
static inline void leat_i_mark_rewind(leat_task *t, const leat_i_mark *mark)
{
    t->error = NULL;
    if (LEAT_UNLIKELY(leat_i_mark_is_new(t, mark))) leat_i_mark_rewind_slow(t, mark);
}

/* Rewinds, and keeps the text in the arena below what comes next; NULL stays NULL. *err becomes LEAT_NOMEM when memory is short.
 * pass: leaves it where it is when nothing that goes could hold it. */
const char *leat_i_carry_text(leat_task *t, const leat_i_mark *mark, const char *text, leat_err *err);
const char *leat_i_pass_text(leat_task *t, const leat_i_mark *mark, const char *text, leat_err *err);
/* Rewinds, and keeps the story of the failure `err` as t->error. */
void leat_i_carry_error(leat_task *t, const leat_i_mark *mark, leat_err err);

/* ---- attempt.c ---- */

/* Attempts, waits and fallback of one node or one item; on failure with the story, its place not yet in the sentence. */
leat_err leat_i_attempts(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void **exec_res);
/* Permits of the run and of those around it. take: LEAT_CANCELED, LEAT_TIMEOUT: none is held then. give: if held. */
leat_err leat_i_permit_take(leat_task *t, struct leat_i_visit *v);
bool leat_i_permit_give(struct leat_i_visit *v);
/* Waits before attempt `attempt` (1 or more), as the options say and the server told. */
leat_err leat_i_retry_wait(leat_task *t, const leat_node_opts *opts, uint32_t attempt, const leat_error *cause);
bool leat_i_retry_wanted(const leat_node_opts *opts, const leat_error *cause);

/* ---- visit.c ---- */

/* The gate is taken before the first phase that needs it and let go before the first thing that may run beside others: so
 * nothing comes between a post and the prep that follows it. */
static inline void leat_i_gate_take(leat_task *t, const leat_i_frame *f)
{
    if (f->gate && !t->gate_held) leat_i_gate_enter(t, f->gate);
}

static inline void leat_i_gate_give(leat_task *t)
{
    if (t->gate_held) leat_i_gate_leave(t);
}

/* post under the gate; its failure has its place. */
leat_err leat_i_post_call(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void *exec_res,
                          const char **action);
/* One pass over a node with a class; what it made stays until the caller rewinds. The story of a failure has its place. */
leat_err leat_i_visit_node(leat_task *t, struct leat_i_visit *v, const char **action);

/* A deadline for a visit or a run, nearer than the one around it or without effect. */
typedef struct leat_i_deadline {
    int64_t ms, around_ns, own_ns;
} leat_i_deadline;

leat_i_deadline leat_i_deadline_set(leat_task *t, int64_t ms);
/* Puts the one around back. A cancel by this deadline becomes LEAT_TIMEOUT with a sentence of whose deadline it was. */
leat_err leat_i_deadline_end(leat_task *t, const leat_i_deadline *d, leat_err err, const char *whose);

/* ---- tally.c ---- */

/* Counts a failure whose story is t->error. LEAT_OK when the batch goes on, else the error that ends it. */
leat_err leat_i_tally_note(leat_i_tally *tally, leat_task *t, size_t index, leat_err err);
/* At the end of a batch that ended with `err`: that, else wait-all's error with its story in `t`. Frees. */
leat_err leat_i_tally_end(leat_i_tally *tally, leat_task *t, leat_err err);

/* ---- items.c ---- */

/* Exec, fallback and post of a batch node whose prep gave `items` (NULL = empty). */
leat_err leat_i_visit_items(leat_task *t, struct leat_i_visit *v, const leat_items *items, const char **action);

/* ---- walks.c ---- */

/* All walks of the batch flow `f`, in a window; f->walks is filled then. */
leat_err leat_i_walks_window(leat_task *t, struct leat_i_visit *v, leat_i_frame *f, const leat_param_sets *sets);
/* Puts down what became of walk `index` (failed: its story is t->error). An error ends the batch. */
leat_err leat_i_walk_note(leat_task *t, leat_i_tally *tally, leat_walk_result *result, size_t index, leat_err err,
                          const char *action);

/* ---- walk.c ---- */

/* Runs the flow of `base` (one walk of it when base->single) and gives its action, kept below what base->entered (single:
 * base->begun) marks. On failure the story is kept there. */
leat_err leat_i_walk_run(leat_task *t, leat_i_frame *base, const char **action);

#endif
