/* play_bytes.c: faults of the answer's bytes: how events are written, what is missing, what is no text. */
#include "play.h"

#include <string.h>

#include "stream.h"

/* Writes one event anew. `is_middle`: it is the one in the middle of all. */
typedef void (*event_write)(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle);

static bool is_events(const leat_i_mock_request *r)
{
    return r->streaming && !r->content_type;
}

static void event_put(leat_i_buf *to, const char *event, size_t size, uint32_t index, uint32_t count, void *arg)
{
    event_write *rewriter = arg;
    (*rewriter)(to, event, size, index, index == count / 2);
}

static void lines_put(leat_i_buf *to, const char *event, size_t size, const char *line_end)
{
    for (size_t i = 0; i < size; i++) {
        if (event[i] == '\n')
            leat_i_buf_puts(to, line_end);
        else if (event[i] != '\r')
            leat_i_buf_append(to, event + i, 1);
    }
}

static void write_crlf(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)index, (void)is_middle;
    lines_put(to, event, size, "\r\n");
}

static void write_cr(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)index, (void)is_middle;
    lines_put(to, event, size, "\r");
}

/* Puts `instead` in the place of the first `what` at the beginning of a line. */
static void replace_put(leat_i_buf *to, const char *event, size_t size, const char *what, const char *instead)
{
    const char *found = memmem(event, size, what, strlen(what));
    if (!found || (found != event && found[-1] != '\n')) {
        leat_i_buf_append(to, event, size);
        return;
    }
    leat_i_buf_append(to, event, (size_t)(found - event));
    leat_i_buf_puts(to, instead);
    found += strlen(what);
    leat_i_buf_append(to, found, (size_t)(event + size - found));
}

static void write_no_space(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)index, (void)is_middle;
    replace_put(to, event, size, "data: ", "data:");
}

static void write_multi_line(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)index, (void)is_middle;
    replace_put(to, event, size, "data: {", "data: {\ndata: ");
}

static void write_comment(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)index, (void)is_middle;
    leat_i_buf_puts(to, ": still here\n");
    leat_i_buf_append(to, event, size);
}

static void write_bom(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    (void)is_middle;
    if (index == 0) leat_i_buf_puts(to, "\xef\xbb\xbf");
    leat_i_buf_append(to, event, size);
}

static void write_broken(leat_i_buf *to, const char *event, size_t size, uint32_t index, bool is_middle)
{
    size_t last = size;
    (void)index;
    while (is_middle && last > 0 && event[last - 1] != '}')
        last--;
    if (!is_middle || last == 0) {
        leat_i_buf_append(to, event, size);
        return;
    }
    leat_i_buf_append(to, event, last - 1);
    leat_i_buf_append(to, event + last, size - last);
}

/* The mark that stands in the text is as long as what takes its place, so that no event moves. */
static void utf8_break(leat_i_mock_request *r)
{
    static const char mark[] = LEAT_I_MOCK_BAD_MARK;
    char *at = r->out.data, *end = r->out.data + r->out.size;
    while (at && (at = memmem(at, (size_t)(end - at), mark, 3)) != NULL)
        memcpy(at, "\xff\xfe\xc0", 3);
}

/* Drops the events from `index` on. */
static void events_drop(leat_i_mock_request *r, uint32_t index)
{
    if (!r->streaming || index == 0 || index >= r->event_count) return;
    r->event_count = index;
    r->out.size = leat_i_mock_event_at(r, index - 1);
    r->events.size = index * sizeof(uint32_t);
}

/* The body of an error, put where the middle event was. */
static void error_in_stream(leat_i_mock_request *r)
{
    if (!r->streaming) {
        leat_i_mock_refuse_as_ordered(r, 500, "server_error", NULL, "The server had an error.");
        return;
    }
    const leat_i_mock_failure failure = {
        .status = 500, .type = "server_error", .code = "server_error", .message = "The server had an error."
    };
    bool named = r->dialect == &leat_i_mock_anthropic || r->dialect == &leat_i_mock_responses;
    bool events = is_events(r), in_array = !events && r->dialect == &leat_i_mock_gemini;
    leat_i_buf stream = r->out, *out = &r->out;
    r->out = (leat_i_buf){ 0 };
    r->status = failure.status; /* told in some bodies; on the wire the answer has begun with 200 */
    r->dialect->fail(r, &failure);
    r->status = 200;
    leat_i_buf body = r->out;
    r->out = stream;
    r->out.failed = r->out.failed || body.failed;
    events_drop(r, (r->event_count + 1) / 2);
    if (events) leat_i_buf_puts(out, named ? "event: error\ndata: " : "data: ");
    if (in_array)
        leat_i_buf_printf(out, ",\n%s", body.data ? body.data + 1 : ""); /* it brings brackets of its own */
    else if (body.data)
        leat_i_buf_append(out, body.data, body.size);
    leat_i_buf_puts(out, events ? "\n\n" : in_array ? "" : "\n");
    leat_i_mock_event_end(r);
    leat_i_buf_fini(&body);
    if (r->out.failed) leat_i_mock_fail_memory(r);
}

static event_write writer_of(leat_i_mock_fault_kind fault, bool events)
{
    switch (fault) {
    case LEAT_I_MOCK_FAULT_BOM:
        return write_bom;
    case LEAT_I_MOCK_FAULT_BROKEN_JSON:
        return write_broken;
    case LEAT_I_MOCK_FAULT_CRLF:
        return events ? write_crlf : NULL;
    case LEAT_I_MOCK_FAULT_CR:
        return events ? write_cr : NULL;
    case LEAT_I_MOCK_FAULT_NO_SPACE:
        return events ? write_no_space : NULL;
    case LEAT_I_MOCK_FAULT_MULTI_LINE:
        return events ? write_multi_line : NULL;
    case LEAT_I_MOCK_FAULT_COMMENTS:
        return events ? write_comment : NULL;
    default:
        return NULL;
    }
}

bool leat_i_mock_play_bytes(leat_i_mock_request *r)
{
    event_write rewriter = writer_of(r->order->fault, is_events(r));
    if (rewriter) {
        leat_i_mock_events_rewrite(r, event_put, &rewriter);
        return true;
    }
    switch (r->order->fault) {
    case LEAT_I_MOCK_FAULT_BAD_UTF8:
        utf8_break(r);
        return true;
    case LEAT_I_MOCK_FAULT_NO_FINISH:
        events_drop(r, r->events_tokens);
        return true;
    case LEAT_I_MOCK_FAULT_NO_DONE:
        events_drop(r, r->events_final);
        return true;
    case LEAT_I_MOCK_FAULT_STREAM_ERROR:
        error_in_stream(r);
        return true;
    default:
        return false;
    }
}
