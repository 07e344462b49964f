/* play_wire.c: faults of what stands around the answer: compression, lengths, heads that libmicrohttpd would never write. */
#include "play.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "stream.h"

#define BOMB_BYTES        ((size_t)64 << 20)
#define HUGE_HEADER_BYTES ((size_t)128 << 10)
#define GZIP_WINDOW_BITS  (15 + 16)

/* Compresses a piece and brings all of it out. */
static void deflate_put(z_stream *z, leat_i_buf *to, const void *data, size_t size, int flush)
{
    unsigned char piece[4096];
    z->next_in = (unsigned char *)(uintptr_t)data;
    z->avail_in = (unsigned)size;
    do {
        z->next_out = piece;
        z->avail_out = sizeof piece;
        (void)deflate(z, flush);
        leat_i_buf_append(to, piece, sizeof piece - z->avail_out);
    } while (z->avail_out == 0);
}

/* Event by event, so that a client that inflates what has come sees each of them at its time. */
static void event_deflate(leat_i_buf *to, const char *event, size_t size, uint32_t index, uint32_t count, void *z)
{
    deflate_put(z, to, event, size, index + 1 < count ? Z_SYNC_FLUSH : Z_FINISH);
}

/* Made once, since it takes a quarter of a second. */
static void bomb_put(leat_i_mock_request *r, z_stream *z)
{
    static const char blanks[65536];
    leat_i_buf *bomb = &leat_i_mock_of(r)->bomb;
    for (size_t done = bomb->size ? BOMB_BYTES : 0; !bomb->failed && done < BOMB_BYTES; done += sizeof blanks)
        deflate_put(z, bomb, blanks, sizeof blanks, done + sizeof blanks < BOMB_BYTES ? Z_NO_FLUSH : Z_FINISH);
    r->streaming = false;
    leat_i_buf_clear(&r->out);
    if (!bomb->failed) leat_i_buf_append(&r->out, bomb->data, bomb->size);
    r->out.failed = r->out.failed || bomb->failed;
    if (bomb->failed) leat_i_buf_fini(bomb);
}

static void gzip_put(leat_i_mock_request *r)
{
    leat_i_mock_fault_kind fault = r->order->fault;
    z_stream z = { 0 };
    if (deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        leat_i_mock_fail_memory(r);
        return;
    }
    if (fault == LEAT_I_MOCK_FAULT_BOMB)
        bomb_put(r, &z);
    else
        leat_i_mock_events_rewrite(r, event_deflate, &z);
    (void)deflateEnd(&z);
    if (fault == LEAT_I_MOCK_FAULT_GZIP_CORRUPT && r->out.size > 40) memset(r->out.data + r->out.size / 2, 0x5a, 16);
    r->headers = "Content-Encoding: gzip";
    if (r->out.failed) leat_i_mock_fail_memory(r);
}

static void chunks_put(leat_i_buf *to, const leat_i_buf *body)
{
    leat_i_buf_printf(to, "%zx\r\n", body->size);
    leat_i_buf_append(to, body->data, body->size);
    leat_i_buf_puts(to, "\r\n0\r\n\r\n");
}

static void huge_header_put(leat_i_buf *b)
{
    leat_i_buf_puts(b, "X-Huge: ");
    char *to = leat_i_buf_grow(b, HUGE_HEADER_BYTES);
    if (!to) return;
    memset(to, 'x', HUGE_HEADER_BYTES);
    b->size += HUGE_HEADER_BYTES;
    b->data[b->size] = '\0';
    leat_i_buf_puts(b, "\r\n");
}

/* The whole answer as bytes of our own, head and body; after them the connection is closed. */
static void raw_put(leat_i_mock_request *r)
{
    leat_i_mock_fault_kind fault = r->order->fault;
    leat_i_buf body = r->out, *b = &r->out;
    const char *type = leat_i_mock_content_type(r);
    r->out = (leat_i_buf){ 0 };
    r->wire = LEAT_I_MOCK_WIRE_RAW;
    if (fault == LEAT_I_MOCK_FAULT_GARBAGE) leat_i_buf_puts(b, "\x16\x03\x01 this is no HTTP\r\n\r\n");
    if (fault == LEAT_I_MOCK_FAULT_HINTS)
        leat_i_buf_puts(b, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload\r\n\r\n");
    leat_i_buf_printf(b, "HTTP/1.%d 200 OK\r\nContent-Type: %s\r\n", fault == LEAT_I_MOCK_FAULT_HTTP10 ? 0 : 1, type);
    if (fault == LEAT_I_MOCK_FAULT_HUGE_HEADER) huge_header_put(b);
    if (fault == LEAT_I_MOCK_FAULT_LENGTH_BOTH) leat_i_buf_puts(b, "Transfer-Encoding: chunked\r\n");
    if (fault != LEAT_I_MOCK_FAULT_HTTP10)
        leat_i_buf_printf(b, "Content-Length: %zu\r\n", fault == LEAT_I_MOCK_FAULT_LENGTH_LESS ? body.size / 2 : body.size);
    leat_i_buf_puts(b, "\r\n");
    if (fault == LEAT_I_MOCK_FAULT_LENGTH_BOTH)
        chunks_put(b, &body);
    else
        leat_i_buf_append(b, body.data, body.size);
    leat_i_buf_fini(&body);
    if (r->out.failed) {
        r->wire = LEAT_I_MOCK_WIRE_NONE;
        leat_i_mock_fail_memory(r);
    }
}

bool leat_i_mock_play_wire(leat_i_mock_request *r)
{
    switch (r->order->fault) {
    case LEAT_I_MOCK_FAULT_GZIP:
    case LEAT_I_MOCK_FAULT_GZIP_CORRUPT:
    case LEAT_I_MOCK_FAULT_BOMB:
        gzip_put(r);
        return true;
    case LEAT_I_MOCK_FAULT_HUGE_HEADER:
    case LEAT_I_MOCK_FAULT_HINTS:
    case LEAT_I_MOCK_FAULT_HTTP10:
    case LEAT_I_MOCK_FAULT_LENGTH_BOTH:
    case LEAT_I_MOCK_FAULT_LENGTH_LESS:
    case LEAT_I_MOCK_FAULT_GARBAGE:
        raw_put(r);
        return true;
    default:
        return false;
    }
}
