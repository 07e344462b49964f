/* stream.h: the answer of a chat as server-sent events, one a token, as real endpoints send it. */
#ifndef LEAT_I_MOCK_STREAM_H
#define LEAT_I_MOCK_STREAM_H

#include "endpoint.h"
#include "extract.h"

#define LEAT_I_MOCK_FINGERPRINT "fp_leat_0_1"

/* Puts all events into r->out and marks where each ends; false = memory is short. */
bool leat_i_mock_stream_put(leat_i_mock_request *r, const leat_i_mock_summary *s, bool usage, uint64_t prompt_tokens);

/* When event `index` may go out, in ns after the first one: the first two at once, then at opts.tokens_per_s. */
int64_t leat_i_mock_stream_due_ns(const leat_i_mock_request *r, uint32_t index);

#endif
