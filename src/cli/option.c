/*
 * option.c: parsing with getopt_long, from a command's table into a command's struct.
 *
 * Values of options that could be secrets are never repeated: an unknown option is named without what follows its '='.
 */
#include "option.h"

#include <getopt.h>
#include <string.h>

#include "../base/mem.h"
#include "../bulk/exit_code.h"
#include "nearest.h"
#include "number.h"
#include "say.h"

enum { LONG_BASE = 256, LONG_COUNT_MAX = LEAT_I_OPTION_COUNT_MAX * (1 + LEAT_I_ALIAS_COUNT_MAX) + 2 };

int leat_i_list_add(leat_i_list *list, const char *item)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        const char **grown = leat_i_realloc(list->item, room * sizeof *grown);
        if (!grown) {
            leat_i_say_error("", "out of memory");
            return LEAT_I_EXIT_MACHINE;
        }
        list->item = grown;
        list->room = room;
    }
    list->item[list->count++] = item;
    return LEAT_I_EXIT_OK;
}

/* ---- getopt's tables ---- */

typedef struct tables {
    struct option name[LONG_COUNT_MAX];
    char letters[2 + 2 * LEAT_I_OPTION_COUNT_MAX];
} tables;

static int getopt_argument(const leat_i_option *o)
{
    if (o->kind == LEAT_I_OPTION_FLAG) return no_argument;
    return o->value_optional || o->kind == LEAT_I_OPTION_REFUSED ? optional_argument : required_argument;
}

static void tables_fill(tables *t, const leat_i_command *command)
{
    size_t names = 0, letters = 0;
    memset(t, 0, sizeof *t);
    t->letters[letters++] = ':'; /* Tells a missing value from an unknown letter. */
    t->letters[letters++] = 'h';
    t->name[names++] = (struct option){ "help", no_argument, NULL, 'h' };
    for (size_t i = 0; command->option[i].name; i++) {
        const leat_i_option *o = &command->option[i];
        int val = LONG_BASE + (int)i;
        t->name[names++] = (struct option){ o->name, getopt_argument(o), NULL, val };
        for (size_t a = 0; a < LEAT_I_ALIAS_COUNT_MAX && o->alias[a]; a++)
            t->name[names++] = (struct option){ o->alias[a], getopt_argument(o), NULL, val };
        if (!o->letter) continue;
        t->letters[letters++] = o->letter;
        if (o->kind != LEAT_I_OPTION_FLAG) t->letters[letters++] = ':';
    }
}

static const leat_i_option *option_of(const leat_i_command *command, int val)
{
    if (val >= LONG_BASE) return &command->option[val - LONG_BASE];
    for (size_t i = 0; command->option[i].name; i++)
        if (val && command->option[i].letter == val) return &command->option[i];
    return NULL;
}

/* ---- values ---- */

static bool number_refused(const leat_i_command *command, const leat_i_option *o, const char *value, const char *what)
{
    char range[80] = "";
    if (o->zero_refused)
        snprintf(range, sizeof range, " above 0, up to %.15g", o->max);
    else if (o->max > 0)
        snprintf(range, sizeof range, " from %.15g to %.15g", o->min, o->max);
    else
        snprintf(range, sizeof range, " of at least %.15g", o->min);
    leat_i_say_error(command->name, "--%s takes %s%s, not '%s'", o->name, what, range, value);
    return false;
}

/* Tells of a 0 that would mean "nothing" to some and "no limit" to others. */
static bool zero_refused(const leat_i_command *command, const leat_i_option *o, double d)
{
    if (!o->zero_refused || d != 0) return false;
    leat_i_say_error(command->name, "--%s 0 would let nothing through: leave it out for no limit", o->name);
    return true;
}

static bool number_in_range(const leat_i_option *o, double d)
{
    return d >= o->min && (o->max == 0 || d <= o->max);
}

static bool number_set(const leat_i_command *command, const leat_i_option *o, const char *value, void *field)
{
    double d;
    uint64_t n;
    switch (o->kind) {
    case LEAT_I_OPTION_COUNT:
        if (!leat_i_number_whole(value, &n) || !number_in_range(o, (double)n))
            return number_refused(command, o, value, "a whole number");
        if (zero_refused(command, o, (double)n)) return false;
        *(uint64_t *)field = n;
        return true;
    case LEAT_I_OPTION_BYTES:
        if (!leat_i_number_bytes(value, &n) || !number_in_range(o, (double)n))
            return number_refused(command, o, value, "a number of bytes (K, M, G may follow)");
        *(uint64_t *)field = n;
        return true;
    case LEAT_I_OPTION_SECONDS:
        if (!leat_i_number_double(value, &d) || !number_in_range(o, d))
            return number_refused(command, o, value, "seconds (decimals allowed)");
        *(int64_t *)field = (int64_t)(d * 1000 + 0.5);
        return true;
    default:
        if (!leat_i_number_double(value, &d) || !number_in_range(o, d)) return number_refused(command, o, value, "a number");
        if (zero_refused(command, o, d)) return false;
        *(double *)field = d;
        return true;
    }
}

static bool choice_set(const leat_i_command *command, const leat_i_option *o, const char *value, int *field)
{
    char all[256] = "";
    const char *nearest = NULL;
    leat_i_word_hint hint;
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *field = i;
            return true;
        }
        nearest = leat_i_word_nearer(value, nearest, o->choices[i]);
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", o->choices[i]);
    }
    leat_i_say_error(command->name, "--%s takes one of %s, not '%s'%s", o->name, all, value,
                     leat_i_word_hint_put(hint, nearest, ""));
    return false;
}

/* What a script gives whose variable is not set: it would be taken for something that nobody meant. */
static bool is_empty(const leat_i_command *command, const leat_i_option *o, const char *value)
{
    bool is_text = o->kind == LEAT_I_OPTION_TEXT || o->kind == LEAT_I_OPTION_LIST;
    if (!is_text || !value || *value || o->value_optional || o->may_be_empty) return false;
    leat_i_say_error(command->name, "the value of --%s is empty: is a variable not set?", o->name);
    return true;
}

static int value_set(const leat_i_command *command, const leat_i_option *o, const char *value, void *target)
{
    void *field = (char *)target + o->at;
    if (is_empty(command, o, value)) return LEAT_I_EXIT_USAGE;
    switch (o->kind) {
    case LEAT_I_OPTION_FLAG:
        *(bool *)field = true;
        return LEAT_I_EXIT_OK;
    case LEAT_I_OPTION_TEXT:
        *(const char **)field = value ? value : "";
        return LEAT_I_EXIT_OK;
    case LEAT_I_OPTION_LIST:
        return leat_i_list_add(field, value);
    case LEAT_I_OPTION_CHOICE:
        return choice_set(command, o, value, field) ? LEAT_I_EXIT_OK : LEAT_I_EXIT_USAGE;
    case LEAT_I_OPTION_REFUSED:
        leat_i_say_error(command->name, "there is no --%s: %s", o->name, o->help);
        return LEAT_I_EXIT_USAGE;
    default:
        return number_set(command, o, value, field) ? LEAT_I_EXIT_OK : LEAT_I_EXIT_USAGE;
    }
}

/* ---- what is wrong ---- */

static const char *nearest_option(const leat_i_command *command, const char *name)
{
    const char *best = leat_i_word_nearer(name, NULL, "help");
    for (size_t i = 0; command->option[i].name; i++) {
        const leat_i_option *o = &command->option[i];
        if (o->kind == LEAT_I_OPTION_REFUSED) continue;
        best = leat_i_word_nearer(name, best, o->name);
        for (size_t a = 0; a < LEAT_I_ALIAS_COUNT_MAX && o->alias[a]; a++)
            best = leat_i_word_nearer(name, best, o->alias[a]);
    }
    return best;
}

static void say_unknown(const leat_i_command *command, const char *word)
{
    char name[64];
    word += strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *nearest = nearest_option(command, name);
    if (nearest)
        leat_i_say_error(command->name, "--%s is not an option of 'leat %s'; did you mean --%s?", name, command->name,
                         nearest);
    else
        leat_i_say_error(command->name, "--%s is not an option of 'leat %s'; 'leat %s --help' lists them", name,
                         command->name, command->name);
}

static void say_refused(const leat_i_command *command, int got, char **argv)
{
    const leat_i_option *o = option_of(command, optopt);
    if (got == ':' && o)
        leat_i_say_error(command->name, "--%s needs a value: --%s %s", o->name, o->name, o->arg ? o->arg : "VALUE");
    else if (optopt >= LONG_BASE && o)
        leat_i_say_error(command->name, "--%s takes no value", o->name);
    else if (optopt == 'h')
        leat_i_say_error(command->name, "--help takes no value");
    else if (optopt)
        leat_i_say_error(command->name, "-%c is not an option of 'leat %s'; 'leat %s --help' lists them", optopt,
                         command->name, command->name);
    else
        say_unknown(command, argv[optind - 1]);
}

int leat_i_options_parse(const leat_i_command *command, int argc, char **argv, void *target, leat_i_parsed *parsed)
{
    tables t;
    tables_fill(&t, command);
    *parsed = (leat_i_parsed){ .command = command };
    optind = 0; /* glibc: begin anew, also after another table. */
    opterr = 0;
    int got, at = -1, exit_code = LEAT_I_EXIT_OK;
    for (; (got = getopt_long(argc, argv, t.letters, t.name, &at)) != -1; at = -1) {
        if (got == 'h') {
            parsed->help = true;
            return LEAT_I_EXIT_OK;
        }
        const leat_i_option *o = got == '?' || got == ':' ? NULL : option_of(command, got);
        if (!o) {
            say_refused(command, got, argv);
            return LEAT_I_EXIT_USAGE;
        }
        /* Of numbers and choices the last counts, so that a script's can be changed behind it; a name that is dropped without a word
         * would be a file lost. */
        if (parsed->seen[o - command->option] && o->kind == LEAT_I_OPTION_TEXT) {
            leat_i_say_error(command->name, "--%s is given twice; it takes one value", o->name);
            return LEAT_I_EXIT_USAGE;
        }
        parsed->seen[o - command->option] = true;
        leat_i_option typed = *o;
        if (at >= 0) typed.name = t.name[at].name; /* What is wrong is told of the name that was typed. */
        exit_code = value_set(command, &typed, optarg, target);
        if (exit_code) return exit_code;
    }
    for (int i = optind; i < argc && !exit_code; i++)
        exit_code = leat_i_list_add(&parsed->words, argv[i]);
    return exit_code;
}

void leat_i_options_fini(leat_i_parsed *parsed, void *target)
{
    leat_i_free(parsed->words.item);
    for (size_t i = 0; parsed->command->option[i].name; i++) {
        const leat_i_option *o = &parsed->command->option[i];
        if (o->kind == LEAT_I_OPTION_LIST) leat_i_free(((leat_i_list *)((char *)target + o->at))->item);
    }
}

bool leat_i_option_seen(const leat_i_parsed *parsed, const char *name)
{
    for (size_t i = 0; parsed->command->option[i].name; i++)
        if (strcmp(parsed->command->option[i].name, name) == 0) return parsed->seen[i];
    return false;
}

bool leat_i_options_agree(const leat_i_parsed *parsed, const leat_i_conflict *conflict, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const leat_i_conflict *c = &conflict[i];
        if (!leat_i_option_seen(parsed, c->one) || !leat_i_option_seen(parsed, c->other)) continue;
        leat_i_say_error(parsed->command->name, "--%s and --%s exclude each other%s%s", c->one, c->other, c->why ? ": " : "",
                         c->why ? c->why : "");
        return false;
    }
    return true;
}
