/* words.c: what a person is told about an exchange that failed: whom it was with, what happened, and what may be the cause. */
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool words_hold(const char *curl_words, const char *const *any)
{
    for (; *any; any++)
        if (strstr(curl_words, *any)) return true;
    return false;
}

/* The libraries of TLS have no code for it that curl hands on; these are their words for bytes that are none of theirs. */
bool leat_i_words_no_tls(const char *curl_words)
{
    static const char *const WORDS[] = { "wrong version number", "packet length too long", "http request",
                                         "unexpected TLS packet", NULL };
    return words_hold(curl_words, WORDS);
}

/* In TLS 1.3 the other side judges our certificate after we have begun to send: what it says of it comes with any code. */
bool leat_i_words_unknown(const char *curl_words)
{
    static const char *const WORDS[] = { "alert certificate required", "alert bad certificate",
                                         "alert unknown ca",           "alert certificate unknown",
                                         "alert certificate expired",  "alert certificate revoked",
                                         "alert access denied",        NULL };
    return words_hold(curl_words, WORDS);
}

/* "OpenSSL/3.0: error:0A000102:SSL routines::unsupported protocol": the last part is for people. */
static const char *last_part(const char *curl_words)
{
    const char *last = strstr(curl_words, "error:") ? strrchr(curl_words, ':') : NULL;
    return last && last[1] ? last + 1 : curl_words;
}

static void connect_words(char *out, size_t size, const char *origin, long os_errno)
{
    char why[64];
    if (os_errno == ECONNREFUSED)
        snprintf(out, size, "nobody listens at %.80s (connection refused): is the server running?", origin);
    else
        snprintf(out, size, "no connection to %.80s (%s): is the address right?", origin,
                 os_errno ? leat_i_errno_text((int)os_errno, why, sizeof why) : "it was not answered");
}

static void local_words(char *out, size_t size, int os_errno)
{
    char why[64];
    if (os_errno == EMFILE)
        snprintf(out, size, "this process has no descriptor left for a connection: fewer at once, or a higher 'ulimit -n'");
    else if (os_errno == ENFILE)
        snprintf(out, size, "this machine has no descriptor left for a connection (fs.file-max)");
    else if (os_errno == EADDRNOTAVAIL)
        snprintf(out, size, "this machine has no local port left for a connection: fewer at once");
    else
        snprintf(out, size, "this machine cannot open a connection: %s", leat_i_errno_text(os_errno, why, sizeof why));
}

/* An address of IPv6 stands in brackets in a URL, and without them in curl's words. */
static bool words_name(const char *curl_words, const char *host)
{
    size_t bracket = *host == '[';
    return memmem(curl_words, strlen(curl_words), host + bracket, strlen(host) - 2 * bracket) != NULL;
}

void leat_i_words_put(char *out, size_t size, const leat_i_exchange *x, leat_i_http_end end, const char *curl_words,
                      long os_errno)
{
    const leat_i_url *url = &x->origin->url;
    int local = x->local_errno ? x->local_errno : (int)os_errno;
    snprintf(out, size, "%s", curl_words);
    if (end == LEAT_I_HTTP_LOCAL && local) {
        local_words(out, size, local);
    } else if (end == LEAT_I_HTTP_RESET || end == LEAT_I_HTTP_RESET_REUSED) {
        snprintf(out, size, "the connection was lost after the request was sent");
    } else if (end == LEAT_I_HTTP_CUT && strstr(curl_words, "HTTP/0.9")) {
        snprintf(out, size, "what answers at %.80s speaks no HTTP", url->origin);
    } else if (end == LEAT_I_HTTP_TLS_NONE) {
        snprintf(out, size, "%.80s speaks no TLS: is it an http:// endpoint?", url->origin);
    } else if (end == LEAT_I_HTTP_TLS) {
        snprintf(out, size, "no TLS with %.60s: %s", url->origin, last_part(curl_words));
    } else if (end == LEAT_I_HTTP_TLS_UNKNOWN) {
        snprintf(out, size, "%.60s takes no such client: is it --cert? (%s)", url->origin, last_part(curl_words));
    } else if (end == LEAT_I_HTTP_TLS_UNTRUSTED) {
        snprintf(out, size, "the certificate of %.60s is not trusted: %s", url->origin, last_part(curl_words));
    } else if (end == LEAT_I_HTTP_DNS && words_name(curl_words, url->host)) {
        snprintf(out, size, "the name %.80s cannot be looked up", url->host);
    } else if (end == LEAT_I_HTTP_CONNECT && words_name(curl_words, url->host)) {
        /* Words that name another host speak of a proxy, and stay. */
        connect_words(out, size, url->origin, os_errno);
    }
}
