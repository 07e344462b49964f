/* files.c: see files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "../base/os.h"

int leat_i_file_create(const char *path)
{
    for (int again = 0; again < 2; again++) {
        int fd = leat_i_os_open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd != -EEXIST) return fd;
        int rc = leat_i_os_unlink(path);
        if (rc < 0 && rc != -ENOENT) return rc;
    }
    return -EEXIST;
}

int leat_i_file_rename_durable(const char *from, const char *to)
{
    int rc = leat_i_os_rename(from, to);
    return rc < 0 ? rc : leat_i_os_fsync_dir(to);
}

int leat_i_file_replace(const char *path, const void *data, size_t size)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s" LEAT_I_TMP_END, path);
    if (n < 0 || (size_t)n >= sizeof tmp) return -ENAMETOOLONG;
    int fd = leat_i_file_create(tmp);
    if (fd < 0) return fd;
    int rc = leat_i_os_write_all(fd, data, size, NULL);
    if (rc == 0) rc = leat_i_os_fsync(fd);
    int closed = leat_i_os_close(fd);
    if (rc == 0) rc = closed;
    if (rc == 0) return leat_i_file_rename_durable(tmp, path);
    (void)leat_i_os_unlink(tmp);
    return rc;
}

/* Reads what the open file holds. */
static int file_read_open(int fd, leat_i_buf *b)
{
    struct stat st;
    int rc = leat_i_os_fstat(fd, &st);
    if (rc < 0) return rc;
    if (!S_ISREG(st.st_mode)) return -EINVAL;
    for (;;) {
        enum { STEP_BYTES = 64 * 1024 };
        if (b->max && b->size >= b->max) return -EFBIG;
        size_t step = b->max && b->max - b->size < STEP_BYTES ? b->max - b->size : STEP_BYTES;
        char *at = leat_i_buf_grow(b, step);
        if (!at) return -ENOMEM;
        ssize_t n = leat_i_os_read(fd, at, step);
        if (n <= 0) return (int)n;
        b->size += (size_t)n;
    }
}

int leat_i_file_read(const char *path, leat_i_buf *b)
{
    int fd = leat_i_os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) return fd;
    int rc = file_read_open(fd, b);
    (void)leat_i_os_close(fd);
    return rc;
}
