/*
 * writer.c: group commit; see writer.h.
 *
 * A member lies on its task's stack until its state is no longer WAITING. States: WAITING -> DONE, by the leader after the write;
 * WAITING -> LEAD, by a leader that leaves, for the first member of the open group; LEAD -> DONE by itself. `error` of a member is
 * written before the state. When a write fails, the members whose rows went out whole are told that they did: the numbers of a
 * run are those of its file. The failure is told to the others, to whoever comes later, and by leat_i_writer_sync. A regular file
 * is written from the worker: the page cache answers in microseconds. A pipe or terminal may block for as long as its reader
 * likes, and fsync for as long as a disk does: these go through leat_blocking.
 */
#include "writer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "asked.h"

typedef enum write_state { WRITE_WAITING, WRITE_LEAD, WRITE_DONE } write_state;

struct leat_i_write_wait {
    leat_i_waiter *waiter;
    struct leat_i_write_wait *next;
    size_t end; /* of its row in the group */
    leat_err err;
    LEAT_ATOMIC(uint32_t) state;
};

enum { WRITER_KEPT_BYTES_MAX = 1024 * 1024, WRITER_POLL_MS = 100 };

void leat_i_writer_init(leat_i_writer *w, leat_i_journal *journal, leat_bulk_sync sync)
{
    memset(w, 0, sizeof *w);
    w->journal = journal;
    w->sync = journal->regular ? sync : LEAT_BULK_SYNC_NONE; /* a pipe has nothing to sync */
}

/* ---- the write itself ---- */

typedef struct write_job {
    leat_i_writer *w;
    const leat_i_buf *rows;
    int rc;         /* 0 or -errno */
    bool in_sync;   /* it was the fsync that failed */
    size_t written; /* bytes that went out */
} write_job;

/* Nobody can take a thread out of write(2): so it is entered only when there is room, with no more than fits, and between two of
 * them the second Ctrl-C ends it. 0 or -errno; *step = 0: not yet. */
static int stream_wait(const leat_i_journal *j, size_t *step)
{
    if (leat_i_asked_to_stop(j->stop_signal) > 1) return -ECANCELED;
    int rc = leat_i_os_wait_writable(j->fd, WRITER_POLL_MS);
    if (rc <= 0)
        *step = 0;
    else if (*step > PIPE_BUF)
        *step = PIPE_BUF;
    return rc < 0 ? rc : 0;
}

static leat_err job_write(void *arg)
{
    write_job *job = arg;
    leat_i_journal *j = job->w->journal;
    const char *data = job->rows->data;
    size_t size = job->rows->size;
    job->rc = leat_i_journal_begin(j);
    while (job->rc == 0 && job->written < size) {
        size_t done = 0, step = size - job->written;
        if (!j->regular) job->rc = stream_wait(j, &step);
        if (job->rc < 0 || step == 0) continue;
        job->rc = leat_i_os_write_all(j->fd, data + job->written, step, &done);
        job->written += done;
        /* Somebody who shares the pipe or terminal has made it non-blocking, and was faster. */
        if (job->rc == -EAGAIN && !j->regular) job->rc = 0;
    }
    if (job->rc == 0 && job->w->sync == LEAT_BULK_SYNC_ROW) {
        job->rc = leat_i_os_fsync(j->fd);
        job->in_sync = job->rc < 0;
    }
    return LEAT_OK;
}

static void writer_fail(leat_i_writer *w, const char *what, int rc)
{
    char text[80], name[100];
    if (strcmp(w->journal->path, "-") == 0)
        snprintf(name, sizeof name, "standard output");
    else
        snprintf(name, sizeof name, "the output %.80s", w->journal->path);
    leat_i_lock_take(&w->lock);
    if (w->error.code == LEAT_OK && rc == -ECANCELED)
        (void)leat_i_fail(&w->error, LEAT_CANCELED, "stopped while nobody took the rows from %s", name);
    else if (w->error.code == LEAT_OK)
        (void)leat_i_fail(&w->error, LEAT_IO, "cannot %s %s: %s%s", what, name, leat_i_errno_text(rc, text, sizeof text),
                          w->journal->resumable ? "; the rows written so far are kept" : "");
    leat_i_lock_give(&w->lock);
}

/* After a write that came short: the whole rows stay, the torn one goes. Gives the bytes that stay. */
static size_t torn_cut(leat_i_journal *j, const leat_i_buf *rows, size_t written)
{
    const char *lf = written > 0 ? memrchr(rows->data, '\n', written) : NULL;
    size_t whole = lf ? (size_t)(lf - rows->data) + 1 : 0;
    /* When even this fails the next run cuts it, before it appends. */
    if (j->resumable && whole < written)
        (void)leat_i_os_ftruncate(j->fd, leat_load_relaxed(&j->bytes) + (int64_t)whole); /* relaxed: only leaders write it */
    (void)leat_add_release(&j->bytes, (int64_t)whole); /* pairs with the acquire in lost.c */
    return whole;
}

/* *whole = bytes of whole rows that went out, whatever it gives. */
static leat_err group_write(leat_task *t, leat_i_writer *w, leat_i_write_group *g, size_t *whole)
{
    write_job job = { .w = w, .rows = &g->rows };
    leat_err err = LEAT_OK;
    if (w->journal->regular && w->sync != LEAT_BULK_SYNC_ROW)
        (void)job_write(&job);
    else
        err = leat_blocking(t, job_write, &job);
    if (err) { /* no helper thread: nothing was written */
        writer_fail(w, "write to", -ENOMEM);
        return err;
    }
    if (job.rc == 0) {
        (void)leat_add_release(&w->journal->bytes, (int64_t)g->rows.size); /* pairs as above */
        *whole = g->rows.size;
        /* Release: pairs with the acquire in leat_i_writer_sync. */
        if (w->journal->regular && w->sync != LEAT_BULK_SYNC_ROW) leat_store_release(&w->dirty, true);
        return LEAT_OK;
    }
    writer_fail(w, job.in_sync ? "sync" : "write to", job.rc);
    *whole = torn_cut(w->journal, &g->rows, job.written);
    return job.rc == -ECANCELED ? LEAT_CANCELED : LEAT_IO;
}

/* ---- groups ---- */

static void member_finish(struct leat_i_write_wait *m, leat_err err, write_state state)
{
    leat_i_waiter *waiter = m->waiter;
    m->err = err;
    /* Release: pairs with the acquire in leat_i_writer_put. After it the member may be gone. */
    leat_store_release(&m->state, (uint32_t)state);
    leat_i_unpark(waiter);
}

static leat_i_write_group *group_close(leat_i_writer *w, leat_err *failed)
{
    leat_i_lock_take(&w->lock);
    leat_i_write_group *g = &w->group[w->open];
    w->open ^= 1;
    *failed = w->error.code;
    leat_i_lock_give(&w->lock);
    return g;
}

static void group_reset(leat_i_write_group *g)
{
    g->first = g->last = NULL;
    if (g->rows.room > WRITER_KEPT_BYTES_MAX)
        leat_i_buf_fini(&g->rows);
    else
        leat_i_buf_clear(&g->rows);
}

/* Writes the open group, which `self` is in, and gives the lead on. */
static leat_err group_lead(leat_task *t, leat_i_writer *w, struct leat_i_write_wait *self)
{
    /* One round for the others: rows that are about to come join this group instead of costing a write each. */
    leat_err err = leat_sleep_ms(t, 0); /* a cancel does not take rows back, so its error does not count */
    size_t whole = 0;
    leat_i_write_group *g = group_close(w, &err);
    if (!err) err = group_write(t, w, g, &whole);
    leat_err own = self->end <= whole ? LEAT_OK : err;
    for (struct leat_i_write_wait *m = g->first, *next; m; m = next) {
        next = m->next;
        if (m != self) member_finish(m, m->end <= whole ? LEAT_OK : err, WRITE_DONE);
    }
    group_reset(g);
    leat_i_lock_take(&w->lock);
    struct leat_i_write_wait *heir = w->group[w->open].first;
    w->leading = heir != NULL;
    leat_i_lock_give(&w->lock);
    if (heir) member_finish(heir, LEAT_OK, WRITE_LEAD);
    return own;
}

/* Adds the row to the open group; *lead = the caller is to write. */
static leat_err group_join(leat_i_writer *w, struct leat_i_write_wait *self, const char *row, size_t bytes, bool *lead)
{
    leat_i_lock_take(&w->lock);
    leat_i_write_group *g = &w->group[w->open];
    leat_err err = w->error.code;
    if (!err && !leat_i_buf_append(&g->rows, row, bytes)) {
        g->rows.failed = false; /* the rows that are in it are whole: the group goes on without this one */
        err = LEAT_NOMEM;
    }
    if (!err) {
        if (g->last)
            g->last->next = self;
        else
            g->first = self;
        g->last = self;
        self->end = g->rows.size;
        *lead = !w->leading;
        w->leading = true;
    }
    leat_i_lock_give(&w->lock);
    return err;
}

static leat_err writer_story(leat_i_writer *w, leat_err err, leat_error *error)
{
    if (err == LEAT_NOMEM) return leat_i_fail(error, LEAT_NOMEM, "out of memory while writing a row");
    leat_i_lock_take(&w->lock);
    *error = w->error;
    leat_i_lock_give(&w->lock);
    return err;
}

leat_err leat_i_writer_put(leat_task *t, leat_i_writer *w, const char *row, size_t bytes, leat_error *error)
{
    struct leat_i_write_wait self = { .waiter = leat_i_task_waiter(t) };
    bool lead = false;
    leat_err err = group_join(w, &self, row, bytes, &lead);
    if (!err && !lead) {
        uint32_t state;
        /* Acquire: pairs with the release in member_finish. */
        while ((state = leat_load_acquire(&self.state)) == WRITE_WAITING)
            leat_i_park_shielded(t);
        lead = state == WRITE_LEAD;
        err = self.err;
    }
    if (lead) err = group_lead(t, w, &self);
    return err ? writer_story(w, err, error) : LEAT_OK;
}

static leat_err job_sync(void *arg)
{
    write_job *job = arg;
    job->rc = leat_i_os_fsync(job->w->journal->fd);
    return LEAT_OK;
}

leat_err leat_i_writer_sync(leat_task *t, leat_i_writer *w, leat_error *error)
{
    leat_i_lock_take(&w->lock);
    leat_err failed = w->error.code;
    leat_i_lock_give(&w->lock);
    if (failed) return writer_story(w, failed, error);
    /* Acquire: pairs with the release in group_write. Cleared first: rows that come meanwhile make it dirty again. */
    if (!leat_exchange_acquire(&w->dirty, false)) return LEAT_OK;
    write_job job = { .w = w };
    leat_err err = leat_blocking(t, job_sync, &job);
    if (err) job.rc = -ENOMEM;
    /* Who asked for nothing of the kind is not told that there is no such thing here. */
    if (w->sync == LEAT_BULK_SYNC_NONE && (job.rc == -EINVAL || job.rc == -ENOTSUP || job.rc == -EROFS)) job.rc = 0;
    /* The kernel may have dropped the pages: a second fsync that answers OK would prove nothing, so there is none. */
    if (job.rc < 0) {
        writer_fail(w, "sync", job.rc);
        return writer_story(w, LEAT_IO, error);
    }
    return LEAT_OK;
}

void leat_i_writer_fini(leat_i_writer *w)
{
    leat_i_buf_fini(&w->group[0].rows);
    leat_i_buf_fini(&w->group[1].rows);
}
