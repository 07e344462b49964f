/*
 * socket.c: the descriptors: what curl wants to hear of, and what epoll is told.
 *
 * Removal is lazy. After each reply curl says that it no longer cares for the socket, and at the next request that it does again:
 * two system calls a request. So a descriptor stays registered and is only marked inactive; when the server closes the kept
 * connection meanwhile, it is taken out then. That is sound only while nobody closes it behind our back, and curl
 * does so with sockets that never became a connection, and with those of its resolver. So a descriptor may linger from its first
 * request on: from then on curl closes it through our callback.
 */
#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* NULL when memory is short. */
static leat_i_fd *fd_entry(leat_i_loop *loop, int fd)
{
    size_t index = (size_t)fd;
    if (index >= loop->fd_room) {
        size_t room = loop->fd_room ? loop->fd_room : 256;
        while (room <= index)
            room *= 2;
        leat_i_fd *grown = leat_i_realloc(loop->fd, room * sizeof *grown);
        if (!grown) return NULL;
        for (size_t i = loop->fd_room; i < room; i++)
            grown[i] = (leat_i_fd){ 0 };
        loop->fd = grown;
        loop->fd_room = room;
    }
    return &loop->fd[index];
}

static bool fd_register(leat_i_loop *loop, int fd, leat_i_fd *entry, uint32_t mask)
{
    struct epoll_event event = { .events = mask };
    event.data.fd = fd;
    int op = entry->mask ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int rc = epoll_ctl(loop->epoll_fd, op, fd, &event);
    /* A descriptor that was closed behind our back has left epoll by itself; one that came back may still be in it. */
    if (rc != 0 && errno == ENOENT && op == EPOLL_CTL_MOD) rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (rc != 0 && errno == EEXIST && op == EPOLL_CTL_ADD) rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    entry->mask = rc == 0 ? mask : 0;
    return rc == 0;
}

static void fd_unregister(leat_i_loop *loop, int fd, leat_i_fd *entry)
{
    struct epoll_event unused = { 0 };
    if (entry->mask) (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
    entry->mask = 0;
    entry->active = false;
}

int leat_i_socket_want(CURL *easy, curl_socket_t fd, int what, void *pool_arg, void *unused)
{
    leat_i_pool *pool = pool_arg;
    leat_i_loop *loop = pool->loop;
    leat_i_fd *entry = fd_entry(loop, fd);
    (void)easy, (void)unused;
    if (!entry) {
        /* No event will come for it: the exchange ends by its timers. */
        leat_i_runtime_log(loop->rt, LEAT_LOG_WARNING, "the network loop has no memory to watch another connection");
        return 0;
    }
    if (what == CURL_POLL_REMOVE) {
        if (entry->may_linger)
            entry->active = false;
        else
            fd_unregister(loop, fd, entry);
        return 0;
    }
    uint32_t mask = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0u) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0u);
    entry->pool = pool;
    entry->active = true;
    /* Where a stale registration is possible, nothing is taken for granted. */
    if (!(entry->may_linger && mask == entry->mask) && !fd_register(loop, fd, entry, mask))
        leat_i_runtime_log(loop->rt, LEAT_LOG_WARNING, "epoll refuses to watch another connection");
    return 0;
}

/* The soft limit of descriptors is there for programs that use select(); whoever asks for thousands of requests at once wants
 * them. So it is raised to the hard one when it is reached, and not before. False = there is no more. */
static bool descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int socket_new(const struct curl_sockaddr *address)
{
    int type = address->socktype | SOCK_CLOEXEC;
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0 && errno == EMFILE && descriptors_raise()) fd = socket(address->family, type, address->protocol);
    return fd;
}

curl_socket_t leat_i_socket_open(void *slot_arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    leat_i_slot *slot = slot_arg;
    leat_i_pool *pool = slot->pool;
    leat_i_exchange *x = slot->x;
    int fd = socket_new(address);
    (void)purpose;
    if (x && x->sent_ns && !x->lost_ns) x->lost_ns = leat_i_os_now_ns(); /* curl starts again: see leat_i_receive_prereq. */
    if (fd < 0) {
        if (x && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) x->local_errno = errno;
        return CURL_SOCKET_BAD;
    }
    leat_i_fd *entry = fd_entry(pool->loop, fd);
    if (!entry) {
        if (x) x->local_errno = ENOMEM;
        (void)leat_i_os_close(fd);
        return CURL_SOCKET_BAD;
    }
    *entry = (leat_i_fd){ .pool = pool };
    if (x) {
        x->opened[x->opened_count++ % LEAT_I_OPENED_MAX] = fd;
        if (!x->sent_ns) x->is_new = true;
        leat_i_origin_resolved(pool->origin, x);
    }
    return fd;
}

/* Of the sockets that were opened for `x` (an address of each family may be tried at once) the one with this port became the
 * connection. */
void leat_i_socket_established(leat_i_exchange *x, int local_port)
{
    leat_i_pool *pool = x->slot->pool;
    for (uint32_t i = 0; i < x->opened_count && i < LEAT_I_OPENED_MAX; i++) {
        struct sockaddr_storage at = { 0 };
        socklen_t size = sizeof at;
        if (getsockname(x->opened[i], (struct sockaddr *)&at, &size) != 0) continue;
        uint16_t port = at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&at)->sin6_port
                                                 : ((struct sockaddr_in *)(void *)&at)->sin_port;
        leat_i_fd *entry = fd_entry(pool->loop, x->opened[i]);
        if (ntohs(port) != local_port || !entry || entry->pool != pool || entry->may_linger) continue;
        entry->may_linger = true;
        pool->open_count++;
        if (pool->kept_count < LEAT_I_KEPT_MAX)
            pool->kept[pool->kept_count++] = (leat_i_kept){ .fd = x->opened[i], .local_port = local_port };
        return;
    }
}

static void kept_remove(leat_i_pool *pool, int fd)
{
    uint32_t i = 0;
    while (i < pool->kept_count && pool->kept[i].fd != fd)
        i++;
    if (i < pool->kept_count) pool->kept[i] = pool->kept[--pool->kept_count];
}

void leat_i_socket_speaks_http1(leat_i_pool *pool, int local_port)
{
    for (uint32_t i = 0; i < pool->kept_count; i++)
        if (pool->kept[i].local_port == local_port) pool->kept[i].is_http1 = true;
}

/*
 * Whether something waits to be read on the kept connection of this port, before a request goes out on it: a reply that nobody asked
 * for. curl would take it for the reply to what it sends next, and each later reply on the connection for that to the request after.
 * HTTP/2 says whose each frame is, and sends some of its own accord.
 */
bool leat_i_socket_is_stale(const leat_i_pool *pool, int local_port)
{
    char first;
    for (uint32_t i = 0; i < pool->kept_count; i++) {
        const leat_i_kept *kept = &pool->kept[i];
        if (kept->local_port != local_port || (pool->origin->http2 && !kept->is_http1)) continue;
        if (recv(kept->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return true;
    }
    return false;
}

int leat_i_socket_close(void *pool_arg, curl_socket_t fd)
{
    leat_i_pool *pool = pool_arg;
    leat_i_fd *entry = fd_entry(pool->loop, fd);
    if (entry) {
        fd_unregister(pool->loop, fd, entry);
        if (entry->may_linger) pool->open_count--, kept_remove(pool, fd);
        *entry = (leat_i_fd){ 0 };
    }
    return leat_i_os_close(fd) == 0 ? 0 : -1;
}

/*
 * Something came on a kept connection. curl looks whether one is alive before it uses it, but with TLS the last words of a server
 * that has closed (an alert) look like life to some versions. So when the end has come, those words are taken away, and curl finds
 * the end. What comes while the connection stands (a session ticket) must stay, and only the end is listened for from then on.
 */
static void dormant_event(leat_i_loop *loop, int fd, leat_i_fd *entry, uint32_t events)
{
    char words[256];
    if (!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        if (!fd_register(loop, fd, entry, EPOLLRDHUP)) fd_unregister(loop, fd, entry);
        return;
    }
    for (int i = 0; i < 64 && recv(fd, words, sizeof words, MSG_DONTWAIT) > 0; i++)
        ;
    fd_unregister(loop, fd, entry);
}

void leat_i_socket_event(leat_i_loop *loop, int fd, uint32_t events)
{
    leat_i_fd *entry = (size_t)fd < loop->fd_room ? &loop->fd[fd] : NULL;
    if (!entry || !entry->mask) return; /* Closed by an event of the same batch. */
    if (!entry->active) {
        dormant_event(loop, fd, entry, events);
        return;
    }
    int bits = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
    /* Errors show at the next read or write, and with their cause. */
    if (events & (EPOLLERR | EPOLLHUP)) bits |= CURL_CSELECT_IN | (entry->mask & EPOLLOUT ? CURL_CSELECT_OUT : 0);
    int running = 0;
    leat_i_pool *pool = entry->pool;
    (void)curl_multi_socket_action(pool->multi, fd, bits, &running);
    leat_i_loop_run_soon(loop, pool);
}
