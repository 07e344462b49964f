/* test_cli_option.c: option tables, strict numbers, the nearest word, exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cmd.h"
#include "bulk/exit_code.h"
#include "cli/help.h"
#include "cli/nearest.h"
#include "cli/number.h"
#include "cli/option.h"
#include "cli/run_args.h"

/* ---- numbers ---- */

static void numbers_are_taken_strictly(void **state)
{
    static const struct {
        const char *word;
        bool good;
        double value;
    } rows[] = {
        { "0", true, 0 },      { "12", true, 12 },    { "1.5", true, 1.5 },  { ".5", true, 0.5 },   { "5.", true, 5 },
        { "007", true, 7 },    { "1e3", true, 1000 }, { "2.e2", true, 200 }, { "-3", true, -3 },    { "0.001", true, 0.001 },
        { "", false, 0 },      { " 1", false, 0 },    { "1 ", false, 0 },    { "1x", false, 0 },    { "0x10", false, 0 },
        { "inf", false, 0 },   { "nan", false, 0 },   { "+1", false, 0 },    { "1,5", false, 0 },   { "--1", false, 0 },
        { ".", false, 0 },     { "-", false, 0 },     { "-.", false, 0 },    { "1e999", false, 0 }, { "1\n", false, 0 },
        { "1.2.3", false, 0 }, { "1e", false, 0 },    { "true", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double value = 0;
        bool good = leat_i_number_double(rows[i].word, &value);
        if (good != rows[i].good || (good && value != rows[i].value)) fail_msg("'%s' gave %d %g", rows[i].word, good, value);
    }
}

static void whole_numbers_have_no_fraction_and_no_sign(void **state)
{
    uint64_t n;
    (void)state;
    assert_true(leat_i_number_whole("1e6", &n));
    assert_int_equal(n, 1000000);
    assert_true(leat_i_number_whole("9007199254740992", &n));
    assert_false(leat_i_number_whole("9007199254740994", &n));
    assert_false(leat_i_number_whole("1.5", &n));
    assert_false(leat_i_number_whole("-1", &n));
    assert_false(leat_i_number_whole("", &n));
}

static void bytes_take_units(void **state)
{
    static const struct {
        const char *word;
        bool good;
        uint64_t value;
    } rows[] = {
        { "1024", true, 1024 },
        { "16M", true, 16 << 20 },
        { "16MiB", true, 16 << 20 },
        { "2k", true, 2048 },
        { "3GB", true, 3ULL << 30 },
        { "5B", true, 5 },
        { "5iB", false, 0 },
        { "M", false, 0 },
        { "1T", false, 0 },
        { "1.5M", false, 0 },
        { "9007199254740992G", false, 0 },
        { "", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 0;
        bool good = leat_i_number_bytes(rows[i].word, &value);
        if (good != rows[i].good || (good && value != rows[i].value)) fail_msg("'%s' gave %d", rows[i].word, good);
    }
}

/* ---- the nearest word ---- */

static void distances_are_those_of_damerau_and_levenshtein(void **state)
{
    (void)state;
    assert_int_equal(leat_i_word_distance("", ""), 0);
    assert_int_equal(leat_i_word_distance("abc", "abc"), 0);
    assert_int_equal(leat_i_word_distance("abc", ""), 3);
    assert_int_equal(leat_i_word_distance("", "abcd"), 4);
    assert_int_equal(leat_i_word_distance("modle", "model"), 1);
    assert_int_equal(leat_i_word_distance("kitten", "sitting"), 3);
    assert_int_equal(leat_i_word_distance("ouput-file", "output-file"), 1);
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[199] = 0;
    assert_int_equal(leat_i_word_distance(longer, ""), 63);
}

static void only_near_words_are_suggested(void **state)
{
    (void)state;
    assert_string_equal(leat_i_word_nearer("modle", NULL, "model"), "model");
    assert_null(leat_i_word_nearer("frobnicate", NULL, "model"));
    assert_string_equal(leat_i_word_nearer("temp", NULL, "template"), "template");
    assert_string_equal(leat_i_word_nearer("timeout", NULL, "request-timeout"), "request-timeout"); /* A whole part of it, */
    assert_string_equal(leat_i_word_nearer("requests", NULL, "max-requests-per-minute"), "max-requests-per-minute");
    assert_null(leat_i_word_nearer("current", NULL, "max-concurrency")); /* not a piece of one, */
    assert_null(leat_i_word_nearer("key", NULL, "cert-key"));            /* and nothing as short as that. */
    assert_string_equal(leat_i_word_nearer("rum", "run", "rpm"), "run");
    assert_string_equal(leat_i_word_nearer("rpn", "run", "rpm"), "run"); /* As near: the first stays. */
}

/* ---- parsing ---- */

typedef struct target {
    bool flag;
    const char *text, *maybe;
    leat_i_list list;
    uint64_t count, bytes;
    double number;
    int64_t ms;
    int choice;
} target;

static const char *const COLOURS[] = { "red", "green", NULL };

static const leat_i_option OPTIONS[] = {
    { .name = "flag",
      .letter = 'f',
      .kind = LEAT_I_OPTION_FLAG,
      .at = offsetof(target, flag),
      .group = "All",
      .help = "A." },
    { .name = "text", .letter = 't', .kind = LEAT_I_OPTION_TEXT, .arg = "T", .at = offsetof(target, text), .help = "A." },
    { .name = "maybe",
      .kind = LEAT_I_OPTION_TEXT,
      .value_optional = true,
      .arg = "T",
      .at = offsetof(target, maybe),
      .help = "A." },
    { .name = "list", .letter = 'l', .kind = LEAT_I_OPTION_LIST, .arg = "T", .at = offsetof(target, list), .help = "A." },
    { .name = "count",
      .alias = { "number-of", "n-of" },
      .kind = LEAT_I_OPTION_COUNT,
      .arg = "N",
      .min = 1,
      .max = 9,
      .at = offsetof(target, count),
      .help = "A." },
    { .name = "bytes", .kind = LEAT_I_OPTION_BYTES, .arg = "N", .at = offsetof(target, bytes), .help = "A." },
    { .name = "number", .kind = LEAT_I_OPTION_NUMBER, .arg = "N", .at = offsetof(target, number), .help = "A." },
    { .name = "time", .kind = LEAT_I_OPTION_SECONDS, .arg = "N", .min = 0.001, .at = offsetof(target, ms), .help = "A." },
    { .name = "choice",
      .kind = LEAT_I_OPTION_CHOICE,
      .arg = "C",
      .choices = COLOURS,
      .at = offsetof(target, choice),
      .help = "A." },
    { .name = "secret", .kind = LEAT_I_OPTION_REFUSED, .help = "no secrets" },
    { .name = NULL },
};
static const leat_i_command COMMAND = { .name = "try", .usage = "", .brief = "", .about = "Tries.", .option = OPTIONS };

/* What the program says goes to standard error: caught in a pipe while `fn` runs. */
typedef struct parse_case {
    target t;
    leat_i_parsed parsed;
    bool good;
    char said[4096];
} parse_case;

static void parse(parse_case *c, const char *line)
{
    char words[512], *argv[32];
    int argc = 0, pipe_fd[2];
    memset(c, 0, sizeof *c);
    snprintf(words, sizeof words, "try %s", line);
    for (char *rest = words, *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = word;
    argv[argc] = NULL;
    /* argv is gone after this call: what the test looks at must be looked at through copies, or be a word of `line`. */
    static char kept[512];
    memcpy(kept, words, sizeof kept);
    for (int i = 0; i < argc; i++)
        argv[i] = kept + (argv[i] - words);
    assert_int_equal(pipe(pipe_fd), 0);
    int saved = dup(2);
    dup2(pipe_fd[1], 2);
    c->good = leat_i_options_parse(&COMMAND, argc, argv, &c->t, &c->parsed) == LEAT_I_EXIT_OK;
    dup2(saved, 2);
    close(saved);
    close(pipe_fd[1]);
    ssize_t size = read(pipe_fd[0], c->said, sizeof c->said - 1);
    c->said[size > 0 ? size : 0] = 0;
    close(pipe_fd[0]);
}

static void parse_fini(parse_case *c)
{
    leat_i_options_fini(&c->parsed, &c->t);
}

static void options_land_in_their_fields(void **state)
{
    parse_case c;
    (void)state;
    parse(&c, "one -f --text hello --maybe=x -l a -lb --list c --number-of 3 --bytes 2K --number .25 --time 1.5 --choice "
              "green two -- --flag");
    assert_true(c.good);
    assert_true(c.t.flag);
    assert_string_equal(c.t.text, "hello");
    assert_string_equal(c.t.maybe, "x");
    assert_int_equal(c.t.list.count, 3);
    assert_string_equal(c.t.list.item[1], "b");
    assert_int_equal(c.t.count, 3);
    assert_int_equal(c.t.bytes, 2048);
    assert_true(c.t.number == 0.25);
    assert_int_equal(c.t.ms, 1500);
    assert_int_equal(c.t.choice, 1);
    assert_int_equal(c.parsed.words.count, 3);
    assert_string_equal(c.parsed.words.item[0], "one");
    assert_string_equal(c.parsed.words.item[2], "--flag");
    assert_true(leat_i_option_seen(&c.parsed, "count"));
    assert_false(leat_i_option_seen(&c.parsed, "secret"));
    assert_string_equal(c.said, "");
    parse_fini(&c);
    parse(&c, "--maybe");
    assert_string_equal(c.t.maybe, "");
    parse_fini(&c);
}

static void what_is_wrong_is_said_in_a_sentence(void **state)
{
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        { "--count 0", "leat try: --count takes a whole number from 1 to 9, not '0'\n" },
        { "--count 10", "leat try: --count takes a whole number from 1 to 9, not '10'\n" },
        { "--n-of 2.5", "leat try: --n-of takes a whole number from 1 to 9, not '2.5'\n" },
        { "--number -1", "leat try: --number takes a number of at least 0, not '-1'\n" },
        { "--time 0", "leat try: --time takes seconds (decimals allowed) of at least 0.001, not '0'\n" },
        { "--bytes lots", "leat try: --bytes takes a number of bytes (K, M, G may follow) of at least 0, not 'lots'\n" },
        { "--choice gren", "leat try: --choice takes one of red, green, not 'gren'; did you mean green?\n" },
        { "--choice blue", "leat try: --choice takes one of red, green, not 'blue'\n" },
        { "--txet x", "leat try: --txet is not an option of 'leat try'; did you mean --text?\n" },
        { "--frobnicate=sk-1", "leat try: --frobnicate is not an option of 'leat try'; 'leat try --help' lists them\n" },
        { "-x", "leat try: -x is not an option of 'leat try'; 'leat try --help' lists them\n" },
        { "--text", "leat try: --text needs a value: --text T\n" },
        { "-t", "leat try: --text needs a value: --text T\n" },
        { "--flag=yes", "leat try: --flag takes no value\n" },
        { "--help=me", "leat try: --help takes no value\n" },
        { "--secret sk-2", "leat try: there is no --secret: no secrets\n" },
        { "--secret=sk-2", "leat try: there is no --secret: no secrets\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse_case c;
        parse(&c, rows[i].line);
        assert_false(c.good);
        assert_string_equal(c.said, rows[i].sentence);
        parse_fini(&c);
    }
}

static void help_ends_the_parsing(void **state)
{
    parse_case c;
    (void)state;
    parse(&c, "--text x -h --frobnicate");
    assert_true(c.good);
    assert_true(c.parsed.help);
    parse_fini(&c);
}

/* ---- the tables of the real commands ---- */

static void table_check(const leat_i_command *command)
{
    const leat_i_option *options = command->option;
    assert_non_null(options[0].group);
    for (const leat_i_option *o = options; o->name; o++) {
        assert_true(o - options < LEAT_I_OPTION_COUNT_MAX);
        assert_non_null(o->help);
        if (o->kind == LEAT_I_OPTION_CHOICE) assert_non_null(o->choices); /* others may list words that they take, too */
        if (o->kind != LEAT_I_OPTION_FLAG && o->kind != LEAT_I_OPTION_REFUSED) assert_non_null(o->arg);
        for (const leat_i_option *other = o + 1; other->name; other++) {
            assert_string_not_equal(o->name, other->name);
            if (o->letter) assert_int_not_equal(o->letter, other->letter);
        }
    }
}

static void tables_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; leat_i_commands[i]; i++)
        table_check(leat_i_commands[i]);
    table_check(&(leat_i_command){ .option = leat_i_run_options });
}

static void every_option_stands_in_every_text(void **state)
{
    leat_i_buf markdown = { 0 }, man = { 0 };
    (void)state;
    leat_i_help_put_markdown(&markdown);
    leat_i_help_put_man(&man);
    for (size_t i = 0; leat_i_commands[i]; i++) {
        leat_i_buf help = { 0 };
        leat_i_help_put_command(&help, leat_i_commands[i]);
        const char *group = "";
        for (const leat_i_option *o = leat_i_commands[i]->option; o->name; o++) {
            char word[80];
            if (o->group) group = o->group;
            bool shown = o->kind != LEAT_I_OPTION_REFUSED;
            snprintf(word, sizeof word, "--%s", o->name);
            if (shown && leat_i_help_group_is_own(leat_i_commands[i], group)) assert_non_null(strstr(help.data, word));
            if (shown) assert_non_null(strstr(markdown.data, word));
        }
        leat_i_buf_fini(&help);
    }
    assert_false(markdown.failed || man.failed);
    leat_i_buf_fini(&markdown);
    leat_i_buf_fini(&man);
}

static void every_error_has_an_exit_code_of_the_table(void **state)
{
    static const leat_err errors[] = {
#define ERR(code, retryable, sentence) LEAT_##code,
        LEAT_ERR_MAP(ERR)
#undef ERR
    };
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        bool found = false;
        for (size_t k = 0; k < leat_i_exit_count; k++)
            found |= leat_i_exit_table[k].code == leat_i_exit_of(errors[i]);
        assert_true(found);
        assert_int_equal(errors[i] == LEAT_OK, leat_i_exit_of(errors[i]) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_taken_strictly),
        cmocka_unit_test(whole_numbers_have_no_fraction_and_no_sign),
        cmocka_unit_test(bytes_take_units),
        cmocka_unit_test(distances_are_those_of_damerau_and_levenshtein),
        cmocka_unit_test(only_near_words_are_suggested),
        cmocka_unit_test(options_land_in_their_fields),
        cmocka_unit_test(what_is_wrong_is_said_in_a_sentence),
        cmocka_unit_test(help_ends_the_parsing),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(every_option_stands_in_every_text),
        cmocka_unit_test(every_error_has_an_exit_code_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
