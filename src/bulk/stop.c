/*
 * stop.c: why a run ends before its input does, and which reason is told when there are several.
 *
 * Precedence of the exit codes: a signal, then 8 (output or machine), 5 (endpoint), 4 (a rule), 3 (input), and nothing lower stops
 * a run. How hard it stops only grows: from draining to canceling.
 */
#include "run.h"

#include <string.h>

#include "../base/err.h"

enum { FIRST_FAILED_MAX = 20, FAILED_IN_A_ROW_MAX = 1000, INSIST_MS = 5000, INSIST_WAIT_MS = 500 };

void leat_i_run_stop(leat_i_run *run, leat_i_stop how, const leat_error *why)
{
    int exit_code = leat_i_exit_of(why->code);
    leat_i_lock_take(&run->stop_lock);
    if (exit_code > run->stop_exit) { /* the codes happen to stand in the order of their precedence */
        run->stop_exit = exit_code;
        run->stop_error = *why;
    }
    bool harder = (uint32_t)how > leat_load_relaxed(&run->stop);
    /* Sequentially consistent: see leat_i_carrier in run.h. Also releases: pairs with the loads in leat_i_run_stopping. */
    if (harder) leat_store_seq_cst(&run->stop, (uint32_t)how);
    leat_store_relaxed(&run->feed.stop, true); /* relaxed: a hint that is looked at ten times a second */
    leat_i_lock_give(&run->stop_lock);
    if (harder && how == LEAT_I_STOP_DRAIN && why->code != LEAT_CANCELED && leat_load_relaxed(&run->count.in_flight) > 0)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "stopping: what is in flight is being finished; Ctrl-C gives it up");
    /* Only for news: the root itself comes here each time it polls, and must not wake itself for ever. */
    if (harder) leat_i_unpark(run->root);
}

leat_i_stop leat_i_run_stopping(const leat_i_run *run)
{
    return (leat_i_stop)leat_load_seq_cst(&run->stop); /* pairs with the store in leat_i_run_stop */
}

bool leat_i_ever_good(const leat_i_run *run)
{
    return leat_load_relaxed(&run->count.ok) > 0 || run->journal.rows > run->journal.rows_failed;
}

/* ---- an endpoint that is not there ---- */

/* A port that takes connections and closes them: one that speaks TLS, or one behind which nobody listens yet. */
static bool is_closed_on(leat_class cls, int http_status)
{
    return cls == LEAT_CLASS_RESET && http_status == 0;
}

void leat_i_stop_insist(leat_i_run *run, leat_i_llm_attempt *a, int64_t now_ns)
{
    if ((!a->unreached && !is_closed_on(a->cls, a->http_status)) || a->fatal) return;
    if (leat_load_relaxed(&run->count.reached) > 0 || leat_load_relaxed(&run->outage.on)) return;
    int64_t first_ns = 0;
    /* Relaxed: a number that orders nothing; all see the first one. */
    if (leat_cas_relaxed(&run->first_try_ns, &first_ns, a->start_ns)) first_ns = a->start_ns;
    int64_t left_ms = INSIST_MS - (now_ns - first_ns) / LEAT_I_NS_PER_MS;
    /* Who wants one attempt gets one. */
    if (left_ms <= 0 || (!a->again && a->number == 1)) {
        a->again = false;
        return;
    }
    if (!a->again || a->wait_ms <= 0) a->wait_ms = INSIST_WAIT_MS;
    if (a->wait_ms > left_ms) a->wait_ms = left_ms;
    a->again = true;
    /* From the second attempt on: the first tells what no waiting mends. Acquire pairs with itself: one tells. */
    if (a->number > 1 && !leat_exchange_acquire(&run->insistence_told, true))
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "no answer yet, trying for %d s: %s", INSIST_MS / 1000, a->message);
}

bool leat_i_stop_unreached(leat_i_run *run, const leat_llm_reply *r)
{
    leat_error why;
    /* Who asked for one attempt was not insisted for: then a lost connection may be the document's own matter. */
    bool closed = is_closed_on(r->cls, r->http_status) && leat_load_relaxed(&run->insistence_told);
    if (r->http_status > 0 || (!r->is_unreached && !closed) || leat_load_relaxed(&run->count.reached) > 0) return false;
    const char *name = run->opts->llm ? leat_i_llm_endpoint_name(run->opts->llm, 0) : "";
    if (closed)
        (void)leat_i_fail(&why, LEAT_NET, "%.120s takes connections and closes them without an answer%s", name,
                          strncmp(name, "http:", 5) == 0 ? ": is it an https:// endpoint?" : "");
    else
        (void)leat_i_fail(&why, LEAT_NET, "the endpoint was not reached: %.155s", r->message);
    leat_i_run_stop(run, LEAT_I_STOP_NOW, &why);
    return true;
}

/* ---- rules about failed rows ---- */

/* A setting that is wrong for all documents fails them all: better to stop than to pay for a million rows of the same error. Only
 * while nothing has gone well, in this run or an earlier one. */
static void rule_first_failed(leat_i_run *run, const leat_llm_reply *reply)
{
    leat_error why;
    if (leat_i_ever_good(run) || leat_load_relaxed(&run->count.asked_failed) < FIRST_FAILED_MAX) return;
    if (leat_load_relaxed(&run->count.reached) == 0) {
        (void)leat_i_fail(&why, LEAT_NET,
                          "the endpoint has not answered once (is the base URL right, http or https?): %.110s",
                          reply->message);
        leat_i_run_stop(run, LEAT_I_STOP_NOW, &why);
        return;
    }
    (void)leat_i_fail(&why, LEAT_STOPPED, "the first %d documents all failed; the last one: %.120s", FIRST_FAILED_MAX,
                      reply->message);
    leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
}

/* The same later on: what has changed (the model is gone, the proxy asks for a login) concerns all that follow. A flow's own errors are
 * its own matter. */
static void rule_failed_in_a_row(leat_i_run *run, const leat_llm_reply *reply)
{
    uint32_t most = 2 * run->concurrency > FAILED_IN_A_ROW_MAX ? 2 * run->concurrency : FAILED_IN_A_ROW_MAX;
    if (reply->cls == LEAT_CLASS_USER || leat_add_relaxed(&run->count.failed_in_a_row, 1u) + 1 < most) return;
    leat_error why;
    (void)leat_i_fail(&why, LEAT_STOPPED, "the last %u documents all failed; the last one: %.120s", most, reply->message);
    leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
}

void leat_i_stop_rules(leat_i_run *run, const leat_llm_reply *reply)
{
    uint64_t most = run->opts->errors_max;
    if (most > 0 && leat_load_relaxed(&run->count.failed) >= most) {
        leat_error why;
        (void)leat_i_fail(&why, LEAT_STOPPED, "%llu rows have failed, as many as allowed; the last one: %.110s",
                          (unsigned long long)most, reply->message);
        /* What is under way is paid for: it may end. */
        leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
    }
    if (reply->cls == LEAT_CLASS_INPUT || reply->cls == LEAT_CLASS_DUPLICATE) return;
    rule_first_failed(run, reply);
    rule_failed_in_a_row(run, reply);
}
