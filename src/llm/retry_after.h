/*
 * retry_after.h: how long an endpoint asks us to wait, in all the ways in which it says so. Pure.
 *
 * Answers are milliseconds, rounded up, at least 1 and at most LEAT_I_RETRY_MS_MAX; -1 = it did not say, or said nothing usable
 * (zero, negative, in the past, not a number).
 */
#ifndef LEAT_I_RETRY_AFTER_H
#define LEAT_I_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

#define LEAT_I_RETRY_MS_MAX INT64_C(1000000000) /* eleven days: whoever asks for more asks for never */

/* From the headers, NULL = absent: `retry-after-ms` goes before `retry-after`, which is seconds (fractions too) or a date; a date
 * counts from the reply's own `date`, so that a wrong clock on either side does no harm, else from `wall_ns` (since 1970). */
int64_t leat_i_retry_after_ms(const char *retry_after_ms, const char *retry_after, const char *date, int64_t wall_ns);

/* From a duration as in "34s", "1m30.5s", "250ms"; a bare number is seconds. `size` bytes. */
int64_t leat_i_retry_duration_ms(const char *text, size_t size);

/* From words in an error message: "try again in 5.289s", "retry after 20 seconds". NUL-ended. */
int64_t leat_i_retry_hint_ms(const char *message);

/* Seconds since 1970 of an HTTP date in any of its three forms; -1 when it is none. Source: RFC 9110, section 5.6.7. */
int64_t leat_i_http_date_s(const char *text);

/* The same of "2026-11-21T13:59:52Z", whose fraction and zone may be others; -1 when it is no such date. Source: RFC 3339. */
int64_t leat_i_rfc3339_s(const char *text);

#endif
