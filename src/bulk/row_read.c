/*
 * row_read.c: reads a row of output back: is it whole, whose is it, and did it fail.
 *
 * With a `leat` object a row proves itself: its sum covers every byte before it, and the tail after the sum has one form only.
 * So key and class are taken from their known places without parsing the body. Without the object the line is parsed whole.
 */
#include "row.h"

#include <string.h>
#include <xxhash.h>

#include "../base/json.h"
#include "hex.h"

#define ROW_HEAD "{\"id\":\"batch_req_"
#define ROW_KEY  "\",\"custom_id\":\""
#define ROW_SUM  ",\"sum\":\""
#define ROW_END  "\"}}"
#define ROW_LEAT ",\"leat\":{\"line\":"
#define ROW_CLS  ",\"class\":\""

enum {
    HEX_BYTES = 16,
    HEAD_BYTES = sizeof ROW_HEAD - 1,
    KEY_AT = sizeof ROW_HEAD - 1 + HEX_BYTES + sizeof ROW_KEY - 2, /* the key's opening quote */
    TAIL_BYTES = sizeof ROW_SUM - 1 + HEX_BYTES + sizeof ROW_END - 1,
    LEAT_BYTES_MAX = 512, /* of the `leat` object before its sum: nine numbers and a class */
};

/* The string that starts at `at` with its opening quote; NONE when it does not end before `end`. */
static leat_i_json string_at(const char *at, const char *end)
{
    bool escaped = false;
    for (const char *p = at + 1; p < end; p++) {
        if (*p == '"')
            return (leat_i_json){ .type = LEAT_I_JSON_STRING, .escaped = escaped, .at = at, .size = (size_t)(p + 1 - at) };
        if (*p == '\\') {
            escaped = true;
            p++;
        }
    }
    return (leat_i_json){ .type = LEAT_I_JSON_NONE };
}

static leat_i_row_state facts_key(leat_i_json string, leat_i_arena *arena, leat_i_row_facts *facts)
{
    facts->key = leat_i_json_text(string, arena, &facts->key_bytes);
    return facts->key ? LEAT_I_ROW_GOOD : LEAT_I_ROW_NOMEM;
}

/* 32 bits of an id of leat's form. */
static void facts_check(leat_i_row_facts *facts, const char *hex)
{
    uint64_t id = 0;
    facts->check = leat_i_hex_get(hex, &id) ? (uint32_t)id : 0;
}

static void facts_class(leat_i_row_facts *facts, const char *name, size_t size)
{
    if (size >= sizeof facts->cls) size = sizeof facts->cls - 1;
    memcpy(facts->cls, name, size);
    facts->cls[size] = 0;
    facts->failed = strcmp(facts->cls, leat_class_name(LEAT_CLASS_OK)) != 0 &&
                    strcmp(facts->cls, leat_class_name(LEAT_CLASS_LENGTH)) != 0;
}

/* The class in the `leat` object, which is the last thing before the sum at `end`. */
static bool class_find(const char *line, const char *end, leat_i_row_facts *facts)
{
    const char *from = end - line > LEAT_BYTES_MAX ? end - LEAT_BYTES_MAX : line;
    const char *leat = NULL;
    for (const char *p = from; (p = memmem(p, (size_t)(end - p), ROW_LEAT, sizeof ROW_LEAT - 1)) != NULL; p++)
        leat = p;
    if (!leat) return false;
    const char *cls = memmem(leat, (size_t)(end - leat), ROW_CLS, sizeof ROW_CLS - 1);
    if (!cls) return false;
    cls += sizeof ROW_CLS - 1;
    const char *close = memchr(cls, '"', (size_t)(end - cls));
    if (!close) return false;
    facts_class(facts, cls, (size_t)(close - cls));
    return true;
}

static leat_i_row_state read_summed(const char *line, size_t size, leat_i_arena *arena, leat_i_row_facts *facts)
{
    if (size < (size_t)KEY_AT + TAIL_BYTES) return LEAT_I_ROW_FOREIGN;
    const char *tail = line + size - TAIL_BYTES;
    uint64_t sum = 0;
    bool tail_is_ours = memcmp(tail, ROW_SUM, sizeof ROW_SUM - 1) == 0 && leat_i_hex_get(tail + sizeof ROW_SUM - 1, &sum) &&
                        memcmp(line + size - (sizeof ROW_END - 1), ROW_END, sizeof ROW_END - 1) == 0;
    bool head_is_ours = memcmp(line, ROW_HEAD, HEAD_BYTES) == 0;
    if (!tail_is_ours) return head_is_ours ? LEAT_I_ROW_DAMAGED : LEAT_I_ROW_FOREIGN;
    if (XXH3_64bits(line, (size_t)(tail - line)) != sum) return LEAT_I_ROW_DAMAGED;
    if (!head_is_ours || memcmp(line + HEAD_BYTES + HEX_BYTES, ROW_KEY, sizeof ROW_KEY - 1) != 0) return LEAT_I_ROW_FOREIGN;
    leat_i_json key = string_at(line + KEY_AT, tail);
    if (key.type == LEAT_I_JSON_NONE || !class_find(line, tail, facts)) return LEAT_I_ROW_FOREIGN;
    facts_check(facts, line + HEAD_BYTES);
    return facts_key(key, arena, facts);
}

/* A row without the `leat` object: OpenAI puts a refusal into the response, vLLM into the error; both count as failed. */
static leat_i_row_state read_plain(const char *line, size_t size, leat_i_arena *arena, leat_i_row_facts *facts)
{
    static const char *const keys[] = { "custom_id", "response", "error" };
    leat_i_json row = leat_i_json_parse(line, size, NULL), v[3];
    if (row.type != LEAT_I_JSON_OBJECT) return leat_i_row_begins(line, size) ? LEAT_I_ROW_DAMAGED : LEAT_I_ROW_FOREIGN;
    leat_i_json_get_many(row, keys, v, 3);
    if (v[0].type != LEAT_I_JSON_STRING || v[1].type == LEAT_I_JSON_NONE) return LEAT_I_ROW_FOREIGN;
    uint64_t status = 0;
    facts_class(facts, "ok", 2);
    if (v[2].type == LEAT_I_JSON_OBJECT) {
        size_t bytes = 0;
        leat_i_json code = leat_i_json_get(v[2], "code");
        const char *name = code.type == LEAT_I_JSON_STRING ? leat_i_json_text(code, arena, &bytes) : "failed";
        if (!name) return LEAT_I_ROW_NOMEM;
        facts_class(facts, name, strlen(name));
        facts->failed = true;
    } else if (leat_i_json_u64(leat_i_json_get(v[1], "status_code"), &status) && status >= 400) {
        facts_class(facts, leat_class_name(LEAT_CLASS_REJECTED), strlen(leat_class_name(LEAT_CLASS_REJECTED)));
    }
    if (leat_i_row_begins(line, size)) facts_check(facts, line + HEAD_BYTES);
    return facts_key(v[0], arena, facts);
}

bool leat_i_row_begins(const char *line, size_t size)
{
    static const char form[] = ROW_HEAD "0000000000000000" ROW_KEY;
    _Static_assert(sizeof form - 1 == LEAT_I_ROW_BEGIN_BYTES && (int)LEAT_I_ROW_BEGIN_BYTES == (int)KEY_AT + 1,
                   "up to the key");
    for (size_t i = 0; i < size && i < LEAT_I_ROW_BEGIN_BYTES; i++) {
        bool digit = i >= HEAD_BYTES && i < HEAD_BYTES + HEX_BYTES;
        if (digit ? !line[i] || !strchr("0123456789abcdef", line[i]) : line[i] != form[i]) return false;
    }
    return true;
}

leat_i_row_state leat_i_row_read(const char *line, size_t size, bool extras, leat_i_arena *arena, leat_i_row_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    return extras ? read_summed(line, size, arena, facts) : read_plain(line, size, arena, facts);
}
