/*
 * azure.c: OpenAI's models at Azure: the same bodies, another key header, and paths that may name a deployment.
 *
 * Three kinds of base URL are in use: the resource alone, which has OpenAI's paths below /openai/v1; the resource with
 * ?api-version=..., where the deployment stands in the path, and the request's model names it; and one that names the deployment.
 */
#include <string.h>

#include "provider.h"

static leat_err path_of_deployment(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *tail = leat_i_asked_tail(asked), *model = NULL;
    size_t size = 0;
    if (leat_i_path_ends(tail, "/responses")) {
        wire->path = leat_i_making_printf(m, "/openai%s", tail);
        return wire->path ? LEAT_OK : LEAT_NOMEM;
    }
    leat_i_json name = leat_i_json_get(leat_i_json_parse(asked->body, asked->body_bytes, NULL), "model");
    if (name.type == LEAT_I_JSON_STRING && !(model = leat_i_json_text(name, m->arena, &size))) return LEAT_NOMEM;
    if (!model || strlen(model) != size || !leat_i_model_fits_path(model))
        return leat_i_making_refuse(
            m, "Azure takes the request's \"model\" for the deployment's name, and this one cannot be one");
    wire->path = leat_i_making_printf(m, "/openai/deployments/%s%s", model, tail);
    return wire->path ? LEAT_OK : LEAT_NOMEM;
}

static leat_err azure_make(leat_i_wire *wire, const leat_i_asked *asked, leat_i_making *m)
{
    const char *tail = leat_i_asked_tail(asked);
    bool bare = !asked->base_path[0] || strcmp(asked->base_path, "/openai") == 0;
    if (strncmp(tail, "/openai/", 8) == 0) {
        wire->path = asked->path;
    } else if (!bare) {
        wire->path = tail;
    } else if (asked->has_query) {
        LEAT_TRY(path_of_deployment(wire, asked, m));
    } else {
        wire->path = leat_i_making_printf(m, "/openai/v1%s", tail);
        if (!wire->path) return LEAT_NOMEM;
    }
    return leat_i_openai_make(wire, asked, m);
}

const leat_i_provider leat_i_azure = {
    .name = "azure",
    .tongue = "openai",
    .host = { "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com" },
    .key_env = { "AZURE_OPENAI_API_KEY" },
    .key_header = "api-key: %s",
    .make = azure_make,
};
