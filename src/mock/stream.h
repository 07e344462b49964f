/* stream.h: an answer as events: where each ends in r->out, and when it may go out. */
#ifndef LEAT_I_MOCK_STREAM_H
#define LEAT_I_MOCK_STREAM_H

#include "dialect.h"

/* What was put into r->out since the last call is an event. */
void leat_i_mock_event_end(leat_i_mock_request *r);
/* The next event is the first that holds a token; the last one was; the next one only says that the stream is over. */
void leat_i_mock_tokens_begin(leat_i_mock_request *r);
void leat_i_mock_tokens_end(leat_i_mock_request *r);
void leat_i_mock_events_final(leat_i_mock_request *r);

/* Walks the tokens of a reply: start with *at = 0; NULL at the end. */
const char *leat_i_mock_token_next(const leat_i_mock_reply *reply, size_t *at, size_t *size);

/* Puts all events anew, one after the other; an answer in one piece is one event. What is put may be shorter, longer or nothing. */
typedef void (*leat_i_mock_event_put)(leat_i_buf *to, const char *event, size_t size, uint32_t index, uint32_t count,
                                      void *arg);
void leat_i_mock_events_rewrite(leat_i_mock_request *r, leat_i_mock_event_put put, void *arg);

/* Where event `index` ends in r->out. */
size_t leat_i_mock_event_at(const leat_i_mock_request *r, uint32_t index);
/* When event `index` may go out, in ns after the first one. */
int64_t leat_i_mock_event_due_ns(const leat_i_mock_request *r, uint32_t index);

#endif
