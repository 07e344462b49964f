/* run_options.c: the option table of 'leat run', which 'leat check' takes too. */
#include "../bulk/format.h"
#include "run_args.h"

#define FIELD(name) offsetof(leat_i_run_args, name)

static const char *const FORMATS[] = { LEAT_I_FORMAT_NAMES NULL };
static const char *const SYNCS[] = { "none", "group", "row", NULL };
static const char *const LIMITS[] = { "auto", "manual", NULL };
static const char *const PROGRESSES[] = { "auto", "bar", "plain", "json", "none", NULL };

/* leat_i_provider_name has the same list; a test compares them. */
static const char *const PROVIDERS[] = { "openai", "azure",    "anthropic", "gemini", "compatible", "openrouter",
                                         "groq",   "deepseek", "ollama",    "vllm",   "llama.cpp",  NULL };

static const char *const HTTP2S[] = { "off", "on", "force", NULL };

static const char *const CLASSES[] = {
#define CLASS_NAME(code, name, meaning) name,
    LEAT_CLASS_MAP(CLASS_NAME)
#undef CLASS_NAME
        NULL
};
_Static_assert(LEAT_CLASS_OK == 0 && LEAT_CLASS_LENGTH == 1 && LEAT_CLASS_FILTERED == 2, "the good ones come first");
#define FAILED_CLASSES (CLASSES + LEAT_CLASS_FILTERED)

/* A choice's index is the value of the library's enum. */
_Static_assert(LEAT_BULK_SYNC_NONE == 0 && LEAT_BULK_SYNC_GROUP == 1 && LEAT_BULK_SYNC_ROW == 2, "SYNCS");
_Static_assert(LEAT_BULK_PROGRESS_AUTO == 0 && LEAT_BULK_PROGRESS_BAR == 1 && LEAT_BULK_PROGRESS_PLAIN == 2 &&
                   LEAT_BULK_PROGRESS_JSON == 3 && LEAT_BULK_PROGRESS_NONE == 4,
               "PROGRESSES");

_Static_assert(LEAT_HTTP2_OFF == 0 && LEAT_HTTP2_ON == 1 && LEAT_HTTP2_FORCE == 2, "HTTP2S");

#define KEY_REASON                                                                                                       \
    "what stands on a command line can be read by every user of the machine; put the key into the environment variable " \
    "OPENAI_API_KEY (--key-env NAME for another) or into a file (--key-file FILE), and replace the one that you just typed"

/* clang-format off */
const leat_i_option leat_i_run_options[] = {
    { .name = "input-file", .letter = 'i', .kind = LEAT_I_OPTION_LIST, .arg = "FILE", .at = FIELD(input), .group = "Input",
      .help = "What to read; '-' is standard input, *.gz is unpacked. May be given again, or as plain arguments." },
    { .name = "format", .kind = LEAT_I_OPTION_CHOICE, .arg = "FORMAT", .choices = FORMATS, .at = FIELD(format),
      .fallback = "guessed and said",
      .help = "batch: OpenAI Batch lines; body: a request body a line; files: each file, or each file below a folder, is a "
              "document; lines: each line is a document; csv: each row of a table is one, its first row names the columns." },
    { .name = "template", .kind = LEAT_I_OPTION_TEXT, .arg = "TEXT|FILE", .at = FIELD(template_text), .fallback = "{{text}}",
      .help = "The prompt of formats files, lines and csv: {{text}} is the document, {{name}} its name, {{field.X}} the member X of one "
              "that is a JSON object, or the column X. What holds '{{' is the text itself, else it is a file; @FILE is a file in any case." },
    { .name = "id-field", .kind = LEAT_I_OPTION_TEXT, .arg = "X", .at = FIELD(id_field), .fallback = "<file>:<n> is the id",
      .help = "The member of a document in JSON (format lines), or the column (csv), that is its id; a.b is the member b of a. The row has it "
              "as custom_id, and a run goes on by it." },
    { .name = "model", .kind = LEAT_I_OPTION_TEXT, .arg = "NAME", .at = FIELD(model), .fallback = "leat-extract with mock:",
      .help = "The model of formats files, lines and csv." },
    { .name = "system", .kind = LEAT_I_OPTION_TEXT, .may_be_empty = true, .arg = "TEXT|@FILE", .at = FIELD(system),
      .help = "The system message of formats files, lines and csv." },
    { .name = "extra-body", .kind = LEAT_I_OPTION_TEXT, .arg = "JSON|@FILE", .at = FIELD(extra_body),
      .help = "An object whose members are added to the request bodies of formats files, lines and csv, such as "
              "{\"max_tokens\":200,\"temperature\":0}." },
    { .name = "url", .kind = LEAT_I_OPTION_TEXT, .arg = "PATH", .at = FIELD(url), .fallback = "/v1/chat/completions",
      .help = "The URL path of formats body, files, lines and csv; batch lines name their own." },
    { .name = "max-line-bytes", .kind = LEAT_I_OPTION_BYTES, .arg = "BYTES", .min = 1024, .max = 4294967296.0,
      .at = FIELD(line_bytes_max), .fallback = "16M",
      .help = "A longer line, or file, becomes an error row." },

    { .name = "output-file", .letter = 'o', .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(output), .group = "Output",
      .help = "Where the rows go. The same file again goes on where the last run stopped. '-' is standard output, which cannot." },
    { .name = "resume", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(resume), .fallback = "on",
      .help = "Go on with an output that exists, if input and settings are those it was made from." },
    { .name = "force-resume", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(force_resume),
      .help = "Go on although input or settings changed, or the rows were made by another batch tool; damaged rows are dropped and "
              "asked again. What is no row at all is refused all the same." },
    { .name = "overwrite", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(overwrite),
      .help = "Start anew: the rows of an output that exists are thrown away when the first new one comes, if leat has made it." },
    { .name = "retry-failed", .kind = LEAT_I_OPTION_TEXT, .value_optional = true, .arg = "CLASS", .at = FIELD(retry_failed),
      .choices = FAILED_CLASSES,
      .help = "Take the failed rows (of one class) out of the output and ask them again." },
    { .name = "sync", .kind = LEAT_I_OPTION_CHOICE, .arg = "WHEN", .choices = SYNCS, .at = FIELD(sync), .fallback = "none",
      .help = "Against power cuts: none leaves the writing to the system until the run ends; group syncs at least once a second; row counts a "
              "document as done only after its row is on the disk. A killed process loses nothing in any mode." },
    { .name = "no-extras", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(no_extras),
      .help = "Rows without the 'leat' object, strictly in OpenAI's form. Then a row that was changed on the disk is not "
              "noticed." },

    { .name = "base-url", .kind = LEAT_I_OPTION_TEXT, .arg = "URL", .at = FIELD(base_url), .group = "Endpoint",
      .fallback = "$OPENAI_BASE_URL, else the provider's own, https://api.openai.com/v1",
      .help = "The endpoint; mock: is the embedded one, started for this run." },
    { .name = "provider", .kind = LEAT_I_OPTION_TEXT, .arg = "NAME", .choices = PROVIDERS, .at = FIELD(provider),
      .fallback = "by the URL's host, else openai",
      .help = "Whose form requests, key header and replies have. Chat and embedding requests are always given in OpenAI's form, "
              "and rows hold the reply as the provider sends it." },
    { .name = "endpoint", .kind = LEAT_I_OPTION_LIST, .arg = "URL[,NAME=VALUE...]", .at = FIELD(endpoint),
      .help = "One of several endpoints or keys that share the work; give it once for each. Each request goes to the one that has "
              "room; one that is dead or denies its key is left alone and tried again. Behind the URL: key-env=NAME, "
              "key-file=FILE, provider=NAME, jobs=N in flight, rpm=N, rpd=N, tpm=N, itpm=N, otpm=N, and what --limit takes. What is not named is "
              "as the other options say, for each of them." },
    { .name = "key-env", .kind = LEAT_I_OPTION_TEXT, .arg = "NAME", .at = FIELD(key_env),
      .fallback = "OPENAI_API_KEY, or the provider's own",
      .help = "The environment variable that holds the key. Endpoints on this machine need none." },
    { .name = "key-file", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(key_file),
      .help = "A file that holds the key instead; refused when other users can read it." },
    { .name = "header", .letter = 'H', .kind = LEAT_I_OPTION_LIST, .arg = "'NAME: VALUE'", .at = FIELD(header),
      .help = "A header for every request. May be given again. Not for keys." },
    { .name = "allow-http", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(allow_http),
      .help = "Allow plain http to other machines: key and documents can then be read on the way." },
    { .name = "cacert", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(cacert), .fallback = "the system's",
      .help = "Trust the certificates of this file (PEM)." },
    { .name = "cert", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(cert),
      .help = "The certificate (PEM) to show to an endpoint that asks for one." },
    { .name = "cert-key", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(cert_key), .fallback = "the file of --cert",
      .help = "The key of that certificate, without a pass phrase; refused when other users can read the file." },
    { .name = "http2", .kind = LEAT_I_OPTION_CHOICE, .arg = "WHEN", .choices = HTTP2S, .at = FIELD(http2), .fallback = "off",
      .help = "Many requests on one TLS connection. on: if this libcurl's HTTP/2 is sound (8.7 and later); force: with any." },
    { .name = "max-body-bytes", .kind = LEAT_I_OPTION_BYTES, .arg = "BYTES", .min = 1024, .max = 4294967296.0,
      .at = FIELD(body_bytes_max), .fallback = "16M", .help = "A longer reply, unpacked, becomes an error row." },
    { .name = "stream", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(stream),
      .help = "Ask for streamed replies. The rows are the same, and have the time to the first token." },
    { .name = "key", .alias = { "api-key", "token" }, .kind = LEAT_I_OPTION_REFUSED, .help = KEY_REASON },

    { .name = "max-requests-per-minute", .alias = { "rpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e9,
      .at = FIELD(requests_per_min), .zero_refused = true, .fallback = "no limit", .group = "Limits",
      .help = "Requests a minute, repeated ones included; no window of 60 seconds has more." },
    { .name = "max-requests-per-day", .alias = { "rpd" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(requests_per_day), .zero_refused = true, .fallback = "no limit",
      .help = "Requests in any 24 hours of this run. Then it waits; an earlier run's requests are not known to it." },
    { .name = "max-tokens-per-minute", .alias = { "tpm" }, .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(tokens_per_min), .zero_refused = true, .fallback = "no limit", .help = "Tokens a minute, prompts and replies together." },
    { .name = "max-input-tokens-per-minute", .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(input_tokens_per_min), .zero_refused = true, .fallback = "no limit", .help = "Tokens a minute, prompts alone." },
    { .name = "max-output-tokens-per-minute", .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .max = 1e12,
      .at = FIELD(output_tokens_per_min), .zero_refused = true, .fallback = "no limit", .help = "Tokens a minute, replies alone." },
    { .name = "limit", .kind = LEAT_I_OPTION_LIST, .arg = "NAME=N/PERIOD", .at = FIELD(limit),
      .help = "Any limit in one form, as requests=1000/day, bytes=50e6/minute (of request bodies) or tokens=1e6/day. Names are "
              "requests, tokens (a minute or a day), input-tokens, output-tokens and bytes (a minute). May be given again." },
    { .name = "max-concurrency", .alias = { "jobs" }, .letter = 'j', .kind = LEAT_I_OPTION_COUNT, .arg = "N", .min = 1,
      .max = 100000, .at = FIELD(concurrency), .fallback = "64", .help = "Requests in flight at once." },

    { .name = "adaptive", .kind = LEAT_I_OPTION_FLAG, .at = FIELD(adaptive),
      .help = "Find out how many requests in flight the endpoint bears, from --min-concurrency to --max-concurrency: more while "
              "all goes well, half after a refusal (429, 503, 529) or a lost connection, less when first tokens come late." },
    { .name = "min-concurrency", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .min = 1, .max = 100000, .at = FIELD(concurrency_min),
      .fallback = "1", .help = "With --adaptive: never fewer in flight." },
    { .name = "limits", .kind = LEAT_I_OPTION_CHOICE, .arg = "HOW", .choices = LIMITS, .at = FIELD(limits), .fallback = "auto",
      .help = "auto: limits that the endpoint names in the headers of its answers count too, where they are lower than those given "
              "here; manual: only those given here." },

    { .name = "max-attempts", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .min = 1, .max = 1000, .at = FIELD(max_attempts),
      .fallback = "5", .group = "Attempts and time",
      .help = "How often a document may fail before its row is an error. Answers that say 'too much at once' do not count." },
    { .name = "max-retries", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 999, .at = FIELD(max_retries),
      .help = "The same counted as other tools do: repeats after the first attempt. --max-retries 4 is --max-attempts 5." },
    { .name = "throttle-time", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .max = 1e8, .at = FIELD(throttle_time_ms),
      .fallback = "600", .help = "How long a document may be put off by 'too much at once' (429, 503) before it fails." },
    { .name = "outage-time", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .max = 1e8, .at = FIELD(outage_time_ms),
      .fallback = "60",
      .help = "How long the run pauses for an endpoint that went away, or answers nothing but errors, and tries again, before it "
              "stops." },
    { .name = "request-timeout", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .min = 0.001, .max = 1e8,
      .at = FIELD(request_timeout_ms), .fallback = "600", .help = "For a whole exchange." },
    { .name = "connect-timeout", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .min = 0.001, .max = 1e8,
      .at = FIELD(connect_timeout_ms), .fallback = "10", .help = "To connect, TLS included." },
    { .name = "first-byte-timeout", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .min = 0.001, .max = 1e8,
      .at = FIELD(first_byte_timeout_ms), .fallback = "120", .help = "From the request to the first byte of the answer." },
    { .name = "idle-timeout", .kind = LEAT_I_OPTION_SECONDS, .arg = "SECONDS", .min = 0.001, .max = 1e8,
      .at = FIELD(idle_timeout_ms), .fallback = "60", .help = "Between two pieces of content." },
    { .name = "max-errors", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 9e15, .at = FIELD(errors_max),
      .fallback = "no limit", .help = "Stop the run when this many rows have failed. 0 = no limit." },
    { .name = "max-total-tokens", .kind = LEAT_I_OPTION_COUNT, .arg = "N", .max = 9e15, .at = FIELD(tokens_max), .zero_refused = true,
      .fallback = "no limit",
      .help = "Stop the run before more tokens than that, prompts and replies of all attempts, are spent. Counted anew by each start." },
    { .name = "max-cost", .kind = LEAT_I_OPTION_NUMBER, .arg = "AMOUNT", .max = 1e9, .at = FIELD(cost_max), .zero_refused = true,
      .fallback = "no limit",
      .help = "The same for the cost: as the endpoint names it, else by --price-in and --price-out." },
    { .name = "price-in", .kind = LEAT_I_OPTION_NUMBER, .arg = "PRICE", .max = 1e9, .at = FIELD(price_in), .fallback = "none",
      .help = "What a million tokens of prompts cost, where the endpoint names no cost; cached ones are taken at the full price." },
    { .name = "price-out", .kind = LEAT_I_OPTION_NUMBER, .arg = "PRICE", .max = 1e9, .at = FIELD(price_out), .fallback = "none",
      .help = "The same for replies." },

    { .name = "progress", .kind = LEAT_I_OPTION_CHOICE, .arg = "HOW", .choices = PROGRESSES, .at = FIELD(progress),
      .fallback = "auto", .group = "Progress",
      .help = "On standard error. auto: a bar on a terminal, plain lines elsewhere; json: an object a line, the summary too; "
              "none: errors only." },
    { .name = "trace", .kind = LEAT_I_OPTION_TEXT, .arg = "FILE", .at = FIELD(trace),
      .help = "Write a timeline that ui.perfetto.dev opens: each document under its id, its attempts and waits. Up to 256 MiB, some "
              "100,000 documents; no text of documents or replies." },
    { .name = NULL },
};
/* clang-format on */
_Static_assert(sizeof leat_i_run_options / sizeof *leat_i_run_options <= LEAT_I_OPTION_COUNT_MAX,
               "the table of names is too small");
