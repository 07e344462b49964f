/* answer.c: routes a whole request, checks the key and the body's form, and has the answer made in memory. */
#include "dialect.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* '*' is one segment of the path, or the part of one before what follows it; longer forms stand before shorter ones. */
static const struct {
    const char *path, *method;
    leat_i_mock_route route;
    const leat_i_mock_dialect *dialect;
} routes[] = {
    { "/v1/chat/completions", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_openai },
    { "/v1/completions", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_completions },
    { "/v1/embeddings", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_openai },
    { "/v1/responses", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_responses },
    { "/v1/messages", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_anthropic },
    { "/v1/models", "GET", LEAT_I_MOCK_ROUTE_MODELS, &leat_i_mock_openai },
    { "/openai/deployments/*/chat/completions", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_azure },
    { "/openai/deployments/*/embeddings", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_azure },
    { "/openai/responses", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_azure_responses },
    { "/openai/v1/responses", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_azure_responses },
    { "/openai/v1/chat/completions", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_azure },
    { "/openai/v1/embeddings", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_azure },
    { "/v1beta/models/*:generateContent", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_gemini },
    { "/v1beta/models/*:streamGenerateContent", "POST", LEAT_I_MOCK_ROUTE_CHAT_STREAM, &leat_i_mock_gemini },
    { "/v1beta/models/*:embedContent", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_gemini },
    { "/v1beta/models/*:batchEmbedContents", "POST", LEAT_I_MOCK_ROUTE_EMBED_MANY, &leat_i_mock_gemini },
    { "/v1/models/*:generateContent", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_gemini },
    { "/v1/models/*:streamGenerateContent", "POST", LEAT_I_MOCK_ROUTE_CHAT_STREAM, &leat_i_mock_gemini },
    { "/v1/models/*:embedContent", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_gemini },
    { "/v1/models/*:batchEmbedContents", "POST", LEAT_I_MOCK_ROUTE_EMBED_MANY, &leat_i_mock_gemini },
    { "/v1/models/*", "GET", LEAT_I_MOCK_ROUTE_MODEL, &leat_i_mock_openai },
    { "/api/chat", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_ollama },
    { "/api/generate", "POST", LEAT_I_MOCK_ROUTE_CHAT, &leat_i_mock_generate },
    { "/api/embed", "POST", LEAT_I_MOCK_ROUTE_EMBED, &leat_i_mock_ollama },
    { "/health", "GET", LEAT_I_MOCK_ROUTE_HEALTH, &leat_i_mock_openai },
    { "/stats", "GET", LEAT_I_MOCK_ROUTE_STATS, &leat_i_mock_openai },
};

static bool path_fits(const char *wanted, const char *path)
{
    const char *star = strchr(wanted, '*');
    if (!star) return strcmp(wanted, path) == 0;
    size_t before = (size_t)(star - wanted), after = strlen(star + 1), size = strlen(path);
    return size > before + after && memcmp(path, wanted, before) == 0 && strcmp(path + size - after, star + 1) == 0 &&
           !memchr(path + before, '/', size - before - after);
}

static bool method_fits(const char *wanted, const char *method)
{
    return strcmp(method, wanted) == 0 || (strcmp(wanted, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Finds the route; a wrong path or method is answered here. */
static bool request_route(leat_i_mock_request *r, const char *method, const char *url)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_fits(routes[i].path, url)) continue;
        r->dialect = routes[i].dialect;
        r->route = routes[i].route;
        r->names_model = strchr(routes[i].path, '*') != NULL;
        r->needs_version = strncmp(routes[i].path, "/openai/", 8) == 0 && strncmp(routes[i].path + 8, "v1/", 3) != 0;
        if (method_fits(routes[i].method, method)) return true;
        r->route = LEAT_I_MOCK_ROUTE_NONE; /* it counts, whatever it was meant for */
        leat_i_mock_fail(r, 405, "invalid_request_error", NULL, "method_not_supported", "Not allowed to %.16s on %s.",
                         method, url);
        r->allow = routes[i].method;
        return false;
    }
    leat_i_mock_fail(r, 404, "invalid_request_error", NULL, "unknown_url", "Unknown request URL: %.16s %.200s.", method,
                     url);
    return false;
}

/* The key: in the dialect's own header, in the query (Gemini), or as a bearer. NULL = none. */
static const char *key_of(const leat_i_mock_request *r)
{
    const char *own = r->dialect->key_header;
    const char *value = own ? MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, own) : NULL;
    if (value && *value) return value;
    value =
        r->dialect == &leat_i_mock_gemini ? MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "key") : NULL;
    if (value && *value) return value;
    value = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Authorization");
    if (!value || strncasecmp(value, "Bearer ", 7) != 0) return NULL;
    value += 7;
    while (*value == ' ')
        value++;
    return *value ? value : NULL;
}

/* Reads the key and, when the endpoint has one of its own, compares. Keys are only ever kept as hashes. */
static bool request_key(leat_i_mock_request *r)
{
    const leat_mock *m = leat_i_mock_of(r);
    const char *key = key_of(r);
    r->key_hash = key ? XXH3_64bits(key, strlen(key)) : 0;
    if (!m->key || r->route == LEAT_I_MOCK_ROUTE_HEALTH || r->route == LEAT_I_MOCK_ROUTE_STATS) return true;
    if (r->key_hash == m->key_hash && key) return true;
    r->decision = "unauthorized";
    if (!key) {
        leat_i_mock_fail(r, 401, "invalid_request_error", NULL, NULL, "You didn't provide an API key. Give it in %s.",
                         r->dialect->key_header ? r->dialect->key_header : "an Authorization header using Bearer auth");
        return false;
    }
    leat_i_mock_fail(r, 401, "invalid_request_error", NULL, "invalid_api_key", "Incorrect API key provided.");
    return false;
}

static const char *const models[] = { LEAT_I_MOCK_MODEL, LEAT_I_MOCK_EMBED_MODEL };

static void model_put(leat_i_mock_request *r, const char *model)
{
    leat_i_buf_printf(&r->out, "{\"id\":\"%s\",\"object\":\"model\",\"created\":0,\"owned_by\":\"leat\"}", model);
}

static void answer_models(leat_i_mock_request *r)
{
    r->status = 200;
    leat_i_buf_puts(&r->out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < 2; i++) {
        if (i) leat_i_buf_puts(&r->out, ",");
        model_put(r, models[i]);
    }
    leat_i_buf_puts(&r->out, "]}");
}

static void answer_model(leat_i_mock_request *r, const char *url)
{
    const char *name = strrchr(url, '/') + 1;
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, models[i]) != 0) continue;
        r->status = 200;
        model_put(r, models[i]);
        return;
    }
    leat_i_mock_fail(r, 404, "invalid_request_error", "model", "model_not_found", "The model '%.200s' does not exist.",
                     name);
}

static void answer_stats(leat_i_mock_request *r)
{
    leat_mock_stats s;
    leat_i_mock_stats_read(leat_i_mock_of(r), &s);
    r->status = 200;
    leat_i_buf_printf(
        &r->out,
        "{\"requests\":%llu,\"answered\":%llu,\"refused_429\":%llu,\"refused_503\":%llu,\"errors\":%llu,\"cut\":%llu,"
        "\"window_max\":%llu,\"in_flight_peak\":%u,\"in_flight\":%u,\"connections\":%u,\"log_lost\":%llu}",
        (unsigned long long)s.requests, (unsigned long long)s.answered, (unsigned long long)s.refused_429,
        (unsigned long long)s.refused_503, (unsigned long long)s.errors, (unsigned long long)s.cut,
        (unsigned long long)s.window_max, s.in_flight_peak, s.in_flight, s.connections, (unsigned long long)s.log_lost);
}

static void answer_json(leat_i_mock_request *r)
{
    size_t error_at = 0;
    leat_i_json body = leat_i_json_parse(r->body.data ? r->body.data : "", r->body.size, &error_at);
    if (body.lone) {
        leat_i_mock_fail(r, 400, "invalid_request_error", NULL, NULL,
                         "We could not parse the JSON body of your request: it has half of a surrogate pair.");
    } else if (body.type == LEAT_I_JSON_NONE) {
        leat_i_mock_fail(r, 400, "invalid_request_error", NULL, NULL,
                         "We could not parse the JSON body of your request (byte %zu). The API expects a JSON payload.",
                         error_at);
    } else if (body.type != LEAT_I_JSON_OBJECT) {
        leat_i_mock_fail(r, 400, "invalid_request_error", NULL, NULL, "The JSON body must be an object, but got %s instead.",
                         leat_i_mock_json_kind(body));
    } else if (r->route == LEAT_I_MOCK_ROUTE_EMBED || r->route == LEAT_I_MOCK_ROUTE_EMBED_MANY) {
        leat_i_mock_embed(r, body);
    } else {
        leat_i_mock_chat(r, body);
    }
}

static void answer_make(leat_i_mock_request *r, const char *method, const char *url)
{
    if (!request_route(r, method, url) || !request_key(r)) return;
    if (r->dialect->check && !r->dialect->check(r)) return;
    if (r->too_large) {
        leat_i_mock_fail(r, 413, "invalid_request_error", NULL, "request_too_large",
                         "The request is larger than this endpoint's limit of %zu bytes.",
                         leat_i_mock_of(r)->opts.body_bytes_max);
    } else if (r->no_memory) {
        leat_i_mock_fail_memory(r);
    } else if (r->route == LEAT_I_MOCK_ROUTE_MODELS) {
        answer_models(r);
    } else if (r->route == LEAT_I_MOCK_ROUTE_MODEL) {
        answer_model(r, url);
    } else if (r->route == LEAT_I_MOCK_ROUTE_STATS) {
        answer_stats(r);
    } else if (r->route == LEAT_I_MOCK_ROUTE_HEALTH) {
        r->status = 200;
        leat_i_buf_puts(&r->out, "{\"status\":\"ok\",\"model\":\"" LEAT_I_MOCK_MODEL "\"}");
    } else {
        answer_json(r);
    }
}

static const char *decision_name(const leat_i_mock_request *r)
{
    if (r->decision) return r->decision;
    switch (r->status) {
    case 200:
        return r->admitted ? "accepted" : "served";
    case 404:
    case 405:
        return "not_found";
    case 413:
        return "too_large";
    default:
        return r->status < 500 ? "invalid" : "failed";
    }
}

/* What became of the answer. */
static const char *end_name(const leat_i_mock_request *r, enum MHD_RequestTerminationCode why)
{
    if (r->was_cut) return "cut";
    switch (why) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        return "sent";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return "stopped";
    default:
        return r->wire == LEAT_I_MOCK_WIRE_RAW ? "sent" : "gone";
    }
}

void leat_i_mock_log_end(leat_i_mock_request *r, enum MHD_RequestTerminationCode why)
{
    leat_mock *m = leat_i_mock_of(r);
    if (m->log.fd < 0 || !r->is_logged) return;
    int64_t now_ns = leat_i_os_now_ns();
    leat_i_mock_log_line line = {
        .time_ns = r->start_ns - m->start_ns,
        .wall_ns = m->start_wall_ns + (r->start_ns - m->start_ns),
        .took_ns = now_ns - r->start_ns,
        .id = leat_i_mock_id(r),
        .key_hash = r->key_hash,
        .body_hash = r->body_hash,
        .tokens = r->tokens,
        .tokens_in = r->tokens_in,
        .decision = decision_name(r),
        .dialect = r->dialect->name,
        .fault = r->order ? leat_i_mock_fault_name(r->order->fault) : NULL,
        .end = end_name(r, why),
        .status = r->status,
        .in_flight = r->in_flight_then,
    };
    leat_i_mock_log_put(&m->log, &line, now_ns);
    leat_store_relaxed(&m->counters.log_lost, m->log.lost);
}

/* Who watches (health, stats) does not count. */
static void request_count(leat_i_mock_request *r)
{
    leat_i_mock_counters *c = &leat_i_mock_of(r)->counters;
    leat_add_relaxed(&c->requests, 1);
    if (r->status == 429)
        leat_add_relaxed(&c->refused_429, 1);
    else if (leat_i_mock_decided(r, "overloaded"))
        leat_add_relaxed(&c->refused_503, 1);
    else if (r->status >= 400)
        leat_add_relaxed(&c->errors, 1);
}

int64_t leat_i_mock_answer(leat_i_mock_request *r, const char *method, const char *url)
{
    leat_mock *m = leat_i_mock_of(r);
    int64_t delay_ns = 0;
    r->start_ns = leat_i_os_now_ns();
    r->serial = ++m->serial;
    answer_make(r, method, url);
    if (r->out.failed) leat_i_mock_fail_memory(r);
    if (r->admitted) delay_ns = leat_i_mock_fault(r);
    if (r->route == LEAT_I_MOCK_ROUTE_HEALTH || r->route == LEAT_I_MOCK_ROUTE_STATS) return 0;
    request_count(r);
    r->is_logged = true;
    r->in_flight_then = leat_load_relaxed(&m->counters.in_flight);
    if (m->log.fd >= 0 && r->body.size) r->body_hash = XXH3_64bits(r->body.data, r->body.size);
    return delay_ns;
}
