/* forms_anthropic.c: the rows of Anthropic's form. */
#include "forms_rows.h"

#define MESSAGES .form = &leat_i_form_messages, .path = "/v1/messages"
#define HEAD     "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\","
#define BODY(content, stop)                                  \
    HEAD "\"content\":[" content "],\"stop_reason\":\"" stop \
         "\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":5}}"
#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define PING              EVENT("ping", "")
#define START                                                                                                              \
    EVENT("message_start",                                                                                                 \
          ",\"message\":" HEAD "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9," \
          "\"cache_read_input_tokens\":100,\"output_tokens\":1}}")
#define BLOCK(index, content) EVENT("content_block_start", ",\"index\":" index ",\"content_block\":" content)
#define DELTA(index, delta)   EVENT("content_block_delta", ",\"index\":" index ",\"delta\":" delta)
#define TEXT(index, text)     DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define STOP(index)           EVENT("content_block_stop", ",\"index\":" index)
#define END(stop) \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":" stop ",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}")
#define OVER EVENT("message_stop", "")

const form_row form_anthropic[] = {
    { .name = "message",
      MESSAGES,
      .body = BODY("{\"type\":\"text\",\"text\":\"Hi \"},{\"type\":\"text\",\"text\":\"you\"}", "end_turn"),
      .text = "Hi you",
      .tokens = { 9, 5 } },
    { .name = "message: cached tokens count as read",
      MESSAGES,
      .body = "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":\"stop_sequence\","
              "\"usage\":{"
              "\"input_tokens\":3,\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":100,\"output_tokens\":7}}",
      .text = "x",
      .tokens = { 123, 7, 100 } },
    { .name = "message: thoughts are no text",
      MESSAGES,
      .body = BODY("{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"x\"}",
                   "end_turn"),
      .text = "x",
      .tokens = { 9, 5 } },
    { .name = "message: a tool is asked for",
      MESSAGES,
      .body = BODY("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}", "tool_use"),
      .tokens = { 9, 5 } },
    { .name = "message: cut",
      MESSAGES,
      .body = BODY("{\"type\":\"text\",\"text\":\"x\"}", "max_tokens"),
      .text = "x",
      .tokens = { 9, 5 },
      .what = LEAT_I_CASE_LENGTH },
    { .name = "message: the window was full",
      MESSAGES,
      .body = BODY("{\"type\":\"text\",\"text\":\"x\"}", "model_context_window_exceeded"),
      .text = "x",
      .tokens = { 9, 5 },
      .what = LEAT_I_CASE_LENGTH },
    { .name = "message: refused",
      MESSAGES,
      .body = BODY("", "refusal"),
      .tokens = { 9, 5 },
      .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "message: empty", MESSAGES, .body = BODY("", "end_turn"), .tokens = { 9, 5 }, .what = LEAT_I_CASE_EMPTY },
    { .name = "message: thoughts alone",
      MESSAGES,
      .body = BODY("{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"\"}", "end_turn"),
      .tokens = { 9, 5 },
      .what = LEAT_I_CASE_EMPTY },
    { .name = "message: without a reason of its stop",
      MESSAGES,
      .body = "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":null}",
      .text = "x",
      .what = LEAT_I_CASE_TRUNCATED },
    { .name = "message: an error with a 200",
      MESSAGES,
      .body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
      .what = LEAT_I_CASE_THROTTLED,
      .message = "Overloaded" },
    { .name = "message: a chat completion is none", MESSAGES, .body = "{\"choices\":[]}", .what = LEAT_I_CASE_MALFORMED },
    { .name = "tokens counted",
      .form = &leat_i_form_messages,
      .path = "/v1/messages/count_tokens",
      .body = "{\"input_tokens\":5}" },

    { .name = "message, streamed",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") PING TEXT("0", "Hi\\n") EVENT("news", ",\"x\":1")
          TEXT("0", "you") STOP("0") END("\"end_turn\"") OVER,
      .folded =
          HEAD "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"content\":[{\"type\":\"text\",\"text\":\"Hi\\nyou\"}],"
               "\"usage\":{\"input_tokens\":9,\"cache_read_input_tokens\":100,\"output_tokens\":15}}",
      .text = "Hi\nyou",
      .heard = "Hi\\nyou",
      .tokens = { 109, 15, 100 } },
    { .name = "message, streamed: thoughts, a tool, citations",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
          DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
              DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}") STOP("0")
                  BLOCK("1", "{\"type\":\"text\",\"text\":\"\",\"citations\":[]}") TEXT("1", "a")
                      DELTA("1", "{\"type\":\"citations_delta\",\"citation\":{\"c\":1}}")
                          DELTA("1", "{\"type\":\"citations_delta\",\"citation\":{\"c\":2}}") STOP("1")
                              BLOCK("2", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
                                  DELTA("2", "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}") DELTA(
                                      "2", "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"q\\\": \\\"\\\\u00\"}")
                                      DELTA("2", "{\"type\":\"input_json_delta\",\"partial_json\":\"e9\\\"}\"}") STOP("2")
                                          BLOCK("3", "{\"type\":\"redacted_thinking\",\"data\":\"ZGF0YQ==\"}") STOP("3")
                                              BLOCK("4", "{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{}}")
                                                  STOP("4") END("\"tool_use\"") OVER,
      .folded = HEAD
      "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
      "\"signature\":"
      "\"c2ln\"},{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"c\":1},{\"c\":2}]},{\"type\":\"tool_use\",\"id\":\"t\","
      "\"name\":\"f\",\"input\":{\"q\":\"\\u00e9\"}},{\"type\":\"redacted_thinking\",\"data\":\"ZGF0YQ==\"},{\"type\":"
      "\"tool_use\","
      "\"id\":\"u\",\"name\":\"g\",\"input\":{}}],\"usage\":{\"input_tokens\":9,\"cache_read_input_tokens\":100,\"output_"
      "tokens\":15}}",
      .text = "a",
      .heard = "a",
      .tokens = { 109, 15, 100 } },
    { .name = "message, streamed: a reason, but no message_stop",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") TEXT("0", "a") END("\"max_tokens\""),
      .text = "a",
      .heard = "a",
      .tokens = { 109, 15, 100 },
      .what = LEAT_I_CASE_LENGTH },
    { .name = "message, streamed: it just ends",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") TEXT("0", "a") STOP("0"),
      .text = "a",
      .heard = "a",
      .tokens = { 109, 1, 100 },
      .what = LEAT_I_CASE_TRUNCATED,
      .is_partial = true },
    { .name = "message, streamed: refused in the middle",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") TEXT("0", "a") STOP("0") END("\"refusal\"") OVER,
      .text = "a",
      .heard = "a",
      .tokens = { 109, 15, 100 },
      .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "message, streamed: overloaded in the middle",
      MESSAGES,
      .stream = START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") TEXT("0", "a")
          EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"),
      .heard = "a",
      .is_error = true },
};
const size_t form_anthropic_count = sizeof form_anthropic / sizeof *form_anthropic;
