/* bench_util.h: what the programs of bench/ share: arguments, clock, pinning, and the line of JSON that each ends with. */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

__attribute__((noreturn)) static inline void bench_die(const char *why)
{
    perror(why);
    exit(2);
}

static inline int64_t bench_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* CPU time of this process, all threads: what a figure without waiting is measured in, since others run beside it. */
static inline int64_t bench_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* User and system time of this process. */
static inline double bench_cpu_s(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static inline long bench_rss_kb(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return ru.ru_maxrss;
}

static inline const char *bench_arg(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return otherwise;
}

static inline int64_t bench_arg_i64(int argc, char **argv, const char *name, int64_t otherwise)
{
    const char *text = bench_arg(argc, argv, name, NULL);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

/* Runs this process on one CPU; -1 = wherever. */
static inline void bench_pin(int64_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0) return;
    CPU_SET((int)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) perror("cannot pin");
}

/* Takes all the descriptors that the hard limit allows. */
static inline void bench_raise_files(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0) return;
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
}

/* The request that every client sends: a chat completion of about `bytes` bytes. malloc'd. */
static inline char *bench_request_body(size_t bytes)
{
    static const char *const text =
        "Somebody wrote this document long ago,\\nand nobody has read it since; \\\"why\\\" is not known. ";
    char *body = malloc(bytes + 512);
    if (!body) bench_die("out of memory");
    size_t n = (size_t)sprintf(body, "{\"model\":\"raw\",\"messages\":[{\"role\":\"user\",\"content\":\"");
    while (n + strlen(text) + 8 < bytes) {
        memcpy(body + n, text, strlen(text));
        n += strlen(text);
    }
    memcpy(body + n, "\"}]}", 5);
    return body;
}

static inline void bench_report(const char *name, int64_t requests, int64_t failures, double seconds, double cpu_s)
{
    printf("{\"client\":\"%s\",\"requests\":%lld,\"failures\":%lld,\"seconds\":%.3f,\"cpu_us\":%.2f,\"rate\":%.0f,\"rss_"
           "kb\":%ld}\n",
           name, (long long)requests, (long long)failures, seconds, cpu_s * 1e6 / (double)(requests ? requests : 1),
           (double)requests / seconds, bench_rss_kb());
}

#endif
