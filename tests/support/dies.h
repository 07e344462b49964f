/* support/dies.h: for tests of what ends the process with a sentence. */
#ifndef LEAT_TEST_DIES_H
#define LEAT_TEST_DIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Runs `fn` in a child of fork, and holds that it dies by SIGABRT with one line that contains `sentence`. */
static inline void dies_by(void (*fn)(void), const char *sentence)
{
    char text[512] = "";
    int fd[2], status;
    CHECK(sentence); /* tells gcc, which under UBSan takes it for NULL */
    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(fd[1]);
    size_t size = 0;
    ssize_t n;
    while (size < sizeof text - 1 && (n = read(fd[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!strstr(text, sentence)) print_error("\"%s\" is not in \"%s\"\n", sentence, text);
    assert_non_null(strstr(text, sentence));
    /* One line; an emulator adds its own. */
    if (!getenv("LEAT_EMULATOR")) assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

#endif
