/*
 * attempt.c: the attempts of exec, the waits between them, and the fallback after the last.
 *
 * What happens exactly once per attempt: a permit of the run's budget is taken (if there is one), the attempt's deadline is
 * set, exec is called, the deadline is put back, the permit is given back. Waits hold no permit.
 *
 * A cancel, and a deadline that belongs to something around the attempt, end it all: no further attempt, no fallback.
 */
#include "window.h"

#include <stdio.h>

#define RETRY_WAIT_MAX_MS INT64_C(60000)  /* of a growing wait, unless the options say otherwise */
#define RETRY_TOLD_MAX_MS INT64_C(600000) /* of what a server asks for: beyond it, trying is better than believing */

bool leat_i_retry_wanted(const leat_node_opts *opts, const leat_error *cause)
{
    if (cause->code == LEAT_CANCELED) return false;
    if (opts->retry_if) return opts->retry_if(cause);
    return cause->code != LEAT_USAGE && cause->code != LEAT_NOMEM;
}

/* The wait before attempt `attempt` by the options alone. */
static int64_t wait_own_ms(const leat_node_opts *opts, uint32_t attempt)
{
    int64_t ms = opts->retry_wait_ms, max = opts->retry_wait_max_ms > 0 ? opts->retry_wait_max_ms : RETRY_WAIT_MAX_MS;
    if (opts->backoff == LEAT_BACKOFF_CONSTANT || ms <= 0) return ms;
    for (uint32_t n = 1; n < attempt && ms < max; n++)
        ms = ms > max / 2 ? max : ms * 2;
    if (ms > max) ms = max;
    if (opts->backoff == LEAT_BACKOFF_JITTER) {
        uint64_t seed;
        leat_i_os_random(&seed, sizeof seed);
        ms = ms / 2 + (int64_t)(leat_i_rand_unit(&seed) * (double)(ms - ms / 2 + 1));
    }
    return ms;
}

leat_err leat_i_retry_wait(leat_task *t, const leat_node_opts *opts, uint32_t attempt, const leat_error *cause)
{
    int64_t ms = wait_own_ms(opts, attempt), told = cause->retry_after_ms;
    if (told > RETRY_TOLD_MAX_MS) told = RETRY_TOLD_MAX_MS;
    if (ms < told) ms = told;
    if (ms <= 0) return leat_i_stop_check(t);
    int64_t begin_ns = leat_i_wait_begin(t);
    leat_err err = leat_sleep_ms(t, ms);
    leat_i_wait_end(t, LEAT_I_WAIT_RETRY, begin_ns, err);
    return err;
}

/* What a helper thread needs to call exec; the task is suspended meanwhile, so that exec may use it. */
struct blocking_call {
    leat_task *t;
    leat_err (*exec)(leat_task *t, const void *prep_res, const void **exec_res);
    const void *prep_res;
    const void **exec_res;
};

static leat_err blocking_main(void *arg)
{
    struct blocking_call *call = arg;
    return call->exec(call->t, call->prep_res, call->exec_res);
}

static leat_err exec_call(leat_task *t, const leat_node *node, const void *prep_res, const void **exec_res)
{
    if (LEAT_LIKELY(!node->opts.blocking)) return node->cls->exec(t, prep_res, exec_res);
    struct blocking_call call = { t, node->cls->exec, prep_res, exec_res };
    return leat_blocking(t, blocking_main, &call);
}

/* exec under the attempt's own deadline. */
static leat_err exec_within(leat_task *t, const leat_node *node, const void *prep_res, const void **exec_res)
{
    int64_t around = t->attempt_deadline_ns, ms = node->opts.attempt_deadline_ms;
    int64_t own =
        ms > INT64_MAX / LEAT_I_NS_PER_MS ? LEAT_I_NEVER_NS : leat_i_os_add_ns(leat_task_now_ns(t), ms * LEAT_I_NS_PER_MS);
    if (own < around) t->attempt_deadline_ns = own;
    leat_err err = exec_call(t, node, prep_res, exec_res);
    bool passed = err != LEAT_OK && own < around && leat_task_now_ns(t) >= own;
    /* A task that exec awaited had this deadline as the end of its run, and may have noticed it first. */
    if (passed && err == LEAT_CANCELED && leat_i_task_check(t) == LEAT_TIMEOUT) {
        err = LEAT_TIMEOUT;
        t->error = NULL;
    }
    t->attempt_deadline_ns = around;
    if (passed && err == LEAT_TIMEOUT && (!t->error || t->error->code != LEAT_TIMEOUT))
        leat_task_fail(t, LEAT_TIMEOUT, "the attempt's deadline of %lld ms passed", (long long)ms);
    return err;
}

/* Gives back a permit of each run from `run` outwards that has a budget, up to `end`. */
static void permits_release(const leat_i_run *run, const leat_i_run *end)
{
    for (; run != end; run = run->outer) {
        if (run->budget) leat_semaphore_release(run->budget);
    }
}

leat_err leat_i_permit_take(leat_task *t, struct leat_i_visit *v)
{
    /* Inner budgets first, always in this order: so nobody waits for one that waits for it. */
    for (leat_i_run *r = v->frame->run; r; r = r->outer) {
        leat_err err = r->budget ? leat_semaphore_acquire(t, r->budget) : LEAT_OK;
        if (err == LEAT_OK) continue;
        permits_release(v->frame->run, r);
        return err;
    }
    leat_store_release(&v->permit, true); /* release: pairs with the exchange in permit_give */
    return LEAT_OK;
}

bool leat_i_permit_give(struct leat_i_visit *v)
{
    /* acq_rel: a task that the attempt started may give them back too; one of the two does. */
    if (!leat_exchange_acq_rel(&v->permit, false)) return false;
    permits_release(v->frame->run, NULL);
    return true;
}

/* One attempt, from the permit to its return. */
static leat_err attempt_once(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void **exec_res)
{
    const leat_node *node = v->node;
    bool budgeted = v->frame->run->budgeted;
    if (LEAT_UNLIKELY(budgeted)) {
        LEAT_TRY(leat_i_permit_take(t, v));
        if (v->runner) leat_i_runner_feed(v->runner);
    }
    leat_i_span span;
    leat_i_trace_begin(t, v, LEAT_PHASE_EXEC, &span);
    leat_err err = LEAT_LIKELY(node->opts.attempt_deadline_ms == 0) ? exec_call(t, node, prep_res, exec_res)
                                                                    : exec_within(t, node, prep_res, exec_res);
    err = leat_i_trace_end(t, v, &span, leat_i_phase_err(t, err));
    if (LEAT_UNLIKELY(budgeted)) leat_i_permit_give(v);
    return err;
}

/* After the last failed attempt. Its own failure replaces the cause. */
static leat_err fallback_call(leat_task *t, struct leat_i_visit *v, const void *prep_res, leat_err err,
                              const void **exec_res)
{
    const leat_error *cause = leat_i_error_story(t, err);
    if (!v->node->cls->fallback) return err;
    v->fallback = true;
    t->error = NULL; /* the cause stays readable: it is in the arena */
    t->nomem = false;
    leat_i_span span;
    leat_i_trace_begin(t, v, LEAT_PHASE_FALLBACK, &span);
    err = leat_i_phase_err(t, v->node->cls->fallback(t, prep_res, cause, exec_res));
    leat_i_trace_end(t, v, &span, err);
    if (LEAT_LIKELY(err == LEAT_OK)) return LEAT_OK;
    *exec_res = NULL;
    leat_i_error_because_of(t, err, cause);
    return err;
}

/* A failed attempt leaves nothing running: nobody could reach what it started. */
static void attempt_end_children(leat_task *t, leat_future *mark)
{
    leat_error *error = t->error;
    if (t->children != mark) leat_i_task_end_children(t, mark);
    t->error = error;
}

/* The error of an attempt by which everything ends, or LEAT_OK when the attempt may be followed by another or the fallback. */
static leat_err attempt_stop(leat_task *t, leat_err err)
{
    leat_err stop = leat_i_stop_check(t);
    return err == LEAT_CANCELED ? LEAT_CANCELED : stop;
}

leat_err leat_i_attempts(leat_task *t, struct leat_i_visit *v, const void *prep_res, const void **exec_res)
{
    const leat_node_opts *opts = &v->node->opts;
    uint32_t max = opts->max_attempts > 0 ? (uint32_t)opts->max_attempts : 1;
    for (uint32_t attempt = 0;; attempt++) {
        leat_future *mark = t->children;
        v->attempt = attempt;
        v->fallback = false;
        t->error = NULL;
        t->nomem = false;
        *exec_res = NULL;
        leat_err err = attempt_once(t, v, prep_res, exec_res);
        if (LEAT_LIKELY(err == LEAT_OK)) return LEAT_OK;
        *exec_res = NULL;
        attempt_end_children(t, mark);
        leat_err stop = attempt_stop(t, err);
        if (stop != LEAT_OK) return stop;
        const leat_error *cause = leat_i_error_story(t, err);
        if (t->error) {
            t->error->attempt = attempt;
            snprintf(t->error->node, sizeof t->error->node, "%s", v->node->name);
        }
        if (attempt + 1 >= max || !leat_i_retry_wanted(opts, cause)) return fallback_call(t, v, prep_res, err, exec_res);
        err = leat_i_retry_wait(t, opts, attempt + 1, cause);
        if (err != LEAT_OK) return err;
    }
}
