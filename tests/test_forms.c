/*
 * test_forms.c: answers in each form: what they are worth, their text and usage; and their streams, folded into the same answer.
 *
 * Each stream is cut at each of its bytes too: what is left may be complete only when no text is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "forms_rows.h"

static const form_row *row_at(size_t i)
{
    const form_row *const tables[] = { form_openai, form_anthropic, form_gemini };
    const size_t counts[] = { form_openai_count, form_anthropic_count, form_gemini_count };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; i -= counts[t++])
        if (i < counts[t]) return &tables[t][i];
    return NULL;
}

static void row_fail(const form_row *row, const char *what, const char *is)
{
    fail_msg("%s: %s: %s", row->name, what, is);
}

static void answer_check(const form_row *row, const char *body, size_t size, bool done)
{
    leat_i_arena arena = { 0 };
    leat_i_answer a;
    size_t text_size;
    leat_i_answer_to to = { .path = row->path, .may_lack_finish = done, .inputs = row->inputs, .form = row->form };
    leat_i_answer_read(&a, &to, body, size, &arena);
    if (a.what != row->what) row_fail(row, "case", leat_i_case_rule_of(a.what)->name);
    const char *text = leat_i_answer_text(a.text, &arena, &text_size);
    if (strcmp(text, row->text ? row->text : "") != 0) row_fail(row, "text", text);
    uint64_t is[] = { a.tokens_in, a.tokens_out, a.tokens_cached, a.tokens_reasoning };
    for (int i = 0; i < 4; i++)
        if (is[i] != row->tokens[i]) fail_msg("%s: tokens %d: %llu", row->name, i, (unsigned long long)is[i]);
    assert_int_equal(a.has_usage, row->tokens[0] > 0);
    assert_int_equal((int)(a.cost * 1000 + 0.5), row->cost_thousandths);
    if (row->message && !strstr(a.fault.message, row->message)) row_fail(row, "message", a.fault.message);
    leat_i_arena_fini(&arena);
}

static void answers_are_judged(void **state)
{
    (void)state;
    for (size_t r = 0; row_at(r); r++)
        if (row_at(r)->body) answer_check(row_at(r), row_at(r)->body, strlen(row_at(r)->body), false);
}

/* ---- streams ---- */

static void hear(void *arg, const char *escaped, size_t size)
{
    assert_true(leat_i_buf_append(arg, escaped, size));
}

static void feed(leat_i_fold *f, const form_row *row, size_t size, size_t piece, leat_i_buf *heard)
{
    leat_i_http_piece content;
    bool go_on = true;
    leat_i_fold_init(f, row->form->fold, 1 << 20);
    f->heard = heard ? hear : NULL;
    f->heard_arg = heard;
    for (size_t at = 0; at < size && go_on; at += piece)
        go_on = leat_i_fold_push(f, row->stream + at, size - at < piece ? size - at : piece, &content);
    leat_i_fold_end(f);
}

static void whole_check(const form_row *row, size_t piece)
{
    leat_i_fold f;
    leat_i_buf out = { 0 }, heard = { 0 };
    size_t size = strlen(row->stream);
    feed(&f, row, size, piece, &heard);
    assert_false(f.failed);
    if (f.broken) row_fail(row, "broken", f.plain.data);
    if ((f.error.size > 0) != row->is_error) row_fail(row, "error", f.error.data ? f.error.data : "none");
    if (leat_i_fold_is_complete(&f) == (row->is_error || row->is_partial)) row_fail(row, "complete", "wrong");
    assert_true(leat_i_fold_put(&f, &out));
    if (row->folded && strcmp(out.data, row->folded) != 0) row_fail(row, "folded", out.data);
    if (!row->is_error) answer_check(row, out.data, out.size, f.done);
    if (row->heard && strcmp(heard.data ? heard.data : "", row->heard) != 0) row_fail(row, "heard", heard.data);
    assert_int_equal(leat_i_fold_has_output(&f), row->heard || row->has_output);
    leat_i_buf_fini(&out), leat_i_buf_fini(&heard);
    leat_i_fold_fini(&f);
}

static void streams_become_the_answer(void **state)
{
    static const size_t pieces[] = { 1, 3, 64, 1 << 20 };
    (void)state;
    for (size_t r = 0; row_at(r); r++)
        for (size_t p = 0; row_at(r)->stream && p < 4; p++)
            whole_check(row_at(r), pieces[p]);
}

/* The first `size` bytes, and then a clean end: good only if the text is all there. */
static void cut_check(const form_row *row, size_t size)
{
    leat_i_fold f;
    leat_i_buf out = { 0 };
    leat_i_arena arena = { 0 };
    leat_i_answer a;
    size_t text_size;
    feed(&f, row, size, 1 << 20, NULL);
    assert_false(f.broken || f.failed);
    if (f.form == LEAT_I_FOLD_STREAM && !f.error.size && leat_i_fold_is_complete(&f)) {
        assert_true(leat_i_fold_put(&f, &out));
        leat_i_answer_to to = { .path = row->path, .may_lack_finish = f.done, .form = row->form };
        leat_i_answer_read(&a, &to, out.data, out.size, &arena);
        bool good = a.what == LEAT_I_CASE_OK || a.what == LEAT_I_CASE_LENGTH;
        const char *text = leat_i_answer_text(a.text, &arena, &text_size);
        if (good && strcmp(text, row->text ? row->text : "") != 0)
            fail_msg("%s, cut after %zu bytes: taken for whole: %s", row->name, size, out.data);
        if (good && row->is_error) fail_msg("%s, cut after %zu bytes: taken for good", row->name, size);
    }
    leat_i_buf_fini(&out);
    leat_i_arena_fini(&arena);
    leat_i_fold_fini(&f);
}

static void a_part_is_never_the_whole(void **state)
{
    (void)state;
    for (size_t r = 0; row_at(r); r++)
        for (size_t size = 0; row_at(r)->stream && size < strlen(row_at(r)->stream); size++)
            cut_check(row_at(r), size);
}

/* Wherever memory ends, it is said: no answer is whole that was not before. */
static void short_memory_makes_no_answer(void **state)
{
    (void)state;
    for (size_t r = 0; row_at(r); r++) {
        const form_row *row = row_at(r);
        bool failed_somewhere = row->stream != NULL;
        int64_t live = leat_i_mem_live_count();
        for (uint64_t n = 1; failed_somewhere; n++) {
            leat_i_fold f;
            leat_i_buf out = { 0 };
            leat_i_mem_fail_after(n, true);
            feed(&f, row, strlen(row->stream), 64, NULL);
            bool put = leat_i_fold_put(&f, &out);
            failed_somewhere = f.failed || leat_i_sse_failed(&f.sse) || !put;
            leat_i_mem_fail_after(0, false);
            bool whole =
                put && !f.failed && leat_i_fold_is_complete(&f) && row->folded && strcmp(out.data, row->folded) == 0;
            if (failed_somewhere && whole && !f.sse.stopped) row_fail(row, "whole without memory", out.data);
            if (!failed_somewhere && !whole && row->folded && !row->is_partial) row_fail(row, "not as it was", out.data);
            leat_i_buf_fini(&out);
            leat_i_fold_fini(&f);
            assert_int_equal(leat_i_mem_live_count(), live);
            assert_true(n < 1000);
        }
    }
}

/* What only says "alive" moves no timer. */
static void only_content_counts_as_content(void **state)
{
    static const struct {
        const leat_i_form *form;
        const char *piece;
        leat_i_http_piece content;
    } table[] = {
        { &leat_i_form_messages, "event: ping\ndata: {\"type\":\"ping\"}\n\n", LEAT_I_HTTP_NOTHING },
        { &leat_i_form_messages,
          "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
          LEAT_I_HTTP_NOTHING },
        { &leat_i_form_messages, "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"a\"}}\n\n",
          LEAT_I_HTTP_CONTENT },
        { &leat_i_form_messages,
          "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"partial_json\":\"{\"}}\n\n",
          LEAT_I_HTTP_CONTENT },
        { &leat_i_form_responses, "data: {\"type\":\"response.in_progress\",\"response\":{}}\n\n", LEAT_I_HTTP_NOTHING },
        { &leat_i_form_responses, "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
          LEAT_I_HTTP_CONTENT },
        { &leat_i_form_responses, "data: {\"type\":\"response.completed\",\"response\":{}}\n\n", LEAT_I_HTTP_WHOLE },
        { &leat_i_form_generate, "data: {\"candidates\":[{\"content\":{\"role\":\"model\"}}]}\n\n", LEAT_I_HTTP_NOTHING },
        { &leat_i_form_generate,
          "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}\n\n",
          LEAT_I_HTTP_CONTENT },
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        leat_i_fold f;
        leat_i_http_piece content = (leat_i_http_piece)7;
        leat_i_fold_init(&f, table[i].form->fold, 1 << 20);
        (void)leat_i_fold_push(&f, table[i].piece, strlen(table[i].piece), &content);
        if (content != table[i].content) fail_msg("%s: %d", table[i].piece, content);
        leat_i_fold_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(streams_become_the_answer),
        cmocka_unit_test(a_part_is_never_the_whole),
        cmocka_unit_test(short_memory_makes_no_answer),
        cmocka_unit_test(only_content_counts_as_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
