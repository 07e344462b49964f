/* request.c: a request from its first header to its end, as libmicrohttpd calls for it; see endpoint.h for the states. */
#include <stdlib.h>
#include <string.h>

#include "dialect.h"

/* Requests kept for the next ones, and what one may keep of its buffers. */
#define FREE_REQUESTS_MAX   1024
#define FREE_BUFFER_BYTES   (64 * 1024)
#define BODY_RESERVE_MAX    (1024 * 1024)
#define BODY_DROP_BYTES_MAX (INT64_C(1) << 32)

/* Takes a body's buffer for the next request, so that those who wait for their answer's time hold none. */
static void body_give_back(leat_mock *m, leat_i_mock_request *r)
{
    if (r->body.data && r->body.room <= FREE_BUFFER_BYTES && m->spare_count < LEAT_I_MOCK_SPARES_MAX) {
        leat_i_buf_clear(&r->body);
        m->spare[m->spare_count++] = r->body;
        r->body = (leat_i_buf){ 0 };
    } else {
        leat_i_buf_fini(&r->body);
    }
}

static void request_reset(leat_i_mock_request *r)
{
    leat_i_buf out = r->out, events = r->events;
    leat_i_buf_clear(&out);
    leat_i_buf_clear(&events);
    if (out.room > FREE_BUFFER_BYTES) leat_i_buf_fini(&out);
    *r = (leat_i_mock_request){
        .out = out, .events = events, .dialect = &leat_i_mock_openai, .cut_at = SIZE_MAX, .retry_ns = -1
    };
}

static void request_free(leat_i_mock_request *r)
{
    leat_i_buf_fini(&r->out);
    leat_i_buf_fini(&r->events);
    leat_i_free(r);
}

static leat_i_mock_request *request_new(leat_i_mock_shard *shard, struct MHD_Connection *connection)
{
    leat_mock *m = shard->mock;
    leat_i_mock_request *r = m->free_request;
    if (r) {
        m->free_request = r->next_free;
        m->free_count--;
    } else {
        r = leat_i_alloc_zeroed(sizeof *r);
        if (!r) return NULL;
    }
    request_reset(r);
    r->shard = shard;
    r->connection = connection;
    if (m->spare_count > 0) r->body = m->spare[--m->spare_count];
    r->body.max = m->opts.body_bytes_max;
    return r;
}

/* Looks at the length that the headers promise, so that the body's buffer grows once. */
static void request_expect(leat_i_mock_request *r)
{
    const char *length = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned long long bytes = length ? strtoull(length, NULL, 10) : 0;
    if (bytes > r->body.max)
        r->too_large = true;
    else if (bytes > 0 && bytes <= BODY_RESERVE_MAX)
        r->no_memory = !leat_i_buf_grow(&r->body, bytes);
}

/* Keeps a piece of the body. One that is too large is read on and dropped, so that the client sees the answer. */
static enum MHD_Result request_read(leat_i_mock_request *r, const char *data, size_t *size)
{
    if (!r->too_large && !r->no_memory && !leat_i_buf_append(&r->body, data, *size)) {
        r->too_large = r->body.size + *size > r->body.max;
        r->no_memory = !r->too_large;
    }
    if (r->too_large || r->no_memory) {
        if (r->body.data) leat_i_buf_fini(&r->body);
        r->dropped += (int64_t)*size;
        if (r->dropped > BODY_DROP_BYTES_MAX) return MHD_NO;
    }
    *size = 0;
    return MHD_YES;
}

/* The body is whole: judge, answer in memory, then wait or send. */
static enum MHD_Result request_whole(leat_i_mock_request *r, const char *method, const char *url)
{
    r->phase = LEAT_I_MOCK_WAITING;
    int64_t delay_ns = leat_i_mock_answer(r, method, url);
    body_give_back(leat_i_mock_of(r), r);
    leat_i_arena_rewind(&leat_i_mock_of(r)->scratch, (leat_i_arena_mark){ 0 });
    if (delay_ns > 0 && leat_i_mock_suspend(r, leat_i_os_add_ns(r->start_ns, delay_ns))) return MHD_YES;
    return leat_i_mock_send(r);
}

enum MHD_Result leat_i_mock_handle(void *shard, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *data, size_t *data_size, void **request)
{
    leat_i_mock_request *r = *request;
    (void)version;
    if (!r) {
        r = request_new(shard, connection);
        if (!r) return MHD_NO; /* closes the connection: there is no memory for an answer */
        *request = r;
        request_expect(r);
        return MHD_YES;
    }
    if (*data_size > 0) return request_read(r, data, data_size);
    if (r->phase == LEAT_I_MOCK_READING) return request_whole(r, method, url);
    return r->phase == LEAT_I_MOCK_WAITING ? leat_i_mock_send(r) : MHD_YES;
}

void leat_i_mock_completed(void *shard, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode why)
{
    leat_i_mock_request *r = *request;
    leat_mock *m = ((leat_i_mock_shard *)shard)->mock;
    (void)connection;
    if (!r) return;
    *request = NULL;
    leat_i_heap_remove(&m->timers, &r->timer);
    body_give_back(m, r);
    leat_i_mock_count_out(r);
    leat_i_mock_log_end(r, why);
    if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->status == 200 && r->admitted)
        leat_add_relaxed(&m->counters.answered, 1);
    if (m->free_count >= FREE_REQUESTS_MAX) {
        request_free(r);
        return;
    }
    request_reset(r);
    r->next_free = m->free_request;
    m->free_request = r;
    m->free_count++;
}

void leat_i_mock_requests_fini(leat_mock *m)
{
    while (m->free_request) {
        leat_i_mock_request *r = m->free_request;
        m->free_request = r->next_free;
        request_free(r);
    }
    m->free_count = 0;
    while (m->spare_count > 0)
        leat_i_buf_fini(&m->spare[--m->spare_count]);
    leat_i_arena_fini(&m->scratch);
}
