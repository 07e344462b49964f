/* exit_code.h: the exit codes of a run, and of the program: the one list; help, docs and man page derive from it. */
#ifndef LEAT_I_BULK_EXIT_CODE_H
#define LEAT_I_BULK_EXIT_CODE_H

#include "leat/base.h"

/* 6 and 7 are kept for measurements (a threshold was missed; the client itself was the limit). When several apply to a run:
 * a signal before 8 before 5 before 4 before 1. */
#define LEAT_EXIT_MAP(X)                                                                                                 \
    X(OK, 0, "every row is good; of `check`: nothing is wrong with the input")                                           \
    X(ROWS, 1, "the run went through the whole input; some rows failed")                                                 \
    X(USAGE, 2, "wrong arguments, or the key is missing; nothing was done")                                              \
    X(INPUT, 3, "the input is not usable, input or settings differ from the earlier run, or the output is not leat's")   \
    X(RULE, 4,                                                                                                           \
      "stopped by a rule: `--max-errors`, `--max-total-tokens`, `--max-cost`, or the first 20 documents, or 1,000 in a " \
      "row, all failed")                                                                                                 \
    X(ENDPOINT, 5,                                                                                                       \
      "stopped since no request can do better: key, quota, path, certificate, host name, nobody listens (any more), or " \
      "nothing but errors")                                                                                              \
    X(MACHINE, 8, "output or machine failed: disk full, not writable, in use by another process, descriptors, memory")   \
    X(HANGUP, 129, "stopped since its terminal was closed (SIGHUP), also when all that was in flight could be finished") \
    X(INTERRUPT, 130, "stopped by Ctrl-C (SIGINT), also when all that was in flight could be finished")                  \
    X(TERMINATE, 143, "stopped by SIGTERM, also when all that was in flight could be finished")

typedef enum leat_i_exit {
#define LEAT_EXIT_ENUM(name, code, sentence) LEAT_I_EXIT_##name = code,
    LEAT_EXIT_MAP(LEAT_EXIT_ENUM)
#undef LEAT_EXIT_ENUM
} leat_i_exit;

typedef struct leat_i_exit_row {
    int code;
    const char *sentence; /* Markdown: `code` in backquotes */
} leat_i_exit_row;

extern const leat_i_exit_row leat_i_exit_table[];
extern const size_t leat_i_exit_count;

/* The code for an error. Of a signal it knows only that it was one: the program makes 143 of SIGTERM. */
int leat_i_exit_of(leat_err err);

#endif
