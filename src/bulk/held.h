/*
 * held.h: refusals of which nobody can tell yet whose they are: one document's, or the whole run's.
 *
 * That a port wants TLS is nobody's own matter: the first such answer stops the run. 403 may be a matter of one document or of the
 * key. 404 and 405, while nothing has gone well in this run, may be a model that one line names or a base URL that is wrong. The
 * rows of such documents are held back: an answer that is good says that they were the documents' own, and they are written;
 * HELD_MAX of them in a row, or the end of the input, say that they were not, the run stops, and the documents have no rows, so
 * that the same command asks them again.
 *
 * A held row is written once or dropped, by whoever takes it off the list. The lock is a leaf.
 */
#ifndef LEAT_I_BULK_HELD_H
#define LEAT_I_BULK_HELD_H

#include "leat/bulk.h"

#include "../base/buf.h"
#include "../base/lock.h"

typedef struct leat_i_held_row {
    struct leat_i_held_row *next;
    leat_i_buf row;
    leat_llm_reply reply; /* class and message of it; nothing that points anywhere */
} leat_i_held_row;

typedef struct leat_i_held { /* zeroed memory holds nothing */
    leat_i_lock lock;
    leat_i_held_row *first, *last; /* guarded by the lock, as are the next two */
    bool closed;                   /* they were not the documents' own: no row is written any more */
    LEAT_ATOMIC(uint32_t) count;   /* written under the lock; read without it as a hint */
} leat_i_held;

struct leat_i_run;
/* Whether a document with this reply is to be held back. */
bool leat_i_held_wants(const struct leat_i_run *run, const leat_llm_reply *reply);
/* Takes the row over (b is empty then); may stop the run. LEAT_NOMEM: nothing was taken. */
leat_err leat_i_held_add(struct leat_i_run *run, leat_i_buf *b, const leat_llm_reply *reply);
/* The rows to be written now, as a list that the caller owns: after a good answer, and at the end. NULL = none. */
leat_i_held_row *leat_i_held_take(struct leat_i_run *run);
/* When no document is under way any more: says whose the refusals were, and stops the run if they were not the documents' own. */
leat_i_held_row *leat_i_held_end(struct leat_i_run *run);
void leat_i_held_row_free(leat_i_held_row *row);
void leat_i_held_fini(leat_i_held *h);

#endif
