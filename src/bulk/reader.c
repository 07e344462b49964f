/* reader.c: lines and paths out of the inputs; see reader.h. */
#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/mem.h"
#include "../base/os.h"
#include "source.h"

enum {
    READER_CHUNK_BYTES = 256 * 1024,
    READER_KEPT_BYTES_MAX = 1024 * 1024, /* a buffer that a long line has grown beyond this is given back */
    READER_LINE_BYTES_DEFAULT = 16 * 1024 * 1024,
    READER_SLACK_BYTES = 8, /* a byte order mark and a CR do not count as the line's */
};

static leat_err input_fail(leat_error *error, const char *path, int rc)
{
    char text[80];
    if (rc == -ENOMEM) return leat_i_fail(error, LEAT_NOMEM, "out of memory while reading %s", path);
    if (rc == -ECANCELED) return leat_i_fail(error, LEAT_CANCELED, "stopped while waiting for the input");
    const char *why = leat_i_source_why(rc, text, sizeof text);
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    return leat_i_fail(error, LEAT_INPUT, "cannot read the input %s: %s", name, why);
}

/* Looks at one input: is it there, may it block, how large is it. */
static leat_err input_look(leat_i_reader *r, const char *path, bool *sized, leat_error *error)
{
    struct stat st;
    int rc = strcmp(path, "-") == 0 ? leat_i_os_fstat(0, &st) : leat_i_os_stat(path, &st);
    if (rc < 0) return input_fail(error, path, rc);
    if (S_ISDIR(st.st_mode) && !r->files)
        return leat_i_fail(error, LEAT_INPUT,
                           "the input %s is a folder: its files can be documents in the format \"files\" only", path);
    if (S_ISREG(st.st_mode))
        r->bytes_total += (uint64_t)st.st_size;
    else
        *sized = false;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) r->may_block = true;
    return LEAT_OK;
}

leat_err leat_i_reader_init(leat_i_reader *r, const leat_bulk_opts *opts, leat_error *error)
{
    memset(r, 0, sizeof *r);
    if (!opts->input || opts->input_count == 0) return leat_i_fail(error, LEAT_USAGE, "a run needs an input");
    r->input = opts->input;
    r->input_count = opts->input_count;
    r->files = opts->format == LEAT_BULK_FILES;
    r->table = opts->format == LEAT_BULK_CSV;
    r->line_bytes_max = opts->line_bytes_max ? opts->line_bytes_max : READER_LINE_BYTES_DEFAULT;
    bool sized = true;
    size_t standard = 0;
    for (size_t i = 0; i < r->input_count; i++) {
        if (!r->input[i] || !r->input[i][0]) return leat_i_fail(error, LEAT_USAGE, "the name of an input is empty");
        standard += strcmp(r->input[i], "-") == 0;
        LEAT_TRY(input_look(r, r->input[i], &sized, error));
    }
    if (standard > 1) return leat_i_fail(error, LEAT_USAGE, "standard input can be read once only");
    if (!sized) r->bytes_total = 0;
    return LEAT_OK;
}

static void piece_of(leat_i_reader *r, leat_i_piece *piece, const char *path)
{
    r->number++;
    *piece = (leat_i_piece){ .number = r->number, .file_line = r->files ? 0 : r->file_line, .path = path };
}

/* ---- files ---- */

/* An input of one file counts as read when it was given: so there is a share of the whole to show. */
static void file_done(leat_i_reader *r)
{
    struct stat st;
    if (leat_i_os_stat(r->input[r->input_at], &st) == 0 && S_ISREG(st.st_mode)) r->bytes_done += (uint64_t)st.st_size;
    r->in_tree = false;
    r->input_at++;
}

static leat_i_take take_file(leat_i_reader *r, leat_i_piece *piece)
{
    for (;;) {
        if (r->in_tree) {
            const char *path;
            int rc = leat_i_tree_next(&r->tree, &path);
            if (rc == 0) {
                file_done(r);
                continue;
            }
            char text[80];
            piece_of(r, piece, path ? path : r->input[r->input_at]);
            if (rc < 0)
                snprintf(piece->why, sizeof piece->why, "cannot be read: %s", leat_i_errno_text(rc, text, sizeof text));
            return LEAT_I_TAKE_PIECE;
        }
        if (r->input_at == r->input_count) return LEAT_I_TAKE_END;
        if (strcmp(r->input[r->input_at], "-") == 0) {
            piece_of(r, piece, r->input[r->input_at++]);
            return LEAT_I_TAKE_PIECE;
        }
        return LEAT_I_TAKE_MORE;
    }
}

/* ---- lines ---- */

static void source_done(leat_i_reader *r)
{
    r->bytes_done += r->source.bytes;
    leat_i_source_close(&r->source);
    r->input_at++;
    r->start = r->end = r->scanned = 0;
}

/* Counts the line ends within a row. */
static void inside_count(leat_i_reader *r, const char *text, size_t size)
{
    for (const char *p = text, *end = text + size; r->table && p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        r->inside++;
}

/* The numbers of what comes next. */
static void inside_pass(leat_i_reader *r)
{
    r->number += r->inside;
    r->file_line += r->inside;
    r->inside = 0;
}

/* A line whose end was found at `size` bytes from the start; `after` bytes of end belong to it. False = it gives no piece. */
static bool line_take(leat_i_reader *r, size_t size, size_t after, leat_i_piece *piece)
{
    const char *text = r->buf ? r->buf + r->start : "";
    bool too_long = r->dropping;
    r->dropping = false;
    r->start += size + after;
    r->scanned = 0;
    r->file_line++;
    bool first = r->at_start;
    r->at_start = false;
    if (first && size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
    if (size > 0 && text[size - 1] == '\r') size--;
    piece_of(r, piece, r->input[r->input_at]);
    inside_count(r, text, size);
    inside_pass(r);
    piece->is_head = r->table && !r->head_given;
    if (too_long || size > r->line_bytes_max) {
        snprintf(piece->why, sizeof piece->why, "longer than %zu bytes (line_bytes_max, or --max-line-bytes)",
                 r->line_bytes_max);
        r->head_given = true;
        return true;
    }
    size_t blank = 0;
    while (blank < size && (text[blank] == ' ' || text[blank] == '\t' || text[blank] == '\r'))
        blank++;
    piece->text = text;
    piece->bytes = size;
    r->head_given |= blank < size;
    return blank < size;
}

static const char *line_end(leat_i_reader *r, const char *text, size_t size)
{
    if (!r->table) return memchr(text, '\n', size);
    if (r->at_start && r->scanned == 0 && size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
    return leat_i_csv_row_end(&r->scan, text, size, r->separator);
}

leat_i_take leat_i_reader_take(leat_i_reader *r, leat_i_piece *piece)
{
    if (r->files) return take_file(r, piece);
    for (;;) {
        size_t pending = r->end - r->start;
        const char *from = r->buf ? r->buf + r->start : NULL;
        const char *lf = pending > r->scanned ? line_end(r, from + r->scanned, pending - r->scanned) : NULL;
        if (lf) {
            if (line_take(r, (size_t)(lf - from), 1, piece)) return LEAT_I_TAKE_PIECE;
            continue;
        }
        r->scanned = pending;
        if (r->source.open && r->source.end) {
            bool given = (pending > 0 || r->dropping) && line_take(r, pending, 0, piece);
            source_done(r);
            if (given) return LEAT_I_TAKE_PIECE;
            continue;
        }
        if (pending > r->line_bytes_max + READER_SLACK_BYTES) r->dropping = true;
        if (r->dropping) {
            inside_count(r, from, pending);
            r->start = r->end = r->scanned = 0;
        }
        return !r->source.open && r->input_at == r->input_count ? LEAT_I_TAKE_END : LEAT_I_TAKE_MORE;
    }
}

/* Makes room for a chunk behind what is unread. */
static bool buffer_make_room(leat_i_reader *r)
{
    size_t pending = r->end - r->start;
    if (pending == 0) r->start = r->end = 0;
    if (pending == 0 && r->room > READER_KEPT_BYTES_MAX) {
        leat_i_free(r->buf);
        r->buf = NULL;
        r->room = 0;
    }
    if (r->start > 0 && r->room - r->end < READER_CHUNK_BYTES) {
        if (pending > 0) memmove(r->buf, r->buf + r->start, pending);
        r->start = 0;
        r->end = pending;
    }
    if (r->room - r->end >= READER_CHUNK_BYTES / 2) return true;
    size_t room = r->room ? r->room * 2 : READER_CHUNK_BYTES;
    char *buf = leat_i_realloc(r->buf, room);
    if (!buf) return false;
    r->buf = buf;
    r->room = room;
    return true;
}

leat_err leat_i_reader_fill(leat_i_reader *r, leat_error *error)
{
    const char *path = r->input[r->input_at];
    int rc = 0;
    if (r->files) {
        rc = leat_i_tree_start(&r->tree, path);
        r->in_tree = rc == 0;
    } else if (!r->source.open) {
        r->file_line = 0;
        r->at_start = true;
        r->unpacked = 0;
        r->head_given = false;
        r->scan = (leat_i_csv_scan){ 0 };
        r->separator = leat_i_csv_separator(path);
        rc = leat_i_source_open_until(&r->source, path, r->stop);
    } else if (!buffer_make_room(r)) {
        rc = -ENOMEM;
    } else {
        ssize_t n = leat_i_source_read(&r->source, r->buf + r->end, r->room - r->end);
        if (n > 0)
            r->end += (size_t)n, r->unpacked += (uint64_t)n;
        else
            rc = (int)n;
    }
    return rc < 0 ? input_fail(error, path, rc) : LEAT_OK;
}

uint64_t leat_i_reader_bytes(const leat_i_reader *r)
{
    double waiting = r->unpacked ? (double)(r->end - r->start) / (double)r->unpacked : 0;
    return r->bytes_done + r->source.bytes - (uint64_t)(waiting * (double)r->source.bytes);
}

void leat_i_reader_fini(leat_i_reader *r)
{
    leat_i_source_close(&r->source);
    leat_i_tree_fini(&r->tree);
    leat_i_free(r->buf);
    memset(r, 0, sizeof *r);
}
