/* end.c: what a code of curl means for an exchange; pure. The hard part is what the endpoint may have seen. */
#include "loop.h"

#include <errno.h>

/* No whole reply was read: how far did it come? */
static leat_i_http_end end_of_lost(const leat_i_exchange *x)
{
    if (x->header_bytes || x->body_bytes) return LEAT_I_HTTP_CUT;
    bool calm = false, refused = leat_i_http2_refused(x, &calm);
    if (calm) return LEAT_I_HTTP_CALM;
    if (refused) return LEAT_I_HTTP_REFUSED;
    if (!x->sent_ns) return LEAT_I_HTTP_CONNECT;
    if (x->is_new) return LEAT_I_HTTP_RESET;
    int64_t lost_ns = x->lost_ns ? x->lost_ns : leat_i_os_now_ns();
    return lost_ns - x->sent_ns <= LEAT_I_RESET_NS ? LEAT_I_HTTP_RESET_REUSED : LEAT_I_HTTP_RESET;
}

static bool errno_is_local(long os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE || os_errno == EADDRNOTAVAIL || os_errno == ENOBUFS ||
           os_errno == ENOMEM;
}

/* What can go wrong only before a request is sent. */
static bool is_before_sending(CURLcode rc)
{
    return rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_RESOLVE_PROXY || rc == CURLE_COULDNT_CONNECT ||
           rc == CURLE_PROXY || rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_PEER_FAILED_VERIFICATION;
}

leat_i_http_end leat_i_end_of(const leat_i_exchange *x, CURLcode rc, long os_errno)
{
    if (x->stop) return (leat_i_http_end)(x->stop - 1);
    if (x->drain_ns) return LEAT_I_HTTP_STOPPED;
    /* The request went out over a kept connection, which died, and curl has tried to connect again of its own accord: what counts
     * is the first. */
    if (x->sent_ns && is_before_sending(rc)) return end_of_lost(x);
    switch (rc) {
    case CURLE_OK: /* curl takes headers that break off for whole ones. */
        return x->has_headers ? LEAT_I_HTTP_REPLY : end_of_lost(x);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return LEAT_I_HTTP_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return x->local_errno || errno_is_local(os_errno) ? LEAT_I_HTTP_LOCAL : LEAT_I_HTTP_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return LEAT_I_HTTP_TLS_UNTRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return LEAT_I_HTTP_TLS;
    case CURLE_SSL_CERTPROBLEM:
        return LEAT_I_HTTP_TLS_UNKNOWN;
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: /* What is refused by us has x->stop set; here it was curl's unpacking. */
        return LEAT_I_HTTP_ENCODING;
    case CURLE_UNSUPPORTED_PROTOCOL: /* With a URL that was judged before: what came is no HTTP/1. */
    case CURLE_WEIRD_SERVER_REPLY:
        return LEAT_I_HTTP_CUT;
    case CURLE_OPERATION_TIMEDOUT: /* Of curl's own timers only the one for connecting is set, behind the loop's. */
        return x->sent_ns ? end_of_lost(x) : LEAT_I_HTTP_TIMEOUT_CONNECT;
    case CURLE_OUT_OF_MEMORY: /* It says so of a line of a head or a trailer that is longer than it likes, too. */
        return x->first_ns ? LEAT_I_HTTP_TOO_LARGE : LEAT_I_HTTP_LOCAL;
    case CURLE_FAILED_INIT:
    case CURLE_URL_MALFORMAT:
        return LEAT_I_HTTP_LOCAL;
    default: /* 52, 55, 56, 18, and 42 (see leat_i_receive_prereq). */
        return end_of_lost(x);
    }
}
