/*
 * descriptor.c: tasks that wait for descriptors, and the one thread that watches for them.
 *
 * A wait stands on its task's stack, and in the epoll set as a one-shot entry that points to it. It is put in, taken out and told
 * under the lock. The thread sleeps in poll on the epoll set, which takes nothing out of it; then, under the lock, it asks the set
 * what is ready without waiting. So whatever it is told of is still there: who leaves has taken his entry out under the lock.
 *
 * A descriptor stands in an epoll set once: further waits for the same one stand there with a duplicate.
 * Lock order: the lock, then nothing (leat_i_unpark takes none).
 */
#include "leat/io.h"

#include "runtime.h"

#include "../base/buf.h"
#include "../base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 64

struct watcher {
    leat_i_lock lock;
    int epoll_fd, stop_fd; /* the entry of stop_fd points to no wait */
    pthread_t thread;
};

struct wait {
    leat_i_waiter *stack;
    int fd;
    LEAT_ATOMIC(uint32_t) ready;
};

/* ---- the thread ---- */

/* Tells those who wait for what is ready; false = the watcher is to end. */
static bool watcher_tell(struct watcher *w)
{
    struct epoll_event event[EVENTS_MAX];
    bool go_on = true;
    leat_i_lock_take(&w->lock);
    int count = epoll_wait(w->epoll_fd, event, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        struct wait *wait = event[i].data.ptr;
        if (!wait) {
            go_on = false;
            continue;
        }
        leat_store_relaxed(&wait->ready, 1u); /* relaxed: the lock, which keeps `wait` alive, is taken in wait_end */
        leat_i_unpark(wait->stack);
    }
    leat_i_lock_give(&w->lock);
    return go_on;
}

static void *watcher_main(void *arg)
{
    struct watcher *w = arg;
    do {
        (void)leat_i_os_wait_readable(w->epoll_fd, -1);
    } while (watcher_tell(w));
    return NULL;
}

static void watcher_fini(struct watcher *w)
{
    if (w->epoll_fd >= 0) leat_i_os_close(w->epoll_fd);
    if (w->stop_fd >= 0) leat_i_os_close(w->stop_fd);
    leat_i_free(w);
}

static void watcher_free(void *object)
{
    struct watcher *w = object;
    leat_i_os_eventfd_signal(w->stop_fd);
    leat_i_os_thread_join(w->thread);
    watcher_fini(w);
}

static void *watcher_new(leat_runtime *rt)
{
    struct watcher *w = leat_i_alloc_zeroed(sizeof *w);
    struct epoll_event event = { .events = EPOLLIN };
    (void)rt;
    if (!w) return NULL;
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->stop_fd = leat_i_os_eventfd();
    if (w->epoll_fd < 0 || w->stop_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->stop_fd, &event) != 0 ||
        leat_i_os_thread_start(&w->thread, "leat-fd", watcher_main, w) != 0) {
        watcher_fini(w);
        return NULL;
    }
    return w;
}

/* ---- a wait ---- */

/* Puts the wait into the set; 0 or an errno. */
static int wait_begin(struct watcher *w, struct wait *wait, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLONESHOT, .data.ptr = wait };
    wait->fd = fd;
    leat_i_lock_take(&w->lock);
    int rc = epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
    if (rc == EEXIST) {
        wait->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        rc = wait->fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, wait->fd, &event) == 0 ? 0 : errno;
    }
    leat_i_lock_give(&w->lock);
    if (rc != 0 && wait->fd >= 0 && wait->fd != fd) leat_i_os_close(wait->fd);
    return rc;
}

static void wait_end(struct watcher *w, struct wait *wait, int fd)
{
    leat_i_lock_take(&w->lock);
    (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, wait->fd, NULL);
    leat_i_lock_give(&w->lock);
    if (wait->fd != fd) leat_i_os_close(wait->fd);
}

static leat_err wait_for(leat_task *t, struct watcher *w, int fd, uint32_t events)
{
    struct wait wait = { .stack = leat_i_task_waiter(t) };
    int rc = wait_begin(w, &wait, fd, events);
    leat_err err = LEAT_OK;
    if (rc == EPERM) return LEAT_OK; /* A file: it is always ready. */
    if (rc != 0) {
        char why[128];
        return leat_task_fail(t, LEAT_IO, "descriptor %d cannot be waited for: %s", fd,
                              leat_i_errno_text(rc, why, sizeof why));
    }
    while (!leat_load_relaxed(&wait.ready) && err == LEAT_OK)
        err = leat_i_park(t, LEAT_I_NEVER_NS);
    wait_end(w, &wait, fd);
    return leat_load_relaxed(&wait.ready) ? LEAT_OK : err;
}

leat_err leat_fd_wait(leat_task *t, int fd, leat_fd_event event)
{
    bool writes = event == LEAT_FD_WRITABLE;
    struct pollfd now = { .fd = fd, .events = writes ? POLLOUT : POLLIN };
    LEAT_I_TASK_TRY(t);
    LEAT_TRY(leat_i_task_check(t));
    if (fd < 0) return leat_task_fail(t, LEAT_USAGE, "%d is no descriptor", fd);
    int count = poll(&now, 1, 0);
    if (count > 0 && (now.revents & POLLNVAL)) return leat_task_fail(t, LEAT_USAGE, "descriptor %d is not open", fd);
    if (count > 0) return LEAT_OK;
    struct watcher *w = leat_i_runtime_room(t->rt, LEAT_I_ROOM_DESCRIPTOR, watcher_new, watcher_free);
    if (!w) return leat_task_fail(t, LEAT_NOMEM, "no thread or descriptor to wait for descriptors with");
    return wait_for(t, w, fd, writes ? EPOLLOUT : EPOLLIN);
}

/* ---- a line ---- */

/* Reads up to the end of the line, byte by byte: what stands behind it is another reader's. *end = the input is over. */
static leat_err line_read(leat_task *t, int fd, leat_i_buf *line, bool *end)
{
    for (char c = 0; c != '\n';) {
        LEAT_TRY(leat_fd_wait(t, fd, LEAT_FD_READABLE));
        ssize_t n = leat_i_os_read(fd, &c, 1);
        if (n == -EAGAIN) continue; /* Somebody else was quicker. */
        if (n < 0) {
            char why[128];
            return leat_task_fail(t, LEAT_IO, "descriptor %d cannot be read: %s", fd,
                                  leat_i_errno_text((int)n, why, sizeof why));
        }
        *end = n == 0;
        if (n == 0) break;
        if (c == '\n' || leat_i_buf_append(line, &c, 1)) continue;
        if (line->size < line->max) return LEAT_NOMEM;
        return leat_task_fail(t, LEAT_INPUT, "a line of more than %d bytes", LEAT_LINE_BYTES_MAX);
    }
    return LEAT_OK;
}

leat_err leat_fd_read_line(leat_task *t, int fd, const char **line)
{
    LEAT_I_TASK_TRY(t);
    if (!line) return leat_i_missing(__func__, "a place for the line");
    leat_i_buf b = { .max = LEAT_LINE_BYTES_MAX };
    bool end = false;
    leat_err err = line_read(t, fd, &b, &end);
    const char *text = NULL;
    if (err == LEAT_OK && (b.size > 0 || !end)) {
        text = leat_i_arena_strndup(&t->arena, b.size ? b.data : "", b.size);
        if (!text) err = LEAT_NOMEM;
    }
    leat_i_buf_fini(&b);
    if (err == LEAT_OK) *line = text;
    return err;
}
