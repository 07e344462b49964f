/* answer.c: see answer.h. HTTP 200 is not success: a body that parses, content, and a finish reason are. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "form.h"

#define TOKENS_MAX 1e9 /* of one request; who names more has not counted */

/* ---- for the forms ---- */

bool leat_i_json_is_filled(leat_i_json v)
{
    return (v.type == LEAT_I_JSON_STRING || v.type == LEAT_I_JSON_ARRAY || v.type == LEAT_I_JSON_OBJECT) && v.size > 2;
}

bool leat_i_json_parts_hold(leat_i_json parts)
{
    static const char *const thoughts[] = { "thinking", "redacted_thinking", "reasoning", NULL };
    static const char *const keys[] = { "type", "text", "thought" };
    leat_i_json part, v[3];
    for (size_t at = 0; leat_i_json_next_element(parts, &at, &part);) {
        leat_i_json_get_many(part, keys, v, 3);
        if (leat_i_json_is_any(v[0], thoughts) || v[2].type == LEAT_I_JSON_TRUE) continue;
        if (v[1].type == LEAT_I_JSON_NONE ? part.size > 2 : leat_i_json_is_filled(v[1])) return true;
    }
    return false;
}

bool leat_i_tokens_read(leat_i_json number, uint64_t *tokens)
{
    double count = 0;
    if (!leat_i_json_double(number, &count) || !(count >= 0 && count <= TOKENS_MAX)) return false;
    *tokens = (uint64_t)ceil(count);
    return true;
}

bool leat_i_answer_is_fault(leat_i_answer *a, leat_i_json value, leat_i_arena *scratch, leat_i_case *what)
{
    if (!leat_i_fault_in(&a->fault, value, scratch)) return false;
    *what = leat_i_case_of_fault(a->fault.kind, false);
    return true;
}

bool leat_i_path_ends(const char *path, const char *end)
{
    size_t size = strcspn(path, "?"), end_size = strlen(end);
    return size >= end_size && memcmp(path + size - end_size, end, end_size) == 0;
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

leat_i_case leat_i_answer_embeddings(leat_i_answer *a, leat_i_json data, const char *member, size_t inputs,
                                     leat_i_arena *scratch)
{
    leat_i_json entry;
    size_t count = 0;
    for (size_t at = 0; leat_i_json_next_element(data, &at, &entry); count++)
        if (!leat_i_json_is_filled(leat_i_json_get(entry, member))) return LEAT_I_CASE_EMPTY;
    if (!count) return LEAT_I_CASE_EMPTY;
    if (inputs && count != inputs)
        snprintf(a->fault.message, sizeof a->fault.message, "%zu embeddings for %zu inputs", count, inputs);
    else if (!places_are_right(data, count, scratch))
        snprintf(a->fault.message, sizeof a->fault.message, "embeddings whose index is wrong or doubled");
    else
        return LEAT_I_CASE_OK;
    return LEAT_I_CASE_MISFIT;
}

/* ---- any answer ---- */

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
    const leat_i_form *form = to->form ? to->form : &leat_i_form_openai;
    size_t error_at = 0;
    *a = (leat_i_answer){ .fault.retry_after_ms = -1 };
    leat_i_json v[LEAT_I_FORM_PICKS_MAX];
    leat_i_json root = leat_i_json_parse_pick(body, size, form->pick, form->pick_count, v, &error_at);
    if (root.type == LEAT_I_JSON_NONE) {
        a->what = case_of_garbage(body, size, error_at);
        if (a->what == LEAT_I_CASE_PAGE || a->what == LEAT_I_CASE_NOT_JSON)
            leat_i_fault_read(&a->fault, body, size, scratch);
    } else if (root.type == LEAT_I_JSON_OBJECT) {
        a->compact = !root.spaced && root.size == size;
        a->what = form->judge(a, to, root, v, scratch);
    } else if (!leat_i_answer_is_fault(a, root, scratch, &a->what)) {
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
        if (string.type != LEAT_I_JSON_STRING || leat_i_json_get(part, "thought").type == LEAT_I_JSON_TRUE) continue;
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
