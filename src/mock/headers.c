/* headers.c: header values that more than one dialect has. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dialect.h"

void leat_i_mock_add_u64(struct MHD_Response *response, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    (void)MHD_add_response_header(response, name, text);
}

void leat_i_mock_add_lines(struct MHD_Response *response, const char *lines)
{
    char name[64], value[192];
    while (*lines) {
        size_t size = strcspn(lines, "\n"), colon = strcspn(lines, ":");
        snprintf(name, sizeof name, "%.*s", (int)colon, lines);
        snprintf(value, sizeof value, "%.*s", (int)(size - colon - 2), lines + colon + 2);
        (void)MHD_add_response_header(response, name, value);
        lines += size + (lines[size] == '\n');
    }
}

void leat_i_mock_add_retry(struct MHD_Response *response, const leat_i_mock_request *r, bool in_ms)
{
    if (r->retry_text) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, r->retry_text);
    } else if (r->retry_ns >= 0) {
        /* Whole seconds must not promise too early; the other header is exact. */
        leat_i_mock_add_u64(response, MHD_HTTP_HEADER_RETRY_AFTER,
                            (uint64_t)((r->retry_ns + LEAT_I_NS_PER_S - 1) / LEAT_I_NS_PER_S));
        if (in_ms)
            leat_i_mock_add_u64(response, "retry-after-ms",
                                (uint64_t)((r->retry_ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS));
    }
}

void leat_i_mock_put_duration(char *text, size_t room, int64_t ns)
{
    long long ms = (long long)((ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS);
    char seconds[32];
    if (ms < 1000) {
        snprintf(text, room, "%lldms", ms);
        return;
    }
    long long rest = ms % 60000;
    if (rest % 1000)
        snprintf(seconds, sizeof seconds, "%lld.%03llds", rest / 1000, rest % 1000);
    else
        snprintf(seconds, sizeof seconds, "%llds", rest / 1000);
    if (ms >= 60000)
        snprintf(text, room, "%lldm%s", ms / 60000, seconds);
    else
        snprintf(text, room, "%s", seconds);
}

static void add_x_ratelimit(struct MHD_Response *response, const char *what, uint64_t limit, uint64_t left,
                            const char *reset)
{
    char name[48];
    snprintf(name, sizeof name, "x-ratelimit-limit-%s", what);
    leat_i_mock_add_u64(response, name, limit);
    snprintf(name, sizeof name, "x-ratelimit-remaining-%s", what);
    leat_i_mock_add_u64(response, name, left);
    snprintf(name, sizeof name, "x-ratelimit-reset-%s", what);
    (void)MHD_add_response_header(response, name, reset);
}

void leat_i_mock_add_x_ratelimit(struct MHD_Response *response, const leat_i_mock_request *r,
                                 void (*put_reset)(char *text, size_t room, int64_t ns))
{
    const leat_i_mock_limits *l = &r->limits;
    const leat_i_mock_state *s = &r->limit_state;
    char reset[64];
    put_reset(reset, sizeof reset, s->requests_reset_ns);
    if (l->requests) add_x_ratelimit(response, "requests", l->requests, s->requests_left, reset);
    put_reset(reset, sizeof reset, s->tokens_reset_ns);
    if (l->tokens) add_x_ratelimit(response, "tokens", l->tokens, s->tokens_left, reset);
}

void leat_i_mock_put_rfc3339(char *text, size_t room, int64_t wall_ns)
{
    time_t s = (time_t)((wall_ns + LEAT_I_NS_PER_S - 1) / LEAT_I_NS_PER_S);
    struct tm utc;
    if (room > 0) text[0] = '\0';
    if (gmtime_r(&s, &utc)) (void)strftime(text, room, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
