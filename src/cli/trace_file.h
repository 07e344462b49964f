/* trace_file.h: the file of --trace. */
#ifndef LEAT_I_CLI_TRACE_FILE_H
#define LEAT_I_CLI_TRACE_FILE_H

#include "leat/trace.h"

typedef struct leat_i_trace_file {
    const char *path;
    int fd;
    leat_timeline *timeline; /* NULL = none */
} leat_i_trace_file;

/* Opens it, for its owner only; one that stands there is replaced if it is a timeline. It is never the output, under any name. An exit
 * code; the sentence was said. `path` NULL = nothing to do. close is due in any case. */
int leat_i_trace_file_open(leat_i_trace_file *f, const char *command, const char *path, const char *output);
/* Writes the rest, and warns when something is missing in it. */
void leat_i_trace_file_close(leat_i_trace_file *f, const char *command);

#endif
