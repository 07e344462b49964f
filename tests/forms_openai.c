/* forms_openai.c: the rows of OpenAI's forms, and of those who are compatible. */
#include "forms_rows.h"

#define CHAT      .form = &leat_i_form_openai, .path = "/v1/chat/completions"
#define RESPONSES .form = &leat_i_form_responses, .path = "/v1/responses"
#define MESSAGE                                                                                                             \
    "\"output\":[{\"type\":\"reasoning\"},{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\\nb\"}" \
    "]}]"
#define USAGE                                                                                                           \
    "\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":7,\"output_tokens_" \
    "details\":{\"reasoning_tokens\":5},\"total_tokens\":16}"
#define DONE_RESPONSE     "{\"id\":\"r1\",\"object\":\"response\",\"status\":\"completed\",\"error\":null," MESSAGE "," USAGE "}"
#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define STARTED           EVENT("response.created", ",\"response\":{\"id\":\"r1\",\"status\":\"in_progress\",\"error\":null}")
#define DELTA(text)       EVENT("response.output_text.delta", ",\"output_index\":1,\"delta\":\"" text "\"")

const form_row form_openai[] = {
    { .name = "chat: cached and reasoning tokens",
      CHAT,
      .body = "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,"
              "\"completion_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":6},\"completion_tokens_details\":{"
              "\"reasoning_tokens\":3}}}",
      .text = "x",
      .tokens = { 10, 8, 6, 3 } },
    { .name = "chat: DeepSeek's name for cached tokens",
      CHAT,
      .body = "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,"
              "\"completion_tokens\":8,\"prompt_cache_hit_tokens\":7}}",
      .text = "x",
      .tokens = { 10, 8, 7, 0 } },
    { .name = "chat: DeepSeek's want of resources",
      CHAT,
      .body = "{\"choices\":[{\"message\":{\"content\":\"half\"},\"finish_reason\":\"insufficient_system_resource\"}]}",
      .text = "half",
      .what = LEAT_I_CASE_SERVER_LATE },
    { .name = "chat: OpenRouter names the cost",
      CHAT,
      .body = "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
              "\"completion_tokens\":1,\"cost\":0.025}}",
      .text = "x",
      .tokens = { 1, 1 },
      .cost_thousandths = 25 },
    { .name = "chat: OpenRouter's provider gave up in a choice",
      CHAT,
      .body =
          "{\"choices\":[{\"message\":{\"content\":\"ha\"},\"finish_reason\":\"error\",\"error\":{\"code\":502,\"message\":"
          "\"upstream is gone\"}}]}",
      .what = LEAT_I_CASE_SERVER_LATE,
      .message = "upstream is gone" },
    { .name = "chat: OpenRouter's provider had too much",
      CHAT,
      .body =
          "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"error\",\"error\":{\"code\":429,\"message\":"
          "\"slow down\"}}]}",
      .what = LEAT_I_CASE_THROTTLED,
      .message = "slow down" },
    { .name = "chat: Groq's usage stands in a place of its own",
      CHAT,
      .stream =
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":"
          "{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}}\n\n"
          "data: [DONE]\n\n",
      .text = "a",
      .heard = "a",
      .tokens = { 4, 2 } },

    { .name = "responses", RESPONSES, .body = DONE_RESPONSE, .text = "a\nb", .tokens = { 9, 7, 4, 5 } },
    { .name = "responses: cut by the limit",
      RESPONSES,
      .body = "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}," MESSAGE "}",
      .text = "a\nb",
      .what = LEAT_I_CASE_LENGTH },
    { .name = "responses: filtered",
      RESPONSES,
      .body = "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"}," MESSAGE "}",
      .text = "a\nb",
      .what = LEAT_I_CASE_FILTERED_ANSWER },
    { .name = "responses: only thoughts",
      RESPONSES,
      .body = "{\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\",\"summary\":[]}]}",
      .what = LEAT_I_CASE_EMPTY },
    { .name = "responses: a message without text",
      RESPONSES,
      .body = "{\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\","
              "\"text\":\"\"}]}]}",
      .what = LEAT_I_CASE_EMPTY },
    { .name = "responses: a tool is called",
      RESPONSES,
      .body = "{\"status\":\"completed\",\"output\":[{\"type\":\"function_call\",\"name\":\"f\"}]}" },
    { .name = "responses: it works in the background, as it was told",
      RESPONSES,
      .body = "{\"status\":\"queued\",\"background\":true,\"output\":[]}" },
    { .name = "responses: it has not ended, and nobody allowed that",
      RESPONSES,
      .body = "{\"status\":\"in_progress\",\"background\":false,\"output\":[]}",
      .what = LEAT_I_CASE_SERVER_IN_ANSWER },
    { .name = "responses: failed",
      RESPONSES,
      .body = "{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"later\"},\"output\":[]}",
      .what = LEAT_I_CASE_THROTTLED,
      .message = "later" },
    { .name = "responses, streamed",
      RESPONSES,
      .stream = STARTED EVENT("response.reasoning_summary_text.delta", ",\"delta\":\"hm\"") DELTA("a\\n") DELTA("b") EVENT(
          "response.output_text.done", ",\"text\":\"a\\nb\"") EVENT("response.completed", ",\"response\":" DONE_RESPONSE),
      .folded = DONE_RESPONSE,
      .text = "a\nb",
      .heard = "a\\nb",
      .tokens = { 9, 7, 4, 5 } },
    { .name = "responses, streamed, without its end",
      RESPONSES,
      .stream = STARTED DELTA("a\\n"),
      .folded = "{}",
      .what = LEAT_I_CASE_MALFORMED,
      .heard = "a\\n",
      .is_partial = true },
    { .name = "responses, streamed, an end that holds no answer",
      RESPONSES,
      .stream = STARTED DELTA("a\\n") EVENT("response.completed", ""),
      .folded = "{}",
      .what = LEAT_I_CASE_MALFORMED,
      .heard = "a\\n",
      .is_partial = true },
    { .name = "responses, streamed, failed in the middle",
      RESPONSES,
      .stream = STARTED DELTA("a")
          EVENT("response.failed", ",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\","
                                   "\"message\":\"oh\"},\"output\":[]}"),
      .what = LEAT_I_CASE_SERVER_IN_ANSWER,
      .heard = "a",
      .message = "oh" },
    { .name = "responses, streamed, an error event",
      RESPONSES,
      .stream = STARTED DELTA("a") EVENT("error", ",\"code\":\"server_error\",\"message\":\"oh\""),
      .heard = "a",
      .is_error = true },
};
const size_t form_openai_count = sizeof form_openai / sizeof *form_openai;
