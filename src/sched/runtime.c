/* runtime.c: making and ending a runtime, its log, and what other rooms keep in it. */
#include "runtime.h"

#include "../base/check.h"

#include <stdio.h>
#include <string.h>

#define STACK_BYTES_DEFAULT  65536u
#define STACK_SANITIZER_GAIN 4u
#define STACK_BYTES_MAX      (64u << 20)
#define BLOCKING_DEFAULT     64u
#define BLOCKING_LIMIT       4096u
#define SPIN_NS              10000u
#define LOG_BYTES            512u

static void log_to(void (*log)(void *arg, leat_log_level level, const char *text), void *log_arg, leat_log_level level,
                   const char *text)
{
    if (log)
        log(log_arg, level, text);
    else
        fprintf(stderr, "leat: %s\n", text);
}

void leat_i_runtime_log(leat_runtime *rt, leat_log_level level, const char *fmt, ...)
{
    if (!rt->log && level != LEAT_LOG_WARNING) return;
    char text[LOG_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_to(rt->log, rt->log_arg, level, text);
}

uint32_t leat_runtime_worker_count(const leat_runtime *rt)
{
    return rt ? rt->worker_count : 0;
}

/* Makes the parts that live in the runtime's memory; false = nothing is left to undo but what fini_parts undoes. */
static bool worker_init(leat_runtime *rt, uint32_t index)
{
    leat_i_worker *w = &rt->worker[index];
    w->rt = rt;
    w->index = index;
    leat_i_os_random(&w->random, sizeof w->random);
    leat_store_relaxed(&w->next_ns, LEAT_I_NEVER_NS);            /* relaxed: no thread yet */
    return leat_i_deque_init(&w->deque) && leat_i_stack_fill(w); /* The loop needs a stack before it can wait for one. */
}

static void runtime_dealloc(leat_runtime *rt)
{
    if (rt->worker) leat_i_task_pool_fini(rt);
    for (uint32_t i = 0; rt->worker && i < rt->worker_count; i++) {
        leat_i_worker *w = &rt->worker[i];
        leat_i_deque_fini(&w->deque);
        leat_i_heap_fini(&w->timers);
        leat_i_fork_fini(w);
    }
    leat_i_free(rt->worker);
    leat_i_stack_pool_fini(&rt->stacks);
    pthread_mutex_destroy(&rt->room_mutex);
    pthread_mutex_destroy(&rt->clock_mutex);
    leat_i_free(rt);
}

/* Reads the options; the mutexes and the stack pool come first, since runtime_dealloc takes them for granted. */
static leat_runtime *runtime_alloc(const leat_runtime_opts *opts)
{
    leat_runtime *rt = leat_i_alloc_aligned(64, sizeof *rt);
    if (!rt) return NULL;
    memset(rt, 0, sizeof *rt);
    rt->worker_count = opts->worker_count ? opts->worker_count : leat_i_os_cpu_count();
    if (rt->worker_count > LEAT_I_WORKERS_MAX) rt->worker_count = LEAT_I_WORKERS_MAX;
    rt->virtual_clock = opts->virtual_clock;
    rt->searching_max = opts->virtual_clock ? 0 : rt->worker_count / 2;
    rt->spin_ns = rt->searching_max ? SPIN_NS : 0;
    rt->fork_count = leat_i_fork_count();
    rt->log = opts->log;
    rt->log_arg = opts->log_arg;
    leat_store_relaxed(&rt->virtual_ns, LEAT_I_NS_PER_S); /* not 0, so that differences with it are seen as times */
    uint32_t stack_bytes = opts->stack_bytes;
    if (!stack_bytes) stack_bytes = STACK_BYTES_DEFAULT * (LEAT_ASAN || LEAT_TSAN ? STACK_SANITIZER_GAIN : 1);
    pthread_mutex_init(&rt->room_mutex, NULL);
    pthread_mutex_init(&rt->clock_mutex, NULL);
    if (leat_i_stack_pool_init(&rt->stacks, stack_bytes) != 0) {
        leat_i_free(rt);
        return NULL;
    }
    size_t bytes = rt->worker_count * sizeof rt->worker[0];
    rt->worker = leat_i_alloc_aligned(64, bytes);
    if (rt->worker) memset(rt->worker, 0, bytes);
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        if (rt->worker && worker_init(rt, i)) continue;
        runtime_dealloc(rt);
        return NULL;
    }
    return rt;
}

/* Ends the first `count` workers, which have nothing to do any more. */
static void runtime_join(leat_runtime *rt, uint32_t count)
{
    leat_store_seq_cst(&rt->stop, 1); /* pairs with the look before a worker parks */
    for (uint32_t i = 0; i < count; i++)
        leat_i_worker_wake(&rt->worker[i]);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(rt->worker[i].thread, NULL);
}

static bool runtime_start(leat_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "leat-%u", i);
        if (leat_i_os_thread_start(&rt->worker[i].thread, name, leat_i_worker_main, &rt->worker[i]) == 0) continue;
        runtime_join(rt, i);
        return false;
    }
    return true;
}

static leat_err opt_refuse(const leat_runtime_opts *opts, const char *name, uint32_t value, uint32_t least, uint32_t most)
{
    char text[LOG_BYTES];
    snprintf(text, sizeof text, "leat_runtime_new: %s is %u, and may be 0 (the default) or from %u to %u", name, value,
             least, most);
    log_to(opts->log, opts->log_arg, LEAT_LOG_WARNING, text);
    return LEAT_USAGE;
}

static leat_err opts_check(const leat_runtime_opts *opts)
{
    if (opts->worker_count > LEAT_I_WORKERS_MAX)
        return opt_refuse(opts, "worker_count", opts->worker_count, 1, LEAT_I_WORKERS_MAX);
    if (opts->blocking_max > BLOCKING_LIMIT) return opt_refuse(opts, "blocking_max", opts->blocking_max, 1, BLOCKING_LIMIT);
    if (opts->stack_bytes > 0 && (opts->stack_bytes < LEAT_I_STACK_BYTES_MIN || opts->stack_bytes > STACK_BYTES_MAX))
        return opt_refuse(opts, "stack_bytes", opts->stack_bytes, LEAT_I_STACK_BYTES_MIN, STACK_BYTES_MAX);
    return LEAT_OK;
}

leat_err leat_runtime_new(leat_runtime **out, const leat_runtime_opts *opts)
{
    static const leat_runtime_opts defaults = { 0 };
    if (!out) return LEAT_USAGE;
    *out = NULL;
    if (!opts) opts = &defaults;
    LEAT_TRY(opts_check(opts));
    if (leat_i_worker_current()) {
        log_to(opts->log, opts->log_arg, LEAT_LOG_WARNING,
               "leat_runtime_new was called inside a task: its runtime is there");
        return LEAT_USAGE;
    }
    leat_runtime *rt = runtime_alloc(opts);
    if (!rt) return LEAT_NOMEM;
    leat_i_blocking_init(&rt->blocking, opts->blocking_max ? opts->blocking_max : BLOCKING_DEFAULT);
    leat_i_overflow_install();
    if (!runtime_start(rt)) {
        leat_i_overflow_remove();
        leat_i_blocking_fini(&rt->blocking);
        runtime_dealloc(rt);
        return LEAT_NOMEM;
    }
    leat_i_runtime_log(rt, LEAT_LOG_DEBUG, "runtime started: %u workers, stacks of %u bytes guarded by %s", rt->worker_count,
                       rt->stacks.stack_bytes, leat_i_stack_pool_guard_name(&rt->stacks));
    *out = rt;
    return LEAT_OK;
}

static void runtime_wait_zero(LEAT_ATOMIC(uint32_t) * word)
{
    uint32_t left;
    while ((left = leat_load_seq_cst(word)) != 0)
        leat_i_os_futex_wait(word, left, LEAT_I_NEVER_NS);
}

/* Cancels and joins the tasks whose handles were not freed, and those that have none: every park answers LEAT_CANCELED from now on. */
static void runtime_end_roots(leat_runtime *rt)
{
    uint32_t roots = leat_load_acquire(&rt->roots); /* acquire: pairs with the release of leat_i_runtime_root_ended */
    if (roots)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING, "the runtime is freed while %u tasks still run; they are canceled", roots);
    else if (!leat_load_acquire(&rt->detached)) /* acquire: pairs with the flush in detached.c */
        return;
    leat_store_seq_cst(&rt->canceling, 1); /* before the loads below; those who end order it the other way */
    leat_i_stack_pool_each(&rt->stacks, leat_i_unpark);
    runtime_wait_zero(&rt->roots);
    runtime_wait_zero(&rt->detached);
    uint32_t canceled = 0;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        canceled += rt->worker[i].detached.canceled;
    if (canceled)
        leat_i_runtime_log(rt, LEAT_LOG_WARNING,
                           "the runtime was freed before %u tasks without a handle had ended; they were canceled", canceled);
}

void leat_runtime_free(leat_runtime *rt)
{
    if (!rt || leat_i_runtime_is_forked(rt)) return;
    const leat_task *helped = leat_i_blocking_task();
    if (leat_i_worker_current() || (helped && helped->rt == rt)) {
        leat_i_runtime_log(rt, LEAT_LOG_WARNING, "leat_runtime_free was called inside a task; the runtime stays");
        return;
    }
    leat_i_detached_close();
    runtime_end_roots(rt);
    for (uint32_t order = rt->room_count; order > 0; order--)
        for (int i = 0; i < LEAT_I_ROOM_COUNT; i++)
            if (rt->room[i].order == order) rt->room[i].free(leat_load_relaxed(&rt->room[i].object));
    leat_i_blocking_fini(&rt->blocking);
    runtime_join(rt, rt->worker_count);
    leat_i_overflow_remove();
    runtime_dealloc(rt);
}

void *leat_i_runtime_room(leat_runtime *rt, leat_i_room room, void *(*make)(leat_runtime *rt), void (*free)(void *object))
{
    if (leat_i_runtime_is_forked(rt))
        return NULL; /* what is there has lost its thread, and the mutex may be held by another */
    void *object = leat_load_acquire(&rt->room[room].object); /* acquire: pairs with the release below */
    if (object) return object;
    pthread_mutex_lock(&rt->room_mutex);
    object = leat_load_relaxed(&rt->room[room].object);
    if (!object && (object = make(rt))) {
        rt->room[room].free = free;
        rt->room[room].order = ++rt->room_count;
        leat_store_release(&rt->room[room].object, object); /* release: the object is whole */
    }
    pthread_mutex_unlock(&rt->room_mutex);
    return object;
}

void leat_i_runtime_root_ended(leat_runtime *rt)
{
    /* seq_cst, both: partners of the store and the load in runtime_end_roots. */
    if (leat_sub_seq_cst(&rt->roots, 1) == 1 && leat_load_seq_cst(&rt->canceling))
        leat_i_os_futex_wake(&rt->roots, INT32_MAX);
}
