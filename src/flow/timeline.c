/*
 * timeline.c: what runs do, in the Trace Event Format of Chrome.
 *
 *     X      a piece of a phase that ran without a suspension, on the lane of its worker (pid 1, tid = worker)
 *     b, e   a visit or a phase that was suspended, from its begin to its end, and waits; under the id of their task, so that they
 *            nest: a task does one thing after another
 *     M      the names of the lanes, when a worker comes first
 *
 * The file is an array. Events are put into a buffer of BUFFER_BYTES, whole, and written in pieces. In a regular file each
 * piece is followed by the end of the array, which the next piece overwrites: so what stands there is always valid JSON.
 *
 * One mutex guards all. It is held while a piece is written: who is slower than the disk waits for it.
 */
#include "timeline.h"
#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "../base/json.h"

#define BUFFER_BYTES      65536u
#define EVENT_BYTES_MAX   4096u
#define NAME_BYTES_MAX    64u
#define BYTES_MAX_DEFAULT (UINT64_C(1) << 30)
#define WORKERS_MAX       256u
#define ARRAY_END         "\n]\n"

struct leat_timeline {
    pthread_mutex_t mutex; /* guards all below */
    leat_i_buf buf;
    int fd;
    int64_t at;         /* where the next piece goes; < 0 = not a file that can be written at a place */
    uint64_t bytes_max; /* of the file */
    uint64_t written;   /* of it so far */
    uint64_t left_out;  /* events */
    bool failed;        /* a write failed */
    bool any;           /* an event was put before */
    bool named[WORKERS_MAX];
};

leat_err leat_timeline_new(leat_timeline **out, int fd, uint64_t bytes_max)
{
    if (!out) return LEAT_USAGE;
    *out = NULL;
    if (fd < 0) return LEAT_USAGE;
    leat_timeline *tl = leat_i_alloc_zeroed(sizeof *tl);
    if (!tl || !leat_i_buf_grow(&tl->buf, BUFFER_BYTES)) {
        leat_i_free(tl);
        return LEAT_NOMEM;
    }
    pthread_mutex_init(&tl->mutex, NULL);
    tl->fd = fd;
    tl->at = leat_i_os_position(fd);
    tl->bytes_max = bytes_max ? bytes_max : BYTES_MAX_DEFAULT;
    leat_i_buf_puts(&tl->buf, "[");
    *out = tl;
    return LEAT_OK;
}

/* Writes what the buffer holds, and the array's end behind it if that can be overwritten later, or if this is the last. */
static void timeline_write(leat_timeline *tl, bool last)
{
    size_t size = tl->buf.size;
    if (tl->failed) {
        leat_i_buf_clear(&tl->buf);
        return;
    }
    if (last || tl->at >= 0) leat_i_buf_puts(&tl->buf, ARRAY_END);
    int rc = tl->at >= 0 ? leat_i_os_pwrite_all(tl->fd, tl->buf.data, tl->buf.size, tl->at)
                         : leat_i_os_write_all(tl->fd, tl->buf.data, tl->buf.size, NULL);
    tl->failed = rc != 0;
    if (tl->at >= 0) tl->at += (int64_t)size;
    tl->written += size;
    leat_i_buf_clear(&tl->buf);
}

leat_err leat_timeline_flush(leat_timeline *tl)
{
    if (!tl) return LEAT_OK;
    pthread_mutex_lock(&tl->mutex);
    timeline_write(tl, false);
    leat_err err = tl->failed ? LEAT_IO : tl->left_out ? LEAT_STOPPED : LEAT_OK;
    pthread_mutex_unlock(&tl->mutex);
    return err;
}

/* ---- events; the mutex is held ---- */

/* Begins an event; false = there is no room for it in the file. */
static bool event_begin(leat_timeline *tl, char kind, uint32_t worker, int64_t at_ns)
{
    if (tl->failed || tl->written + tl->buf.size + EVENT_BYTES_MAX > tl->bytes_max) {
        tl->left_out++;
        return false;
    }
    if (tl->buf.size + EVENT_BYTES_MAX + sizeof ARRAY_END > BUFFER_BYTES) timeline_write(tl, false);
    leat_i_buf_printf(&tl->buf, "%s\n{\"ph\":\"%c\",\"pid\":1,\"tid\":%u,\"ts\":%lld.%03d", tl->any ? "," : "", kind, worker,
                      (long long)(at_ns / 1000), (int)(at_ns % 1000));
    tl->any = true;
    return true;
}

static void event_end(leat_timeline *tl)
{
    leat_i_buf_puts(&tl->buf, "}");
}

static void put_text(leat_timeline *tl, const char *key, const char *text, size_t max)
{
    leat_i_buf_printf(&tl->buf, ",\"%s\":", key);
    leat_i_json_put_string(&tl->buf, text, strnlen(text, max));
}

/* "Summarize exec"; a visit and a wait are called what they are. */
static void put_name(leat_timeline *tl, const leat_trace *call)
{
    const char *who = call->node ? call->node : call->flow;
    leat_i_buf_puts(&tl->buf, ",\"cat\":\"flow\",\"name\":\"");
    if (call->phase <= LEAT_PHASE_VISIT) leat_i_json_put_escaped(&tl->buf, who, strnlen(who, NAME_BYTES_MAX));
    if (call->phase != LEAT_PHASE_VISIT)
        leat_i_buf_printf(&tl->buf, call->phase < LEAT_PHASE_VISIT ? " %s" : "%s", leat_phase_name(call->phase));
    leat_i_buf_puts(&tl->buf, "\"");
}

static void put_args(leat_timeline *tl, const leat_trace *call, bool outcome)
{
    leat_i_buf_puts(&tl->buf, ",\"args\":{\"flow\":");
    leat_i_json_put_string(&tl->buf, call->flow, strnlen(call->flow, NAME_BYTES_MAX));
    if (call->phase == LEAT_PHASE_EXEC) leat_i_buf_printf(&tl->buf, ",\"attempt\":%u", call->attempt);
    if (call->is_item) leat_i_buf_printf(&tl->buf, ",\"item\":%zu", call->item);
    if (call->is_walk) leat_i_buf_printf(&tl->buf, ",\"walk\":%zu", call->walk);
    if (outcome && call->code != LEAT_OK) {
        put_text(tl, "code", leat_err_name(call->code), NAME_BYTES_MAX);
        if (call->error) put_text(tl, "error", call->error->text, sizeof call->error->text);
    }
    leat_i_buf_puts(&tl->buf, "}");
}

/* Names the lane of a worker that comes for the first time. */
static void worker_name(leat_timeline *tl, uint32_t worker)
{
    if (worker >= WORKERS_MAX || tl->named[worker]) return;
    tl->named[worker] = true;
    if (!event_begin(tl, 'M', worker, 0)) return;
    leat_i_buf_printf(&tl->buf, ",\"name\":\"thread_name\",\"args\":{\"name\":\"worker %u\"}", worker);
    event_end(tl);
}

static void put_async(leat_timeline *tl, char kind, const leat_task *t, const leat_trace *call, int64_t at_ns)
{
    if (!event_begin(tl, kind, call->worker, at_ns)) return;
    leat_i_buf_printf(&tl->buf, ",\"id\":\"%llx\"", (unsigned long long)(uintptr_t)t);
    put_name(tl, call);
    put_args(tl, call, kind == 'e');
    event_end(tl);
}

/* ---- what trace.c tells ---- */

void leat_i_timeline_ran(leat_timeline *tl, leat_task *t, const leat_trace *call, int64_t from_ns, int64_t to_ns, bool last)
{
    int64_t ns = to_ns > from_ns ? to_ns - from_ns : 0;
    (void)t;
    pthread_mutex_lock(&tl->mutex);
    worker_name(tl, call->worker);
    if (event_begin(tl, 'X', call->worker, from_ns)) {
        leat_i_buf_printf(&tl->buf, ",\"dur\":%lld.%03d", (long long)(ns / 1000), (int)(ns % 1000));
        put_name(tl, call);
        put_args(tl, call, last);
        event_end(tl);
    }
    pthread_mutex_unlock(&tl->mutex);
}

void leat_i_timeline_open(leat_timeline *tl, leat_task *t, const leat_trace *call)
{
    pthread_mutex_lock(&tl->mutex);
    put_async(tl, 'b', t, call, call->begin_ns);
    pthread_mutex_unlock(&tl->mutex);
}

void leat_i_timeline_close(leat_timeline *tl, leat_task *t, const leat_trace *call)
{
    pthread_mutex_lock(&tl->mutex);
    put_async(tl, 'e', t, call, call->end_ns);
    pthread_mutex_unlock(&tl->mutex);
}

void leat_i_timeline_waited(leat_timeline *tl, leat_task *t, const leat_trace *call)
{
    pthread_mutex_lock(&tl->mutex);
    put_async(tl, 'b', t, call, call->begin_ns);
    put_async(tl, 'e', t, call, call->end_ns);
    pthread_mutex_unlock(&tl->mutex);
}

static void put_span_edge(leat_timeline *tl, char kind, const leat_task *t, const char *name, const char *args,
                          int64_t at_ns)
{
    if (!event_begin(tl, kind, 0, at_ns)) return;
    leat_i_buf_printf(&tl->buf, ",\"id\":\"%llx\",\"cat\":\"flow\"", (unsigned long long)(uintptr_t)t);
    put_text(tl, "name", name, NAME_BYTES_MAX);
    leat_i_buf_printf(&tl->buf, ",\"args\":%s", args);
    event_end(tl);
}

void leat_i_timeline_span(leat_timeline *tl, const leat_task *t, const char *name, const char *args, int64_t begin_ns,
                          int64_t end_ns)
{
    pthread_mutex_lock(&tl->mutex);
    put_span_edge(tl, 'b', t, name, args, begin_ns);
    put_span_edge(tl, 'e', t, name, "{}", end_ns);
    pthread_mutex_unlock(&tl->mutex);
}

void leat_timeline_free(leat_timeline *tl)
{
    if (!tl) return;
    if (tl->left_out && !tl->failed)
        leat_i_buf_printf(&tl->buf,
                          "%s\n{\"ph\":\"i\",\"s\":\"g\",\"pid\":1,\"tid\":0,\"ts\":0,\"name\":\"%llu events left out\"}",
                          tl->any ? "," : "", (unsigned long long)tl->left_out);
    timeline_write(tl, true);
    leat_i_buf_fini(&tl->buf);
    pthread_mutex_destroy(&tl->mutex);
    leat_i_free(tl);
}
