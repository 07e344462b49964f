/* provider_errors.c: see provider_errors.h. */
#include "provider_errors.h"

#define DAY_QUOTA                                                                             \
    "{\"error\":{\"code\":429,\"message\":\"You exceeded your current "                       \
    "quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{"                                \
    "\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"quotaId\":" \
    "\"GenerateRequestsPerDayPerProjectPerModel-FreeTier\"}]},{\"retryDelay\":\"34s\"}]}}"
#define MINUTE_QUOTA                                                                              \
    "{\"error\":{\"code\":429,\"message\":\"You exceeded your current "                           \
    "quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{"                                    \
    "\"violations\":[{\"quotaId\":\"GenerateRequestsPerMinutePerProjectPerModel\"}]},{\"@type\":" \
    "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.5s\"}]}}"

const provider_error provider_errors[] = {
    { "anthropic", 529, "",
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"},\"request_id\":\"r\"}",
      .attempts = 2, .throttles = 1 },
    { "anthropic", 429, "retry-after: 7\r\n",
      "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"This request would exceed your limit\"}}",
      .attempts = 2, .throttles = 1, .least_ms = 7000 },
    { "anthropic", 400, "",
      "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low to "
      "access it\"}}",
      LEAT_CLASS_QUOTA, .attempts = 1, .fatal = true, .message = "credit balance" },
    { "anthropic", 400, "",
      "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "HTTP 400: prompt is too long" },
    { "anthropic", 401, "",
      "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}}",
      LEAT_CLASS_AUTH, .attempts = 1, .fatal = true, .message = "invalid x-api-key" },
    { "anthropic", 402, "", "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"pay\"}}",
      LEAT_CLASS_QUOTA, .attempts = 1, .fatal = true },
    { "anthropic", 403, "", "{\"type\":\"error\",\"error\":{\"type\":\"permission_error\",\"message\":\"no\"}}",
      LEAT_CLASS_AUTH, .attempts = 1, .fatal = true },
    { "anthropic", 404, "", "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: c\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "model: c" },
    { "anthropic", 413, "", "{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\",\"message\":\"too large\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1 },
    { "anthropic", 500, "", "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"oh\"}}", .attempts = 2 },
    { "anthropic", 504, "", "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"oh\"}}",
      .attempts = 2 },
    { "gemini", 429, "", MINUTE_QUOTA, .attempts = 2, .throttles = 1, .least_ms = 34500 },
    { "gemini", 429, "", "[" MINUTE_QUOTA "]", .attempts = 2, .throttles = 1, .least_ms = 34500 },
    { "gemini", 429, "", DAY_QUOTA, LEAT_CLASS_QUOTA, .attempts = 1, .fatal = true, .message = "exceeded" },
    { "gemini", 400, "",
      "{\"error\":{\"code\":400,\"message\":\"API key not "
      "valid.\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}",
      LEAT_CLASS_AUTH, .attempts = 1, .fatal = true, .message = "API key not valid" },
    { "gemini", 400, "", "{\"error\":{\"code\":400,\"message\":\"too long\",\"status\":\"INVALID_ARGUMENT\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1 },
    { "gemini", 403, "", "{\"error\":{\"code\":403,\"message\":\"no\",\"status\":\"PERMISSION_DENIED\"}}", LEAT_CLASS_AUTH,
      .attempts = 1, .fatal = true },
    { "gemini", 404, "", "{\"error\":{\"code\":404,\"message\":\"models/m is not found\",\"status\":\"NOT_FOUND\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "not found" },
    { "gemini", 500, "", "{\"error\":{\"code\":500,\"message\":\"oh\",\"status\":\"INTERNAL\"}}", .attempts = 2 },
    { "gemini", 503, "", "{\"error\":{\"code\":503,\"message\":\"The model is overloaded\",\"status\":\"UNAVAILABLE\"}}",
      .attempts = 2, .throttles = 1 },
    { "gemini", 504, "", "{\"error\":{\"code\":504,\"message\":\"oh\",\"status\":\"DEADLINE_EXCEEDED\"}}", .attempts = 2 },
    { "gemini", 200, "", "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", LEAT_CLASS_FILTERED, .attempts = 1,
      .message = "SAFETY" },
    { "gemini", 200, "", "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}", .attempts = 2 },
    { "azure", 400, "",
      "{\"error\":{\"message\":\"The response was "
      "filtered\",\"code\":\"content_filter\",\"status\":400,\"innererror\":{\"code\":"
      "\"ResponsibleAIPolicyViolation\"}}}",
      LEAT_CLASS_FILTERED, .attempts = 1 },
    { "azure", 429, "retry-after-ms: 1500\r\nretry-after: 60\r\nx-ratelimit-remaining-requests: -1\r\n",
      "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded the call rate limit. Please retry after 60 "
      "seconds.\"}}",
      .attempts = 2, .throttles = 1, .least_ms = 1500 },
    { "azure", 429, "", "{\"error\":{\"code\":\"429\",\"message\":\"Rate limit is exceeded. Try again in 9 seconds.\"}}",
      .attempts = 2, .throttles = 1, .least_ms = 9000 },
    { "azure", 401, "", "{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to invalid subscription key\"}}",
      LEAT_CLASS_AUTH, .attempts = 1, .fatal = true },
    { "azure", 404, "", "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"The API deployment does not exist\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "does not exist" },
    { "openrouter", 200, "",
      "{\"error\":{\"code\":429,\"message\":\"Provider returned "
      "error\",\"metadata\":{\"raw\":\"{\\\"error\\\":{\\\"message\\\":\\\"try again in 9s\\\"}}\"}}}",
      .attempts = 2, .throttles = 1, .least_ms = 9000 },
    { "openrouter", 200, "",
      "{\"choices\":[{\"message\":{\"content\":\"ha\"},\"finish_reason\":\"error\",\"error\":{\"code\":502,\"message\":"
      "\"gone\"}}]}",
      .attempts = 2 },
    { "openrouter", 402, "", "{\"error\":{\"code\":402,\"message\":\"Insufficient credits\"}}", LEAT_CLASS_QUOTA,
      .attempts = 1, .fatal = true },
    { "openrouter", 403, "",
      "{\"error\":{\"code\":403,\"message\":\"requires "
      "moderation\",\"metadata\":{\"reasons\":[\"violence\"],\"flagged_input\":\"x\"}}}",
      LEAT_CLASS_FILTERED, .attempts = 1 },
    { "openrouter", 429, "", "{\"error\":{\"code\":429,\"message\":\"Rate limit exceeded: free-models-per-day\"}}",
      LEAT_CLASS_QUOTA, .attempts = 1, .fatal = true },
    { "groq", 429, "retry-after: 2\r\nx-ratelimit-reset-requests: 7m12s\r\n",
      "{\"error\":{\"message\":\"Rate limit reached on tokens per minute (TPM). Please try again in "
      "7.66s.\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
      .attempts = 2, .throttles = 1, .least_ms = 2000 },
    { "groq", 498, "", "{\"error\":{\"message\":\"no capacity\",\"code\":\"capacity_exceeded\"}}", .attempts = 2,
      .throttles = 1 },
    { "groq", 413, "",
      "{\"error\":{\"message\":\"Request too large for model\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1 },
    { "deepseek", 402, "",
      "{\"error\":{\"message\":\"Insufficient Balance\",\"type\":\"unknown_error\",\"code\":\"invalid_request_error\"}}",
      LEAT_CLASS_QUOTA, .attempts = 1, .fatal = true },
    { "deepseek", 200, "",
      "{\"choices\":[{\"message\":{\"content\":\"ha\"},\"finish_reason\":\"insufficient_system_resource\"}]}",
      .attempts = 2 },
    { "vllm", 400, "",
      "{\"object\":\"error\",\"message\":\"maximum context length is "
      "4096\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "maximum context" },
    { "llama.cpp", 503, "", "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
      .attempts = 2, .throttles = 1 },
    { "ollama", 404, "", "{\"error\":{\"message\":\"model 'm' not found, try pulling it first\",\"type\":\"api_error\"}}",
      LEAT_CLASS_REJECTED, .attempts = 1, .message = "try pulling it" },
    { "ollama", 503, "", "{\"error\":{\"message\":\"server busy, please try again\"}}", .attempts = 2, .throttles = 1 },
};
const size_t provider_error_count = sizeof provider_errors / sizeof *provider_errors;
