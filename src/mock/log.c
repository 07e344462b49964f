/* log.c: the log of every request. A line is never torn by us: what could not be written whole is tried again, then given up. */
#include "log.h"

#include <fcntl.h>
#include <stdio.h>

#include "../base/os.h"

#define LOG_FLUSH_BYTES  (64 * 1024)
#define LOG_BUFFER_BYTES (4 * 1024 * 1024)
#define LOG_LINE_BYTES   512
#define LOG_FLUSH_NS     (100 * LEAT_I_NS_PER_MS)

int leat_i_mock_log_open(leat_i_mock_log *log, const char *path)
{
    *log = (leat_i_mock_log){ .fd = -1, .buf = { .max = LOG_BUFFER_BYTES } };
    if (!path) return 0;
    int fd = leat_i_os_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0) return fd;
    log->fd = fd;
    return 0;
}

void leat_i_mock_log_put(leat_i_mock_log *log, const leat_i_mock_log_line *line, int64_t now_ns)
{
    if (log->fd < 0) return;
    size_t before = log->buf.size;
    if (before == 0) log->oldest_ns = now_ns;
    log->pending++;
    char text[LOG_LINE_BYTES];
    int n =
        snprintf(text, sizeof text,
                 "{\"time_ns\":%lld,\"wall_ns\":%lld,\"key\":\"%016llx\",\"id\":\"req_%016llx\",\"api\":\"%s\","
                 "\"decision\":\"%s\",\"status\":%d,\"tokens\":%llu,\"tokens_in\":%llu,\"ms\":%lld.%03lld,\"end\":\"%s\","
                 "\"in_flight\":%u,"
                 "\"body\":\"%016llx\"%s%s%s}\n",
                 (long long)line->time_ns, (long long)line->wall_ns, (unsigned long long)line->key_hash,
                 (unsigned long long)line->id, line->dialect, line->decision, line->status, (unsigned long long)line->tokens,
                 (unsigned long long)line->tokens_in, (long long)(line->took_ns / LEAT_I_NS_PER_MS),
                 (long long)(line->took_ns / 1000 % 1000), line->end, line->in_flight, (unsigned long long)line->body_hash,
                 line->fault ? ",\"fault\":\"" : "", line->fault ? line->fault : "", line->fault ? "\"" : "");
    if (n < 0 || n >= (int)sizeof text || !leat_i_buf_append(&log->buf, text, (size_t)n)) {
        log->buf.size = before;
        log->buf.failed = false;
        log->pending--;
        log->lost++;
    }
}

int64_t leat_i_mock_log_flush(leat_i_mock_log *log, int64_t now_ns, bool all)
{
    if (log->fd < 0 || log->buf.size == 0) return LEAT_I_NEVER_NS;
    if (!all && log->buf.size < LOG_FLUSH_BYTES && now_ns < log->oldest_ns + LOG_FLUSH_NS)
        return log->oldest_ns + LOG_FLUSH_NS;
    size_t done = 0;
    if (leat_i_os_write_all(log->fd, log->buf.data, log->buf.size, &done) < 0) {
        /* What is left may be half a line; the next line must not be glued to it. So the log ends here, and counts. */
        log->lost += log->pending;
        leat_i_os_close(log->fd);
        log->fd = -1;
    }
    log->pending = 0;
    leat_i_buf_clear(&log->buf);
    return LEAT_I_NEVER_NS;
}

void leat_i_mock_log_close(leat_i_mock_log *log)
{
    (void)leat_i_mock_log_flush(log, 0, true);
    if (log->fd >= 0) leat_i_os_close(log->fd);
    leat_i_buf_fini(&log->buf);
    log->fd = -1;
}
