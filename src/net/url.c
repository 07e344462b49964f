/* url.c: see url.h. */
#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "../base/buf.h"
#include "../base/mem.h"

static bool host_is_loopback(const char *host)
{
    struct in_addr four;
    size_t size = strlen(host);
    if (strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0) return true;
    /* curl resolves all of .localhost to the loopback by itself, as RFC 6761 asks. */
    if (size > 10 && strcasecmp(host + size - 10, ".localhost") == 0) return true;
    return inet_pton(AF_INET, host, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127;
}

/* One part of the URL as a heap string of leat; "" when it is absent, NULL when memory is short. */
static char *url_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(u, part, &text, 0);
    char *copy = leat_i_strdup(rc == CURLUE_OK && text ? text : "");
    curl_free(text);
    return rc == CURLUE_OUT_OF_MEMORY ? (leat_i_free(copy), NULL) : copy;
}

static bool part_is_present(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool present = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return present;
}

static leat_err url_take(leat_i_url *url, CURLU *u)
{
    leat_i_buf origin = { 0 };
    char *scheme = url_part(u, CURLUPART_SCHEME), *host = url_part(u, CURLUPART_HOST), *port = url_part(u, CURLUPART_PORT);
    bool ok = scheme && host && port;
    if (ok) {
        url->https = strcmp(scheme, "https") == 0;
        url->loopback = host_is_loopback(host);
        ok = leat_i_buf_printf(&origin, "%s://%s%s%s", scheme, host, *port ? ":" : "", port);
        url->origin = origin.data;
    }
    url->path = url_part(u, CURLUPART_PATH);
    if (part_is_present(u, CURLUPART_QUERY)) {
        url->query = url_part(u, CURLUPART_QUERY);
        ok = ok && url->query;
    }
    url->host = host;
    leat_i_free(scheme), leat_i_free(port);
    if (!ok || !url->path) return LEAT_NOMEM;
    size_t size = strlen(url->path);
    while (size && url->path[size - 1] == '/')
        url->path[--size] = '\0';
    return LEAT_OK;
}

/* An encoded host is decoded by curl each time that it is read, and may be another one the next time; the zone of an IPv6 address
 * is. */
static bool host_is_encoded(const char *text)
{
    const char *host = strstr(text, "://") + 3;
    host += strspn(host, "/"); /* curl takes some more than two. */
    const char *at = host + strcspn(host, "%/?#");
    return host[0] != '[' && *at == '%';
}

static leat_err url_refuse(char *why, size_t why_bytes, const char *sentence)
{
    snprintf(why, why_bytes, "%s", sentence);
    return LEAT_USAGE;
}

leat_err leat_i_url_parse(leat_i_url *url, const char *text, char *why, size_t why_bytes)
{
    memset(url, 0, sizeof *url);
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
        return url_refuse(why, why_bytes, "the URL must begin with http:// or https://");
    CURLU *u = curl_url();
    if (!u) return LEAT_NOMEM;
    leat_err err;
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, text, 0);
    if (rc == CURLUE_OUT_OF_MEMORY)
        err = LEAT_NOMEM;
    else if (rc != CURLUE_OK)
        err = url_refuse(why, why_bytes, curl_url_strerror(rc));
    else if (part_is_present(u, CURLUPART_USER) || part_is_present(u, CURLUPART_PASSWORD))
        err = url_refuse(why, why_bytes, "the URL must not hold a user name or password");
    else if (part_is_present(u, CURLUPART_FRAGMENT))
        err = url_refuse(why, why_bytes, "the URL must not hold a fragment ('#')");
    else if (host_is_encoded(text))
        err = url_refuse(why, why_bytes, "the URL's host must not hold '%'");
    else
        err = url_take(url, u);
    curl_url_cleanup(u);
    if (err) leat_i_url_fini(url);
    return err;
}

char *leat_i_url_password(const char *text)
{
    CURLU *u = curl_url();
    char *password = NULL, *copy = NULL;
    unsigned flags = CURLU_DEFAULT_SCHEME | CURLU_NON_SUPPORT_SCHEME;
    if (u && curl_url_set(u, CURLUPART_URL, text, flags) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PASSWORD, &password, CURLU_URLDECODE) == CURLUE_OK) {
        copy = leat_i_strdup(password);
        explicit_bzero(password, strlen(password));
    }
    curl_free(password);
    curl_url_cleanup(u);
    return copy;
}

void leat_i_url_fini(leat_i_url *url)
{
    leat_i_free(url->origin), leat_i_free(url->host), leat_i_free(url->path), leat_i_free(url->query);
    memset(url, 0, sizeof *url);
}

/* How many bytes at the end of `base` are whole segments with which `path` begins; the longest such overlap. */
static size_t path_overlap(const char *base, const char *path)
{
    for (const char *at = strchr(base, '/'); at; at = strchr(at + 1, '/')) {
        size_t size = strlen(at);
        if (strncmp(path, at, size) == 0 && strchr("/?", path[size]))
            return size; /* A NUL counts as a separator here too. */
    }
    return 0;
}

char *leat_i_url_join(const leat_i_url *url, const char *path)
{
    leat_i_buf b = { 0 };
    size_t overlap = path_overlap(url->path, path);
    bool ok = leat_i_buf_puts(&b, url->origin) && leat_i_buf_puts(&b, url->path) &&
              (path[0] == '/' || leat_i_buf_puts(&b, "/")) && leat_i_buf_puts(&b, path + overlap);
    if (ok && url->query && !strchr(path, '?')) ok = leat_i_buf_puts(&b, "?") && leat_i_buf_puts(&b, url->query);
    if (!ok) leat_i_buf_fini(&b);
    return b.data;
}

bool leat_i_url_path_ok(const char *path)
{
    if (path[0] != '/') return false;
    for (const unsigned char *at = (const unsigned char *)path; *at; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == '#') return false;
    return true;
}
