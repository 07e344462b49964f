/*
 * threads.c: threads of the model, on one thread of the system.
 *
 * Each has a stack of its own; the shipped sources may switch to stacks of theirs on top of that: what is saved at a switch is where
 * the thread stands, wherever that is. Thread-locals of the program are swapped at each switch. A thread that waits is a state; when all
 * wait and nobody's time can come, that is a deadlock. Time stands still unless somebody asks for it, and jumps to the first limit when
 * all wait.
 */
#include "model.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

thread explore_thread[THREADS_MAX];
thread *explore_me;
unsigned explore_thread_count;
int64_t explore_now_ns;
static leat_i_fiber director;
static bool failed;
static unsigned steps;
static unsigned char *tls_at;
static size_t tls_bytes;
static unsigned char tls_fresh[512];
static const explore_case *running_case;

static int tls_find(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            tls_at = info->dlpi_tls_data;
            tls_bytes = info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the program itself comes first, and is all that matters */
}

bool explore_is_tls(const void *p)
{
    return (uintptr_t)p - (uintptr_t)tls_at < tls_bytes;
}

void explore_threads_init(void)
{
    dl_iterate_phdr(tls_find, NULL);
    if (tls_bytes > sizeof tls_fresh) abort();
    if (tls_bytes > 0) memcpy(tls_fresh, tls_at, tls_bytes);
    char *stacks = mmap(NULL, (size_t)THREADS_MAX * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) abort();
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        explore_thread[i].number = i;
        explore_thread[i].stack = stacks + (size_t)i * STACK_BYTES;
    }
    leat_i_fiber_adopt_thread(&director);
}

static void thread_go(thread *to)
{
    thread *from = explore_me;
    if (from == to) return;
    if (tls_bytes > 0) {
        if (from) memcpy(from->tls, tls_at, tls_bytes);
        memcpy(tls_at, to ? to->tls : tls_fresh, tls_bytes);
    }
    explore_me = to;
    leat_i_fiber_switch(from ? &from->fiber : &director, to ? &to->fiber : &director, false);
}

static const char *state_name(enum thread_state state)
{
    static const char *const name[] = { "none", "ready", "futex", "mutex",  "condition",
                                        "join", "flag",  "poll",  "settle", "ended" };
    return name[state];
}

void explore_fail(const char *file, int line, const char *what)
{
    if (explore_tracing) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
        for (unsigned i = 0; i < explore_thread_count; i++)
            fprintf(stderr, "  thread %u: %s\n", i, state_name(explore_thread[i].state));
    }
    failed = true;
    thread_go(NULL);
    abort();
}

void explore_finish(void)
{
    thread_go(NULL);
    abort();
}

static bool can_run(const thread *t)
{
    return t->state == THREAD_READY;
}

/* The first of those whose wait has a limit; NULL = nobody's has. */
static thread *first_timed(void)
{
    thread *first = NULL;
    for (unsigned i = 0; i < explore_thread_count; i++) {
        thread *t = &explore_thread[i];
        if ((t->state != THREAD_FUTEX && t->state != THREAD_COND) || t->until_ns == LEAT_I_NEVER_NS) continue;
        if (!first || t->until_ns < first->until_ns) first = t;
    }
    return first;
}

static void time_out(thread *t)
{
    if (t->until_ns > explore_now_ns) explore_now_ns = t->until_ns;
    t->timed_out = true;
    explore_ready(t);
}

void explore_ready(thread *t)
{
    t->state = THREAD_READY;
    t->until_ns = LEAT_I_NEVER_NS;
}

/* Others than this one that may go on, beginning with the next; those that have paused only if `paused`. */
static unsigned others(thread **list, bool paused)
{
    unsigned count = 0, n = explore_thread_count, from = explore_me->number;
    for (unsigned i = 1; i < n; i++) {
        thread *t = &explore_thread[(from + i) % n];
        if (can_run(t) && (paused || !t->yielded)) list[count++] = t;
    }
    return count;
}

static void count_step(void)
{
    if (++steps > STEPS_MAX) explore_fail(__FILE__, __LINE__, "livelock: it does not end");
}

void explore_point(void)
{
    thread *list[THREADS_MAX];
    count_step();
    if (!explore_may(CHOICE_SWITCH)) return;
    unsigned count = others(list, true);
    thread *timed = first_timed();
    unsigned options = 1 + count + (timed ? 1 : 0);
    unsigned pick = explore_choose(options, CHOICE_SWITCH);
    if (pick == 0) return;
    if (pick == count + 1) {
        time_out(timed);
        list[count] = timed;
    }
    explore_trace("[%u] is interrupted\n", explore_me->number);
    thread_go(list[pick - 1]);
}

void explore_yield(void)
{
    thread *list[THREADS_MAX];
    count_step();
    explore_me->yielded = true;
    unsigned count = others(list, false);
    if (count == 0) {
        for (unsigned i = 0; i < explore_thread_count; i++)
            explore_thread[i].yielded = false;
        count = others(list, true);
    }
    if (count == 0) return;
    unsigned pick = explore_choose(count, CHOICE_SWITCH);
    thread_go(list[pick]);
    explore_me->yielded = false;
}

/* Somebody else goes on; when nobody can, time passes, and then whoever waits for the others to have come to rest. */
static void go_on_elsewhere(void)
{
    thread *list[THREADS_MAX];
    unsigned count = others(list, false);
    if (count == 0) count = others(list, true);
    if (count == 0) {
        if (explore_thread[0].state == THREAD_SETTLE) {
            explore_ready(&explore_thread[0]);
            list[count++] = &explore_thread[0];
        } else if (first_timed()) {
            list[count++] = first_timed();
            time_out(list[0]);
        } else {
            explore_fail(__FILE__, __LINE__, "deadlock: everybody waits");
        }
    }
    thread_go(list[explore_choose(count, CHOICE_FREE)]);
}

void explore_block(enum thread_state state, const void *object, uint32_t value, int64_t until_ns)
{
    thread *t = explore_me;
    count_step();
    t->state = state;
    t->waits_for = object;
    t->waits_value = value;
    t->until_ns = until_ns;
    t->timed_out = false;
    t->yielded = false;
    explore_trace("[%u] waits (%s)\n", t->number, state_name(state));
    go_on_elsewhere();
}

void explore_settle(void)
{
    explore_quiet(true);
    explore_block(THREAD_SETTLE, NULL, 0, LEAT_I_NEVER_NS);
    explore_quiet(false);
}

static void thread_main(void *arg)
{
    thread *t = arg;
    leat_i_fiber_begin(&director);
    t->fn(t->arg);
    explore_keys_end(t);
    explore_trace("[%u] ends\n", t->number);
    t->state = THREAD_ENDED;
    for (unsigned i = 0; i < explore_thread_count; i++)
        if (explore_thread[i].state == THREAD_JOIN && explore_thread[i].waits_value == t->number)
            explore_ready(&explore_thread[i]);
    if (t->number == 0) explore_finish();
    go_on_elsewhere();
    abort();
}

unsigned explore_start(void (*fn)(void *arg), void *arg)
{
    if (explore_thread_count == THREADS_MAX) explore_fail(__FILE__, __LINE__, "too many threads");
    thread *t = &explore_thread[explore_thread_count++];
    t->fn = fn;
    t->arg = arg;
    t->yielded = false;
    memset(t->value, 0, sizeof t->value);
    memcpy(t->tls, tls_fresh, sizeof t->tls);
    explore_view_inherit(t, explore_me);
    leat_i_fiber_make(&t->fiber, t->stack, STACK_BYTES, thread_main, t);
    explore_ready(t);
    return t->number;
}

void explore_join(unsigned number)
{
    thread *t = &explore_thread[number];
    explore_point();
    while (t->state != THREAD_ENDED)
        explore_block(THREAD_JOIN, NULL, number, LEAT_I_NEVER_NS);
    explore_view_take(explore_me, explore_view_give(t));
}

void explore_join_all(void)
{
    for (unsigned i = 1; i < explore_thread_count; i++)
        explore_join(i);
}

static void case_main(void *arg)
{
    (void)arg;
    running_case->run();
}

bool explore_execute(const explore_case *c)
{
    running_case = c;
    failed = false;
    steps = 0;
    explore_now_ns = LEAT_I_NS_PER_S;
    explore_thread_count = 0;
    explore_me = NULL;
    explore_race_reset();
    explore_memory_reset();
    explore_doors_reset();
    explore_descriptors_reset();
    thread_go(&explore_thread[explore_start(case_main, NULL)]);
    return !failed;
}

/* ---- flags ---- */

void explore_flag_add(explore_flag *flag, uint32_t n)
{
    explore_point();
    flag->value += n;
    for (unsigned i = 0; i < explore_thread_count; i++) {
        thread *t = &explore_thread[i];
        if (t->state == THREAD_FLAG && t->waits_for == flag && flag->value >= t->waits_value) explore_ready(t);
    }
}

void explore_flag_await(explore_flag *flag, uint32_t least)
{
    explore_point();
    while (flag->value < least)
        explore_block(THREAD_FLAG, flag, least, LEAT_I_NEVER_NS);
}

uint32_t explore_flag_get(const explore_flag *flag)
{
    return flag->value;
}
