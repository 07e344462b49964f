/*
 * anthropic_answer.c: answers in Anthropic's form: a message of blocks, at once or as a stream.
 *
 * A stream begins with the message, then each block begins, grows by deltas of its kind, and ends; what is known last (the reason of
 * the stop, the usage, which counts from the start) comes before message_stop. Events and members that are not known are left as
 * they are, for there will be more of them.
 */
#include <string.h>

#include "../base/mem.h"
#include "form.h"

/* ---- an answer ---- */

enum { IN_TYPE, IN_CONTENT, IN_STOP, IN_USAGE, IN_ERROR, IN_COUNT };

static const leat_i_json_pick picks[IN_COUNT] = { [IN_TYPE] = { -1, "type" },
                                                  [IN_CONTENT] = { -1, "content" },
                                                  [IN_STOP] = { -1, "stop_reason" },
                                                  [IN_USAGE] = { -1, "usage" },
                                                  [IN_ERROR] = { -1, "error" } };

/* Its input_tokens are those that no cache had a part in. */
static void usage_read(leat_i_answer *a, leat_i_json usage)
{
    static const char *const keys[] = { "input_tokens", "output_tokens", "cache_read_input_tokens",
                                        "cache_creation_input_tokens" };
    leat_i_json v[4];
    uint64_t created = 0;
    leat_i_json_get_many(usage, keys, v, 4);
    a->has_usage = leat_i_tokens_read(v[0], &a->tokens_in) && leat_i_tokens_read(v[1], &a->tokens_out);
    (void)leat_i_tokens_read(v[2], &a->tokens_cached);
    (void)leat_i_tokens_read(v[3], &created);
    a->tokens_in += a->tokens_cached + created;
}

static leat_i_case message_judge(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *v,
                                 leat_i_arena *scratch)
{
    /* A turn that its own tools have paused is as unfinished as one that ran out of tokens. */
    static const char *const cut[] = { "max_tokens", "model_context_window_exceeded", "pause_turn", NULL };
    leat_i_case what;
    usage_read(a, v[IN_USAGE]);
    if (v[IN_CONTENT].type != LEAT_I_JSON_ARRAY) {
        if (leat_i_answer_is_fault(a, root, scratch, &what)) return what;
        /* Counting tokens and the like: an answer of another kind to a path of its own. */
        return leat_i_path_ends(to->path, "/messages") ? LEAT_I_CASE_MALFORMED : LEAT_I_CASE_OK;
    }
    a->text = v[IN_CONTENT];
    if (v[IN_STOP].type != LEAT_I_JSON_STRING && !to->may_lack_finish) return LEAT_I_CASE_TRUNCATED;
    if (leat_i_json_is_any(v[IN_STOP], cut)) return LEAT_I_CASE_LENGTH;
    if (leat_i_json_str_eq(v[IN_STOP], "refusal")) return LEAT_I_CASE_FILTERED_ANSWER;
    return leat_i_json_parts_hold(v[IN_CONTENT]) ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
}

/* ---- a stream ---- */

enum { BLOCKS_MAX = 1024 };

typedef struct block {
    uint64_t index;
    leat_i_buf head;                             /* the block as it began: a JSON object */
    leat_i_buf text, thinking, signature, input; /* escaped text that came since */
    leat_i_buf citations;                        /* JSON values, with commas between */
} block;

typedef struct messages {
    leat_i_buf head;        /* the message as it began: a JSON object */
    leat_i_buf stop, usage; /* the members of the last delta's parts: JSON objects */
    block *block;           /* in order of appearance */
    size_t block_count;
} messages;

static void messages_fini(leat_i_fold *f)
{
    messages *s = f->state;
    leat_i_buf_fini(&s->head), leat_i_buf_fini(&s->stop), leat_i_buf_fini(&s->usage);
    for (size_t i = 0; i < s->block_count; i++) {
        block *k = &s->block[i];
        leat_i_buf_fini(&k->head), leat_i_buf_fini(&k->text), leat_i_buf_fini(&k->thinking);
        leat_i_buf_fini(&k->signature), leat_i_buf_fini(&k->input), leat_i_buf_fini(&k->citations);
    }
    leat_i_free(s->block);
}

static block *block_of(leat_i_fold *f, leat_i_json event)
{
    messages *s = f->state;
    uint64_t index = 0;
    (void)leat_i_json_u64(leat_i_json_get(event, "index"), &index);
    for (size_t i = 0; i < s->block_count; i++)
        if (s->block[i].index == index) return &s->block[i];
    block *grown = leat_i_fold_grow(f, &s->block, &s->block_count, BLOCKS_MAX, sizeof *grown);
    if (grown) grown->index = index;
    return grown;
}

static bool block_start(leat_i_fold *f, leat_i_json event)
{
    leat_i_json begun = leat_i_json_get(event, "content_block"), text = leat_i_json_get(begun, "text");
    block *k = block_of(f, event);
    if (!k || begun.type != LEAT_I_JSON_OBJECT) return false;
    leat_i_fold_first(f, &k->head, begun);
    if (!leat_i_fold_text(f, &k->text, NULL, text)) return false;
    leat_i_fold_hear(f, text);
    return true;
}

static bool block_delta(leat_i_fold *f, leat_i_json event)
{
    static const char *const keys[] = { "text", "thinking", "signature", "partial_json", "citation" };
    leat_i_json v[5];
    block *k = block_of(f, event);
    if (!k) return false;
    leat_i_json_get_many(leat_i_json_get(event, "delta"), keys, v, 5);
    bool output = leat_i_fold_text(f, &k->text, NULL, v[0]);
    if (output) leat_i_fold_hear(f, v[0]);
    output |= leat_i_fold_text(f, &k->thinking, NULL, v[1]);
    output |= leat_i_fold_text(f, &k->input, NULL, v[3]);
    (void)leat_i_fold_text(f, &k->signature, NULL, v[2]);
    if (v[4].type == LEAT_I_JSON_OBJECT) {
        bool ok = !k->citations.size || leat_i_buf_puts(&k->citations, ",");
        if (!ok || !leat_i_json_put_compact(&k->citations, v[4])) f->failed = true;
    }
    return output;
}

static bool messages_event(leat_i_fold *f, const char *name, leat_i_json event)
{
    messages *s = f->state;
    leat_i_json type = leat_i_json_get(event, "type");
    (void)name;
    if (leat_i_json_str_eq(type, "error")) return leat_i_fold_error(f, event);
    if (leat_i_json_str_eq(type, "content_block_start")) return block_start(f, event);
    if (leat_i_json_str_eq(type, "content_block_delta")) return block_delta(f, event);
    if (leat_i_json_str_eq(type, "message_start")) {
        leat_i_fold_first(f, &s->head, leat_i_json_get(event, "message"));
    } else if (leat_i_json_str_eq(type, "message_delta")) {
        leat_i_fold_last(f, &s->stop, leat_i_json_get(event, "delta"));
        leat_i_fold_last(f, &s->usage, leat_i_json_get(event, "usage"));
        f->is_content = true;
    } else if (leat_i_json_str_eq(type, "message_stop")) {
        f->done = s->head.size > 0;
        f->is_content = true;
    }
    return false;
}

static leat_i_json json_in(const leat_i_buf *b)
{
    return leat_i_json_parse(b->data ? b->data : "", b->size, NULL);
}

static bool messages_is_complete(const leat_i_fold *f)
{
    const messages *s = f->state;
    return s->head.size > 0 && leat_i_json_get(json_in(&s->stop), "stop_reason").type == LEAT_I_JSON_STRING;
}

/* ---- the stream's answer ---- */

static bool has_member(leat_i_json object, leat_i_json key)
{
    leat_i_json other, value;
    for (size_t at = 0; leat_i_json_next_member(object, &at, &other, &value);)
        if (other.size == key.size && memcmp(other.at, key.at, key.size) == 0) return true;
    return false;
}

/* The members of `object` that are not among those of `newer`, nor named; then those of `newer`. */
static bool put_merged(leat_i_buf *out, leat_i_json object, leat_i_json newer, const char *const *without, bool *first)
{
    leat_i_json key, value, from[] = { object, newer };
    bool ok = true;
    for (int i = 0; i < 2; i++) {
        for (size_t at = 0; ok && leat_i_json_next_member(from[i], &at, &key, &value);) {
            if ((i == 0 && has_member(newer, key)) || leat_i_json_is_any(key, without)) continue;
            ok = (*first || leat_i_buf_puts(out, ",")) && leat_i_json_put_compact(out, key) && leat_i_buf_puts(out, ":") &&
                 leat_i_json_put_compact(out, value);
            *first = false;
        }
    }
    return ok;
}

/* What a tool is called with came as JSON in pieces of strings. */
static bool put_input(leat_i_buf *out, const leat_i_buf *escaped)
{
    leat_i_arena arena = { 0 };
    leat_i_buf quoted = { 0 };
    size_t size = 0;
    bool ok = leat_i_buf_puts(&quoted, "\"") && leat_i_buf_append(&quoted, escaped->data, escaped->size) &&
              leat_i_buf_puts(&quoted, "\"");
    const char *text = ok ? leat_i_json_text(json_in(&quoted), &arena, &size) : NULL;
    leat_i_json input = text ? leat_i_json_parse(text, size, NULL) : (leat_i_json){ 0 };
    ok = text && leat_i_buf_puts(out, ",\"input\":");
    /* Broken off: the answer is not whole, and its end says why. What there is of it stays a string. */
    if (ok) ok = input.type ? leat_i_json_put_compact(out, input) : leat_i_buf_append(out, quoted.data, quoted.size);
    leat_i_buf_fini(&quoted);
    leat_i_arena_fini(&arena);
    return ok;
}

static bool put_grown(leat_i_buf *out, const char *name, const leat_i_buf *text)
{
    return leat_i_fold_put_text(out, name, text, text->size > 0);
}

static bool put_block(leat_i_buf *out, const block *k)
{
    const char *without[6] = { NULL };
    size_t n = 0;
    bool first = true;
    if (k->text.size) without[n++] = "text";
    if (k->thinking.size) without[n++] = "thinking";
    if (k->signature.size) without[n++] = "signature";
    if (k->input.size) without[n++] = "input";
    if (k->citations.size) without[n++] = "citations";
    bool ok = leat_i_buf_puts(out, "{") && put_merged(out, json_in(&k->head), (leat_i_json){ 0 }, without, &first);
    /* Without its beginning, which was lost, it is a block of text still. */
    if (ok && first) ok = leat_i_buf_puts(out, "\"type\":\"text\"");
    ok = ok && put_grown(out, ",\"text\":", &k->text) && put_grown(out, ",\"thinking\":", &k->thinking) &&
         put_grown(out, ",\"signature\":", &k->signature);
    if (ok && k->input.size) ok = put_input(out, &k->input);
    if (ok && k->citations.size)
        ok = leat_i_buf_puts(out, ",\"citations\":[") && leat_i_buf_append(out, k->citations.data, k->citations.size) &&
             leat_i_buf_puts(out, "]");
    return ok && leat_i_buf_puts(out, "}");
}

static bool messages_put(const leat_i_fold *f, leat_i_buf *out)
{
    static const messages nothing;
    static const char *const later[] = { "content", "usage", NULL }, *const none[] = { NULL };
    const messages *s = f->state ? f->state : &nothing;
    leat_i_json head = json_in(&s->head), stop = json_in(&s->stop);
    bool first = true;
    bool ok = leat_i_buf_puts(out, "{") && put_merged(out, head, stop, later, &first) &&
              leat_i_buf_puts(out, first ? "\"content\":[" : ",\"content\":[");
    for (size_t i = 0; ok && i < s->block_count; i++)
        ok = (!i || leat_i_buf_puts(out, ",")) && put_block(out, &s->block[i]);
    ok = ok && leat_i_buf_puts(out, "],\"usage\":{");
    first = true;
    return ok && put_merged(out, leat_i_json_get(head, "usage"), json_in(&s->usage), none, &first) &&
           leat_i_buf_puts(out, "}}");
}

static const leat_i_fold_way messages_fold = {
    .state_bytes = sizeof(messages),
    .event = messages_event,
    .is_complete = messages_is_complete,
    .put = messages_put,
    .fini = messages_fini,
};

const leat_i_form leat_i_form_messages = { picks, IN_COUNT, message_judge, &messages_fold };
