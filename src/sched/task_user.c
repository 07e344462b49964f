/* task_user.c: the small things that a task's own code asks of its task. */
#include "runtime.h"

#include "../base/check.h"
#include "../base/err.h"

#include <stdio.h>
#include <string.h>

void *leat_task_alloc(leat_task *t, size_t size)
{
    leat_i_task_require(t, __func__);
    void *p = leat_i_arena_alloc(&t->arena, size);
    if (p)
        memset(p, 0, size);
    else
        t->nomem = true;
    return p;
}

const char *leat_task_printf(leat_task *t, const char *fmt, ...)
{
    va_list args;
    leat_i_task_require(t, __func__);
    va_start(args, fmt);
    const char *text = leat_i_arena_vprintf(&t->arena, fmt, args);
    va_end(args);
    if (text) return text;
    t->nomem = true;
    return "";
}

/* NULL when memory is short: the code's own sentence must do. */
static leat_error *task_error(leat_task *t, leat_err code, const char *fmt, va_list args)
{
    leat_error *error = leat_i_arena_alloc(&t->arena, sizeof *error);
    if (!error) return NULL;
    *error = (leat_error){ .code = code, .retry_after_ms = -1 };
    vsnprintf(error->text, sizeof error->text, fmt, args);
    return error;
}

leat_err leat_task_fail(leat_task *t, leat_err code, const char *fmt, ...)
{
    va_list args;
    leat_i_task_require(t, __func__);
    va_start(args, fmt);
    t->error = task_error(t, code, fmt, args);
    va_end(args);
    return code;
}

leat_err leat_task_fail_because(leat_task *t, leat_err code, const leat_error *cause, const char *fmt, ...)
{
    va_list args;
    leat_i_task_require(t, __func__);
    if (!cause) cause = t->error;
    va_start(args, fmt);
    t->error = task_error(t, code, fmt, args);
    va_end(args);
    if (t->error && cause) leat_i_error_because(t->error, cause);
    return code;
}

bool leat_task_is_canceled(const leat_task *t)
{
    if (LEAT_UNLIKELY(!t)) leat_i_task_require(t, __func__);
    return leat_i_task_check((leat_task *)(uintptr_t)t) != LEAT_OK;
}

leat_runtime *leat_task_runtime(const leat_task *t)
{
    if (LEAT_UNLIKELY(!t)) leat_i_task_require(t, __func__);
    return t->rt;
}

int64_t leat_task_now_ns(const leat_task *t)
{
    if (LEAT_UNLIKELY(!t)) leat_i_task_require(t, __func__);
    return leat_i_runtime_now_ns(t->rt);
}

leat_err leat_task_within(leat_task *t, int64_t duration_ms, leat_task_fn fn, void *arg, const void **result)
{
    if (!fn) return LEAT_USAGE;
    LEAT_I_TASK_TRY(t);
    const void *value = NULL;
    int64_t outer_ns = t->attempt_deadline_ns;
    if (duration_ms > 0) {
        int64_t duration_ns = duration_ms > INT64_MAX / LEAT_I_NS_PER_MS ? LEAT_I_NEVER_NS : duration_ms * LEAT_I_NS_PER_MS;
        int64_t until_ns = leat_i_os_add_ns(leat_i_runtime_now_ns(t->rt), duration_ns);
        if (until_ns < outer_ns) t->attempt_deadline_ns = until_ns;
    }
    leat_err err = fn(t, arg, &value);
    /* A child inherits the deadline as the end of its run, so it may say LEAT_CANCELED before we notice that time is up. */
    if (err == LEAT_CANCELED && leat_i_task_check(t) == LEAT_TIMEOUT) err = LEAT_TIMEOUT;
    t->attempt_deadline_ns = outer_ns;
    if (err == LEAT_OK && result) *result = value;
    return err;
}

/* What a task had when a scope began. */
struct scope {
    leat_i_arena_mark memory;
    leat_future *children;
    leat_error *error;
    bool nomem;
};

/* Apart, so that the story takes no room on the stack while the scope runs. */
__attribute__((noinline)) static void scope_end(leat_task *t, const struct scope *outer, leat_err err, leat_error *error)
{
    leat_error story;
    bool kept = err != LEAT_OK && !error;
    if (err != LEAT_OK) *(error ? error : &story) = t->error && t->error->code == err ? *t->error : *leat_i_error_of(err);
    leat_i_arena_rewind(&t->arena, outer->memory);
    t->error = kept ? leat_i_arena_alloc(&t->arena, sizeof story) : outer->error;
    if (kept && t->error) *t->error = story;
    t->nomem = outer->nomem;
}

leat_err leat_task_scope(leat_task *t, leat_task_fn fn, void *arg, leat_error *error)
{
    LEAT_I_TASK_TRY(t);
    if (!fn) return leat_i_missing(__func__, "a function");
    const struct scope outer = { leat_i_arena_save(&t->arena), t->children, t->error, t->nomem };
    const void *result = NULL;
    t->nomem = false;
    leat_err err = fn(t, arg, &result);
    leat_i_task_end_children(t, outer.children);
    if (err == LEAT_OK && t->nomem) err = LEAT_NOMEM;
    scope_end(t, &outer, err, error);
    return err;
}
