/* embed_gemini.c: Gemini's embedContent, and batchEmbedContents for many at once. */
#include <stdio.h>

#include "dialect.h"
#include "embed.h"

static bool content_add(leat_i_mock_request *r, leat_i_json request, const char *where, leat_i_mock_embed_ask *ask)
{
    leat_i_json content = leat_i_json_get(request, "content"), parts = leat_i_json_get(content, "parts");
    leat_i_json dimensions = leat_i_json_get(request, "outputDimensionality");
    const char *text;
    size_t size;
    if (dimensions.type == LEAT_I_JSON_NONE) dimensions = leat_i_json_get(request, "output_dimensionality");
    return leat_i_mock_take_u64(r, dimensions, "outputDimensionality", 1, LEAT_I_MOCK_EMBED_DIMENSIONS_MAX,
                                &ask->dimensions) &&
           leat_i_mock_text_of(r, parts, where, &text, &size) && leat_i_mock_embed_add(r, ask, text, size);
}

/* All vectors of an answer have one length here: that of the last that names one. */
static bool gemini_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_embed_ask *ask)
{
    leat_i_json requests = leat_i_json_get(body, "requests"), one;
    size_t count = 0;
    char where[48];
    if (r->route != LEAT_I_MOCK_ROUTE_EMBED_MANY)
        return leat_i_mock_embed_room(r, ask, 1) && content_add(r, body, "content.parts", ask);
    for (size_t at = 0; leat_i_json_next_element(requests, &at, &one);)
        count++;
    if (count == 0 || count > LEAT_I_MOCK_EMBED_INPUTS_MAX)
        return leat_i_mock_invalid(r, "requests", NULL, "requests: at least one and at most %d are required",
                                   LEAT_I_MOCK_EMBED_INPUTS_MAX);
    if (!leat_i_mock_embed_room(r, ask, count)) return false;
    for (size_t at = 0; leat_i_json_next_element(requests, &at, &one);) {
        snprintf(where, sizeof where, "requests[%zu].content.parts", ask->count);
        if (!content_add(r, one, where, ask)) return false;
    }
    return true;
}

static void gemini_begin(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, r->route == LEAT_I_MOCK_ROUTE_EMBED_MANY ? "{\"embeddings\":[" : "{\"embedding\":");
}

static void gemini_entry(leat_i_mock_request *r, size_t index)
{
    (void)index;
    leat_i_buf_puts(&r->out, "{\"values\":");
}

static void gemini_entry_end(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "}");
}

static void gemini_end(leat_i_mock_request *r, const leat_i_mock_embed_ask *ask)
{
    bool none = ask->count == 1 && r->order && r->order->fault == LEAT_I_MOCK_FAULT_EMBED_SHORT;
    if (r->route == LEAT_I_MOCK_ROUTE_EMBED_MANY)
        leat_i_buf_puts(&r->out, "]}");
    else
        leat_i_buf_puts(&r->out, none ? "{\"values\":[]}}" : "}");
}

const leat_i_mock_embed_form leat_i_mock_embed_gemini = { gemini_take, gemini_begin, gemini_entry, gemini_entry_end,
                                                          gemini_end };
