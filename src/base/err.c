/* err.c: the list of errors of leat/base.h, as names and sentences. */
#include "leat/base.h"

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

const char *leat_version(void)
{
    return LEAT_VERSION_TEXT(LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
}
