/*
 * fault_server.c: the fault server: a thread that accepts, a thread a connection, one lock around the records and the scripts.
 *
 * A connection's thread is detached; the server's end makes `stop_fd` readable, on which every wait of theirs returns, and then
 * waits until the last of them is gone.
 */
#include "fault_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fault_internal.h"

#define HEAD_BYTES_MAX ((size_t)256 * 1024)

static bool holds(const char *text, size_t size, const char *what)
{
    return memmem(text, size, what, strlen(what)) != NULL;
}

/* Value of a header of the head, or NULL; not NUL-ended, *size its bytes. */
static const char *header_find(const fault_inbox *in, const char *name, size_t *size)
{
    size_t name_size = strlen(name);
    const char *end = in->data + in->head_size;
    for (const char *line = memchr(in->data, '\n', in->head_size); line && ++line < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        if ((size_t)(end - line) <= name_size || strncasecmp(line, name, name_size) != 0 || line[name_size] != ':') continue;
        const char *value = line + name_size + 1;
        while (*value == ' ')
            value++;
        *size = strcspn(value, "\r\n");
        return value;
    }
    return NULL;
}

/* Keeps what has arrived of the request at hand; called again as more comes. */
void fault_i_record(fault_connection *c, size_t size, bool complete)
{
    fault_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    if (c->record_index == UINT32_MAX) {
        if (s->record_count == s->record_room) {
            s->record_room = s->record_room ? s->record_room * 2 : 64;
            s->records = realloc(s->records, s->record_room * sizeof *s->records);
            fault_i_must(s->records != NULL, "realloc");
        }
        c->record_index = s->record_count++;
        s->records[c->record_index] = (fault_record){ .connection = c->serial, .nth = c->nth };
    }
    fault_record *r = &s->records[c->record_index];
    r->text = realloc(r->text, size + 1);
    fault_i_must(r->text != NULL, "realloc");
    memcpy(r->text, c->in.data, size);
    r->text[size] = '\0';
    r->size = size;
    if (complete) {
        r->complete = true;
        s->counts.requests++;
        if (c->nth > 0) s->counts.reused++;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Reads more bytes into the inbox; false = the connection is over. */
static bool inbox_more(fault_connection *c)
{
    fault_inbox *in = &c->in;
    if (in->room - in->size < 16384) {
        in->room = in->room ? in->room * 2 : 32768;
        in->data = realloc(in->data, in->room);
        fault_i_must(in->data != NULL, "realloc");
    }
    ssize_t n = fault_i_recv(&c->conn, in->data + in->size, in->room - in->size - 1);
    if (n <= 0) return false;
    in->size += (size_t)n;
    in->data[in->size] = '\0';
    pthread_mutex_lock(&c->server->lock);
    c->server->counts.bytes += (size_t)n;
    pthread_mutex_unlock(&c->server->lock);
    return true;
}

static bool head_read(fault_connection *c)
{
    fault_inbox *in = &c->in;
    for (;;) {
        const char *end = in->data ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
        if (end) {
            in->head_size = (size_t)(end - in->data) + 4;
            return true;
        }
        if (in->size > HEAD_BYTES_MAX || !inbox_more(c)) return false;
        if (!memmem(in->data, in->size, "\r\n\r\n", 4)) fault_i_record(c, in->size, false);
    }
}

/* Size of a chunked body that is whole in the inbox, 0 = not yet. Chunk by chunk, no trailers. */
static size_t chunked_size(const fault_inbox *in)
{
    size_t at = in->head_size;
    for (;;) {
        const char *line_end = at < in->size ? memmem(in->data + at, in->size - at, "\r\n", 2) : NULL;
        if (!line_end) return 0;
        size_t chunk = strtoul(in->data + at, NULL, 16);
        at = (size_t)(line_end - in->data) + 2 + chunk + 2;
        if (at > in->size) return 0;
        if (chunk == 0) return at - in->head_size;
    }
}

static bool body_read(fault_connection *c)
{
    fault_inbox *in = &c->in;
    size_t size = 0;
    const char *length = header_find(in, "Content-Length", &size);
    size_t want = length ? strtoul(length, NULL, 10) : 0;
    bool chunked = header_find(in, "Transfer-Encoding", &size) != NULL;
    const char *expect = header_find(in, "Expect", &size);
    if (expect && !fault_i_send(&c->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25)) return false;
    for (;;) {
        in->body_size = chunked ? chunked_size(in) : want;
        if (chunked ? in->body_size > 0 : in->size - in->head_size >= want) return true;
        if (!inbox_more(c)) {
            fault_i_record(c, in->size, false);
            return false;
        }
    }
}

/* Drops the request at hand; bytes of the next one stay. */
static void inbox_next(fault_inbox *in)
{
    size_t used = in->head_size + in->body_size;
    if (used > in->size) used = in->size;
    memmove(in->data, in->data + used, in->size - used);
    in->size -= used;
    in->head_size = in->body_size = 0;
}

/* Chooses the script for the request at hand, and counts its use. */
const fault_step *fault_i_script(fault_connection *c, bool early)
{
    fault_server *s = c->server;
    const fault_step *step = NULL;
    size_t size = early ? c->in.head_size : c->in.head_size + c->in.body_size;
    pthread_mutex_lock(&s->lock);
    if (s->opts.choose && !early) step = s->opts.choose(s->opts.choose_arg, c->in.data, size);
    for (size_t i = 0; i < s->opts.script_count && !step; i++) {
        fault_script *one = &s->opts.script[i];
        if (one->early != early || (one->times && one->used >= one->times)) continue;
        if (one->on != FAULT_ON_ANY && (one->on == FAULT_ON_REUSED) != (c->nth > 0)) continue;
        if (one->marker && !holds(c->in.data, size, one->marker)) continue;
        one->used++;
        step = one->step;
    }
    if (!step && !early) s->counts.used_up++;
    pthread_mutex_unlock(&s->lock);
    return step;
}

static bool send_pieces(fault_connection *c, const char *data, size_t size, uint32_t piece, uint32_t ms)
{
    for (size_t at = 0; at < size; at += piece) {
        if (at > 0 && ms && !fault_i_pause(&c->conn, ms)) return false;
        if (!fault_i_send(&c->conn, data + at, size - at < piece ? size - at : piece)) return false;
    }
    return true;
}

/* What the first [[...]] of the request's body says, brackets and all, else "fine". */
static int mark_of(const fault_inbox *in, const char **mark)
{
    const char *begin = in->data + in->head_size, *end = begin + in->body_size;
    const char *from = memmem(begin, in->body_size, "[[", 2);
    const char *to = from ? memmem(from, (size_t)(end - from), "]]", 2) : NULL;
    bool marked = to && to - from <= 200;
    *mark = marked ? from : "fine";
    return marked ? (int)(to + 2 - from) : 4;
}

int fault_i_mark_body(const fault_inbox *in, char *body, size_t room)
{
    const char *mark;
    int size = mark_of(in, &mark);
    return snprintf(body, room,
                    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"fault\",\"choices\":["
                    "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\"},\"finish_reason\":\"stop\"}],"
                    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}",
                    size, mark);
}

static int mark_stream(const fault_inbox *in, char *body, size_t room)
{
    const char *mark;
    int size = mark_of(in, &mark), half = size / 2;
    return snprintf(body, room,
                    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"%.*s\"}}]}\n\n"
                    ": still here\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%.*s\"}}]}\n\n"
                    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":"
                    "{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n",
                    half, mark, size - half, mark + half);
}

static bool send_mark(fault_connection *c, bool stream)
{
    char reply[1200], body[900];
    int n = stream ? mark_stream(&c->in, body, sizeof body) : fault_i_mark_body(&c->in, body, sizeof body);
    int all = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
                       stream ? "text/event-stream" : "application/json", n, body);
    return fault_i_send(&c->conn, reply, (size_t)all);
}

static bool send_key(fault_connection *c, const char *header)
{
    size_t size = 0;
    const char *key = header_find(&c->in, header ? header : "Authorization", &size);
    return fault_i_send(&c->conn, key ? key : "", size);
}

/* Reads and drops until the client goes, or the server ends. */
void fault_i_hang(fault_connection *c)
{
    char drop[4096];
    while (fault_i_recv(&c->conn, drop, sizeof drop) > 0)
        ;
}

static bool flood(fault_connection *c, const fault_step *step, size_t size)
{
    for (uint32_t i = 0; step->piece == 0 || i < step->piece; i++)
        if (!fault_i_send(&c->conn, step->data, size)) return false;
    return true;
}

static bool drain(fault_connection *c)
{
    bool whole = c->in.body_size > 0 || body_read(c);
    if (whole) fault_i_record(c, c->in.head_size + c->in.body_size, true);
    return whole;
}

bool fault_i_step(fault_connection *c, const fault_step *step, bool *reset)
{
    switch (step->op) {
    case FAULT_PAUSE:
        return fault_i_pause(&c->conn, step->ms);
    case FAULT_HALF_CLOSE:
        if (c->conn.ssl) (void)SSL_shutdown(c->conn.ssl);
        shutdown(c->conn.fd, SHUT_WR);
        fault_i_hang(c);
        return false;
    case FAULT_HANG:
        fault_i_hang(c);
        return false;
    case FAULT_RESET:
        *reset = true;
        return false;
    case FAULT_CLOSE:
        return false;
    default:
        return true;
    }
}

/* Does one step; false = the connection is over. */
static bool step_run(fault_connection *c, const fault_step *step, bool *reset)
{
    size_t size = step->size ? step->size : step->data ? strlen(step->data) : 0;
    switch (step->op) {
    case FAULT_SEND:
        if (step->piece) return send_pieces(c, step->data, size, step->piece, step->ms);
        return fault_i_send(&c->conn, step->data, size);
    case FAULT_ECHO_KEY:
        return send_key(c, step->data);
    case FAULT_ECHO_MARK:
    case FAULT_ECHO_STREAM:
        return send_mark(c, step->op == FAULT_ECHO_STREAM);
    case FAULT_FLOOD:
        return flood(c, step, size);
    case FAULT_DRAIN:
        return drain(c);
    default:
        return fault_i_step(c, step, reset);
    }
}

/* Runs a script's steps; true = the connection is kept for the next request. */
static bool script_run(fault_connection *c, const fault_step *step, bool *reset)
{
    static const fault_step fallback[] = { { .op = FAULT_ECHO_MARK }, { .op = FAULT_KEEP } };
    for (step = step ? step : fallback;; step++) {
        if (step->op == FAULT_END || step->op == FAULT_KEEP) return true;
        if (!step_run(c, step, reset)) return false;
    }
}

/* One request and its answer; false = the connection is over. */
static bool request_serve(fault_connection *c, bool *reset)
{
    c->record_index = UINT32_MAX;
    c->in.body_size = 0;
    if (!head_read(c)) return false;
    fault_i_record(c, c->in.size, false);
    const fault_step *step = fault_i_script(c, true);
    if (!step) {
        if (!body_read(c)) {
            pthread_mutex_lock(&c->server->lock);
            c->server->counts.partial++;
            pthread_mutex_unlock(&c->server->lock);
            return false;
        }
        /* Before it counts: who has waited for this request knows what the next one gets. */
        step = fault_i_script(c, false);
        fault_i_record(c, c->in.head_size + c->in.body_size, true);
    }
    if (!script_run(c, step, reset)) return false;
    pthread_mutex_lock(&c->server->lock);
    c->server->counts.served++;
    pthread_cond_broadcast(&c->server->changed);
    pthread_mutex_unlock(&c->server->lock);
    c->nth++;
    inbox_next(&c->in);
    return true;
}

static void connection_count(fault_connection *c, int change, bool failed)
{
    fault_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    if (change > 0) {
        c->serial = s->counts.connections++;
        if (++s->counts.open > s->counts.open_peak) s->counts.open_peak = s->counts.open;
    } else if (change < 0) {
        s->counts.open--;
    }
    if (failed) s->counts.handshakes_failed++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Whether this connection is one of those that end in the middle of the handshake: once the client has begun it. */
static bool handshake_is_cut(fault_connection *c)
{
    fault_server *s = c->server;
    char drop[16];
    pthread_mutex_lock(&s->lock);
    bool cut = s->handshake_cuts > 0;
    if (cut) s->handshake_cuts--;
    pthread_mutex_unlock(&s->lock);
    if (cut) (void)fault_i_recv(&c->conn, drop, sizeof drop);
    return cut;
}

/* A handshake has failed. Its alert must not be overtaken by a reset, which is what a close with unread bytes would send. */
static void say_no(fault_connection *c)
{
    SSL_free(c->conn.ssl);
    c->conn.ssl = NULL;
    shutdown(c->conn.fd, SHUT_WR);
    fault_i_hang(c);
    fault_i_close(&c->conn, false);
}

static void connection_serve(fault_connection *c, bool *reset)
{
    const unsigned char *protocol = NULL;
    unsigned size = 0;
    if (c->conn.ssl) SSL_get0_alpn_selected(c->conn.ssl, &protocol, &size);
    if (size == 2 && memcmp(protocol, "h2", 2) == 0) {
        fault_i_h2_serve(c, reset);
        return;
    }
    while (request_serve(c, reset))
        ;
}

static void *connection_thread(void *arg)
{
    fault_connection *c = arg;
    fault_server *s = c->server;
    bool reset = false;
    if (!handshake_is_cut(c) && fault_i_handshake(&c->conn, s->tls)) {
        connection_count(c, 1, false);
        if (!s->opts.accept_delay_ms || fault_i_pause(&c->conn, s->opts.accept_delay_ms)) connection_serve(c, &reset);
        fault_i_close(&c->conn, reset);
        connection_count(c, -1, false);
    } else {
        connection_count(c, 0, true);
        say_no(c);
    }
    free(c->in.data);
    free(c);
    pthread_mutex_lock(&s->lock);
    s->threads--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void connection_start(fault_server *s, int fd)
{
    pthread_attr_t attr;
    pthread_t thread;
    fault_connection *c = calloc(1, sizeof *c);
    fault_i_must(c != NULL, "calloc");
    c->server = s;
    c->conn = (fault_conn){ .fd = fd, .stop_fd = s->stop_fd };
    pthread_mutex_lock(&s->lock);
    s->threads++;
    pthread_mutex_unlock(&s->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    fault_i_must(pthread_create(&thread, &attr, connection_thread, c) == 0, "pthread_create");
    pthread_attr_destroy(&attr);
}

static void *accept_thread(void *arg)
{
    fault_server *s = arg;
    for (;;) {
        struct pollfd p[2] = { { .fd = s->listen_fd, .events = POLLIN }, { .fd = s->stop_fd, .events = POLLIN } };
        if (poll(p, 2, -1) > 0 && p[1].revents) return NULL;
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) continue;
        /* What is sent is there at once: else the kernel holds a second small piece back until the first is acknowledged. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        connection_start(s, fd);
    }
}

static void listen_open(fault_server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fault_i_must(s->listen_fd >= 0 && bind(s->listen_fd, (struct sockaddr *)&at, size) == 0 &&
                     listen(s->listen_fd, 1024) == 0 && getsockname(s->listen_fd, (struct sockaddr *)&at, &size) == 0,
                 "listening");
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof s->url, "%s://127.0.0.1:%u", s->tls ? "https" : "http", s->port);
}

fault_server *fault_server_new(const fault_opts *opts)
{
    fault_server *s = calloc(1, sizeof *s);
    fault_i_must(s != NULL, "calloc");
    if (opts) s->opts = *opts;
    fault_i_kept_use(1);
    s->handshake_cuts = s->opts.handshake_cuts;
    s->tls = fault_i_tls_new(s->opts.tls, s->opts.http2, &s->files);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    fault_i_must(s->stop_fd >= 0, "eventfd");
    listen_open(s);
    /* Signals are for the test's own threads; a broken pipe is what this server is about. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    fault_i_must(pthread_create(&s->thread, NULL, accept_thread, s) == 0, "pthread_create");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return s;
}

void fault_server_free(fault_server *s)
{
    if (!s) return;
    uint64_t one = 1;
    fault_i_must(write(s->stop_fd, &one, sizeof one) == sizeof one, "write");
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&s->lock);
    while (s->threads > 0)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    close(s->listen_fd);
    close(s->stop_fd);
    for (uint32_t i = 0; i < s->record_count; i++)
        free(s->records[i].text);
    free(s->records);
    if (s->tls) {
        SSL_CTX_free(s->tls);
        unlink(s->files.ca);
        if (s->files.client[0]) unlink(s->files.client);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
    fault_i_kept_use(-1);
}

void fault_server_set(fault_server *s, fault_script *script, size_t script_count)
{
    pthread_mutex_lock(&s->lock);
    s->opts.script = script;
    s->opts.script_count = script_count;
    pthread_mutex_unlock(&s->lock);
}
