/*
 * kill_shim.c: preloaded into a program, it kills the program at the k-th call that changes files below a prefix.
 *
 *   KILL_PREFIX  files whose path starts with this count, and the folder that holds them (absolute, without links)
 *   KILL_AT      k, from 1; 0 or unset = never
 *   KILL_WHEN    before (default), after, or half: a write writes half its bytes first, other calls die before
 *   KILL_COUNT   a file that receives the number of calls when the program ends by itself
 *
 * Calls: open with O_CREAT or O_TRUNC, write, pwrite, writev, fsync, fdatasync, ftruncate, rename, unlink. SIGKILL is as a power
 * cut for the process: nothing of it runs any more, what the kernel has stays.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *prefix;
static long kill_at;
static enum { WHEN_BEFORE, WHEN_AFTER, WHEN_HALF } when;
static atomic_long calls;

__attribute__((constructor)) static void shim_start(void)
{
    const char *at = getenv("KILL_AT"), *mode = getenv("KILL_WHEN");
    prefix = getenv("KILL_PREFIX");
    kill_at = at ? atol(at) : 0;
    when = mode && strcmp(mode, "after") == 0 ? WHEN_AFTER : mode && strcmp(mode, "half") == 0 ? WHEN_HALF : WHEN_BEFORE;
}

__attribute__((destructor)) static void shim_end(void)
{
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&calls));
    fclose(file);
}

static void die(void)
{
    for (;;)
        kill(getpid(), SIGKILL);
}

static bool path_counts(const char *path)
{
    char whole[PATH_MAX * 2];
    if (!prefix) return false;
    if (path[0] != '/') {
        char cwd[PATH_MAX];
        if (!getcwd(cwd, sizeof cwd)) return false;
        snprintf(whole, sizeof whole, "%s/%s", cwd, path);
        path = whole;
    }
    size_t folder = (size_t)(strrchr(prefix, '/') - prefix);
    return strncmp(path, prefix, strlen(prefix)) == 0 || (strlen(path) == folder && memcmp(path, prefix, folder) == 0);
}

static bool fd_counts(int fd)
{
    char link[64], path[PATH_MAX];
    if (!prefix) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return false;
    path[n] = '\0';
    return path_counts(path);
}

/* Counts a call; true when this is the one, and it shall happen first. Does not come back when it shall not. */
static bool call_is_last(bool counts)
{
    if (!counts || atomic_fetch_add(&calls, 1) + 1 != kill_at) return false;
    if (when == WHEN_BEFORE) die();
    return true;
}

/* For calls that cannot be done by half. */
static bool call_is_last_whole(bool counts)
{
    bool last = call_is_last(counts);
    if (last && when == WHEN_HALF) die();
    return last;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITER(name, params, args)                      \
    ssize_t name params                                 \
    {                                                   \
        if (call_is_last(fd_counts(fd))) {              \
            if (when == WHEN_HALF) size = size / 2;     \
            if (size > 0 && REAL(name) args < 0) die(); \
            die();                                      \
        }                                               \
        return REAL(name) args;                         \
    }

WRITER(write, (int fd, const void *buf, size_t size), (fd, buf, size))
WRITER(pwrite, (int fd, const void *buf, size_t size, off_t at), (fd, buf, size, at))
WRITER(pwrite64, (int fd, const void *buf, size_t size, off64_t at), (fd, buf, size, at))

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    if (call_is_last(fd_counts(fd))) {
        if (when == WHEN_AFTER)
            (void)!REAL(writev)(fd, iov, count);
        else
            (void)!syscall(SYS_write, fd, iov[0].iov_base, iov[0].iov_len / 2);
        die();
    }
    return REAL(writev)(fd, iov, count);
}

#define DOER(name, params, args, counts)        \
    int name params                             \
    {                                           \
        bool last = call_is_last_whole(counts); \
        int rc = REAL(name) args;               \
        if (last) die();                        \
        return rc;                              \
    }

DOER(fsync, (int fd), (fd), fd_counts(fd))
DOER(fdatasync, (int fd), (fd), fd_counts(fd))
DOER(ftruncate, (int fd, off_t size), (fd, size), fd_counts(fd))
DOER(ftruncate64, (int fd, off64_t size), (fd, size), fd_counts(fd))
DOER(rename, (const char *from, const char *to), (from, to), path_counts(to))
DOER(unlink, (const char *path), (path), path_counts(path))

#define OPENER(name)                                                                        \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                           \
        va_end(rest);                                                                       \
        bool last = call_is_last_whole((flags & (O_CREAT | O_TRUNC)) && path_counts(path)); \
        int fd = REAL(name)(path, flags, mode);                                             \
        if (last) die();                                                                    \
        return fd;                                                                          \
    }

OPENER(open)
OPENER(open64)
