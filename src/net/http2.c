/*
 * http2.c: what curl tells about HTTP/2 in words only.
 *
 * Whether the endpoint has looked at a request decides whether sending it again is free. HTTP/2 says so: RST_STREAM with
 * REFUSED_STREAM, and GOAWAY for all streams above the last one that it names. curl closes the connection then, and has no code
 * for it; but it writes what it saw, once for a connection, into the words of whichever transfer was reading. So each transfer's
 * words are listened to, for its stream, its connection, and what came. Words that a version of curl does not say are missed: then
 * the attempt counts as one that was lost, and possibly billed.
 */
#include "loop.h"

#include <string.h>

#define CALM 11 /* ENHANCE_YOUR_CALM. Source: RFC 9113, section 7. */

/* The number behind `before`, in `text`. */
static bool number_after(const char *text, size_t size, const char *before, uint32_t *number)
{
    size_t before_size = strlen(before);
    const char *at = memmem(text, size, before, before_size), *end = text + size;
    if (!at) return false;
    *number = 0;
    for (at += before_size; at < end && *at >= '0' && *at <= '9'; at++)
        *number = *number * 10 + (uint32_t)(*at - '0');
    return true;
}

static bool holds(const char *text, size_t size, const char *word)
{
    return memmem(text, size, word, strlen(word)) != NULL;
}

static void exchange_hear(leat_i_exchange *x, const char *text, size_t size)
{
    leat_i_pool *pool = x->slot->pool;
    uint32_t error = 0, last = 0;
    if (number_after(text, size, "Using Stream ID: ", &x->stream_id)) return;
    if (number_after(text, size, "existing connection #", &x->connection)) return;
    if (holds(text, size, "Connected to ") && number_after(text, size, "(#", &x->connection)) return;
    if (holds(text, size, "REFUSED_STREAM")) x->is_refused = true;
    if (holds(text, size, "ENHANCE_YOUR_CALM")) x->is_calm = true;
    if (!number_after(text, size, "GOAWAY, error=", &error) || !number_after(text, size, "last_stream=", &last)) return;
    pool->gone_connection = x->connection;
    pool->gone_stream = last;
    pool->gone_calm = error == CALM;
    pool->has_gone = true;
}

int leat_i_http2_hear(CURL *easy, curl_infotype type, char *text, size_t size, void *slot_arg)
{
    leat_i_slot *slot = slot_arg;
    (void)easy;
    /* The other types are headers and bodies, in which keys and documents stand. */
    if (type == CURLINFO_TEXT && slot->x && !slot->x->lost_ns) exchange_hear(slot->x, text, size);
    return 0;
}

bool leat_i_http2_refused(const leat_i_exchange *x, bool *calm)
{
    const leat_i_pool *pool = x->slot ? x->slot->pool : NULL;
    bool gone = pool && pool->has_gone && x->stream_id > pool->gone_stream && x->connection == pool->gone_connection;
    *calm = x->is_calm || (gone && pool->gone_calm);
    return x->is_refused || gone;
}
