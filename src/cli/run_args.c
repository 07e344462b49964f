/* run_args.c: from the command line of 'leat run' and 'leat check' to checked values; files that options name are read here. */
#include "run_args.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../bulk/exit_code.h"
#include "../bulk/template.h"
#include "../llm/cases.h"
#include "../llm/provider.h"
#include "nearest.h"
#include "say.h"
#include "text_file.h"

static const leat_i_conflict CONFLICTS[] = {
    { "max-attempts", "max-retries", "the first counts all attempts, the second those after the first; say one" },
    { "resume", "overwrite", NULL },
    { "force-resume", "overwrite", NULL },
    { "retry-failed", "overwrite", NULL },
    { "key-env", "key-file", NULL },
    { "endpoint", "base-url", "--endpoint names the URL" },
};

/* ---- values that name a file or are the text ---- */

static bool text_is_inline(const char *value)
{
    return strstr(value, "{{") || strchr(value, '\n');
}

/* Replaces `@FILE`, and a template that is no text, by what the file holds. */
static int text_resolve(leat_i_run_args *args, const char *name, const char **value, bool is_template)
{
    const char *given = *value;
    if (!given || (given[0] != '@' && !(is_template && !text_is_inline(given)))) return LEAT_I_EXIT_OK;
    const char *path = given[0] == '@' ? given + 1 : given;
    char why[256];
    leat_err err = leat_i_text_file_read(path, &args->arena, value, why, sizeof why);
    if (!err) return LEAT_I_EXIT_OK;
    if (err != LEAT_NOMEM && is_template && given[0] != '@')
        leat_i_say_error(args->parsed.command->name, "--%s '%s' is neither a text with {{text}} nor a file: %s", name, given,
                         why);
    else
        leat_i_say_error(args->parsed.command->name, "--%s: %s", name, why);
    return err == LEAT_NOMEM ? LEAT_I_EXIT_MACHINE : LEAT_I_EXIT_USAGE;
}

/* The library takes only whole objects, and a sentence from here can name the option. */
static int extra_body_check(const leat_i_run_args *args)
{
    if (!args->extra_body) return LEAT_I_EXIT_OK;
    size_t at = 0, size = strlen(args->extra_body);
    leat_i_json json = leat_i_json_parse(args->extra_body, size, &at);
    if (json.type == LEAT_I_JSON_OBJECT) return LEAT_I_EXIT_OK;
    if (json.type == LEAT_I_JSON_NONE)
        leat_i_say_error(args->parsed.command->name, "--extra-body is not JSON: wrong at byte %zu", at + 1);
    else
        leat_i_say_error(args->parsed.command->name, "--extra-body must be a JSON object, as {\"max_tokens\":200}");
    return LEAT_I_EXIT_USAGE;
}

/* ---- the key, and what must not be one ---- */

static bool key_env_is_name(const char *name)
{
    if (!*name || isdigit((unsigned char)*name)) return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_') return false;
    return true;
}

/* Somebody will put the key itself here: so the value is never repeated. */
int leat_i_key_env_check(const leat_i_run_args *args, const char *name)
{
    if (!name || (key_env_is_name(name) && getenv(name))) return LEAT_I_EXIT_OK;
    leat_i_say_error(
        args->parsed.command->name,
        "--key-env: the environment has no variable of that name (it takes the NAME of a variable, never the key)");
    return LEAT_I_EXIT_USAGE;
}

static bool header_is_secret(const char *header, size_t name_bytes)
{
    static const char *const SECRET[] = { "authorization", "proxy-authorization", "api-key",
                                          "x-api-key",     "x-goog-api-key",      "cookie" };
    for (size_t i = 0; i < sizeof SECRET / sizeof *SECRET; i++)
        if (strlen(SECRET[i]) == name_bytes && strncasecmp(header, SECRET[i], name_bytes) == 0) return true;
    return false;
}

static int header_check(const leat_i_run_args *args)
{
    const char *command = args->parsed.command->name;
    for (size_t i = 0; i < args->header.count; i++) {
        const char *header = args->header.item[i];
        size_t name = strcspn(header, ":");
        if (header_is_secret(header, name)) {
            leat_i_say_error(command,
                             "--header %.*s: a key does not belong on a command line, which every user of the machine can "
                             "read; use --key-env or --key-file",
                             (int)name, header);
            return LEAT_I_EXIT_USAGE;
        }
        if (name == 0 || header[name] != ':' || strpbrk(header, "\r\n") || strcspn(header, " \t") < name) {
            leat_i_say_error(command, "--header takes 'NAME: VALUE' on one line");
            return LEAT_I_EXIT_USAGE;
        }
    }
    return LEAT_I_EXIT_OK;
}

/* ---- the rest ---- */

static int retry_failed_check(const leat_i_run_args *args)
{
    const char *given = args->retry_failed, *nearest = NULL;
    leat_i_word_hint hint;
    if (!given || !*given) return LEAT_I_EXIT_OK;
    for (leat_class c = 0; c < LEAT_I_CLASS_COUNT; c++) {
        const char *name = leat_class_name(c);
        bool good = leat_i_class_is_good(c);
        if (!good) nearest = leat_i_word_nearer(given, nearest, name);
        if (strcmp(name, given) != 0) continue;
        if (!good) return LEAT_I_EXIT_OK;
        leat_i_say_error(args->parsed.command->name, "--retry-failed=%s: rows of class %s have not failed", given, given);
        return LEAT_I_EXIT_USAGE;
    }
    leat_i_say_error(args->parsed.command->name, "--retry-failed=%s: there is no class of that name%s", given,
                     leat_i_word_hint_put(hint, nearest, " ('leat run --help' lists them)"));
    return LEAT_I_EXIT_USAGE;
}

int leat_i_provider_check(const leat_i_run_args *args, const char *option, const char *given)
{
    const char *nearest = NULL, *name;
    leat_i_word_hint hint;
    if (!given || leat_i_provider_named(given)) return LEAT_I_EXIT_OK;
    for (size_t i = 0; (name = leat_i_provider_name(i)); i++)
        nearest = leat_i_word_nearer(given, nearest, name);
    leat_i_say_error(args->parsed.command->name, "%s%s: there is no provider of that name%s", option, given,
                     leat_i_word_hint_put(hint, nearest, " ('leat run --help' lists them)"));
    return LEAT_I_EXIT_USAGE;
}

static int output_check(const leat_i_run_args *args)
{
    const char *command = args->parsed.command->name;
    if (!args->output || strcmp(args->output, "-") != 0) return LEAT_I_EXIT_OK;
    if (!args->resume && !args->force_resume && !args->retry_failed) return LEAT_I_EXIT_OK;
    leat_i_say_error(command, "-o - cannot be resumed: standard output does not say what it holds; name a file");
    return LEAT_I_EXIT_USAGE;
}

static int files_resolve(leat_i_run_args *args)
{
    int exit_code = text_resolve(args, "template", &args->template_text, true);
    if (!exit_code) exit_code = text_resolve(args, "system", &args->system, false);
    if (!exit_code) exit_code = text_resolve(args, "extra-body", &args->extra_body, false);
    return exit_code;
}

/* The inputs are those of -i, then the words. */
static int inputs_take(leat_i_run_args *args)
{
    const char *command = args->parsed.command->name;
    int exit_code = LEAT_I_EXIT_OK;
    for (size_t i = 0; i < args->parsed.words.count && !exit_code; i++)
        exit_code = leat_i_list_add(&args->input, args->parsed.words.item[i]);
    if (exit_code || args->input.count) return exit_code;
    leat_i_say_error(command, "nothing to read: name files or folders, or '-' for standard input ('leat %s --help')",
                     command);
    return LEAT_I_EXIT_USAGE;
}

int leat_i_run_args_init(leat_i_run_args *args, const leat_i_command *command, int argc, char **argv)
{
    *args = (leat_i_run_args){ .format = LEAT_I_FORMAT_GUESS };
    int exit_code = leat_i_options_parse(command, argc, argv, args, &args->parsed);
    if (exit_code || args->parsed.help) return exit_code;
    leat_i_say_mode((leat_bulk_progress)args->progress);
    if (!leat_i_options_agree(&args->parsed, CONFLICTS, sizeof CONFLICTS / sizeof *CONFLICTS)) return LEAT_I_EXIT_USAGE;
    exit_code = inputs_take(args);
    if (!exit_code) exit_code = leat_i_key_env_check(args, args->key_env);
    if (!exit_code) exit_code = leat_i_provider_check(args, "--provider ", args->provider);
    if (!exit_code) exit_code = header_check(args);
    if (!exit_code) exit_code = retry_failed_check(args);
    if (!exit_code) exit_code = output_check(args);
    if (!exit_code) exit_code = files_resolve(args);
    if (!exit_code) exit_code = extra_body_check(args);
    return exit_code;
}

void leat_i_run_args_fini(leat_i_run_args *args)
{
    leat_i_options_fini(&args->parsed, args);
    leat_i_arena_fini(&args->arena);
}

bool leat_i_run_args_mock(const leat_i_run_args *args)
{
    const char *url = args->base_url ? args->base_url : getenv("OPENAI_BASE_URL");
    if (args->endpoint.count > 0) return strncmp(args->endpoint.item[0], "mock:", 5) == 0;
    return url && strcmp(url, "mock:") == 0;
}

static bool extra_body_has_model(const leat_i_run_args *args)
{
    if (!args->extra_body) return false;
    leat_i_json body = leat_i_json_parse(args->extra_body, strlen(args->extra_body), NULL);
    return leat_i_json_get(body, "model").type != LEAT_I_JSON_NONE;
}

bool leat_i_run_args_want_model(const leat_i_run_args *args)
{
    return leat_i_template_is_for((leat_bulk_format)args->format) && !args->model && !leat_i_run_args_mock(args) &&
           !extra_body_has_model(args);
}

void leat_i_run_args_bulk(const leat_i_run_args *args, leat_bulk_opts *opts)
{
    opts->input = args->input.item;
    opts->input_count = args->input.count;
    opts->output = args->output;
    opts->format = (leat_bulk_format)args->format;
    opts->template_text = args->template_text;
    opts->id_field = args->id_field;
    opts->url = args->url;
    opts->model = args->model;
    if (!opts->model && leat_i_run_args_mock(args) && !extra_body_has_model(args)) opts->model = "leat-extract";
    opts->system = args->system;
    opts->extra_body = args->extra_body;
    opts->line_bytes_max = (size_t)args->line_bytes_max;
    opts->no_extras = args->no_extras;
    opts->overwrite = args->overwrite;
    opts->force_resume = args->force_resume;
    opts->retry_failed = args->retry_failed;
}
