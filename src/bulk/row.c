/* row.c: writes a row of output. */
#include "row.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "../base/json.h"
#include "../llm/cases.h"
#include "hex.h"

/* Room for all that is neither key, body nor message, with each number at its longest. */
enum { ROW_FIXED_BYTES = 768 };

static bool put_i64(leat_i_buf *b, int64_t v)
{
    if (v < 0 && !leat_i_buf_append(b, "-", 1)) return false;
    return leat_i_buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static bool put_member(leat_i_buf *b, const char *name, uint64_t v)
{
    leat_i_buf_puts(b, name);
    return leat_i_buf_put_u64(b, v);
}

/* In millionths: prices are per million tokens, and no locale has a say. */
static void put_cost(leat_i_buf *b, double cost)
{
    if (cost > 1e12) return;
    uint64_t millionths = (uint64_t)(cost * 1e6 + 0.5);
    char part[8];
    snprintf(part, sizeof part, "%06u", (unsigned)(millionths % 1000000));
    put_member(b, ",\"cost\":", millionths / 1000000);
    leat_i_buf_append(b, ".", 1);
    leat_i_buf_puts(b, part);
}

static void put_response(leat_i_buf *b, const leat_llm_reply *r)
{
    /* A flow that answers by itself reads no reply; its document counts as answered all the same. */
    int status = r->http_status > 0 ? r->http_status : 200;
    const char *id = r->request_id ? r->request_id : "";
    put_member(b, ",\"response\":{\"status_code\":", (uint64_t)status);
    leat_i_buf_puts(b, ",\"request_id\":");
    leat_i_json_put_string(b, id, strlen(id));
    leat_i_buf_puts(b, ",\"body\":");
    if (r->body)
        leat_i_buf_append(b, r->body, r->body_bytes);
    else
        leat_i_buf_puts(b, "null");
    leat_i_buf_puts(b, "},\"error\":null");
}

static void put_error(leat_i_buf *b, const leat_llm_reply *r)
{
    const char *cls = leat_class_name(r->cls);
    leat_i_buf_puts(b, ",\"response\":null,\"error\":{\"code\":");
    leat_i_json_put_string(b, cls, strlen(cls));
    leat_i_buf_puts(b, ",\"message\":");
    leat_i_json_put_string(b, r->message, strnlen(r->message, sizeof r->message));
    leat_i_buf_append(b, "}", 1);
}

static void put_extras(leat_i_buf *b, const leat_doc *doc, size_t row_start)
{
    const leat_llm_reply *r = &doc->reply;
    put_member(b, ",\"leat\":{\"line\":", doc->line);
    put_member(b, ",\"attempts\":", r->attempts);
    put_member(b, ",\"throttles\":", r->throttles);
    leat_i_buf_puts(b, ",\"class\":\"");
    leat_i_buf_puts(b, leat_class_name(r->cls));
    leat_i_buf_puts(b, "\",\"ms\":");
    put_i64(b, r->ms);
    leat_i_buf_puts(b, ",\"ttft_ms\":");
    if (r->ttft_ms < 0)
        leat_i_buf_puts(b, "null");
    else
        put_i64(b, r->ttft_ms);
    put_member(b, ",\"tokens_in\":", r->tokens_in);
    put_member(b, ",\"tokens_out\":", r->tokens_out);
    put_member(b, ",\"tokens_cached\":", r->tokens_cached);
    put_member(b, ",\"tokens_reasoning\":", r->tokens_reasoning);
    if (r->cost > 0) put_cost(b, r->cost);
    leat_i_buf_puts(b, r->estimated ? ",\"estimated\":true" : ",\"estimated\":false");
    put_member(b, ",\"possibly_billed\":", r->possibly_billed);
    if (b->failed) return;
    char hex[17];
    leat_i_hex_put(hex, XXH3_64bits(b->data + row_start, b->size - row_start));
    leat_i_buf_puts(b, ",\"sum\":\"");
    leat_i_buf_append(b, hex, 16);
    leat_i_buf_puts(b, "\"}");
}

uint64_t leat_i_row_text_hash(const char *text, size_t size)
{
    uint64_t h = XXH3_64bits(text, size);
    return h ? h : 1;
}

static uint64_t row_id(const char *key, size_t key_bytes, uint64_t text_hash)
{
    return text_hash ? XXH3_64bits_withSeed(key, key_bytes, text_hash) : XXH3_64bits(key, key_bytes);
}

bool leat_i_row_fits(uint32_t check, const char *key, size_t key_bytes, uint64_t text_hash)
{
    return check == 0 || text_hash == 0 || check == (uint32_t)row_id(key, key_bytes, text_hash) ||
           check == (uint32_t)row_id(key, key_bytes, 0);
}

bool leat_i_row_put(leat_i_buf *b, const leat_doc *doc, uint64_t text_hash, bool extras)
{
    const leat_llm_reply *r = &doc->reply;
    size_t key_bytes = strlen(doc->key), start = b->size;
    /* One growth in place of many: nearly all rows are their body and some hundred bytes. */
    if (!leat_i_buf_grow(b, r->body_bytes + key_bytes + ROW_FIXED_BYTES)) return false;
    char hex[17];
    leat_i_hex_put(hex, row_id(doc->key, key_bytes, text_hash));
    leat_i_buf_puts(b, "{\"id\":\"batch_req_");
    leat_i_buf_append(b, hex, 16);
    leat_i_buf_puts(b, "\",\"custom_id\":");
    leat_i_json_put_string(b, doc->key, key_bytes);
    if (r->body || leat_i_class_is_good(r->cls))
        put_response(b, r);
    else
        put_error(b, r);
    if (extras) put_extras(b, doc, start);
    return leat_i_buf_append(b, "}\n", 2);
}
