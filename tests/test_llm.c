/* test_llm.c: making clients, asking them, and what they send and read; what goes wrong stands in test_endpoint.c. */
#include <sys/stat.h>

#include "leat/limiter.h"
#include "leat/llm.h"

#include "endpoint_rows.h"
#include "support_http.h"
#include "support_runtime.h"

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

static one_call call_once(leat_llm *llm, const char *path, const char *body)
{
    one_call c = { .llm = llm, .path = path, .body = body };
    call_run(rt, &c);
    assert_int_equal(c.err, LEAT_OK);
    return c;
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

/* A proxy of the usual variables gets what it needs to know, and no more; its password stays out of the sentence. */
static void proxies_are_told_no_secrets(void **state)
{
    static const fault_step echo[] = { SEND("HTTP/1.1 400 X\r\nConnection: close\r\n\r\nyou said "),
                                       { .op = FAULT_ECHO_KEY, .data = "Proxy-Authorization" },
                                       DO(CLOSE) };
    static const fault_step refuse[] = REPLY("407", "Proxy-Authenticate: Basic realm=\"x\"\r\n", "");
    fault_script script[] = { { .step = refuse, .marker = "CONNECT " }, { .step = echo } };
    fault_server *proxy = fault_server_new(&(fault_opts){ .script = script, .script_count = 2 });
    char url[96];
    (void)state;
    snprintf(url, sizeof url, "http://somebody:open%%20sesame@127.0.0.1:%u", fault_server_port(proxy));
    setenv("http_proxy", url, 1), setenv("https_proxy", url, 1), setenv("no_proxy", "direct.invalid", 1);
    static const struct {
        const char *base;
        leat_class cls;
        uint32_t requests;
        const char *message;
    } table[] = { { "http://plain.invalid/v1", LEAT_CLASS_REJECTED, 1, "HTTP 400: you said Basic" },
                  { "https://packed.invalid/v1", LEAT_CLASS_CONNECT, 5, "407" },
                  { "http://direct.invalid/v1", LEAT_CLASS_DNS, 0, "no such host" },
                  { "http://127.0.0.1:1/v1", LEAT_CLASS_CONNECT, 0, "nobody listens" } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t before = fault_server_counts(proxy).requests;
        leat_llm *llm = NULL;
        leat_llm_opts opts = { .base_url = table[i].base, .key_env = "LEAT_TEST_KEY", .allow_http = true };
        assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
        one_call c = call_once(llm, NULL, NULL);
        if (c.reply.cls != table[i].cls || !strstr(c.reply.message, table[i].message))
            fail_msg("%s: %s: %s", table[i].base, leat_class_name(c.reply.cls), c.reply.message);
        assert_int_equal(fault_server_counts(proxy).requests - before, table[i].requests);
        assert_null(strstr(c.line, "bmVzYW1l")); /* In base64 of somebody:open sesame. */
        assert_null(strstr(c.line, "sesame"));
        call_free(&c);
        leat_llm_free(llm);
    }
    /* Of plain http a proxy reads all; of a tunnel nothing. */
    assert_int_equal(fault_server_requests_with(proxy, "Bearer sk-test-secret"), 1);
    unsetenv("http_proxy"), unsetenv("https_proxy"), unsetenv("no_proxy");
    fault_server_free(proxy);
}

static void a_certificate_is_shown_where_one_is_wanted(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .tls = FAULT_TLS_MUTUAL });
    const char *ours = fault_server_client_file(s);
    (void)state;
    for (int with = 0; with < 2; with++) {
        leat_llm *llm = NULL;
        leat_llm_opts opts = { .base_url = fault_server_url(s),
                               .cacert = fault_server_ca_file(s),
                               .cert = with ? ours : NULL };
        assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
        one_call c = call_once(llm, NULL, NULL);
        if (c.reply.cls != (with ? LEAT_CLASS_OK : LEAT_CLASS_TLS)) fail_msg("%d: %s", with, c.reply.message);
        assert_int_equal(c.reply.attempts, 1);
        assert_int_equal(c.reply.is_fatal, !with);
        if (!with) assert_non_null(strstr(c.reply.message, "--cert"));
        call_free(&c);
        leat_llm_free(llm);
    }
    assert_int_equal(fault_server_counts(s).requests, 1);
    leat_llm *llm = NULL;
    leat_error error;
    assert_int_equal(chmod(ours, 0644), 0); /* It holds the key. */
    assert_int_equal(leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = fault_server_url(s), .cert = ours }, &error),
                     LEAT_DENIED);
    assert_non_null(strstr(error.text, "open to others"));
    fault_server_free(s);
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
    static const char *const bad_header[] = { "Bad header\r\nX: 1" }, *const length[] = { "content-length: 3" },
                             *const coding[] = { "Transfer-Encoding: chunked" };
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
        { { .base_url = "http://127.0.0.1:1", .cert = "/nonexistent" }, LEAT_USAGE, "/nonexistent" },
        { { .base_url = "http://127.0.0.1:1", .cert_key = "/nonexistent" }, LEAT_USAGE, "without the certificate" },
        { { .base_url = "http://127.0.0.1:1", .cert = "/dev/null", .cert_key = "/nonexistent" },
          LEAT_DENIED,
          "/nonexistent" },
        { { .base_url = "http://127.0.0.1:1", .max_attempts = -1 }, LEAT_USAGE, "negative" },
        { { .base_url = "http://127.0.0.1:1", .extra_body = "{\"a\":" }, LEAT_USAGE, "not a JSON object" },
        { { .base_url = "http://127.0.0.1:1", .extra_body = "[1]" }, LEAT_USAGE, "not a JSON object" },
        { { .base_url = "http://127.0.0.1:1", .extra_body = "{\"stream\":true}" }, LEAT_USAGE, "may not set \"stream\"" },
        { { .base_url = "http://127.0.0.1:1", .extra_body = "{\"model\":\"m\"}" }, LEAT_USAGE, "may not set \"model\"" },
        { { .base_url = "http://127.0.0.1:1?key=abc" }, LEAT_USAGE, "a key does not belong" },
        { { .provider = "nobody" }, LEAT_USAGE, "no provider nobody" },
        { { .provider = "azure" }, LEAT_USAGE, "needs a base URL" },
        { { .base_url = "https://x.openai.azure.com" }, LEAT_DENIED, "AZURE_OPENAI_API_KEY" },
        { { .base_url = "https://api.groq.com/openai/v1" }, LEAT_DENIED, "GROQ_API_KEY" },
        { { .base_url = "http://127.0.0.1:1", .headers = bad_header, .header_count = 1 }, LEAT_USAGE, "header" },
        { { .base_url = "http://127.0.0.1:1", .headers = length, .header_count = 1 }, LEAT_USAGE, "where the request ends" },
        { { .base_url = "http://127.0.0.1:1", .headers = coding, .header_count = 1 }, LEAT_USAGE, "where the request ends" },
    };
    (void)state;
    unsetenv("LEAT_TEST_NO_KEY"), unsetenv("OPENAI_API_KEY"), unsetenv("GROQ_API_KEY"), unsetenv("AZURE_OPENAI_API_KEY");
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
        leat_llm_opts opts = { .base_url = "http://127.0.0.1:1/v1?x=y",
                               .key_env = "LEAT_TEST_KEY",
                               .model = "m",
                               .system = "s",
                               .extra_body = "{\"a\":1}" };
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
    setenv("LEAT_TEST_KEY", "sk-test-secret", 1);
    return runtime_start_virtual(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_redirect_carries_nothing_away),
        cmocka_unit_test(proxies_are_told_no_secrets),
        cmocka_unit_test(a_certificate_is_shown_where_one_is_wanted),
        cmocka_unit_test(a_reply_is_read_and_squeezed),
        cmocka_unit_test(a_body_goes_out_byte_for_byte),
        cmocka_unit_test(clients_are_refused_with_a_sentence),
        cmocka_unit_test(short_memory_makes_no_client),
        cmocka_unit_test(the_embedded_endpoint_answers),
    };
    return cmocka_run_group_tests(tests, start, runtime_stop);
}
