/* os_dir.c: folders, links and terminals: what a run asks about the files it is given. */
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int leat_i_os_lstat(const char *path, struct stat *st)
{
    int rc = leat_i_os_faulted("lstat");
    if (rc < 0) return rc;
    return lstat(path, st) != 0 ? -errno : 0;
}

int leat_i_os_dir_open(leat_i_os_dir **dir, const char *path)
{
    *dir = NULL;
    int rc = leat_i_os_faulted("opendir");
    if (rc < 0) return rc;
    DIR *d = opendir(path);
    if (!d) return -errno;
    *dir = (leat_i_os_dir *)d;
    return 0;
}

int leat_i_os_dir_next(leat_i_os_dir *dir, const char **name)
{
    int rc = leat_i_os_faulted("readdir");
    if (rc < 0) return rc;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir((DIR *)dir);
        if (!e) return -errno;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        *name = e->d_name;
        return 1;
    }
}

void leat_i_os_dir_close(leat_i_os_dir *dir)
{
    if (dir) (void)closedir((DIR *)dir);
}

int leat_i_os_stat_in(int folder_fd, const char *name, struct stat *st)
{
    int rc = leat_i_os_faulted("stat");
    if (rc < 0) return rc;
    return fstatat(folder_fd, name, st, 0) != 0 ? -errno : 0;
}

bool leat_i_os_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

uint32_t leat_i_os_terminal_columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    int rc = poll(&p, 1, timeout_ms);
    return rc < 0 ? (errno == EINTR ? 0 : -errno) : rc;
}

int leat_i_os_wait_readable(int fd, int timeout_ms)
{
    return wait_for(fd, POLLIN, timeout_ms);
}

int leat_i_os_wait_writable(int fd, int timeout_ms)
{
    return wait_for(fd, POLLOUT, timeout_ms);
}
