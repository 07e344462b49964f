/*
 * option.h: the option table of a command: the one place from which parsing, --help, docs/cli.md and the man page derive.
 *
 * getopt_long does the parsing; this file gives it its tables, turns values into the fields of a struct, and says what is wrong
 * in a sentence that names the option and the value.
 */
#ifndef LEAT_I_CLI_OPTION_H
#define LEAT_I_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { LEAT_I_OPTION_COUNT_MAX = 64, LEAT_I_ALIAS_COUNT_MAX = 2 };

typedef enum leat_i_option_kind {
    LEAT_I_OPTION_FLAG,    /* bool */
    LEAT_I_OPTION_TEXT,    /* const char * */
    LEAT_I_OPTION_LIST,    /* leat_i_list; may be given many times */
    LEAT_I_OPTION_COUNT,   /* uint64_t, whole */
    LEAT_I_OPTION_NUMBER,  /* double */
    LEAT_I_OPTION_SECONDS, /* int64_t in ms; written in seconds, decimals allowed */
    LEAT_I_OPTION_BYTES,   /* uint64_t; K, M, G are powers of 1024 */
    LEAT_I_OPTION_CHOICE,  /* int: index into `choices` */
    LEAT_I_OPTION_REFUSED, /* nothing: `help` says why there is no such option */
} leat_i_option_kind;

/* Words given on the command line; borrowed from argv, the array is heap. */
typedef struct leat_i_list {
    const char **item;
    size_t count, room;
} leat_i_list;

typedef struct leat_i_option {
    const char *name;                          /* without the dashes */
    const char *alias[LEAT_I_ALIAS_COUNT_MAX]; /* other names that users know from other tools */
    char letter;                               /* 0 = none */
    leat_i_option_kind kind;
    bool zero_refused;          /* a limit: 0 would let nothing through, and is no word for no limit */
    bool may_be_empty;          /* TEXT: "" is a value */
    bool value_optional;        /* --name or --name=VALUE; then TEXT is "" without a value */
    const char *arg;            /* name of the value in help texts; NULL for flags */
    double min, max;            /* of numbers, in the unit that is written; both 0 = 0 and up */
    const char *const *choices; /* NULL-ended */
    const char *fallback;       /* the default, as help texts show it; NULL = none worth a word */
    const char *help;           /* a sentence or two */
    const char *group;          /* heading; NULL = that of the option before */
    size_t at;                  /* offset of the field in the command's struct */
} leat_i_option;

typedef struct leat_i_command {
    const char *name;
    const char *usage;                 /* what follows the name */
    const char *brief;                 /* half a sentence for the list of commands */
    const char *about;                 /* paragraphs for its own help */
    const leat_i_option *option;       /* ended by one without a name */
    const char *foreign;               /* NULL, or which of these options its help leaves to another command */
    const char *const *foreign_groups; /* their groups; NULL-ended */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; gives the exit code */
} leat_i_command;

/* What came of parsing. */
typedef struct leat_i_parsed {
    const leat_i_command *command;
    bool seen[LEAT_I_OPTION_COUNT_MAX]; /* by index into the table */
    leat_i_list words;                  /* what is no option, in order */
    bool help;                          /* --help: the caller prints it and is done */
} leat_i_parsed;

/* Fills `target` (the command's struct, its defaults already set). Gives an exit code; when it is not 0 the sentence was printed.
 * fini is due in any case. */
int leat_i_options_parse(const leat_i_command *command, int argc, char **argv, void *target, leat_i_parsed *parsed);
void leat_i_options_fini(leat_i_parsed *parsed, void *target);
bool leat_i_option_seen(const leat_i_parsed *parsed, const char *name);

/* Pairs that exclude each other. False when both were given: the sentence was printed. */
typedef struct leat_i_conflict {
    const char *one, *other, *why; /* `why` may be NULL */
} leat_i_conflict;
bool leat_i_options_agree(const leat_i_parsed *parsed, const leat_i_conflict *conflict, size_t count);

int leat_i_list_add(leat_i_list *list, const char *item); /* an exit code; the sentence was printed */

#endif
