/* openai.c: OpenAI: nothing is translated; a stream asks for its usage. */
#include "provider.h"
#include "request.h"

/* Completions and responses come in pieces; what else goes to the same endpoint (embeddings) is asked for as it is. */
leat_err leat_i_openai_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    bool responses = leat_i_path_ends(wire->path, "/responses");
    bool stream = asked->stream && (responses || leat_i_path_ends(wire->path, "/completions"));
    wire->form = responses ? &leat_i_form_responses : &leat_i_form_openai;
    wire->body = asked->body;
    wire->body_bytes = asked->body_bytes;
    wire->stream = stream || asked->streams_itself;
    if (!stream) return LEAT_OK;
    wire->body = leat_i_request_for_stream(m->arena, asked->body, asked->body_bytes, !responses, &wire->body_bytes);
    return wire->body ? LEAT_OK : LEAT_NOMEM;
}

static leat_err openai_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *own = asked->base_path[0] ? "/chat/completions" : "/v1/chat/completions";
    wire->path = asked->path ? asked->path : own;
    return leat_i_openai_make(wire, asked, m);
}

const leat_i_provider leat_i_openai = {
    .name = "openai",
    .tongue = "openai",
    .host = { "api.openai.com" },
    .base_url = "https://api.openai.com/v1",
    .base_env = "OPENAI_BASE_URL",
    .key_env = { "OPENAI_API_KEY" },
    .key_header = "Authorization: Bearer %s",
    .make = openai_make,
};

/* ---- those who are compatible ---- */

#define COMPATIBLE(provider, at, url, env)                                                                           \
    {                                                                                                                \
        .name = provider, .tongue = "openai", .host = { at }, .base_url = url, .key_env = { env, "OPENAI_API_KEY" }, \
        .key_header = "Authorization: Bearer %s", .make = openai_make                                                \
    }

/* What they do otherwise than OpenAI is read wherever it comes from: in fault.c, rates.c and the forms. */
const leat_i_provider leat_i_compatible[] = {
    { .name = "compatible",
      .tongue = "openai",
      .base_env = "OPENAI_BASE_URL",
      .key_env = { "OPENAI_API_KEY" },
      .key_header = "Authorization: Bearer %s",
      .make = openai_make },
    COMPATIBLE("openrouter", "openrouter.ai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    COMPATIBLE("groq", "api.groq.com", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    COMPATIBLE("deepseek", "api.deepseek.com", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    COMPATIBLE("ollama", NULL, "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY"),
    COMPATIBLE("vllm", NULL, "http://127.0.0.1:8000/v1", "VLLM_API_KEY"),
    COMPATIBLE("llama.cpp", NULL, "http://127.0.0.1:8080/v1", "LLAMA_API_KEY"),
    { .name = NULL },
};
