/* doc.c: a document of a run: its text, its body, its end; and the call that asks the endpoint about it. */
#include "run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/json.h"
#include "../llm/turn.h"
#include "row.h"
#include "source.h"

enum { DOC_STEP_BYTES = 64 * 1024, DOC_FIRST_BYTES = 8 * 1024, DOC_BYTES_DEFAULT = 16 * 1024 * 1024 };

void leat_i_doc_bad(struct leat_i_doc *d, leat_class cls, const char *fmt, ...)
{
    d->to_ask = false;
    d->doc.reply = (leat_llm_reply){ .cls = cls, .ttft_ms = -1 };
    va_list args;
    va_start(args, fmt);
    vsnprintf(d->doc.reply.message, sizeof d->doc.reply.message, fmt, args);
    va_end(args);
}

void leat_i_doc_clear(struct leat_i_doc *d)
{
    leat_i_arena_fini(&d->arena);
    leat_i_free(d->text);
    leat_i_buf_fini(&d->body);
    d->text = NULL;
    memset(&d->doc, 0, sizeof d->doc);
    d->doc.inner = d;
    d->facts = (leat_i_request_facts){ 0 };
    d->text_hash = 0;
    d->gave_ns = 0;
    d->to_ask = d->is_done = d->answered = false;
}

/* ---- files ---- */

typedef struct file_job {
    const char *path;
    size_t bytes_max;
    const LEAT_ATOMIC(bool) * stop;
    leat_i_buf text;
    int rc; /* 0 or -errno; -EFBIG = longer than allowed */
} file_job;

static int file_read_source(leat_i_source *s, file_job *job)
{
    size_t step = DOC_FIRST_BYTES; /* most documents are small, and their memory should be too */
    for (;;) {
        char *at = leat_i_buf_grow(&job->text, step);
        if (!at) return -ENOMEM;
        ssize_t n = leat_i_source_read(s, at, step);
        if (n <= 0) return (int)n;
        job->text.size += (size_t)n;
        if (job->text.size > job->bytes_max) return -EFBIG;
        if (job->text.size > DOC_STEP_BYTES) step = DOC_STEP_BYTES;
    }
}

static leat_err job_read_file(void *arg)
{
    file_job *job = arg;
    leat_i_source s;
    job->rc = leat_i_source_open_until(&s, job->path, job->stop);
    if (job->rc < 0) return LEAT_OK;
    job->rc = file_read_source(&s, job);
    leat_i_source_close(&s);
    return LEAT_OK;
}

static bool text_is_blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!strchr(" \t\r\n\f\v", text[i])) return false;
    return true;
}

static leat_err file_take(leat_task *t, const leat_i_feed *f, struct leat_i_doc *d)
{
    char why[80];
    file_job job = { .path = d->doc.path, .bytes_max = f->reader.line_bytes_max, .stop = f->reader.stop };
    /* A path that was given may be a pipe, and then the read lasts as long as its writer likes. */
    leat_err err = f->reader.may_block ? leat_blocking(t, job_read_file, &job) : job_read_file(&job);
    if (err || job.rc == -ENOMEM || job.rc == -ECANCELED) {
        leat_i_buf_fini(&job.text);
        return job.rc == -ECANCELED ? LEAT_CANCELED : LEAT_NOMEM;
    }
    /* A byte order mark is no text, here as in lines. */
    if (job.rc == 0 && job.text.size >= 3 && memcmp(job.text.data, "\xef\xbb\xbf", 3) == 0) {
        job.text.size -= 3;
        memmove(job.text.data, job.text.data + 3, job.text.size);
    }
    if (job.rc == 0) d->text_hash = leat_i_row_text_hash(job.text.data ? job.text.data : "", job.text.size);
    if (job.rc == -EFBIG)
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "file %.80s: longer than %zu bytes (line_bytes_max, or --max-line-bytes)",
                       d->doc.key, job.bytes_max);
    else if (job.rc == -EBADMSG || job.rc == -ENODATA || job.rc == -EPIPE)
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "file %.80s: %s", d->doc.key, leat_i_source_why(job.rc, why, sizeof why));
    else if (job.rc < 0)
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "file %.80s: cannot be read: %s", d->doc.key,
                       leat_i_errno_text(job.rc, why, sizeof why));
    /* The buffer ends with a NUL, and its room goes back but for what the text needs. */
    char *text = job.text.data ? leat_i_realloc(job.text.data, job.text.size + 1) : leat_i_alloc_zeroed(1);
    d->text = text ? text : job.text.data;
    if (!d->text) return LEAT_NOMEM;
    d->text[job.text.size] = 0;
    d->doc.text = d->text;
    d->doc.text_bytes = job.text.size;
    return LEAT_OK;
}

/* ---- bodies ---- */

static const char *kind_of(const leat_i_feed *f)
{
    return f->reader.files ? "file" : "document";
}

/* Endpoints take UTF-8 text and nothing else; a picture sent as text would be paid for and answered with nonsense. */
static void text_check(const leat_i_feed *f, struct leat_i_doc *d)
{
    const leat_doc *doc = &d->doc;
    const char *kind = kind_of(f);
    if (text_is_blank(doc->text, doc->text_bytes))
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s %.80s: empty", kind, doc->key);
    else if (memchr(doc->text, 0, doc->text_bytes))
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s %.80s: holds NUL bytes: it is not text", kind, doc->key);
    else if (!leat_i_utf8_valid(doc->text, doc->text_bytes))
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s %.80s: not valid UTF-8", kind, doc->key);
}

static leat_err body_build(const leat_i_feed *f, struct leat_i_doc *d)
{
    leat_doc *doc = &d->doc;
    char why[120];
    leat_err err = leat_i_template_put(&f->body, &d->body, doc->text, doc->text_bytes, doc->key, why, sizeof why);
    if (err == LEAT_INPUT) {
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s %.80s: %s", kind_of(f), doc->key, why);
        leat_i_buf_fini(&d->body);
        return LEAT_OK;
    }
    if (err) return err;
    char *fit = leat_i_realloc(d->body.data, d->body.size + 1);
    if (fit) {
        d->body.data = fit;
        d->body.room = d->body.size + 1;
    }
    doc->body = d->body.data;
    doc->body_bytes = d->body.size;
    d->facts = f->body.facts;
    /* A flow of the user's may read the text; the one node that only sends the body does not. */
    if (!f->opts->flow) {
        leat_i_free(d->text);
        d->text = NULL;
        doc->text = "";
        doc->text_bytes = 0;
    }
    return LEAT_OK;
}

leat_err leat_i_doc_prepare(leat_task *t, const leat_i_feed *f, struct leat_i_doc *d)
{
    if (!d->to_ask || !leat_i_template_is_for(f->opts->format)) return LEAT_OK;
    if (f->opts->format == LEAT_BULK_FILES) LEAT_TRY(file_take(t, f, d));
    if (d->is_done) return LEAT_OK;
    if (d->to_ask) text_check(f, d);
    return d->to_ask ? body_build(f, d) : LEAT_OK;
}
