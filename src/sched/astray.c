/*
 * astray.c: code of the user that leaves a callback by another way than its end, so that nobody could go on or know that it is over. It
 * ends the process with a sentence, where the alternative is to wait for ever:
 *
 *     pthread_exit, or a cancel of the thread    takes a worker, or a helper thread, away under the tasks that it runs
 *     a child of fork that leaves the callback   goes on as a worker in a process that has none, with tasks that run in the parent
 */
#include "runtime.h"

#include "../base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

/* No stdio: in a child of fork its locks may be held by threads that are not there. */
__attribute__((noreturn, cold)) static void end_saying(const char *sentence)
{
    (void)leat_i_os_write_all(STDERR_FILENO, sentence, strlen(sentence), NULL);
    abort();
}

static void thread_exits(void *sentence)
{
    end_saying(sentence);
}

static void key_make(void)
{
    key_made = pthread_key_create(&key, thread_exits) == 0;
}

void leat_i_astray_watch(const char *sentence)
{
    pthread_once(&key_once, key_make);
    if (key_made)
        (void)pthread_setspecific(key, sentence); /* Without memory for it the sentence is lost, the rest is not. */
}

void leat_i_astray_unwatch(void)
{
    if (key_made) (void)pthread_setspecific(key, NULL);
}

void leat_i_astray_child(void)
{
    end_saying("leat: a child of fork has left the callback in which it was forked: it must end there, by exec or _exit\n");
}

static void child_slot(leat_fork *f, leat_fork_slot *head, leat_fork_slot *slot)
{
    (void)f, (void)head, (void)slot;
    leat_i_astray_child();
}

static void child_ended(leat_task *t, leat_err err, const void *result, const leat_error *error)
{
    (void)t, (void)err, (void)result, (void)error;
    leat_i_astray_child();
}

void leat_i_astray_mark(leat_i_worker *w)
{
    static leat_fork_slot slot = { .run = child_slot };
    w->stolen = &slot;
    if (w->running->task) w->running->task->ended = child_ended;
}
