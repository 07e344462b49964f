/*
 * stop.c: why a run ends before its input does, and which reason is told when there are several.
 *
 * Precedence of the exit codes: a signal, then 8 (output or machine), 5 (endpoint), 4 (a rule), 3 (input), and nothing lower stops
 * a run. How hard it stops only grows: from draining to canceling.
 */
#include "run.h"

#include "fail.h"

enum { FIRST_FAILED_MAX = 20 };

int leat_i_run_exit_of(leat_err err)
{
    switch (err) {
    case LEAT_OK:
        return 0;
    case LEAT_USAGE:
        return 2;
    case LEAT_INPUT:
    case LEAT_MISMATCH:
        return 3;
    case LEAT_STOPPED:
        return 4;
    case LEAT_DENIED:
    case LEAT_NET:
        return 5;
    case LEAT_CANCELED:
        return 130;
    default:
        return 8;
    }
}

void leat_i_run_stop(leat_i_run *run, leat_i_stop how, int exit_code, const leat_error *why)
{
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

/* A setting that is wrong for all documents fails them all: better to stop than to pay for a million rows of the same error. Only
 * while nothing has gone well, in this run or an earlier one. */
static void rule_first_failed(leat_i_run *run, const leat_llm_reply *reply)
{
    leat_error why;
    if (leat_i_ever_good(run) || leat_load_relaxed(&run->count.asked_failed) < FIRST_FAILED_MAX) return;
    if (leat_load_relaxed(&run->count.reached) == 0) {
        (void)leat_i_fail(&why, LEAT_NET, "the endpoint was not reached once: %.140s", reply->message);
        leat_i_run_stop(run, LEAT_I_STOP_NOW, leat_i_run_exit_of(LEAT_NET), &why);
        return;
    }
    (void)leat_i_fail(&why, LEAT_STOPPED, "the first %d documents all failed; the last one: %.120s", FIRST_FAILED_MAX,
                      reply->message);
    leat_i_run_stop(run, LEAT_I_STOP_NOW, leat_i_run_exit_of(LEAT_STOPPED), &why);
}

void leat_i_stop_rules(leat_i_run *run, const leat_llm_reply *reply)
{
    uint64_t failed = leat_load_relaxed(&run->count.failed);
    if (run->opts->errors_max > 0 && failed >= run->opts->errors_max) {
        leat_error why;
        (void)leat_i_fail(&why, LEAT_STOPPED, "%llu rows have failed, as many as allowed; the last one: %.110s",
                          (unsigned long long)failed, reply->message);
        /* What is under way is paid for: it may end. */
        leat_i_run_stop(run, LEAT_I_STOP_DRAIN, leat_i_run_exit_of(LEAT_STOPPED), &why);
    }
    if (reply->cls != LEAT_CLASS_INPUT && reply->cls != LEAT_CLASS_DUPLICATE) rule_first_failed(run, reply);
}
