/*
 * fuzz_form.c: streams and answers in the forms of the providers. However a stream is cut into pieces, it becomes the same answer,
 * which is JSON, and which is judged; half of a stream is never more complete than what it holds.
 *
 * The first byte chooses the form, the second the size of the pieces.
 */
#include "fuzz.h"

#include "llm/form.h"

static const leat_i_form *const forms[] = { &leat_i_form_openai, &leat_i_form_responses, &leat_i_form_messages,
                                            &leat_i_form_generate };
enum { FORM_COUNT = sizeof forms / sizeof *forms };

static void judge(const leat_i_form *form, const char *body, size_t size, bool done)
{
    leat_i_arena arena = { 0 };
    leat_i_answer a;
    size_t text_size = 0;
    leat_i_answer_to to = { .path = "/v1beta/models/m:generateContent", .may_lack_finish = done, .form = form };
    leat_i_answer_read(&a, &to, body, size, &arena);
    HOLDS(a.what < LEAT_I_CASE_COUNT && strlen(a.fault.message) < sizeof a.fault.message);
    const char *text = leat_i_answer_text(a.text, &arena, &text_size);
    HOLDS(text && text_size <= size);
    leat_i_arena_fini(&arena);
}

static void feed(const leat_i_form *form, const char *text, size_t size, size_t cut, leat_i_buf *out, bool verdict[4])
{
    leat_i_fold f;
    leat_i_http_piece piece = { 0 };
    bool ok = true;
    leat_i_fold_init(&f, form->fold, 4096);
    for (size_t at = 0, n; ok && at < size; at += n) {
        n = cut && cut < size - at ? cut : size - at;
        ok = leat_i_fold_push(&f, text + at, n, &piece);
    }
    leat_i_fold_end(&f);
    verdict[0] = leat_i_fold_is_complete(&f);
    verdict[1] = leat_i_fold_has_output(&f);
    verdict[2] = f.broken;
    verdict[3] = f.failed || f.form != LEAT_I_FOLD_STREAM;
    HOLDS(f.failed || leat_i_fold_put(&f, out));
    if (!verdict[3] && !f.broken) {
        HOLDS(leat_i_json_parse(out->data, out->size, NULL).type == LEAT_I_JSON_OBJECT);
        judge(form, out->data, out->size, f.done);
    }
    leat_i_fold_fini(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, size };
    const leat_i_form *form = forms[fuzz_byte(&in) % FORM_COUNT];
    size_t cut = 1 + fuzz_byte(&in) % 40;
    const char *text = (const char *)in.at;
    leat_i_buf whole = { 0 }, pieces = { 0 };
    bool verdict[4], verdict_pieces[4];
    judge(form, text, in.size, false);
    feed(form, text, in.size, 0, &whole, verdict);
    feed(form, text, in.size, cut, &pieces, verdict_pieces);
    HOLDS(memcmp(verdict, verdict_pieces, sizeof verdict) == 0);
    if (!verdict[3]) HOLDS(whole.size == pieces.size && (!whole.size || memcmp(whole.data, pieces.data, whole.size) == 0));
    leat_i_buf_fini(&whole);
    leat_i_buf_fini(&pieces);
    return 0;
}
