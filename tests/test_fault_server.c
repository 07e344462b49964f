/* test_fault_server.c: the fault server itself: that it answers by script, misbehaves as ordered, and records what arrived. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "support/fault_server.h"

static int dial(const fault_server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(fault_server_port(s)) };
    struct timeval limit = { .tv_sec = 20 };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void post(int fd, const char *body)
{
    char request[512];
    snprintf(request, sizeof request,
             "POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    put(fd, request);
}

/* Reads until `size` bytes, the end, or an error; gives the errno of a reset, else 0. */
static int get(int fd, char *to, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = recv(fd, to + *got, size - *got, 0);
        if (n < 0) return errno;
        if (n == 0) break;
        *got += (size_t)n;
    }
    to[*got] = '\0';
    return 0;
}

static void expect_ok(int fd, const char *content)
{
    char text[1024];
    size_t got = 0;
    do {
        assert_int_equal(recv(fd, text + got, 1, 0), 1);
        text[++got] = '\0';
    } while (got < sizeof text - 1 && (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0));
    const char *length = strstr(text, "Content-Length: ");
    assert_non_null(length);
    size_t body = strtoul(length + 16, NULL, 10);
    assert_true(body < sizeof text);
    assert_int_equal(get(fd, text, body, &got), 0);
    assert_int_equal(got, body);
    assert_non_null(strstr(text, content));
    assert_int_equal(text[body - 1], '}');
}

static void test_answers_and_keeps(void **state)
{
    (void)state;
    fault_server *s = fault_server_new(NULL);
    int fd = dial(s);
    uint32_t connection = 9, nth = 9;
    post(fd, "hello");
    expect_ok(fd, "\"fine\"");
    post(fd, "say [[doc-7]] please");
    expect_ok(fd, "\"[[doc-7]]\"");
    fault_counts c = fault_server_counts(s);
    assert_int_equal(c.connections, 1);
    assert_int_equal(c.requests, 2);
    assert_int_equal(c.reused, 1);
    assert_int_equal(c.used_up, 2);
    assert_int_equal(fault_server_requests_with(s, "doc-7"), 1);
    char *text = fault_server_request(s, 1, &connection, &nth);
    assert_non_null(text);
    assert_non_null(strstr(text, "\r\n\r\nsay [[doc-7]] please"));
    assert_int_equal(connection, 0);
    assert_int_equal(nth, 1);
    free(text);
    assert_null(fault_server_request(s, 2, NULL, NULL));
    close(fd);
    assert_true(fault_server_wait_open(s, 0));
    fault_server_free(s);
}

static void test_scripts_in_order(void **state)
{
    (void)state;
    static const fault_step busy[] = { { .op = FAULT_SEND, .data = "busy", .piece = 1 }, { .op = FAULT_KEEP } };
    static const fault_step cut[] = { { .op = FAULT_SEND, .data = "cut" }, { .op = FAULT_RESET } };
    static const fault_step old[] = { { .op = FAULT_CLOSE } };
    static const fault_step key[] = { { .op = FAULT_ECHO_KEY }, { .op = FAULT_KEEP } };
    fault_script script[] = { { .step = busy, .times = 1 },
                              { .step = cut, .marker = "doc-1" },
                              { .step = key, .times = 1 },
                              { .step = old, .on = FAULT_ON_REUSED } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 4 });
    char text[64];
    size_t got;
    int fd = dial(s);
    post(fd, "a");
    assert_int_equal(get(fd, text, 4, &got), 0);
    assert_string_equal(text, "busy");
    post(fd, "b");
    assert_int_equal(get(fd, text, 8, &got), 0);
    assert_string_equal(text, "Bearer k");
    post(fd, "c");
    assert_int_equal(get(fd, text, 8, &got), 0); /* died on arrival of the next request */
    assert_int_equal(got, 0);
    close(fd);
    fd = dial(s);
    post(fd, "x doc-1");
    int rc = get(fd, text, 8, &got);
    assert_int_equal(rc, ECONNRESET);
    close(fd);
    assert_int_equal(fault_server_counts(s).requests, 4);
    fault_server_free(s);
}

static void test_early_and_drain(void **state)
{
    (void)state;
    static const fault_step early[] = { { .op = FAULT_SEND, .data = "early" },
                                        { .op = FAULT_DRAIN },
                                        { .op = FAULT_SEND, .data = "late" },
                                        { .op = FAULT_CLOSE } };
    fault_script script[] = { { .step = early, .early = true } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 1 });
    char text[64];
    size_t got;
    int fd = dial(s);
    put(fd, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345");
    assert_int_equal(get(fd, text, 5, &got), 0);
    assert_string_equal(text, "early");
    assert_int_equal(fault_server_counts(s).requests, 0);
    put(fd, "67890");
    assert_int_equal(get(fd, text, 10, &got), 0);
    assert_string_equal(text, "late");
    assert_int_equal(fault_server_requests_with(s, "1234567890"), 1);
    close(fd);
    fault_server_free(s);
}

static void test_partial_and_chunked_requests(void **state)
{
    (void)state;
    fault_server *s = fault_server_new(NULL);
    int fd = dial(s);
    put(fd, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nsecret");
    shutdown(fd, SHUT_WR);
    assert_true(fault_server_wait_connections(s, 1));
    assert_true(fault_server_wait_open(s, 0));
    close(fd);
    assert_true(fault_server_saw(s, "secret"));
    assert_int_equal(fault_server_requests_with(s, "secret"), 0);
    assert_int_equal(fault_server_counts(s).partial, 1);
    fd = dial(s);
    put(fd, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    char text[64];
    size_t got;
    assert_int_equal(get(fd, text, 25, &got), 0);
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    put(fd, "5\r\n[[a]]\r\n0\r\n\r\n");
    expect_ok(fd, "[[a]]");
    close(fd);
    fault_server_free(s);
}

static void test_free_cuts_what_hangs(void **state)
{
    (void)state;
    static const fault_step hang[] = { { .op = FAULT_HANG } };
    static const fault_step flood[] = { { .op = FAULT_FLOOD, .data = "0123456789abcdef" }, { .op = FAULT_KEEP } };
    fault_script script[] = { { .step = hang, .times = 1 }, { .step = flood } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 2 });
    char text[64];
    size_t got;
    int fd = dial(s), flooded = dial(s);
    post(fd, "a");
    assert_true(fault_server_wait_requests(s, 1));
    post(flooded, "b");
    assert_int_equal(get(flooded, text, 32, &got), 0);
    assert_string_equal(text, "0123456789abcdef0123456789abcdef");
    fault_server_free(s);
    (void)get(fd, text, 1, &got);
    assert_int_equal(got, 0);
    close(fd);
    close(flooded);
}

static void test_replies(void **state)
{
    (void)state;
    fault_server *s = fault_server_new(NULL);
    const char *body = strstr(fault_ok, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), strtoul(strstr(fault_ok, "Content-Length: ") + 16, NULL, 10));
    assert_string_equal(body, fault_chat_body("fine", "stop"));
    assert_string_equal(fault_reply(429, "A: b\r\n", "xy"), "HTTP/1.1 429 Ordered\r\nA: b\r\nContent-Length: 2\r\n\r\nxy");
    assert_string_equal(fault_reply_chunked(200, "", "abcde", 2, true),
                        "HTTP/1.1 200 Ordered\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    assert_null(strstr(fault_reply_chunked(200, "", "abcde", 2, false), "0\r\n\r\n"));
    const char *stream = fault_stream_body("so it is", "stop", true, true);
    assert_non_null(strstr(stream, "\"content\":\" it\"}"));
    assert_non_null(strstr(stream, "data: [DONE]\n\n"));
    size_t size = 0;
    unsigned char out[64];
    uLongf got = sizeof out;
    z_stream z = { .next_in = fault_gzip("hello", 5, &size), .next_out = out, .avail_out = sizeof out };
    z.avail_in = (uInt)size;
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    got = z.total_out;
    inflateEnd(&z);
    assert_int_equal(got, 5);
    assert_memory_equal(out, "hello", 5);
    assert_non_null(fault_gzip_zeros(10 << 20, &size));
    assert_true(size < 64 * 1024);
    fault_server_free(s);
}

/* Connects with TLS that verifies as a client should; gives the error of the verification, -1 = handshake failed otherwise. */
static long tls_verify(fault_tls kind)
{
    fault_server *s = fault_server_new(&(fault_opts){ .tls = kind });
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(ctx, fault_server_ca_file(s), NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL *ssl = SSL_new(ctx);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
    int fd = dial(s);
    SSL_set_fd(ssl, fd);
    long result = -1;
    if (SSL_connect(ssl) == 1) {
        char text[64] = "";
        assert_int_equal(SSL_write(ssl, "GET / HTTP/1.1\r\n\r\n", 18), 18);
        assert_true(SSL_read(ssl, text, 12) == 12);
        assert_string_equal(text, "HTTP/1.1 200");
        result = SSL_get_verify_result(ssl);
    } else if (SSL_get_verify_result(ssl) != X509_V_OK) {
        result = SSL_get_verify_result(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    if (result != X509_V_OK) assert_int_equal(fault_server_counts(s).requests, 0);
    fault_server_free(s);
    return result;
}

static void test_tls_kinds(void **state)
{
    (void)state;
    assert_int_equal(tls_verify(FAULT_TLS_GOOD), X509_V_OK);
    assert_int_equal(tls_verify(FAULT_TLS_SELF_SIGNED), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    assert_int_equal(tls_verify(FAULT_TLS_WRONG_NAME), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_int_equal(tls_verify(FAULT_TLS_EXPIRED), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(tls_verify(FAULT_TLS_OLD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_keeps),
        cmocka_unit_test(test_scripts_in_order),
        cmocka_unit_test(test_early_and_drain),
        cmocka_unit_test(test_partial_and_chunked_requests),
        cmocka_unit_test(test_free_cuts_what_hangs),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_tls_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
