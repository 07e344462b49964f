/* check.h: three kinds of "this must hold", and what each does in a release build. */
#ifndef LEAT_I_CHECK_H
#define LEAT_I_CHECK_H

/* Says where and why, and aborts. For leat's own mistakes only: a wrong call by the user answers LEAT_USAGE. */
__attribute__((noreturn, cold)) void leat_i_bug(const char *file, int line, const char *what);

#define LEAT_BUG(what) leat_i_bug(__FILE__, __LINE__, (what))

/* Proven to hold: checked in debug and test builds, gone in release builds. */
#ifdef LEAT_CHECKS
#define LEAT_ASSERT(cond) ((cond) ? (void)0 : LEAT_BUG("assertion failed: " #cond))
#else
#define LEAT_ASSERT(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

/* Believed impossible, and still handled: true when it happened; aborts in test builds. Use as `if (LEAT_NEVER(x)) return ...`. */
#ifdef LEAT_CHECKS
#define LEAT_NEVER(cond) ((cond) ? (LEAT_BUG("believed impossible: " #cond), 1) : 0)
#else
#define LEAT_NEVER(cond) __builtin_expect(!!(cond), 0)
#endif

#define LEAT_LIKELY(cond)   __builtin_expect(!!(cond), 1)
#define LEAT_UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* On the way from a submit to a parked worker that begins the task: such functions stand side by side in the program. After a rest each
 * page on that way costs a fraction of a microsecond to get at. */
#define LEAT_WAKE_PATH __attribute__((hot))

#define LEAT_CACHE_LINE_BYTES 64

#endif
