/* settings.c: makes and compares what OUT.leat says; see settings.h. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#include "../base/err.h"
#include "../base/os.h"
#include "../llm/provider.h"
#include "../llm/turn.h"
#include "format.h"
#include "ids.h"
#include "template.h"

static const char *const format_names[] = { LEAT_I_FORMAT_NAMES };

static uint64_t text_hash(const char *text)
{
    if (!text) return 0;
    uint64_t h = XXH3_64bits(text, strlen(text));
    return h ? h : 1;
}

/* A folder is the same with and without a slash at its end. */
static const char *path_plain(const char *path, leat_i_arena *arena)
{
    size_t size = strlen(path);
    if (size < 2 || path[size - 1] != '/') return path;
    while (size > 1 && path[size - 1] == '/')
        size--;
    return leat_i_arena_strndup(arena, path, size);
}

leat_err leat_i_settings_make(leat_i_settings *s, const leat_bulk_opts *opts, leat_i_arena *arena, leat_error *error)
{
    memset(s, 0, sizeof *s);
    bool built = leat_i_template_is_for(opts->format);
    s->format = format_names[opts->format];
    if (opts->format != LEAT_BULK_BATCH) s->url = opts->url ? opts->url : "/v1/chat/completions";
    if (built) {
        s->model = opts->model;
        s->id_field = opts->id_field;
        s->template_hash = text_hash(opts->template_text);
        s->system_hash = text_hash(opts->system);
        s->extra_hash = text_hash(opts->extra_body);
    }
    s->provider = opts->llm ? leat_i_llm_tongue(opts->llm) : leat_i_provider_tongue(opts->provider);
    s->extras = !opts->no_extras;
    s->input_count = opts->input_count;
    s->input = leat_i_arena_alloc(arena, (opts->input_count + 1) * sizeof *s->input);
    if (!s->input) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    for (size_t i = 0; i < opts->input_count; i++) {
        s->input[i] = path_plain(opts->input[i], arena);
        if (!s->input[i]) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    }
    return LEAT_OK;
}

static leat_err text_compare(const char *what, const char *old, const char *now, leat_error *error)
{
    if ((!old && !now) || (old && now && strcmp(old, now) == 0)) return LEAT_OK;
    return leat_i_fail(error, LEAT_MISMATCH, "the %s differs from the earlier run: it was %.60s, now it is %.60s", what,
                       old ? old : "not set", now ? now : "not set");
}

static leat_err hash_compare(const char *what, uint64_t old, uint64_t now, leat_error *error)
{
    if (old == now) return LEAT_OK;
    return leat_i_fail(error, LEAT_MISMATCH, "the %s differs from the earlier run", what);
}

/* Keys are made of paths here: an input that is missing now would leave documents out without a word. */
static leat_err paths_compare(const leat_i_settings *old, const leat_i_settings *now, leat_error *error)
{
    leat_i_ids paths = { 0 };
    leat_err err = LEAT_OK;
    uint32_t before;
    for (size_t i = 0; i < now->input_count && !err; i++) {
        const char *path = now->input[i];
        if (!leat_i_ids_mark(&paths, path, strlen(path), LEAT_I_ID_SEEN, &before))
            err = leat_i_fail(error, LEAT_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < old->input_count && !err; i++) {
        const char *path = old->input[i];
        if (leat_i_ids_flags(&paths, path, strlen(path)) == 0)
            err = leat_i_fail(error, LEAT_MISMATCH, "the earlier run had the input %.100s, which is missing now", path);
    }
    leat_i_ids_fini(&paths);
    return err;
}

leat_err leat_i_settings_compare_making(const leat_i_settings *old, const leat_i_settings *now, leat_error *error)
{
    LEAT_TRY(text_compare("input format", old->format, now->format, error));
    LEAT_TRY(text_compare("id field", old->id_field, now->id_field, error));
    LEAT_TRY(text_compare("URL path", old->url, now->url, error));
    LEAT_TRY(text_compare("model", old->model, now->model, error));
    if (old->provider && now->provider)
        LEAT_TRY(text_compare("provider's form of replies", old->provider, now->provider, error));
    LEAT_TRY(hash_compare("template", old->template_hash, now->template_hash, error));
    LEAT_TRY(hash_compare("system message", old->system_hash, now->system_hash, error));
    LEAT_TRY(hash_compare("extra body", old->extra_hash, now->extra_hash, error));
    return text_compare("form of the rows", old->extras ? "with the leat object" : "without it",
                        now->extras ? "with the leat object" : "without it", error);
}

leat_err leat_i_settings_compare(const leat_i_settings *old, const leat_i_settings *now, leat_error *error)
{
    LEAT_TRY(leat_i_settings_compare_making(old, now, error));
    return strcmp(now->format, format_names[LEAT_BULK_FILES]) == 0 ? paths_compare(old, now, error) : LEAT_OK;
}
