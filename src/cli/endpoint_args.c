/* endpoint_args.c: see endpoint_args.h. */
#include "endpoint_args.h"

#include <stdio.h>
#include <string.h>

#include "../bulk/exit_code.h"
#include "../llm/provider.h"
#include "limit_args.h"
#include "number.h"
#include "say.h"

/* The short names that limits have as options. */
static const struct {
    const char *name, *limit, *period;
} SHORT[] = {
    { "rpm", "requests", "minute" },      { "rpd", "requests", "day" },          { "tpm", "tokens", "minute" },
    { "itpm", "input-tokens", "minute" }, { "otpm", "output-tokens", "minute" },
};

static int endpoint_refuse(const leat_i_run_args *args, const char *word, const char *why)
{
    leat_i_say_error(args->parsed.command->name,
                     "--endpoint: '%s': %s; it takes "
                     "URL[,key-env=NAME][,key-file=FILE][,provider=NAME][,jobs=N][,rpm=N][,tpm=N] and what "
                     "--limit takes",
                     word, why);
    return LEAT_I_EXIT_USAGE;
}

static int no_memory(const leat_i_run_args *args)
{
    leat_i_say_error(args->parsed.command->name, "out of memory");
    return LEAT_I_EXIT_MACHINE;
}

/* A number of `limits` named in short or as --limit has it. */
static int limit_word(leat_i_run_args *args, const char *word, leat_limiter_opts *limits)
{
    const char *command = args->parsed.command->name, *equals = strchr(word, '=');
    for (size_t i = 0; equals && i < sizeof SHORT / sizeof *SHORT; i++) {
        if (strlen(SHORT[i].name) != (size_t)(equals - word) || memcmp(word, SHORT[i].name, (size_t)(equals - word)) != 0)
            continue;
        char whole[96];
        if (strlen(equals) > 40) return endpoint_refuse(args, word, "not a number above 0");
        snprintf(whole, sizeof whole, "%s%s/%s", SHORT[i].limit, equals, SHORT[i].period);
        return leat_i_limit_take(command, whole, limits);
    }
    if (strchr(word, '/')) return leat_i_limit_take(command, word, limits);
    return endpoint_refuse(args, word, "there is no such setting of an endpoint");
}

static int setting_take(leat_i_run_args *args, const char *word, leat_llm_endpoint *e, leat_limiter_opts *limits)
{
    uint64_t jobs;
    if (strncmp(word, "key-env=", 8) == 0) {
        e->key_env = word + 8;
        return leat_i_key_env_check(args, e->key_env);
    }
    if (strncmp(word, "key-file=", 9) == 0) {
        e->key_file = word + 9;
        return LEAT_I_EXIT_OK;
    }
    if (strncmp(word, "provider=", 9) == 0) {
        e->provider = word + 9;
        return leat_i_provider_check(args, "--endpoint: provider=", e->provider);
    }
    /* What comes after it may be a key, and is not repeated. */
    if (strncmp(word, "key=", 4) == 0 || strncmp(word, "api-key=", 8) == 0)
        return endpoint_refuse(args, "key=...", "a key does not belong on a command line, which every user can read");
    if (strncmp(word, "jobs=", 5) != 0) return limit_word(args, word, limits);
    if (!leat_i_number_whole(word + 5, &jobs) || jobs < 1 || jobs > 100000)
        return endpoint_refuse(args, word, "not a whole number from 1 to 100000");
    limits->in_flight_max = (uint32_t)jobs;
    return LEAT_I_EXIT_OK;
}

static int endpoint_read(leat_i_run_args *args, const char *given, const leat_limiter_opts *defaults, leat_llm_endpoint *e,
                         leat_limiter_opts *limits)
{
    char *copy = leat_i_arena_strndup(&args->arena, given, strlen(given)), *rest = NULL;
    if (!copy) return no_memory(args);
    e->base_url = strtok_r(copy, ",", &rest);
    bool is_url = e->base_url && (strncmp(e->base_url, "http", 4) == 0 || strcmp(e->base_url, "mock:") == 0);
    if (!is_url || *given == ',') return endpoint_refuse(args, "", "no URL comes first");
    for (char *word; (word = strtok_r(NULL, ",", &rest));) {
        int exit_code = setting_take(args, word, e, limits);
        if (exit_code) return exit_code;
    }
    if (e->key_env && e->key_file) return endpoint_refuse(args, e->base_url, "it has a key-env and a key-file");
    leat_i_limit_defaults(limits, defaults);
    return LEAT_I_EXIT_OK;
}

/* Where the requests of a run go: to the first endpoint. */
static void first_read(const leat_i_run_args *args, leat_i_endpoint_args *e)
{
    const leat_llm_endpoint *first = e->endpoint;
    const char *named = first && first->provider ? first->provider : args->provider;
    const leat_i_provider *p = named ? leat_i_provider_named(named) : NULL;
    e->base_url = leat_i_provider_url(p, first ? first->base_url : args->base_url);
    e->provider = (p ? p : leat_i_provider_guess(e->base_url))->name;
    e->provider_is_guessed = !p;
}

int leat_i_endpoint_args_read(leat_i_run_args *args, leat_i_endpoint_args *e)
{
    size_t count = args->endpoint.count ? args->endpoint.count : 1;
    leat_limiter_opts defaults;
    int exit_code = leat_i_limit_args(args, &defaults);
    *e = (leat_i_endpoint_args){ .count = count };
    if (exit_code) return exit_code;
    e->limits = leat_i_arena_alloc(&args->arena, count * sizeof *e->limits);
    if (!e->limits) return no_memory(args);
    if (args->endpoint.count == 0) {
        e->limits[0] = defaults;
        first_read(args, e);
        return LEAT_I_EXIT_OK;
    }
    e->endpoint = leat_i_arena_alloc(&args->arena, count * sizeof *e->endpoint);
    if (!e->endpoint) return no_memory(args);
    for (size_t i = 0; i < count && !exit_code; i++) {
        e->endpoint[i] = (leat_llm_endpoint){ .base_url = NULL };
        e->limits[i] = (leat_limiter_opts){ 0 };
        exit_code = endpoint_read(args, args->endpoint.item[i], &defaults, &e->endpoint[i], &e->limits[i]);
    }
    if (!exit_code) first_read(args, e);
    return exit_code;
}
