/* fail.c: error answers, in the form of the request's dialect, and the checks of request fields that end in one. */
#include "dialect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fail_put(leat_i_mock_request *r, const leat_i_mock_failure *f)
{
    leat_i_buf_clear(&r->out);
    r->status = f->status;
    r->streaming = false;
    r->content_type = NULL;
    r->dialect->fail(r, f);
    if (r->out.failed) leat_i_mock_fail_memory(r);
}

void leat_i_mock_fail(leat_i_mock_request *r, int status, const char *type, const char *param, const char *code,
                      const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    fail_put(r, &(leat_i_mock_failure){ .status = status, .type = type, .param = param, .code = code, .message = message });
}

bool leat_i_mock_invalid(leat_i_mock_request *r, const char *param, const char *code, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    fail_put(r, &(leat_i_mock_failure){
                    .status = 400, .type = "invalid_request_error", .param = param, .code = code, .message = message });
    return false;
}

void leat_i_mock_fail_memory(leat_i_mock_request *r)
{
    leat_i_buf_fini(&r->out); /* send.c puts a constant in place of an empty body */
    r->status = 500;
    r->streaming = false;
    r->content_type = NULL;
    r->decision = "failed";
}

bool leat_i_mock_decided(const leat_i_mock_request *r, const char *decision)
{
    return r->decision && strcmp(r->decision, decision) == 0;
}

const char *leat_i_mock_json_kind(leat_i_json value)
{
    switch (value.type) {
    case LEAT_I_JSON_NULL:
        return "null";
    case LEAT_I_JSON_FALSE:
    case LEAT_I_JSON_TRUE:
        return "a boolean";
    case LEAT_I_JSON_NUMBER:
        return "a number";
    case LEAT_I_JSON_STRING:
        return "a string";
    case LEAT_I_JSON_ARRAY:
        return "an array";
    case LEAT_I_JSON_OBJECT:
        return "an object";
    default:
        return "nothing";
    }
}

static bool json_is_absent(leat_i_json json)
{
    return json.type == LEAT_I_JSON_NONE || json.type == LEAT_I_JSON_NULL;
}

bool leat_i_mock_take_u64(leat_i_mock_request *r, leat_i_json json, const char *param, uint64_t least, uint64_t most,
                          uint64_t *value)
{
    if (json_is_absent(json)) return true;
    uint64_t number = 0;
    if (json.type != LEAT_I_JSON_NUMBER)
        return leat_i_mock_invalid(r, param, "invalid_type",
                                   "Invalid type for '%s': expected an integer, but got %s instead.", param,
                                   leat_i_mock_json_kind(json));
    bool negative = json.size > 0 && json.at[0] == '-';
    if (!negative && !leat_i_json_u64(json, &number))
        return leat_i_mock_invalid(r, param, "invalid_type", "Invalid type for '%s': expected an integer.", param);
    if (negative || number < least)
        return leat_i_mock_invalid(r, param, "integer_below_min_value",
                                   "Invalid '%s': integer below minimum value. Expected a value >= %llu.", param,
                                   (unsigned long long)least);
    if (number > most)
        return leat_i_mock_invalid(r, param, "integer_above_max_value",
                                   "Invalid '%s': integer above maximum value. Expected a value <= %llu.", param,
                                   (unsigned long long)most);
    *value = number;
    return true;
}

bool leat_i_mock_take_bool(leat_i_mock_request *r, leat_i_json json, const char *param, bool *value)
{
    if (json_is_absent(json)) return true;
    if (json.type != LEAT_I_JSON_TRUE && json.type != LEAT_I_JSON_FALSE)
        return leat_i_mock_invalid(r, param, "invalid_type",
                                   "Invalid type for '%s': expected a boolean, but got %s instead.", param,
                                   leat_i_mock_json_kind(json));
    *value = json.type == LEAT_I_JSON_TRUE;
    return true;
}

uint64_t leat_i_mock_id(const leat_i_mock_request *r)
{
    uint64_t state = leat_i_mock_of(r)->opts.seed ^ (r->serial * UINT64_C(0x9e3779b97f4a7c15));
    return leat_i_rand_next(&state);
}
