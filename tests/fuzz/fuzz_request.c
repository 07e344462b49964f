/*
 * fuzz_request.c: requests in OpenAI's form to each provider: what goes out is a JSON object to a path that is usable, or there is a
 * sentence that says why nothing goes out. No value of the request gets out of its place.
 */
#include "fuzz.h"

#include "llm/provider.h"
#include "net/url.h"

static void make(const char *name, const char *path, const char *body, size_t size, bool stream)
{
    leat_i_arena arena = { 0 };
    leat_i_making m = { .arena = &arena };
    leat_i_wire w = { .path = NULL };
    leat_i_asked asked = { .path = path, .body = body, .body_bytes = size, .stream = stream, .base_path = "" };
    leat_err err = leat_i_provider_named(name)->make(&w, &asked, &m);
    HOLDS(err == LEAT_OK || err == LEAT_INPUT);
    if (err == LEAT_OK) {
        HOLDS(leat_i_url_path_ok(w.path) && w.form && w.form->fold);
        HOLDS(leat_i_json_parse(w.body, w.body_bytes, NULL).type == LEAT_I_JSON_OBJECT);
    } else {
        HOLDS(m.why[0] && strlen(m.why) < sizeof m.why);
    }
    leat_i_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "openai", "azure", "anthropic", "gemini" };
    static const char *const paths[] = { NULL, "/v1/chat/completions", "/v1/embeddings", "/v1/responses" };
    fuzz_bytes in = { data, size };
    uint8_t choice = fuzz_byte(&in);
    const char *body = (const char *)in.at;
    /* A client looks at the body first: what is no object never comes here. */
    if (leat_i_json_parse(body, in.size, NULL).type != LEAT_I_JSON_OBJECT) return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        make(names[i], paths[choice % 4], body, in.size, choice & 4);
    return 0;
}
