/*
 * test_llm.c: calls, row by row of the table of cases: class, attempts, which budget was charged, what became of the
 * reservation, what was possibly billed. Time is virtual, so that waits of minutes pass at once.
 */
#include "leat/limiter.h"
#include "leat/llm.h"

#include "support_http.h"

#define SEND(text)                     \
    {                                  \
        .op = FAULT_SEND, .data = text \
    }
#define DO(what)           \
    {                      \
        .op = FAULT_##what \
    }
#define REPLY(s, h, b)                                                          \
    {                                                                           \
        SEND("HTTP/1.1 " s " X\r\n" h "Connection: close\r\n\r\n" b), DO(CLOSE) \
    }
#define SSE          "Content-Type: text/event-stream\r\n"
#define BODY         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"[[fine]]\"}]}"
#define CHUNK(rest)  "data: {\"id\":\"c\",\"choices\":[{\"index\":0," rest "}]}\n\n"
#define PART         CHUNK("\"delta\":{\"content\":\"part\"}")
#define FINISH       CHUNK("\"delta\":{},\"finish_reason\":\"stop\"")
#define ANSWER(m, f) "{\"choices\":[{\"index\":0,\"message\":{\"content\":" m "},\"finish_reason\":" f "}]}"
#define EVER         1000

typedef struct row {
    const char *name;
    fault_step step[4];
    uint32_t times; /* how often it is answered so before the server becomes good; EVER = it never does */
    bool stream;
    leat_class cls;
    int status;
    uint32_t attempts, throttles, billed, refunded;
    int64_t least_ms; /* of the call, in virtual time */
    bool fatal;
    const char *message; /* a part of it */
} row;

static const row rows[] = {
    { "1: 429 with seconds", REPLY("429", "Retry-After: 20\r\n", ""), 1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2,
      .throttles = 1, .refunded = 1, .least_ms = 20000 },
    { "2: 429 without a hint", REPLY("429", "", "{\"error\":{\"message\":\"slow\"}}"), 3, .cls = LEAT_CLASS_OK,
      .status = 200, .attempts = 4, .throttles = 3, .refunded = 3 },
    { "1: throttled for longer than the budget", REPLY("429", "Retry-After: 100\r\n", "{\"error\":{\"message\":\"slow\"}}"),
      EVER, .cls = LEAT_CLASS_THROTTLED, .status = 429, .attempts = 6, .throttles = 6, .refunded = 6, .least_ms = 500000,
      .message = "HTTP 429: slow" },
    { "3: a date", REPLY("429", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n", ""),
      1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1, .refunded = 1, .least_ms = 30000 },
    { "3: a huge wait", REPLY("429", "Retry-After: 86400\r\n", ""), EVER, .cls = LEAT_CLASS_THROTTLED, .status = 429,
      .attempts = 1, .throttles = 1, .refunded = 1 },
    { "4: milliseconds first", REPLY("429", "retry-after-ms: 1500\r\nRetry-After: 86400\r\n", ""), 1, .cls = LEAT_CLASS_OK,
      .status = 200, .attempts = 2, .throttles = 1, .refunded = 1, .least_ms = 1500 },
    { "5: quota",
      REPLY("429", "",
            "{\"error\":{\"message\":\"quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}"),
      EVER, .cls = LEAT_CLASS_QUOTA, .status = 429, .attempts = 1, .refunded = 1, .fatal = true,
      .message = "HTTP 429: quota" },
    { "7: a hint in words", REPLY("429", "", "{\"error\":{\"message\":\"Please try again in 5.289s.\"}}"), 1,
      .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1, .refunded = 1, .least_ms = 5289 },
    { "9: 529", REPLY("529", "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}"), 2,
      .cls = LEAT_CLASS_OK, .status = 200, .attempts = 3, .throttles = 2, .refunded = 2 },
    { "10: 503", REPLY("503", "", "busy"), 1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1,
      .refunded = 1 },
    { "10: 498", REPLY("498", "", ""), 1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1,
      .refunded = 1 },
    { "11: the model is being loaded", REPLY("500", "", "{\"error\":{\"message\":\"Loading model\"}}"), 6,
      .cls = LEAT_CLASS_OK, .status = 200, .attempts = 7, .throttles = 6, .refunded = 6 },
    { "12: 200 with a throttle", REPLY("200", "", "{\"error\":{\"code\":429,\"message\":\"m\"}}"), 1, .cls = LEAT_CLASS_OK,
      .status = 200, .attempts = 2, .throttles = 1, .refunded = 1 },
    { "12: 200 with an error", REPLY("200", "", "{\"error\":{\"code\":500,\"message\":\"broken\"}}"), EVER,
      .cls = LEAT_CLASS_SERVER, .status = 200, .attempts = 5, .refunded = 5, .message = "broken" },
    { "13: no choices", REPLY("200", "", "{\"choices\":[]}"), EVER, .cls = LEAT_CLASS_EMPTY, .status = 200, .attempts = 2 },
    { "14: nothing in it", REPLY("200", "", ANSWER("\"\"", "\"stop\"")), EVER, .cls = LEAT_CLASS_EMPTY, .status = 200,
      .attempts = 2 },
    { "14: nothing in it, once", REPLY("200", "", ANSWER("\"\"", "\"stop\"")), 1, .cls = LEAT_CLASS_OK, .status = 200,
      .attempts = 2 },
    { "15: filtered", REPLY("200", "", ANSWER("\"x\"", "\"content_filter\"")), EVER, .cls = LEAT_CLASS_FILTERED,
      .status = 200, .attempts = 1 },
    { "16: filtered before", REPLY("400", "", "{\"error\":{\"code\":\"content_filter\",\"message\":\"m\"}}"), EVER,
      .cls = LEAT_CLASS_FILTERED, .status = 400, .attempts = 1, .refunded = 1 },
    { "17: cut at max_tokens", REPLY("200", "", ANSWER("\"x\"", "\"length\"")), EVER, .cls = LEAT_CLASS_LENGTH,
      .status = 200, .attempts = 1 },
    { "19: a stream without its end", REPLY("200", SSE, PART), EVER, .stream = true, .cls = LEAT_CLASS_TRUNCATED,
      .status = 200, .attempts = 5, .billed = 5 },
    { "20: a finish reason is an end", REPLY("200", SSE, PART FINISH), EVER, .stream = true, .cls = LEAT_CLASS_OK,
      .status = 200, .attempts = 1 },
    { "21: chunks cut",
      { SEND("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cho\r\n"), DO(CLOSE) },
      1,
      .cls = LEAT_CLASS_OK,
      .status = 200,
      .attempts = 2,
      .billed = 1 },
    { "22: a throttle in the middle", REPLY("200", SSE, PART "data: {\"error\":{\"code\":429,\"message\":\"m\"}}\n\n"), 1,
      .stream = true, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1, .billed = 1 },
    { "22: a throttle at the start", REPLY("200", SSE, "data: {\"error\":{\"code\":429,\"message\":\"m\"}}\n\n"), 1,
      .stream = true, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .throttles = 1, .refunded = 1 },
    { "22: an error in the middle", REPLY("200", SSE, PART "event: error\ndata: {\"message\":\"oh\"}\n\n"), EVER,
      .stream = true, .cls = LEAT_CLASS_SERVER, .status = 200, .attempts = 5, .billed = 5, .message = "oh" },
    { "23: the socket stays open",
      { SEND("HTTP/1.1 200 X\r\n" SSE "\r\n" PART FINISH "data: [DONE]\n\n"), DO(HANG) },
      EVER,
      .stream = true,
      .cls = LEAT_CLASS_OK,
      .status = 200,
      .attempts = 1 },
    { "28: CR and CRLF",
      REPLY("200", SSE,
            ": hi\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\r\ndata:"
            "\"finish_reason\":\"stop\"}]}\r\rdata: [DONE]\r\r"),
      EVER, .stream = true, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 1 },
    { "31: invalid UTF-8", REPLY("200", "", "{\"choices\":[{\"message\":{\"content\":\"\xff\"}}],\"x\":1234567890}"), EVER,
      .cls = LEAT_CLASS_ENCODING, .status = 200, .attempts = 2 },
    { "33: not quite JSON", REPLY("200", "", "{\"choices\":[{\"a\":NaN}],\"x\":12345678}"), EVER, .cls = LEAT_CLASS_NOT_JSON,
      .status = 200, .attempts = 2 },
    { "33: an event that is not JSON", REPLY("200", SSE, PART "data: {\"a\":NaN}\n\n"), EVER, .stream = true,
      .cls = LEAT_CLASS_NOT_JSON, .status = 200, .attempts = 2 },
    { "JSON of no known form", REPLY("200", "", "{\"hello\":1}"), EVER, .cls = LEAT_CLASS_MALFORMED, .status = 200,
      .attempts = 2 },
    { "37: a proxy's page", REPLY("502", "", "<html><title>Bad Gateway</title>"), EVER, .cls = LEAT_CLASS_SERVER,
      .status = 502, .attempts = 5, .billed = 5, .message = "HTTP 502: Bad Gateway" },
    { "38: a login page", REPLY("200", "Content-Type: text/html\r\n", "<html><title>Log in</title>"), EVER,
      .cls = LEAT_CLASS_NOT_JSON, .status = 200, .attempts = 2, .refunded = 2, .message = "web page: Log in" },
    { "a stream was asked for, a page came", REPLY("200", "", "<html><title>Log in</title>"), EVER, .stream = true,
      .cls = LEAT_CLASS_NOT_JSON, .status = 200, .attempts = 2, .refunded = 2 },
    { "a stream was asked for, JSON came", REPLY("200", "", ANSWER("\"x\"", "\"stop\"")), EVER, .stream = true,
      .cls = LEAT_CLASS_OK, .status = 200, .attempts = 1 },
    { "a stream came unasked", REPLY("200", SSE, PART FINISH), EVER, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 1 },
    { "39: a redirect", REPLY("302", "Location: http://127.0.0.1:1/\r\n", ""), EVER, .cls = LEAT_CLASS_REDIRECT,
      .status = 302, .attempts = 1, .refunded = 1 },
    { "41: reset", { DO(RESET) }, EVER, .cls = LEAT_CLASS_RESET, .attempts = 5, .billed = 5 },
    { "41: reset, once", { DO(RESET) }, 1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2, .billed = 1 },
    { "51: too large",
      { SEND("HTTP/1.1 200 X\r\nContent-Length: 99999999\r\n\r\n"), { .op = FAULT_FLOOD, .data = "xxxxxxxxxxxxxxxx" } },
      EVER,
      .cls = LEAT_CLASS_TOO_LARGE,
      .status = 200,
      .attempts = 1 },
    { "52: shorter than it says",
      { SEND("HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{}"), DO(CLOSE) },
      EVER,
      .cls = LEAT_CLASS_TRUNCATED,
      .status = 200,
      .attempts = 5,
      .billed = 5 },
    { "53: to the end of the connection, too early", REPLY("200", "", "{\"choices\":[{\"mess"), EVER,
      .cls = LEAT_CLASS_TRUNCATED, .status = 200, .attempts = 5, .billed = 5 },
    { "55: 409", REPLY("409", "", ""), 2, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 3, .refunded = 2 },
    { "55: 408", REPLY("408", "", ""), EVER, .cls = LEAT_CLASS_SERVER, .status = 408, .attempts = 5, .refunded = 5 },
    { "56: 401", REPLY("401", "", "{\"error\":{\"message\":\"bad key sk-test-secret\"}}"), EVER, .cls = LEAT_CLASS_AUTH,
      .status = 401, .attempts = 1, .refunded = 1, .fatal = true, .message = "HTTP 401: bad key ***" },
    { "56: 403", REPLY("403", "", ""), EVER, .cls = LEAT_CLASS_AUTH, .status = 403, .attempts = 1, .refunded = 1,
      .fatal = true },
    { "57: 404", REPLY("404", "", "{\"error\":{\"message\":\"no model\"}}"), EVER, .cls = LEAT_CLASS_REJECTED, .status = 404,
      .attempts = 1, .refunded = 1, .message = "HTTP 404: no model" },
    { "500", REPLY("500", "", "{\"error\":{\"message\":\"oops\"}}"), EVER, .cls = LEAT_CLASS_SERVER, .status = 500,
      .attempts = 5 },
    { "500, do not try again", REPLY("500", "x-should-retry: false\r\n", ""), EVER, .cls = LEAT_CLASS_SERVER, .status = 500,
      .attempts = 1 },
    { "400, try again", REPLY("400", "x-should-retry: true\r\n", ""), 1, .cls = LEAT_CLASS_OK, .status = 200, .attempts = 2,
      .refunded = 1 },
};

static leat_runtime *rt;

typedef struct one_call {
    leat_llm *llm;
    const char *path, *body;
    leat_llm_reply reply; /* pointers dead, but for those copied */
    char *json, *text;
    leat_err err;
} one_call;

static leat_err call_task(leat_task *t, void *arg, const void **result)
{
    one_call *c = arg;
    (void)result;
    c->err = leat_llm_call(t, c->llm, c->path ? c->path : "/v1/chat/completions", c->body ? c->body : BODY,
                           strlen(c->body ? c->body : BODY), &c->reply);
    c->json = c->reply.body ? strdup(c->reply.body) : NULL;
    c->text = strdup(c->reply.text);
    CHECK(!c->json || strlen(c->json) == c->reply.body_bytes);
    CHECK(strlen(c->text) == c->reply.text_bytes);
    return LEAT_OK;
}

static one_call call_once(leat_llm *llm, const char *path, const char *body)
{
    one_call c = { .llm = llm, .path = path, .body = body };
    assert_int_equal(leat_task_run(rt, call_task, &c, NULL), LEAT_OK);
    assert_int_equal(c.err, LEAT_OK);
    return c;
}

static void call_free(one_call *c)
{
    free(c->json), free(c->text);
}

static leat_llm *llm_to(const char *url, leat_limiter *l, bool stream)
{
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_llm_opts opts = {
        .base_url = url, .key_env = "LEAT_TEST_KEY", .limiter = l, .stream = stream, .model = "m", .body_bytes_max = 1 << 20
    };
    if (leat_llm_new(&llm, rt, &opts, &error)) fail_msg("%s", error.text);
    return llm;
}

static void check_call(const row *r, const one_call *c, leat_limiter *l, fault_server *s)
{
    const leat_llm_reply *y = &c->reply;
    leat_limiter_stats stats;
    leat_limiter_read(l, &stats);
    if (y->cls != r->cls || y->http_status != r->status || y->attempts != r->attempts || y->throttles != r->throttles ||
        y->possibly_billed != r->billed || stats.refunded != r->refunded || y->ms < r->least_ms || y->is_fatal != r->fatal)
        fail_msg("%s: %s, status %d, attempts %u, throttles %u, billed %u, refunded %u, %lld ms, fatal %d: %s", r->name,
                 leat_class_name(y->cls), y->http_status, y->attempts, y->throttles, y->possibly_billed,
                 (unsigned)stats.refunded, (long long)y->ms, y->is_fatal, y->message);
    assert_int_equal(stats.granted, r->attempts);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(fault_server_counts(s).requests, r->attempts); /* One request an attempt: nobody else sends any. */
    bool good = y->cls == LEAT_CLASS_OK || y->cls == LEAT_CLASS_LENGTH;
    assert_int_equal(good, y->message[0] == '\0');
    if (good) assert_true(c->json && c->text[0]);
    if (r->message && !strstr(y->message, r->message)) fail_msg("%s: message \"%s\"", r->name, y->message);
    assert_null(strstr(y->message, "sk-test-secret"));
    assert_true(!c->json || !strstr(c->json, "sk-test-secret"));
}

static void cases_are_handled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        fault_script script = { .step = r->step, .times = r->times == EVER ? 0 : r->times };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        leat_limiter *l = NULL;
        assert_int_equal(leat_limiter_new(&l, &(leat_limiter_opts){ .requests_per_min = 6000, .tokens_per_min = 1e9 }),
                         LEAT_OK);
        leat_llm *llm = llm_to(fault_server_url(s), l, r->stream);
        /* The server turns good with plain JSON, which a client that asked for a stream must take too. */
        one_call c = call_once(llm, NULL, NULL);
        check_call(r, &c, l, s);
        call_free(&c);
        leat_llm_free(llm);
        leat_limiter_free(l);
        fault_server_free(s);
    }
}

/* Row 40: kept connections that die at the next request: one retry is free, at once, and charged to nothing. */
static void a_dead_connection_costs_nothing(void **state)
{
    static const fault_step reset[] = { DO(RESET) };
    fault_script script[] = { { .step = reset, .on = FAULT_ON_REUSED } };
    fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 1 });
    leat_limiter *l = NULL;
    leat_limiter_stats stats;
    (void)state;
    assert_int_equal(leat_limiter_new(&l, NULL), LEAT_OK);
    leat_llm *llm = llm_to(fault_server_url(s), l, false);
    for (uint32_t i = 0; i < 8; i++) {
        one_call c = call_once(llm, NULL, NULL);
        assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
        assert_int_equal(c.reply.attempts, i ? 2 : 1);
        assert_int_equal(c.reply.possibly_billed, 0);
        assert_int_equal(fault_server_counts(s).requests, 2 * i + 1);
        call_free(&c);
    }
    leat_limiter_read(l, &stats);
    assert_int_equal(stats.refunded, 7);
    leat_llm_free(llm);
    leat_limiter_free(l);
    fault_server_free(s);
}

static void nobody_there_is_told_after_all_attempts(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "%s", fault_server_url(s));
    fault_server_free(s);
    leat_llm *llm = llm_to(url, NULL, false);
    one_call c = call_once(llm, NULL, NULL);
    assert_int_equal(c.reply.cls, LEAT_CLASS_CONNECT);
    assert_int_equal(c.reply.attempts, 5);
    assert_int_equal(c.reply.possibly_billed, 0);
    assert_int_equal(c.reply.http_status, 0);
    assert_null(c.json);
    call_free(&c);
    leat_llm_free(llm);
}

static void an_unknown_name_is_fatal(void **state)
{
    (void)state;
    setenv("LEAT_TEST_KEY", "sk-test-secret", 1);
    leat_llm *llm = llm_to("https://nobody.invalid/v1", NULL, false);
    one_call c = call_once(llm, NULL, NULL);
    assert_int_equal(c.reply.cls, LEAT_CLASS_DNS);
    assert_int_equal(c.reply.attempts, 1);
    assert_true(c.reply.is_fatal);
    call_free(&c);
    leat_llm_free(llm);
}

static void an_untrusted_endpoint_is_fatal_and_learns_nothing(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .tls = FAULT_TLS_SELF_SIGNED });
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    one_call c = call_once(llm, NULL, NULL);
    assert_int_equal(c.reply.cls, LEAT_CLASS_TLS);
    assert_int_equal(c.reply.attempts, 1);
    assert_true(c.reply.is_fatal);
    assert_int_equal(fault_server_counts(s).requests, 0);
    assert_false(fault_server_saw(s, "sk-test-secret"));
    call_free(&c);
    leat_llm_free(llm);
    fault_server_free(s);
}

static void a_redirect_carries_nothing_away(void **state)
{
    char headers[160];
    fault_step step[] = { SEND(NULL), DO(CLOSE) };
    fault_script script = { .step = step };
    fault_server *thief = fault_server_new(&(fault_opts){ .script_count = 0 });
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    (void)state;
    snprintf(headers, sizeof headers, "Location: %s/v1/chat/completions\r\n", fault_server_url(thief));
    for (int status = 301; status <= 308; status++) {
        step[0].data = fault_reply(status, headers, "");
        leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
        one_call c = call_once(llm, NULL, NULL);
        assert_int_equal(c.reply.cls, LEAT_CLASS_REDIRECT);
        call_free(&c);
        leat_llm_free(llm);
    }
    assert_int_equal(fault_server_counts(thief).connections, 0);
    assert_true(fault_server_saw(s, "Bearer sk-test-secret"));
    fault_server_free(s);
    fault_server_free(thief);
}

static void a_reply_is_read_and_squeezed(void **state)
{
    static const fault_step step[] = {
        SEND("HTTP/1.1 200 X\r\nx-request-id: req_7\r\nContent-Length: 153\r\n\r\n"
             "{ \"choices\" : [ {\"index\": 0,\n \"message\": {\"content\": \"a \\u00e9\"}, "
             "\"finish_reason\": \"stop\"} ],\n \"usage\": {\"prompt_tokens\": 30, \"completion_tokens\": 4}  } "),
        DO(KEEP)
    };
    fault_script script = { .step = step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    one_call c = call_once(llm, NULL, NULL);
    assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
    assert_string_equal(c.json,
                        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a \\u00e9\"},\"finish_reason\":\"stop\"}],"
                        "\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4}}");
    assert_string_equal(c.text, "a \xc3\xa9");
    assert_int_equal(c.reply.tokens_in, 30);
    assert_int_equal(c.reply.tokens_out, 4);
    assert_false(c.reply.estimated);
    assert_int_equal(c.reply.ttft_ms, -1);
    call_free(&c);
    leat_llm_free(llm);
    fault_server_free(s);
}

static void a_missing_usage_is_estimated(void **state)
{
    static const fault_step step[] = REPLY("200", "", ANSWER("\"four and four more\"", "\"stop\""));
    fault_script script = { .step = step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    one_call c = call_once(llm, NULL, NULL);
    assert_true(c.reply.estimated);
    assert_true(c.reply.tokens_in > 0 && c.reply.tokens_out > 0);
    call_free(&c);
    leat_llm_free(llm);
    fault_server_free(s);
}

static void a_body_goes_out_byte_for_byte(void **state)
{
    static const char body[] =
        "{ \"model\" : \"m\",\n\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u0000 12345678901234567890\"}]}";
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    one_call c = call_once(llm, NULL, body);
    char *request = fault_server_request(s, 0, NULL, NULL);
    assert_string_equal(strstr(request, "\r\n\r\n") + 4, body);
    free(request);
    call_free(&c);
    leat_llm_free(llm);
    llm = llm_to(fault_server_url(s), NULL, true); /* With a stream asked for: the fields it needs are added. */
    c = call_once(llm, NULL, "{\"model\":\"m\"}");
    request = fault_server_request(s, 1, NULL, NULL);
    assert_string_equal(strstr(request, "\r\n\r\n") + 4,
                        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    free(request);
    call_free(&c);
    c = call_once(llm, NULL, "not JSON");
    assert_int_equal(c.reply.cls, LEAT_CLASS_INPUT);
    call_free(&c);
    c = call_once(llm, "/a b", "{}");
    assert_int_equal(c.reply.cls, LEAT_CLASS_INPUT);
    assert_int_equal(c.reply.attempts, 0);
    call_free(&c);
    assert_int_equal(fault_server_counts(s).requests, 2);
    leat_llm_free(llm);
    fault_server_free(s);
}

/* ---- what leat_llm_new refuses ---- */

static void clients_are_refused_with_a_sentence(void **state)
{
    static const char *const bad_header[] = { "Bad header\r\nX: 1" };
    static const struct {
        leat_llm_opts opts;
        leat_err err;
        const char *text;
    } table[] = {
        { { .base_url = "http://example.com/v1" }, LEAT_USAGE, "plain http" },
        { { .base_url = "ftp://example.com/v1" }, LEAT_USAGE, "base URL" },
        { { .base_url = "https://example.com/v1", .key_env = "LEAT_TEST_NO_KEY" }, LEAT_DENIED, "LEAT_TEST_NO_KEY" },
        { { .base_url = "https://example.com/v1", .key_file = "/nonexistent" }, LEAT_DENIED, "/nonexistent" },
        { { .base_url = "http://127.0.0.1:1", .cacert = "/nonexistent" }, LEAT_USAGE, "/nonexistent" },
        { { .base_url = "http://127.0.0.1:1", .max_attempts = -1 }, LEAT_USAGE, "negative" },
        { { .base_url = "http://127.0.0.1:1", .headers = bad_header, .header_count = 1 }, LEAT_USAGE, "header" },
    };
    (void)state;
    unsetenv("LEAT_TEST_NO_KEY");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        leat_llm *llm = (leat_llm *)1;
        leat_error error = { 0 };
        assert_int_equal(leat_llm_new(&llm, rt, &table[i].opts, &error), table[i].err);
        assert_null(llm);
        if (!strstr(error.text, table[i].text)) fail_msg("row %zu: \"%s\"", i, error.text);
    }
}

/* Each allocation of the making fails in turn. */
static void short_memory_makes_no_client(void **state)
{
    leat_llm *llm = NULL;
    leat_err err = LEAT_NOMEM;
    (void)state;
    assert_int_equal(leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "http://127.0.0.1:1" }, NULL), LEAT_OK);
    leat_llm_free(llm); /* The loop stands now: what follows counts the client's own blocks. */
    int64_t live = leat_i_mem_live_count();
    for (uint64_t n = 1; err; n++) {
        leat_llm_opts opts = {
            .base_url = "http://127.0.0.1:1/v1?x=y", .key_env = "LEAT_TEST_KEY", .model = "m", .system = "s"
        };
        leat_i_mem_fail_after(n, false);
        err = leat_llm_new(&llm, rt, &opts, NULL);
        leat_i_mem_fail_after(0, false);
        assert_true(err == LEAT_OK || err == LEAT_NOMEM);
        assert_true((llm != NULL) == (err == LEAT_OK));
        if (err) assert_int_equal(leat_i_mem_live_count(), live);
        assert_true(n < 200);
    }
    leat_llm_free(llm);
    assert_int_equal(leat_i_mem_live_count(), live);
}

/* ---- asking ---- */

static leat_err ask_task(leat_task *t, void *arg, const void **result)
{
    const char *reply = NULL;
    const void *later = NULL;
    leat_llm *llm = arg;
    (void)result;
    leat_future *f = leat_llm_start(t, llm, "tell me [[first]]");
    LEAT_TRY(leat_llm_ask(t, llm, "tell me [[second]]", &reply));
    CHECK(strcmp(reply, "[[second]]") == 0);
    LEAT_TRY(leat_await(t, f, &later));
    CHECK(strcmp(later, "[[first]]") == 0);
    LEAT_TRY(leat_llm_askf(t, llm, &later, "tell %s [[%d]]", "me", 3));
    CHECK(strcmp(later, "[[3]]") == 0);
    return LEAT_OK;
}

static void asking_is_one_line(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    assert_int_equal(leat_task_run(rt, ask_task, llm, NULL), LEAT_OK);
    leat_llm_free(llm);
    fault_server_free(s);
}

static leat_err ask_and_fail(leat_task *t, void *arg, const void **result)
{
    const char *reply = "untouched";
    (void)result;
    leat_err err = leat_llm_ask(t, arg, "x", &reply);
    CHECK(strcmp(reply, "untouched") == 0);
    return err;
}

static void a_failure_has_its_error(void **state)
{
    static const fault_step refused[] = REPLY("400", "", "{\"error\":{\"message\":\"too long\"}}");
    fault_script script = { .step = refused };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_error error = { 0 };
    (void)state;
    leat_llm *llm = llm_to(fault_server_url(s), NULL, false);
    assert_int_equal(leat_task_run(rt, ask_and_fail, llm, &error), LEAT_HTTP);
    assert_int_equal(error.http_status, 400);
    assert_string_equal(error.text, "HTTP 400: too long");
    leat_llm_free(llm);
    fault_server_free(s);
}

static void the_embedded_endpoint_answers(void **state)
{
    leat_llm *llm = NULL;
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        assert_int_equal(leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:", .stream = stream }, NULL), LEAT_OK);
        one_call c = call_once(llm, NULL,
                               "{\"model\":\"leat-extract\",\"messages\":[{\"role\":\"user\",\"content\":\"One. Two.\"}]}");
        assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
        assert_true(c.text[0] && c.reply.tokens_in > 0 && c.reply.tokens_out > 0 && !c.reply.estimated);
        assert_int_equal(c.reply.ttft_ms >= 0, stream);
        call_free(&c);
        leat_llm_free(llm);
    }
}

static int start(void **state)
{
    (void)state;
    setenv("LEAT_TEST_KEY", "sk-test-secret", 1);
    rt = runtime_with(2, true);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    leat_runtime_free(rt);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_handled),
        cmocka_unit_test(a_dead_connection_costs_nothing),
        cmocka_unit_test(nobody_there_is_told_after_all_attempts),
        cmocka_unit_test(an_unknown_name_is_fatal),
        cmocka_unit_test(an_untrusted_endpoint_is_fatal_and_learns_nothing),
        cmocka_unit_test(a_redirect_carries_nothing_away),
        cmocka_unit_test(a_reply_is_read_and_squeezed),
        cmocka_unit_test(a_missing_usage_is_estimated),
        cmocka_unit_test(a_body_goes_out_byte_for_byte),
        cmocka_unit_test(clients_are_refused_with_a_sentence),
        cmocka_unit_test(short_memory_makes_no_client),
        cmocka_unit_test(asking_is_one_line),
        cmocka_unit_test(a_failure_has_its_error),
        cmocka_unit_test(the_embedded_endpoint_answers),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
