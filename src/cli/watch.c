/*
 * watch.c: signals are blocked everywhere and read from a descriptor by one thread: no code ever runs inside a handler.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../base/atomics.h"
#include "../base/os.h"
#include "../bulk/exit_code.h"
#include "say.h"

static struct watch {
    sigset_t set; /* written before the thread starts */
    const char *command;
    int signal_fd, end_fd;
    bool running;
    pthread_t thread;
    int64_t first_ns;              /* when the first signal had been told of; the thread's own */
    LEAT_ATOMIC(int) count, first; /* the thread writes; the first one before the count */
} watch = { .signal_fd = -1, .end_fd = -1 };

static void signal_add(int number, bool always)
{
    struct sigaction now, usual = { .sa_handler = SIG_DFL };
    bool is_ignored = sigaction(number, NULL, &now) != 0 || now.sa_handler == SIG_IGN;
    if (is_ignored && !always) return;
    if (is_ignored) (void)sigaction(number, &usual, NULL);
    sigaddset(&watch.set, number);
}

void leat_i_watch_block(bool always)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    sigemptyset(&watch.set);
    signal_add(SIGINT, always);
    signal_add(SIGTERM, always);
    if (!always) signal_add(SIGHUP, false);
    pthread_sigmask(SIG_BLOCK, &watch.set, NULL);
}

/* On a terminal a bar may stand in the line, and "^C" too. */
static void line_begin(void)
{
    if (leat_i_os_is_terminal(STDERR_FILENO)) leat_i_say_raw("\n", 1);
}

/* One wish can come as two signals: timeout(1) tells the process and then its group, and a terminal's driver the group of a script
 * that passes it on. Nobody means two within this time, nor before he was told what the first one does. */
enum { SAME_WISH_MS = 100 };

/* The next signal that has come, or 0. */
static int signal_next(void)
{
    struct signalfd_siginfo info;
    return leat_i_os_read(watch.signal_fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static void signal_first(void)
{
    leat_i_say_note(watch.command, "stopping: what is in flight is being finished; again (Ctrl-C) stops at once");
    /* On a busy machine, or where nobody reads what is said, that took its time: what came meanwhile is the same wish. */
    while (signal_next() > 0) {
    }
    watch.first_ns = leat_i_os_now_ns();
}

static void signal_take(int number)
{
    /* A terminal that goes away tells its foreground, and the shell tells it again: never more than the first wish. */
    if (number == SIGHUP && leat_load_relaxed(&watch.count) > 0) return;
    if (leat_load_relaxed(&watch.count) == 1 && leat_i_os_now_ns() - watch.first_ns < SAME_WISH_MS * LEAT_I_NS_PER_MS)
        return;
    /* First of all: who sees the count asks which one it was, while this thread still tells of it. */
    if (leat_load_relaxed(&watch.count) == 0) leat_store_relaxed(&watch.first, number);
    int before = leat_add_release(&watch.count, 1); /* Release: pairs with the acquire of who asks for the number. */
    if (before < 2) line_begin();
    if (before == 0)
        signal_first();
    else if (before == 1)
        leat_i_say_note(watch.command, "stopping at once: what is in flight is given up, and asked again by the next run");
    else
        _exit(number == SIGINT ? LEAT_I_EXIT_INTERRUPT : LEAT_I_EXIT_TERMINATE); /* The output is safe at any moment. */
}

static void *watch_main(void *arg)
{
    struct pollfd fds[2] = { { .fd = watch.signal_fd, .events = POLLIN }, { .fd = watch.end_fd, .events = POLLIN } };
    (void)arg;
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return NULL;
        if (fds[1].revents) return NULL;
        int number = fds[0].revents ? signal_next() : 0;
        if (number > 0) signal_take(number);
    }
}

static void watch_close(void)
{
    if (watch.signal_fd >= 0) leat_i_os_close(watch.signal_fd);
    if (watch.end_fd >= 0) leat_i_os_close(watch.end_fd);
    watch.signal_fd = watch.end_fd = -1;
}

int leat_i_watch_start(const char *command)
{
    watch.command = command;
    watch.signal_fd = signalfd(-1, &watch.set, SFD_CLOEXEC | SFD_NONBLOCK);
    int rc = watch.signal_fd < 0 ? -errno : 0;
    if (rc == 0) rc = watch.end_fd = leat_i_os_eventfd();
    if (rc >= 0) rc = leat_i_os_thread_start(&watch.thread, "leat-signals", watch_main, NULL);
    watch.running = rc >= 0;
    if (!watch.running) watch_close();
    return rc < 0 ? rc : 0;
}

const int *leat_i_watch_count(void)
{
    return (const int *)&watch.count;
}

void leat_i_watch_stop(void)
{
    if (!watch.running) return;
    leat_i_os_eventfd_signal(watch.end_fd);
    leat_i_os_thread_join(watch.thread);
    watch.running = false;
    watch_close();
}

int leat_i_watch_signal(void)
{
    /* Acquire: pairs with the release in signal_take. */
    return leat_load_acquire(&watch.count) > 0 ? leat_load_relaxed(&watch.first) : 0;
}

/* Reads what has come, so that its end can be seen. False = it has ended. */
static bool input_goes_on(int fd)
{
    char dropped[4096];
    ssize_t got = leat_i_os_read(fd, dropped, sizeof dropped);
    return got > 0 || got == -EAGAIN;
}

int leat_i_watch_wait(int64_t duration_ms, int input_fd)
{
    int64_t end = duration_ms < 0 ? LEAT_I_NEVER_NS : leat_i_os_add_ns(leat_i_os_now_ns(), duration_ms * LEAT_I_NS_PER_MS);
    struct pollfd fds[2] = { { .fd = signalfd(-1, &watch.set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN },
                             { .fd = input_fd, .events = POLLIN } };
    struct signalfd_siginfo info = { 0 };
    bool on = true;
    if (fds[0].fd < 0) return -errno;
    while (on) {
        int64_t left = end == LEAT_I_NEVER_NS ? 3600 * LEAT_I_NS_PER_S : end - leat_i_os_now_ns();
        if (left <= 0) break;
        struct timespec span = { .tv_sec = left / LEAT_I_NS_PER_S, .tv_nsec = left % LEAT_I_NS_PER_S };
        if (ppoll(fds, 2, &span, NULL) < 0 && errno != EINTR) break;
        on = !(fds[0].revents && leat_i_os_read(fds[0].fd, &info, sizeof info) == sizeof info);
        if (on && fds[1].revents) on = input_goes_on(input_fd);
    }
    leat_i_os_close(fds[0].fd);
    return (int)info.ssi_signo;
}
