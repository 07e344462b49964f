/*
 * loop.c: the endpoint's one thread: accepts, spreads connections over shards, runs the shards that have something to do, and
 * wakes delayed answers.
 *
 * One epoll set holds the listening socket, the stop eventfd and the epoll descriptor of each shard's daemon. Whatever makes a
 * shard need a run (its descriptor, a new connection, a timer, libmicrohttpd's own wish to go on) puts it into the list of
 * dirty shards, once; each round runs that list.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../base/check.h"
#include "endpoint.h"

#define EVENTS_MAX        64
#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_NS   (50 * LEAT_I_NS_PER_MS)
#define HOUSEKEEPING_NS   (5 * LEAT_I_NS_PER_S)
/* libmicrohttpd 0.9.75 does not notice an end that arrives together with half a request: such a connection goes by this, too. */
#define CONNECTION_IDLE_S    75u
#define CONNECTION_BYTES     ((size_t)(12 * 1024))
#define CONNECTION_INCREMENT ((size_t)4096)

void leat_i_mock_shard_wake(leat_i_mock_shard *shard)
{
    if (shard->dirty) return;
    shard->dirty = true;
    shard->next_dirty = shard->mock->dirty;
    shard->mock->dirty = shard;
}

bool leat_i_mock_suspend(leat_i_mock_request *r, int64_t when_ns)
{
    LEAT_ASSERT(!r->suspended);
    if (!leat_i_heap_add(&leat_i_mock_of(r)->timers, &r->timer, when_ns)) return false;
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return true;
}

static void request_resume(leat_i_mock_request *r)
{
    r->suspended = false;
    MHD_resume_connection(r->connection);
    leat_i_mock_shard_wake(r->shard);
}

static void resume_due(leat_mock *m, int64_t now_ns)
{
    leat_i_timer *timer;
    while ((timer = leat_i_heap_pop_due(&m->timers, now_ns)) != NULL)
        request_resume((leat_i_mock_request *)timer);
}

static int epoll_watch(int epoll_fd, int op, int fd, void *what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };
    return epoll_ctl(epoll_fd, op, fd, &event) == 0 ? 0 : -errno;
}

static bool has_room(const leat_mock *m)
{
    return m->connections < m->opts.connections_max;
}

/* Accepting stops while there is no room or no descriptor: who connects waits in the kernel's queue. */
static void accept_switch(leat_mock *m, bool on)
{
    if (m->accepting == on) return;
    struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.ptr = &m->listen_fd };
    if (epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, m->listen_fd, &event) == 0) m->accepting = on;
}

static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    leat_i_mock_shard *shard = arg;
    leat_mock *m = shard->mock;
    (void)connection, (void)context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        shard->connections++;
        m->connections++;
    } else {
        shard->connections--;
        m->connections--;
    }
    leat_store_relaxed(&m->counters.connections, m->connections);
}

static leat_i_mock_shard *shard_new(leat_mock *m)
{
    leat_i_mock_shard *shard = leat_i_alloc_zeroed(sizeof *shard);
    if (!shard) return NULL;
    shard->mock = m;
    shard->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL,
        leat_i_mock_handle, shard, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LEAT_I_MOCK_SHARD_CONNECTIONS + 16,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, CONNECTION_INCREMENT,
        MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, leat_i_mock_completed, shard,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, shard, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = shard->daemon ? MHD_get_daemon_info(shard->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (info && epoll_watch(m->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, shard) == 0) return shard;
    if (shard->daemon) MHD_stop_daemon(shard->daemon);
    leat_i_free(shard);
    return NULL;
}

/* The first shard with room, so that few connections stay in few shards. */
static leat_i_mock_shard *shard_choose(leat_mock *m)
{
    for (uint32_t i = 0; i < m->shard_count; i++)
        if (m->shard[i]->connections < LEAT_I_MOCK_SHARD_CONNECTIONS) return m->shard[i];
    if (m->shard_count == m->shard_max) return NULL;
    leat_i_mock_shard *shard = shard_new(m);
    if (shard) m->shard[m->shard_count++] = shard;
    return shard;
}

static void accept_pause(leat_mock *m, int64_t now_ns)
{
    m->accept_again_ns = now_ns + ACCEPT_PAUSE_NS;
    accept_switch(m, false);
}

static void accept_some(leat_mock *m, int64_t now_ns)
{
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        if (!has_room(m)) {
            accept_switch(m, false);
            return;
        }
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        int fd = accept4(m->listen_fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Descriptors or memory are short: try again a little later, and do not spin on a readable socket meanwhile. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) accept_pause(m, now_ns);
            return;
        }
        leat_i_mock_shard *shard = shard_choose(m);
        if (!shard) {
            close(fd);
            accept_pause(m, now_ns);
            return;
        }
        /* libmicrohttpd closes the socket itself when it cannot take it. */
        if (MHD_add_connection(shard->daemon, fd, (struct sockaddr *)&from, size) == MHD_YES) leat_i_mock_shard_wake(shard);
    }
}

static void run_dirty(leat_mock *m)
{
    leat_i_mock_shard *shard = m->dirty;
    m->dirty = NULL;
    while (shard) {
        leat_i_mock_shard *next = shard->next_dirty;
        MHD_UNSIGNED_LONG_LONG again_ms;
        shard->dirty = false;
        MHD_run(shard->daemon);
        if (MHD_get_timeout(shard->daemon, &again_ms) == MHD_YES && again_ms == 0) leat_i_mock_shard_wake(shard);
        shard = next;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits for events until `until_ns`, to the nanosecond where the kernel can (since 5.11), else to the millisecond. */
static int loop_wait(leat_mock *m, struct epoll_event *event, int64_t until_ns)
{
    int64_t wait_ns = until_ns == 0 ? 0 : until_ns - leat_i_os_now_ns();
    if (wait_ns < 0) wait_ns = 0;
    struct timespec wait = { .tv_sec = wait_ns / LEAT_I_NS_PER_S, .tv_nsec = wait_ns % LEAT_I_NS_PER_S };
    int n = epoll_pwait2(m->epoll_fd, event, EVENTS_MAX, &wait, NULL);
    if (n < 0 && errno == ENOSYS)
        n = epoll_wait(m->epoll_fd, event, EVENTS_MAX, (int)((wait_ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS));
    return n;
}

static void loop_events(leat_mock *m, const struct epoll_event *event, int count, int64_t now_ns)
{
    for (int i = 0; i < count; i++) {
        void *what = event[i].data.ptr;
        if (what == &m->listen_fd)
            accept_some(m, now_ns);
        else if (what == &m->wake_fd)
            leat_i_os_eventfd_drain(m->wake_fd);
        else
            leat_i_mock_shard_wake(what);
    }
}

void *leat_i_mock_thread(void *mock)
{
    leat_mock *m = mock;
    struct epoll_event event[EVENTS_MAX];
    int64_t keep_ns = leat_i_os_now_ns() + HOUSEKEEPING_NS, flush_ns = LEAT_I_NEVER_NS;
    /* Acquire: pairs with the release in leat_mock_free. */
    while (!leat_load_acquire(&m->stop)) {
        int64_t until_ns = earlier(earlier(leat_i_heap_first_ns(&m->timers), flush_ns), keep_ns);
        /* Room comes with the end of a connection, which is an event. */
        if (!m->accepting && has_room(m)) until_ns = earlier(until_ns, m->accept_again_ns);
        int n = loop_wait(m, event, m->dirty ? 0 : until_ns);
        int64_t now_ns = leat_i_os_now_ns();
        loop_events(m, event, n, now_ns);
        resume_due(m, now_ns);
        if (now_ns >= keep_ns) {
            /* Idle connections time out only when their shard runs. */
            for (uint32_t i = 0; i < m->shard_count; i++)
                leat_i_mock_shard_wake(m->shard[i]);
            keep_ns = now_ns + HOUSEKEEPING_NS;
        }
        run_dirty(m);
        if (has_room(m) && now_ns >= m->accept_again_ns) accept_switch(m, true);
        flush_ns = leat_i_mock_log_flush(&m->log, now_ns, false);
    }
    return NULL;
}

void leat_i_mock_loop_fini(leat_mock *m)
{
    leat_i_timer *timer;
    /* libmicrohttpd wants no connection suspended when it stops; the answers that waited are cut with the connections. */
    while ((timer = leat_i_heap_first(&m->timers)) != NULL) {
        leat_i_heap_remove(&m->timers, timer);
        request_resume((leat_i_mock_request *)timer);
    }
    for (uint32_t i = 0; i < m->shard_count; i++) {
        MHD_stop_daemon(m->shard[i]->daemon);
        leat_i_free(m->shard[i]);
    }
    leat_i_free(m->shard);
    m->shard_count = 0;
    leat_i_mock_requests_fini(m);
    leat_i_heap_fini(&m->timers);
}
