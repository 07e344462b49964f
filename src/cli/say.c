/* say.c: messages to people; with --progress json to programs. */
#include "say.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/atomics.h"
#include "../base/buf.h"
#include "../base/json.h"
#include "../base/os.h"
#include "../base/clean.h"
#include "../bulk/asked.h"
#include "standard.h"

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

/* ---- how long a reader is waited for ---- */

enum { SAY_WAIT_MS = 1000, SAY_POLL_MS = 50, SAY_AGAIN_MS = 5 };

/* Relaxed, both of them: they guard nothing. */
static LEAT_ATOMIC(bool) is_at_work;
static LEAT_ATOMIC(bool) reader_stands_still;
static const int *signal_count; /* for the thread that says the last words alone, which sets it */
/* The last words are those of the thread that says them: who reads the signals must go on reading. */
static _Thread_local bool says_last_words;
static _Thread_local int signals_before;

void leat_i_say_work_begins(const int *signals)
{
    signal_count = signals;
    leat_i_standard_error_never_waits();
    leat_store_relaxed(&is_at_work, true);
}

void leat_i_say_work_ends(void)
{
    if (says_last_words) return;
    signals_before = leat_i_asked_to_stop(signal_count);
    says_last_words = true;
}

/* Do the last words go on waiting? */
static bool last_words_wait(void)
{
    return says_last_words && leat_i_asked_to_stop(signal_count) == signals_before;
}

/* Until something can be written, or nobody waits any longer: false. */
static bool room_wait(int64_t until_ns)
{
    for (;;) {
        bool waits = last_words_wait() || (!leat_load_relaxed(&reader_stands_still) && leat_i_os_now_ns() < until_ns);
        int rc = leat_i_os_wait_writable(STDERR_FD, waits ? SAY_POLL_MS : 0);
        if (rc != 0) return rc > 0;
        if (!waits) return false;
    }
}

/* A pipe that takes anything takes PIPE_BUF bytes without waiting. */
static void write_patiently(const char *data, size_t size)
{
    int64_t until_ns = leat_i_os_now_ns() + SAY_WAIT_MS * LEAT_I_NS_PER_MS;
    LEAT_ATOMIC(uint32_t) never = 0;
    bool has_room = true;
    for (size_t at = 0, done = 0; at < size && (has_room = room_wait(until_ns)); at += done) {
        int rc = leat_i_os_write_all(STDERR_FD, data + at, size - at < PIPE_BUF ? size - at : PIPE_BUF, &done);
        if (rc < 0 && rc != -EAGAIN) return;
        /* A terminal may have room, and not for the character that comes. */
        if (rc < 0) (void)leat_i_os_futex_wait(&never, 0, leat_i_os_now_ns() + SAY_AGAIN_MS * LEAT_I_NS_PER_MS);
        if (rc < 0 && leat_i_os_now_ns() >= until_ns && !last_words_wait()) has_room = false;
        if (!has_room) break;
    }
    leat_store_relaxed(&reader_stands_still, !has_room);
}

void leat_i_say_raw(const char *data, size_t size)
{
    size_t done;
    if (leat_load_relaxed(&is_at_work))
        write_patiently(data, size);
    else
        (void)leat_i_os_write_all(STDERR_FD, data, size, &done);
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
    if (!line.failed)
        leat_i_say_raw(line.data, line.size);
    else
        leat_i_say_raw("leat: out of memory\n", 20);
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
