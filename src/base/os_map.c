/* os_map.c: memory mapping, for stacks and what grows fast. */
#include "os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Older kernels answer EINVAL. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000) /* Linux 6.15: this process, without a descriptor; older ones answer EBADF */
#endif

#define GUARDS_AT_ONCE 64u /* of 1,024 that the kernel allows; they are listed on the stack */

size_t leat_i_os_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *leat_i_os_reserve(size_t bytes)
{
    if (leat_i_os_faulted("mmap") < 0) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    /* One touched byte of a huge page would make a whole stack resident, and 31 of its neighbours. */
    (void)madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

void leat_i_os_release(void *p, size_t bytes)
{
    if (p) (void)munmap(p, bytes);
}

void leat_i_os_discard(void *p, size_t bytes)
{
    (void)madvise(p, bytes, MADV_DONTNEED);
}

void leat_i_os_populate(void *p, size_t bytes)
{
    uintptr_t page = leat_i_os_page_bytes();
    uintptr_t begin = ((uintptr_t)p + page - 1) / page * page, end = ((uintptr_t)p + bytes) / page * page;
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
}

int leat_i_os_guard_install(void *p, size_t bytes)
{
    int rc = leat_i_os_faulted("guard");
    if (rc < 0) return rc;
    return madvise(p, bytes, MADV_GUARD_INSTALL) == 0 ? 0 : -errno;
}

/* Guards ranges with one call of the kernel, and gives how many, the first ones; 0 where it cannot, or may not. Valgrind would tell the
 * user of a call that it does not know. */
static uint32_t guards_at_once(char *p, size_t bytes, size_t stride, uint32_t count)
{
    struct iovec range[GUARDS_AT_ONCE];
    if (RUNNING_ON_VALGRIND || leat_i_os_faulted("process_madvise") < 0) return 0;
    for (uint32_t i = 0; i < count; i++)
        range[i] = (struct iovec){ .iov_base = p + i * stride, .iov_len = bytes };
    long done = syscall(SYS_process_madvise, PIDFD_SELF, range, (unsigned long)count, MADV_GUARD_INSTALL, 0u);
    return done > 0 ? (uint32_t)((size_t)done / bytes) : 0;
}

uint32_t leat_i_os_guard_install_many(char *p, size_t bytes, size_t stride, uint32_t count)
{
    uint32_t done = 0;
    while (done < count) {
        uint32_t some = count - done < GUARDS_AT_ONCE ? count - done : GUARDS_AT_ONCE, allowed = 0;
        while (allowed < some && leat_i_os_faulted("guard") == 0)
            allowed++;
        uint32_t end = done + allowed;
        if (allowed > 1) done += guards_at_once(p + done * stride, bytes, stride, allowed);
        while (done < end && madvise(p + done * stride, bytes, MADV_GUARD_INSTALL) == 0)
            done++;
        if (done < end || allowed < some) return done;
    }
    return done;
}

bool leat_i_os_guard_holds(const void *p)
{
    /* A futex wait that is over at once: all that it does is to read the word. */
    static const struct timespec none;
    return syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, 0, &none, NULL, 0) < 0 && errno == EFAULT;
}

int leat_i_os_guard_mprotect(void *p, size_t bytes)
{
    int rc = leat_i_os_faulted("mprotect");
    if (rc < 0) return rc;
    return mprotect(p, bytes, PROT_NONE) == 0 ? 0 : -errno;
}
