/*
 * semaphore.c: permits for tasks, in the order of asking.
 *
 * Under the mutex: a permit is either counted in `free`, or handed to the first waiter, who is then out of the line and marked as
 * granted. A waiter that is stopped looks under the mutex: when it is still in the line it leaves it, when it was granted
 * meanwhile it keeps the permit and the acquire has succeeded; so no permit is lost, and none is held after an error. Waiters stand
 * on their tasks' stacks; the unpark comes after the mutex, and touches only the stack's head, which lives on.
 */
#include "runtime.h"

#include "../base/check.h"

struct semaphore_waiter {
    struct semaphore_waiter *next, *prev;
    leat_i_waiter *stack;
    bool granted; /* guarded by mutex */
};

struct leat_semaphore {
    pthread_mutex_t mutex;
    uint32_t free;
    struct semaphore_waiter *first, *last;
};

leat_err leat_semaphore_new(leat_semaphore **out, uint32_t count)
{
    *out = NULL;
    if (count > INT32_MAX) return LEAT_USAGE;
    leat_semaphore *s = leat_i_alloc_zeroed(sizeof *s);
    if (!s) return LEAT_NOMEM;
    if (pthread_mutex_init(&s->mutex, NULL) != 0) {
        leat_i_free(s);
        return LEAT_NOMEM;
    }
    s->free = count;
    *out = s;
    return LEAT_OK;
}

void leat_semaphore_free(leat_semaphore *s)
{
    if (!s) return;
    LEAT_ASSERT(!s->first);
    pthread_mutex_destroy(&s->mutex);
    leat_i_free(s);
}

static void line_append(leat_semaphore *s, struct semaphore_waiter *me)
{
    me->prev = s->last;
    if (s->last)
        s->last->next = me;
    else
        s->first = me;
    s->last = me;
}

static void line_remove(leat_semaphore *s, struct semaphore_waiter *me)
{
    if (me->prev)
        me->prev->next = me->next;
    else
        s->first = me->next;
    if (me->next)
        me->next->prev = me->prev;
    else
        s->last = me->prev;
}

/* Takes a permit if nobody is before us, else stands in line. */
static bool semaphore_try(leat_semaphore *s, struct semaphore_waiter *me)
{
    pthread_mutex_lock(&s->mutex);
    bool taken = s->free > 0 && !s->first;
    if (taken)
        s->free--;
    else
        line_append(s, me);
    pthread_mutex_unlock(&s->mutex);
    return taken;
}

/* Whether it was granted; if not, and `leave`, it stands in line no more. */
static bool semaphore_granted(leat_semaphore *s, struct semaphore_waiter *me, bool leave)
{
    pthread_mutex_lock(&s->mutex);
    bool granted = me->granted;
    if (!granted && leave) line_remove(s, me);
    pthread_mutex_unlock(&s->mutex);
    return granted;
}

static leat_err semaphore_wait(leat_task *t, leat_semaphore *s, struct semaphore_waiter *me)
{
    for (;;) {
        leat_err err = leat_i_park(t, LEAT_I_NEVER_NS);
        if (semaphore_granted(s, me, err != LEAT_OK)) return LEAT_OK;
        if (err != LEAT_OK) return err;
    }
}

leat_err leat_semaphore_acquire(leat_task *t, leat_semaphore *s)
{
    LEAT_I_TASK_TRY(t);
    struct semaphore_waiter me = { .stack = leat_i_task_waiter(t) };
    LEAT_TRY(leat_i_task_check(t));
    if (semaphore_try(s, &me)) return LEAT_OK;
    int64_t begin_ns = leat_i_wait_begin(t);
    leat_err err = semaphore_wait(t, s, &me);
    leat_i_wait_end(t, LEAT_I_WAIT_SEMAPHORE, begin_ns, err);
    return err;
}

void leat_semaphore_release(leat_semaphore *s)
{
    leat_i_waiter *stack = NULL;
    pthread_mutex_lock(&s->mutex);
    struct semaphore_waiter *first = s->first;
    if (first) {
        stack = first->stack;
        line_remove(s, first);
        first->granted = true;
    } else {
        s->free++;
    }
    pthread_mutex_unlock(&s->mutex);
    if (stack) leat_i_unpark(stack);
}
