/*
 * batch_line.c: takes a line of OpenAI Batch input apart.
 *
 * The body is not rebuilt: it goes out as it came in. So what the endpoint would refuse, or answer in a way that has no row
 * (a stream), is found here and becomes an error row that names the line.
 */
#include "batch_line.h"

#include <stdio.h>
#include <string.h>

#define LINE_WRONG(out, ...) snprintf((out)->why, sizeof(out)->why, __VA_ARGS__)

static void wrong_json(const char *line, size_t size, size_t at, leat_i_batch_line *out)
{
    if (!leat_i_utf8_valid(line, size))
        LINE_WRONG(out, "not valid UTF-8");
    else
        LINE_WRONG(out, "not valid JSON (byte %zu)", at + 1);
}

static int hex4(const char *p, const char *end)
{
    if (end - p < 4) return -1;
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

/* Tells whether a checked JSON text holds \ud800..\udfff that is no pair: endpoints answer 400 to it. */
static bool surrogate_is_alone(const char *p, size_t size)
{
    const char *end = p + size;
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL && end - p >= 2) {
        if (p[1] != 'u') {
            p += 2;
            continue;
        }
        int v = hex4(p + 2, end);
        p += 6;
        if (v < 0xd800 || v > 0xdfff) continue;
        int low = v < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff) return true;
        p += 6;
    }
    return false;
}

static void body_check(leat_i_json body, leat_i_json stream, leat_i_batch_line *out)
{
    if (body.type != LEAT_I_JSON_OBJECT) {
        LINE_WRONG(out, body.type == LEAT_I_JSON_NONE ? "body is missing" : "body is not an object");
        return;
    }
    out->body = body.at;
    out->body_bytes = body.size;
    if (stream.type == LEAT_I_JSON_TRUE)
        LINE_WRONG(out, "body has \"stream\":true, which has no place in a batch");
    else if (surrogate_is_alone(body.at, body.size))
        LINE_WRONG(out, "body holds half of a surrogate pair (\\ud800 to \\udfff alone)");
}

/* A path below the endpoint's own URL: nothing in it may change host, scheme or header. */
static bool url_is_usable(const char *url, size_t size)
{
    if (size == 0 || size > LEAT_I_URL_BYTES_MAX || url[0] != '/' || url[1] == '/') return false;
    for (size_t i = 0; i < size; i++)
        if (url[i] <= ' ' || url[i] == 0x7f || url[i] == '\\' || url[i] == '#' || (unsigned char)url[i] >= 0x80)
            return false;
    return strstr(url, "/../") == NULL;
}

static bool url_check(leat_i_json url, leat_i_arena *arena, leat_i_batch_line *out)
{
    if (url.type != LEAT_I_JSON_STRING) {
        LINE_WRONG(out, url.type == LEAT_I_JSON_NONE ? "url is missing" : "url is not a string");
        return true;
    }
    size_t size = 0;
    const char *text = leat_i_json_text(url, arena, &size);
    if (!text) return false;
    if (!url_is_usable(text, size))
        LINE_WRONG(out, "url is not a path such as /v1/chat/completions");
    else
        out->url = text;
    return true;
}

static bool key_check(leat_i_json id, leat_i_arena *arena, leat_i_batch_line *out)
{
    if (id.type != LEAT_I_JSON_STRING) {
        LINE_WRONG(out, id.type == LEAT_I_JSON_NONE ? "custom_id is missing" : "custom_id is not a string");
        return true;
    }
    size_t size = 0;
    const char *text = leat_i_json_text(id, arena, &size);
    if (!text) return false;
    if (size == 0)
        LINE_WRONG(out, "custom_id is empty");
    else if (size > LEAT_I_KEY_BYTES_MAX)
        LINE_WRONG(out, "custom_id is longer than %d bytes", LEAT_I_KEY_BYTES_MAX);
    else if (memchr(text, 0, size))
        LINE_WRONG(out, "custom_id holds a NUL character");
    else if (surrogate_is_alone(id.at, id.size))
        LINE_WRONG(out, "custom_id holds half of a surrogate pair");
    else {
        out->key = text;
        out->key_bytes = size;
    }
    return true;
}

bool leat_i_batch_line_parse(const char *line, size_t size, leat_i_arena *arena, leat_i_batch_line *out)
{
    enum { IN_ID, IN_METHOD, IN_URL, IN_BODY, IN_STREAM, IN_COUNT };
    static const leat_i_json_pick picks[IN_COUNT] = {
        { -1, "custom_id" }, { -1, "method" }, { -1, "url" }, { -1, "body" }, { IN_BODY, "stream" },
    };
    memset(out, 0, sizeof *out);
    size_t error_at = 0;
    leat_i_json v[IN_COUNT], whole = leat_i_json_parse_pick(line, size, picks, IN_COUNT, v, &error_at);
    if (whole.type == LEAT_I_JSON_NONE) {
        wrong_json(line, size, error_at, out);
        return true;
    }
    if (whole.type != LEAT_I_JSON_OBJECT) {
        LINE_WRONG(out, "not a JSON object");
        return true;
    }
    /* In the order of importance: the first thing that is wrong is the one that is told. */
    if (!key_check(v[IN_ID], arena, out)) return false;
    if (out->why[0]) return true;
    if (!leat_i_json_str_eq(v[IN_METHOD], "POST")) {
        LINE_WRONG(out, v[IN_METHOD].type == LEAT_I_JSON_NONE ? "method is missing" : "method is not \"POST\"");
        return true;
    }
    if (!url_check(v[IN_URL], arena, out)) return false;
    if (!out->why[0]) body_check(v[IN_BODY], v[IN_STREAM], out);
    return true;
}

void leat_i_body_line_parse(const char *line, size_t size, leat_i_batch_line *out)
{
    memset(out, 0, sizeof *out);
    size_t error_at = 0;
    static const leat_i_json_pick pick = { -1, "stream" };
    leat_i_json stream, whole = leat_i_json_parse_pick(line, size, &pick, 1, &stream, &error_at);
    if (whole.type == LEAT_I_JSON_NONE)
        wrong_json(line, size, error_at, out);
    else if (whole.type != LEAT_I_JSON_OBJECT)
        LINE_WRONG(out, "not a JSON object");
    else
        body_check(whole, stream, out);
}
