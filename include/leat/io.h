/*
 * leat/io.h: what tasks read and wait for outside: descriptors (a terminal, a pipe, a socket of another library) and files.
 *
 * One thread of the runtime, started at the first wait, watches all descriptors; waiting costs no worker. While a task waits, nothing
 * is read or written: when the wait is over, the task does that itself. With a virtual clock, time does not wait for a descriptor.
 * Files are always ready, and block: they are read on helper threads.
 *
 * Source: epoll(7), one-shot entries; asyncio's add_reader, and its connect_read_pipe for lines.
 */
#ifndef LEAT_IO_H
#define LEAT_IO_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_LINE_BYTES_MAX 65536             /* of a line that leat_fd_read_line gives, without its end */
#define LEAT_FILE_BYTES_MAX ((size_t)1 << 30) /* of a file that leat_file_read gives */

typedef enum leat_fd_event {
    LEAT_FD_READABLE, /* a read would not block: bytes, the end, or an error */
    LEAT_FD_WRITABLE  /* a write would not block */
} leat_fd_event;

/**
 * Waits until `fd` is ready. Regular files always are.
 *
 * Suspends: yes, until then, or cancel, or the nearest deadline of `t`.
 * Threads:  from the task `t` only; several tasks may wait for one descriptor, and are all woken.
 * Owns:     `fd` is borrowed during the call; it must not be closed meanwhile.
 * Units:    `fd` is a file descriptor.
 * Errors:   LEAT_USAGE when `fd` is not open; LEAT_CANCELED, LEAT_TIMEOUT; LEAT_IO when descriptors are short; LEAT_NOMEM.
 */
LEAT_API LEAT_MUST_USE leat_err leat_fd_wait(leat_task *t, int fd, leat_fd_event event);

/**
 * Reads one line, as a person types it: one task at a time per descriptor, nothing behind the line is taken.
 *
 * Suspends: yes, as leat_fd_wait; a part of a line that had come when the wait was ended is lost.
 * Threads:  from the task `t` only.
 * Owns:     `*line` belongs to `t` until its visit ends.
 * Shape:    `*line` is NUL-ended and without its line end; NULL at the end of the input. A last line may lack its end.
 * Units:    `fd` is a file descriptor.
 * Errors:   as leat_fd_wait; LEAT_INPUT for a line of more than LEAT_LINE_BYTES_MAX bytes, LEAT_IO when it cannot be read. On
 *           error `*line` is untouched.
 */
LEAT_API LEAT_MUST_USE leat_err leat_fd_read_line(leat_task *t, int fd, const char **line);

/**
 * Reads a whole file on a helper thread.
 *
 * Suspends: yes, until it is read: as leat_blocking, neither cancel nor a deadline cuts that short.
 * Threads:  from the task `t` only.
 * Owns:     `*text` belongs to `t` until its visit ends.
 * Shape:    `*text` is the file's bytes and a NUL behind them; `*text_bytes` (optional) counts them without it.
 * Errors:   LEAT_IO when it cannot be read, LEAT_INPUT when it has more than LEAT_FILE_BYTES_MAX bytes, each with a sentence that
 *           names it; LEAT_CANCELED, LEAT_TIMEOUT; LEAT_NOMEM; LEAT_USAGE without `path` or `text`. On error `*text` is untouched.
 */
LEAT_API LEAT_MUST_USE leat_err leat_file_read(leat_task *t, const char *path, const char **text, size_t *text_bytes);

#ifdef __cplusplus
}
#endif
#endif
