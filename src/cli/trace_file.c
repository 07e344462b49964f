/* trace_file.c: see trace_file.h. */
#include "trace_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/os.h"
#include "../bulk/exit_code.h"
#include "say.h"

/* A timeline's first bytes: what else stands in a file is somebody's. */
#define TRACE_HEAD "[\n{\"ph\":\""
#define TRACE_END  "[\n]\n" /* one without events */

enum { TRACE_BYTES_MAX = 256 * 1024 * 1024 };

static bool is_timeline(int fd)
{
    char head[sizeof TRACE_HEAD - 1];
    ssize_t n = leat_i_os_pread(fd, head, sizeof head, 0);
    if (n == 0) return true;
    if (n == (ssize_t)sizeof TRACE_END - 1) return memcmp(head, TRACE_END, (size_t)n) == 0;
    return n == (ssize_t)sizeof head && memcmp(head, TRACE_HEAD, sizeof head) == 0;
}

static int trace_fail(const leat_i_trace_file *f, const char *command, int rc)
{
    char text[80];
    leat_i_say_error(command, "--trace: cannot write %.200s: %s", f->path, leat_i_errno_text(rc, text, sizeof text));
    return LEAT_I_EXIT_MACHINE;
}

/* A run's file: the output, or what stands beside it. */
static bool is_file_of(const struct stat *st, const char *output, const char *end)
{
    char path[PATH_MAX];
    struct stat other;
    int size = snprintf(path, sizeof path, "%s%s", output, end);
    if (size < 0 || (size_t)size >= sizeof path || leat_i_os_stat(path, &other) < 0) return false;
    return other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

int leat_i_trace_file_open(leat_i_trace_file *f, const char *command, const char *path, const char *output)
{
    struct stat st;
    *f = (leat_i_trace_file){ .path = path, .fd = -1 };
    if (!path) return LEAT_I_EXIT_OK;
    bool is_new = leat_i_os_stat(path, &st) < 0;
    f->fd = leat_i_os_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0) return trace_fail(f, command, f->fd);
    int rc = leat_i_os_fstat(f->fd, &st);
    if (rc == 0 && S_ISREG(st.st_mode) && (is_file_of(&st, output, "") || is_file_of(&st, output, ".leat"))) {
        if (is_new) (void)leat_i_os_unlink(path);
        leat_i_say_error(command, "--trace: %.200s is the output, or belongs to it: name another file", path);
        return LEAT_I_EXIT_USAGE;
    }
    if (rc == 0 && S_ISREG(st.st_mode)) {
        if (!is_timeline(f->fd)) {
            leat_i_say_error(command,
                             "--trace: %.200s holds something else than a timeline: name another file, or remove it", path);
            return LEAT_I_EXIT_USAGE;
        }
        rc = leat_i_os_ftruncate(f->fd, 0);
    }
    if (rc < 0) return trace_fail(f, command, rc);
    if (leat_timeline_new(&f->timeline, f->fd, TRACE_BYTES_MAX) == LEAT_OK) return LEAT_I_EXIT_OK;
    leat_i_say_error(command, "out of memory");
    return LEAT_I_EXIT_MACHINE;
}

static void timeline_lacks(const leat_i_trace_file *f, const char *command)
{
    char text[300];
    snprintf(text, sizeof text, "--trace: %.200s could not be written whole: is the disk full?", f->path);
    leat_i_say_log((void *)(uintptr_t)command, LEAT_LOG_WARNING, text);
}

void leat_i_trace_file_close(leat_i_trace_file *f, const char *command)
{
    if (f->timeline) {
        leat_err err = leat_timeline_flush(f->timeline);
        if (err == LEAT_STOPPED)
            leat_i_say_log((void *)(uintptr_t)command, LEAT_LOG_WARNING,
                           "the timeline is full (256 MiB): it lacks what came after that");
        else if (err)
            timeline_lacks(f, command);
    }
    leat_timeline_free(f->timeline);
    if (f->fd >= 0) (void)leat_i_os_close(f->fd);
    *f = (leat_i_trace_file){ .fd = -1 };
}
