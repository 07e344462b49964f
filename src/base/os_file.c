/* os_file.c: files, with interrupts and short writes dealt with here and nowhere else. */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int leat_i_os_open(const char *path, int flags, mode_t mode)
{
    int fd = leat_i_os_faulted("open");
    if (fd < 0) return fd;
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    if (fd > STDERR_FILENO) return fd;
    /* A program without standard streams: what anybody writes to them must not come into a file of ours. */
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), rc = higher < 0 ? -errno : higher;
    (void)close(fd);
    return rc;
}

int leat_i_os_close(int fd)
{
    /* On Linux the descriptor is gone also after EINTR: closing again could close somebody else's. */
    if (close(fd) != 0 && errno != EINTR) return -errno;
    return leat_i_os_faulted("close");
}

ssize_t leat_i_os_read(int fd, void *buf, size_t size)
{
    ssize_t n = leat_i_os_faulted("read");
    if (n < 0) return n;
    do {
        n = read(fd, buf, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t leat_i_os_pread(int fd, void *buf, size_t size, int64_t offset)
{
    ssize_t n = leat_i_os_faulted("pread");
    if (n < 0) return n;
    do {
        n = pread(fd, buf, size, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int leat_i_os_write_all(int fd, const void *buf, size_t size, size_t *done)
{
    size_t written = 0;
    int rc = 0;
    while (written < size) {
        rc = leat_i_os_faulted("write");
        if (rc < 0) break;
        ssize_t n = write(fd, (const char *)buf + written, size - written);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) { /* 0 is no progress and no error: it counts as one, or this would turn for ever */
            rc = n < 0 ? -errno : -EIO;
            break;
        }
        written += (size_t)n;
    }
    if (done) *done = written;
    return rc;
}

int leat_i_os_pwrite_all(int fd, const void *buf, size_t size, int64_t offset)
{
    size_t written = 0;
    while (written < size) {
        int rc = leat_i_os_faulted("pwrite");
        if (rc < 0) return rc;
        ssize_t n = pwrite(fd, (const char *)buf + written, size - written, offset + (int64_t)written);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? -errno : -EIO;
        written += (size_t)n;
    }
    return 0;
}

int64_t leat_i_os_position(int fd)
{
    struct stat st;
    int rc = leat_i_os_fstat(fd, &st);
    if (rc != 0) return rc;
    /* A file that is open for appending is appended to, whatever offset pwrite is given. */
    int flags = fcntl(fd, F_GETFL);
    if (!S_ISREG(st.st_mode) || flags < 0 || (flags & O_APPEND)) return -ESPIPE;
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? -errno : (int64_t)at;
}

int leat_i_os_fsync(int fd)
{
    int rc = leat_i_os_faulted("fsync");
    if (rc < 0) return rc;
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : 0;
}

int leat_i_os_fsync_dir(const char *path_of_file)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path_of_file, '/');
    size_t size = slash ? (size_t)(slash - path_of_file) : 1;
    if (size >= sizeof dir) return -ENAMETOOLONG;
    if (!slash)
        dir[0] = '.';
    else if (size == 0)
        dir[0] = '/', size = 1;
    else
        memcpy(dir, path_of_file, size);
    dir[size] = '\0';
    int fd = leat_i_os_open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return fd;
    int rc = leat_i_os_fsync(fd);
    (void)leat_i_os_close(fd);
    return rc;
}

int leat_i_os_ftruncate(int fd, int64_t size)
{
    int rc = leat_i_os_faulted("ftruncate");
    if (rc < 0) return rc;
    do {
        rc = ftruncate(fd, size);
    } while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : 0;
}

int leat_i_os_rename(const char *from, const char *to)
{
    int rc = leat_i_os_faulted("rename");
    if (rc < 0) return rc;
    return rename(from, to) != 0 ? -errno : 0;
}

int leat_i_os_unlink(const char *path)
{
    int rc = leat_i_os_faulted("unlink");
    if (rc < 0) return rc;
    return unlink(path) != 0 ? -errno : 0;
}

int leat_i_os_stat(const char *path, struct stat *st)
{
    int rc = leat_i_os_faulted("stat");
    if (rc < 0) return rc;
    return stat(path, st) != 0 ? -errno : 0;
}

int leat_i_os_fstat(int fd, struct stat *st)
{
    int rc = leat_i_os_faulted("fstat");
    if (rc < 0) return rc;
    return fstat(fd, st) != 0 ? -errno : 0;
}

int leat_i_os_lock(int fd)
{
    int rc = leat_i_os_faulted("lock");
    if (rc < 0) return rc;
    /* An open-file-description lock: it belongs to this descriptor, not to the process, and goes with it when it dies. */
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

int leat_i_os_eventfd(void)
{
    int fd = leat_i_os_faulted("eventfd");
    if (fd < 0) return fd;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void leat_i_os_eventfd_signal(int fd)
{
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(fd, &one, sizeof one);
    } while (n < 0 && errno == EINTR); /* EAGAIN: the counter is full, so the reader is told already */
}

void leat_i_os_eventfd_drain(int fd)
{
    uint64_t count;
    ssize_t n;
    do {
        n = read(fd, &count, sizeof count);
    } while (n < 0 && errno == EINTR);
}

const char *leat_i_errno_text(int errno_or_minus, char *buf, size_t size)
{
    return strerror_r(errno_or_minus < 0 ? -errno_or_minus : errno_or_minus, buf, size);
}
