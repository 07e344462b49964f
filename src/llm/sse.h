/*
 * sse.h: a reader of server-sent events that takes its input in pieces of any size.
 *
 * Lines end in LF, CRLF or CR, split anywhere; a byte order mark is skipped; lines that start with a colon are comments; several
 * `data` lines join with LF; an event without data is none. Unknown fields are ignored. Memory is bounded by `max`.
 *
 * Source: WHATWG HTML, section 9.2.6 (interpreting an event stream). One deviation: at the end of the input a last event without
 * its blank line is delivered, since endpoints that close right after "data: [DONE]" mean it.
 */
#ifndef LEAT_I_SSE_H
#define LEAT_I_SSE_H

#include "../base/buf.h"

/* One event. `type` is "" or the event's name (cut at 31 bytes), `data` is NUL-ended. False = stop reading. */
typedef bool (*leat_i_sse_fn)(void *arg, const char *type, const char *data, size_t size);

typedef struct leat_i_sse {
    leat_i_sse_fn fn;
    void *arg;
    leat_i_buf line; /* a line whose end has not come yet */
    leat_i_buf data; /* of the event that is being read */
    char type[32];
    unsigned bom_bytes; /* of the mark at the start that have matched; 3 = the start is behind us */
    bool has_data, after_cr, stopped;
    bool has_field; /* a line was a comment, or had a name that streams know */
} leat_i_sse;

void leat_i_sse_init(leat_i_sse *s, size_t max, leat_i_sse_fn fn, void *arg);
void leat_i_sse_fini(leat_i_sse *s);

/* False once `fn` has said stop, or memory was short, or a line or event was larger than `max` (leat_i_sse_failed tells). */
bool leat_i_sse_push(leat_i_sse *s, const char *piece, size_t size);
bool leat_i_sse_end(leat_i_sse *s); /* the input is over */
bool leat_i_sse_failed(const leat_i_sse *s);

#endif
