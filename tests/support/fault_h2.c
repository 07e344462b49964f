/*
 * fault_h2.c: the fault server in HTTP/2: raw frames over TLS, by the same scripts.
 *
 * Headers are sent as literals without a table (RFC 7541, 6.2.2), and those that come in are not read: the scripts look at bodies,
 * and a request is kept as "HTTP/2\r\n\r\n" and its body. One stream is answered at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_internal.h"

#define PREFACE_BYTES   24
#define FRAME_BYTES_MAX 16384
#define STREAMS_MAX     128
#define HEAD            "HTTP/2\r\n\r\n"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

typedef struct frame {
    uint8_t type, flags;
    uint32_t stream, size;
    uint8_t data[FRAME_BYTES_MAX];
} frame;

typedef struct stream {
    uint32_t id; /* 0 = free */
    char *data;  /* HEAD and the body so far */
    size_t size;
} stream;

typedef struct h2 {
    fault_connection *c;
    frame in;
    stream stream[STREAMS_MAX];
} h2;

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t take_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static bool send_frame(fault_connection *c, uint8_t type, uint8_t flags, uint32_t id, const void *data, size_t size)
{
    uint8_t head[9] = { (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, type, flags };
    put_u32(head + 5, id);
    return fault_i_send(&c->conn, head, sizeof head) && (size == 0 || fault_i_send(&c->conn, data, size));
}

static bool recv_all(fault_connection *c, void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = fault_i_recv(&c->conn, (char *)data + at, size - at);
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return true;
}

static bool recv_frame(h2 *h)
{
    uint8_t head[9];
    if (!recv_all(h->c, head, sizeof head)) return false;
    h->in.size = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    h->in.type = head[3];
    h->in.flags = head[4];
    h->in.stream = take_u32(head + 5) & INT32_MAX;
    return h->in.size <= FRAME_BYTES_MAX && recv_all(h->c, h->in.data, h->in.size);
}

static stream *stream_of(h2 *h, uint32_t id)
{
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (h->stream[i].id == id) return &h->stream[i];
    return NULL;
}

static void stream_append(stream *s, const void *data, size_t size)
{
    s->data = realloc(s->data, s->size + size + 1);
    fault_i_must(s->data != NULL, "realloc");
    memcpy(s->data + s->size, data, size);
    s->size += size;
    s->data[s->size] = '\0';
}

static void stream_end(stream *s)
{
    free(s->data);
    *s = (stream){ 0 };
}

/* ---- replies ---- */

static bool send_head(fault_connection *c, uint32_t id, uint32_t status, const char *type)
{
    char block[128];
    /* Names by their index in the static table: 8 is :status, 31 (15 and 16 more) content-type. */
    int n = snprintf(block, sizeof block, "\x08\x03%03u\x0f\x10%c%s", status % 1000, (char)strlen(type), type);
    return send_frame(c, HEADERS, END_HEADERS, id, block, (size_t)n);
}

static bool send_reply(fault_connection *c, uint32_t id, uint32_t status, const char *body, bool whole)
{
    const char *type = body[0] == '{' ? "application/json" : "text/event-stream";
    return send_head(c, id, status, type) && send_frame(c, DATA, whole ? END_STREAM : 0, id, body, strlen(body));
}

static bool step_run(h2 *h, uint32_t id, const fault_step *step, bool *reset)
{
    uint8_t data[8];
    char body[640];
    switch (step->op) {
    case FAULT_SEND:
        return send_reply(h->c, id, 200, step->data, false);
    case FAULT_STREAM_REPLY:
        return send_reply(h->c, id, step->ms, step->data, true);
    case FAULT_ECHO_MARK:
        (void)fault_i_mark_body(&h->c->in, body, sizeof body);
        return send_reply(h->c, id, 200, body, true);
    case FAULT_STREAM_RESET:
        put_u32(data, step->ms);
        return send_frame(h->c, RST_STREAM, 0, id, data, 4);
    case FAULT_GOAWAY:
        put_u32(data, step->piece ? id : id > 2 ? id - 2 : 0);
        put_u32(data + 4, step->ms);
        return send_frame(h->c, GOAWAY, 0, 0, data, 8);
    default:
        return fault_i_step(h->c, step, reset);
    }
}

/* A request is whole: it is kept, and answered by its script. */
static bool stream_serve(h2 *h, stream *s, bool *reset)
{
    static const fault_step fallback[] = { { .op = FAULT_ECHO_MARK }, { .op = FAULT_KEEP } };
    fault_connection *c = h->c;
    uint32_t id = s->id;
    free(c->in.data);
    c->in = (fault_inbox){ s->data, s->size, s->size, sizeof HEAD - 1, s->size - (sizeof HEAD - 1) };
    *s = (stream){ 0 };
    c->record_index = UINT32_MAX;
    const fault_step *step = fault_i_script(c, false);
    fault_i_record(c, c->in.size, true);
    for (step = step ? step : fallback; step->op != FAULT_END && step->op != FAULT_KEEP; step++)
        if (!step_run(h, id, step, reset)) return false;
    c->nth++;
    return true;
}

/* ---- frames that come in ---- */

static bool take_data(h2 *h, bool *reset)
{
    const frame *in = &h->in;
    uint8_t window[4];
    stream *s = stream_of(h, in->stream);
    put_u32(window, in->size);
    if (in->size && !send_frame(h->c, WINDOW_UPDATE, 0, 0, window, 4)) return false;
    if (!s) return true;
    if (in->size && !(in->flags & END_STREAM) && !send_frame(h->c, WINDOW_UPDATE, 0, in->stream, window, 4)) return false;
    stream_append(s, in->data, in->size);
    return !(in->flags & END_STREAM) || stream_serve(h, s, reset);
}

static bool take_frame(h2 *h, bool *reset)
{
    const frame *in = &h->in;
    stream *s;
    switch (in->type) {
    case DATA:
        return take_data(h, reset);
    case HEADERS:
        s = stream_of(h, 0);
        fault_i_must(s != NULL, "a place for another stream");
        s->id = in->stream;
        stream_append(s, HEAD, sizeof HEAD - 1);
        return !(in->flags & END_STREAM) || stream_serve(h, s, reset);
    case RST_STREAM:
        s = stream_of(h, in->stream);
        if (s) stream_end(s);
        return true;
    case SETTINGS:
        return in->flags & ACK || send_frame(h->c, SETTINGS, ACK, 0, NULL, 0);
    case PING:
        return in->flags & ACK || send_frame(h->c, PING, ACK, 0, in->data, in->size);
    case GOAWAY:
        return false;
    default:
        return true;
    }
}

void fault_i_h2_serve(fault_connection *c, bool *reset)
{
    char preface[PREFACE_BYTES];
    h2 *h = calloc(1, sizeof *h);
    fault_i_must(h != NULL, "calloc");
    h->c = c;
    if (recv_all(c, preface, sizeof preface) && send_frame(c, SETTINGS, 0, 0, NULL, 0))
        while (recv_frame(h) && take_frame(h, reset))
            ;
    for (size_t i = 0; i < STREAMS_MAX; i++)
        stream_end(&h->stream[i]);
    free(h);
}
