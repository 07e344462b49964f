/*
 * batch_line.c: takes a line of OpenAI Batch input apart, and finds the id of a document's line.
 *
 * The body is not rebuilt: it goes out as it came in. So what the endpoint would refuse, or answer in a way that has no row
 * (a stream), is found here and becomes an error row that names the line.
 */
#include "batch_line.h"

#include <stdio.h>
#include <string.h>

#include "template.h"

#define LINE_WRONG(out, ...) snprintf((out)->why, sizeof(out)->why, __VA_ARGS__)

static void wrong_json(const char *line, size_t size, size_t at, leat_i_batch_line *out)
{
    if (!leat_i_utf8_valid(line, size))
        LINE_WRONG(out, "not valid UTF-8");
    else
        LINE_WRONG(out, "not valid JSON (byte %zu)", at + 1);
}

/* What is looked at in a body, beside the parts of the line around it; `parent` is where the body stands. */
#define BODY_PICKS(parent)                                                               \
    { parent, "stream" }, { parent, "max_tokens" }, { parent, "max_completion_tokens" }, \
    {                                                                                    \
        parent, "max_output_tokens"                                                      \
    }
enum { BODY_PICK_COUNT = 4 };

static void body_check(leat_i_json body, const leat_i_json *picked, bool lone, leat_i_batch_line *out)
{
    if (body.type != LEAT_I_JSON_OBJECT) {
        LINE_WRONG(out, body.type == LEAT_I_JSON_NONE ? "body is missing" : "body is not an object");
        return;
    }
    out->body = body.at;
    out->body_bytes = body.size;
    out->facts = leat_i_request_facts_of(picked);
    if (out->facts.stream)
        LINE_WRONG(out, "body has \"stream\":true, which has no place in a batch");
    else if (lone)
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

/* The line holds half a pair somewhere: in this string? */
static bool text_has_half(leat_i_json string)
{
    return leat_i_json_parse(string.at, string.size, NULL).lone;
}

/* The string `id`, which messages call `name`, becomes the line's key if it can be one. */
static bool key_take(leat_i_json id, const char *name, bool lone, leat_i_arena *arena, leat_i_batch_line *out)
{
    size_t size = 0;
    const char *text = leat_i_json_text(id, arena, &size);
    if (!text) return false;
    if (size == 0)
        LINE_WRONG(out, "%s is empty", name);
    else if (size > LEAT_I_KEY_BYTES_MAX)
        LINE_WRONG(out, "%s is longer than %d bytes", name, LEAT_I_KEY_BYTES_MAX);
    else if (memchr(text, 0, size))
        LINE_WRONG(out, "%s holds a NUL character", name);
    else if (lone && text_has_half(id))
        LINE_WRONG(out, "%s holds half of a surrogate pair", name);
    else {
        out->key = text;
        out->key_bytes = size;
    }
    return true;
}

static bool custom_id_check(leat_i_json id, bool lone, leat_i_arena *arena, leat_i_batch_line *out)
{
    if (id.type == LEAT_I_JSON_STRING) return key_take(id, "custom_id", lone, arena, out);
    LINE_WRONG(out, id.type == LEAT_I_JSON_NONE ? "custom_id is missing" : "custom_id is not a string");
    return true;
}

/* false = the line is no JSON object, and `out` says so. */
static bool object_check(leat_i_json whole, const char *line, size_t size, size_t error_at, leat_i_batch_line *out)
{
    if (whole.type == LEAT_I_JSON_NONE)
        wrong_json(line, size, error_at, out);
    else if (whole.type != LEAT_I_JSON_OBJECT)
        LINE_WRONG(out, "not a JSON object");
    return whole.type == LEAT_I_JSON_OBJECT;
}

bool leat_i_batch_line_parse(const char *line, size_t size, leat_i_arena *arena, leat_i_batch_line *out)
{
    enum { IN_ID, IN_METHOD, IN_URL, IN_BODY, IN_BODY_PICKS, IN_COUNT = IN_BODY_PICKS + BODY_PICK_COUNT };
    static const leat_i_json_pick picks[IN_COUNT] = {
        { -1, "custom_id" }, { -1, "method" }, { -1, "url" }, { -1, "body" }, BODY_PICKS(IN_BODY),
    };
    memset(out, 0, sizeof *out);
    size_t error_at = 0;
    leat_i_json v[IN_COUNT], whole = leat_i_json_parse_pick(line, size, picks, IN_COUNT, v, &error_at);
    if (!object_check(whole, line, size, error_at, out)) return true;
    /* In the order of importance: the first thing that is wrong is the one that is told. */
    if (!custom_id_check(v[IN_ID], whole.lone, arena, out)) return false;
    if (out->why[0]) return true;
    /* There is no other method, so a line may leave it out. */
    if (v[IN_METHOD].type != LEAT_I_JSON_NONE && !leat_i_json_str_eq(v[IN_METHOD], "POST")) {
        LINE_WRONG(out, "method is not \"POST\"");
        return true;
    }
    if (!url_check(v[IN_URL], arena, out)) return false;
    if (!out->why[0]) body_check(v[IN_BODY], v + IN_BODY_PICKS, whole.lone, out);
    return true;
}

void leat_i_body_line_parse(const char *line, size_t size, leat_i_batch_line *out)
{
    memset(out, 0, sizeof *out);
    size_t error_at = 0;
    static const leat_i_json_pick picks[BODY_PICK_COUNT] = { BODY_PICKS(-1) };
    leat_i_json v[BODY_PICK_COUNT], whole = leat_i_json_parse_pick(line, size, picks, BODY_PICK_COUNT, v, &error_at);
    if (object_check(whole, line, size, error_at, out)) body_check(whole, v, whole.lone, out);
}

/* Data sets number their documents, so a number will do; its text is the key. */
static bool number_take(leat_i_json id, const char *name, leat_i_arena *arena, leat_i_batch_line *out)
{
    if (id.size > LEAT_I_KEY_BYTES_MAX) {
        LINE_WRONG(out, "%s is longer than %d bytes", name, LEAT_I_KEY_BYTES_MAX);
        return true;
    }
    out->key = leat_i_arena_strndup(arena, id.at, id.size);
    out->key_bytes = id.size;
    return out->key != NULL;
}

bool leat_i_document_line_parse(const char *line, size_t size, const char *id_field, leat_i_arena *arena,
                                leat_i_batch_line *out)
{
    memset(out, 0, sizeof *out);
    size_t error_at = 0;
    leat_i_json whole = leat_i_json_parse(line, size, &error_at);
    if (!object_check(whole, line, size, error_at, out)) return true;
    char name[100];
    snprintf(name, sizeof name, "the id field \"%.60s\"", id_field);
    leat_i_json id = leat_i_template_field(whole, id_field);
    if (id.type == LEAT_I_JSON_STRING) return key_take(id, name, whole.lone, arena, out);
    if (id.type == LEAT_I_JSON_NUMBER) return number_take(id, name, arena, out);
    /* What is null is as good as absent, as in templates. */
    bool absent = id.type == LEAT_I_JSON_NONE || id.type == LEAT_I_JSON_NULL;
    LINE_WRONG(out, absent ? "%s is missing" : "%s is neither text nor a number", name);
    return true;
}
