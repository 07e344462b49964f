/*
 * err.c: the list of errors of leat/base.h, as names and sentences; the story of a failure.
 *
 * A story is a row of entries in leat_error.story: the code plus STORY_CODE as one byte, never 0, and the text with its NUL. A byte
 * of 0 where an entry would begin ends it. Memory of zeros is an empty story.
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEAT_TEXT(x)               #x
#define LEAT_VERSION_TEXT(a, b, c) LEAT_TEXT(a) "." LEAT_TEXT(b) "." LEAT_TEXT(c)

static const struct {
    const char *name, *sentence;
    bool retryable;
} err_list[] = {
#define LEAT_ERR_ENTRY(code, retryable, sentence) { #code, sentence, retryable },
    LEAT_ERR_MAP(LEAT_ERR_ENTRY)
#undef LEAT_ERR_ENTRY
};

static bool err_is_known(leat_err code)
{
    return (size_t)code < sizeof err_list / sizeof err_list[0];
}

const char *leat_err_name(leat_err code)
{
    return err_is_known(code) ? err_list[code].name : "UNKNOWN";
}

const char *leat_err_sentence(leat_err code)
{
    return err_is_known(code) ? err_list[code].sentence : "unknown error";
}

bool leat_err_is_retryable(leat_err code)
{
    return err_is_known(code) && err_list[code].retryable;
}

leat_err leat_i_fail(leat_error *error, leat_err code, const char *fmt, ...)
{
    if (!error) return code;
    *error = (leat_error){ .code = code, .retry_after_ms = -1 };
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof error->text, fmt, args);
    va_end(args);
    return code;
}

/* ---- the story ---- */

#define STORY_CODE     1
#define STORY_TEXT_MIN 16u  /* a shorter piece of a sentence tells nothing */
#define STORY_TEXT_MAX 160u /* of one entry, so that one does not take the place of all */

static size_t story_end(const leat_error *error)
{
    size_t at = 0;
    while (error->story[at])
        at += strlen(error->story + at) + 1;
    return at;
}

void leat_i_error_add(leat_error *error, leat_err code, const char *text)
{
    size_t at = story_end(error), room = sizeof error->story - at;
    if (room < STORY_TEXT_MIN + 3) return; /* the code, the NUL and the end */
    room -= 3;
    size_t size = strnlen(text, STORY_TEXT_MAX);
    if (size > room) size = room;
    error->story[at] = (char)(code + STORY_CODE);
    memcpy(error->story + at + 1, text, size);
    memset(error->story + at + 1 + size, 0, 2);
}

void leat_i_error_because(leat_error *error, const leat_error *cause)
{
    leat_err code;
    const char *text;
    leat_i_error_add(error, cause->code, cause->text);
    for (size_t i = 0; (text = leat_error_cause(cause, i, &code)); i++)
        leat_i_error_add(error, code, text);
}

const char *leat_error_cause(const leat_error *error, size_t index, leat_err *code)
{
    if (!error) return NULL;
    const char *at = error->story;
    for (; *at && index > 0; index--)
        at += strlen(at) + 1;
    if (!*at) return NULL;
    if (code) *code = (leat_err)((unsigned char)*at - STORY_CODE);
    return at + 1;
}

/* What leat_future_error means by NULL. */
static const leat_error good = { .retry_after_ms = -1, .text = "success" };

size_t leat_error_format(const leat_error *error, char *text, size_t size)
{
    leat_err code;
    const char *cause;
    if (!error) error = &good;
    int n = snprintf(text, size, "%s: %s", leat_err_name(error->code), error->text);
    size_t at = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; (cause = leat_error_cause(error, i, &code)); i++) {
        char *to = at < size ? text + at : NULL;
        size_t room = at < size ? size - at : 0;
        n = code == LEAT_OK ? snprintf(to, room, "\n  in %s", cause)
                            : snprintf(to, room, "\n  because (%s): %s", leat_err_name(code), cause);
        if (n > 0) at += (size_t)n;
    }
    return at;
}

const char *leat_version(void)
{
    return LEAT_VERSION_TEXT(LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
}
