/* faults.h: the faults that the endpoint can play when it is told to, and those that it cannot. */
#ifndef LEAT_I_MOCK_FAULTS_H
#define LEAT_I_MOCK_FAULTS_H

/* name as a script has it, and what the client sees; numbers in brackets are what "seconds" is where it is not given */
#define LEAT_I_MOCK_FAULT_MAP(X)                                                                                          \
    X(STATUS, "status", "an error answer with \"status\" (500), and \"retry_after\" as it stands")                        \
    X(RATE_LIMIT, "rate-limit", "429 that says when to come again, as the provider does, in \"seconds\" (1)")             \
    X(RATE_BARE, "rate-limit-bare", "429 without any hint")                                                               \
    X(RATE_DATE, "rate-limit-date", "429 with Retry-After as a date, in \"seconds\" (1)")                                 \
    X(RATE_PAST, "rate-limit-past", "429 with a date that is past")                                                       \
    X(RATE_NEGATIVE, "rate-limit-negative", "429 with Retry-After: -5")                                                   \
    X(RATE_FRACTION, "rate-limit-fraction", "429 with Retry-After: 1.5")                                                  \
    X(RATE_HUGE, "rate-limit-huge", "429 with Retry-After: 86400000")                                                     \
    X(RATE_MS, "rate-limit-ms", "429 with retry-after-ms: 1200 and Retry-After: 30; the first counts")                    \
    X(RATE_TEXT, "rate-limit-text", "429 with a hint in its message alone: try again in 1.289s")                          \
    X(RATE_NONSENSE, "rate-limit-nonsense",                                                                               \
      "a good answer whose headers of limits are -1 and 0, and resets that mean 'full'")                                  \
    X(QUOTA, "quota", "429 insufficient_quota: waiting cannot help")                                                      \
    X(QUOTA_DAY, "quota-day", "429 for the quota of a day, which says so")                                                \
    X(OVERLOADED, "overloaded", "529 without any hint")                                                                   \
    X(UNAVAILABLE, "unavailable", "503, the model is overloaded")                                                         \
    X(CAPACITY, "capacity", "498, no flexible capacity")                                                                  \
    X(LOADING, "loading", "503 while the model loads; with from_s and to_s for as long as that takes")                    \
    X(FORBIDDEN, "key-revoked", "401 in the middle of it all")                                                            \
    X(NO_MODEL, "no-model", "404, there is no such model")                                                                \
    X(TOO_LONG, "too-long", "400, more than the model's context holds")                                                   \
    X(FILTERED_400, "filtered-400", "400, the prompt was filtered (content_filter)")                                      \
    X(REDIRECT, "redirect", "302 to /health, which a client that follows it takes for an answer")                         \
    X(HTML_ERROR, "html-error", "502 with a page of HTML, as a proxy sends it")                                           \
    X(HTML, "html", "200 with a login page")                                                                              \
    X(ERROR_200, "error-200", "200 whose body is an error")                                                               \
    X(NO_CHOICE, "no-choice", "200 with an empty list of choices")                                                        \
    X(EMPTY, "empty", "200 with an empty text")                                                                           \
    X(FILTERED, "filtered", "no text, since it was filtered (content_filter, refusal, SAFETY)")                           \
    X(LENGTH, "length", "a text that ends because of its length")                                                         \
    X(LOOP, "loop", "a text that repeats itself up to max_tokens (1000)")                                                 \
    X(NO_USAGE, "no-usage", "no usage (OpenAI's chat form)")                                                              \
    X(USAGE_UNASKED, "usage-unasked", "a stream with a usage chunk that nobody asked for (OpenAI's chat form)")           \
    X(USAGE_EACH, "usage-each", "a stream with the usage so far in each chunk: the last one counts (OpenAI's chat form)") \
    X(BAD_UTF8, "bad-utf8", "a text with bytes that are no UTF-8")                                                        \
    X(BROKEN_JSON, "broken-json", "JSON without its last brace; in a stream in its middle")                               \
    X(BOM, "bom", "a byte order mark before all else")                                                                    \
    X(EMBED_REORDERED, "embed-reordered", "vectors in the opposite order, each with its right index")                     \
    X(EMBED_SHORT, "embed-short", "one vector less than asked for")                                                       \
    X(SLOW, "slow", "the answer comes \"seconds\" (10) later")                                                            \
    X(HANG, "hang", "no answer for \"seconds\" (60), and then the connection is closed")                                  \
    X(BUFFERED, "buffered", "a stream that comes in one piece when it is complete")                                       \
    X(KEEPALIVE, "keepalive", "for \"seconds\" (10) nothing but comments, or empty lines in an answer in one piece")      \
    X(SILENT, "silent", "a stream that stops in its middle: \"seconds\" (60) later the connection is closed")             \
    X(OPEN_END, "open-end", "a whole stream whose connection stays open for \"seconds\" (60)")                            \
    X(DRIBBLE, "dribble", "byte by byte in \"seconds\" (2), so that characters and events come split")                    \
    X(NO_FINISH, "no-finish", "a stream that ends after its last token, as if that were all")                             \
    X(NO_DONE, "no-done", "a stream with a finish reason and without its last event")                                     \
    X(STREAM_ERROR, "stream-error", "an error in the middle of a stream (a 500 where there is none)")                     \
    X(CRLF, "crlf", "events whose lines end with CR and LF")                                                              \
    X(CR, "cr", "events whose lines end with CR")                                                                         \
    X(NO_SPACE, "no-space", "events with data: and no space")                                                             \
    X(MULTI_LINE, "multi-line", "events whose data stands on two lines")                                                  \
    X(COMMENTS, "comments", "a comment in each event")                                                                    \
    X(GZIP, "gzip", "compressed, though nobody asked for it; a stream event by event")                                    \
    X(GZIP_CORRUPT, "gzip-corrupt", "compressed, with bytes changed in its middle")                                       \
    X(BOMB, "bomb", "64 MiB of blanks, compressed")                                                                       \
    X(FLOOD, "flood", "blanks without end")                                                                               \
    X(HUGE_HEADER, "huge-header", "a header of 128 KiB")                                                                  \
    X(HINTS, "early-hints", "100 and 103 before the answer")                                                              \
    X(HTTP10, "http10", "HTTP/1.0, and the end of the connection ends the answer")                                        \
    X(LENGTH_BOTH, "length-both", "Content-Length and chunks at once")                                                    \
    X(LENGTH_LESS, "length-less", "a Content-Length that is half of the answer")                                          \
    X(GARBAGE, "garbage", "what is no HTTP")                                                                              \
    X(CUT, "cut", "the connection is closed in the middle of the answer: less than Content-Length, or no last chunk")     \
    X(CUT_RESET, "cut-reset", "the connection is reset in the middle of the answer")                                      \
    X(CLOSE, "close", "the connection is closed without an answer")                                                       \
    X(RESET, "reset", "the connection is reset without an answer; from its second request on as keep-alive races are")

/* What an endpoint behind a library server cannot play, and why. */
#define LEAT_I_MOCK_UNPLAYED_MAP(X)                                                                    \
    X("faults of HTTP/2 (REFUSED_STREAM, GOAWAY)", "it speaks HTTP/1.1 alone")                         \
    X("faults of TLS (certificates, a cut handshake)", "it has no TLS; put a proxy before it")         \
    X("faults of names, refused connections, no route",                                                \
      "there is no server to play them: end it, or take a port that nobody has")                       \
    X("an early answer while the body is still sent", "a request is judged when it has arrived whole") \
    X("wrong or missing rows of a batch", "it has no batches")                                         \
    X("the client's own limits: descriptors, ports, memory", "they are on the other side; see ulimit")

typedef enum leat_i_mock_fault_kind {
    LEAT_I_MOCK_FAULT_NONE,
#define LEAT_I_MOCK_FAULT_ENUM(code, name, sentence) LEAT_I_MOCK_FAULT_##code,
    LEAT_I_MOCK_FAULT_MAP(LEAT_I_MOCK_FAULT_ENUM)
#undef LEAT_I_MOCK_FAULT_ENUM
        LEAT_I_MOCK_FAULT_COUNT,
} leat_i_mock_fault_kind;

/* NULL for none, and past the last. */
const char *leat_i_mock_fault_name(leat_i_mock_fault_kind kind);
const char *leat_i_mock_fault_sentence(leat_i_mock_fault_kind kind);
/* LEAT_I_MOCK_FAULT_NONE when there is none of that name. */
leat_i_mock_fault_kind leat_i_mock_fault_of(const char *name);

#endif
