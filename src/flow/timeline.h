/* timeline.h: what other rooms put into a timeline beside the phases of flows. */
#ifndef LEAT_I_TIMELINE_H
#define LEAT_I_TIMELINE_H

#include "leat/task.h"
#include "leat/trace.h"

/* Something of this task that lasted, beside its visits and waits; it nests with them by its times. `args` is a JSON object. Any
 * thread. */
void leat_i_timeline_span(leat_timeline *tl, const leat_task *t, const char *name, const char *args, int64_t begin_ns,
                          int64_t end_ns);

#endif
