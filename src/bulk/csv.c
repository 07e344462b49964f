/* csv.c: see csv.h. */
#include "csv.h"

#include <stdio.h>
#include <string.h>

#include "../base/json.h"

const char *leat_i_csv_row_end(leat_i_csv_scan *scan, const char *text, size_t size, char separator)
{
    const char *end = text + size;
    for (const char *p = text; p < end; p++) {
        if (scan->in == LEAT_I_CSV_QUOTED) {
            p = memchr(p, '"', (size_t)(end - p));
            if (!p) return NULL;
            scan->in = LEAT_I_CSV_QUOTE;
        } else if (*p == '\n') {
            scan->in = LEAT_I_CSV_BEGIN;
            return p;
        } else if (*p == separator) {
            scan->in = LEAT_I_CSV_BEGIN;
        } else if (*p == '"' && scan->in != LEAT_I_CSV_PLAIN) {
            scan->in = LEAT_I_CSV_QUOTED; /* The first one of a field, or the second of a doubled one. */
        } else {
            scan->in = LEAT_I_CSV_PLAIN;
        }
    }
    return NULL;
}

static bool name_ends(const char *path, const char *kind)
{
    size_t size = strlen(path), tail = strlen(kind);
    if (size >= 3 && memcmp(path + size - 3, ".gz", 3) == 0) size -= 3;
    return size >= tail && memcmp(path + size - tail, kind, tail) == 0;
}

char leat_i_csv_separator(const char *path)
{
    return name_ends(path, ".tsv") ? '\t' : ',';
}

bool leat_i_csv_is_name(const char *path)
{
    return name_ends(path, ".csv") || name_ends(path, ".tsv");
}

/* ---- fields ---- */

/* Takes the field that begins at *at into c->field; *at is then at the separator behind it, or at the end. */
static leat_err field_take(leat_i_csv *c, const char **at, const char *end, char *why, size_t why_bytes)
{
    const char *p = *at;
    leat_i_buf_clear(&c->field);
    if (p == end || *p != '"') {
        const char *stop = p < end ? memchr(p, c->separator, (size_t)(end - p)) : NULL;
        *at = stop ? stop : end;
        return leat_i_buf_append(&c->field, p, (size_t)(*at - p)) ? LEAT_OK : LEAT_NOMEM;
    }
    for (bool doubled = true; doubled;) {
        p++;
        const char *quote = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;
        if (!quote) {
            snprintf(why, why_bytes, "a quote is not closed");
            return LEAT_INPUT;
        }
        doubled = quote + 1 < end && quote[1] == '"';
        /* The first one of a doubled quote is text. */
        if (!leat_i_buf_append(&c->field, p, (size_t)(quote - p) + doubled)) return LEAT_NOMEM;
        p = quote + doubled;
    }
    *at = p + 1;
    if (*at == end || **at == c->separator) return LEAT_OK;
    snprintf(why, why_bytes, "text follows the closing quote of a field");
    return LEAT_INPUT;
}

static leat_err text_check(const char *text, size_t bytes, char *why, size_t why_bytes)
{
    bool has_nul = memchr(text, 0, bytes) != NULL;
    if (!has_nul && leat_i_utf8_valid(text, bytes)) return LEAT_OK;
    snprintf(why, why_bytes, has_nul ? "holds NUL bytes: it is not text" : "not valid UTF-8");
    return LEAT_INPUT;
}

/* ---- the header ---- */

/* c->field becomes the name of the next column. */
static leat_err column_add(leat_i_csv *c, char *why, size_t why_bytes)
{
    if (c->column_count == LEAT_I_CSV_COLUMNS_MAX) {
        snprintf(why, why_bytes, "it has more than %d columns", LEAT_I_CSV_COLUMNS_MAX);
        return LEAT_INPUT;
    }
    const char *name = c->field.size ? c->field.data : "";
    leat_i_buf_clear(&c->object);
    leat_i_json_put_string(&c->object, name, c->field.size);
    if (!leat_i_buf_append(&c->object, ":", 1)) return LEAT_NOMEM;
    for (size_t i = 0; i < c->column_count && c->field.size; i++) {
        if (strcmp(c->member[i], c->object.data) != 0) continue;
        snprintf(why, why_bytes, "it has two columns of the name %.60s", name);
        return LEAT_INPUT;
    }
    c->member[c->column_count] = leat_i_arena_strndup(&c->arena, c->object.data, c->object.size);
    return c->member[c->column_count++] ? LEAT_OK : LEAT_NOMEM;
}

static leat_err head_read(leat_i_csv *c, const char *text, size_t bytes, char *why, size_t why_bytes)
{
    const char *at = text, *end = text + bytes;
    c->member = leat_i_arena_alloc(&c->arena, (size_t)LEAT_I_CSV_COLUMNS_MAX * sizeof *c->member);
    if (!c->member) return LEAT_NOMEM;
    LEAT_TRY(text_check(text, bytes, why, why_bytes));
    for (;; at++) {
        LEAT_TRY(field_take(c, &at, end, why, why_bytes));
        LEAT_TRY(column_add(c, why, why_bytes));
        if (at == end) break;
    }
    /* What Excel writes where the comma is a decimal point. */
    bool is_other = c->column_count == 1 && *text != '"' && (memchr(text, ';', bytes) || memchr(text, '\t', bytes));
    if (!is_other) return LEAT_OK;
    snprintf(why, why_bytes,
             "it has one column, %.60s: columns are separated by commas, or by tabs in a file whose name ends in .tsv",
             c->field.data);
    return LEAT_INPUT;
}

static leat_err object_put_empty(leat_i_csv *c)
{
    leat_i_buf_clear(&c->object);
    for (size_t i = 0; i < c->column_count; i++)
        leat_i_buf_printf(&c->object, "%s%s\"\"", i ? "," : "{", c->member[i]);
    return leat_i_buf_append(&c->object, "}", 1) ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_i_csv_head(leat_i_csv *c, const char *path, const char *text, size_t bytes, char *why, size_t why_bytes)
{
    leat_i_arena_fini(&c->arena);
    c->column_count = 0;
    c->separator = leat_i_csv_separator(path);
    leat_err err = head_read(c, text, bytes, why, why_bytes);
    if (!err) err = object_put_empty(c);
    if (err) c->column_count = 0;
    return err;
}

/* ---- rows ---- */

leat_err leat_i_csv_row(leat_i_csv *c, const char *text, size_t bytes, char *why, size_t why_bytes)
{
    const char *at = text, *end = text + bytes;
    size_t count = 0;
    LEAT_TRY(text_check(text, bytes, why, why_bytes));
    leat_i_buf_clear(&c->object);
    for (;; at++) {
        LEAT_TRY(field_take(c, &at, end, why, why_bytes));
        if (count < c->column_count) {
            leat_i_buf_append(&c->object, count ? "," : "{", 1);
            leat_i_buf_puts(&c->object, c->member[count]);
            leat_i_json_put_string(&c->object, c->field.size ? c->field.data : "", c->field.size);
        }
        count++;
        if (at == end) break;
    }
    if (!leat_i_buf_append(&c->object, "}", 1)) return LEAT_NOMEM;
    if (count == c->column_count) return LEAT_OK;
    snprintf(why, why_bytes, "it has %zu field%s, and the header %zu", count, count == 1 ? "" : "s", c->column_count);
    return LEAT_INPUT;
}

void leat_i_csv_fini(leat_i_csv *c)
{
    leat_i_arena_fini(&c->arena);
    leat_i_buf_fini(&c->field);
    leat_i_buf_fini(&c->object);
    memset(c, 0, sizeof *c);
}
