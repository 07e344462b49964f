/* main.c: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "leat/base.h"

#include "cmd.h"
#include "../bulk/exit_code.h"
#include "help.h"
#include "nearest.h"
#include "say.h"
#include "standard.h"
#include "summary.h"

static const leat_i_command *command_find(const char *name)
{
    for (size_t i = 0; leat_i_commands[i]; i++)
        if (strcmp(leat_i_commands[i]->name, name) == 0) return leat_i_commands[i];
    return NULL;
}

/* No command was found that could say how it ended. */
static int end_without_command(void)
{
    if (leat_i_say_is_json()) leat_i_summary_say_end(LEAT_I_EXIT_USAGE, leat_i_say_last_error());
    return LEAT_I_EXIT_USAGE;
}

static int say_unknown(const char *name)
{
    const char *nearest = NULL;
    for (size_t i = 0; leat_i_commands[i]; i++)
        nearest = leat_i_word_nearer(name, nearest, leat_i_commands[i]->name);
    leat_i_say_error("", "'%.64s' is not a command%s%s%s; 'leat help' lists them", name, nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'" : "");
    return end_without_command();
}

static int help(const char *about)
{
    leat_i_buf b = { 0 };
    if (!about)
        leat_i_help_put_program(&b);
    else if (strcmp(about, "--markdown") == 0)
        leat_i_help_put_markdown(&b);
    else if (strcmp(about, "--man") == 0)
        leat_i_help_put_man(&b);
    else if (command_find(about))
        leat_i_help_put_command(&b, command_find(about));
    else
        return say_unknown(about);
    return leat_i_help_print(&b);
}

static int version(void)
{
    leat_i_buf b = { 0 };
    leat_i_buf_printf(&b, "leat %s\n", leat_version());
    return leat_i_help_print(&b);
}

int main(int argc, char **argv)
{
    leat_i_standard_open();
    leat_i_say_mode_guess(argc, argv);
    const char *first = argc > 1 ? argv[1] : "";
    if (!*first) {
        leat_i_say_error("", "what shall it do? 'leat help' lists the commands");
        return end_without_command();
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) return version();
    if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    const leat_i_command *command = command_find(first);
    return command ? command->run(argc - 1, argv + 1) : say_unknown(first);
}
