/* cmd_check.c: 'leat check': reads the input as a run would, asks nothing, and tells what is wrong. */
#include "cmd.h"

#include <stdio.h>

#include "../base/buf.h"
#include "../base/clean.h"
#include "../bulk/exit_code.h"
#include "endpoint_args.h"
#include "guess.h"
#include "help.h"
#include "run_args.h"
#include "say.h"
#include "summary.h"
#include "watch.h"

enum { WHY_BYTES_MAX = 4096 };

/* One line a defect: they may be many, and are for people and for grep. */
static void bad_say(void *arg, uint64_t line, const char *why)
{
    leat_i_buf b = { 0 };
    (void)arg, (void)line; /* the sentence names its line or file */
    leat_i_clean_put(&b, why, WHY_BYTES_MAX);
    printf("%s\n", b.failed || !b.data ? why : b.data);
    leat_i_buf_fini(&b);
}

static void result_say(const leat_i_run_args *args, const leat_bulk_check *c, const char *provider)
{
    printf("provider:       %s\n", provider);
    printf("documents:      %llu", (unsigned long long)c->documents);
    if (c->bytes) printf(" in %llu bytes", (unsigned long long)c->bytes);
    printf("\n");
    printf("not usable:     %llu\n", (unsigned long long)c->bad_lines);
    printf("ids seen twice: %llu\n", (unsigned long long)c->duplicate_ids);
    if (c->doubtful) printf("doubtful:       %llu\n", (unsigned long long)c->doubtful);
    if (args->output) printf("done already:   %llu\n", (unsigned long long)c->rows_done);
    if (c->rows_failed)
        printf("  of them failed: %llu (--retry-failed asks them again)\n", (unsigned long long)c->rows_failed);
    if (c->tokens_in_estimate > 0) printf("prompt tokens:  about %.0f\n", c->tokens_in_estimate);
}

static int check_with(leat_i_run_args *args, leat_bulk_check *check)
{
    leat_runtime *rt;
    leat_error error = { 0 };
    leat_bulk_opts opts = { 0 };
    leat_i_endpoint_args endpoints; /* only looked at: what a run would refuse is refused here */
    int exit_code = leat_i_endpoint_args_read(args, &endpoints);
    if (!exit_code) exit_code = leat_i_guess_format(args);
    if (exit_code) return exit_code;
    leat_i_run_args_bulk(args, &opts);
    opts.provider = endpoints.provider;
    opts.base_url = endpoints.base_url;
    /* Without an output nothing is compared, and the input can be judged without a model. */
    if (leat_i_run_args_want_model(args) && !opts.output) {
        leat_i_say_note("check", "a run needs --model NAME, too");
        opts.model = "any";
    }
    leat_err err = leat_runtime_new(&rt, &(leat_runtime_opts){ .log = leat_i_say_log, .log_arg = (void *)"check" });
    if (!err) {
        err = leat_bulk_check_input(rt, &opts, check, bad_say, args, &error);
        leat_runtime_free(rt);
    }
    if (err) {
        leat_i_say_error("check", "%s", error.text[0] ? error.text : leat_err_sentence(err));
        return leat_i_exit_of(err);
    }
    result_say(args, check, opts.provider);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        leat_i_say_error("check", "standard output cannot be written");
        return LEAT_I_EXIT_MACHINE;
    }
    if (check->documents == 0) leat_i_say_error("check", "the input holds no documents");
    return check->documents == 0 || check->bad_lines || check->duplicate_ids ? LEAT_I_EXIT_INPUT : LEAT_I_EXIT_OK;
}

static int cmd_check(int argc, char **argv)
{
    leat_i_run_args args;
    leat_bulk_check check = { 0 };
    int exit_code = leat_i_run_args_init(&args, &leat_i_cmd_check, argc, argv);
    if (!exit_code && args.parsed.help)
        exit_code = leat_i_help_command(&leat_i_cmd_check);
    else if (!exit_code)
        exit_code = check_with(&args, &check);
    if (leat_i_say_is_json() && !args.parsed.help) {
        const char *why = leat_i_say_last_error();
        if (exit_code && !*why) why = "the input has documents that a run would refuse; standard output names them";
        leat_i_summary_say_check(&check, exit_code, why);
    }
    leat_i_run_args_fini(&args);
    return exit_code;
}

static const char *const FOREIGN_GROUPS[] = { "Endpoint", "Limits", "Attempts and time", "Progress", NULL };

const leat_i_command leat_i_cmd_check = {
    .name = "check",
    .usage = "[OPTIONS OF RUN] INPUT...",
    .brief = "read the input as a run would, ask nothing, tell what is wrong",
    .about =
        "Put 'check' in the place of 'run' in a command line: the input is read to its end, each line that a run would "
        "refuse is named with the reason, and nothing is asked or written. With -o it also tells how much of the output is "
        "done. Lines that a run would send although the endpoint will hardly take them are named as doubtful. Exit code 3 "
        "when "
        "something is wrong with the input.",
    .option = leat_i_run_options,
    .foreign = "All other options of 'leat run' are taken too: they are looked at, and have no effect here.",
    .foreign_groups = FOREIGN_GROUPS,
    .run = cmd_check,
};
