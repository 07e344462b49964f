/* test_csv.c: rows of tables: where they end however they come in, what they say, and what is wrong with the others. */
#include "bulk_support.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bulk/csv.h"

static void rows_end_where_no_quote_is_open(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* of the first row; 0 = it has no end */
    } rows[] = {
        { "a,b\nc", 3 },        { "\n", 0 },
        { "\"a\nb\",c\nd", 7 }, { "\"a\"\"\n\"\"b\",c\nd", 11 },
        { "\"\"\nd", 2 },       { "\"\"\"\n\"\nd", 5 },
        { "a\"b\nc\"", 3 },     /* A quote inside a plain field is text. */
        { "\"a\"b\"\nc\"", 5 }, /* Behind a closing quote, too: the row is bad, and the next one is not lost. */
        { "\"a\nb", 0 },        { "a,\"b\r\n\"\r\nc", 8 },
        { "abc", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].text;
        size_t size = strlen(text);
        bool ends = rows[i].size || text[0] == '\n';
        for (size_t step = 1; step <= size; step++) { /* However it comes in. */
            leat_i_csv_scan scan = { 0 };
            const char *end = NULL;
            for (size_t at = 0; at < size && !end; at += step)
                end = leat_i_csv_row_end(&scan, text + at, size - at < step ? size - at : step, ',');
            if (!ends)
                assert_null(end);
            else
                assert_int_equal(end - text, rows[i].size);
        }
    }
}

/* The object of `row` in a table with this header. */
static leat_err object_of(leat_i_csv *c, const char *head, const char *row, char *why)
{
    why[0] = 0;
    assert_int_equal(leat_i_csv_head(c, "in.csv", head, strlen(head), why, 160), LEAT_OK);
    return leat_i_csv_row(c, row, strlen(row), why, 160);
}

static void a_row_is_an_object(void **state)
{
    static const struct {
        const char *head, *row, *object;
    } good[] = {
        { "id,text", "7,The mill.", "{\"id\":\"7\",\"text\":\"The mill.\"}" },
        { "id,text", "\"7\",\"a, \"\"b\"\"\nc\"", "{\"id\":\"7\",\"text\":\"a, \\\"b\\\"\\nc\"}" },
        { "id,text", ",", "{\"id\":\"\",\"text\":\"\"}" },
        { "id,text", "\"\",\"\"\"\"", "{\"id\":\"\",\"text\":\"\\\"\"}" },
        { "id,text", "5\" nail, x ", "{\"id\":\"5\\\" nail\",\"text\":\" x \"}" },
        { ",a,", "0,1,2", "{\"\":\"0\",\"a\":\"1\",\"\":\"2\"}" }, /* An index that has no name. */
        { "\"a,\"\"b\"\"\"", "\xc3\xa9", "{\"a,\\\"b\\\"\":\"\xc3\xa9\"}" },
        { "one", "only", "{\"one\":\"only\"}" },
    };
    (void)state;
    leat_i_csv c = { 0 };
    char why[160];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(object_of(&c, good[i].head, good[i].row, why), LEAT_OK);
        assert_string_equal(c.object.data, good[i].object);
        assert_int_equal(leat_i_json_parse(c.object.data, c.object.size, NULL).type, LEAT_I_JSON_OBJECT);
    }
    leat_i_csv_fini(&c);
}

static void each_defect_of_a_row_is_named(void **state)
{
    static const struct {
        const char *row, *why;
    } bad[] = {
        { "7", "it has 1 field, and the header 2" },
        { "7,8,9", "it has 3 fields, and the header 2" },
        { "7,\"open", "a quote is not closed" },
        { "7,\"", "a quote is not closed" },
        { "7,\"a\"b", "text follows the closing quote of a field" },
        { "7,\"a\" ", "text follows the closing quote of a field" },
        { "7,\xff", "not valid UTF-8" },
    };
    (void)state;
    leat_i_csv c = { 0 };
    char why[160];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(object_of(&c, "id,text", bad[i].row, why), LEAT_INPUT);
        assert_string_equal(why, bad[i].why);
    }
    assert_int_equal(leat_i_csv_row(&c, "7,a\0b", 5, why, sizeof why), LEAT_INPUT);
    assert_string_equal(why, "holds NUL bytes: it is not text");
    leat_i_csv_fini(&c);
}

static leat_err head_of(leat_i_csv *c, const char *path, const char *head, char *why)
{
    why[0] = 0;
    return leat_i_csv_head(c, path, head, strlen(head), why, 160);
}

static void a_header_has_names(void **state)
{
    (void)state;
    leat_i_csv c = { 0 };
    char why[160];
    assert_int_equal(head_of(&c, "in.csv", "a,b,a", why), LEAT_INPUT);
    assert_string_equal(why, "it has two columns of the name a");
    assert_int_equal(c.column_count, 0);
    assert_int_equal(head_of(&c, "in.csv", "id;text", why), LEAT_INPUT);
    assert_non_null(strstr(why, "it has one column, id;text: columns are separated by commas"));
    assert_int_equal(head_of(&c, "in.csv", "id\ttext", why), LEAT_INPUT);
    assert_int_equal(head_of(&c, "in.csv", "\"id;text\"", why), LEAT_OK); /* It is meant. */
    assert_int_equal(head_of(&c, "in.tsv.gz", "id\tte,xt", why), LEAT_OK);
    assert_int_equal(c.column_count, 2);
    assert_string_equal(c.object.data, "{\"id\":\"\",\"te,xt\":\"\"}");
    leat_i_buf wide = { 0 };
    for (int i = 0; i < LEAT_I_CSV_COLUMNS_MAX; i++)
        leat_i_buf_printf(&wide, i ? ",%d" : "%d", i);
    assert_int_equal(head_of(&c, "in.csv", wide.data, why), LEAT_OK);
    leat_i_buf_puts(&wide, ",one more");
    assert_int_equal(head_of(&c, "in.csv", wide.data, why), LEAT_INPUT);
    assert_string_equal(why, "it has more than 4096 columns");
    leat_i_buf_fini(&wide);
    leat_i_csv_fini(&c);
}

static void names_of_tables(void **state)
{
    (void)state;
    assert_true(leat_i_csv_is_name("a.csv") && leat_i_csv_is_name("b/a.csv.gz") && leat_i_csv_is_name("a.tsv"));
    assert_false(leat_i_csv_is_name("csv") || leat_i_csv_is_name("a.csv.txt") || leat_i_csv_is_name(""));
    assert_int_equal(leat_i_csv_separator("a.tsv.gz"), '\t');
    assert_int_equal(leat_i_csv_separator("-"), ',');
}

static void memory_may_be_short_at_any_allocation(void **state)
{
    (void)state;
    char why[160];
    for (uint64_t n = 1;; n++) {
        leat_i_csv c = { 0 };
        leat_i_mem_fail_after(n, false);
        leat_err err = leat_i_csv_head(&c, "in.csv", "id,text", 7, why, sizeof why);
        if (!err) err = leat_i_csv_row(&c, "7,\"a\"\"b\"", 8, why, sizeof why);
        leat_i_mem_fail_after(0, false);
        leat_i_csv_fini(&c);
        if (!err) {
            assert_true(n > 2);
            break;
        }
        assert_int_equal(err, LEAT_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_end_where_no_quote_is_open),
        cmocka_unit_test(a_row_is_an_object),
        cmocka_unit_test(each_defect_of_a_row_is_named),
        cmocka_unit_test(a_header_has_names),
        cmocka_unit_test(names_of_tables),
        cmocka_unit_test(memory_may_be_short_at_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
