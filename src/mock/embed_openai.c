/* embed_openai.c: POST /v1/embeddings, checked as OpenAI checks it. */
#include "dialect.h"
#include "embed.h"

enum { KEY_MODEL, KEY_INPUT, KEY_FORMAT, KEY_DIMENSIONS, KEY_COUNT };

static const char *const keys[KEY_COUNT] = { "model", "input", "encoding_format", "dimensions" };

/* Checks one input, and adds it. */
static bool input_add(leat_i_mock_request *r, leat_i_json input, leat_i_mock_embed_ask *ask)
{
    if (input.type == LEAT_I_JSON_STRING) {
        size_t size = 0;
        const char *text = leat_i_json_text(input, &leat_i_mock_of(r)->scratch, &size);
        if (!leat_i_mock_embed_add(r, ask, text, size)) return false;
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
    ask->input[ask->count++] = (leat_i_mock_embed_input){ .tokens = input };
    return whole || leat_i_mock_invalid(r, "input", "invalid_type",
                                        "'input' must be a string, an array of strings, an array of token numbers, or an "
                                        "array of such arrays.");
}

static bool input_take(leat_i_mock_request *r, leat_i_json input, leat_i_mock_embed_ask *ask)
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
        if (!single && count > LEAT_I_MOCK_EMBED_INPUTS_MAX)
            return leat_i_mock_invalid(r, "input", "array_above_max_length", "'input' may hold at most %d texts.",
                                       LEAT_I_MOCK_EMBED_INPUTS_MAX);
    }
    if (!leat_i_mock_embed_room(r, ask, single ? 1 : count)) return false;
    if (single) return input_add(r, input, ask);
    for (at = 0; leat_i_json_next_element(input, &at, &element);)
        if (!input_add(r, element, ask)) return false;
    return true;
}

static bool openai_take(leat_i_mock_request *r, leat_i_json body, leat_i_mock_embed_ask *ask)
{
    leat_i_json value[KEY_COUNT];
    leat_i_json_get_many(body, keys, value, KEY_COUNT);
    if (value[KEY_MODEL].type != LEAT_I_JSON_STRING && !r->names_model)
        return leat_i_mock_invalid(r, NULL, NULL, "you must provide a model parameter");
    leat_i_json format = value[KEY_FORMAT];
    ask->base64 = leat_i_json_str_eq(format, "base64");
    if (format.type != LEAT_I_JSON_NONE && format.type != LEAT_I_JSON_NULL && !ask->base64 &&
        !leat_i_json_str_eq(format, "float"))
        return leat_i_mock_invalid(r, "encoding_format", "invalid_value",
                                   "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.");
    return leat_i_mock_take_u64(r, value[KEY_DIMENSIONS], "dimensions", 1, LEAT_I_MOCK_EMBED_DIMENSIONS_MAX,
                                &ask->dimensions) &&
           input_take(r, value[KEY_INPUT], ask);
}

static void openai_begin(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "{\"object\":\"list\",\"data\":[");
}

static void openai_entry(leat_i_mock_request *r, size_t index)
{
    leat_i_buf_printf(&r->out, "{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", index);
}

static void openai_entry_end(leat_i_mock_request *r)
{
    leat_i_buf_puts(&r->out, "}");
}

static void openai_end(leat_i_mock_request *r, const leat_i_mock_embed_ask *ask)
{
    leat_i_buf_printf(&r->out, "],\"model\":\"%s\",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
                      LEAT_I_MOCK_EMBED_MODEL, (unsigned long long)ask->tokens, (unsigned long long)ask->tokens);
}

const leat_i_mock_embed_form leat_i_mock_embed_openai = { openai_take, openai_begin, openai_entry, openai_entry_end,
                                                          openai_end };
