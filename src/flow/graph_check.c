/*
 * graph_check.c: what can be known to be wrong with a flow before it runs, in sentences that name the node.
 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/mem.h"
#include "../sched/sched.h"

#define IN_FLIGHT_OVER ": in_flight_max is over 1048576"
_Static_assert(LEAT_I_WINDOW_MAX == 1048576, "the sentence names it");

/* `why` is a sentence of which the node is the subject. */
static leat_err node_fail(leat_error *error, const leat_node *node, const char *why)
{
    (void)leat_i_fail(error, LEAT_USAGE, "flow \"%.40s\": node \"%.40s\"%s", node->flow->opts.name, node->name, why);
    if (error) snprintf(error->node, sizeof error->node, "%s", node->name);
    return LEAT_USAGE;
}

/* Marks what can be reached from the start; `seen` and `todo` have a place per node. */
static void reach(const leat_flow *flow, bool *seen, const leat_node **todo)
{
    size_t count = 0;
    seen[flow->start->index] = true;
    todo[count++] = flow->start;
    while (count > 0) {
        const leat_node *node = todo[--count];
        for (const leat_i_link *l = node->links; l; l = l->next) {
            if (seen[l->to->index]) continue;
            seen[l->to->index] = true;
            todo[count++] = l->to;
        }
    }
}

static leat_err check_reach(const leat_flow *flow, leat_error *error)
{
    if (flow->node_count == 1) return LEAT_OK;
    const leat_node **todo = leat_i_alloc_zeroed(flow->node_count * (sizeof *todo + sizeof(bool)));
    const leat_node *lost = NULL;
    char why[96];
    if (!todo) return leat_i_fail(error, LEAT_NOMEM, "memory was short while flow \"%.40s\" was checked", flow->opts.name);
    bool *seen = (bool *)(todo + flow->node_count);
    reach(flow, seen, todo);
    for (const leat_node *n = flow->start; n && !lost; n = n->next) {
        if (!seen[n->index]) lost = n;
    }
    leat_i_free(todo);
    if (!lost) return LEAT_OK;
    snprintf(why, sizeof why, " cannot be reached from the start \"%.40s\"", flow->start->name);
    return node_fail(error, lost, why);
}

/* These give what is wrong, as it goes on behind the name of the node or flow; NULL = nothing. */
static const char *opts_refused(const leat_node_opts *o)
{
    if (o->max_attempts < 0) return ": max_attempts is negative";
    if (o->retry_wait_ms < 0 || o->retry_wait_max_ms < 0) return ": a retry wait is negative";
    if (o->attempt_deadline_ms < 0 || o->deadline_ms < 0) return ": a deadline is negative";
    if ((unsigned)o->backoff > LEAT_BACKOFF_JITTER) return ": backoff is none of the three";
    if ((unsigned)o->policy > LEAT_BATCH_COLLECT) return ": policy is none of the three";
    if (o->in_flight_max > LEAT_I_WINDOW_MAX) return IN_FLIGHT_OVER;
    if (!o->batch && o->each) return ": each is set and batch is not";
    if (!o->batch && o->in_flight_max > 1) return ": in_flight_max is set and batch is not";
    return NULL;
}

static const char *node_refused(const leat_node *node)
{
    const char *why = opts_refused(&node->opts);
    if (why) return why;
    /* A node without post always gives "default"; what others give only a run can tell. */
    bool always_default = node->inner ? node->inner->opts.batch && !node->inner->opts.post : !node->cls->post;
    bool served = !node->links || node->default_to || leat_i_node_ends(node, NULL);
    return node->flow->opts.strict && always_default && !served ? " always gives \"default\", and no link serves it" : NULL;
}

static const char *flow_refused(const leat_flow *flow)
{
    const leat_flow_opts *o = &flow->opts;
    if (!flow->start) return " has no start: no node was added";
    if (o->max_attempts < 0) return ": max_attempts is negative";
    if (o->retry_wait_ms < 0) return ": retry_wait_ms is negative";
    if ((unsigned)o->policy > LEAT_BATCH_COLLECT) return ": policy is none of the three";
    if (!o->batch && o->in_flight_max > 1) return ": in_flight_max is set and batch is not";
    return o->in_flight_max > LEAT_I_WINDOW_MAX ? IN_FLIGHT_OVER : NULL;
}

static leat_err check_one(const leat_flow *flow, leat_error *error)
{
    const char *name = flow->opts.name;
    if (flow->broken != LEAT_OK) return leat_i_fail(error, flow->broken, "flow \"%.40s\": %s", name, flow->broken_text);
    const char *why = flow_refused(flow);
    if (why) return leat_i_fail(error, LEAT_USAGE, "flow \"%.40s\"%s", name, why);
    for (const leat_node *n = flow->start; n; n = n->next) {
        why = node_refused(n);
        if (why) return node_fail(error, n, why);
    }
    return check_reach(flow, error);
}

leat_err leat_flow_check(const leat_flow *flow, leat_error *error)
{
    if (!flow) return leat_i_fail(error, LEAT_NOMEM, "memory was short while the flow was built");
    const leat_flow *root = leat_i_flow_root(flow);
    const char *edited = leat_load_acquire(&root->edited); /* acquire: pairs with the release in flow_edit */
    if (edited)
        return leat_i_fail(error, LEAT_USAGE, "flow \"%.40s\": node \"%.40s\" was added or linked while a run was under way",
                           root->opts.name, edited);
    if (flow->depth > LEAT_I_FLOW_DEPTH_MAX)
        return leat_i_fail(error, LEAT_USAGE, "flow \"%.40s\": flows nest more than %d deep", flow->opts.name,
                           LEAT_I_FLOW_DEPTH_MAX);
    for (const leat_flow *f = flow; f; f = leat_i_flow_next(f, flow))
        LEAT_TRY(check_one(f, error));
    return LEAT_OK;
}

static void warn(const leat_flow *flow, leat_runtime *rt)
{
    for (const leat_flow *f = flow; f; f = leat_i_flow_next(f, flow)) {
        for (const leat_node *n = f->start; n; n = n->next) {
            if (!n->relinked) continue;
            leat_i_runtime_log(rt, LEAT_LOG_WARNING,
                               "flow \"%s\": node \"%s\": action \"%s\" was linked twice; the last link counts",
                               f->opts.name, n->name, n->relinked);
        }
    }
    if (flow->place && flow->place->links)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING, "flow \"%s\" runs alone: the links that lead on from it are not followed",
                           flow->opts.name);
}

leat_err leat_i_flow_check_run(leat_flow *flow, leat_runtime *rt, leat_error *error)
{
    bool edited = flow && leat_load_relaxed(&leat_i_flow_root(flow)->edited);
    /* acquire: pairs with the release below, so that who sees 1 sees what was checked. */
    if (flow && !edited && leat_load_acquire(&flow->checked)) return LEAT_OK;
    LEAT_TRY(leat_flow_check(flow, error));
    if (!leat_exchange_acq_rel(&flow->checked, 1u) && rt) warn(flow, rt);
    return LEAT_OK;
}
