/* limit_args.c: see limit_args.h. Each limit has one field; its own option and --limit NAME=N/PERIOD both fill it. */
#include "limit_args.h"

#include <stdio.h>
#include <string.h>

#include "../bulk/exit_code.h"
#include "number.h"
#include "say.h"

static const struct {
    const char *name, *period;
    size_t at;
} LIMITS[] = {
    { "requests", "minute", offsetof(leat_limiter_opts, requests_per_min) },
    { "requests", "day", offsetof(leat_limiter_opts, requests_per_day) },
    { "tokens", "minute", offsetof(leat_limiter_opts, tokens_per_min) },
    { "tokens", "day", offsetof(leat_limiter_opts, tokens_per_day) },
    { "input-tokens", "minute", offsetof(leat_limiter_opts, input_tokens_per_min) },
    { "output-tokens", "minute", offsetof(leat_limiter_opts, output_tokens_per_min) },
    { "bytes", "minute", offsetof(leat_limiter_opts, bytes_per_min) },
};
enum { LIMIT_COUNT = sizeof LIMITS / sizeof *LIMITS };
static const double LIMIT_MAX = 1e12;

/* "10000", "1.5e6/" and the like: the number between '=' and '/'. */
static bool number_between(const char *from, const char *to, double *value)
{
    char word[40];
    size_t size = (size_t)(to - from);
    if (size == 0 || size >= sizeof word) return false;
    memcpy(word, from, size);
    word[size] = 0;
    return leat_i_number_double(word, value) && *value > 0 && *value <= LIMIT_MAX;
}

static double *limit_field(leat_limiter_opts *opts, int index)
{
    return (double *)(void *)((char *)opts + LIMITS[index].at);
}

static bool word_is(const char *from, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(from, word, size) == 0;
}

static int limit_refuse(const char *command, const char *given, const char *why)
{
    leat_i_say_error(command,
                     "--limit '%s': %s; it takes NAME=N/PERIOD with requests or tokens a minute or a day, input-tokens, "
                     "output-tokens or bytes a minute, as in --limit requests=1000/day",
                     given, why);
    return LEAT_I_EXIT_USAGE;
}

int leat_i_limit_take(const char *command, const char *given, leat_limiter_opts *opts)
{
    const char *equals = strchr(given, '='), *slash = equals ? strchr(equals, '/') : NULL;
    double value;
    if (!slash) return limit_refuse(command, given, "not of that form");
    if (!number_between(equals + 1, slash, &value)) return limit_refuse(command, given, "not a number above 0");
    for (int i = 0; i < LIMIT_COUNT; i++) {
        if (!word_is(given, (size_t)(equals - given), LIMITS[i].name) || strcmp(slash + 1, LIMITS[i].period) != 0) continue;
        double *field = limit_field(opts, i);
        if (*field != 0) {
            leat_i_say_error(command, "--limit '%s': the limit of %s a %s was given before", given, LIMITS[i].name,
                             LIMITS[i].period);
            return LEAT_I_EXIT_USAGE;
        }
        *field = value;
        return LEAT_I_EXIT_OK;
    }
    return limit_refuse(command, given, "there is no such limit");
}

void leat_i_limit_defaults(leat_limiter_opts *opts, const leat_limiter_opts *defaults)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        double *field = limit_field(opts, i);
        if (*field == 0) *field = *(const double *)(const void *)((const char *)defaults + LIMITS[i].at);
    }
    if (opts->in_flight_max == 0) opts->in_flight_max = defaults->in_flight_max;
    opts->in_flight_min = defaults->in_flight_min;
    opts->adaptive = defaults->adaptive;
}

int leat_i_limit_args(const leat_i_run_args *args, leat_limiter_opts *opts)
{
    *opts = (leat_limiter_opts){
        .requests_per_min = args->requests_per_min,
        .requests_per_day = args->requests_per_day,
        .tokens_per_min = args->tokens_per_min,
        .input_tokens_per_min = args->input_tokens_per_min,
        .output_tokens_per_min = args->output_tokens_per_min,
        .adaptive = args->adaptive,
        .in_flight_max = args->adaptive ? (uint32_t)(args->concurrency ? args->concurrency : LEAT_I_CONCURRENCY_DEFAULT) : 0,
        .in_flight_min = (uint32_t)args->concurrency_min,
    };
    if (opts->in_flight_max && opts->in_flight_min > opts->in_flight_max) {
        leat_i_say_error(args->parsed.command->name, "--min-concurrency %u is more than --max-concurrency %u",
                         opts->in_flight_min, opts->in_flight_max);
        return LEAT_I_EXIT_USAGE;
    }
    if (opts->in_flight_min && !args->adaptive) {
        leat_i_say_error(args->parsed.command->name, "--min-concurrency has no effect without --adaptive");
        return LEAT_I_EXIT_USAGE;
    }
    for (size_t i = 0; i < args->limit.count; i++) {
        int exit_code = leat_i_limit_take(args->parsed.command->name, args->limit.item[i], opts);
        if (exit_code) return exit_code;
    }
    return LEAT_I_EXIT_OK;
}
