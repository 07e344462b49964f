/*
 * fuzz_batch_line.c: a line of batch input, or a document with an id. What is called good has a key, a path that stays below the endpoint, and a body that
 * is a part of the line; what is not has a sentence.
 */
#include "fuzz.h"

#include "bulk/batch_line.h"

static bool inside(const char *body, size_t bytes, const char *line, size_t size)
{
    return body >= line && body + bytes <= line + size;
}

static void check_good(const leat_i_batch_line *l, const char *line, size_t size)
{
    HOLDS(inside(l->body, l->body_bytes, line, size));
    HOLDS(leat_i_json_parse(l->body, l->body_bytes, NULL).type == LEAT_I_JSON_OBJECT);
    HOLDS(!l->facts.stream);
}

static void check_key(const leat_i_batch_line *l)
{
    if (!l->key) return;
    HOLDS(l->key_bytes > 0 && l->key_bytes <= LEAT_I_KEY_BYTES_MAX && strlen(l->key) == l->key_bytes);
    HOLDS(leat_i_utf8_valid(l->key, l->key_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    leat_i_arena arena = { 0 };
    leat_i_batch_line l;
    HOLDS(leat_i_batch_line_parse(line, size, &arena, &l));
    HOLDS(memchr(l.why, 0, sizeof l.why) && leat_i_utf8_valid(l.why, strlen(l.why)));
    check_key(&l);
    if (!l.why[0]) {
        HOLDS(l.key && l.url && l.url[0] == '/' && strlen(l.url) <= LEAT_I_URL_BYTES_MAX && !strpbrk(l.url, " \r\n\t#\\"));
        check_good(&l, line, size);
    }
    leat_i_body_line_parse(line, size, &l);
    HOLDS(!l.key && !l.url);
    if (!l.why[0]) check_good(&l, line, size);
    HOLDS(leat_i_document_line_parse(line, size, "body.custom_id", &arena, &l));
    HOLDS(memchr(l.why, 0, sizeof l.why) && !l.url && !l.body && !l.key == (l.why[0] != 0));
    check_key(&l);
    leat_i_arena_fini(&arena);
    return 0;
}
