/* support_death.h: a test that runs its own program again, with an argument that makes it go wrong, and looks at how that ends. */
#ifndef LEAT_TEST_SUPPORT_DEATH_H
#define LEAT_TEST_SUPPORT_DEATH_H

#include "support_sched.h"

#include <sys/wait.h>
#include <unistd.h>

struct death {
    char text[65536]; /* what it said on stderr */
    int status;
};

/* Becomes this program anew, with an argument. */
static inline void run_again(const char *how)
{
    char self[4096], command[8192];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) _exit(98);
    self[n] = '\0';
    snprintf(command, sizeof command, "exec %s '%s' %s", emulator() ? emulator() : "", self, how);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(99);
}

/* All that comes until the other ends of `fd` are closed. */
static inline void text_read(int fd, char *text, size_t size)
{
    size_t have = 0;
    ssize_t n;
    while (have < size - 1 && (n = read(fd, text + have, size - 1 - have)) > 0)
        have += (size_t)n;
    text[have] = '\0';
}

static inline void die(struct death *d, const char *how)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        run_again(how);
    }
    close(pipes[1]);
    text_read(pipes[0], d->text, sizeof d->text);
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &d->status, 0), pid);
}

#endif
