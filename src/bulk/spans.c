/* spans.c: see spans.h. Nothing of a document's text or reply goes into a timeline. */
#include "spans.h"

#include <stdio.h>

#include "../flow/timeline.h"

void leat_i_spans_document(leat_task *t, const leat_i_run *run, const struct leat_i_doc *d, int64_t begin_ns)
{
    char args[160];
    const leat_llm_reply *r = &d->doc.reply;
    if (!run->opts->timeline) return;
    snprintf(args, sizeof args, "{\"line\":%llu,\"class\":\"%s\",\"attempts\":%u,\"tokens_in\":%llu,\"tokens_out\":%llu}",
             (unsigned long long)d->doc.line, leat_class_name(r->cls), r->attempts, (unsigned long long)r->tokens_in,
             (unsigned long long)r->tokens_out);
    leat_i_timeline_span(run->opts->timeline, t, d->doc.key, args, begin_ns, leat_task_now_ns(t));
}

void leat_i_spans_attempt(leat_task *t, const leat_i_run *run, const leat_i_llm_attempt *a)
{
    char args[128];
    if (!run->opts->timeline) return;
    snprintf(args, sizeof args, "{\"number\":%u,\"endpoint\":%u,\"status\":%d,\"class\":\"%s\"}", a->number,
             a->endpoint_index + 1, a->http_status, leat_class_name(a->cls));
    leat_i_timeline_span(run->opts->timeline, t, "attempt", args, a->start_ns, leat_task_now_ns(t));
}

void leat_i_spans_gave(struct leat_i_doc *d)
{
    if (d->run->opts->timeline) d->gave_ns = leat_task_now_ns(d->task);
}

void leat_i_spans_took(leat_task *t, struct leat_i_doc *d)
{
    if (!d->gave_ns) return;
    leat_i_timeline_span(d->run->opts->timeline, t, "wait to try again", "{}", d->gave_ns, leat_task_now_ns(t));
    d->gave_ns = 0;
}
