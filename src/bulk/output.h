/* output.h: where the rows of a run must not go: over its own input, or among the documents of a folder. */
#ifndef LEAT_I_BULK_OUTPUT_H
#define LEAT_I_BULK_OUTPUT_H

#include "leat/bulk.h"

/* Before anything is written. LEAT_USAGE when the output, or a file that a run keeps beside it, is one of the inputs under any name,
 * or lies inside one of their folders. */
leat_err leat_i_output_check(const leat_bulk_opts *opts, leat_error *error);

#endif
