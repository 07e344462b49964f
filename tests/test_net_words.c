/* test_net_words.c: what people are told about exchanges that failed. */
#include "support_base.h"

#include <errno.h>
#include <string.h>

#include "net/loop.h"

typedef struct row {
    leat_i_http_end end;
    const char *curl_words;
    int os_errno;
    const char *told;
} row;

#define FAILED "Failed to connect to llm.example port 8000 after 0 ms: Couldn't connect to server"

static const row rows[] = {
    { LEAT_I_HTTP_CONNECT, FAILED, ECONNREFUSED,
      "nobody listens at https://llm.example:8000 (connection refused): is the server running?" },
    { LEAT_I_HTTP_CONNECT, FAILED, ENETUNREACH,
      "no connection to https://llm.example:8000 (Network is unreachable): is the address right?" },
    { LEAT_I_HTTP_CONNECT, FAILED, 0,
      "no connection to https://llm.example:8000 (it was not answered): is the address right?" },
    /* The proxy's trouble is not the endpoint's. */
    { LEAT_I_HTTP_CONNECT, "Failed to connect to proxy.example port 3128", ECONNREFUSED,
      "Failed to connect to proxy.example port 3128" },
    { LEAT_I_HTTP_DNS, "Could not resolve host: llm.example", 0, "the name llm.example cannot be looked up" },
    { LEAT_I_HTTP_DNS, "Could not resolve proxy: proxy.example", 0, "Could not resolve proxy: proxy.example" },
    { LEAT_I_HTTP_TLS, "OpenSSL/3.0.19: error:0A000102:SSL routines::unsupported protocol", 0,
      "no TLS with https://llm.example:8000: unsupported protocol" },
    { LEAT_I_HTTP_TLS_NONE, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", 0,
      "https://llm.example:8000 speaks no TLS: is it an http:// endpoint?" },
    { LEAT_I_HTTP_TLS_UNTRUSTED, "SSL certificate problem: self-signed certificate", 0,
      "the certificate of https://llm.example:8000 is not trusted: SSL certificate problem: self-signed certificate" },
    { LEAT_I_HTTP_LOCAL, FAILED, EMFILE,
      "this process has no descriptor left for a connection: fewer at once, or a higher 'ulimit -n'" },
    { LEAT_I_HTTP_LOCAL, FAILED, ENFILE, "this machine has no descriptor left for a connection (fs.file-max)" },
    { LEAT_I_HTTP_LOCAL, FAILED, EADDRNOTAVAIL, "this machine has no local port left for a connection: fewer at once" },
    { LEAT_I_HTTP_LOCAL, FAILED, ENOBUFS, "this machine cannot open a connection: No buffer space available" },
    { LEAT_I_HTTP_LOCAL, "Out of memory", 0, "Out of memory" },
    { LEAT_I_HTTP_CUT, "Received HTTP/0.9 when not allowed", 0, "what answers at https://llm.example:8000 speaks no HTTP" },
    { LEAT_I_HTTP_CUT, "transfer closed with 9 bytes remaining to read", 0,
      "transfer closed with 9 bytes remaining to read" },
    { LEAT_I_HTTP_RESET, "Recv failure", ECONNRESET, "the connection was lost after the request was sent" },
};

static void failures_are_told(void **state)
{
    leat_i_http_origin o = { .url = { .origin = (char *)"https://llm.example:8000", .host = (char *)"llm.example" } };
    leat_i_exchange x = { .origin = &o };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char told[160];
        leat_i_words_put(told, sizeof told, &x, rows[i].end, rows[i].curl_words, rows[i].os_errno);
        assert_string_equal(told, rows[i].told);
    }
    char six[160];
    o.url.origin = (char *)"http://[::1]:8000";
    o.url.host = (char *)"[::1]";
    leat_i_words_put(six, sizeof six, &x, LEAT_I_HTTP_CONNECT, "Failed to connect to ::1 port 8000 after 0 ms",
                     ECONNREFUSED);
    assert_string_equal(six, "nobody listens at http://[::1]:8000 (connection refused): is the server running?");
    /* The socket's own failure, where curl forgot it. */
    char told[160];
    x.local_errno = EMFILE;
    leat_i_words_put(told, sizeof told, &x, LEAT_I_HTTP_LOCAL, FAILED, 0);
    assert_non_null(strstr(told, "no descriptor left"));
}

/* A name as long as names get leaves room for what happened. */
static void long_names_are_cut(void **state)
{
    char origin[300], told[160];
    memset(origin, 'h', sizeof origin);
    origin[sizeof origin - 1] = 0;
    leat_i_http_origin o = { .url = { .origin = origin, .host = (char *)"hhh" } };
    leat_i_exchange x = { .origin = &o };
    (void)state;
    leat_i_words_put(told, sizeof told, &x, LEAT_I_HTTP_CONNECT, origin, ECONNREFUSED);
    assert_non_null(strstr(told, "is the server running?"));
    leat_i_words_put(told, sizeof told, &x, LEAT_I_HTTP_TLS_UNTRUSTED, "SSL certificate problem: certificate has expired",
                     0);
    assert_non_null(strstr(told, "has expired"));
}

static void a_plain_server_is_told_from_a_broken_handshake(void **state)
{
    (void)state;
    assert_true(leat_i_words_no_tls("OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number"));
    assert_true(leat_i_words_no_tls("gnutls_handshake() failed: An unexpected TLS packet was received."));
    assert_false(leat_i_words_no_tls("OpenSSL/3.0.19: error:0A000102:SSL routines::unsupported protocol"));
    assert_false(leat_i_words_no_tls("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to 127.0.0.1:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(a_plain_server_is_told_from_a_broken_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
