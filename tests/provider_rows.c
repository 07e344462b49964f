/* provider_rows.c: see provider_rows.h. */
#include "provider_rows.h"

#define CHAT "{\"model\":\"m\",\"messages\":[]}"

const provider_row provider_rows[] = {
    /* OpenAI: byte for byte. */
    { "openai", NULL, CHAT, .wire_path = "/v1/chat/completions", .form = &leat_i_form_openai },
    { "openai", NULL, CHAT, .base_path = "/v1", .wire_path = "/chat/completions", .form = &leat_i_form_openai },
    { "vllm", "/v1/score", "{ }", .stream = true, .wire_path = "/v1/score", .form = &leat_i_form_openai, .no_stream = true },
    { "openai", "/v1/responses", "{\"input\":\"x\",\"stream_options\":{\"include_obfuscation\":false}}", .stream = true,
      .wire_path = "/v1/responses", .form = &leat_i_form_responses,
      .wire_body = "{\"input\":\"x\",\"stream_options\":{\"include_obfuscation\":false},\"stream\":true}" },
    { "groq", "/v1/chat/completions", CHAT, .stream = true, .wire_path = "/v1/chat/completions", .form = &leat_i_form_openai,
      .wire_body = "{\"model\":\"m\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
    /* Azure: three kinds of base URLs. */
    { "azure", "/v1/chat/completions", CHAT, .wire_path = "/openai/v1/chat/completions", .form = &leat_i_form_openai },
    { "azure", NULL, CHAT, .base_path = "/openai/v1", .wire_path = "/chat/completions", .form = &leat_i_form_openai },
    { "azure", "/v1/chat/completions", CHAT, .has_query = true, .wire_path = "/openai/deployments/m/chat/completions",
      .form = &leat_i_form_openai },
    { "azure", "/v1/embeddings", "{\"model\":\"te-3\",\"input\":\"x\"}", .base_path = "/openai", .has_query = true,
      .stream = true, .wire_path = "/openai/deployments/te-3/embeddings", .form = &leat_i_form_openai, .no_stream = true },
    { "azure", "/v1/chat/completions", CHAT, .base_path = "/openai/deployments/d", .has_query = true,
      .wire_path = "/chat/completions", .form = &leat_i_form_openai },
    { "azure", "/v1/responses", "{\"input\":\"x\"}", .has_query = true, .wire_path = "/openai/responses",
      .form = &leat_i_form_responses },
    { "azure", "/openai/deployments/other/chat/completions", CHAT, .has_query = true,
      .wire_path = "/openai/deployments/other/chat/completions", .form = &leat_i_form_openai },
    { "azure", "/v1/chat/completions", "{\"model\":\"../x\",\"messages\":[]}", .has_query = true, .why = "deployment" },
    { "azure", "/v1/chat/completions", "{\"messages\":[]}", .has_query = true, .why = "deployment" },
    /* Anthropic: its own as it comes; chat requests become messages. */
    { "anthropic", "/v1/messages", "{ \"model\":\"c\" }", .wire_path = "/v1/messages", .form = &leat_i_form_messages },
    { "anthropic", "/v1/messages", "{\"model\":\"c\"}", .stream = true, .wire_path = "/v1/messages",
      .form = &leat_i_form_messages, .wire_body = "{\"model\":\"c\",\"stream\":true}" },
    { "anthropic", "/v1/messages/count_tokens", "{}", .stream = true, .wire_path = "/v1/messages/count_tokens",
      .form = &leat_i_form_messages, .no_stream = true },
    { "anthropic", NULL, "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"x\\n\"}]}",
      .wire_path = "/v1/messages", .form = &leat_i_form_messages,
      .wire_body = "{\"max_tokens\":4096,\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"x\\n\"}]}" },
    { "anthropic", "/v1/chat/completions",
      "{\"model\":\"c\",\"max_tokens\":9,\"max_completion_tokens\":7,\"temperature\":0.5,\"n\":1,\"seed\":null,\"stop\":"
      "\"END\","
      "\"user\":\"u1\",\"top_k\":4,\"response_format\":{\"type\":\"text\"},\"messages\":[{\"role\":\"system\",\"content\":"
      "\"be brief\"},"
      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what?\"},{\"type\":\"image_url\",\"image_url\":{"
      "\"url\":"
      "\"data:image/png;base64,iVBO\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/i.png\"}}]},"
      "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"really\"}]}]}",
      .stream = true, .wire_path = "/v1/messages", .form = &leat_i_form_messages,
      .wire_body =
          "{\"max_tokens\":7,\"model\":\"c\",\"temperature\":0.5,\"top_k\":4,\"system\":[{\"type\":\"text\",\"text\":\"be "
          "brief\"},"
          "{\"type\":\"text\",\"text\":\"really\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
          "\"text\":"
          "\"what?\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}},"
          "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://h/i.png\"}}]}],\"stop_sequences\":[\"END\"],"
          "\"metadata\":{\"user_id\":\"u1\"},\"stream\":true}" },
    { "anthropic", "/v1/chat/completions",
      "{\"model\":\"c\",\"stop\":[\"a\",\"b\"],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"description\":\"d\","
      "\"parameters\":{\"type\":\"object\",\"properties\":{}}}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}},{"
      "\"type\":"
      "\"web_search_20250305\",\"name\":\"web_search\"}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
      "\"f\"}},"
      "\"parallel_tool_calls\":false,\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
      "\"content\":\"let me\","
      "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"q\\\": "
      "\\\"\\u00e9\\\"}\"}},"
      "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_"
      "call_id\":"
      "\"t1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":[{\"type\":\"text\",\"text\":"
      "\"two\"}]},"
      "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t3\",\"function\":{\"name\":\"g\"}}]},{\"role\":"
      "\"tool\","
      "\"tool_call_id\":\"t3\",\"content\":\"three\"}]}",
      .wire_path = "/v1/messages", .form = &leat_i_form_messages,
      .wire_body =
          "{\"max_tokens\":4096,\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
          "\"content\":[{\"type\":\"text\",\"text\":\"let "
          "me\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":"
          "{\"q\":\"\u00e9\"}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\","
          "\"content\":["
          "{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"one\"},{\"type\":\"tool_result\",\"tool_use_id\":"
          "\"t2\","
          "\"content\":[{\"type\":\"text\",\"text\":\"two\"}]}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_"
          "use\",\"id\":"
          "\"t3\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
          "\"t3\","
          "\"content\":\"three\"}]}],\"stop_sequences\":[\"a\",\"b\"],\"tools\":[{\"name\":\"f\",\"description\":\"d\","
          "\"input_schema\":"
          "{\"type\":\"object\",\"properties\":{}}},{\"name\":\"g\",\"input_schema\":{\"type\":\"object\"}},{\"type\":"
          "\"web_search_20250305\",\"name\":\"web_search\"}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\","
          "\"disable_parallel_tool_use\":true}}" },
    { "anthropic", NULL, "{\"messages\":[],\"tool_choice\":\"required\",\"parallel_tool_calls\":true}",
      .wire_path = "/v1/messages", .form = &leat_i_form_messages,
      .wire_body = "{\"max_tokens\":4096,\"messages\":[],\"tool_choice\":{\"type\":\"any\"}}" },
    { "anthropic", "/v1/embeddings", "{\"input\":\"x\"}", .why = "Anthropic has no /embeddings" },
    { "anthropic", NULL, "{\"model\":\"c\"}", .why = "no messages" },
    { "anthropic", NULL, "{\"messages\":[],\"n\":2}", .why = "no counterpart of \"n\"" },
    { "anthropic", NULL, "{\"messages\":[],\"seed\":7}", .why = "\"seed\"" },
    { "anthropic", NULL, "{\"messages\":[],\"response_format\":{\"type\":\"json_object\"}}", .why = "response_format" },
    { "anthropic", NULL, "{\"messages\":[],\"tool_choice\":{\"type\":\"allowed_tools\"}}", .why = "tool_choice" },
    { "anthropic", NULL, "{\"messages\":[{\"role\":\"king\"}]}", .why = "no role" },
    { "anthropic", NULL, "{\"messages\":[{\"role\":\"user\",\"content\":7}]}", .why = "neither a text" },
    { "anthropic", NULL, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}", .why = "sound" },
    { "anthropic", NULL,
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]}]}",
      .why = "data URL" },
    { "anthropic", NULL,
      "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"["
      "\"}}]}]}",
      .why = "arguments" },
    { "anthropic", NULL, "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", .why = "tool_call_id" },
    /* Gemini: the model and the stream stand in the path. */
    { "gemini", "/v1beta/models/g:generateContent", "{ \"contents\":[] }", .wire_path = "/v1beta/models/g:generateContent",
      .form = &leat_i_form_generate },
    { "gemini", "/v1beta/models/g:generateContent", "{}", .stream = true,
      .wire_path = "/v1beta/models/g:streamGenerateContent?alt=sse", .form = &leat_i_form_generate },
    { "gemini", "/v1beta/models/g:embedContent", "{}", .stream = true, .wire_path = "/v1beta/models/g:embedContent",
      .form = &leat_i_form_embed, .no_stream = true },
    { "gemini", NULL, "{\"model\":\"models/g-2.5\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
      .base_path = "/v1", .wire_path = "/models/g-2.5:generateContent", .form = &leat_i_form_generate,
      .wire_body = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]}]}" },
    { "gemini", "/v1/chat/completions",
      "{\"model\":\"g\",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":0.9,\"n\":2,\"seed\":3,\"stop\":\"END\",\"user\":"
      "\"u1\",\"parallel_tool_calls\":null,"
      "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"type\":\"object\"}}},"
      "\"generationConfig\":{\"thinkingConfig\":"
      "{\"thinkingBudget\":0}},\"safetySettings\":[],\"messages\":[{\"role\":\"system\",\"content\":\"be "
      "brief\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
      "\"text\":\"what?\"},{\"type\":\"image_url\",\"image_url\":\"data:image/"
      "png;base64,iVBO\"},{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklG\",\"format\":"
      "\"wav\"}},{\"fileData\":{\"fileUri\":\"gs://b/o\"}}]},{\"role\":\"assistant\",\"content\":\"this\"}]}",
      .stream = true, .wire_path = "/v1beta/models/g:streamGenerateContent?alt=sse", .form = &leat_i_form_generate,
      .wire_body =
          "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"what?\"},{\"inlineData\":{\"mimeType\":\"image/"
          "png\",\"data\":\"iVBO\"}},{\"inlineData\":{"
          "\"mimeType\":\"audio/wav\",\"data\":\"UklG\"}},{\"fileData\":{\"fileUri\":\"gs://b/"
          "o\"}}]},{\"role\":\"model\",\"parts\":[{\"text\":\"this\"}]}],"
          "\"systemInstruction\":{\"parts\":[{\"text\":\"be "
          "brief\"}]},\"generationConfig\":{\"maxOutputTokens\":9,\"stopSequences\":[\"END\"],"
          "\"responseMimeType\":\"application/"
          "json\",\"responseJsonSchema\":{\"type\":\"object\"},\"temperature\":0.5,\"topP\":0.9,\"candidateCount\":2,"
          "\"seed\":3,\"thinkingConfig\":{\"thinkingBudget\":0}},\"safetySettings\":[]}" },
    { "gemini", NULL,
      "{\"model\":\"g\",\"tools\":[{\"googleSearch\":{}},{\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}},"
      "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
      "\"f\"}},\"messages\":[{\"role\":\"user\",\"content\":"
      "\"x\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"{\\\"q\\\":1}\"},\"extra_content\":{\"google\":"
      "{\"thought_signature\":\"s\"}}},{\"id\":\"t2\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},{\"role\":"
      "\"tool\",\"tool_call_id\":\"t1\",\"content\":\"{\\\"r\\\": 2}\"},"
      "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":\"plain\"},{\"role\":\"user\",\"content\":\"so?\"}]}",
      .wire_path = "/v1beta/models/g:generateContent", .form = &leat_i_form_generate,
      .wire_body = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]},{\"role\":\"model\",\"parts\":[{"
                   "\"functionCall\":{\"name\":\"f\",\"args\":{\"q\":1}},"
                   "\"thoughtSignature\":\"s\"},{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\","
                   "\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":"
                   "{\"r\":2}}},{\"functionResponse\":{\"name\":\"g\",\"response\":{\"result\":\"plain\"}}}]},{\"role\":"
                   "\"user\",\"parts\":[{\"text\":\"so?\"}]}],\"tools\":["
                   "{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\",\"parametersJsonSchema\":{\"type\":"
                   "\"object\"}},{\"name\":\"g\"}]},{\"googleSearch\":{}}],"
                   "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}}}" },
    { "gemini", "/v1/embeddings",
      "{\"model\":\"e\",\"input\":[\"a\",\"b\"],\"dimensions\":64,\"encoding_format\":\"float\"}", .stream = true,
      .wire_path = "/v1beta/models/e:batchEmbedContents", .form = &leat_i_form_embed, .no_stream = true,
      .wire_body =
          "{\"requests\":[{\"model\":\"models/"
          "e\",\"content\":{\"parts\":[{\"text\":\"a\"}]},\"outputDimensionality\":64},{\"model\":\"models/e\",\"content\":"
          "{\"parts\":[{\"text\":\"b\"}]},\"outputDimensionality\":64}]}" },
    { "gemini", "/v1/embeddings", "{\"model\":\"e\",\"input\":[1,2]}", .why = "of texts" },
    { "gemini", "/v1/embeddings", "{\"model\":\"e\",\"input\":\"a\",\"encoding_format\":\"base64\"}", .why = "base64" },
    { "gemini", "/v1/responses", "{\"model\":\"g\"}", .why = "Gemini has no /responses" },
    { "gemini", NULL, "{\"messages\":[]}", .why = "model" },
    { "gemini", NULL, "{\"model\":\"../g\",\"messages\":[]}", .why = "model" },
    { "gemini", NULL, "{\"model\":\"g\"}", .why = "no messages" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[],\"logit_bias\":{\"1\":2}}", .why = "\"logit_bias\"" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[],\"response_format\":{\"type\":\"grammar\"}}",
      .why = "response_format" },
    { "gemini", NULL,
      "{\"model\":\"g\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
      "\"https://h/i.png\"}}]}]}",
      .why = "data URLs" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\"}]}]}",
      .why = "no counterpart" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"x\"}]}",
      .why = "answers no call" },
    /* Ids that come again: each result is of the call before it. One may come late, and none before its call. */
    { "gemini", NULL,
      "{\"model\":\"g\",\"messages\":["
      "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c0\",\"function\":{\"name\":\"one\"}}]},"
      "{\"role\":\"tool\",\"tool_call_id\":\"c0\",\"content\":\"1\"},"
      "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c0\",\"function\":{\"name\":\"two\"}},{\"id\":\"c1\","
      "\"function\":{\"name\":\"late\"}}]},"
      "{\"role\":\"tool\",\"tool_call_id\":\"c0\",\"content\":\"2\"},"
      "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c2\",\"function\":{\"name\":\"three\"}}]},"
      "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"l\"}]}",
      .wire_path = "/v1beta/models/g:generateContent", .form = &leat_i_form_generate,
      .wire_body =
          "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"one\",\"args\":{}}}]},"
          "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"one\",\"response\":{\"result\":\"1\"}}}]},"
          "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"two\",\"args\":{}}},{\"functionCall\":{\"name\":"
          "\"late\",\"args\":{}}}]},"
          "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"two\",\"response\":{\"result\":\"2\"}}}]},"
          "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"three\",\"args\":{}}}]},"
          "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"late\",\"response\":{\"result\":\"l\"}}}]}]}" },
    { "gemini", NULL,
      "{\"model\":\"g\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"x\"},"
      "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"function\":{\"name\":\"f\"}}]}]}",
      .why = "answers no call" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
      .why = "without one" },
    { "anthropic", NULL, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]}",
      .wire_path = "/v1/messages", .form = &leat_i_form_messages,
      .wire_body = "{\"max_tokens\":4096,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
                   "\"no\"}]}]}" },
    { "gemini", NULL, "{\"model\":\"g\",\"messages\":[{\"role\":\"user\",\"tool_calls\":[{\"id\":\"t\"}]}]}",
      .why = "not the assistant's" },
};
const size_t provider_row_count = sizeof provider_rows / sizeof *provider_rows;
