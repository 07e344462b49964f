/*
 * os.h: the only door to time, randomness, futexes, threads, memory mapping and files.
 *
 * One source serves the product and fault injection: tests may set leat_i_os_fault to make calls fail, come short or be
 * interrupted. Functions answer 0 or a count >= 0, or -errno; never errno itself. EINTR is retried inside, short writes too.
 */
#ifndef LEAT_I_OS_H
#define LEAT_I_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "atomics.h"

#define LEAT_I_NS_PER_MS INT64_C(1000000)
#define LEAT_I_NS_PER_S  INT64_C(1000000000)
#define LEAT_I_NEVER_NS  INT64_MAX

/* Time. */
int64_t leat_i_os_now_ns(void);  /* monotonic */
int64_t leat_i_os_wall_ns(void); /* since 1970; for Date and Retry-After only */
int64_t leat_i_os_thread_cpu_ns(void);
int64_t leat_i_os_add_ns(int64_t a, int64_t b); /* saturates at LEAT_I_NEVER_NS */

/* Random numbers. */
void leat_i_os_random(void *buf, size_t size); /* from the kernel; aborts if there is none */
extern uint64_t leat_i_os_random_seed;      /* tests: numbers from this instead, so that a run can be repeated; 0 = none */
uint64_t leat_i_rand_next(uint64_t *state); /* splitmix64 */
double leat_i_rand_unit(uint64_t *state);   /* [0, 1) */

/* Numbers. The whole of `text` as a double, with a point whatever the locale; false when it is no number or memory is short. */
bool leat_i_os_strtod(const char *text, double *value);

/* Futex on a 32-bit word of this process. wait: until woken, the word differs from `expected`, or until_ns (absolute monotonic,
 * LEAT_I_NEVER_NS = no end); spurious returns happen; answers 0 or -ETIMEDOUT. */
int leat_i_os_futex_wait(LEAT_ATOMIC(uint32_t) * word, uint32_t expected, int64_t until_ns);
void leat_i_os_futex_wake(LEAT_ATOMIC(uint32_t) * word, int count);

/* Threads. All signals are blocked in the new thread; `name` is at most 15 bytes. */
int leat_i_os_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg);
void leat_i_os_thread_join(pthread_t thread);
uint32_t leat_i_os_cpu_count(void); /* affinity mask and cgroup quota (v1, v2), at least 1 */
void leat_i_os_relax(void);         /* pause */

/* Memory mapping. */
size_t leat_i_os_page_bytes(void);
void *leat_i_os_reserve(size_t bytes); /* private anonymous read-write, no reserve, no huge pages; NULL on failure */
void leat_i_os_release(void *p, size_t bytes);
void leat_i_os_discard(void *p, size_t bytes);      /* gives the pages back, keeps the range */
void leat_i_os_populate(void *p, size_t bytes);     /* the whole pages in it are about to be written: a hint */
int leat_i_os_guard_install(void *p, size_t bytes); /* lightweight guard (Linux 6.13); -EINVAL where there is none */
/* The same for `count` ranges, each `stride` after the one before; gives how many of them, the first ones, are guarded. */
uint32_t leat_i_os_guard_install_many(char *p, size_t bytes, size_t stride, uint32_t count);
bool leat_i_os_guard_holds(const void *p); /* asks the kernel to read there: who does not know the advice may still say 0 */
int leat_i_os_guard_mprotect(void *p, size_t bytes);

/* The sentence of an errno, negative or not; thread-safe. */
const char *leat_i_errno_text(int errno_or_minus, char *buf, size_t size);

/* Files. */
/* O_CLOEXEC is added; answers the descriptor, which is none of the standard streams', where those are closed, too. */
int leat_i_os_open(const char *path, int flags, mode_t mode);
int leat_i_os_close(int fd);
ssize_t leat_i_os_read(int fd, void *buf, size_t size);
ssize_t leat_i_os_pread(int fd, void *buf, size_t size, int64_t offset);
/* *done (optional): the bytes that went out, also on failure. */
int leat_i_os_write_all(int fd, const void *buf, size_t size, size_t *done);
int leat_i_os_pwrite_all(int fd, const void *buf, size_t size, int64_t offset);
int64_t leat_i_os_position(int fd); /* of a regular file that pwrite may write to where it wants; -ESPIPE for all else */
int leat_i_os_fsync(int fd);
int leat_i_os_fsync_dir(const char *path_of_file); /* the folder that holds it */
int leat_i_os_ftruncate(int fd, int64_t size);
int leat_i_os_rename(const char *from, const char *to);
int leat_i_os_unlink(const char *path);
int leat_i_os_stat(const char *path, struct stat *st);
int leat_i_os_lstat(const char *path, struct stat *st);
int leat_i_os_fstat(int fd, struct stat *st);
int leat_i_os_stat_in(int folder_fd, const char *name, struct stat *st);
int leat_i_os_lock(int fd); /* OFD write lock on the whole file, not waited for; -EAGAIN when another process holds it */
int leat_i_os_wait_readable(int fd, int timeout_ms); /* 1 = a read would not block, 0 = the time is over, or -errno */
int leat_i_os_wait_writable(int fd, int timeout_ms); /* the same for a write, of PIPE_BUF bytes at most where it is a pipe */
bool leat_i_os_is_terminal(int fd);
uint32_t leat_i_os_terminal_columns(int fd); /* 0 = not known */
int leat_i_os_eventfd(void);
void leat_i_os_eventfd_signal(int fd);
void leat_i_os_eventfd_drain(int fd);

/* Folders: entries in no order, without . and .. */
typedef struct leat_i_os_dir leat_i_os_dir;
int leat_i_os_dir_open(leat_i_os_dir **dir, const char *path);
int leat_i_os_dir_next(leat_i_os_dir *dir, const char **name); /* 1 = an entry, valid until the next call; 0 = the end */
void leat_i_os_dir_close(leat_i_os_dir *dir);

/* Tests: asked before each of the calls above that can fail; a value < 0 is returned instead of the call. NULL = none. */
typedef int (*leat_i_os_fault_fn)(const char *call);
extern leat_i_os_fault_fn leat_i_os_fault;

/* What the ordered failure of this call says, or 0 to go on with it. Asked once per call: the function may count. */
static inline int leat_i_os_faulted(const char *call)
{
    int rc = leat_i_os_fault ? leat_i_os_fault(call) : 0;
    return rc < 0 ? rc : 0;
}

#endif
