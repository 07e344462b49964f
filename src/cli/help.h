/* help.h: help texts, the tables of docs/cli.md and the man page, all made from the tables of options and exit codes. */
#ifndef LEAT_I_CLI_HELP_H
#define LEAT_I_CLI_HELP_H

#include "../base/buf.h"
#include "option.h"

/* For a terminal. */
void leat_i_help_put_program(leat_i_buf *b);
void leat_i_help_put_command(leat_i_buf *b, const leat_i_command *command);
/* The generated part of docs/cli.md, and the whole of man/leat.1. */
void leat_i_help_put_markdown(leat_i_buf *b);
void leat_i_help_put_man(leat_i_buf *b);

/* Prints the help of a command on standard output; an exit code. */
int leat_i_help_command(const leat_i_command *command);
/* Prints a buffer on standard output; an exit code. */
int leat_i_help_print(leat_i_buf *b);

/* Whether the help of this command shows the options of this group. */
bool leat_i_help_group_is_own(const leat_i_command *command, const char *group);

#endif
