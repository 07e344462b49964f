/*
 * curl_loop.c: what libcurl itself costs: a bare loop over its socket interface that sends and receives and does nothing else.
 *
 *   curl_loop --port P --connections C --requests N [--body-bytes B] [--spread-ms D] [--cpu N] [--per-multi 100]
 *
 * Built the way libcurl is fastest: one thread, one epoll, a pool of multi handles of --per-multi connections each (one multi
 * handle is O(n) a request), easy handles reused with only the body set anew, sockets left in the epoll between two requests.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench_util.h"

enum { FD_MAX = 65536, EVENTS = 512, REPLY_BYTES = 64 * 1024 };

struct multi {
    CURLM *handle;
    int64_t due_ns; /* libcurl's timer; INT64_MAX = none */
};

struct transfer {
    CURL *easy;
    struct multi *multi;
    size_t size;
    char data[16 * 1024]; /* the reply, as a client that looks at it would hold it */
};

static struct {
    struct multi *multi;
    struct multi *of_fd[FD_MAX];
    unsigned char in_epoll[FD_MAX]; /* EPOLLIN and EPOLLOUT as registered */
    char *body;
    struct curl_slist *headers;
    char url[128];
    int64_t to_send, done, failed;
    int epoll, multis;
} loop;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    (void)easy, (void)socket_user;
    if (fd >= FD_MAX) bench_die("descriptor too large");
    loop.of_fd[fd] = user;
    if (what == CURL_POLL_REMOVE) return 0; /* lazily: it is most often added again at once */
    unsigned char want = (unsigned char)((what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    if (loop.in_epoll[fd] == want) return 0;
    struct epoll_event ev = { .events = want, .data.fd = fd };
    if (epoll_ctl(loop.epoll, loop.in_epoll[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0) bench_die("epoll_ctl");
    loop.in_epoll[fd] = want;
    return 0;
}

static int on_close(void *user, curl_socket_t fd)
{
    (void)user;
    loop.in_epoll[fd] = 0; /* closing takes it out of the epoll */
    loop.of_fd[fd] = NULL;
    return close(fd);
}

static int on_timer(CURLM *handle, long timeout_ms, void *user)
{
    (void)handle;
    ((struct multi *)user)->due_ns = timeout_ms < 0 ? INT64_MAX : bench_now_ns() + timeout_ms * 1000000;
    return 0;
}

static size_t on_data(char *data, size_t one, size_t size, void *user)
{
    struct transfer *t = user;
    (void)one;
    if (t->size + size <= sizeof t->data) memcpy(t->data + t->size, data, size);
    t->size += size;
    return size;
}

static void transfer_start(struct transfer *t)
{
    if (loop.to_send == 0) return;
    loop.to_send--;
    t->size = 0;
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, loop.body);
    if (curl_multi_add_handle(t->multi->handle, t->easy) != CURLM_OK) bench_die("curl_multi_add_handle");
}

static struct transfer *transfer_new(struct multi *multi)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t || !(t->easy = curl_easy_init())) bench_die("out of memory");
    t->multi = multi;
    curl_easy_setopt(t->easy, CURLOPT_URL, loop.url);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(loop.body));
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, loop.headers);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, 16384L);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    return t;
}

static void multi_collect(struct multi *m)
{
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(m->handle, &left));) {
        struct transfer *t;
        long status = 0;
        if (msg->msg != CURLMSG_DONE) continue;
        CURL *easy = msg->easy_handle;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK || status != 200) loop.failed++;
        loop.done++;
        curl_multi_remove_handle(m->handle, easy);
        transfer_start(t);
    }
}

static void multi_act(struct multi *m, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(m->handle, fd, what, &running);
    multi_collect(m);
}

static int64_t loop_timers(int64_t until_ns)
{
    int64_t now_ns = bench_now_ns();
    for (int i = 0; i < loop.multis; i++) {
        struct multi *m = &loop.multi[i];
        if (m->due_ns <= now_ns) {
            m->due_ns = INT64_MAX;
            multi_act(m, CURL_SOCKET_TIMEOUT, 0);
        }
        if (m->due_ns < until_ns) until_ns = m->due_ns;
    }
    return until_ns;
}

static void loop_poll(int64_t until_ns)
{
    struct epoll_event ev[EVENTS];
    int64_t wait_ns = until_ns - bench_now_ns();
    if (wait_ns < 0) wait_ns = 0;
    struct timespec ts = { wait_ns / 1000000000, wait_ns % 1000000000 };
    int n = epoll_pwait2(loop.epoll, ev, EVENTS, &ts, NULL);
    for (int i = 0; i < n; i++) {
        int fd = ev[i].data.fd;
        int what = (ev[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ev[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        if (loop.of_fd[fd]) multi_act(loop.of_fd[fd], fd, what);
    }
}

static void loop_run(int64_t connections, int64_t requests, int64_t spread_ns, int64_t per_multi)
{
    int64_t start_ns = bench_now_ns(), opened = 0;
    while (loop.done < requests) {
        int64_t now_ns = bench_now_ns() - start_ns, until_ns = bench_now_ns() + 1000000000;
        while (opened < connections && loop.to_send > 0 && now_ns >= spread_ns / connections * opened)
            transfer_start(transfer_new(&loop.multi[opened++ / per_multi]));
        if (opened < connections && loop.to_send > 0) until_ns = start_ns + spread_ns / connections * opened;
        loop_poll(loop_timers(until_ns));
    }
}

int main(int argc, char **argv)
{
    bench_pin(bench_arg_i64(argc, argv, "--cpu", -1));
    bench_raise_files();
    int64_t connections = bench_arg_i64(argc, argv, "--connections", 64),
            requests = bench_arg_i64(argc, argv, "--requests", 10000);
    int64_t per_multi = bench_arg_i64(argc, argv, "--per-multi", 100);
    snprintf(loop.url, sizeof loop.url, "http://127.0.0.1:%lld/v1/chat/completions",
             (long long)bench_arg_i64(argc, argv, "--port", 0));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop.body = bench_request_body((size_t)bench_arg_i64(argc, argv, "--body-bytes", 4096));
    loop.headers = curl_slist_append(NULL, "Content-Type: application/json");
    loop.headers = curl_slist_append(loop.headers, "Expect:");
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.multis = (int)((connections + per_multi - 1) / per_multi);
    loop.multi = calloc((size_t)loop.multis, sizeof *loop.multi);
    if (!loop.multi || loop.epoll < 0) bench_die("out of memory");
    for (int i = 0; i < loop.multis; i++) {
        struct multi *m = &loop.multi[i];
        m->due_ns = INT64_MAX;
        m->handle = curl_multi_init();
        curl_multi_setopt(m->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(m->handle, CURLMOPT_SOCKETDATA, m);
        curl_multi_setopt(m->handle, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(m->handle, CURLMOPT_TIMERDATA, m);
        curl_multi_setopt(m->handle, CURLMOPT_MAXCONNECTS, (long)per_multi * 2);
    }
    loop.to_send = requests;
    int64_t start_ns = bench_now_ns();
    loop_run(connections, requests, bench_arg_i64(argc, argv, "--spread-ms", 0) * 1000000, per_multi);
    bench_report("curl_loop", requests, loop.failed, (double)(bench_now_ns() - start_ns) / 1e9, bench_cpu_s());
    return 0;
}
