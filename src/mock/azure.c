/*
 * azure.c: the Azure form of OpenAI's API: paths with a deployment and an api-version, the header api-key, errors whose code is the
 * status, and headers of limits that count whole seconds.
 */
#include <stdio.h>
#include <string.h>

#include "dialect.h"

/* A path with a deployment needs the version in its query; that of the newer form (/openai/v1/) needs none. */
static bool version_check(leat_i_mock_request *r)
{
    const char *version = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "api-version");
    if (!r->needs_version || (version && *version)) return true;
    leat_i_mock_fail(r, 404, NULL, NULL, "404", "Resource not found");
    return false;
}

/* A prompt that was filtered has the reason one level deeper. */
static void filtered_put(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    leat_i_buf_puts(&r->out, "{\"error\":{\"message\":");
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_puts(&r->out, ",\"type\":null,\"param\":\"prompt\",\"code\":\"content_filter\",\"status\":400,"
                             "\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{"
                             "\"violence\":{\"filtered\":true,\"severity\":\"medium\"}}}}}");
}

static void azure_fail(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    char code[8];
    if (f->code && strcmp(f->code, "content_filter") == 0) {
        filtered_put(r, f);
        return;
    }
    /* What the service in front of the model refuses has the status as its code; what the model's API refuses has OpenAI's form. */
    if (f->status != 429 && f->status != 401 && f->status != 404) {
        leat_i_mock_openai_fail(r, f);
        return;
    }
    snprintf(code, sizeof code, "%d", f->status);
    leat_i_buf_printf(&r->out, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    leat_i_json_put_string(&r->out, f->message, strlen(f->message));
    leat_i_buf_puts(&r->out, "}}");
}

static void put_seconds(char *text, size_t room, int64_t ns)
{
    snprintf(text, room, "%lld", (long long)((ns + LEAT_I_NS_PER_S - 1) / LEAT_I_NS_PER_S));
}

static void add_limits(struct MHD_Response *response, const leat_i_mock_request *r)
{
    leat_i_mock_add_x_ratelimit(response, r, put_seconds);
}

/* What both paths have. */
#define AZURE                                                                                                             \
    .name = "azure", .key_header = "api-key", .id_header = "apim-request-id", .check = version_check, .fail = azure_fail, \
    .add_limits = add_limits, .add_retry = leat_i_mock_openai_add_retry

const leat_i_mock_dialect leat_i_mock_azure = {
    AZURE,
    .take = leat_i_mock_openai_take,
    .put = leat_i_mock_openai_put,
    .stream = leat_i_mock_openai_stream,
    .embed = &leat_i_mock_embed_openai,
};

const leat_i_mock_dialect leat_i_mock_azure_responses = {
    AZURE,
    .take = leat_i_mock_responses_take,
    .put = leat_i_mock_responses_put,
    .stream = leat_i_mock_responses_stream,
};
