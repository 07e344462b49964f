/* answer.c: see answer.h. HTTP 200 is not success: a body that parses, choices, and a finish reason are. */
#include "answer.h"

#include <stdio.h>
#include <string.h>

/* What is looked at in an answer, picked out in the pass that checks it: a long reply is read once, not once a level. */
enum {
    IN_CHOICES,
    IN_USAGE,
    IN_ERROR,
    IN_DATA,
    IN_CHOICE,
    IN_FINISH,
    IN_CHOICE_TEXT,
    IN_MESSAGE,
    IN_CONTENT,
    IN_TOOL_CALLS,
    IN_FUNCTION_CALL,
    IN_REFUSAL,
    IN_AUDIO,
    IN_PROMPT_TOKENS,
    IN_COMPLETION_TOKENS,
    IN_INPUT_TOKENS,
    IN_OUTPUT_TOKENS,
    IN_TOTAL_TOKENS,
    IN_COUNT
};

static const leat_i_json_pick answer_picks[IN_COUNT] = {
    [IN_CHOICES] = { -1, "choices" },
    [IN_USAGE] = { -1, "usage" },
    [IN_ERROR] = { -1, "error" },
    [IN_DATA] = { -1, "data" },
    [IN_CHOICE] = { IN_CHOICES, "0" },
    [IN_FINISH] = { IN_CHOICE, "finish_reason" },
    [IN_CHOICE_TEXT] = { IN_CHOICE, "text" },
    [IN_MESSAGE] = { IN_CHOICE, "message" },
    [IN_CONTENT] = { IN_MESSAGE, "content" },
    [IN_TOOL_CALLS] = { IN_MESSAGE, "tool_calls" },
    [IN_FUNCTION_CALL] = { IN_MESSAGE, "function_call" },
    [IN_REFUSAL] = { IN_MESSAGE, "refusal" },
    [IN_AUDIO] = { IN_MESSAGE, "audio" },
    [IN_PROMPT_TOKENS] = { IN_USAGE, "prompt_tokens" },
    [IN_COMPLETION_TOKENS] = { IN_USAGE, "completion_tokens" },
    [IN_INPUT_TOKENS] = { IN_USAGE, "input_tokens" },
    [IN_OUTPUT_TOKENS] = { IN_USAGE, "output_tokens" },
    [IN_TOTAL_TOKENS] = { IN_USAGE, "total_tokens" },
};

static void answer_usage(leat_i_answer *a, const leat_i_json *v)
{
    if (v[IN_USAGE].type != LEAT_I_JSON_OBJECT) return;
    uint64_t total = 0;
    bool in = leat_i_json_u64(v[IN_PROMPT_TOKENS], &a->tokens_in) || leat_i_json_u64(v[IN_INPUT_TOKENS], &a->tokens_in);
    bool out =
        leat_i_json_u64(v[IN_COMPLETION_TOKENS], &a->tokens_out) || leat_i_json_u64(v[IN_OUTPUT_TOKENS], &a->tokens_out);
    /* Embeddings have no output; a total that is larger than its parts counts hidden reasoning, and not to us. */
    if (!out && in && leat_i_json_u64(v[IN_TOTAL_TOKENS], &total) && total > a->tokens_in)
        a->tokens_out = total - a->tokens_in;
    a->has_usage = in;
}

static bool string_is_any(leat_i_json string, const char *const *words)
{
    for (; *words; words++)
        if (leat_i_json_str_eq(string, *words)) return true;
    return false;
}

static leat_i_case case_of_finish(leat_i_json finish, bool may_lack_finish)
{
    static const char *const filtered[] = { "content_filter", "SAFETY", "safety",  "RECITATION", "PROHIBITED_CONTENT",
                                            "BLOCKLIST",      "SPII",   "refusal", NULL };
    static const char *const cut[] = { "length", "max_tokens", "MAX_TOKENS", "model_length", NULL };
    static const char *const failed[] = { "error", "insufficient_system_resource", "abort", NULL };
    if (finish.type != LEAT_I_JSON_STRING) return may_lack_finish ? LEAT_I_CASE_OK : LEAT_I_CASE_TRUNCATED;
    if (leat_i_json_str_eq(finish, "stop")) return LEAT_I_CASE_OK;
    if (string_is_any(finish, cut)) return LEAT_I_CASE_LENGTH;
    if (string_is_any(finish, filtered)) return LEAT_I_CASE_FILTERED_ANSWER;
    if (string_is_any(finish, failed)) return LEAT_I_CASE_SERVER_LATE;
    return LEAT_I_CASE_OK;
}

static bool json_is_filled(leat_i_json v)
{
    return (v.type == LEAT_I_JSON_STRING || v.type == LEAT_I_JSON_ARRAY || v.type == LEAT_I_JSON_OBJECT) && v.size > 2;
}

static leat_i_case answer_choice(leat_i_answer *a, const leat_i_json *v, bool may_lack_finish)
{
    if (v[IN_CHOICE].type != LEAT_I_JSON_OBJECT) return LEAT_I_CASE_MALFORMED;
    bool has_message = v[IN_MESSAGE].type == LEAT_I_JSON_OBJECT;
    a->text = has_message ? v[IN_CONTENT] : v[IN_CHOICE_TEXT];
    if (!has_message && v[IN_CHOICE_TEXT].type != LEAT_I_JSON_STRING) return LEAT_I_CASE_MALFORMED;
    leat_i_case what = case_of_finish(v[IN_FINISH], may_lack_finish);
    if (what != LEAT_I_CASE_OK) return what;
    bool has_other = json_is_filled(v[IN_TOOL_CALLS]) || json_is_filled(v[IN_FUNCTION_CALL]) ||
                     json_is_filled(v[IN_REFUSAL]) || json_is_filled(v[IN_AUDIO]);
    return json_is_filled(a->text) || has_other ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
}

/* A reply of the responses form: status, and messages with parts in `output`. */
static leat_i_case answer_response(leat_i_answer *a, leat_i_json root)
{
    leat_i_json status = leat_i_json_get(root, "status"), output = leat_i_json_get(root, "output"), item;
    for (size_t at = 0; leat_i_json_next_element(output, &at, &item);)
        if (leat_i_json_str_eq(leat_i_json_get(item, "type"), "message")) a->text = leat_i_json_get(item, "content");
    if (leat_i_json_str_eq(status, "incomplete")) return LEAT_I_CASE_LENGTH;
    if (leat_i_json_str_eq(status, "completed")) return json_is_filled(output) ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
    return LEAT_I_CASE_SERVER_IN_ANSWER;
}

/* Whether the entries name each place once: by their index, or, all of them without one, by their order. */
static bool places_are_right(leat_i_json data, size_t count, leat_i_arena *scratch)
{
    leat_i_arena_mark mark = leat_i_arena_save(scratch);
    size_t order = 0, named = 0;
    leat_i_json entry;
    char *seen = leat_i_arena_alloc(scratch, count);
    bool right = seen != NULL;
    if (seen) memset(seen, 0, count);
    for (size_t at = 0; right && leat_i_json_next_element(data, &at, &entry); order++) {
        uint64_t index = order;
        named += leat_i_json_u64(leat_i_json_get(entry, "index"), &index);
        right = index < count && !seen[index];
        if (right) seen[index] = 1;
    }
    leat_i_arena_rewind(scratch, mark);
    return right && (named == 0 || named == count);
}

/* A list of embeddings, in any order: each entry has one, and there are as many as there were inputs. */
static leat_i_case answer_embeddings(leat_i_answer *a, leat_i_json data, size_t inputs, leat_i_arena *scratch)
{
    leat_i_json entry;
    size_t count = 0;
    for (size_t at = 0; leat_i_json_next_element(data, &at, &entry); count++)
        if (!json_is_filled(leat_i_json_get(entry, "embedding"))) return LEAT_I_CASE_EMPTY;
    if (!count) return LEAT_I_CASE_EMPTY;
    if (inputs && count != inputs)
        snprintf(a->fault.message, sizeof a->fault.message, "%zu embeddings for %zu inputs", count, inputs);
    else if (!places_are_right(data, count, scratch))
        snprintf(a->fault.message, sizeof a->fault.message, "embeddings whose index is wrong or doubled");
    else
        return LEAT_I_CASE_OK;
    return LEAT_I_CASE_MISFIT;
}

bool leat_i_path_ends(const char *path, const char *end)
{
    size_t size = strcspn(path, "?"), end_size = strlen(end);
    return size >= end_size && memcmp(path + size - end_size, end, end_size) == 0;
}

static leat_i_case answer_object(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *v,
                                 leat_i_arena *scratch)
{
    const char *path = to->path;
    leat_i_json_type choices = v[IN_CHOICES].type, error = v[IN_ERROR].type;
    answer_usage(a, v);
    if (choices == LEAT_I_JSON_ARRAY && v[IN_CHOICE].type != LEAT_I_JSON_NONE)
        return answer_choice(a, v, to->may_lack_finish);
    if (error != LEAT_I_JSON_NONE && error != LEAT_I_JSON_NULL && leat_i_fault_in(&a->fault, root, scratch))
        return leat_i_case_of_fault(a->fault.kind, false);
    if (choices == LEAT_I_JSON_ARRAY || choices == LEAT_I_JSON_NULL) return LEAT_I_CASE_EMPTY;
    if (leat_i_path_ends(path, "/embeddings"))
        return v[IN_DATA].type == LEAT_I_JSON_ARRAY ? answer_embeddings(a, v[IN_DATA], to->inputs, scratch)
                                                    : LEAT_I_CASE_MALFORMED;
    if (leat_i_path_ends(path, "/responses")) return answer_response(a, root);
    if (!leat_i_path_ends(path, "/completions")) return LEAT_I_CASE_OK;
    /* No choices: an error in a form of its own, or something else altogether. */
    return leat_i_fault_in(&a->fault, root, scratch) ? leat_i_case_of_fault(a->fault.kind, false) : LEAT_I_CASE_MALFORMED;
}

/* Whether the text broke off: right as far as it goes, but for a half escape, character or word at its very end. */
static bool text_breaks_off(const char *body, size_t size, size_t error_at)
{
    if (error_at >= size) return true;
    return size - error_at < 6 && ((unsigned char)body[error_at] >= 0x80 || strchr("\\tfn", body[error_at]));
}

/* Why is it not JSON? */
static leat_i_case case_of_garbage(const char *body, size_t size, size_t error_at)
{
    size_t at = 0;
    while (at < size && (unsigned char)body[at] <= ' ')
        at++;
    if (at < size && body[at] == '<') return LEAT_I_CASE_PAGE;
    if (text_breaks_off(body, size, error_at)) return LEAT_I_CASE_TRUNCATED; /* Nothing at all, too. */
    return leat_i_utf8_valid(body, size) && !memchr(body, 0, size) ? LEAT_I_CASE_NOT_JSON : LEAT_I_CASE_ENCODING;
}

void leat_i_answer_read(leat_i_answer *a, const leat_i_answer_to *to, const char *body, size_t size, leat_i_arena *scratch)
{
    size_t error_at = 0;
    *a = (leat_i_answer){ .fault.retry_after_ms = -1 };
    leat_i_json v[IN_COUNT], root = leat_i_json_parse_pick(body, size, answer_picks, IN_COUNT, v, &error_at);
    if (root.type == LEAT_I_JSON_NONE) {
        a->what = case_of_garbage(body, size, error_at);
        if (a->what == LEAT_I_CASE_PAGE || a->what == LEAT_I_CASE_NOT_JSON)
            leat_i_fault_read(&a->fault, body, size, scratch);
    } else if (root.type == LEAT_I_JSON_OBJECT) {
        a->compact = !root.spaced && root.size == size;
        a->what = answer_object(a, to, root, v, scratch);
    } else if (leat_i_fault_in(&a->fault, root, scratch)) {
        a->what = leat_i_case_of_fault(a->fault.kind, false);
    } else {
        a->what = LEAT_I_CASE_MALFORMED;
    }
}

const char *leat_i_answer_text(leat_i_json text, leat_i_arena *arena, size_t *size)
{
    leat_i_json part;
    *size = 0;
    if (text.type == LEAT_I_JSON_STRING) return leat_i_json_text(text, arena, size);
    if (text.type != LEAT_I_JSON_ARRAY) return "";
    /* Parts: the texts among them, joined. Each is no longer than its span, so the whole array's size is enough. */
    char *joined = leat_i_arena_alloc(arena, text.size + 1);
    if (!joined) return NULL;
    for (size_t at = 0; leat_i_json_next_element(text, &at, &part);) {
        size_t piece_size = 0;
        leat_i_json string = leat_i_json_get(part, "text");
        if (string.type != LEAT_I_JSON_STRING) continue;
        const char *piece = leat_i_json_text(string, arena, &piece_size);
        if (!piece) return NULL;
        memcpy(joined + *size, piece, piece_size);
        *size += piece_size;
    }
    joined[*size] = '\0';
    return joined;
}

/* The end of a string whose text begins at `at`: behind its closing quote, which no odd number of backslashes precedes. */
static const char *string_end(const char *at, const char *end)
{
    for (const char *from = at; (at = memchr(at, '"', (size_t)(end - at))); at++) {
        const char *slash = at;
        while (slash > from && slash[-1] == '\\')
            slash--;
        if ((at - slash) % 2 == 0) return at + 1;
    }
    return end;
}

size_t leat_i_json_squeeze(char *text, size_t size)
{
    char *to = text;
    const char *at = text, *end = text + size;
    while (at < end) {
        char c = *at++;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        *to++ = c;
        if (c != '"') continue;
        const char *stop = string_end(at, end);
        if (to != at) memmove(to, at, (size_t)(stop - at));
        to += stop - at;
        at = stop;
    }
    *to = '\0';
    return (size_t)(to - text);
}
