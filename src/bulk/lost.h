/* lost.h: an output that somebody removes, moves, replaces or cuts while a run writes to it: rows that nobody would find are noticed. */
#ifndef LEAT_I_BULK_LOST_H
#define LEAT_I_BULK_LOST_H

#include "journal.h"

/* Remembers the folder of the open output, so that it is found again whatever becomes the current one. Without it (out of descriptors)
 * a moved output is not noticed. */
void leat_i_lost_begin(leat_i_journal *j);
/* Is the file that rows are written to still the one of that name, and as long as what was written? LEAT_IO with a sentence when it is
 * not; what cannot be looked at counts as well. By any thread. */
leat_err leat_i_lost_look(const leat_i_journal *j, leat_error *error);
/* Is another file, or none, where the output was? */
bool leat_i_lost_name(const leat_i_journal *j);
/* Rows whose file has no name any more are copied to OUT.saved, if nothing stands there. 1 = they were, 0 = they have a name, or -errno. */
int leat_i_lost_save(const leat_i_journal *j);
#define LEAT_I_SAVED_END ".saved"
void leat_i_lost_end(leat_i_journal *j);

#endif
