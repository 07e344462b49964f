/* cmd_run.c: 'leat run': arguments become one call of leat_bulk_run, and its end an exit code. */
#include "cmd.h"

#include <string.h>

#include "../base/os.h"
#include "../bulk/exit_code.h"
#include "../bulk/template.h"
#include "../llm/turn.h"
#include "endpoint_args.h"
#include "guess.h"
#include "help.h"
#include "limits.h"
#include "run_args.h"
#include "say.h"
#include "summary.h"
#include "trace_file.h"
#include "watch.h"

/* Beside one descriptor a request: files, workers, the embedded endpoint's own; and for each 32 requests three more: the loop has
 * two for each of its handles, which carry 64 (measured: 32 for 1,000 in flight), and a connection that is being closed still
 * holds its own while the next one opens. */
enum { DESCRIPTORS_BESIDE = 128, DESCRIPTORS_PART = 32, DESCRIPTORS_PER_PART = 3 };

typedef struct run_parts {
    leat_runtime *rt;
    leat_limiter *limiter;
    leat_llm *llm;
    leat_i_trace_file trace;
} run_parts;

static uint64_t descriptors_of(uint64_t jobs, uint64_t each)
{
    return jobs * each + jobs * DESCRIPTORS_PER_PART / DESCRIPTORS_PART + DESCRIPTORS_BESIDE;
}

static int descriptors_check(const leat_i_run_args *args)
{
    uint64_t jobs = args->concurrency ? args->concurrency : LEAT_I_CONCURRENCY_DEFAULT;
    uint64_t each = leat_i_run_args_mock(args) ? 2 : 1; /* Both ends of a connection are here. */
    uint64_t needed = descriptors_of(jobs, each), room = leat_i_limits_descriptors(needed), possible = jobs;
    if (room >= needed) return LEAT_I_EXIT_OK;
    while (possible > 0 && descriptors_of(possible, each) > room)
        possible--;
    if (possible)
        leat_i_say_error("run",
                         "--max-concurrency %llu needs %llu open files%s, but this process may have %llu (ulimit -n): "
                         "--max-concurrency %llu is possible",
                         (unsigned long long)jobs, (unsigned long long)needed,
                         each > 1 ? ", since with mock: both ends of each connection are here" : "",
                         (unsigned long long)room, (unsigned long long)possible);
    else
        leat_i_say_error("run", "a run needs at least %llu open files, but this process may have %llu (ulimit -n)",
                         (unsigned long long)descriptors_of(1, each), (unsigned long long)room);
    return LEAT_I_EXIT_MACHINE;
}

static leat_llm_opts llm_opts_of(const leat_i_run_args *args, const leat_i_endpoint_args *e, leat_limiter *limiter)
{
    leat_llm_opts opts = {
        .endpoints = e->endpoint,
        .endpoint_count = e->endpoint ? e->count : 0,
        .base_url = args->base_url,
        .provider = args->provider,
        .key_env = args->key_env,
        .key_file = args->key_file,
        .model = args->model,
        .system = args->system,
        .limiter = limiter,
        .max_attempts = (int32_t)args->max_attempts,
        .throttle_time_ms = args->throttle_time_ms,
        .connect_timeout_ms = args->connect_timeout_ms,
        .first_byte_timeout_ms = args->first_byte_timeout_ms,
        .idle_timeout_ms = args->idle_timeout_ms,
        .request_timeout_ms = args->request_timeout_ms,
        .stream = args->stream,
        .ignore_limits = args->limits != 0,
        .allow_http = args->allow_http,
        .cacert = args->cacert,
        .cert = args->cert,
        .cert_key = args->cert_key,
        .http2 = (leat_http2)args->http2,
        .body_bytes_max = (size_t)args->body_bytes_max,
        .headers = args->header.item,
        .header_count = args->header.count,
    };
    if (leat_i_option_seen(&args->parsed, "max-retries")) opts.max_attempts = (int32_t)args->max_retries + 1;
    /* 0 is the library's word for the default; the shortest time means the same as none. */
    if (leat_i_option_seen(&args->parsed, "throttle-time") && opts.throttle_time_ms == 0) opts.throttle_time_ms = 1;
    return opts;
}

static int say_failed(leat_err err, const leat_error *error)
{
    /* Who asks the kernel for a thread is not told what was short. */
    const char *sentence = err == LEAT_NOMEM ? "out of memory or threads (ulimit -u, or a container's limit on processes)"
                                             : leat_err_sentence(err);
    leat_i_say_error("run", "%s", error->text[0] ? error->text : sentence);
    /* Before anything was asked, a missing key is a matter of how the program was called. */
    return err == LEAT_DENIED ? LEAT_I_EXIT_USAGE : leat_i_exit_of(err);
}

static int parts_init(run_parts *parts, leat_i_run_args *args)
{
    leat_error error = { 0 };
    leat_i_endpoint_args e;
    int exit_code = leat_i_endpoint_args_read(args, &e);
    if (exit_code) return exit_code;
    leat_err err = leat_runtime_new(&parts->rt, &(leat_runtime_opts){ .log = leat_i_say_log, .log_arg = (void *)"run" });
    if (!err) err = leat_limiter_new_many(&parts->limiter, e.limits, e.count);
    if (!err) {
        leat_llm_opts opts = llm_opts_of(args, &e, parts->limiter);
        err = leat_llm_new(&parts->llm, parts->rt, &opts, &error);
    }
    /* A host that tells another form than OpenAI's decides much; who did not say so is told. */
    if (!err && e.provider_is_guessed && strcmp(leat_i_llm_tongue(parts->llm), "openai") != 0)
        leat_i_say_note("run", "the endpoint is taken as --provider %s", e.provider);
    return err ? say_failed(err, &error) : LEAT_I_EXIT_OK;
}

static void parts_fini(run_parts *parts)
{
    leat_llm_free(parts->llm);
    leat_runtime_free(parts->rt);
    leat_limiter_free(parts->limiter);
    leat_i_trace_file_close(&parts->trace, "run");
}

static bool reads_standard_input(const leat_i_run_args *args)
{
    for (size_t i = 0; i < args->input.count; i++)
        if (strcmp(args->input.item[i], "-") == 0) return true;
    return false;
}

static void goes_on_say(const leat_i_run_args *args, leat_err err, const leat_bulk_summary *summary)
{
    bool any_failed = summary->rows_failed || summary->rows_failed_before;
    if (summary->goes_on)
        leat_i_say_note("run", "the same command%s goes on from here%s",
                        reads_standard_input(args) ? ", with the same standard input from its beginning," : "",
                        any_failed ? "; --retry-failed asks the failed rows again too" : "");
    else if (summary->rows_failed_before || (err && any_failed))
        leat_i_say_note("run", "--retry-failed asks the failed rows again, --retry-failed=CLASS those of a class");
}

static int bulk_run(const run_parts *parts, const leat_i_run_args *args, leat_bulk_summary *summary)
{
    leat_error error = { 0 };
    leat_bulk_opts opts = {
        .llm = parts->llm,
        .concurrency = (uint32_t)args->concurrency,
        .sync = (leat_bulk_sync)args->sync,
        .progress = (leat_bulk_progress)args->progress,
        .errors_max = args->errors_max,
        .tokens_max = args->tokens_max,
        .cost_max = args->cost_max,
        .price_in = args->price_in,
        .price_out = args->price_out,
        .timeline = parts->trace.timeline,
        .outage_ms = args->outage_time_ms,
        .stop_signal = leat_i_watch_count(),
    };
    /* As with --throttle-time. */
    if (leat_i_option_seen(&args->parsed, "outage-time") && opts.outage_ms == 0) opts.outage_ms = 1;
    leat_i_run_args_bulk(args, &opts);
    leat_err err = leat_bulk_run(parts->rt, &opts, summary, &error);
    leat_i_say_work_ends();
    int exit_code = summary->exit_code ? summary->exit_code : leat_i_exit_of(err);
    int number = leat_i_watch_signal();
    if (number) exit_code = 128 + number;
    /* A run that never began has nothing to sum up. Programs get their object at the very end, in any case. */
    bool began = !err || summary->requests || summary->rows_ok || summary->rows_failed || number;
    if (began && args->progress != LEAT_BULK_PROGRESS_JSON && args->progress != LEAT_BULK_PROGRESS_NONE)
        leat_i_summary_say(summary, args->output, false, exit_code, "");
    if (err && !(err == LEAT_CANCELED && number))
        leat_i_say_error("run", "%s%s", error.text[0] ? error.text : leat_err_sentence(err),
                         summary->may_force ? "; --overwrite starts anew, --force-resume goes on all the same" : "");
    goes_on_say(args, err, summary);
    return exit_code;
}

/* Bodies that are built here need a model. */
static int model_check(const leat_i_run_args *args)
{
    if (!leat_i_run_args_want_model(args)) return LEAT_I_EXIT_OK;
    leat_i_say_error("run", "no model: documents need --model NAME");
    return LEAT_I_EXIT_USAGE;
}

/* Somebody who measures may want this, and somebody who mistypes must not. */
static void output_warn(const leat_i_run_args *args)
{
    struct stat st, null;
    if (leat_i_os_stat(args->output, &st) < 0 || !S_ISCHR(st.st_mode)) return;
    if (leat_i_os_stat("/dev/null", &null) < 0 || st.st_rdev != null.st_rdev) return;
    leat_i_say_log((void *)"run", LEAT_LOG_WARNING, "the output is /dev/null: no row is kept, and nothing can be resumed");
}

/* What the format does not use would be ignored without a word: so it is refused. */
static int format_check(const leat_i_run_args *args)
{
    static const char *const BUILT[] = { "template", "model", "system", "extra-body" };
    if (leat_i_template_is_for((leat_bulk_format)args->format)) return LEAT_I_EXIT_OK;
    for (size_t i = 0; i < sizeof BUILT / sizeof *BUILT; i++) {
        if (!leat_i_option_seen(&args->parsed, BUILT[i])) continue;
        leat_i_say_error("run", "--%s has no effect with --format %s: its lines bring their own request bodies", BUILT[i],
                         args->format == LEAT_BULK_BATCH ? "batch" : "body");
        return LEAT_I_EXIT_USAGE;
    }
    return LEAT_I_EXIT_OK;
}

static int run_with(leat_i_run_args *args, leat_bulk_summary *summary)
{
    run_parts parts = { .trace = { .fd = -1 } };
    if (!args->output) {
        leat_i_say_error("run", "no output: name it with -o FILE ('-o -' is standard output, which cannot be resumed)");
        return LEAT_I_EXIT_USAGE;
    }
    int exit_code = leat_i_guess_format(args);
    if (!exit_code) exit_code = format_check(args);
    if (!exit_code) exit_code = model_check(args);
    if (!exit_code) exit_code = descriptors_check(args);
    if (!exit_code) output_warn(args);
    if (!exit_code) exit_code = leat_i_trace_file_open(&parts.trace, "run", args->trace, args->output);
    if (!exit_code) exit_code = parts_init(&parts, args);
    if (!exit_code) exit_code = bulk_run(&parts, args, summary);
    parts_fini(&parts);
    return exit_code;
}

static int say_unwatched(void)
{
    leat_i_say_error("run", "cannot listen to signals: out of descriptors or threads");
    return LEAT_I_EXIT_MACHINE;
}

static int cmd_run(int argc, char **argv)
{
    leat_i_run_args args;
    leat_bulk_summary summary = { .limit_used = -1 };
    leat_i_limits_no_core();
    leat_i_watch_block(false);
    int watched = leat_i_watch_start("run");
    leat_i_say_work_begins(leat_i_watch_count());
    int exit_code = leat_i_run_args_init(&args, &leat_i_cmd_run, argc, argv);
    if (!exit_code && args.parsed.help)
        exit_code = leat_i_help_command(&leat_i_cmd_run);
    else if (!exit_code && watched < 0)
        exit_code = say_unwatched();
    else if (!exit_code)
        exit_code = run_with(&args, &summary);
    leat_i_say_work_ends();
    if (leat_i_say_is_json() && !args.parsed.help)
        leat_i_summary_say(&summary, args.output, true, exit_code, leat_i_say_last_error());
    leat_i_watch_stop();
    leat_i_run_args_fini(&args);
    return exit_code;
}

const leat_i_command leat_i_cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] -o OUT INPUT...",
    .brief = "push documents through an endpoint, a row of output each",
    .about =
        "Reads documents or requests, asks the endpoint at the pace that its limits allow, and appends a row to OUT for "
        "each. "
        "OUT is the journal: kill the run at any moment, start the same command again, and it goes on; no row is lost or "
        "written twice. A document in flight at a kill is asked again.",
    .option = leat_i_run_options,
    .run = cmd_run,
};
