/* doors.c: what stands behind os.h, mem.h and pthread.h for the shipped sources: futexes, time, mutexes, threads and memory of the model. */
#include "model.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NS_PER_LOOK 6000 /* Who looks at the clock in a loop sees it go on: two looks within the time of a search. */
#define PAGE_BYTES  4096u
#define PAGES_BYTES ((size_t)512 << 20)

/* ---- time and futexes ---- */

int64_t leat_i_os_now_ns(void)
{
    return explore_now_ns += NS_PER_LOOK;
}

int leat_i_os_futex_wait(LEAT_ATOMIC(uint32_t) * word, uint32_t expected, int64_t until_ns)
{
    explore_point();
    if (explore_newest(word, 4) != expected) return 0;
    explore_block(THREAD_FUTEX, (const void *)word, expected, until_ns);
    return explore_me->timed_out ? -ETIMEDOUT : 0;
}

void leat_i_os_futex_wake(LEAT_ATOMIC(uint32_t) * word, int count)
{
    explore_point();
    for (; count > 0; count--) {
        thread *list[THREADS_MAX];
        unsigned n = 0;
        for (unsigned i = 0; i < explore_thread_count; i++)
            if (explore_thread[i].state == THREAD_FUTEX && explore_thread[i].waits_for == (const void *)word)
                list[n++] = &explore_thread[i];
        if (n == 0) return;
        thread *t = list[explore_choose(n, CHOICE_FREE)];
        explore_trace("[%u] wakes %u\n", explore_me->number, t->number);
        explore_ready(t);
    }
}

void leat_i_os_relax(void)
{
    explore_yield();
}

/* ---- mutexes and conditions; their state stands where the library's would ---- */

typedef struct mutex {
    uint32_t held;
    view_copy *view;
} mutex;

_Static_assert(sizeof(mutex) <= sizeof(pthread_mutex_t), "a mutex has room for the model's");

int explore_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int explore_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    (void)attr;
    memset(m, 0, sizeof *m);
    return 0;
}

int explore_mutex_destroy(pthread_mutex_t *m);
int explore_mutex_destroy(pthread_mutex_t *m)
{
    EXPLORE_CHECK(!((mutex *)m)->held);
    return 0;
}

int explore_mutex_lock(pthread_mutex_t *m);
int explore_mutex_lock(pthread_mutex_t *m)
{
    mutex *x = (mutex *)m;
    explore_point();
    while (x->held)
        explore_block(THREAD_MUTEX, m, 0, LEAT_I_NEVER_NS);
    x->held = 1;
    explore_view_take(explore_me, x->view);
    return 0;
}

int explore_mutex_unlock(pthread_mutex_t *m);
int explore_mutex_unlock(pthread_mutex_t *m)
{
    mutex *x = (mutex *)m;
    x->view = explore_view_give(explore_me);
    x->held = 0;
    for (unsigned i = 0; i < explore_thread_count; i++)
        if (explore_thread[i].state == THREAD_MUTEX && explore_thread[i].waits_for == m) explore_ready(&explore_thread[i]);
    return 0;
}

int explore_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int explore_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    int64_t until_ns = until ? until->tv_sec * LEAT_I_NS_PER_S + until->tv_nsec : LEAT_I_NEVER_NS;
    explore_mutex_unlock(m);
    explore_block(THREAD_COND, c, 0, until_ns);
    bool late = explore_me->timed_out;
    explore_mutex_lock(m);
    return late ? ETIMEDOUT : 0;
}

int explore_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int explore_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return explore_cond_timedwait(c, m, NULL);
}

static void cond_wake(const pthread_cond_t *c, unsigned count)
{
    for (unsigned i = 0; i < explore_thread_count && count > 0; i++)
        if (explore_thread[i].state == THREAD_COND && explore_thread[i].waits_for == c) {
            explore_ready(&explore_thread[i]);
            count--;
        }
}

int explore_cond_signal(pthread_cond_t *c);
int explore_cond_signal(pthread_cond_t *c)
{
    explore_point();
    cond_wake(c, 1);
    return 0;
}

int explore_cond_broadcast(pthread_cond_t *c);
int explore_cond_broadcast(pthread_cond_t *c)
{
    explore_point();
    cond_wake(c, THREADS_MAX);
    return 0;
}

/* ---- what is done once, and keys: in each execution anew ---- */

enum { ONCES_MAX = 4 };

static struct {
    const pthread_once_t *once;
    view_copy *view;
} onces[ONCES_MAX];
static unsigned once_count;

int explore_once(pthread_once_t *once, void (*fn)(void));
int explore_once(pthread_once_t *once, void (*fn)(void))
{
    unsigned i = 0;
    explore_point();
    while (i < once_count && onces[i].once != once)
        i++;
    if (i == once_count) {
        EXPLORE_CHECK(once_count < ONCES_MAX);
        fn();
        onces[once_count].once = once;
        onces[once_count++].view = explore_view_give(explore_me);
    }
    explore_view_take(explore_me, onces[i].view);
    return 0;
}

static void (*keys[KEYS_MAX])(void *value);
static unsigned key_count;

int explore_key_create(pthread_key_t *key, void (*end)(void *value));
int explore_key_create(pthread_key_t *key, void (*end)(void *value))
{
    EXPLORE_CHECK(key_count < KEYS_MAX);
    *key = key_count;
    keys[key_count++] = end;
    return 0;
}

int explore_setspecific(pthread_key_t key, const void *value);
int explore_setspecific(pthread_key_t key, const void *value)
{
    explore_me->value[key] = (void *)(uintptr_t)value;
    return 0;
}

void explore_keys_end(thread *t)
{
    for (unsigned i = 0; i < key_count; i++) {
        void *value = t->value[i];
        t->value[i] = NULL;
        if (value) keys[i](value);
    }
}

/* ---- threads ---- */

struct thread_start {
    void *(*fn)(void *arg);
    void *arg;
};

static void thread_begin(void *arg)
{
    struct thread_start *start = arg;
    (void)start->fn(start->arg);
}

int leat_i_os_thread_start(pthread_t *id, const char *name, void *(*fn)(void *arg), void *arg)
{
    struct thread_start *start = explore_scratch(sizeof *start);
    *start = (struct thread_start){ fn, arg };
    (void)name;
    *id = explore_start(thread_begin, start);
    return 0;
}

int explore_pthread_join(pthread_t id, void **result);
int explore_pthread_join(pthread_t id, void **result)
{
    (void)result;
    explore_join((unsigned)id);
    return 0;
}

void leat_i_os_thread_join(pthread_t id)
{
    explore_join((unsigned)id);
}

uint32_t leat_i_os_cpu_count(void)
{
    return 2;
}

/* ---- memory ---- */

void *leat_i_alloc(size_t size)
{
    return explore_alloc(16, size);
}

void *leat_i_alloc_zeroed(size_t size)
{
    return memset(explore_alloc(16, size), 0, size);
}

void *leat_i_alloc_aligned(size_t alignment, size_t size)
{
    return explore_alloc(alignment, size);
}

void *leat_i_realloc(void *p, size_t size)
{
    void *grown = explore_alloc(16, size);
    if (p) {
        size_t old;
        memcpy(&old, (char *)p - 8, 8);
        memcpy(grown, p, old < size ? old : size);
        explore_free(p);
    }
    return grown;
}

void leat_i_free(void *p)
{
    explore_free(p);
}

/* Pages of stacks: taken in a row and given back all at once, since each execution takes its own anew. */
static char *pages;
static size_t pages_used;

void *leat_i_os_reserve(size_t bytes)
{
    if (!pages) {
        pages = mmap(NULL, PAGES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (pages == MAP_FAILED) abort();
    }
    if (pages_used + bytes > PAGES_BYTES) explore_fail(__FILE__, __LINE__, "too many pages");
    pages_used += bytes;
    return pages + pages_used - bytes;
}

void explore_doors_reset(void)
{
    pages_used = 0;
    once_count = key_count = 0;
}

void leat_i_os_release(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

void leat_i_os_discard(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

void leat_i_os_populate(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

int leat_i_os_guard_install(void *p, size_t bytes)
{
    (void)p, (void)bytes;
    return 0;
}

uint32_t leat_i_os_guard_install_many(char *p, size_t bytes, size_t stride, uint32_t count)
{
    (void)p, (void)bytes, (void)stride;
    return count;
}

bool leat_i_os_guard_holds(const void *p)
{
    (void)p;
    return true;
}

int leat_i_os_guard_mprotect(void *p, size_t bytes)
{
    (void)p, (void)bytes;
    return 0;
}

size_t leat_i_os_page_bytes(void)
{
    return PAGE_BYTES;
}

/* ---- what is left of os.h, and errno ---- */

int *explore_errno(void);
int *explore_errno(void)
{
    return &explore_me->error;
}

void leat_i_os_random(void *buf, size_t size)
{
    memset(buf, 1, size);
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
    return (double)(leat_i_rand_next(state) >> 11) / (double)(UINT64_C(1) << 53);
}

int64_t leat_i_os_add_ns(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? LEAT_I_NEVER_NS : INT64_MIN;
}

void leat_i_bug(const char *file, int line, const char *what)
{
    explore_fail(file, line, what);
}
