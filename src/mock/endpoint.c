/* endpoint.c: starting and stopping the endpoint: options, descriptors, sockets, the thread. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <xxhash.h>

#include "../base/err.h"

#define CONNECTIONS_DEFAULT 20000u
#define CONNECTIONS_MAX     1000000u
#define BODY_BYTES_DEFAULT  ((size_t)32 << 20)
#define LISTEN_BACKLOG      4096
/* Descriptors beside the connections: two for each shard of 128, and what the program itself has open. */
#define DESCRIPTORS_SPARE 256u

static bool number_fits(double value, double most)
{
    return value >= 0 && value <= most; /* false for NaN, too */
}

static leat_err opts_check(const leat_mock_opts *o, leat_error *error)
{
    if (!number_fits(o->requests_per_min, 1e9) || (o->requests_per_min > 0 && o->requests_per_min < 1))
        return leat_i_fail(error, LEAT_USAGE, "requests_per_min must be 0 (no limit) or from 1 to 1e9.");
    if (!number_fits(o->tokens_per_min, 1e15) || (o->tokens_per_min > 0 && o->tokens_per_min < 1))
        return leat_i_fail(error, LEAT_USAGE, "tokens_per_min must be 0 (no limit) or from 1 to 1e15.");
    if (!number_fits(o->input_per_min, 1e15) || (o->input_per_min > 0 && o->input_per_min < 1) ||
        !number_fits(o->output_per_min, 1e15) || (o->output_per_min > 0 && o->output_per_min < 1))
        return leat_i_fail(error, LEAT_USAGE, "input_per_min and output_per_min must be 0 (no limit) or from 1 to 1e15.");
    if (!number_fits(o->latency_ms, 86400e3) || !number_fits(o->latency_sigma, 10))
        return leat_i_fail(error, LEAT_USAGE, "latency_ms must be from 0 to 86400000, latency_sigma from 0 to 10.");
    if (!number_fits(o->first_token_ms, 86400e3) || !number_fits(o->first_token_sigma, 10))
        return leat_i_fail(error, LEAT_USAGE, "first_token_ms must be from 0 to 86400000, first_token_sigma from 0 to 10.");
    if (!number_fits(o->tokens_per_s, 1e9) || !number_fits(o->tokens_sigma, 10))
        return leat_i_fail(error, LEAT_USAGE, "tokens_per_s must be from 0 to 1e9, tokens_sigma from 0 to 10.");
    if (!number_fits(o->error_rate, 1) || !number_fits(o->cut_rate, 1))
        return leat_i_fail(error, LEAT_USAGE, "error_rate and cut_rate must be from 0 to 1.");
    if (o->error_status != 0 && (o->error_status < 400 || o->error_status > 599))
        return leat_i_fail(error, LEAT_USAGE, "error_status must be from 400 to 599.");
    if (!number_fits(o->retry_after_s, 1e6)) return leat_i_fail(error, LEAT_USAGE, "retry_after_s must be from 0 to 1e6.");
    if (o->connections_max > CONNECTIONS_MAX)
        return leat_i_fail(error, LEAT_USAGE, "connections_max must be at most %u.", CONNECTIONS_MAX);
    return LEAT_OK;
}

static uint32_t descriptors_for(uint32_t connections)
{
    return connections + connections / LEAT_I_MOCK_SHARD_CONNECTIONS * 2 + DESCRIPTORS_SPARE;
}

/* Raises the soft limit of descriptors as far as it must and may; the default number of connections adapts to it. */
static leat_err descriptors_raise(leat_mock *m, leat_error *error)
{
    char why[64];
    struct rlimit limit;
    uint32_t wanted = m->opts.connections_max ? m->opts.connections_max : CONNECTIONS_DEFAULT;
    uint32_t need = descriptors_for(wanted);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return leat_i_fail(error, LEAT_IO, "The limit of descriptors cannot be read: %s.",
                           leat_i_errno_text(errno, why, sizeof why));
    if (limit.rlim_cur < need && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = { .rlim_cur = need < limit.rlim_max ? need : limit.rlim_max, .rlim_max = limit.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    if (limit.rlim_cur < need) {
        if (m->opts.connections_max)
            return leat_i_fail(error, LEAT_IO, "%u connections need %u descriptors, and the limit is %llu (ulimit -n).",
                               wanted, need, (unsigned long long)limit.rlim_cur);
        wanted = limit.rlim_cur > 2 * DESCRIPTORS_SPARE ? (uint32_t)limit.rlim_cur - DESCRIPTORS_SPARE : 64;
        wanted -= wanted / (LEAT_I_MOCK_SHARD_CONNECTIONS / 2);
    }
    m->opts.connections_max = wanted;
    return LEAT_OK;
}

static leat_err opts_take(leat_mock *m, const leat_mock_opts *opts, leat_error *error)
{
    if (opts) m->opts = *opts;
    LEAT_TRY(opts_check(&m->opts, error));
    m->key = leat_i_strdup(m->opts.key);
    m->log_path = leat_i_strdup(m->opts.log_path);
    if ((m->opts.key && !m->key) || (m->opts.log_path && !m->log_path))
        return leat_i_fail(error, LEAT_NOMEM, "Out of memory.");
    m->opts.key = m->key;
    m->opts.log_path = m->log_path;
    if (m->key) m->key_hash = XXH3_64bits(m->key, strlen(m->key));
    if (!m->opts.error_status) m->opts.error_status = 500;
    if (!m->opts.body_bytes_max) m->opts.body_bytes_max = BODY_BYTES_DEFAULT;
    m->limits = (leat_i_mock_limits){ .requests = (uint64_t)floor(m->opts.requests_per_min),
                                      .tokens = (uint64_t)floor(m->opts.tokens_per_min),
                                      .input = (uint64_t)floor(m->opts.input_per_min),
                                      .output = (uint64_t)floor(m->opts.output_per_min),
                                      .in_flight = m->opts.in_flight_max };
    m->rand = m->opts.seed;
    if (m->opts.script) {
        char why[sizeof error->text];
        leat_err err = leat_i_mock_script_read(&m->script, m->opts.script, m->opts.seed, why, sizeof why);
        if (err != LEAT_OK) return leat_i_fail(error, err, "%s", why);
        m->opts.script = NULL;
    }
    return descriptors_raise(m, error);
}

static leat_err listen_open(leat_mock *m, leat_error *error)
{
    char why[64];
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(m->opts.port) };
    socklen_t size = sizeof at;
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* never anything else: this endpoint has no TLS and no real secrets */
    m->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (m->listen_fd < 0) return leat_i_fail(error, LEAT_IO, "No socket: %s.", leat_i_errno_text(errno, why, sizeof why));
    (void)setsockopt(m->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Accepted sockets inherit it: answers go out when they are written, without a call for each connection. */
    (void)setsockopt(m->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(m->listen_fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(m->listen_fd, LISTEN_BACKLOG) != 0)
        return leat_i_fail(error, LEAT_IO, "127.0.0.1:%u cannot be listened on: %s.", m->opts.port,
                           leat_i_errno_text(errno, why, sizeof why));
    if (getsockname(m->listen_fd, (struct sockaddr *)&at, &size) != 0)
        return leat_i_fail(error, LEAT_IO, "The port is not known: %s.", leat_i_errno_text(errno, why, sizeof why));
    snprintf(m->url, sizeof m->url, "http://127.0.0.1:%u/v1", ntohs(at.sin_port));
    return LEAT_OK;
}

static leat_err loop_open(leat_mock *m, leat_error *error)
{
    struct epoll_event listen_event = { .events = EPOLLIN, .data.ptr = &m->listen_fd };
    struct epoll_event wake_event = { .events = EPOLLIN, .data.ptr = &m->wake_fd };
    m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    m->wake_fd = leat_i_os_eventfd();
    if (m->epoll_fd < 0 || m->wake_fd < 0 || epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, m->listen_fd, &listen_event) != 0 ||
        epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, m->wake_fd, &wake_event) != 0)
        return leat_i_fail(error, LEAT_IO, "The event loop cannot be set up: descriptors are short.");
    m->accepting = true;
    m->shard_max = m->opts.connections_max / LEAT_I_MOCK_SHARD_CONNECTIONS + 2;
    m->shard = leat_i_alloc_zeroed(m->shard_max * sizeof *m->shard);
    return m->shard ? LEAT_OK : leat_i_fail(error, LEAT_NOMEM, "Out of memory.");
}

static leat_err mock_open(leat_mock *m, const leat_mock_opts *opts, leat_error *error)
{
    char why[64];
    LEAT_TRY(opts_take(m, opts, error));
    LEAT_TRY(listen_open(m, error));
    LEAT_TRY(loop_open(m, error));
    int rc = leat_i_mock_log_open(&m->log, m->log_path);
    if (rc < 0)
        return leat_i_fail(error, LEAT_IO, "The log %.100s cannot be opened: %s.", m->log_path,
                           leat_i_errno_text(rc, why, sizeof why));
    m->fork_count = leat_i_fork_count();
    m->start_ns = leat_i_os_now_ns();
    m->start_wall_ns = leat_i_os_wall_ns();
    rc = leat_i_os_thread_start(&m->thread, "leat-mock", leat_i_mock_thread, m);
    if (rc < 0)
        return leat_i_fail(error, LEAT_IO, "The endpoint's thread cannot start: %s.",
                           leat_i_errno_text(rc, why, sizeof why));
    return LEAT_OK;
}

/* Frees all but the thread, which has ended or never started. */
static void mock_close(leat_mock *m)
{
    if (m->listen_fd >= 0) leat_i_os_close(m->listen_fd);
    leat_i_mock_loop_fini(m);
    leat_i_mock_log_close(&m->log);
    if (m->epoll_fd >= 0) leat_i_os_close(m->epoll_fd);
    if (m->wake_fd >= 0) leat_i_os_close(m->wake_fd);
    for (uint32_t i = 0; m->keys && i < LEAT_I_MOCK_KEYS_MAX * 2; i++) {
        leat_i_mock_window_fini(&m->keys[i].window);
        leat_i_mock_window_fini(&m->keys[i].input);
        leat_i_mock_window_fini(&m->keys[i].output);
    }
    leat_i_free(m->keys);
    leat_i_mock_peak_fini(&m->peak);
    leat_i_mock_script_fini(&m->script);
    leat_i_buf_fini(&m->bomb);
    if (m->key) explicit_bzero(m->key, strlen(m->key));
    leat_i_free(m->key);
    leat_i_free(m->log_path);
    leat_i_free(m);
}

leat_err leat_mock_new(leat_mock **out, const leat_mock_opts *opts, leat_error *error)
{
    if (!out) return leat_i_fail(error, LEAT_USAGE, "leat_mock_new: out is NULL.");
    leat_mock *m = leat_i_alloc_zeroed(sizeof *m);
    if (!m) return leat_i_fail(error, LEAT_NOMEM, "Out of memory.");
    m->listen_fd = m->epoll_fd = m->wake_fd = m->log.fd = -1;
    leat_err err = mock_open(m, opts, error);
    if (err != LEAT_OK) {
        mock_close(m);
        return err;
    }
    *out = m;
    return LEAT_OK;
}

const char *leat_mock_url(const leat_mock *m)
{
    return m ? m->url : "";
}

void leat_i_mock_stats_read(leat_mock *m, leat_mock_stats *stats)
{
    leat_i_mock_counters *c = &m->counters;
    *stats = (leat_mock_stats){
        .requests = leat_load_relaxed(&c->requests),
        .answered = leat_load_relaxed(&c->answered),
        .refused_429 = leat_load_relaxed(&c->refused_429),
        .refused_503 = leat_load_relaxed(&c->refused_503),
        .errors = leat_load_relaxed(&c->errors),
        .cut = leat_load_relaxed(&c->cut),
        .window_max = leat_load_relaxed(&c->window_max),
        .log_lost = leat_load_relaxed(&c->log_lost),
        .in_flight_peak = leat_load_relaxed(&c->in_flight_peak),
        .in_flight = leat_load_relaxed(&c->in_flight),
        .connections = leat_load_relaxed(&c->connections),
    };
}

void leat_mock_read(leat_mock *m, leat_mock_stats *stats)
{
    if (!stats) return;
    if (m)
        leat_i_mock_stats_read(m, stats);
    else
        *stats = (leat_mock_stats){ 0 };
}

void leat_mock_free(leat_mock *m)
{
    if (!m || m->fork_count != leat_i_fork_count()) return;
    leat_store_release(&m->stop, true); /* release: pairs with the acquire in the loop */
    leat_i_os_eventfd_signal(m->wake_fd);
    leat_i_os_thread_join(m->thread);
    mock_close(m);
}
