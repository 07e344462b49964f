/*
 * cases.h: the one table of what can come of an attempt, and what is done about each.
 *
 * class: how a row names it. retry: whether another attempt can help (ONCE: one more; FREE: one more that is charged to nothing).
 * budget: which of the two a retry is charged to: failures are counted, throttles are bounded in time. refund: whether the tokens
 * reserved for it go back to the limiter (else they are kept, for the endpoint may have counted them); those of an overloaded one
 * (THROTTLED without a 429) never do. billed: the answer was lost after the request went out, so it may have been paid for. fatal:
 * no other request can do better; the run stops. unreached: no connection came about, so the request was not sent.
 */
#ifndef LEAT_I_CASES_H
#define LEAT_I_CASES_H

#include "leat/llm.h"

#include "../net/http.h"
#include "fault.h"

#define LEAT_I_CLASS_ONE(code, name, meaning) +1
#define LEAT_I_CLASS_COUNT                    ((leat_class)(0 LEAT_CLASS_MAP(LEAT_I_CLASS_ONE)))
const char *leat_i_class_meaning(leat_class cls); /* for people */

/* Whether a reply of this class is an answer. */
static inline bool leat_i_class_is_good(leat_class cls)
{
    return cls == LEAT_CLASS_OK || cls == LEAT_CLASS_LENGTH;
}

typedef enum leat_i_retry { LEAT_I_RETRY_NO, LEAT_I_RETRY_YES, LEAT_I_RETRY_ONCE, LEAT_I_RETRY_FREE } leat_i_retry;
typedef enum leat_i_budget { LEAT_I_BUDGET_NONE, LEAT_I_BUDGET_FAILURE, LEAT_I_BUDGET_THROTTLE } leat_i_budget;

/* clang-format off */
/*    case               class      retry budget    refund billed fatal  unreached */
#define LEAT_I_CASE_MAP(X)                                              \
    X(OK,               OK,        NO,   NONE,     0,     0,     0,     0) \
    X(LENGTH,           LENGTH,    NO,   NONE,     0,     0,     0,     0) /* finish_reason length */ \
    X(FILTERED_ANSWER,  FILTERED,  NO,   NONE,     0,     0,     0,     0) /* finish_reason content_filter */ \
    X(FILTERED_REQUEST, FILTERED,  NO,   NONE,     1,     0,     0,     0) /* 400 with a filter's code */ \
    X(EMPTY,            EMPTY,     ONCE, FAILURE,  0,     0,     0,     0) /* no choices, or nothing in them */ \
    X(TRUNCATED,        TRUNCATED, YES,  FAILURE,  0,     1,     0,     0) /* cut body, stream without its end */ \
    X(PAGE,             NOT_JSON,  ONCE, FAILURE,  1,     0,     0,     0) /* HTML with a 200: a login page */ \
    X(NOT_JSON,         NOT_JSON,  ONCE, FAILURE,  0,     0,     0,     0) \
    X(MALFORMED,        MALFORMED, ONCE, FAILURE,  0,     0,     0,     0) \
    X(MISFIT,           MALFORMED, ONCE, FAILURE,  0,     0,     0,     0) /* embeddings that are not those of the inputs */ \
    X(ENCODING,         ENCODING,  ONCE, FAILURE,  0,     0,     0,     0) /* not UTF-8, or broken compression */ \
    X(TOO_LARGE,        TOO_LARGE, NO,   FAILURE,  0,     0,     0,     0) \
    X(THROTTLED,        THROTTLED, YES,  THROTTLE, 1,     0,     0,     0) /* 429, 498, 503, 529 */ \
    X(THROTTLED_LATE,   THROTTLED, YES,  THROTTLE, 0,     1,     0,     0) /* the same, in the middle of a stream */ \
    X(SERVER,           SERVER,    YES,  FAILURE,  0,     0,     0,     0) /* 5xx */ \
    X(GATEWAY,          SERVER,    YES,  FAILURE,  0,     1,     0,     0) /* 502, 504, 524: who knows what is behind it */ \
    X(SERVER_IN_ANSWER, SERVER,    YES,  FAILURE,  1,     0,     0,     0) /* an error with a 200 */ \
    X(SERVER_LATE,      SERVER,    YES,  FAILURE,  0,     1,     0,     0) /* an error in the middle of a stream */ \
    X(NOT_NOW,          SERVER,    YES,  FAILURE,  1,     0,     0,     0) /* 408, 409, 425 */ \
    X(NO_CONNECTION_YET, TIMEOUT,  YES,  FAILURE,  1,     0,     0,     1) /* the connect timer */ \
    X(TIMEOUT,          TIMEOUT,   YES,  FAILURE,  0,     1,     0,     0) /* the other three */ \
    X(RESET_REUSED,     RESET,     FREE, NONE,     1,     1,     0,     0) /* a kept connection, dead already as far as one can tell */ \
    X(REFUSED,          RESET,     FREE, NONE,     1,     0,     0,     0) /* a stream of HTTP/2 that nobody looked at */ \
    X(CALM,             THROTTLED, YES,  THROTTLE, 1,     0,     0,     0) /* HTTP/2: ENHANCE_YOUR_CALM */ \
    X(RESET,            RESET,     YES,  FAILURE,  0,     1,     0,     0) \
    X(CONNECT,          CONNECT,   YES,  FAILURE,  1,     0,     0,     1) \
    X(DNS,              DNS,       YES,  FAILURE,  1,     0,     0,     1) \
    X(DNS_UNKNOWN,      DNS,       NO,   NONE,     1,     0,     1,     1) \
    X(TLS,              TLS,       YES,  FAILURE,  1,     0,     0,     1) \
    X(TLS_NONE,         TLS,       NO,   NONE,     1,     0,     1,     1) \
    X(TLS_UNKNOWN,      TLS,       NO,   NONE,     1,     0,     1,     1) /* our own certificate, or the want of one */ \
    X(TLS_UNTRUSTED,    TLS,       NO,   NONE,     1,     0,     1,     1) \
    X(REDIRECT,         REDIRECT,  NO,   NONE,     1,     0,     0,     0) \
    X(AUTH,             AUTH,      NO,   NONE,     1,     0,     1,     0) \
    X(QUOTA,            QUOTA,     NO,   NONE,     1,     0,     1,     0) \
    X(REJECTED,         REJECTED,  NO,   NONE,     1,     0,     0,     0) \
    X(INPUT,            INPUT,     NO,   NONE,     1,     0,     0,     0) \
    X(LOCAL,            LOCAL,     YES,  FAILURE,  1,     0,     0,     0) /* descriptors, ports, memory: they come back */ \
    X(CANCELED,         CANCELED,  NO,   NONE,     1,     0,     0,     0) /* before the request went out */ \
    X(CANCELED_LATE,    CANCELED,  NO,   NONE,     0,     1,     0,     0)
/* clang-format on */

typedef enum leat_i_case {
#define LEAT_I_CASE_ENUM(code, cls, retry, budget, refund, billed, fatal, unreached) LEAT_I_CASE_##code,
    LEAT_I_CASE_MAP(LEAT_I_CASE_ENUM)
#undef LEAT_I_CASE_ENUM
        LEAT_I_CASE_COUNT
} leat_i_case;

typedef struct leat_i_case_rule {
    const char *name;
    leat_class cls;
    leat_i_retry retry;
    leat_i_budget budget;
    bool refund, billed, fatal, unreached;
} leat_i_case_rule;

const leat_i_case_rule *leat_i_case_rule_of(leat_i_case what);

/* The case of an exchange that brought no whole reply. */
leat_i_case leat_i_case_of_end(leat_i_http_end end, bool sent);

/* The case of a reply with `status` outside 2xx, whose body names an error of `kind`. */
leat_i_case leat_i_case_of_status(int status, leat_i_fault_kind kind);

/* The case of an error inside a 200: before anything came (`late` false), or in the middle of a stream. */
leat_i_case leat_i_case_of_fault(leat_i_fault_kind kind, bool late);

#endif
