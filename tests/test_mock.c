/* test_mock.c: the embedded endpoint over real sockets: its answers, streams, embeddings, and what it refuses. */
#include "support_base.h"

#include <arpa/inet.h>
#include <jansson.h>

#include "leat/mock.h"
#include "support/http_call.h"

#define CHAT "/chat/completions"

/* A mock with a client; the tests that need other options make their own. */
typedef struct world {
    leat_mock *mock;
    http_client *client;
} world;

static world world_new(const leat_mock_opts *opts)
{
    world w = { 0 };
    leat_error error = { 0 };
    if (leat_mock_new(&w.mock, opts, &error) != LEAT_OK) fail_msg("leat_mock_new: %s", error.text);
    w.client = http_client_new(leat_mock_url(w.mock));
    return w;
}

static void world_free(world *w)
{
    http_client_free(w->client);
    leat_mock_free(w->mock);
}

static json_t *json_of(const http_call *call)
{
    json_error_t error;
    json_t *json = json_loadb(call->body, call->body_size, JSON_REJECT_DUPLICATES, &error);
    if (!json) fail_msg("not JSON: %s: %s", error.text, call->body);
    return json;
}

/* The string at a path of keys and indices, as "choices.0.message.content"; "" when there is none. */
static const char *at(json_t *json, const char *path)
{
    char key[64];
    for (; json && *path; path += *path == '.') {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10)) : json_object_get(json, key);
        path += n;
    }
    static char number[32];
    if (json_is_string(json)) return json_string_value(json);
    if (json_is_null(json)) return "null";
    if (!json_is_integer(json)) return "";
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json));
    return number;
}

static void test_chat(void **state)
{
    (void)state;
    world w = world_new(NULL);
    http_call call = http_client_call(w.client, CHAT, NULL,
                                      "{\"model\":\"any\",\"messages\":[{\"role\":\"system\",\"content\":\"Be short.\"},"
                                      "{\"role\":\"user\",\"content\":\"Old question.\"},"
                                      "{\"role\":\"assistant\",\"content\":null},"
                                      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"W\\u00f6rld\"},"
                                      "{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"text\",\"text\":\"news\"}]}]}");
    assert_int_equal(call.curl, 0);
    assert_int_equal(call.status, 200);
    assert_string_equal(http_call_header(&call, "Content-Type"), "application/json");
    assert_memory_equal(http_call_header(&call, "x-request-id"), "req_", 4);
    json_t *json = json_of(&call);
    assert_string_equal(at(json, "object"), "chat.completion");
    assert_memory_equal(at(json, "id"), "chatcmpl-", 9);
    assert_string_equal(at(json, "model"), "leat-extract");
    assert_string_equal(at(json, "choices.0.message.role"), "assistant");
    assert_string_equal(at(json, "choices.0.message.content"), "W\xc3\xb6rld news");
    assert_string_equal(at(json, "choices.0.finish_reason"), "stop");
    assert_string_equal(at(json, "usage.completion_tokens"), "2");
    assert_string_equal(at(json, "usage.prompt_tokens"), "29");
    assert_string_equal(at(json, "usage.total_tokens"), "31");
    assert_true(json_integer_value(json_object_get(json, "created")) > 1600000000);
    json_decref(json);
    http_call_fini(&call);
    call = http_client_call(w.client, CHAT, NULL,
                            "{\"model\":\"any\",\"max_tokens\":2,\"messages\":[{\"role\":\"user\",\"content\":"
                            "\"one two three four\"}]}");
    json = json_of(&call);
    assert_string_equal(at(json, "choices.0.message.content"), "one two");
    assert_string_equal(at(json, "choices.0.finish_reason"), "length");
    json_decref(json);
    http_call_fini(&call);
    world_free(&w);
}

/* Folds a stream: content deltas joined; counts events; *usage is set from the usage chunk. */
static char *stream_fold(char *body, int *events, char *finish, json_t **usage)
{
    char *content = calloc(1, strlen(body) + 1);
    *events = 0;
    *usage = NULL;
    finish[0] = '\0';
    for (char *line = strtok(body, "\n"); line; line = strtok(NULL, "\n")) {
        assert_memory_equal(line, "data: ", 6);
        ++*events;
        if (strcmp(line, "data: [DONE]") == 0) continue;
        json_t *chunk = json_loads(line + 6, 0, NULL);
        assert_non_null(chunk);
        assert_string_equal(at(chunk, "object"), "chat.completion.chunk");
        const char *delta = at(chunk, "choices.0.delta.content");
        memcpy(content + strlen(content), delta, strlen(delta) + 1);
        const char *reason = at(chunk, "choices.0.finish_reason");
        if (strcmp(reason, "null") != 0 && *reason) snprintf(finish, 16, "%s", reason);
        json_t *counts = json_object_get(chunk, "usage");
        if (json_is_object(counts)) *usage = json_incref(counts);
        json_decref(chunk);
    }
    return content;
}

static void test_stream_says_the_same(void **state)
{
    (void)state;
    static const char plain[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"The \\\"cat\\\" s\\u00e4t on "
        "the mat. It was \\ud83d\\udc08 indeed.\"}]%s}";
    char body[512], finish[16];
    int events;
    json_t *usage;
    world w = world_new(NULL);
    snprintf(body, sizeof body, plain, "");
    http_call whole = http_client_call(w.client, CHAT, NULL, body);
    json_t *json = json_of(&whole);
    for (int with_usage = 0; with_usage < 2; with_usage++) {
        snprintf(body, sizeof body, plain,
                 with_usage ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : ",\"stream\":true");
        http_call call = http_client_call(w.client, CHAT, NULL, body);
        assert_int_equal(call.curl, 0);
        assert_int_equal(call.status, 200);
        assert_memory_equal(http_call_header(&call, "Content-Type"), "text/event-stream", 17);
        assert_string_equal(call.body + call.body_size - 14, "data: [DONE]\n\n");
        char *content = stream_fold(call.body, &events, finish, &usage);
        assert_string_equal(content, at(json, "choices.0.message.content"));
        assert_string_equal(finish, "stop");
        long long tokens = json_integer_value(json_object_get(json_object_get(json, "usage"), "completion_tokens"));
        assert_int_equal(events, tokens + 3 + with_usage); /* role, tokens, finish, [DONE] */
        assert_int_equal(usage != NULL, with_usage);
        if (usage) assert_true(json_equal(usage, json_object_get(json, "usage")));
        json_decref(usage);
        free(content);
        http_call_fini(&call);
    }
    json_decref(json);
    http_call_fini(&whole);
    world_free(&w);
}

#define USER "{\"role\":\"user\",\"content\":\"x\"}"
static const struct {
    const char *path, *body;
    int status;
    const char *param, *code;
} not_valid[] = {
    { CHAT, "", 400, "null", "null" },
    { CHAT, "{", 400, "null", "null" },
    { CHAT, "[]", 400, "null", "null" },
    { CHAT, "{\"messages\":[" USER "]}", 400, "null", "null" },
    { CHAT, "{\"model\":1,\"messages\":[" USER "]}", 400, "model", "invalid_type" },
    { CHAT, "{\"model\":\"m\"}", 400, "messages", "missing_required_parameter" },
    { CHAT, "{\"model\":\"m\",\"messages\":\"x\"}", 400, "messages", "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"messages\":[]}", 400, "messages", "empty_array" },
    { CHAT, "{\"model\":\"m\",\"messages\":[1]}", 400, "messages[0]", "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"messages\":[" USER ",{\"content\":\"x\"}]}", 400, "messages[1].role",
      "missing_required_parameter" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"cat\",\"content\":\"x\"}]}", 400, "messages[0].role",
      "invalid_value" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}", 400, "messages[0].content",
      "missing_required_parameter" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":null}]}", 400, "messages[0].content",
      "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"smell\"}]}]}", 400,
      "messages[0].content[0]", "invalid_value" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", 400,
      "messages[0].content[0]", "missing_required_parameter" },
    { CHAT, "{\"model\":\"m\",\"max_tokens\":0,\"messages\":[" USER "]}", 400, "max_tokens", "integer_below_min_value" },
    { CHAT, "{\"model\":\"m\",\"max_tokens\":-1,\"messages\":[" USER "]}", 400, "max_tokens", "integer_below_min_value" },
    { CHAT, "{\"model\":\"m\",\"max_tokens\":1.5,\"messages\":[" USER "]}", 400, "max_tokens", "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"max_completion_tokens\":\"9\",\"messages\":[" USER "]}", 400, "max_completion_tokens",
      "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"stream\":1,\"messages\":[" USER "]}", 400, "stream", "invalid_type" },
    { CHAT, "{\"model\":\"m\",\"stream_options\":{},\"messages\":[" USER "]}", 400, "stream_options", "null" },
    { CHAT, "{\"model\":\"m\",\"n\":2,\"messages\":[" USER "]}", 400, "n", "invalid_value" },
    { "/embeddings", "{\"model\":\"m\"}", 400, "input", "missing_required_parameter" },
    { "/embeddings", "{\"model\":\"m\",\"input\":[]}", 400, "input", "empty_array" },
    { "/embeddings", "{\"model\":\"m\",\"input\":\"\"}", 400, "input", "null" },
    { "/embeddings", "{\"model\":\"m\",\"input\":[\"a\",1]}", 400, "input", "invalid_type" },
    { "/embeddings", "{\"model\":\"m\",\"input\":[1,\"a\"]}", 400, "input", "invalid_type" },
    { "/embeddings", "{\"model\":\"m\",\"input\":[1,-2]}", 400, "input", "invalid_type" },
    { "/embeddings", "{\"model\":\"m\",\"input\":{}}", 400, "input", "invalid_type" },
    { "/embeddings", "{\"model\":\"m\",\"input\":\"a\",\"encoding_format\":\"hex\"}", 400, "encoding_format",
      "invalid_value" },
    { "/embeddings", "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":4097}", 400, "dimensions", "integer_above_max_value" },
    { "/embeddings", "{\"input\":\"a\"}", 400, "null", "null" },
    { "/models", "{}", 405, "null", "method_not_supported" },
    { "/unknown", "{}", 404, "null", "unknown_url" },
    { CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800 x\"}]}", 400, "null", "null" },
    { CHAT, NULL, 405, "null", "method_not_supported" },
};

static void test_what_is_not_valid(void **state)
{
    (void)state;
    world w = world_new(NULL);
    for (size_t i = 0; i < sizeof not_valid / sizeof not_valid[0]; i++) {
        http_call call = http_client_call(w.client, not_valid[i].path, NULL, not_valid[i].body);
        assert_int_equal(call.curl, 0);
        if (call.status != not_valid[i].status) fail_msg("case %zu: status %ld: %s", i, call.status, call.body);
        json_t *json = json_of(&call);
        assert_string_equal(at(json, "error.type"), "invalid_request_error");
        if (strcmp(at(json, "error.param"), not_valid[i].param) != 0 ||
            strcmp(at(json, "error.code"), not_valid[i].code) != 0)
            fail_msg("case %zu: %s", i, call.body);
        assert_true(strlen(at(json, "error.message")) > 10);
        json_decref(json);
        http_call_fini(&call);
    }
    leat_mock_stats stats;
    leat_mock_read(w.mock, &stats);
    assert_int_equal(stats.requests, sizeof not_valid / sizeof not_valid[0]);
    assert_int_equal(stats.errors, sizeof not_valid / sizeof not_valid[0]);
    assert_int_equal(stats.answered + stats.window_max + stats.in_flight_peak, 0);
    world_free(&w);
}

static void test_key_size_and_other_routes(void **state)
{
    (void)state;
    static const char ask[] = "{\"model\":\"m\",\"messages\":[" USER "]}";
    world w = world_new(&(leat_mock_opts){ .key = "sk-right", .body_bytes_max = 4096 });
    char large[4098];
    static const struct {
        const char *path, *key, *body;
        int status;
    } cases[] = {
        { CHAT, NULL, ask, 401 },         { CHAT, "sk-wrong", ask, 401 },       { CHAT, "sk-right", ask, 200 },
        { "/models", NULL, NULL, 401 },   { "/models", "sk-right", NULL, 200 }, { "/../health", NULL, NULL, 200 },
        { "/../stats", NULL, NULL, 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        http_call call = http_client_call(w.client, cases[i].path, cases[i].key, cases[i].body);
        assert_int_equal(call.status, cases[i].status);
        json_decref(json_of(&call));
        assert_null(strstr(call.body, "sk-"));
        http_call_fini(&call);
    }
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    memcpy(large, ask, sizeof ask - 1);
    http_call call = http_client_call(w.client, CHAT, "sk-right", large);
    assert_int_equal(call.curl, 0);
    assert_int_equal(call.status, 413); /* one byte more than the limit */
    http_call_fini(&call);
    large[sizeof large - 2] = '\0';
    call = http_client_call(w.client, CHAT, "sk-right", large);
    assert_int_equal(call.status, 200);
    http_call_fini(&call);
    world_free(&w);
}

static void test_embeddings(void **state)
{
    (void)state;
    world w = world_new(NULL);
    http_call call = http_client_call(w.client, "/embeddings", NULL,
                                      "{\"model\":\"m\",\"dimensions\":64,\"input\":[\"library software program\","
                                      "\"program library software\",\"weather umbrella\"]}");
    assert_int_equal(call.status, 200);
    json_t *json = json_of(&call), *data = json_object_get(json, "data");
    double v[3][64], dot01 = 0, dot02 = 0;
    assert_int_equal(json_array_size(data), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *vector = json_object_get(json_array_get(data, i), "embedding");
        double length = 0;
        assert_int_equal(json_integer_value(json_object_get(json_array_get(data, i), "index")), (long long)i);
        assert_int_equal(json_array_size(vector), 64);
        for (size_t k = 0; k < 64; k++) {
            v[i][k] = json_number_value(json_array_get(vector, k));
            length += v[i][k] * v[i][k];
        }
        assert_true(length > 0.9999 && length < 1.0001);
    }
    for (size_t k = 0; k < 64; k++) {
        dot01 += v[0][k] * v[1][k];
        dot02 += v[0][k] * v[2][k];
    }
    assert_true(dot01 > 0.999);
    assert_true(dot02 < 0.8);
    assert_string_equal(at(json, "usage.prompt_tokens"), at(json, "usage.total_tokens"));
    json_decref(json);
    http_call_fini(&call);
    call = http_client_call(w.client, "/embeddings", NULL,
                            "{\"model\":\"m\",\"dimensions\":3,\"input\":[[7,8],[9]],\"encoding_format\":\"base64\"}");
    json = json_of(&call);
    assert_int_equal(strlen(at(json, "data.0.embedding")), 16); /* three floats of four bytes */
    assert_int_equal(strlen(at(json, "data.1.embedding")), 16);
    assert_string_equal(at(json, "usage.prompt_tokens"), "3");
    json_decref(json);
    http_call_fini(&call);
    world_free(&w);
}

static void test_options_are_checked(void **state)
{
    (void)state;
    static const leat_mock_opts bad[] = {
        { .requests_per_min = -1 },  { .requests_per_min = 0.5 },    { .tokens_per_min = -1 },
        { .input_per_min = 0.5 },    { .output_per_min = -1 },       { .latency_ms = -1 },
        { .latency_sigma = 11 },     { .error_rate = 1.01 },         { .cut_rate = -0.1 },
        { .error_status = 200 },     { .error_status = 600 },        { .retry_after_s = -1 },
        { .tokens_per_s = -1 },      { .tokens_sigma = 11 },         { .first_token_ms = -1 },
        { .first_token_sigma = -1 }, { .connections_max = 2000000 }, { .latency_ms = __builtin_nan("") },
    };
    leat_mock *m = NULL;
    leat_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error.text[0] = '\0';
        assert_int_equal(leat_mock_new(&m, &bad[i], &error), LEAT_USAGE);
        assert_true(strlen(error.text) > 10);
    }
    assert_int_equal(leat_mock_new(NULL, NULL, &error), LEAT_USAGE);
    assert_int_equal(leat_mock_new(&m, &(leat_mock_opts){ .log_path = "/nonexistent/log" }, &error), LEAT_IO);
    assert_non_null(strstr(error.text, "No such file"));
    world w = world_new(NULL);
    unsigned port = 0;
    assert_int_equal(sscanf(leat_mock_url(w.mock), "http://127.0.0.1:%u/v1", &port), 1);
    assert_int_equal(leat_mock_new(&m, &(leat_mock_opts){ .port = (uint16_t)port }, &error), LEAT_IO);
    assert_non_null(strstr(error.text, "in use"));
    assert_null(m);
    leat_mock_free(NULL);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_chat, no_leak),
        cmocka_unit_test_teardown(test_stream_says_the_same, no_leak),
        cmocka_unit_test_teardown(test_what_is_not_valid, no_leak),
        cmocka_unit_test_teardown(test_key_size_and_other_routes, no_leak),
        cmocka_unit_test_teardown(test_embeddings, no_leak),
        cmocka_unit_test_teardown(test_options_are_checked, no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
