/*
 * graph.h: a flow as it was built: nodes, links, inner flows. Nothing here changes while a run is under way.
 *
 * Flows that were moved into others form a tree; its root counts the runs under way of all of them. leat_flow_free of a root
 * that runs only notes the wish: whoever ends the last run frees the tree.
 */
#ifndef LEAT_I_GRAPH_H
#define LEAT_I_GRAPH_H

#include "leat/flow.h"

#include "../base/atomics.h"
#include "../base/check.h"

/* Flows in flows: each level costs a frame in the task's memory, no C stack. One past it is an error. */
#define LEAT_I_FLOW_DEPTH_MAX 4096
/* Items in flight of one batch: what more than that would be for, nobody knows. */
#define LEAT_I_WINDOW_MAX 1048576u

typedef struct leat_i_link {
    struct leat_i_link *next; /* in the order of linking */
    leat_node *to;
    char *action; /* own copy; never NULL or "": that is "default" */
} leat_i_link;

struct leat_node {
    leat_flow *flow;            /* the flow that owns it */
    const char *name;           /* of the class, or of the inner flow; never NULL */
    const leat_node_class *cls; /* borrowed; NULL for an inner flow */
    leat_flow *inner;           /* owned; NULL for a node with a class */
    leat_node_opts opts;
    leat_i_link *links;
    leat_i_link *ends;     /* actions that end the walk on purpose; `to` is NULL */
    leat_node *default_to; /* where "default" leads, found without comparing; NULL = no such link */
    leat_node *next;       /* in the order of adding */
    uint32_t index;        /* 0-based place in that order */
    const char *relinked;  /* an action that was linked twice, for the warning; borrowed from the link; NULL = none */
};

/* A name that must outlive the run that gave it. */
typedef struct leat_i_name {
    struct leat_i_name *next;
    char text[];
} leat_i_name;

#define LEAT_I_FLOW_FREED 1u /* of `runs`: freed by its user, kept for the runs under way */
#define LEAT_I_FLOW_RUN   2u /* of `runs`: one run */

struct leat_flow {
    leat_flow_opts opts;     /* name and params are own copies */
    leat_node *start, *last; /* nodes in the order of adding; the first is the start */
    uint32_t node_count;
    uint32_t depth;                       /* levels of flows in it, itself included */
    leat_node *place;                     /* the node that it is in the flow around it; NULL = a root */
    leat_err broken;                      /* what went wrong while it was built; LEAT_OK = nothing */
    char broken_text[128];                /* the sentence to it */
    leat_flow *free_next;                 /* list of those being freed */
    LEAT_ATOMIC(uint32_t) runs;           /* root only: LEAT_I_FLOW_RUN each, plus LEAT_I_FLOW_FREED */
    LEAT_ATOMIC(uint32_t) checked;        /* 1 = passed its check since the last change */
    LEAT_ATOMIC(const char *) edited;     /* name of a node that was touched during a run; NULL = none */
    LEAT_ATOMIC(leat_runtime *) rt;       /* root only: of the newest run, for the warning of leat_flow_free */
    LEAT_ATOMIC(leat_i_name *) last_name; /* last actions that leat_flow_run has given out */
};

leat_flow *leat_i_flow_root(const leat_flow *flow);

/* The next flow of the tree in pre-order, without recursion; NULL at the end. Start with the root of what is to be seen. */
leat_flow *leat_i_flow_next(const leat_flow *flow, const leat_flow *top);

/* Tells whether `action` was given to leat_flow_end. */
bool leat_i_node_ends(const leat_node *node, const char *action);

/* Counts a run in and out. begin: false = the flow was freed before. end: frees a flow whose user freed it meanwhile. */
bool leat_i_flow_run_begin(leat_flow *flow, leat_runtime *rt);
void leat_i_flow_run_end(leat_flow *flow);

/* leat_flow_check, and once after each change the warnings that belong to it. `rt` may be NULL = no log. */
leat_err leat_i_flow_check_run(leat_flow *flow, leat_runtime *rt, leat_error *error);

/* A copy of `text` that lives until `flow` is freed, the same one for the same text; NULL when memory is short. Any thread. */
const char *leat_i_flow_keep_name(leat_flow *flow, const char *text);

/* Where `action` leads from `node`; NULL = the walk ends. */
static inline leat_node *leat_i_node_next(const leat_node *node, const char *action)
{
    if (!action || !*action) return node->default_to;
    for (const leat_i_link *l = node->links; l; l = l->next) {
        const char *a = l->action, *b = action;
        while (*a == *b && *a) {
            a++;
            b++;
        }
        if (*a == *b) return l->to;
    }
    return NULL;
}

#endif
