/*
 * fuzz_row.c: rows of output, read when a run goes on. Any bytes may stand there. A row that leat wrote is read back as it was
 * meant, and no change of it is taken for a good row.
 */
#include "fuzz.h"

#include "base/json.h"
#include "bulk/row.h"

static void read_any(const char *line, size_t size, bool extras, leat_i_arena *arena)
{
    leat_i_row_facts facts;
    leat_i_row_state state = leat_i_row_read(line, size, extras, arena, &facts);
    HOLDS(state != LEAT_I_ROW_NOMEM);
    HOLDS(memchr(facts.cls, 0, sizeof facts.cls));
    if (state == LEAT_I_ROW_GOOD) HOLDS(facts.key && facts.key[facts.key_bytes] == 0 && facts.cls[0]);
}

/* The document that the input makes: its key, class, body and message. */
static void doc_make(fuzz_bytes *in, leat_doc *doc, char **key, char **message)
{
    memset(doc, 0, sizeof *doc);
    doc->reply.cls = (leat_class)(fuzz_byte(in) % (LEAT_CLASS_USER + 1));
    doc->reply.http_status = fuzz_byte(in) * 3;
    doc->reply.ttft_ms = (int64_t)fuzz_byte(in) - 1;
    doc->line = fuzz_byte(in);
    doc->key = *key = fuzz_text(in);
    *message = fuzz_text(in);
    snprintf(doc->reply.message, sizeof doc->reply.message, "%s", *message);
    leat_i_json body = leat_i_json_parse((const char *)in->at, in->size, NULL);
    if (body.type && !body.spaced) {
        doc->reply.body = body.at;
        doc->reply.body_bytes = body.size;
    }
}

static void check_row(const leat_doc *doc, bool extras, size_t flip, leat_i_arena *arena)
{
    leat_i_buf b = { 0 };
    leat_i_row_facts facts;
    HOLDS(leat_i_row_put(&b, doc, flip, extras) && b.data[b.size - 1] == '\n' &&
          memchr(b.data, '\n', b.size) == b.data + b.size - 1);
    HOLDS(leat_i_json_parse(b.data, b.size, NULL).type == LEAT_I_JSON_OBJECT);
    HOLDS(leat_i_row_read(b.data, b.size - 1, extras, arena, &facts) == LEAT_I_ROW_GOOD);
    if (leat_i_utf8_valid(doc->key, strlen(doc->key))) HOLDS(strcmp(facts.key, doc->key) == 0);
    if (extras) {
        HOLDS(strcmp(facts.cls, leat_class_name(doc->reply.cls)) == 0);
        HOLDS(facts.failed == (doc->reply.cls != LEAT_CLASS_OK && doc->reply.cls != LEAT_CLASS_LENGTH));
        b.data[flip % (b.size - 1)] ^= (char)(1 << flip % 8);
        HOLDS(leat_i_row_read(b.data, b.size - 1, true, arena, &facts) != LEAT_I_ROW_GOOD);
    }
    leat_i_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    leat_i_arena arena = { 0 };
    read_any((const char *)data, size, true, &arena);
    read_any((const char *)data, size, false, &arena);
    fuzz_bytes in = { data, size };
    size_t flip = fuzz_byte(&in) * 17u + fuzz_byte(&in);
    leat_doc doc;
    char *key, *message;
    doc_make(&in, &doc, &key, &message);
    check_row(&doc, true, flip, &arena);
    check_row(&doc, false, flip, &arena);
    free(key);
    free(message);
    leat_i_arena_fini(&arena);
    return 0;
}
