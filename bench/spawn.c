/*
 * spawn.c: runs a program and writes what the kernel counted for it alone.
 *
 *   bench_spawn REPORT CPU LIMIT_S PROGRAM [ARG...]
 *
 * The kernel carries a process's peak memory over exec, so a program that a large one starts would be charged with the starter's
 * memory: this one is small. The program gets all descriptors that the hard limit allows, and runs on one CPU when CPU >= 0. The
 * report is one line of JSON; the exit code is the program's, 124 when it did not end in time.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_util.h"

static pid_t child;

static void on_alarm(int sig)
{
    (void)sig;
    kill(child, SIGKILL);
}

static double seconds_of(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench_spawn REPORT CPU LIMIT_S PROGRAM [ARG...]\n");
        return 2;
    }
    int64_t limit_s = strtoll(argv[3], NULL, 10), start_ns = bench_now_ns();
    child = fork();
    if (child < 0) bench_die("fork");
    if (child == 0) {
        bench_raise_files();
        bench_pin(strtoll(argv[2], NULL, 10));
        execvp(argv[4], argv + 4);
        bench_die(argv[4]);
    }
    struct sigaction act = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &act, NULL);
    alarm((unsigned)limit_s);
    int status;
    struct rusage ru;
    while (wait4(child, &status, 0, &ru) < 0)
        if (errno != EINTR) bench_die("wait4");
    double seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    FILE *report = fopen(argv[1], "w");
    if (!report) bench_die(argv[1]);
    fprintf(report, "{\"seconds\":%.6f,\"cpu_s\":%.6f,\"rss_kb\":%ld}\n", seconds,
            seconds_of(ru.ru_utime) + seconds_of(ru.ru_stime), ru.ru_maxrss);
    if (fclose(report) != 0) bench_die(argv[1]);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return seconds >= (double)limit_s ? 124 : 128 + WTERMSIG(status);
}
