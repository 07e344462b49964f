/*
 * draw.c: a flow as a picture, in the languages of Graphviz and Mermaid.
 *
 * Nodes are called n<flow>_<index>, where <flow> counts the flows in the order of leat_i_flow_next. A flow in a flow is a box
 * around its nodes; links to it lead to its start, and links from it begin at its start too, marked with the box (dot) or
 * at the box itself (Mermaid, which allows that).
 */
#include "graph.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/utf8.h"

enum { DRAW_DOT, DRAW_MERMAID };

struct draw {
    leat_i_buf out;
    int language;
    const leat_flow *top;
};

/* Number of the flow in the drawing. */
static uint32_t flow_number(const struct draw *d, const leat_flow *flow)
{
    uint32_t n = 0;
    for (const leat_flow *f = d->top; f && f != flow; f = leat_i_flow_next(f, d->top))
        n++;
    return n;
}

/* How a character stands inside double quotes; NULL = as it is. Both languages know names of characters, Mermaid tags too. */
static const char *quoted_as(int language, char c)
{
    bool dot = language == DRAW_DOT;
    switch (c) {
    case '"':
        return dot ? "\\\"" : "#quot;";
    case '\\':
        return dot ? "\\\\" : NULL;
    case '&':
        return dot ? "&amp;" : "#amp;";
    case '#':
        return dot ? NULL : "#35;";
    case '<':
        return dot ? NULL : "#lt;";
    case '>':
        return dot ? NULL : "#gt;";
    default:
        return (unsigned char)c < ' ' ? " " : NULL;
    }
}

/* Text inside double quotes; what is no UTF-8 would spoil the whole drawing. */
static void put_quoted(struct draw *d, const char *text)
{
    const unsigned char *end = (const unsigned char *)text + strlen(text);
    for (size_t bytes; *text; text += bytes) {
        const char *as = quoted_as(d->language, *text);
        bytes = leat_i_utf8_step((const unsigned char *)text, end);
        if (bytes == 0) {
            bytes = 1;
            as = "\xef\xbf\xbd";
        }
        if (as)
            leat_i_buf_puts(&d->out, as);
        else
            leat_i_buf_append(&d->out, text, bytes);
    }
}

static void put_node_id(struct draw *d, const leat_node *node)
{
    leat_i_buf_printf(&d->out, "n%u_%u", flow_number(d, node->flow), node->index);
}

static uint32_t level(const struct draw *d, const leat_flow *flow)
{
    uint32_t n = 1;
    for (; flow != d->top; flow = flow->place->flow)
        n++;
    return n;
}

static void put_indent(struct draw *d, uint32_t levels)
{
    for (; levels > 0; levels--)
        leat_i_buf_puts(&d->out, "    ");
}

/* What is worth knowing of a batch: how many at once. */
static void put_batch(struct draw *d, bool batch, uint32_t in_flight_max)
{
    if (batch) leat_i_buf_printf(&d->out, " (batch of %u at once)", in_flight_max > 1 ? in_flight_max : 1);
}

static void put_node(struct draw *d, const leat_node *node)
{
    bool start = node == node->flow->start;
    put_indent(d, level(d, node->flow));
    put_node_id(d, node);
    leat_i_buf_puts(&d->out, d->language == DRAW_DOT ? " [label=\"" : start ? "([\"" : "[\"");
    put_quoted(d, node->name);
    put_batch(d, node->opts.batch, node->opts.in_flight_max);
    if (d->language == DRAW_DOT)
        leat_i_buf_puts(&d->out, start ? "\", style=bold];\n" : "\"];\n");
    else
        leat_i_buf_puts(&d->out, start ? "\"])\n" : "\"]\n");
}

static void put_box_begin(struct draw *d, const leat_flow *flow)
{
    put_indent(d, level(d, flow) - 1);
    leat_i_buf_printf(&d->out, d->language == DRAW_DOT ? "subgraph cluster_%u {\n" : "subgraph f%u[\"",
                      flow_number(d, flow));
    if (d->language == DRAW_DOT) {
        put_indent(d, level(d, flow));
        leat_i_buf_puts(&d->out, "label=\"");
    }
    put_quoted(d, flow->opts.name);
    put_batch(d, flow->opts.batch, flow->opts.in_flight_max);
    leat_i_buf_puts(&d->out, d->language == DRAW_DOT ? "\";\n" : "\"]\n");
}

static void put_box_end(struct draw *d, const leat_flow *flow)
{
    put_indent(d, level(d, flow) - 1);
    leat_i_buf_puts(&d->out, d->language == DRAW_DOT ? "}\n" : "end\n");
}

/* The boxes and nodes, without recursion: down into a flow when its node comes, up again at its last. */
static void put_boxes(struct draw *d)
{
    const leat_flow *flow = d->top;
    const leat_node *node = flow->start;
    for (;;) {
        if (node && node->inner) {
            flow = node->inner;
            put_box_begin(d, flow);
            node = flow->start;
        } else if (node) {
            put_node(d, node);
            node = node->next;
        } else {
            if (flow == d->top) return;
            put_box_end(d, flow);
            node = flow->place->next;
            flow = flow->place->flow;
        }
    }
}

/* The node where a link ends: a box is entered at its start. NULL when the box is empty. */
static const leat_node *link_end(const leat_node *node)
{
    while (node && node->inner)
        node = node->inner->start;
    return node;
}

static void put_link_dot(struct draw *d, const leat_node *from, const leat_i_link *link)
{
    const leat_node *a = link_end(from), *b = link_end(link->to);
    if (!a || !b) return;
    leat_i_buf_puts(&d->out, "    ");
    put_node_id(d, a);
    leat_i_buf_puts(&d->out, " -> ");
    put_node_id(d, b);
    leat_i_buf_puts(&d->out, " [label=\"");
    put_quoted(d, link->action);
    leat_i_buf_puts(&d->out, "\"");
    if (from->inner && from != link->to) leat_i_buf_printf(&d->out, ", ltail=cluster_%u", flow_number(d, from->inner));
    if (link->to->inner && from != link->to)
        leat_i_buf_printf(&d->out, ", lhead=cluster_%u", flow_number(d, link->to->inner));
    leat_i_buf_puts(&d->out, "];\n");
}

static void put_end_mermaid(struct draw *d, const leat_node *node)
{
    if (node->inner)
        leat_i_buf_printf(&d->out, "f%u", flow_number(d, node->inner));
    else
        put_node_id(d, node);
}

static void put_link_mermaid(struct draw *d, const leat_node *from, const leat_i_link *link)
{
    leat_i_buf_puts(&d->out, "    ");
    put_end_mermaid(d, from);
    leat_i_buf_puts(&d->out, " -- \"");
    put_quoted(d, link->action);
    leat_i_buf_puts(&d->out, "\" --> ");
    put_end_mermaid(d, link->to);
    leat_i_buf_puts(&d->out, "\n");
}

/* An action that ends the walk on purpose leads to a point (dot) or a circle (Mermaid) beside its node. */
static void put_stop_dot(struct draw *d, const leat_node *from, const leat_i_link *stop)
{
    const leat_node *a = link_end(from);
    if (!a) return;
    leat_i_buf_puts(&d->out, "    ");
    put_node_id(d, from);
    leat_i_buf_puts(&d->out, "_end [shape=point];\n    ");
    put_node_id(d, a);
    leat_i_buf_puts(&d->out, " -> ");
    put_node_id(d, from);
    leat_i_buf_puts(&d->out, "_end [label=\"");
    put_quoted(d, stop->action);
    leat_i_buf_puts(&d->out, "\"");
    if (from->inner) leat_i_buf_printf(&d->out, ", ltail=cluster_%u", flow_number(d, from->inner));
    leat_i_buf_puts(&d->out, "];\n");
}

static void put_stop_mermaid(struct draw *d, const leat_node *from, const leat_i_link *stop)
{
    leat_i_buf_puts(&d->out, "    ");
    put_end_mermaid(d, from);
    leat_i_buf_puts(&d->out, " -- \"");
    put_quoted(d, stop->action);
    leat_i_buf_puts(&d->out, "\" --> ");
    put_node_id(d, from);
    leat_i_buf_puts(&d->out, "_end(( ))\n");
}

static void put_stops(struct draw *d, const leat_node *node)
{
    for (const leat_i_link *l = node->ends; l; l = l->next) {
        if (d->language == DRAW_DOT)
            put_stop_dot(d, node, l);
        else
            put_stop_mermaid(d, node, l);
    }
}

static void put_links(struct draw *d)
{
    for (const leat_flow *f = d->top; f; f = leat_i_flow_next(f, d->top)) {
        for (const leat_node *n = f->start; n; n = n->next) {
            for (const leat_i_link *l = n->links; l; l = l->next) {
                if (d->language == DRAW_DOT)
                    put_link_dot(d, n, l);
                else
                    put_link_mermaid(d, n, l);
            }
            put_stops(d, n);
        }
    }
}

char *leat_flow_dot(const leat_flow *flow)
{
    struct draw d = { .language = DRAW_DOT, .top = flow };
    if (!flow) return NULL;
    leat_i_buf_puts(&d.out, "digraph \"");
    put_quoted(&d, flow->opts.name);
    leat_i_buf_puts(&d.out, "\" {\n    compound=true;\n    node [shape=box];\n");
    put_boxes(&d);
    put_links(&d);
    leat_i_buf_puts(&d.out, "}\n");
    return leat_i_buf_take(&d.out);
}

char *leat_flow_mermaid(const leat_flow *flow)
{
    struct draw d = { .language = DRAW_MERMAID, .top = flow };
    if (!flow) return NULL;
    leat_i_buf_puts(&d.out, "flowchart TD\n");
    put_boxes(&d);
    put_links(&d);
    return leat_i_buf_take(&d.out);
}
