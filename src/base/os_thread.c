/* os_thread.c: threads, and how many of them this process may run at once. */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int leat_i_os_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    int rc = leat_i_os_faulted("pthread_create");
    if (rc < 0) return rc;
    /* A signal is the program's business: leat's threads must not be the ones that take it. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) return -rc;
    pthread_setname_np(*thread, name);
    return 0;
}

void leat_i_os_thread_join(pthread_t thread)
{
    (void)pthread_join(thread, NULL);
}

/* Reads a small file of the kernel; false when there is none. */
static bool file_text(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, room - 1);
    close(fd);
    if (n <= 0) return false;
    text[n] = '\0';
    return true;
}

/* Whole cores that a quota of `quota` in each `period` is worth, rounded up; 0 = no quota. */
static uint32_t quota_cpus(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return 0;
    return (uint32_t)((quota + period - 1) / period);
}

static uint32_t quota_v2(const char *group)
{
    char path[512], text[128];
    long long quota = 0, period = 0;
    if (snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group) >= (int)sizeof path) return 0;
    if (!file_text(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
    return quota_cpus(quota, period);
}

static long long quota_v1_number(const char *group, const char *name)
{
    char path[512], text[64];
    if (snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/%s", group, name) >= (int)sizeof path) return 0;
    return file_text(path, text, sizeof text) ? strtoll(text, NULL, 10) : 0;
}

/* The tightest quota of the group and the groups around it. `group` is cut from the right on the way. */
static uint32_t quota_up(char *group, bool v2)
{
    uint32_t least = 0;
    for (;;) {
        uint32_t n =
            v2 ? quota_v2(group)
               : quota_cpus(quota_v1_number(group, "cpu.cfs_quota_us"), quota_v1_number(group, "cpu.cfs_period_us"));
        if (n && (!least || n < least)) least = n;
        char *slash = strrchr(group, '/');
        if (!slash || group[0] == '\0') return least;
        *slash = '\0';
    }
}

/* Whether `controllers`, ":cpu,cpuacct" for example, names the one that hands out time ("cpuset" does not). */
static bool names_cpu(const char *controllers)
{
    for (const char *p = controllers; (p = strstr(p, "cpu")); p += 3)
        if ((p[-1] == ':' || p[-1] == ',') && (p[3] == '\0' || p[3] == ',')) return true;
    return false;
}

/* Lines of /proc/self/cgroup read "id:controllers:/path"; v2 has id 0 and no controllers. */
static uint32_t quota_of_process(void)
{
    char text[4096];
    uint32_t least = 0;
    if (!file_text("/proc/self/cgroup", text, sizeof text)) return 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        bool v2 = strcmp(controllers, ":") == 0;
        if (!v2 && !names_cpu(controllers)) continue;
        uint32_t n = quota_up(group, v2);
        if (n && (!least || n < least)) least = n;
    }
    return least;
}

uint32_t leat_i_os_cpu_count(void)
{
    cpu_set_t set;
    uint32_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        count = (uint32_t)CPU_COUNT(&set);
    } else {
        long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
        if (online > 0) count = (uint32_t)online;
    }
    uint32_t quota = quota_of_process();
    if (quota && quota < count) count = quota;
    return count ? count : 1;
}

void leat_i_os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}
