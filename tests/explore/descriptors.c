/*
 * descriptors.c: descriptors of the model: eventfds, and epoll sets of them. Who finds an eventfd readable sees what was done before it was
 * signaled, since the kernel locks it for both. Epoll sets order no memory: who needs that has it from an operation of his own.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

enum { FILES_MAX = 8, NUMBERS_MAX = 16, ENTRIES_MAX = 16, NUMBER_FIRST = 3 };

typedef struct file {
    unsigned references; /* numbers that stand for it; 0 = it is not there */
    bool is_set;
    uint64_t count;  /* of an eventfd */
    view_copy *view; /* as of its lock */
} file;

typedef struct entry { /* in an epoll set */
    const file *set;   /* NULL = it is not there */
    const file *of;
    int number;
    struct epoll_event event;
    bool armed;
} entry;

static file files[FILES_MAX];
static file *numbers[NUMBERS_MAX];
static entry entries[ENTRIES_MAX];

void explore_descriptors_reset(void)
{
    memset(files, 0, sizeof files);
    memset(numbers, 0, sizeof numbers);
    memset(entries, 0, sizeof entries);
}

unsigned explore_descriptors(void)
{
    unsigned count = 0;
    for (int i = 0; i < NUMBERS_MAX; i++)
        count += numbers[i] != NULL;
    for (int i = 0; i < ENTRIES_MAX; i++)
        count += entries[i].set != NULL;
    return count;
}

/* Who uses a number that is not open has given it back too early. */
static file *file_of(int fd)
{
    EXPLORE_CHECK(fd >= NUMBER_FIRST && fd < NUMBERS_MAX && numbers[fd]);
    return numbers[fd];
}

static int number_new(file *f)
{
    int fd = NUMBER_FIRST;
    while (fd < NUMBERS_MAX && numbers[fd])
        fd++;
    EXPLORE_CHECK(fd < NUMBERS_MAX);
    numbers[fd] = f;
    f->references++;
    return fd;
}

static int file_new(bool is_set)
{
    file *f = files;
    while (f < files + FILES_MAX && f->references)
        f++;
    EXPLORE_CHECK(f < files + FILES_MAX);
    *f = (file){ .is_set = is_set };
    return number_new(f);
}

static uint32_t file_events(const file *f)
{
    if (!f->is_set) return EPOLLOUT | (f->count ? EPOLLIN : 0u);
    for (entry *e = entries; e < entries + ENTRIES_MAX; e++)
        if (e->set == f && e->armed && (file_events(e->of) & e->event.events)) return EPOLLIN;
    return 0;
}

/* Something has changed: who sleeps on what is ready now goes on. */
static void sleepers_wake(void)
{
    for (unsigned i = 0; i < explore_thread_count; i++) {
        thread *t = &explore_thread[i];
        if (t->state == THREAD_POLL && (file_events(t->waits_for) & EPOLLIN)) explore_ready(t);
    }
}

int leat_i_os_eventfd(void)
{
    explore_point();
    return file_new(false);
}

void leat_i_os_eventfd_signal(int fd)
{
    explore_point();
    file *f = file_of(fd);
    explore_view_take(explore_me, f->view);
    f->view = explore_view_give(explore_me);
    f->count++;
    sleepers_wake();
}

/* It orders nothing: who is told of something new by it finds that by operations of his own. */
void leat_i_os_eventfd_drain(int fd)
{
    explore_point();
    file_of(fd)->count = 0;
}

int leat_i_os_close(int fd)
{
    explore_point();
    file *f = file_of(fd);
    numbers[fd] = NULL;
    if (--f->references > 0) return 0;
    for (entry *e = entries; e < entries + ENTRIES_MAX; e++)
        if (e->of == f || e->set == f) e->set = NULL;
    return 0;
}

int leat_i_os_wait_readable(int fd, int timeout_ms)
{
    explore_point();
    const file *f = file_of(fd);
    while (timeout_ms != 0 && !(file_events(f) & EPOLLIN))
        explore_block(THREAD_POLL, f, 0, LEAT_I_NEVER_NS);
    if (!(file_events(f) & EPOLLIN)) return 0;
    explore_view_take(explore_me, f->view);
    return 1;
}

int leat_i_os_open(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    return -ENOENT;
}

ssize_t leat_i_os_read(int fd, void *buf, size_t size)
{
    (void)fd, (void)buf, (void)size;
    return -EBADF;
}

/* ---- what the sources ask the system itself; without waiting ---- */

int explore_poll(struct pollfd *list, nfds_t count, int timeout_ms);
int explore_poll(struct pollfd *list, nfds_t count, int timeout_ms)
{
    explore_point();
    EXPLORE_CHECK(count == 1 && timeout_ms == 0);
    list->revents = (short)(file_events(file_of(list->fd)) & (uint32_t)list->events);
    return list->revents != 0;
}

int explore_fcntl(int fd, int command, ...);
int explore_fcntl(int fd, int command, ...)
{
    explore_point();
    EXPLORE_CHECK(command == F_DUPFD_CLOEXEC);
    return number_new(file_of(fd));
}

int explore_epoll_create1(int flags);
int explore_epoll_create1(int flags)
{
    (void)flags;
    explore_point();
    return file_new(true);
}

static entry *entry_find(const file *set, const file *of, int number)
{
    for (entry *e = entries; e < entries + ENTRIES_MAX; e++)
        if (e->set == set && (!set || (e->of == of && e->number == number))) return e;
    return NULL;
}

int explore_epoll_ctl(int set_fd, int what, int fd, const struct epoll_event *event);
int explore_epoll_ctl(int set_fd, int what, int fd, const struct epoll_event *event)
{
    explore_point();
    const file *set = file_of(set_fd), *of = file_of(fd);
    entry *e = entry_find(set, of, fd);
    if (what == EPOLL_CTL_DEL) {
        EXPLORE_CHECK(e);
        e->set = NULL;
        return 0;
    }
    EXPLORE_CHECK(what == EPOLL_CTL_ADD);
    if (e) {
        explore_me->error = EEXIST;
        return -1;
    }
    e = entry_find(NULL, NULL, 0);
    EXPLORE_CHECK(e);
    *e = (entry){ .set = set, .of = of, .number = fd, .event = *event, .armed = true };
    sleepers_wake();
    return 0;
}

int explore_epoll_wait(int set_fd, struct epoll_event *list, int most, int timeout_ms);
int explore_epoll_wait(int set_fd, struct epoll_event *list, int most, int timeout_ms)
{
    explore_point();
    int count = 0;
    const file *set = file_of(set_fd);
    EXPLORE_CHECK(timeout_ms <= 0);
    while (timeout_ms < 0 && !(file_events(set) & EPOLLIN))
        explore_block(THREAD_POLL, set, 0, LEAT_I_NEVER_NS);
    for (entry *e = entries; e < entries + ENTRIES_MAX && count < most; e++) {
        uint32_t events = e->set == set && e->armed ? file_events(e->of) & e->event.events : 0;
        if (!events) continue;
        list[count++] = (struct epoll_event){ .events = events, .data = e->event.data };
        if (e->event.events & EPOLLONESHOT) e->armed = false;
    }
    return count;
}
