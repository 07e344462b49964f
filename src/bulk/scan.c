/* scan.c: reads the rows of an output; see scan.h. */
#include "scan.h"

#include <errno.h>
#include <string.h>

#include "../base/err.h"
#include "../base/os.h"
#include "asked.h"
#include "settings.h"

enum { SCAN_CHUNK_BYTES = 1024 * 1024 };

typedef struct scanner {
    leat_i_scan *scan;
    const leat_i_scan_opts *opts;
    leat_i_ids *ids;
    leat_i_arena arena; /* of one row */
    const char *path;
    leat_error *error;
    uint64_t line;
    size_t earlier; /* entries whose rows have been read */
} scanner;

static leat_err scan_nomem(scanner *s)
{
    return leat_i_fail(s->error, LEAT_NOMEM, "out of memory while reading the rows of %.120s", s->path);
}

static bool range_add(leat_i_scan *s, int64_t at, int64_t bytes)
{
    struct leat_i_scan_range *last = s->drop_count ? &s->drop[s->drop_count - 1] : NULL;
    if (last && last->at + last->bytes == at) {
        last->bytes += bytes;
        return true;
    }
    if (s->drop_count == s->drop_room) {
        size_t room = s->drop_room ? s->drop_room * 2 : 64;
        void *drop = leat_i_realloc(s->drop, room * sizeof *s->drop);
        if (!drop) return false;
        s->drop = drop;
        s->drop_room = room;
    }
    s->drop[s->drop_count++] = (struct leat_i_scan_range){ .at = at, .bytes = bytes };
    return true;
}

static leat_err line_is_bad(scanner *s, int64_t at, int64_t bytes, const char *why)
{
    leat_i_scan *scan = s->scan;
    if (!s->opts->drop_bad)
        return leat_i_fail(s->error, LEAT_MISMATCH, "line %llu of %.100s %s", (unsigned long long)s->line, s->path, why);
    if (scan->bad++ == 0) {
        scan->first_bad_line = s->line;
        scan->first_bad_why = why;
    }
    return range_add(scan, at, bytes) ? LEAT_OK : scan_nomem(s);
}

/* Somebody else's words: no option throws them away. */
static leat_err line_is_foreign(scanner *s)
{
    s->scan->foreign = true;
    return leat_i_fail(s->error, LEAT_MISMATCH,
                       "line %llu of %.100s was not written by leat: take it out yourself, or name another output",
                       (unsigned long long)s->line, s->path);
}

static bool row_is_to_retry(const leat_i_scan_opts *o, const leat_i_row_facts *facts)
{
    if (!o->retry_failed || !facts->failed) return false;
    return o->retry_failed[0] == 0 || strcmp(o->retry_failed, facts->cls) == 0;
}

static leat_i_row_state row_read(scanner *s, const char *line, size_t size, leat_i_row_facts *facts)
{
    leat_i_row_state state = leat_i_row_read(line, size, s->opts->extras || s->opts->any_form, &s->arena, facts);
    if (state == LEAT_I_ROW_FOREIGN && s->opts->any_form) state = leat_i_row_read(line, size, false, &s->arena, facts);
    return state;
}

static leat_err row_is_met(scanner *s, const leat_i_row_facts *facts)
{
    if (leat_i_ids_flags(s->ids, facts->key, facts->key_bytes) & s->opts->unmet) return LEAT_OK;
    return leat_i_fail(s->error, LEAT_MISMATCH, "%.60s has a row for %.80s, which is not in the input any more", s->path,
                       facts->key);
}

/* Before line s->line is looked at, or behind the last one: entries that end before it. */
static void earlier_count(scanner *s, bool all)
{
    for (; s->earlier < s->opts->earlier_count; s->earlier++) {
        leat_i_earlier *e = &s->opts->earlier[s->earlier];
        if (!all && e->until_row >= s->line) return;
        e->until_row = s->scan->rows;
    }
}

static leat_err line_scan(scanner *s, const char *line, size_t size, int64_t at)
{
    leat_i_row_facts facts;
    int64_t bytes = (int64_t)size + 1;
    s->line++;
    earlier_count(s, false);
    switch (row_read(s, line, size, &facts)) {
    case LEAT_I_ROW_NOMEM:
        return scan_nomem(s);
    case LEAT_I_ROW_DAMAGED:
        return line_is_bad(s, at, bytes, "is damaged: its bytes do not give its sum");
    case LEAT_I_ROW_FOREIGN:
        return line_is_foreign(s);
    case LEAT_I_ROW_GOOD:
        break;
    }
    if (s->opts->unmet) return row_is_met(s, &facts);
    uint32_t before;
    if (row_is_to_retry(s->opts, &facts)) {
        bool kept =
            !s->opts->retried || leat_i_ids_mark(s->opts->retried, facts.key, facts.key_bytes, LEAT_I_ID_DONE, &before);
        return kept && range_add(s->scan, at, bytes) ? LEAT_OK : scan_nomem(s);
    }
    if (!leat_i_ids_mark(s->ids, facts.key, facts.key_bytes, LEAT_I_ID_DONE, &before)) return scan_nomem(s);
    leat_i_ids_set_check(s->ids, facts.key, facts.key_bytes, facts.check);
    if (before & LEAT_I_ID_DONE) return line_is_bad(s, at, bytes, "repeats the custom_id of a row before it");
    s->scan->rows++;
    s->scan->failed += facts.failed;
    return LEAT_OK;
}

/* Takes the whole lines out of `buf`, whose first byte stands at `at` of the file; gives the bytes taken. */
static leat_err lines_scan(scanner *s, const char *buf, size_t size, int64_t at, size_t *taken)
{
    const char *lf;
    *taken = 0;
    while ((lf = memchr(buf + *taken, '\n', size - *taken)) != NULL) {
        size_t line_bytes = (size_t)(lf - buf) - *taken;
        LEAT_TRY(line_scan(s, buf + *taken, line_bytes, at + (int64_t)*taken));
        *taken += line_bytes + 1;
        /* Gives the chunks back too: one row with a long key must not stay for the rest of the scan. */
        leat_i_arena_rewind(&s->arena, (leat_i_arena_mark){ 0 });
    }
    return LEAT_OK;
}

static leat_err file_scan(scanner *s, int fd, leat_i_buf *b)
{
    for (;;) {
        if (leat_i_asked_to_stop(s->opts->stop_signal) > 0)
            return leat_i_fail(s->error, LEAT_CANCELED, "stopped while the rows of %.120s were read", s->path);
        char *room = leat_i_buf_grow(b, SCAN_CHUNK_BYTES);
        if (!room) return scan_nomem(s);
        ssize_t n = leat_i_os_pread(fd, room, SCAN_CHUNK_BYTES, s->scan->bytes + (int64_t)b->size);
        char text[80];
        if (n < 0)
            return leat_i_fail(s->error, LEAT_IO, "cannot read %.120s: %s", s->path,
                               leat_i_errno_text((int)n, text, sizeof text));
        if (n == 0) {
            s->scan->torn_bytes = (int64_t)b->size;
            s->line++;
            /* Zeros are what a power cut leaves of a write. */
            return b->size == 0 || b->data[0] == 0 || leat_i_row_begins(b->data, b->size) ? LEAT_OK : line_is_foreign(s);
        }
        b->size += (size_t)n;
        size_t taken;
        LEAT_TRY(lines_scan(s, b->data, b->size, s->scan->bytes, &taken));
        memmove(b->data, b->data + taken, b->size - taken);
        b->size -= taken;
        s->scan->bytes += (int64_t)taken;
    }
}

leat_err leat_i_scan_run(leat_i_scan *s, int fd, const char *path, const leat_i_scan_opts *opts, leat_i_ids *ids,
                         leat_error *error)
{
    memset(s, 0, sizeof *s);
    scanner sc = { .scan = s, .opts = opts, .ids = ids, .path = path, .error = error };
    leat_i_buf b = { 0 };
    leat_err err = file_scan(&sc, fd, &b);
    if (!err) earlier_count(&sc, true);
    leat_i_buf_fini(&b);
    leat_i_arena_fini(&sc.arena);
    return err;
}

void leat_i_scan_fini(leat_i_scan *s)
{
    leat_i_free(s->drop);
    memset(s, 0, sizeof *s);
}
