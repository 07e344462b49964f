/*
 * test_mock_load.c: the embedded endpoint under limits, delays, faults, many connections, and short memory.
 *
 * Nothing here waits for a certain time to pass: delays that matter are so long that only the end of the endpoint ends them, and
 * the rest is asked for until it is so.
 */
#include "support_base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "leat/mock.h"
#include "mock/faults.h"
#include "support/http_call.h"

#define CHAT      "/chat/completions"
#define ASK       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"one two three\"}]}"
#define ASK_MAX   "{\"model\":\"m\",\"max_tokens\":90,\"messages\":[{\"role\":\"user\",\"content\":\"one two three\"}]}"
#define ASK_PARTS "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"a b c d e f g h\"}]}"

static leat_mock *mock_start(const leat_mock_opts *opts)
{
    leat_mock *m = NULL;
    leat_error error = { 0 };
    if (leat_mock_new(&m, opts, &error) != LEAT_OK) fail_msg("leat_mock_new: %s", error.text);
    return m;
}

static long ask(http_client *c, const char *key, const char *body)
{
    http_call call = http_client_call(c, CHAT, key, body);
    assert_int_equal(call.curl, 0);
    long status = call.status;
    http_call_fini(&call);
    return status;
}

/* A socket with a request on its way, not waited for. */
static int dial(const leat_mock *m, const char *body)
{
    unsigned port = 0;
    char request[1024];
    assert_int_equal(sscanf(leat_mock_url(m), "http://127.0.0.1:%u/v1", &port), 1);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int n = snprintf(request, sizeof request,
                     "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                     body);
    assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* Asks for the counters until `what` of them is at least `least`; fails after a minute. */
static leat_mock_stats stats_until(leat_mock *m, size_t what, uint64_t least, bool is_u32)
{
    leat_mock_stats s;
    int64_t end_ns = leat_i_os_now_ns() + 60 * LEAT_I_NS_PER_S;
    for (;;) {
        leat_mock_read(m, &s);
        uint64_t now = is_u32 ? *(uint32_t *)((char *)&s + what) : *(uint64_t *)((char *)&s + what);
        if (now >= least) return s;
        if (leat_i_os_now_ns() > end_ns) fail_msg("a counter stays at %llu", (unsigned long long)now);
        poll(NULL, 0, 1);
    }
}

/* Status of the reply that a socket gets; 0 = closed without one. */
static int status_of(int fd)
{
    char text[4096];
    ssize_t n = recv(fd, text, 12, MSG_WAITALL);
    return n == 12 ? atoi(text + 9) : 0;
}

static void test_requests_per_minute(void **state)
{
    (void)state;
    leat_mock *m = mock_start(&(leat_mock_opts){ .requests_per_min = 3.9 });
    http_client *c = http_client_new(leat_mock_url(m));
    for (int left = 2; left >= 0; left--) {
        char text[8];
        http_call call = http_client_call(c, CHAT, "a", ASK);
        assert_int_equal(call.status, 200);
        snprintf(text, sizeof text, "%d", left);
        assert_string_equal(http_call_header(&call, "x-ratelimit-limit-requests"), "3");
        assert_string_equal(http_call_header(&call, "x-ratelimit-remaining-requests"), text);
        assert_string_equal(http_call_header(&call, "x-ratelimit-reset-requests"), "1m0s");
        assert_null(http_call_header(&call, "x-ratelimit-limit-tokens"));
        http_call_fini(&call);
    }
    http_call call = http_client_call(c, CHAT, "a", ASK);
    assert_int_equal(call.status, 429);
    json_t *json = json_loads(call.body, 0, NULL), *error = json_object_get(json, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "rate_limit_exceeded");
    assert_string_equal(json_string_value(json_object_get(error, "type")), "requests");
    json_decref(json);
    assert_in_range(atoi(http_call_header(&call, "Retry-After")), 1, 60);
    assert_in_range(atoi(http_call_header(&call, "retry-after-ms")), 1, 60000);
    http_call_fini(&call);
    assert_int_equal(ask(c, "b", ASK), 200);  /* another key has its own window */
    assert_int_equal(ask(c, "a", "{}"), 400); /* what is not valid takes no quota and is not refused for it */
    leat_mock_stats s = stats_until(m, offsetof(leat_mock_stats, answered), 4, false);
    assert_int_equal(s.window_max, 4);
    assert_int_equal(s.refused_429, 1);
    assert_int_equal(s.answered, 4);
    http_client_free(c);
    leat_mock_free(m);
}

/* A thousand keys have windows of their own; all others share one, however many they are. */
static void test_more_keys_than_are_told_apart(void **state)
{
    (void)state;
    enum { APART = 1024, KEYS = APART + 100 };
    char key[16];
    int good = 0;
    leat_mock *m = mock_start(&(leat_mock_opts){ .requests_per_min = 1 });
    http_client *c = http_client_new(leat_mock_url(m));
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        good += ask(c, key, ASK) == 200;
    }
    assert_int_equal(good, APART + 1);
    assert_int_equal(ask(c, "key-0", ASK), 429);
    http_client_free(c);
    leat_mock_free(m);
}

static void test_tokens_per_minute(void **state)
{
    (void)state;
    /* ASK_MAX costs 3 + 4 + 3 for its prompt and 90 for its answer. */
    leat_mock *m = mock_start(&(leat_mock_opts){ .tokens_per_min = 215, .retry_after_s = 0.25 });
    http_client *c = http_client_new(leat_mock_url(m));
    assert_int_equal(ask(c, NULL, ASK_MAX), 200);
    http_call call = http_client_call(c, CHAT, NULL, ASK_MAX);
    assert_string_equal(http_call_header(&call, "x-ratelimit-limit-tokens"), "215");
    assert_string_equal(http_call_header(&call, "x-ratelimit-remaining-tokens"), "15");
    http_call_fini(&call);
    call = http_client_call(c, CHAT, NULL, ASK_MAX);
    assert_int_equal(call.status, 429);
    assert_string_equal(http_call_header(&call, "Retry-After"), "1"); /* 0.25 s as ordered, rounded up, and exactly */
    assert_string_equal(http_call_header(&call, "retry-after-ms"), "250");
    assert_non_null(strstr(call.body, "\"type\":\"tokens\""));
    http_call_fini(&call);
    assert_int_equal(ask(c, NULL, ASK), 200); /* 10 for the prompt and 3 for the answer fit */
    call = http_client_call(c, CHAT, NULL,
                            "{\"model\":\"m\",\"max_tokens\":900,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    assert_int_equal(call.status, 429);
    assert_non_null(strstr(call.body, "Request too large"));
    assert_null(http_call_header(&call, "Retry-After")); /* waiting cannot help */
    http_call_fini(&call);
    http_client_free(c);
    leat_mock_free(m);
}

static void test_in_flight_and_the_end(void **state)
{
    (void)state;
    leat_mock *m = mock_start(&(leat_mock_opts){ .in_flight_max = 2, .latency_ms = 3600e3 });
    int a = dial(m, ASK), b = dial(m, ASK_PARTS);
    stats_until(m, offsetof(leat_mock_stats, in_flight), 2, true);
    http_client *c = http_client_new(leat_mock_url(m));
    http_call call = http_client_call(c, CHAT, NULL, ASK);
    assert_int_equal(call.status, 503);
    assert_string_equal(http_call_header(&call, "Retry-After"), "1");
    http_call_fini(&call);
    leat_mock_stats s;
    leat_mock_read(m, &s);
    assert_int_equal(s.refused_503, 1);
    assert_int_equal(s.errors, 0);
    assert_int_equal(s.in_flight_peak, 2);
    http_client_free(c);
    leat_mock_free(m); /* the two are cut, an hour early */
    assert_int_equal(status_of(a), 0);
    assert_int_equal(status_of(b), 0);
    close(a);
    close(b);
}

static void test_many_connections_wait_at_once(void **state)
{
    (void)state;
    enum { COUNT = 700 }; /* some shards full, one not */
    static int fd[COUNT];
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * COUNT + 300) skip();
    leat_mock *m = mock_start(&(leat_mock_opts){ .latency_ms = 300, .latency_sigma = 0.3, .connections_max = COUNT });
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++)
            fd[i] = dial(m, ASK);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(status_of(fd[i]), 200);
            close(fd[i]);
        }
    }
    leat_mock_stats s = stats_until(m, offsetof(leat_mock_stats, answered), 2 * COUNT, false);
    assert_int_equal(s.window_max, 2 * COUNT);
    assert_true(s.in_flight_peak > 1);
    assert_int_equal(s.in_flight, 0);
    leat_mock_free(m);
}

static void test_more_connections_than_allowed_wait(void **state)
{
    (void)state;
    leat_mock *m = mock_start(&(leat_mock_opts){ .connections_max = 3 });
    int fd[8];
    for (int i = 0; i < 8; i++)
        fd[i] = dial(m, ASK);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(status_of(fd[i]), 200);
        leat_mock_stats s;
        leat_mock_read(m, &s);
        assert_true(s.connections <= 3);
        close(fd[i]);
    }
    leat_mock_free(m);
}

static int64_t process_cpu_ns(void)
{
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * LEAT_I_NS_PER_S +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

/* While one connection more than there may be is waiting, and the others have nothing to say, the thread sleeps. */
static void test_a_full_endpoint_sleeps(void **state)
{
    (void)state;
    leat_mock *m = mock_start(&(leat_mock_opts){ .connections_max = 1, .latency_ms = 1000 });
    int a = dial(m, ASK), b = dial(m, ASK);
    stats_until(m, offsetof(leat_mock_stats, in_flight), 1, true);
    int64_t begin_ns = leat_i_os_now_ns(), cpu_ns = process_cpu_ns();
    assert_int_equal(status_of(a), 200);
    cpu_ns = process_cpu_ns() - cpu_ns;
    assert_true(cpu_ns < (leat_i_os_now_ns() - begin_ns) / 2);
    close(a);
    assert_int_equal(status_of(b), 200);
    close(b);
    leat_mock_free(m);
}

static void test_latency_and_pace(void **state)
{
    (void)state;
    leat_mock *m = mock_start(&(leat_mock_opts){ .latency_ms = 60, .tokens_per_s = 100 });
    http_client *c = http_client_new(leat_mock_url(m));
    http_call call = http_client_call(c, CHAT, NULL, ASK);
    assert_int_equal(call.status, 200);
    assert_true(call.seconds >= 0.06 + 3 / 100.0 - 0.001); /* three tokens */
    http_call_fini(&call);
    call = http_client_call(c, CHAT, NULL, ASK_PARTS);
    assert_int_equal(call.curl, 0);
    assert_true(call.seconds >= 0.06 + 7 / 100.0 - 0.001); /* eight tokens, the first at once */
    assert_string_equal(call.body + call.body_size - 14, "data: [DONE]\n\n");
    http_call_fini(&call);
    http_client_free(c);
    leat_mock_free(m);
    m = mock_start(&(leat_mock_opts){ .latency_ms = 20, .first_token_ms = 70 });
    c = http_client_new(leat_mock_url(m));
    for (int stream = 0; stream < 2; stream++) {
        call = http_client_call(c, CHAT, NULL, stream ? ASK_PARTS : ASK);
        assert_int_equal(call.curl, 0);
        assert_true(call.seconds >= 0.02 + 0.07 - 0.001);
        http_call_fini(&call);
    }
    http_client_free(c);
    leat_mock_free(m);
}

/* The statuses of 200 requests with half of them ordered to fail, as text. */
static void fault_sequence(uint64_t seed, char *to)
{
    leat_mock *m = mock_start(&(leat_mock_opts){ .error_rate = 0.5, .error_status = 529, .seed = seed });
    uint64_t good = 0;
    http_client *c = http_client_new(leat_mock_url(m));
    for (int i = 0; i < 200; i++)
        good += (to[i] = ask(c, NULL, ASK) == 200 ? '.' : 'x') == '.';
    /* An answer is counted once it is sent: a moment after the client has it. */
    leat_mock_stats s = stats_until(m, offsetof(leat_mock_stats, answered), good, false);
    assert_int_equal(s.errors + s.answered, 200);
    assert_in_range(s.errors, 60, 140);
    http_client_free(c);
    leat_mock_free(m);
}

static void test_faults_follow_the_seed(void **state)
{
    (void)state;
    char a[200], b[200], other[200];
    fault_sequence(7, a);
    fault_sequence(7, b);
    fault_sequence(8, other);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, other, sizeof a);
}

/* One mock whose answers are all cut, in one piece and streamed, at once or paced. */
static void cut_both(double tokens_per_s)
{
    leat_mock *m = mock_start(&(leat_mock_opts){ .cut_rate = 1, .tokens_per_s = tokens_per_s });
    http_client *c = http_client_new(leat_mock_url(m));
    http_call call = http_client_call(c, CHAT, NULL, ASK);
    assert_int_equal(call.curl, 18); /* CURLE_PARTIAL_FILE: fewer bytes than Content-Length */
    assert_int_equal(call.status, 200);
    assert_true(call.body_size > 0);
    http_call_fini(&call);
    for (uint64_t i = 0; i < 5; i++) {
        call = http_client_call(c, CHAT, NULL, ASK_PARTS);
        assert_int_equal(call.curl, 18); /* chunks that end without the last one */
        assert_true(call.body_size > 0);
        assert_null(strstr(call.body, "[DONE]"));
        http_call_fini(&call);
    }
    leat_mock_stats s;
    leat_mock_read(m, &s);
    assert_int_equal(s.cut, 6);
    assert_int_equal(s.answered, 0);
    http_client_free(c);
    leat_mock_free(m);
}

static void test_cut_answers(void **state)
{
    (void)state;
    cut_both(0);
    cut_both(300);
}

static void test_log(void **state)
{
    (void)state;
    char path[] = "/tmp/test_mock_log_XXXXXX", line[1024];
    int fd = mkstemp(path), count = 0;
    assert_true(fd >= 0);
    close(fd);
    leat_mock *m = mock_start(&(leat_mock_opts){ .requests_per_min = 2, .log_path = path });
    http_client *c = http_client_new(leat_mock_url(m));
    ask(c, "sk-secret", ASK);
    ask(c, "sk-secret", "{}");
    ask(c, "sk-secret", ASK_MAX);
    ask(c, "sk-secret", ASK);
    http_client_free(c);
    leat_mock_free(m);
    static const char *const decision[] = { "accepted", "invalid", "accepted", "limited_requests" };
    static const int status[] = { 200, 400, 200, 429 };
    char body[4][32];
    long long before = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (; fgets(line, sizeof line, file); count++) {
        assert_true(count < 4);
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "decision")), decision[count]);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), status[count]);
        assert_true(json_integer_value(json_object_get(json, "time_ns")) > before);
        before = json_integer_value(json_object_get(json, "time_ns"));
        snprintf(body[count], sizeof body[count], "%s", json_string_value(json_object_get(json, "body")));
        json_decref(json);
        assert_null(strstr(line, "secret"));
    }
    fclose(file);
    unlink(path);
    assert_int_equal(count, 4);
    assert_string_equal(body[0], body[3]); /* the same document */
    assert_string_not_equal(body[0], body[2]);
}

static void test_what_is_not_http(void **state)
{
    (void)state;
    leat_mock *m = mock_start(NULL);
    static const char *const bad[] = { "GARBAGE\r\n\r\n", "GET\r\n\r\n", "POST /v1/chat/completions HTTP/1.1\r\n",
                                       "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99\r\n\r\nx",
                                       "POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = dial(m, ASK);
        assert_int_equal(status_of(fd), 200);
        char rest[4096];
        (void)recv(fd, rest, sizeof rest, 0);
        assert_int_equal(send(fd, bad[i], strlen(bad[i]), MSG_NOSIGNAL), (ssize_t)strlen(bad[i]));
        close(fd);
    }
    http_client *c = http_client_new(leat_mock_url(m));
    assert_int_equal(ask(c, NULL, ASK), 200);
    http_client_free(c);
    leat_mock_free(m);
}

/* Every allocation of a start, and of one request, fails in turn: an error, a 500 or a cut, and the next request is served. */
static void test_memory_may_be_short(void **state)
{
    (void)state;
    static const leat_mock_opts opts = { .requests_per_min = 1e6, .tokens_per_min = 1e9, .key = "k", .latency_ms = 1 };
    leat_mock *m = NULL;
    for (uint64_t n = 1; !m; n++) {
        leat_i_mem_fail_after(n, false);
        leat_err err = leat_mock_new(&m, &opts, NULL);
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_OK || err == LEAT_NOMEM);
        assert_true(n < 100);
    }
    leat_mock_free(m);
    static const char *const body[] = { ASK, ASK_PARTS };
    for (int kind = 0; kind < 2; kind++) {
        int failures = 0;
        for (uint64_t n = 1; n < 60; n++) {
            m = mock_start(&opts); /* anew: a warm one allocates little */
            http_client *c = http_client_new(leat_mock_url(m));
            leat_i_mem_fail_after(n, false);
            http_call call = http_client_call(c, CHAT, "k", body[kind]);
            leat_i_mem_fail_after(0, false);
            assert_true(call.curl != 0 || call.status == 200 || call.status == 500);
            failures += call.curl != 0 || call.status != 200;
            http_call_fini(&call);
            assert_int_equal(ask(c, "k", body[kind]), 200);
            http_client_free(c);
            leat_mock_free(m);
        }
        assert_true(failures >= 4);
    }
}

/* The same for each fault, whole and streamed: the first allocations of a request fail in turn. */
static void test_memory_may_be_short_for_faults(void **state)
{
    (void)state;
    static const char *const body[] = { ASK, ASK_PARTS };
    for (int kind = 1; kind < LEAT_I_MOCK_FAULT_COUNT; kind++) {
        char script[128];
        if (kind == LEAT_I_MOCK_FAULT_FLOOD) continue; /* it has no end */
        snprintf(script, sizeof script, "{\"fault\":\"%s\",\"seconds\":0.001,\"request\":[1,2]}",
                 leat_i_mock_fault_name((leat_i_mock_fault_kind)kind));
        for (uint64_t n = 1; n < 14; n += 3) {
            leat_mock *m = mock_start(&(leat_mock_opts){ .script = script });
            http_client *c = http_client_new(leat_mock_url(m));
            for (int i = 0; i < 2; i++) {
                leat_i_mem_fail_after(n, false);
                http_call call = http_client_call(c, CHAT, "k", body[i]);
                leat_i_mem_fail_after(0, false);
                http_call_fini(&call);
            }
            /* A request that was lost before it was judged was not counted, so the order may still be due. */
            for (int i = 0; i < 2; i++) {
                http_call call = http_client_call(c, CHAT, "k", ASK);
                http_call_fini(&call);
            }
            assert_int_equal(ask(c, "k", ASK), 200);
            http_client_free(c);
            leat_mock_free(m);
        }
    }
}

static const char *fault_call;

static int fault_one(const char *call)
{
    return strcmp(call, fault_call) == 0 ? -EMFILE : 0;
}

static void test_system_may_refuse(void **state)
{
    (void)state;
    static const char *const calls[] = { "pthread_create", "eventfd", "open" };
    leat_error error;
    leat_mock *m = NULL;
    for (size_t i = 0; i < 3; i++) {
        fault_call = calls[i];
        leat_i_os_fault = fault_one;
        leat_err err = leat_mock_new(&m, &(leat_mock_opts){ .log_path = "/dev/null" }, &error);
        leat_i_os_fault = NULL;
        assert_int_equal(err, LEAT_IO);
        assert_true(strlen(error.text) > 10);
    }
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 900000) {
        assert_int_equal(leat_mock_new(&m, &(leat_mock_opts){ .connections_max = 1000000 }, &error), LEAT_IO);
        assert_non_null(strstr(error.text, "descriptors"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_requests_per_minute, no_leak),
        cmocka_unit_test_teardown(test_more_keys_than_are_told_apart, no_leak),
        cmocka_unit_test_teardown(test_tokens_per_minute, no_leak),
        cmocka_unit_test_teardown(test_in_flight_and_the_end, no_leak),
        cmocka_unit_test_teardown(test_many_connections_wait_at_once, no_leak),
        cmocka_unit_test_teardown(test_more_connections_than_allowed_wait, no_leak),
        cmocka_unit_test_teardown(test_a_full_endpoint_sleeps, no_leak),
        cmocka_unit_test_teardown(test_latency_and_pace, no_leak),
        cmocka_unit_test_teardown(test_faults_follow_the_seed, no_leak),
        cmocka_unit_test_teardown(test_cut_answers, no_leak),
        cmocka_unit_test_teardown(test_log, no_leak),
        cmocka_unit_test_teardown(test_what_is_not_http, no_leak),
        cmocka_unit_test_teardown(test_memory_may_be_short, no_leak),
        cmocka_unit_test_teardown(test_memory_may_be_short_for_faults, no_leak),
        cmocka_unit_test_teardown(test_system_may_refuse, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
