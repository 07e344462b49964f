/* cases.c: see cases.h. */
#include "cases.h"

#include "../base/check.h"
#include "fault.h"

static const leat_i_case_rule rules[LEAT_I_CASE_COUNT] = {
#define LEAT_I_CASE_RULE(code, cls, retry, budget, refund, billed, fatal, unreached) \
    { #code, LEAT_CLASS_##cls, LEAT_I_RETRY_##retry, LEAT_I_BUDGET_##budget, refund, billed, fatal, unreached },
    LEAT_I_CASE_MAP(LEAT_I_CASE_RULE)
#undef LEAT_I_CASE_RULE
};

const char *leat_class_name(leat_class cls)
{
    static const char *const names[] = {
#define LEAT_CLASS_NAME(code, name, meaning) name,
        LEAT_CLASS_MAP(LEAT_CLASS_NAME)
#undef LEAT_CLASS_NAME
    };
    return (unsigned)cls < sizeof names / sizeof *names ? names[cls] : "unknown";
}

const char *leat_i_class_meaning(leat_class cls)
{
    static const char *const meanings[] = {
#define LEAT_CLASS_MEANING(code, name, meaning) meaning,
        LEAT_CLASS_MAP(LEAT_CLASS_MEANING)
#undef LEAT_CLASS_MEANING
    };
    return meanings[cls];
}

const leat_i_case_rule *leat_i_case_rule_of(leat_i_case what)
{
    LEAT_ASSERT(what < LEAT_I_CASE_COUNT);
    return &rules[what];
}

leat_i_case leat_i_case_of_end(leat_i_http_end end, bool sent)
{
    switch (end) {
    case LEAT_I_HTTP_REPLY:
    case LEAT_I_HTTP_STOPPED:
        return LEAT_I_CASE_OK;
    case LEAT_I_HTTP_CUT:
        return LEAT_I_CASE_TRUNCATED;
    case LEAT_I_HTTP_RESET_REUSED:
        return LEAT_I_CASE_RESET_REUSED;
    case LEAT_I_HTTP_REFUSED:
        return LEAT_I_CASE_REFUSED;
    case LEAT_I_HTTP_CALM:
        return LEAT_I_CASE_CALM;
    case LEAT_I_HTTP_RESET:
        return LEAT_I_CASE_RESET;
    case LEAT_I_HTTP_CONNECT:
        return LEAT_I_CASE_CONNECT;
    case LEAT_I_HTTP_DNS:
        return LEAT_I_CASE_DNS;
    case LEAT_I_HTTP_DNS_UNKNOWN:
        return LEAT_I_CASE_DNS_UNKNOWN;
    case LEAT_I_HTTP_TLS:
        return LEAT_I_CASE_TLS;
    case LEAT_I_HTTP_TLS_NONE:
        return LEAT_I_CASE_TLS_NONE;
    case LEAT_I_HTTP_TLS_UNKNOWN:
        return LEAT_I_CASE_TLS_UNKNOWN;
    case LEAT_I_HTTP_TLS_UNTRUSTED:
        return LEAT_I_CASE_TLS_UNTRUSTED;
    case LEAT_I_HTTP_TIMEOUT_CONNECT:
        return LEAT_I_CASE_NO_CONNECTION_YET;
    case LEAT_I_HTTP_TIMEOUT_FIRST_BYTE:
    case LEAT_I_HTTP_TIMEOUT_IDLE:
    case LEAT_I_HTTP_TIMEOUT_TOTAL:
        return sent ? LEAT_I_CASE_TIMEOUT : LEAT_I_CASE_NO_CONNECTION_YET;
    case LEAT_I_HTTP_TOO_LARGE:
        return LEAT_I_CASE_TOO_LARGE;
    case LEAT_I_HTTP_ENCODING:
        return LEAT_I_CASE_ENCODING;
    case LEAT_I_HTTP_CANCELED:
        return sent ? LEAT_I_CASE_CANCELED_LATE : LEAT_I_CASE_CANCELED;
    case LEAT_I_HTTP_LOCAL:
        break;
    }
    return LEAT_I_CASE_LOCAL;
}

leat_i_case leat_i_case_of_fault(leat_i_fault_kind kind, bool late)
{
    switch (kind) {
    case LEAT_I_FAULT_FILTERED:
        return LEAT_I_CASE_FILTERED_ANSWER;
    case LEAT_I_FAULT_QUOTA:
        return LEAT_I_CASE_QUOTA;
    case LEAT_I_FAULT_AUTH:
        return LEAT_I_CASE_AUTH;
    case LEAT_I_FAULT_THROTTLED:
        return late ? LEAT_I_CASE_THROTTLED_LATE : LEAT_I_CASE_THROTTLED;
    case LEAT_I_FAULT_REJECTED:
        return LEAT_I_CASE_REJECTED;
    case LEAT_I_FAULT_SERVER:
    case LEAT_I_FAULT_UNKNOWN:
        break;
    }
    return late ? LEAT_I_CASE_SERVER_LATE : LEAT_I_CASE_SERVER_IN_ANSWER;
}

static leat_i_case case_of_4xx(int status, leat_i_fault_kind kind)
{
    switch (status) {
    case 401:
        return LEAT_I_CASE_AUTH;
    case 402:
        return LEAT_I_CASE_QUOTA;
    case 403:
        return kind == LEAT_I_FAULT_FILTERED ? LEAT_I_CASE_FILTERED_REQUEST
               : kind == LEAT_I_FAULT_QUOTA  ? LEAT_I_CASE_QUOTA
                                             : LEAT_I_CASE_AUTH;
    case 408:
    case 409:
    case 425:
        return LEAT_I_CASE_NOT_NOW;
    case 429:
        return kind == LEAT_I_FAULT_QUOTA ? LEAT_I_CASE_QUOTA : LEAT_I_CASE_THROTTLED;
    case 498:
        return LEAT_I_CASE_THROTTLED;
    default:
        return kind == LEAT_I_FAULT_FILTERED                ? LEAT_I_CASE_FILTERED_REQUEST
               : kind == LEAT_I_FAULT_QUOTA                 ? LEAT_I_CASE_QUOTA
               : kind == LEAT_I_FAULT_AUTH && status == 400 ? LEAT_I_CASE_AUTH
                                                            : LEAT_I_CASE_REJECTED;
    }
}

leat_i_case leat_i_case_of_status(int status, leat_i_fault_kind kind)
{
    if (status < 200) return LEAT_I_CASE_TRUNCATED;
    if (status < 300) return LEAT_I_CASE_OK;
    if (status < 400) return LEAT_I_CASE_REDIRECT;
    if (status < 500) return case_of_4xx(status, kind);
    if (status == 503 || status == 529) return LEAT_I_CASE_THROTTLED;
    /* A model that is being loaded, or an overload that hides behind a plain 500. */
    if (kind == LEAT_I_FAULT_THROTTLED) return LEAT_I_CASE_THROTTLED;
    return status == 502 || status == 504 || status == 524 ? LEAT_I_CASE_GATEWAY : LEAT_I_CASE_SERVER;
}
