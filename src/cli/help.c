/* help.c: help texts for a terminal, wrapped to its usual width. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "../base/os.h"
#include "cmd.h"
#include "../bulk/exit_code.h"
#include "say.h"

enum { HELP_COLUMNS = 96, OPTION_INDENT = 6, STDOUT_FD = 1 };

static void indent_put(leat_i_buf *b, size_t indent)
{
    for (size_t i = 0; i < indent; i++)
        leat_i_buf_puts(b, " ");
}

/* Words, as many as fit into each line, each line indented. `used`: columns that the first line has already. */
static void wrapped_put(leat_i_buf *b, size_t indent, const char *text, size_t used)
{
    while (*text) {
        size_t word = strcspn(text, " ");
        if (used > indent && used + 1 + word > HELP_COLUMNS) {
            leat_i_buf_puts(b, "\n");
            used = 0;
        }
        if (used == 0) {
            indent_put(b, indent);
            used = indent;
        } else if (used > indent) {
            leat_i_buf_puts(b, " ");
            used++;
        }
        leat_i_buf_append(b, text, word);
        used += word;
        text += word;
        text += strspn(text, " ");
    }
    leat_i_buf_puts(b, "\n");
}

static void paragraph_put(leat_i_buf *b, const char *text)
{
    wrapped_put(b, 0, text, 0);
    leat_i_buf_puts(b, "\n");
}

static void option_head_put(leat_i_buf *b, const leat_i_option *o)
{
    if (o->letter)
        leat_i_buf_printf(b, "  -%c, ", o->letter);
    else
        leat_i_buf_puts(b, "      ");
    leat_i_buf_printf(b, "--%s", o->name);
    for (size_t a = 0; a < LEAT_I_ALIAS_COUNT_MAX && o->alias[a]; a++)
        leat_i_buf_printf(b, ", --%s", o->alias[a]);
    if (o->arg && o->value_optional)
        leat_i_buf_printf(b, "[=%s]", o->arg);
    else if (o->arg)
        leat_i_buf_printf(b, " %s", o->arg);
    if (o->choices && o->kind == LEAT_I_OPTION_CHOICE) {
        leat_i_buf_puts(b, " (");
        for (size_t i = 0; o->choices[i]; i++)
            leat_i_buf_printf(b, "%s%s", i ? "|" : "", o->choices[i]);
        leat_i_buf_puts(b, ")");
    }
    leat_i_buf_puts(b, "\n");
}

static void option_put(leat_i_buf *b, const leat_i_option *o)
{
    leat_i_buf text = { 0 };
    option_head_put(b, o);
    leat_i_buf_puts(&text, o->help);
    if (o->fallback) leat_i_buf_printf(&text, " [%s]", o->fallback);
    /* Many words would make the line of the name unreadable. */
    for (size_t i = 0; o->kind != LEAT_I_OPTION_CHOICE && o->choices && o->choices[i]; i++)
        leat_i_buf_printf(&text, "%s%s", i ? ", " : " One of ", o->choices[i]);
    b->failed |= text.failed;
    if (!text.failed) wrapped_put(b, OPTION_INDENT + 4, text.data, 0);
    leat_i_buf_fini(&text);
}

bool leat_i_help_group_is_own(const leat_i_command *command, const char *group)
{
    for (size_t i = 0; command->foreign_groups && command->foreign_groups[i]; i++)
        if (strcmp(command->foreign_groups[i], group) == 0) return false;
    return true;
}

void leat_i_help_put_command(leat_i_buf *b, const leat_i_command *command)
{
    const char *group = "";
    leat_i_buf_printf(b, "Usage: leat %s %s\n\n", command->name, command->usage);
    paragraph_put(b, command->about);
    leat_i_buf_puts(b, "Defaults stand in [brackets]. Times are in seconds, decimals allowed.\n");
    for (const leat_i_option *o = command->option; o->name; o++) {
        if (o->group) group = o->group;
        if (!leat_i_help_group_is_own(command, group) || o->kind == LEAT_I_OPTION_REFUSED) continue;
        if (o->group) leat_i_buf_printf(b, "\n%s:\n", group);
        option_put(b, o);
    }
    if (command->foreign) {
        leat_i_buf_puts(b, "\n");
        wrapped_put(b, 0, command->foreign, 0);
    }
}

void leat_i_help_put_program(leat_i_buf *b)
{
    leat_i_buf_puts(b, "Usage: leat COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    paragraph_put(
        b, "leat pushes many documents through LLM endpoints, at the pace that their limits allow, in bounded memory, and "
           "can be killed at any moment and started again.");
    leat_i_buf_puts(b, "Commands:\n");
    for (size_t i = 0; leat_i_commands[i]; i++)
        leat_i_buf_printf(b, "  %-6s %s\n", leat_i_commands[i]->name, leat_i_commands[i]->brief);
    leat_i_buf_puts(b,
                    "  help   'leat help COMMAND' tells the options of a command\n\n"
                    "Try it without key or network:\n"
                    "  leat run --base-url mock: --template 'Sum up: {{text}}' -o out.jsonl /usr/share/common-licenses\n\n"
                    "With an endpoint, its key in the variable OPENAI_API_KEY, and its limit of requests a minute:\n"
                    "  leat run --base-url URL --model NAME --rpm N --template 'Sum up: {{text}}' -o out.jsonl FOLDER\n"
                    "  leat run --base-url URL --rpm N -o out.jsonl requests.jsonl     (lines of OpenAI's Batch API)\n\n"
                    "Exit codes:\n");
    for (size_t i = 0; i < leat_i_exit_count; i++) {
        char text[256];
        size_t n = 0;
        for (const char *s = leat_i_exit_table[i].sentence; *s && n + 1 < sizeof text; s++)
            if (*s != '`') text[n++] = *s;
        text[n] = 0;
        leat_i_buf_printf(b, "  %-4d", leat_i_exit_table[i].code);
        wrapped_put(b, 6, text, 6);
    }
}

int leat_i_help_print(leat_i_buf *b)
{
    size_t done;
    int rc = b->failed ? -1 : leat_i_os_write_all(STDOUT_FD, b->data, b->size, &done);
    leat_i_buf_fini(b);
    if (rc >= 0) return LEAT_I_EXIT_OK;
    leat_i_say_error("", "standard output cannot be written");
    return LEAT_I_EXIT_MACHINE;
}

int leat_i_help_command(const leat_i_command *command)
{
    leat_i_buf b = { 0 };
    leat_i_help_put_command(&b, command);
    return leat_i_help_print(&b);
}
