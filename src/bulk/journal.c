/* journal.c: opens, locks and repairs an output; see journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/os.h"
#include "asked.h"
#include "earlier.h"
#include "files.h"
#include "lost.h"

enum { JOURNAL_OPEN_TRIES = 3, JOURNAL_POLL_MS = 50, COPY_BYTES = 1024 * 1024 };

static leat_err output_fail(const leat_i_journal *j, int rc, const char *what, leat_error *error)
{
    char text[80];
    if (rc == -ENOMEM) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    return leat_i_fail(error, LEAT_IO, "cannot %s the output %.120s: %s", what, j->path,
                       leat_i_errno_text(rc, text, sizeof text));
}

static bool beside_path(const char *path, const char *end, char *out, size_t size)
{
    int n = snprintf(out, size, "%s%s", path, end);
    return n > 0 && (size_t)n < size;
}

/* ---- opening ---- */

/* Opens a named pipe, a terminal, a device. A pipe that nobody reads yet is waited for, but so that a stop ends the wait. */
static int stream_open_path(const char *path, const int *stop_signal)
{
    LEAT_ATOMIC(uint32_t) never = 0;
    for (;;) {
        int fd = leat_i_os_open(path, O_WRONLY | O_NONBLOCK, 0);
        if (fd != -ENXIO) return fd;
        if (leat_i_asked_to_stop(stop_signal) > 0) return -ECANCELED;
        (void)leat_i_os_futex_wait(&never, 0, leat_i_os_now_ns() + JOURNAL_POLL_MS * LEAT_I_NS_PER_MS);
    }
}

static leat_err stream_open(leat_i_journal *j, leat_error *error)
{
    struct stat st;
    j->standard = strcmp(j->path, "-") == 0;
    j->fd = j->standard ? 1 : stream_open_path(j->path, j->stop_signal);
    if (j->fd == -ECANCELED) return leat_i_fail(error, LEAT_CANCELED, "stopped before anybody read the output");
    if (j->fd < 0) return output_fail(j, j->fd, "open", error);
    int rc = leat_i_os_fstat(j->fd, &st);
    if (rc < 0) return output_fail(j, rc, "look at", error);
    /* Standard output that leads into a file is written without a detour, but it is not ours to cut or to resume. */
    j->regular = S_ISREG(st.st_mode);
    return LEAT_OK;
}

/* Opens and locks the file of that name: a rename may have put another in its place between the two. */
static leat_err file_open_locked(leat_i_journal *j, leat_error *error)
{
    for (int i = 0; i < JOURNAL_OPEN_TRIES; i++) {
        struct stat open_st, path_st;
        j->fd = leat_i_os_open(j->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
        if (j->fd < 0) return output_fail(j, j->fd, "open", error);
        int rc = leat_i_os_lock(j->fd);
        if (rc == -EAGAIN) return leat_i_fail(error, LEAT_LOCKED, "the output %.120s is in use by another process", j->path);
        if (rc < 0) return output_fail(j, rc, "lock", error);
        rc = leat_i_os_fstat(j->fd, &open_st);
        if (rc < 0) return output_fail(j, rc, "look at", error);
        rc = leat_i_os_stat(j->path, &path_st);
        if (rc == 0 && open_st.st_dev == path_st.st_dev && open_st.st_ino == path_st.st_ino) {
            leat_store_relaxed(&j->bytes, open_st.st_size); /* relaxed, as below: nobody else knows it yet */
            return LEAT_OK;
        }
        (void)leat_i_os_close(j->fd);
        j->fd = -1;
    }
    return leat_i_fail(error, LEAT_LOCKED, "the output %.120s is being replaced by another process", j->path);
}

static leat_err output_kind(leat_i_journal *j, bool *stream, leat_error *error)
{
    struct stat st, link;
    *stream = strcmp(j->path, "-") == 0;
    if (*stream) return LEAT_OK;
    j->created = leat_i_os_stat(j->path, &st) < 0;
    if (j->created) return LEAT_OK; /* what is not there yet will be a file */
    if (S_ISDIR(st.st_mode)) return leat_i_fail(error, LEAT_USAGE, "the output %.120s is a folder", j->path);
    *stream = !S_ISREG(st.st_mode);
    if (!*stream && leat_i_os_lstat(j->path, &link) == 0 && S_ISLNK(link.st_mode))
        return leat_i_fail(error, LEAT_USAGE, "the output %.120s is a symbolic link: give the file that it leads to",
                           j->path);
    return LEAT_OK;
}

/* ---- rows ---- */

static leat_err range_copy(const leat_i_journal *j, int to, int64_t at, int64_t end, char *buf, leat_error *error)
{
    while (at < end) {
        if (leat_i_asked_to_stop(j->stop_signal) > 0) return leat_i_fail(error, LEAT_CANCELED, "stopped; no row was lost");
        size_t step = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
        ssize_t n = leat_i_os_pread(j->fd, buf, step, at);
        if (n <= 0) return output_fail(j, n < 0 ? (int)n : -EIO, "read", error);
        int rc = leat_i_os_write_all(to, buf, (size_t)n, NULL);
        if (rc < 0) return output_fail(j, rc, "rewrite", error);
        at += n;
    }
    return LEAT_OK;
}

static leat_err kept_copy(const leat_i_journal *j, const leat_i_scan *scan, int to, leat_error *error)
{
    char *buf = leat_i_alloc(COPY_BYTES);
    if (!buf) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    leat_err err = LEAT_OK;
    int64_t at = 0;
    for (size_t i = 0; i < scan->drop_count && !err; i++) {
        err = range_copy(j, to, at, scan->drop[i].at, buf, error);
        at = scan->drop[i].at + scan->drop[i].bytes;
    }
    if (!err) err = range_copy(j, to, at, scan->bytes, buf, error);
    leat_i_free(buf);
    return err;
}

/* Puts the kept rows, fsynced, in the place of all rows. The new file is locked before it gets the name. */
static leat_err rows_rewrite(leat_i_journal *j, const leat_i_scan *scan, leat_error *error)
{
    char tmp[PATH_MAX];
    struct stat st;
    if (!beside_path(j->path, LEAT_I_ROWS_END, tmp, sizeof tmp)) return output_fail(j, -ENAMETOOLONG, "rewrite", error);
    int fd = leat_i_file_create(tmp);
    if (fd < 0) return output_fail(j, fd, "rewrite", error);
    int rc = leat_i_os_lock(fd);
    leat_err err = rc < 0 ? output_fail(j, rc, "lock", error) : kept_copy(j, scan, fd, error);
    if (!err &&
        ((rc = leat_i_os_fstat(fd, &st)) < 0 || (rc = leat_i_os_fsync(fd)) < 0 || (rc = leat_i_os_rename(tmp, j->path)) < 0))
        err = output_fail(j, rc, "rewrite", error);
    if (err) {
        (void)leat_i_os_unlink(tmp);
        (void)leat_i_os_close(fd);
        return err;
    }
    (void)leat_i_os_close(j->fd);
    j->fd = fd;
    leat_store_relaxed(&j->bytes, st.st_size);
    rc = leat_i_os_fsync_dir(j->path);
    return rc < 0 ? output_fail(j, rc, "rewrite", error) : LEAT_OK;
}

static leat_err rows_repair(leat_i_journal *j, const leat_i_scan *scan, leat_error *error)
{
    j->rows = scan->rows;
    j->rows_failed = scan->failed;
    j->torn_bytes = scan->torn_bytes;
    j->bad_rows = scan->bad;
    j->first_bad_line = scan->first_bad_line;
    if (scan->drop_count > 0) return rows_rewrite(j, scan, error);
    leat_store_relaxed(&j->bytes, scan->bytes);
    if (scan->torn_bytes == 0) return LEAT_OK;
    int rc = leat_i_os_ftruncate(j->fd, scan->bytes);
    return rc < 0 ? output_fail(j, rc, "repair", error) : LEAT_OK;
}

/* Only what leat has made is thrown away or gone on with: what begins otherwise is somebody's, whatever the options say. */
static leat_err rows_are_ours(leat_i_journal *j, leat_error *error)
{
    char head[LEAT_I_ROW_BEGIN_BYTES];
    ssize_t n = leat_i_os_pread(j->fd, head, sizeof head, 0);
    if (n < 0) return output_fail(j, (int)n, "read", error);
    if (leat_i_row_begins(head, (size_t)n)) return LEAT_OK;
    j->foreign = true;
    return leat_i_fail(error, LEAT_MISMATCH,
                       "the output %.120s was not made by leat: remove it yourself, or name another output", j->path);
}

/* The same of OUT.leat, which is replaced whole. */
static leat_err settings_are_ours(leat_i_journal *j, const char *path, leat_error *error)
{
    char text[80];
    int rc = leat_i_settings_may_replace(path);
    if (rc > 0) return LEAT_OK;
    if (rc < 0)
        return leat_i_fail(error, rc == -ENOMEM ? LEAT_NOMEM : LEAT_IO, "cannot read %.120s: %s", path,
                           leat_i_errno_text(rc, text, sizeof text));
    j->foreign = true;
    return leat_i_fail(error, LEAT_MISMATCH,
                       "%.120s was not made by leat, which needs that name: remove it yourself, or name another output",
                       path);
}

static leat_i_scan_opts scan_opts(const leat_bulk_opts *opts, const leat_i_settings *old, bool found)
{
    return (leat_i_scan_opts){
        .extras = found && old->extras,
        .any_form = !found,
        .drop_bad = opts->force_resume,
        .retry_failed = opts->retry_failed,
        .earlier = old->earlier,
        .earlier_count = found ? old->earlier_count : 0,
        .stop_signal = opts->stop_signal,
    };
}

/* May a run go on here, and with which settings were the rows written? */
static leat_err settings_agree(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now,
                               leat_i_settings *old, bool *found, leat_i_arena *arena, leat_error *error)
{
    char path[PATH_MAX];
    if (!beside_path(j->path, LEAT_I_SETTINGS_END, path, sizeof path)) return output_fail(j, -ENAMETOOLONG, "use", error);
    leat_err err = leat_i_settings_load(old, path, arena, found, error);
    if (err == LEAT_MISMATCH && opts->force_resume) err = LEAT_OK; /* an unreadable OUT.leat is one that is missing */
    if (err || opts->force_resume) return err;
    if (!*found) {
        LEAT_TRY(rows_are_ours(j, error));
        return leat_i_fail(error, LEAT_MISMATCH,
                           "the output %.60s has rows, but %.60s.leat, which tells what of, is missing", j->path, j->path);
    }
    return leat_i_settings_compare(old, now, error);
}

/* Reads the rows of the open file. Adds to `now` what is to be said of rows from other settings. */
static leat_err rows_read(leat_i_journal *j, const leat_bulk_opts *opts, leat_i_settings *now, leat_i_scan *scan,
                          leat_i_ids *ids, leat_i_arena *arena, leat_error *error)
{
    leat_i_settings old;
    bool found = false;
    LEAT_TRY(settings_agree(j, opts, now, &old, &found, arena, error));
    leat_i_scan_opts so = scan_opts(opts, &old, found);
    so.retried = &j->retried;
    LEAT_TRY(leat_i_scan_run(scan, j->fd, j->path, &so, ids, error));
    if (leat_i_earlier_take(now, found ? &old : NULL, scan->rows, arena))
        return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    leat_i_earlier_say(now, j->path, j->earlier, sizeof j->earlier);
    return LEAT_OK;
}

static leat_err rows_take(leat_i_journal *j, const leat_bulk_opts *opts, leat_i_settings *now, leat_i_ids *ids,
                          leat_i_arena *arena, leat_error *error)
{
    leat_i_scan scan = { 0 };
    leat_err err = rows_read(j, opts, now, &scan, ids, arena, error);
    j->foreign = j->foreign || scan.foreign;
    if (!err) err = rows_repair(j, &scan, error);
    leat_i_scan_fini(&scan);
    return err;
}

static leat_err file_open(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now, leat_i_ids *ids,
                          leat_error *error)
{
    char path[PATH_MAX];
    if (!beside_path(j->path, LEAT_I_SETTINGS_END, path, sizeof path)) return output_fail(j, -ENAMETOOLONG, "use", error);
    LEAT_TRY(settings_are_ours(j, path, error));
    struct stat st;
    j->created = j->created && leat_i_os_stat(path, &st) < 0;
    LEAT_TRY(file_open_locked(j, error));
    j->regular = j->resumable = true;
    if (opts->overwrite && leat_load_relaxed(&j->bytes) > 0) {
        LEAT_TRY(rows_are_ours(j, error));
        leat_store_relaxed(&j->bytes, INT64_C(0));
        j->begins_anew = true;
        if (!leat_i_settings_put(&j->anew, now)) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
        leat_i_lost_begin(j);
        return LEAT_OK;
    }
    leat_i_arena arena = { 0 };
    leat_i_settings saved = *now;
    leat_err err = leat_load_relaxed(&j->bytes) > 0 ? rows_take(j, opts, &saved, ids, &arena, error) : LEAT_OK;
    if (!err) err = leat_i_settings_save(&saved, path, error);
    leat_i_arena_fini(&arena);
    if (!err) leat_i_lost_begin(j);
    return err;
}

leat_err leat_i_journal_open(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now, leat_i_ids *ids,
                             leat_error *error)
{
    bool stream = false;
    memset(j, 0, sizeof *j);
    j->path = opts->output;
    j->stop_signal = opts->stop_signal;
    j->fd = j->folder_fd = -1;
    if (!j->path || !j->path[0]) return leat_i_fail(error, LEAT_USAGE, "a run needs an output");
    leat_err err = output_kind(j, &stream, error);
    if (!err) err = stream ? stream_open(j, error) : file_open(j, opts, now, ids, error);
    if (err) {
        leat_i_journal_discard(j);
        (void)leat_i_journal_close(j, NULL);
    }
    return err;
}

leat_err leat_i_journal_look(leat_i_journal *j, const leat_bulk_opts *opts, const leat_i_settings *now, leat_i_ids *ids,
                             leat_error *error)
{
    struct stat st;
    memset(j, 0, sizeof *j);
    j->path = opts->output;
    j->fd = j->folder_fd = -1;
    if (!j->path || opts->overwrite || strcmp(j->path, "-") == 0 || leat_i_os_stat(j->path, &st) < 0) return LEAT_OK;
    if (!S_ISREG(st.st_mode) || st.st_size == 0) return LEAT_OK;
    j->fd = leat_i_os_open(j->path, O_RDONLY, 0);
    if (j->fd < 0) return output_fail(j, j->fd, "open", error);
    leat_i_arena arena = { 0 };
    leat_i_settings seen = *now;
    leat_i_scan scan = { 0 };
    leat_err err = rows_read(j, opts, &seen, &scan, ids, &arena, error);
    j->rows = scan.rows;
    j->rows_failed = scan.failed;
    leat_i_scan_fini(&scan);
    leat_i_arena_fini(&arena);
    (void)leat_i_journal_close(j, NULL);
    return err;
}

int leat_i_journal_begin(leat_i_journal *j)
{
    char path[PATH_MAX];
    if (!j->begins_anew) return 0;
    if (!beside_path(j->path, LEAT_I_SETTINGS_END, path, sizeof path)) return -ENAMETOOLONG;
    int rc = leat_i_os_ftruncate(j->fd, 0);
    /* Rows of the old settings must not come back beside the new ones, whatever becomes of the power. */
    if (rc == 0) rc = leat_i_os_fsync(j->fd);
    if (rc == 0) rc = leat_i_file_replace(path, j->anew.data, j->anew.size);
    if (rc == 0) j->begins_anew = false;
    return rc;
}

void leat_i_journal_discard(leat_i_journal *j)
{
    char path[PATH_MAX];
    struct stat st;
    if (!j->created || !j->resumable || j->fd < 0 || leat_i_os_fstat(j->fd, &st) < 0 || st.st_size > 0) return;
    if (leat_i_lost_name(j)) return; /* what stands there now is somebody else's */
    /* Still locked: who has it open already sees that the name is gone, and makes a new one. */
    (void)leat_i_os_unlink(j->path);
    if (beside_path(j->path, LEAT_I_SETTINGS_END, path, sizeof path)) (void)leat_i_os_unlink(path);
}

leat_err leat_i_journal_close(leat_i_journal *j, leat_error *error)
{
    int fd = j->fd;
    j->fd = -1;
    leat_i_lost_end(j);
    leat_i_buf_fini(&j->anew);
    leat_i_ids_fini(&j->retried);
    int rc = fd >= 0 && !j->standard ? leat_i_os_close(fd) : 0;
    return rc < 0 ? output_fail(j, rc, "close", error) : LEAT_OK;
}
