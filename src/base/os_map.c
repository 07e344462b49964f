/* os_map.c: memory mapping, for stacks and what grows fast. */
#include "os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13; older kernels answer EINVAL */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; the same */
#endif

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
