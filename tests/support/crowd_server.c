/* crowd_server.c: see crowd_server.h. Requests are told apart by Content-Length; answers leave in the order of the requests. */
#include "crowd_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FD_MAX = 65536, HEAD_MAX = 4096 };

typedef struct due { /* an answer that waits */
    int64_t at_ns;
    int fd;
    uint32_t serial; /* of the connection, since descriptors come back */
} due;

typedef struct conn {
    uint32_t serial;
    size_t head_size;
    size_t body_left;
    bool in_body;
    char head[HEAD_MAX];
} conn;

struct crowd_server {
    int listener, epoll, stop;
    uint32_t delay_ms, hold;
    pthread_t thread;
    char url[64];
    conn *conn[FD_MAX];
    due *due; /* a ring */
    size_t due_at, due_count, due_room;
    uint32_t serial;
    pthread_mutex_t lock; /* of counts */
    crowd_counts counts;
};

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 156\r\n\r\n"
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"fine\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total\":4}}";

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "crowd_server: %s: %s\n", what, strerror(errno));
    abort();
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void due_push(crowd_server *s, due d)
{
    if (s->due_count == s->due_room) {
        size_t room = s->due_room ? s->due_room * 2 : 1024;
        due *grown = malloc(room * sizeof *grown);
        must(grown != NULL, "memory");
        for (size_t i = 0; i < s->due_count; i++)
            grown[i] = s->due[(s->due_at + i) % s->due_room];
        free(s->due);
        s->due = grown;
        s->due_at = 0;
        s->due_room = room;
    }
    s->due[(s->due_at + s->due_count++) % s->due_room] = d;
}

static void conn_close(crowd_server *s, int fd)
{
    free(s->conn[fd]);
    s->conn[fd] = NULL;
    close(fd);
}

static void conn_request(crowd_server *s, int fd)
{
    due_push(s, (due){ now_ns() + (int64_t)s->delay_ms * 1000000, fd, s->conn[fd]->serial });
    pthread_mutex_lock(&s->lock);
    s->counts.requests++;
    if (s->due_count > s->counts.waiting_peak) s->counts.waiting_peak = (uint32_t)s->due_count;
    pthread_mutex_unlock(&s->lock);
    if (s->hold && s->due_count >= s->hold) s->hold = 0;
}

/* Takes bytes; each request that is complete is noted. False = not HTTP as we know it. */
static bool conn_take(crowd_server *s, int fd, const char *data, size_t size)
{
    conn *c = s->conn[fd];
    while (size > 0) {
        if (c->in_body) {
            size_t take = size < c->body_left ? size : c->body_left;
            data += take, size -= take, c->body_left -= take;
        } else {
            if (c->head_size == HEAD_MAX - 1) return false;
            c->head[c->head_size++] = *data++;
            size--;
            c->head[c->head_size] = '\0';
            if (c->head_size < 4 || memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4) != 0) continue;
            const char *length = strcasestr(c->head, "\r\nContent-Length:");
            c->body_left = length ? strtoul(length + 17, NULL, 10) : 0;
            c->in_body = true;
        }
        if (c->body_left) continue;
        c->in_body = false;
        c->head_size = 0;
        conn_request(s, fd);
    }
    return true;
}

static void conn_read(crowd_server *s, int fd)
{
    char data[16384];
    for (;;) {
        ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0 || !conn_take(s, fd, data, (size_t)n)) {
            conn_close(s, fd);
            return;
        }
    }
}

static void server_accept(crowd_server *s)
{
    for (;;) {
        int one = 1, fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        must(fd < FD_MAX, "too many connections");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        s->conn[fd] = calloc(1, sizeof(conn));
        must(s->conn[fd] != NULL, "memory");
        s->conn[fd]->serial = ++s->serial;
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        pthread_mutex_lock(&s->lock);
        s->counts.connections++;
        pthread_mutex_unlock(&s->lock);
    }
}

/* Sends what is due; gives the ms until the next, -1 = nothing waits. */
static int server_answer(crowd_server *s)
{
    while (s->due_count && !s->hold) {
        due d = s->due[s->due_at];
        int64_t left_ns = d.at_ns - now_ns();
        if (left_ns > 0) return (int)(left_ns / 1000000) + 1;
        s->due_at = (s->due_at + 1) % s->due_room;
        s->due_count--;
        if (!s->conn[d.fd] || s->conn[d.fd]->serial != d.serial) continue;
        if (send(d.fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof answer - 1) continue;
        pthread_mutex_lock(&s->lock);
        s->counts.answers++;
        pthread_mutex_unlock(&s->lock);
    }
    return -1;
}

static void *server_run(void *arg)
{
    crowd_server *s = arg;
    struct epoll_event event[256];
    for (;;) {
        int count = epoll_wait(s->epoll, event, 256, server_answer(s));
        for (int i = 0; i < count; i++) {
            int fd = event[i].data.fd;
            if (fd == s->stop) return NULL;
            if (fd == s->listener)
                server_accept(s);
            else if (s->conn[fd])
                conn_read(s, fd);
        }
    }
}

crowd_server *crowd_server_new(uint32_t delay_ms, uint32_t hold)
{
    crowd_server *s = calloc(1, sizeof *s);
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    must(s != NULL, "memory");
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->delay_ms = delay_ms;
    s->hold = hold;
    pthread_mutex_init(&s->lock, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&at, size) == 0 && listen(s->listener, 4096) == 0,
         "listen");
    must(getsockname(s->listener, (struct sockaddr *)&at, &size) == 0, "getsockname");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/v1", ntohs(at.sin_port));
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->stop = eventfd(0, EFD_CLOEXEC);
    struct epoll_event listen_event = { .events = EPOLLIN, .data.fd = s->listener };
    struct epoll_event stop_event = { .events = EPOLLIN, .data.fd = s->stop };
    must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &listen_event) == 0, "epoll_ctl");
    must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->stop, &stop_event) == 0, "epoll_ctl");
    must(pthread_create(&s->thread, NULL, server_run, s) == 0, "thread");
    return s;
}

const char *crowd_server_url(const crowd_server *s)
{
    return s->url;
}

crowd_counts crowd_server_counts(crowd_server *s)
{
    pthread_mutex_lock(&s->lock);
    crowd_counts counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}

void crowd_server_free(crowd_server *s)
{
    if (!s) return;
    uint64_t one = 1;
    must(write(s->stop, &one, sizeof one) == sizeof one, "stop");
    pthread_join(s->thread, NULL);
    for (int fd = 0; fd < FD_MAX; fd++)
        if (s->conn[fd]) conn_close(s, fd);
    close(s->listener), close(s->epoll), close(s->stop);
    pthread_mutex_destroy(&s->lock);
    free(s->due);
    free(s);
}
