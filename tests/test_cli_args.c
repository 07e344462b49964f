/* test_cli_args.c: from a command line to settings, in this process: short memory, guesses, paths, summaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "bulk/exit_code.h"
#include "cli/guess.h"
#include "bulk/inside.h"
#include "cli/limit_args.h"
#include "cli/run_args.h"
#include "cli/summary.h"
#include "cli/text_file.h"
#include "llm/provider.h"

static void file_put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Each test has a fresh folder, which is the current one; what the program says goes nowhere. */
static int stderr_kept = -1;

static int folder_make(void **state)
{
    static char folder[64];
    FILE *nowhere = fopen("/dev/null", "w");
    fflush(stderr);
    stderr_kept = dup(2);
    if (!nowhere || stderr_kept < 0 || dup2(fileno(nowhere), 2) < 0) return -1;
    fclose(nowhere);
    snprintf(folder, sizeof folder, "/tmp/leat-args-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    *state = folder;
    return 0;
}

static int folder_remove(void **state)
{
    char command[128];
    dup2(stderr_kept, 2);
    close(stderr_kept);
    if (chdir("/") != 0) return -1;
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    return system(command);
}

/* Parses and guesses as the command does; gives the exit code. */
static int take(leat_i_run_args *args, const char *const *line)
{
    static char *argv[32]; /* a copy: the parser puts its words in another order */
    int argc = 0;
    for (; line[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)line[argc];
    argv[argc] = NULL;
    int exit_code = leat_i_run_args_init(args, &leat_i_cmd_run, argc, argv);
    return exit_code ? exit_code : leat_i_guess_format(args);
}

static const char *const LINE[] = { "run",           "docs",        "-i",           "a.txt",     "--template", "prompt.txt",
                                    "--system",      "@system.txt", "--extra-body", "{\"n\":1}", "-H",         "A: b",
                                    "--max-retries", "0",           "-o",           "out.jsonl", NULL };

static void files_make(void)
{
    assert_int_equal(mkdir("docs", 0700), 0);
    file_put("a.txt", "A document.");
    file_put("prompt.txt", "\xef\xbb\xbfSum up: {{text}}");
    file_put("system.txt", "Be brief.");
}

static void settings_are_what_was_said(void **state)
{
    leat_i_run_args args;
    leat_bulk_opts opts = { 0 };
    (void)state;
    files_make();
    assert_int_equal(take(&args, LINE), LEAT_I_EXIT_OK);
    leat_i_run_args_bulk(&args, &opts);
    assert_int_equal(opts.format, LEAT_BULK_FILES);
    assert_int_equal(opts.input_count, 2);
    assert_string_equal(opts.input[0], "a.txt");
    assert_string_equal(opts.template_text, "Sum up: {{text}}");
    assert_string_equal(opts.system, "Be brief.");
    assert_string_equal(opts.output, "out.jsonl");
    assert_int_equal(args.header.count, 1);
    assert_true(leat_i_option_seen(&args.parsed, "max-retries"));
    assert_null(opts.retry_failed);
    leat_i_run_args_fini(&args);
}

static void limits_are_what_was_said(void **state)
{
    static const char *const line[] = { "run",
                                        "a.txt",
                                        "--format=lines",
                                        "--rpm=60",
                                        "--rpd=500",
                                        "--tpm=7000",
                                        "--limit=bytes=1e6/minute",
                                        "--limit=tokens=2.5e6/day",
                                        "--max-input-tokens-per-minute=5000",
                                        "--limit=output-tokens=40/minute",
                                        "-oout",
                                        NULL };
    leat_i_run_args args;
    leat_limiter_opts limits;
    (void)state;
    files_make();
    assert_int_equal(take(&args, line), LEAT_I_EXIT_OK);
    assert_int_equal(leat_i_limit_args(&args, &limits), LEAT_I_EXIT_OK);
    assert_true(limits.requests_per_min == 60 && limits.requests_per_day == 500);
    assert_true(limits.tokens_per_min == 7000 && limits.tokens_per_day == 2.5e6);
    assert_true(limits.input_tokens_per_min == 5000 && limits.output_tokens_per_min == 40);
    assert_true(limits.bytes_per_min == 1e6);
    leat_i_run_args_fini(&args);
}

/* Each allocation fails in turn: the answer is 8 or, where a message alone was lost, what it would have been. */
static void memory_may_be_short_at_any_allocation(void **state)
{
    (void)state;
    files_make();
    int64_t before = leat_i_mem_live_count();
    bool failed_once = false;
    for (uint64_t n = 1; n < 200; n++) {
        leat_i_run_args args;
        uint64_t count = leat_i_mem_alloc_count();
        leat_i_mem_fail_after(n, false);
        int exit_code = take(&args, LINE);
        leat_i_mem_fail_after(0, false);
        leat_i_run_args_fini(&args);
        assert_int_equal(leat_i_mem_live_count(), before);
        if (exit_code != LEAT_I_EXIT_OK) assert_int_equal(exit_code, LEAT_I_EXIT_MACHINE);
        failed_once |= exit_code != LEAT_I_EXIT_OK;
        if (leat_i_mem_alloc_count() - count < n) break;
    }
    assert_true(failed_once);
}

static void paths_are_compared_by_what_stands_there(void **state)
{
    char here[256], inside[300];
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(mkdir("a/b", 0700), 0);
    assert_int_equal(mkdir("ab", 0700), 0);
    assert_int_equal(symlink("a/b", "link"), 0);
    snprintf(inside, sizeof inside, "%s/a/out", here);
    assert_true(leat_i_path_is_inside("a/out", "a"));
    assert_true(leat_i_path_is_inside("a/b/out", "a"));
    assert_true(leat_i_path_is_inside("link/out", "a"));
    assert_true(leat_i_path_is_inside("out", "."));
    assert_true(leat_i_path_is_inside(inside, "a/"));
    assert_true(leat_i_path_is_inside("/out", "/"));
    assert_true(leat_i_path_is_inside("a/out", "/"));
    assert_false(leat_i_path_is_inside("out", "a"));
    assert_false(leat_i_path_is_inside("ab/out", "a"));
    assert_false(leat_i_path_is_inside("a/../out", "a"));
    assert_false(leat_i_path_is_inside("nowhere/out", "a"));
    assert_false(leat_i_path_is_inside("a/out", "nowhere"));
    file_put("file", "x");
    assert_false(leat_i_path_is_inside("a/out", "file"));
}

static void texts_are_read_whole_or_refused(void **state)
{
    leat_i_arena arena = { 0 };
    const char *text = NULL;
    char why[256] = "";
    (void)state;
    file_put("empty", "");
    file_put("bom", "\xef\xbb\xbf");
    file_put("bad", "a\xff");
    assert_int_equal(leat_i_text_file_read("empty", &arena, &text, why, sizeof why), LEAT_OK);
    assert_string_equal(text, "");
    assert_int_equal(leat_i_text_file_read("bom", &arena, &text, why, sizeof why), LEAT_OK);
    assert_string_equal(text, "");
    assert_int_equal(leat_i_text_file_read("bad", &arena, &text, why, sizeof why), LEAT_INPUT);
    assert_string_equal(why, "bad is not UTF-8 text");
    assert_int_equal(leat_i_text_file_read("nowhere", &arena, &text, why, sizeof why), LEAT_INPUT);
    assert_non_null(strstr(why, "nowhere"));
    assert_int_equal(leat_i_text_file_read(".", &arena, &text, why, sizeof why), LEAT_INPUT);
    FILE *f = fopen("at-the-limit", "w");
    assert_non_null(f);
    for (int i = 0; i < LEAT_I_TEXT_FILE_BYTES_MAX; i++)
        fputc('x', f);
    fclose(f);
    assert_int_equal(leat_i_text_file_read("at-the-limit", &arena, &text, why, sizeof why), LEAT_OK);
    assert_int_equal(strlen(text), LEAT_I_TEXT_FILE_BYTES_MAX);
    f = fopen("at-the-limit", "a");
    assert_non_null(f);
    fputc('x', f);
    fclose(f);
    assert_int_equal(leat_i_text_file_read("at-the-limit", &arena, &text, why, sizeof why), LEAT_INPUT);
    assert_string_equal(why, "at-the-limit is larger than 16 MiB");
    leat_i_arena_fini(&arena);
}

static void summaries_are_words_or_json(void **state)
{
    leat_bulk_summary s = {
        .rows_done_before = 5,
        .rows_ok = 1234567,
        .rows_failed = 2,
        .requests = 1234570,
        .throttles = 3,
        .possibly_billed = 1,
        .tokens_in = 12,
        .tokens_out = 9,
        .tokens_cached = 4,
        .tokens_reasoning = 5,
        .cost = 0.25,
        .provider = "openrouter",
        .ms = 3725000,
        .limit_used = 0.985,
    };
    leat_i_buf words = { 0 }, json = { 0 };
    (void)state;
    s.class_count[LEAT_CLASS_OK] = 1234560;
    s.class_count[LEAT_CLASS_LENGTH] = 7;
    s.class_count[LEAT_CLASS_TIMEOUT] = 2;
    snprintf(s.first_failed, sizeof s.first_failed, "no byte came in 120 s\x1b");
    leat_i_summary_put(&words, &s, "out\x1b.jsonl", false, 1, "");
    assert_string_equal(words.data,
                        "rows:      1,234,567 good, 2 failed, 5 done before; in 1 h 2 min\n"
                        "  note:    7 length (reply cut by max_tokens; counts as good)\n"
                        "  failed:  2 timeout (one of the four timers ran out)\n"
                        "  first:   no byte came in 120 s\\x1b\n"
                        "requests:  1,234,570 (19886 a minute), 3 of them told to wait, 1 possibly billed without an "
                        "answer; 98.5 % of the limit used\n"
                        "tokens:    12 in, 9 out, 4 of those in cached, 5 of those out reasoning; cost 0.250000\n"
                        "provider:  openrouter\n"
                        "output:    out\\x1b.jsonl\n");
    leat_i_summary_put(&json, &s, "out\x1b.jsonl", true, 1, "");
    leat_i_json whole = leat_i_json_parse(json.data, json.size, NULL);
    assert_int_equal(whole.type, LEAT_I_JSON_OBJECT);
    double number = 0;
    assert_true(leat_i_json_double(leat_i_json_path(whole, "classes.timeout"), &number));
    assert_true(number == 2);
    assert_true(leat_i_json_double(leat_i_json_get(whole, "limit_used"), &number));
    assert_true(number == 0.985);
    assert_true(leat_i_json_double(leat_i_json_get(whole, "cost"), &number));
    assert_true(number == 0.25);
    assert_true(leat_i_json_str_eq(leat_i_json_get(whole, "provider"), "openrouter"));
    s.limit_used = -1;
    leat_i_buf_clear(&json);
    leat_i_summary_put(&json, &s, "-", true, 0, "");
    whole = leat_i_json_parse(json.data, json.size, NULL);
    assert_int_equal(leat_i_json_get(whole, "limit_used").type, LEAT_I_JSON_NULL);
    leat_i_buf_fini(&words);
    leat_i_buf_fini(&json);
}

/* The option lists what the library knows, in its order. */
static void providers_are_those_of_the_library(void **state)
{
    const leat_i_option *o = leat_i_run_options;
    size_t i = 0;
    (void)state;
    while (strcmp(o->name, "provider") != 0)
        o++;
    for (; o->choices[i]; i++)
        assert_string_equal(o->choices[i], leat_i_provider_name(i));
    assert_null(leat_i_provider_name(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_are_what_was_said, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(limits_are_what_was_said, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(memory_may_be_short_at_any_allocation, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(paths_are_compared_by_what_stands_there, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(texts_are_read_whole_or_refused, folder_make, folder_remove),
        cmocka_unit_test(summaries_are_words_or_json),
        cmocka_unit_test(providers_are_those_of_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
