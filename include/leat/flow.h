/*
 * leat/flow.h: nodes, flows, batches: the PocketFlow model in C.
 *
 * A node class is const functions; a node is a class with options in a flow; a walk is one pass through a flow from its
 * start; a visit is one pass over a node: prep, exec (attempts), post. Every phase may suspend. Definitions never change
 * while a flow runs; a visit owns all its state, and what it makes lives until its post has returned.
 *
 * The gate: prep, post and every other callback that gets `shared` never overlap with one another within a run, except
 * while one of them is suspended; and from a post to the prep of the next node nothing else comes in between. exec and
 * fallback never see `shared`, run in parallel, and may run again.
 *
 * C does not say which argument of a call is evaluated first. Add nodes in statements of their own, not inside the arguments
 * of leat_flow_link: the first node added is where walks start.
 *
 * Source: the model is PocketFlow's (nodes, flows, batches, retries, fallbacks); docs/flows.md says where leat differs.
 */
#ifndef LEAT_FLOW_H
#define LEAT_FLOW_H

#include "task.h"
#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_flow leat_flow; /* a graph of nodes; immutable once it runs */
typedef struct leat_node leat_node; /* a node in a flow; owned by the flow */

typedef struct leat_param {
    const char *key, *value;
} leat_param;

/* Every step may be NULL: it is skipped then, and its result is NULL. */
typedef struct leat_node_class {
    const char *name;
    leat_err (*prep)(leat_task *t, void *shared, const void **prep_res);
    leat_err (*exec)(leat_task *t, const void *prep_res, const void **exec_res);
    leat_err (*fallback)(leat_task *t, const void *prep_res, const leat_error *cause,
                         const void **exec_res); /* after the last failed attempt; never after a cancel */
    leat_err (*post)(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action);
} leat_node_class;

/* How long to wait between two attempts: never before the first, never after the last. */
typedef enum leat_backoff {
    LEAT_BACKOFF_CONSTANT,    /* retry_wait_ms each time */
    LEAT_BACKOFF_EXPONENTIAL, /* retry_wait_ms * 2^n, at most retry_wait_max_ms */
    LEAT_BACKOFF_JITTER,      /* random between half of the exponential wait and all of it */
} leat_backoff;

/* What a failed item or walk does to its batch. */
typedef enum leat_batch_policy {
    LEAT_BATCH_FAIL_FAST, /* cancels and joins the others; no post; the batch fails with that error */
    LEAT_BATCH_WAIT_ALL,  /* runs all; no post; the batch fails with the error of the lowest index */
    LEAT_BATCH_COLLECT,   /* runs all; post is always called and reads the failures */
} leat_batch_policy;

/*
 * What the prep of a batch node puts into `*prep_res` (leat_items_add builds it). Either an array (`item`, `count`), or a source:
 * `next` gives one item a call and NULL in `*item` at the end. `next` may suspend, is called by one caller at a time, and never
 * sees `shared`.
 */
typedef struct leat_items {
    const void *const *item;
    size_t count;
    leat_err (*next)(leat_task *t, void *state, const void **item);
    void *state;
} leat_items;

/* What the post of a batch node gets as `exec_res`: in input order. */
typedef struct leat_results {
    size_t count;
    size_t failed;
    const void *const *value;       /* NULL where the item failed; the array is NULL when `each` took the results */
    const leat_error *const *error; /* NULL where the item is good; the array is NULL when none failed or `each` was used */
} leat_results;

/* What the prep of a batch flow puts into `*prep_res`: param sets, as an array or a source, like leat_items. */
typedef struct leat_param_set {
    const leat_param *param;
    size_t count;
} leat_param_set;

typedef struct leat_param_sets {
    const leat_param_set *set;
    size_t count;
    leat_err (*next)(leat_task *t, void *state, const leat_param_set **set); /* NULL in *set at the end */
    void *state;
} leat_param_sets;

typedef struct leat_walk_result {
    leat_err code;
    const char *last_action; /* NULL when the last node gave none */
    const leat_error *error; /* NULL when the walk is good */
} leat_walk_result;

/* What the post of a batch flow gets as `exec_res`: in input order. */
typedef struct leat_walks {
    size_t count;
    size_t failed;
    const leat_walk_result *walk; /* NULL when the param sets came from a source: only the counts are kept */
} leat_walks;

/* Every field may be 0 = the default. */
typedef struct leat_node_opts {
    int32_t max_attempts;                      /* calls of exec in all (not repeats); 0 = 1; negative is refused */
    int64_t retry_wait_ms;                     /* ms between attempts; 0 = none */
    leat_backoff backoff;                      /* how that wait grows */
    int64_t retry_wait_max_ms;                 /* ms; cap of a growing wait; 0 = 60 000 */
    bool (*retry_if)(const leat_error *error); /* which errors to try again; NULL = all but CANCELED, USAGE, NOMEM */
    int64_t attempt_deadline_ms;               /* ms per attempt; passed = LEAT_TIMEOUT, tried again; 0 = none */
    int64_t deadline_ms;                       /* ms per visit: inside it is a cancel, outside LEAT_TIMEOUT; 0 = none */
    bool blocking;            /* exec blocks (a library, a disk): it runs on a helper thread and must not suspend */
    bool batch;               /* a batch node: prep gives leat_items, exec and fallback get one item */
    uint32_t in_flight_max;   /* batch: items started and not ended; 0 or 1 = one after another; at most 1 048 576 */
    leat_batch_policy policy; /* batch: what a failed item does */
    /* Batch: called once per item under the gate; then post gets counts only, and the item's memory ends with the call.
     * `error` is NULL for a good item. Called in completion order unless `each_in_order`. */
    leat_err (*each)(leat_task *t, void *shared, size_t index, const void *item, const void *value, const leat_error *error);
    bool each_in_order;
    void *self; /* borrowed; read with leat_task_self */
} leat_node_opts;

/* Every field may be 0 = the default. */
typedef struct leat_flow_opts {
    const char *name; /* for messages and drawings; copied; NULL = "flow" */
    leat_err (*prep)(leat_task *t, void *shared, const void **prep_res);
    leat_err (*post)(leat_task *t, void *shared, const void *prep_res, const void *walks, const char *last_action,
                     const char **action); /* NULL = the action of a plain flow is its last action, a batch flow has none.
                                              `walks`: const leat_walks * for a batch flow, else NULL */
    const leat_param *params;              /* copied; a nested flow merges them over those of the flow around it */
    size_t param_count;
    /* An action that no link serves is an error instead of a warning. A node without links may end a walk by any action, and so
     * may an action by which the flow around this one goes on. */
    bool strict;
    uint32_t max_steps;   /* visits of one walk; passed = LEAT_USAGE; 0 = no limit */
    size_t walk_bytes;    /* size of each walk's private store, zeroed; leat_task_walk reads it */
    int32_t max_attempts; /* walks in all, when one fails (batch: of each set); 0 = 1; negative is refused */
    int64_t retry_wait_ms;
    bool batch;             /* a batch flow: prep gives leat_param_sets, one walk each */
    uint32_t in_flight_max; /* batch: walks started and not ended; 0 or 1 = one after another; at most 1 048 576 */
    leat_batch_policy policy;
    bool concurrent_shared; /* switches the gate off, for inner flows too: `shared` is guarded by the user's own means */
    void *self;             /* borrowed; what leat_task_self gives in the flow's own prep and post */
} leat_flow_opts;

/**
 * Makes an empty flow. `opts` is copied (params and name too); NULL = all defaults.
 *
 * Threads: any.
 * Owns:    the caller frees it with leat_flow_free, unless leat_flow_add_flow moved it into another flow.
 * Errors:  NULL when memory is short. The functions below take NULL and answer NULL, and a run answers LEAT_NOMEM: so a
 *          graph can be built without looking at each step.
 */
LEAT_API leat_flow *leat_flow_new(const leat_flow_opts *opts);

/**
 * Frees a flow with its nodes and inner flows. NULL is fine, and so is a flow that was moved into another: that one frees it.
 *
 * Threads: any; no run of it may be under way (one that is: the flow is kept until it has ended, and a warning is logged).
 * Owns:    `flow`, its nodes, its inner flows and the actions that runs of it gave are gone.
 */
LEAT_API void leat_flow_free(leat_flow *flow);

/**
 * Adds a node. The first one added is where walks start.
 *
 * Threads: one at a time, while no run is under way (else NULL, and the next run answers LEAT_USAGE).
 * Owns:    the node belongs to `flow`; `cls` and what its options point to are borrowed until leat_flow_free.
 * Errors:  NULL when `flow` is NULL or memory is short; the flow then answers LEAT_NOMEM when it runs.
 */
LEAT_API leat_node *leat_flow_add(leat_flow *flow, const leat_node_class *cls, const leat_node_opts *opts);

/**
 * Adds a flow as a node of another: it is visited like a node, and what its post gives (else its last action) is its action.
 *
 * Threads: one at a time, while no run is under way.
 * Owns:    `inner` is moved in, also when the call fails; `flow` frees it.
 * Errors:  as leat_flow_add; an inner flow that was moved in before is an error that the run reports.
 */
LEAT_API leat_node *leat_flow_add_flow(leat_flow *flow, leat_flow *inner);

/**
 * Leads from `from` to `to` when a visit's action is `action`; NULL and "" are "default". A second link for the same action
 * replaces the first, with a warning when the flow runs.
 *
 * Threads: one at a time, while no run is under way.
 * Owns:    `action` is copied; the result is `to`, which belongs to its flow.
 * Errors:  returns `to`, so that chains read left to right; NULL when an argument is NULL or memory is short.
 */
LEAT_API leat_node *leat_flow_link(leat_node *from, const char *action, leat_node *to);

/**
 * Says that the walk ends when a visit of `from` gives `action`; NULL and "" are "default". So it ends without the warning (in a
 * strict flow: the error) that an action draws which no link serves. A link for the same action goes before.
 *
 * Threads: one at a time, while no run is under way.
 * Owns:    `action` is copied.
 * Errors:  nothing for NULL; when memory is short the flow answers LEAT_NOMEM when it runs.
 */
LEAT_API void leat_flow_end(leat_node *from, const char *action);

/**
 * Checks the graph: a start, no unreachable node, options in range and none that would be ignored, at most 4096 flows in one
 * another, in strict mode a link for "default" where a node with links always gives it. A run checks too; this is for asking early.
 *
 * Threads: any, when nobody builds the flow any more.
 * Owns:    nothing is kept; `error` may be NULL.
 * Errors:  LEAT_USAGE with a sentence that names the node in `*error` (optional); LEAT_NOMEM when building ran short.
 */
LEAT_API LEAT_MUST_USE leat_err leat_flow_check(const leat_flow *flow, leat_error *error);

/* Every field may be 0 = the default. */
typedef struct leat_run_opts {
    const leat_param *params; /* over the flow's own; borrowed until the run has ended */
    size_t param_count;
    int64_t deadline_ms; /* ms for the whole run; 0 = none */
    uint32_t
        in_flight_max; /* attempts being executed at once, down the whole tree; 0 = no limit. An attempt that runs a flow
                                 does not count meanwhile, since the attempts of that flow do */
    const char **last_action; /* out, optional: what the flow gave; leat_flow_run: valid until the flow is freed */
    leat_error *error;        /* out, optional; written only on failure */
    /* Called after each phase, visit and wait (trace.h), attempts one by one; from any worker, at once from several; must not wait.
     * Runs that this one starts inherit it, and so the two below. NULL = none. */
    void (*trace)(void *arg, const leat_trace *call);
    void *trace_arg;         /* borrowed until the run has ended */
    leat_timeline *timeline; /* likewise; NULL = none */
    leat_profile *profile;   /* likewise; NULL = none */
} leat_run_opts;

/**
 * Runs a flow and blocks this thread until it has ended.
 *
 * Threads: any thread outside the pool.
 * Owns:    `shared` is borrowed; only callbacks under the gate touch it.
 * Errors:  the first error that no fallback caught; LEAT_USAGE for a flow that fails its check or a call from inside a task;
 *          LEAT_TIMEOUT for the run's deadline; LEAT_NOMEM.
 * Source:  PocketFlow's Flow.run.
 */
LEAT_API LEAT_MUST_USE leat_err leat_flow_run(leat_runtime *rt, leat_flow *flow, void *shared, const leat_run_opts *opts);

/**
 * Starts a run and gives a handle to wait for, poll, cancel or attach to an event loop.
 *
 * Threads: any thread outside the pool.
 * Owns:    `*out` belongs to the caller, who frees it with leat_handle_free; `flow`, `shared` and what `opts` points to are
 *          borrowed until the run has ended. The handle's result is the last action (const char *).
 * Errors:  as leat_flow_run, as far as they are known at the start.
 */
LEAT_API LEAT_MUST_USE leat_err leat_flow_submit(leat_runtime *rt, leat_flow *flow, void *shared, const leat_run_opts *opts,
                                                 leat_handle **out);

/**
 * Runs a flow inside the task `t` and waits for it; with its own gate unless `shared` is that of a run around it, and its own
 * params. A phase that holds the gate lets it go meanwhile.
 *
 * Suspends: yes.
 * Threads:  from the task `t` only.
 * Owns:     the last action lives until the visit (or task body) of `t` ends.
 * Errors:   as leat_flow_run; LEAT_USAGE when more than 16 calls of flows stand on one another on a stack, or more than 1024 runs
 *           started one another.
 */
LEAT_API LEAT_MUST_USE leat_err leat_flow_call(leat_task *t, leat_flow *flow, void *shared, const leat_run_opts *opts);

/**
 * Starts a flow as a child of `t`; await the future for its end. Its result is the last action (const char *).
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     as leat_task_start; what `opts` points to is borrowed until the future is done.
 * Errors:   never NULL; the future has failed when the flow could not start, with LEAT_USAGE when more than 1024 runs started
 *           one another.
 */
LEAT_API leat_future *leat_flow_start(leat_task *t, leat_flow *flow, void *shared, const leat_run_opts *opts);

/**
 * Adds an item to those of a batch: the prep of a batch node calls it once per item, and that is all it has to do.
 *
 *     for (size_t i = 0; i < s->file_count; i++)
 *         leat_items_add(t, prep_res, &s->file[i]);
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     `*prep_res` is NULL, or what an earlier call has put there; it becomes a const leat_items * that lives until post has
 *           returned. `item` is borrowed until then.
 * Errors:   none: when memory is short the visit ends with LEAT_NOMEM whatever the step returns.
 */
LEAT_API void leat_items_add(leat_task *t, const void **prep_res, const void *item);

/**
 * Adds a param set to those of a batch flow: its prep calls this once per walk.
 *
 *     leat_param_sets_add(t, prep_res, &(leat_param){ "filename", name }, 1);
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     as leat_items_add, with a const leat_param_sets *; keys and values are copied.
 * Shape:    `params` holds `count` pairs; a value may be NULL, a key not.
 * Errors:   as leat_items_add.
 */
LEAT_API void leat_param_sets_add(leat_task *t, const void **prep_res, const leat_param *params, size_t count);

/**
 * Gives the value of a param of the walk: the batch item's, else the flow's, else that of the flow around it; NULL if none.
 *
 * A flow called by leat_flow_call or started by leat_flow_start is a run of its own, and sees only its own.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     lives until the walk ends.
 * Errors:   NULL when nobody set that param, and in a task that no flow runs.
 */
LEAT_API const char *leat_task_param(const leat_task *t, const char *key);

/**
 * Gives the 0-based attempt: in exec the running one, in fallback and post the last one made.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Units:    counts from 0; 0 in a task that no flow runs.
 */
LEAT_API uint32_t leat_task_attempt(const leat_task *t);

/**
 * Gives the 0-based index of the batch item (in exec and fallback of a batch node), else of the walk of the nearest batch flow around
 * the visit; 0 outside of batches. So a result finds its place: `s->summary[leat_task_index(t)]`.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Units:    an index from 0, in input order.
 */
LEAT_API size_t leat_task_index(const leat_task *t);

/**
 * Gives the `self` of the node's (or flow's) options.
 *
 * Suspends: no.
 * Threads:  from the task `t` only.
 * Owns:     borrowed: it is the caller's own pointer.
 * Errors:   NULL when none was set, and in a task that no flow runs.
 */
LEAT_API void *leat_task_self(const leat_task *t);

/**
 * Gives the private store of the walk (leat_flow_opts.walk_bytes): what one node hands to the next in the same walk.
 *
 * Suspends: no.
 * Threads:  from the task `t` only; a walk is one task, so nobody else touches it.
 * Owns:     zeroed at the walk's start, freed at its end. NULL when walk_bytes is 0, in exec and fallback of a batch's items
 *           (they may run in parallel), and in tasks that the walk has started.
 * Errors:   NULL as said under Owns; there is nothing that can fail.
 */
LEAT_API void *leat_task_walk(const leat_task *t);

/**
 * Writes the graph in the language of Graphviz (dot) into memory.
 *
 * Threads: any, when nobody builds the flow any more.
 * Owns:    the caller frees the text with free().
 * Errors:  NULL when memory is short or `flow` is NULL.
 */
LEAT_API char *leat_flow_dot(const leat_flow *flow);

/**
 * Writes the graph in the language of Mermaid into memory.
 *
 * Threads: any, when nobody builds the flow any more.
 * Owns:    the caller frees the text with free().
 * Errors:  NULL when memory is short or `flow` is NULL.
 */
LEAT_API char *leat_flow_mermaid(const leat_flow *flow);

#ifdef __cplusplus
}
#endif
#endif
