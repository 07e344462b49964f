/*
 * nolib_client.c: the floor: a client without any library, one write and one read per request, c connections on one epoll.
 *
 *   nolib_client --port P --connections C --requests N [--body-bytes B] [--spread-ms D] [--cpu N]
 *
 * --spread-ms starts the connections evenly over that time, as a job in its steady state would.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_util.h"

enum { READ_BYTES = 64 * 1024, EVENTS = 512 };

static struct {
    char *request;
    size_t request_bytes;
    size_t *got, *want; /* bytes of the reply, by descriptor; want 0 = header not read yet */
    int64_t to_send, done, failed;
    int epoll;
} client;

static bool conn_send(int fd)
{
    if (client.to_send == 0) return false;
    client.to_send--;
    client.got[fd] = client.want[fd] = 0;
    if (send(fd, client.request, client.request_bytes, MSG_NOSIGNAL) == (ssize_t)client.request_bytes) return true;
    client.failed++;
    client.done++;
    return false;
}

static void conn_read(int fd)
{
    static char buffer[READ_BYTES + 1];
    ssize_t n = recv(fd, buffer, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        client.failed++;
        client.done++;
        close(fd);
        return;
    }
    if (client.want[fd] == 0) { /* the header comes in one piece: it is written in one */
        buffer[n] = '\0';
        const char *end = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "content-length:");
        if (!end || !length) bench_die("a reply of an unknown form");
        client.want[fd] = (size_t)(end - buffer) + 4 + strtoul(length + 15, NULL, 10);
    }
    client.got[fd] += (size_t)n;
    if (client.got[fd] < client.want[fd]) return;
    client.done++;
    if (!conn_send(fd)) close(fd);
}

static int conn_open(int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) bench_die("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(client.epoll, EPOLL_CTL_ADD, fd, &ev) != 0) bench_die("epoll_ctl");
    return fd;
}

static void client_run(int port, int64_t connections, int64_t requests, int64_t spread_ns)
{
    struct epoll_event ev[EVENTS];
    int64_t opened = 0, start_ns = bench_now_ns();
    while (client.done < requests) {
        int64_t now_ns = bench_now_ns() - start_ns;
        while (opened < connections && client.to_send > 0 && now_ns >= spread_ns / connections * opened) {
            conn_send(conn_open(port));
            opened++;
        }
        int n = epoll_wait(client.epoll, ev, EVENTS, opened < connections ? 1 : 10000);
        for (int i = 0; i < n; i++)
            conn_read(ev[i].data.fd);
    }
}

int main(int argc, char **argv)
{
    bench_pin(bench_arg_i64(argc, argv, "--cpu", -1));
    bench_raise_files();
    int port = (int)bench_arg_i64(argc, argv, "--port", 0);
    int64_t connections = bench_arg_i64(argc, argv, "--connections", 64),
            requests = bench_arg_i64(argc, argv, "--requests", 10000);
    char *body = bench_request_body((size_t)bench_arg_i64(argc, argv, "--body-bytes", 4096));
    client.request = malloc(strlen(body) + 512);
    client.got = calloc(65536, sizeof *client.got);
    client.want = calloc(65536, sizeof *client.want);
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!client.request || !client.got || !client.want || client.epoll < 0) bench_die("out of memory");
    client.request_bytes = (size_t)sprintf(client.request,
                                           "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                           strlen(body), body);
    client.to_send = requests;
    int64_t start_ns = bench_now_ns();
    client_run(port, connections, requests, bench_arg_i64(argc, argv, "--spread-ms", 0) * 1000000);
    bench_report("nolib", requests, client.failed, (double)(bench_now_ns() - start_ns) / 1e9, bench_cpu_s());
    return 0;
}
