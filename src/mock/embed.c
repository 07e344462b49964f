/*
 * embed.c: embeddings. A vector is the sum of its text's words, each hashed to a place and a sign, of length one: no learned
 * meaning, but the same text gives the same vector, and texts that share words are near each other.
 */
#include "embed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dialect.h"
#include "split.h"
#include "tokens.h"

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

static bool input_vector(leat_i_mock_request *r, const leat_i_mock_embed_input *input, float *v, uint32_t dimensions)
{
    leat_i_mock_split s;
    leat_i_json token;
    memset(v, 0, dimensions * sizeof *v);
    for (size_t at = 0; !input->text && leat_i_json_next_element(input->tokens, &at, &token);) {
        uint64_t number = 0;
        (void)leat_i_json_u64(token, &number);
        vector_add(v, dimensions, (uint32_t)number);
    }
    if (input->text) {
        if (!leat_i_mock_split_text(&s, input->text, input->size, &leat_i_mock_of(r)->scratch)) return false;
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

bool leat_i_mock_embed_room(leat_i_mock_request *r, leat_i_mock_embed_ask *ask, size_t count)
{
    ask->input = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, count * sizeof *ask->input);
    if (!ask->input) leat_i_mock_fail_memory(r);
    return ask->input != NULL;
}

bool leat_i_mock_embed_add(leat_i_mock_request *r, leat_i_mock_embed_ask *ask, const char *text, size_t size)
{
    if (!text) {
        leat_i_mock_fail_memory(r);
        return false;
    }
    ask->tokens += leat_i_mock_token_count(text, size);
    ask->input[ask->count++] = (leat_i_mock_embed_input){ .text = text, .size = size };
    return true;
}

void leat_i_mock_embed(leat_i_mock_request *r, leat_i_json body)
{
    const leat_i_mock_embed_form *form = r->dialect->embed;
    leat_i_mock_embed_ask ask = { .dimensions = LEAT_I_MOCK_EMBED_DIMENSIONS };
    if (!form->take(r, body, &ask)) return;
    r->tokens_in = ask.tokens;
    if (!leat_i_mock_admit(r, ask.tokens, r->start_ns)) return;
    uint32_t dimensions = (uint32_t)ask.dimensions;
    float *v = leat_i_arena_alloc(&leat_i_mock_of(r)->scratch, dimensions * sizeof *v);
    leat_i_mock_fault_kind fault = r->order ? r->order->fault : LEAT_I_MOCK_FAULT_NONE;
    size_t count = fault == LEAT_I_MOCK_FAULT_EMBED_SHORT ? ask.count - 1 : ask.count;
    r->status = 200;
    form->begin(r);
    for (size_t n = 0; n < count && v && !r->out.failed; n++) {
        size_t i = fault == LEAT_I_MOCK_FAULT_EMBED_REORDERED ? count - 1 - n : n;
        leat_i_arena_mark mark = leat_i_arena_save(&leat_i_mock_of(r)->scratch);
        if (n) leat_i_buf_puts(&r->out, ",");
        form->entry_begin(r, i);
        if (!input_vector(r, &ask.input[i], v, dimensions))
            r->out.failed = true;
        else if (ask.base64)
            vector_put_base64(r, v, dimensions);
        else
            vector_put_floats(r, v, dimensions);
        form->entry_end(r);
        leat_i_arena_rewind(&leat_i_mock_of(r)->scratch, mark);
    }
    form->end(r, &ask);
    if (!v || r->out.failed) leat_i_mock_fail_memory(r);
}
