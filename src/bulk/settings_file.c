/* settings_file.c: OUT.leat as a file: one JSON object, read strictly and replaced whole. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "../base/err.h"
#include "../base/json.h"
#include "../base/os.h"
#include "files.h"
#include "hex.h"

#define SETTINGS_HEAD "{\"leat\":"
enum { SETTINGS_VERSION = 2, SETTINGS_BYTES_MAX = 64 * 1024 * 1024 };

static leat_err load_fail(leat_error *error, const char *path, const char *why)
{
    return leat_i_fail(error, LEAT_MISMATCH, "%.120s cannot be used: %s", path, why);
}

/* ---- writing ---- */

static void put_text(leat_i_buf *b, const char *name, const char *text)
{
    leat_i_buf_printf(b, ",\"%s\":", name);
    if (text)
        leat_i_json_put_string(b, text, strlen(text));
    else
        leat_i_buf_puts(b, "null");
}

static void put_hex(leat_i_buf *b, const char *name, uint64_t v)
{
    char hex[17];
    leat_i_hex_put(hex, v);
    leat_i_buf_printf(b, ",\"%s\":\"%s\"", name, hex);
}

/* What rows are made from. */
static void put_making(leat_i_buf *b, const leat_i_settings *s)
{
    put_text(b, "format", s->format);
    put_text(b, "url", s->url);
    put_text(b, "id_field", s->id_field);
    put_text(b, "model", s->model);
    put_text(b, "provider", s->provider);
    put_hex(b, "template", s->template_hash);
    put_hex(b, "system", s->system_hash);
    put_hex(b, "extra_body", s->extra_hash);
    leat_i_buf_puts(b, s->extras ? ",\"extras\":true" : ",\"extras\":false");
}

static void put_earlier(leat_i_buf *b, const leat_i_settings *s)
{
    for (size_t i = 0; i < s->earlier_count; i++) {
        const leat_i_earlier *e = &s->earlier[i];
        leat_i_buf_puts(b, i > 0 ? "," : ",\"earlier\":[");
        leat_i_buf_printf(b, "{\"until_row\":%llu", (unsigned long long)e->until_row);
        if (e->known) put_making(b, &e->settings);
        leat_i_buf_puts(b, "}");
    }
    if (s->earlier_count > 0) leat_i_buf_puts(b, "]");
}

bool leat_i_settings_put(leat_i_buf *b, const leat_i_settings *s)
{
    leat_i_buf_printf(b, SETTINGS_HEAD "%d", SETTINGS_VERSION);
    put_making(b, s);
    put_earlier(b, s);
    leat_i_buf_puts(b, ",\"input\":[");
    for (size_t i = 0; i < s->input_count; i++) {
        if (i > 0) leat_i_buf_append(b, ",", 1);
        leat_i_json_put_string(b, s->input[i], strlen(s->input[i]));
    }
    return leat_i_buf_puts(b, "]}\n");
}

leat_err leat_i_settings_save(const leat_i_settings *s, const char *path, leat_error *error)
{
    leat_i_buf b = { 0 };
    (void)leat_i_settings_put(&b, s);
    int rc = b.failed ? -ENOMEM : leat_i_file_replace(path, b.data, b.size);
    leat_i_buf_fini(&b);
    char text[80];
    if (rc == 0) return LEAT_OK;
    return leat_i_fail(error, rc == -ENOMEM ? LEAT_NOMEM : LEAT_IO, "cannot write %.120s: %s", path,
                       leat_i_errno_text(rc, text, sizeof text));
}

/* ---- reading ---- */

/* What leat_i_file_read says of things that no run has made: a link, no regular file, far too long. */
static bool file_is_strange(int rc)
{
    return rc == -ELOOP || rc == -EINVAL || rc == -EFBIG;
}

/* These answer LEAT_MISMATCH for what does not look as leat writes it. */

/* A member that is a string or null. */
static leat_err get_text(leat_i_json object, const char *name, bool may_lack, leat_i_arena *arena, const char **text)
{
    leat_i_json v = leat_i_json_get(object, name);
    size_t size;
    *text = NULL;
    if (v.type == LEAT_I_JSON_NULL || (v.type == LEAT_I_JSON_NONE && may_lack)) return LEAT_OK;
    if (v.type != LEAT_I_JSON_STRING) return LEAT_MISMATCH;
    *text = leat_i_json_text(v, arena, &size);
    return *text ? LEAT_OK : LEAT_NOMEM;
}

static leat_err get_hex(leat_i_json object, const char *name, uint64_t *v)
{
    leat_i_json string = leat_i_json_get(object, name);
    bool is_hex = string.type == LEAT_I_JSON_STRING && string.size == 16 + 2 && leat_i_hex_get(string.at + 1, v);
    return is_hex ? LEAT_OK : LEAT_MISMATCH;
}

static leat_err get_inputs(leat_i_json array, leat_i_arena *arena, leat_i_settings *s)
{
    leat_i_json element;
    size_t size;
    if (array.type != LEAT_I_JSON_ARRAY) return LEAT_MISMATCH;
    for (size_t at = 0; leat_i_json_next_element(array, &at, &element);)
        s->input_count++;
    s->input = leat_i_arena_alloc(arena, (s->input_count + 1) * sizeof *s->input);
    if (!s->input) return LEAT_NOMEM;
    size_t i = 0;
    for (size_t at = 0; leat_i_json_next_element(array, &at, &element); i++) {
        if (element.type != LEAT_I_JSON_STRING) return LEAT_MISMATCH;
        s->input[i] = leat_i_json_text(element, arena, &size);
        if (!s->input[i]) return LEAT_NOMEM;
    }
    return LEAT_OK;
}

static leat_err get_making(leat_i_json whole, leat_i_arena *arena, leat_i_settings *s)
{
    leat_i_json extras = leat_i_json_get(whole, "extras");
    s->extras = extras.type == LEAT_I_JSON_TRUE;
    LEAT_TRY(get_text(whole, "format", false, arena, &s->format));
    LEAT_TRY(get_text(whole, "url", false, arena, &s->url));
    LEAT_TRY(get_text(whole, "id_field", true, arena, &s->id_field));
    LEAT_TRY(get_text(whole, "model", false, arena, &s->model));
    LEAT_TRY(get_text(whole, "provider", true, arena, &s->provider));
    LEAT_TRY(get_hex(whole, "template", &s->template_hash));
    LEAT_TRY(get_hex(whole, "system", &s->system_hash));
    LEAT_TRY(get_hex(whole, "extra_body", &s->extra_hash));
    return !s->format || (!s->extras && extras.type != LEAT_I_JSON_FALSE) ? LEAT_MISMATCH : LEAT_OK;
}

static leat_err get_earlier(leat_i_json array, leat_i_arena *arena, leat_i_settings *s)
{
    leat_i_json element;
    size_t count = 0;
    if (array.type == LEAT_I_JSON_NONE) return LEAT_OK;
    if (array.type != LEAT_I_JSON_ARRAY) return LEAT_MISMATCH;
    for (size_t at = 0; leat_i_json_next_element(array, &at, &element);)
        count++;
    s->earlier = leat_i_arena_alloc(arena, (count + 1) * sizeof *s->earlier);
    if (!s->earlier) return LEAT_NOMEM;
    for (size_t at = 0; leat_i_json_next_element(array, &at, &element); s->earlier_count++) {
        leat_i_earlier *e = &s->earlier[s->earlier_count];
        *e = (leat_i_earlier){ .known = leat_i_json_get(element, "format").type != LEAT_I_JSON_NONE };
        if (!leat_i_json_u64(leat_i_json_get(element, "until_row"), &e->until_row)) return LEAT_MISMATCH;
        if (e->known) LEAT_TRY(get_making(element, arena, &e->settings));
    }
    return LEAT_OK;
}

static leat_err settings_parse(leat_i_settings *s, leat_i_json whole, leat_i_arena *arena)
{
    LEAT_TRY(get_making(whole, arena, s));
    LEAT_TRY(get_earlier(leat_i_json_get(whole, "earlier"), arena, s));
    return get_inputs(leat_i_json_get(whole, "input"), arena, s);
}

int leat_i_settings_may_replace(const char *path)
{
    leat_i_buf b = { .max = SETTINGS_BYTES_MAX };
    int rc = leat_i_file_read(path, &b);
    size_t size = b.size < sizeof SETTINGS_HEAD - 1 ? b.size : sizeof SETTINGS_HEAD - 1;
    if (rc == 0) rc = memcmp(b.data ? b.data : "", SETTINGS_HEAD, size) == 0;
    leat_i_buf_fini(&b);
    if (rc == -ENOENT) return 1;
    return file_is_strange(rc) ? 0 : rc;
}

leat_err leat_i_settings_load(leat_i_settings *s, const char *path, leat_i_arena *arena, bool *found, leat_error *error)
{
    leat_i_buf b = { .max = SETTINGS_BYTES_MAX };
    char text[80];
    memset(s, 0, sizeof *s);
    *found = false;
    int rc = leat_i_file_read(path, &b);
    if (rc == -ENOENT) return LEAT_OK;
    leat_err err = LEAT_OK;
    uint64_t version = 0;
    if (rc == -ENOMEM) {
        err = leat_i_fail(error, LEAT_NOMEM, "out of memory");
    } else if (file_is_strange(rc)) {
        err = load_fail(error, path, rc == -ELOOP ? "it is a symbolic link" : "it is no file of leat's");
    } else if (rc < 0) {
        /* It may be quite right, so nobody may go on as if it were not there. */
        err = leat_i_fail(error, LEAT_IO, "%.120s cannot be read: %s", path, leat_i_errno_text(rc, text, sizeof text));
    } else {
        leat_i_json whole = leat_i_json_parse(b.data ? b.data : "", b.size, NULL);
        if (!leat_i_json_u64(leat_i_json_get(whole, "leat"), &version))
            err = load_fail(error, path, "it is damaged, or not leat's");
        else if (version != SETTINGS_VERSION)
            err = load_fail(error, path, "it was written by another version of leat");
        else if ((err = settings_parse(s, whole, arena)) == LEAT_MISMATCH)
            err = load_fail(error, path, "it is damaged");
        else if (err == LEAT_NOMEM)
            err = leat_i_fail(error, LEAT_NOMEM, "out of memory");
        else
            *found = true;
    }
    leat_i_buf_fini(&b);
    return err;
}
