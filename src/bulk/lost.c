/* lost.c: see lost.h. */
#include "lost.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/mem.h"
#include "../base/os.h"

/* The name in its folder. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void leat_i_lost_begin(leat_i_journal *j)
{
    char folder[PATH_MAX];
    int size = (int)(name_of(j->path) - j->path);
    int n = size > 0 ? snprintf(folder, sizeof folder, "%.*s", size, j->path) : snprintf(folder, sizeof folder, ".");
    if (n > 0 && (size_t)n < sizeof folder) j->folder_fd = leat_i_os_open(folder, O_PATH | O_DIRECTORY, 0);
}

bool leat_i_lost_name(const leat_i_journal *j)
{
    struct stat open_st, path_st;
    if (j->folder_fd < 0 || leat_i_os_fstat(j->fd, &open_st) < 0) return false;
    int rc = leat_i_os_stat_in(j->folder_fd, name_of(j->path), &path_st);
    if (rc < 0) return rc == -ENOENT;
    return open_st.st_dev != path_st.st_dev || open_st.st_ino != path_st.st_ino;
}

leat_err leat_i_lost_look(const leat_i_journal *j, leat_error *error)
{
    struct stat st;
    /* Before the look: what is written meanwhile makes the file longer only. Acquire: pairs with the release in writer.c. */
    int64_t bytes = leat_load_acquire(&j->bytes);
    if (!j->resumable || j->fd < 0 || leat_i_os_fstat(j->fd, &st) < 0) return LEAT_OK;
    if (st.st_nlink == 0)
        return leat_i_fail(error, LEAT_IO, "the output %.80s was removed or replaced while rows were written to it",
                           j->path);
    if (leat_i_lost_name(j))
        return leat_i_fail(
            error, LEAT_IO,
            "the output %.60s was moved while rows were written to it: put it back, and the same command goes on", j->path);
    if (st.st_size < bytes)
        return leat_i_fail(error, LEAT_IO,
                           "the output %.60s was cut by somebody while rows were written to it: %lld bytes are lost",
                           j->path, (long long)(bytes - st.st_size));
    return LEAT_OK;
}

static int rows_copy(int from, int to)
{
    enum { STEP_BYTES = 64 * 1024 };
    char *buf = leat_i_alloc(STEP_BYTES);
    ssize_t n = buf ? 1 : -ENOMEM;
    int rc = 0;
    for (int64_t at = 0; n > 0 && rc == 0; at += n) {
        n = leat_i_os_pread(from, buf, STEP_BYTES, at);
        if (n > 0) rc = leat_i_os_write_all(to, buf, (size_t)n, NULL);
    }
    leat_i_free(buf);
    return n < 0 ? (int)n : rc < 0 ? rc : leat_i_os_fsync(to);
}

int leat_i_lost_save(const leat_i_journal *j)
{
    char path[PATH_MAX];
    struct stat st;
    if (!j->resumable || leat_i_os_fstat(j->fd, &st) < 0 || st.st_nlink > 0 || st.st_size == 0) return 0;
    int n = snprintf(path, sizeof path, "%s" LEAT_I_SAVED_END, j->path);
    if (n < 0 || (size_t)n >= sizeof path) return -ENAMETOOLONG;
    int fd = leat_i_os_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    int rc = rows_copy(j->fd, fd), closed = leat_i_os_close(fd);
    if (rc == 0) rc = closed;
    if (rc < 0) (void)leat_i_os_unlink(path);
    return rc < 0 ? rc : 1;
}

void leat_i_lost_end(leat_i_journal *j)
{
    if (j->folder_fd >= 0) (void)leat_i_os_close(j->folder_fd);
    j->folder_fd = -1;
}
