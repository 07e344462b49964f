/* fault.c: see fault.h. The forms differ; the words in code, type and status are few, and one table knows them. */
#include "fault.h"

#include <string.h>
#include <strings.h>

#include "retry_after.h"

#define DEPTH_MAX 3 /* errors inside errors: a gateway quotes what its upstream said */

static const struct {
    const char *word;
    leat_i_fault_kind kind;
} words[] = {
    { "content_filter", LEAT_I_FAULT_FILTERED },
    { "ResponsibleAIPolicyViolation", LEAT_I_FAULT_FILTERED },
    { "content_policy_violation", LEAT_I_FAULT_FILTERED },
    { "moderation_blocked", LEAT_I_FAULT_FILTERED },
    { "SAFETY", LEAT_I_FAULT_FILTERED },
    { "insufficient_quota", LEAT_I_FAULT_QUOTA },
    { "billing_hard_limit_reached", LEAT_I_FAULT_QUOTA },
    { "billing_not_active", LEAT_I_FAULT_QUOTA },
    { "billing_error", LEAT_I_FAULT_QUOTA },
    { "insufficient_balance", LEAT_I_FAULT_QUOTA },
    { "insufficient_credits", LEAT_I_FAULT_QUOTA },
    { "402", LEAT_I_FAULT_QUOTA },
    { "invalid_api_key", LEAT_I_FAULT_AUTH },
    { "invalid_authentication", LEAT_I_FAULT_AUTH },
    { "authentication_error", LEAT_I_FAULT_AUTH },
    { "permission_error", LEAT_I_FAULT_AUTH },
    { "account_deactivated", LEAT_I_FAULT_AUTH },
    { "UNAUTHENTICATED", LEAT_I_FAULT_AUTH },
    { "PERMISSION_DENIED", LEAT_I_FAULT_AUTH },
    { "unauthorized", LEAT_I_FAULT_AUTH },
    { "401", LEAT_I_FAULT_AUTH },
    { "403", LEAT_I_FAULT_AUTH },
    { "rate_limit_exceeded", LEAT_I_FAULT_THROTTLED },
    { "rate_limit_error", LEAT_I_FAULT_THROTTLED },
    { "rate_limit_reached", LEAT_I_FAULT_THROTTLED },
    { "too_many_requests", LEAT_I_FAULT_THROTTLED },
    { "RESOURCE_EXHAUSTED", LEAT_I_FAULT_THROTTLED },
    { "overloaded_error", LEAT_I_FAULT_THROTTLED },
    { "overloaded", LEAT_I_FAULT_THROTTLED },
    { "server_overloaded", LEAT_I_FAULT_THROTTLED },
    { "engine_overloaded", LEAT_I_FAULT_THROTTLED },
    { "capacity_exceeded", LEAT_I_FAULT_THROTTLED },
    { "UNAVAILABLE", LEAT_I_FAULT_THROTTLED },
    { "unavailable_error", LEAT_I_FAULT_THROTTLED },
    { "service_unavailable", LEAT_I_FAULT_THROTTLED },
    { "429", LEAT_I_FAULT_THROTTLED },
    { "498", LEAT_I_FAULT_THROTTLED },
    { "503", LEAT_I_FAULT_THROTTLED },
    { "529", LEAT_I_FAULT_THROTTLED },
    { "server_error", LEAT_I_FAULT_SERVER },
    { "api_error", LEAT_I_FAULT_SERVER },
    { "internal_error", LEAT_I_FAULT_SERVER },
    { "internal_server_error", LEAT_I_FAULT_SERVER },
    { "InternalServerError", LEAT_I_FAULT_SERVER },
    { "INTERNAL", LEAT_I_FAULT_SERVER },
    { "DEADLINE_EXCEEDED", LEAT_I_FAULT_SERVER },
    { "timeout_error", LEAT_I_FAULT_SERVER },
    { "timeout", LEAT_I_FAULT_SERVER },
    { "408", LEAT_I_FAULT_SERVER },
    { "409", LEAT_I_FAULT_SERVER },
    { "425", LEAT_I_FAULT_SERVER },
    { "invalid_request_error", LEAT_I_FAULT_REJECTED },
    { "INVALID_ARGUMENT", LEAT_I_FAULT_REJECTED },
    { "FAILED_PRECONDITION", LEAT_I_FAULT_REJECTED },
    { "NOT_FOUND", LEAT_I_FAULT_REJECTED },
    { "not_found_error", LEAT_I_FAULT_REJECTED },
    { "NotFoundError", LEAT_I_FAULT_REJECTED },
    { "BadRequestError", LEAT_I_FAULT_REJECTED },
    { "request_too_large", LEAT_I_FAULT_REJECTED },
    { "context_length_exceeded", LEAT_I_FAULT_REJECTED },
    { "model_not_found", LEAT_I_FAULT_REJECTED },
};

/* Where two parts of one error name different causes, the one further up in this order is the more telling: a code that says
 * insufficient_quota stands beside a type that says invalid_request_error. */
static leat_i_fault_kind kind_stronger(leat_i_fault_kind a, leat_i_fault_kind b)
{
    if (!a || !b) return a ? a : b;
    return a < b ? a : b;
}

static leat_i_fault_kind kind_of_word(leat_i_json value)
{
    if (value.type == LEAT_I_JSON_NUMBER && value.size == 3 && value.at[0] == '5' && memcmp(value.at, "503", 3) != 0 &&
        memcmp(value.at, "529", 3) != 0)
        return LEAT_I_FAULT_SERVER;
    const char *at = value.at;
    size_t size = value.size;
    if (value.type == LEAT_I_JSON_STRING) at++, size -= 2;
    if (value.type == LEAT_I_JSON_STRING && size == 3 && at[0] == '5') {
        leat_i_json number = { .type = LEAT_I_JSON_NUMBER, .at = at, .size = size };
        return kind_of_word(number);
    }
    if (value.type != LEAT_I_JSON_STRING && value.type != LEAT_I_JSON_NUMBER) return LEAT_I_FAULT_UNKNOWN;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == size && strncasecmp(words[i].word, at, size) == 0) return words[i].kind;
    return value.type == LEAT_I_JSON_NUMBER && size == 3 && at[0] == '4' ? LEAT_I_FAULT_REJECTED : LEAT_I_FAULT_UNKNOWN;
}

/* Of the words for "throttled", those that do not speak of a rate. */
static bool word_is_overload(leat_i_json value)
{
    static const char *const parts[] = { "overload", "unavailable", "capacity", "503", "498", "529" };
    char word[48];
    if ((value.type != LEAT_I_JSON_STRING && value.type != LEAT_I_JSON_NUMBER) || value.size >= sizeof word) return false;
    memcpy(word, value.at, value.size);
    word[value.size] = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(word, parts[i])) return true;
    return false;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void leat_i_line_copy(char *to, size_t to_bytes, const char *from, size_t size)
{
    size_t used = 0, i;
    for (i = 0; i < size && used < to_bytes - 1; i++) {
        unsigned char c = (unsigned char)from[i];
        bool blank = c <= ' ' || c == 0x7f;
        if (blank && (used == 0 || to[used - 1] == ' ')) continue;
        to[used++] = blank ? ' ' : (char)c;
    }
    if (i < size && is_continuation(from[i])) { /* Cut inside a character: its beginning goes too. */
        while (used && is_continuation(to[used - 1]))
            used--;
        if (used) used--;
    }
    while (used && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}

/* ---- JSON forms ---- */

static bool fault_json(leat_i_fault *f, leat_i_json value, leat_i_arena *scratch, int depth);

static void fault_message(leat_i_fault *f, leat_i_json string, leat_i_arena *scratch, int depth)
{
    size_t size = 0;
    const char *text = string.type == LEAT_I_JSON_STRING ? leat_i_json_text(string, scratch, &size) : NULL;
    if (!text) return;
    if (depth < DEPTH_MAX && (*text == '{' || *text == '[')) { /* The upstream's own error, quoted. */
        leat_i_json inner = leat_i_json_parse(text, size, NULL);
        if (inner.type && fault_json(f, inner, scratch, depth + 1)) return;
    }
    leat_i_line_copy(f->message, sizeof f->message, text, size);
    if (f->retry_after_ms < 0) f->retry_after_ms = leat_i_retry_hint_ms(text);
    /* Anthropic reports an empty account as an invalid request, OpenRouter a day's quota as a rate: in words only. */
    if (strcasestr(text, "credit balance is too low") || strcasestr(text, "insufficient balance") ||
        strcasestr(text, "free-models-per-day"))
        f->kind = kind_stronger(f->kind, LEAT_I_FAULT_QUOTA);
    if (strcasestr(text, "loading model") || strcasestr(text, "model is loading") || strcasestr(text, "currently loading")) {
        f->kind = kind_stronger(f->kind, LEAT_I_FAULT_THROTTLED);
        f->overloaded = true;
    }
}

/* Google's details: how long to wait, and whether it is the quota of a day, which no wait of ours will see renewed. */
static void fault_details(leat_i_fault *f, leat_i_json details, leat_i_arena *scratch)
{
    leat_i_json detail;
    for (size_t at = 0; leat_i_json_next_element(details, &at, &detail);) {
        leat_i_json delay = leat_i_json_get(detail, "retryDelay"), violation;
        size_t size = 0;
        const char *text = delay.type == LEAT_I_JSON_STRING ? leat_i_json_text(delay, scratch, &size) : NULL;
        if (text && leat_i_retry_duration_ms(text, size) > 0) f->retry_after_ms = leat_i_retry_duration_ms(text, size);
        leat_i_json reason = leat_i_json_get(detail, "reason");
        /* A wrong key is an invalid argument to them, but for this. */
        if (reason.type == LEAT_I_JSON_STRING && memmem(reason.at, reason.size, "API_KEY_", 8))
            f->kind = kind_stronger(f->kind, LEAT_I_FAULT_AUTH);
        leat_i_json violations = leat_i_json_get(detail, "violations");
        for (size_t v = 0; leat_i_json_next_element(violations, &v, &violation);) {
            leat_i_json id = leat_i_json_get(violation, "quotaId");
            if (id.type == LEAT_I_JSON_STRING && memmem(id.at, id.size, "PerDay", 6)) f->kind = LEAT_I_FAULT_QUOTA;
        }
    }
}

/* OpenRouter's: the headers and the words of the provider behind it, and what its filter found. */
static void fault_metadata(leat_i_fault *f, leat_i_json metadata, leat_i_arena *scratch, int depth)
{
    leat_i_json raw = leat_i_json_get(metadata, "raw"), reasons = leat_i_json_get(metadata, "reasons");
    leat_i_json reset = leat_i_json_get(leat_i_json_get(metadata, "headers"), "X-RateLimit-Reset");
    uint64_t at_ms = 0;
    if (reset.type == LEAT_I_JSON_STRING && reset.size > 2)
        reset = leat_i_json_parse(reset.at + 1, reset.size - 2, NULL); /* A number in a string. */
    if (leat_i_json_u64(reset, &at_ms) && at_ms < INT64_MAX) f->retry_at_ms = (int64_t)at_ms;
    if (reasons.type == LEAT_I_JSON_ARRAY && reasons.size > 2) f->kind = kind_stronger(f->kind, LEAT_I_FAULT_FILTERED);
    if (raw.type == LEAT_I_JSON_STRING) fault_message(f, raw, scratch, depth);
}

static void fault_object(leat_i_fault *f, leat_i_json object, leat_i_arena *scratch, int depth)
{
    static const char *const keys[] = { "message", "code", "type", "status", "details", "innererror", "metadata", "msg" };
    leat_i_json v[8];
    leat_i_json_get_many(object, keys, v, 8);
    for (int i = 1; i <= 3; i++) {
        f->kind = kind_stronger(f->kind, kind_of_word(v[i]));
        f->overloaded |= word_is_overload(v[i]);
    }
    f->kind = kind_stronger(f->kind, kind_of_word(leat_i_json_get(v[5], "code")));
    fault_message(f, v[0].type ? v[0] : v[7], scratch, depth);
    fault_details(f, v[4], scratch);
    fault_metadata(f, v[6], scratch, depth);
}

static bool fault_json(leat_i_fault *f, leat_i_json value, leat_i_arena *scratch, int depth)
{
    static const char *const keys[] = { "error", "detail", "message", "errors", "object", "type", "msg" };
    leat_i_json v[7], first;
    size_t at = 0;
    if (value.type == LEAT_I_JSON_ARRAY) { /* Gemini's streams wrap errors in an array. */
        return depth < DEPTH_MAX && leat_i_json_next_element(value, &at, &first) && fault_json(f, first, scratch, depth + 1);
    }
    if (value.type == LEAT_I_JSON_STRING && depth == 0) return fault_message(f, value, scratch, depth), true;
    if (value.type != LEAT_I_JSON_OBJECT) return false;
    leat_i_json_get_many(value, keys, v, 7);
    if (v[0].type == LEAT_I_JSON_OBJECT) return fault_object(f, v[0], scratch, depth), true;
    if (v[0].type == LEAT_I_JSON_STRING) {
        fault_object(f, value, scratch, depth);
        return fault_message(f, v[0], scratch, depth), true;
    }
    if (leat_i_json_str_eq(v[4], "error") || leat_i_json_str_eq(v[5], "error"))
        return fault_object(f, value, scratch, depth), true;
    if (v[1].type == LEAT_I_JSON_STRING) return fault_message(f, v[1], scratch, depth), true;
    if (v[1].type == LEAT_I_JSON_ARRAY && leat_i_json_next_element(v[1], &at, &first)) /* FastAPI: what is wrong where. */
        return fault_object(f, first, scratch, depth), true;
    if (v[3].type == LEAT_I_JSON_ARRAY && leat_i_json_next_element(v[3], &at, &first))
        return fault_object(f, first, scratch, depth), true;
    if (v[2].type == LEAT_I_JSON_STRING || v[6].type == LEAT_I_JSON_STRING)
        return fault_object(f, value, scratch, depth), true;
    return false;
}

static void fault_init(leat_i_fault *f)
{
    *f = (leat_i_fault){ .retry_after_ms = -1 };
}

bool leat_i_fault_in(leat_i_fault *fault, leat_i_json value, leat_i_arena *scratch)
{
    leat_i_arena_mark mark = leat_i_arena_save(scratch);
    fault_init(fault);
    fault->is_json = true;
    bool found = fault_json(fault, value, scratch, 0);
    leat_i_arena_rewind(scratch, mark);
    return found;
}

/* ---- HTML and text ---- */

/* The title of a page says what a proxy has to say; the rest is decoration. */
static void fault_page(leat_i_fault *f, const char *body, size_t size)
{
    const char *end = body + size, *from = NULL, *to;
    for (const char *at = body; at + 7 < end && !from; at++)
        if (strncasecmp(at, "<title>", 7) == 0) from = at + 7;
    if (!from) {
        leat_i_line_copy(f->message, sizeof f->message, "a web page instead of an answer", 31);
        return;
    }
    to = memchr(from, '<', (size_t)(end - from));
    leat_i_line_copy(f->message, sizeof f->message, from, (size_t)((to ? to : end) - from));
}

void leat_i_fault_read(leat_i_fault *fault, const char *body, size_t size, leat_i_arena *scratch)
{
    leat_i_json value = leat_i_json_parse(body, size, NULL);
    if (value.type) {
        (void)leat_i_fault_in(fault, value, scratch);
        return;
    }
    fault_init(fault);
    size_t at = 0;
    while (at < size && (unsigned char)body[at] <= ' ')
        at++;
    if (at < size && body[at] == '<')
        fault_page(fault, body, size);
    else
        leat_i_line_copy(fault->message, sizeof fault->message, body, size);
    if (!leat_i_utf8_valid(fault->message, strlen(fault->message))) fault->message[0] = '\0';
    fault->retry_after_ms = leat_i_retry_hint_ms(fault->message);
}
