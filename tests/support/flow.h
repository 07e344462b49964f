/*
 * support/flow.h: what the tests of flows share: a runtime with a virtual clock and a captured log, a trace of what was called,
 * and a node that does as its script says.
 */
#ifndef LEAT_TEST_FLOW_H
#define LEAT_TEST_FLOW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomics.h"
#include "leat/leat.h"

/* ---- runtimes ---- */

/* What was logged since log_reset; one writer at a time is enough for tests that look at it. */
static char log_text[4096];
static LEAT_ATOMIC(uint32_t) log_count;

static inline void log_take(void *arg, leat_log_level level, const char *text)
{
    (void)arg;
    if (level != LEAT_LOG_WARNING) return;
    size_t at = strlen(log_text);
    snprintf(log_text + at, sizeof log_text - at, "%s\n", text);
    leat_add_relaxed(&log_count, 1);
}

static inline void log_reset(void)
{
    log_text[0] = '\0';
    leat_store_relaxed(&log_count, 0);
}

static inline leat_runtime *runtime_make(uint32_t workers, bool virtual_clock)
{
    leat_runtime *rt = NULL;
    leat_runtime_opts opts = { .worker_count = workers, .virtual_clock = virtual_clock, .log = log_take };
    assert_int_equal(leat_runtime_new(&rt, &opts), LEAT_OK);
    return rt;
}

/* Group fixtures: *state is the runtime. One worker and virtual time make a test say exactly what happens when. */
static inline int setup_one_worker(void **state)
{
    *state = runtime_make(1, true);
    return 0;
}

static inline int setup_four_workers(void **state)
{
    *state = runtime_make(4, true);
    return 0;
}

static inline int teardown(void **state)
{
    leat_runtime_free(*state);
    return 0;
}

static inline int each_test(void **state)
{
    (void)state;
    log_reset();
    return 0;
}

/* ---- a trace of what was called ---- */

struct trace {
    char text[4096];
};

__attribute__((format(printf, 2, 3))) static inline void trace_add(struct trace *trace, const char *fmt, ...)
{
    size_t at = strlen(trace->text);
    va_list args;
    if (at > 0) at += (size_t)snprintf(trace->text + at, sizeof trace->text - at, " ");
    va_start(args, fmt);
    vsnprintf(trace->text + at, sizeof trace->text - at, fmt, args);
    va_end(args);
}

/* ---- a node that follows a script: `self` is its script, `shared` is a trace or NULL ---- */

struct script {
    struct trace *trace; /* of all phases; NULL = none */
    const char *name;    /* in the trace */
    int fails;           /* the first so many calls of exec fail; a script is used by one task at a time */
    leat_err code;       /* with this code; 0 = LEAT_USER */
    leat_err prep_code, post_code, fallback_code;
    const char *action;
    int64_t exec_ms;     /* exec sleeps so long */
    int calls;           /* of exec */
    uint32_t attempt[8]; /* what leat_task_attempt said in them */
    uint32_t fallback_attempt, post_attempt;
    leat_error cause;  /* what the fallback was told */
    int64_t at_ms[8];  /* virtual time of the calls */
    char exec_res[64]; /* what post got */
};

static inline leat_err script_prep(leat_task *t, void *shared, const void **prep_res)
{
    struct script *s = leat_task_self(t);
    (void)shared;
    if (s->trace) trace_add(s->trace, "%s.prep", s->name);
    *prep_res = s->name;
    return s->prep_code ? leat_task_fail(t, s->prep_code, "prep of %s broke", s->name) : LEAT_OK;
}

static inline leat_err script_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    int call = s->calls++;
    if (call < 8) {
        s->attempt[call] = leat_task_attempt(t);
        s->at_ms[call] = leat_task_now_ns(t) / 1000000;
    }
    if (s->trace) trace_add(s->trace, "%s.exec", s->name);
    if (s->exec_ms > 0) LEAT_TRY(leat_sleep_ms(t, s->exec_ms));
    if (call < s->fails) return leat_task_fail(t, s->code ? s->code : LEAT_USER, "failure %d of %s", call, s->name);
    *exec_res = leat_task_printf(t, "%s-result", prep_res ? (const char *)prep_res : s->name);
    return LEAT_OK;
}

static inline leat_err script_fallback(leat_task *t, const void *prep_res, const leat_error *cause, const void **exec_res)
{
    struct script *s = leat_task_self(t);
    (void)prep_res;
    s->fallback_attempt = leat_task_attempt(t);
    s->cause = *cause;
    if (s->trace) trace_add(s->trace, "%s.fallback", s->name);
    if (s->fallback_code) return leat_task_fail(t, s->fallback_code, "fallback of %s broke", s->name);
    *exec_res = leat_task_printf(t, "%s-fallback", s->name);
    return LEAT_OK;
}

static inline leat_err script_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res,
                                   const char **action)
{
    struct script *s = leat_task_self(t);
    (void)shared, (void)prep_res;
    s->post_attempt = leat_task_attempt(t);
    snprintf(s->exec_res, sizeof s->exec_res, "%s", exec_res ? (const char *)exec_res : "NULL");
    if (s->trace) trace_add(s->trace, "%s.post", s->name);
    if (s->post_code) return leat_task_fail(t, s->post_code, "post of %s broke", s->name);
    *action = s->action;
    return LEAT_OK;
}

static const leat_node_class script_class = { "Script", script_prep, script_exec, NULL, script_post };
static const leat_node_class script_fallback_class = { "Script", script_prep, script_exec, script_fallback, script_post };

/* ---- runs ---- */

struct outcome {
    leat_err err;
    const char *action;
    leat_error error;
};

/* Runs the flow and frees it; the action is compared while it lives. */
static inline struct outcome run_keep(leat_runtime *rt, leat_flow *flow, void *shared)
{
    struct outcome o = { .action = "(not written)" };
    o.err = leat_flow_run(rt, flow, shared, &(leat_run_opts){ .last_action = &o.action, .error = &o.error });
    return o;
}

static inline leat_err run_free(leat_runtime *rt, leat_flow *flow, void *shared, leat_error *error)
{
    leat_err err = leat_flow_run(rt, flow, shared, &(leat_run_opts){ .error = error });
    leat_flow_free(flow);
    return err;
}

/* A flow of one node that follows `s`. */
static inline leat_flow *flow_of(const leat_node_class *cls, struct script *s, leat_node_opts opts)
{
    leat_flow *flow = leat_flow_new(NULL);
    opts.self = s;
    leat_flow_add(flow, cls, &opts);
    return flow;
}

/* ---- two execs: one that computes and gives way in turn, one that runs the flow which its node has as `self` ---- */

static inline leat_err spin_exec(leat_task *t, const void *item, const void **value)
{
    (void)item, (void)value;
    for (int i = 0; i < 3; i++) {
        for (volatile int k = 0; k < 2000; k++) {
        }
        LEAT_TRY(leat_sleep_ms(t, 0));
    }
    return LEAT_OK;
}

static inline leat_err inner_exec(leat_task *t, const void *item, const void **value)
{
    (void)item, (void)value;
    return leat_flow_call(t, leat_task_self(t), NULL, NULL);
}

#endif
