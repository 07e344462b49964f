/* play_status.c: faults that are an error answer, in the form of the request's dialect. */
#include "play.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define USAGE_TYPE "invalid_request_error"
#define PAGE(title, text) \
    "<!DOCTYPE html>\n<html><head><title>" title "</title></head>\n<body><h1>" title "</h1><p>" text "</p></body></html>\n"

static const struct {
    leat_i_mock_fault_kind fault;
    int status;
    const char *type, *code, *message, *headers;
} rows[] = {
    { LEAT_I_MOCK_FAULT_RATE_BARE, 429, "requests", "rate_limit_exceeded", "Rate limit reached.", NULL },
    { LEAT_I_MOCK_FAULT_RATE_NEGATIVE, 429, "requests", "rate_limit_exceeded", "Rate limit reached.", "Retry-After: -5" },
    { LEAT_I_MOCK_FAULT_RATE_FRACTION, 429, "requests", "rate_limit_exceeded", "Rate limit reached.", "Retry-After: 1.5" },
    { LEAT_I_MOCK_FAULT_RATE_HUGE, 429, "requests", "rate_limit_exceeded", "Rate limit reached.", "Retry-After: 86400000" },
    { LEAT_I_MOCK_FAULT_RATE_PAST, 429, "requests", "rate_limit_exceeded", "Rate limit reached.",
      "Retry-After: Thu, 01 Jan 2015 00:00:00 GMT" },
    { LEAT_I_MOCK_FAULT_RATE_MS, 429, "requests", "rate_limit_exceeded", "Rate limit reached.",
      "retry-after-ms: 1200\nRetry-After: 30" },
    { LEAT_I_MOCK_FAULT_RATE_TEXT, 429, "tokens", "rate_limit_exceeded",
      "Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5800, Requested 329. Please try again in 1.289s.",
      NULL },
    { LEAT_I_MOCK_FAULT_QUOTA, 429, "insufficient_quota", "insufficient_quota",
      "You exceeded your current quota, please check your plan and billing details.", NULL },
    { LEAT_I_MOCK_FAULT_QUOTA_DAY, 429, "requests", "rate_limit_exceeded",
      "Rate limit reached on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.", NULL },
    { LEAT_I_MOCK_FAULT_OVERLOADED, 529, "overloaded_error", NULL, "Overloaded", NULL },
    { LEAT_I_MOCK_FAULT_UNAVAILABLE, 503, "server_error", NULL, "The model is overloaded. Please try again later.", NULL },
    { LEAT_I_MOCK_FAULT_CAPACITY, 498, "server_error", "capacity_exceeded", "Flex tier capacity exceeded.", NULL },
    { LEAT_I_MOCK_FAULT_LOADING, 503, "unavailable_error", NULL, "Loading model", NULL },
    { LEAT_I_MOCK_FAULT_FORBIDDEN, 401, USAGE_TYPE, "invalid_api_key", "Incorrect API key provided.", NULL },
    { LEAT_I_MOCK_FAULT_NO_MODEL, 404, USAGE_TYPE, "model_not_found",
      "The model does not exist or you do not have access to it.", NULL },
    { LEAT_I_MOCK_FAULT_TOO_LONG, 400, USAGE_TYPE, "context_length_exceeded",
      "This model's maximum context length is 4096 tokens. Please reduce the length of the messages.", NULL },
    { LEAT_I_MOCK_FAULT_FILTERED_400, 400, NULL, "content_filter",
      "The response was filtered due to the prompt triggering a content management policy.", NULL },
    { LEAT_I_MOCK_FAULT_ERROR_200, 200, "server_error", "server_error", "The server had an error.", NULL },
};

void leat_i_mock_refuse_as_ordered(leat_i_mock_request *r, int status, const char *type, const char *code, const char *text)
{
    r->decision = "fault";
    leat_i_mock_fail(r, status, type ? type : status < 500 ? USAGE_TYPE : "server_error", NULL, code, "%s", text);
}

/* A body that is no JSON. */
static void page_put(leat_i_mock_request *r, int status, const char *text)
{
    r->decision = "fault";
    r->status = status;
    r->streaming = false;
    r->content_type = "text/html; charset=utf-8";
    leat_i_buf_clear(&r->out);
    leat_i_buf_puts(&r->out, text);
}

static void status_put(leat_i_mock_request *r, int status)
{
    const leat_mock_opts *opts = &leat_i_mock_of(r)->opts;
    if (status == 429 || status == 503)
        r->retry_ns = opts->retry_after_s > 0 ? (int64_t)(opts->retry_after_s * 1e9) : LEAT_I_NS_PER_S;
    leat_i_mock_refuse_as_ordered(r, status, NULL, NULL, "An ordered fault of the mock endpoint (by the script).");
    if (*r->order->retry_after) r->retry_text = r->order->retry_after;
}

static void date_put(leat_i_mock_request *r)
{
    time_t s = (time_t)((leat_i_os_wall_ns() + leat_i_mock_play_ns(r, 1)) / LEAT_I_NS_PER_S) + 1;
    struct tm utc;
    if (gmtime_r(&s, &utc)) (void)strftime(r->retry_date, sizeof r->retry_date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    leat_i_mock_refuse_as_ordered(r, 429, "requests", "rate_limit_exceeded", "Rate limit reached.");
    r->retry_text = r->retry_date;
}

static bool row_put(leat_i_mock_request *r)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].fault != r->order->fault) continue;
        leat_i_mock_refuse_as_ordered(r, rows[i].status, rows[i].type, rows[i].code, rows[i].message);
        r->headers = rows[i].headers;
        return true;
    }
    return false;
}

bool leat_i_mock_play_status(leat_i_mock_request *r)
{
    switch (r->order->fault) {
    case LEAT_I_MOCK_FAULT_STATUS:
        status_put(r, r->order->status ? r->order->status : 500);
        return true;
    case LEAT_I_MOCK_FAULT_RATE_LIMIT:
        r->retry_ns = leat_i_mock_play_ns(r, 1);
        leat_i_mock_refuse_as_ordered(r, 429, "requests", "rate_limit_exceeded", "Rate limit reached.");
        return true;
    case LEAT_I_MOCK_FAULT_RATE_DATE:
        date_put(r);
        return true;
    case LEAT_I_MOCK_FAULT_REDIRECT:
        page_put(r, 302, "");
        leat_i_buf_puts(&r->out, PAGE("Found", "The document has moved."));
        r->headers = "Location: /health";
        return true;
    case LEAT_I_MOCK_FAULT_HTML_ERROR:
        page_put(r, 502, PAGE("502 Bad Gateway", "The proxy got no answer."));
        return true;
    case LEAT_I_MOCK_FAULT_HTML:
        page_put(r, 200, PAGE("Log in", "This network asks you to log in."));
        return true;
    default:
        return row_put(r);
    }
}
