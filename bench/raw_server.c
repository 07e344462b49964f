/*
 * raw_server.c: the other side of the measurements: an HTTP/1.1 server on one thread and one epoll that does as little as a
 * server can. It answers every POST with the same chat completion, at once or after a fixed delay, on 127.0.0.1.
 *
 *   raw_server [--delay-ms D] [--body-bytes B] [--stuck MARK] [--stuck-ms D] [--limit N] [--arrivals FILE] [--cpu N] [--seconds S]
 *
 * Prints its port as the first line. A request whose body holds MARK is answered after --stuck-ms. With --limit it answers 429
 * to what exceeds N requests in the 60 s before; --arrivals writes the time of each request it let in (ns, 8 bytes in the
 * machine's order). Ends on SIGTERM or after S seconds (600), and prints what it counted as one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <netinet/tcp.h>

#include "bench_util.h"

enum { FD_MAX = 65536, READ_BYTES = 256 * 1024, EVENTS = 512 };

struct conn {
    char *data; /* a request that did not come in one read */
    size_t size, room;
    uint32_t generation; /* so that an answer for a closed connection is not sent to its successor */
    bool open;
};

struct answer { /* one place in a queue of equal delays: due in the order of arrival */
    int64_t due_ns;
    int fd;
    uint32_t generation;
};

struct queue {
    struct answer *slot;
    size_t head, count, room;
    int64_t delay_ns;
};

static struct {
    struct conn conn[FD_MAX];
    struct queue plain, stuck;
    char *reply;
    size_t reply_bytes;
    const char *mark;
    int epoll, listener;
    uint64_t requests, connections, open, open_max, waiting_max, refused;
    int64_t *admitted; /* times of the last `limit` requests let in, as a ring */
    int64_t limit;
    FILE *arrivals;
} server;

static volatile sig_atomic_t server_stop;

static void on_term(int sig)
{
    (void)sig;
    server_stop = 1;
}

static void queue_push(struct queue *q, struct answer a)
{
    if (q->count == q->room) {
        size_t room = q->room ? q->room * 2 : 1024;
        struct answer *slot = malloc(room * sizeof *slot);
        if (!slot) bench_die("out of memory");
        for (size_t i = 0; i < q->count; i++)
            slot[i] = q->slot[(q->head + i) % q->room];
        free(q->slot);
        q->slot = slot;
        q->head = 0;
        q->room = room;
    }
    q->slot[(q->head + q->count++) % q->room] = a;
    uint64_t waiting = server.plain.count + server.stuck.count;
    if (waiting > server.waiting_max) server.waiting_max = waiting;
}

static void conn_close(int fd)
{
    struct conn *c = &server.conn[fd];
    c->open = false;
    c->generation++;
    c->size = 0;
    server.open--;
    close(fd);
}

/* Replies are a few KB: the socket's buffer takes them whole. A peer that does not read loses its connection. */
static void conn_answer(int fd)
{
    if (send(fd, server.reply, server.reply_bytes, MSG_NOSIGNAL) != (ssize_t)server.reply_bytes) conn_close(fd);
}

/* A true sliding window: the request that came `limit` before this one must be at least 60 s old. */
static bool limit_admits(int64_t now_ns)
{
    static const int64_t window_ns = INT64_C(60) * 1000000000;
    if (server.limit > 0) {
        int64_t *oldest = &server.admitted[(server.requests - server.refused) % (uint64_t)server.limit];
        if (*oldest != 0 && now_ns - *oldest < window_ns) {
            server.refused++;
            return false;
        }
        *oldest = now_ns;
    }
    if (server.arrivals && fwrite(&now_ns, sizeof now_ns, 1, server.arrivals) != 1) bench_die("cannot write the arrivals");
    return true;
}

static void conn_refuse(int fd)
{
    static const char reply[] =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 61\r\n\r\n"
        "{\"error\":{\"message\":\"too many\",\"code\":\"rate_limit_exceeded\"}}";
    if (send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL) != (ssize_t)sizeof reply - 1) conn_close(fd);
}

static void conn_request(int fd, const char *body, size_t body_bytes, int64_t now_ns)
{
    if (!limit_admits(bench_now_ns())) {
        server.requests++;
        conn_refuse(fd);
        return;
    }
    server.requests++;
    bool stuck = server.mark && memmem(body, body_bytes, server.mark, strlen(server.mark));
    struct queue *q = stuck ? &server.stuck : &server.plain;
    if (q->delay_ns == 0)
        conn_answer(fd);
    else
        queue_push(q, (struct answer){ now_ns + q->delay_ns, fd, server.conn[fd].generation });
}

/* Bytes of the request at the front of `data`, 0 = not complete yet; *body is where its body starts. */
static size_t request_bytes(const char *data, size_t size, size_t *body)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = strcasestr(data, "content-length:");
    size_t bytes = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    *body = (size_t)(end - data) + 4;
    return size - *body >= bytes ? *body + bytes : 0;
}

static void conn_keep(struct conn *c, const char *data, size_t size)
{
    if (c->room < size + 1) {
        c->data = realloc(c->data, size + 1);
        if (!c->data) bench_die("out of memory");
        c->room = size + 1;
    }
    memmove(c->data, data, size);
    c->data[size] = '\0';
    c->size = size;
}

static void conn_read(int fd, int64_t now_ns)
{
    static char buffer[READ_BYTES + 1];
    struct conn *c = &server.conn[fd];
    size_t have = c->size;
    if (have > READ_BYTES / 2) {
        conn_close(fd);
        return;
    }
    if (have) memcpy(buffer, c->data, have);
    ssize_t n = recv(fd, buffer + have, READ_BYTES - have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        conn_close(fd);
        return;
    }
    size_t size = have + (size_t)n, at = 0, body = 0, bytes;
    buffer[size] = '\0';
    c->size = 0;
    while (c->open && at < size && (bytes = request_bytes(buffer + at, size - at, &body)) > 0) {
        conn_request(fd, buffer + at + body, bytes - body, now_ns);
        at += bytes;
    }
    if (c->open && at < size) conn_keep(c, buffer + at, size - at);
}

static void server_accept(void)
{
    for (;;) {
        int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        if (fd >= FD_MAX) {
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        server.conn[fd].open = true;
        server.connections++;
        if (++server.open > server.open_max) server.open_max = server.open;
        struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &ev) != 0) bench_die("epoll_ctl");
    }
}

static void queue_run(struct queue *q, int64_t now_ns)
{
    while (q->count && q->slot[q->head].due_ns <= now_ns) {
        struct answer a = q->slot[q->head];
        q->head = (q->head + 1) % q->room;
        q->count--;
        struct conn *c = &server.conn[a.fd];
        if (c->open && c->generation == a.generation) conn_answer(a.fd);
    }
}

static int64_t queue_due(const struct queue *q, int64_t until_ns)
{
    return q->count && q->slot[q->head].due_ns < until_ns ? q->slot[q->head].due_ns : until_ns;
}

static void server_run(int64_t end_ns)
{
    struct epoll_event ev[EVENTS];
    while (!server_stop && bench_now_ns() < end_ns) {
        int64_t now_ns = bench_now_ns();
        int64_t due_ns = queue_due(&server.plain, queue_due(&server.stuck, end_ns));
        int64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
        struct timespec ts = { wait_ns / 1000000000, wait_ns % 1000000000 };
        int n = epoll_pwait2(server.epoll, ev, EVENTS, &ts, NULL);
        now_ns = bench_now_ns();
        for (int i = 0; i < n; i++) {
            if (ev[i].data.fd == server.listener)
                server_accept();
            else if (server.conn[ev[i].data.fd].open)
                conn_read(ev[i].data.fd, now_ns);
        }
        queue_run(&server.plain, now_ns);
        queue_run(&server.stuck, now_ns);
    }
}

/* A chat completion of about `bytes` bytes, with the line ends, quotes and accents of real text. */
static void reply_make(size_t bytes)
{
    static const char *const text =
        "The mill takes what the leat lets through.\\nIt is \\\"enough\\\", the miller said; caf\xc3\xa9 au lait. ";
    char *body = malloc(bytes + 1024);
    server.reply = malloc(bytes + 2048);
    if (!body || !server.reply) bench_die("out of memory");
    size_t n =
        (size_t)snprintf(body, 1024,
                         "{\"id\":\"chatcmpl-raw\",\"object\":\"chat.completion\",\"created\":1700000000,"
                         "\"model\":\"raw\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    while (n + strlen(text) + 120 < bytes) {
        memcpy(body + n, text, strlen(text));
        n += strlen(text);
    }
    n += (size_t)snprintf(body + n, 256,
                          "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1000,"
                          "\"completion_tokens\":900,\"total_tokens\":1900}}");
    server.reply_bytes = (size_t)snprintf(server.reply, bytes + 2048,
                                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                          "x-request-id: req_raw\r\nContent-Length: %zu\r\n\r\n%s",
                                          n, body);
    free(body);
}

int main(int argc, char **argv)
{
    bench_pin(bench_arg_i64(argc, argv, "--cpu", -1));
    bench_raise_files();
    server.plain.delay_ns = bench_arg_i64(argc, argv, "--delay-ms", 0) * 1000000;
    server.stuck.delay_ns = bench_arg_i64(argc, argv, "--stuck-ms", 60000) * 1000000;
    server.mark = bench_arg(argc, argv, "--stuck", NULL);
    server.limit = bench_arg_i64(argc, argv, "--limit", 0);
    const char *arrivals = bench_arg(argc, argv, "--arrivals", NULL);
    if (server.limit > 0 && !(server.admitted = calloc((size_t)server.limit, sizeof *server.admitted)))
        bench_die("out of memory");
    if (arrivals && !(server.arrivals = fopen(arrivals, "wb"))) bench_die(arrivals);
    reply_make((size_t)bench_arg_i64(argc, argv, "--body-bytes", 4096));
    signal(SIGTERM, on_term);
    signal(SIGINT, on_term);

    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t addr_size = sizeof addr;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = server.listener };
    if (bind(server.listener, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(server.listener, 16384) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&addr, &addr_size) != 0 ||
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &ev) != 0)
        bench_die("cannot listen");
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    server_run(bench_now_ns() + bench_arg_i64(argc, argv, "--seconds", 600) * 1000000000);
    if (server.arrivals && fclose(server.arrivals) != 0) bench_die("cannot write the arrivals");
    printf("{\"requests\":%llu,\"refused\":%llu,\"connections\":%llu,\"open_max\":%llu,\"waiting_max\":%llu}\n",
           (unsigned long long)server.requests, (unsigned long long)server.refused, (unsigned long long)server.connections,
           (unsigned long long)server.open_max, (unsigned long long)server.waiting_max);
    return 0;
}
