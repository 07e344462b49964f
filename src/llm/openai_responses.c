/*
 * openai_responses.c: answers of the responses form: a status, and messages with parts in `output`.
 *
 * Its streams have many kinds of events; the last of them holds the whole answer, so nothing is put together here.
 */
#include <string.h>

#include "form.h"

/* Its text, and whether there is anything else but the model's thoughts. */
static bool output_read(leat_i_answer *a, leat_i_json output)
{
    leat_i_json item;
    bool any = false;
    for (size_t at = 0; leat_i_json_next_element(output, &at, &item);) {
        leat_i_json type = leat_i_json_get(item, "type");
        bool is_message = leat_i_json_str_eq(type, "message");
        if (is_message) a->text = leat_i_json_get(item, "content");
        any |= is_message ? leat_i_json_parts_hold(a->text) : !leat_i_json_str_eq(type, "reasoning");
    }
    return any;
}

leat_i_case leat_i_response_judge(leat_i_answer *a, leat_i_json root)
{
    static const char *const begun[] = { "queued", "in_progress", NULL };
    leat_i_json status = leat_i_json_get(root, "status");
    bool any = output_read(a, leat_i_json_get(root, "output"));
    if (leat_i_json_str_eq(status, "incomplete"))
        return leat_i_json_str_eq(leat_i_json_path(root, "incomplete_details.reason"), "content_filter")
                   ? LEAT_I_CASE_FILTERED_ANSWER
                   : LEAT_I_CASE_LENGTH;
    if (leat_i_json_str_eq(status, "completed")) return any ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
    /* It was asked for in the background: the id in the row is what was wanted, and another request would be another job. */
    if (leat_i_json_is_any(status, begun) && leat_i_json_get(root, "background").type == LEAT_I_JSON_TRUE)
        return LEAT_I_CASE_OK;
    return status.type == LEAT_I_JSON_STRING ? LEAT_I_CASE_SERVER_IN_ANSWER : LEAT_I_CASE_MALFORMED;
}

/* ---- streams ---- */

typedef struct responses {
    leat_i_buf whole; /* the answer, from the event that ends the stream */
} responses;

static bool responses_event(leat_i_fold *f, const char *type, leat_i_json event)
{
    static const char *const ends[] = { "response.completed", "response.incomplete", "response.failed", NULL };
    responses *s = f->state;
    leat_i_json kind = leat_i_json_get(event, "type"), delta = leat_i_json_get(event, "delta");
    (void)type;
    if (leat_i_json_str_eq(kind, "error")) return leat_i_fold_error(f, event);
    if (leat_i_json_is_any(kind, ends)) {
        leat_i_fold_last(f, &s->whole, leat_i_json_get(event, "response"));
        f->done = s->whole.size > 0;
        f->is_content = true;
        return false;
    }
    if (delta.type != LEAT_I_JSON_STRING || delta.size <= 2) return false;
    if (leat_i_json_str_eq(kind, "response.output_text.delta")) leat_i_fold_hear(f, delta);
    return true;
}

static bool responses_is_complete(const leat_i_fold *f)
{
    return f->done;
}

static bool responses_put(const leat_i_fold *f, leat_i_buf *out)
{
    const responses *s = f->state;
    return leat_i_buf_puts(out, s && s->whole.size ? s->whole.data : "{}");
}

static void responses_fini(leat_i_fold *f)
{
    responses *s = f->state;
    leat_i_buf_fini(&s->whole);
}

const leat_i_fold_way leat_i_fold_responses = {
    .state_bytes = sizeof(responses),
    .event = responses_event,
    .is_complete = responses_is_complete,
    .put = responses_put,
    .fini = responses_fini,
};
