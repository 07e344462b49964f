/* sweep.c: see sweep.h. */
#include "support/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/os.h"

#define ROUND_S       (LEAT_ASAN || LEAT_TSAN ? 300u : 90u)
#define EVERY_UP_TO   120u
#define MISSES_NEEDED 3 /* rounds in a row that ended before the n-th: threads make the count vary a little */

/* What a call says when it is ordered to fail. */
static const struct {
    const char *call;
    int rc;
} failures[] = {
    { "open", -EMFILE },     { "eventfd", -EMFILE },        { "mmap", -ENOMEM },  { "guard", -EINVAL },
    { "mprotect", -ENOMEM }, { "pthread_create", -EAGAIN }, { "write", -ENOSPC }, { "ftruncate", -ENOSPC },
};

static LEAT_ATOMIC(uint64_t) system_seen, system_at;
static LEAT_ATOMIC(bool) system_persistent;
static char round_text[160]; /* for the alarm: what is under way */

static int system_ask(const char *call)
{
    uint64_t n = leat_add_relaxed(&system_seen, 1) + 1, at = leat_load_relaxed(&system_at);
    if (at == 0 || (leat_load_relaxed(&system_persistent) ? n < at : n != at)) return 0;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (strcmp(failures[i].call, call) == 0) return failures[i].rc;
    return -EIO;
}

static void round_hangs(int number)
{
    (void)number;
    ssize_t n = write(STDERR_FILENO, round_text, strlen(round_text));
    (void)n;
    abort();
}

/* Entries of a folder of /proc: what this process holds. */
static int count_in(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

typedef struct held {
    int64_t blocks;
    int descriptors, threads;
} held;

static held held_now(void)
{
    return (held){ leat_i_mem_live_count(), count_in("/proc/self/fd"), count_in("/proc/self/task") };
}

static bool holds_more(const held *now, const held *before)
{
    return now->blocks != before->blocks || now->descriptors > before->descriptors || now->threads > before->threads;
}

/* A joined thread may stand in /proc for a moment longer. */
static void check_held(const held *before)
{
    held now = held_now();
    int64_t until_ns = leat_i_os_now_ns() + 20 * LEAT_I_NS_PER_S;
    while (holds_more(&now, before) && leat_i_os_now_ns() < until_ns)
        now = held_now();
    if (holds_more(&now, before))
        fail_msg("%sleft behind: %lld blocks, %d descriptors, %d threads", round_text,
                 (long long)(now.blocks - before->blocks), now.descriptors - before->descriptors,
                 now.threads - before->threads);
}

void sweep_calm(void)
{
    leat_i_mem_fail_after(0, false);
    leat_store_relaxed(&system_at, 0);
}

/* One round; true when the n-th was reached. */
static bool round_run(const sweep *s, uint64_t n, bool system, bool persistent)
{
    snprintf(round_text, sizeof round_text, "%s: %s %llu%s fails\n", s->name, system ? "call" : "allocation",
             (unsigned long long)n, persistent ? " and each after it" : "");
    held before = held_now();
    uint64_t allocs = leat_i_mem_alloc_count();
    leat_store_relaxed(&system_seen, 0);
    leat_store_relaxed(&system_persistent, persistent);
    alarm(ROUND_S);
    if (system)
        leat_store_relaxed(&system_at, n);
    else
        leat_i_mem_fail_after(n, persistent);
    leat_err err = s->fn(s->arg);
    sweep_calm();
    bool reached = system ? leat_load_relaxed(&system_seen) >= n : leat_i_mem_alloc_count() - allocs >= n;
    if (err != LEAT_OK && !(s->may & SWEEP_MAY(err))) fail_msg("%sended with %s", round_text, leat_err_name(err));
    if (err != LEAT_OK && !reached) fail_msg("%sended with %s, though nothing failed", round_text, leat_err_name(err));
    check_held(&before);
    if (s->after) s->after(s->arg);
    alarm(0);
    return reached;
}

static void pass_run(const sweep *s, bool system, bool persistent)
{
    bool every = getenv("LEAT_LONG") != NULL;
    uint64_t n = 1, rounds = 0, every_up_to = s->every_up_to ? s->every_up_to : EVERY_UP_TO;
    if (LEAT_ASAN || LEAT_TSAN)
        every_up_to /= 4; /* LEAT_LONG is for the plain build: what the sanitizers add is seen soon */
    for (int misses = 0; misses < MISSES_NEEDED; rounds++) {
        misses = round_run(s, n, system, persistent) ? 0 : misses + 1;
        n += every || n < every_up_to || n < 16 ? 1 : n / 16;
    }
    printf("%s: %llu rounds of %s%s\n", s->name, (unsigned long long)rounds, system ? "calls" : "allocations",
           persistent ? ", persistent" : "");
    assert_true(rounds > MISSES_NEEDED); /* else nothing was swept */
}

void sweep_run(const sweep *s)
{
    leat_i_os_fault = system_ask; /* Set while there are no threads that read it. */
    signal(SIGALRM, round_hangs);
    leat_err err = s->fn(s->arg); /* What is made once for the process is made now. */
    if (err != LEAT_OK) fail_msg("%s: without a failure it ended with %s", s->name, leat_err_name(err));
    if (s->after) s->after(s->arg);
    pass_run(s, false, false);
    pass_run(s, false, true);
    pass_run(s, true, false);
    pass_run(s, true, true);
    leat_i_os_fault = NULL;
}
