/*
 * overflow.c: a run past the end of a stack ends the process with a sentence that names the node.
 *
 * One handler for SIGSEGV and SIGBUS serves the whole process while there is any runtime; each worker has a signal stack of its
 * own, since the one it stands on is what has run out. The handler looks only at the faulting thread's own worker, and hands every
 * signal on to what was there before it: another handler, or the default that ends the process.
 */
#include "runtime.h"

#include "../base/check.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_STACK_BYTES 65536u
#define MESSAGE_BYTES      256u

static const int overflow_signal[] = { SIGSEGV, SIGBUS };
#define OVERFLOW_SIGNALS (sizeof overflow_signal / sizeof overflow_signal[0])

static pthread_mutex_t overflow_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool
    overflow_buried[OVERFLOW_SIGNALS]; /* under another's handler: it stays, lest each hand on to the other for ever */
static uint32_t overflow_users;        /* guarded by overflow_mutex */
static struct sigaction overflow_old[OVERFLOW_SIGNALS]; /* written before the handler is in force */

static size_t text_put(char *text, size_t at, const char *s)
{
    while (*s && at < MESSAGE_BYTES - 1)
        text[at++] = *s++;
    return at;
}

static size_t text_put_u32(char *text, size_t at, uint32_t v)
{
    char digits[12];
    size_t i = sizeof digits - 1;
    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + v % 10);
    } while ((v /= 10) > 0);
    return text_put(text, at, digits + i);
}

/* Async-signal-safe: no stdio. */
static void overflow_report(const leat_i_worker *w, const leat_task *task)
{
    char text[MESSAGE_BYTES];
    size_t at = text_put(text, 0, "leat: stack overflow in ");
    if (task && task->name) {
        at = text_put(text, at, "node \"");
        at = text_put(text, at, task->name);
        at = text_put(text, at, "\"");
    } else {
        at = text_put(text, at, "a task");
    }
    at = text_put(text, at, " (stack of ");
    at = text_put_u32(text, at, w->rt->stacks.stack_bytes);
    at = text_put(text, at, " bytes; raise stack_bytes)\n");
    ssize_t written = write(STDERR_FILENO, text, at);
    (void)written;
}

static void overflow_chain(int number, siginfo_t *info, void *context)
{
    size_t i = number == overflow_signal[0] ? 0 : 1;
    const struct sigaction *old = &overflow_old[i];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(number, info, context);
    } else if (old->sa_handler == SIG_IGN && info->si_code <= 0) {
        /* Sent by a process, to one that had said it does not care. */
    } else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) {
        /* The instruction faults again on return, with the default in force; what a process has sent has to be sent again. */
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigaction(number, &action, NULL);
        if (info->si_code <= 0) raise(number);
    } else {
        old->sa_handler(number);
    }
}

static void overflow_handler(int number, siginfo_t *info, void *context)
{
    const leat_i_worker *w = leat_i_worker_current();
    const leat_i_waiter *s = w ? w->running : NULL;
    if (s) {
        uintptr_t at = (uintptr_t)info->si_addr, low = (uintptr_t)s->low;
        if (at < low && at >= low - w->rt->stacks.guard_bytes) overflow_report(w, s->task);
    }
    overflow_chain(number, info, context);
}

static bool overflow_is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == overflow_handler;
}

void leat_i_overflow_install(void)
{
    pthread_mutex_lock(&overflow_mutex);
    bool first = overflow_users++ == 0;
    for (size_t i = 0; first && i < OVERFLOW_SIGNALS; i++) {
        struct sigaction action = { .sa_sigaction = overflow_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
        sigemptyset(&action.sa_mask);
        if (overflow_buried[i]) continue;
        sigaction(overflow_signal[i], NULL, &overflow_old[i]);
        sigaction(overflow_signal[i], &action, NULL);
    }
    pthread_mutex_unlock(&overflow_mutex);
}

void leat_i_overflow_remove(void)
{
    pthread_mutex_lock(&overflow_mutex);
    bool last = --overflow_users == 0;
    for (size_t i = 0; last && i < OVERFLOW_SIGNALS; i++) {
        struct sigaction now;
        sigaction(overflow_signal[i], NULL, &now);
        if (overflow_is_ours(&now)) {
            sigaction(overflow_signal[i], &overflow_old[i], NULL);
            overflow_buried[i] = false;
        } else {
            /* A handler that came later may hand on to ours; the default does not. */
            overflow_buried[i] = (now.sa_flags & SA_SIGINFO) || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN);
        }
    }
    pthread_mutex_unlock(&overflow_mutex);
}

void leat_i_overflow_thread_begin(leat_i_worker *w)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < OVERFLOW_SIGNALS; i++)
        sigaddset(&set, overflow_signal[i]);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* A fault while blocked would end the process without a word. */
    w->signal_stack = leat_i_alloc(SIGNAL_STACK_BYTES);
    if (!w->signal_stack) return; /* The message is lost, the rest is not. */
    stack_t stack = { .ss_sp = w->signal_stack, .ss_size = SIGNAL_STACK_BYTES };
    sigaltstack(&stack, &w->signal_stack_old);
}

void leat_i_overflow_thread_end(leat_i_worker *w)
{
    if (!w->signal_stack) return;
    /* Sanitizers had one of their own here, and free what they find. */
    if (w->signal_stack_old.ss_flags & SS_DISABLE) w->signal_stack_old.ss_size = SIGNAL_STACK_BYTES;
    sigaltstack(&w->signal_stack_old, NULL);
    leat_i_free(w->signal_stack);
    w->signal_stack = NULL;
}
