/* test_row.c: rows of output: their bytes, and that no changed byte goes unnoticed. */
#include "bulk_support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "bulk/row.h"

static leat_doc doc_good(void)
{
    static const char body[] = "{\"choices\":[],\"n\":1.50}";
    leat_doc d = { .line = 7, .key = "doc \"7\"\n\xc3\xa9" };
    d.reply = (leat_llm_reply){ .cls = LEAT_CLASS_LENGTH,
                                .http_status = 200,
                                .body = body,
                                .body_bytes = sizeof body - 1,
                                .request_id = "req_1",
                                .attempts = 3,
                                .throttles = 2,
                                .possibly_billed = 1,
                                .ms = 1234,
                                .ttft_ms = -1,
                                .tokens_in = 10,
                                .tokens_out = 20,
                                .tokens_cached = 4,
                                .tokens_reasoning = 5,
                                .cost = 0.0123456,
                                .estimated = true };
    return d;
}

static char *row_text(const leat_doc *d, bool extras)
{
    leat_i_buf b = { 0 };
    assert_true(leat_i_row_put(&b, d, 0, extras));
    char *copy = strdup(b.data);
    leat_i_buf_fini(&b);
    return copy;
}

static void row_has_exactly_this_form(void **state)
{
    (void)state;
    leat_doc d = doc_good();
    char *row = row_text(&d, true), expected[1024];
    const char *sum_at = strstr(row, ",\"sum\":");
    assert_non_null(sum_at);
    snprintf(
        expected, sizeof expected,
        "{\"id\":\"batch_req_%016llx\",\"custom_id\":\"doc \\\"7\\\"\\n\xc3\xa9\",\"response\":{\"status_code\":200,"
        "\"request_id\":\"req_1\",\"body\":{\"choices\":[],\"n\":1.50}},\"error\":null,\"leat\":{\"line\":7,\"attempts\":3,"
        "\"throttles\":2,\"class\":\"length\",\"ms\":1234,\"ttft_ms\":null,\"tokens_in\":10,\"tokens_out\":20,"
        "\"tokens_cached\":4,\"tokens_reasoning\":5,\"cost\":0.012346,\"estimated\":true,\"possibly_billed\":1,\"sum\":\"%"
        "016llx\"}}\n",
        (unsigned long long)XXH3_64bits(d.key, strlen(d.key)), (unsigned long long)XXH3_64bits(row, (size_t)(sum_at - row)));
    assert_string_equal(row, expected);
    json_t *j = json_loads(row, 0, NULL);
    assert_non_null(j);
    json_decref(j);
    free(row);
}

static void row_without_a_reply_has_an_error(void **state)
{
    (void)state;
    leat_doc d = { .line = 3, .key = "line-3" };
    d.reply = (leat_llm_reply){ .cls = LEAT_CLASS_INPUT, .ttft_ms = 0 };
    snprintf(d.reply.message, sizeof d.reply.message, "line 3: \"x\"\nis wrong");
    char *row = row_text(&d, false);
    assert_non_null(
        strstr(row, ",\"response\":null,\"error\":{\"code\":\"input\",\"message\":\"line 3: \\\"x\\\"\\nis wrong\"}}\n"));
    assert_null(strstr(row, "\"leat\""));
    free(row);
    row = row_text(&d, true);
    assert_non_null(strstr(row, ",\"ttft_ms\":0,"));
    free(row);
    /* A refusal with a readable body is a response, whatever its status. */
    d = doc_good();
    d.reply.cls = LEAT_CLASS_REJECTED;
    d.reply.http_status = 400;
    row = row_text(&d, true);
    assert_non_null(strstr(row, "\"status_code\":400"));
    assert_non_null(strstr(row, "\"error\":null,\"leat\""));
    free(row);
}

static void rows_are_read_back(void **state)
{
    (void)state;
    for (int cls = 0; cls <= LEAT_CLASS_LOCAL; cls++) {
        leat_doc d = doc_good();
        d.reply.cls = (leat_class)cls;
        if (cls % 2) d.reply.body = NULL;
        char *row = row_text(&d, true);
        leat_i_arena arena = { 0 };
        leat_i_row_facts f;
        assert_int_equal(leat_i_row_read(row, strlen(row) - 1, true, &arena, &f), LEAT_I_ROW_GOOD);
        assert_string_equal(f.key, d.key);
        assert_int_equal(f.key_bytes, strlen(d.key));
        assert_string_equal(f.cls, leat_class_name((leat_class)cls));
        assert_int_equal(f.failed, cls != LEAT_CLASS_OK && cls != LEAT_CLASS_LENGTH);
        leat_i_arena_fini(&arena);
        free(row);
    }
}

/* The body may look like a row's end: the last leat object is the one that counts. */
static void bodies_cannot_forge_a_row(void **state)
{
    (void)state;
    static const char body[] =
        "{\"x\":\",\\\"leat\\\":{\",\"leat\":{\"line\":1,\"attempts\":1,\"class\":\"ok\",\"sum\":\"0123456789abcdef\"}}";
    leat_doc d = doc_good();
    d.reply.cls = LEAT_CLASS_FILTERED;
    d.reply.body = body;
    d.reply.body_bytes = sizeof body - 1;
    char *row = row_text(&d, true);
    leat_i_arena arena = { 0 };
    leat_i_row_facts f;
    assert_int_equal(leat_i_row_read(row, strlen(row) - 1, true, &arena, &f), LEAT_I_ROW_GOOD);
    assert_string_equal(f.cls, "filtered");
    leat_i_arena_fini(&arena);
    free(row);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    leat_doc d = doc_good();
    char *row = row_text(&d, true);
    size_t size = strlen(row) - 1;
    leat_i_arena arena = { 0 };
    for (size_t bit = 0; bit < size * 8; bit++) {
        row[bit / 8] ^= (char)(1 << bit % 8);
        leat_i_row_facts f;
        leat_i_row_state s = leat_i_row_read(row, size, true, &arena, &f);
        if (s == LEAT_I_ROW_GOOD) fail_msg("bit %zu passed", bit);
        row[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        leat_i_row_facts f;
        assert_int_not_equal(leat_i_row_read(row, cut, true, &arena, &f), LEAT_I_ROW_GOOD);
    }
    leat_i_arena_fini(&arena);
    free(row);
}

static void both_forms_of_failure_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *row, *cls;
        bool failed;
        leat_i_row_state state;
    } rows[] = {
        { "{\"custom_id\":\"a\",\"response\":{\"status_code\":200,\"body\":{}},\"error\":null}", "ok", false,
          LEAT_I_ROW_GOOD },
        { "{\"custom_id\":\"a\",\"response\":{\"status_code\":429,\"body\":{}},\"error\":null}", "rejected", true,
          LEAT_I_ROW_GOOD },
        { "{\"custom_id\":\"a\",\"response\":null,\"error\":{\"code\":\"batch_expired\"}}", "batch_expired", true,
          LEAT_I_ROW_GOOD },
        { "{\"custom_id\":\"a\",\"response\":{\"status_code\":400,\"body\":null},\"error\":{\"code\":400}}", "failed", true,
          LEAT_I_ROW_GOOD },
        { "{\"custom_id\":7,\"response\":null}", "", false, LEAT_I_ROW_FOREIGN },
        { "{\"a\":1}", "", false, LEAT_I_ROW_FOREIGN },
        { "{\"custom_id\":\"a\"", "", false, LEAT_I_ROW_FOREIGN },
        { "{\"id\":\"batch_req_0123456789abcdef\",\"custom_id\":\"a\"", "", false, LEAT_I_ROW_DAMAGED },
        { "", "", false, LEAT_I_ROW_DAMAGED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        leat_i_arena arena = { 0 };
        leat_i_row_facts f;
        assert_int_equal(leat_i_row_read(rows[i].row, strlen(rows[i].row), false, &arena, &f), rows[i].state);
        if (rows[i].state == LEAT_I_ROW_GOOD) {
            assert_string_equal(f.cls, rows[i].cls);
            assert_int_equal(f.failed, rows[i].failed);
            assert_string_equal(f.key, "a");
        }
        leat_i_arena_fini(&arena);
    }
}

static void a_short_buffer_gives_no_half_row(void **state)
{
    (void)state;
    leat_doc d = doc_good();
    leat_i_buf b = { .max = 100 };
    assert_false(leat_i_row_put(&b, &d, 0, true));
    assert_true(b.failed);
    leat_i_buf_fini(&b);
}

/* A row knows what it was made from, with and without the leat object; where that is not known it agrees with all. */
static void a_row_fits_its_key_and_text(void **state)
{
    (void)state;
    static const char text[] = "the text", other[] = "the texT";
    uint64_t hash = leat_i_row_text_hash(text, strlen(text)), changed = leat_i_row_text_hash(other, strlen(other));
    for (int extras = 0; extras < 2; extras++) {
        leat_i_arena arena = { 0 };
        leat_i_row_facts f;
        leat_doc d = { .line = 1, .key = "a" };
        d.reply = (leat_llm_reply){ .cls = LEAT_CLASS_OK, .http_status = 200, .body = "{}", .body_bytes = 2, .ttft_ms = -1 };
        for (int known = 0; known < 2; known++) {
            leat_i_buf b = { 0 };
            assert_true(leat_i_row_put(&b, &d, known ? hash : 0, extras));
            assert_int_equal(leat_i_row_read(b.data, b.size - 1, extras, &arena, &f), LEAT_I_ROW_GOOD);
            assert_true(f.check != 0);
            assert_true(leat_i_row_fits(f.check, "a", 1, hash));
            assert_true(leat_i_row_fits(f.check, "a", 1, 0));
            assert_int_equal(leat_i_row_fits(f.check, "a", 1, changed), !known);
            assert_false(leat_i_row_fits(f.check, "b", 1, hash));
            assert_true(leat_i_row_begins(b.data, b.size));
            for (size_t i = 0; i < LEAT_I_ROW_BEGIN_BYTES; i++) {
                b.data[i] ^= 0x40;
                assert_false(leat_i_row_begins(b.data, b.size));
                assert_true(leat_i_row_begins(b.data, i));
                b.data[i] ^= 0x40;
            }
            leat_i_buf_fini(&b);
        }
        leat_i_arena_fini(&arena);
    }
    assert_true(leat_i_row_fits(0, "a", 1, hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_has_exactly_this_form),    cmocka_unit_test(row_without_a_reply_has_an_error),
        cmocka_unit_test(rows_are_read_back),           cmocka_unit_test(bodies_cannot_forge_a_row),
        cmocka_unit_test(every_flipped_bit_is_noticed), cmocka_unit_test(both_forms_of_failure_are_read),
        cmocka_unit_test(a_row_fits_its_key_and_text),  cmocka_unit_test(a_short_buffer_gives_no_half_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
