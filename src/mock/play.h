/* play.h: turning an answer into the fault that was ordered. Each file knows the faults of one kind; none of them fits: false. */
#ifndef LEAT_I_MOCK_PLAY_H
#define LEAT_I_MOCK_PLAY_H

#include "dialect.h"

/* play.c: before the answer is made: what it says; afterwards: how it goes out, and the delay that this adds. */
void leat_i_mock_play_reply(leat_i_mock_request *r, leat_i_mock_reply *reply);
int64_t leat_i_mock_play(leat_i_mock_request *r);
/* How long the ordered fault lasts. */
int64_t leat_i_mock_play_ns(const leat_i_mock_request *r, int64_t usual_s);

/* play_status.c: an error answer instead of the good one. */
bool leat_i_mock_play_status(leat_i_mock_request *r);
/* play_bytes.c: the bytes of the answer, and where its events end. */
bool leat_i_mock_play_bytes(leat_i_mock_request *r);
/* play_wire.c: what stands around the bytes: compression, lengths, heads. */
bool leat_i_mock_play_wire(leat_i_mock_request *r);

/* An ordered error answer: `status`, and what the dialect makes of the rest. */
void leat_i_mock_refuse_as_ordered(leat_i_mock_request *r, int status, const char *type, const char *code, const char *text);

#endif
