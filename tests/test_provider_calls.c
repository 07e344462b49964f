/*
 * test_provider_calls.c: whole calls to each provider, against a server that writes raw bytes: where the key goes, what comes of
 * errors and of streams that break off.
 */
#include "leat/llm.h"

#include "endpoint_rows.h"
#include "provider_errors.h"
#include "support_http.h"
#include "support_runtime.h"

#define MESSAGE                                                                                                            \
    "{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[{\"type\":\"text\",\"text\":" \
    "\"fine\"}],\"stop_"                                                                                                   \
    "reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}"
#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define MESSAGE_EVENTS                                                                                                \
    EVENT("message_start", ",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\"," \
                           "\"content\":[],\"stop_reason\":"                                                          \
                           "null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":0}}")         \
    EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")                  \
    EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"fi\"}")                  \
    EVENT("ping", "")                                                                                                 \
    EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"ne\"}")                  \
    EVENT("content_block_stop", ",\"index\":0")                                                                       \
    EVENT("message_delta",                                                                                            \
          ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":1}")         \
    EVENT("message_stop", "")
#define CHAT_CHUNK(rest) "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[" rest "]}\n\n"
#define CHAT_EVENTS                                                                   \
    CHAT_CHUNK("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"fi\"}}") \
    CHAT_CHUNK("{\"index\":0,\"delta\":{\"content\":\"ne\"}}")                        \
    CHAT_CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}")               \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n"

#define CANDIDATE(text, rest) \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text "\"}],\"role\":\"model\"}" rest "}"
#define GEMINI_USAGE "\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":1}"
#define GEMINI_EVENTS                                                 \
    "data: " CANDIDATE("f", "}]") "\r\n\r\n"                          \
                                  "data: " CANDIDATE(                 \
                                      "in", "}]") "\r\n\r\n"          \
                                                  "data: " CANDIDATE( \
                                                      "e", ",\"finishReason\":\"STOP\"}]," GEMINI_USAGE) "\r\n\r\n"
static const struct provider {
    const char *name, *key_env, *key_line; /* the header that carries the key */
    const char *target, *stream_target;    /* request lines of a chat request */
    const char *good, *events;             /* replies whose text is "fine" */
} providers[] = {
    { "openai", "OPENAI_API_KEY", "Authorization: Bearer ", "POST /v1/chat/completions ", "POST /v1/chat/completions ",
      "{\"choices\":[{\"message\":{\"content\":\"fine\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
      "\"completion_tokens\":1}}",
      CHAT_EVENTS },
    { "azure", "AZURE_OPENAI_API_KEY", "api-key: ", "POST /openai/v1/chat/completions ", "POST /openai/v1/chat/completions ",
      "{\"choices\":[{\"message\":{\"content\":\"fine\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
      "\"completion_tokens\":1}}",
      "data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\n" CHAT_EVENTS },
    { "gemini", "GEMINI_API_KEY", "x-goog-api-key: ", "POST /v1beta/models/m:generateContent ",
      "POST /v1beta/models/m:streamGenerateContent?alt=sse ",
      CANDIDATE("fine", ",\"finishReason\":\"STOP\"}]," GEMINI_USAGE), GEMINI_EVENTS },
    { "anthropic", "ANTHROPIC_API_KEY", "x-api-key: ", "POST /v1/messages ", "POST /v1/messages ", MESSAGE, MESSAGE_EVENTS },
};
enum { PROVIDER_COUNT = sizeof providers / sizeof *providers };

/* Those who are compatible answer as OpenAI does, which is the first. */
static const struct provider *provider_of(const char *name)
{
    for (size_t i = 0; i < PROVIDER_COUNT; i++)
        if (strcmp(providers[i].name, name) == 0) return &providers[i];
    return &providers[0];
}

static leat_llm *llm_to(fault_server *s, const char *provider, bool stream, int attempts)
{
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_llm_opts opts = {
        .base_url = fault_server_url(s), .provider = provider, .stream = stream, .max_attempts = attempts
    };
    if (leat_llm_new(&llm, rt, &opts, &error)) fail_msg("%s: %s", provider, error.text);
    return llm;
}

static one_call call_once(fault_server *s, const char *provider, bool stream, int attempts)
{
    one_call c = { .llm = llm_to(s, provider, stream, attempts) };
    call_run(rt, &c);
    assert_int_equal(c.err, LEAT_OK);
    leat_llm_free(c.llm);
    return c;
}

/* Each provider's key goes out in its own header, and to nobody else; streams and plain answers are the same reply. */
static void each_has_its_own_key_and_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        for (int stream = 0; stream < 2; stream++) {
            const struct provider *p = &providers[i];
            const char *type = stream ? "Content-Type: text/event-stream\r\n" : "Content-Type: application/json\r\n";
            fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(200, type, stream ? p->events : p->good) },
                                  { .op = FAULT_KEEP } };
            fault_script script = { .step = step };
            fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
            one_call c = call_once(s, p->name, stream, 1);
            char key_line[128];
            snprintf(key_line, sizeof key_line, "\r\n%ssk-of-%s\r\n", p->key_line, p->name);
            char *request = fault_server_request(s, 0, NULL, NULL);
            const char *target = stream ? p->stream_target : p->target;
            if (strncmp(request, target, strlen(target)) != 0 || !strstr(request, key_line)) fail_msg("%s", request);
            for (size_t other = 0; other < PROVIDER_COUNT; other++) {
                snprintf(key_line, sizeof key_line, "sk-of-%s", providers[other].name);
                assert_true(other == i || !strstr(request, key_line));
            }
            assert_int_equal(strstr(request, "anthropic-version: 2023-06-01") != NULL, strcmp(p->name, "anthropic") == 0);
            if (c.reply.cls != LEAT_CLASS_OK || strcmp(c.text, "fine") != 0)
                fail_msg("%s: %s: %s", p->name, leat_class_name(c.reply.cls), c.reply.message);
            assert_int_equal(c.reply.tokens_in, 3);
            assert_int_equal(c.reply.tokens_out, 1);
            assert_false(c.reply.estimated);
            assert_int_equal(c.reply.ttft_ms >= 0, stream);
            free(request);
            call_free(&c);
            fault_server_free(s);
        }
    }
}

/* Who names a compatible provider does not mean to show it OpenAI's key. */
static void a_named_provider_gets_no_other_key(void **state)
{
    static const char *const names[] = { "groq", "openrouter", "deepseek", "vllm", "ollama", "llama.cpp" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
        one_call c = call_once(s, names[i], false, 1);
        assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
        assert_int_equal(fault_server_counts(s).requests, 1);
        assert_false(fault_server_saw(s, "sk-of"));
        call_free(&c);
        fault_server_free(s);
    }
}

static void an_echoed_key_is_not_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        char header[32];
        snprintf(header, sizeof header, "%.*s", (int)strcspn(providers[i].key_line, ":"), providers[i].key_line);
        fault_step step[] = { { .op = FAULT_SEND,
                                .data = "HTTP/1.1 401 X\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"not " },
                              { .op = FAULT_ECHO_KEY, .data = header },
                              { .op = FAULT_SEND, .data = "\"}}" },
                              { .op = FAULT_CLOSE } };
        fault_script script = { .step = step };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        one_call c = call_once(s, providers[i].name, false, 1);
        assert_int_equal(c.reply.cls, LEAT_CLASS_AUTH);
        assert_non_null(strstr(c.reply.message, "not "));
        assert_null(strstr(c.reply.message, "sk-of"));
        assert_null(strstr(c.line, "sk-of"));
        assert_non_null(strstr(c.line, "***"));
        call_free(&c);
        fault_server_free(s);
    }
}

static void errors_have_their_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < provider_error_count; i++) {
        fault_step step[] = { { .op = FAULT_SEND,
                                .data = fault_reply(provider_errors[i].status, provider_errors[i].headers,
                                                    provider_errors[i].body) },
                              { .op = FAULT_KEEP } };
        fault_step good[] = { { .op = FAULT_SEND,
                                .data = fault_reply(200, "", provider_of(provider_errors[i].provider)->good) },
                              { .op = FAULT_KEEP } };
        fault_script script[] = { { .step = step, .times = 1 }, { .step = good } };
        fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 2 });
        one_call c = call_once(s, provider_errors[i].provider, false, 0);
        if (c.reply.cls != provider_errors[i].cls || c.reply.attempts != provider_errors[i].attempts ||
            c.reply.throttles != provider_errors[i].throttles || c.reply.is_fatal != provider_errors[i].fatal ||
            c.reply.ms < provider_errors[i].least_ms)
            fail_msg("%s %d %s: class %s, attempts %u, throttles %u, fatal %d, %lld ms: %s", provider_errors[i].provider,
                     provider_errors[i].status, provider_errors[i].body, leat_class_name(c.reply.cls), c.reply.attempts,
                     c.reply.throttles, c.reply.is_fatal, (long long)c.reply.ms, c.reply.message);
        if (provider_errors[i].message && !strstr(c.reply.message, provider_errors[i].message))
            fail_msg("row %zu: %s", i, c.reply.message);
        call_free(&c);
        fault_server_free(s);
    }
}

/* OpenRouter names a time of the wall's clock, in ms, inside the error. */
static void a_time_in_the_body_is_waited_for(void **state)
{
    (void)state;
    for (int in_string = 0; in_string < 2; in_string++) {
        char body[256];
        long long at_ms = (leat_i_os_wall_ns() / 1000000) + 100000;
        snprintf(body, sizeof body,
                 in_string ? "{\"error\":{\"code\":429,\"metadata\":{\"headers\":{\"X-RateLimit-Reset\":\"%lld\"}}}}"
                           : "{\"error\":{\"code\":429,\"metadata\":{\"headers\":{\"X-RateLimit-Reset\":%lld}}}}",
                 at_ms);
        fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(429, "", body) }, { .op = FAULT_KEEP } };
        fault_script script[] = { { .step = step, .times = 1 } };
        fault_server *s = fault_server_new(&(fault_opts){ .script = script, .script_count = 1 });
        one_call c = call_once(s, "openrouter", false, 0);
        assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
        assert_int_equal(c.reply.throttles, 1);
        /* The wall's clock goes on while the test runs; without the hint it would be a second. */
        assert_in_range(c.reply.ms, 40000, 130000);
        call_free(&c);
        fault_server_free(s);
    }
}

/* Behind each event of the stream the connection ends: with a reset, with a clean end of the connection though more was announced,
 * or with a clean end of the body. Only what is all there is an answer. */
static void cut_at(const struct provider *p, size_t size, int how)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n%s\r\n",
             how == 2 ? "Connection: close\r\n" : "Content-Length: 100000\r\n");
    fault_step step[] = { { .op = FAULT_SEND, .data = head },
                          { .op = FAULT_SEND, .data = p->events, .size = size },
                          { .op = how == 0 ? FAULT_RESET : FAULT_CLOSE } };
    if (size == 0) step[1] = step[2];
    fault_script script = { .step = step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    one_call c = call_once(s, p->name, true, 1);
    bool good = c.reply.cls == LEAT_CLASS_OK || c.reply.cls == LEAT_CLASS_LENGTH;
    if (good && strcmp(c.text, "fine") != 0) fail_msg("%s, cut after %zu bytes (%d): \"%s\"", p->name, size, how, c.text);
    if (!good && (c.reply.body || c.text[0]))
        fail_msg("%s, cut after %zu bytes: a part was kept: %s", p->name, size, c.line);
    if (how == 2 && size == strlen(p->events) && !good) fail_msg("%s: the whole is none: %s", p->name, c.reply.message);
    call_free(&c);
    fault_server_free(s);
}

static void a_broken_stream_is_no_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        const char *events = providers[i].events, *at = events;
        do {
            for (int how = 0; how < 3; how++)
                cut_at(&providers[i], (size_t)(at - events), how);
            at = strstr(at, "\n\n");
            if (at) at += 2;
        } while (at);
    }
}

/* Some models name a reason with each piece: then only the body's own end tells that the text is all there. */
static void a_reason_with_each_piece_is_no_end(void **state)
{
    static const struct provider early = {
        .name = "gemini",
        .events = "data: " CANDIDATE("f", ",\"finishReason\":\"STOP\"}]") "\n\ndata: " CANDIDATE(
            "in",
            ",\"finishReason\":\"STOP\"}]") "\n\ndata: " CANDIDATE("e", ",\"finishReason\":\"STOP\"}]," GEMINI_USAGE) "\n\n",
    };
    (void)state;
    for (const char *at = early.events; (at = strstr(at, "\n\n")); at += 2) {
        cut_at(&early, (size_t)(at + 2 - early.events), 0);
        cut_at(&early, (size_t)(at + 2 - early.events), 1);
    }
    cut_at(&early, strlen(early.events), 2);
}

/* Without alt=sse Gemini sends its stream as an array. A gateway may forget that it was asked otherwise. */
static void an_array_of_events_is_a_stream(void **state)
{
    static const struct {
        const char *body;
        leat_class cls;
        const char *text;
    } rows[] = {
        { "[" CANDIDATE("fi", "}]") ",\r\n" CANDIDATE("ne", ",\"finishReason\":\"STOP\"}]," GEMINI_USAGE) "]", LEAT_CLASS_OK,
          "fine" },
        { "[" CANDIDATE("fi", "}]") "]", LEAT_CLASS_TRUNCATED, "" },
        { "[" CANDIDATE("fi", "}]") ",{\"error\":{\"code\":500,\"message\":\"oh\"}}]", LEAT_CLASS_SERVER, "" },
        { "[{\"error\":{\"code\":400,\"message\":\"oh\",\"status\":\"INVALID_ARGUMENT\"}}]", LEAT_CLASS_REJECTED, "" },
        { "[]", LEAT_CLASS_MALFORMED, "" },
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(200, "", rows[i / 2].body) }, { .op = FAULT_KEEP } };
        fault_script script = { .step = step };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        one_call c = call_once(s, "gemini", i % 2, 1);
        if (c.reply.cls != rows[i / 2].cls || strcmp(c.text, rows[i / 2].text) != 0)
            fail_msg("row %zu: class %s: \"%s\": %s", i, leat_class_name(c.reply.cls), c.text, c.reply.message);
        call_free(&c);
        fault_server_free(s);
    }
}

struct heard {
    leat_llm *llm;
    char text[64], reply[64];
};

static leat_err hear(leat_task *t, void *arg, const char *piece)
{
    struct heard *h = arg;
    (void)t;
    strncat(h->text, piece, sizeof h->text - strlen(h->text) - 1);
    return LEAT_OK;
}

static leat_err ask_and_listen(leat_task *t, void *arg, const void **result)
{
    struct heard *h = arg;
    const char *reply = "";
    (void)result;
    LEAT_TRY(leat_llm_stream(t, h->llm, "x", hear, h, &reply));
    snprintf(h->reply, sizeof h->reply, "%s", reply);
    return LEAT_OK;
}

/* A prompt in one line of code, and its reply piece by piece, are the same with each provider. */
static void replies_are_heard_as_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        struct heard h = { .llm = NULL };
        fault_step step[] = { { .op = FAULT_SEND,
                                .data = fault_reply(200, "Content-Type: text/event-stream\r\n", providers[i].events) },
                              { .op = FAULT_KEEP } };
        fault_script script = { .step = step };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        leat_llm_opts opts = {
            .base_url = fault_server_url(s), .provider = providers[i].name, .model = "m", .system = "be brief"
        };
        assert_int_equal(leat_llm_new(&h.llm, rt, &opts, NULL), LEAT_OK);
        assert_int_equal(leat_task_run(rt, ask_and_listen, &h, NULL), LEAT_OK);
        assert_string_equal(h.text, "fine");
        assert_string_equal(h.reply, "fine");
        assert_int_equal(fault_server_requests_with(s, providers[i].stream_target), 1);
        assert_int_equal(fault_server_requests_with(s, "be brief"), 1);
        leat_llm_free(h.llm);
        fault_server_free(s);
    }
}

/* What cannot be asked is said, and nothing is sent. */
static void what_has_no_counterpart_is_not_sent(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    (void)state;
    one_call c = { .llm = llm_to(s, "anthropic", false, 0), .path = "/v1/embeddings", .body = "{\"input\":\"x\"}" };
    call_run(rt, &c);
    assert_int_equal(c.err, LEAT_OK);
    assert_int_equal(c.reply.cls, LEAT_CLASS_INPUT);
    assert_non_null(strstr(c.reply.message, "Anthropic has no /embeddings"));
    call_free(&c);
    c.path = "/v1/messages?key=abc";
    call_run(rt, &c);
    assert_int_equal(c.reply.cls, LEAT_CLASS_INPUT);
    assert_non_null(strstr(c.reply.message, "a key does not belong"));
    assert_int_equal(fault_server_counts(s).connections, 0);
    call_free(&c);
    leat_llm_free(c.llm);
    fault_server_free(s);
}

/* Embeddings are counted against the inputs that were given in OpenAI's form; their tokens are a guess, since Gemini names none. */
static void embeddings_fit_their_inputs(void **state)
{
    static const struct {
        const char *reply;
        leat_class cls;
        uint32_t attempts;
    } table[] = { { "{\"embeddings\":[{\"values\":[0.5]},{\"values\":[1]}]}", LEAT_CLASS_OK, 1 },
                  { "{\"embeddings\":[{\"values\":[0.5]}]}", LEAT_CLASS_MALFORMED, 2 } };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(200, "", table[i].reply) }, { .op = FAULT_KEEP } };
        fault_script script = { .step = step };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        one_call c = { .llm = llm_to(s, "gemini", true, 0),
                       .path = "/v1/embeddings",
                       .body = "{\"model\":\"e\",\"input\":[\"a\",\"b\"]}" };
        call_run(rt, &c);
        assert_int_equal(c.reply.cls, table[i].cls);
        assert_int_equal(c.reply.attempts, table[i].attempts);
        assert_int_equal(fault_server_requests_with(s, "POST /v1beta/models/e:batchEmbedContents "), table[i].attempts);
        if (c.reply.cls == LEAT_CLASS_OK) assert_true(c.reply.estimated);
        call_free(&c);
        leat_llm_free(c.llm);
        fault_server_free(s);
    }
}

static void endpoints_share_a_form(void **state)
{
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_limiter *l = NULL;
    leat_limiter_opts limits[2] = { { .in_flight_max = 1 }, { .in_flight_max = 1 } };
    leat_llm_endpoint e[2] = { { .base_url = "http://127.0.0.1:1" },
                               { .base_url = "http://127.0.0.1:2", .provider = "anthropic" } };
    leat_llm_opts opts = { .endpoints = e, .endpoint_count = 2 };
    (void)state;
    assert_int_equal(leat_limiter_new_many(&l, limits, 2), LEAT_OK);
    opts.limiter = l;
    assert_int_equal(leat_llm_new(&llm, rt, &opts, &error), LEAT_USAGE);
    assert_non_null(strstr(error.text, "different forms (openai, anthropic)"));
    e[1].provider = "azure"; /* Other paths, the same form. */
    assert_int_equal(leat_llm_new(&llm, rt, &opts, &error), LEAT_OK);
    leat_llm_free(llm);
    leat_limiter_free(l);
}

/* With several endpoints each gets the request in its own form: one that is not there leaves it to the other. */
static void each_endpoint_gets_its_own_form(void **state)
{
    leat_llm *llm = NULL;
    leat_limiter *l = NULL;
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    char azure[128];
    (void)state;
    snprintf(azure, sizeof azure, "%s?api-version=1", fault_server_url(s));
    leat_limiter_opts limits[2] = { { .in_flight_max = 1 }, { .in_flight_max = 1 } };
    leat_llm_endpoint e[2] = { { .base_url = "http://127.0.0.1:1" }, { .base_url = azure, .provider = "azure" } };
    assert_int_equal(leat_limiter_new_many(&l, limits, 2), LEAT_OK);
    leat_llm_opts opts = { .endpoints = e, .endpoint_count = 2, .limiter = l, .stream = true };
    assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
    for (int i = 0; i < 4; i++) {
        one_call c = { .llm = llm };
        call_run(rt, &c);
        if (c.reply.cls != LEAT_CLASS_OK) fail_msg("%s", c.reply.message);
        call_free(&c);
    }
    const char *target = "POST /openai/deployments/m/chat/completions?api-version=1 ";
    assert_int_equal(fault_server_requests_with(s, target), 4);
    assert_int_equal(fault_server_requests_with(s, "\"stream\":true"), 4);
    leat_llm_free(llm);
    leat_limiter_free(l);
    fault_server_free(s);
}

/* An attempt was paid for, and then another endpoint's form cannot hold the request: what was spent is told. */
static void what_was_spent_before_a_refusal_is_told(void **state)
{
    static const char empty[] = "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],"
                                "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}";
    fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(200, "", empty) }, { .op = FAULT_KEEP } };
    fault_script script = { .step = step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_limiter_opts limits[2] = { { .requests_per_min = 1 }, { .requests_per_min = 1 } };
    leat_llm *llm = NULL;
    leat_limiter *l = NULL;
    char azure[128];
    (void)state;
    snprintf(azure, sizeof azure, "%s?api-version=1", fault_server_url(s));
    leat_llm_endpoint e[2] = { { .base_url = fault_server_url(s) }, { .base_url = azure, .provider = "azure" } };
    assert_int_equal(leat_limiter_new_many(&l, limits, 2), LEAT_OK);
    leat_llm_opts opts = { .endpoints = e, .endpoint_count = 2, .limiter = l };
    assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
    one_call c = { .llm = llm, .body = "{\"model\":\"../m\",\"messages\":[]}" };
    call_run(rt, &c);
    assert_int_equal(c.err, LEAT_OK);
    assert_int_equal(c.reply.cls, LEAT_CLASS_INPUT);
    assert_int_equal(c.reply.tokens_in, 7);
    assert_int_equal(c.reply.tokens_out, 2);
    call_free(&c);
    leat_llm_free(llm);
    leat_limiter_free(l);
    fault_server_free(s);
}

/* What Anthropic read from its cache does not count against its limits. */
static void cached_tokens_are_free(void **state)
{
    static const char reply[] =
        "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":\"end_turn\",\"usage\":{"
        "\"input_tokens\":3,\"cache_read_input_tokens\":100000,\"output_tokens\":1}}";
    leat_limiter *l = NULL;
    fault_step step[] = { { .op = FAULT_SEND, .data = fault_reply(200, "", reply) }, { .op = FAULT_KEEP } };
    fault_script script = { .step = step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_llm_opts opts = { .base_url = fault_server_url(s), .provider = "anthropic" };
    (void)state;
    assert_int_equal(leat_limiter_new(&l, &(leat_limiter_opts){ .input_tokens_per_min = 10000 }), LEAT_OK);
    opts.limiter = l;
    one_call c = { .llm = NULL };
    assert_int_equal(leat_llm_new(&c.llm, rt, &opts, NULL), LEAT_OK);
    for (int i = 0; i < 3; i++) {
        call_run(rt, &c);
        assert_int_equal(c.reply.cls, LEAT_CLASS_OK);
        assert_int_equal(c.reply.tokens_in, 100003);
        assert_int_equal(c.reply.tokens_cached, 100000);
        assert_in_range(c.reply.ms, 0, 30000); /* Ten minutes' worth of tokens otherwise. */
        call_free(&c);
    }
    leat_llm_free(c.llm);
    leat_limiter_free(l);
    fault_server_free(s);
}

static int start(void **state)
{
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "sk-of-%s", providers[i].name);
        setenv(providers[i].key_env, key, 1);
    }
    return runtime_start_virtual(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own_key_and_path),
        cmocka_unit_test(an_echoed_key_is_not_repeated),
        cmocka_unit_test(a_named_provider_gets_no_other_key),
        cmocka_unit_test(errors_have_their_class),
        cmocka_unit_test(a_broken_stream_is_no_answer),
        cmocka_unit_test(a_time_in_the_body_is_waited_for),
        cmocka_unit_test(a_reason_with_each_piece_is_no_end),
        cmocka_unit_test(an_array_of_events_is_a_stream),
        cmocka_unit_test(what_has_no_counterpart_is_not_sent),
        cmocka_unit_test(endpoints_share_a_form),
        cmocka_unit_test(each_endpoint_gets_its_own_form),
        cmocka_unit_test(cached_tokens_are_free),
        cmocka_unit_test(what_was_spent_before_a_refusal_is_told),
        cmocka_unit_test(embeddings_fit_their_inputs),
        cmocka_unit_test(replies_are_heard_as_they_come),
    };
    return cmocka_run_group_tests(tests, start, runtime_stop);
}
