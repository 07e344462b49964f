/*
 * spans.h: a run in a timeline (leat/trace.h): beside the flow's own visits and waits each document, under its id, each attempt at the
 * endpoint, and the waits between attempts.
 */
#ifndef LEAT_I_BULK_SPANS_H
#define LEAT_I_BULK_SPANS_H

#include "run.h"

void leat_i_spans_document(leat_task *t, const leat_i_run *run, const struct leat_i_doc *d, int64_t begin_ns);
void leat_i_spans_attempt(leat_task *t, const leat_i_run *run, const leat_i_llm_attempt *a);
/* The document has given its turn back, to try again; and has it again. */
void leat_i_spans_gave(struct leat_i_doc *d);
void leat_i_spans_took(leat_task *t, struct leat_i_doc *d);

#endif
