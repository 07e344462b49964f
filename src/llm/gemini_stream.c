/*
 * gemini_stream.c: streams of Gemini's form: each event is an answer of its own, with the next piece of each candidate's parts.
 *
 * There is no end marker, and some models name a finish reason with each piece: so the answer is whole when each candidate has one
 * and the body has come to its end.
 */
#include <string.h>

#include "../base/mem.h"
#include "form.h"

enum { CANDIDATES_MAX = 128, PARTS_MAX = 4096 };

typedef struct part {
    leat_i_buf text; /* escaped; of what is no plain text: the part as it came */
    bool is_text, is_thought;
} part;

typedef struct candidate {
    uint64_t index;
    leat_i_buf role, finish; /* JSON values */
    leat_i_more more;        /* what else is said of it: the last counts */
    part *part;
    size_t part_count;
} candidate;

typedef struct generate {
    leat_i_buf feedback, usage, model, id; /* JSON values, "" = not seen */
    candidate *candidate;                  /* in order of appearance */
    size_t candidate_count;
    leat_i_more more;
    bool is_blocked;
} generate;

static void generate_fini(leat_i_fold *f)
{
    generate *s = f->state;
    leat_i_buf_fini(&s->feedback), leat_i_buf_fini(&s->usage), leat_i_buf_fini(&s->model), leat_i_buf_fini(&s->id);
    leat_i_more_fini(&s->more);
    for (size_t i = 0; i < s->candidate_count; i++) {
        candidate *c = &s->candidate[i];
        leat_i_buf_fini(&c->role), leat_i_buf_fini(&c->finish);
        leat_i_more_fini(&c->more);
        for (size_t p = 0; p < c->part_count; p++)
            leat_i_buf_fini(&c->part[p].text);
        leat_i_free(c->part);
    }
    leat_i_free(s->candidate);
}

static candidate *candidate_of(leat_i_fold *f, uint64_t index)
{
    generate *s = f->state;
    for (size_t i = 0; i < s->candidate_count; i++)
        if (s->candidate[i].index == index) return &s->candidate[i];
    candidate *grown = leat_i_fold_grow(f, &s->candidate, &s->candidate_count, CANDIDATES_MAX, sizeof *grown);
    if (grown) grown->index = index;
    return grown;
}

/* A part that is text and nothing else, but perhaps a thought. */
static bool part_is_text(leat_i_json value, leat_i_json text)
{
    leat_i_json key, other;
    for (size_t at = 0; leat_i_json_next_member(value, &at, &key, &other);)
        if (!leat_i_json_str_eq(key, "text") && !leat_i_json_str_eq(key, "thought")) return false;
    return text.type == LEAT_I_JSON_STRING;
}

/* Texts that follow each other are one; anything else keeps its place. Tells whether it was output. */
static bool part_take(leat_i_fold *f, candidate *c, leat_i_json value)
{
    leat_i_json text = leat_i_json_get(value, "text");
    bool thought = leat_i_json_get(value, "thought").type == LEAT_I_JSON_TRUE, is_text = part_is_text(value, text);
    part *last = c->part_count ? &c->part[c->part_count - 1] : NULL;
    if (!thought && c->index == 0 && text.type == LEAT_I_JSON_STRING && text.size > 2) leat_i_fold_hear(f, text);
    if (is_text && last && last->is_text && last->is_thought == thought) return leat_i_fold_text(f, &last->text, NULL, text);
    if (is_text && text.size <= 2) return false;
    part *p = leat_i_fold_grow(f, &c->part, &c->part_count, PARTS_MAX, sizeof *p);
    if (!p) return false;
    p->is_text = is_text;
    p->is_thought = thought;
    if (is_text) return leat_i_fold_text(f, &p->text, NULL, text);
    leat_i_fold_last(f, &p->text, value);
    return true;
}

static bool candidate_take(leat_i_fold *f, leat_i_json value)
{
    static const char *const keys[] = { "content", "index", "finishReason", NULL };
    leat_i_json v[3], one;
    uint64_t index = 0;
    bool output = false;
    leat_i_json_get_many(value, keys, v, 3);
    (void)leat_i_json_u64(v[1], &index);
    candidate *c = candidate_of(f, index);
    if (!c) return false;
    leat_i_json parts = leat_i_json_get(v[0], "parts");
    leat_i_fold_first(f, &c->role, leat_i_json_get(v[0], "role"));
    leat_i_fold_last(f, &c->finish, v[2]);
    (void)leat_i_more_take(f, &c->more, value, keys, LEAT_I_MORE_LAST, 0);
    for (size_t at = 0; leat_i_json_next_element(parts, &at, &one);)
        output |= part_take(f, c, one);
    return output;
}

static bool generate_event(leat_i_fold *f, const char *type, leat_i_json event)
{
    static const char *const keys[] = {
        "candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error", NULL
    };
    generate *s = f->state;
    leat_i_json v[5], value;
    bool output = false;
    (void)type;
    leat_i_json_get_many(event, keys, v, 5);
    for (size_t at = 0; leat_i_json_next_element(v[0], &at, &value);)
        output |= candidate_take(f, value);
    leat_i_fold_last(f, &s->feedback, v[1]);
    leat_i_fold_last(f, &s->usage, v[2]);
    leat_i_fold_first(f, &s->model, v[3]);
    leat_i_fold_first(f, &s->id, v[4]);
    (void)leat_i_more_take(f, &s->more, event, keys, LEAT_I_MORE_LAST, 0);
    if (leat_i_json_get(v[1], "blockReason").type == LEAT_I_JSON_STRING) s->is_blocked = true;
    if (v[2].type == LEAT_I_JSON_OBJECT) f->is_content = true;
    return output;
}

static bool generate_is_complete(const leat_i_fold *f)
{
    const generate *s = f->state;
    for (size_t i = 0; i < s->candidate_count; i++)
        if (!s->candidate[i].finish.size) return false;
    return s->candidate_count > 0 || s->is_blocked;
}

/* ---- the stream's answer ---- */

static bool put_part(leat_i_buf *out, const part *p)
{
    if (!p->is_text) return leat_i_buf_append(out, p->text.data, p->text.size);
    return leat_i_fold_put_text(out, "{\"text\":", &p->text, true) &&
           leat_i_buf_puts(out, p->is_thought ? ",\"thought\":true}" : "}");
}

static bool put_candidate(leat_i_buf *out, const candidate *c)
{
    bool ok = leat_i_buf_puts(out, "{\"content\":{\"parts\":[");
    for (size_t i = 0; ok && i < c->part_count; i++)
        ok = (!i || leat_i_buf_puts(out, ",")) && put_part(out, &c->part[i]);
    ok = ok && leat_i_buf_puts(out, "]") && leat_i_fold_put_value(out, ",\"role\":", &c->role, NULL) &&
         leat_i_buf_puts(out, "}");
    ok = ok && leat_i_fold_put_value(out, ",\"finishReason\":", &c->finish, NULL) && leat_i_more_put(out, &c->more);
    return ok && leat_i_buf_puts(out, ",\"index\":") && leat_i_buf_put_u64(out, c->index) && leat_i_buf_puts(out, "}");
}

static bool generate_put(const leat_i_fold *f, leat_i_buf *out)
{
    static const generate nothing;
    const generate *s = f->state ? f->state : &nothing;
    bool ok = leat_i_buf_puts(out, s->candidate_count || !s->is_blocked ? "{\"candidates\":[" : "{");
    for (size_t i = 0; ok && i < s->candidate_count; i++)
        ok = (!i || leat_i_buf_puts(out, ",")) && put_candidate(out, &s->candidate[i]);
    if (ok && (s->candidate_count || !s->is_blocked)) ok = leat_i_buf_puts(out, s->feedback.size ? "]," : "]");
    ok = ok && leat_i_fold_put_value(out, "\"promptFeedback\":", &s->feedback, NULL);
    return ok && leat_i_fold_put_value(out, ",\"usageMetadata\":", &s->usage, NULL) &&
           leat_i_fold_put_value(out, ",\"modelVersion\":", &s->model, NULL) &&
           leat_i_fold_put_value(out, ",\"responseId\":", &s->id, NULL) && leat_i_more_put(out, &s->more) &&
           leat_i_buf_puts(out, "}");
}

const leat_i_fold_way leat_i_fold_generate = {
    .state_bytes = sizeof(generate),
    .needs_end = true,
    .in_array = true,
    .event = generate_event,
    .is_complete = generate_is_complete,
    .put = generate_put,
    .fini = generate_fini,
};
