/*
 * run.c: leat_bulk_run: opens, runs and closes a whole job; the root task of run.h.
 */
#include "run.h"

#include <string.h>

#include "../base/err.h"
#include "../llm/turn.h"
#include "asked.h"
#include "lost.h"
#include "output.h"

enum {
    RUN_POLL_MS = 100,
    RUN_SYNC_MS = 500,
    RUN_LOOK_MS = 1000,
    RUN_CONCURRENCY_DEFAULT = 64,
    RUN_CONCURRENCY_MAX = 1000000
};

/* ---- the flow of one node ---- */

static leat_err ask_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t;
    *prep_res = shared;
    return LEAT_OK;
}

/* The document is this walk's own: nobody else sees it, so exec may write into it. */
static leat_err ask_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)exec_res;
    return leat_doc_ask(t, leat_task_self(t), (leat_doc *)(uintptr_t)prep_res);
}

static const leat_node_class ask_class = { .name = "ask", .prep = ask_prep, .exec = ask_exec };

static leat_err flow_make(leat_i_run *run, leat_error *error)
{
    run->flow = run->opts->flow;
    if (run->flow) return leat_flow_check(run->flow, error);
    if (!run->opts->llm) return leat_i_fail(error, LEAT_USAGE, "a run needs an endpoint or a flow");
    run->own_flow = leat_flow_new(&(leat_flow_opts){ .name = "bulk" });
    (void)leat_flow_add(run->own_flow, &ask_class, &(leat_node_opts){ .self = run->opts->llm });
    run->flow = run->own_flow;
    return run->own_flow ? leat_flow_check(run->own_flow, error) : leat_i_fail(error, LEAT_NOMEM, "out of memory");
}

/* ---- opening ---- */

static leat_err opts_check(const leat_bulk_opts *o, leat_error *error)
{
    if ((unsigned)o->format > LEAT_BULK_CSV || (unsigned)o->sync > LEAT_BULK_SYNC_ROW ||
        (unsigned)o->progress > LEAT_BULK_PROGRESS_NONE)
        return leat_i_fail(error, LEAT_USAGE, "an option has a value that is not known");
    if (o->concurrency > RUN_CONCURRENCY_MAX)
        return leat_i_fail(error, LEAT_USAGE, "a concurrency of %u is more than %d", o->concurrency, RUN_CONCURRENCY_MAX);
    if (o->overwrite && (o->retry_failed || o->force_resume))
        return leat_i_fail(error, LEAT_USAGE, "starting anew and going on exclude each other");
    return LEAT_OK;
}

typedef struct open_job {
    leat_i_run *run;
    leat_error *error;
} open_job;

/* On a helper thread: reading the rows of a long earlier run takes seconds, opening a named pipe takes as long as its reader. */
static leat_err job_open(void *arg)
{
    open_job *job = arg;
    leat_i_run *run = job->run;
    leat_i_arena arena = { 0 };
    leat_i_settings now;
    leat_err err = leat_i_settings_make(&now, run->opts, &arena, job->error);
    if (!err) err = leat_i_journal_open(&run->journal, run->opts, &now, &run->ids, job->error);
    leat_i_arena_fini(&arena);
    return err;
}

static void repairs_tell(const leat_i_run *run)
{
    const leat_i_journal *j = &run->journal;
    if (j->torn_bytes > 0)
        leat_i_runtime_log(run->rt, LEAT_LOG_INFO, "cut a torn row of %lld bytes off %s", (long long)j->torn_bytes, j->path);
    if (j->earlier[0]) leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "%s", j->earlier);
    if (j->bad_rows > 0)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "took %llu bad lines out of %s, the first was line %llu: asked again",
                           (unsigned long long)j->bad_rows, j->path, (unsigned long long)j->first_bad_line);
}

static leat_err run_open(leat_task *t, leat_i_run *run, leat_error *error)
{
    const leat_bulk_opts *o = run->opts;
    LEAT_TRY(opts_check(o, error));
    LEAT_TRY(leat_i_output_check(o, error));
    LEAT_TRY(flow_make(run, error));
    LEAT_TRY(leat_i_spending_init(&run->spending, o, error));
    run->concurrency = o->concurrency ? o->concurrency : RUN_CONCURRENCY_DEFAULT;
    leat_limiter *limiter = o->llm ? leat_i_llm_limiter(o->llm) : NULL;
    if (limiter) {
        leat_limiter_stats s;
        leat_limiter_read(limiter, &s);
        run->granted_before = s.granted;
        run->charged_before = s.tokens_charged;
    }
    LEAT_TRY(leat_i_feed_init(&run->feed, o, &run->ids, error));
    open_job job = { .run = run, .error = error };
    LEAT_TRY(leat_i_blocking_told(t, job_open, &job, error));
    repairs_tell(run);
    if (leat_i_ids_count(&run->journal.retried) > 0) run->feed.retried = &run->journal.retried;
    LEAT_TRY(leat_i_verify(t, run, error));
    leat_i_writer_init(&run->writer, &run->journal, o->sync);
    leat_i_slots_init(&run->slots, run->concurrency);
    if (leat_i_places_init(&run->places, o->llm)) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    run->carrier = leat_i_alloc_zeroed(2 * (size_t)run->concurrency * sizeof *run->carrier);
    return run->carrier ? LEAT_OK : leat_i_fail(error, LEAT_NOMEM, "out of memory");
}

/* ---- working ---- */

static leat_err syncer(leat_task *t, void *arg, const void **result)
{
    leat_i_run *run = arg;
    leat_error error;
    (void)result;
    while (leat_sleep_ms(t, RUN_SYNC_MS) == LEAT_OK) {
        leat_err err = leat_i_writer_sync(t, &run->writer, &error);
        if (err) {
            leat_i_run_stop(run, LEAT_I_STOP_NOW, &error);
            return err;
        }
    }
    return LEAT_OK;
}

static leat_err file_counter(leat_task *t, void *arg, const void **result)
{
    leat_i_run *run = arg;
    (void)result;
    return leat_blocking(t, leat_i_feed_count_files, &run->feed);
}

/* Starts `count` carriers more; *started counts all. */
static void carriers_start(leat_task *t, leat_i_run *run, uint32_t count, uint32_t *started)
{
    for (uint32_t i = 0; i < count; i++) {
        leat_i_carrier *c = &run->carrier[*started];
        c->run = run;
        (void)leat_add_relaxed(&run->carriers, 1u);
        c->task = leat_i_task_start(t, leat_i_carrier_task, c, NULL);
        if (c->task) {
            ++*started;
            continue;
        }
        /* Then one carrier less works; with none at all the run ends. */
        if (leat_sub_acq_rel(&run->carriers, 1u) == 1) {
            leat_error why;
            (void)leat_i_fail(&why, LEAT_NOMEM, "out of memory");
            leat_i_run_stop(run, LEAT_I_STOP_NOW, &why);
        }
        return;
    }
}

static void signal_poll(leat_i_run *run)
{
    int count = leat_i_asked_to_stop(run->opts->stop_signal);
    if (count <= 0) return;
    leat_error why;
    (void)leat_i_fail(&why, LEAT_CANCELED, count == 1 ? "stopped; what was under way is finished" : "stopped at once");
    leat_i_run_stop(run, count == 1 ? LEAT_I_STOP_DRAIN : LEAT_I_STOP_NOW, &why);
}

/* Somebody may do something to the output: rows that go where nobody finds them are paid for in vain. Two looks see it before it
 * counts, since some file systems need a moment; the last one decides alone. */
static void output_look(leat_task *t, leat_i_run *run, bool is_last)
{
    leat_error why;
    int64_t now_ns = leat_task_now_ns(t);
    if (!is_last && now_ns < run->look_ns) return;
    run->look_ns = now_ns + RUN_LOOK_MS * LEAT_I_NS_PER_MS;
    if (!leat_i_lost_look(&run->journal, &why)) {
        run->looked_lost = false;
        return;
    }
    /* What is in flight is finished: where the file was moved, its rows are kept. */
    run->output_is_lost = run->looked_lost || is_last;
    run->looked_lost = true;
    if (!run->output_is_lost) return;
    /* A signal would be the reason that is told. */
    if (leat_i_asked_to_stop(run->opts->stop_signal) > 0 && is_last)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "%s", why.text);
    leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
}

typedef struct save_job {
    const leat_i_journal *journal;
    int rc;
} save_job;

static leat_err job_save(void *arg)
{
    save_job *job = arg;
    job->rc = leat_i_lost_save(job->journal);
    return LEAT_OK;
}

/* As long as the file is open its rows can be read, whatever became of its name. */
static void output_save(leat_task *t, leat_i_run *run)
{
    char text[80];
    save_job job = { .journal = &run->journal };
    if (!run->output_is_lost || leat_blocking(t, job_save, &job)) return;
    const char *path = run->journal.path;
    if (job.rc > 0)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING,
                           "the rows are kept in %s" LEAT_I_SAVED_END ": call it %s, and the same command goes on", path,
                           path);
    else if (job.rc < 0)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "the rows are lost, %s" LEAT_I_SAVED_END " cannot be written: %s",
                           path, leat_i_errno_text(job.rc, text, sizeof text));
}

/* A drain waits for what is at the endpoint, not for who is in line: that could be minutes away. */
static void waiting_cancel(leat_i_run *run, uint32_t started)
{
    for (uint32_t i = 0; i < started; i++) {
        /* Sequentially consistent: after the stop was seen; see leat_i_carrier in run.h. The task lives until the root joins it. */
        if (leat_load_seq_cst(&run->carrier[i].waiting)) leat_i_task_cancel(run->carrier[i].task);
    }
}

static void carriers_watch(leat_task *t, leat_i_run *run)
{
    leat_future *mark = t->children;
    uint32_t started = 0;
    bool draining = false;
    carriers_start(t, run, run->concurrency, &started);
    /* Acquire: pairs with the release at a carrier's end. */
    while (leat_load_acquire(&run->carriers) > 0) {
        signal_poll(run);
        output_look(t, run, false);
        leat_i_stop stop = leat_i_run_stopping(run);
        if (stop == LEAT_I_STOP_NOW) break;
        if (stop && !draining) waiting_cancel(run, started);
        draining = stop != LEAT_I_STOP_NONE;
        bool idle_turn = leat_exchange_acquire(&run->more_carriers, false); /* pairs with the release in ask.c */
        if (idle_turn && !stop && !leat_load_relaxed(&run->input_ended) && started < 2 * run->concurrency)
            carriers_start(t, run, 1, &started);
        leat_err err = leat_i_park(t, leat_task_now_ns(t) + RUN_POLL_MS * LEAT_I_NS_PER_MS);
        if (err && err != LEAT_TIMEOUT) { /* the runtime ends, or the task around us was canceled */
            leat_error why;
            (void)leat_i_fail(&why, LEAT_CANCELED, "the run was canceled");
            leat_i_run_stop(run, LEAT_I_STOP_NOW, &why);
        }
    }
    leat_i_task_end_children(t, mark);
}

static bool run_is_empty(const leat_i_run *run)
{
    return leat_load_relaxed(&run->feed.ended) && leat_load_relaxed(&run->feed.documents) == 0;
}

/* A short input can end before the rule of the first failures sees enough of them. */
static void end_check(leat_i_run *run)
{
    leat_error why;
    leat_i_counters *c = &run->count;
    if (leat_i_run_stopping(run)) return;
    if (run_is_empty(run)) {
        (void)leat_i_fail(&why, LEAT_INPUT, "the input holds no documents");
        leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
    } else if (leat_i_verify_end(&run->feed, &run->journal, &why)) {
        leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
    } else if (leat_load_relaxed(&c->asked_failed) > 0 && leat_load_relaxed(&c->ok) == 0 &&
               leat_load_relaxed(&c->reached) == 0 && leat_load_relaxed(&c->by_class[LEAT_CLASS_USER]) == 0) {
        (void)leat_i_fail(&why, LEAT_NET,
                          "the endpoint has not answered once; the failed rows say why, and can be asked again");
        leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
    }
}

/* Rows that were taken out to be asked again, and whose documents did not come: they are gone, and that is said. */
static void retried_tell(const leat_i_run *run)
{
    uint64_t taken = leat_i_ids_count(&run->journal.retried);
    if (!leat_load_relaxed(&run->feed.ended) || run->feed.retried_met >= taken) return;
    leat_i_runtime_log(
        run->rt, LEAT_LOG_WARNING,
        "%llu failed rows were taken out to be asked again, but their documents are not in the input any more",
        (unsigned long long)(taken - run->feed.retried_met));
}

static bool has_rows(const leat_i_run *run)
{
    return run->journal.rows > 0 || leat_load_relaxed(&run->count.ok) + leat_load_relaxed(&run->count.failed) > 0;
}

static void run_work(leat_task *t, leat_i_run *run)
{
    leat_future *mark = t->children;
    leat_error error;
    if (run->opts->progress != LEAT_BULK_PROGRESS_NONE) {
        if (run->opts->format == LEAT_BULK_FILES) (void)leat_task_start(t, file_counter, run);
        (void)leat_task_start(t, leat_i_ticker, run);
    }
    if (run->writer.sync == LEAT_BULK_SYNC_GROUP) (void)leat_task_start(t, syncer, run);
    carriers_watch(t, run);
    leat_store_relaxed(&run->feed.stop, true); /* who still counts files counts for nobody */
    leat_i_task_end_children(t, mark);
    leat_i_carrier_write_held(t, run, leat_i_held_end(run));
    char left_out[256];
    leat_i_feed_left_out(&run->feed, left_out, sizeof left_out);
    if (left_out[0]) leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "%s", left_out);
    retried_tell(run);
    leat_err err = leat_i_writer_sync(t, &run->writer, &error);
    if (err) leat_i_run_stop(run, LEAT_I_STOP_NOW, &error);
    output_look(t, run, true);
    output_save(t, run);
    if (run->journal.begins_anew)
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "no row was written, so those that stood in %s before are kept",
                           run->journal.path);
    leat_i_lock_take(&run->stop_lock);
    leat_err code = run->stop_error.code;
    leat_i_lock_give(&run->stop_lock);
    /* The same command would meet the same change; and where no input can be read there is nothing to go on from. */
    bool in_vain = run->output_is_lost || code == LEAT_MISMATCH || (code == LEAT_INPUT && !has_rows(run));
    run->summary->goes_on = run->journal.resumable && leat_i_run_stopping(run) && !in_vain;
    end_check(run);
}

/* ---- the whole ---- */

static leat_err run_end(leat_i_run *run, leat_error *error)
{
    leat_err err = LEAT_OK;
    leat_i_lock_take(&run->stop_lock);
    if (run->stop_exit) {
        err = run->stop_error.code;
        *error = run->stop_error;
    }
    leat_i_lock_give(&run->stop_lock);
    bool failed = run->journal.rows_failed > 0 || leat_load_relaxed(&run->count.failed) > 0;
    run->summary->exit_code = err ? run->stop_exit : failed ? 1 : 0;
    return err;
}

static void run_close(leat_i_run *run)
{
    leat_error error;
    leat_i_journal_discard(&run->journal);
    /* A failing close can be the first word of a failed write (NFS, quotas). */
    leat_err err = leat_i_journal_close(&run->journal, &error);
    if (err && run->root) leat_i_run_stop(run, LEAT_I_STOP_NOW, &error);
    leat_i_feed_fini(&run->feed);
    leat_i_writer_fini(&run->writer);
    leat_i_held_fini(&run->held);
    leat_flow_free(run->own_flow);
    leat_i_ids_fini(&run->ids);
    leat_i_places_fini(&run->places);
    leat_i_spending_fini(&run->spending);
    leat_i_free(run->carrier);
}

typedef struct run_args {
    leat_i_run *run;
    leat_error *error;
} run_args;

static leat_err root_task(leat_task *t, void *arg, const void **result)
{
    run_args *args = arg;
    leat_i_run *run = args->run;
    (void)result;
    run->root = leat_i_task_waiter(t);
    run->start_ns = leat_task_now_ns(t);
    run->journal.fd = run->journal.folder_fd = -1;
    leat_err err = run_open(t, run, args->error);
    if (!err) run_work(t, run);
    leat_i_summary_fill(run);
    run->summary->ms = (leat_task_now_ns(t) - run->start_ns) / LEAT_I_NS_PER_MS;
    run_close(run);
    if (err) run->summary->exit_code = leat_i_exit_of(err);
    run->summary->may_force = err == LEAT_MISMATCH && !run->journal.foreign;
    return err ? err : run_end(run, args->error);
}

leat_err leat_bulk_run(leat_runtime *rt, const leat_bulk_opts *opts, leat_bulk_summary *summary, leat_error *error)
{
    leat_bulk_summary unused;
    leat_error ignored;
    if (!summary) summary = &unused;
    if (!error) error = &ignored;
    memset(summary, 0, sizeof *summary);
    summary->limit_used = -1;
    summary->exit_code = leat_i_exit_of(LEAT_USAGE);
    if (!rt || !opts) return leat_i_fail(error, LEAT_USAGE, "a run needs a runtime and options");
    leat_i_run *run = leat_i_alloc_zeroed(sizeof *run);
    if (!run) {
        summary->exit_code = leat_i_exit_of(LEAT_NOMEM);
        return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    }
    run->rt = rt;
    run->opts = opts;
    run->summary = summary;
    leat_error told = { .code = LEAT_OK }, end = { .code = LEAT_OK };
    run_args args = { .run = run, .error = &told };
    leat_err err = leat_task_run(rt, root_task, &args, &end);
    if (err) *error = told.code ? told : end;
    if (err && !error->text[0]) (void)leat_i_fail(error, err, "%s", leat_err_sentence(err));
    if (err && !run->root) summary->exit_code = leat_i_exit_of(err); /* it never began */
    leat_i_free(run);
    return err;
}
