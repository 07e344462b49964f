/* log.h: the log of every request, a JSON object a line, written in whole lines. One owner, no lock. */
#ifndef LEAT_I_MOCK_LOG_H
#define LEAT_I_MOCK_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/buf.h"

typedef struct leat_i_mock_log {
    int fd; /* < 0 = no log */
    leat_i_buf buf;
    int64_t oldest_ns; /* when the oldest line of `buf` came */
    uint64_t lost;     /* lines that could not be kept or written */
    uint64_t pending;  /* lines in `buf` */
} leat_i_mock_log;

typedef struct leat_i_mock_log_line {
    int64_t time_ns, wall_ns; /* of its arrival: since the endpoint's start; since 1970 */
    int64_t took_ns;          /* from its arrival to its end */
    uint64_t id, key_hash, body_hash, tokens, tokens_in;
    const char *decision, *dialect, *end;
    const char *fault; /* that was ordered; NULL = none */
    int status;
    uint32_t in_flight;
} leat_i_mock_log_line;

/* Opens `path` for appending; NULL = no log. 0 or -errno. */
int leat_i_mock_log_open(leat_i_mock_log *log, const char *path);
void leat_i_mock_log_put(leat_i_mock_log *log, const leat_i_mock_log_line *line, int64_t now_ns);
/* Writes what is old enough (100 ms), or all; gives the time of the next flush, LEAT_I_NEVER_NS when nothing waits. */
int64_t leat_i_mock_log_flush(leat_i_mock_log *log, int64_t now_ns, bool all);
void leat_i_mock_log_close(leat_i_mock_log *log);

#endif
