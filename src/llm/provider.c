/* provider.c: see provider.h. */
#include "provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../net/url.h"

static const leat_i_provider *const OWN[] = { &leat_i_openai, &leat_i_azure, &leat_i_anthropic, &leat_i_gemini };
enum { OWN_COUNT = sizeof OWN / sizeof *OWN };

static const leat_i_provider *provider_at(size_t i)
{
    if (i < OWN_COUNT) return OWN[i];
    for (size_t c = 0; leat_i_compatible[c].name; c++)
        if (c == i - OWN_COUNT) return &leat_i_compatible[c];
    return NULL;
}

const char *leat_i_provider_name(size_t i)
{
    const leat_i_provider *p = provider_at(i);
    return p ? p->name : NULL;
}

const leat_i_provider *leat_i_provider_named(const char *name)
{
    const leat_i_provider *p;
    for (size_t i = 0; (p = provider_at(i)); i++)
        if (strcmp(p->name, name) == 0) return p;
    return NULL;
}

/* Whole labels: "api.x.com" is at the end of "eu.api.x.com" and not of "notapi.x.com". */
static bool host_ends(const char *host, const char *end)
{
    size_t size = strlen(host), end_size = strlen(end);
    if (size && host[size - 1] == '.') size--;
    if (size < end_size || strncasecmp(host + size - end_size, end, end_size) != 0) return false;
    return size == end_size || host[size - end_size - 1] == '.';
}

const leat_i_provider *leat_i_provider_of(const char *host, const char *path)
{
    const leat_i_provider *p;
    for (size_t i = 0; (p = provider_at(i)); i++) {
        bool is = false;
        for (size_t h = 0; h < sizeof p->host / sizeof *p->host && p->host[h]; h++)
            is |= host_ends(host, p->host[h]);
        if (!is) continue;
        /* Google and others have a corner that speaks OpenAI's form. */
        bool corner = strstr(path, "/openai") && strcmp(p->tongue, leat_i_openai.tongue) != 0;
        return corner ? leat_i_compatible : p;
    }
    return &leat_i_openai;
}

const char *leat_i_making_printf(leat_i_making *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = leat_i_arena_vprintf(m->arena, fmt, args);
    va_end(args);
    return text;
}

const char *leat_i_provider_url(const leat_i_provider *p, const char *given)
{
    if (!p) p = &leat_i_openai;
    const char *url = given || !p->base_env ? given : getenv(p->base_env);
    return url ? url : p->base_url;
}

const leat_i_provider *leat_i_provider_guess(const char *base_url)
{
    leat_i_url url;
    char why[96];
    if (leat_i_url_parse(&url, leat_i_provider_url(NULL, base_url), why, sizeof why)) return &leat_i_openai;
    const leat_i_provider *p = leat_i_provider_of(url.host, url.path);
    leat_i_url_fini(&url);
    return p;
}

const char *leat_i_provider_tongue(const char *name)
{
    const leat_i_provider *p = name ? leat_i_provider_named(name) : NULL;
    return p ? p->tongue : NULL;
}

leat_err leat_i_making_refuse(leat_i_making *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(m->why, sizeof m->why, fmt, args);
    va_end(args);
    return LEAT_INPUT;
}

const char *leat_i_asked_tail(const leat_i_asked *asked)
{
    const char *path = asked->path ? asked->path : "/chat/completions";
    return strncmp(path, "/v1/", 4) == 0 ? path + 3 : path;
}

bool leat_i_model_fits_path(const char *model)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@-";
    size_t size = strlen(model);
    return size > 0 && size <= 256 && strspn(model, letters) == size && strspn(model, ".") != size;
}

bool leat_i_query_has_key(const char *url)
{
    static const char *const names[] = { "key=", "api_key=", "api-key=", "apikey=", "access_token=" };
    const char *at = strchr(url, '?');
    for (; at; at = strchr(at + 1, '&'))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncasecmp(at + 1, names[i], strlen(names[i])) == 0) return true;
    return false;
}
