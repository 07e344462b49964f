/* forms_gemini.c: the rows of Gemini's forms. */
#include "forms_rows.h"

#define GENERATE .form = &leat_i_form_generate, .path = "/v1beta/models/g:generateContent"
#define EMBED    .form = &leat_i_form_embed, .path = "/v1beta/models/g:batchEmbedContents"
#define USAGE                                                                                        \
    "\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":3," \
    "\"cachedContentTokenCount\":2,\"totalTokenCount\":16}"
#define BODY(parts, finish)                                                                               \
    "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"},\"finishReason\":\"" finish \
    "\",\"index\":0}]," USAGE "}"
#define TOKENS .tokens = { 9, 7, 2, 3 }
#define CHUNK(parts, rest)                                                                \
    "data: {\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" rest \
    ",\"index\":0}],\"modelVersion\":\"g-1\",\"responseId\":\"r\"}\r\n\r\n"
#define LAST(parts, finish)                                                                                     \
    "data: {\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"},\"finishReason\":\"" finish \
    "\",\"index\":0}]," USAGE ",\"modelVersion\":\"g-1\"}\r\n\r\n"

const form_row form_gemini[] = {
    { .name = "candidates: thoughts and cached tokens",
      GENERATE,
      .body = BODY("{\"text\":\"hm\",\"thought\":true},{\"text\":\"Hi \"},{\"text\":\"you\"}", "STOP"),
      .text = "Hi you",
      TOKENS },
    { .name = "candidates: a function is called",
      GENERATE,
      .body = BODY("{\"functionCall\":{\"name\":\"f\",\"args\":{}}}", "STOP"),
      TOKENS },
    { .name = "candidates: cut",
      GENERATE,
      .body = BODY("{\"text\":\"a\"}", "MAX_TOKENS"),
      .text = "a",
      TOKENS,
      .what = LEAT_I_CASE_LENGTH },
    { .name = "candidates: filtered",
      GENERATE,
      .body = "{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]," USAGE "}",
      TOKENS,
      .what = LEAT_I_CASE_FILTERED_ANSWER,
      .message = "SAFETY" },
    { .name = "candidates: recited", GENERATE, .body = BODY("", "RECITATION"), TOKENS, .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "candidates: the prompt is blocked",
      GENERATE,
      .body = "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{\"promptTokenCount\":9}}",
      .tokens = { 9 },
      .what = LEAT_I_CASE_FILTERED_ANSWER,
      .message = "PROHIBITED_CONTENT" },
    { .name = "candidates: a call that makes no sense",
      GENERATE,
      .body = "{\"candidates\":[{\"content\":{},\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}",
      .what = LEAT_I_CASE_MALFORMED,
      .message = "MALFORMED_FUNCTION_CALL" },
    { .name = "candidates: for no reason that it names",
      GENERATE,
      .body = BODY("{\"text\":\"a\"}", "OTHER"),
      .text = "a",
      TOKENS,
      .what = LEAT_I_CASE_SERVER_LATE },
    { .name = "candidates: nothing in it",
      GENERATE,
      .body = BODY("{\"text\":\"\"}", "STOP"),
      TOKENS,
      .what = LEAT_I_CASE_EMPTY },
    { .name = "candidates: thoughts alone",
      GENERATE,
      .body = BODY("{\"text\":\"hm\",\"thought\":true}", "STOP"),
      TOKENS,
      .what = LEAT_I_CASE_EMPTY },
    { .name = "candidates: no content",
      GENERATE,
      .body = "{\"candidates\":[{\"finishReason\":\"STOP\"}]}",
      .what = LEAT_I_CASE_EMPTY },
    { .name = "candidates: none", GENERATE, .body = "{\"candidates\":[]," USAGE "}", TOKENS, .what = LEAT_I_CASE_EMPTY },
    { .name = "candidates: missing", GENERATE, .body = "{" USAGE "}", TOKENS, .what = LEAT_I_CASE_EMPTY },
    { .name = "candidates: without a reason of its stop",
      GENERATE,
      .body = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
      .text = "a",
      .what = LEAT_I_CASE_TRUNCATED },
    { .name = "candidates: an error with a 200",
      GENERATE,
      .body = "[{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}]",
      .what = LEAT_I_CASE_THROTTLED,
      .message = "overloaded" },
    { .name = "candidates: a chat completion is none", GENERATE, .body = "{\"choices\":[]}", .what = LEAT_I_CASE_MALFORMED },
    { .name = "tokens counted",
      .form = &leat_i_form_generate,
      .path = "/v1beta/models/g:countTokens",
      .body = "{\"totalTokens\":5}" },

    { .name = "embeddings", EMBED, .body = "{\"embeddings\":[{\"values\":[0.5,1]},{\"values\":[0.25,2]}]}", .inputs = 2 },
    { .name = "embeddings: too few",
      EMBED,
      .body = "{\"embeddings\":[{\"values\":[0.5,1]}]}",
      .inputs = 2,
      .what = LEAT_I_CASE_MISFIT,
      .message = "1 embeddings for 2 inputs" },
    { .name = "embeddings: an empty one",
      EMBED,
      .body = "{\"embeddings\":[{\"values\":[]}]}",
      .inputs = 1,
      .what = LEAT_I_CASE_EMPTY },
    { .name = "embedding", EMBED, .body = "{\"embedding\":{\"values\":[0.5]}}" },
    { .name = "embedding: something else", EMBED, .body = "{\"x\":1}", .what = LEAT_I_CASE_MALFORMED },

    { .name = "candidates, streamed",
      GENERATE,
      .stream = CHUNK("{\"text\":\"hm\",\"thought\":true}", "") CHUNK("{\"text\":\"Hi\\n\"}", "")
          CHUNK("{\"text\":\"y\"}", ",\"safetyRatings\":[{\"a\":1}]") LAST("{\"text\":\"ou\"}", "STOP"),
      .folded = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"Hi\\nyou\"}],"
                "\"role\":\"model\"},"
                "\"finishReason\":\"STOP\",\"safetyRatings\":[{\"a\":1}],\"index\":0}]," USAGE
                ",\"modelVersion\":\"g-1\",\"responseId\":\"r\"}",
      .text = "Hi\nyou",
      .heard = "Hi\\nyou",
      TOKENS },
    { .name = "candidates, streamed: calls keep their place",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", "")
          CHUNK("{\"functionCall\":{\"name\":\"f\",\"args\":{\"q\": 1}},\"thoughtSignature\":\"s\"}", "")
              LAST("{\"text\":\"\"},{\"text\":\"b\"}", "STOP"),
      .folded = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\",\"args\":{"
                "\"q\":1}},\"thoughtSignature\":"
                "\"s\"},{\"text\":\"b\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}]," USAGE
                ",\"modelVersion\":\"g-1\",\"responseId\":\"r\"}",
      .text = "ab",
      .heard = "ab",
      TOKENS },
    { .name = "candidates, streamed: a gateway's own end marker",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", "") LAST("{\"text\":\"b\"}", "STOP") "data: [DONE]\n\n",
      .text = "ab",
      .heard = "ab",
      TOKENS },
    { .name = "candidates, streamed: an array of events as an event",
      GENERATE,
      .stream = "data: [" BODY("{\"text\":\"a\"}", "STOP") "," BODY("{\"text\":\"b\"}", "STOP") "]\n\n",
      .text = "ab",
      .heard = "ab",
      TOKENS },
    { .name = "candidates, streamed: an error in an array",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", "") "data: [{\"error\":{\"code\":503,\"message\":\"m\"}}]\n\n",
      .heard = "a",
      .is_error = true },
    { .name = "candidates, streamed: what is not known by name is kept",
      GENERATE,
      .stream =
          CHUNK("{\"text\":\"a\"}",
                ",\"groundingMetadata\":{\"a\":1},\"newThing\":{\"b\":[1]}") "data: {\"candidates\":[{"
                                                                             "\"finishReason\":\"STOP\","
                                                                             "\"groundingMetadata\":{\"a\":2},\"index\":0}],"
                                                                             "\"modelStatus\":{\"c\":3}}\r\n\r\n",
      .folded = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"finishReason\":\"STOP\","
                "\"groundingMetadata\":{\"a\":2},\"newThing\":{\"b\":[1]},\"index\":0}],\"modelVersion\":\"g-1\","
                "\"responseId\":\"r\","
                "\"modelStatus\":{\"c\":3}}",
      .text = "a",
      .heard = "a" },
    { .name = "candidates, streamed: it just ends",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", ""),
      .text = "a",
      .heard = "a",
      .what = LEAT_I_CASE_TRUNCATED,
      .is_partial = true },
    { .name = "candidates, streamed: the prompt is blocked",
      GENERATE,
      .stream = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":9}}\r\n\r\n",
      .folded = "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":9}}",
      .tokens = { 9 },
      .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "candidates, streamed: filtered in the middle",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", "") LAST("", "SAFETY"),
      .text = "a",
      .heard = "a",
      TOKENS,
      .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "candidates, streamed: an error in the middle",
      GENERATE,
      .stream = CHUNK("{\"text\":\"a\"}", "") "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
      .heard = "a",
      .is_error = true },
};
const size_t form_gemini_count = sizeof form_gemini / sizeof *form_gemini;
