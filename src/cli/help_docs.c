/* help_docs.c: the same tables as Markdown (for docs/cli.md) and as a man page (man/leat.1). */
#include <stdio.h>
#include <string.h>

#include "../bulk/exit_code.h"
#include "../llm/cases.h"
#include "cmd.h"
#include "help.h"

/* ---- Markdown ---- */

/* A cell: a bar would end it. */
static void cell_put(leat_i_buf *b, const char *text)
{
    for (; *text; text++)
        leat_i_buf_printf(b, *text == '|' ? "\\%c" : "%c", *text);
}

static void md_option_put(leat_i_buf *b, const leat_i_option *o)
{
    leat_i_buf_puts(b, "| ");
    if (o->letter) leat_i_buf_printf(b, "`-%c` ", o->letter);
    leat_i_buf_printf(b, "`--%s", o->name);
    if (o->arg) {
        leat_i_buf_puts(b, o->value_optional ? "[=" : " ");
        cell_put(b, o->arg);
        if (o->value_optional) leat_i_buf_puts(b, "]");
    }
    leat_i_buf_puts(b, "`");
    for (size_t a = 0; a < LEAT_I_ALIAS_COUNT_MAX && o->alias[a]; a++)
        leat_i_buf_printf(b, " `--%s`", o->alias[a]);
    leat_i_buf_puts(b, " | ");
    if (o->fallback) {
        leat_i_buf_puts(b, "`");
        cell_put(b, o->fallback);
        leat_i_buf_puts(b, "`");
    }
    leat_i_buf_puts(b, " | ");
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        leat_i_buf_printf(b, "%s`%s`%s", i ? ", " : "One of ", o->choices[i], o->choices[i + 1] ? "" : ". ");
    cell_put(b, o->help);
    leat_i_buf_puts(b, " |\n");
}

static void md_command_put(leat_i_buf *b, const leat_i_command *command)
{
    leat_i_buf_printf(b, "### `leat %s %s`\n\n%s\n", command->name, command->usage, command->about);
    if (command->foreign) {
        leat_i_buf_printf(b, "\nThe options are those of `leat run`; those of its groups Input and Output matter.\n\n");
        return;
    }
    for (const leat_i_option *o = command->option; o->name; o++) {
        if (o->kind == LEAT_I_OPTION_REFUSED) continue;
        if (o->group) leat_i_buf_printf(b, "\n#### %s\n\n| option | default | meaning |\n|---|---|---|\n", o->group);
        md_option_put(b, o);
    }
    leat_i_buf_puts(b, "\n");
}

void leat_i_help_put_markdown(leat_i_buf *b)
{
    for (size_t i = 0; leat_i_commands[i]; i++)
        md_command_put(b, leat_i_commands[i]);
    leat_i_buf_puts(b, "### Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (size_t i = 0; i < leat_i_exit_count; i++)
        leat_i_buf_printf(b, "| %d | %s |\n", leat_i_exit_table[i].code, leat_i_exit_table[i].sentence);
    leat_i_buf_puts(
        b, "\nWhen several apply: a signal before 8 before 5 before 4 before 1. 6 and 7 are kept for measurements.\n\n"
           "### Classes of rows\n\n| class | meaning |\n|---|---|\n");
    for (leat_class c = 0; c < LEAT_I_CLASS_COUNT; c++)
        leat_i_buf_printf(b, "| `%s` | %s |\n", leat_class_name(c), leat_i_class_meaning(c));
}

/* ---- the man page ---- */

/* Text of a page: hyphens of options are kept, backquotes dropped, and no line begins with a request by accident. */
static void man_text_put(leat_i_buf *b, const char *text)
{
    bool at_start = true;
    for (; *text; text++) {
        if (at_start && (*text == '.' || *text == '\'')) leat_i_buf_puts(b, "\\&");
        at_start = *text == '\n';
        if (*text == '\\')
            leat_i_buf_puts(b, "\\e");
        else if (*text == '-')
            leat_i_buf_puts(b, "\\-");
        else if (*text != '`')
            leat_i_buf_append(b, text, 1);
    }
}

static void man_line_put(leat_i_buf *b, const char *text)
{
    man_text_put(b, text);
    leat_i_buf_puts(b, "\n");
}

static void man_option_put(leat_i_buf *b, const leat_i_option *o)
{
    leat_i_buf_puts(b, ".TP\n");
    if (o->letter) leat_i_buf_printf(b, "\\fB\\-%c\\fR, ", o->letter);
    leat_i_buf_puts(b, "\\fB\\-\\-");
    man_text_put(b, o->name);
    leat_i_buf_puts(b, "\\fR");
    for (size_t a = 0; a < LEAT_I_ALIAS_COUNT_MAX && o->alias[a]; a++)
        leat_i_buf_printf(b, ", \\fB\\-\\-%s\\fR", o->alias[a]);
    if (o->arg) {
        leat_i_buf_puts(b, o->value_optional ? "[=\\fI" : " \\fI");
        man_text_put(b, o->arg);
        leat_i_buf_puts(b, o->value_optional ? "\\fR]" : "\\fR");
    }
    leat_i_buf_puts(b, "\n");
    if (o->choices) {
        for (size_t i = 0; o->choices[i]; i++)
            leat_i_buf_printf(b, "%s\\fB%s\\fR", i ? ", " : "One of ", o->choices[i]);
        leat_i_buf_puts(b, ".\n");
    }
    man_line_put(b, o->help);
    if (!o->fallback) return;
    leat_i_buf_puts(b, "Default: ");
    man_text_put(b, o->fallback);
    leat_i_buf_puts(b, ".\n");
}

static void man_command_put(leat_i_buf *b, const leat_i_command *command)
{
    leat_i_buf_printf(b, ".SH LEAT %s\n", command->name);
    man_line_put(b, command->about);
    if (command->foreign) {
        leat_i_buf_puts(b, ".PP\n");
        man_line_put(b, command->foreign);
        return;
    }
    for (const leat_i_option *o = command->option; o->name; o++) {
        if (o->kind == LEAT_I_OPTION_REFUSED) continue;
        if (o->group) leat_i_buf_printf(b, ".SS %s\n", o->group);
        man_option_put(b, o);
    }
}

static const char MAN_HEAD[] = ".\\\" Made by 'leat help --man'; do not edit.\n"
                               ".TH LEAT 1 \"\" \"leat %s\" \"User Commands\"\n"
                               ".SH NAME\nleat \\- push many documents through LLM endpoints\n.SH SYNOPSIS\n";
static const char MAN_TAIL[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBOPENAI_API_KEY\\fR\nThe key, unless \\fB\\-\\-key\\-env\\fR or \\fB\\-\\-key\\-file\\fR names another place. "
    "Other providers\n"
    "have variables of their own, such as \\fBANTHROPIC_API_KEY\\fR, \\fBAZURE_OPENAI_API_KEY\\fR, \\fBGEMINI_API_KEY\\fR.\n"
    ".TP\n\\fBOPENAI_BASE_URL\\fR\nThe endpoint, unless \\fB\\-\\-base\\-url\\fR names another.\n"
    ".TP\n\\fBhttps_proxy\\fR, \\fBhttp_proxy\\fR, \\fBall_proxy\\fR, \\fBno_proxy\\fR\nProxies, as curl reads them.\n"
    ".SH FILES\n"
    ".TP\n\\fIOUT\\fR\nThe rows, a JSON object a line; it is the journal of the run.\n"
    ".TP\n\\fIOUT\\fR.leat\nWhat \\fIOUT\\fR was made from: settings and fingerprints of the input. Keep both together.\n"
    ".SH EXAMPLES\n"
    "Without key or network:\n.PP\n.RS\n.nf\n"
    "leat run \\-\\-base\\-url mock: \\-\\-template 'Sum up: {{text}}' \\-o out.jsonl /usr/share/common\\-licenses\n"
    ".fi\n.RE\n.PP\nAn OpenAI batch at 500 requests a minute:\n.PP\n.RS\n.nf\n"
    "leat run \\-i batch.jsonl \\-o out.jsonl \\-\\-rpm 500\n.fi\n.RE\n";

void leat_i_help_put_man(leat_i_buf *b)
{
    leat_i_buf_printf(b, MAN_HEAD, leat_version());
    for (size_t i = 0; leat_i_commands[i]; i++) {
        if (i) leat_i_buf_puts(b, ".br\n");
        leat_i_buf_printf(b, "\\fBleat %s\\fR ", leat_i_commands[i]->name);
        man_line_put(b, leat_i_commands[i]->usage);
    }
    leat_i_buf_puts(b, ".SH DESCRIPTION\n");
    for (size_t i = 0; leat_i_commands[i]; i++) {
        leat_i_buf_printf(b, ".TP\n\\fBleat %s\\fR\n", leat_i_commands[i]->name);
        man_line_put(b, leat_i_commands[i]->brief);
    }
    for (size_t i = 0; leat_i_commands[i]; i++)
        man_command_put(b, leat_i_commands[i]);
    leat_i_buf_puts(b, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < leat_i_exit_count; i++) {
        leat_i_buf_printf(b, ".TP\n\\fB%d\\fR\n", leat_i_exit_table[i].code);
        man_line_put(b, leat_i_exit_table[i].sentence);
    }
    leat_i_buf_puts(b, MAN_TAIL);
}
