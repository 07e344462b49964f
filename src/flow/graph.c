/*
 * graph.c: building and freeing flows.
 *
 * Builders never fail loudly: they note what went wrong in the flow, answer NULL, and the check of the first run tells. So a
 * graph can be written down without looking at each step.
 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../sched/sched.h"

leat_flow *leat_i_flow_root(const leat_flow *flow)
{
    while (flow->place)
        flow = flow->place->flow;
    return (leat_flow *)flow;
}

/* The first inner flow of the list that begins at `node`. */
static leat_flow *inner_first(const leat_node *node)
{
    while (node && !node->inner)
        node = node->next;
    return node ? node->inner : NULL;
}

leat_flow *leat_i_flow_next(const leat_flow *flow, const leat_flow *top)
{
    leat_flow *next = inner_first(flow->start);
    while (!next && flow != top) {
        next = inner_first(flow->place->next);
        flow = flow->place->flow;
    }
    return next;
}

/* Notes the first thing that went wrong; later ones are often only its consequences. */
__attribute__((format(printf, 3, 4))) static void flow_break(leat_flow *flow, leat_err code, const char *fmt, ...)
{
    va_list args;
    if (flow->broken != LEAT_OK) return;
    flow->broken = code;
    va_start(args, fmt);
    vsnprintf(flow->broken_text, sizeof flow->broken_text, fmt, args);
    va_end(args);
}

/* Tells whether `flow` may be changed now; a change during a run is refused, and the next run reports it. */
static bool flow_edit(leat_flow *flow, const char *name)
{
    leat_flow *root = leat_i_flow_root(flow);
    if (leat_load_acquire(&root->runs) >= LEAT_I_FLOW_RUN) { /* acquire: pairs with the release in run_end */
        leat_store_release(&root->edited, name);             /* release: pairs with the acquire in the check */
        return false;
    }
    for (leat_flow *f = flow;; f = f->place->flow) {
        leat_store_relaxed(&f->checked, 0u); /* one thread builds; runs begin after it has handed the flow on */
        if (!f->place) return true;
    }
}

static bool params_copy(leat_flow_opts *opts, const leat_flow_opts *from)
{
    opts->params = NULL;
    opts->param_count = 0;
    if (from->param_count == 0 || !from->params) return true;
    leat_param *copy = leat_i_alloc_zeroed(from->param_count * sizeof *copy);
    if (!copy) return false;
    opts->params = copy;
    opts->param_count = from->param_count;
    for (size_t i = 0; i < from->param_count; i++) {
        copy[i].key = leat_i_strdup(from->params[i].key);
        copy[i].value = leat_i_strdup(from->params[i].value);
        if (!copy[i].key && from->params[i].key) return false;
        if (!copy[i].value && from->params[i].value) return false;
    }
    return true;
}

static void params_free(leat_flow_opts *opts)
{
    for (size_t i = 0; i < opts->param_count; i++) {
        leat_i_free((char *)opts->params[i].key);
        leat_i_free((char *)opts->params[i].value);
    }
    leat_i_free((leat_param *)opts->params);
}

leat_flow *leat_flow_new(const leat_flow_opts *opts)
{
    static const leat_flow_opts none;
    const char *name = opts && opts->name && opts->name[0] ? opts->name : "flow";
    leat_flow *flow = leat_i_alloc_zeroed(sizeof *flow);
    if (!flow) return NULL;
    flow->opts = opts ? *opts : none;
    flow->depth = 1;
    flow->opts.params = NULL;
    flow->opts.param_count = 0;
    flow->opts.name = leat_i_strdup(name);
    if (!flow->opts.name || !params_copy(&flow->opts, opts ? opts : &none)) {
        leat_flow_free(flow);
        return NULL;
    }
    return flow;
}

static void links_free(leat_i_link *links)
{
    leat_i_link *next;
    for (leat_i_link *l = links; l; l = next) {
        next = l->next;
        leat_i_free(l->action);
        leat_i_free(l);
    }
}

static void node_free(leat_node *node)
{
    links_free(node->links);
    links_free(node->ends);
    leat_i_free(node);
}

/* Frees one flow and puts its inner flows on the list: no recursion, however deep they nest. */
static leat_flow *flow_free_one(leat_flow *flow, leat_flow *list)
{
    leat_node *next;
    for (leat_node *n = flow->start; n; n = next) {
        next = n->next;
        if (n->inner) {
            n->inner->free_next = list;
            list = n->inner;
        }
        node_free(n);
    }
    leat_i_name *name = leat_load_acquire(&flow->last_name), *older; /* acquire: pairs with the release in keep_name */
    for (; name; name = older) {
        older = name->next;
        leat_i_free(name);
    }
    params_free(&flow->opts);
    leat_i_free((char *)flow->opts.name);
    leat_i_free(flow);
    return list;
}

static void flow_free_tree(leat_flow *flow)
{
    leat_flow *list = flow;
    flow->free_next = NULL;
    while (list) {
        leat_flow *f = list;
        list = flow_free_one(f, f->free_next);
    }
}

void leat_flow_free(leat_flow *flow)
{
    if (!flow || flow->place) return; /* one that was moved in goes with the flow around it */
    leat_runtime *rt = leat_load_acquire(&flow->rt);
    /* seq_cst: pairs with the counting in run_begin and run_end, exactly one of which sees the flag and the count at 0. */
    if (leat_or_seq_cst(&flow->runs, LEAT_I_FLOW_FREED) < LEAT_I_FLOW_RUN) {
        flow_free_tree(flow);
        return;
    }
    if (rt)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING,
                           "a flow was freed while a run of it is under way; it is kept until that ends");
}

bool leat_i_flow_run_begin(leat_flow *flow, leat_runtime *rt)
{
    leat_flow *root = leat_i_flow_root(flow);
    uint32_t before = leat_add_seq_cst(&root->runs, LEAT_I_FLOW_RUN); /* seq_cst: see leat_flow_free */
    if (before & LEAT_I_FLOW_FREED) {
        leat_i_flow_run_end(flow);
        return false;
    }
    leat_store_release(&root->rt, rt);
    return true;
}

void leat_i_flow_run_end(leat_flow *flow)
{
    leat_flow *root = leat_i_flow_root(flow);
    uint32_t before = leat_sub_seq_cst(&root->runs, LEAT_I_FLOW_RUN); /* seq_cst: see leat_flow_free */
    if (before == (LEAT_I_FLOW_RUN | LEAT_I_FLOW_FREED)) flow_free_tree(root);
}

static leat_node *node_append(leat_flow *flow, const char *name)
{
    leat_node *node = leat_i_alloc_zeroed(sizeof *node);
    if (!node) {
        flow_break(flow, LEAT_NOMEM, "memory was short while the flow was built");
        return NULL;
    }
    node->flow = flow;
    node->name = name;
    node->index = flow->node_count++;
    if (flow->last)
        flow->last->next = node;
    else
        flow->start = node;
    flow->last = node;
    return node;
}

leat_node *leat_flow_add(leat_flow *flow, const leat_node_class *cls, const leat_node_opts *opts)
{
    if (!flow) return NULL;
    const char *name = cls && cls->name && cls->name[0] ? cls->name : "unnamed";
    if (!flow_edit(flow, name)) return NULL;
    if (!cls) {
        flow_break(flow, LEAT_USAGE, "a node was added without a class");
        return NULL;
    }
    leat_node *node = node_append(flow, name);
    if (!node) return NULL;
    node->cls = cls;
    if (opts) node->opts = *opts;
    return node;
}

/* Why `inner` cannot become a part of `flow`; NULL = it can. */
static const char *inner_refused(const leat_flow *flow, const leat_flow *inner)
{
    if (inner == leat_i_flow_root(flow)) return "would contain itself";
    if (inner->place) return "is already part of a flow";
    if (leat_load_acquire(&inner->runs) >= LEAT_I_FLOW_RUN) return "is running";
    return NULL;
}

leat_node *leat_flow_add_flow(leat_flow *flow, leat_flow *inner)
{
    if (!flow) {
        leat_flow_free(inner);
        return NULL;
    }
    bool editable = flow_edit(flow, "an inner flow");
    if (!inner) {
        if (editable) flow_break(flow, LEAT_NOMEM, "memory was short while an inner flow was built");
        return NULL;
    }
    const char *refused = inner_refused(flow, inner);
    if (refused && editable) flow_break(flow, LEAT_USAGE, "the inner flow \"%.40s\" %s", inner->opts.name, refused);
    leat_node *node = editable && !refused ? node_append(flow, inner->opts.name) : NULL;
    if (!node) {
        if (inner != leat_i_flow_root(flow)) leat_flow_free(inner); /* one that has a place stays there */
        return NULL;
    }
    node->inner = inner;
    inner->place = node;
    uint32_t depth = inner->depth; /* the levels below travel up to the root */
    for (leat_flow *f = flow; f->depth <= depth; f = f->place->flow) {
        f->depth = ++depth;
        if (!f->place) break;
    }
    return node;
}

static leat_i_link *link_find(leat_i_link *links, const char *action)
{
    for (leat_i_link *l = links; l; l = l->next) {
        if (strcmp(l->action, action) == 0) return l;
    }
    return NULL;
}

static leat_i_link *link_append(leat_node *from, leat_i_link **at, const char *action)
{
    leat_i_link *link = leat_i_alloc_zeroed(sizeof *link);
    if (!link || !(link->action = leat_i_strdup(action))) {
        leat_i_free(link);
        flow_break(from->flow, LEAT_NOMEM, "memory was short while the flow was built");
        return NULL;
    }
    while (*at)
        at = &(*at)->next;
    *at = link;
    return link;
}

static const char *name_of(const char *action)
{
    return action && *action ? action : "default";
}

leat_node *leat_flow_link(leat_node *from, const char *action, leat_node *to)
{
    if (!from || !to || !flow_edit(from->flow, from->name)) return NULL;
    if (from->flow != to->flow) {
        flow_break(from->flow, LEAT_USAGE, "the link from node \"%.40s\" to node \"%.40s\" leads into another flow",
                   from->name, to->name);
        return NULL;
    }
    const char *name = name_of(action);
    leat_i_link *link = link_find(from->links, name);
    if (link) {
        from->relinked = link->action;
    } else {
        link = link_append(from, &from->links, name);
        if (!link) return NULL;
    }
    link->to = to;
    if (strcmp(name, "default") == 0) from->default_to = to;
    return to;
}

void leat_flow_end(leat_node *from, const char *action)
{
    if (!from || !flow_edit(from->flow, from->name)) return;
    if (!link_find(from->ends, name_of(action))) (void)link_append(from, &from->ends, name_of(action));
}

bool leat_i_node_ends(const leat_node *node, const char *action)
{
    return link_find(node->ends, name_of(action)) != NULL;
}

const char *leat_i_flow_keep_name(leat_flow *flow, const char *text)
{
    leat_i_name *first = leat_load_acquire(&flow->last_name), *mine = NULL;
    size_t size = strlen(text) + 1;
    for (;;) {
        for (leat_i_name *n = first; n; n = n->next) {
            if (strcmp(n->text, text) == 0) {
                leat_i_free(mine);
                return n->text;
            }
        }
        if (!mine && !(mine = leat_i_alloc(sizeof *mine + size))) return NULL;
        memcpy(mine->text, text, size);
        mine->next = first;
        /* acq_rel: pairs with itself and with the acquire loads of the list. */
        if (leat_cas_acq_rel(&flow->last_name, &first, mine)) return mine->text;
    }
}
