/* settings.c: makes and compares what OUT.leat says; see settings.h. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#include "../base/os.h"
#include "fail.h"
#include "ids.h"

static const char *const format_names[] = {
    [LEAT_BULK_BATCH] = "batch",
    [LEAT_BULK_BODY] = "body",
    [LEAT_BULK_FILES] = "files",
    [LEAT_BULK_LINES] = "lines",
};

static uint64_t text_hash(const char *text)
{
    if (!text) return 0;
    uint64_t h = XXH3_64bits(text, strlen(text));
    return h ? h : 1;
}

/* XXH3-128 of `size` bytes from `offset` on. 0 or -errno; -ENODATA when the file is shorter. */
static int range_hash(int fd, uint64_t offset, size_t size, char *buf, uint64_t out[2])
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = leat_i_os_pread(fd, buf + have, size - have, (int64_t)(offset + have));
        if (n < 0) return (int)n;
        if (n == 0) return -ENODATA;
        have += (size_t)n;
    }
    XXH128_hash_t h = XXH3_128bits(buf, size);
    out[0] = h.high64;
    out[1] = h.low64;
    return 0;
}

/* The print of an input as it was, or would be, at a size of `bytes`. */
static int print_take(int fd, uint64_t bytes, leat_i_input_print *print)
{
    char *buf = leat_i_alloc(LEAT_I_PRINT_BYTES);
    if (!buf) return -ENOMEM;
    size_t part = bytes < LEAT_I_PRINT_BYTES ? (size_t)bytes : LEAT_I_PRINT_BYTES;
    int rc = range_hash(fd, 0, part, buf, print->head);
    if (rc == 0) rc = range_hash(fd, bytes - part, part, buf, print->tail);
    leat_i_free(buf);
    print->bytes = bytes;
    print->sized = rc == 0;
    return rc;
}

static int input_open(const char *path)
{
    return strcmp(path, "-") == 0 ? 0 : leat_i_os_open(path, O_RDONLY | O_NONBLOCK, 0);
}

static void input_close(int fd)
{
    if (fd > 0) (void)leat_i_os_close(fd);
}

static leat_err input_print(leat_i_input_print *print, const char *path, leat_error *error)
{
    struct stat st;
    char text[80];
    *print = (leat_i_input_print){ .path = path };
    int rc = strcmp(path, "-") == 0 ? leat_i_os_fstat(0, &st) : leat_i_os_stat(path, &st);
    /* A pipe has no size, and opening one here would take its data away. */
    if (rc == 0 && !S_ISREG(st.st_mode)) return LEAT_OK;
    int fd = rc == 0 ? input_open(path) : rc;
    if (fd >= 0) {
        rc = print_take(fd, (uint64_t)st.st_size, print);
        input_close(fd);
    } else {
        rc = fd;
    }
    if (rc == 0) return LEAT_OK;
    if (rc == -ENOMEM) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    return leat_i_fail(error, LEAT_INPUT, "cannot read the input %s: %s", path, leat_i_errno_text(rc, text, sizeof text));
}

leat_err leat_i_settings_make(leat_i_settings *s, const leat_bulk_opts *opts, leat_i_arena *arena, leat_error *error)
{
    memset(s, 0, sizeof *s);
    bool built = opts->format == LEAT_BULK_FILES || opts->format == LEAT_BULK_LINES;
    s->format = format_names[opts->format];
    if (opts->format != LEAT_BULK_BATCH) s->url = opts->url ? opts->url : "/v1/chat/completions";
    if (built) {
        s->model = opts->model;
        s->template_hash = text_hash(opts->template_text);
        s->system_hash = text_hash(opts->system);
        s->extra_hash = text_hash(opts->extra_body);
    }
    s->extras = !opts->no_extras;
    s->input_count = opts->input_count;
    s->input = leat_i_arena_alloc(arena, (opts->input_count + 1) * sizeof *s->input);
    if (!s->input) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    for (size_t i = 0; i < opts->input_count; i++) {
        s->input[i] = (leat_i_input_print){ .path = opts->input[i] };
        if (opts->format != LEAT_BULK_FILES) LEAT_TRY(input_print(&s->input[i], opts->input[i], error));
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

/* Is the input still what it was, or that with more at its end? */
static leat_err input_compare(const leat_i_input_print *old, const leat_i_input_print *now, leat_error *error)
{
    if (!old->sized) return LEAT_OK;
    if (!now->sized)
        return leat_i_fail(error, LEAT_MISMATCH, "the input %.100s was a file and now is a pipe: it cannot be compared",
                           now->path);
    if (now->bytes < old->bytes)
        return leat_i_fail(error, LEAT_MISMATCH, "the input %.100s is shorter than in the earlier run", now->path);
    int fd = input_open(now->path);
    leat_i_input_print then = { .path = now->path };
    int rc = fd < 0 ? fd : print_take(fd, old->bytes, &then);
    input_close(fd);
    char text[80];
    if (rc < 0)
        return leat_i_fail(error, rc == -ENOMEM ? LEAT_NOMEM : LEAT_INPUT, "cannot read the input %.100s: %s", now->path,
                           leat_i_errno_text(rc, text, sizeof text));
    if (memcmp(then.head, old->head, sizeof then.head) == 0 && memcmp(then.tail, old->tail, sizeof then.tail) == 0)
        return LEAT_OK;
    return leat_i_fail(error, LEAT_MISMATCH, "the input %.100s was changed since the earlier run", now->path);
}

/* Keys are made of paths here: an input that is missing now would leave documents out without a word. */
static leat_err paths_compare(const leat_i_settings *old, const leat_i_settings *now, leat_error *error)
{
    leat_i_ids paths = { 0 };
    leat_err err = LEAT_OK;
    uint32_t before;
    for (size_t i = 0; i < now->input_count && !err; i++) {
        const char *path = now->input[i].path;
        if (!leat_i_ids_mark(&paths, path, strlen(path), LEAT_I_ID_SEEN, &before))
            err = leat_i_fail(error, LEAT_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < old->input_count && !err; i++) {
        const char *path = old->input[i].path;
        if (leat_i_ids_flags(&paths, path, strlen(path)) == 0)
            err = leat_i_fail(error, LEAT_MISMATCH, "the earlier run had the input %.100s, which is missing now", path);
    }
    leat_i_ids_fini(&paths);
    return err;
}

leat_err leat_i_settings_compare(const leat_i_settings *old, const leat_i_settings *now, leat_error *error)
{
    LEAT_TRY(text_compare("input format", old->format, now->format, error));
    LEAT_TRY(text_compare("URL path", old->url, now->url, error));
    LEAT_TRY(text_compare("model", old->model, now->model, error));
    LEAT_TRY(hash_compare("template", old->template_hash, now->template_hash, error));
    LEAT_TRY(hash_compare("system message", old->system_hash, now->system_hash, error));
    LEAT_TRY(hash_compare("extra body", old->extra_hash, now->extra_hash, error));
    LEAT_TRY(text_compare("form of the rows", old->extras ? "with the leat object" : "without it",
                          now->extras ? "with the leat object" : "without it", error));
    if (strcmp(now->format, format_names[LEAT_BULK_FILES]) == 0) return paths_compare(old, now, error);
    if (now->input_count < old->input_count)
        return leat_i_fail(error, LEAT_MISMATCH, "the earlier run had %zu inputs, now there are %zu", old->input_count,
                           now->input_count);
    for (size_t i = 0; i < old->input_count; i++) {
        if (strcmp(now->format, format_names[LEAT_BULK_LINES]) == 0)
            LEAT_TRY(text_compare("name of an input", old->input[i].path, now->input[i].path, error));
        LEAT_TRY(input_compare(&old->input[i], &now->input[i], error));
    }
    return LEAT_OK;
}
