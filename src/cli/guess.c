/*
 * guess.c: guesses the format from the first input's first line, from folders, and from a template.
 *
 *   folders                        files, if there is a template
 *   standard input                 batch; with a template lines
 *   --id-field, standard input     lines
 *   a template with fields,
 *   or --id-field                  csv, if the name ends in .csv or .tsv; lines, if the first one is a JSON object or the name ends
 *                                  in .jsonl
 *   first line is a JSON object    batch if it has custom_id, body or url; body if it has what requests have
 *   name ends in .jsonl            batch, so that its bad lines are told as such
 *   any other file                 files, if there is a template
 */
#include "guess.h"

#include <errno.h>
#include <string.h>

#include "../base/json.h"
#include "../base/os.h"
#include "../bulk/csv.h"
#include "../bulk/exit_code.h"
#include "../bulk/format.h"
#include "../bulk/peek.h"
#include "../bulk/source.h"
#include "../bulk/template.h"
#include "say.h"

enum { PEEK_BYTES = 64 * 1024 };

typedef struct looked {
    bool is_dir, is_stdin, is_jsonl, is_table;
    leat_i_json first; /* the first line that is not blank, when it is JSON */
} looked;

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool name_is_jsonl(const char *path)
{
    static const char *const ENDS[] = { ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz" };
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        if (ends_with(path, ENDS[i])) return true;
    return false;
}

static leat_i_json first_line(const char *buf, size_t size)
{
    if (size >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0) {
        buf += 3;
        size -= 3;
    }
    while (size && strchr(" \t\r\n", *buf)) {
        buf++;
        size--;
    }
    const char *end = size ? memchr(buf, '\n', size) : NULL;
    return leat_i_json_parse(buf, end ? (size_t)(end - buf) : size, NULL);
}

/* Looks at the first input. 0 or -errno. */
static int input_look(leat_i_run_args *args, looked *l)
{
    const char *path = args->input.item[0];
    struct stat st;
    *l = (looked){ .is_stdin = strcmp(path, "-") == 0,
                   .is_jsonl = name_is_jsonl(path),
                   .is_table = leat_i_csv_is_name(path) };
    if (l->is_stdin) return 0;
    int rc = leat_i_os_stat(path, &st);
    if (rc < 0) return rc;
    l->is_dir = S_ISDIR(st.st_mode);
    if (!S_ISREG(st.st_mode)) return 0; /* What a pipe gives can be read only once. */
    char *buf = leat_i_arena_alloc(&args->arena, PEEK_BYTES);
    if (!buf) return -ENOMEM;
    ssize_t size = leat_i_input_peek(path, buf, PEEK_BYTES);
    if (size < 0) return (int)size;
    l->first = first_line(buf, (size_t)size);
    return 0;
}

static bool has_any(leat_i_json object, const char *const *key)
{
    for (; *key; key++)
        if (leat_i_json_get(object, *key).type != LEAT_I_JSON_NONE) return true;
    return false;
}

static bool input_has_dir(const leat_i_run_args *args)
{
    struct stat st;
    for (size_t i = 0; i < args->input.count; i++)
        if (leat_i_os_stat(args->input.item[i], &st) == 0 && S_ISDIR(st.st_mode)) return true;
    return false;
}

/* The format and why; NULL = not clear. */
static const char *format_of(const leat_i_run_args *args, const looked *l, int *format)
{
    static const char *const BATCH_KEYS[] = { "custom_id", "body", "url", NULL };
    static const char *const BODY_KEYS[] = { "messages", "model", "prompt", "input", NULL };
    bool has_template = args->template_text != NULL;
    *format = has_template || args->id_field ? LEAT_BULK_LINES : LEAT_BULK_BATCH;
    if (l->is_stdin && args->id_field) return "--id-field names the id of its lines";
    if (l->is_stdin) return has_template ? "standard input, a document a line for the template" : "standard input";
    *format = LEAT_BULK_FILES;
    if (l->is_dir || input_has_dir(args)) return has_template ? "a folder, and a template for its documents" : NULL;
    bool of_fields = args->id_field || (has_template && leat_i_template_wants_fields(args->template_text));
    if (l->is_table && of_fields) {
        *format = LEAT_BULK_CSV;
        return args->id_field ? "by its name, and --id-field names a column" : "by its name, and a template with fields";
    }
    bool of_json = l->is_jsonl || l->first.type == LEAT_I_JSON_OBJECT;
    if (of_json && args->id_field) {
        *format = LEAT_BULK_LINES;
        return "--id-field names the id of its lines";
    }
    if (of_json && of_fields) {
        *format = LEAT_BULK_LINES;
        return "a template with fields, for its lines of JSON";
    }
    if (l->first.type == LEAT_I_JSON_OBJECT && !has_template) {
        *format = LEAT_BULK_BATCH;
        if (has_any(l->first, BATCH_KEYS)) return "the first line is a request of an OpenAI batch";
        *format = LEAT_BULK_BODY;
        if (has_any(l->first, BODY_KEYS)) return "the first line is the body of a request";
    }
    *format = has_template ? LEAT_BULK_FILES : LEAT_BULK_BATCH;
    if (l->is_jsonl) return has_template ? NULL : "by its name";
    if (has_template && l->is_table) return "a template for its documents; --format csv is for a document a row";
    return has_template ? "a template for its documents; --format lines is for a document a line" : NULL;
}

int leat_i_guess_format(leat_i_run_args *args)
{
    static const char *const NAMES[] = { LEAT_I_FORMAT_NAMES };
    if (args->format != LEAT_I_FORMAT_GUESS) return LEAT_I_EXIT_OK;
    const char *command = args->parsed.command->name, *path = args->input.item[0], *why;
    looked l;
    char reason[128];
    int rc = input_look(args, &l);
    if (rc < 0) {
        leat_i_say_error(command, "cannot read %s: %s", path, leat_i_source_why(rc, reason, sizeof reason));
        return rc == -ENOMEM ? LEAT_I_EXIT_MACHINE : LEAT_I_EXIT_INPUT;
    }
    why = format_of(args, &l, &args->format);
    if (why) {
        leat_i_say_note(command, "%s is taken as --format %s (%s)", l.is_stdin ? "the input" : path, NAMES[args->format],
                        why);
        return LEAT_I_EXIT_OK;
    }
    if (l.is_jsonl)
        leat_i_say_error(
            command,
            "%s looks like JSON lines: ask for their members as {{field.NAME}} in the template, leave the template out if "
            "they are requests, or say --format lines or files for plain text",
            path);
    else
        leat_i_say_error(
            command,
            "what %s holds is not clear: say --template for documents, or --format batch, body, files, lines or csv", path);
    return LEAT_I_EXIT_USAGE;
}
