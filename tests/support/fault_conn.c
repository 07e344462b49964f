/* fault_conn.c: bytes in and out of one connection of the fault server. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fault_internal.h"

/* Waits until the socket may be read (or written); false = the server is to end. */
static bool conn_wait(fault_conn *c, short events)
{
    struct pollfd p[2] = { { .fd = c->fd, .events = events }, { .fd = c->stop_fd, .events = POLLIN } };
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents == 0;
}

/* What an OpenSSL call that did not succeed wants; false = the connection is over. */
static bool tls_wait(fault_conn *c, int rc)
{
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ) return conn_wait(c, POLLIN);
    if (error == SSL_ERROR_WANT_WRITE) return conn_wait(c, POLLOUT);
    return false;
}

bool fault_i_handshake(fault_conn *c, SSL_CTX *tls)
{
    if (!tls) return true;
    c->ssl = SSL_new(tls);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) return false;
    for (;;) {
        int rc = SSL_accept(c->ssl);
        if (rc == 1) return true;
        if (!tls_wait(c, rc)) return false;
    }
}

ssize_t fault_i_recv(fault_conn *c, void *data, size_t size)
{
    for (;;) {
        if (c->ssl) {
            int n = SSL_read(c->ssl, data, (int)size);
            if (n > 0) return n;
            if (SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN) return 0;
            if (!tls_wait(c, n)) return -1;
            continue;
        }
        ssize_t n = recv(c->fd, data, size, MSG_DONTWAIT);
        if (n >= 0) return n;
        if (errno != EAGAIN && errno != EINTR) return -1;
        if (!conn_wait(c, POLLIN)) return -1;
    }
}

bool fault_i_send(fault_conn *c, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n;
        if (c->ssl) {
            n = SSL_write(c->ssl, at, (int)(size < 1 << 20 ? size : 1 << 20));
            if (n <= 0 && !tls_wait(c, (int)n)) return false;
        } else {
            n = send(c->fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
            if (n < 0 && !conn_wait(c, POLLOUT)) return false;
        }
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return true;
}

bool fault_i_pause(fault_conn *c, uint32_t ms)
{
    struct pollfd p = { .fd = c->stop_fd, .events = POLLIN };
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += (long)(ms % 1000) * 1000000;
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = (long)(end.tv_sec - now.tv_sec) * 1000 + (end.tv_nsec - now.tv_nsec) / 1000000;
        if (left <= 0) return true;
        if (poll(&p, 1, (int)left) > 0) return false;
    }
}

void fault_i_close(fault_conn *c, bool reset)
{
    if (c->ssl) {
        if (!reset) (void)SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    if (reset) (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c->fd);
    c->fd = -1;
}
