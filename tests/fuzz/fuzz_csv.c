/*
 * fuzz_csv.c: tables. However the bytes come in, the rows end at the same places; a row that is called good is an object with as many
 * members as the header has names, and its fields, quoted again, give the same object.
 */
#include "fuzz.h"

#include "base/json.h"
#include "bulk/csv.h"

/* The row of the object, each field in quotes. */
static void row_of(leat_i_json object, leat_i_buf *row, size_t *count)
{
    leat_i_arena arena = { 0 };
    leat_i_json key, value;
    for (size_t at = 0; leat_i_json_next_member(object, &at, &key, &value); ++*count) {
        size_t size = 0;
        const char *text = leat_i_json_text(value, &arena, &size);
        HOLDS(value.type == LEAT_I_JSON_STRING && text);
        leat_i_buf_puts(row, *count ? ",\"" : "\"");
        for (size_t i = 0; i < size; i++)
            leat_i_buf_append(row, text[i] == '"' ? "\"\"" : &text[i], text[i] == '"' ? 2 : 1);
        leat_i_buf_puts(row, "\"");
    }
    leat_i_arena_fini(&arena);
}

static void check_row(leat_i_csv *c, const char *text, size_t size)
{
    char why[160] = "";
    leat_err err = leat_i_csv_row(c, text, size, why, sizeof why);
    HOLDS(err == LEAT_OK || (err == LEAT_INPUT && why[0] && leat_i_utf8_valid(why, strlen(why))));
    if (err) return;
    leat_i_buf first = { 0 }, row = { 0 };
    size_t count = 0;
    leat_i_buf_append(&first, c->object.data, c->object.size);
    leat_i_json object = leat_i_json_parse(first.data, first.size, NULL);
    HOLDS(object.type == LEAT_I_JSON_OBJECT && !memchr(first.data, '\n', first.size));
    row_of(object, &row, &count);
    HOLDS(count == c->column_count);
    HOLDS(leat_i_csv_row(c, row.data, row.size, why, sizeof why) == LEAT_OK);
    HOLDS(c->object.size == first.size && memcmp(c->object.data, first.data, first.size) == 0);
    leat_i_buf_fini(&row);
    leat_i_buf_fini(&first);
}

/* The end of the row when its bytes come one by one. */
static const char *slow_end(const char *text, size_t size)
{
    leat_i_csv_scan scan = { 0 };
    const char *end = NULL;
    for (size_t i = 0; i < size && !end; i++)
        end = leat_i_csv_row_end(&scan, text + i, 1, ',');
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end;
    leat_i_csv c = { 0 };
    char why[160] = "";
    for (size_t row = 0; size > 0; row++) {
        leat_i_csv_scan scan = { 0 };
        end = leat_i_csv_row_end(&scan, text, size, ',');
        HOLDS(end == slow_end(text, size) && (!end || *end == '\n'));
        size_t bytes = end ? (size_t)(end - text) : size;
        if (row == 0) {
            leat_err err = leat_i_csv_head(&c, "in.csv", text, bytes, why, sizeof why);
            HOLDS(err == LEAT_OK || (err == LEAT_INPUT && why[0]));
            if (err) break;
        } else {
            check_row(&c, text, bytes);
        }
        text += bytes + (end != NULL);
        size -= bytes + (end != NULL);
    }
    leat_i_csv_fini(&c);
    return 0;
}
