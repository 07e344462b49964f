/* held.c: see held.h. */
#include "held.h"

#include <string.h>

#include "../base/err.h"
#include "run.h"

enum { HELD_MAX = 20, HTTP_BAD_REQUEST = 400, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404, HTTP_NOT_ALLOWED = 405 };

static bool path_is_doubtful(const leat_llm_reply *r)
{
    return r->cls == LEAT_CLASS_REJECTED && (r->http_status == HTTP_NOT_FOUND || r->http_status == HTTP_NOT_ALLOWED);
}

/* What servers say, each in its words, to plain HTTP on a port of TLS. */
static bool port_wants_tls(const leat_llm_reply *r)
{
    if (r->http_status != HTTP_BAD_REQUEST || r->cls != LEAT_CLASS_REJECTED) return false;
    return strstr(r->message, "HTTP request was sent to HTTPS") || strstr(r->message, "HTTP request to an HTTPS");
}

bool leat_i_held_wants(const leat_i_run *run, const leat_llm_reply *r)
{
    if (r->cls == LEAT_CLASS_AUTH) return r->http_status == HTTP_FORBIDDEN;
    return (path_is_doubtful(r) || port_wants_tls(r)) && leat_load_relaxed(&run->count.ok) == 0;
}

static void refusals_stop(leat_i_run *run, const leat_llm_reply *r)
{
    leat_error why;
    if (r->cls == LEAT_CLASS_AUTH)
        (void)leat_i_fail(&why, LEAT_DENIED, "the endpoint refuses one document after the other: %.140s", r->message);
    else if (port_wants_tls(r))
        (void)leat_i_fail(&why, LEAT_HTTP, "the endpoint speaks TLS: is it an https:// endpoint? (%.130s)", r->message);
    else
        (void)leat_i_fail(&why, LEAT_HTTP,
                          "the endpoint knows no such path or model (are the base URL and the model right?): %.110s",
                          r->message);
    leat_i_run_stop(run, LEAT_I_STOP_DRAIN, &why);
}

static leat_i_held_row *rows_take(leat_i_held *h)
{
    leat_i_held_row *row = h->first;
    h->first = h->last = NULL;
    leat_store_relaxed(&h->count, 0u);
    return row;
}

static void rows_free(leat_i_held_row *row)
{
    while (row) {
        leat_i_held_row *next = row->next;
        leat_i_held_row_free(row);
        row = next;
    }
}

leat_err leat_i_held_add(leat_i_run *run, leat_i_buf *b, const leat_llm_reply *reply)
{
    leat_i_held *h = &run->held;
    leat_i_held_row *row = leat_i_alloc_zeroed(sizeof *row), *dropped = NULL;
    if (!row) return LEAT_NOMEM;
    row->row = *b;
    *b = (leat_i_buf){ 0 };
    row->reply = (leat_llm_reply){ .cls = reply->cls, .http_status = reply->http_status };
    memcpy(row->reply.message, reply->message, sizeof row->reply.message);
    leat_i_lock_take(&h->lock);
    if (h->last)
        h->last->next = row;
    else
        h->first = row;
    h->last = row;
    bool full = leat_add_relaxed(&h->count, 1u) + 1 >= HELD_MAX || port_wants_tls(reply);
    if (full) h->closed = true;
    if (h->closed) dropped = rows_take(h);
    leat_i_lock_give(&h->lock);
    rows_free(dropped);
    if (full) refusals_stop(run, reply);
    return LEAT_OK;
}

leat_i_held_row *leat_i_held_take(leat_i_run *run)
{
    leat_i_held *h = &run->held;
    if (leat_load_relaxed(&h->count) == 0) return NULL;
    leat_i_lock_take(&h->lock);
    leat_i_held_row *row = rows_take(h);
    leat_i_lock_give(&h->lock);
    return row;
}

leat_i_held_row *leat_i_held_end(leat_i_run *run)
{
    leat_i_held_row *row = leat_i_held_take(run);
    if (!row || leat_i_ever_good(run)) return row;
    if (!leat_i_run_stopping(run)) refusals_stop(run, &row->reply);
    rows_free(row);
    return NULL;
}

void leat_i_held_row_free(leat_i_held_row *row)
{
    leat_i_buf_fini(&row->row);
    leat_i_free(row);
}

void leat_i_held_fini(leat_i_held *h)
{
    rows_free(rows_take(h));
}
