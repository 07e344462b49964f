/*
 * fault_server.h: a server that misbehaves as ordered: it writes raw bytes on sockets of 127.0.0.1, by script, and records
 * what arrived. For tests of the client: a library server cannot misbehave enough.
 *
 * A request is answered by the first script that fits: whose `marker` stands in its head or body (NULL = any), that is not used
 * up (`times`), and that suits a new or a reused connection (`on`). No script fits: FAULT_ECHO_MARK, so that every answer can
 * be told from every other. So a table of scripts with .times = 1 is a sequence, and markers choose by document:
 *
 *   static const fault_step busy[] = { { FAULT_SEND, "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" },
 *                                      { FAULT_KEEP } };
 *   static const fault_step cut[] = { { FAULT_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":" }, { FAULT_RESET } };
 *   fault_script script[] = { { .step = busy, .times = 2 }, { .step = cut, .marker = "doc-17", .times = 1 } };
 *   fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 2 });
 *   ... base URL: fault_server_url(s) ...
 *   fault_server_free(s);
 *
 * What a script points to must live until fault_server_free. All calls from any thread. A server that cannot start aborts the
 * test. Link the CMake target `fault_server` (leat_test(test_x LIBRARIES fault_server)).
 */
#ifndef FAULT_SERVER_H
#define FAULT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fault_op {
    FAULT_END = 0,     /* end of the steps: as FAULT_KEEP */
    FAULT_SEND,        /* data (size, 0 = up to its NUL); `piece` > 0: in pieces of that many bytes, `ms` between them */
    FAULT_ECHO_KEY,    /* the value of the request's header `data`; NULL = Authorization */
    FAULT_ECHO_MARK,   /* a whole reply: fault_ok, but its content is the first [[...]] of the request's body, if any */
    FAULT_ECHO_STREAM, /* the same as a stream of events */
    FAULT_FLOOD,       /* data again and again: `piece` times, 0 = until the client goes */
    FAULT_PAUSE,       /* ms */
    FAULT_DRAIN,       /* reads the rest of the request's body (after an early answer) */
    FAULT_HALF_CLOSE,  /* no more bytes from us; waits for the client to go */
    FAULT_CLOSE,       /* ends the connection: FIN */
    FAULT_RESET,       /* ends the connection: RST */
    FAULT_HANG,        /* says nothing until the client goes or the server is freed */
    FAULT_KEEP,        /* reads the next request of this connection */
    /* In HTTP/2 only (fault_opts.http2); FAULT_SEND is a reply of status 200 whose stream stays open there. */
    FAULT_STREAM_REPLY, /* a whole reply: status `ms`, body `data` */
    FAULT_STREAM_RESET, /* RST_STREAM, error code `ms` */
    FAULT_GOAWAY,       /* error code `ms`; `piece` 1 = this stream is the last that was looked at, 0 = this one was not */
} fault_op;

typedef struct fault_step {
    fault_op op;
    const char *data;
    size_t size;
    uint32_t piece, ms;
} fault_step;

typedef enum fault_on {
    FAULT_ON_ANY,
    FAULT_ON_NEW,    /* the first request of its connection */
    FAULT_ON_REUSED, /* a later one */
} fault_on;

typedef struct fault_script {
    const fault_step *step; /* up to FAULT_END, or the first step that ends or keeps the connection */
    const char *marker;     /* text in the request's head or body; with `early` in its head */
    uint32_t times;         /* uses; 0 = no end */
    fault_on on;
    bool early;    /* runs once the head is read, before the body is */
    uint32_t used; /* counted by the server */
} fault_script;

typedef enum fault_tls {
    FAULT_TLS_NONE,
    FAULT_TLS_GOOD,        /* for 127.0.0.1 and localhost, from the authority in fault_server_ca_file */
    FAULT_TLS_SELF_SIGNED, /* the right name, but nobody vouches */
    FAULT_TLS_WRONG_NAME,  /* from the authority, for another host */
    FAULT_TLS_EXPIRED,     /* from the authority, ended yesterday */
    FAULT_TLS_OLD,         /* a good certificate, but TLS 1.1 at most */
    FAULT_TLS_MUTUAL,      /* good, and asks for a certificate of the client's from the same authority */
} fault_tls;

typedef struct fault_opts {
    fault_script *script; /* borrowed; `used` is written under the server's lock */
    size_t script_count;
    /* Asked first, under the server's lock, with a whole request: the steps, or NULL for what the scripts say. */
    const fault_step *(*choose)(void *arg, const char *request, size_t size);
    void *choose_arg;
    fault_tls tls;
    uint32_t accept_delay_ms; /* before the first byte of a connection is read */
    uint32_t handshake_cuts;  /* so many connections are closed in the middle of the TLS handshake first */
    bool http2;               /* with TLS: HTTP/2, as raw frames, to clients that offer it */
} fault_opts;

typedef struct fault_server fault_server;

fault_server *fault_server_new(const fault_opts *opts);
void fault_server_free(fault_server *s); /* cuts what is open; NULL is fine */

uint16_t fault_server_port(const fault_server *s);
const char *fault_server_url(const fault_server *s); /* "http://127.0.0.1:PORT" or https */
const char *
fault_server_client_file(const fault_server *s);         /* TLS_MUTUAL: PEM of a client's certificate and key, mode 0600 */
const char *fault_server_ca_file(const fault_server *s); /* PEM of the authority; removed when freed; NULL without TLS */

/* What arrived so far. */
typedef struct fault_counts {
    uint32_t connections; /* accepted (with TLS: handshake done) */
    uint32_t handshakes_failed;
    uint32_t requests;  /* complete: head and body */
    uint32_t partial;   /* head seen, then cut in the body */
    uint32_t reused;    /* complete ones on a connection that had one before */
    uint32_t used_up;   /* answered by FAULT_ECHO_MARK because no script fitted */
    uint32_t served;    /* all that was ordered for them is sent, and their connection is kept (HTTP/1) */
    uint64_t bytes;     /* read in all, of anything */
    uint32_t open;      /* connections open now */
    uint32_t open_peak; /* most at once */
} fault_counts;
fault_counts fault_server_counts(fault_server *s);

/* Complete requests whose head or body holds `text`. Bytes of partial ones are searched by fault_server_saw. */
uint32_t fault_server_requests_with(fault_server *s, const char *text);
bool fault_server_saw(fault_server *s, const char *text); /* in any bytes that arrived, also of requests never completed */

/* A copy of the index-th request (head and body as sent, NUL-ended), to be freed by free(); NULL = there is none. */
char *fault_server_request(fault_server *s, uint32_t index, uint32_t *connection, uint32_t *nth_on_connection);

/* Waits until at least `requests` complete requests (or connections) came; false after 20 s. */
bool fault_server_wait_requests(fault_server *s, uint32_t requests);
bool fault_server_wait_served(fault_server *s, uint32_t served);
bool fault_server_wait_connections(fault_server *s, uint32_t connections);
bool fault_server_wait_open(fault_server *s, uint32_t at_most); /* until at most that many connections are open */

/* Another table from now on; the connections that are open use it for their next request. */
void fault_server_set(fault_server *s, fault_script *script, size_t script_count);

/* Replies to script with. Their memory is kept until the last fault server is freed. */
void *fault_memory(size_t size);
extern const char fault_ok[]; /* a whole chat completion: "content":"fine", finish_reason stop, usage 3 + 1 */
/* Status line, `headers` ("A: b\r\n" lines or ""), Content-Length and body. */
const char *fault_reply(int status, const char *headers, const char *body);
const char *fault_reply_bytes(int status, const char *headers, const void *body, size_t size, size_t *reply_size);
/* Chunked: `pieces` chunks of about equal size; `whole` = with the last, empty chunk. */
const char *fault_reply_chunked(int status, const char *headers, const char *body, uint32_t pieces, bool whole);
const char *fault_chat_body(const char *content, const char *finish); /* JSON of a chat completion; content as in JSON */
/* Events of a stream, to be sent in a reply of type text/event-stream: one for each blank-separated word of `content`. */
const char *fault_stream_body(const char *content, const char *finish, bool usage, bool done);
void *fault_gzip(const void *data, size_t size, size_t *gzip_size);
void *fault_gzip_zeros(size_t size, size_t *gzip_size); /* `size` zero bytes: a bomb */

#endif
