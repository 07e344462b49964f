/*
 * embed.c: POST /v1/embeddings. A vector is the sum of its text's words, each hashed to a place and a sign, of length one: no
 * learned meaning, but the same text gives the same vector, and texts that share words are near each other.
 */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "split.h"
#include "tokens.h"

#define DIMENSIONS_DEFAULT 256
#define DIMENSIONS_MAX     4096
#define INPUTS_MAX         2048

enum { KEY_MODEL, KEY_INPUT, KEY_FORMAT, KEY_DIMENSIONS, KEY_COUNT };

static const char *const keys[KEY_COUNT] = { "model", "input", "encoding_format", "dimensions" };

typedef struct embed_ask {
    leat_i_json *input; /* each a string or an array of token numbers; in the arena */
    size_t count;
    uint64_t dimensions, tokens;
    bool base64;
} embed_ask;

static void vector_add(float *v, uint32_t dimensions, uint32_t hash)
{
    hash *= 2654435761u;
    hash ^= hash >> 15;
    v[(hash >> 1) % dimensions] += hash & 1 ? 1.0f : -1.0f;
}

static void vector_normalise(float *v, uint32_t dimensions)
{
    double sum = 0;
    for (uint32_t i = 0; i < dimensions; i++)
        sum += (double)v[i] * v[i];
    if (sum == 0) {
        v[0] = 1.0f; /* nothing to say, or words that cancel out: a unit vector all the same */
        return;
    }
    for (uint32_t i = 0; i < dimensions; i++)
        v[i] = (float)(v[i] / sqrt(sum));
}

static bool input_vector(leat_i_mock_request *r, leat_i_json input, float *v, uint32_t dimensions)
{
    memset(v, 0, dimensions * sizeof *v);
    if (input.type == LEAT_I_JSON_ARRAY) {
        leat_i_json token;
        for (size_t at = 0; leat_i_json_next_element(input, &at, &token);) {
            uint64_t number = 0;
            (void)leat_i_json_u64(token, &number);
            vector_add(v, dimensions, (uint32_t)number);
        }
    } else {
        leat_i_mock_split s;
        size_t size = 0;
        const char *text = leat_i_json_text(input, &leat_i_mock_of(r)->scratch, &size);
        if (!text || !leat_i_mock_split_text(&s, text, size, &leat_i_mock_of(r)->scratch)) return false;
        for (uint32_t i = 0; i < s.word_count; i++)
            vector_add(v, dimensions, s.word[i]);
    }
    vector_normalise(v, dimensions);
    return true;
}

static void base64_put(leat_i_buf *b, const unsigned char *data, size_t size)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = leat_i_buf_grow(b, (size + 2) / 3 * 4);
    if (!to) return;
    size_t n = 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16;
        if (i + 1 < size) three |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < size) three |= data[i + 2];
        to[n++] = digit[three >> 18];
        to[n++] = digit[three >> 12 & 63];
        to[n++] = i + 1 < size ? digit[three >> 6 & 63] : '=';
        to[n++] = i + 2 < size ? digit[three & 63] : '=';
    }
    b->size += n;
    b->data[b->size] = '\0';
}

/* Little-endian IEEE floats, whatever this machine is. */
static void vector_put_base64(leat_i_mock_request *r, const float *v, uint32_t dimensions)
{
    unsigned char *bytes = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, dimensions * 4u);
    if (!bytes) {
        r->out.failed = true;
        return;
    }
    for (uint32_t i = 0; i < dimensions; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        for (int k = 0; k < 4; k++)
            bytes[i * 4 + (uint32_t)k] = (unsigned char)(bits >> (8 * k));
    }
    leat_i_buf_puts(&r->out, "\"");
    base64_put(&r->out, bytes, dimensions * 4u);
    leat_i_buf_puts(&r->out, "\"");
}

/* A decimal point whatever the locale: scaled whole numbers. Eight digits hold a float's precision below one. */
static void vector_put_floats(leat_i_mock_request *r, const float *v, uint32_t dimensions)
{
    leat_i_buf_puts(&r->out, "[");
    for (uint32_t i = 0; i < dimensions && !r->out.failed; i++) {
        char text[32];
        long long scaled = llround((double)v[i] * 1e8);
        long long size = scaled < 0 ? -scaled : scaled;
        int n = size == 0 ? snprintf(text, sizeof text, "%s0", i ? "," : "")
                          : snprintf(text, sizeof text, "%s%s%lld.%08lld", i ? "," : "", scaled < 0 ? "-" : "",
                                     size / 100000000, size % 100000000);
        leat_i_buf_append(&r->out, text, (size_t)n);
    }
    leat_i_buf_puts(&r->out, "]");
}

/* Checks one input and counts its tokens. */
static bool input_check(leat_i_mock_request *r, leat_i_json input, embed_ask *ask)
{
    if (input.type == LEAT_I_JSON_STRING) {
        size_t size = 0;
        leat_i_arena_mark mark = leat_i_arena_save(&leat_i_mock_of(r)->scratch);
        const char *text = leat_i_json_text(input, &leat_i_mock_of(r)->scratch, &size);
        if (!text) {
            leat_i_mock_fail_memory(r);
            return false;
        }
        ask->tokens += leat_i_mock_token_count(text, size);
        leat_i_arena_rewind(&leat_i_mock_of(r)->scratch, mark);
        return size > 0 || leat_i_mock_invalid(r, "input", NULL, "'input' cannot be an empty string.");
    }
    leat_i_json token;
    size_t at = 0, count = 0;
    uint64_t number;
    bool whole = input.type == LEAT_I_JSON_ARRAY;
    for (; whole && leat_i_json_next_element(input, &at, &token); count++)
        whole = token.type == LEAT_I_JSON_NUMBER && leat_i_json_u64(token, &number);
    whole = whole && count > 0;
    ask->tokens += count;
    return whole || leat_i_mock_invalid(r, "input", "invalid_type",
                                        "'input' must be a string, an array of strings, an array of token numbers, or an "
                                        "array of such arrays.");
}

static bool input_take(leat_i_mock_request *r, leat_i_json input, embed_ask *ask)
{
    leat_i_json element;
    size_t at = 0, count = 0;
    if (input.type == LEAT_I_JSON_NONE || input.type == LEAT_I_JSON_NULL)
        return leat_i_mock_invalid(r, "input", "missing_required_parameter", "Missing required parameter: 'input'.");
    bool single = input.type != LEAT_I_JSON_ARRAY;
    if (!single) {
        bool numbers = false;
        while (leat_i_json_next_element(input, &at, &element)) {
            numbers = count == 0 && element.type == LEAT_I_JSON_NUMBER;
            count++;
            if (numbers) break;
        }
        single = numbers;
        if (count == 0) return leat_i_mock_invalid(r, "input", "empty_array", "'input' cannot be an empty array.");
        if (!single && count > INPUTS_MAX)
            return leat_i_mock_invalid(r, "input", "array_above_max_length", "'input' may hold at most %d texts.",
                                       INPUTS_MAX);
    }
    ask->count = single ? 1 : count;
    ask->input = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, ask->count * sizeof *ask->input);
    if (!ask->input) {
        leat_i_mock_fail_memory(r);
        return false;
    }
    if (single) ask->input[0] = input;
    at = 0;
    for (size_t i = 0; !single && i < count; i++)
        leat_i_json_next_element(input, &at, &ask->input[i]);
    for (size_t i = 0; i < ask->count; i++)
        if (!input_check(r, ask->input[i], ask)) return false;
    return true;
}

static bool ask_take(leat_i_mock_request *r, leat_i_json body, embed_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    *ask = (embed_ask){ .dimensions = DIMENSIONS_DEFAULT };
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    if (value[KEY_MODEL].type != LEAT_I_JSON_STRING)
        return leat_i_mock_invalid(r, NULL, NULL, "you must provide a model parameter");
    leat_i_json format = value[KEY_FORMAT];
    ask->base64 = leat_i_json_str_eq(format, "base64");
    if (format.type != LEAT_I_JSON_NONE && format.type != LEAT_I_JSON_NULL && !ask->base64 &&
        !leat_i_json_str_eq(format, "float"))
        return leat_i_mock_invalid(r, "encoding_format", "invalid_value",
                                   "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.");
    return leat_i_mock_take_u64(r, value[KEY_DIMENSIONS], "dimensions", 1, DIMENSIONS_MAX, &ask->dimensions) &&
           input_take(r, value[KEY_INPUT], ask);
}

void leat_i_mock_embed(leat_i_mock_request *r, leat_i_json body)
{
    embed_ask ask;
    if (!ask_take(r, body, &ask)) return;
    r->tokens_in = ask.tokens;
    if (leat_i_mock_admit(r, ask.tokens, r->start_ns) != LEAT_I_MOCK_ACCEPTED) return;
    uint32_t dimensions = (uint32_t)ask.dimensions;
    float *v = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, dimensions * sizeof *v);
    leat_i_mock_fault_kind fault = r->order ? r->order->fault : LEAT_I_MOCK_FAULT_NONE;
    size_t count = fault == LEAT_I_MOCK_FAULT_EMBED_SHORT ? ask.count - 1 : ask.count;
    r->status = 200;
    leat_i_buf_puts(&r->out, "{\"object\":\"list\",\"data\":[");
    for (size_t n = 0; n < count && v && !r->out.failed; n++) {
        size_t i = fault == LEAT_I_MOCK_FAULT_EMBED_REORDERED ? count - 1 - n : n;
        leat_i_arena_mark mark = leat_i_arena_save(&leat_i_mock_of(r)->scratch);
        leat_i_buf_printf(&r->out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", n ? "," : "", i);
        if (!input_vector(r, ask.input[i], v, dimensions))
            r->out.failed = true;
        else if (ask.base64)
            vector_put_base64(r, v, dimensions);
        else
            vector_put_floats(r, v, dimensions);
        leat_i_buf_puts(&r->out, "}");
        leat_i_arena_rewind(&leat_i_mock_of(r)->scratch, mark);
    }
    leat_i_buf_printf(&r->out, "],\"model\":\"%s\",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
                      LEAT_I_MOCK_EMBED_MODEL, (unsigned long long)ask.tokens, (unsigned long long)ask.tokens);
    if (!v || r->out.failed) leat_i_mock_fail_memory(r);
}
