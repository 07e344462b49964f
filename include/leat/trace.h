/*
 * leat/trace.h: what runs of flows did: a callback per call, a timeline that opens in Perfetto, a table per node.
 *
 * All three are asked for in leat_run_opts, alone or together, and runs that a run starts inherit them. A run without them pays
 * a comparison per phase.
 *
 * Source: ours; the timeline is in the Trace Event Format of Chrome, which ui.perfetto.dev and chrome://tracing open.
 */
#ifndef LEAT_TRACE_H
#define LEAT_TRACE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is told: calls of the user's functions, whole visits, and waits that have a name. */
#define LEAT_PHASE_MAP(X)           \
    X(PREP, "prep")                 \
    X(EXEC, "exec")                 \
    X(FALLBACK, "fallback")         \
    X(POST, "post")                 \
    X(EACH, "each")                 \
    X(VISIT, "visit")               \
    X(RETRY_WAIT, "retry wait")     \
    X(LIMITER_WAIT, "limiter wait") \
    X(GATE_WAIT, "gate wait")       \
    X(SEMAPHORE_WAIT, "semaphore wait")

/*
 * VISIT: a whole pass over a node, or over one item of a batch node: all its phases, attempts and waits.
 * RETRY_WAIT: between two attempts. LIMITER_WAIT: for a grant. GATE_WAIT: for the prep, post or each of somebody else in the same
 * run. SEMAPHORE_WAIT: for a permit, or a place under leat_run_opts.in_flight_max. Waits are told only when there was something to
 * wait for.
 */
typedef enum leat_phase {
#define LEAT_PHASE_ENUM(phase, name) LEAT_PHASE_##phase,
    LEAT_PHASE_MAP(LEAT_PHASE_ENUM)
#undef LEAT_PHASE_ENUM
} leat_phase;

/* One call, visit or wait, told when it is over; what it points to is borrowed during the telling. */
typedef struct leat_trace {
    const char *flow, *node; /* names; node is NULL in a flow's own prep and post */
    uint32_t place;          /* of the node in its flow, from 0 in the order of adding */
    leat_phase phase;
    uint32_t attempt;  /* exec, fallback: 0-based; visit: the last one */
    bool is_item;      /* of a batch node */
    bool is_walk;      /* of a batch flow */
    size_t item, walk; /* their indices */
    uint32_t worker;   /* index of the worker that ran it, all of it */
    int64_t begin_ns;  /* by the runtime's clock */
    int64_t end_ns;    /* likewise */
    int64_t waited_ns; /* of that time it was suspended, and the worker did something else */
    uint32_t
        stack_bytes; /* visit: deepest use of the stack during it, from the stack's top; 0 = not measured (no profile) */
    leat_err code;   /* what it returned */
    const leat_error *error; /* its story; NULL when code is LEAT_OK */
} leat_trace;

typedef struct leat_timeline leat_timeline; /* writes what runs do as a file for Perfetto */
typedef struct leat_profile leat_profile;   /* counts what runs do, per node */

/**
 * Gives the name of `phase` as in the list above, for example "retry wait"; "unknown" outside the list.
 *
 * Threads: any.
 * Owns:    a constant.
 * Errors:  none.
 */
LEAT_API const char *leat_phase_name(leat_phase phase);

/* ---- the timeline ---- */

/**
 * Makes a writer of trace events: a lane per worker with the phases that it ran, cut where they were suspended, and beside the
 * lanes, for all that was suspended, the whole visit with its attempts, retry waits, limiter waits and gate waits.
 *
 * Memory is bounded (64 KiB); what is complete goes out in pieces. In a regular file what stands there is valid JSON after
 * each piece, so also when the process is killed; in a pipe, or a file that is open for appending, it is whole after
 * leat_timeline_free. A slow descriptor slows the runs.
 *
 * Threads: any.
 * Owns:    `*out` belongs to the caller, who frees it with leat_timeline_free when no run uses it any more, and may give it to
 *          many runs, at once too. `fd` is borrowed, blocking, and written to from where it stands; its position is not moved in a
 *          regular file.
 * Units:   `fd` is a descriptor; `bytes_max`: what would make the file longer is left out and counted; 0 = 1 GiB.
 * Errors:  LEAT_NOMEM; LEAT_USAGE for a negative `fd`.
 */
LEAT_API LEAT_MUST_USE leat_err leat_timeline_new(leat_timeline **out, int fd, uint64_t bytes_max);

/**
 * Writes out what is complete, and tells whether all went well so far.
 *
 * Threads: any.
 * Errors:  LEAT_IO when a write failed, now or before: nothing is written from then on; LEAT_STOPPED when something was left
 *          out since `bytes_max` was reached.
 */
LEAT_API LEAT_MUST_USE leat_err leat_timeline_flush(leat_timeline *timeline);

/**
 * Writes the rest and frees the writer. NULL is fine. Ask leat_timeline_flush before if it matters whether all went out.
 *
 * Threads: any, when no run uses it any more.
 * Owns:    frees `timeline`; the descriptor stays open.
 */
LEAT_API void leat_timeline_free(leat_timeline *timeline);

/* ---- the profile ---- */

/* What one node did in all runs that were given the profile. Times of phases that wait for a flow they call include it. */
typedef struct leat_node_profile {
    const char *flow, *node;  /* names; live as long as the profile */
    uint32_t place;           /* of the node in its flow, from 0 in the order of adding */
    uint64_t visits;          /* passes over the node */
    uint64_t failed_visits;   /* those that failed */
    uint64_t items;           /* of a batch node */
    uint64_t failed_items;    /* those that failed */
    uint64_t attempts;        /* calls of exec */
    uint64_t failed_attempts; /* those that failed */
    uint64_t fallbacks;       /* calls of fallback */
    int64_t busy_ns;          /* its phases ran on workers so long, added up */
    int64_t waited_ns;        /* and were suspended so long, limiter waits included */
    int64_t retry_wait_ns;    /* between attempts */
    int64_t limiter_wait_ns;  /* for grants */
    int64_t gate_wait_ns;     /* for prep, post and each of others */
    int64_t longest_ns;       /* the longest visit, or item */
    uint32_t
        stack_bytes; /* deepest use of a stack, from its top; what stack_bytes of the runtime must hold; 0 = not known */
} leat_node_profile;

/**
 * Makes a table that runs add up in: a row per node. Two nodes are told apart by the names of flow and node and by the place in
 * the flow; a flow that is built anew counts in the same rows.
 *
 * With it the depth of the stack is measured: before and after each visit the unused part of the stack is looked through, which
 * costs some 3 us a visit (or item) with stacks of 64 KiB. Under Valgrind it is not measured; exec of a node with `blocking` runs on
 * a thread's own stack, which is not measured either.
 *
 * Threads: any.
 * Owns:    `*out` belongs to the caller, who frees it with leat_profile_free when no run uses it any more.
 * Errors:  LEAT_NOMEM.
 */
LEAT_API LEAT_MUST_USE leat_err leat_profile_new(leat_profile **out);

/**
 * Gives the number of rows: nodes that have been visited.
 *
 * Threads: any, while runs go on too.
 * Units:   a count; it only grows.
 */
LEAT_API size_t leat_profile_count(const leat_profile *profile);

/**
 * Reads one row, in the order of first visits.
 *
 * Threads: any, while runs go on too: what has ended by then is counted.
 * Owns:    `*row` is written; its names live as long as the profile.
 * Errors:  LEAT_USAGE for an index past the last.
 */
LEAT_API LEAT_MUST_USE leat_err leat_profile_read(const leat_profile *profile, size_t index, leat_node_profile *row);

/**
 * Writes the table as text for people: a line per node, the one that was busy longest first.
 *
 * Threads: any, while runs go on too.
 * Owns:    the caller frees the text with free().
 * Errors:  NULL when memory is short or `profile` is NULL.
 */
LEAT_API char *leat_profile_text(const leat_profile *profile);

/**
 * Frees a profile. NULL is fine.
 *
 * Threads: any, when no run uses it any more.
 * Owns:    frees `profile`.
 */
LEAT_API void leat_profile_free(leat_profile *profile);

#ifdef __cplusplus
}
#endif
#endif
