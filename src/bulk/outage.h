/*
 * outage.h: a run whose endpoint is away, or answers nothing but errors: it pauses, tries with one request at a time, and goes on by
 * itself, or stops when that has lasted too long.
 *
 *   FLOWING  Attempts that found nobody (as many in a row as requests may be in flight, ten at most), or that failed by the endpoint's
 *            fault (20 in a row, or twice as many as may be in flight if that is more), begin an outage. Any other answer begins both
 *            counts anew; one that says "later" counts for neither. Of several endpoints, all must be out before anybody counts as
 *            having found nobody, and the first one is enough then.
 *   AWAY     Whoever would ask waits in leat_i_outage_pass. One at a time goes as the probe, after waits that double from 0.25 s to
 *            4 s. A probe that is answered without a fault -> FLOWING, as does any attempt that began since; one that is not: the
 *            next waits. Once outage_ms are over, the first attempt that fails, begun since the outage did -> OVER.
 *   OVER     The run stops; nobody passes any more.
 *
 * That nobody was there is never a document's own fault: it costs no attempt and no row while the run can wait. What was answered with
 * a fault costs an attempt as always; so a document that is the cause itself is not asked for ever, and others get their turn.
 *
 * Each waiter is woken when the probe has ended; who wakes first becomes the next one. The lock is a leaf.
 */
#ifndef LEAT_I_BULK_OUTAGE_H
#define LEAT_I_BULK_OUTAGE_H

#include "leat/base.h"

#include "../base/lock.h"
#include "../llm/turn.h"

struct leat_i_doc;
struct leat_i_run;

typedef struct leat_i_outage {               /* zeroed memory flows */
    LEAT_ATOMIC(uint32_t) unreached, faults; /* attempts in a row; counters that order nothing */
    LEAT_ATOMIC(bool) on;                    /* AWAY or OVER; written under the lock */
    leat_i_lock lock;
    bool over;                          /* guarded by the lock, as is what follows */
    const struct leat_i_doc *probe;     /* whose request tries; NULL = none is under way */
    struct leat_i_outage_wait *first;   /* who waits */
    int64_t begin_ns, next_ns, wait_ms; /* since when, when the next probe goes, what is waited after it */
} leat_i_outage;

/* Before an attempt, with the turn in hand: waits while the endpoint is away. LEAT_CANCELED also when the run gives it up. */
leat_err leat_i_outage_pass(leat_task *t, struct leat_i_run *run, const struct leat_i_doc *d);
/* After an attempt: what it has shown. Changes what the attempt means to do, where it found nobody; may stop the run. */
void leat_i_outage_tell(struct leat_i_run *run, const struct leat_i_doc *d, leat_i_llm_attempt *a, int64_t now_ns);
/* The document gives its turn back, to wait or because it asks no more: if it was the probe, another one will be. Whoever waits holds a
 * turn, so a probe without one would wait for those who wait for it. */
void leat_i_outage_leave(struct leat_i_run *run, const struct leat_i_doc *d, int64_t now_ns);

#endif
