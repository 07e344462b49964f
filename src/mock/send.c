/* send.c: hands an answer to libmicrohttpd: status, headers, and the body at once, in events, or cut. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "dialect.h"
#include "stream.h"

static const char no_memory_body[] =
    "{\"error\":{\"message\":\"The mock endpoint is out of memory.\",\"type\":\"server_error\","
    "\"param\":null,\"code\":null}}";

static void add_headers(struct MHD_Response *response, const leat_i_mock_request *r)
{
    char text[32];
    const char *type = r->streaming ? "text/event-stream; charset=utf-8" : "application/json";
    if (r->streaming && r->content_type) type = r->content_type;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (r->streaming) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    snprintf(text, sizeof text, "req_%016llx", (unsigned long long)leat_i_mock_id(r));
    (void)MHD_add_response_header(response, r->dialect->id_header, text);
    leat_i_mock_add_u64(response, "openai-processing-ms", (uint64_t)((leat_i_os_now_ns() - r->start_ns) / LEAT_I_NS_PER_MS));
    if (r->limits_known && r->dialect->add_limits) r->dialect->add_limits(response, r);
    if (r->allow) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allow);
    if (r->status == 401) (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (r->dialect->add_retry) r->dialect->add_retry(response, r);
}

/* Bytes of a stream that may be out by now; arms the timer when the next event is not due yet. */
static size_t stream_ready(leat_i_mock_request *r, size_t pos)
{
    if (r->tokens_per_s <= 0 && r->first_token_ns == 0) return r->out.size;
    int64_t now_ns = leat_i_os_now_ns();
    if (r->first_event_ns == 0) r->first_event_ns = now_ns;
    while (r->event_next < r->event_count && r->first_event_ns + leat_i_mock_event_due_ns(r, r->event_next) <= now_ns)
        r->event_next++;
    size_t ready = r->event_next > 0 ? leat_i_mock_event_at(r, r->event_next - 1) : 0;
    if (ready > pos || r->event_next == r->event_count) return ready;
    if (leat_i_mock_suspend(r, r->first_event_ns + leat_i_mock_event_due_ns(r, r->event_next))) return pos;
    return leat_i_mock_event_at(r, r->event_next++); /* no memory for the timer: early is better than never */
}

/* Ends the connection in the middle. libmicrohttpd closes it only when its socket shows an event, so it is shut down here. */
static ssize_t cut_now(leat_i_mock_request *r)
{
    leat_mock *m = leat_i_mock_of(r);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    leat_add_relaxed(&m->counters.cut, 1);
    r->was_cut = true;
    if (info) (void)shutdown(info->connect_fd, SHUT_RDWR);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t send_read(void *request, uint64_t pos, char *to, size_t room)
{
    leat_i_mock_request *r = request;
    if (r->cut_at <= pos) return cut_now(r);
    if (pos >= r->out.size) return MHD_CONTENT_READER_END_OF_STREAM;
    /* Last, since it may suspend the connection, which then must not end. */
    size_t end = r->streaming ? stream_ready(r, pos) : r->out.size;
    if (end > r->cut_at) end = r->cut_at;
    size_t size = end - pos < room ? end - pos : room;
    memcpy(to, r->out.data + pos, size);
    return (ssize_t)size;
}

enum MHD_Result leat_i_mock_send(leat_i_mock_request *r)
{
    struct MHD_Response *response;
    bool by_reader = r->streaming || r->cut_at != SIZE_MAX;
    if (r->out.size == 0)
        response = MHD_create_response_from_buffer(sizeof no_memory_body - 1, (void *)(uintptr_t)no_memory_body,
                                                   MHD_RESPMEM_PERSISTENT);
    else if (by_reader)
        response =
            MHD_create_response_from_callback(r->streaming ? MHD_SIZE_UNKNOWN : r->out.size, 4096, send_read, r, NULL);
    else
        response = MHD_create_response_from_buffer(r->out.size, r->out.data, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    r->phase = LEAT_I_MOCK_SENDING;
    add_headers(response, r);
    enum MHD_Result queued = MHD_queue_response(r->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return queued;
}
