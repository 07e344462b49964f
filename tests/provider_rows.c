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
};
const size_t provider_row_count = sizeof provider_rows / sizeof *provider_rows;
