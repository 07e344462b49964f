/*
 * leat/base.h: errors, and the few macros that every leat header uses.
 *
 * Source: our own.
 */
#ifndef LEAT_BASE_H
#define LEAT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0

#if defined(__GNUC__)
#define LEAT_API               __attribute__((visibility("default")))
#define LEAT_MUST_USE          __attribute__((warn_unused_result))
#define LEAT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define LEAT_API
#define LEAT_MUST_USE
#define LEAT_PRINTF(fmt, args)
#endif
#define LEAT_INLINE static inline

/* The one list of errors: code, whether trying again can help, and the sentence that users see. */
#define LEAT_ERR_MAP(X)                                                  \
    X(OK, false, "success")                                              \
    X(NOMEM, false, "out of memory")                                     \
    X(USAGE, false, "called with wrong arguments or in a wrong state")   \
    X(CANCELED, false, "the run was canceled")                           \
    X(TIMEOUT, true, "deadline passed")                                  \
    X(LIMITED, true, "rate limit would be exceeded")                     \
    X(NET, true, "connection failed or was cut")                         \
    X(HTTP, true, "server answered with an error status")                \
    X(REPLY, true, "server answered but not in the agreed form")         \
    X(USER, true, "a node's own code failed")                            \
    X(IO, false, "reading or writing failed")                            \
    X(INPUT, false, "input is not in the agreed form")                   \
    X(LOCKED, false, "in use by another process")                        \
    X(MISMATCH, false, "input or settings differ from the earlier run")  \
    X(DENIED, false, "the endpoint refused the key, the quota or trust") \
    X(STOPPED, false, "stopped by a rule")

typedef enum leat_err {
#define LEAT_ERR_ENUM(code, retryable, sentence) LEAT_##code,
    LEAT_ERR_MAP(LEAT_ERR_ENUM)
#undef LEAT_ERR_ENUM
} leat_err;

/* A failure with its story: plain data, copyable, owns nothing. */
typedef struct leat_error {
    leat_err code;          /* what to branch on */
    int http_status;        /* 0 = no reply was read */
    int64_t retry_after_ms; /* ms; < 0 = the server gave none */
    uint32_t attempt;       /* 0-based attempt that failed */
    char node[32];          /* class name of the failing node, cut to fit; "" outside a node */
    char text[192];         /* one sentence, always NUL-ended */
    char story[384];        /* what led to it and what it was part of: leat_error_cause reads it */
} leat_error;

/**
 * Gives the name of `code` as in the list above, for example "TIMEOUT"; "UNKNOWN" outside the list.
 *
 * Threads: any.
 * Owns:    a constant of the library; nobody frees it.
 * Errors:  never NULL.
 */
LEAT_API const char *leat_err_name(leat_err code);

/**
 * Gives the sentence of `code` from the list above.
 *
 * Threads: any.
 * Owns:    a constant of the library; nobody frees it.
 * Errors:  never NULL: "unknown error" outside the list.
 */
LEAT_API const char *leat_err_sentence(leat_err code);

/**
 * Tells whether another attempt can help after `code`.
 *
 * Threads: any.
 */
LEAT_API bool leat_err_is_retryable(leat_err code);

/**
 * Walks the story of a failure, from the nearest on: what it came from (in a fallback: the last attempt's error; of a deadline:
 * what was under way; leat_task_fail_because: what was given), and the places that it passed on its way out (a node that called
 * the flow, a flow around the flow).
 *
 *     for (size_t i = 0; (text = leat_error_cause(&error, i, &code)); i++)
 *         puts(text);
 *
 * Threads: any.
 * Owns:    the text lies in `error`. `*code` (optional) becomes the code of that cause; LEAT_OK = a place, no failure of its own.
 * Errors:  NULL past the last, and for `error` NULL. A story that is too long for leat_error.story is cut; the nearest causes stay.
 */
LEAT_API const char *leat_error_cause(const leat_error *error, size_t index, leat_err *code);

/**
 * Writes a failure with its whole story as text, a line each; like snprintf. NULL, as leat_future_error gives it, is no failure:
 * "OK: success".
 *
 * Threads: any.
 * Owns:    `size` bytes at `text` are written, the NUL included; size 0 writes nothing.
 * Shape:   "USER: the sentence", then "  because (NET): ..." and "  in ..." for each cause and place; no newline at the end.
 * Units:   gives the bytes that the whole text has, without the NUL.
 */
LEAT_API size_t leat_error_format(const leat_error *error, char *text, size_t size);

/**
 * Gives the version of the library that is linked, as "major.minor.patch".
 *
 * Threads: any.
 * Owns:    a constant of the library; nobody frees it.
 * Errors:  never NULL.
 */
LEAT_API const char *leat_version(void);

/* Returns the error of `expr` to the caller; the only macro of leat that changes control flow. */
#define LEAT_TRY(expr)                                    \
    do {                                                  \
        leat_err leat_try_err = (expr);                   \
        if (leat_try_err != LEAT_OK) return leat_try_err; \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
