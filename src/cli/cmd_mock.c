/* cmd_mock.c: 'leat mock': the embedded endpoint as a program of its own. */
#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "leat/mock.h"

#include "../bulk/exit_code.h"
#include "help.h"
#include "mock_script.h"
#include "say.h"
#include "watch.h"

typedef struct mock_args {
    uint64_t port, in_flight_max, connections_max, body_bytes_max, error_status, seed;
    double requests_per_min, tokens_per_min, input_per_min, output_per_min, latency_ms, latency_sigma, first_token_ms,
        first_token_sigma, tokens_per_s, tokens_sigma, error_rate, cut_rate;
    int64_t retry_after_ms, duration_ms;
    const char *key, *log_path, *script_path;
    leat_i_list faults, limits_at;
    bool list_faults, stop_with_stdin;
    leat_i_parsed parsed;
} mock_args;

#define FIELD(name) offsetof(mock_args, name)

/* clang-format off */
static const leat_i_option MOCK_OPTIONS[] = {
    { .name = "port", .letter = 'p', .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 65535, .at = FIELD(port),
      .fallback = "a free one", .group = "Endpoint", .help = "Port on 127.0.0.1; no other address is served." },
    { .name = "key", .kind = LEAT_I_OPTION_TEXT, .arg = "KEY", .at = FIELD(key),
      .help = "Requests with another key get 401. A made-up one: everybody on this machine can read it." },
    { .name = "log", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(log_path),
      .help = "A JSON line for each request at its end: time, id, the key's hash, decision, status, tokens, ms." },
    { .name = "duration", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .max = 1e8, .at = FIELD(duration_ms),
      .fallback = "until Ctrl-C or SIGTERM", .help = "End after this time." },
    { .name = "stop-with-stdin", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(stop_with_stdin),
      .help = "End also when standard input does: a program that has started the endpoint with a pipe there never leaves it behind, "
              "however it ends itself." },

    { .name = "max-requests-per-minute", .alias = { "rpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e9,
      .at = FIELD(requests_per_min), .zero_refused = true, .fallback = "no limit", .group = "Limits",
      .help = "A true sliding window of 60 seconds for each key; over it the answer is 429 with the usual headers." },
    { .name = "max-tokens-per-minute", .alias = { "tpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(tokens_per_min), .zero_refused = true, .fallback = "no limit", .help = "The same for tokens, prompt and reply together." },
    { .name = "max-input-per-minute", .alias = { "itpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(input_per_min), .zero_refused = true, .fallback = "no limit", .help = "The same for the tokens of the prompt alone." },
    { .name = "max-output-per-minute", .alias = { "otpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(output_per_min), .zero_refused = true, .fallback = "no limit", .help = "The same for max_tokens, or the reply where it has none." },
    { .name = "max-concurrency", .letter = 'j', .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 1e6, .at = FIELD(in_flight_max), .zero_refused = true,
      .fallback = "no limit", .help = "More requests at once get 503." },
    { .name = "limit-at", .kind = LEAT_I_OPTION_LIST, .arg = "SECONDS=LIMITS", .at = FIELD(limits_at),
      .help = "Limits that count from this time on, such as 30=rpm:300 or 30=rpm:none,tpm:9000,in_flight:8. May be given many times." },
    { .name = "retry-after", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .max = 1e6, .at = FIELD(retry_after_ms),
      .fallback = "from the window", .help = "What its 429 say in Retry-After." },
    { .name = "max-connections", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 1e6, .at = FIELD(connections_max),
      .fallback = "20000", .help = "Open connections; more wait to be accepted." },
    { .name = "max-body-bytes", .kind = LEAT_I_OPTION_BYTES, .arg = "BYTES", .max = 1e12, .at = FIELD(body_bytes_max),
      .fallback = "32M", .help = "A larger request gets 413." },

    { .name = "latency-ms", .kind = LEAT_I_OPTION_NUMBER, .arg = "MS", .max = 1e9, .at = FIELD(latency_ms), .fallback = "0",
      .group = "Behaviour", .help = "Median delay of an answer." },
    { .name = "latency-sigma", .kind = LEAT_I_OPTION_NUMBER, .arg = "SIGMA", .max = 10, .at = FIELD(latency_sigma),
      .fallback = "0 (constant)", .help = "Spread of the delay: a log-normal distribution around the median." },
    { .name = "first-token-ms", .alias = { "ttft-ms" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "MS", .max = 8.64e7, .at = FIELD(first_token_ms), .fallback = "0",
      .help = "Median time from the head of a stream to its first token; an answer in one piece comes so much later." },
    { .name = "first-token-sigma", .alias = { "ttft-sigma" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "SIGMA", .max = 10, .at = FIELD(first_token_sigma),
      .fallback = "0 (constant)", .help = "Spread of that time: a log-normal distribution around the median." },
    { .name = "tokens-per-second", .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e9, .at = FIELD(tokens_per_s),
      .fallback = "at once", .help = "How fast the tokens of a reply come after the first." },
    { .name = "tokens-sigma", .kind = LEAT_I_OPTION_NUMBER, .arg = "SIGMA", .max = 10, .at = FIELD(tokens_sigma),
      .fallback = "0 (all the same)", .help = "Spread of that rate: each reply has its own, log-normal around --tokens-per-second." },
    { .name = "script", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(script_path),
      .help = "Faults and limits for certain requests, keys and times: a JSON object a line (docs/mock.md)." },
    { .name = "fault", .kind = LEAT_I_OPTION_LIST, .arg = "NAME[:SHARE]", .at = FIELD(faults),
      .help = "Plays this fault on all requests, or on this share of them. May be given many times; of those that fit, the first counts." },
    { .name = "list-faults", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(list_faults), .help = "Tells the names of the faults, and ends." },
    { .name = "error-rate", .kind = LEAT_I_OPTION_NUMBER, .arg = "SHARE", .max = 1, .at = FIELD(error_rate), .fallback = "0",
      .help = "Share of requests, 0 to 1, that are answered with --error-status." },
    { .name = "error-status", .kind = LEAT_I_OPTION_COUNT, .arg = "STATUS", .min = 400, .max = 599, .at = FIELD(error_status),
      .fallback = "500", .help = "The HTTP status of those errors." },
    { .name = "cut-rate", .kind = LEAT_I_OPTION_NUMBER, .arg = "SHARE", .max = 1, .at = FIELD(cut_rate), .fallback = "0",
      .help = "Share of requests whose connection is cut in the middle of the answer." },
    { .name = "seed", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 9e15, .at = FIELD(seed), .fallback = "0",
      .help = "The same seed gives the same delays and faults." },
    { .name = NULL },
};
/* clang-format on */
_Static_assert(sizeof MOCK_OPTIONS / sizeof *MOCK_OPTIONS <= LEAT_I_OPTION_COUNT_MAX, "the table of names is too small");

static bool stats_say(const leat_mock_stats *stats)
{
    leat_mock_stats s = *stats;
    printf("{\"requests\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"refused_429\":%" PRIu64 ",\"refused_503\":%" PRIu64
           ",\"errors\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"window_max\":%" PRIu64 ",\"log_lost\":%" PRIu64
           ",\"in_flight_peak\":%" PRIu32 "}\n",
           s.requests, s.answered, s.refused_429, s.refused_503, s.errors, s.cut, s.window_max, s.log_lost,
           s.in_flight_peak);
    return fflush(stdout) == 0;
}

static int mock_serve(const mock_args *args, const leat_mock_opts *opts)
{
    leat_mock *mock;
    leat_error error = { 0 };
    leat_err err = leat_mock_new(&mock, opts, &error);
    if (err) {
        leat_i_say_error("mock", "%s", error.text[0] ? error.text : leat_err_sentence(err));
        return leat_i_exit_of(err);
    }
    bool good = printf("%s\n", leat_mock_url(mock)) > 0 && fflush(stdout) == 0;
    leat_mock_stats stats = { 0 };
    int waited = 0;
    if (good) {
        /* A signal is the usual end of a server, so it is no failure. */
        waited = leat_i_watch_wait(leat_i_option_seen(&args->parsed, "duration") ? args->duration_ms : -1,
                                   args->stop_with_stdin ? STDIN_FILENO : -1);
        leat_mock_read(mock, &stats);
    }
    /* The counters come when all else is done: who reads them finds the log whole. */
    leat_mock_free(mock);
    good = good && stats_say(&stats);
    if (good && waited >= 0) return LEAT_I_EXIT_OK;
    leat_i_say_error("mock", good ? "no descriptor is free for signals" : "standard output cannot be written");
    return LEAT_I_EXIT_MACHINE;
}

static int mock_with(const mock_args *args, const char *script)
{
    leat_mock_opts opts = {
        .port = (uint16_t)args->port,
        .requests_per_min = args->requests_per_min,
        .tokens_per_min = args->tokens_per_min,
        .input_per_min = args->input_per_min,
        .output_per_min = args->output_per_min,
        .in_flight_max = (uint32_t)args->in_flight_max,
        .latency_ms = args->latency_ms,
        .latency_sigma = args->latency_sigma,
        .first_token_ms = args->first_token_ms,
        .first_token_sigma = args->first_token_sigma,
        .tokens_per_s = args->tokens_per_s,
        .tokens_sigma = args->tokens_sigma,
        .error_rate = args->error_rate,
        .error_status = (int)args->error_status,
        .cut_rate = args->cut_rate,
        .retry_after_s = (double)args->retry_after_ms / 1000,
        .seed = args->seed,
        .key = args->key,
        .log_path = args->log_path,
        .script = script,
        .connections_max = (uint32_t)args->connections_max,
        .body_bytes_max = (size_t)args->body_bytes_max,
    };
    return mock_serve(args, &opts);
}

/* What would be ignored without a word is refused. */
static int words_check(const mock_args *args)
{
    static const char *const NEEDS[][2] = {
        { "latency-sigma", "latency-ms" },
        { "first-token-sigma", "first-token-ms" },
        { "tokens-sigma", "tokens-per-second" },
        { "error-status", "error-rate" },
    };
    if (args->parsed.words.count > 0) {
        leat_i_say_error("mock", "'%s': mock takes options only ('leat mock --help')", args->parsed.words.item[0]);
        return LEAT_I_EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof NEEDS / sizeof *NEEDS; i++) {
        if (!leat_i_option_seen(&args->parsed, NEEDS[i][0]) || leat_i_option_seen(&args->parsed, NEEDS[i][1])) continue;
        leat_i_say_error("mock", "--%s has no effect without --%s", NEEDS[i][0], NEEDS[i][1]);
        return LEAT_I_EXIT_USAGE;
    }
    return LEAT_I_EXIT_OK;
}

static int mock_scripted(const mock_args *args)
{
    leat_i_buf script = { 0 };
    if (words_check(args)) return LEAT_I_EXIT_USAGE;
    if (args->list_faults) return leat_i_mock_faults_print();
    int exit_code = leat_i_mock_script_put(&script, args->script_path, &args->faults, &args->limits_at);
    if (!exit_code) exit_code = mock_with(args, script.data);
    leat_i_buf_fini(&script);
    return exit_code;
}

static int cmd_mock(int argc, char **argv)
{
    mock_args args = { 0 };
    leat_i_watch_block(true);
    int exit_code = leat_i_options_parse(&leat_i_cmd_mock, argc, argv, &args, &args.parsed);
    if (!exit_code && args.parsed.help)
        exit_code = leat_i_help_command(&leat_i_cmd_mock);
    else if (!exit_code)
        exit_code = mock_scripted(&args);
    leat_i_options_fini(&args.parsed, &args);
    return exit_code;
}

const leat_i_command leat_i_cmd_mock = {
    .name = "mock",
    .usage = "[OPTIONS]",
    .brief = "an OpenAI-compatible endpoint on this machine, with limits, delays and faults",
    .about =
        "Serves chat completions, streams and embeddings on 127.0.0.1 without key or network, and the forms of Azure, "
        "Anthropic, Gemini and Ollama. Its model, leat-extract, "
        "answers "
        "with an extractive summary of what it is given: it is no LLM, and it says so. The first line of standard output is "
        "the base URL; at the end, with SIGINT, SIGTERM, --duration or --stop-with-stdin, come the counters as one JSON "
        "object.",
    .option = MOCK_OPTIONS,
    .run = cmd_mock,
};
