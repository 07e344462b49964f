/* threads.c: the yardsticks: a serial loop, plain threads (the ceiling of this machine), a queue with mutex and condition, a bare futex. */
#include "peer.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static int threads;

__attribute__((noinline, optimize("no-optimize-sibling-calls", "no-inline", "no-tree-tail-merge"))) static long
fib_plain(int n)
{
    if (n < 2) return n;
    long a = fib_plain(n - 1);
    return a + fib_plain(n - 2);
}

static int measure_fib(void)
{
    int n = 35;
    int64_t begin_ns = peer_now_ns();
    long result = fib_plain(n);
    peer_print_fib("serial", n, peer_now_ns() - begin_ns);
    peer_fib_check(n, result);
    return 0;
}

/* ---- the ceiling: the same work on each of two threads, beside one alone ---- */

static void *works(void *arg)
{
    *(uint32_t *)arg = peer_spin(200000000);
    return NULL;
}

static int measure_ceiling(void)
{
    pthread_t thread[2];
    uint32_t result[2];
    int64_t begin_ns = peer_now_ns();
    works(&result[0]);
    int64_t one_ns = peer_now_ns() - begin_ns;
    begin_ns = peer_now_ns();
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, works, &result[i]) != 0) return 2;
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    printf("{\"ceiling\":%.3f}\n", 2.0 * (double)one_ns / (double)(peer_now_ns() - begin_ns));
    return result[0] == result[1] ? 0 : 2;
}

/* ---- loops: an even share for each thread ---- */

struct share {
    uint32_t *out;
    const uint32_t *cost;
    size_t begin, end;
    uint32_t sum;
};

static void *runs_share(void *arg)
{
    struct share *s = arg;
    if (!s->cost) peer_loop_range(s->out, s->begin, s->end);
    for (size_t i = s->begin; s->cost && i < s->end; i++)
        s->sum += peer_spin(s->cost[i]);
    return NULL;
}

static double shares_run(uint32_t *out, const uint32_t *cost, size_t count)
{
    struct share share[64] = { { 0 } };
    pthread_t thread[64];
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < threads; i++) {
        share[i] =
            (struct share){ out, cost, count * (size_t)i / (size_t)threads, count * (size_t)(i + 1) / (size_t)threads, 0 };
        if (i > 0 && pthread_create(&thread[i], NULL, runs_share, &share[i]) != 0) exit(2);
    }
    runs_share(&share[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(thread[i], NULL);
    return (double)(peer_now_ns() - begin_ns);
}

static int measure_loop(void)
{
    uint32_t *out = calloc(PEER_LOOP_ITEMS, sizeof *out);
    double ns[7];
    for (int i = 0; i < 7; i++)
        ns[i] = shares_run(out, NULL, PEER_LOOP_ITEMS);
    printf("{\"ns\":%.4f}\n", peer_best(ns, 7) / PEER_LOOP_ITEMS);
    return 0;
}

static int measure_pareto(int ascending)
{
    uint32_t *cost = peer_pareto_costs(ascending);
    double ns[7];
    for (int i = 0; i < 7; i++)
        ns[i] = shares_run(NULL, cost, PEER_PARETO_ITEMS);
    printf("{\"ms\":%.3f}\n", peer_best(ns, 7) / 1e6);
    return 0;
}

/* ---- a queue: an array under a mutex, a condition to wait for ---- */

typedef void (*task_fn)(void *arg);

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct {
        task_fn fn;
        void *arg;
    } slot[PEER_SUBMITS];
    size_t first, last;
    int ended;
} queue = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *queue_worker(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&queue.mutex);
        while (queue.first == queue.last && !queue.ended)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        if (queue.first == queue.last) break;
        size_t i = queue.first++;
        pthread_mutex_unlock(&queue.mutex);
        queue.slot[i].fn(queue.slot[i].arg);
    }
    pthread_mutex_unlock(&queue.mutex);
    return NULL;
}

static void queue_submit(task_fn fn, void *arg)
{
    pthread_mutex_lock(&queue.mutex);
    queue.slot[queue.last].fn = fn;
    queue.slot[queue.last++].arg = arg;
    pthread_mutex_unlock(&queue.mutex);
    pthread_cond_signal(&queue.changed);
}

static void queue_end(pthread_t *thread)
{
    pthread_mutex_lock(&queue.mutex);
    queue.ended = 1;
    pthread_mutex_unlock(&queue.mutex);
    pthread_cond_broadcast(&queue.changed);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

static _Atomic long done;

static void counts(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
}

static void tells_time(void *arg)
{
    (void)arg;
    peer_ran();
}

static int measure_submit(void)
{
    pthread_t thread[64];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, queue_worker, NULL) != 0) return 2;
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < PEER_SUBMITS; i++)
        queue_submit(counts, NULL);
    queue_end(thread);
    printf("{\"million_per_s\":%.3f}\n", PEER_SUBMITS * 1e3 / (double)(peer_now_ns() - begin_ns));
    return done == PEER_SUBMITS ? 0 : 2;
}

/* ---- waking: the queue's worker, and one thread in a bare futex ---- */

static int submits_one(void *arg)
{
    (void)arg;
    queue_submit(tells_time, NULL);
    return 0;
}

static int measure_wake_queue(void)
{
    pthread_t thread[64];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, queue_worker, NULL) != 0) return 2;
    int rc = peer_wakes(submits_one, NULL, NULL);
    queue_end(thread);
    return rc;
}

static _Atomic uint32_t word;

static void *futex_sleeper(void *arg)
{
    (void)arg;
    for (uint32_t seen = 0; seen != UINT32_MAX;) {
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        if (atomic_load(&word) == seen) continue;
        seen = atomic_load(&word);
        tells_time(NULL);
    }
    return NULL;
}

static int futex_wakes(void *arg)
{
    (void)arg;
    atomic_fetch_add(&word, 1);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return 0;
}

static int measure_wake_futex(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, futex_sleeper, NULL) != 0) return 2;
    int rc = peer_wakes(futex_wakes, NULL, NULL);
    atomic_store(&word, UINT32_MAX);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    pthread_join(thread, NULL);
    return rc;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    threads = argc > 2 ? atoi(argv[2]) : 2;
    if (threads < 1 || threads > 64) return 2;
    if (strcmp(name, "fib") == 0) return measure_fib();
    if (strcmp(name, "ceiling") == 0) return measure_ceiling();
    if (strcmp(name, "loop") == 0) return measure_loop();
    if (strcmp(name, "pareto") == 0) return measure_pareto(0);
    if (strcmp(name, "ascending") == 0) return measure_pareto(1);
    if (strcmp(name, "submit") == 0) return measure_submit();
    if (strcmp(name, "wake") == 0) return measure_wake_queue();
    if (strcmp(name, "wake_futex") == 0) return measure_wake_futex();
    return PEER_NO_MEASURE;
}
