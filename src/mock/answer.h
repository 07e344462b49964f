/* answer.h: how a request's answer is made: the parts that chat, embeddings and refusals share. */
#ifndef LEAT_I_MOCK_ANSWER_H
#define LEAT_I_MOCK_ANSWER_H

#include "../base/json.h"
#include "endpoint.h"

/* Fills in an error answer in the form of the request's dialect; type, param and code are those of OpenAI, and may be NULL. What
 * `out` held before is dropped. */
void leat_i_mock_fail(leat_i_mock_request *r, int status, const char *type, const char *param, const char *code,
                      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The same for a request that is not valid: 400, invalid_request_error. Always false, to end a check with. */
bool leat_i_mock_invalid(leat_i_mock_request *r, const char *param, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Memory was short: an answer that needs none. */
void leat_i_mock_fail_memory(leat_i_mock_request *r);

/* "an array", "a string": what a value is, in the words of the error messages. */
const char *leat_i_mock_json_kind(leat_i_json value);

/* Reads an optional whole number of at least `least`; absent or null leaves *value. False = the answer is a 400. */
bool leat_i_mock_take_u64(leat_i_mock_request *r, leat_i_json json, const char *param, uint64_t least, uint64_t most,
                          uint64_t *value);
/* Reads an optional bool in the same way. */
bool leat_i_mock_take_bool(leat_i_mock_request *r, leat_i_json json, const char *param, bool *value);

/* Whether this was decided, under the name that the log has for it. */
bool leat_i_mock_decided(const leat_i_mock_request *r, const char *decision);

/* Id of this request's answer, the same for the same seed and ordinal. */
uint64_t leat_i_mock_id(const leat_i_mock_request *r);

void leat_i_mock_chat(leat_i_mock_request *r, leat_i_json body);  /* chat.c */
void leat_i_mock_embed(leat_i_mock_request *r, leat_i_json body); /* embed.c */

#endif
