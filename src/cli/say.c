/* say.c: messages to people; with --progress json to programs. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/atomics.h"
#include "../base/buf.h"
#include "../base/json.h"
#include "../base/os.h"
#include "../base/clean.h"

enum { MESSAGE_BYTES_MAX = 4096, STDERR_FD = 2 };

/* Set once by main, read by any thread that warns: relaxed, since it guards nothing. */
static LEAT_ATOMIC(int) say_mode;

void leat_i_say_mode(leat_bulk_progress mode)
{
    leat_store_relaxed(&say_mode, (int)mode);
}

/* Errors are said by the main thread, before and after the work. */
static char last_error[MESSAGE_BYTES_MAX];

const char *leat_i_say_last_error(void)
{
    return last_error;
}

/* As getopt would: "--progress json", "--progress=json", shortened too; the last one counts. */
void leat_i_say_mode_guess(int argc, char **argv)
{
    static const char NAME[] = "--progress";
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t size = strcspn(argv[i], "=");
        if (size < 4 || size >= sizeof NAME || strncmp(argv[i], NAME, size) != 0) continue;
        const char *value = argv[i][size] ? argv[i] + size + 1 : i + 1 < argc ? argv[i + 1] : "";
        leat_i_say_mode(strcmp(value, "json") == 0 ? LEAT_BULK_PROGRESS_JSON : LEAT_BULK_PROGRESS_AUTO);
    }
}

bool leat_i_say_is_json(void)
{
    return leat_load_relaxed(&say_mode) == LEAT_BULK_PROGRESS_JSON;
}

/* One write for a line, so that lines of many threads never mix. */
static void say_line(const char *event, const char *command, const char *text)
{
    leat_i_buf line = { .max = 4 * MESSAGE_BYTES_MAX };
    if (leat_i_say_is_json()) {
        leat_i_buf_printf(&line, "{\"event\":\"%s\",\"command\":\"%s\",\"text\":", event, command);
        leat_i_json_put_string(&line, text, strlen(text));
        leat_i_buf_puts(&line, "}\n");
    } else {
        leat_i_buf_printf(&line, "leat%s%s: ", *command ? " " : "", command);
        leat_i_clean_put(&line, text, MESSAGE_BYTES_MAX);
        leat_i_buf_puts(&line, "\n");
    }
    size_t done;
    if (!line.failed)
        (void)leat_i_os_write_all(STDERR_FD, line.data, line.size, &done);
    else
        (void)leat_i_os_write_all(STDERR_FD, "leat: out of memory\n", 20, &done);
    leat_i_buf_fini(&line);
}

static void say_formatted(const char *event, const char *command, const char *fmt, va_list args)
{
    char text[MESSAGE_BYTES_MAX];
    vsnprintf(text, sizeof text, fmt, args);
    say_line(event, command, text);
}

void leat_i_say_error(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(last_error, sizeof last_error, fmt, args);
    va_end(args);
    say_line("error", command, last_error);
}

void leat_i_say_note(const char *command, const char *fmt, ...)
{
    if (leat_load_relaxed(&say_mode) == LEAT_BULK_PROGRESS_NONE) return;
    va_list args;
    va_start(args, fmt);
    say_formatted("note", command, fmt, args);
    va_end(args);
}

void leat_i_say_log(void *arg, leat_log_level level, const char *text)
{
    if (level == LEAT_LOG_WARNING) say_line("warning", arg, text);
}
