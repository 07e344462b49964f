/* os_time.c: clocks, random numbers, and futexes. */
#include "os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

leat_i_os_fault_fn leat_i_os_fault;
uint64_t leat_i_os_random_seed;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    if (clock_gettime(clock, &ts) != 0) LEAT_BUG("clock_gettime failed");
    return (int64_t)ts.tv_sec * LEAT_I_NS_PER_S + ts.tv_nsec;
}

int64_t leat_i_os_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t leat_i_os_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t leat_i_os_thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t leat_i_os_add_ns(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? LEAT_I_NEVER_NS : INT64_MIN;
}

void leat_i_os_random(void *buf, size_t size)
{
    char *at = buf;
    for (; leat_i_os_random_seed && size > 0; size--)
        *at++ = (char)leat_i_rand_next(&leat_i_os_random_seed);
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) LEAT_BUG("the kernel gave no random numbers");
        at += n;
        size -= (size_t)n;
    }
}

uint64_t leat_i_rand_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double leat_i_rand_unit(uint64_t *state)
{
    return (double)(leat_i_rand_next(state) >> 11) * 0x1p-53;
}

LEAT_WAKE_PATH int leat_i_os_futex_wait(LEAT_ATOMIC(uint32_t) * word, uint32_t expected, int64_t until_ns)
{
    struct timespec ts, *timeout = NULL;
    if (until_ns != LEAT_I_NEVER_NS) {
        if (until_ns < 0) until_ns = 0;
        ts.tv_sec = until_ns / LEAT_I_NS_PER_S;
        ts.tv_nsec = until_ns % LEAT_I_NS_PER_S;
        timeout = &ts;
    }
    /* WAIT_BITSET takes an absolute time of the monotonic clock; plain WAIT would take a relative one. */
    long rc = syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, timeout, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    return rc < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

LEAT_WAKE_PATH void leat_i_os_futex_wake(LEAT_ATOMIC(uint32_t) * word, int count)
{
    (void)syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}
