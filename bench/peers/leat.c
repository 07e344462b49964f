/* leat.c: ours. */
#include <leat/fork.h>
#include <leat/task.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "peer.h"

static leat_runtime *rt;

/* ---- fork and join ---- */

LEAT_FORK_1(long, fib, int, n)
{
    if (n < 2) return n;
    LEAT_SPAWN(fib, n - 1);
    long b = LEAT_CALL(fib, n - 2);
    return b + LEAT_SYNC(fib);
}

struct fib_arg {
    int n;
    long result;
};

static void fib_opaque(leat_fork *f, void *arg)
{
    struct fib_arg *a = arg, x = { a->n - 1, 0 }, y = { a->n - 2, 0 };
    if (a->n < 2) {
        a->result = a->n;
        return;
    }
    leat_fork_spawn(f, fib_opaque, &x);
    fib_opaque(f, &y);
    leat_fork_sync(f);
    a->result = x.result + y.result;
}

static leat_err fib_inline_body(leat_task *t, void *arg, const void **result)
{
    struct fib_arg *a = arg;
    (void)result;
    return fib_run(t, &a->result, a->n);
}

static leat_err fib_opaque_body(leat_task *t, void *arg, const void **result)
{
    (void)result;
    return leat_fork_run(t, fib_opaque, arg);
}

static leat_err measure_fib(const char *tier, leat_task_fn body)
{
    struct fib_arg a = { 35, 0 };
    int64_t begin_ns = peer_now_ns();
    LEAT_TRY(leat_task_run(rt, body, &a, NULL));
    peer_print_fib(tier, a.n, peer_now_ns() - begin_ns);
    peer_fib_check(a.n, a.result);
    return LEAT_OK;
}

/* ---- loops ---- */

struct loop {
    uint32_t *out;
    const uint32_t *cost;
    size_t count;
    double ns;
    _Atomic uint32_t sum;
};

static void loop_range(void *arg, size_t begin, size_t end)
{
    struct loop *l = arg;
    uint32_t sum = 0;
    if (!l->cost) peer_loop_range(l->out, begin, end);
    for (size_t i = begin; l->cost && i < end; i++)
        sum += peer_spin(l->cost[i]);
    if (sum) atomic_fetch_add_explicit(&l->sum, sum, memory_order_relaxed);
}

/* The repeats are one task's, as they are one thread's with the peers: nobody is sent to sleep in between. */
static leat_err loop_body(leat_task *t, void *arg, const void **result)
{
    struct loop *l = arg;
    double ns[7];
    (void)result;
    for (int i = 0; i < 7; i++) {
        int64_t begin_ns = peer_now_ns();
        LEAT_TRY(leat_for(t, l->count, loop_range, l));
        ns[i] = (double)(peer_now_ns() - begin_ns);
    }
    l->ns = peer_best(ns, 7);
    return LEAT_OK;
}

static leat_err measure_loop(void)
{
    struct loop l = { .out = calloc(PEER_LOOP_ITEMS, sizeof(uint32_t)), .count = PEER_LOOP_ITEMS };
    LEAT_TRY(leat_task_run(rt, loop_body, &l, NULL));
    printf("{\"ns\":%.4f}\n", l.ns / PEER_LOOP_ITEMS);
    free(l.out);
    return LEAT_OK;
}

static leat_err measure_pareto(int ascending)
{
    uint32_t *cost = peer_pareto_costs(ascending);
    struct loop l = { .cost = cost, .count = PEER_PARETO_ITEMS };
    LEAT_TRY(leat_task_run(rt, loop_body, &l, NULL));
    printf("{\"ms\":%.3f}\n", l.ns / 1e6);
    free(cost);
    return LEAT_OK;
}

/* ---- tasks from outside ---- */

static _Atomic long done;
static sem_t all_done;

static leat_err counts(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    if (atomic_fetch_add_explicit(&done, 1, memory_order_relaxed) + 1 == PEER_SUBMITS) sem_post(&all_done);
    return LEAT_OK;
}

static leat_err measure_submit(void)
{
    if (sem_init(&all_done, 0, 0) != 0) return LEAT_USER;
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < PEER_SUBMITS; i++)
        LEAT_TRY(leat_task_submit(rt, counts, NULL, NULL));
    while (sem_wait(&all_done) != 0)
        ;
    printf("{\"million_per_s\":%.3f}\n", PEER_SUBMITS * 1e3 / (double)(peer_now_ns() - begin_ns));
    return LEAT_OK;
}

static leat_err marks(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)result;
    ++*(unsigned char *)arg;
    return LEAT_OK;
}

static leat_err measure_submit_batch(void)
{
    leat_handle *h;
    unsigned char *ran = calloc(PEER_SUBMITS, 1);
    if (!ran) return LEAT_NOMEM;
    int64_t begin_ns = peer_now_ns();
    LEAT_TRY(leat_task_submit_batch(rt, marks, ran, 1, PEER_SUBMITS, &h));
    LEAT_TRY(leat_handle_wait(h, -1, NULL, NULL));
    leat_handle_free(h);
    printf("{\"million_per_s\":%.3f}\n", PEER_SUBMITS * 1e3 / (double)(peer_now_ns() - begin_ns));
    for (int i = 0; i < PEER_SUBMITS; i++)
        if (ran[i] != 1) return LEAT_USER;
    free(ran);
    return LEAT_OK;
}

static leat_err measure_submit_handle(void)
{
    leat_handle **handle = calloc(PEER_SUBMITS, sizeof(leat_handle *));
    if (!handle) return LEAT_NOMEM;
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < PEER_SUBMITS; i++)
        LEAT_TRY(leat_task_submit(rt, counts, NULL, &handle[i]));
    for (int i = 0; i < PEER_SUBMITS; i++) {
        LEAT_TRY(leat_handle_wait(handle[i], -1, NULL, NULL));
        leat_handle_free(handle[i]);
    }
    printf("{\"million_per_s\":%.3f}\n", PEER_SUBMITS * 1e3 / (double)(peer_now_ns() - begin_ns));
    free(handle);
    return done == PEER_SUBMITS ? LEAT_OK : LEAT_USER;
}

/* ---- fibers ---- */

static leat_err yields(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (int i = 0; i < PEER_YIELDS; i++)
        LEAT_TRY(leat_sleep_ms(t, 0));
    return LEAT_OK;
}

static leat_err yield_body(leat_task *t, void *arg, const void **result)
{
    leat_future *f[2];
    (void)arg, (void)result;
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < 2; i++)
        f[i] = leat_task_start(t, yields, NULL);
    LEAT_TRY(leat_await_all(t, f, 2));
    printf("{\"ns\":%.2f}\n", (double)(peer_now_ns() - begin_ns) / (2.0 * PEER_YIELDS));
    return LEAT_OK;
}

static _Atomic long waiting;
static leat_semaphore *crowd_gate;

static leat_err waits(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
    return leat_semaphore_acquire(t, crowd_gate);
}

struct crowd {
    double suspend_ms, wake_ms, resident;
};

/* Starts them all, lets them wait, and wakes them. The times are those until the last one waits, and until the last one has ended. */
static leat_err crowd_body(leat_task *t, void *arg, const void **result)
{
    struct crowd *c = arg;
    (void)result;
    leat_future **f = leat_task_alloc(t, PEER_CROWD * sizeof *f);
    if (!f) return LEAT_NOMEM;
    atomic_store(&waiting, 0);
    int64_t begin_ns = peer_now_ns();
    for (int i = 0; i < PEER_CROWD; i++)
        f[i] = leat_task_start(t, waits, NULL);
    while (atomic_load(&waiting) < PEER_CROWD)
        LEAT_TRY(leat_sleep_ms(t, 0));
    int64_t middle_ns = peer_now_ns();
    c->resident = peer_resident();
    for (int i = 0; i < PEER_CROWD; i++)
        leat_semaphore_release(crowd_gate);
    LEAT_TRY(leat_await_all(t, f, PEER_CROWD));
    c->suspend_ms = (double)(middle_ns - begin_ns) / 1e6;
    c->wake_ms = (double)(peer_now_ns() - middle_ns) / 1e6;
    return LEAT_OK;
}

/* Each crowd is the children of a task of its own: a task keeps the results of its children until it ends, and Go's goroutines leave
 * nothing behind. */
static leat_err measure_crowd(void)
{
    struct crowd first, again;
    double before = peer_resident();
    LEAT_TRY(leat_semaphore_new(&crowd_gate, 0));
    LEAT_TRY(leat_task_run(rt, crowd_body, &first, NULL));
    LEAT_TRY(leat_task_run(rt, crowd_body, &again, NULL));
    leat_semaphore_free(crowd_gate);
    printf("{\"first_ms\":%.2f,\"warm_ms\":%.2f,\"wake_ms\":%.2f,\"bytes\":%.0f}\n", first.suspend_ms, again.suspend_ms,
           first.wake_ms < again.wake_ms ? first.wake_ms : again.wake_ms, (first.resident - before) / PEER_CROWD);
    return LEAT_OK;
}

/* ---- waking ---- */

static leat_err tells_time(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    peer_ran();
    return LEAT_OK;
}

static int submits_one(void *arg)
{
    (void)arg;
    return leat_task_submit(rt, tells_time, NULL, NULL);
}

static int submits_one_with_handle(void *handle)
{
    return leat_task_submit(rt, tells_time, NULL, handle);
}

static int ends_handle(void *handle)
{
    leat_handle *h = *(leat_handle **)handle;
    leat_err err = leat_handle_wait(h, -1, NULL, NULL);
    leat_handle_free(h);
    return err;
}

static leat_err measure_wake(int with_handle)
{
    leat_handle *h = NULL;
    int rc = with_handle ? peer_wakes(submits_one_with_handle, ends_handle, &h) : peer_wakes(submits_one, NULL, NULL);
    return (leat_err)rc;
}

static leat_err measure(const char *name)
{
    if (strcmp(name, "fib") == 0) return measure_fib("inline", fib_inline_body);
    if (strcmp(name, "fib_opaque") == 0) return measure_fib("opaque", fib_opaque_body);
    if (strcmp(name, "loop") == 0) return measure_loop();
    if (strcmp(name, "pareto") == 0) return measure_pareto(0);
    if (strcmp(name, "ascending") == 0) return measure_pareto(1);
    if (strcmp(name, "submit") == 0) return measure_submit();
    if (strcmp(name, "submit_handle") == 0) return measure_submit_handle();
    if (strcmp(name, "submit_batch") == 0) return measure_submit_batch();
    if (strcmp(name, "yield") == 0) return leat_task_run(rt, yield_body, NULL, NULL);
    if (strcmp(name, "crowd") == 0) return measure_crowd();
    if (strcmp(name, "wake") == 0) return measure_wake(0);
    if (strcmp(name, "wake_handle") == 0) return measure_wake(1);
    exit(PEER_NO_MEASURE);
}

int main(int argc, char **argv)
{
    leat_runtime_opts opts = { .worker_count = argc > 2 ? (uint32_t)atoi(argv[2]) : 2 };
    if (leat_runtime_new(&rt, &opts) != LEAT_OK) return 2;
    leat_err err = measure(argc > 1 ? argv[1] : "");
    leat_runtime_free(rt);
    if (err != LEAT_OK) fprintf(stderr, "%s\n", leat_err_sentence(err));
    return err == LEAT_OK ? 0 : 2;
}
