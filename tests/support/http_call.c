/* http_call.c: one HTTP request by libcurl. */
#include "http_call.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_client {
    CURL *easy;
    char *base_url;
};

static void must(bool ok)
{
    if (!ok) abort();
}

typedef struct sink {
    char **data;
    size_t *size;
} sink;

static size_t take(char *data, size_t one, size_t count, void *arg)
{
    sink *s = arg;
    char *grown = realloc(*s->data, *s->size + one * count + 1);
    must(grown != NULL);
    memcpy(grown + *s->size, data, one * count);
    *s->size += one * count;
    grown[*s->size] = '\0';
    *s->data = grown;
    return one * count;
}

http_client *http_client_new(const char *base_url)
{
    http_client *c = calloc(1, sizeof *c);
    must(c && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    c->easy = curl_easy_init();
    c->base_url = strdup(base_url);
    must(c->easy && c->base_url);
    return c;
}

void http_client_free(http_client *c)
{
    if (!c) return;
    curl_easy_cleanup(c->easy);
    free(c->base_url);
    free(c);
    curl_global_cleanup();
}

http_call http_client_call(http_client *c, const char *path, const char *key, const char *body)
{
    http_call call = { .headers = calloc(1, 1), .body = calloc(1, 1) };
    char url[512], auth[256];
    struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: application/json");
    sink headers = { &call.headers, &call.headers_size }, text = { &call.body, &call.body_size };
    snprintf(url, sizeof url, "%s%s", c->base_url, path);
    if (key) {
        snprintf(auth, sizeof auth, "Authorization: Bearer %s", key);
        lines = curl_slist_append(lines, auth);
    }
    curl_easy_reset(c->easy);
    curl_easy_setopt(c->easy, CURLOPT_URL, url);
    curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, &headers);
    if (body) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, body);
    }
    call.curl = (int)curl_easy_perform(c->easy);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &call.status);
    curl_easy_getinfo(c->easy, CURLINFO_TOTAL_TIME, &call.seconds);
    curl_slist_free_all(lines);
    return call;
}

void http_call_fini(http_call *call)
{
    free(call->headers);
    free(call->body);
    *call = (http_call){ 0 };
}

const char *http_call_header(http_call *call, const char *name)
{
    static _Thread_local char value[512];
    size_t size = strlen(name);
    for (const char *line = strchr(call->headers, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':') continue;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line + size + 2, "\r\n"), line + size + 2);
        return value;
    }
    return NULL;
}
